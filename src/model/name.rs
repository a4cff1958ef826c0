//! What can be a name, and when two names are the same name.

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A name, or another short text that many items have: short ones take their place alone, longer ones are shared by all copies.
pub type Name = ecow::EcoString;

/// Keeps the text of `known` in the place of an equal one: a long one is then in memory once.
pub fn share(name: &mut Name, known: &Name) {
    if name == known {
        *name = known.clone();
    }
}

/// Why a text is no [`RelPath`](super::RelPath), or a name no part of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path starts or ends with `/`, or has two in a row.
    #[error("{0:?} has an empty part")]
    EmptyPart(String),
    /// A part is `.` or `..`.
    #[error("{0:?} has a part that is \".\" or \"..\"")]
    Dots(String),
    /// A name holds `/` or NUL.
    #[error("{0:?} holds a character that no name can hold")]
    Forbidden(String),
}

/// Tells whether `name` can be one part of a path: not empty, `.` or `..`, without `/` and NUL.
///
/// # Errors
///
/// [`PathError`] says what is wrong with it.
pub fn check_name(name: &str) -> Result<(), PathError> {
    match name {
        "" => Err(PathError::EmptyPart(name.to_owned())),
        "." | ".." => Err(PathError::Dots(name.to_owned())),
        _ if name.bytes().any(|byte| matches!(byte, b'/' | 0)) => Err(PathError::Forbidden(name.to_owned())),
        _ => Ok(()),
    }
}

/// The longest name that either side is asked to hold, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// The NFC form of `name`: what names are compared by (`docs/sync.md` §4, Names).
pub fn nfc(name: &str) -> Name {
    if name.is_ascii() || is_nfc(name) { name.into() } else { name.nfc().collect() }
}

/// The form under which the disk holds a name from iCloud: composed, unless only the name as it is there is short enough.
pub fn held_here(name: &str) -> Name {
    let composed = nfc(name);
    if composed.len() > MAX_NAME_BYTES && name.len() <= MAX_NAME_BYTES { name.into() } else { composed }
}

/// What two names share when a side cannot hold them apart: the NFC form, and with
/// `folds_case` its lower case too.
pub fn key(name: &str, folds_case: bool) -> Name {
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

/// The folder of ours in a local root, and in each file system mounted inside it. At no level does it take part in the sync
/// (`docs/contract.md`, Filter).
pub const PRIVATE_FOLDER: &str = ".icloudds";

const ASIDE: &str = ".icloudds-moving-";

/// A name for `name` while a move waits for its place; `number` tells those of one plan apart.
pub fn temporary_name(name: &str, number: usize) -> String {
    let name = temporary_origin(name).unwrap_or(name);
    cut(&format!("{ASIDE}{number}-{name}"), MAX_NAME_BYTES).to_owned()
}

/// The name that an item had before it got the temporary one of [`temporary_name`]; `None` for any other name.
///
/// An interrupted move leaves such a name behind: it is no person's choice and is never carried to the other side.
pub fn temporary_origin(name: &str) -> Option<&str> {
    let (number, origin) = name.strip_prefix(ASIDE)?.split_once('-')?;
    let counted = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    // Whoever can name an item can name it so; what comes of it must be a name all the same.
    (counted && check_name(origin).is_ok()).then_some(origin)
}

/// The name to give back to an item that is called `name` now, which may be a temporary one: the one it had before. A
/// temporary name that had to be cut does not tell it whole, but `agreed`, the one in the base, may.
pub fn name_below_temporary<'a>(name: &'a str, agreed: Option<&'a str>) -> &'a str {
    let Some(origin) = temporary_origin(name) else { return name };
    let is_cut = name.len() + 3 >= MAX_NAME_BYTES;
    agreed.filter(|agreed| is_cut && agreed.starts_with(origin)).unwrap_or(origin)
}

/// The beginning of `text` that fits `room` bytes.
pub fn cut(text: &str, room: usize) -> &str {
    let mut end = room.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
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

    #[test]
    fn a_name_is_composed_unless_it_gets_too_long_by_it() {
        assert_eq!(&*held_here("u\u{308}"), "\u{fc}");
        // One of the letters whose composed form is the longer one.
        let odd = "\u{958}".repeat(80);
        assert!(nfc(&odd).len() > MAX_NAME_BYTES);
        assert_eq!(*held_here(&odd), *odd);
        let long = "u\u{308}".repeat(100);
        assert_eq!(held_here(&long).len(), 200);
    }

    #[test]
    fn a_temporary_name_that_was_cut_is_told_by_the_base() {
        let name = format!("{}.txt", "\u{fc}".repeat(125));
        let aside = temporary_name(&name, 7);
        assert!(aside.len() <= MAX_NAME_BYTES);
        assert_eq!(name_below_temporary(&aside, Some(&name)), name);
        assert_ne!(name_below_temporary(&aside, None), name);
        assert_eq!(name_below_temporary(".icloudds-moving-7-ab", Some("abc")), "ab");
        assert_eq!(name_below_temporary("plain", Some("other")), "plain");
    }

    #[test]
    fn a_temporary_name_tells_the_one_before() {
        assert_eq!(temporary_origin(&temporary_name("a-b.txt", 12)), Some("a-b.txt"));
        assert_eq!(temporary_name(&temporary_name("a", 1), 2), ".icloudds-moving-2-a");
        for name in [
            "a",
            ".icloudds-moving-",
            ".icloudds-moving-x-a",
            ".icloudds-moving-1-",
            ".icloudds-moving-1-.",
            ".icloudds-moving-1-..",
        ] {
            assert_eq!(temporary_origin(name), None, "{name}");
        }
    }
}
