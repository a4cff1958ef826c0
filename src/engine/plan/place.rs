//! Where each item ends.

use std::collections::HashSet;

use super::items::{Items, Key, World};
use super::target::choose;
use super::{folders, zones};
use crate::engine::operation::Reason;
use crate::model::Side;

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

/// Moves that would form a cycle (A into B here, B into A there): the remote places are a tree, so they win.
fn break_cycles(world: &World<'_>, items: &mut Items, keys: &[Key]) {
    loop {
        let mut sound: HashSet<Key> = HashSet::from([Key::ROOT]);
        let mut caught = None;
        for &key in keys {
            // Nearly all come right after their folder.
            if parent_in_end(world, items, key).is_some_and(|parent| sound.contains(&parent)) {
                sound.insert(key);
                continue;
            }
            let mut trail = vec![key];
            let mut seen = HashSet::from([key]);
            while let Some(parent) = parent_in_end(world, items, *trail.last().expect("never empty")) {
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

/// The folder in which an item ends, or where the base has it.
fn parent_in_end(world: &World<'_>, items: &Items, key: Key) -> Option<Key> {
    let item = items.all.get(&key);
    let end = item.and_then(|item| {
        let base = item.base.and_then(|node| world.base.parent(node)).map(Key::Base);
        item.place.as_ref().map(|place| place.parent).or(base)
    });
    end.or_else(|| base_parent(world, key))
}

fn base_parent(world: &World<'_>, key: Key) -> Option<Key> {
    match key {
        Key::Base(node) => world.base.parent(node).map(Key::Base),
        _ => None,
    }
}
