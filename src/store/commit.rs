//! Storing changes, a group at a time.

use std::io::ErrorKind;
use std::path::PathBuf;

use redb::{Database, ReadableDatabase};

use crate::engine::ports::{Store, StoreError};
use crate::model::{Arriving, Change, ItemId};

use super::apply::{apply, owner_of, root_of, root_of_owner};
use super::arrivals::Arrivals;
use super::error::Trouble;
use super::file::open_database;
use super::load::Loaded;
use super::table::{Records, TABLE, Tally, read_head};

/// The state's file, open and locked for this process.
#[derive(Debug)]
pub struct RedbStore {
    path: PathBuf,
    /// `None` after a failure, until the next commit opens it again.
    database: Option<Database>,
    /// The item that the base's root stands for.
    root: ItemId,
    commits: u64,
    arrivals: Arrivals,
}

impl RedbStore {
    pub(super) fn new(path: PathBuf, database: Database, loaded: &Loaded) -> Self {
        Self {
            arrivals: Arrivals::open(&path),
            path,
            database: Some(database),
            root: root_of(loaded.state.owner.as_ref()),
            commits: loaded.commits,
        }
    }

    fn try_commit(&mut self, changes: &[Change]) -> Result<(), Trouble> {
        if self.database.is_none() {
            self.database = Some(open_database(&self.path)?);
        }
        let Some(database) = &self.database else { return Ok(()) };
        let mut root = self.root.clone();
        let transaction = database.begin_write()?;
        let tally = {
            let mut records = Records::new(transaction.open_table(TABLE)?)?;
            for change in changes {
                apply(&mut records, &mut root, change)?;
            }
            records.finish()?
        };
        transaction.commit()?;
        self.root = root;
        self.commits = tally.commits;
        Ok(())
    }

    /// The tally as the disk has it after a failure.
    fn reread(&mut self) -> Result<Tally, Trouble> {
        self.database = None;
        let database = open_database(&self.path)?;
        let (_, tally) = read_head(&database.begin_read()?.open_table(TABLE)?)?;
        self.database = Some(database);
        Ok(tally)
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
}
