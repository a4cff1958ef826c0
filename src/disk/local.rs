//! The real file system behind the port [`Disk`].

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use rustix::fd::AsFd;
use rustix::fs::{Access, AtFlags, Mode, OFlags, accessat, openat};
use rustix::io::Errno;
use rustix::path::Arg;
use rustix::process::geteuid;

use crate::engine::ports::{Disk, DiskError, Displaced, Download, DownloadKey, FolderReading, Ready, Source};
use crate::model::name::PRIVATE_FOLDER;
use crate::model::{LocalEntry, LocalStamp, RelPath, Skews};

use super::Marker;
use super::errors::{OpenError, disk_error};
use super::install::light::Light;
use super::private::area::Area;
use super::private::small_files::remove_small;
use super::root::{Place, Root};
use super::seen::{FsId, Seen};
use super::space::Space;

/// How [`LocalDisk::open`] opens the drive.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether the program will write there; without it a folder that may only be read is fine.
    pub writes: bool,
    /// The marker that the drive must bear, where the state has one.
    pub marker: Option<Marker>,
    /// Does without the flags of `renameat2`, as on file systems that lack them.
    pub force_no_renameat2: bool,
    /// Opens each part of a path by itself, as on kernels without `openat2`.
    pub force_component_walk: bool,
    /// Keeps a record beside each download, however small it is.
    pub force_records: bool,
}

/// What came to the trash and has still to be made durable by [`Disk::sync`]: the area it belongs to, the folder inside the
/// trash, and the name there.
pub(super) type Unsynced = (RelPath, String, Box<str>);

/// The drive's folder on the real file system.
pub struct LocalDisk {
    pub(super) root: Root,
    pub(super) options: Options,
    pub(super) expected: Option<Marker>,
    pub(super) folds: OnceLock<bool>,
    /// Who owns what this process makes, for each file system where it is not this process's user. Held for a look only.
    pub(super) owners: Mutex<Vec<(FsId, u32)>>,
    /// Whether it was told that a folder of the volume itself is left alone.
    pub(super) left_alone: AtomicBool,
    /// The room that was promised to downloads.
    pub(super) space: Arc<Space>,
    /// Small downloads that are finished. Held for a look or an insertion only.
    pub(super) light: Arc<Light>,
    /// What came to the trash since the last sync. Held for an insertion or a copy only.
    pub(super) unsynced: Mutex<BTreeSet<Unsynced>>,
    /// The root's own area, once it was opened. Held for a copy or a replacement only.
    pub(super) area: Mutex<Option<Area>>,
    /// Folders that have an area of their own beside that of their file system. Held for a search or an insertion only.
    pub(super) near: Mutex<BTreeSet<RelPath>>,
    /// Crash tests: how many steps are left.
    #[cfg(test)]
    pub(super) steps_left: Mutex<Option<u32>>,
    /// Tests of what persons do in between: done at the end of each step.
    #[cfg(test)]
    pub(super) at_each_step: Mutex<Option<Box<dyn FnMut() + Send>>>,
    /// Tests of what it costs: how often it waited for the disk.
    #[cfg(test)]
    pub(super) syncs: std::sync::atomic::AtomicU32,
}

