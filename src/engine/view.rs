//! What a look at each side brings to the planner.

use std::collections::{HashMap, HashSet};

use crate::model::{ItemId, LocalTree, RelPath, RemoteTree};

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
    /// Folders that could not be read, with the system's words; their state is `Incomplete`.
    pub failed: Vec<(RelPath, String)>,
    /// Folders that lie too deep to be looked into; their state is `Incomplete`.
    pub too_deep: Vec<RelPath>,
}
