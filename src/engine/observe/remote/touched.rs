//! What is said to have changed on iCloud, and which folders have to be listed for it: a hint, of which nothing is believed.

use std::collections::{HashMap, HashSet};

use crate::model::{Etag, FolderState, ItemId, Node, RemoteEntry, RemoteKind, RemoteTree, Zone};

/// More folders than this are a whole walk's work.
const MOST_FOLDERS: usize = 200;

/// Records of one zone that are said to have changed (`docs/protocol.md` §17.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The zone.
    pub zone: Zone,
    /// What changed in it, the latest word on each last.
    pub records: Vec<Record>,
    /// The root of the drive is not to be listed for it: that takes long.
    pub spares_root: bool,
}

/// One record that is said to have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The item's `docwsid`, in whatever case.
    pub doc: String,
    /// What of the item it is.
    pub kind: RecordKind,
    /// Where the item is said to be.
    pub place: RecordPlace,
    /// The record's version: it may be one half of the item's etag.
    pub tag: Option<String>,
    /// The item's full name, where that can be read.
    pub name: Option<String>,
}

/// What of an item a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A folder.
    Folder,
    /// A file's name and place.
    File,
    /// A file's content.
    Content,
    /// Something else that bears an id.
    Other,
}

/// Where a record says that its item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordPlace {
    /// It does not say.
    Untold,
    /// In the folder of that `docwsid`.
    In(String),
    /// In the trash.
    Trash,
    /// Nowhere any more.
    Deleted,
}

impl RecordPlace {
    fn is_out(&self) -> bool {
        matches!(self, Self::Trash | Self::Deleted)
    }
}

/// What a look has to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Concerned {
    /// The folders to be listed.
    pub folders: Vec<ItemId>,
    /// Items that the look before did not show and whose folder is not told, with whether each is a folder.
    pub strangers: Vec<(ItemId, bool)>,
    /// Where items are said to be: in that folder, or out of the drive. What a listing shows otherwise is older than the hint.
    pub said: Vec<(String, Option<ItemId>)>,
    /// Items with the etag that was seen before: a record tells of another version of them. A listing that shows the same one again is
    /// older than the hint.
    pub changed: Vec<(ItemId, Etag)>,
    /// The folder that is synced is named itself, with a place that is not known: whether it is still there is to be asked.
    pub names_root: bool,
}

/// Items of a tree by `docwsid`, without regard to case.
struct Known<'a> {
    tree: &'a RemoteTree,
    nodes: HashMap<String, Vec<Node>>,
}

/// What is known of an id.
enum Found {
    Nothing,
    One(Node),
    /// It may be one of several.
    Unclear,
}

impl<'a> Known<'a> {
    /// Those of the items that the records name.
    fn of(touched: &Touched, tree: &'a RemoteTree) -> Self {
        let mut nodes: HashMap<String, Vec<Node>> = HashMap::new();
        for record in &touched.records {
            nodes.entry(record.doc.to_ascii_uppercase()).or_default();
            if let RecordPlace::In(folder) = &record.place {
                nodes.entry(folder.to_ascii_uppercase()).or_default();
            }
        }
        for node in tree.walk(Node::ROOT) {
            let id = &tree.get(node).id;
            if *id.zone() == touched.zone
                && let Some(found) = nodes.get_mut(&id.doc().to_ascii_uppercase())
            {
                found.push(node);
            }
        }
        Self { tree, nodes }
    }

    fn find(&self, doc: &str) -> Found {
        let nodes = self.nodes.get(&doc.to_ascii_uppercase()).map_or(&[][..], Vec::as_slice);
        match nodes {
            [] => Found::Nothing,
            [node] => Found::One(*node),
            several => match several.iter().find(|node| self.tree.get(**node).id.is_doc(doc)) {
                Some(node) => Found::One(*node),
                None => Found::Unclear,
            },
        }
    }
}

