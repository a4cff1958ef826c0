//! The disk as the engine sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::atomic::Ordering;

use icloudds::engine::ports::{
    Disk, DiskError, Displaced, Download, DownloadKey, FolderReading, Ready, Source,
};
use icloudds::model::{LocalEntry, LocalStamp, RelPath, Skews};

use super::fs::{Body, Ino, Inode, Op, Spot, TMP, TRASH};
use super::transfer::{Incoming, Outgoing};
use super::{FAULTS, Inner, Lost, SimDisk, Vanished, io};
use crate::sim::fuse::{Call, Fault, lock};

/// Names that keep no folder alive (`docs/contract.md`, built-in ignore rules).
fn is_junk(name: &str) -> bool {
    name.contains(".DS_Store") || name.contains(".com-apple-bird")
}

impl SimDisk {
    /// A call begins: the step before its effect, and the faults that a disk has.
    fn enter(&self, call: Call, what: &'static str, path: &RelPath) -> Result<(), DiskError> {
        match self.fuse.enter(call, path.as_str(), &FAULTS)? {
            Some(Fault::Full) if call.changes() => Err(DiskError::Full { path: path.clone() }),
            Some(_) => Err(io(what, path, ErrorKind::Other)),
            None => Ok(()),
        }
    }

    /// Does one change of the root's drive and makes the step after it.
    pub(super) fn change<R>(
        &self,
        effect: impl FnOnce(&mut Inner) -> Result<R, DiskError>,
    ) -> Result<R, DiskError> {
        let done = {
            let mut inner = lock(&self.inner);
            inner.require_root()?;
            effect(&mut inner)?
        };
        self.fuse.step()?;
        Ok(done)
    }
}

impl Inner {
    fn require_root(&self) -> Result<(), DiskError> {
        match self.switches.vanished {
            Some(_) => Err(DiskError::WrongRoot(
                "the drive's folder lacks its marker; is its volume mounted?".into(),
            )),
            None => Ok(()),
        }
    }

    /// A name for something that is to be there soon.
    pub(super) fn free_spot(&self, path: &RelPath) -> Result<Spot, DiskError> {
        if path.name().len() > self.switches.name_limit {
            return Err(DiskError::Name { path: path.clone() });
        }
        let spot = self.spot(path).map_err(|lost| match lost {
            Lost::Missing => DiskError::Folder { path: path.clone() },
            Lost::Denied => io("write", path, ErrorKind::PermissionDenied),
            Lost::Dead => io("write", path, ErrorKind::NotConnected),
        })?;
        if self.layers.seen.at(&spot).is_some() {
            return Err(DiskError::Taken { path: path.clone() });
        }
        Ok(spot)
    }

    /// The planned item, where it is.
    fn planned(&self, path: &RelPath, stamp: &LocalStamp) -> Result<(Spot, Ino), DiskError> {
        let changed = || DiskError::Changed { path: path.clone() };
        let ino = self.resolve(path).map_err(|lost| match lost {
            Lost::Missing => changed(),
            Lost::Denied => io("reach", path, ErrorKind::PermissionDenied),
            Lost::Dead => io("reach", path, ErrorKind::NotConnected),
        })?;
        let spot = self.spot(path).map_err(|_| changed())?;
        if self.fits(ino, stamp) { Ok((spot, ino)) } else { Err(changed()) }
    }

    /// As [`Self::planned`]; of a file the change time must fit too, which nobody can set back.
    pub(super) fn exactly(&self, path: &RelPath, stamp: &LocalStamp) -> Result<(Spot, Ino), DiskError> {
        let (spot, ino) = self.planned(path, stamp)?;
        let changed = self
            .inode(ino)
            .is_none_or(|inode| inode.content().is_some() && self.stamp(inode).ctime != stamp.ctime);
        if changed { Err(DiskError::Changed { path: path.clone() }) } else { Ok((spot, ino)) }
    }

