//! The handle of the drive's root, and the way from it to an item.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Statx, StatxAttributes, StatxFlags, StatxTimestamp,
    openat, openat2, statx,
};
use rustix::io::Errno;
use rustix::path::Arg;

use crate::model::name::cut;
use crate::model::{DiskTime, FolderState, Identity, LocalEntry, LocalKind, LocalStamp, RelPath};

/// Paths longer than this take several calls: one takes at most 4096 bytes.
const LONGEST_CALL: usize = 3000;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A file system as seen through one mount: renames stay within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FsId {
    device: (u32, u32),
    mount: Option<u64>,
}

/// What one `statx` says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub kind: LocalKind,
    pub fs: FsId,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub links: u32,
    size: u64,
    mtime: DiskTime,
    ctime: DiskTime,
    pub identity: Identity,
    mount_root: bool,
}

fn time(time: StatxTimestamp) -> DiskTime {
    DiskTime::new(time.tv_sec, time.tv_nsec)
}

impl Seen {
    fn new(raw: &Statx) -> Self {
        let has = |flag: StatxFlags| raw.stx_mask & flag.bits() != 0;
        let kind = match FileType::from_raw_mode(u32::from(raw.stx_mode)) {
            FileType::RegularFile => LocalKind::File,
            FileType::Directory => LocalKind::Folder,
            _ => LocalKind::Special,
        };
        Self {
            kind,
            fs: FsId {
                device: (raw.stx_dev_major, raw.stx_dev_minor),
                mount: has(StatxFlags::MNT_ID).then_some(raw.stx_mnt_id),
            },
            mode: u32::from(raw.stx_mode) & 0o7777,
            uid: raw.stx_uid,
            gid: raw.stx_gid,
            links: raw.stx_nlink,
            size: if kind == LocalKind::Folder { 0 } else { raw.stx_size },
            mtime: time(raw.stx_mtime),
            ctime: time(raw.stx_ctime),
            identity: Identity {
                inode: raw.stx_ino,
                birth: has(StatxFlags::BTIME).then(|| time(raw.stx_btime)),
            },
            mount_root: raw.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        }
    }

    /// Its size in bytes; 0 for folders.
    /// When its inode changed last.
    pub fn changed(&self) -> jiff::Timestamp {
        jiff::Timestamp::new(self.ctime.whole_seconds(), 0).unwrap_or_default()
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether both are one item now: not only of one path.
    pub fn is(&self, other: &Self) -> bool {
        self.fs.device == other.fs.device && self.identity == other.identity
    }

    /// Its fingerprint, as an item of a folder on `parent`.
    ///
    /// A file is where its folder is, unless it is a mount point itself: on overlays the device number of a
    /// file says nothing of where it can be renamed to.
    pub fn stamp(&self, root: FsId, parent: FsId) -> LocalStamp {
        LocalStamp {
            size: self.size,
            mtime: self.mtime,
            ctime: self.ctime,
            identity: self.identity,
            on_root_fs: match self.kind {
                LocalKind::Folder => self.fs == root,
                _ => parent == root && !self.mount_root,
            },
        }
    }

    /// Whether it is still what `planned` describes, but for the inode's own time, which each rename sets: kind
    /// and identity, for a file size and modification time too.
    pub fn is_still(&self, planned: &LocalStamp) -> bool {
        self.identity == planned.identity
            && match self.kind {
                LocalKind::Folder => true,
                LocalKind::File => self.size == planned.size && self.mtime == planned.mtime,
                LocalKind::Special => false,
            }
    }

    /// Whether it is a file and exactly what `planned` describes.
    pub fn is_exactly(&self, planned: &LocalStamp) -> bool {
        self.kind == LocalKind::File && self.is_still(planned) && self.ctime == planned.ctime
    }
}

const MASK: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME).union(StatxFlags::MNT_ID);

/// Looks at `name` in an open folder; never follows a link.
pub(super) fn see(folder: impl AsFd, name: impl Arg) -> Result<Seen, Errno> {
    statx(folder, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, MASK).map(|raw| Seen::new(&raw))
}

