//! The state on disk: one redb file whose every record carries a checksum.
//!
//! A damaged file never stops a start and never gets a wrong word in: it is moved aside, and
//! the sync begins as if for the first time, which deletes nothing. The format is described
//! in `docs/state-format.md`.

mod apply;
mod arrivals;
mod brake;
mod bytes;
#[cfg(test)]
mod collision_tests;
mod commit;
mod error;
#[cfg(test)]
mod failing;
mod file;
mod former_format;
#[cfg(test)]
mod former_format_tests;
#[cfg(test)]
mod fuzz_tests;
mod intent;
mod load;
mod record;
mod room;
#[cfg(test)]
mod room_tests;
mod seen_in;
mod table;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::{FileExt, TryLockError};

use brake::Brake;
pub use commit::RedbStore;
use error::Trouble;
pub use error::{FORMAT, OpenError};
use file::{move_aside, open_database, sync_folder};
use load::Loaded;

use crate::model::State;

/// The state, opened.
#[derive(Debug)]
pub struct Opened {
    /// Takes the changes from now on.
    pub store: RedbStore,
    /// All that was stored.
    pub state: State,
    /// What was wrong with the file that was there, if it was damaged: the state begins anew.
    pub damage: Option<Damage>,
    /// Items that were forgotten because the folder that held them is not stored, `zone::docwsid`;
    /// they are seen anew. Empty unless something went wrong before.
    pub dropped: Vec<String>,
}

/// A damaged state that was moved aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it lies now.
    pub moved_to: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// How often a file that somebody holds is tried again, and after how long.
const PATIENCE: u32 = 10;
const PAUSE: Duration = Duration::from_millis(25);

/// Opens the state at `path`, or begins one there (readable by the owner alone). A damaged one is
/// moved to `NAME.damaged-TIME` beside it and a new one begun; [`Opened::damage`] says so.
///
/// # Errors
///
/// [`OpenError`]: the file stays as it is.
pub fn open(path: &Path) -> Result<Opened, OpenError> {
    let mut opened = attempt(path);
    for _ in 0..PATIENCE {
        // The lock of the state directory has kept every other icloudds out: who holds the file is a passer-by, as a
        // copying program or a child of this process that has not begun its own work yet.
        let Err(Trouble::InUse) = opened else { break };
        std::thread::sleep(PAUSE);
        opened = attempt(path);
    }
    let (store, loaded, damage) = match opened {
        Ok((store, loaded)) => (store, loaded, None),
        Err(Trouble::Damaged(why)) => {
            let damage = keep_broken_file(path, &why)?;
            let (store, loaded) = attempt(path).map_err(|trouble| trouble.at(path))?;
            (store, loaded, Some(damage))
        }
        Err(trouble) => return Err(trouble.at(path)),
    };
    let dropped = loaded.orphans.iter().map(ToString::to_string).collect();
    Ok(Opened { store, state: loaded.state, damage, dropped })
}

/// Moves a damaged state aside, so that the next [`open`] begins anew. `open` does so by itself when the database finds the damage;
/// this is for when it broke off with a panic instead, for the reason `why`.
///
/// # Errors
///
/// [`OpenError::Io`]; the file stays where it is then.
pub fn keep_broken_file(path: &Path, why: &str) -> Result<Damage, OpenError> {
    // What it says belongs to the state that is damaged.
    let _ = arrivals::remove(path);
    let moved_to = move_aside(path).map_err(|error| Trouble::Failed(error.to_string()).at(path))?;
    Ok(Damage { moved_to, why: why.to_owned() })
}

/// Forgets the state at `path`; that there is none is fine too.
///
/// # Errors
///
/// [`OpenError::InUse`] when a process runs with it; [`OpenError::Io`] when it cannot be removed.
pub fn reset(path: &Path) -> Result<(), OpenError> {
    let failed = |error: std::io::Error| Trouble::Failed(error.to_string()).at(path);
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed)?,
    };
    // The database's own lock. It is not opened as one: a damaged file or one of a newer format is forgotten too.
    match FileExt::try_lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Trouble::InUse.at(path)),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    arrivals::remove(path).map_err(failed)?;
    std::fs::remove_file(path).map_err(failed)?;
    sync_folder(path).map_err(failed)
}

fn attempt(path: &Path) -> Result<(RedbStore, Loaded), Trouble> {
    let brake = Brake::default();
    let database = open_database(path, &brake)?;
    let mut loaded = load::load(&database)?;
    let store = RedbStore::new(path.to_owned(), database, brake, &mut loaded);
    Ok((store, loaded))
}
