//! The state's file: opened as a database, moved aside, its name made durable.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use redb::Database;
use redb::backends::FileBackend;

use super::brake::{Brake, Braked};
use super::error::Trouble;
use crate::private_file::{Stored, open_stored};

/// Memory that the database may use for its pages, in bytes.
const CACHE: usize = 6 << 20;

/// Opens or makes the database, and checks every page of it. From then on `brake` can stop what is written.
pub(super) fn open_database(path: &Path, brake: &Brake) -> Result<Database, Trouble> {
    let failed = |error: std::io::Error| Trouble::Failed(error.to_string());
    let new = !path.try_exists().map_err(failed)?;
    if let Stored::Foreign(why) = open_stored(path).map_err(failed)? {
        // What others may have written must not decide what is deleted: as a damaged one, it is not used.
        return Err(Trouble::Damaged(why));
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = FileBackend::new(options.open(path).map_err(failed)?)?;
    let mut builder = Database::builder();
    let builder = builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    let database = builder.create_with_backend(Braked::new(file, brake))?;
    if new {
        sync_folder(path).map_err(failed)?;
    }
    Ok(database)
}

/// Moves the file to a free name beside it, which tells when.
pub(super) fn move_aside(path: &Path) -> std::io::Result<PathBuf> {
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

/// Makes the names in the file's folder durable.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
