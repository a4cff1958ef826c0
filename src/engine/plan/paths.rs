//! Where an item is, and where it comes to: what several stages ask.

use std::collections::HashMap;

use super::items::{Fate, Item, Items, Key, World};
use crate::model::{RelPath, Side};

/// More folders than any path goes through, so that no walk upwards goes on for ever.
pub(super) const MOST_STEPS: usize = 10_000;

/// The path by which the owner knows the item.
pub(super) fn shown_path(world: &World<'_>, item: &Item) -> RelPath {
    match (item.local, item.base, item.remote) {
        (Some(node), ..) => world.local.tree.path(node),
        (None, Some(node), _) => world.base.path(node),
        (None, None, Some(node)) => world.remote.tree.path(node),
        (None, None, None) => RelPath::root(),
    }
}

/// The folder that an item ends in; an item that is not moved by this plan stays where the base has it.
pub(super) fn end_of(world: &World<'_>, items: &Items, key: Key) -> Option<Key> {
    let place = items.all.get(&key).and_then(|item| item.place.as_ref());
    place.map(|place| place.parent).or_else(|| match key {
        Key::Base(node) => world.base.parent(node).map(Key::Base),
        _ => None,
    })
}

/// The folder that an item is in on a side in the end: what is left alone goes along with the one that it stands in there.
pub(super) fn end_on(world: &World<'_>, items: &Items, key: Key, side: Side) -> Option<Key> {
    let item = items.all.get(&key);
    let stays = item.filter(|item| !matches!((item.fate, &item.place), (Fate::Keep, Some(_))));
    match (stays, side) {
        (Some(item), Side::Local) => item.local.map(|node| items.local_parent(world, node)),
        (Some(item), Side::Remote) => item.remote.map(|node| items.remote_parent(world, node)),
        // What nothing happened to stands where the base has it.
        (None, _) => end_of(world, items, key),
    }
}

/// Whether the folder stands, or will stand, on both sides.
pub(super) fn can_host(items: &Items, folder: Key, hosts: &mut HashMap<Key, bool>) -> bool {
    let mut trail = Vec::new();
    let mut at = folder;
    let answer = loop {
        if let Some(&known) = hosts.get(&at) {
            break known;
        }
        trail.push(at);
        let Some(item) = items.all.get(&at) else { break true };
        match (item.fate, &item.place) {
            (Fate::Keep, Some(place)) if trail.len() <= items.all.len() => at = place.parent,
            (Fate::Pin, _) => {
                let known = item.base.is_some() && !item.succeeded;
                break known && item.here.is_there() && item.there.is_there();
            }
            _ => break false,
        }
    };
    hosts.extend(trail.into_iter().map(|key| (key, answer)));
    answer
}