    fn identity(&self, ino: Ino) -> Option<icloudds::model::Identity> {
        self.inode(ino).map(|inode| self.stamp(inode).identity)
    }

    pub(super) fn same_fs(&self, ino: Ino, dir: Ino, path: &RelPath) -> Result<(), DiskError> {
        let dev = |ino| self.inode(ino).map(|inode| inode.dev);
        if dev(ino) == dev(dir) { Ok(()) } else { Err(io("move", path, ErrorKind::CrossesDevices)) }
    }

    pub(super) fn trash_spot(&mut self, path: &RelPath) -> Spot {
        self.next += 1;
        (TRASH, format!("{} {}", self.next, path.name()))
    }

    fn waiting(&self, ready: &Ready) -> Result<(Spot, Ino), DiskError> {
        let spot = (TMP, ready.slot.clone());
        let ino = self.layers.seen.at(&spot);
        ino.map(|ino| (spot, ino)).ok_or_else(|| io("find the download of", &ready.path, ErrorKind::NotFound))
    }

    fn names(&self, ino: Ino) -> BTreeMap<String, Ino> {
        self.inode(ino).and_then(Inode::names).cloned().unwrap_or_default()
    }
}

impl Disk for SimDisk {
    fn check_root(&self) -> Result<(), DiskError> {
        self.enter(Call::CheckRoot, "check", &RelPath::root())?;
        lock(&self.inner).require_root()
    }

    fn folds_case(&self) -> bool {
        lock(&self.inner).switches.folds_case
    }

    fn skews(&self) -> Skews {
        Skews::of([self.ahead.load(Ordering::SeqCst)])
    }

    fn mounts(&self) -> Vec<u64> {
        let inner = lock(&self.inner);
        let volumes = (!inner.mounts.is_empty()).then_some(inner.mounted_as.1);
        if inner.switches.mounts_are_told {
            std::iter::once(inner.mounted_as.0).chain(volumes).collect()
        } else {
            Vec::new()
        }
    }

    fn read_folder(&self, folder: &RelPath) -> Result<FolderReading, DiskError> {
        self.enter(Call::ReadFolder, "read", folder)?;
        let now = self.now();
        let inner = lock(&self.inner);
        match inner.switches.vanished {
            Some(Vanished::Empty) if folder.is_root() => return Ok(FolderReading::default()),
            Some(_) => return Err(io("read", folder, ErrorKind::NotFound)),
            None => {}
        }
        let ino = inner.resolve(folder).map_err(|lost| match lost {
            Lost::Missing => DiskError::Folder { path: folder.clone() },
            Lost::Denied => io("read", folder, ErrorKind::PermissionDenied),
            Lost::Dead => io("read", folder, ErrorKind::NotConnected),
        })?;
        let inode = inner.inode(ino).ok_or_else(|| DiskError::Folder { path: folder.clone() })?;
        if !inode.readable {
            return Err(io("read", folder, ErrorKind::PermissionDenied));
        }
        let Some(names) = inode.names() else { return Err(DiskError::Folder { path: folder.clone() }) };
        let (dead, seen): (Vec<_>, Vec<_>) = names.iter().partition(|(_, ino)| inner.is_dead(**ino));
        let entries = seen
            .into_iter()
            .map(|(name, ino)| (name.as_str().into(), inner.entry(inner.covered(*ino), now)))
            .collect();
        let unseen =
            dead.into_iter().map(|(name, _)| (name.as_str().into(), "it answers nothing".to_owned()));
        let LocalStamp { identity, on_root_fs, .. } = inner.stamp(inode);
        let (unnameable, unseen) = (inode.odd.clone(), unseen.collect());
        Ok(FolderReading { identity, on_root_fs, entries, unnameable, unseen })
    }

