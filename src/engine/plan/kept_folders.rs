//! Which folders stay for what they hold.

use std::collections::{HashMap, HashSet};

use super::Mode;
use super::items::{Change, Fate, Item, Items, Key, World};
use super::place::Placed;
use super::target::choose;
use super::zones;
use crate::engine::operation::Reason;
use crate::engine::recognise::LocalFate;
use crate::model::name::Name;
use crate::model::{FolderState, LocalEntry, LocalKind, LocalStamp, Node, Presence, RemoteKind, Side};

struct Folders<'a, 'w> {
    world: &'a World<'w>,
    /// Collected items by the folder they end in.
    ending_in: HashMap<Key, Vec<Key>>,
}

/// Placed items, of which none is open any more and none ends in a zone that it cannot be moved to.
pub(super) struct Kept(Items);

impl Kept {
    /// The items, for the next stage.
    pub fn into_items(self) -> Items {
        self.0
    }
}

/// Settles every folder that hangs on what it holds, from the bottom up.
pub(super) fn run(world: &World<'_>, mut placed: Placed) -> Kept {
    loop {
        zones::split(world, &mut placed);
        // A folder that stays in scope after all may do so in another zone.
        let items = placed.items();
        let folders = Folders { world, ending_in: items.by_end() };
        if !folders.settle(items) {
            return Kept(placed.into_items());
        }
    }
}

impl Folders<'_, '_> {
    /// Says whether one of the folders got another place.
    fn settle(mut self, items: &mut Items) -> bool {
        // Each folder after all that it holds now, here or there, or in the end. No recursion: trees may be deep.
        let mut stack: Vec<(Key, bool)> = items
            .all
            .iter()
            .filter(|(_, item)| item.fate == Fate::Open)
            .map(|(key, _)| (*key, false))
            .collect();
        let mut entered = HashSet::new();
        let mut replaced = false;
        while let Some((key, held_settled)) = stack.pop() {
            if held_settled {
                let (fate, reason) = self.fate(items, key);
                replaced |= fate == Fate::Keep && self.stay_in_scope(items, key);
                let item = items.all.get_mut(&key).expect("the key is of this map");
                item.fate = fate;
                item.reason = reason.unwrap_or(item.reason);
                if fate == Fate::Keep {
                    stack.extend(self.reopen(items, &entered, key).map(|folder| (folder, true)));
                } else {
                    item.place = None;
                }
            } else if entered.insert(key) {
                stack.push((key, true));
                stack.extend(self.held_by(items, key).into_iter().map(|child| (child, false)));
            }
        }
        replaced
    }

