//! What `{drivews}` sends, as lenient structures, and how it becomes the model's.
//!
//! Absent, unknown and oddly typed members are taken as they come (`docs/protocol.md` §7.3);
//! what is required is checked where an item becomes a [`RemoteEntry`].

use std::cell::Cell;
use std::io::{self, Read};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::bounded::too_much;
use crate::engine::ports::{Listing, RemoteItem, RemoteParent};
use crate::model::name::check_name;
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
    items: Option<Children>,
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
            "FOLDER" if self.kind.is_none() && self.id().is_some_and(|id| id.is_doc("documents")) => {
                RemoteKind::AppLibrary
            }
            "FOLDER" => RemoteKind::Folder,
            "APP_LIBRARY" | "APP_CONTAINER" => RemoteKind::AppLibrary,
            _ => RemoteKind::Foreign,
        }
    }

    /// Name and extension joined, whatever the item is: the service splits folders' names too (§7.4).
    pub fn full_name(&self) -> String {
        // An extension alone names nothing.
        let Some(name) = self.name.as_deref() else { return String::new() };
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
            size: self.size.filter(|_| !folder).into(),
            mtime: self.modified.as_deref().filter(|_| !folder).and_then(server_time).into(),
            signature: None.into(),
            state: FolderState::Unread,
            kind,
        })
    }

    /// The item with its place; `None` without an id or with a name that no path can hold.
    pub fn to_remote(&self) -> Option<RemoteItem> {
        let entry = self.entry()?;
        let is_root = entry.name.is_empty() && entry.is_folder();
        let is_top = entry.id == ItemId::drive_root() || entry.id.is_doc("documents");
        if self.name.is_none() && !is_top {
            return None;
        }
        (is_root || check_name(&entry.name).is_ok()).then(|| RemoteItem { entry, parent: self.parent() })
    }

    /// A listed folder as the port wants it. `parent` is where its children hang: the folder that
    /// was asked for, whatever a lagging child says. `None` when it has no id.
    pub fn listing(self, parent: &RemoteParent, brief: bool) -> Option<Listing> {
        let (mut folder, file_count) = match parent {
            RemoteParent::Trash => (trash_entry(), None),
            _ => (self.entry()?, self.file_count),
        };
        let announced = self.number_of_items;
        let mut adds_up = self.refusal().is_none() && self.items.is_some();
        let Children { mut items, without_id, nameless, count } = self.items.unwrap_or_default();
        adds_up &= announced == Some(count);
        let mut unusable = Vec::new();
        {
            let mut seen = std::collections::HashSet::with_capacity(items.len());
            // One item twice means that another one is missing from the count.
            adds_up &= items.iter().all(|item| seen.insert(&item.entry.id));
        }
        // Without a name nobody knows what an item is: it is looked up by its id, and what is missing here proves nothing.
        let has_nameless = nameless && !brief;
        adds_up &= !has_nameless || *parent == RemoteParent::Trash;
        if has_nameless {
            items.retain(|item| !item.entry.name.is_empty());
        }
        items.retain_mut(|item| {
            item.parent = parent.clone();
            match check_name(&item.entry.name) {
                Err(error) if !brief => {
                    unusable.push((std::mem::take(&mut item.entry.name).into(), error.to_string()));
                    false
                }
                _ => true,
            }
        });
        unusable.extend(without_id.into_iter().map(|name| (name, "iCloud gave it no id".to_owned())));
        folder.state = if adds_up { FolderState::Complete } else { FolderState::Incomplete };
        Some(Listing { folder, items, unusable, file_count })
    }
}

/// What a listed folder holds. It is kept in the form in which it stays: a folder may have a hundred thousand children, and
/// their texts as they come are several times as large.
#[derive(Debug, Default)]
struct Children {
    /// Their place is not told yet, and their names are unchecked.
    items: Vec<RemoteItem>,
    /// The names of those that have no id.
    without_id: Vec<String>,
    /// Whether one of them has no name.
    nameless: bool,
    /// How many there are.
    count: u64,
}

/// What the children of one answer may cost in memory, in bytes: a hundred thousand of them fit.
const CHILDREN_COST: usize = 56 << 20;

thread_local! {
    /// What is left of [`CHILDREN_COST`] for the answer that this thread reads. The reader of JSON hands no context down.
    static COST_LEFT: Cell<usize> = const { Cell::new(CHILDREN_COST) };
}

impl Children {
    /// Takes one more child in; `false` when there are too many.
    fn take(&mut self, child: &Item) -> bool {
        let entry = child.entry();
        let texts = entry.as_ref().map_or(0, |entry| entry.name.len() + entry.etag.as_str().len());
        // A list that grows has up to as much room again, and the look for twins has its own.
        let cost = 2 * size_of::<RemoteItem>() + 64 + texts;
        let left = COST_LEFT.get();
        COST_LEFT.set(left.saturating_sub(cost));
        self.count += 1;
        self.nameless |= child.name.is_none();
        match entry {
            Some(entry) => self.items.push(RemoteItem { entry, parent: RemoteParent::Untold }),
            None => self.without_id.push(child.full_name()),
        }
        left > cost
    }
}

impl<'de> Deserialize<'de> for Children {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(ChildrenVisitor)
    }
}

struct ChildrenVisitor;

impl<'de> Visitor<'de> for ChildrenVisitor {
    type Value = Children;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Children, A::Error> {
        let mut children = Children::default();
        while let Some(child) = members.next_element::<Item>()? {
            if !children.take(&child) {
                return Err(serde::de::Error::custom("too many items"));
            }
        }
        Ok(children)
    }
}

/// Reads an array of entries, or a single one, as it comes; `None` for what is neither.
///
/// # Errors
///
/// What the reader reports, and [`too_much`] for more items than a program should keep.
pub(super) fn read_entries(body: impl Read) -> io::Result<Option<Vec<Item>>> {
    COST_LEFT.set(CHILDREN_COST);
    let mut json = serde_json::Deserializer::from_reader(io::BufReader::with_capacity(64 << 10, body));
    let read = Entries::deserialize(&mut json).and_then(|entries| json.end().map(|()| entries.0));
    match read {
        Ok(entries) => Ok(Some(entries)),
        Err(_) if COST_LEFT.get() == 0 => Err(too_much()),
        Err(error) if error.is_io() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// The entries of a listing: an array of them, or one alone.
struct Entries(Vec<Item>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of listed folders")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = members.next_element::<Item>()? {
            let cost = 2 * size_of::<Item>() + 256;
            let left = COST_LEFT.get();
            COST_LEFT.set(left.saturating_sub(cost));
            if left <= cost {
                return Err(serde::de::Error::custom("too many entries"));
            }
            entries.push(entry);
        }
        Ok(Entries(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Entries, A::Error> {
        Item::deserialize(serde::de::value::MapAccessDeserializer::new(members))
            .map(|entry| Entries(vec![entry]))
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
        size: None.into(),
        mtime: None.into(),
        signature: None.into(),
        state: FolderState::Unread,
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

    /// JSON knows one kind of number: `3.0` and `3e0` are 3.
    fn visit_f64<E>(self, number: f64) -> Result<Loose, E> {
        // All whole numbers up to here are exact in a float.
        let is_whole = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        Ok(match number as i64 {
            whole if is_whole => u64::try_from(whole).map_or(Loose::Signed(whole), Loose::Unsigned),
            _ => Loose::Other,
        })
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
