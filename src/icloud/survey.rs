//! Listings as counts: how many items of which kind a folder holds and in which forms their names come, without one name that stays
//! (`docs/protocol.md` §7, §8.1). For `icloudds diagnose`, which asks how the service behaves and not what it stores.

mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::wire::{TRASH, is_trash, number, parse_details, text};
use super::wire_docs::Download;
use super::wire_send;
use crate::engine::ports::{Offer, RemoteParent};
use crate::model::ItemId;

pub use names::Names;

/// Files up to this size, in bytes, are small enough to be fetched for a look at how contents come.
pub const SMALL: u64 = 1 << 20;
/// So many entries of one answer are read.
const MOST_ENTRIES: usize = 1000;
/// So many children of one folder are read; a drive of more is told by its beginning.
const MOST_CHILDREN: u64 = 200_000;
/// Longer words are no words of the protocol.
const LONGEST_WORD: usize = 40;

/// The body that asks for folders by their ids; `brief` as in [`Remote::list`](crate::engine::ports::Remote::list).
pub fn listing_of(folders: &[ItemId], brief: bool) -> String {
    let ids: Vec<_> = folders.iter().map(|id| super::wire::drivewsid(id, true)).collect();
    wire_send::listing(&ids, brief)
}

/// The body that asks for the top of the trash.
pub fn listing_of_trash() -> String {
    wire_send::listing(&[TRASH.to_owned()], false)
}

/// The body that asks for single items, each a folder or not.
pub fn details_of(items: &[(ItemId, bool)]) -> String {
    let [body, _] = wire_send::details(items.iter());
    body
}

/// One listed folder.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Entry {
    #[serde(deserialize_with = "text")]
    drivewsid: Option<String>,
    #[serde(deserialize_with = "text")]
    status: Option<String>,
    /// What it says of the number of its children.
    #[serde(rename = "numberOfItems", deserialize_with = "number")]
    pub announced: Option<u64>,
    /// Files in it and below, as the service counts them.
    #[serde(rename = "fileCount", deserialize_with = "number")]
    pub file_count: Option<u64>,
    #[serde(deserialize_with = "text")]
    etag: Option<String>,
    /// What it holds; `None` where the answer left it out.
    #[serde(rename = "items")]
    pub held: Option<Held>,
}

/// What a folder holds, counted.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Children.
    pub count: u64,
    /// Files and documents among them.
    pub files: u64,
    /// Files below the folders among them, as the service counts them.
    pub below: u64,
    /// Children by the service's word for their kind; words that are none count as `other`.
    pub kinds: BTreeMap<String, u64>,
    /// The forms of their names.
    pub names: Names,
    /// Folders whose name came split at its last dot.
    pub split_folders: u64,
    /// Children that others share with the account.
    pub shared: u64,
    /// Children without an id.
    pub without_id: u64,
    /// Folders of the account's own; never shown.
    pub folders: Vec<ItemId>,
    /// App libraries; never shown.
    pub libraries: Vec<ItemId>,
    /// The zones of the children; never shown.
    pub zones: BTreeSet<String>,
    /// A file of no bytes; never shown.
    pub empty: Option<ItemId>,
    /// The smallest file that has some, and its size; never shown.
    pub smallest: Option<(ItemId, u64)>,
    /// Any child, and whether it is a folder; never shown.
    pub any: Option<(ItemId, bool)>,
}

impl Entry {
    /// Which folder it is.
    pub fn id(&self) -> Option<ItemId> {
        ItemId::from_drivewsid(self.drivewsid.as_deref()?)
    }

    /// Whether it is the trash.
    pub fn is_trash(&self) -> bool {
        self.drivewsid.as_deref().is_some_and(is_trash)
    }

    /// The word with which the service refuses this one; `None` where it does not.
    pub fn refusal(&self) -> Option<String> {
        let word = self.status.as_deref().filter(|word| !matches!(*word, "OK" | "" | "0"))?;
        Some(word_of(word).unwrap_or_else(|| "another word".to_owned()))
    }

