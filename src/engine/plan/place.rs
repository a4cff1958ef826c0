//! Where each item ends, and which folders stay for what they hold.

use std::collections::{HashMap, HashSet};

use super::Mode;
use super::items::{Change, Fate, Item, Items, Key, Place, Step, World, known};
use crate::engine::operation::Reason;
use crate::model::name::nfc;
use crate::model::{FolderState, LocalKind, Node, Presence, Side};

/// Gives every item that stays its place, then settles the open folders from the bottom up.
pub(super) fn place(world: &World<'_>, items: &mut Items) {
    let keys: Vec<Key> = items.all.keys().copied().collect();
    for &key in &keys {
        choose(world, items, key, None);
    }
    break_cycles(world, items, &keys);
    split_zones(world, items, &keys);
    Folders::new(world, items).settle(items);
}

/// Chooses the place of one item: where it was moved to, the move on iCloud before the one here.
fn choose(world: &World<'_>, items: &mut Items, key: Key, forced: Option<Side>) {
    let item = &items.all[&key];
    if !matches!(item.fate, Fate::Keep | Fate::Open) {
        return;
    }
    let here = item.local.filter(|_| item.here.is_there());
    let there = item.remote.filter(|_| item.there.is_there());
    let follows_remote = world.policy.mode == Mode::DownloadOnly || world.is_library(item);
    let follows_local = world.policy.mode == Mode::UploadOnly && !world.is_library(item);
    let moved = match forced {
        Some(side) => Some(side),
        None if item.moved_there && item.moved_here => {
            Some(if follows_local { Side::Local } else { Side::Remote })
        }
        None if item.moved_there => Some(if follows_local { Side::Local } else { Side::Remote }),
        None if item.moved_here => Some(if follows_remote { Side::Remote } else { Side::Local }),
        None => None,
    };
    let side = match (here, there, moved) {
        (Some(_), None, _) | (Some(_), Some(_), Some(Side::Local)) => Side::Local,
        (None, None, _) => return,
        _ => Side::Remote,
    };
    let local_name = here.map(|node| world.local.tree.name(node));
    let remote_name = there.map(|node| &*world.remote.tree.get(node).name);
    let place = match (side, here, there) {
        (Side::Local, Some(node), _) => {
            let name = world.local.tree.name(node);
            let kept = remote_name.filter(|remote| nfc(remote) == nfc(name)).unwrap_or(name);
            Place {
                parent: items.local_parent(world, node),
                local_name: name.into(),
                remote_name: kept.into(),
            }
        }
        (_, _, Some(node)) => {
            let name = &*world.remote.tree.get(node).name;
            let composed = nfc(name);
            let kept = local_name.filter(|local| nfc(local) == composed).map_or(composed.clone(), Into::into);
            Place { parent: items.remote_parent(world, node), local_name: kept, remote_name: name.into() }
        }
        _ => return,
    };
    let item = items.all.get_mut(&key).expect("the key is of this map");
    item.moved = moved;
    item.place = Some(place);
}

/// Moves that would form a cycle (A into B here, B into A there): the remote places are a tree, so they win.
fn break_cycles(world: &World<'_>, items: &mut Items, keys: &[Key]) {
    loop {
        let mut sound: HashSet<Key> = HashSet::from([Key::ROOT]);
        let mut caught = None;
        for &key in keys {
            let mut trail = vec![key];
            let mut seen = HashSet::from([key]);
            while let Some(parent) = items
                .all
                .get(trail.last().expect("never empty"))
                .and_then(|item| {
                    let base = item.base.and_then(|node| world.base.parent(node)).map(Key::Base);
                    item.place.as_ref().map(|place| place.parent).or(base)
                })
                .or_else(|| base_parent(world, *trail.last().expect("never empty")))
            {
                if sound.contains(&parent) {
                    break;
                }
                if !seen.insert(parent) {
                    caught = trail.iter().copied().find(|key| {
                        items
                            .all
                            .get(key)
                            .is_some_and(|item| item.moved == Some(Side::Local) && item.remote.is_some())
                    });
                    break;
                }
                trail.push(parent);
            }
            if caught.is_some() {
                break;
            }
            sound.extend(trail);
        }
        match caught {
            Some(key) => {
                choose(world, items, key, Some(Side::Remote));
                let item = items.all.get_mut(&key).expect("the key is of this map");
                item.reason = Reason::MovedOnBoth;
            }
            None => return,
        }
    }
}

