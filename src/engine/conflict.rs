//! Names for the version that does not keep the name (`docs/sync.md` §4, Conflict).

use crate::model::name::{MAX_NAME_BYTES, cut, same, split_extension};

/// The name of a conflict copy of `name`: `NAME (conflict MARK).EXT`, where `mark` is
/// `YYYY-MM-DD HH-MM-SS HOST`. The `nth` one of the same second (2, 3, …) says so. A conflict
/// suffix that is there already is replaced, never nested; the whole is cut to 255 bytes.
pub fn conflict_name(name: &str, mark: &str, nth: u32) -> String {
    let (stem, extension) = split_extension(name);
    let stem = strip_suffix(stem);
    let count = if nth > 1 { format!(" {nth}") } else { String::new() };
    let suffix = format!(" (conflict {mark}{count})");
    let extension = extension.map(|extension| format!(".{extension}")).unwrap_or_default();
    let extension = if suffix.len() + extension.len() < MAX_NAME_BYTES { extension } else { String::new() };
    let room = MAX_NAME_BYTES.saturating_sub(suffix.len() + extension.len());
    format!("{}{suffix}{extension}", cut(stem, room))
}

/// Whether `name` is one that [`conflict_name`] made.
pub fn is_conflict_name(name: &str) -> bool {
    let (stem, _) = split_extension(name);
    strip_suffix(stem).len() != stem.len()
}

/// Whether `name` is one that [`conflict_name`] made of `of`, if that was short enough to be kept whole.
pub fn is_conflict_name_of(name: &str, of: &str) -> bool {
    let (stem, extension) = split_extension(name);
    let original = strip_suffix(stem);
    let (own_stem, own_extension) = split_extension(of);
    original.len() != stem.len() && same(original, strip_suffix(own_stem)) && extension == own_extension
}

/// A host name as it may stand in a file name: letters, digits, `-`, `_`, `.`, at most 40 bytes.
pub fn sanitise_host(host: &str) -> String {
    let kept: String = host
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .collect();
    let kept = cut(kept.trim_matches(['-', '.']), 40).to_owned();
    if kept.is_empty() { "unknown".to_owned() } else { kept }
}

fn strip_suffix(stem: &str) -> &str {
    match stem.rfind(" (conflict ") {
        Some(at) if stem.ends_with(')') && is_mark(&stem[at + " (conflict ".len()..stem.len() - 1]) => {
            &stem[..at]
        }
        _ => stem,
    }
}

/// `YYYY-MM-DD HH-MM-SS …`
fn is_mark(text: &str) -> bool {
    let shape = "0000-00-00 00-00-00 ";
    text.len() > shape.len()
        && shape
            .bytes()
            .zip(text.bytes())
            .all(|(want, is)| if want == b'0' { is.is_ascii_digit() } else { want == is })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "2026-11-22 10-00-00 nas";

    #[test]
    fn a_conflict_name_tells_of_which_name_it_was_made() {
        assert!(!is_conflict_name_of("a.txt", "a.txt"));
        for name in ["a", "a.txt", "v1.2", &conflict_name("a.txt", MARK, 1)] {
            assert!(is_conflict_name_of(&conflict_name(name, MARK, 2), name), "{name}");
            assert!(!is_conflict_name_of(&conflict_name("b.txt", MARK, 1), name), "{name}");
        }
    }

    #[test]
    fn the_name_tells_when_and_where() {
        for (name, nth, expected) in [
            ("notes.txt", 1, "notes (conflict 2026-11-22 10-00-00 nas).txt"),
            ("notes.txt", 2, "notes (conflict 2026-11-22 10-00-00 nas 2).txt"),
            ("Makefile", 1, "Makefile (conflict 2026-11-22 10-00-00 nas)"),
            (".bashrc", 1, ".bashrc (conflict 2026-11-22 10-00-00 nas)"),
            ("a (conflict 2025-01-01 00-00-00 pc).txt", 1, "a (conflict 2026-11-22 10-00-00 nas).txt"),
            (
                "a (conflict of interest).txt",
                1,
                "a (conflict of interest) (conflict 2026-11-22 10-00-00 nas).txt",
            ),
        ] {
            assert_eq!(conflict_name(name, MARK, nth), expected);
        }
    }

    #[test]
    fn long_names_are_cut_to_what_a_disk_holds() {
        let name = conflict_name(&format!("{}.txt", "\u{e4}".repeat(125)), MARK, 1);
        assert!(
            name.len() <= MAX_NAME_BYTES && name.ends_with(" (conflict 2026-11-22 10-00-00 nas).txt"),
            "{name}"
        );
        let odd = conflict_name(&format!("a.{}", "x".repeat(250)), MARK, 1);
        assert!(odd.len() <= MAX_NAME_BYTES && is_conflict_name(&odd), "{odd}");
    }

    #[test]
    fn hosts_lose_what_a_name_cannot_hold() {
        assert_eq!(sanitise_host("my/host name"), "my-host-name");
        assert_eq!(sanitise_host("///"), "unknown");
    }
}
