//! What `{drivews}` sends, as lenient structures, and how it becomes the model's.
//!
//! Absent, unknown and oddly typed members are taken as they come (`docs/protocol.md` §7.3);
//! what is required is checked where an item becomes a [`RemoteEntry`].

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::engine::ports::{Listing, RemoteItem, RemoteParent};
use crate::model::path::check_name;
use crate::model::{Etag, FolderState, ItemId, RemoteEntry, RemoteKind, ServerTime, Zone};

/// The id of the trash (`docs/protocol.md` §7.1).
pub(super) const TRASH: &str = "TRASH_ROOT";

/// The `drivewsid` of an item of the account's own.
pub(super) fn drivewsid(id: &ItemId, folder: bool) -> String {
    format!("{}::{id}", if folder { "FOLDER" } else { "FILE" })
}

/// Whether an id, in either of its forms, is the trash's.
pub(super) fn is_trash(id: &str) -> bool {
    id == TRASH || id.ends_with("::TRASH_ROOT")
}

/// An item, or a listed folder, as `{drivews}` shows it (§7.3, §8.1).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Item {
    #[serde(deserialize_with = "text")]
    pub drivewsid: Option<String>,
    #[serde(deserialize_with = "text")]
    docwsid: Option<String>,
    #[serde(deserialize_with = "text")]
    zone: Option<String>,
    #[serde(rename = "parentId", deserialize_with = "text")]
    parent_id: Option<String>,
    #[serde(deserialize_with = "text")]
    name: Option<String>,
    #[serde(deserialize_with = "text")]
    extension: Option<String>,
    #[serde(rename = "type", deserialize_with = "text")]
    kind: Option<String>,
    #[serde(deserialize_with = "text")]
    etag: Option<String>,
    #[serde(deserialize_with = "number")]
    size: Option<u64>,
    #[serde(rename = "dateModified", deserialize_with = "text")]
    modified: Option<String>,
    #[serde(rename = "fileCount", deserialize_with = "number")]
    pub file_count: Option<u64>,
    #[serde(rename = "isDeleted", deserialize_with = "flag")]
    pub is_deleted: bool,
    #[serde(deserialize_with = "text")]
    share: Option<String>,
    #[serde(rename = "clientId", deserialize_with = "text")]
    pub client_id: Option<String>,
    #[serde(deserialize_with = "text")]
    status: Option<String>,
    #[serde(rename = "errorCode", deserialize_with = "text")]
    error_number: Option<String>,
    #[serde(rename = "serverErrorCode", deserialize_with = "text")]
    server_error: Option<String>,
    #[serde(rename = "error_code", deserialize_with = "text")]
    error_code: Option<String>,
    pub items: Option<Vec<Item>>,
    #[serde(rename = "numberOfItems", deserialize_with = "number")]
    number_of_items: Option<u64>,
}

impl Item {
    /// The first error word of a listed folder (§16.2); `None` when its status is OK or absent.
    pub fn refusal(&self) -> Option<&str> {
        [&self.status, &self.server_error, &self.error_code, &self.error_number]
            .into_iter()
            .filter_map(|word| word.as_deref())
            .find(|word| !matches!(*word, "OK" | "" | "0"))
    }

    /// Zone and `docwsid`, from the `drivewsid` or from its parts.
    pub fn id(&self) -> Option<ItemId> {
        if let Some(id) = self.drivewsid.as_deref().and_then(ItemId::from_drivewsid) {
            return Some(id);
        }
        let (zone, doc) = (self.zone.as_deref()?, self.docwsid.as_deref()?);
        (!zone.is_empty() && !doc.is_empty()).then(|| ItemId::new(Zone::new(zone), doc))
    }

    /// Whether it is the trash itself.
    pub fn is_trash(&self) -> bool {
        self.drivewsid.as_deref().is_some_and(is_trash)
    }

    /// Where it says that it hangs.
    pub fn parent(&self) -> RemoteParent {
        match self.parent_id.as_deref() {
            Some(parent) if is_trash(parent) => RemoteParent::Trash,
            Some(parent) => ItemId::from_drivewsid(parent).map_or(RemoteParent::Untold, RemoteParent::Folder),
            None => RemoteParent::Untold,
        }
    }

    fn kind(&self) -> RemoteKind {
        let prefix = self.drivewsid.as_deref().and_then(|id| id.split("::").next()).unwrap_or("");
        let shared = |text: &str| text.to_ascii_uppercase().contains("SHARED");
        let to_me = self.share.as_deref().is_some_and(|share| share.to_ascii_uppercase().contains("TO_ME"));
        if to_me || shared(prefix) {
            return RemoteKind::Foreign;
        }
        // Brief listings and some answers leave the type out: the id's prefix tells it then.
        let kind = self.kind.as_deref().unwrap_or(prefix).to_ascii_uppercase();
        match kind.as_str() {
            "FILE" => RemoteKind::File,
            "FOLDER" if self.kind.is_none() && self.id().is_some_and(|id| id.doc() == "documents") => {
                RemoteKind::AppLibrary
            }
            "FOLDER" => RemoteKind::Folder,
            "APP_LIBRARY" | "APP_CONTAINER" => RemoteKind::AppLibrary,
            _ => RemoteKind::Foreign,
        }
    }

    /// Name and extension joined, whatever the item is: the service splits folders' names too (§7.4).
    pub fn full_name(&self) -> String {
        let name = self.name.as_deref().unwrap_or("");
        match self.extension.as_deref() {
            Some(extension) if !extension.is_empty() => format!("{name}.{extension}"),
            _ => name.to_owned(),
        }
    }

