//! What the watcher tells the loop, and what it notes for the next plan.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::model::RelPath;

/// How many dirty folders are kept apart; beyond, a full scan is asked for.
pub(super) const MAX_DIRTY: usize = 10_000;

/// What the watcher tells the loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchMessage {
    /// Every folder is watched: what changes from now on is told, so a scan that begins now misses nothing. Changes made
    /// before may be told too.
    Ready,
    /// Something in these folders may have changed; in path order.
    Dirty(Vec<RelPath>),
    /// Events were lost, so anything may have changed; the text says where. Watching goes on.
    Rescan(&'static str),
    /// The system allows no more watches ([`limit_sentence`](super::limit_sentence)). Watching has ended; the drive must be polled.
    Limit,
    /// The drive's folder was removed, moved or replaced. Watching has ended.
    RootGone,
    /// Watching ended for another reason.
    Failed(String),
}

/// Files that were closed after writing since they were taken last: who wrote through a memory map may have left the stamp as
/// it was, so they are read again.
#[derive(Debug, Default)]
pub struct Written(Mutex<BTreeSet<RelPath>>);

impl Written {
    /// More than are kept apart are left to the daily verification.
    pub(super) fn add(&self, path: RelPath) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() < MAX_DIRTY {
            written.insert(path);
        }
    }

    /// Takes them.
    pub fn take(&self) -> BTreeSet<RelPath> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
