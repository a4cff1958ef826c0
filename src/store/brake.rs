//! The state's file as the database reaches it: what takes long there can be told to stop.

use std::io::Error;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// Bytes that may wait for the disk while somebody may tell the work to stop: nobody waits for more than these then.
const UNSYNCED: u64 = 8 << 20;

/// Who may tell that nothing more is written; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Brake(Arc<Mutex<Heeded>>);

#[derive(Debug, Default)]
struct Heeded {
    stop: Option<Arc<AtomicBool>>,
    /// So many more writes there is room for, while somebody is heeded.
    #[cfg(test)]
    room: Option<usize>,
}

impl Brake {
    /// Nothing is written any more from the moment on in which `stop` is set.
    pub fn heeds(&self, stop: &Arc<AtomicBool>) {
        self.heeded().stop = Some(Arc::clone(stop));
    }

    /// Everything is written again, whatever was said.
    pub fn heeds_nobody(&self) {
        self.heeded().stop = None;
    }

    /// While somebody is heeded, the disk is full after so many writes.
    #[cfg(test)]
    pub fn leave_room(&self, writes: usize) {
        self.heeded().room = Some(writes);
    }

    fn heeded(&self) -> MutexGuard<'_, Heeded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody may tell to stop.
    ///
    /// # Errors
    ///
    /// When somebody did.
    fn check(&self) -> Result<bool, Error> {
        match &self.heeded().stop {
            Some(stop) if stop.load(Ordering::Relaxed) => Err(Error::other("told to stop")),
            stop => Ok(stop.is_some()),
        }
    }
}

/// A file that takes no more effects once its brake is on. To the database this is a disk that fails, which leaves a whole file.
#[derive(Debug)]
pub(super) struct Braked<B> {
    file: B,
    brake: Brake,
    /// Bytes written since the last sync, while somebody may tell to stop.
    unsynced: AtomicU64,
}

impl<B> Braked<B> {
    /// The file `file`, stopped by `brake`.
    pub fn new(file: B, brake: &Brake) -> Self {
        Self { file, brake: brake.clone(), unsynced: AtomicU64::new(0) }
    }
}

impl<B: StorageBackend> StorageBackend for Braked<B> {
    fn len(&self) -> Result<u64, Error> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        self.brake.check()?;
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> Result<(), Error> {
        self.brake.check()?;
        self.file.set_len(length)
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.brake.check()?;
        self.unsynced.store(0, Ordering::Relaxed);
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let may_stop = self.brake.check()?;
        #[cfg(test)]
        if may_stop && let Some(room) = &mut self.brake.heeded().room {
            *room = room.checked_sub(1).ok_or(std::io::ErrorKind::StorageFull)?;
        }
        self.file.write(offset, data)?;
        let more = data.len() as u64;
        if may_stop && self.unsynced.fetch_add(more, Ordering::Relaxed).saturating_add(more) >= UNSYNCED {
            self.sync_data()?;
        }
        Ok(())
    }

    fn close(&self) -> Result<(), Error> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
