//! Looking at folders and reading files.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::Ordering;

use filetime::FileTime;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, fsync, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::engine::ports::{DiskError, FolderReading, Source};
use crate::model::name::PRIVATE_FOLDER;
use crate::model::{DiskTime, FolderState, LocalEntry, LocalKind, LocalStamp, RelPath, Signature};

use super::clock_skew::now;
use super::fs_traits::FsTraits;
use super::private::small_files::unique;
use super::root::Place;
use super::seen::{FsId, Seen, open_folder, see_if_there, see_open};
use super::{Hasher, LocalDisk};

/// Longer than anything that was written waits for being written back.
const LATELY_SECONDS: i64 = 3600;

/// Folders that file systems, storage boxes and other systems keep at the root of a volume.
const OF_THE_VOLUME: [&str; 12] = [
    "lost+found",
    ".Trashes",
    ".fseventsd",
    ".Spotlight-V100",
    ".DocumentRevisions-V100",
    "System Volume Information",
    "$RECYCLE.BIN",
    "@eaDir",
    "#recycle",
    "#snapshot",
    ".snapshots",
    ".zfs",
];

/// Whether what the system said of one child of a folder that was read is about that child alone, as where it is a mount point whose server is
/// gone. Who may not look at one may look at none, and who is out of something should look again.
fn is_of_the_child(errno: Errno) -> bool {
    !matches!(
        errno,
        Errno::ACCESS
            | Errno::PERM
            | Errno::MFILE
            | Errno::NFILE
            | Errno::NOMEM
            | Errno::INTR
            | Errno::AGAIN
            | Errno::NOTDIR
    )
}

impl LocalDisk {
    pub(super) fn list(&self, folder: &RelPath) -> Result<FolderReading, DiskError> {
        if self.is_ours(folder) {
            return Err(DiskError::Folder { path: folder.clone() });
        }
        let fail = |errno| self.fail("read", folder, errno);
        let handle = self.root.folder(folder).map_err(fail)?;
        let own = see_open(&handle).map_err(fail)?;
        let fs = own.fs;
        let traits = self.root.traits_of(fs, &handle);
        let LocalStamp { identity, on_root_fs, .. } = self.root.entry(&own, fs, traits).stamp;
        let mut reading = FolderReading { identity, on_root_fs, ..FolderReading::default() };
        for entry in Dir::read_from(&handle).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") || name.to_bytes() == PRIVATE_FOLDER.as_bytes() {
                continue;
            }
            let Ok(text) = name.to_str() else {
                reading.unnameable.push(String::from_utf8_lossy(name.to_bytes()).into_owned());
                continue;
            };
            // One that went away since it was listed is not there.
            let seen = match see_if_there(&handle, name) {
                Err(errno) if is_of_the_child(errno) => {
                    let path = folder.join(text).unwrap_or_else(|_| folder.clone());
                    match self.fail("look at", &path, errno) {
                        wrong @ DiskError::WrongRoot(_) => return Err(wrong),
                        error => reading.unseen.push((text.into(), error.to_string())),
                    }
                    continue;
                }
                other => other.map_err(fail)?,
            };
            if let Some(seen) = seen {
                let mut entry = self.root.entry(&seen, fs, traits);
                if seen.kind == LocalKind::Folder && self.is_of_the_volume(&handle, text, &seen) {
                    (entry.kind, entry.state) = (LocalKind::Special, FolderState::Incomplete);
                }
                reading.entries.push((text.into(), entry));
            }
        }
        reading.entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        reading.unnameable.sort_unstable();
        reading.unseen.sort_unstable();
        Ok(reading)
    }

    /// Whether a folder is the file system's, or the machine's, own: `lost+found` and the like, another user's and closed
    /// to us. Told once, since nobody has to do anything about it.
    fn is_of_the_volume(&self, folder: &OwnedFd, name: &str, seen: &Seen) -> bool {
        let is_one = OF_THE_VOLUME.contains(&name) || name.starts_with(".Trash-");
        if !is_one || seen.uid == geteuid().as_raw() {
            return false;
        }
        let closed = matches!(open_folder(folder, name), Err(Errno::ACCESS | Errno::PERM));
        if closed && !self.left_alone.swap(true, Ordering::Relaxed) {
            log::debug!("{name} belongs to the volume and is closed to this program: it is left alone");
        }
        closed
    }

    /// Whether names that differ only in case are one name here. Tried out in our own folder once it is there;
    /// before that nothing may be created, and the answer is what the kind of file system suggests.
    pub(super) fn names_fold(&self) -> bool {
        if let Some(known) = self.folds.get() {
            return *known;
        }
        match self.probe_folding() {
            Some(found) => *self.folds.get_or_init(|| found),
            None => super::watchability::usually_folds(&self.root.handle),
        }
    }

    fn probe_folding(&self) -> Option<bool> {
        let area = self.area_at(&RelPath::root()).ok()?;
        let name = format!("{}.case", unique());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        openat(&area.tmp, &*name, flags, Mode::RUSR | Mode::WUSR).ok()?;
        let found = see_if_there(&area.tmp, name.to_uppercase());
        unlinkat(&area.tmp, &*name, AtFlags::empty()).ok()?;
        found.ok().map(|seen| seen.is_some())
    }

    pub(super) fn source(&self, path: &RelPath, stamp: &LocalStamp) -> Result<Box<dyn Source>, DiskError> {
        let place = self.place_of(path)?;
        let file = self.open_planned(&place, path, stamp)?;
        clean(&file, stamp).map_err(|errno| self.fail("read", path, errno))?;
        Ok(Box::new(LocalSource {
            file,
            stamp: *stamp,
            path: path.clone(),
            root: self.root.fs,
            parent: place.fs,
            traits: place.traits,
            hasher: Hasher::default(),
            read: 0,
            ended: false,
        }))
    }

    /// Opens the file that `stamp` describes, checked by name and on the handle.
    pub(super) fn open_planned(
        &self,
        place: &Place,
        path: &RelPath,
        stamp: &LocalStamp,
    ) -> Result<File, DiskError> {
        let changed = || DiskError::Changed { path: path.clone() };
        // Looking first keeps us from opening a device or a FIFO, which may have effects.
        if !self.seen_at(place, path)?.is_exactly(stamp) {
            return Err(changed());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(&place.folder, &*place.name, flags, Mode::empty()) {
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Err(changed()),
            other => File::from(other.map_err(|errno| self.fail("open", path, errno))?),
        };
        let seen = see_open(&file).map_err(|errno| self.fail("look at", path, errno))?;
        if seen.is_exactly(stamp) { Ok(file) } else { Err(changed()) }
    }

    pub(super) fn make(&self, path: &RelPath) -> Result<LocalEntry, DiskError> {
        let place = self.place_of(path)?;
        // All bits: umask, set-group-id bit and default ACL make of it what they make of every new folder there.
        mkdirat(&place.folder, &*place.name, Mode::RWXU | Mode::RWXG | Mode::RWXO)
            .map_err(|errno| self.fail_naming("create", path, errno))?;
        self.step();
        self.entry_at(&place, path)
    }
}