/// As [`see`]; `None` when nothing has that name.
pub(super) fn see_if_there(folder: impl AsFd, name: impl Arg) -> Result<Option<Seen>, Errno> {
    match see(folder, name) {
        Ok(seen) => Ok(Some(seen)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Looks at an open item.
pub(super) fn see_open(handle: impl AsFd) -> Result<Seen, Errno> {
    statx(handle, "", AtFlags::EMPTY_PATH, MASK).map(|raw| Seen::new(&raw))
}

/// Opens a folder in an open folder; a symbolic link is none.
pub(super) fn open_folder(folder: impl AsFd, name: impl Arg) -> Result<OwnedFd, Errno> {
    openat(folder, name, FOLDER, Mode::empty())
}

/// Where an item is: an open folder and a name in it.
pub(super) struct Place {
    pub folder: OwnedFd,
    pub fs: FsId,
    pub name: Box<str>,
}

impl Place {
    /// Looks at the item.
    pub fn see(&self) -> Result<Option<Seen>, Errno> {
        see_if_there(&self.folder, &*self.name)
    }
}

/// The open root of the drive.
pub(super) struct Root {
    pub handle: OwnedFd,
    pub directory: PathBuf,
    pub fs: FsId,
    /// Whether the kernel's own resolution cannot be used, and each part is opened by itself.
    walks: AtomicBool,
}

impl Root {
    /// Opens the configured folder. Links on the way to it are the owner's business.
    pub fn open(directory: &Path, walks: bool) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = openat(CWD, directory, flags, Mode::empty())?;
        let fs = see_open(&handle)?.fs;
        Ok(Self { handle, directory: directory.to_owned(), fs, walks: AtomicBool::new(walks) })
    }

    /// Opens a folder of the drive; a part that is a symbolic link, or no folder, is an error.
    pub fn folder(&self, path: &RelPath) -> Result<OwnedFd, Errno> {
        if path.is_root() {
            return open_folder(&self.handle, ".");
        }
        if !self.walks.load(Ordering::Relaxed) {
            match self.resolve(path) {
                // Old kernels lack the call, and some containers' filters refuse it.
                Err(Errno::NOSYS | Errno::PERM) => self.walks.store(true, Ordering::Relaxed),
                Err(Errno::AGAIN) => {}
                other => return other,
            }
        }
        let mut folder = open_folder(&self.handle, ".")?;
        for part in path.parts() {
            folder = open_folder(&folder, part)?;
        }
        Ok(folder)
    }

    /// The kernel's own resolution, for a long path in several calls.
    fn resolve(&self, path: &RelPath) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let mut rest = path.as_str();
        let mut folder: Option<OwnedFd> = None;
        loop {
            let start = cut(rest, LONGEST_CALL);
            let (part, more) = if start.len() == rest.len() {
                (rest, None)
            } else {
                // No name is as long as that.
                let end = start.rfind('/').ok_or(Errno::NAMETOOLONG)?;
                (&rest[..end], Some(&rest[end + 1..]))
            };
            let from = folder.as_ref().unwrap_or(&self.handle);
            let opened = openat2(from, part, FOLDER, Mode::empty(), resolve)?;
            match more {
                Some(more) => rest = more,
                None => return Ok(opened),
            }
            folder = Some(opened);
        }
    }

    /// The folder and the name of an item. The root itself is `.` in itself.
    pub fn place(&self, path: &RelPath) -> Result<Place, Errno> {
        let (parent, name) = match path.parent() {
            Some(parent) => (parent, path.name()),
            None => (RelPath::root(), "."),
        };
        let folder = self.folder(&parent)?;
        let fs = see_open(&folder)?.fs;
        Ok(Place { folder, fs, name: name.into() })
    }

    /// What the engine learns of an item of a folder on `parent`.
    pub fn entry(&self, seen: &Seen, parent: FsId) -> LocalEntry {
        let stamp = seen.stamp(self.fs, parent);
        LocalEntry {
            kind: seen.kind,
            stamp,
            racy: is_racy(&stamp, now()),
            signature: None,
            state: FolderState::Unread,
            holds_unnameable: false,
        }
    }
}

/// The wall clock, which the disk's own stamps are made by.
pub(super) fn now() -> DiskTime {
    let now = jiff::Timestamp::now();
    DiskTime(i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX))
}

/// Whether a change right after `now` could leave the stamp as it is (`docs/sync.md` §3, racy).
fn is_racy(stamp: &LocalStamp, now: DiskTime) -> bool {
    stamp.mtime.is_within(2, now) || stamp.ctime.is_within(2, now)
}
