//! What can be wrong with the state's file, and how it is told.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The version of the format that this program writes, and the newest that it reads.
pub const FORMAT: u64 = 2;

/// What a file may grow by while it is written anew, in times what it takes of the disk, with some to spare: it was seen to double.
const ROOM: u64 = 2;

/// Bytes that a small file, or a new one, is let take.
const LEAST_ROOM: u64 = 4 << 20;

/// Why the state cannot be opened or reset. Nothing was destroyed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program wrote it.
    #[error(
        "the sync state {} was written by a newer icloudds (format {found}, this one reads up to {FORMAT}): \
         use that version again, or start over with `icloudds reset-state`",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// Another process holds it.
    #[error("the sync state {} is in use by another process: stop the other icloudds first", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// No space, or no quota, is left where it lies: neither a new file nor one of an older format can be written. What was there is
    /// there as it was.
    #[error(
        "cannot write the sync state {}: {why}; nothing of it is lost: make room there, {} MB are enough, and start again",
        path.display(), room.div_ceil(1 << 20)
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
        /// Bytes that are enough.
        room: u64,
    },
    /// The system refuses.
    #[error("cannot open the sync state {}: {why}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
}

/// What can be wrong inside.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The file is not what we wrote.
    Damaged(String),
    /// A newer format.
    Newer(u64),
    /// Another process has it.
    InUse,
    /// No space, or no quota, left; the file may be sound.
    Full(String),
    /// The disk does not do its work; the file may be sound.
    Failed(String),
}

impl<E: Into<redb::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::InUse,
            redb::Error::Io(error) => match error.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::InvalidData => Self::Damaged(error.to_string()),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(error.to_string()),
                _ => Self::Failed(error.to_string()),
            },
            error @ (redb::Error::Corrupted(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::RepairAborted) => Self::Damaged(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(why) => write!(f, "it is damaged: {why}"),
            Self::Newer(found) => write!(f, "it has the newer format {found}"),
            Self::InUse => f.write_str("another process uses it"),
            Self::Full(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl Trouble {
    /// The error to tell of the file at `path`.
    pub fn at(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            Self::Newer(found) => OpenError::Newer { path, found },
            Self::InUse => OpenError::InUse { path },
            Self::Full(why) => {
                // Not its length, which grows before there are blocks for it.
                let takes = std::fs::metadata(&path).map_or(0, |file| file.blocks().saturating_mul(512));
                OpenError::Full { path, why, room: takes.saturating_mul(ROOM).max(LEAST_ROOM) }
            }
            Self::Damaged(why) | Self::Failed(why) => OpenError::Io { path, why },
        }
    }
}
