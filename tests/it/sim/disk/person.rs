//! What a person does with the files here.
//!
//! Each returns `false` when the disk, as it is, does not let the person do it.

use std::collections::BTreeMap;

use icloudds::engine::ports::Clock;
use icloudds::model::{DiskTime, RelPath, Side};

use super::fs::{Body, Ino, Inode, Op, ROOT};
use super::{Bytes, Inner, SimDisk, Vanished};
use crate::sim::fuse::lock;

fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("tests name paths that exist")
}

impl SimDisk {
    /// Lets a person act; the drive must be there.
    fn act(&self, act: impl FnOnce(&mut Inner, DiskTime) -> Option<()>) -> bool {
        let now = self.clock.now();
        let mut inner = lock(&self.inner);
        if inner.switches.vanished.is_some() {
            return false;
        }
        inner.layers.by_person = true;
        let done = act(&mut inner, now).is_some();
        inner.layers.by_person = false;
        if inner.switches.persons_sync {
            inner.layers.sync_all();
        }
        done
    }

    fn give_up(&self, inner: &Inner, ino: Ino) {
        for ino in inner.layers.seen.below(ino) {
            if let Some(content) = inner.inode(ino).and_then(Inode::content) {
                self.journal.gave_up(Side::Local, content);
            }
        }
    }

    /// What a person reads there.
    pub fn read(&self, at: &str) -> Option<Bytes> {
        let inner = lock(&self.inner);
        let ino = inner.resolve(&path(at)).ok()?;
        inner.inode(ino)?.content().cloned()
    }

    /// New content in place, or a new file.
    pub fn write(&self, at: &str, content: &[u8]) -> bool {
        self.write_at(at, content, None)
    }

    /// New content in place, and then the modification time set to `mtime`, as copying tools do.
    pub fn write_at(&self, at: &str, content: &[u8], mtime: Option<DiskTime>) -> bool {
        let content = Bytes::from(content);
        self.act(|inner, now| {
            let spot = inner.spot(&path(at)).ok()?;
            let mut rewritten = false;
            let ino = match inner.layers.seen.at(&spot) {
                Some(ino) => {
                    // Who writes what is there already stakes nothing on it.
                    rewritten = *inner.inode(ino)?.content()? == content;
                    if !rewritten {
                        self.give_up(inner, ino);
                    }
                    ino
                }
                None => {
                    let dev = inner.inode(spot.0)?.dev;
                    inner.make(spot, Body::File([].into()), dev, now)
                }
            };
            if !rewritten {
                self.journal.wrote(Side::Local, &content);
            }
            inner.layers.push(Op::Write(ino, content, mtime.unwrap_or(now)), now);
            Some(())
        })
    }

    /// New content of the same size with the old modification time: only `ctime` tells.
    pub fn forge(&self, at: &str, content: &[u8]) -> bool {
        let mtime = {
            let inner = lock(&self.inner);
            inner.resolve(&path(at)).ok().and_then(|ino| inner.inode(ino)).map(|inode| inode.mtime)
        };
        mtime.is_some() && self.write_at(at, content, mtime)
    }

    /// New content of the same size through a memory map, to pages that wait to be written back already: no time tells.
    pub fn map_write(&self, at: &str, content: &[u8]) -> bool {
        let content = Bytes::from(content);
        self.act(|inner, now| {
            let ino = inner.resolve(&path(at)).ok()?;
            let (mtime, ctime) = inner.inode(ino).map(|inode| (inode.mtime, inode.ctime))?;
            if inner.inode(ino)?.content()?.len() != content.len() {
                return None;
            }
            self.give_up(inner, ino);
            self.journal.wrote(Side::Local, &content);
            inner.layers.push(Op::Write(ino, content, mtime), ctime.min(now));
            Some(())
        })
    }

    /// New content as editors bring it: a new file, renamed over the old one.
    pub fn save(&self, at: &str, content: &[u8]) -> bool {
        let temporary = format!("{at}.part");
        // The editor's own temporary name shows only for an instant.
        self.write(&temporary, content) && self.mv(&temporary, at)
    }

    /// Down to nothing.
    pub fn truncate(&self, at: &str) -> bool {
        self.read(at).is_some() && self.write(at, &[])
    }

    /// A new folder.
    pub fn mkdir(&self, at: &str) -> bool {
        self.act(|inner, now| {
            let spot = inner.spot(&path(at)).ok()?;
            if inner.layers.seen.at(&spot).is_some() {
                return None;
            }
            let dev = inner.inode(spot.0)?.dev;
            inner.make(spot, Body::Dir(BTreeMap::new()), dev, now);
            Some(())
        })
    }

