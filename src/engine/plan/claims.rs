//! Two items claim one name: who keeps it (`docs/sync.md` §4).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Mode;
use super::items::{Change, Doubt, Fate, Item, Items, Key, Place, World};
use super::left_alone::note;
use super::names::Nameable;
use super::paths::{MOST_STEPS, can_host, end_of, end_on, shown_path};
use crate::engine::conflict::conflict_name;
use crate::engine::operation::{NoteKind, Reason};
use crate::model::name;
use crate::model::name::Name;
use crate::model::{FolderState, Node, Side};

/// Items of which no two get one name in one folder.
pub(super) struct Claimed(Items);

impl Claimed {
    /// The items, for the next stage.
    pub fn into_items(self) -> Items {
        self.0
    }
}

/// Settles every name that two items claim in one folder. Who is set aside goes on having the name it has, which
/// others may have counted on: so it is looked at again until nobody more gives way.
pub(super) fn run(world: &World<'_>, nameable: Nameable) -> Claimed {
    let mut items = nameable.into_items();
    loop {
        stay_outside(world, &mut items);
        let mut folders: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
        for (key, item) in &items.all {
            if let (Fate::Keep, Some(place)) = (item.fate, &item.place) {
                folders.entry(place.parent).or_default().push(*key);
            }
        }
        let told = items.notes.len();
        for (folder, children) in folders {
            Folder::new(world, &items, folder, children).settle(world, &mut items);
        }
        if !spare_folders(world, &mut items) && items.notes.len() == told {
            return Claimed(items);
        }
    }
}

/// Who cannot come to its place, since the folder will not stand there, stays where it is and goes on having its name.
fn stay_outside(world: &World<'_>, items: &mut Items) {
    let keys: Vec<Key> = items.all.keys().copied().collect();
    let mut again = true;
    while std::mem::take(&mut again) {
        let mut hosts = HashMap::new();
        for &key in &keys {
            let item = &items.all[&key];
            let (Fate::Keep, Some(place)) = (item.fate, &item.place) else { continue };
            if !can_host(items, place.parent, &mut hosts) {
                if item.base.is_some() && item.here.is_there() && item.there.is_there() {
                    let text = "the folder that it was moved to is not synced now".to_owned();
                    let note = note(shown_path(world, item), NoteKind::SetAside(text));
                    items.notes.push(note);
                }
                // What another one was asked about before stays there now.
                set_aside(items, key);
                again = true;
            } else if would_hold_itself(world, items, key) {
                set_aside(items, key);
                again = true;
            }
        }
    }
}

/// Whether a folder would come into something that lies within it on one side and stays there, as what is left alone
/// does. (Where nothing is left alone the places are a tree, see `place`.)
fn would_hold_itself(world: &World<'_>, items: &Items, key: Key) -> bool {
    let item = &items.all[&key];
    if !item.folder || !item.moved_here && !item.moved_there {
        return false;
    }
    let within = |side: Side| {
        let mut at = end_of(world, items, key);
        for _ in 0..MOST_STEPS {
            let Some(folder) = at else { return false };
            if folder == key {
                return true;
            }
            at = end_on(world, items, folder, side);
        }
        false
    };
    within(Side::Local) || within(Side::Remote)
}

/// A folder that was to go to the trash stays while something in it does: who was set aside has not left it.
fn spare_folders(world: &World<'_>, items: &mut Items) -> bool {
    let mut spared = false;
    let pinned: Vec<Key> =
        items.all.iter().filter(|(_, item)| item.fate == Fate::Pin).map(|(key, _)| *key).collect();
    for key in pinned {
        let (local, remote) = (items.all[&key].local, items.all[&key].remote);
        let mut at = local.map(|node| items.local_parent(world, node));
        while let Some(item) =
            at.and_then(|key| items.all.get_mut(&key)).filter(|item| item.fate == Fate::DropLocal)
        {
            (item.fate, spared) = (Fate::Pin, true);
            at = item.local.map(|node| items.local_parent(world, node));
        }
        let mut at = remote.map(|node| items.remote_parent(world, node));
        while let Some(item) =
            at.and_then(|key| items.all.get_mut(&key)).filter(|item| item.fate == Fate::DropRemote)
        {
            (item.fate, spared) = (Fate::Pin, true);
            at = item.remote.map(|node| items.remote_parent(world, node));
        }
    }
    spared
}

struct Folder {
    key: Key,
    /// Whether all that the folder holds is known, here and there; only then a name is known to be free.
    known_here: bool,
    known_there: bool,
    /// Nobody reads it on a side: it was moved to where nothing is synced.
    is_left_unread: bool,
    claims: BTreeMap<Name, Vec<Key>>,
    /// Names of items that nothing happened to.
    settled: HashMap<Name, Key>,
    /// Exact names here, and composed names on iCloud, of what stays without taking part in this plan.
    held_here: HashMap<Name, Node>,
    held_there: HashMap<Name, Node>,
    /// Where it stands here and on iCloud.
    sides: (Option<Node>, Option<Node>),
    /// Every name in use on either side, for conflict names; `None` until one is needed.
    taken: Option<BTreeSet<Name>>,
}

