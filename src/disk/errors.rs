//! What the system's refusals mean here.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::engine::ports::DiskError;
use crate::exit::ExitCode;
use crate::model::RelPath;

/// Why the drive's folder cannot be used at all; all of them are exit code 4 (`docs/contract.md`).
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is nothing at that path.
    #[error("the directory {0} does not exist: create it, or mount its volume, or correct sync.directory")]
    Missing(PathBuf),
    /// Something else than a folder is there.
    #[error("{0} is not a directory: sync.directory must name an existing folder")]
    NotDirectory(PathBuf),
    /// We may not work in it.
    #[error("the directory {path} is not {lacking} for this program: {reason}")]
    NotPermitted {
        /// The folder.
        path: PathBuf,
        /// "readable" or "writable".
        lacking: &'static str,
        /// Whose it is, who we are, and what helps.
        reason: String,
    },
    /// Its file system is mounted read-only.
    #[error("the directory {0} is on a file system that is mounted read-only: mount it writable")]
    ReadOnly(PathBuf),
    /// Anything else the system said.
    #[error("cannot open the directory {path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

impl OpenError {
    /// With which code the program ends: the local directory is missing, not a directory, or not writable.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::LocalDirectory
    }
}

/// What `errno` means when the program wanted to `what` the item at `path`.
pub(super) fn disk_error(what: &'static str, path: &RelPath, errno: Errno) -> DiskError {
    let path = path.clone();
    match errno {
        Errno::NOSPC | Errno::DQUOT => DiskError::Full { path },
        Errno::NAMETOOLONG | Errno::ILSEQ => DiskError::Name { path },
        Errno::EXIST => DiskError::Taken { path },
        Errno::NOTEMPTY | Errno::NOENT | Errno::NOTDIR | Errno::LOOP => DiskError::Folder { path },
        Errno::ROFS => DiskError::Io {
            what,
            path,
            source: io::Error::new(
                io::ErrorKind::ReadOnlyFilesystem,
                "its file system is mounted read-only: mount it writable",
            ),
        },
        Errno::XDEV => DiskError::Io {
            what,
            path,
            source: io::Error::new(
                io::ErrorKind::CrossesDevices,
                "it would have to go to another file system, which cannot be done in one step",
            ),
        },
        other => DiskError::Io { what, path, source: other.into() },
    }
}

/// As [`disk_error`], for an error of the standard library.
pub(super) fn io_error(what: &'static str, path: &RelPath, error: io::Error) -> DiskError {
    match Errno::from_io_error(&error) {
        Some(errno) => disk_error(what, path, errno),
        None => DiskError::Io { what, path: path.clone(), source: error },
    }
}
