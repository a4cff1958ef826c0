//! The state on disk: one redb file whose every record carries a checksum.
//!
//! A damaged file never stops a start and never gets a wrong word in: it is moved aside, and
//! the sync begins as if for the first time, which deletes nothing. The format is described
//! in `docs/state-format.md`.

mod bytes;
mod commit;
#[cfg(test)]
mod fuzz_tests;
mod intent;
mod load;
mod record;
mod table;

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::{FileExt, TryLockError};
use redb::Database;

pub use commit::RedbStore;
use load::Loaded;

use crate::model::State;
use crate::private_file::{Stored, open_stored};

/// The version of the format that this program writes, and the newest that it reads.
pub const FORMAT: u64 = 1;

/// Memory that the database may use for its pages, in bytes.
const CACHE: usize = 6 << 20;

/// A file that is longer than twice its records and this many bytes is made smaller at a start.
const SLACK: u64 = 4 << 20;

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

/// Why the state cannot be opened or reset. Nothing was destroyed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program wrote it.
    #[error(
        "the sync state {} was written by a newer icloudds (format {found}, this one reads up to {FORMAT}): \
         use that version again, or start over with `icloudds reset-state`",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// Another process holds it.
    #[error("the sync state {} is in use by another process: stop the other icloudds first", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("cannot open the sync state {}: {why}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
}

/// How often a file that somebody holds is tried again, and after how long.
const PATIENCE: u32 = 10;
const PAUSE: Duration = Duration::from_millis(25);

/// What can be wrong inside.
#[derive(Debug)]
enum Trouble {
    /// The file is not what we wrote.
    Damaged(String),
    /// A newer format.
    Newer(u64),
    /// Another process has it.
    InUse,
    /// No space, or no quota, left; the file may be sound.
    Full(String),
    /// The disk does not do its work; the file may be sound.
    Failed(String),
}

impl<E: Into<redb::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::InUse,
            redb::Error::Io(error) => match error.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::InvalidData => Self::Damaged(error.to_string()),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(error.to_string()),
                _ => Self::Failed(error.to_string()),
            },
            error @ (redb::Error::Corrupted(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::RepairAborted) => Self::Damaged(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(why) => write!(f, "it is damaged: {why}"),
            Self::Newer(found) => write!(f, "it has the newer format {found}"),
            Self::InUse => f.write_str("another process uses it"),
            Self::Full(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl Trouble {
    fn at(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            Self::Newer(found) => OpenError::Newer { path, found },
            Self::InUse => OpenError::InUse { path },
            Self::Damaged(why) | Self::Full(why) | Self::Failed(why) => OpenError::Io { path, why },
        }
    }
}

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
            let damage = set_aside(path, &why)?;
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
pub fn set_aside(path: &Path, why: &str) -> Result<Damage, OpenError> {
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
    std::fs::remove_file(path).map_err(failed)?;
    sync_folder(path).map_err(failed)
}

fn attempt(path: &Path) -> Result<(RedbStore, Loaded), Trouble> {
    let mut database = database(path)?;
    let loaded = load::load(&database)?;
    let length = std::fs::metadata(path).map_or(0, |file| file.len());
    if length > SLACK.saturating_add(loaded.bytes.saturating_mul(2)) {
        // Without it the file is larger, and no worse: what hinders it is no reason to stop.
        let _ = database.compact();
    }
    let store = RedbStore::new(path.to_owned(), database, &loaded);
    Ok((store, loaded))
}

/// Opens or makes the database, and checks every page of it.
fn database(path: &Path) -> Result<Database, Trouble> {
    let failed = |error: std::io::Error| Trouble::Failed(error.to_string());
    let new = !path.try_exists().map_err(failed)?;
    if let Stored::Foreign(why) = open_stored(path).map_err(failed)? {
        // What others may have written must not decide what is deleted: as a damaged one, it is not used.
        return Err(Trouble::Damaged(why));
    }
    drop(
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?,
    );
    let mut builder = Database::builder();
    let database = builder.set_cache_size(CACHE).set_check_integrity_on_open(true).create(path)?;
    if new {
        sync_folder(path).map_err(failed)?;
    }
    Ok(database)
}

fn move_aside(path: &Path) -> std::io::Result<PathBuf> {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".damaged-{time}"));
    let first = path.with_file_name(&name);
    let mut free = first.clone();
    let mut number = 1;
    while free.try_exists()? {
        number += 1;
        let mut numbered = name.clone();
        numbered.push(format!("-{number}"));
        free = first.with_file_name(numbered);
    }
    std::fs::rename(path, &free)?;
    sync_folder(path)?;
    Ok(free)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
