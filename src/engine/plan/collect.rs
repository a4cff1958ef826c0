//! What happened to each item that something happened to.
//!
//! What is collected of an item depends on little: where the base's item is found here, the entry on iCloud of
//! its id, what the filter says of its path, and whether a folder above it has moved. So a plan after few changes
//! could be fed a list of touched nodes (those whose entry, listing or fate changed, and everything below a
//! folder that moved) instead of walking the trees: beside [`Items::collect`] only the notes about
//! what is never synced come from such a walk, and all that comes after works on what was found.

use std::collections::HashMap;

use super::Mode;
use super::items::{Change, Doubt, Item, Items, Key, World, is_edited};
use crate::engine::operation::Reason;
use crate::engine::recognise::{Content, LocalFate};
use crate::engine::view::Absence;
use crate::model::name::Name;
use crate::model::tree::Entry;
use crate::model::{
    BaseEntry, FolderState, ItemId, LocalKind, Node, NodeMap, Presence, RelPath, RemoteKind, Side, Tree, name,
};

/// Two looks must agree that a file has no content any more (`docs/sync.md` §3).
const HOLLOW: &str = "iCloud shows it without content all at once: a second look has to confirm that";

impl Items {
    /// Collects the items that something happened to on either side.
    pub fn collect(world: &World<'_>) -> Self {
        let mut items =
            Self { all: Default::default(), alias: HashMap::new(), split: HashMap::new(), notes: Vec::new() };
        items.collect_known(world);
        items.collect_remote(world);
        items.collect_local(world);
        items
    }

    fn collect_known(&mut self, world: &World<'_>) {
        let base = world.base;
        let mut paths = Paths::new(base);
        let mut above = NodeMap::new(base, Above::default());
        for node in base.walk(Node::ROOT).skip(1) {
            let Some(folder) = base.parent(node) else { continue };
            let path = paths.of(base, node);
            let (mut item, mut below) = known(world, node, &path, above[folder]);
            if base.get(node).presence == Presence::RemoteOnly
                && (item.moved_there || above[folder].released)
                && let Some(found) = item.local.take()
            {
                // What stands at its old place here is another folder than the one that moved on iCloud.
                self.split.insert(found, Key::Local(found));
                (item.here, item.moved_here, item.accepted_here) = (Change::Deleted, false, item.accepted);
                (below.moved_here, below.released) = (above[folder].moved_here, true);
            }
            above[node] = below;
            if !is_untouched(world, &item, base.get(node)) {
                self.all.insert(Key::Base(node), item);
            }
        }
    }

    /// New items on iCloud; one that took the place of an item that is gone there is its successor.
    fn collect_remote(&mut self, world: &World<'_>) {
        let tree = &world.remote.tree;
        let mut paths = Paths::new(tree);
        let mut vacant = self.vacant_there(world);
        for node in tree.walk(Node::ROOT).skip(1) {
            let entry = tree.get(node);
            if world.base.by_id(&entry.id).is_some() || !world.is_ours(node) {
                continue;
            }
            let parent = self.remote_parent(world, node);
            let elder = vacant.remove(&(parent, name::nfc(&entry.name), entry.is_folder()));
            if let Some(key) = elder {
                self.alias.insert(Key::Remote(node), key);
                let item = self.all.get_mut(&key).expect("what left a place vacant is a collected item");
                item.remote = Some(node);
                item.there = if entry.is_folder() { Change::Same } else { Change::Edited };
                item.succeeded = true;
                item.moved_there = false;
                item.accepted_there = item.accepted;
                continue;
            }
            let accepted = (world.policy.takes_part)(&paths.of(tree, node));
            if !accepted && !entry.is_folder() {
                continue;
            }
            let item = Item {
                remote: Some(node),
                folder: entry.is_folder(),
                there: match (world.policy.is_lent)(&entry.id) {
                    true => Change::Unknown(Doubt::ForNow(LENT)),
                    false if goes_to_a_volume_that_is_away(world, node) => {
                        Change::Unknown(Doubt::ForNow(UNMOUNTED))
                    }
                    false => Change::Edited,
                },
                accepted,
                accepted_there: accepted,
                ..Item::unknown(Reason::New(Side::Remote))
            };
            self.all.insert(Key::Remote(node), item);
        }
    }

