//! The service's identifiers, as types that cannot be mixed up.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::name::Name;

/// The zone of an item: `com.apple.CloudDocs` for the ordinary drive, an app's container
/// id for an app library (`docs/protocol.md` §7.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zone {
    /// `com.apple.CloudDocs`.
    CloudDocs,
    /// Any other zone.
    Named(Arc<str>),
}

/// The name of the ordinary drive's zone.
pub const CLOUD_DOCS: &str = "com.apple.CloudDocs";

impl Zone {
    /// The zone of that name.
    pub fn new(name: &str) -> Self {
        if name == CLOUD_DOCS { Self::CloudDocs } else { Self::Named(name.into()) }
    }

    /// Its name, as it stands in URLs.
    pub fn as_str(&self) -> &str {
        match self {
            Self::CloudDocs => CLOUD_DOCS,
            Self::Named(name) => name,
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What identifies an item on iCloud for as long as it lives: zone and `docwsid`
/// (`docs/protocol.md` §7.1). It survives rename, move, trash and in-place replacement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ItemId(Kept);

/// Nearly all ids are of the ordinary drive and upper-case UUIDs: those take their 16 bytes. Each id is kept in one way only.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    Uuid([u8; 16]),
    Other(Arc<Other>),
}

impl Hash for Kept {
    /// Nothing but the bytes of a UUID: ids are looked for all the time.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Uuid(bytes) => state.write(bytes),
            Self::Other(other) => other.hash(state),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Other {
    zone: Zone,
    doc: Doc,
}

/// A `docwsid`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Doc {
    Uuid([u8; 16]),
    Text(Box<str>),
}

impl ItemId {
    /// The item `doc` of `zone`.
    pub fn new(zone: Zone, doc: &str) -> Self {
        match parse_uuid(doc) {
            Some(uuid) => Self::of_uuid(zone, uuid),
            None => Self(Kept::Other(Arc::new(Other { zone, doc: Doc::Text(doc.into()) }))),
        }
    }

    /// The item of `zone` whose `docwsid` is that UUID, in upper case.
    pub fn of_uuid(zone: Zone, uuid: [u8; 16]) -> Self {
        match zone {
            Zone::CloudDocs => Self(Kept::Uuid(uuid)),
            zone => Self(Kept::Other(Arc::new(Other { zone, doc: Doc::Uuid(uuid) }))),
        }
    }

    /// The root of the ordinary drive.
    pub fn drive_root() -> Self {
        Self::new(Zone::CloudDocs, "root")
    }

    /// Reads the `TYPE::zone::docwsid` form (§7.1); `None` when it is not of that form.
    pub fn from_drivewsid(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, "::");
        let (_, zone, doc) = (parts.next()?, parts.next()?, parts.next()?);
        (!zone.is_empty() && !doc.is_empty()).then(|| Self::new(Zone::new(zone), doc))
    }

    /// Reads what its `Display` writes: `zone::docwsid`; `None` when it is not of that form.
    pub fn from_text(text: &str) -> Option<Self> {
        let (zone, doc) = text.split_once("::")?;
        Some(Self::new(Zone::new(zone), doc))
    }

    /// The zone it lives in.
    pub fn zone(&self) -> &Zone {
        match &self.0 {
            Kept::Uuid(_) => &Zone::CloudDocs,
            Kept::Other(other) => &other.zone,
        }
    }

    /// The bytes of a `docwsid` that is an upper-case UUID.
    pub fn uuid(&self) -> Option<&[u8; 16]> {
        match &self.0 {
            Kept::Uuid(bytes) => Some(bytes),
            Kept::Other(other) => match &other.doc {
                Doc::Uuid(bytes) => Some(bytes),
                Doc::Text(_) => None,
            },
        }
    }

    /// Whether its `docwsid` is this text.
    pub fn is_doc(&self, text: &str) -> bool {
        match (self.uuid(), &self.0) {
            (Some(uuid), _) => parse_uuid(text).as_ref() == Some(uuid),
            (None, Kept::Other(other)) => matches!(&other.doc, Doc::Text(doc) if **doc == *text),
            (None, Kept::Uuid(_)) => false,
        }
    }

    /// The `docwsid`, exactly as the service wrote it.
    pub fn doc(&self) -> String {
        match &self.0 {
            Kept::Uuid(bytes) => format_uuid(bytes),
            Kept::Other(other) => match &other.doc {
                Doc::Uuid(bytes) => format_uuid(bytes),
                Doc::Text(text) => text.to_string(),
            },
        }
    }
}

impl Ord for ItemId {
    /// By zone, then UUIDs before other texts.
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Kept::Uuid(a), Kept::Uuid(b)) => a.cmp(b),
            (Kept::Other(a), Kept::Other(b)) => (&a.zone, &a.doc).cmp(&(&b.zone, &b.doc)),
            // One of them is no UUID, or of another zone than the ordinary drive, which is the first.
            (Kept::Uuid(_), Kept::Other(_)) => Ordering::Less,
            (Kept::Other(_), Kept::Uuid(_)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for ItemId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ItemId {
    /// `zone::docwsid`: a `drivewsid` without its type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.zone(), self.doc())
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut digits = 0;
    if text.len() != 36 {
        return None;
    }
    for (at, c) in text.bytes().enumerate() {
        let value = match c {
            b'-' if matches!(at, 8 | 13 | 18 | 23) => continue,
            b'0'..=b'9' => c - b'0',
            b'A'..=b'F' => c - b'A' + 10,
            _ => return None,
        };
        *bytes.get_mut(digits / 2)? |= value << if digits % 2 == 0 { 4 } else { 0 };
        digits += 1;
    }
    (digits == 32).then_some(bytes)
}

/// In one piece: the store and every request of thousands of files spell ids.
fn format_uuid(bytes: &[u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The service's version mark of an item; opaque, compared for equality only
/// (`docs/protocol.md` §7.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Etag(Name);

impl Etag {
    /// The etag as the service wrote it; empty when it gave none.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Keeps the text of an equal one, as [`super::name::share`].
    pub fn share(&mut self, known: &Self) {
        super::name::share(&mut self.0, &known.0);
    }

    /// The text to send back.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both have the same content half: what follows `::`, or all of an etag that
    /// has no halves. When only the other half differs, the content is the same.
    pub fn same_content(&self, other: &Self) -> bool {
        self.content() == other.content()
    }

    /// A mark of the same content that is no version's: no listing shows it.
    #[must_use]
    pub fn of_no_version(&self) -> Self {
        match self.0.split_once("::") {
            Some((_, content)) => Self(format!("::{content}").as_str().into()),
            None => self.clone(),
        }
    }

    /// The content half: the same for versions of one content.
    pub fn content(&self) -> &str {
        self.0.split_once("::").map_or(&*self.0, |(_, content)| content)
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_as_they_were_written() {
        for doc in [
            "root",
            "documents",
            "3C8E0B1D-5A4F-4B0C-9D5E-6F7A8B9C0D1E",
            "3c8e0b1d-5a4f-4b0c-9d5e-6f7a8b9c0d1e",
            "3C8E0B1D-5A4F-4B0C-9D5E6F7A8B9C0D1E-",
            "a::b",
        ] {
            let id = ItemId::from_drivewsid(&format!("FILE::com.apple.Pages::{doc}")).unwrap();
            assert_eq!(id.doc(), doc);
            assert!(id.is_doc(doc) && !id.is_doc("another"));
            assert!(!id.is_doc("00000000-0000-0000-0000-000000000000"));
            assert_eq!(id.zone().as_str(), "com.apple.Pages");
        }
        assert_eq!(ItemId::from_drivewsid("TRASH_ROOT"), None);
    }

    #[test]
    fn ids_sort_by_zone_and_uuids_come_first() {
        let id = |text: &str| ItemId::from_drivewsid(&format!("FILE::{text}")).unwrap();
        let sorted = [
            "com.apple.CloudDocs::00000000-0000-0000-0000-000000000001",
            "com.apple.CloudDocs::F0000000-0000-0000-0000-000000000000",
            "com.apple.CloudDocs::root",
            "a::00000000-0000-0000-0000-000000000001",
            "a::documents",
            "b::00000000-0000-0000-0000-000000000000",
        ]
        .map(id);
        assert!(sorted.is_sorted() && sorted.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(sorted[3].uuid(), sorted[0].uuid());
        assert!(sorted[4].is_doc("documents") && !sorted[0].is_doc("documents"));
    }

    #[test]
    fn only_the_content_half_of_an_etag_tells_of_content() {
        assert!(Etag::new("32::2x").same_content(&Etag::new("40::2x")));
        assert!(!Etag::new("32::2x").same_content(&Etag::new("32::2y")));
        assert!(!Etag::new("31").same_content(&Etag::new("32")));
        let (version, none) = (Etag::new("32::2x"), Etag::new("32::2x").of_no_version());
        assert!(none != version && none.same_content(&version) && none.of_no_version() == none);
        assert_eq!(Etag::new("31").of_no_version(), Etag::new("31"));
    }
}
