//! Edits by editors that renamed what they replaced, as a backup: that stands beside them as it was agreed on, so nobody has to wonder whether
//! they started from it.

use std::collections::{HashMap, HashSet};

use super::items::{Change, Items, Key, World};
use crate::engine::recognise::is_backup_of;
use crate::model::{DiskTime, Node};

/// A folder here, and the size and time of a file in it.
type Stamped = (Option<Node>, u64, DiskTime);

/// What an editor wrote, and what it replaced.
#[derive(Default)]
pub(super) struct BackedUp {
    /// Edited items.
    pub written: HashSet<Key>,
    /// What was theirs, under the name of a backup in the same folder.
    pub backups: HashSet<Key>,
}

/// Finds them among `edits`.
pub(super) fn find(world: &World<'_>, items: &Items, edits: &[Key]) -> BackedUp {
    let tree = &world.local.tree;
    let mut replaced: HashMap<Stamped, Vec<(Key, Node)>> = HashMap::new();
    for key in edits {
        let item = &items.all[key];
        let Some((base, local)) = item.base.zip(item.local) else { continue };
        let then = world.base.get(base).local.stamp;
        replaced.entry((tree.parent(local), then.size, then.mtime)).or_default().push((*key, base));
    }
    let mut found = BackedUp::default();
    for (backup, item) in items.all.iter().filter(|(_, item)| !item.folder && item.here == Change::Edited) {
        let Some(node) = item.local else { continue };
        let stamp = tree.get(node).stamp;
        let of_stamp = replaced.get(&(tree.parent(node), stamp.size, stamp.mtime));
        for (key, base) in of_stamp.into_iter().flatten() {
            let entry = world.base.get(*base);
            let is_its_inode = entry.local.stamp.identity.inode == stamp.identity.inode;
            if is_its_inode && is_backup_of(tree.name(node), &entry.local_name) {
                found.written.insert(*key);
                found.backups.insert(*backup);
            }
        }
    }
    found
}