    /// Places on iCloud whose item is gone there and lives on here: a new one of its kind succeeds it. A folder that stays
    /// here only is succeeded where it stands now.
    fn vacant_there(&self, world: &World<'_>) -> HashMap<(Key, Name, bool), Key> {
        let fits = |item: &Item, entry: &BaseEntry| {
            item.there == Change::Deleted
                && item.here.is_there()
                && item.accepted
                && item.accepted_here
                && !item.dismissed
                && !item.foreign
                && (entry.presence == Presence::LocalOnly || !item.moved_here)
        };
        let place = |(key, item): (&Key, &Item)| {
            let node = item.base?;
            let entry = world.base.get(node);
            if !fits(item, entry) {
                return None;
            }
            let (folder, name) = match item.local.filter(|_| item.moved_here) {
                Some(found) => (self.local_parent(world, found), world.local.tree.name(found)),
                None => (Key::Base(world.base.parent(node)?), &*entry.remote_name),
            };
            Some(((folder, name::nfc(name), item.folder), *key))
        };
        self.all.iter().filter_map(place).collect()
    }

    /// New items here; one that meets a new item of its kind on iCloud at the same place is the same item.
    fn collect_local(&mut self, world: &World<'_>) {
        let tree = &world.local.tree;
        let mut paths = Paths::new(tree);
        let only_remote = self.only_remote_by_place(world);
        for node in tree.walk(Node::ROOT).skip(1) {
            let entry = tree.get(node);
            let released = self.split.contains_key(&node);
            if world.recognition.of_local[node].is_some() && !released || entry.kind == LocalKind::Special {
                continue;
            }
            let folder = entry.kind == LocalKind::Folder;
            let path = paths.of(tree, node);
            let local_only = world.policy.local_only.contains(&path);
            let accepted = !local_only && (world.policy.takes_part)(&path);
            let parent = self.local_parent(world, node);
            let composed = name::key(tree.name(node), world.policy.local_folds_case);
            let twin = only_remote
                .get(&(parent, composed, folder))
                .filter(|_| !local_only)
                .and_then(|twins| self.twin(world, node, twins))
                // Names that differ in case may differ for the filter too.
                .filter(|key| self.all[key].accepted_there == accepted);
            if let Some(key) = twin {
                if released {
                    self.split.insert(node, key);
                } else {
                    self.alias.insert(Key::Local(node), key);
                }
                let item = self.all.get_mut(&key).expect("a twin is a collected item");
                item.local = Some(node);
                item.here = match item.base {
                    _ if is_covered_by_a_volume(world, node) => Change::Unknown(Doubt::ForNow(UNMOUNTED)),
                    Some(_) => Change::Same,
                    None => Change::Edited,
                };
                item.moved_here = item.moved_there;
                item.accepted_here = item.accepted_there;
                continue;
            }
            if !accepted && !folder {
                continue;
            }
            let item = Item {
                local: Some(node),
                folder,
                here: match is_covered_by_a_volume(world, node) {
                    true => Change::Unknown(Doubt::ForNow(UNMOUNTED)),
                    false => Change::Edited,
                },
                accepted,
                accepted_here: accepted,
                ..Item::unknown(Reason::New(Side::Local))
            };
            self.all.insert(Key::Local(node), item);
        }
    }

    /// Of the items only on iCloud that have the name of the local `node` in some form, the one that it is: the one
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

    /// What stands only on iCloud, by its place there: what is new, and folders that were kept only there.
    fn only_remote_by_place(&self, world: &World<'_>) -> HashMap<(Key, Name, bool), Vec<Key>> {
        let mut places: HashMap<_, Vec<Key>> = HashMap::new();
        for (key, item) in &self.all {
            let kept_there = item.base.is_some_and(|known| {
                item.folder && item.local.is_none() && world.base.get(known).presence == Presence::RemoteOnly
            });
            if let Some(node) =
                item.remote.filter(|_| item.base.is_none() || kept_there && item.there.is_there())
            {
                let parent = self.remote_parent(world, node);
                let name = name::key(&world.remote.tree.get(node).name, world.policy.local_folds_case);
                places.entry((parent, name, item.folder)).or_default().push(*key);
            }
        }
        places
    }
}

