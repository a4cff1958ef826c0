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