impl LocalDisk {
    /// Opens the drive's folder. Creates nothing there; [`LocalDisk::read_marker`] comes first, then
    /// [`LocalDisk::write_marker`] or [`LocalDisk::prepare`].
    ///
    /// # Errors
    ///
    /// [`OpenError`], each with the sentence for the owner.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let root = Root::open(directory, options.force_component_walk).map_err(|errno| match errno {
            Errno::NOENT => OpenError::Missing(directory.to_owned()),
            Errno::NOTDIR => OpenError::NotDirectory(directory.to_owned()),
            Errno::ACCESS | Errno::PERM => not_permitted(directory, "readable"),
            other => OpenError::Io { path: directory.to_owned(), source: other.into() },
        })?;
        let mut needed = Access::READ_OK | Access::EXEC_OK;
        if options.writes {
            needed |= Access::WRITE_OK;
        }
        may_access(&root.handle, ".", needed).map_err(|errno| match errno {
            Errno::ROFS => OpenError::ReadOnly(directory.to_owned()),
            Errno::ACCESS | Errno::PERM => {
                not_permitted(directory, if options.writes { "writable" } else { "readable" })
            }
            other => OpenError::Io { path: directory.to_owned(), source: other.into() },
        })?;
        let disk = Self {
            root,
            expected: options.marker.clone(),
            options,
            folds: OnceLock::new(),
            owners: Mutex::new(Vec::new()),
            left_alone: AtomicBool::new(false),
            space: Arc::default(),
            light: Arc::default(),
            unsynced: Mutex::new(BTreeSet::new()),
            area: Mutex::new(None),
            near: Mutex::new(BTreeSet::new()),
            #[cfg(test)]
            steps_left: Mutex::new(None),
            #[cfg(test)]
            at_each_step: Mutex::new(None),
            #[cfg(test)]
            syncs: std::sync::atomic::AtomicU32::new(0),
        };
        // Of the root alone: a volume mounted in it may hang, and whoever opens the folder has nobody yet who could say so.
        if let Ok(area) = disk.area_at(&RelPath::root()) {
            disk.remember_traits(&area);
        }
        Ok(disk)
    }

    /// How many bytes downloads leave free; `None` for the smaller of a hundredth of the disk and a gigabyte.
    pub fn keep_free(&self, bytes: Option<u64>) {
        self.space.keep_free(bytes);
    }

    /// The port's error for what the system said of an item.
    pub(super) fn fail(&self, what: &'static str, path: &RelPath, errno: Errno) -> DiskError {
        if matches!(errno, Errno::STALE | Errno::NODEV | Errno::ROFS)
            && let Err(wrong) = self.root_is_right()
        {
            return wrong;
        }
        disk_error(what, path, errno)
    }

    /// As [`LocalDisk::fail`], where a new name is given to something: the system's "invalid argument" is about the name then, and so is, on some
    /// file systems, that nothing is there.
    pub(super) fn fail_naming(&self, what: &'static str, path: &RelPath, errno: Errno) -> DiskError {
        match errno {
            Errno::INVAL => DiskError::Name { path: path.clone() },
            Errno::NOENT if self.refuses_name(path) => DiskError::Name { path: path.clone() },
            _ => self.fail(what, path, errno),
        }
    }

    /// Whether the file system cannot hold the last name of a path, tried out in our own area there.
    fn refuses_name(&self, path: &RelPath) -> bool {
        let Ok(area) = self.area_of(&path.parent().unwrap_or_default()) else { return false };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match openat(&area.tmp, path.name(), flags, Mode::RUSR | Mode::WUSR) {
            Ok(_) => {
                let _ = remove_small(&area.tmp, path.name());
                false
            }
            Err(errno) => matches!(errno, Errno::NOENT | Errno::INVAL | Errno::ILSEQ | Errno::NAMETOOLONG),
        }
    }

    /// Whether the folder's file system is mounted read-only, where that matters.
    pub(super) fn is_read_only(&self) -> bool {
        self.options.writes && may_access(&self.root.handle, ".", Access::WRITE_OK) == Err(Errno::ROFS)
    }

    /// Refuses the root and what is ours: they are never an item.
    pub(super) fn permit(&self, path: &RelPath) -> Result<(), DiskError> {
        if path.is_root() {
            return Err(DiskError::Folder { path: path.clone() });
        }
        if self.is_ours(path) { Err(DiskError::Name { path: path.clone() }) } else { Ok(()) }
    }

    /// Whether the path leads into an area of ours, at any level.
    pub(super) fn is_ours(&self, path: &RelPath) -> bool {
        path.parts().any(|part| {
            part == PRIVATE_FOLDER || part.eq_ignore_ascii_case(PRIVATE_FOLDER) && self.names_fold()
        })
    }

    /// The open folder of an item, and its name there.
    pub(super) fn place_of(&self, path: &RelPath) -> Result<Place, DiskError> {
        self.root.place(path).map_err(|errno| self.fail("reach", path, errno))
    }

    /// What stands there; `Changed` when nothing does.
    pub(super) fn seen_at(&self, place: &Place, path: &RelPath) -> Result<Seen, DiskError> {
        match place.see() {
            Ok(Some(seen)) => Ok(seen),
            Ok(None) => Err(DiskError::Changed { path: path.clone() }),
            Err(errno) => Err(self.fail("look at", path, errno)),
        }
    }

    /// The entry of what stands there now.
    pub(super) fn entry_at(&self, place: &Place, path: &RelPath) -> Result<LocalEntry, DiskError> {
        Ok(self.root.entry(&self.seen_at(place, path)?, place.fs, place.traits))
    }

    /// Passes on what a call came to that waits for the disk; tests count them.
    #[allow(clippy::unused_self)]
    pub(super) fn count_sync<T>(&self, result: T) -> T {
        #[cfg(test)]
        self.syncs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        result
    }

    /// Marks the end of one effect, so that tests can stop there as a crash would.
    #[cfg(not(test))]
    #[allow(clippy::unused_self)]
    pub(super) fn step(&self) {}

    /// Marks the end of one effect, so that tests can stop there as a crash would.
    #[cfg(test)]
    pub(super) fn step(&self) {
        if let Some(act) = self.at_each_step.lock().unwrap().as_mut() {
            act();
        }
        let mut left = self.steps_left.lock().unwrap();
        match left.as_mut() {
            Some(0) => {
                drop(left);
                std::panic::resume_unwind(Box::new(super::tests::Crash));
            }
            Some(count) => *count -= 1,
            None => {}
        }
    }
}

