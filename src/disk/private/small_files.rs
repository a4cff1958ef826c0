//! Small files and folders of ours.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, fremovexattr, fsync, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::disk::seen::{Seen, open_folder, see_open};

/// Small files of ours are never larger.
pub(in crate::disk) const SMALL: u64 = 1 << 20;

/// A name for something of ours that nothing else has.
pub(in crate::disk) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let time = jiff::Timestamp::now().as_nanosecond();
    format!("{time:x}-{:x}-{:x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Makes a folder of ours if it is missing, for us alone, and opens it.
pub(in crate::disk) fn ensure_folder(parent: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    match mkdirat(&parent, name, Mode::RWXU) {
        Ok(()) => {
            let folder = open_folder(&parent, name)?;
            // Files that are made here must not get a default ACL that is not that of their later folder; a file system
            // without ACLs, or a folder without one, refuses, which is as well.
            let _ = fremovexattr(&folder, "system.posix_acl_default");
            fsync(&parent)?;
            Ok(folder)
        }
        Err(Errno::EXIST) => open_folder(&parent, name),
        Err(errno) => Err(errno),
    }
}

/// The end of the name under which a small file is written before it gets its own.
pub(in crate::disk) const NEW: &str = ".new";

/// Replaces a small file of ours whole, durably.
pub(in crate::disk) fn write_small(folder: impl AsFd, name: &str, content: &[u8]) -> Result<(), Errno> {
    let new = format!("{name}{NEW}");
    // What a crash left behind, or a second name that somebody gave to another file, must not be written to.
    remove_small(&folder, &new)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(&folder, &*new, flags, Mode::RUSR | Mode::WUSR)?);
    let written = file.write_all(content).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO));
    if let Err(errno) = written.and_then(|()| fsync(&file)) {
        // Half a file is of no use to anybody; what matters is the first error.
        let _ = unlinkat(&folder, &*new, AtFlags::empty());
        return Err(errno);
    }
    renameat(&folder, &*new, &folder, name)?;
    fsync(&folder)
}

/// Reads a small file of ours; `None` when it is not there.
pub(in crate::disk) fn read_small(folder: impl AsFd, name: &str) -> Result<Option<Vec<u8>>, Errno> {
    let Some((file, _)) = open_small(folder, name)? else { return Ok(None) };
    let mut content = Vec::new();
    let read = file.take(SMALL).read_to_end(&mut content);
    read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(Some(content))
}

/// Removes a file of ours; it may be gone already.
pub(in crate::disk) fn remove_small(folder: impl AsFd, name: &str) -> Result<(), Errno> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// Opens a small file and says what it looks like; `None` when nothing has the name. A link is not followed, a pipe not waited for.
pub(in crate::disk) fn open_small(folder: impl AsFd, name: &str) -> Result<Option<(File, Seen)>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => File::from(other?),
    };
    let seen = see_open(&file)?;
    Ok(Some((file, seen)))
}