fn base_parent(world: &World<'_>, key: Key) -> Option<Key> {
    match key {
        Key::Base(node) => world.base.parent(node).map(Key::Base),
        _ => None,
    }
}

/// An item that ends in another zone than it lives in cannot be moved there (`docs/protocol.md` §10.3): its copy
/// here goes up as new, the item on iCloud goes to the trash.
fn split_zones(world: &World<'_>, items: &mut Items, keys: &[Key]) {
    let mut strangers = Vec::new();
    for &key in keys {
        if is_in_foreign_zone(world, items, key) {
            strangers.push(key);
        }
    }
    while let Some(key) = strangers.pop() {
        if !is_in_foreign_zone(world, items, key) {
            continue;
        }
        let new_key = split(items, key);
        // What a folder holds goes with it, also what nothing else happened to.
        if let Key::Base(node) = key {
            for &child in world.base.children(node) {
                if let Some(item) =
                    (!items.all.contains_key(&Key::Base(child))).then(|| known(world, child, true)).flatten()
                {
                    items.all.insert(
                        Key::Base(child),
                        Item { fate: if item.folder { Fate::Open } else { Fate::Keep }, ..item },
                    );
                    choose(world, items, Key::Base(child), None);
                }
            }
        }
        let held: Vec<Key> = items
            .all
            .iter()
            .filter(|(_, item)| {
                item.local.is_some() && item.place.as_ref().is_some_and(|place| place.parent == key)
            })
            .map(|(key, _)| *key)
            .collect();
        for child in held {
            if let Some(place) = items.all.get_mut(&child).and_then(|item| item.place.as_mut()) {
                place.parent = new_key;
            }
            strangers.push(child);
        }
    }
}

fn is_in_foreign_zone(world: &World<'_>, items: &Items, key: Key) -> bool {
    let item = &items.all[&key];
    let (Some(remote), Some(_), Some(place), Some(_)) = (item.remote, item.local, &item.place, item.base)
    else {
        return false;
    };
    let zone = world.remote.tree.get(remote).id.zone();
    !world.is_library(item) && zone_of(world, items, place.parent).is_some_and(|ending_in| ending_in != *zone)
}

/// Makes two items of one: a new one here, and one on iCloud that left the scope.
fn split(items: &mut Items, key: Key) -> Key {
    let item = items.all.get_mut(&key).expect("the key is of this map");
    let local = item.local.expect("only an item that is here ends in another zone");
    let place = item.place.take().expect("only an item that ends somewhere ends in another zone");
    let fresh = Item {
        base: None,
        remote: None,
        here: Change::Edited,
        there: Change::Absent,
        step: if item.folder { Step::Nothing } else { Step::Upload },
        fate: if item.folder { Fate::Open } else { Fate::Keep },
        reason: Reason::Moved(Side::Local),
        moved: None,
        place: Some(Place { remote_name: place.local_name.clone(), ..place }),
        ..item.clone()
    };
    item.local = None;
    item.here = Change::Left;
    item.fate = if item.folder { Fate::Open } else { Fate::DropRemote };
    item.step = Step::Nothing;
    item.reason = Reason::LeftScope(Side::Local);
    let new_key = Key::Local(local);
    items.all.insert(new_key, fresh);
    items.split.insert(local, new_key);
    new_key
}

/// The zone in which new contents of that folder live; `None` where the folder itself is new.
fn zone_of(world: &World<'_>, items: &Items, folder: Key) -> Option<crate::model::Zone> {
    let mut at = folder;
    for _ in 0..10_000 {
        let item = items.all.get(&at);
        if let Some(node) = item.and_then(|item| item.remote) {
            return Some(world.remote.tree.get(node).id.zone().clone());
        }
        match (at, item) {
            (Key::Base(node), None) => return Some(world.base.get(node).id.zone().clone()),
            _ => at = item.and_then(|item| item.place.as_ref())?.parent,
        }
    }
    None
}

/// Settles folders that hang on what they hold.
struct Folders<'a, 'w> {
    world: &'a World<'w>,
    /// Collected items by the folder they end in.
    ending_in: HashMap<Key, Vec<Key>>,
}