/// Tells whether this program may work in `directory`, with the sentence for the owner where it may not.
///
/// # Errors
///
/// [`OpenError::NotPermitted`], [`OpenError::ReadOnly`], or what else the system says.
pub fn check_writable(directory: &Path) -> Result<(), OpenError> {
    let needed = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    may_access(rustix::fs::CWD, directory, needed).map_err(|errno| match errno {
        Errno::ROFS => OpenError::ReadOnly(directory.to_owned()),
        Errno::ACCESS | Errno::PERM => not_permitted(directory, "writable"),
        other => OpenError::Io { path: directory.to_owned(), source: other.into() },
    })
}

/// Whether this program may access something. Kernels before 5.8 cannot be asked of the effective user, and some filters
/// of system calls forbid the question.
fn may_access(folder: impl AsFd, path: impl Arg, needed: Access) -> Result<(), Errno> {
    let path = path.as_cow_c_str()?;
    match accessat(&folder, &*path, needed, AtFlags::EACCESS) {
        Err(Errno::NOSYS | Errno::PERM) => accessat(&folder, &*path, needed, AtFlags::empty()),
        other => other,
    }
}

/// Says whose the folder is, who we are, and what helps.
fn not_permitted(directory: &Path, lacking: &'static str) -> OpenError {
    let us = geteuid().as_raw();
    let path = directory.to_owned();
    let reason = match rustix::fs::stat(directory) {
        Err(_) => format!("icloudds runs as uid {us} and may not even look at it"),
        Ok(found) => {
            let allowed = if found.st_uid == us {
                let needed = if lacking == "writable" { 0o700 } else { 0o500 };
                found.st_mode & needed == needed
            } else {
                false
            };
            let whose = format!(
                "it belongs to uid {}, gid {} with mode {:o}, and icloudds runs as uid {us}",
                found.st_uid,
                found.st_gid,
                found.st_mode & 0o7777
            );
            if allowed {
                format!("{whose}, so something else forbids it; with SELinux, mount the volume with `:Z`")
            } else {
                format!(
                    "{whose}; run it as that user or change the owner (Podman: `--userns=keep-id`, with SELinux `:Z` on \
                     the volume; Kubernetes: `fsGroup` in the pod's securityContext)"
                )
            }
        }
    };
    OpenError::NotPermitted { path, lacking, reason }
}