    fn look(&self, path: &RelPath) -> Result<Option<LocalEntry>, DiskError> {
        self.enter(Call::Look, "look at", path)?;
        let now = self.now();
        let inner = lock(&self.inner);
        inner.require_root()?;
        match inner.resolve(path) {
            Ok(ino) => Ok(Some(inner.entry(ino, now))),
            Err(Lost::Missing) if path.parent().is_none_or(|folder| inner.is_folder(&folder)) => Ok(None),
            Err(Lost::Missing) => Err(DiskError::Folder { path: path.clone() }),
            Err(Lost::Denied) => Err(io("look at", path, ErrorKind::PermissionDenied)),
            Err(Lost::Dead) => Err(io("look at", path, ErrorKind::NotConnected)),
        }
    }

    fn open(&self, path: &RelPath, stamp: &LocalStamp) -> Result<Box<dyn Source>, DiskError> {
        self.enter(Call::Open, "open", path)?;
        let inner = lock(&self.inner);
        let (_, ino) = inner.exactly(path, stamp)?;
        let inode = &inner.layers.seen.inodes[&ino];
        match (&inode.body, inode.readable) {
            (Body::File(_), true) => Ok(Box::new(Outgoing::new(self.clone(), path, ino, inode.ctime))),
            (Body::File(_), false) => Err(io("open", path, ErrorKind::PermissionDenied)),
            _ => Err(DiskError::Changed { path: path.clone() }),
        }
    }

    fn make_folder(&self, path: &RelPath) -> Result<LocalEntry, DiskError> {
        self.enter(Call::MakeFolder, "make", path)?;
        let now = self.now();
        self.change(|inner| {
            let spot = inner.free_spot(path)?;
            let dev = inner.inode(spot.0).map_or(0, |inode| inode.dev);
            let ino = inner.make(spot, Body::Dir(BTreeMap::new()), dev, now);
            Ok(inner.entry(ino, now))
        })
    }

    fn download(&self, key: &DownloadKey) -> Result<Box<dyn Download>, DiskError> {
        self.enter(Call::Download, "download", &key.path)?;
        let now = self.now();
        let ino = self.change(|inner| {
            let kept = inner.downloads.get(&key.id).cloned();
            let same = |old: &DownloadKey| {
                old.etag == key.etag && old.signature_text == key.signature_text && old.size == key.size
            };
            let dev = inner.dev_at(&key.path);
            let usable = kept
                .clone()
                .filter(|(old, ino)| same(old) && inner.inode(*ino).is_some_and(|inode| inode.dev == dev));
            if usable.is_none()
                && let Some((_, ino)) = kept
            {
                let stale = inner.names(TMP).into_iter().find(|(_, waiting)| *waiting == ino);
                if let Some((name, _)) = stale {
                    inner.layers.push(Op::Remove((TMP, name)), now);
                }
            }
            let there = usable.as_ref().and_then(|(_, ino)| inner.inode(*ino)?.content().map(|c| c.len()));
            let missing = key.size.unwrap_or(0).saturating_sub(there.unwrap_or(0) as u64);
            if missing > inner.space() {
                return Err(DiskError::Full { path: key.path.clone() });
            }
            let ino = match usable {
                Some((_, ino)) => ino,
                None => {
                    let name = format!("download {}", inner.next + 1);
                    inner.make((TMP, name), Body::File([].into()), dev, now)
                }
            };
            inner.downloads.insert(key.id.clone(), (key.clone(), ino));
            Ok(ino)
        })?;
        Ok(Box::new(Incoming::new(self.clone(), key, ino)))
    }

    fn place(&self, ready: &Ready, to: &RelPath) -> Result<LocalEntry, DiskError> {
        self.enter(Call::Place, "put in place", to)?;
        let now = self.now();
        self.change(|inner| {
            let (from, ino) = inner.waiting(ready)?;
            let spot = inner.free_spot(to)?;
            inner.same_fs(ino, spot.0, to)?;
            inner.layers.sync_contents(&BTreeSet::from([ino]));
            inner.layers.push(Op::Move(from, spot), now);
            Ok(inner.placed(ino, now))
        })
    }

