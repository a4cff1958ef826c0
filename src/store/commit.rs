//! Storing changes, a group at a time.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Database, ReadableDatabase};

use crate::engine::ports::{Shrunk, Store, StoreError};
use crate::model::{Arriving, Change, ItemId};

use super::apply::{apply, owner_of, root_of, root_of_owner};
use super::arrivals::Arrivals;
use super::brake::Brake;
use super::error::Trouble;
use super::file::open_database;
use super::load::Loaded;
use super::room::{Room, taken};
use super::table::{Records, TABLE, Tally, read_head};

/// The state's file, open and locked for this process.
#[derive(Debug)]
pub struct RedbStore {
    path: PathBuf,
    /// `None` after a failure, until the next commit opens it again.
    database: Option<Database>,
    /// Stops what takes long in it.
    brake: Brake,
    room: Room,
    /// The item that the base's root stands for.
    root: ItemId,
    commits: u64,
    arrivals: Arrivals,
}

impl RedbStore {
    pub(super) fn new(path: PathBuf, database: Database, brake: Brake, loaded: &mut Loaded) -> Self {
        Self {
            arrivals: Arrivals::open(&path),
            path,
            database: Some(database),
            brake,
            room: std::mem::replace(&mut loaded.room, Room::new(0)),
            root: root_of(loaded.state.owner.as_ref()),
            commits: loaded.commits,
        }
    }

    /// What stops it.
    #[cfg(test)]
    pub(super) fn brake(&self) -> &Brake {
        &self.brake
    }

    fn try_commit(&mut self, changes: &[Change]) -> Result<(), Trouble> {
        if self.database.is_none() {
            self.database = Some(open_database(&self.path, &self.brake)?);
        }
        let Some(database) = &self.database else { return Ok(()) };
        let mut root = self.root.clone();
        let transaction = database.begin_write()?;
        let (tally, growth) = {
            let mut records = Records::new(transaction.open_table(TABLE)?)?;
            for change in changes {
                apply(&mut records, &mut root, change)?;
            }
            let growth = records.growth();
            (records.finish()?, growth)
        };
        transaction.commit()?;
        self.room.stored(growth);
        self.root = root;
        self.commits = tally.commits;
        Ok(())
    }

    /// The tally as the disk has it after a failure.
    fn reread(&mut self) -> Result<Tally, Trouble> {
        self.database = None;
        let database = open_database(&self.path, &self.brake)?;
        let (_, tally) = read_head(&database.begin_read()?.open_table(TABLE)?)?;
        self.database = Some(database);
        Ok(tally)
    }

    fn try_shrink(&mut self, stop: &Arc<AtomicBool>) -> Result<(), Trouble> {
        if self.database.is_none() {
            self.database = Some(open_database(&self.path, &self.brake)?);
        }
        let Some(database) = &mut self.database else { return Ok(()) };
        self.brake.heeds(stop);
        let result = database.compact();
        if result.is_err() {
            // It is of no use any more, and must not write once the brake is off: the file is what a kill would have left.
            self.database = None;
        }
        self.brake.heeds_nobody();
        result?;
        Ok(())
    }
}

impl Store for RedbStore {
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let before = self.commits;
        let Err(trouble) = self.try_commit(changes) else { return Ok(()) };
        // A commit that reports a failure may be on the disk all the same; only the file knows.
        match self.reread() {
            Ok(tally) if tally.commits == before.wrapping_add(1) => {
                self.commits = tally.commits;
                self.root = changes.iter().rev().find_map(owner_of).map_or(self.root.clone(), root_of_owner);
                Ok(())
            }
            _ => {
                let at = self.path.display();
                Err(match trouble {
                    Trouble::Full(why) => StoreError::Full(format!("{at}: {why}; make room there")),
                    other => StoreError::Failed(format!("{at}: {other}")),
                })
            }
        }
    }

    fn note_arriving(&mut self, arriving: &Arriving) -> Result<(), StoreError> {
        self.arrivals.note(arriving).map_err(|error| {
            let why = format!("{}: {error}", self.path.display());
            match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full(why),
                _ => StoreError::Failed(why),
            }
        })
    }

    fn arriving(&self) -> Vec<Arriving> {
        self.arrivals.noted().to_vec()
    }

    fn forget_arriving(&mut self) {
        self.arrivals.forget();
    }

    fn is_wasteful(&self) -> bool {
        self.room.may_be_tried()
            && std::fs::metadata(&self.path).is_ok_and(|file| self.room.is_too_much(taken(&file)))
    }

    fn shrink(&mut self, stop: &Arc<AtomicBool>) -> Shrunk {
        let Err(trouble) = self.try_shrink(stop) else {
            self.room.was_tried();
            return Shrunk::Done;
        };
        // Opened and looked through now, so that nobody waits for that later. Where it fails the next commit tries again, and tells.
        if let Err(error) = self.reread() {
            log::debug!("{}: {error}", self.path.display());
        }
        if stop.load(Ordering::Relaxed) {
            return Shrunk::Stopped;
        }
        self.room.was_tried();
        Shrunk::Failed(format!("{}: {trouble}", self.path.display()))
    }
}