impl Folder {
    fn new(world: &World<'_>, items: &Items, key: Key, children: Vec<Key>) -> Self {
        let folds = world.policy.local_folds_case;
        let (here, there) = items.sides(world, key);
        let mut folder = Self {
            key,
            known_here: here.is_none_or(|node| world.local.tree.get(node).state == FolderState::Complete),
            known_there: there.is_none_or(|node| world.remote.tree.get(node).state == FolderState::Complete),
            is_left_unread: here.is_some_and(|node| world.local.tree.get(node).state == FolderState::Unread)
                || there.is_some_and(|node| world.remote.tree.get(node).state == FolderState::Unread),
            claims: BTreeMap::new(),
            settled: HashMap::new(),
            held_here: HashMap::new(),
            held_there: HashMap::new(),
            sides: (here, there),
            taken: None,
        };
        for child in children {
            let place = items.all[&child].place.as_ref().expect("only items with a place are given");
            folder.claims.entry(name::key(&place.local_name, folds)).or_default().push(child);
        }
        if let Key::Base(node) = key {
            for &child in world.base.children(node) {
                if !items.all.contains_key(&Key::Base(child)) {
                    folder
                        .settled
                        .insert(name::key(&world.base.get(child).local_name, folds), Key::Base(child));
                }
            }
        }
        // Who left the scope stays where it went, whatever becomes of its other half.
        let stays = |item: Option<&Item>, on_side: fn(&Item) -> Change, other_goes: Fate| {
            item.is_none_or(|item| {
                on_side(item) == Change::Left
                    || item.fate == other_goes
                    || matches!(item.fate, Fate::Pin | Fate::Forget | Fate::OneSided(_))
            })
        };
        for &child in here.into_iter().flat_map(|node| world.local.tree.children(node)) {
            let text = world.local.tree.name(child);
            let key = items.key_of_local(world, child);
            let settled = matches!(key, Key::Base(node) if !items.all.contains_key(&Key::Base(node)));
            if !settled && stays(items.all.get(&key), |item| item.here, Fate::DropRemote) {
                folder.held_here.insert(if folds { name::key(text, true) } else { text.into() }, child);
            }
        }
        for &child in there.into_iter().flat_map(|node| world.remote.tree.children(node)) {
            let text = &world.remote.tree.get(child).name;
            let key = items.key_of_remote(world, child);
            let settled = matches!(key, Key::Base(node) if !items.all.contains_key(&Key::Base(node)));
            if !settled && stays(items.all.get(&key), |item| item.there, Fate::DropLocal) {
                folder.held_there.insert(name::key(text, folds), child);
            }
        }
        folder
    }

    fn settle(mut self, world: &World<'_>, items: &mut Items) {
        let claims = std::mem::take(&mut self.claims);
        for (name, mut claimants) in claims {
            claimants.retain(|key| !self.is_held(world, items, *key, &name));
            claimants.sort_by_key(|key| (self.rank(world, items, *key), *key));
            let alone = claimants.len() == 2;
            let mut claimants = claimants.into_iter();
            let settled = self.settled.get(&name).copied();
            let Some(keeper) = settled.or_else(|| claimants.next()) else { continue };
            for loser in claimants {
                self.give_way(world, items, keeper, alone, loser);
            }
        }
    }

    /// Who keeps a name: known items on iCloud at this place, then new ones there, then those only here; of equals
    /// the one that stands here too.
    fn rank(&self, world: &World<'_>, items: &Items, key: Key) -> (u8, bool) {
        let item = &items.all[&key];
        let rank = match (self.is_at_place_there(world, items, item), item.base) {
            (true, Some(_)) => 1,
            (true, None) => 2,
            _ => 3,
        };
        (rank, !self.is_at_place_here(world, items, item))
    }

    fn is_at_place_there(&self, world: &World<'_>, items: &Items, item: &Item) -> bool {
        let (Some(node), Some(place)) = (item.remote.filter(|_| item.there.is_there()), &item.place) else {
            return false;
        };
        items.remote_parent(world, node) == self.key
            && name::same(&world.remote.tree.get(node).name, &place.remote_name)
    }

    fn is_at_place_here(&self, world: &World<'_>, items: &Items, item: &Item) -> bool {
        let (Some(node), Some(place)) = (item.local.filter(|_| item.here.is_there()), &item.place) else {
            return false;
        };
        let folds = world.policy.local_folds_case;
        let name = |name: &str| if folds { name::key(name, true) } else { name.into() };
        items.local_parent(world, node) == self.key
            && name(world.local.tree.name(node)) == name(&place.local_name)
    }

