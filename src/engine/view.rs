//! What a look at each side brings to the planner.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::{Etag, ItemId, LocalTree, Node, RelPath, RemoteTree};

/// iCloud as a refresh saw it.
#[derive(Clone, Debug)]
pub struct RemoteView {
    /// All items in scope. The root is the folder `remote_root`. App libraries that are opted in are top-level
    /// folders; the others, shared and unknown items stand there too, unread, since they hold their names.
    pub tree: RemoteTree,
    /// For items of the base that the tree lacks: what became of them. One that is in neither is unknown.
    pub absent: HashMap<ItemId, Absence>,
    /// Items that no path can hold: the folder they are in, the name as shown, the reason.
    pub unusable: Vec<(RelPath, String, String)>,
    /// Whether every folder in scope was read and added up.
    pub complete: bool,
    /// Files that are shown without content, where the base has some, and that a second look has not confirmed yet.
    pub hollow: HashSet<ItemId>,
    /// Which etags the folders had when walks read them.
    pub marks: FolderMarks,
}

impl RemoteView {
    /// Whether something is another item, or has another name, place or content, than in `before`; `None` where one of them does not show
    /// everything. A folder's etag and counts may move with what is below it, and say nothing.
    pub fn differs_from(&self, before: &Self) -> Option<bool> {
        if !(self.complete && before.complete) {
            return None;
        }
        let (new, old) = (&self.tree, &before.tree);
        let is_other = |node: Node| {
            let entry = new.get(node);
            let Some(known) = old.by_id(&entry.id) else { return true };
            let above = |tree: &RemoteTree, node| tree.parent(node).map(|parent| tree.get(parent).id.clone());
            let was = old.get(known);
            let etags = [&entry.etag, &was.etag];
            was.name != entry.name
                || above(new, node) != above(old, known)
                || !entry.is_folder()
                    && etags[0] != etags[1]
                    && etags.iter().all(|etag| !etag.as_str().is_empty())
        };
        Some(new.len() != old.len() || new.walk(Node::ROOT).any(is_other))
    }
}

/// The etags of folders, each as it was shown before a walk read what the folder holds: what is known of that is no older.
#[derive(Clone, Debug, Default)]
pub struct FolderMarks {
    of: Arc<HashMap<ItemId, Etag>>,
    /// Since the last walk something of ours, or a look at some folders alone, may have changed what is known, or an etag.
    pub are_mixed: bool,
}

impl FolderMarks {
    /// What a walk noted.
    pub fn new(of: HashMap<ItemId, Etag>) -> Self {
        Self { of: Arc::new(of), are_mixed: false }
    }

    /// The same after something else may have moved an etag.
    #[must_use]
    pub fn mixed(self) -> Self {
        Self { are_mixed: true, ..self }
    }

    /// A folder's; `None` where it has none, or an empty one.
    pub fn get(&self, id: &ItemId) -> Option<&Etag> {
        self.of.get(id).filter(|etag| !etag.as_str().is_empty())
    }
}

/// What became of an item of the base that is not in the tree (`docs/sync.md` P2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It, or a folder above it, is in the trash.
    Trashed,
    /// Its look-up said twice, some seconds apart, that it is gone.
    Gone,
    /// It lives on, outside `remote_root` or in another zone.
    OutOfScope,
    /// Nobody can say: it is left alone.
    Unknown,
    /// Nobody could say in several complete looks either: it is left alone for as long as that is so.
    Untold,
}

/// The disk as a scan saw it.
#[derive(Clone, Debug)]
pub struct LocalView {
    /// All items, those that hold their names without taking part included.
    pub tree: LocalTree,
    /// Items that no path can hold: the folder they are in and the name as shown.
    pub unnameable: Vec<(RelPath, String)>,
    /// Folders that could not be read, whose state is `Incomplete`, and what could not be looked at; with the reason.
    pub failed: Vec<(RelPath, String)>,
    /// Files whose content had to be read and could not be, with the system's words.
    pub unread: Vec<(RelPath, String)>,
    /// Folders that lie too deep to be looked into; their state is `Incomplete`.
    pub too_deep: Vec<RelPath>,
    /// How the file systems were mounted before all of it was scanned, as [`Disk::mounts`](crate::engine::ports::Disk::mounts) says.
    pub mounts: Vec<u64>,
}