    fn replace(
        &self,
        ready: &Ready,
        at: &RelPath,
        stamp: &LocalStamp,
    ) -> Result<(LocalEntry, Displaced), DiskError> {
        self.enter(Call::Replace, "replace", at)?;
        let now = self.now();
        let slot = self.change(|inner| {
            let (from, ino) = inner.waiting(ready)?;
            let (spot, _) = inner.exactly(at, stamp)?;
            inner.same_fs(ino, spot.0, at)?;
            inner.layers.sync_contents(&BTreeSet::from([ino]));
            let slot = inner.trash_spot(at);
            inner.layers.push(Op::Move(from, slot.clone()), now);
            Ok(slot)
        })?;
        // Between the two a person may come: what is displaced is looked at afterwards.
        self.change(|inner| {
            let spot = inner.spot(at).ok().filter(|spot| inner.layers.seen.at(spot).is_some());
            let Some(spot) = spot else {
                let back = (TMP, ready.slot.clone());
                inner.layers.push(Op::Move(slot.clone(), back), now);
                return Err(DiskError::Changed { path: at.clone() });
            };
            // Of an edit that put size and time back only the change time tells, until the exchange sets it.
            let forged = inner.planned(at, stamp).is_ok() && inner.exactly(at, stamp).is_err();
            if forged {
                inner.layers.push(Op::Move(slot.clone(), (TMP, ready.slot.clone())), now);
                return Err(DiskError::Changed { path: at.clone() });
            }
            inner.layers.push(Op::Exchange(slot.clone(), spot.clone()), now);
            inner.thrown.extend(inner.layers.seen.at(&slot));
            let displaced = match inner.layers.seen.at(&slot) {
                Some(old)
                    if inner.fits(old, stamp)
                        && inner.inode(old).is_some_and(|old| old.content().is_some()) =>
                {
                    Displaced::AsPlanned
                }
                old => {
                    // What a start finds of it is durable, as the real disk makes it.
                    inner.layers.sync(&old.into_iter().collect());
                    inner.strays.extend(old.map(|old| (slot.1.clone(), (old, at.clone()))));
                    Displaced::Changed { slot: slot.1.clone() }
                }
            };
            let ino = inner.layers.seen.at(&spot).ok_or_else(|| DiskError::Changed { path: at.clone() })?;
            Ok((inner.placed(ino, now), displaced))
        })
    }

    fn discard(&self, ready: &Ready) {
        let now = self.now();
        if self.enter(Call::Discard, "discard", &ready.path).is_ok() {
            // A failure leaves the file for the next start to clear away.
            let _ = self.change(|inner| {
                let (spot, _) = inner.waiting(ready)?;
                inner.layers.push(Op::Remove(spot), now);
                Ok(())
            });
        }
    }

    fn rescue(&self, slot: &str, to: &RelPath) -> Result<LocalEntry, DiskError> {
        self.enter(Call::Rescue, "rescue", to)?;
        let now = self.now();
        self.change(|inner| {
            let from = (TRASH, slot.to_owned());
            let ino = inner.layers.seen.at(&from).ok_or_else(|| io("rescue", to, ErrorKind::NotFound))?;
            let spot = inner.free_spot(to)?;
            inner.same_fs(ino, spot.0, to)?;
            inner.layers.push(Op::Move(from, spot), now);
            inner.layers.sync(&BTreeSet::from([ino]));
            inner.strays.remove(slot);
            Ok(inner.entry(ino, now))
        })
    }

