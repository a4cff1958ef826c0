//! In which forms the names of one folder come.

use std::collections::HashSet;

use unicode_normalization::{UnicodeNormalization as _, is_nfc, is_nfd};

use crate::model::name::key;

/// Names by their form. Only counts are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// ASCII alone.
    pub ascii: u64,
    /// Composed (NFC) and not decomposed.
    pub nfc: u64,
    /// Decomposed (NFD) and not composed.
    pub nfd: u64,
    /// Beyond ASCII, with one form only.
    pub either: u64,
    /// Neither composed nor decomposed throughout.
    pub mixed: u64,
    /// `Name 2.ext` beside `Name.ext`.
    pub numbered: u64,
    /// Names that differ from another one of the folder in case alone.
    pub case_twins: u64,
    /// Names that differ from another one of the folder in normalisation alone.
    pub form_twins: u64,
    /// Names that begin with a dot.
    pub dotted: u64,
    /// Names of more than 255 bytes, which a disk here cannot hold.
    pub too_long: u64,
}

impl Names {
    /// Counts the names of one folder.
    pub fn of(names: &[String]) -> Self {
        let all: HashSet<&str> = names.iter().map(String::as_str).collect();
        let (mut composed, mut folded) = (HashSet::new(), HashSet::new());
        let mut counts = Self::default();
        for name in names {
            let form = match (name.is_ascii(), is_nfc(name), is_nfd(name)) {
                (true, _, _) => &mut counts.ascii,
                (false, true, true) => &mut counts.either,
                (false, true, false) => &mut counts.nfc,
                (false, false, true) => &mut counts.nfd,
                (false, false, false) => &mut counts.mixed,
            };
            *form += 1;
            counts.numbered += u64::from(unnumbered(name).is_some_and(|first| all.contains(first.as_str())));
            counts.dotted += u64::from(name.starts_with('.'));
            counts.too_long += u64::from(name.len() > 255);
            let nfc: String = name.nfc().collect();
            let is_new_form = composed.insert(nfc);
            let is_new_key = folded.insert(key(name, true).to_string());
            counts.form_twins += u64::from(!is_new_form);
            counts.case_twins += u64::from(is_new_form && !is_new_key);
        }
        counts
    }

    /// These and those.
    pub fn add(&mut self, more: &Self) {
        for (sum, more) in [
            (&mut self.ascii, more.ascii),
            (&mut self.nfc, more.nfc),
            (&mut self.nfd, more.nfd),
            (&mut self.either, more.either),
            (&mut self.mixed, more.mixed),
            (&mut self.numbered, more.numbered),
            (&mut self.case_twins, more.case_twins),
            (&mut self.form_twins, more.form_twins),
            (&mut self.dotted, more.dotted),
            (&mut self.too_long, more.too_long),
        ] {
            *sum += more;
        }
    }
}

/// The name that a numbered one was before it got its number: `Name.ext` of `Name 2.ext`.
fn unnumbered(name: &str) -> Option<String> {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, Some(extension)),
        _ => (name, None),
    };
    let (first, number) = stem.rsplit_once(' ')?;
    let is_number = (1..=3).contains(&number.len())
        && !number.starts_with('0')
        && number != "1"
        && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| extension.map_or_else(|| first.to_owned(), |extension| format!("{first}.{extension}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Names {
        Names::of(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn each_form_is_counted() {
        let counts =
            of(&["plain.txt", "\u{e9}t\u{e9}", "e\u{301}te\u{301}", "日本", "\u{e9}e\u{301}", ".dot"]);
        let forms = [counts.ascii, counts.nfc, counts.nfd, counts.either, counts.mixed, counts.dotted];
        assert_eq!(forms, [2, 1, 1, 1, 1, 1]);
        assert_eq!(counts.form_twins, 1, "été is there in two forms");
        assert_eq!(of(&["A.txt", "a.txt", "b.txt"]).case_twins, 1);
        assert_eq!(of(&["é".repeat(128).as_str()]).too_long, 1);
    }

    #[test]
    fn a_numbered_twin_has_its_first_beside_it() {
        for (names, expected) in [
            (&["a.txt", "a 2.txt"][..], 1),
            (&["a 2.txt"], 0),
            (&["a.txt", "a 1.txt"], 0),
            (&["a.txt", "a 02.txt"], 0),
            (&["folder", "folder 3", "folder 12"], 2),
            (&["a.txt", "a 2.md"], 0),
        ] {
            assert_eq!(of(names).numbered, expected, "{names:?}");
        }
    }

    #[test]
    fn sums_add_up() {
        let mut sum = of(&["a", "a 2"]);
        sum.add(&of(&["é"]));
        assert_eq!((sum.ascii, sum.nfc, sum.numbered), (2, 1, 1));
    }
}
