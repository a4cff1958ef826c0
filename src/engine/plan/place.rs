//! Where each item ends.

use std::collections::HashSet;

use super::Mode;
use super::items::{Change, Fate, Items, Key, Place, World};
use super::{folders, zones};
use crate::engine::operation::Reason;
use crate::model::Side;
use crate::model::name::{aside_origin, held_here, nfc, unparked};

/// Gives every item that stays its place, then settles the open folders from the bottom up.
pub(super) fn place(world: &World<'_>, items: &mut Items) {
    let keys: Vec<Key> = items.all.keys().copied().collect();
    for &key in &keys {
        choose(world, items, key, None);
    }
    break_cycles(world, items, &keys);
    loop {
        zones::split(world, items);
        // A folder that stays in scope after all may do so in another zone.
        if !folders::settle(world, items) {
            return;
        }
    }
}

/// Chooses the place of one item: where it was moved to, the move on iCloud before the one here.
pub(super) fn choose(world: &World<'_>, items: &mut Items, key: Key, forced: Option<Side>) {
    let item = &items.all[&key];
    if !matches!(item.fate, Fate::Keep | Fate::Open) {
        return;
    }
    let here = item.local.filter(|_| item.here.is_there());
    let there = item.remote.filter(|_| item.there.is_there());
    let follows_remote = world.policy.mode == Mode::DownloadOnly || world.is_library(item);
    let follows_local = world.policy.mode == Mode::UploadOnly && !world.is_library(item);
    let local_name = here.map(|node| world.local.tree.name(node));
    let remote_name = there.map(|node| &*world.remote.tree.get(node).name);
    // A temporary name was left behind by an interrupted move; the other side knows better.
    let aside = |name: Option<&str>| name.is_some_and(|name| aside_origin(name).is_some());
    let moved = match forced {
        Some(side) => Some(side),
        // What is here is no content: it comes back to where its content is.
        None if item.here == Change::PowerCut && there.is_some() => Some(Side::Remote),
        None if aside(local_name) && there.is_some() => Some(Side::Remote),
        None if aside(remote_name) && here.is_some() => Some(Side::Local),
        None if item.moved_there && item.moved_here => {
            Some(if follows_local { Side::Local } else { Side::Remote })
        }
        None if item.moved_there => Some(if follows_local { Side::Local } else { Side::Remote }),
        None if item.moved_here => Some(if follows_remote { Side::Remote } else { Side::Local }),
        None if follows_local => Some(Side::Local),
        None => None,
    };
    let side = match (here, there, moved) {
        (Some(_), None, _) | (Some(_), Some(_), Some(Side::Local)) => Side::Local,
        (None, None, _) => return,
        _ => Side::Remote,
    };
    let agreed = item.base.map(|node| world.base.get(node));
    let place = match (side, here, there) {
        (Side::Local, Some(node), _) => {
            let name = unparked(world.local.tree.name(node), agreed.map(|entry| &*entry.local_name));
            let kept = remote_name.filter(|remote| nfc(remote) == nfc(name)).unwrap_or(name);
            Place {
                parent: items.local_parent(world, node),
                local_name: name.into(),
                remote_name: kept.into(),
            }
        }
        (_, _, Some(node)) => {
            let name = &*world.remote.tree.get(node).name;
            let name = unparked(name, agreed.map(|entry| &*entry.remote_name));
            let kept = local_name
                .filter(|local| nfc(local) == nfc(name))
                .map_or_else(|| held_here(name), Into::into);
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