/// What waits for a volume.
const UNMOUNTED: &str = "its folder here is a mount point, and nothing is mounted there now: mount it again";
/// Why nothing is done now about what bears a temporary name.
const LENT: &str = "it bears a temporary name on iCloud, which another machine may be about to change";

/// What the folders above an item mean for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Above {
    /// Its path here is not the agreed one.
    moved_here: bool,
    /// Its path on iCloud is not the agreed one.
    moved_there: bool,
    /// It lives in an app library that is not opted in any more.
    dismissed: bool,
    /// It went with a folder that was moved here to where nothing is synced, and nothing is read.
    left_here: bool,
    /// It lies in what iCloud shows as not ours, shared to this account say.
    foreign: bool,
    /// What stands at its folder's old place here is another folder.
    released: bool,
}

/// Whether nothing happened to an item of the base.
fn is_untouched(world: &World<'_>, item: &Item, entry: &BaseEntry) -> bool {
    item.here == Change::Same
        && item.there == Change::Same
        && !item.moved_here
        && !item.moved_there
        && item.accepted
        && (!item.folder || item.accepted_here && item.accepted_there)
        && entry.presence == Presence::Both
        // A temporary name, learnt on the way to the right one.
        && name::aside_origin(&entry.local_name).is_none()
        && !world.is_too_large(entry.remote_size.get())
        && !world.is_too_large((!entry.folder).then_some(entry.stamp.size))
}

/// What happened to the item `node` of the base, whose agreed path is `agreed`; and what that means for what it holds.
pub(super) fn known(world: &World<'_>, node: Node, agreed: &RelPath, above: Above) -> (Item, Above) {
    let entry = world.base.get(node);
    let folder = world.base.parent(node).unwrap_or(Node::ROOT);
    let mut item = Item {
        base: Some(node),
        folder: entry.folder,
        dismissed: above.dismissed,
        ..Item::unknown(Reason::Same)
    };
    see_here(world, &mut item, node, folder);
    see_there(world, &mut item, node, folder);
    // Gone there, and nothing of it here but a volume that may be retired: both sides agree.
    match world.recognition.of_base[node] {
        LocalFate::Missing if item.there.is_gone() && is_volume_gone_there(world, node) => {
            item.here = Change::Deleted;
        }
        // The folder stays here: a volume may be mounted there again.
        LocalFate::Unmounted(found)
            if item.there.is_gone()
                && is_bare_mount_point(world, found)
                && !is_succeeded_there(world, node) =>
        {
            (item.local, item.here) = (Some(found), Change::Same);
        }
        _ => {}
    }
    if above.left_here && world.recognition.of_base[node] == LocalFate::Unknown {
        item.here = Change::Left;
    }
    item.foreign = is_foreign(world, &item, &entry.id, above);
    let mut below = Above {
        // A library that was renamed here is renamed back, so what it holds has not moved.
        moved_here: above.moved_here || item.moved_here && !world.is_library(&item),
        moved_there: above.moved_there || item.moved_there,
        dismissed: item.dismissed,
        left_here: above.left_here && item.here == Change::Left,
        foreign: item.foreign,
        released: false,
    };
    let takes_part = world.policy.takes_part;
    item.accepted = takes_part(agreed);
    item.accepted_here = match item.local.filter(|_| below.moved_here) {
        Some(node) => takes_part(&world.local.tree.path(node)),
        None => item.accepted,
    };
    item.accepted_there = match item.remote.filter(|_| below.moved_there) {
        Some(node) => takes_part(&world.remote.tree.path(node)),
        None => item.accepted,
    };
    let unread = item.local.is_some_and(|node| world.local.tree.get(node).state == FolderState::Unread);
    below.left_here |= item.folder
        && item.accepted
        && !item.accepted_here
        && unread
        && world.policy.mode != Mode::DownloadOnly;
    if !item.folder && item.accepted {
        // On the side that only follows, what was moved out of scope is moved back, like anything else.
        let mode = world.policy.mode;
        let cut = item.here == Change::PowerCut && item.there.is_there();
        let follows_remote = cut || mode == Mode::DownloadOnly && item.there.is_there();
        let follows_local = mode == Mode::UploadOnly && item.here.is_there();
        if !item.accepted_here && !follows_remote {
            item.here = Change::Left;
        }
        if !item.accepted_there && !follows_local {
            item.there = Change::Left;
        }
    }
    (item, below)
}