    /// Whether it holds as many children as it says; `None` where it does not say.
    pub fn adds_up(&self) -> Option<bool> {
        Some(self.announced? == self.held.as_ref()?.count)
    }

    /// Its etag.
    pub fn etag(&self) -> &str {
        self.etag.as_deref().unwrap_or_default()
    }
}

/// Where the content of one document can be fetched, in the answer to a request for it.
pub fn offer_in(body: &[u8], id: &ItemId) -> Option<Offer> {
    serde_json::from_slice::<Download>(body).ok()?.offer(id)
}

/// What an answer to a look-up says of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookedUp {
    /// It is there, in a folder.
    Alive,
    /// It is there, in the trash.
    Trashed,
    /// It is marked as deleted.
    Deleted,
    /// This word instead of it.
    Word(String),
    /// Nothing is said of it.
    LeftOut,
}

/// Finds what an answer to a look-up says of `id`.
pub fn looked_up(body: &[u8], id: &ItemId) -> LookedUp {
    let items = parse_details(body).unwrap_or_default();
    let Some(item) = items.iter().find(|item| item.id().as_ref() == Some(id)) else {
        return LookedUp::LeftOut;
    };
    if let Some(word) = item.refusal() {
        return LookedUp::Word(word_of(word).unwrap_or_else(|| "another word".to_owned()));
    }
    match item.parent() {
        _ if item.is_deleted => LookedUp::Deleted,
        RemoteParent::Trash => LookedUp::Trashed,
        _ if item.full_name().is_empty() => LookedUp::LeftOut,
        _ => LookedUp::Alive,
    }
}

/// A word of the protocol as it came; `None` for what may be a person's.
pub fn word_of(text: &str) -> Option<String> {
    let is_word = (2..=LONGEST_WORD).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && text.starts_with(|first: char| first.is_ascii_uppercase());
    is_word.then(|| text.to_owned())
}

