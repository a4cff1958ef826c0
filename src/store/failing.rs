//! A disk in memory that fails, for tests of what the database leaves then.

use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{Database, StorageBackend};

use super::error::Trouble;

/// A disk that stops taking anything after some effects.
#[derive(Clone, Debug)]
pub(super) struct Failing(Arc<Mutex<Content>>);

#[derive(Debug)]
pub(super) struct Content {
    /// What it holds.
    pub now: Vec<u8>,
    /// What a power cut leaves.
    pub synced: Vec<u8>,
    /// Effects that succeed yet.
    pub left: usize,
    /// Effects that did.
    pub done: usize,
    /// Bytes from the first on that the disk has blocks for; a longer file has holes, as a disk that gets full leaves them.
    pub room: usize,
}

impl Failing {
    /// A disk with that content which takes so many effects more.
    pub fn new(content: &[u8], left: usize) -> Self {
        let (now, synced) = (content.to_vec(), content.to_vec());
        Self(Arc::new(Mutex::new(Content { now, synced, left, done: 0, room: usize::MAX })))
    }

    /// A disk that does everything but give the file more than so many bytes.
    pub fn with_room(content: &[u8], room: usize) -> Self {
        let disk = Self::new(content, usize::MAX);
        disk.with(|content| content.room = room);
        disk
    }

    /// Looks at it, or changes it.
    pub fn with<T>(&self, work: impl FnOnce(&mut Content) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn effect(&self, work: impl FnOnce(&mut Content)) -> Result<(), Error> {
        self.with(|content| {
            content.left = content.left.checked_sub(1).ok_or(ErrorKind::StorageFull)?;
            content.done += 1;
            work(content);
            Ok(())
        })
    }
}

impl StorageBackend for Failing {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.with(|content| content.now.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let at = offset as usize;
        self.with(|content| {
            let part = content.now.get(at..at + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(part);
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> Result<(), Error> {
        self.effect(|content| content.now.resize(length as usize, 0))
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.effect(|content| content.synced = content.now.clone())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        if self.with(|content| offset as usize + data.len() > content.room) {
            return Err(ErrorKind::StorageFull.into());
        }
        self.effect(|content| content.now[offset as usize..][..data.len()].copy_from_slice(data))
    }
}

/// The database on such a disk, opened as [`super::file::open_database`] does, but without a cache: pages are written as they are made, so that
/// there are more points to break off at.
pub(super) fn on(disk: Failing) -> Result<Database, Trouble> {
    let mut builder = Database::builder();
    Ok(builder.set_cache_size(0).set_check_integrity_on_open(true).create_with_backend(disk)?)
}
