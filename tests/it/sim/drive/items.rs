//! The items of the simulated drive, and the rules of etags, names and lateness.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use icloudds::model::{Etag, ItemId, Zone, name};

use super::switches::{EtagUp, NameLimit, NameStorage, Switches};
use crate::sim::journal::Bytes;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A package: a folder on a device, one zip for us.
    Package,
    /// A folder.
    Folder,
    /// The root of an app library, in a zone of its own.
    Library,
    /// Shared to the account.
    Shared,
}

/// Where an item hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The root hangs nowhere.
    Nowhere,
    /// In that folder.
    Folder(ItemId),
    /// At the top of the trash, and the folder it came from.
    Trash(ItemId),
}

/// One item.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it hangs.
    pub place: Place,
    /// Its name as stored.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The metadata half of the etag.
    pub meta: u64,
    /// The content half; files only.
    pub content: u64,
    /// Content; empty for folders.
    pub body: Bytes,
    /// Modification time in Unix seconds; files only.
    pub mtime: i64,
    /// The counter at the last change of anything below; folders only.
    pub deep: u64,
}

impl Item {
    /// Whether it has children.
    pub fn is_folder(&self) -> bool {
        matches!(self.kind, Kind::Folder | Kind::Library)
    }

    /// Whether it has content.
    pub fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File | Kind::Package)
    }

    /// The version mark (`docs/protocol.md` §7.2).
    pub fn etag(&self) -> Etag {
        if self.is_file() {
            Etag::new(&format!("{}::{}", base36(self.meta), base36(self.content)))
        } else {
            Etag::new(&base36(self.meta))
        }
    }
}

/// All items by id.
pub type Map = BTreeMap<ItemId, Item>;

#[derive(Clone)]
struct Undo {
    at: i64,
    id: ItemId,
    before: Option<Item>,
}

/// The drive's items with one change counter and a memory of the last minute.
#[derive(Clone)]
pub struct Items {
    map: Map,
    counter: u64,
    undo: Vec<Undo>,
    /// Folders whose etag is to follow a change below, and when.
    pending: Vec<(i64, ItemId)>,
    docs: u64,
    /// What ever changed its place or its name.
    displaced: BTreeSet<ItemId>,
    /// What changed, in the order of the changes.
    log: Vec<ItemId>,
}

/// How long the past is kept, in nanoseconds.
const MEMORY: i64 = 60_000_000_000;

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit((number % 36) as u32, 36).expect("a digit below 36"));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// The children of `folder` in `map`, by name.
pub fn children(map: &Map, folder: &ItemId) -> Vec<ItemId> {
    let mut found: Vec<_> = map
        .iter()
        .filter(|(_, item)| matches!(&item.place, Place::Folder(parent) if parent == folder))
        .collect();
    found.sort_by(|a, b| a.1.name.cmp(&b.1.name).then(a.0.cmp(b.0)));
    found.into_iter().map(|(id, _)| id.clone()).collect()
}

/// `id` and all below it, parents first.
pub fn subtree(map: &Map, id: &ItemId) -> Vec<ItemId> {
    let mut all = vec![id.clone()];
    let mut at = 0;
    while at < all.len() {
        let below = children(map, &all[at]);
        all.extend(below);
        at += 1;
    }
    all
}