/// Reads the entries of a listing; `None` when it is no array of them.
///
/// # Errors
///
/// What the reader reports.
pub fn read(body: impl Read) -> io::Result<Option<Vec<Entry>>> {
    let mut json = serde_json::Deserializer::from_reader(io::BufReader::with_capacity(64 << 10, body));
    match Vec::<Entry>::deserialize(&mut json) {
        Ok(mut entries) => {
            entries.truncate(MOST_ENTRIES);
            Ok(Some(entries))
        }
        Err(error) if error.is_io() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// One child as it comes.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Child {
    #[serde(deserialize_with = "text")]
    drivewsid: Option<String>,
    #[serde(deserialize_with = "text")]
    name: Option<String>,
    #[serde(deserialize_with = "text")]
    extension: Option<String>,
    #[serde(rename = "type", deserialize_with = "text")]
    kind: Option<String>,
    #[serde(deserialize_with = "number")]
    size: Option<u64>,
    #[serde(rename = "fileCount", deserialize_with = "number")]
    file_count: Option<u64>,
    #[serde(deserialize_with = "text")]
    share: Option<String>,
}

impl Held {
    /// Counts one child, and gives its name.
    fn take(&mut self, child: Child) -> Option<String> {
        self.count += 1;
        let id = child.drivewsid.as_deref().and_then(ItemId::from_drivewsid);
        let prefix = child.drivewsid.as_deref().and_then(|id| id.split("::").next()).unwrap_or("");
        let kind = child.kind.as_deref().unwrap_or(prefix);
        *self.kinds.entry(word_of(kind).unwrap_or_else(|| "other".to_owned())).or_insert(0) += 1;
        let is_file = kind == "FILE";
        let is_shared = child.share.is_some() || prefix.contains("SHARED");
        self.files += u64::from(is_file);
        self.shared += u64::from(is_shared);
        if !is_file {
            self.below = self.below.saturating_add(child.file_count.unwrap_or(0));
        }
        let Some(id) = id else {
            self.without_id += 1;
            return None;
        };
        self.zones.insert(id.zone().as_str().to_owned());
        self.any.get_or_insert_with(|| (id.clone(), !is_file));
        let has_extension = child.extension.as_deref().is_some_and(|extension| !extension.is_empty());
        match kind {
            _ if is_shared => {}
            "FOLDER" => {
                self.split_folders += u64::from(has_extension);
                self.folders.push(id);
            }
            "APP_LIBRARY" | "APP_CONTAINER" => self.libraries.push(id),
            "FILE" => match child.size {
                Some(0) => self.empty = Some(id),
                Some(size) if self.smallest.as_ref().is_none_or(|(_, least)| size < *least) => {
                    self.smallest = Some((id, size));
                }
                _ => {}
            },
            _ => {}
        }
        let name = child.name?;
        Some(match child.extension.filter(|extension| !extension.is_empty()) {
            Some(extension) => format!("{name}.{extension}"),
            None => name,
        })
    }
}

impl<'de> Deserialize<'de> for Held {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Children;
        impl<'de> Visitor<'de> for Children {
            type Value = Held;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array of items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Held, A::Error> {
                let mut held = Held::default();
                let mut names = Vec::new();
                while let Some(child) = members.next_element::<Child>()? {
                    if held.count < MOST_CHILDREN {
                        names.extend(held.take(child));
                    } else {
                        held.count += 1;
                    }
                }
                held.names = Names::of(&names);
                Ok(held)
            }
        }
        from.deserialize_seq(Children)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn child(kind: &str, id: &str, name: &str, size: u64) -> serde_json::Value {
        json!({"drivewsid": format!("{kind}::com.apple.CloudDocs::{id}"), "type": kind, "name": name, "extension": "txt", "size": size})
    }

    #[test]
    fn a_folder_is_counted_and_its_names_are_gone() {
        let body = json!([{
            "drivewsid": "FOLDER::com.apple.CloudDocs::root", "numberOfItems": 5, "fileCount": "7", "etag": "a::b",
            "items": [
                child("FILE", "1", "secret", 0), child("FILE", "2", "secret 2", 12), child("FOLDER", "3", "v1", 0),
                {"drivewsid": "FOLDER::iCloud.app::documents", "type": "APP_LIBRARY", "name": "App"},
                {"drivewsid": 7, "type": "my diary"},
            ],
        }]);
        let entries = read(body.to_string().as_bytes()).expect("read").expect("entries");
        let entry = &entries[0];
        assert_eq!((entry.adds_up(), entry.file_count, entry.refusal()), (Some(true), Some(7), None));
        let held = entry.held.as_ref().expect("children");
        assert_eq!((held.count, held.files, held.split_folders, held.without_id), (5, 2, 1, 1));
        let kinds: Vec<_> = held.kinds.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
        assert_eq!(kinds, [("APP_LIBRARY", 1), ("FILE", 2), ("FOLDER", 1), ("other", 1)]);
        assert_eq!((held.folders.len(), held.libraries.len(), held.zones.len()), (1, 1, 2));
        assert_eq!(held.smallest.as_ref().map(|(id, size)| (id.doc(), *size)), Some(("2".to_owned(), 12)));
        assert!(held.empty.is_some());
        assert_eq!(held.names.numbered, 1);
        assert!(!format!("{held:?}").contains("secret"));
    }

    #[test]
    fn a_word_of_the_protocol_is_told_and_nothing_else() {
        for (text, expected) in [
            ("ID_INVALID", true),
            ("ZONE_BUSY", true),
            ("E2", true),
            ("Holiday", false),
            ("MY DIARY", false),
            ("", false),
            ("7", false),
        ] {
            assert_eq!(word_of(text).is_some(), expected, "{text}");
        }
        let refused = read(&br#"[{"status": "no such folder: diary"}]"#[..]).expect("read").expect("entries");
        assert_eq!(refused[0].refusal().as_deref(), Some("another word"));
        assert_eq!(refused[0].adds_up(), None);
        assert!(read(&b"<html>"[..]).expect("read").is_none());
    }
}
