//! Moves to another file system: a copy that is put in place, and an original that goes to the trash.

use std::collections::{BTreeMap, BTreeSet};

use icloudds::engine::ports::DiskError;
use icloudds::model::{DiskTime, LocalEntry, LocalStamp, RelPath};

use super::fs::{Body, Ino, Op, TMP};
use super::{Across, Inner, SimDisk, io};

impl SimDisk {
    pub(super) fn copy_across(
        &self,
        from: &RelPath,
        to: &RelPath,
        stamp: &LocalStamp,
    ) -> Result<LocalEntry, DiskError> {
        let now = self.now();
        self.change(|inner| {
            let (_, original) = inner.exactly(from, stamp)?;
            if inner.layers.seen.below(original).iter().any(|ino| inner.mounts.contains_key(ino)) {
                return Err(io("move", from, std::io::ErrorKind::Unsupported));
            }
            let dev = inner.inode(inner.free_spot(to)?.0).map_or(0, |folder| folder.dev);
            let part = format!("across {}", inner.next + 1);
            let copy = inner.copy(original, (TMP, part.clone()), dev, now);
            let made = inner.layers.seen.below(copy).into_iter().collect();
            inner.layers.sync_contents(&made);
            let all = inner.layers.seen.below(original);
            let changed = all.into_iter().filter_map(|ino| Some((ino, inner.inode(ino)?.ctime))).collect();
            inner.across = Some(Across { part, original, copy, changed, from: from.clone(), to: to.clone() });
            Ok(())
        })?;
        let placed = self.change(|inner| {
            let Some(across) = inner.across.clone() else {
                return Err(DiskError::Changed { path: from.clone() });
            };
            let spot = inner.free_spot(to)?;
            // The copy was made on the other volume: where that was taken off meanwhile, its bare mount point takes nothing from it.
            inner.same_fs(across.copy, spot.0, to)?;
            inner.layers.push(Op::Move((TMP, across.part), spot.clone()), now);
            inner.layers.sync(&BTreeSet::from([spot.0]));
            Ok(())
        });
        if let Err(error) = placed {
            self.change(|inner| {
                inner.finish_across(now);
                Ok(())
            })?;
            return Err(error);
        }
        self.change(|inner| {
            let changed = |across: &Across| {
                let ctime = inner.inode(across.original).map(|inode| inode.ctime);
                ctime != across.changed.get(&across.original).copied()
                    || inner.resolve(from).ok() != Some(across.original)
            };
            let is_file =
                inner.across.as_ref().and_then(|across| inner.inode(across.copy)?.content()).is_some();
            if is_file && inner.across.as_ref().is_some_and(changed) {
                // The original was changed meanwhile: the copy goes instead.
                if let Ok(spot) = inner.spot(to) {
                    inner.layers.push(Op::Remove(spot), now);
                }
                inner.across = None;
                return Err(DiskError::Changed { path: from.clone() });
            }
            inner.finish_across(now);
            let ino = inner.resolve(to).map_err(|_| DiskError::Changed { path: to.clone() })?;
            Ok(inner.entry(ino, now))
        })
    }
}

impl Inner {
    /// A copy of an inode with all below it, under a free name.
    fn copy(&mut self, original: Ino, spot: (Ino, String), dev: u32, now: DiskTime) -> Ino {
        let source = self.layers.seen.inodes[&original].clone();
        match source.body {
            Body::Dir(names) => {
                let made = self.make(spot, Body::Dir(BTreeMap::new()), dev, now);
                for (name, child) in names {
                    self.copy(child, (made, name), dev, now);
                }
                made
            }
            Body::File(content) => {
                let made = self.make(spot, Body::File([].into()), dev, now);
                self.layers.push(Op::Write(made, content, source.mtime), now);
                made
            }
            Body::Special => self.make(spot, Body::Special, dev, now),
        }
    }

    /// Finishes a move whose copy is in place, and undoes one whose copy is not, as every start of the program does.
    pub(super) fn finish_across(&mut self, now: DiskTime) {
        let Some(across) = self.across.take() else { return };
        if self.layers.seen.at(&(TMP, across.part.clone())).is_some() {
            self.layers.push(Op::Remove((TMP, across.part)), now);
            return;
        }
        let stands =
            |inner: &Self, path: &RelPath, ino: Ino| inner.resolve(path).is_ok_and(|there| there == ino);
        if !stands(self, &across.to, across.copy) || !stands(self, &across.from, across.original) {
            return;
        }
        // What changed since it was copied stays where it is.
        let is_file = |ino: &Ino| {
            self.inode(*ino).is_some_and(|inode| {
                inode.content().is_some() && across.changed.get(ino) == Some(&inode.ctime)
            })
        };
        let files: Vec<_> = self.layers.seen.below(across.original).into_iter().filter(is_file).collect();
        for ino in files {
            let folder = self.layers.seen.inodes.iter().find_map(|(dir, inode)| {
                let name = inode.names()?.iter().find(|(_, child)| **child == ino)?.0.clone();
                Some((*dir, name))
            });
            if let Some(spot) = folder {
                let slot = self.trash_spot(&across.from);
                self.layers.push(Op::Move(spot, slot), now);
            }
        }
        let is_empty =
            |dir: &Ino| self.inode(*dir).and_then(|dir| dir.names()).is_some_and(BTreeMap::is_empty);
        let folders = self.layers.seen.below(across.original);
        let holds_nothing =
            folders.iter().all(|ino| self.inode(*ino).is_some_and(|inode| inode.names().is_some()));
        if let Ok(spot) = self.spot(&across.from)
            && self.layers.seen.at(&spot) == Some(across.original)
            && (holds_nothing || is_empty(&across.original))
        {
            self.layers.push(Op::Remove(spot), now);
        }
        self.layers.sync_all();
    }
}