fn see_here(world: &World<'_>, item: &mut Item, node: Node, folder: Node) {
    let (entry, tree) = (world.base.get(node), &world.local.tree);
    item.here = match world.recognition.of_base[node] {
        LocalFate::There { node: found, content } => {
            item.local = Some(found);
            let at = tree.parent(found).and_then(|at| world.recognition.of_local[at]);
            item.moved_here = at != Some(folder) || tree.name(found) != &*entry.local_name;
            match content {
                // The folder that stands there now is another one: its identity is what later moves are known by.
                Content::Same if entry.folder && tree.get(found).stamp.identity != entry.stamp.identity => {
                    Change::Touched
                }
                Content::Same => Change::Same,
                Content::Touched => Change::Touched,
                Content::Edited => Change::Edited,
                Content::PowerCut => Change::PowerCut,
                Content::Unread => Change::Unknown(Doubt::ForNow("its content has to be read first")),
            }
        }
        LocalFate::Deleted | LocalFate::Agreed => Change::Deleted,
        LocalFate::Held => Change::Unknown(Doubt::Held(
            "a link, socket, device or FIFO has its name here, or that of its folder",
        )),
        LocalFate::Unknown if is_in_unread_folder(world, node) => Change::Unknown(Doubt::Held(
            "its folder here was moved to where nothing is synced, and nothing is read",
        )),
        LocalFate::Unmounted(_) => Change::Unknown(Doubt::ForNow(UNMOUNTED)),
        LocalFate::Missing | LocalFate::Unknown => {
            Change::Unknown(Doubt::ForNow("its folder here could not be read, or is on another volume"))
        }
    };
}

/// Whether the nearest folder above an item of the base that is found here is one that the filter leaves unread.
fn is_in_unread_folder(world: &World<'_>, node: Node) -> bool {
    let above = std::iter::successors(world.base.parent(node), |folder| world.base.parent(*folder));
    let found = above.filter_map(|folder| match world.recognition.of_base[folder] {
        LocalFate::There { node, .. } => Some(world.local.tree.get(node).state),
        _ => None,
    });
    found.take(1).any(|state| state == FolderState::Unread)
}

fn see_there(world: &World<'_>, item: &mut Item, node: Node, folder: Node) {
    let (entry, tree) = (world.base.get(node), &world.remote.tree);
    item.there = match tree.by_id(&entry.id) {
        Some(_) if (world.policy.is_lent)(&entry.id) => Change::Unknown(Doubt::ForNow(LENT)),
        Some(found) if world.is_ours(found) => {
            item.remote = Some(found);
            let now = tree.get(found);
            let at = tree.parent(found).map(|at| &tree.get(at).id);
            item.moved_there = at != Some(&world.base.get(folder).id) || now.name != entry.remote_name;
            if item.moved_there && goes_to_a_volume_that_is_away(world, found) {
                item.there = Change::Unknown(Doubt::ForNow(UNMOUNTED));
                return;
            }
            if world.remote.hollow.contains(&entry.id) {
                item.there = Change::Unknown(Doubt::ForNow(HOLLOW));
                return;
            }
            match is_edited(entry, now) {
                true => Change::Edited,
                false if !entry.folder && now.etag != entry.etag => Change::Touched,
                false => Change::Same,
            }
        }
        Some(found) => {
            let now = tree.get(found);
            item.dismissed |= now.kind == RemoteKind::AppLibrary && now.state == FolderState::Unread;
            Change::Unknown(Doubt::Held("iCloud shows it as something that is not synced"))
        }
        None => match world.remote.absent.get(&entry.id) {
            Some(Absence::Trashed | Absence::Gone) => Change::Deleted,
            Some(Absence::OutOfScope) => Change::Left,
            // Both sides agreed that it is gone there, so nobody asks for it any more.
            None if entry.presence == Presence::LocalOnly => Change::Deleted,
            Some(Absence::Untold) => Change::Unknown(Doubt::Held(
                "iCloud does not list it, and will not say whether it was deleted",
            )),
            Some(Absence::Unknown) | None => {
                Change::Unknown(Doubt::ForNow("iCloud did not list it and does not say what became of it"))
            }
        },
    };
}

