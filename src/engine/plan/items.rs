//! The items of a plan: what is known of each, and how the three trees name it.

use std::collections::{BTreeMap, HashMap};

use super::collected::Collected;
use super::policy::Policy;
use crate::engine::operation::{LocalSeen, Note, NoteKind, Reason, RemoteSeen};
use crate::engine::recognise::{LocalFate, Recognition};
use crate::engine::view::{LocalView, RemoteView};
use crate::model::name::{Name, temporary_origin};
use crate::model::policy::Mode;
use crate::model::{Agreed, BaseTree, FolderState, Node, Presence, RelPath, RemoteEntry, RemoteKind, Side};

/// All that planning reads.
pub(super) struct World<'a> {
    pub base: &'a BaseTree,
    pub local: &'a LocalView,
    pub remote: &'a RemoteView,
    pub recognition: &'a Recognition,
    pub policy: &'a Policy<'a>,
}

/// One logical item: known from the base, or new on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Base(Node),
    Remote(Node),
    Local(Node),
}

impl Key {
    pub const ROOT: Self = Self::Base(Node::ROOT);

    /// The item of the base that it is, if it is one.
    pub fn in_base(&self) -> Option<Node> {
        if let Self::Base(node) = self { Some(*node) } else { None }
    }

    /// The local node that is no item of the base, if it is one.
    pub fn in_local(&self) -> Option<Node> {
        if let Self::Local(node) = self { Some(*node) } else { None }
    }
}

/// What happened to an item on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It never was there.
    Absent,
    /// It is there as agreed.
    Same,
    /// As agreed, with another stamp or etag.
    Touched,
    /// It is there with another content, or is new.
    Edited,
    /// Empty by a power cut.
    PowerCut,
    /// It was deleted.
    Deleted,
    /// It was moved to where nothing is synced.
    Left,
    /// Nobody can say, and why.
    Unknown(Doubt),
}

/// Why nobody can say what happened to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Its content here has to be read first.
    Unread,
    /// Its folder here could not be read, or is on a volume that is away.
    Unreachable,
    /// Nothing is mounted where its folder is.
    Unmounted,
    /// It bears a temporary name on iCloud.
    Lent,
    /// It bears a temporary name on the side whose names this mode leaves alone.
    NotToBeRenamed,
    /// iCloud shows it without content for the first time (`docs/sync.md` §3).
    Hollow,
    /// iCloud did not list it and does not say what became of it.
    Unlisted,
    /// iCloud has not said for many looks what became of it.
    Untold,
    /// What is never synced has its name here.
    Covered,
    /// Its folder was moved to where nothing is synced, and nothing is read.
    UnreadFolder,
    /// iCloud shows it as something that is not synced.
    Foreign,
}

impl Doubt {
    /// What to tell the owner: a later look will settle it, or the item is set aside as long as it stays so.
    pub fn kind(self) -> NoteKind {
        let unsettled = |why: &str| NoteKind::Unsettled(why.to_owned());
        let set_aside = |why: &str| NoteKind::SetAside(why.to_owned());
        match self {
            Self::Unread => unsettled("its content has to be read first"),
            Self::Unreachable => unsettled("its folder here could not be read, or is on another volume"),
            Self::Unmounted => unsettled(
                "its folder here is a mount point, and its volume is not mounted there now: mount it again",
            ),
            Self::Lent => {
                unsettled("it bears a temporary name on iCloud, which another machine may be about to change")
            }
            Self::NotToBeRenamed => set_aside(
                "it bears a temporary name, and sync.mode lets nothing on that side be renamed: rename it there",
            ),
            Self::Hollow => {
                unsettled("iCloud shows it without content all at once: a second look has to confirm that")
            }
            Self::Unlisted => unsettled("iCloud did not list it and does not say what became of it"),
            Self::Untold => set_aside("iCloud does not list it, and will not say whether it was deleted"),
            Self::Covered => {
                set_aside("a link, socket, device or FIFO has its name here, or that of its folder")
            }
            Self::UnreadFolder => {
                set_aside("its folder was moved to where nothing is synced, and nothing is read")
            }
            Self::Foreign => set_aside("iCloud shows it as something that is not synced"),
        }
    }
}

impl Change {
    pub fn is_there(self) -> bool {
        matches!(self, Self::Same | Self::Touched | Self::Edited | Self::PowerCut)
    }

    pub fn is_gone(self) -> bool {
        matches!(self, Self::Deleted | Self::Left)
    }

    /// Whether a later look will say what happened.
    pub fn is_unsettled(self) -> bool {
        match self {
            Self::Unknown(doubt) => matches!(doubt.kind(), NoteKind::Unsettled(_)),
            _ => false,
        }
    }
}