/// Writes back what waits of a file that was changed lately: from then on every write to it, through a memory map too, sets a time
/// anew, so that reading it is of one version or sees that it is not.
fn clean(file: &File, stamp: &LocalStamp) -> Result<(), Errno> {
    let is_old = stamp.ctime.0 < now().0.saturating_sub(LATELY_SECONDS * 1_000_000_000);
    if is_old {
        return Ok(());
    }
    match fsync(file) {
        // Some file systems have no such call for what was opened to read, or are mounted to be read alone.
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::ROFS) => Ok(()),
        other => other,
    }
}

/// A planned file, open for reading.
struct LocalSource {
    file: File,
    stamp: LocalStamp,
    path: RelPath,
    root: FsId,
    parent: FsId,
    traits: FsTraits,
    hasher: Hasher,
    read: u64,
    ended: bool,
}

impl Read for LocalSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.read += count as u64;
        self.ended |= count == 0 && !buffer.is_empty();
        Ok(count)
    }
}

impl Source for LocalSource {
    fn finish(mut self: Box<Self>) -> Result<Signature, DiskError> {
        let fail = |source| DiskError::Io { what: "read", path: self.path.clone(), source };
        // A reader that counts stops right at the end without seeing it.
        let ended = self.ended || self.file.read(&mut [0]).map_err(fail)? == 0;
        let seen = see_open(&self.file).map_err(|errno| fail(errno.into()))?;
        let mtime = FileTime::from_last_modification_time(&self.file.metadata().map_err(fail)?);
        let same = seen.stamp(self.root, self.parent, self.traits) == self.stamp
            && DiskTime::new(mtime.unix_seconds(), mtime.nanoseconds()) == self.stamp.mtime;
        if ended && self.read == self.stamp.size && same {
            Ok(self.hasher.finish())
        } else {
            Err(DiskError::Changed { path: self.path })
        }
    }
}
