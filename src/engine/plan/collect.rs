//! What happened to each item that something happened to.
//!
//! What is collected of an item depends on little: where the base's item is found here, the entry on iCloud of
//! its id, what the filter says of its path, and whether a folder above it has moved. So after few changes `again` feeds it
//! the touched nodes (those whose entry, listing or fate changed, and everything below a folder that moved) instead of
//! walking the trees, and all that comes after works on what was found.

use std::collections::HashMap;

use super::base_item::{goes_to_a_volume_that_is_away, is_covered_by_a_volume, is_untouched, known};
use super::collected::{Above, Collected};
use super::items::{Change, Doubt, Item, Items, Key, World};
use crate::engine::operation::Reason;
use crate::engine::recognise::most_loose;
use crate::model::name::Name;
use crate::model::tree::Entry;
use crate::model::{Agreed, LocalKind, Node, NodeMap, Presence, RelPath, Side, Tree, name};

impl Items {
    /// Nothing collected yet.
    pub fn none() -> Self {
        Self {
            all: Default::default(),
            alias: HashMap::new(),
            split: HashMap::new(),
            notes: Vec::new(),
            collected: Some(Collected::default()),
        }
    }

    /// Collects the items that something happened to on either side.
    pub fn collect(world: &World<'_>) -> Self {
        let mut items = Self::none();
        items.collect_known(world);
        let (there, here) = (&world.remote.tree, &world.local.tree);
        items.collect_remote(world, there.walk(Node::ROOT).skip(1), Paths::new(there));
        items.collect_local(world, here.walk(Node::ROOT).skip(1), Paths::new(here));
        // A map that was filled in order is half empty; one that is made of all at once is full.
        items.all = std::mem::take(&mut items.all).into_iter().collect();
        items
    }

    fn collect_known(&mut self, world: &World<'_>) {
        let base = world.base;
        let most = most_loose(base);
        let mut paths = Paths::new(base);
        let mut above = NodeMap::new(base, Above::default());
        for node in base.walk(Node::ROOT).skip(1) {
            let Some(folder) = base.parent(node) else { continue };
            let path = paths.of(base, node);
            above[node] = self.collect_item(world, node, &path, above[folder]);
            let is_little = |collected: &mut Collected| collected.remember(node, above[node], most);
            if !self.collected.as_mut().is_none_or(is_little) {
                self.collected = None;
            }
        }
        match &mut self.collected {
            Some(collected) if self.all.len() <= most => {
                collected.known = self.all.keys().filter_map(Key::in_base).collect();
            }
            _ => self.collected = None,
        }
    }

    /// Collects one item of the base, if something happened to it; says what that means for what it holds.
    pub fn collect_item(&mut self, world: &World<'_>, node: Node, path: &RelPath, above: Above) -> Above {
        let (mut item, mut below) = known(world, node, path, above);
        if world.base.get(node).presence == Presence::RemoteOnly
            && (item.moved_there || above.released)
            && let Some(found) = item.local.take()
        {
            // What stands at its old place here is another folder than the one that moved on iCloud.
            self.split.insert(found, Key::Local(found));
            (item.here, item.moved_here, item.accepted_here) = (Change::Deleted, false, item.accepted);
            (below.moved_here, below.released) = (above.moved_here, true);
        }
        if !is_untouched(world, &item, world.base.get(node)) {
            self.all.insert(Key::Base(node), item);
        }
        below
    }

    /// New items on iCloud; one that took the place of an item that is gone there is its successor.
    pub fn collect_remote(&mut self, world: &World<'_>, nodes: impl Iterator<Item = Node>, mut paths: Paths) {
        let tree = &world.remote.tree;
        let most = most_loose(world.base);
        let mut vacant = self.vacant_there(world);
        for node in nodes {
            let entry = tree.get(node);
            if world.base.by_id(&entry.id).is_some() {
                continue;
            }
            if !self.collected.as_mut().is_none_or(|collected| collected.note_strange(node, most)) {
                self.collected = None;
            }
            if !world.is_ours(node) {
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
                continue;
            }
            let accepted = (world.policy.takes_part)(&paths.of(tree, node));
            if !accepted && !entry.is_folder() {
                continue;
            }
            let item = Item {
                remote: Some(node),
                folder: entry.is_folder(),
                there: match world.doubts_name_there(entry) {
                    Some(doubt) => Change::Unknown(doubt),
                    None if goes_to_a_volume_that_is_away(world, node) => Change::Unknown(Doubt::Unmounted),
                    None => Change::Edited,
                },
                accepted,
                accepted_there: accepted,
                ..Item::unknown(Reason::New(Side::Remote))
            };
            self.all.insert(Key::Remote(node), item);
        }
    }

