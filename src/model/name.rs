//! When two names are the same name.

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The NFC form of `name`: what names are compared by (`docs/sync.md` §4, Names).
pub fn nfc(name: &str) -> Box<str> {
    if is_nfc(name) { name.into() } else { name.nfc().collect::<String>().into() }
}

/// What two names share when a side cannot hold them apart: the NFC form, and with
/// `folds_case` its lower case too.
pub fn key(name: &str, folds_case: bool) -> Box<str> {
    let composed = nfc(name);
    if folds_case { nfc(&composed.to_lowercase()) } else { composed }
}

/// Whether both are one name but for Unicode normalisation.
pub fn same(a: &str, b: &str) -> bool {
    a == b || nfc(a) == nfc(b)
}

/// Splits off the extension at the last dot, as iCloud does (`docs/protocol.md` §7.4); a
/// leading dot starts no extension.
pub fn split_extension(name: &str) -> (&str, Option<&str>) {
    match name.rfind('.') {
        Some(at) if at > 0 && at + 1 < name.len() => (&name[..at], Some(&name[at + 1..])),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_decomposed_are_one_name() {
        assert!(same("Mu\u{308}ll", "M\u{fc}ll"));
        assert!(!same("Mull", "M\u{fc}ll"));
        assert_eq!(key("MU\u{308}LL", true), key("m\u{fc}ll", true));
    }

    #[test]
    fn extensions_split_at_the_last_dot() {
        for (name, expected) in [
            ("a.tar.gz", ("a.tar", Some("gz"))),
            (".bashrc", (".bashrc", None)),
            ("a.", ("a.", None)),
            ("a", ("a", None)),
        ] {
            assert_eq!(split_extension(name), expected, "{name}");
        }
    }
}
