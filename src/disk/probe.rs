//! What a file system does, tried out for a person who reports on it: in a folder of our own that goes away again.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, Mode, OFlags, XattrFlags, fgetxattr, fsetxattr, fstatfs, fstatvfs, fsync, mkdirat, open, openat,
    unlinkat,
};
use rustix::io::Errno;

use crate::model::name::PRIVATE_FOLDER;

use super::fs_traits::FsTraits;
use super::fs_trial::attempt;
use super::private::small_files::{ensure_folder, unique};
use super::seen::{open_folder, see, see_open};
use super::watchability::magic;
use super::{Watch, watchability};

/// So many syncs of a small file are timed.
const SYNCS: usize = 7;

/// What one file system does.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What holds of inodes, links and exchanges; `None` where nothing may be written.
    pub tried: Option<Tried>,
    /// The name of its kind, or its number.
    pub kind: String,
    /// Whether its changes raise events.
    pub watch: Watch,
    /// Its room.
    pub room: Room,
}

/// What only trying tells.
#[derive(Clone, Debug)]
pub struct Tried {
    /// What the program bases its way of working on.
    pub traits: FsTraits,
    /// Whether files have a time of their birth.
    pub birth_times: bool,
    /// Whether modification times have parts of a second.
    pub fine_times: bool,
    /// Whether names that differ only in case are one.
    pub folds_case: bool,
    /// Whether a composed and a decomposed name are one.
    pub folds_forms: bool,
    /// Whether files can have extended attributes of a user.
    pub xattrs: bool,
    /// How long it takes to make 4 KiB durable: the median.
    pub sync: Duration,
}

/// Room on a file system, in bytes and inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All bytes.
    pub bytes: u64,
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// All inodes; 0 where their number is not fixed.
    pub inodes: u64,
    /// Inodes that are free.
    pub free_inodes: u64,
}

/// Tries what the file system of `directory` does. What is made for it lies in `.icloudds` and is gone afterwards.
///
/// # Errors
///
/// When the directory cannot be opened. What may not be written is no error.
pub fn probe(directory: &Path) -> std::io::Result<Probe> {
    let root = open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let watch = watchability(directory)?;
    let tried = match in_our_folder(&root) {
        Ok(tried) => Some(tried),
        Err(errno) => {
            log::debug!("the file system cannot be tried: {errno}");
            None
        }
    };
    Ok(Probe { tried, kind: kind(magic(fstatfs(&root)?.f_type)), watch, room: room(&root)? })
}

/// The room on the file system of `directory`.
///
/// # Errors
///
/// When it cannot be opened.
pub fn room_of(directory: &Path) -> std::io::Result<Room> {
    let folder = open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(room(&folder)?)
}

fn room(folder: &OwnedFd) -> Result<Room, Errno> {
    let found = fstatvfs(folder)?;
    Ok(Room {
        bytes: found.f_blocks.saturating_mul(found.f_frsize),
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        inodes: found.f_files,
        free_inodes: found.f_favail,
    })
}

/// The names that file systems go by.
fn kind(magic: u32) -> String {
    let name = match magic {
        0xef53 => "ext4 (or ext2, ext3)",
        0x9123_683e => "btrfs",
        0x5846_5342 => "xfs",
        0x0102_1994 => "tmpfs",
        0x2fc1_2fc1 => "zfs",
        0xf2f5_2010 => "f2fs",
        0xca45_1a4e => "bcachefs",
        0x794c_7630 => "overlay",
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x6573_5546 => "FUSE (mergerfs, sshfs, ntfs-3g and others)",
        0x4d44 => "FAT",
        0x2011_bab0 => "exFAT",
        0x5346_544e | 0x7366_746e => "NTFS",
        0x0102_1997 => "9p",
        0x6a65_6a63 => "virtiofs",
        0x00c3_6400 => "Ceph",
        0x482b | 0x4858 => "HFS+",
        _ => return format!("another kind (0x{magic:x})"),
    };
    name.to_owned()
}