    /// Places on iCloud whose item is gone there and lives on here: a new one of its kind succeeds it, also a folder that takes part
    /// for what it holds alone. A folder that stays here only is succeeded where it stands now.
    fn vacant_there(&self, world: &World<'_>) -> HashMap<(Key, Name, bool), Key> {
        let fits = |item: &Item, entry: &Agreed| {
            item.there == Change::Deleted
                && item.here.is_there()
                && item.accepted_here == item.accepted
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
                None => (Key::Base(world.base.parent(node)?), &*entry.remote.name),
            };
            Some(((folder, name::nfc(name), item.folder), *key))
        };
        self.all.iter().filter_map(place).collect()
    }

    /// New items here; one that meets a new item of its kind on iCloud at the same place is the same item.
    pub fn collect_local(&mut self, world: &World<'_>, nodes: impl Iterator<Item = Node>, mut paths: Paths) {
        let tree = &world.local.tree;
        // Made once there is one here that may be one of them.
        let mut only_remote = None;
        for node in nodes {
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
                .get_or_insert_with(|| self.only_remote_by_place(world))
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
                    _ if is_covered_by_a_volume(world, node) => Change::Unknown(Doubt::Unmounted),
                    Some(known) if world.base.get(known).presence == Presence::RemoteOnly => Change::Same,
                    // By what it is known here has to be agreed on.
                    Some(_) if folder => Change::Touched,
                    Some(_) | None => Change::Edited,
                };
                if !folder && item.there.is_there() {
                    // Whether it is that file, moved and perhaps edited by whoever, only its content tells.
                    item.there = Change::Edited;
                }
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
                here: match world.doubts_name_here(node) {
                    Some(doubt) => Change::Unknown(doubt),
                    None if is_covered_by_a_volume(world, node) => Change::Unknown(Doubt::Unmounted),
                    None => Change::Edited,
                },
                accepted,
                accepted_here: accepted,
                ..Item::unknown(Reason::New(Side::Local))
            };
            self.all.insert(Key::Local(node), item);
        }
    }

    /// Of the items only on iCloud that have the name of the local `node` in some form, the one that it is: the one
    /// written the same way, else one that is written like nothing else here. What was agreed on under another case was renamed by a person.
    fn twin(&self, world: &World<'_>, node: Node, twins: &[Key]) -> Option<Key> {
        let tree = &world.local.tree;
        let exact = |key: &Key| self.all[key].remote.map(|node| &*world.remote.tree.get(node).name);
        let known_so = |key: &Key| {
            let is_met =
                self.all[key].base.is_none_or(|known| world.base.get(known).presence != Presence::Both);
            is_met || exact(key).is_some_and(|name| name::same(name, tree.name(node)))
        };
        let mut free = twins.iter().filter(|key| self.all[key].local.is_none() && known_so(key));
        free.clone()
            .find(|key| exact(key) == Some(tree.name(node)))
            .or_else(|| {
                free.find(|key| {
                    exact(key).zip(tree.parent(node)).is_none_or(|(name, at)| tree.child(at, name).is_none())
                })
            })
            .copied()
    }

    /// What stands only on iCloud, by its place there: what is new, folders that were kept only there, and what is gone here. Where the state
    /// is older than both sides, that may be there as iCloud has it, and not be known by its identity.
    fn only_remote_by_place(&self, world: &World<'_>) -> HashMap<(Key, Name, bool), Vec<Key>> {
        let mut places: HashMap<_, Vec<Key>> = HashMap::new();
        for (key, item) in &self.all {
            let kept_there = item.base.is_some_and(|known| {
                item.folder && item.local.is_none() && world.base.get(known).presence == Presence::RemoteOnly
            });
            let is_gone_here = item.base.is_some() && item.local.is_none() && item.here == Change::Deleted;
            if let Some(node) = item
                .remote
                .filter(|_| item.base.is_none() || (kept_there || is_gone_here) && item.there.is_there())
            {
                let parent = self.remote_parent(world, node);
                let name = name::key(&world.remote.tree.get(node).name, world.policy.local_folds_case);
                places.entry((parent, name, item.folder)).or_default().push(*key);
            }
        }
        places
    }
}

/// Paths of items of one tree.
pub(super) struct Paths {
    /// Of many items, each folder's is made once.
    folders: Option<NodeMap<Option<RelPath>>>,
}

impl Paths {
    /// Of many items.
    pub fn new<T: Entry>(tree: &Tree<T>) -> Self {
        Self { folders: Some(NodeMap::new(tree, None)) }
    }

    /// Of a few.
    pub fn of_few() -> Self {
        Self { folders: None }
    }

    fn of<T: Entry>(&mut self, tree: &Tree<T>, node: Node) -> RelPath {
        let Some(folder) = tree.parent(node) else { return RelPath::root() };
        let Some(folders) = &mut self.folders else { return tree.path(node) };
        let above = folders[folder].get_or_insert_with(|| tree.path(folder));
        above.of_child(tree.name(node))
    }
}