/// What becomes of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stands on both sides in the end.
    Keep,
    /// Its local copy goes to the trash.
    DropLocal,
    /// Its copy on iCloud goes to the trash.
    DropRemote,
    /// The base forgets it; what there is stays where it is.
    Forget,
    /// Nothing is done now.
    Pin,
    /// A folder that stays on one side only.
    OneSided(Presence),
    /// A folder whose deletion or existence hangs on what it holds; settled by `folders`.
    Open,
}

/// What is done with the content of a file that stands on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// Only the base learns.
    Agree,
    Download,
    Upload,
    /// Both changed: agreed if equal, a conflict otherwise.
    Reconcile,
}

/// Where an item ends: the folder and the names on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub parent: Key,
    pub local_name: Name,
    pub remote_name: Name,
}

#[derive(Clone, Debug)]
pub(super) struct Item {
    pub base: Option<Node>,
    pub local: Option<Node>,
    pub remote: Option<Node>,
    pub folder: bool,
    pub here: Change,
    pub there: Change,
    /// The side whose move decides the place; `None` when neither moved.
    pub moved: Option<Side>,
    pub moved_here: bool,
    pub moved_there: bool,
    /// Whether its path takes part by itself, at the agreed, the local and the remote place.
    pub accepted: bool,
    pub accepted_here: bool,
    pub accepted_there: bool,
    /// It is forgotten, with all that it holds: it lives in an app library that is not opted in any more, or lies under a volume here.
    pub dismissed: bool,
    /// It was synced, and iCloud shows it now, or a folder above it, as something that is not ours.
    pub foreign: bool,
    /// The remote item is another one than the base's, of the same name: its successor.
    pub succeeded: bool,
    pub fate: Fate,
    pub step: Step,
    pub reason: Reason,
    /// Why the edit here hardly started from the version on iCloud that it replaces.
    pub replaces_unseen: Option<Reason>,
    pub place: Option<Place>,
}

pub(super) struct Items {
    pub all: BTreeMap<Key, Item>,
    /// Items that turned out to be another one.
    pub alias: HashMap<Key, Key>,
    /// Local nodes that are another item than the one of the base that they were recognised as: they end in another zone,
    /// or stand where a folder that is kept on iCloud only stood before it moved there; or that left the scope, while the item is made again.
    pub split: HashMap<Node, Key>,
    pub notes: Vec<Note>,
    /// What the next plan goes by; `None` where something happened to too much.
    pub collected: Option<Collected>,
}

impl World<'_> {
    /// Why the name of an item on iCloud says nothing yet of what it is, if it does not.
    pub fn doubts_name_there(&self, entry: &RemoteEntry) -> Option<Doubt> {
        let is_left_alone =
            || self.policy.mode == Mode::DownloadOnly && temporary_origin(&entry.name).is_some();
        match (self.policy.is_lent)(&entry.id) {
            true => Some(Doubt::Lent),
            false => is_left_alone().then_some(Doubt::NotToBeRenamed),
        }
    }

    /// The same of an item here.
    pub fn doubts_name_here(&self, node: Node) -> Option<Doubt> {
        let is_left_alone = || temporary_origin(self.local.tree.name(node)).is_some();
        (self.policy.mode == Mode::UploadOnly && is_left_alone()).then_some(Doubt::NotToBeRenamed)
    }

    /// The item that a local node is, before aliases.
    pub fn raw_local(&self, node: Node) -> Key {
        match self.recognition.of_local[node] {
            Some(item) => Key::Base(item),
            None => Key::Local(node),
        }
    }

    pub fn raw_remote(&self, node: Node) -> Key {
        match self.base.by_id(&self.remote.tree.get(node).id) {
            Some(item) => Key::Base(item),
            None => Key::Remote(node),
        }
    }

    pub fn local_seen(&self, node: Node, path: RelPath) -> LocalSeen {
        let entry = self.local.tree.get(node);
        LocalSeen { path, stamp: entry.stamp, racy: entry.racy, signature: entry.signature.get() }
    }

    /// The remote item as seen; `known` is the base entry of the same item, if any.
    pub fn remote_seen(&self, node: Node, known: Option<&Agreed>) -> RemoteSeen {
        let tree = &self.remote.tree;
        let entry = tree.get(node);
        let parent = tree.parent(node).map_or_else(|| entry.id.clone(), |folder| tree.get(folder).id.clone());
        let known = known.filter(|known| known.remote.id == entry.id);
        let same = known.filter(|known| !is_edited(known, entry));
        RemoteSeen {
            id: entry.id.clone(),
            folder: entry.is_folder(),
            package: known.is_some_and(|known| known.package),
            etag: entry.etag.clone(),
            parent,
            name: entry.name.clone(),
            size: entry.size.get(),
            mtime: entry.mtime.get(),
            signature: entry.signature.get().or(same.and_then(|known| known.signature)),
        }
    }

    pub fn is_library(&self, item: &Item) -> bool {
        item.remote.is_some_and(|node| self.remote.tree.get(node).kind == RemoteKind::AppLibrary)
    }

    /// Whether a remote node can take part at all.
    pub fn is_ours(&self, node: Node) -> bool {
        let entry = self.remote.tree.get(node);
        match entry.kind {
            RemoteKind::File | RemoteKind::Folder => true,
            // A library that is not opted in stands there unread, only to hold its name.
            RemoteKind::AppLibrary => entry.state != FolderState::Unread,
            RemoteKind::Foreign => false,
        }
    }

    pub fn is_too_large(&self, size: Option<u64>) -> bool {
        matches!((size, self.policy.max_file_size), (Some(size), Some(limit)) if size > limit)
    }
}

