//! The log file, rolled by size as `FILE.1` … `FILE.N` by the `file-rotate` crate.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};

use super::error::LogError;

/// Readable by the owner only: paths and file names are nobody else's business.
const MODE: u32 = 0o600;

/// A log file that is opened, and a line at a time appended and rolled.
///
/// The crate renames, counts and removes. When to roll is decided here, because the crate asserts that the file is
/// there and drops what it cannot write, while we have to notice both.
pub(super) struct RollingFile {
    path: PathBuf,
    rotate: FileRotate<AppendCount>,
    /// `None` for a file that is never rolled.
    max_size_bytes: Option<u64>,
    keep: usize,
    /// What the current file holds.
    size_bytes: u64,
}

impl RollingFile {
    /// Creates the folder and the file where they are missing, and opens the file for appending.
    pub(super) fn open(path: &Path, max_size_bytes: Option<u64>, keep: usize) -> Result<Self, LogError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .map_err(|source| LogError::Folder { folder: folder.to_owned(), source })?;
        }
        let found = touch(path).map_err(|source| LogError::Open { file: path.to_owned(), source })?;
        // A device such as /dev/stderr cannot be renamed away.
        let max_size_bytes = max_size_bytes.filter(|_| found.is_some());
        let rotate = opened(path, keep);
        Ok(Self { path: path.to_owned(), rotate, max_size_bytes, keep, size_bytes: found.unwrap_or(0) })
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `line`, which ends with its line break; rolls first if it would not fit any more.
    pub(super) fn write_line(&mut self, line: &str) -> io::Result<()> {
        let len = line.len() as u64;
        let full = self.max_size_bytes.is_some_and(|max| self.size_bytes > 0 && self.size_bytes + len > max);
        if full || !self.path.exists() {
            self.renew(full)?;
        }
        self.rotate.write_all(line.as_bytes())?;
        self.size_bytes += len;
        Ok(())
    }

    /// Rolls a file that is full, and comes back from one that somebody removed or moved away.
    fn renew(&mut self, full: bool) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let was_there = self.path.exists();
        // The crate goes silent when it cannot open the file, so that is tried first; and it stumbles over a FILE.1
        // that it does not know of, so it looks at what is there afresh.
        touch(&self.path)?;
        self.rotate = opened(&self.path, self.keep);
        if full && was_there {
            self.rotate.rotate()?;
        }
        self.size_bytes = touch(&self.path)?.unwrap_or(0);
        Ok(())
    }
}

fn opened(path: &Path, keep: usize) -> FileRotate<AppendCount> {
    FileRotate::new(path, AppendCount::new(keep), ContentLimit::None, Compression::None, Some(options()))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).create(true).append(true).mode(MODE);
    options
}

/// Opens and, where missing, creates the file; returns its size in bytes, `None` where it is no regular file.
fn touch(path: &Path) -> io::Result<Option<u64>> {
    let metadata = options().open(path)?.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    if metadata.permissions().mode() & 0o777 != MODE {
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
    }
    Ok(Some(metadata.len()))
}