    /// Whether something that stays without taking part has the name on a side where the item has yet to arrive.
    fn is_held(&self, world: &World<'_>, items: &mut Items, key: Key, name: &str) -> bool {
        let item = &items.all[&key];
        let place = item.place.as_ref().expect("claimants have places");
        let here = if world.policy.local_folds_case { name } else { &*place.local_name };
        if !self.known_here && !self.is_at_place_here(world, items, item)
            || !self.known_there && !self.is_at_place_there(world, items, item)
        {
            let path = shown_path(world, item);
            set_aside(items, key);
            let kind = if self.is_left_unread {
                Doubt::UnreadFolder.kind()
            } else {
                NoteKind::Unsettled("the folder it comes into could not be listed in full".to_owned())
            };
            items.notes.push(note(path, kind));
            return true;
        }
        let side = if self.held_here.contains_key(here) && !self.is_at_place_here(world, items, item) {
            "here"
        } else if self.held_there.contains_key(name) && !self.is_at_place_there(world, items, item) {
            "on iCloud"
        } else {
            return false;
        };
        let path = shown_path(world, item);
        let reason = format!("something {side} that does not take part has the name {:?}", place.local_name);
        set_aside(items, key);
        items.notes.push(note(path, NoteKind::SetAside(reason)));
        true
    }

    /// `loser` cannot have the name: it gets a conflict name, or is set aside where it is.
    fn give_way(&mut self, world: &World<'_>, items: &mut Items, keeper: Key, alone: bool, loser: Key) {
        let (item, kept) = (&items.all[&loser], items.all.get(&keeper));
        let is_two_way = world.policy.mode == Mode::TwoWay && !world.is_library(item);
        if is_two_way && bears_temporary_name(world, item) {
            return self.rename(world, items, loser);
        }
        // Each stands at its place on one side at least, the keeper on iCloud if one of them does; what nothing happened to on both. So
        // they stand side by side on one, under names that the other may not hold apart.
        let stands_here = |item: &Item| self.is_at_place_here(world, items, item);
        if self.is_at_place_there(world, items, item) || kept.is_none_or(stands_here) {
            let path = shown_path(world, item);
            set_aside(items, loser);
            let text = "another item beside it has the same name but for case or Unicode form, and only one of them \
                        can be held on the other side: rename one of them";
            items.notes.push(note(path, NoteKind::SetAside(text.to_owned())));
            return;
        }
        let is_mount = item.local.is_some_and(|node| world.local.tree.get(node).stamp.is_mount);
        let yielding = if item.folder && kept.is_some_and(|kept| !kept.folder) { keeper } else { loser };
        if is_mount && yielding == loser {
            let path = shown_path(world, item);
            set_aside(items, loser);
            let text = "another item on iCloud has its name, and a folder on which a volume is mounted cannot be renamed here";
            items.notes.push(note(path, NoteKind::SetAside(text.to_owned())));
            return;
        }
        // Where one side never changes, what stands on the other one alone takes no part, so that it claims no name.
        if world.policy.mode != Mode::TwoWay || yielding == keeper && !alone {
            let path = shown_path(world, item);
            set_aside(items, loser);
            items.notes.push(note(
                path,
                NoteKind::SetAside("another item has its name on the other side".to_owned()),
            ));
            return;
        }
        self.rename(world, items, yielding);
    }

    /// An item gets a conflict name.
    fn rename(&mut self, world: &World<'_>, items: &mut Items, key: Key) {
        let place = items.all[&key].place.clone().expect("claimants have places");
        let fresh = self.free_name(world, &place.local_name);
        let item = items.all.get_mut(&key).expect("the key is of this map");
        item.reason = Reason::NameClaimed;
        item.place = Some(Place { local_name: fresh.clone(), remote_name: fresh, ..place });
    }

    fn free_name(&mut self, world: &World<'_>, name: &str) -> Name {
        let (local, remote) = (&world.local.tree, &world.remote.tree);
        let taken = self.taken.get_or_insert_with(|| {
            let here = self
                .sides
                .0
                .into_iter()
                .flat_map(|node| local.children(node))
                .map(|child| local.name(*child));
            let there = self
                .sides
                .1
                .into_iter()
                .flat_map(|node| remote.children(node))
                .map(|child| remote.name(*child));
            here.chain(there).map(|name| name::key(name, true)).collect()
        });
        let fresh = (1..)
            .map(|nth| conflict_name(name, world.policy.conflict_mark, nth))
            .find(|fresh| taken.insert(name::key(fresh, true)))
            .expect("there are more numbers than items");
        fresh.into()
    }
}

/// Whether a move that was interrupted left it under a temporary name on a side: its own name is no person's choice then.
fn bears_temporary_name(world: &World<'_>, item: &Item) -> bool {
    let here = item.local.filter(|_| item.here.is_there()).map(|node| world.local.tree.name(node));
    let there = item.remote.filter(|_| item.there.is_there()).map(|node| &*world.remote.tree.get(node).name);
    here.into_iter().chain(there).any(|text| name::temporary_origin(text).is_some())
}

fn set_aside(items: &mut Items, key: Key) {
    let item = items.all.get_mut(&key).expect("the key is of this map");
    item.fate = Fate::Pin;
    item.place = None;
}