fn in_our_folder(root: &OwnedFd) -> Result<Tried, Errno> {
    let is_new = see(root, PRIVATE_FOLDER).is_err();
    let area = ensure_folder(root, PRIVATE_FOLDER)?;
    let name = format!("{}.diagnose", unique());
    let result = mkdirat(&area, &*name, Mode::RWXU).and_then(|()| {
        let folder = open_folder(&area, &*name)?;
        let tried = attempt_all(&folder);
        for left in NAMES {
            let _ = unlinkat(&folder, left, AtFlags::empty());
        }
        tried
    });
    let _ = unlinkat(&area, &*name, AtFlags::REMOVEDIR);
    if is_new {
        // Somebody may have begun to use it meanwhile; then it is not empty and stays.
        let _ = unlinkat(root, PRIVATE_FOLDER, AtFlags::REMOVEDIR);
    }
    result
}

/// Every name that [`attempt_all`] makes.
const NAMES: [&str; 4] = ["case", "caf\u{e9}", "sync", "attribute"];

fn make(folder: &OwnedFd, name: &str) -> Result<File, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

fn attempt_all(folder: &OwnedFd) -> Result<Tried, Errno> {
    let traits = FsTraits { restart: FsTraits::of_kind(folder).restart, ..attempt(folder)? };
    let [case, composed, sync, attribute] = NAMES;
    make(folder, case)?;
    let folds_case = see(folder, "CASE").is_ok();
    make(folder, composed)?;
    let folds_forms = see(folder, "cafe\u{301}").is_ok();
    let file = make(folder, attribute)?;
    let seen = see_open(&file)?;
    let xattrs = fsetxattr(&file, "user.icloudds", b"1", XattrFlags::empty()).is_ok()
        && fgetxattr(&file, "user.icloudds", &mut [0; 8][..]).is_ok();
    let mut file = make(folder, sync)?;
    let mut spans = Vec::with_capacity(SYNCS);
    let mut fine_times = false;
    for _ in 0..SYNCS {
        let failed = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        file.write_all(&[0x5a; 4096]).map_err(failed)?;
        let began = Instant::now();
        fsync(&file)?;
        spans.push(began.elapsed());
        let modified = file.metadata().and_then(|seen| seen.modified()).map_err(failed)?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        fine_times |= since.subsec_nanos() != 0;
    }
    spans.sort_unstable();
    Ok(Tried {
        traits,
        birth_times: seen.identity.birth.get().is_some(),
        fine_times,
        folds_case,
        folds_forms,
        xattrs,
        sync: spans[SYNCS / 2],
    })
}

/// What the kernel allows of watching and of open files; `None` where it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelLimits {
    /// Watches of one user.
    pub watches: Option<u64>,
    /// Sets of watches of one user.
    pub watch_sets: Option<u64>,
    /// Open files of this process.
    pub open_files: Option<u64>,
}

/// What this kernel allows.
pub fn kernel_limits() -> KernelLimits {
    let number = |name: &str| {
        let mut text = String::new();
        File::open(format!("/proc/sys/fs/inotify/{name}")).ok()?.take(64).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    };
    KernelLimits {
        watches: number("max_user_watches"),
        watch_sets: number("max_user_instances"),
        open_files: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_as_it_was_after_it_was_tried() {
        let folder = tempfile::tempdir().expect("a folder");
        let probe = probe(folder.path()).expect("it can be opened");
        let tried = probe.tried.expect("it can be written");
        assert!(tried.sync < Duration::from_secs(60) && tried.traits.files);
        assert!(probe.room.bytes > 0 && probe.room.free_bytes <= probe.room.bytes);
        assert!(!tried.folds_forms, "no file system of Linux in use here does");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
        // Where there is a folder of ours it stays, with what is in it.
        std::fs::create_dir_all(folder.path().join(".icloudds/tmp")).expect("a folder");
        assert!(super::probe(folder.path()).expect("opened").tried.is_some());
        let left: Vec<_> = std::fs::read_dir(folder.path().join(".icloudds")).expect("a folder").collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(probe(Path::new("/nonexistent-folder")).is_err());
    }

    #[test]
    fn kinds_have_names() {
        assert_eq!(kind(0xef53), "ext4 (or ext2, ext3)");
        assert_eq!(kind(0x1234), "another kind (0x1234)");
    }
}
