//! What happened to each item that something happened to.

use std::collections::{BTreeMap, HashMap};

use super::Policy;
use crate::engine::operation::{LocalSeen, Note, Reason, RemoteSeen};
use crate::engine::recognise::{Content, LocalFate, Recognition};
use crate::engine::view::{Absence, LocalView, RemoteView};
use crate::model::{BaseEntry, BaseTree, LocalKind, Node, Presence, RelPath, RemoteEntry, RemoteKind, Side};

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
    /// Nobody can say yet, and why.
    Unknown(&'static str),
}

impl Change {
    pub fn is_there(self) -> bool {
        matches!(self, Self::Same | Self::Touched | Self::Edited | Self::PowerCut)
    }

    pub fn is_gone(self) -> bool {
        matches!(self, Self::Deleted | Self::Left)
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
    /// A folder whose deletion or existence hangs on what it holds; settled by `place`.
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
    /// Different, or to be compared; `settle` when nothing but a comparison is missing.
    Reconcile,
}

/// Where an item ends: the folder and the names on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub parent: Key,
    pub local_name: Box<str>,
    pub remote_name: Box<str>,
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
    /// The remote item is another one than the base's, of the same name: its successor.
    pub succeeded: bool,
    pub fate: Fate,
    pub step: Step,
    pub reason: Reason,
    pub place: Option<Place>,
}

pub(super) struct Items {
    pub all: BTreeMap<Key, Item>,
    /// Items that turned out to be another one.
    pub alias: HashMap<Key, Key>,
    /// Local nodes that are an item of their own although the base knows them: they end in another zone.
    pub split: HashMap<Node, Key>,
    pub notes: Vec<Note>,
}

impl World<'_> {
    /// The item that a local node is, before aliases.
    fn raw_local(&self, node: Node) -> Key {
        match self.recognition.of_local[node] {
            Some(item) => Key::Base(item),
            None => Key::Local(node),
        }
    }

    fn raw_remote(&self, node: Node) -> Key {
        match self.base.by_id(&self.remote.tree.get(node).id) {
            Some(item) => Key::Base(item),
            None => Key::Remote(node),
        }
    }

    pub fn local_seen(&self, node: Node, path: RelPath) -> LocalSeen {
        let entry = self.local.tree.get(node);
        LocalSeen { path, stamp: entry.stamp, racy: entry.racy, signature: entry.signature }
    }

    /// The remote item as seen; `known` is the base entry of the same item, if any.
    pub fn remote_seen(&self, node: Node, known: Option<&BaseEntry>) -> RemoteSeen {
        let tree = &self.remote.tree;
        let entry = tree.get(node);
        let parent = tree.parent(node).map_or_else(|| entry.id.clone(), |folder| tree.get(folder).id.clone());
        let known = known.filter(|known| known.id == entry.id);
        let same = known.filter(|known| !is_edited(known, entry));
        RemoteSeen {
            id: entry.id.clone(),
            folder: entry.is_folder(),
            package: known.is_some_and(|known| known.package),
            etag: entry.etag.clone(),
            parent,
            name: entry.name.clone(),
            size: entry.size,
            mtime: entry.mtime,
            signature: entry.signature.or(same.and_then(|known| known.signature)),
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
            RemoteKind::AppLibrary => entry.state != crate::model::FolderState::Unread,
            RemoteKind::Foreign => false,
        }
    }

    pub fn is_too_large(&self, size: Option<u64>) -> bool {
        matches!((size, self.policy.max_file_size), (Some(size), Some(limit)) if size > limit)
    }
}

/// Whether the content on iCloud is another one (`docs/sync.md` §3). A modification time that differs under
/// an unchanged etag is only the service's rounding (`docs/protocol-open-questions.md` 18).
pub(super) fn is_edited(known: &BaseEntry, entry: &RemoteEntry) -> bool {
    if known.folder || known.etag == entry.etag {
        return false;
    }
    !known.etag.same_content(&entry.etag)
        || known.remote_size != entry.size
        || known.remote_mtime != entry.mtime
}

impl Items {
    /// Collects the items that something happened to on either side.
    pub fn collect(world: &World<'_>) -> Self {
        let mut items =
            Self { all: BTreeMap::new(), alias: HashMap::new(), split: HashMap::new(), notes: Vec::new() };
        items.collect_known(world);
        items.collect_remote(world);
        items.collect_local(world);
        items
    }

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

