//! What the engine needs of the world: iCloud, a disk, a store, time and chance.
//!
//! Each has two implementations, the real one and one in memory with faults and crashes (`tests/it/sim/`). One suite holds both disks
//! and both drives to what is promised here (`tests/it/ports/`).

mod away;
mod disk;
mod errors;
mod remote;

use std::time::Duration;

pub use away::Away;
pub use disk::{Disk, Displaced, Download, DownloadKey, FolderReading, Ready, Source};
pub use errors::{DiskError, NO_SPACE, RemoteError};
pub use remote::{
    Commit, Fetched, ItemVersion, Listing, LookUp, Offer, Remote, RemoteItem, RemoteParent, Sink, Staged,
};

use crate::model::{Change, DiskTime, Reading};

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

/// The program is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Time and chance, from outside.
pub trait Clock: Sync {
    /// Wall-clock time, nanoseconds since 1970. It may leap either way at any moment: it is for what the disk stamps, for
    /// what is sent and for what people read, never for how long something takes.
    fn now(&self) -> DiskTime;

    /// Time since the machine booted, suspends included. It never goes back and never leaps.
    fn uptime(&self) -> Duration;

    /// Which boot that is; another number for each.
    fn boot(&self) -> u64;

    /// Both clocks in one moment.
    fn reading(&self) -> Reading {
        Reading {
            wall: self.now().whole_seconds(),
            boot: self.boot(),
            uptime: i64::try_from(self.uptime().as_secs()).unwrap_or(i64::MAX),
        }
    }

    /// Waits that long, by the clock of [`Clock::uptime`].
    ///
    /// # Errors
    ///
    /// [`Stopped`] at once when the program is to end.
    fn pause(&self, time: Duration) -> Result<(), Stopped>;

    /// A number from 0 up to, but not including, 1.
    fn unit_random(&self) -> f64;
}