    fn rename(&self, from: &RelPath, to: &RelPath, stamp: &LocalStamp) -> Result<LocalEntry, DiskError> {
        self.enter(Call::RenameLocal, "move", from)?;
        let now = self.now();
        self.change(|inner| {
            let (old, ino) = inner.exactly(from, stamp)?;
            if inner.mounts.values().any(|root| *root == ino) {
                return Err(io("move", from, ErrorKind::ResourceBusy));
            }
            if to.is_within(from) && to != from {
                return Err(io("move", from, ErrorKind::InvalidInput));
            }
            // A change of case alone finds itself under the new name.
            let own = inner.spot(to).ok().filter(|spot| inner.layers.seen.at(spot) == Some(ino));
            let new = match own {
                Some((dir, _)) => (dir, to.name().to_owned()),
                None => inner.free_spot(to)?,
            };
            inner.same_fs(ino, new.0, from)?;
            inner.layers.push(Op::Move(old, new), now);
            Ok(inner.entry(ino, now))
        })
    }

    fn move_across(&self, from: &RelPath, to: &RelPath, stamp: &LocalStamp) -> Result<LocalEntry, DiskError> {
        self.enter(Call::RenameLocal, "move", from)?;
        self.copy_across(from, to, stamp)
    }

    fn trash(&self, path: &RelPath, stamp: &LocalStamp) -> Result<(), DiskError> {
        self.enter(Call::TrashLocal, "trash", path)?;
        let now = self.now();
        let junk = self.change(|inner| {
            let (spot, ino) = inner.exactly(path, stamp)?;
            let inode = &inner.layers.seen.inodes[&ino];
            if inode.content().is_some() {
                let slot = inner.trash_spot(path);
                inner.layers.push(Op::Move(spot, slot), now);
                inner.thrown.insert(ino);
                return Ok(None);
            }
            let keeps = inner.names(ino).keys().any(|name| !is_junk(name)) || !inode.odd.is_empty();
            if keeps
                || !inode.readable
                || inner.covered(ino) != ino
                || inner.mounts.values().any(|m| *m == ino)
            {
                return Err(DiskError::Folder { path: path.clone() });
            }
            Ok(Some(ino))
        })?;
        let Some(dir) = junk else { return Ok(()) };
        self.change(|inner| {
            for name in inner.names(dir).into_keys().filter(|name| is_junk(name)) {
                let slot = inner.trash_spot(path);
                inner.layers.push(Op::Move((dir, name), slot), now);
            }
            Ok(())
        })?;
        self.change(|inner| {
            let (spot, ino) = inner.planned(path, stamp)?;
            // As `rmdir`: something may have come in since.
            if ino != dir || !inner.names(dir).is_empty() {
                return Err(DiskError::Folder { path: path.clone() });
            }
            inner.layers.push(Op::Remove(spot), now);
            Ok(())
        })
    }

    fn sync(&self, files: &[(RelPath, LocalStamp)], folders: &[RelPath]) -> Result<(), DiskError> {
        let first = files.first().map(|(path, _)| path).or(folders.first()).cloned().unwrap_or_default();
        self.enter(Call::Sync, "sync", &first)?;
        self.change(|inner| {
            let mut contents = std::mem::take(&mut inner.thrown);
            let mut whole = false;
            for (path, stamp) in files {
                match inner.resolve(path).ok().filter(|ino| inner.identity(*ino) == Some(stamp.identity)) {
                    Some(ino) => drop(contents.insert(ino)),
                    // Wherever it is now, it is durable with its whole file system.
                    None => whole = true,
                }
            }
            inner.layers.sync_contents(&contents);
            match inner.inos_of(folders) {
                Ok(inos) => inner.layers.sync(&inos),
                // A folder that has moved on or is gone is synced with its whole file system.
                Err((_, Lost::Missing)) => whole = true,
                Err((path, Lost::Denied)) => return Err(io("sync", &path, ErrorKind::PermissionDenied)),
                Err((path, Lost::Dead)) => return Err(io("sync", &path, ErrorKind::NotConnected)),
            }
            if whole {
                inner.layers.sync_all();
            }
            Ok(())
        })
    }
}