    pub fn remote_parent(&self, world: &World<'_>, node: Node) -> Key {
        world.remote.tree.parent(node).map_or(Key::ROOT, |folder| self.key_of_remote(world, folder))
    }

    fn collect_known(&mut self, world: &World<'_>) {
        let base = world.base;
        for node in base.walk(Node::ROOT).skip(1) {
            if let Some(item) = known(world, node, false) {
                self.all.insert(Key::Base(node), item);
            }
        }
    }

    /// New items on iCloud; one that took the place of an item that is gone there is its successor.
    fn collect_remote(&mut self, world: &World<'_>) {
        let tree = &world.remote.tree;
        for node in tree.walk(Node::ROOT).skip(1) {
            let entry = tree.get(node);
            if world.base.by_id(&entry.id).is_some() || !world.is_ours(node) {
                continue;
            }
            let parent = self.remote_parent(world, node);
            if let Some(key) = self.predecessor(world, parent, entry) {
                self.alias.insert(Key::Remote(node), key);
                let item = self.all.get_mut(&key).expect("a predecessor is a collected item");
                item.remote = Some(node);
                item.there = if entry.is_folder() { Change::Same } else { Change::Edited };
                item.succeeded = true;
                item.moved_there = false;
                item.accepted_there = item.accepted;
                continue;
            }
            let accepted = (world.policy.takes_part)(&tree.path(node));
            if !accepted && !entry.is_folder() {
                continue;
            }
            let item = Item {
                remote: Some(node),
                folder: entry.is_folder(),
                there: Change::Edited,
                accepted,
                accepted_there: accepted,
                ..Item::unknown(Reason::New(Side::Remote))
            };
            self.all.insert(Key::Remote(node), item);
        }
    }

    /// The item of the base that is gone on iCloud and whose place there a new one of its kind has taken.
    fn predecessor(&self, world: &World<'_>, parent: Key, entry: &RemoteEntry) -> Option<Key> {
        let Key::Base(folder) = parent else { return None };
        let name = crate::model::name::nfc(&entry.name);
        world.base.children(folder).iter().map(|&child| (child, world.base.get(child))).find_map(
            |(child, known)| {
                let item = self.all.get(&Key::Base(child))?;
                let fits = item.there == Change::Deleted
                    && item.here.is_there()
                    && !item.moved_here
                    && item.remote.is_none()
                    && known.presence == Presence::Both
                    && known.folder == entry.is_folder()
                    && crate::model::name::nfc(&known.remote_name) == name;
                fits.then_some(Key::Base(child))
            },
        )
    }

    /// New items here; one that meets a new item of its kind on iCloud at the same place is the same item.
    fn collect_local(&mut self, world: &World<'_>) {
        let tree = &world.local.tree;
        let new_remote = self.new_remote_by_place(world);
        for node in tree.walk(Node::ROOT).skip(1) {
            let entry = tree.get(node);
            if world.recognition.of_local[node].is_some() || entry.kind == LocalKind::Special {
                continue;
            }
            let folder = entry.kind == LocalKind::Folder;
            let parent = self.local_parent(world, node);
            let composed = crate::model::name::nfc(tree.name(node));
            let twin =
                new_remote.get(&(parent, composed, folder)).and_then(|twins| self.twin(world, node, twins));
            if let Some(key) = twin {
                self.alias.insert(Key::Local(node), key);
                let item = self.all.get_mut(&key).expect("a twin is a collected item");
                item.local = Some(node);
                item.here = Change::Edited;
                item.accepted_here = item.accepted;
                continue;
            }
            let path = tree.path(node);
            let accepted = (world.policy.takes_part)(&path) && !world.policy.local_only.contains(&path);
            if !accepted && !folder {
                continue;
            }
            let item = Item {
                local: Some(node),
                folder,
                here: Change::Edited,
                accepted,
                accepted_here: accepted,
                ..Item::unknown(Reason::New(Side::Local))
            };
            self.all.insert(Key::Local(node), item);
        }
    }