    /// As `mv -T`: a file that has the new name is overwritten by a file.
    pub fn mv(&self, from: &str, to: &str) -> bool {
        let (from, to) = (path(from), path(to));
        self.act(|inner, now| {
            let (old, new) = (inner.spot(&from).ok()?, inner.spot(&to).ok()?);
            let ino = inner.layers.seen.at(&old)?;
            let case_only = inner.layers.seen.at(&new) == Some(ino);
            let new = if case_only { (new.0, to.name().to_owned()) } else { new };
            if old == new || to.is_within(&from) || inner.inode(ino)?.dev != inner.inode(new.0)?.dev {
                return None;
            }
            if let Some(victim) = inner.layers.seen.at(&new).filter(|_| !case_only) {
                inner.inode(victim)?.content()?;
                inner.inode(ino)?.content()?;
                self.give_up(inner, victim);
            }
            inner.layers.push(Op::Move(old, new), now);
            Some(())
        })
    }

    /// As `rm -r`.
    pub fn delete(&self, at: &str) -> bool {
        self.act(|inner, now| {
            let spot = inner.spot(&path(at)).ok()?;
            let ino = inner.layers.seen.at(&spot)?;
            if inner.mounts.contains_key(&ino) {
                return None;
            }
            self.give_up(inner, ino);
            inner.layers.push(Op::Remove(spot), now);
            Some(())
        })
    }

    /// Sets the modification time to now.
    pub fn touch(&self, at: &str) -> bool {
        self.set_mtime(at, self.clock.now())
    }

    /// Sets the modification time.
    pub fn set_mtime(&self, at: &str, mtime: DiskTime) -> bool {
        self.act(|inner, now| {
            let ino = inner.resolve(&path(at)).ok()?;
            inner.layers.push(Op::Time(ino, mtime), now);
            Some(())
        })
    }

    /// Puts a link, socket, device or FIFO there.
    pub fn special(&self, at: &str) -> bool {
        self.act(|inner, now| {
            let spot = inner.spot(&path(at)).ok()?;
            if inner.layers.seen.at(&spot).is_some() {
                return None;
            }
            inner.make(spot, Body::Special, 0, now);
            Some(())
        })
    }

    /// Puts something there whose name is not UTF-8.
    pub fn odd_name(&self, folder: &str, shown: &str) -> bool {
        self.act(|inner, now| {
            let ino = inner.resolve(&path(folder)).ok()?;
            inner.layers.push(Op::Odd(ino, shown.to_owned()), now);
            Some(())
        })
    }

    /// Takes or gives the right to read an item.
    pub fn readable(&self, at: &str, readable: bool) -> bool {
        self.act(|inner, now| {
            let ino = inner.resolve(&path(at)).ok()?;
            inner.layers.push(Op::Readable(ino, readable), now);
            Some(())
        })
    }

    /// Mounts a new, empty file system over an existing folder.
    pub fn mount(&self, at: &str) -> bool {
        self.act(|inner, now| {
            let ino = inner.resolve(&path(at)).ok().filter(|ino| *ino != ROOT)?;
            inner.inode(ino)?.names()?;
            inner.next += 1;
            let root = inner.next;
            let dev = u32::try_from(inner.mounts.len() + inner.unmounted.len() + 1).ok()?;
            let inode = Inode::new(Body::Dir(BTreeMap::new()), root, dev, now);
            inner.layers.push(Op::Make((0, String::new()), root, inode), now);
            inner.mounts.insert(ino, root);
            Some(())
        })
    }

    /// Takes all mounts off: their empty mount points show.
    pub fn unmount(&self) {
        let mut inner = lock(&self.inner);
        let mounts = std::mem::take(&mut inner.mounts);
        inner.unmounted.extend(mounts);
    }

    /// Brings all mounts back.
    pub fn remount(&self) {
        let mut inner = lock(&self.inner);
        let mounts = std::mem::take(&mut inner.unmounted);
        inner.mounts.extend(mounts);
    }

    /// The whole drive goes away, or comes back.
    pub fn vanish(&self, how: Option<Vanished>) {
        self.switch(|switches| switches.vanished = how);
    }

    /// The paths of all files, for a random person.
    pub fn files(&self) -> Vec<String> {
        let all = self.tree().into_iter();
        all.filter(|(_, thing)| matches!(thing, crate::sim::Thing::File(_))).map(|(path, _)| path).collect()
    }
}
