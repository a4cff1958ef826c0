//! Where each item ends.

use std::collections::HashSet;

use super::decide::Decided;
use super::items::{Fate, Items, Key, World};
use super::left_alone::note;
use super::paths::shown_path;
use super::target::choose;
use crate::engine::operation::{NoteKind, Reason};
use crate::model::Side;

/// Decided items, each of which that stays has its place; folders may be open still.
pub(super) struct Placed(Items);

impl Placed {
    /// The items, for what has to be settled before the next stage.
    pub fn items(&mut self) -> &mut Items {
        &mut self.0
    }

    /// The items, for the next stage.
    pub fn into_items(self) -> Items {
        self.0
    }
}

/// Gives every item that stays its place.
pub(super) fn run(world: &World<'_>, decided: Decided) -> Placed {
    let mut items = decided.into_items();
    let keys: Vec<Key> = items.all.keys().copied().collect();
    for &key in &keys {
        choose(world, &mut items, key, None);
    }
    break_cycles(world, &mut items, &keys);
    Placed(items)
}

/// Moves that would form a cycle (A into B here, B into A there): the remote places are a tree, so they win.
fn break_cycles(world: &World<'_>, items: &mut Items, keys: &[Key]) {
    loop {
        let mut sound: HashSet<Key> = HashSet::from([Key::ROOT]);
        let (mut caught, mut waits) = (None, None);
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
                    let ring = trail.iter().skip_while(|key| **key != parent);
                    let open = ring.filter_map(|key| items.all.get(key)).filter(|item| item.place.is_none());
                    waits = open
                        .map(|item| item.here.is_unsettled() || item.there.is_unsettled())
                        .reduce(|one, other| one || other);
                    break;
                }
                trail.push(parent);
            }
            if caught.is_some() {
                break;
            }
            sound.extend(trail);
        }
        match (caught, waits) {
            // Somebody on the way round is left alone, and nobody knows where that one ends: this is no cycle, perhaps.
            (Some(key), Some(is_unsettled)) => {
                let item = items.all.get_mut(&key).expect("the key is of this map");
                (item.fate, item.place) = (Fate::Pin, None);
                let why = "it was moved into a folder that is left alone now".to_owned();
                // What is left alone for long must not keep the passes going.
                let kind = if is_unsettled { NoteKind::Unsettled(why) } else { NoteKind::SetAside(why) };
                let note = note(shown_path(world, &items.all[&key]), kind);
                items.notes.push(note);
            }
            (Some(key), None) => {
                choose(world, items, key, Some(Side::Remote));
                let item = items.all.get_mut(&key).expect("the key is of this map");
                item.reason = Reason::MovedOnBoth;
            }
            (None, _) => return,
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
