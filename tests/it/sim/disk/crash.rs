//! What a crash leaves, and what a start finds.

use std::collections::BTreeMap;

use icloudds::engine::conflict::conflict_name;
use icloudds::model::name;

use super::fs::{Ino, Inode, Op, ROOT, TMP, TRASH};
use super::person::path;
use super::{Inner, SimDisk, transfer};
use crate::sim::drive::SimDrive;
use crate::sim::fuse::lock;
use crate::sim::journal::{Bytes, Thing};
use crate::sim::rng::Rng;

impl SimDisk {
    /// What every start of the program does first: brings back what it displaced by mistake just before it was cut short.
    pub fn rescue_strays(&self) {
        let now = self.now();
        let mut inner = lock(&self.inner);
        if inner.switches.vanished.is_some() {
            return;
        }
        inner.finish_across(now);
        for (slot, (ino, path)) in std::mem::take(&mut inner.strays) {
            let from = (TRASH, slot);
            if inner.layers.seen.at(&from) != Some(ino) {
                continue;
            }
            let beside =
                |nth| path.parent()?.join(&conflict_name(path.name(), "2027-01-15 08-00-00 sim", nth)).ok();
            let free = (1..20).filter_map(beside).find_map(|path| inner.free_spot(&path).ok());
            if let Some(spot) = free {
                inner.layers.push(Op::Move(from, spot), now);
            }
        }
    }

    /// The power goes and comes back: what was not synced lasts by chance. What persons wrote and did not sync may be lost by it,
    /// but for the contents that iCloud has, or a trash.
    pub fn power_cut(&self, seed: u64, drive: &SimDrive) {
        let (elsewhere, live, there) = (drive.contents(), drive.live_contents(), drive.tree());
        // What was sent before the power went is replaced yet.
        let about_to_go = drive.about_to_go();
        let mut inner = lock(&self.inner);
        let lost = inner.layers.power_cut(&mut Rng::new(seed));
        let now = self.now();
        let waiting = inner.inode(TMP).and_then(Inode::names).cloned().unwrap_or_default();
        let Inner { layers, downloads, .. } = &mut *inner;
        downloads.retain(|_, (key, ino)| {
            let is_lost = key.size.is_some_and(transfer::is_small);
            // The start clears away what is left of a small one.
            for (name, _) in waiting.iter().filter(|(_, left)| is_lost && **left == *ino) {
                layers.push(Op::Remove((TMP, name.clone())), now);
            }
            !is_lost && layers.seen.inodes.contains_key(ino)
        });
        inner.thrown.clear();
        inner.mounted_as = (inner.mounted_as.0 + 1, inner.mounted_as.1 + 1);
        let in_trash = |content: &Bytes| {
            let trashed = inner.layers.seen.below(TRASH);
            trashed.into_iter().any(|ino| inner.inode(ino).and_then(Inode::content) == Some(content))
        };
        let mut torn = Vec::new();
        for (ino, content, is_held) in lost {
            let left = inner.inode(ino).and_then(Inode::content);
            left.into_iter().for_each(|left| self.journal.left_by_power(left));
            if is_held {
                // The other copy is one that a person gave up on iCloud, perhaps.
                if self.journal.was_given(&content) {
                    self.journal.is_recoverable(&content);
                }
            } else if !elsewhere.contains(&content) && !in_trash(&content) {
                // At another place it was given up for itself.
                let place = inner.path_of(ino).and_then(|path| there.get(&path));
                let is_there =
                    |old: &Bytes| place == Some(&Thing::File(old.clone())) && !about_to_go.contains(old);
                let back = self.journal.took_with_power(&content, left, is_there);
                torn.extend(back.into_iter().map(|old| (ino, old)));
                self.journal
                    .excuse(&content, "written here and lost with the power before anybody synced it");
            } else if !live.contains(&content) || self.journal.was_given(&content) {
                self.journal.is_recoverable(&content);
            } else if inner.is_edited_wherever(&there, &content) {
                // What was lost was kept beside what somebody had made of it, who is about to replace it on iCloud.
                self.journal.excuse(&content, "replaced by an edit whose former version went with the power");
            } else if inner.layers.seen.inodes.contains_key(&ino) {
                // Whoever writes over what the power left of it has it on his conscience.
                torn.push((ino, content));
            }
        }
        inner.replaced.extend(torn);
    }
}

impl Inner {
    /// Whether something else stands here wherever iCloud has that content.
    fn is_edited_wherever(&self, there: &BTreeMap<String, Thing>, content: &Bytes) -> bool {
        let is_it = |thing: &Thing| *thing == Thing::File(content.clone());
        there.iter().filter(|(_, thing)| is_it(thing)).all(|(at, _)| {
            let here = self.resolve(&path(at)).ok().and_then(|ino| self.inode(ino)?.content());
            here.is_some_and(|here| here != content)
        })
    }

    /// Where an inode stands in the drive, in NFC.
    fn path_of(&self, ino: Ino) -> Option<String> {
        let mut folders = vec![(ROOT, String::new())];
        while let Some((dir, prefix)) = folders.pop() {
            for (name, child) in self.inode(dir).and_then(Inode::names).into_iter().flatten() {
                let (child, path) = (self.covered(*child), format!("{prefix}{}", name::nfc(name)));
                if child == ino {
                    return Some(path);
                }
                folders.push((child, format!("{path}/")));
            }
        }
        None
    }
}