/// Whether iCloud has lost all of the volume that an item was on, from its mount point down. What is deleted there from a volume that
/// lives on waits for it: it would come back as new with the volume else.
fn is_volume_gone_there(world: &World<'_>, node: Node) -> bool {
    let is_away = |item: &Node| {
        matches!(world.recognition.of_base[*item], LocalFate::Missing | LocalFate::Unmounted(_))
    };
    std::iter::successors(Some(node), |item| world.base.parent(*item))
        .take_while(is_away)
        .all(|item| world.remote.tree.by_id(&world.base.get(item).id).is_none())
}

/// Whether a mount point without its volume was read whole and holds nothing, on the file system of the folder above it.
fn is_bare_mount_point(world: &World<'_>, found: Node) -> bool {
    let (tree, entry) = (&world.local.tree, world.local.tree.get(found));
    entry.state == FolderState::Complete
        && entry.stamp.on_root_fs
        && !entry.holds_unnameable
        && tree.children(found).is_empty()
}

/// Whether something new on iCloud has the place of an item of the base that is gone there: it would be put into the mount point.
fn is_succeeded_there(world: &World<'_>, node: Node) -> bool {
    let (base, tree) = (world.base, &world.remote.tree);
    let folder = base.parent(node).and_then(|folder| tree.by_id(&base.get(folder).id));
    let name = &base.get(node).remote_name;
    folder.is_some_and(|folder| {
        tree.children(folder).iter().any(|child| name::same(&tree.get(*child).name, name))
    })
}

/// Whether an item here stands in a mount point without its volume: nobody sees it once that is mounted again, and it would count as deleted.
fn is_covered_by_a_volume(world: &World<'_>, node: Node) -> bool {
    let tree = &world.local.tree;
    let above = std::iter::successors(tree.parent(node), |folder| tree.parent(*folder));
    let mut known = above.filter_map(|folder| world.recognition.of_local[folder]);
    known.any(|item| matches!(world.recognition.of_base[item], LocalFate::Unmounted(_)))
}

/// Whether an item on iCloud stands in a folder whose volume is not mounted here: what would be put there would be covered by it.
fn goes_to_a_volume_that_is_away(world: &World<'_>, node: Node) -> bool {
    let tree = &world.remote.tree;
    let above = std::iter::successors(tree.parent(node), |folder| tree.parent(*folder));
    let known = above.filter_map(|folder| world.base.by_id(&tree.get(folder).id));
    known.into_iter().any(|folder| matches!(world.recognition.of_base[folder], LocalFate::Unmounted(_)))
}

/// Whether iCloud shows a synced item as something that is not ours, or in a folder that it shows so.
fn is_foreign(world: &World<'_>, item: &Item, id: &ItemId, above: Above) -> bool {
    let tree = &world.remote.tree;
    let Some(found) = item.remote.or_else(|| tree.by_id(id)) else { return above.foreign };
    let is_foreign = |node: Node| tree.get(node).kind == RemoteKind::Foreign;
    if !item.moved_there {
        return is_foreign(found) || above.foreign;
    }
    std::iter::successors(Some(found), |node| tree.parent(*node)).any(is_foreign)
}

/// As [`known`], for an item on its own: its paths are looked at whatever happened above it.
pub(super) fn known_alone(world: &World<'_>, node: Node) -> Item {
    let above = Above { moved_here: true, moved_there: true, ..Above::default() };
    known(world, node, &world.base.path(node), above).0
}

/// Paths of many items of one tree, each folder's made once.
struct Paths {
    folders: NodeMap<Option<RelPath>>,
}

impl Paths {
    fn new<T: Entry>(tree: &Tree<T>) -> Self {
        Self { folders: NodeMap::new(tree, None) }
    }

    fn of<T: Entry>(&mut self, tree: &Tree<T>, node: Node) -> RelPath {
        let Some(folder) = tree.parent(node) else { return RelPath::root() };
        let above = self.folders[folder].get_or_insert_with(|| tree.path(folder));
        above.of_child(tree.name(node))
    }
}
