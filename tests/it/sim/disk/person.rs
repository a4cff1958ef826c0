//! What a person does with the files here.
//!
//! Each returns `false` when the disk, as it is, does not let the person do it.

use std::collections::BTreeMap;

use icloudds::model::{DiskTime, LocalStamp, RelPath, Side};

use super::fs::{Body, Ino, Inode, Op, ROOT};
use super::{Bytes, Inner, SimDisk, Vanished};
use crate::sim::fuse::lock;

pub(super) fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("tests name paths that exist")
}

impl SimDisk {
    /// Lets a person act; the drive must be there.
    fn act(&self, act: impl FnOnce(&mut Inner, DiskTime) -> Option<()>) -> bool {
        let now = self.now();
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
            if let Some(content) = inner.replaced.get(&ino) {
                self.journal.gave_up(Side::Local, content);
            }
        }
    }

    /// Older versions come back from a backup, with the times that they had, over what stands there; with `folder`, that folder is
    /// taken away first and made anew. Who does that has not seen what stands there: what both sides had `agreed` on must be had
    /// from somewhere afterwards.
    pub fn bring_back(
        &self,
        folder: Option<&str>,
        files: &[(String, Bytes, DiskTime)],
        agreed: impl Fn(&str, &LocalStamp, &Bytes) -> bool,
        is_base: impl Fn(&str, &LocalStamp, &Bytes) -> bool,
    ) -> bool {
        self.act(|inner, now| {
            let mut stood = BTreeMap::new();
            for (at, content, mtime) in files {
                let Some(inode) = inner.resolve(&path(at)).ok().and_then(|ino| inner.inode(ino)) else {
                    continue;
                };
                let Some(old) = inode.content().cloned() else { continue };
                if *mtime < inode.mtime && old != *content && agreed(at, &inner.stamp(inode), &old) {
                    self.journal.is_recoverable(&old);
                    stood.insert(at.clone(), old);
                }
            }
            if let Some(folder) = folder {
                let spot = inner.spot_for_persons(&path(folder))?;
                let ino = inner.layers.seen.at(&spot)?;
                if inner.holds_volume(ino) {
                    return None;
                }
                self.give_up_but(inner, ino, &stood);
                inner.layers.push(Op::Remove(spot.clone()), now);
                let dev = inner.inode(spot.0)?.dev;
                inner.make(spot, Body::Dir(BTreeMap::new()), dev, now);
            }
            for (at, content, mtime) in files {
                let Some(ino) = self.put(inner, &path(at), content, &stood, now) else { continue };
                if let Some(old) = stood.remove(at) {
                    inner.replaced.insert(ino, old);
                }
                // What both sides agreed on already is no edit.
                let stamp = inner.inode(ino).map(|inode| inner.stamp(inode));
                if stamp.is_some_and(|stamp| is_base(at, &stamp, content)) {
                    self.journal.is_recoverable(content);
                }
                inner.layers.push(Op::Write(ino, content.clone(), *mtime), now);
            }
            Some(())
        })
    }

    /// The file at `at`, made where there is none, for a content that is to be written into it.
    fn put(
        &self,
        inner: &mut Inner,
        at: &RelPath,
        content: &Bytes,
        stood: &BTreeMap<String, Bytes>,
        now: DiskTime,
    ) -> Option<Ino> {
        let mut missing = Vec::new();
        let mut next = at.parent()?;
        while inner.resolve(&next).is_err() {
            missing.push(next.clone());
            next = next.parent()?;
        }
        for folder in missing.into_iter().rev() {
            let spot = inner.spot_for_persons(&folder)?;
            let dev = inner.inode(spot.0)?.dev;
            inner.make(spot, Body::Dir(BTreeMap::new()), dev, now);
        }
        let spot = inner.spot_for_persons(at)?;
        let dev = inner.inode(spot.0)?.dev;
        let (ino, old) = match inner.layers.seen.at(&spot) {
            Some(ino) => (ino, Some(inner.inode(ino)?.content()?.clone())),
            None => (inner.make(spot, Body::File([].into()), dev, now), None),
        };
        if old.as_ref() != Some(content) {
            self.give_up_but(inner, ino, stood);
            self.journal.wrote(Side::Local, content);
        }
        Some(ino)
    }

    fn give_up_but(&self, inner: &Inner, ino: Ino, stood: &BTreeMap<String, Bytes>) {
        for ino in inner.layers.seen.below(ino) {
            let content = inner.inode(ino).and_then(Inode::content);
            for content in content.into_iter().chain(inner.replaced.get(&ino)) {
                if !stood.values().any(|kept| kept == content) {
                    self.journal.gave_up(Side::Local, content);
                }
            }
        }
    }

    /// What a backup taken now would hold: the files with their contents and times.
    pub fn backup(&self) -> Vec<(String, Bytes, DiskTime)> {
        let inner = lock(&self.inner);
        let mut all = Vec::new();
        let mut folders = vec![(ROOT, String::new())];
        while let Some((dir, prefix)) = folders.pop() {
            for (name, ino) in inner.inode(dir).and_then(Inode::names).into_iter().flatten() {
                let Some(inode) = inner.inode(inner.covered(*ino)) else { continue };
                let path = format!("{prefix}{name}");
                match &inode.body {
                    Body::File(content) => all.push((path, content.clone(), inode.mtime)),
                    Body::Dir(_) => folders.push((inner.covered(*ino), format!("{path}/"))),
                    Body::Special => {}
                }
            }
        }
        all
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
            let spot = inner.spot_for_persons(&path(at))?;
            let mut rewritten = false;
            let ino = match inner.layers.seen.at(&spot) {
                Some(ino) => {
                    // Who writes what is there already stakes nothing on it.
                    rewritten = *inner.inode(ino)?.content()? == content;
                    if !rewritten {
                        self.give_up(inner, ino);
                        self.journal.wrote_over(inner.inode(ino)?.content()?, &content);
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

    /// New content of the same size through a memory map, to pages that wait to be written back already: no time tells. Where times
    /// are fine the pages are clean, as after every look of ours that counts, and the write sets them.
    pub fn map_write(&self, at: &str, content: &[u8]) -> bool {
        let content = Bytes::from(content);
        self.act(|inner, now| {
            let ino = inner.resolve(&path(at)).ok()?;
            let (mtime, ctime) = inner.inode(ino).map(|inode| (inode.mtime, inode.ctime))?;
            if inner.inode(ino)?.content()?.len() != content.len() {
                return None;
            }
            self.give_up(inner, ino);
            self.journal.wrote_over(inner.inode(ino)?.content()?, &content);
            self.journal.wrote(Side::Local, &content);
            let mtime = if inner.switches.fine_times { now } else { mtime };
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
            let spot = inner.spot_for_persons(&path(at))?;
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
            let (old, new) = (inner.spot(&from).ok()?, inner.spot_for_persons(&to)?);
            let ino = inner.layers.seen.at(&old)?;
            if inner.is_mount_point(ino) {
                return None;
            }
            let case_only = inner.layers.seen.at(&new) == Some(ino);
            let new = if case_only { (new.0, to.name().to_owned()) } else { new };
            if old == new || to.is_within(&from) || inner.inode(ino)?.dev != inner.inode(new.0)?.dev {
                return None;
            }
            if let Some(victim) = inner.layers.seen.at(&new).filter(|_| !case_only) {
                let (old, new) = (inner.inode(victim)?.content()?, inner.inode(ino)?.content()?);
                self.give_up(inner, victim);
                self.journal.wrote_over(old, new);
            }
            // Elsewhere, not even what its place had held before tells of an older version that was touched.
            if let Some(content) = inner.replaced.get(&ino).filter(|_| inner.touched.contains(&ino)) {
                self.journal.gave_up(Side::Local, content);
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
        let mut inner = lock(&self.inner);
        let back = inner.resolve(&path(at)).ok().filter(|ino| inner.replaced.contains_key(ino));
        inner.touched.extend(back);
        drop(inner);
        self.set_mtime(at, self.now())
    }

    /// Whoever touches what came back from a backup has seen it, and gives up what stood there.
    pub fn stand_by(&self, at: &str) {
        let inner = lock(&self.inner);
        let replaced = inner.resolve(&path(at)).ok().and_then(|ino| inner.replaced.get(&ino));
        replaced.into_iter().for_each(|content| self.journal.gave_up(Side::Local, content));
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
            let spot = inner.spot_for_persons(&path(at))?;
            if inner.layers.seen.at(&spot).is_some() {
                return None;
            }
            let dev = inner.inode(spot.0)?.dev;
            inner.make(spot, Body::Special, dev, now);
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
            inner.mounted_as.1 += 1;
            // Nobody's power cut undoes what a volume is mounted on.
            inner.layers.sync_all();
            Some(())
        })
    }

    /// Whether a volume is, or was, mounted there or below.
    pub fn holds_volume(&self, at: &str) -> bool {
        let inner = lock(&self.inner);
        let spot = inner.spot(&path(at)).ok();
        spot.and_then(|spot| inner.layers.seen.at(&spot)).is_some_and(|ino| inner.holds_volume(ino))
    }

    /// Whether any volume is, or was, mounted.
    pub fn has_volumes(&self) -> bool {
        let inner = lock(&self.inner);
        !inner.mounts.is_empty() || !inner.unmounted.is_empty()
    }

    /// What all volumes hold, also one that is away, or whose mount point is gone: whoever mounts it again has that.
    pub fn on_volumes(&self) -> Vec<Bytes> {
        let inner = lock(&self.inner);
        let seen = &inner.layers.seen;
        let roots = inner.mounts.values().chain(inner.unmounted.values());
        let all = roots.flat_map(|root| seen.below(*root)).filter_map(|ino| seen.inodes.get(&ino));
        all.filter_map(|inode| inode.content().cloned()).collect()
    }

    /// Takes all mounts off: their empty mount points show.
    pub fn unmount(&self) {
        let mut inner = lock(&self.inner);
        let mounts = std::mem::take(&mut inner.mounts);
        for (covered, root) in &mounts {
            self.shows_instead(&inner, *covered, *root);
        }
        inner.unmounted.extend(mounts);
    }

    /// What stands in the folder `now` shows from now on, where `before` showed: a file of one name may be an older version, as from a backup.
    fn shows_instead(&self, inner: &Inner, now: Ino, before: Ino) {
        let mut folders = vec![(now, before)];
        while let Some((now, before)) = folders.pop() {
            let names = |dir: Ino| inner.inode(dir).and_then(Inode::names);
            for (name, shown) in names(now).into_iter().flatten() {
                let Some(hidden) = names(before).and_then(|names| names.get(name)) else { continue };
                let content = |ino: &Ino| inner.inode(*ino).and_then(Inode::content);
                match (content(shown), content(hidden)) {
                    (Some(shown), Some(hidden)) if shown != hidden => self.journal.is_recoverable(hidden),
                    (None, None) => folders.push((*shown, *hidden)),
                    _ => {}
                }
            }
        }
    }

    /// Takes the mount at that path off.
    pub fn unmount_at(&self, at: &str) -> bool {
        let mut inner = lock(&self.inner);
        let Ok(root) = inner.resolve(&path(at)) else { return false };
        let Some(covered) = inner.mounts.iter().find(|(_, is)| **is == root).map(|(covered, _)| *covered)
        else {
            return false;
        };
        self.shows_instead(&inner, covered, root);
        inner.mounts.remove(&covered);
        inner.unmounted.insert(covered, root);
        true
    }

    /// From now on persons put things into the empty folder that a volume leaves behind: nobody sees them once it is back.
    pub fn use_bare_mount_points(&self) {
        lock(&self.inner).bare_mount_points_are_used = true;
    }

    /// Brings all mounts back.
    pub fn remount(&self) {
        let mut inner = lock(&self.inner);
        let mounts = std::mem::take(&mut inner.unmounted);
        for (covered, root) in &mounts {
            self.shows_instead(&inner, *root, *covered);
        }
        inner.mounted_as.1 += u64::from(!mounts.is_empty());
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

impl Inner {
    /// As [`Inner::spot`]: persons put nothing into the empty folder that a volume leaves behind, nor below it, unless
    /// [`SimDisk::use_bare_mount_points`] says so.
    fn spot_for_persons(&self, path: &RelPath) -> Option<(Ino, String)> {
        let above = std::iter::successors(path.parent(), RelPath::parent);
        let mut folders = above.filter_map(|folder| self.resolve(&folder).ok());
        let is_used =
            self.bare_mount_points_are_used || !folders.any(|dir| self.unmounted.contains_key(&dir));
        self.spot(path).ok().filter(|_| is_used)
    }

    fn is_mount_point(&self, ino: Ino) -> bool {
        self.mounts.contains_key(&ino) || self.unmounted.contains_key(&ino)
    }

    /// Whether a volume is, or was, mounted there or below.
    pub(super) fn holds_volume(&self, ino: Ino) -> bool {
        let mut next = vec![ino];
        while let Some(ino) = next.pop() {
            if self.is_mount_point(ino) {
                return true;
            }
            next.extend(
                self.inode(ino).and_then(Inode::names).into_iter().flatten().map(|(_, child)| *child),
            );
        }
        false
    }
}
