//! `status.json`: the last known state, for when no daemon answers.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::StatusDocument;
use crate::private_file::PrivateFile;

/// The file's name in the state directory.
pub const STATUS_NAME: &str = "status.json";

/// How far apart two writes are at least, unless the state changed.
const STEP: Duration = Duration::from_secs(5);

/// Writes the document, seldom enough and only when it changed.
#[derive(Debug)]
pub struct StatusFile {
    path: PathBuf,
    last: Option<(Instant, StatusDocument)>,
}

impl StatusFile {
    /// In `state_directory`.
    pub fn new(state_directory: &Path) -> Self {
        Self { path: state_directory.join(STATUS_NAME), last: None }
    }

    /// Writes `status` if it changed, and either its state did too or the last write was long enough ago. Says whether
    /// it did; after an error it is tried again by the next call that is due.
    ///
    /// # Errors
    ///
    /// When the file cannot be replaced; the old one stays.
    pub fn offer(&mut self, status: &StatusDocument, now: Instant) -> io::Result<bool> {
        if let Some((at, last)) = &self.last {
            let soon = now.saturating_duration_since(*at) < STEP && last.state == status.state;
            if soon || last == status {
                return Ok(false);
            }
        }
        self.write(status, now)?;
        Ok(true)
    }

    /// Writes `status` now: at the end, and by SIGUSR2.
    ///
    /// # Errors
    ///
    /// As [`StatusFile::offer`].
    pub fn write(&mut self, status: &StatusDocument, now: Instant) -> io::Result<()> {
        let mut file = PrivateFile::create(&self.path)?;
        serde_json::to_writer_pretty(&mut file, status)?;
        file.write_all(b"\n")?;
        file.commit()?;
        self.last = Some((now, status.clone()));
        Ok(())
    }
}

/// The last known state, and when it was written (Unix seconds); `None` where there is none that can be read, which is
/// no failure: it only says what was.
///
/// # Errors
///
/// When the file is there but may not be read.
pub fn stored(state_directory: &Path) -> io::Result<Option<(StatusDocument, i64)>> {
    let path = state_directory.join(STATUS_NAME);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let written = fs::metadata(&path)?.mtime();
    Ok(serde_json::from_slice(&text).ok().map(|status| (status, written)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::model::State;
    use crate::status::{DaemonState, Facts, Tracker};

    #[test]
    fn it_is_written_when_it_changed_and_read_back() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        assert!(stored(temp.path()).expect("readable").is_none());
        let facts = Facts {
            username: "you@example.com".to_owned(),
            directory: "/drive".to_owned(),
            remote_root: "/".to_owned(),
            watch: "events".to_owned(),
            pid: 1,
        };
        let mut tracker = Tracker::new(facts, 1000);
        let mut file = StatusFile::new(temp.path());
        let start = Instant::now();
        let mut offer = |tracker: &Tracker, seconds| {
            let status = tracker.document(&State::empty(), &TimeZone::UTC);
            file.offer(&status, start + Duration::from_secs(seconds)).expect("written")
        };
        assert!(offer(&tracker, 0));
        assert!(!offer(&tracker, 100), "nothing changed");
        tracker.counts.local.files = 1;
        assert!(offer(&tracker, 100));
        tracker.counts.local.files = 2;
        assert!(!offer(&tracker, 101), "too soon");
        tracker.set_state(DaemonState::Idle, 1001);
        assert!(offer(&tracker, 102), "another state");
        let (status, _) = stored(temp.path()).expect("readable").expect("written");
        assert_eq!(status, tracker.document(&State::empty(), &TimeZone::UTC));
        let path = temp.path().join(STATUS_NAME);
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        fs::write(&path, "{half").expect("write");
        assert!(stored(temp.path()).expect("readable").is_none());
    }
}