impl Items {
    /// A drive with an empty root.
    pub fn new() -> Self {
        let root = Item {
            place: Place::Nowhere,
            name: String::new(),
            kind: Kind::Folder,
            meta: 1,
            content: 0,
            body: Bytes::from([]),
            mtime: 0,
            deep: 1,
        };
        let map = Map::from([(ItemId::drive_root(), root)]);
        Self {
            map,
            counter: 1,
            undo: Vec::new(),
            pending: Vec::new(),
            docs: 0,
            displaced: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    /// The items now.
    pub fn now(&self) -> &Map {
        &self.map
    }

    /// Nothing was done since `before`, but for the numbers and names that were given out.
    pub fn undo_all(&mut self, before: Self) {
        let (counter, docs) = (self.counter, self.docs);
        *self = before;
        (self.counter, self.docs) = (counter, docs);
    }

    /// What changed after the first `known` changes, each once, and how many changes there are.
    pub fn changed_since(&self, known: usize) -> (Vec<ItemId>, usize) {
        let new = self.log.get(known..).unwrap_or(&self.log);
        let mut told = BTreeSet::new();
        let mut changed: Vec<_> = new.iter().rev().filter(|id| told.insert((*id).clone())).cloned().collect();
        changed.reverse();
        (changed, self.log.len())
    }

    /// One item now.
    pub fn get(&self, id: &ItemId) -> Option<&Item> {
        self.map.get(id)
    }

    /// The items as they were at that time; at most a minute back.
    pub fn as_of(&self, at: i64) -> Cow<'_, Map> {
        let later = self.undo.iter().rev().take_while(|undo| undo.at > at);
        let mut map = Cow::Borrowed(&self.map);
        for undo in later {
            match &undo.before {
                Some(item) => drop(map.to_mut().insert(undo.id.clone(), item.clone())),
                None => drop(map.to_mut().remove(&undo.id)),
            }
        }
        map
    }

    /// A fresh `docwsid`.
    pub fn fresh_doc(&mut self) -> String {
        self.docs += 1;
        format!("5EED0000-0000-4000-8000-{:012X}", self.docs)
    }

    /// The next number of the one counter that all etags draw from.
    pub fn tick(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Sets or (`None`) removes an item.
    pub fn set(&mut self, at: i64, id: &ItemId, item: Option<Item>) {
        if let Some(old) = self.map.get(id)
            && item.as_ref().is_none_or(|new| (&new.place, &new.name) != (&old.place, &old.name))
        {
            self.displaced.insert(id.clone());
        }
        self.log.push(id.clone());
        let before = match item {
            Some(item) => self.map.insert(id.clone(), item),
            None => self.map.remove(id),
        };
        self.undo.push(Undo { at, id: id.clone(), before });
        let old = self.undo.partition_point(|undo| undo.at < at - MEMORY);
        self.undo.drain(..old);
    }

    /// Changes an item that is there.
    pub fn update(&mut self, at: i64, id: &ItemId, change: impl FnOnce(&mut Item)) {
        if let Some(mut item) = self.map.get(id).cloned() {
            change(&mut item);
            self.set(at, id, Some(item));
        }
    }

    /// A new metadata half for an item.
    pub fn touch(&mut self, at: i64, id: &ItemId) {
        let number = self.tick();
        self.update(at, id, |item| item.meta = number);
    }

    /// Something in `folder` changed: the folders above follow as the switch says.
    pub fn ripple(&mut self, at: i64, folder: &ItemId, switches: &Switches) {
        let number = self.counter;
        let lapses = matches!(switches.etag_up, EtagUp::Lapses(each) if number.is_multiple_of(each));
        let mut next = Some(folder.clone());
        while let Some(id) = next {
            self.update(at, &id, |item| item.deep = number);
            match switches.etag_up {
                EtagUp::Lapses(_) if lapses => {}
                EtagUp::Parent if id != *folder => {}
                EtagUp::AtOnce | EtagUp::Always | EtagUp::Lapses(_) | EtagUp::Parent => self.touch(at, &id),
                EtagUp::After(delay) => self.pending.push((at + delay * 1_000_000_000, id.clone())),
                EtagUp::Never => {}
            }
            next = match self.map.get(&id).map(|item| &item.place) {
                Some(Place::Folder(parent)) => Some(parent.clone()),
                _ => None,
            };
        }
    }

    /// The same for another name of an item, which not every rule counts.
    pub fn ripple_name(&mut self, at: i64, id: &ItemId, switches: &Switches) {
        let counts = matches!(switches.etag_up, EtagUp::Always | EtagUp::Lapses(_) | EtagUp::Parent);
        if let (true, Some(Place::Folder(folder))) = (counts, self.get(id).map(|item| item.place.clone())) {
            self.ripple(at, &folder, switches);
        }
    }

    /// Lets the folders follow whose time has come.
    pub fn settle(&mut self, at: i64) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|(when, _)| *when <= at);
        self.pending = later;
        for (_, id) in due {
            self.touch(at, &id);
        }
    }