impl<'a, 'w> Folders<'a, 'w> {
    fn new(world: &'a World<'w>, items: &Items) -> Self {
        let mut ending_in: HashMap<Key, Vec<Key>> = HashMap::new();
        for (key, item) in &items.all {
            if let Some(place) = &item.place {
                ending_in.entry(place.parent).or_default().push(*key);
            }
        }
        Self { world, ending_in }
    }

    fn settle(self, items: &mut Items) {
        // Each folder after all that it holds now, here or there, or in the end. No recursion: trees may be deep.
        let mut stack: Vec<(Key, bool)> = items
            .all
            .iter()
            .filter(|(_, item)| item.fate == Fate::Open)
            .map(|(key, _)| (*key, false))
            .collect();
        let mut entered = HashSet::new();
        while let Some((key, held_settled)) = stack.pop() {
            if held_settled {
                let (fate, reason) = self.fate(items, key);
                let item = items.all.get_mut(&key).expect("the key is of this map");
                item.fate = fate;
                item.reason = reason.unwrap_or(item.reason);
                if fate != Fate::Keep {
                    item.place = None;
                }
            } else if items.all[&key].fate == Fate::Open && entered.insert(key) {
                stack.push((key, true));
                stack.extend(self.held_by(items, key).into_iter().map(|child| (child, false)));
            }
        }
    }

    fn held_by(&self, items: &Items, key: Key) -> Vec<Key> {
        let world = self.world;
        let item = &items.all[&key];
        let here = item.local.into_iter().flat_map(|node| world.local.tree.children(node));
        let there = item.remote.into_iter().flat_map(|node| world.remote.tree.children(node));
        here.map(|child| items.key_of_local(world, *child))
            .chain(there.map(|child| items.key_of_remote(world, *child)))
            .chain(self.ending_in.get(&key).into_iter().flatten().copied())
            .filter(|child| items.all.get(child).is_some_and(|item| item.fate == Fate::Open))
            .collect()
    }

    fn fate(&self, items: &Items, key: Key) -> (Fate, Option<Reason>) {
        let world = self.world;
        let item = &items.all[&key];
        let needed = self.is_needed(items, key);
        if item.here.is_there() && item.there.is_there() {
            return self.both_sides(items, key, needed);
        }
        if item.base.is_none() {
            // New on one side. One that takes part only because of its contents is not created empty.
            return if item.accepted || needed { (Fate::Keep, None) } else { (Fate::Pin, None) };
        }
        let library = world.is_library(item);
        if needed || library {
            return (Fate::Keep, Some(if library { item.reason } else { Reason::HoldsItems }));
        }
        if !item.accepted {
            return (Fate::Forget, Some(Reason::NoLongerTakesPart));
        }
        // Gone on one side: whether the other side's copy can go too hangs on everything in it.
        let held = if item.here.is_there() {
            self.held_here(items, item.local)
        } else {
            self.held_there(items, item.remote)
        };
        let known = item.base.map(|node| world.base.get(node).presence);
        match held {
            Held::Unsettled => (Fate::Pin, None),
            Held::Foreign => {
                let presence = if item.here.is_there() { Presence::LocalOnly } else { Presence::RemoteOnly };
                let fate = if known == Some(presence) { Fate::Pin } else { Fate::OneSided(presence) };
                (fate, Some(Reason::HoldsForeign))
            }
            Held::Nothing if item.here.is_there() => (Fate::DropLocal, None),
            Held::Nothing => (Fate::DropRemote, None),
        }
    }

    fn both_sides(&self, items: &Items, key: Key, needed: bool) -> (Fate, Option<Reason>) {
        let item = &items.all[&key];
        if needed || item.base.is_none() && item.accepted {
            return (Fate::Keep, None);
        }
        if item.base.is_none() {
            return (Fate::Pin, None);
        }
        if !item.accepted {
            return (Fate::Forget, Some(Reason::NoLongerTakesPart));
        }
        // Moved to where nothing is synced: it stays there, its copy on the other side goes.
        let (left, held) = match (item.accepted_here, item.accepted_there) {
            (true, true) => return (Fate::Keep, None),
            // The side that never changes holds on to it: it is moved back on the other.
            (true, false) if self.world.policy.mode == Mode::UploadOnly => return (Fate::Keep, None),
            (false, true) if self.world.policy.mode == Mode::DownloadOnly => return (Fate::Keep, None),
            (true, false) => (Side::Remote, self.held_here(items, item.local)),
            (false, true) => (Side::Local, self.held_there(items, item.remote)),
            (false, false) => return (Fate::Forget, Some(Reason::NoLongerTakesPart)),
        };
        match (held, left) {
            (Held::Nothing, Side::Remote) => (Fate::DropLocal, Some(Reason::LeftScope(left))),
            (Held::Nothing, Side::Local) => (Fate::DropRemote, Some(Reason::LeftScope(left))),
            (Held::Unsettled, _) => (Fate::Pin, None),
            (Held::Foreign, _) => (Fate::Forget, Some(Reason::LeftScope(left))),
        }
    }

