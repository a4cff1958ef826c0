//! Names: how they are stored, when two are the same, which are refused (`docs/protocol.md §7.4`).

use unicode_normalization::UnicodeNormalization;

use crate::switches::{NameBad, NameLimit, Names};

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

/// The name that the service gives instead of a taken one: `Name 2.ext`, `Name 3.ext`, …
pub fn numbered(full: &str, number: u32, is_folder: bool) -> String {
    match split(full) {
        (stem, extension) if !extension.is_empty() && !is_folder => format!("{stem} {number}.{extension}"),
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
        assert_eq!(numbered("Report.pdf", 2, false), "Report 2.pdf");
        assert_eq!(numbered("Report.d", 2, true), "Report.d 2");
        assert_eq!(numbered(".bashrc", 3, false), ".bashrc 3");
        assert_eq!(split("a.tar.gz"), ("a.tar", "gz"));
        assert_eq!(split("trailing."), ("trailing.", ""));
    }
}
