//! One instance for each state directory and each drive (`docs/sync.md` §8, One instance).
//!
//! The kernel's lock decides, and ends with the process that holds it. What the file says only names the holder; a
//! file that was left behind is harmless.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::{FileExt, TryLockError};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::exit::ExitCode;
use crate::model::LocalKind;
use crate::model::name::PRIVATE_FOLDER;

use super::private::small_files::ensure_folder;
use super::seen::open_folder;

const NAME: &str = "lock";

/// How often a lock that is held is tried again, and after how long: longer than anybody who only looks holds it.
const GLANCES: u32 = 10;
const GLANCE: Duration = Duration::from_millis(25);

/// Who holds a lock, as its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id, on its own machine or in its own container.
    pub pid: u32,
    /// Its host name.
    pub host: String,
    /// When it took the lock, RFC 3339.
    pub since: String,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it; exit code 1 (`docs/contract.md`).
    #[error("another instance is running: {}", .holder.as_ref().map_or_else(
        || format!("it holds {}", .path.display()),
        |holder| format!("pid {} on {} since {} (it holds {})", holder.pid, holder.host, holder.since, .path.display())))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What the file says of the holder, if it is legible.
        holder: Option<Holder>,
    },
    /// The system refused.
    #[error("cannot lock {path}: {source}{}", whose(.path))]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// Whose the lock's file, or else its folder, is, and who we are, where that may be what is wrong.
fn whose(path: &Path) -> String {
    let us = rustix::process::geteuid().as_raw();
    let owner = [Some(path), path.parent()].into_iter().flatten().find_map(|at| rustix::fs::stat(at).ok());
    match owner.map(|seen| seen.st_uid) {
        Some(owner) if owner != us => {
            format!("; it belongs to uid {owner}, and icloudds runs as uid {us}: run it as that user")
        }
        _ => String::new(),
    }
}

impl LockError {
    /// With which code the program ends: for another instance, or because the directory lets us make no lock.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Held { .. } => ExitCode::Busy,
            Self::Io { .. } => ExitCode::LocalDirectory,
        }
    }
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    /// The kernel's locks belong to what is open: the file, and the drive's folder itself, where its file system can lock one. Who
    /// removes the file lets nobody else in.
    _held: (File, Option<OwnedFd>),
}

/// Takes the lock of a state directory.
///
/// # Errors
///
/// [`LockError::Held`] when another instance works with it.
pub fn lock_state(directory: &Path) -> Result<Lock, LockError> {
    let path = directory.join(NAME);
    let fail = |errno: Errno| io_failure(&path, errno.into());
    let folder = open_folder_of_owner(directory).map_err(fail)?;
    let file = create(&folder).map_err(fail)?;
    // The lock of that folder is the session file's, for an instant each.
    take(file, None, path)
}

/// Takes the lock of a drive, in its `.icloudds`, which is made if it is missing: the marker has been looked at before.
///
/// # Errors
///
/// [`LockError::Held`] when another instance works with it.
pub fn lock_root(directory: &Path) -> Result<Lock, LockError> {
    let path = directory.join(PRIVATE_FOLDER).join(NAME);
    let fail = |errno: Errno| io_failure(&path, errno.into());
    let folder = open_folder_of_owner(directory).map_err(fail)?;
    let file = ensure_folder(&folder, PRIVATE_FOLDER).and_then(|area| create(&area)).map_err(fail)?;
    take(file, Some(folder), path)
}

/// Tells who holds the lock of a state directory; creates and changes nothing.
///
/// # Errors
///
/// When the lock file is there and cannot be opened.
pub fn inspect_state(directory: &Path) -> Result<Option<Holder>, LockError> {
    inspect(directory.join(NAME))
}

/// Tells who holds the lock of a drive; creates and changes nothing.
///
/// # Errors
///
/// When the lock file is there and cannot be opened.
pub fn inspect_root(directory: &Path) -> Result<Option<Holder>, LockError> {
    inspect(directory.join(PRIVATE_FOLDER).join(NAME))
}

fn open_folder_of_owner(directory: &Path) -> Result<OwnedFd, Errno> {
    // Links on the way to the configured directory are the owner's business.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, directory, flags, Mode::empty()).and_then(|folder| open_folder(folder, "."))
}

fn create(folder: &OwnedFd) -> Result<File, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(folder, NAME, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// The holder's name is written into the file, which must not be somebody's document under a second name.
fn check_file(file: &File) -> io::Result<()> {
    let seen = super::seen::see_open(file)?;
    let why = match (seen.kind, seen.links) {
        (LocalKind::File, 0 | 1) => return Ok(()),
        (LocalKind::File, _) => "it has a second name elsewhere; remove it",
        _ => "it is no file; remove it",
    };
    Err(io::Error::other(why))
}

fn io_failure(path: &Path, source: io::Error) -> LockError {
    LockError::Io { path: path.to_owned(), source }
}

fn take(mut file: File, folder: Option<OwnedFd>, path: PathBuf) -> Result<Lock, LockError> {
    check_file(&file).map_err(|source| io_failure(&path, source))?;
    // Some file systems lock files only, or nothing.
    let lock = |folder: &OwnedFd| flock(folder, FlockOperation::NonBlockingLockExclusive);
    if folder.as_ref().map(lock) == Some(Err(Errno::WOULDBLOCK)) {
        return Err(LockError::Held { holder: read_holder(&mut file), path });
    }
    let mut glances = GLANCES;
    loop {
        match FileExt::try_lock(&file) {
            Ok(()) => break,
            // It may be but an `inspect`, which holds it for an instant: a start must not fail because somebody looks.
            Err(TryLockError::WouldBlock) if glances > 0 => {
                glances -= 1;
                std::thread::sleep(GLANCE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { holder: read_holder(&mut file), path });
            }
            Err(TryLockError::Error(source)) => return Err(io_failure(&path, source)),
        }
    }
    let holder = Holder {
        pid: std::process::id(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        since: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    };
    let text = serde_json::to_string(&holder).expect("a number and texts have a JSON form");
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())
    };
    // A full disk takes the holder's name from the message, not the lock from us.
    let _ = write(&mut file);
    Ok(Lock { _held: (file, folder) })
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn inspect(path: PathBuf) -> Result<Option<Holder>, LockError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = match openat(CWD, &path, flags, Mode::empty()) {
        Ok(handle) => File::from(handle),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(io_failure(&path, errno.into())),
    };
    // A shared lock, given back at once with the handle: nobody who is alone is disturbed for longer than that.
    match FileExt::try_lock_shared(&file) {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read_holder(&mut file).unwrap_or(Holder {
            pid: 0,
            host: "an unknown host".to_owned(),
            since: "an unknown time".to_owned(),
        }))),
        Err(TryLockError::Error(source)) => Err(io_failure(&path, source)),
    }
}
