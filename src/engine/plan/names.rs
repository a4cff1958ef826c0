//! Names that a side cannot hold (`docs/sync.md` §4, Names).

use super::items::{Fate, Item, Items, Place, World};
use super::kept_folders::Kept;
use super::left_alone::note;
use super::paths::shown_path;
use crate::engine::operation::NoteKind;
use crate::model::name::MAX_NAME_BYTES;

/// Kept items, each of which can have its name on both sides.
pub(super) struct Nameable(Items);

impl Nameable {
    /// The items, for the next stage.
    pub fn into_items(self) -> Items {
        self.0
    }
}

/// Sets aside what would come to a side under a name that is too long for it: it would be tried, and refused, again and
/// again.
pub(super) fn run(world: &World<'_>, kept: Kept) -> Nameable {
    let mut items = kept.into_items();
    let mut notes = Vec::new();
    for item in items.all.values_mut().filter(|item| item.fate == Fate::Keep) {
        let Some(text) = item.place.as_ref().and_then(|place| too_long(world, item, place)) else { continue };
        notes.push(note(shown_path(world, item), NoteKind::SetAside(text)));
        (item.fate, item.place) = (Fate::Pin, None);
    }
    items.notes.append(&mut notes);
    Nameable(items)
}

/// Why the item cannot have its names on both sides. A name that it has already can be held.
fn too_long(world: &World<'_>, item: &Item, place: &Place) -> Option<String> {
    let here = item.local.filter(|_| item.here.is_there()).map(|node| world.local.tree.name(node));
    let there = item.remote.filter(|_| item.there.is_there()).map(|node| &*world.remote.tree.get(node).name);
    let arrives = |name: &str, now: Option<&str>| {
        (name.len() > MAX_NAME_BYTES && now != Some(name)).then_some(name.len())
    };
    if let Some(bytes) = arrives(&place.local_name, here) {
        return Some(format!(
            "its name is {bytes} bytes long and a disk holds {MAX_NAME_BYTES}: give it a shorter one on iCloud"
        ));
    }
    let bytes = arrives(&place.remote_name, there)?;
    Some(format!(
        "its name is {bytes} bytes long and iCloud is given {MAX_NAME_BYTES}: give it a shorter one here"
    ))
}
