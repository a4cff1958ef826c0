//! Edits here that hardly started from the version on iCloud: a restored backup, a folder that was copied back
//! (`docs/sync.md` §6, Replacing a file).

use std::collections::{HashMap, HashSet};

use super::items::{Change, Item, Items, Step, World};
use crate::engine::operation::Reason;
use crate::engine::recognise::LocalFate;
use crate::model::{Node, Side};

/// Where so many files of a folder went back in time, all its edits count as doing so.
const MANY: usize = 2;

/// Gives the edits that went back in time that as their reason.
pub(super) fn find(world: &World<'_>, items: &mut Items) {
    let edits: Vec<_> = items.all.iter().filter(|(_, item)| replaces(item)).map(|(key, _)| *key).collect();
    if edits.is_empty() {
        return;
    }
    let replaced = replaced_folders(world);
    let folder = |item: &Item| item.base.and_then(|node| world.base.parent(node));
    let mut back: HashSet<_> = HashSet::new();
    let mut in_folder: HashMap<Option<Node>, usize> = HashMap::new();
    for key in &edits {
        let item = &items.all[key];
        if is_older(world, item) {
            *in_folder.entry(folder(item)).or_default() += 1;
            back.insert(*key);
        } else if lies_in(world, item, &replaced) {
            back.insert(*key);
        }
    }
    for key in edits {
        let Some(item) = items.all.get_mut(&key) else { continue };
        let among_many = in_folder.get(&folder(item)).is_some_and(|count| *count >= MANY);
        if back.contains(&key) || among_many {
            item.reason = Reason::WentBack;
        }
    }
}

/// Whether the content from here is to replace one that iCloud still has.
fn replaces(item: &Item) -> bool {
    item.step == Step::Upload
        && item.there.is_there()
        && item.here == Change::Edited
        && item.reason == Reason::Edited(Side::Local)
}

/// Whether it was modified before what was agreed.
fn is_older(world: &World<'_>, item: &Item) -> bool {
    item.base.zip(item.local).is_some_and(|(base, local)| {
        world.local.tree.get(local).stamp.mtime < world.base.get(base).stamp.mtime
    })
}

/// Folders in whose place another one stands now. None where no item is known by its identity any more: then that says
/// something of the file system, not of the folders.
fn replaced_folders(world: &World<'_>) -> HashSet<Node> {
    let mut replaced = HashSet::new();
    let mut is_told_by = false;
    for node in world.base.walk(Node::ROOT).skip(1) {
        let LocalFate::There { node: local, .. } = world.recognition.of_base[node] else { continue };
        let entry = world.base.get(node);
        let is_same = world.local.tree.get(local).stamp.identity == entry.stamp.identity;
        is_told_by |= is_same;
        if entry.folder && !is_same {
            replaced.insert(node);
        }
    }
    if is_told_by { replaced } else { HashSet::new() }
}

fn lies_in(world: &World<'_>, item: &Item, folders: &HashSet<Node>) -> bool {
    let mut at = item.base.and_then(|node| world.base.parent(node));
    while let Some(folder) = at {
        if folders.contains(&folder) {
            return true;
        }
        at = world.base.parent(folder);
    }
    false
}