    /// Opens the folder that the item ends in again, if it was settled as one that does not stay: where folders lie in
    /// each other, one on each side, it was settled without the item.
    fn reopen(&self, items: &mut Items, settled: &HashSet<Key>, key: Key) -> Option<Key> {
        let folder = items.all[&key].place.as_ref()?.parent;
        let item = items.all.get_mut(&folder).filter(|item| item.fate != Fate::Keep)?;
        if item.fate == Fate::Open || !settled.contains(&folder) {
            return None;
        }
        item.fate = Fate::Open;
        choose(self.world, items, folder, None);
        Some(folder)
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
        let is_made_where_nothing_may_change = match world.policy.mode {
            Mode::TwoWay => false,
            Mode::UploadOnly => !item.here.is_there(),
            Mode::DownloadOnly => !item.there.is_there(),
        };
        if needed && !library && is_made_where_nothing_may_change {
            return (Fate::Pin, Some(Reason::LocalChangeNotAllowed));
        }
        if needed || library {
            return (Fate::Keep, Some(if library { item.reason } else { Reason::HoldsItems }));
        }
        if !item.accepted {
            return (Fate::Forget, Some(Reason::NoLongerTakesPart));
        }
        // Gone on one side and moved out of scope on the other: it stays where it went.
        let in_scope_here = item.here.is_there() && item.accepted_here;
        if !in_scope_here && !(item.there.is_there() && item.accepted_there) {
            return (Fate::Forget, Some(Reason::GoneOnBoth));
        }
        // Gone on one side: whether the other side's copy can go too hangs on everything in it.
        let held = if item.here.is_there() {
            self.held_here(items, item.local)
        } else {
            self.held_there(items, item.remote).max(self.may_hold_there(items, key))
        };
        match held {
            Held::Unsettled => (Fate::Pin, None),
            Held::Foreign => {
                let presence = if item.here.is_there() { Presence::LocalOnly } else { Presence::RemoteOnly };
                (Fate::OneSided(presence), None)
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
            (false, true) => {
                let held = self.held_there(items, item.remote);
                (Side::Local, held.max(self.may_hold_there(items, key)))
            }
            (false, false) => return (Fate::Forget, Some(Reason::NoLongerTakesPart)),
        };
        match (held, left) {
            (Held::Nothing, Side::Remote) => (Fate::DropLocal, Some(Reason::LeftScope(left))),
            (Held::Nothing, Side::Local) => (Fate::DropRemote, Some(Reason::LeftScope(left))),
            (Held::Unsettled, _) => (Fate::Pin, None),
            (Held::Foreign, _) => (Fate::Forget, Some(Reason::LeftScope(left))),
        }
    }

    /// A folder that was moved to where nothing is synced, but is needed for what did not go with it: it is made again
    /// on that side, where it was. Says whether it is.
    fn stay_in_scope(&mut self, items: &mut Items, key: Key) -> bool {
        let (world, item) = (self.world, &items.all[&key]);
        let (here, there) = (item.accepted_here, item.accepted_there);
        if !item.accepted || here == there || world.is_library(item) {
            return false;
        }
        // (Where one side never changes, nothing takes part that only the other one has.)
        let is_on_both = item.here.is_there() && item.there.is_there();
        if !is_on_both || world.policy.mode != Mode::TwoWay {
            return false;
        }
        let went_along = |child: &Key| {
            let Some(child) = items.all.get(child) else { return true };
            let on_side = match there {
                false => child
                    .remote
                    .filter(|_| child.there.is_there())
                    .map(|node| items.remote_parent(world, node)),
                true => {
                    child.local.filter(|_| child.here.is_there()).map(|node| items.local_parent(world, node))
                }
            };
            let ends_here = child.place.as_ref().is_some_and(|place| place.parent == key);
            child.fate == Fate::Keep && ends_here && on_side == Some(key)
        };
        let known: Vec<Key> = match key {
            Key::Base(node) => world.base.children(node).iter().copied().map(Key::Base).collect(),
            _ => Vec::new(),
        };
        if known.iter().chain(self.ending_in.get(&key).into_iter().flatten()).any(went_along) {
            return false;
        }
        let item = items.all.get_mut(&key).expect("the key is of this map");
        if there {
            item.here = Change::Left;
            // What it holds here stands in what left, not in what is made.
            items.split.extend(item.local.map(|node| (node, Key::Local(node))));
        } else {
            item.there = Change::Left;
        }
        item.reason = Reason::HoldsItems;
        choose(world, items, key, None);
        if let Some(place) = &items.all[&key].place {
            self.ending_in.entry(place.parent).or_default().push(key);
        }
        true
    }

    /// Whether something that takes part ends in the folder.
    fn is_needed(&self, items: &Items, key: Key) -> bool {
        let kept = self.ending_in.get(&key).into_iter().flatten().any(|child| {
            let child = &items.all[child];
            child.fate == Fate::Keep && child.place.as_ref().is_some_and(|place| place.parent == key)
        });
        let untouched = match key {
            Key::Base(node) => {
                self.world.base.children(node).iter().any(|child| !items.all.contains_key(&Key::Base(*child)))
            }
            _ => false,
        };
        kept || untouched
    }

    /// Whether a volume is mounted at a folder here, or was.
    fn is_mount_point(&self, folder: Node, entry: &LocalEntry) -> bool {
        let recognition = self.world.recognition;
        let was = recognition.of_local[folder].map(|item| recognition.of_base[item]);
        matches!(was, Some(LocalFate::Unmounted(_))) || entry.stamp.is_mount
    }

    /// What left the folder here, and of which nobody knows yet where it is on iCloud, may be in its copy there, whatever a listing
    /// shows: it would go with that.
    fn may_hold_there(&self, items: &Items, key: Key) -> Held {
        let children = key.in_base().map_or(&[][..], |node| self.world.base.children(node));
        let is_lost = |item: &Item| item.here.is_there() && item.there.is_unsettled();
        let mut known = children.iter().filter_map(|child| items.all.get(&Key::Base(*child)));
        if known.any(is_lost) { Held::Unsettled } else { Held::Nothing }
    }

    /// What keeps the local copy of a folder alive, seen just now.
    fn held_here(&self, items: &Items, folder: Option<Node>) -> Held {
        let Some(folder) = folder else { return Held::Nothing };
        let (world, tree) = (self.world, &self.world.local.tree);
        let mut held = match tree.get(folder) {
            entry if entry.state == FolderState::Incomplete => Held::Unsettled,
            entry if entry.state == FolderState::Unread || entry.holds_unnameable => Held::Foreign,
            // A volume is, or was, mounted there: the folder is the system's.
            entry if self.is_mount_point(folder, entry) => Held::Foreign,
            _ => Held::Nothing,
        };
        for &child in tree.children(folder) {
            let item = items.all.get(&items.key_of_local(world, child));
            let same = item.filter(|item| item.local == Some(child));
            let junk = tree.get(child).kind == LocalKind::File && (world.policy.is_junk)(&tree.path(child));
            let left = same.is_some_and(|item| item.here == Change::Left);
            // A folder that was moved out of scope stays where it went.
            let moved_out = same.is_some_and(|item| !item.accepted_here);
            held = held.max(match same.filter(|_| !left).map(|item| item.fate) {
                Some(Fate::DropLocal | Fate::Keep) => Held::Nothing,
                Some(Fate::Open | Fate::DropRemote) if moved_out => Held::Foreign,
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
            let junk = tree.get(child).kind == RemoteKind::File && (world.policy.is_junk)(&tree.path(child));
            let left = same.is_some_and(|item| item.there == Change::Left);
            let moved_out = same.is_some_and(|item| !item.accepted_there);
            held = held.max(match same.filter(|_| !left).map(|item| item.fate) {
                Some(Fate::DropRemote | Fate::Keep) => Held::Nothing,
                Some(Fate::Open | Fate::DropLocal) if moved_out => Held::Foreign,
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

/// What a folder that stands here only is known by from now on: a volume that is mounted where another one was, and is known as the same one
/// by what is on it, of which the base may forget all.
pub(super) fn kept_stamp(world: &World<'_>, item: &Item, presence: Presence) -> Option<LocalStamp> {
    let known = &world.base.get(item.base?).local.stamp;
    let now = world.local.tree.get(item.local?).stamp;
    let is_another = known.is_mount && now.is_mount && now.identity != known.identity;
    (presence == Presence::LocalOnly && is_another).then_some(now)
}

/// Where a folder that stands on one side only stands there, if the base knows another place and is about to forget what is
/// there. `None` too where the base will not know the folder that holds it now.
pub(super) fn kept_place(
    world: &World<'_>,
    items: &Items,
    item: &Item,
    presence: Presence,
) -> Option<(Key, Name)> {
    let node = item.base?;
    let entry = world.base.get(node);
    let (parent, name, known) = if presence == Presence::LocalOnly {
        let found = item.local?;
        (items.local_parent(world, found), world.local.tree.name(found), &entry.local_name)
    } else {
        let found = item.remote?;
        (items.remote_parent(world, found), &*world.remote.tree.get(found).name, &entry.remote.name)
    };
    let is_made_anew = |folder: &Item| {
        let there = folder.remote.filter(|_| folder.there.is_there());
        folder.succeeded || folder.fate == Fate::Keep && there.is_none()
    };
    let folder = items.all.get(&parent);
    let mut above = std::iter::successors(world.base.parent(node), |folder| world.base.parent(*folder));
    let is_forgotten = above.any(|folder| {
        let goes = |folder: &Item| {
            matches!(folder.fate, Fate::DropLocal | Fate::DropRemote | Fate::Forget) || is_made_anew(folder)
        };
        items.all.get(&Key::Base(folder)).is_some_and(goes)
    });
    let is_as_known = !is_forgotten
        || world.base.parent(node).map(Key::Base) == Some(parent)
            && **known == *name
            && !folder.is_some_and(is_made_anew);
    let is_in_base = folder.is_none_or(|folder| match folder.fate {
        Fate::Keep => true,
        Fate::Pin | Fate::OneSided(_) => folder.base.is_some() && !folder.succeeded,
        Fate::DropLocal | Fate::DropRemote | Fate::Forget | Fate::Open => false,
    });
    (!is_as_known && is_in_base).then(|| (parent, name.into()))
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
