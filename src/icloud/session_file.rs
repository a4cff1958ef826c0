//! `session.json`: read at start, replaced whole, readable by its owner only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::session::{SESSION_VERSION, Session};
use super::signin::error::SignInError;
use crate::private_file::{Stored, open_stored};

/// The file's name in the state directory.
pub const SESSION_FILE: &str = "session.json";
/// A real one has some ten kilobytes.
const LARGEST: u64 = 4 << 20;

/// What tells one version of the file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    len: u64,
    modified: (i64, i64),
}

/// The file, and the version of it that this process knows.
#[derive(Debug)]
pub struct SessionFile {
    directory: PathBuf,
    path: PathBuf,
    known: Option<Stamp>,
}

impl SessionFile {
    /// Names the file; nothing is touched yet.
    pub fn new(state_directory: &Path) -> Self {
        Self { directory: state_directory.to_owned(), path: state_directory.join(SESSION_FILE), known: None }
    }

    /// Reads the stored session. A damaged file is moved aside with a warning, and `None`
    /// comes back as if there were none.
    ///
    /// # Errors
    ///
    /// [`SignInError::SessionFile`] when a file is there and cannot be read.
    pub fn load(&mut self) -> Result<Option<Session>, SignInError> {
        let failed = |error: io::Error| self.failed("read", &error);
        let (mut file, metadata) = match open_stored(&self.path).map_err(failed)? {
            Stored::Ours(file, metadata) => (file, metadata),
            Stored::Absent => {
                self.known = None;
                return Ok(None);
            }
            Stored::Foreign(why) => return self.move_aside(&why),
        };
        let mut text = Vec::new();
        Read::by_ref(&mut file).take(LARGEST).read_to_end(&mut text).map_err(failed)?;
        self.known = Some(stamp(&metadata));
        match serde_json::from_slice::<Session>(&text) {
            Ok(session) if session.version == SESSION_VERSION => Ok(Some(session)),
            Ok(session) => self.move_aside(&format!("its version is {}", session.version)),
            // The library's message may quote the content, so only the place is told.
            Err(error) => {
                self.move_aside(&format!("damaged at line {}, column {}", error.line(), error.column()))
            }
        }
    }

    /// Whether another process replaced or removed the file since it was last read or written.
    pub fn is_changed(&self) -> bool {
        fs::metadata(&self.path).ok().map(|metadata| stamp(&metadata)) != self.known
    }

    /// Replaces the file: temporary file, sync, rename, folder sync; mode 0600.
    ///
    /// # Errors
    ///
    /// [`SignInError::SessionFile`]; the old file is then still whole.
    pub fn save(&mut self, session: &Session) -> Result<(), SignInError> {
        let text = serde_json::to_vec_pretty(session)
            .map_err(|error| self.failed("write", &io::Error::other(error.to_string())))?;
        match self.replace(&text) {
            Ok(stamp) => {
                self.known = Some(stamp);
                Ok(())
            }
            Err(error) => Err(self.failed("write", &error)),
        }
    }

    /// Removes the file and what a crash may have left beside it.
    ///
    /// # Errors
    ///
    /// [`SignInError::SessionFile`] when something secret could not be removed.
    pub fn remove(&mut self) -> Result<(), SignInError> {
        for path in [self.path.clone(), self.temporary(), self.aside()] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(SignInError::SessionFile {
                        action: "remove",
                        path,
                        reason: error.to_string(),
                    });
                }
                _ => {}
            }
        }
        self.known = None;
        sync_directory(&self.directory);
        Ok(())
    }

    fn replace(&self, text: &[u8]) -> io::Result<Stamp> {
        if !self.directory.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        }
        // Held while the temporary file exists: two processes must not share it. Some network
        // file systems cannot lock a folder; there the rename alone must do.
        let folder = File::open(&self.directory)?;
        let _locked = folder.lock();
        let temporary = self.temporary();
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        sync_directory(&self.directory);
        Ok(stamp(&file.metadata()?))
    }

    fn move_aside(&mut self, why: &str) -> Result<Option<Session>, SignInError> {
        let aside = self.aside();
        fs::rename(&self.path, &aside).map_err(|error| self.failed("move aside", &error))?;
        self.known = None;
        log::warn!(
            "{} cannot be used ({why}); it is now {}, and a new sign-in is needed",
            self.path.display(),
            aside.display()
        );
        Ok(None)
    }

    fn temporary(&self) -> PathBuf {
        self.directory.join("session.json.tmp")
    }

    fn aside(&self) -> PathBuf {
        self.directory.join("session.json.damaged")
    }

    fn failed(&self, action: &'static str, error: &io::Error) -> SignInError {
        SignInError::SessionFile { action, path: self.path.clone(), reason: error.to_string() }
    }
}

fn stamp(metadata: &fs::Metadata) -> Stamp {
    Stamp { inode: metadata.ino(), len: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
}

/// A folder that cannot be synced (some network file systems) is no reason to fail.
fn sync_directory(directory: &Path) {
    if let Err(error) = File::open(directory).and_then(|folder| folder.sync_all()) {
        log::debug!("cannot sync the folder {}: {error}", directory.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::icloud::env::Env;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    fn session() -> Session {
        Session::new(
            "me@example.com",
            "https://setup.example",
            &Env::system(SystemClock::new(Arc::default())),
        )
    }

    #[test]
    fn a_saved_session_comes_back_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let state = folder.path().join("new/state");
        let mut file = SessionFile::new(&state);
        assert!(file.load().expect("nothing there").is_none());
        let session = session();
        file.save(&session).expect("saved");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&state.join(SESSION_FILE)), mode(&state)), (0o600, 0o700));
        assert!(!file.is_changed());
        let mut other = SessionFile::new(&state);
        let loaded = other.load().expect("readable").expect("there");
        assert_eq!(loaded.client_id, session.client_id);
        other.save(&loaded).expect("saved again");
        assert!(file.is_changed());
        assert_eq!(fs::read_dir(&state).expect("listed").count(), 1);
        other.remove().expect("removed");
        assert!(!state.join(SESSION_FILE).exists());
    }

    #[test]
    fn a_damaged_or_newer_file_is_moved_aside() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join(SESSION_FILE);
        let mut file = SessionFile::new(folder.path());
        let mut newer = session();
        newer.version = 99;
        let newer = serde_json::to_vec(&newer).expect("JSON");
        for damaged in [&b"{\"version\":1,"[..], b"", &newer] {
            fs::write(&path, damaged).expect("written");
            assert!(file.load().expect("no failure").is_none());
            assert!(!path.exists());
            assert_eq!(fs::read(file.aside()).expect("kept"), damaged);
        }
    }

    #[test]
    fn a_failed_save_leaves_the_old_file_whole() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut file = SessionFile::new(folder.path());
        file.save(&session()).expect("saved");
        let before = fs::read(folder.path().join(SESSION_FILE)).expect("there");
        // A folder in the place of the temporary file makes every user's write fail.
        fs::create_dir(file.temporary()).expect("made");
        let error = file.save(&session()).expect_err("cannot be written");
        assert!(error.to_string().contains("cannot write"), "{error}");
        assert_eq!(fs::read(folder.path().join(SESSION_FILE)).expect("there"), before);
    }
}
