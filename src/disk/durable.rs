//! Making durable what was written here, by us or by anybody's program (`docs/sync.md` §5, Durable before agreed).

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use rustix::fd::OwnedFd;
use rustix::fs::{FsWord, Mode, OFlags, fstatfs, fsync, openat, syncfs};
use rustix::io::Errno;

use crate::engine::ports::DiskError;
use crate::model::{LocalKind, LocalStamp, RelPath};

use super::LocalDisk;
use super::local::Unsynced;
use super::seen::{FsId, open_folder, see, see_open};

/// So many items are synced one by one, more of them as one file system.
const ONE_BY_ONE: usize = 16;

/// File systems on which `syncfs` says nothing of what their server keeps: FUSE, 9p.
const ONLY_ONE_BY_ONE: [FsWord; 2] = [0x6573_5546, 0x0102_1997];

/// File systems that are to be synced whole.
#[derive(Default)]
struct Whole(Vec<(FsId, Arc<OwnedFd>)>);

impl Whole {
    fn add(&mut self, handle: impl Into<Arc<OwnedFd>>) -> Result<(), Errno> {
        let handle = handle.into();
        let fs = see_open(&handle)?.fs;
        if !self.0.iter().any(|(known, _)| *known == fs) {
            self.0.push((fs, handle));
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), Errno> {
        self.0.iter().try_for_each(|(_, handle)| syncfs(handle))
    }
}

/// Makes durable all that anybody wrote to the file systems of these folders so far.
///
/// # Errors
///
/// When one of them cannot say so: what its server keeps, say.
pub(super) fn sync_file_systems(folders: impl Iterator<Item = OwnedFd>) -> Result<(), Errno> {
    let mut whole = Whole::default();
    for folder in folders {
        if !is_synced_whole(&folder) {
            return Err(Errno::NOTSUP);
        }
        whole.add(folder)?;
    }
    whole.sync()
}

/// What syncing one item came to.
enum Synced {
    Done,
    /// It is not there any more, or cannot be synced by itself.
    OnlyWhole,
}

impl LocalDisk {
    pub(super) fn make_durable(
        &self,
        files: &[(RelPath, LocalStamp)],
        folders: &[RelPath],
    ) -> Result<(), DiskError> {
        let trash = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let folders: BTreeSet<&RelPath> = folders.iter().collect();
        let many = files.len() + folders.len() + trash.len() > ONE_BY_ONE;
        let mut whole = Whole::default();
        for (path, stamp) in files {
            self.sync_file(path, stamp, many, &mut whole)?;
        }
        // Names after the contents that they stand for.
        for folder in folders {
            let fail = |errno| self.fail("sync", folder, errno);
            let (handle, is_there) = self.nearest(folder)?;
            if !is_there || many && is_synced_whole(&handle) {
                whole.add(handle).map_err(fail)?;
            } else if let Synced::OnlyWhole = sync_one(&handle).map_err(fail)? {
                whole.add(handle).map_err(fail)?;
            }
        }
        for item in &trash {
            self.sync_trash(item, many, &mut whole).map_err(|errno| self.fail("sync", &item.0, errno))?;
        }
        whole.sync().map_err(|errno| self.fail("sync", &RelPath::root(), errno))?;
        let mut unsynced = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        unsynced.retain(|item| !trash.contains(item));
        Ok(())
    }

    /// The folder, or where it was moved or removed meanwhile the nearest one above it, which is on its file system; and which
    /// of the two it is.
    fn nearest(&self, folder: &RelPath) -> Result<(OwnedFd, bool), DiskError> {
        let mut at = folder.clone();
        loop {
            match (self.root.folder(&at), at.parent()) {
                (Ok(handle), _) => return Ok((handle, at == *folder)),
                (Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP), Some(parent)) => at = parent,
                (Err(errno), _) => return Err(self.fail("sync", folder, errno)),
            }
        }
    }

