//! What the engine needs of the world: iCloud, a disk, a store, time and chance.
//!
//! Each has two implementations, the real one and one in memory with faults and crashes (`tests/it/sim/`). One suite holds both disks
//! and both drives to what is promised here (`tests/it/ports/`).

mod attended;
mod away;
mod disk;
mod errors;
mod read_only;
mod remote;

pub use attended::{Attended, Noted, OpenCall, OpenCalls};
pub use away::Away;
pub use disk::{Disk, Displaced, Download, DownloadKey, FolderReading, Ready, Source};
pub use errors::{DiskError, NO_SPACE, RemoteError};
pub use read_only::ReadOnly;
pub use remote::{
    Commit, Fetched, ItemVersion, Listing, LookUp, Offer, Remote, RemoteItem, RemoteParent, Sink, Staged,
};

pub use crate::model::{Clock, Stopped};

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::model::{Arriving, Change, SeenAt};

/// Why the state could not be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No space, or no quota, left where it is stored.
    #[error("cannot save the sync state: {0}")]
    Full(String),
    /// Anything else.
    #[error("cannot save the sync state: {0}")]
    Failed(String),
}

/// What came of [`Store::shrink`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shrunk {
    /// It takes as little room as it can.
    Done,
    /// It was told to stop before that. Nothing is lost.
    Stopped,
    /// It could not, for this reason. Nothing is lost.
    Failed(String),
}

/// Where the state is stored.
pub trait Store {
    /// Makes a group of changes durable, all or none.
    ///
    /// # Errors
    ///
    /// When it cannot; nothing of the group is stored then.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// Notes what is about to get its name here, so that it outlives the process until the base learns of it. It is not durable: after a
    /// power cut what came may be met as new.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    fn note_arriving(&mut self, _: &Arriving) -> Result<(), StoreError> {
        Ok(())
    }

    /// What was noted, by an earlier process too, and not forgotten.
    fn arriving(&self) -> Vec<Arriving> {
        Vec::new()
    }

    /// Forgets all that was noted: the base knows of it, or it never came.
    fn forget_arriving(&mut self) {}

    /// Whether it takes so much more room than it needs that [`Store::shrink`] is worth its time. Says no for a while after that, so that
    /// nothing is tried again and again in vain.
    fn is_wasteful(&self) -> bool {
        false
    }

    /// Gives back the room that it does not need. This may take long; it ends soon after `stop` is set. Whatever comes of it, what was
    /// stored stays stored, and the next commit is as any other.
    fn shrink(&mut self, _stop: &Arc<AtomicBool>) -> Shrunk {
        Shrunk::Done
    }
}

/// The world, as whoever carries something out reaches it.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// iCloud.
    pub remote: &'a dyn Remote,
    /// The drive's folder.
    pub disk: &'a dyn Disk,
    /// Time and chance.
    pub clock: &'a dyn Clock,
}

impl Ports<'_> {
    /// This moment, as stamps of the disk are compared with it.
    pub fn seen_at(&self) -> SeenAt {
        SeenAt::now(self.clock, self.disk.skews())
    }
}
