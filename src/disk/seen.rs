//! Looking at an item: what the system says of it, and what of that its stamp holds.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, Statx, StatxAttributes, StatxFlags, StatxTimestamp, fstat, openat,
    statat, statx,
};
use rustix::io::Errno;
use rustix::path::Arg;

use crate::model::{DiskTime, Identity, LocalKind, LocalStamp};

use super::fs_traits::FsTraits;

/// How a folder is opened; a symbolic link is none.
pub(super) const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A file system as seen through one mount: renames stay within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FsId {
    device: (u32, u32),
    pub mount: Option<u64>,
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

fn kind_of(mode: u32) -> LocalKind {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => LocalKind::File,
        FileType::Directory => LocalKind::Folder,
        _ => LocalKind::Special,
    }
}

fn time(time: StatxTimestamp) -> DiskTime {
    DiskTime::new(time.tv_sec, time.tv_nsec)
}

impl Seen {
    /// What the call tells that kernels have had from the beginning: neither birth times nor mounts.
    fn of_stat(raw: &Stat) -> Self {
        // Signs and widths of these members differ from one platform to the next.
        #[allow(clippy::unnecessary_cast, clippy::cast_possible_wrap, clippy::cast_sign_loss)]
        #[allow(clippy::cast_possible_truncation)]
        let time = |seconds: i64, nanoseconds: u64| DiskTime::new(seconds, nanoseconds as u32);
        let kind = kind_of(raw.st_mode);
        #[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Self {
            kind,
            fs: FsId { device: (rustix::fs::major(raw.st_dev), rustix::fs::minor(raw.st_dev)), mount: None },
            mode: raw.st_mode & 0o7777,
            uid: raw.st_uid,
            gid: raw.st_gid,
            links: raw.st_nlink as u32,
            size: if kind == LocalKind::Folder { 0 } else { raw.st_size as u64 },
            mtime: time(raw.st_mtime as i64, raw.st_mtime_nsec as u64),
            ctime: time(raw.st_ctime as i64, raw.st_ctime_nsec as u64),
            identity: Identity { inode: raw.st_ino as u64, birth: None.into() },
            mount_root: false,
        }
    }

    fn new(raw: &Statx) -> Self {
        let has = |flag: StatxFlags| raw.stx_mask & flag.bits() != 0;
        let kind = kind_of(u32::from(raw.stx_mode));
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
                birth: has(StatxFlags::BTIME).then(|| time(raw.stx_btime)).into(),
            },
            mount_root: raw.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        }
    }

    /// When its inode changed last.
    pub fn changed(&self) -> jiff::Timestamp {
        jiff::Timestamp::new(self.ctime.whole_seconds(), 0).unwrap_or_default()
    }

    /// When its inode changed last, as the disk says.
    pub fn ctime(&self) -> DiskTime {
        self.ctime
    }

    /// When its content changed last, as the disk says.
    pub fn mtime(&self) -> DiskTime {
        self.mtime
    }

    /// Its size in bytes; 0 for folders.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether both are one item now: not only of one path.
    pub fn is(&self, other: &Self) -> bool {
        self.fs.device == other.fs.device && self.identity == other.identity
    }

    /// Whether both could be one file under two names, whatever their inode numbers are.
    pub fn looks_like(&self, other: &Self) -> bool {
        (self.kind, self.size, self.mtime, self.links) == (other.kind, other.size, other.mtime, other.links)
    }

    /// Its fingerprint, as an item of a folder on `parent`.
    ///
    /// A file is where its folder is, unless it is a mount point itself: on overlays the device number of a
    /// file says nothing of where it can be renamed to.
    ///
    /// Where its inode number says nothing, by `traits`, it has no identity.
    pub fn stamp(&self, root: FsId, parent: FsId, traits: FsTraits) -> LocalStamp {
        LocalStamp {
            size: self.size,
            mtime: self.mtime,
            ctime: self.ctime,
            identity: self.lasting(traits).unwrap_or_default(),
            on_root_fs: match self.kind {
                LocalKind::Folder => self.fs == root,
                _ => parent == root && !self.mount_root,
            },
            is_mount: match self.kind {
                LocalKind::Folder => self.fs != parent,
                _ => self.mount_root,
            },
        }
    }

    /// What it keeps wherever it is renamed to, on a file system where `traits` hold.
    pub fn lasting(&self, traits: FsTraits) -> Option<Identity> {
        let is_known = match self.kind {
            LocalKind::Folder => traits.knows_folders(),
            _ => traits.knows_files(),
        };
        let birth = if traits.copies_up { None.into() } else { self.identity.birth };
        is_known.then_some(Identity { birth, ..self.identity })
    }

    /// Whether it is still what `planned` describes, but for the inode's own time, which each rename sets: kind
    /// and, where it has one, identity, for a file size and modification time too.
    pub fn is_still(&self, planned: &LocalStamp) -> bool {
        self.is_identical(planned) && self.is_like(planned)
    }

    /// Whether it has the identity of `planned`, as far as that has one.
    pub fn is_identical(&self, planned: &LocalStamp) -> bool {
        let Identity { inode, birth } = planned.identity;
        let is_same = self.identity.inode == inode && (birth.get().is_none() || birth == self.identity.birth);
        is_same || planned.identity == Identity::default()
    }

    /// Whether it could be what `planned` describes, whatever its inode number is: for a file size and modification time. A folder
    /// has no size, so one that took the place of a file with content is seen as another item.
    pub fn is_like(&self, planned: &LocalStamp) -> bool {
        match self.kind {
            LocalKind::Folder => planned.size == 0,
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

/// Set once the kernel turned out to lack `statx` (it came with Linux 4.11), or a filter of system calls to refuse it.
static WITHOUT_STATX: AtomicBool = AtomicBool::new(false);

/// Looks by `statx`, else by the call that has always been there.
fn see_by(
    statx: impl FnOnce() -> Result<Statx, Errno>,
    stat: impl FnOnce() -> Result<Stat, Errno>,
) -> Result<Seen, Errno> {
    if !WITHOUT_STATX.load(Ordering::Relaxed) {
        match statx() {
            Err(Errno::NOSYS | Errno::PERM) => {}
            other => return other.map(|raw| Seen::new(&raw)),
        }
    }
    let seen = stat().map(|raw| Seen::of_stat(&raw))?;
    WITHOUT_STATX.store(true, Ordering::Relaxed);
    Ok(seen)
}

/// Looks at `name` in an open folder; never follows a link.
pub(super) fn see(folder: impl AsFd, name: impl Arg) -> Result<Seen, Errno> {
    const FLAGS: AtFlags = AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::NO_AUTOMOUNT);
    let name = name.as_cow_c_str()?;
    see_by(|| statx(&folder, &*name, FLAGS, MASK), || statat(&folder, &*name, FLAGS))
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
    see_by(|| statx(&handle, c"", AtFlags::EMPTY_PATH, MASK), || fstat(&handle))
}

/// Opens a folder in an open folder; a symbolic link is none.
pub(super) fn open_folder(folder: impl AsFd, name: impl Arg) -> Result<OwnedFd, Errno> {
    openat(folder, name, FOLDER, Mode::empty())
}
