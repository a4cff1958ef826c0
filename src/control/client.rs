//! The commands' end of the socket.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::line::{LineError, Lines};
use super::message::{ControlReply, ControlRequest, limit_of};
use super::{ControlError, socket};

/// The longest answer in bytes: a plan of a million lines fits.
const MAX_REPLY_BYTES: usize = 512 * 1024 * 1024;

/// How much longer than the daemon's own limit is waited for it.
const GRACE: Duration = Duration::from_secs(5);

/// A connection to the daemon of one state directory.
pub struct ControlClient {
    lines: Lines,
    path: PathBuf,
}

impl ControlClient {
    /// Connects to the daemon of `state_directory`; `None` when none listens.
    ///
    /// # Errors
    ///
    /// [`ControlError`] when there is a daemon that may not be reached.
    pub fn connect(state_directory: &Path) -> Result<Option<Self>, ControlError> {
        let path = socket::path_in(state_directory)?;
        match UnixStream::connect(&path) {
            Ok(stream) => Ok(Some(Self { lines: Lines::new(stream), path })),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                Ok(None)
            }
            Err(source) => Err(ControlError::Io { what: "reach the daemon at", path, source }),
        }
    }

    /// Asks and waits for the answer: a little longer than the daemon lets its loop take.
    ///
    /// # Errors
    ///
    /// [`ControlError::Silent`] when the whole daemon is stuck; the others when it went away or is another version.
    pub fn call(&mut self, request: &ControlRequest) -> Result<ControlReply, ControlError> {
        self.call_within(request, limit_of(request) + GRACE)
    }

    pub(super) fn call_within(
        &mut self,
        request: &ControlRequest,
        patience: Duration,
    ) -> Result<ControlReply, ControlError> {
        let line =
            serde_json::to_string(request).map_err(|error| ControlError::Unreadable(error.to_string()))?;
        let wrap = |path: &Path, error| match error {
            LineError::Late => ControlError::Silent { seconds: patience.as_secs() },
            LineError::TooLong => ControlError::Unreadable("it is too long".to_owned()),
            LineError::Closed | LineError::Cut => ControlError::Io {
                what: "get an answer from the daemon at",
                path: path.to_owned(),
                source: io::ErrorKind::UnexpectedEof.into(),
            },
            LineError::Io(source) => {
                ControlError::Io { what: "get an answer from the daemon at", path: path.to_owned(), source }
            }
        };
        // A daemon with too many clients answers and closes without reading, so its answer is tried for first.
        let sent = self.lines.write(&line, patience);
        let answer = match (self.lines.read(MAX_REPLY_BYTES, patience), sent) {
            (Ok(answer), _) => answer,
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(wrap(&self.path, error)),
        };
        serde_json::from_slice(&answer).map_err(|error| ControlError::Unreadable(error.to_string()))
    }
}
