//! Items that end in another zone than they live in.

use std::collections::HashMap;

use super::Mode;
use super::base_item::known_alone;
use super::items::{Change, Fate, Item, Items, Key, Place, Step, World};
use super::left_alone::note;
use super::paths::{MOST_STEPS, end_of, shown_path};
use super::place::Placed;
use super::target::choose;
use crate::engine::operation::{NoteKind, Reason};
use crate::model::name::held_here;
use crate::model::{Side, Zone};

/// An item that ends in another zone than it lives in cannot be moved there (`docs/protocol.md` §10.3): its copy
/// here goes up as new, the item on iCloud goes to the trash.
pub(super) fn split(world: &World<'_>, placed: &mut Placed) {
    let items = placed.items();
    let mut strangers: Vec<Key> =
        items.all.keys().copied().filter(|key| is_in_foreign_zone(world, items, *key)).collect();
    if strangers.is_empty() {
        return;
    }
    let mut ending_in = items.by_end();
    while let Some(key) = strangers.pop() {
        if !is_in_foreign_zone(world, items, key) {
            continue;
        }
        // What a folder ends in decides first: it may take the item along into another zone, or out of one.
        if let Some(above) = highest_stranger(world, items, key) {
            strangers.extend([key, above]);
            continue;
        }
        if items.all[&key].base.is_some_and(|node| world.base.get(node).package) {
            // A package is never uploaded, so it cannot follow into the other zone.
            let item = items.all.get_mut(&key).expect("the key is of this map");
            (item.fate, item.place) = (Fate::Pin, None);
            let text = "a package cannot be moved into or out of an app library: move it back, or move it on an \
                        Apple device";
            let path = shown_path(world, &items.all[&key]);
            items.notes.push(note(path, NoteKind::SetAside(text.to_owned())));
            continue;
        }
        let new_key = split_item(world, items, key);
        // What a folder holds goes with it, also what nothing else happened to.
        if let Key::Base(node) = key {
            for &child in world.base.children(node) {
                let child = Key::Base(child);
                if items.all.contains_key(&child) {
                    continue;
                }
                let Key::Base(node) = child else { continue };
                let item = known_alone(world, node);
                let fate = if item.folder { Fate::Open } else { Fate::Keep };
                items.all.insert(child, Item { fate, ..item });
                choose(world, items, child, None);
                ending_in.entry(key).or_default().push(child);
            }
        }
        for child in ending_in.remove(&key).unwrap_or_default() {
            // What a power cut emptied is no copy: it comes back to where its content is.
            if items.all[&child].local.is_none() || items.all[&child].here == Change::PowerCut {
                continue;
            }
            if let Some(place) = items.all.get_mut(&child).and_then(|item| item.place.as_mut()) {
                place.parent = new_key;
            }
            strangers.push(child);
            strangers.extend(below_new(items, &ending_in, child));
        }
    }
}

/// What ends in a folder that iCloud does not have, at whatever depth: such a folder has its zone from the one above it.
fn below_new(items: &Items, ending_in: &HashMap<Key, Vec<Key>>, folder: Key) -> Vec<Key> {
    let (mut found, mut open) = (Vec::new(), vec![folder]);
    while let Some(folder) = open.pop() {
        if !items.all[&folder].there.is_there() {
            let inside = ending_in.get(&folder).into_iter().flatten();
            open.extend(inside.clone());
            found.extend(inside);
        }
    }
    found
}

fn is_in_foreign_zone(world: &World<'_>, items: &Items, key: Key) -> bool {
    let item = &items.all[&key];
    let remote = item.remote.filter(|_| item.there.is_there());
    let (Some(remote), Some(_), Some(place)) = (remote, item.local, &item.place) else {
        return false;
    };
    let zone = world.remote.tree.get(remote).id.zone();
    !world.is_library(item) && zone_of(world, items, place.parent).is_some_and(|ending_in| ending_in != *zone)
}

/// The highest of the folders that the item ends in which itself ends in another zone.
fn highest_stranger(world: &World<'_>, items: &Items, key: Key) -> Option<Key> {
    let mut highest = None;
    let mut at = end_of(world, items, key);
    for _ in 0..MOST_STEPS {
        let Some(folder) = at else { break };
        if items.all.contains_key(&folder) && is_in_foreign_zone(world, items, folder) {
            highest = Some(folder);
        }
        at = end_of(world, items, folder);
    }
    highest
}

/// Makes two items of one: a new one here, and one on iCloud that left the scope.
fn split_item(world: &World<'_>, items: &mut Items, key: Key) -> Key {
    let outlives = {
        let item = &items.all[&key];
        // A version on iCloud that nobody here has seen is no copy of what moved away: it comes back to its place.
        let place = item.remote.map(|node| Place {
            parent: items.remote_parent(world, node),
            local_name: held_here(&world.remote.tree.get(node).name),
            remote_name: world.remote.tree.get(node).name.clone(),
        });
        place.filter(|_| item.folder || item.there == Change::Edited)
    };
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
        accepted: item.accepted_here,
        place: Some(Place { remote_name: place.local_name.clone(), ..place }),
        ..item.clone()
    };
    item.local = None;
    item.here = Change::Left;
    item.fate = if item.folder { Fate::Open } else { Fate::DropRemote };
    item.step = Step::Nothing;
    item.reason = Reason::LeftScope(Side::Local);
    if outlives.is_some() && !item.folder && world.policy.mode == Mode::UploadOnly {
        // Left alone, like any addition on iCloud.
        (item.fate, item.reason) = (Fate::Forget, Reason::LocalChangeNotAllowed);
    } else if item.folder {
        // Should it be needed after all, it stays on iCloud where it is.
        item.place = outlives;
    } else if outlives.is_some() {
        (item.fate, item.step) = (Fate::Keep, Step::Download);
        item.reason = Reason::EditedAfterDeletion(Side::Remote);
        item.place = outlives;
    }
    if item.base.is_none() {
        // New on both sides, but not in one zone: two new items.
        (item.here, item.there, item.reason) = (Change::Absent, Change::Edited, Reason::New(Side::Remote));
    }
    let new_key = Key::Local(local);
    items.all.insert(new_key, fresh);
    items.split.insert(local, new_key);
    new_key
}

/// The zone in which new contents of that folder live; `None` where the folder itself is new.
fn zone_of(world: &World<'_>, items: &Items, folder: Key) -> Option<Zone> {
    let mut at = folder;
    for _ in 0..MOST_STEPS {
        let item = items.all.get(&at);
        if let Some(node) = item.and_then(|item| item.remote.filter(|_| item.there.is_there())) {
            return Some(world.remote.tree.get(node).id.zone().clone());
        }
        match (at, item) {
            (Key::Base(node), None) => return Some(world.base.get(node).remote.id.zone().clone()),
            _ => at = item.and_then(|item| item.place.as_ref())?.parent,
        }
    }
    None
}