    /// Whether something that takes part ends in the folder.
    fn is_needed(&self, items: &Items, key: Key) -> bool {
        let kept = self.ending_in.get(&key).into_iter().flatten().any(|child| {
            let child = &items.all[child];
            child.fate == Fate::Keep && child.place.is_some()
        });
        let untouched = match key {
            Key::Base(node) => {
                self.world.base.children(node).iter().any(|child| !items.all.contains_key(&Key::Base(*child)))
            }
            _ => false,
        };
        kept || untouched
    }

    /// What keeps the local copy of a folder alive, seen just now.
    fn held_here(&self, items: &Items, folder: Option<Node>) -> Held {
        let Some(folder) = folder else { return Held::Nothing };
        let (world, tree) = (self.world, &self.world.local.tree);
        let mut held = match tree.get(folder) {
            entry if entry.state == FolderState::Incomplete => Held::Unsettled,
            entry if entry.state == FolderState::Unread || entry.holds_unnameable => Held::Foreign,
            _ => Held::Nothing,
        };
        for &child in tree.children(folder) {
            let item = items.all.get(&items.key_of_local(world, child));
            let same = item.filter(|item| item.local == Some(child));
            let junk = tree.get(child).kind == LocalKind::File && (world.policy.is_junk)(&tree.path(child));
            held = held.max(match same.map(|item| item.fate) {
                Some(Fate::DropLocal | Fate::Keep) => Held::Nothing,
                Some(Fate::Forget | Fate::OneSided(_)) => Held::Foreign,
                Some(Fate::Pin) if !same.is_some_and(is_unknown) => Held::Foreign,
                Some(Fate::Pin | Fate::Open | Fate::DropRemote) => Held::Unsettled,
                None if junk => Held::Nothing,
                None => Held::Foreign,
            });
        }
        held
    }

    /// What keeps the copy of a folder on iCloud alive, seen just now.
    fn held_there(&self, items: &Items, folder: Option<Node>) -> Held {
        let Some(folder) = folder else { return Held::Nothing };
        let (world, tree) = (self.world, &self.world.remote.tree);
        let mut held = match tree.get(folder).state {
            FolderState::Incomplete => Held::Unsettled,
            FolderState::Unread => Held::Foreign,
            FolderState::Complete => Held::Nothing,
        };
        let path = tree.path(folder);
        if world.remote.unusable.iter().any(|(at, ..)| *at == path) {
            held = held.max(Held::Foreign);
        }
        for &child in tree.children(folder) {
            let item = items.all.get(&items.key_of_remote(world, child));
            let same = item.filter(|item| item.remote == Some(child));
            let junk = !tree.get(child).is_folder() && (world.policy.is_junk)(&tree.path(child));
            held = held.max(match same.map(|item| item.fate) {
                Some(Fate::DropRemote | Fate::Keep) => Held::Nothing,
                Some(Fate::Forget | Fate::OneSided(_)) => Held::Foreign,
                Some(Fate::Pin) if !same.is_some_and(is_unknown) => Held::Foreign,
                Some(Fate::Pin | Fate::Open | Fate::DropLocal) => Held::Unsettled,
                None if junk => Held::Nothing,
                None => Held::Foreign,
            });
        }
        held
    }
}

/// Whether an item is left alone only until more is known of it, or of something in it.
fn is_unknown(item: &Item) -> bool {
    matches!(item.here, Change::Unknown(_))
        || matches!(item.there, Change::Unknown(_))
        || item.folder && item.base.is_some()
}

/// What keeps a folder alive; a later one outweighs an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    Nothing,
    /// Contents that do not take part.
    Foreign,
    /// Something of which not enough is known now.
    Unsettled,
}