    /// Of the new items on iCloud that have the name of the local `node` in some form, the one that it is: the one
    /// written the same way, else one that is written like nothing else here.
    fn twin(&self, world: &World<'_>, node: Node, twins: &[Key]) -> Option<Key> {
        let tree = &world.local.tree;
        let exact = |key: &Key| self.all[key].remote.map(|node| &*world.remote.tree.get(node).name);
        let mut free = twins.iter().filter(|key| self.all[key].local.is_none());
        free.clone()
            .find(|key| exact(key) == Some(tree.name(node)))
            .or_else(|| {
                free.find(|key| {
                    exact(key).zip(tree.parent(node)).is_none_or(|(name, at)| tree.child(at, name).is_none())
                })
            })
            .copied()
    }

    fn new_remote_by_place(&self, world: &World<'_>) -> HashMap<(Key, Box<str>, bool), Vec<Key>> {
        let mut places: HashMap<_, Vec<Key>> = HashMap::new();
        for (key, item) in &self.all {
            if let (Key::Remote(node), Some(_)) = (key, item.remote) {
                let parent = self.remote_parent(world, *node);
                let name = crate::model::name::nfc(&world.remote.tree.get(*node).name);
                places.entry((parent, name, item.folder)).or_default().push(*key);
            }
        }
        places
    }
}

impl Item {
    fn unknown(reason: Reason) -> Self {
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
            succeeded: false,
            fate: Fate::Open,
            step: Step::Nothing,
            reason,
            place: None,
        }
    }
}

/// What happened to an item of the base; `None` when nothing did, unless `always`.
pub(super) fn known(world: &World<'_>, node: Node, always: bool) -> Option<Item> {
    let base = world.base;
    let entry = base.get(node);
    let folder = base.parent(node)?;
    let mut item = Item { base: Some(node), folder: entry.folder, ..Item::unknown(Reason::Same) };

    item.here = match world.recognition.of_base[node] {
        LocalFate::There { node: found, content } => {
            item.local = Some(found);
            let at = world.local.tree.parent(found).and_then(|at| world.recognition.of_local[at]);
            item.moved_here = at != Some(folder) || world.local.tree.name(found) != &*entry.local_name;
            match content {
                Content::Same => Change::Same,
                Content::Touched => Change::Touched,
                Content::Edited => Change::Edited,
                Content::PowerCut => Change::PowerCut,
                Content::Unread => Change::Unknown("its content has to be read first"),
            }
        }
        LocalFate::Deleted => Change::Deleted,
        LocalFate::Agreed => Change::Deleted,
        LocalFate::Unknown => Change::Unknown("its folder here could not be read, or is on another volume"),
    };

    let tree = &world.remote.tree;
    item.there = match tree.by_id(&entry.id) {
        Some(found) if world.is_ours(found) => {
            item.remote = Some(found);
            let now = tree.get(found);
            let at = tree.parent(found).map(|at| &tree.get(at).id);
            item.moved_there = at != Some(&base.get(folder).id) || now.name != entry.remote_name;
            match () {
                () if is_edited(entry, now) => Change::Edited,
                () if !entry.folder && now.etag != entry.etag => Change::Touched,
                () => Change::Same,
            }
        }
        Some(_) => Change::Unknown("iCloud shows it as something that is not synced"),
        None => match world.remote.absent.get(&entry.id) {
            Some(Absence::Trashed | Absence::Gone) => Change::Deleted,
            Some(Absence::OutOfScope) => Change::Left,
            Some(Absence::Unknown) | None => {
                Change::Unknown("iCloud did not list it and does not say what became of it")
            }
        },
    };

    let agreed = base.path(node);
    item.accepted = (world.policy.takes_part)(&agreed);
    let accepted_at =
        |path: RelPath| if path == agreed { item.accepted } else { (world.policy.takes_part)(&path) };
    item.accepted_here = item.local.is_none_or(|node| accepted_at(world.local.tree.path(node)));
    item.accepted_there = item.remote.is_none_or(|node| accepted_at(tree.path(node)));
    if !item.folder && item.accepted {
        if !item.accepted_here {
            item.here = Change::Left;
        }
        if !item.accepted_there {
            item.there = Change::Left;
        }
    }
    let untouched = item.here == Change::Same
        && item.there == Change::Same
        && !item.moved_here
        && !item.moved_there
        && item.accepted
        && entry.presence == Presence::Both
        && !world.is_too_large(entry.remote_size)
        && !world.is_too_large((!entry.folder).then_some(entry.stamp.size));
    (always || !untouched).then_some(item)
}