/// Whether the content on iCloud is another one (`docs/sync.md` §3). A modification time that differs under
/// an unchanged etag is only the service's rounding (`docs/protocol-open-questions.md` 18). A package tells of
/// itself by its etag only.
pub(super) fn is_edited(known: &Agreed, entry: &RemoteEntry) -> bool {
    if known.folder || known.remote.etag == entry.etag {
        return false;
    }
    if !known.remote.etag.same_content(&entry.etag) {
        return true;
    }
    // A file without a size is empty.
    let size = |size: Option<u64>| size.unwrap_or(0);
    !known.package
        && (size(known.remote.size.get()) != size(entry.size.get()) || known.remote.mtime != entry.mtime)
}

impl Items {
    pub fn canon(&self, key: Key) -> Key {
        self.alias.get(&key).copied().unwrap_or(key)
    }

    pub fn key_of_local(&self, world: &World<'_>, node: Node) -> Key {
        self.split.get(&node).copied().unwrap_or_else(|| self.canon(world.raw_local(node)))
    }

    pub fn key_of_remote(&self, world: &World<'_>, node: Node) -> Key {
        self.canon(world.raw_remote(node))
    }

    /// The folder that holds the item here, as an item.
    pub fn local_parent(&self, world: &World<'_>, node: Node) -> Key {
        world.local.tree.parent(node).map_or(Key::ROOT, |folder| self.key_of_local(world, folder))
    }

    /// The folder that holds the item on iCloud, as an item.
    pub fn remote_parent(&self, world: &World<'_>, node: Node) -> Key {
        world.remote.tree.parent(node).map_or(Key::ROOT, |folder| self.key_of_remote(world, folder))
    }

    /// Where an item stands on each side, also one that nothing happened to.
    pub fn sides(&self, world: &World<'_>, key: Key) -> (Option<Node>, Option<Node>) {
        match (self.all.get(&key), key) {
            // One that left the scope is no part of it any more.
            (Some(item), _) => (
                item.local.filter(|_| item.here != Change::Left),
                item.remote.filter(|_| item.there != Change::Left),
            ),
            (None, Key::Base(node)) => {
                let here = match world.recognition.of_base[node] {
                    LocalFate::There { node, .. } => Some(node),
                    _ => None,
                };
                (here, world.remote.tree.by_id(&world.base.get(node).remote.id))
            }
            (None, _) => (None, None),
        }
    }

    /// Collected items by the folder they end in.
    pub fn by_end(&self) -> HashMap<Key, Vec<Key>> {
        let mut ending_in: HashMap<Key, Vec<Key>> = HashMap::new();
        for (key, item) in &self.all {
            if let Some(place) = &item.place {
                ending_in.entry(place.parent).or_default().push(*key);
            }
        }
        ending_in
    }
}

impl Item {
    /// An item of which nothing is known but why it is looked at.
    pub fn unknown(reason: Reason) -> Self {
        Self {
            base: None,
            local: None,
            remote: None,
            folder: false,
            here: Change::Absent,
            there: Change::Absent,
            moved: None,
            moved_here: false,
            moved_there: false,
            accepted: true,
            accepted_here: true,
            accepted_there: true,
            dismissed: false,
            foreign: false,
            succeeded: false,
            fate: Fate::Open,
            step: Step::Nothing,
            reason,
            replaces_unseen: None,
            place: None,
        }
    }
}