    /// Whether it hangs, however deep, in the drive and not in the trash.
    pub fn is_live(&self, id: &ItemId) -> bool {
        let mut next = id.clone();
        loop {
            match self.map.get(&next).map(|item| &item.place) {
                Some(Place::Nowhere) => return true,
                Some(Place::Folder(parent)) => next = parent.clone(),
                Some(Place::Trash(_)) | None => return false,
            }
        }
    }

    /// Whether it hangs in the drive where, and as, it was made, and so does every folder above it.
    pub fn has_stayed(&self, id: &ItemId) -> bool {
        let mut next = id.clone();
        while !self.displaced.contains(&next) {
            match self.map.get(&next).map(|item| &item.place) {
                Some(Place::Nowhere) => return true,
                Some(Place::Folder(parent)) => next = parent.clone(),
                Some(Place::Trash(_)) | None => return false,
            }
        }
        false
    }

    /// Whether `id` is `folder` or lies below it.
    pub fn is_within(&self, id: &ItemId, folder: &ItemId) -> bool {
        let mut next = id.clone();
        loop {
            if next == *folder {
                return true;
            }
            match self.map.get(&next).map(|item| &item.place) {
                Some(Place::Folder(parent)) => next = parent.clone(),
                _ => return false,
            }
        }
    }

    /// The item of `folder`, other than `but`, that holds `name`.
    pub fn holder(
        &self,
        folder: &ItemId,
        name: &str,
        but: Option<&ItemId>,
        switches: &Switches,
    ) -> Option<ItemId> {
        let wanted = key(name, switches);
        children(&self.map, folder)
            .into_iter()
            .filter(|id| Some(id) != but)
            .find(|id| self.map.get(id).is_some_and(|item| key(&item.name, switches) == wanted))
    }

    /// `name`, or `Name 2.ext` and so on where it is taken (`docs/protocol.md` §17).
    pub fn free_name(
        &self,
        folder: &ItemId,
        name: &str,
        is_folder: bool,
        but: Option<&ItemId>,
        switches: &Switches,
    ) -> String {
        let is_whole = is_folder && !switches.folder_ext;
        let (stem, extension) = if is_whole { (name, None) } else { name::split_extension(name) };
        (1..)
            .map(|number| match (number, extension) {
                (1, _) => name.to_owned(),
                (_, None) => format!("{stem} {number}"),
                (_, Some(extension)) => format!("{stem} {number}.{extension}"),
            })
            .find(|candidate| self.holder(folder, candidate, but, switches).is_none())
            .expect("some number is free")
    }
}

/// What two names share when the service does not hold them apart.
fn key(text: &str, switches: &Switches) -> String {
    match switches.names {
        NameStorage::AsSent => text.to_owned(),
        NameStorage::Nfd | NameStorage::Nfc => name::key(text, false).into(),
        NameStorage::FoldsCase => name::key(text, true).into(),
    }
}

/// The name as the service stores it.
pub fn stored(text: &str, switches: &Switches) -> String {
    use unicode_normalization::UnicodeNormalization;
    match switches.names {
        NameStorage::Nfd | NameStorage::FoldsCase => text.nfd().collect(),
        NameStorage::Nfc => text.nfc().collect(),
        NameStorage::AsSent => text.to_owned(),
    }
}

/// Why the service refuses that name, if it does.
pub fn bad_name(text: &str, switches: &Switches) -> Option<String> {
    let too_long = match switches.name_limit {
        NameLimit::Bytes(limit) => text.len() > limit,
        NameLimit::Chars(limit) => text.chars().count() > limit,
        NameLimit::None => false,
    };
    if text.is_empty() || text == "." || text == ".." {
        Some("no name".into())
    } else if too_long {
        Some("the name is too long".into())
    } else {
        let bad = text.chars().find(|c| switches.forbidden.contains(c));
        bad.map(|c| format!("the name holds {c:?}"))
    }
}

/// The id of an app library's root.
pub fn library_id(zone: &str) -> ItemId {
    ItemId::new(Zone::new(zone), "documents")
}