    /// The item as the model knows it, its name unchecked; `None` without an id.
    pub fn entry(&self) -> Option<RemoteEntry> {
        let kind = self.kind();
        let folder = matches!(kind, RemoteKind::Folder | RemoteKind::AppLibrary);
        // A deleted item bears the text "null" (§7.2).
        let etag = self.etag.as_deref().filter(|etag| *etag != "null").unwrap_or("");
        Some(RemoteEntry {
            id: self.id()?,
            name: self.full_name().into(),
            etag: Etag::new(etag),
            size: if folder { None } else { self.size },
            mtime: if folder { None } else { self.modified.as_deref().and_then(server_time) },
            signature: None,
            state: FolderState::Unread,
            file_count: self.file_count,
            kind,
        })
    }

    /// The item with its place; `None` without an id or with a name that no path can hold.
    pub fn to_remote(&self) -> Option<RemoteItem> {
        let entry = self.entry()?;
        let is_root = entry.name.is_empty() && entry.is_folder();
        (is_root || check_name(&entry.name).is_ok()).then(|| RemoteItem { entry, parent: self.parent() })
    }

    /// A listed folder as the port wants it. `parent` is where its children hang: the folder that
    /// was asked for, whatever a lagging child says. `None` when it has no id.
    pub fn listing(self, parent: &RemoteParent, brief: bool) -> Option<Listing> {
        let mut folder = match parent {
            RemoteParent::Trash => trash_entry(),
            _ => self.entry()?,
        };
        let announced = self.number_of_items;
        let mut adds_up = self.refusal().is_none() && self.items.is_some();
        let children = self.items.unwrap_or_default();
        adds_up &= announced == Some(children.len() as u64);
        let mut items = Vec::with_capacity(children.len());
        let mut unusable = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for child in children {
            match child.entry() {
                None => unusable.push((child.full_name(), "iCloud gave it no id".to_owned())),
                Some(entry) => {
                    // One item twice means that another one is missing from the count.
                    adds_up &= seen.insert(entry.id.clone());
                    match check_name(&entry.name) {
                        Err(error) if !brief => unusable.push((entry.name.into(), error.to_string())),
                        _ => items.push(RemoteItem { entry, parent: parent.clone() }),
                    }
                }
            }
        }
        folder.state = if adds_up { FolderState::Complete } else { FolderState::Incomplete };
        Some(Listing { folder, items, unusable })
    }
}

/// An array of entries, or a single one.
pub(super) fn parse_entries(body: &[u8]) -> Option<Vec<Item>> {
    if body.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice(body).ok()
    } else {
        serde_json::from_slice(body).ok().map(|entry| vec![entry])
    }
}

/// Reads a part of an answer: by way of its text, so that the program holds one reader for each type and not two. What is
/// read so is short.
pub(super) fn part<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_slice(&serde_json::to_vec(value).ok()?).ok()
}

/// Either answer shape of §8.2: items under `items`, as an array, or in an array of such objects.
pub(super) fn parse_details(body: &[u8]) -> Option<Vec<Item>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let list = match value {
        Value::Object(mut object) => match object.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        Value::Array(entries) => entries,
        _ => return None,
    };
    let mut items = Vec::new();
    for entry in list {
        let nested = entry.get("items").and_then(Value::as_array).cloned();
        match nested {
            Some(nested) if entry.get("drivewsid").is_none() => {
                items.extend(nested.iter().filter_map(part::<Item>));
            }
            _ => items.extend(part::<Item>(&entry)),
        }
    }
    Some(items)
}

/// The trash as a folder; it has neither name nor etag (§7.2).
fn trash_entry() -> RemoteEntry {
    RemoteEntry {
        id: ItemId::new(Zone::CloudDocs, TRASH),
        kind: RemoteKind::Folder,
        name: "".into(),
        etag: Etag::default(),
        size: None,
        mtime: None,
        signature: None,
        state: FolderState::Unread,
        file_count: None,
    }
}

/// Reads an ISO time, cut to whole seconds.
fn server_time(text: &str) -> Option<ServerTime> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(ServerTime(time.as_nanosecond().div_euclid(1_000_000_000).try_into().ok()?))
}

/// A member of any type, as far as it says something.
enum Loose {
    Text(String),
    Flag(bool),
    Unsigned(u64),
    Signed(i64),
    Other,
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LooseVisitor)
    }
}

/// By hand, since the derived one would copy each member before it looks, and a listing has millions of them.
struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Loose, E> {
        Ok(Loose::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Loose, E> {
        Ok(Loose::Unsigned(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Loose, E> {
        Ok(u64::try_from(number).map_or(Loose::Signed(number), Loose::Unsigned))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Loose, A::Error> {
        while members.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Loose, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }
}

/// Text, or a number as text.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Loose::deserialize(from)? {
        Loose::Text(text) => Some(text),
        Loose::Unsigned(number) => Some(number.to_string()),
        Loose::Signed(number) => Some(number.to_string()),
        Loose::Flag(_) | Loose::Other => None,
    })
}

/// A number, or a text of digits.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Ok(match Loose::deserialize(from)? {
        Loose::Text(text) => text.trim().parse().ok(),
        Loose::Unsigned(number) => Some(number),
        Loose::Flag(_) | Loose::Signed(_) | Loose::Other => None,
    })
}

/// As [`number`], with a sign.
pub(super) fn signed<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    Ok(match Loose::deserialize(from)? {
        Loose::Text(text) => text.trim().parse().ok(),
        Loose::Unsigned(number) => number.try_into().ok(),
        Loose::Signed(number) => Some(number),
        Loose::Flag(_) | Loose::Other => None,
    })
}

fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(match Loose::deserialize(from)? {
        Loose::Flag(flag) => flag,
        Loose::Text(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    })
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