    /// Content, size and times of one file. One that is another file by now, or elsewhere, is durable with its file system.
    fn sync_file(
        &self,
        path: &RelPath,
        stamp: &LocalStamp,
        many: bool,
        whole: &mut Whole,
    ) -> Result<(), DiskError> {
        let fail = |errno| self.fail("sync", path, errno);
        let (folder, is_there) = self.nearest(&path.parent().unwrap_or_default())?;
        let is_on_root = see_open(&folder).map_err(fail)?.fs == self.root.fs;
        // A file that is a mount point by itself is on no file system of its folder's.
        let is_alone = is_on_root && !stamp.on_root_fs;
        if is_there && (is_alone || !(many && is_synced_whole(&folder))) {
            match self.sync_planned(&folder, path.name(), stamp).map_err(fail)? {
                Synced::Done => return Ok(()),
                // The volume that it was on is not there any more, and nobody can say what it keeps.
                Synced::OnlyWhole if is_alone => return Err(DiskError::Folder { path: path.clone() }),
                Synced::OnlyWhole => {}
            }
        } else if is_alone {
            return Err(DiskError::Folder { path: path.clone() });
        }
        whole.add(folder).map_err(fail)
    }

    fn sync_planned(&self, folder: &OwnedFd, name: &str, stamp: &LocalStamp) -> Result<Synced, Errno> {
        let is_it = |seen: &super::seen::Seen| seen.kind == LocalKind::File && seen.is_identical(stamp);
        // Looking first keeps us from opening a device or a FIFO, which may have effects.
        match see(folder, name) {
            Ok(seen) if is_it(&seen) => {}
            Ok(_) | Err(Errno::NOENT) => return Ok(Synced::OnlyWhole),
            Err(errno) => return Err(errno),
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let Ok(file) = openat(folder, name, flags, Mode::empty()) else { return Ok(Synced::OnlyWhole) };
        if is_it(&see_open(&file)?) { sync_one(&file) } else { Ok(Synced::OnlyWhole) }
    }

    /// What came to the trash, with the folders on the way to it.
    fn sync_trash(&self, (top, inside, name): &Unsynced, many: bool, whole: &mut Whole) -> Result<(), Errno> {
        let area = match self.area_at(top) {
            // The volume went away with its trash; what was moved there was moved within it.
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            other => other?,
        };
        if many && is_synced_whole(&area.trash) {
            return whole.add(area.trash);
        }
        let mut folder = open_folder(&area.trash, ".")?;
        let mut on_the_way = Vec::new();
        for part in inside.split('/') {
            let next = match open_folder(&folder, part) {
                // Emptied and removed since: there is nothing left to keep.
                Err(Errno::NOENT) => return Ok(()),
                other => other?,
            };
            on_the_way.push(std::mem::replace(&mut folder, next));
        }
        match see(&folder, &**name) {
            Ok(seen) => {
                let stamp = seen.stamp(self.root.fs, seen.fs, self.root.traits_of(seen.fs, &folder));
                if let Synced::OnlyWhole = self.sync_planned(&folder, name, &stamp)? {
                    return whole.add(folder);
                }
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        on_the_way.push(folder);
        for folder in on_the_way {
            if let Synced::OnlyWhole = sync_one(&folder)? {
                return whole.add(folder);
            }
        }
        Ok(())
    }
}

/// Whether `syncfs` there makes all durable that was written through that file system.
pub(super) fn is_synced_whole(handle: &OwnedFd) -> bool {
    fstatfs(handle).is_ok_and(|fs| !ONLY_ONE_BY_ONE.contains(&fs.f_type))
}

fn sync_one(handle: &OwnedFd) -> Result<Synced, Errno> {
    match fsync(handle) {
        Ok(()) => Ok(Synced::Done),
        // Some file systems have no such call for a folder, or for what was opened to read.
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Synced::OnlyWhole),
        Err(errno) => Err(errno),
    }
}
