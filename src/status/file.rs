//! `status.json`: the last known state, for when no daemon answers.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};

use super::StatusDocument;
use crate::model::plain::plain_json;
use crate::private_file::{PrivateFile, Stored, open_stored};

/// The file's name in the state directory.
pub const STATUS_NAME: &str = "status.json";

/// A longer document is none of ours.
const LARGEST: u64 = 64 << 20;

/// How far apart two writes are at least, unless the state changed.
const STEP: Duration = Duration::from_secs(5);

/// Writes the document on a thread of its own, seldom enough and only when it changed: who offers it never waits.
#[derive(Debug)]
pub struct StatusFile {
    last: Option<(Instant, StatusDocument)>,
    /// `None` only while dropping.
    documents: Option<Sender<StatusDocument>>,
    thread: Option<JoinHandle<()>>,
}

impl StatusFile {
    /// In `state_directory`.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn start(state_directory: &Path) -> io::Result<Self> {
        let path = state_directory.join(STATUS_NAME);
        // Room for one: while that waits, newer ones are offered again later.
        let (documents, inbox) = bounded::<StatusDocument>(1);
        let thread = std::thread::Builder::new().name("icloudds-status".to_owned()).spawn(move || {
            let mut told = false;
            for document in inbox {
                match write(&path, &document) {
                    Ok(()) => told = false,
                    Err(error) if !told => {
                        told = true;
                        log::warn!("cannot write the status file: {error}");
                    }
                    Err(_) => {}
                }
            }
        })?;
        Ok(Self { last: None, documents: Some(documents), thread: Some(thread) })
    }

    /// Has `status` written if it changed, and either its state did too or the last write was long enough ago; with
    /// `at_once` in any case. Says whether it is going to be.
    pub fn offer(&mut self, status: &StatusDocument, now: Instant, at_once: bool) -> bool {
        if let Some((at, last)) = &self.last
            && !at_once
        {
            let soon = now.saturating_duration_since(*at) < STEP && last.state == status.state;
            if soon || last == status {
                return false;
            }
        }
        let taken = self.documents.as_ref().is_some_and(|inbox| inbox.try_send(status.clone()).is_ok());
        if taken {
            self.last = Some((now, status.clone()));
        }
        taken
    }

    /// Writes the last one and ends.
    pub fn finish(mut self, status: StatusDocument) {
        if let Some(documents) = self.documents.take() {
            // Fails only when the thread is gone, and there is nobody to tell.
            let _ = documents.send(status);
        }
    }
}

impl Drop for StatusFile {
    fn drop(&mut self) {
        drop(self.documents.take());
        if let Some(thread) = self.thread.take() {
            // A panic of it has ended the process already.
            let _ = thread.join();
        }
    }
}

/// Stores the document in `state_directory`: for a run that ends.
///
/// # Errors
///
/// When it cannot be written; the old one stays.
pub fn store(state_directory: &Path, status: &StatusDocument) -> io::Result<()> {
    write(&state_directory.join(STATUS_NAME), status)
}

/// Replaces the file; the old one stays after an error.
fn write(path: &Path, status: &StatusDocument) -> io::Result<()> {
    let mut file = PrivateFile::create(path)?;
    let text = plain_json(&serde_json::to_string_pretty(status)?);
    writeln!(file, "{text}")?;
    file.commit()
}

/// The last known state, and when it was written (Unix seconds); `None` where there is none that can be read, which is
/// no failure: it only says what was.
///
/// # Errors
///
/// When the file is there but may not be read.
pub fn stored(state_directory: &Path) -> io::Result<Option<(StatusDocument, i64)>> {
    let path = state_directory.join(STATUS_NAME);
    let (file, seen) = match open_stored(&path)? {
        Stored::Ours(file, seen) => (file, seen),
        Stored::Absent => return Ok(None),
        Stored::Foreign(why) => return Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
    };
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text)?;
    let written = seen.mtime();
    Ok(serde_json::from_slice(&text).ok().map(|status| (status, written)))
}

#[cfg(test)]
mod tests {
    use std::fs;
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
            file_system: None,
            pid: 1,
        };
        let mut tracker = Tracker::new(facts, 1000);
        let mut file = StatusFile::start(temp.path()).expect("a thread");
        let start = Instant::now();
        let mut offer = |tracker: &Tracker, seconds| {
            let status = tracker.document(&State::empty(), &TimeZone::UTC);
            let going = file.offer(&status, start + Duration::from_secs(seconds), false);
            // The thread takes what is offered, one after the other.
            while going && !file.documents.as_ref().expect("it runs").is_empty() {
                std::thread::yield_now();
            }
            going
        };
        assert!(offer(&tracker, 0));
        assert!(!offer(&tracker, 100), "nothing changed");
        tracker.counts.local.files = 1;
        assert!(offer(&tracker, 100));
        tracker.counts.local.files = 2;
        assert!(!offer(&tracker, 101), "too soon");
        tracker.set_state(DaemonState::Idle, 1001);
        assert!(offer(&tracker, 102), "another state");
        file.finish(tracker.document(&State::empty(), &TimeZone::UTC));
        let (status, _) = stored(temp.path()).expect("readable").expect("written");
        assert_eq!(status, tracker.document(&State::empty(), &TimeZone::UTC));
        let path = temp.path().join(STATUS_NAME);
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        fs::write(&path, "{half").expect("write");
        assert!(stored(temp.path()).expect("readable").is_none());
    }
}
