//! Small downloads: they have no record beside them, and those that are finished are made durable together, right before the
//! first of them gets its name (`docs/sync.md` §5, Download).
//!
//! A record costs two files and four calls that wait for the disk, which is more than a small file costs to fetch again. After a
//! crash what is left of them is removed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::disk::private::area::Area;
use crate::engine::ports::DownloadKey;
use crate::model::RelPath;

use super::download_record::Record;

/// Files of up to so many bytes are small.
pub(in crate::disk) const SMALL_FILE: u64 = 4 << 20;

/// Finished small downloads that wait to be put in place, by name.
#[derive(Default)]
pub(in crate::disk) struct Light {
    waiting: Mutex<HashMap<String, Waiting>>,
    /// How many were finished so far.
    finished: AtomicU64,
}

struct Waiting {
    /// The area that it lies in.
    top: RelPath,
    /// What its record would say.
    record: Record,
    /// Which one of all that were finished it is: the same version may be fetched once more under the same name.
    number: u64,
    is_durable: bool,
}

/// A finished download: its name, and which one of that name it is.
pub(in crate::disk) type Finished = (String, u64);

impl Light {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A download is complete, and nothing of it is known to be durable.
    pub fn finished(&self, name: &str, area: &Area, record: Record) {
        let number = self.finished.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting { top: area.top.clone(), record, number, is_durable: false };
        self.lock().insert(name.to_owned(), waiting);
    }

    /// Which finished download of that name waits, if any.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.lock().get(name).map(|waiting| waiting.number)
    }

    /// It lies in another area now, durable.
    pub fn moved(&self, name: &str, area: &Area) {
        if let Some(waiting) = self.lock().get_mut(name) {
            waiting.top = area.top.clone();
            waiting.is_durable = true;
        }
    }

    /// What its record would say, for who writes one after all.
    pub fn record(&self, name: &str) -> Option<Record> {
        self.lock().get(name).map(|waiting| waiting.record.clone())
    }

    /// It is in its place, was given up, or has a record now. Whether it had none until now.
    pub fn forget(&self, name: &str) -> bool {
        self.lock().remove(name).is_some()
    }

    /// Whether that one is known to be durable.
    pub fn is_durable(&self, name: &str, number: u64) -> bool {
        self.lock().get(name).is_some_and(|waiting| waiting.number == number && waiting.is_durable)
    }

    /// All in that area that are not known to be durable.
    pub fn volatile(&self, top: &RelPath) -> Vec<Finished> {
        let waiting = self.lock();
        let volatile = waiting.iter().filter(|(_, waiting)| !waiting.is_durable && waiting.top == *top);
        volatile.map(|(name, waiting)| (name.clone(), waiting.number)).collect()
    }

    /// What was finished before a sync began is durable after it, and nothing that took its name meanwhile.
    pub fn are_durable(&self, synced: &[Finished]) {
        let mut waiting = self.lock();
        for (name, number) in synced {
            if let Some(waiting) = waiting.get_mut(name).filter(|waiting| waiting.number == *number) {
                waiting.is_durable = true;
            }
        }
    }

    /// Those in an area that `is_wanted` does not want.
    pub fn unwanted(&self, top: &RelPath, is_wanted: &dyn Fn(&DownloadKey) -> bool) -> Vec<String> {
        let waiting = self.lock();
        let unwanted = waiting.iter().filter(|(_, waiting)| {
            waiting.top == *top && !waiting.record.key().is_some_and(|key| is_wanted(&key))
        });
        unwanted.map(|(name, _)| name.clone()).collect()
    }
}
