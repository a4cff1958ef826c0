//! The drive, or a volume in it, on another disk: by a copy that may have broken off.

use icloudds::model::name;

use super::fs::{Ino, Inode, Op, ROOT};
use super::person::path;
use super::{Inner, SimDisk};
use crate::sim::drive::SimDrive;
use crate::sim::fuse::lock;
use crate::sim::journal::{Bytes, Thing};

impl SimDisk {
    /// From now on the drive is another folder on another disk, by a copy of all but `lost`. The volumes in it are what they were.
    pub fn copy_to_another_disk(
        &self,
        lost: &[String],
        is_replaced: &dyn Fn(&Bytes) -> bool,
        drive: &SimDrive,
    ) {
        self.copy_all(0, lost, is_replaced, drive);
    }

    /// Whether all folders above it may be read: nobody copies what they cannot get at.
    pub fn is_within_reach(&self, at: &str) -> bool {
        lock(&self.inner).resolve(&path(at)).is_ok()
    }

    /// From now on another volume is mounted there, by a copy of all but `lost`.
    pub fn copy_to_another_volume(
        &self,
        at: &str,
        lost: &[String],
        is_replaced: &dyn Fn(&Bytes) -> bool,
        drive: &SimDrive,
    ) {
        let dev = {
            let inner = lock(&self.inner);
            inner.resolve(&path(at)).ok().and_then(|ino| inner.inode(ino)).map_or(0, |inode| inode.dev)
        };
        assert_ne!(dev, 0, "a volume is mounted at {at}");
        self.copy_all(dev, lost, is_replaced, drive);
    }

    /// Of that file only the first bytes were copied.
    pub fn cut(&self, at: &str, length: usize) -> bool {
        let now = self.now();
        let mut inner = lock(&self.inner);
        let found = inner.resolve(&path(at)).ok();
        let Some((ino, content)) = found.and_then(|ino| Some((ino, inner.inode(ino)?.content()?.clone())))
        else {
            return false;
        };
        inner.layers.push(Op::Write(ino, content[..length].into(), now), now);
        inner.layers.sync_all();
        true
    }

    /// All on that file system is another item of the same content and modification time. What was lost, and had another file in the place
    /// of its item, tells nobody from an edit of that: it is in a trash at least.
    fn copy_all(&self, dev: u32, lost: &[String], is_replaced: &dyn Fn(&Bytes) -> bool, drive: &SimDrive) {
        let (elsewhere, live, there) = (drive.contents(), drive.live_contents(), drive.tree());
        let now = self.now();
        let mut inner = lock(&self.inner);
        let mut gone = Vec::new();
        for at in lost {
            let Ok(spot) = inner.spot(&path(at)) else { continue };
            let Some(ino) = inner.layers.seen.at(&spot).filter(|ino| !inner.holds_volume(*ino)) else {
                continue;
            };
            gone.extend(inner.files_below(ino).into_iter().map(|(mut names, content)| {
                names.insert(0, spot.1.clone());
                (spot.0, names, content)
            }));
            inner.layers.push(Op::Remove(spot), now);
        }
        let Inner { layers, next, .. } = &mut *inner;
        layers.rewrite(|_, inode| {
            if inode.dev == dev {
                *next += 1;
                (inode.number, inode.birth, inode.ctime) = (*next, now, now);
            }
        });
        inner.thrown.clear();
        inner.mounted_as = (inner.mounted_as.0 + 1, inner.mounted_as.1 + 1);
        let kept: Vec<_> = inner.layers.seen.inodes.values().filter_map(Inode::content).cloned().collect();
        for (_, _, content) in &gone {
            if live.contains(content) {
                if is_replaced(content) {
                    self.journal.is_recoverable(content);
                }
                continue;
            }
            if elsewhere.contains(content) || kept.contains(content) {
                self.journal.is_recoverable(content);
            } else {
                self.journal.excuse(content, "only here, and lost by the copy");
            }
        }
        // What was moved here, which nobody knew yet, is missed where iCloud has it.
        for (at, thing) in &there {
            // Items of one name are numbered.
            let name = |name: &str| {
                let numbered = name.rsplit_once(" #").filter(|(_, nth)| nth.parse::<usize>().is_ok());
                numbered.map_or(name, |(name, _)| name).to_owned()
            };
            let names = at.split('/').map(name).collect();
            let content = gone
                .iter()
                .map(|(_, _, content)| content)
                .find(|lost| *thing == Thing::File((*lost).clone()));
            inner.lost.extend(content.map(|content| (ROOT, names, content.clone())));
        }
        inner.lost.extend(gone);
        drop(inner);
        self.meets_lost();
    }

    /// Where something else stands now in the place of a file that a copy lost, nobody knows whether it was made from that one: it is an
    /// edit, and what it replaces must be found in a trash at least.
    pub fn meets_lost(&self) {
        let mut inner = lock(&self.inner);
        let lost = std::mem::take(&mut inner.lost);
        let (met, open): (Vec<_>, Vec<_>) =
            lost.into_iter().partition(|(folder, names, _)| inner.file_at(*folder, names).is_some());
        for (folder, names, content) in met {
            if inner.file_at(folder, &names) != Some(content.clone()) {
                self.journal.is_recoverable(&content);
            }
        }
        inner.lost = open;
    }
}

impl Inner {
    /// All files in a folder, or the file itself: the names on the way to each, and its content.
    fn files_below(&self, ino: Ino) -> Vec<(Vec<String>, Bytes)> {
        let mut found = Vec::new();
        let mut next = vec![(Vec::new(), ino)];
        while let Some((at, ino)) = next.pop() {
            let Some(inode) = self.inode(ino) else { continue };
            found.extend(inode.content().map(|content| (at.clone(), content.clone())));
            for (name, ino) in inode.names().into_iter().flatten() {
                next.push(([at.as_slice(), std::slice::from_ref(name)].concat(), *ino));
            }
        }
        found
    }

    /// The content of the file that stands there, by names in any spelling.
    fn file_at(&self, folder: Ino, names: &[String]) -> Option<Bytes> {
        // Names that differ only in case stand side by side.
        let mut found = vec![folder];
        for wanted in names {
            let key = name::key(wanted, true);
            let inside = found.iter().filter_map(|ino| self.inode(*ino)?.names()).flatten();
            found = inside.filter(|(name, _)| name::key(name, true) == key).map(|(_, ino)| *ino).collect();
        }
        found.into_iter().find_map(|ino| self.inode(ino)?.content().cloned())
    }
}