/// Finds what a look has to do for these records, of which `tree` is what was seen before; `None` where they are not understood, or are
/// too many: then everything has to be looked at.
pub(super) fn concerned(touched: &Touched, tree: &RemoteTree) -> Option<Concerned> {
    let known = Known::of(touched, tree);
    // The latest word on each item's place; a record of a content has none.
    let mut places: HashMap<String, &Record> = HashMap::new();
    for record in touched.records.iter().filter(|record| record.kind != RecordKind::Content) {
        places.insert(record.doc.to_ascii_uppercase(), record);
    }
    let is_read = |node: Node| tree.get(node).state == FolderState::Complete;
    let mut folders = HashSet::new();
    let mut out = HashSet::new();
    let mut found = Concerned::default();
    for record in &touched.records {
        let placed = places.get(&record.doc.to_ascii_uppercase()).copied();
        if record.kind != RecordKind::Content && placed.is_some_and(|latest| *latest != *record) {
            continue;
        }
        let place = placed.map_or(&record.place, |placed| &placed.place);
        let node = match known.find(&record.doc) {
            Found::Unclear => return None,
            Found::One(node) => Some(node),
            Found::Nothing => None,
        };
        match node {
            Some(Node::ROOT) if place.is_out() => return None,
            Some(Node::ROOT) => {
                // Where it is, and its name, are nothing to us as long as it is there.
                found.names_root |= tree.get(Node::ROOT).id != ItemId::drive_root();
                continue;
            }
            _ => {}
        }
        let to = match place {
            RecordPlace::In(folder) => match known.find(folder) {
                Found::Unclear => return None,
                Found::One(folder) if !tree.get(folder).is_folder() => return None,
                Found::One(folder) => Some(folder),
                // It is new as well, and its own record tells the folder above; or else nobody knows where that is.
                Found::Nothing => {
                    places.get(&folder.to_ascii_uppercase())?;
                    None
                }
            },
            _ => None,
        };
        match node {
            Some(node) => {
                let from = tree.parent(node)?;
                let (is_there, entry) = (to == Some(from), tree.get(node));
                let stays = is_there || *place == RecordPlace::Untold;
                if stays && is_known(record, entry) || is_there && is_named_so(record, entry) {
                    continue;
                }
                folders.insert(from);
                if place.is_out() {
                    out.insert(node);
                } else if record.tag.as_deref().is_some_and(|tag| !tag.is_empty()) && is_read(from) {
                    found.changed.push((entry.id.clone(), entry.etag.clone()));
                }
            }
            None if place.is_out() => continue,
            // Nothing hangs on what is neither an item nor in a folder.
            None if record.kind == RecordKind::Other && *place == RecordPlace::Untold => continue,
            None if *place == RecordPlace::Untold => {
                let id = ItemId::new(touched.zone.clone(), &record.doc);
                found.strangers.push((id, record.kind == RecordKind::Folder));
            }
            None => {}
        }
        folders.extend(to);
        let said = match place {
            RecordPlace::In(_) => to.filter(|to| is_read(*to)).map(|to| Some(tree.get(to).id.clone())),
            RecordPlace::Untold => None,
            RecordPlace::Trash | RecordPlace::Deleted => Some(None),
        };
        found.said.extend(said.map(|place| (record.doc.clone(), place)));
    }
    // What is not read, by the configuration or for its depth, is not read now; what went away itself is nothing to list.
    folders.retain(|node| is_read(*node) && !out.contains(node));
    found.folders = folders.into_iter().map(|node| tree.get(node).id.clone()).collect();
    // What is asked for depends on what is there alone, so that a seed means one history.
    found.folders.sort();
    found.strangers.sort();
    found.strangers.dedup();
    (found.folders.len() + found.strangers.len() <= MOST_FOLDERS).then_some(found)
}

/// Whether a record tells of a version that was seen: our own writes come back so.
fn is_known(record: &Record, entry: &RemoteEntry) -> bool {
    let Some(tag) = record.tag.as_deref().filter(|tag| !tag.is_empty()) else { return false };
    let half = match (record.kind, &entry.kind) {
        (RecordKind::Folder, RemoteKind::Folder) => entry.etag.as_str(),
        (RecordKind::File, RemoteKind::File) => structure(&entry.etag),
        (RecordKind::Content, RemoteKind::File) => entry.etag.content(),
        _ => return false,
    };
    half == tag
}

/// Whether a record tells of a folder nothing but the name that it has, in the place that it has: its version moves with what is below it,
/// by our own writes too, and what changed there has a record of its own.
fn is_named_so(record: &Record, entry: &RemoteEntry) -> bool {
    (record.kind, &entry.kind) == (RecordKind::Folder, &RemoteKind::Folder)
        && record.name.as_deref().is_some_and(|name| !name.is_empty() && *name == *entry.name)
}

/// The half of a file's etag that stands for its name and place; empty where it has no halves.
fn structure(etag: &Etag) -> &str {
    etag.as_str().split_once("::").map_or("", |(structure, _)| structure)
}

#[cfg(test)]
mod tests;