impl Disk for LocalDisk {
    fn check_root(&self) -> Result<(), DiskError> {
        self.root_is_right()
    }

    fn folds_case(&self) -> bool {
        self.names_fold()
    }

    fn skews(&self) -> Skews {
        self.root.clocks.now(|| self.areas())
    }

    fn mounts(&self) -> Vec<u64> {
        self.numbers_of_mounts()
    }

    fn read_folder(&self, folder: &RelPath) -> Result<FolderReading, DiskError> {
        self.list(folder)
    }

    fn look(&self, path: &RelPath) -> Result<Option<LocalEntry>, DiskError> {
        if self.is_ours(path) {
            return Ok(None);
        }
        let place = self.place_of(path)?;
        let seen = match place.see() {
            // The disk cannot hold such a name, so nothing has it.
            Err(Errno::NAMETOOLONG | Errno::ILSEQ | Errno::INVAL) => None,
            other => other.map_err(|errno| self.fail("look at", path, errno))?,
        };
        Ok(seen.map(|seen| self.root.entry(&seen, place.fs, place.traits)))
    }

    fn open(&self, path: &RelPath, stamp: &LocalStamp) -> Result<Box<dyn Source>, DiskError> {
        self.permit(path)?;
        self.source(path, stamp)
    }

    fn make_folder(&self, path: &RelPath) -> Result<LocalEntry, DiskError> {
        self.permit(path)?;
        self.make(path)
    }

    fn download(&self, key: &DownloadKey) -> Result<Box<dyn Download>, DiskError> {
        self.permit(&key.path)?;
        self.begin_download(key)
    }

    fn place(&self, ready: &Ready, to: &RelPath) -> Result<LocalEntry, DiskError> {
        self.permit(to)?;
        self.put_new(ready, to)
    }

    fn replace(
        &self,
        ready: &Ready,
        at: &RelPath,
        stamp: &LocalStamp,
    ) -> Result<(LocalEntry, Displaced), DiskError> {
        self.permit(at)?;
        self.put_over(ready, at, stamp)
    }

    fn discard(&self, ready: &Ready) {
        self.drop_download(ready);
    }

    fn forget_unwanted(&self, is_wanted: &dyn Fn(&DownloadKey) -> bool) {
        let keep = |key: &DownloadKey| is_wanted(key);
        if let Err(error) = self.forget_downloads(&keep) {
            log::debug!("unfinished downloads cannot be forgotten: {error}");
        }
    }

    fn rescue(&self, slot: &str, to: &RelPath) -> Result<LocalEntry, DiskError> {
        self.permit(to)?;
        self.bring_back(slot, to)
    }

    fn rename(&self, from: &RelPath, to: &RelPath, stamp: &LocalStamp) -> Result<LocalEntry, DiskError> {
        self.permit(from)?;
        self.permit(to)?;
        self.move_item(from, to, stamp)
    }

    fn move_across(&self, from: &RelPath, to: &RelPath, stamp: &LocalStamp) -> Result<LocalEntry, DiskError> {
        self.permit(from)?;
        self.permit(to)?;
        LocalDisk::move_across(self, from, to, stamp)
    }

    fn trash(&self, path: &RelPath, stamp: &LocalStamp) -> Result<(), DiskError> {
        self.permit(path)?;
        self.throw_away(path, stamp)
    }

    fn sync(&self, files: &[(RelPath, LocalStamp)], folders: &[RelPath]) -> Result<(), DiskError> {
        self.make_durable(files, folders)
    }
}
