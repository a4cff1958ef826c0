//! Names: how they are stored, when two are the same, which are refused (`docs/protocol.md §7.4`).

use unicode_normalization::UnicodeNormalization;

use crate::switches::{FolderExt, LeadingDot, NameBad, NameLimit, Names};

/// The form in which a name is stored.
pub fn store(rule: Names, name: &str) -> String {
    match rule {
        Names::NfdCaseSensitive | Names::CaseInsensitive => name.nfd().collect(),
        Names::Nfc => name.nfc().collect(),
        Names::AsSent => name.to_owned(),
    }
}

/// Whether two names cannot be in one folder together.
pub fn same(rule: Names, a: &str, b: &str) -> bool {
    match rule {
        Names::AsSent => a == b,
        Names::NfdCaseSensitive | Names::Nfc => a.nfc().eq(b.nfc()),
        Names::CaseInsensitive => fold(a).eq(fold(b)),
    }
}

/// Whether a name is short enough.
fn fits(limit: NameLimit, name: &str) -> bool {
    match limit {
        NameLimit::Bytes255 => name.len() <= 255,
        NameLimit::Chars255 => name.chars().count() <= 255,
        NameLimit::None => true,
    }
}

/// Whether a name has nothing that the service is known or supposed to refuse.
pub fn is_accepted(name: &str, limit: NameLimit, bad: NameBad) -> bool {
    let has_refused = match bad {
        NameBad::SlashNul => name.contains(['/', '\0']),
        NameBad::AlsoColonBackslash => name.contains(['/', '\0', ':', '\\']),
    };
    !name.is_empty() && fits(limit, name) && !has_refused
}

/// A name without its case and normalisation.
fn fold(name: &str) -> impl Iterator<Item = char> + '_ {
    name.nfc().flat_map(char::to_lowercase)
}

/// The same number for all names that any rule of [`Names`] takes for the same.
pub fn fold_hash(name: &str) -> u64 {
    // FNV-1a: short names, no hostile input.
    fold(name).fold(0xcbf2_9ce4_8422_2325, |hash, c| {
        (hash ^ u64::from(u32::from(c))).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Splits a full name at its last dot; a leading dot does not start an extension.
pub fn split(full: &str) -> (&str, &str) {
    match full.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => (stem, extension),
        _ => (full, ""),
    }
}

/// Name and extension as a listing shows them: the way of S-folder-ext and S-leading-dot.
pub fn shown(full: &str, is_folder: bool, folders: FolderExt, dots: LeadingDot) -> (&str, &str) {
    if is_folder && folders == FolderExt::Whole {
        return (full, "");
    }
    match full.rsplit_once('.') {
        Some(("", extension)) if dots == LeadingDot::Extension && !extension.is_empty() => ("", extension),
        _ => split(full),
    }
}

/// The name that the service gives instead of a taken one: `Name 2.ext`, `Name 3.ext`, …
///
/// The number stands between the two parts that a listing shows, so a folder of S-folder-ext = whole has it at its end.
pub fn numbered(full: &str, number: u32, is_folder: bool, folders: FolderExt) -> String {
    match shown(full, is_folder, folders, LeadingDot::Name) {
        (stem, extension) if !extension.is_empty() => format!("{stem} {number}.{extension}"),
        _ => format!("{full} {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSED: &str = "Gr\u{fc}\u{df}e.txt";
    const DECOMPOSED: &str = "Gru\u{308}\u{df}e.txt";

    #[test]
    fn each_rule_stores_and_compares_in_its_own_way() {
        for (rule, stored, variants_meet, cases_meet) in [
            (Names::NfdCaseSensitive, DECOMPOSED, true, false),
            (Names::AsSent, COMPOSED, false, false),
            (Names::Nfc, COMPOSED, true, false),
            (Names::CaseInsensitive, DECOMPOSED, true, true),
        ] {
            assert_eq!(store(rule, COMPOSED), stored, "{rule:?}");
            assert_eq!(same(rule, COMPOSED, DECOMPOSED), variants_meet, "{rule:?}");
            assert_eq!(same(rule, "Case.md", "case.md"), cases_meet, "{rule:?}");
        }
        assert_eq!(fold_hash(COMPOSED), fold_hash(&DECOMPOSED.to_uppercase().replace("SS", "\u{df}")));
    }

    #[test]
    fn limits_count_bytes_or_characters() {
        let name = "\u{e4}".repeat(200);
        assert!(!fits(NameLimit::Bytes255, &name));
        assert!(fits(NameLimit::Chars255, &name));
        assert!(fits(NameLimit::None, &name.repeat(2)));
        assert!(!fits(NameLimit::Chars255, &name.repeat(2)));
    }

    #[test]
    fn a_slash_is_never_taken_and_a_colon_only_by_default() {
        assert!(!is_accepted("a/b", NameLimit::None, NameBad::SlashNul));
        assert!(!is_accepted("", NameLimit::None, NameBad::SlashNul));
        assert!(is_accepted("a:b", NameLimit::None, NameBad::SlashNul));
        assert!(!is_accepted("a:b", NameLimit::None, NameBad::AlsoColonBackslash));
    }

    #[test]
    fn the_number_goes_before_the_extension_of_a_file() {
        let by_default = FolderExt::default();
        assert_eq!(numbered("Report.pdf", 2, false, FolderExt::Whole), "Report 2.pdf");
        assert_eq!(numbered("Report.d", 2, true, FolderExt::Whole), "Report.d 2");
        assert_eq!(numbered("Report.d", 2, true, by_default), "Report 2.d");
        assert_eq!(numbered(".bashrc", 3, false, by_default), ".bashrc 3");
        assert_eq!(split("a.tar.gz"), ("a.tar", "gz"));
        assert_eq!(split("trailing."), ("trailing.", ""));
    }

    #[test]
    fn folders_are_split_like_files_by_default() {
        let (split, whole) = (FolderExt::Split, FolderExt::Whole);
        let (name, extension) = (LeadingDot::Name, LeadingDot::Extension);
        assert_eq!(shown("v1.2", true, split, name), ("v1", "2"));
        assert_eq!(shown("v1.2", true, whole, extension), ("v1.2", ""));
        assert_eq!(shown("v1.2", false, whole, name), ("v1", "2"));
        assert_eq!(shown(".config", true, split, name), (".config", ""));
        assert_eq!(shown(".config", true, split, extension), ("", "config"));
        assert_eq!(shown("a.", true, split, extension), ("a.", ""));
    }
}
