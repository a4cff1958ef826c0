//! Identifiers of items and zones, and how they are written (`docs/protocol.md §7.1`, `§7.2`).

use std::fmt;

/// The zone of the ordinary Drive.
pub const CLOUD_DOCS: &str = "com.apple.CloudDocs";

/// How the trash is named in listings and as a parent.
pub const TRASH_ROOT: &str = "TRASH_ROOT";

/// A zone's place in the drive's list of zones; 0 is the ordinary Drive.
pub type ZoneNo = u16;

/// The `docwsid` of an item: unique only within its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Doc {
    /// The root of the Drive, or of a share.
    Root,
    /// The root of an app library.
    Documents,
    /// Everything else.
    Uuid(u128),
}

/// Identity of an item: its zone and `docwsid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId {
    /// Place of the zone in the drive's list.
    pub zone: ZoneNo,
    /// The `docwsid`.
    pub doc: Doc,
}

impl Doc {
    /// Reads a `docwsid` as it is written; `None` when it has none of the known forms.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "root" => return Some(Self::Root),
            "documents" => return Some(Self::Documents),
            _ => {}
        }
        let bytes = text.as_bytes();
        if bytes.len() != 36 {
            return None;
        }
        let mut value = 0_u128;
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(at, 8 | 13 | 18 | 23) {
                if *byte != b'-' {
                    return None;
                }
            } else {
                value = (value << 4) | u128::from((*byte as char).to_digit(16)?);
            }
        }
        Some(Self::Uuid(value))
    }
}

impl fmt::Display for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Documents => f.write_str("documents"),
            Self::Uuid(value) => write!(
                f,
                "{:08X}-{:04X}-{:04X}-{:04X}-{:012X}",
                value >> 96,
                (value >> 80) & 0xffff,
                (value >> 64) & 0xffff,
                (value >> 48) & 0xffff,
                value & 0xffff_ffff_ffff
            ),
        }
    }
}

/// Splits `TYPE::zone::docwsid` on its first two `::`.
pub fn split_drivewsid(text: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = text.split_once("::")?;
    let (zone, doc) = rest.split_once("::")?;
    Some((kind, zone, doc))
}

/// Whether an id names the trash, in either accepted form.
pub fn is_trash_root(drivewsid: &str) -> bool {
    drivewsid == TRASH_ROOT || split_drivewsid(drivewsid).is_some_and(|(_, _, doc)| doc == TRASH_ROOT)
}

/// A change number as etag token: lower-case base 36.
pub fn token(mut revision: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit((revision % 36) as u32, 36).expect("a digit below 36"));
        revision /= 36;
        if revision == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let text = "3C8E0B1D-5A4F-4B0C-9D5E-6F7A8B9C0D1E";
        assert_eq!(Doc::parse(text).unwrap().to_string(), text);
        assert_eq!(Doc::parse(&text.to_lowercase()), Doc::parse(text));
        assert_eq!(Doc::parse("root"), Some(Doc::Root));
        for wrong in ["", "TRASH_ROOT", "3C8E0B1D-5A4F-4B0C-9D5E", "3C8E0B1Dx5A4F-4B0C-9D5E-6F7A8B9C0D1E"] {
            assert_eq!(Doc::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_zone_may_hold_single_colons_but_the_split_is_at_the_first_two_pairs() {
        assert_eq!(split_drivewsid("FOLDER::a.b::c::d"), Some(("FOLDER", "a.b", "c::d")));
        assert_eq!(split_drivewsid("FOLDER::a.b"), None);
        assert!(is_trash_root("TRASH_ROOT"));
        assert!(is_trash_root("FOLDER::com.apple.CloudDocs::TRASH_ROOT"));
        assert!(!is_trash_root("FOLDER::com.apple.CloudDocs::root"));
    }

    #[test]
    fn etag_tokens_count_in_base_36() {
        assert_eq!([0, 35, 36, 105].map(token), ["0", "z", "10", "2x"]);
    }
}
