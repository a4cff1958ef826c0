//! One JSON object a line over a socket, with a limit on size and on time.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Why no line came.
#[derive(Debug)]
pub(super) enum LineError {
    /// The other side closed before a line began.
    Closed,
    /// It closed in the middle of one.
    Cut,
    /// The line is longer than allowed.
    TooLong,
    /// It did not come in time.
    Late,
    /// Anything else.
    Io(io::Error),
}

impl From<io::Error> for LineError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Late,
            _ => Self::Io(error),
        }
    }
}

/// A socket, and what was read of it beyond the last line.
pub(super) struct Lines {
    stream: UnixStream,
    rest: Vec<u8>,
}

impl Lines {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// Ends the connection for both sides; what was written can still be read.
    pub(super) fn close(&self) {
        // It may have ended already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Reads one line of at most `limit_bytes`, without its end, within `patience` as a whole: a byte now and then does
    /// not prolong it.
    pub(super) fn read(&mut self, limit_bytes: usize, patience: Duration) -> Result<Vec<u8>, LineError> {
        let deadline = Instant::now() + patience;
        let mut searched = 0;
        loop {
            if let Some(at) = self.rest[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.rest.drain(..=searched + at).collect();
                line.pop();
                return if line.len() > limit_bytes { Err(LineError::TooLong) } else { Ok(line) };
            }
            searched = self.rest.len();
            if searched > limit_bytes {
                return Err(LineError::TooLong);
            }
            self.stream.set_read_timeout(Some(remaining(deadline)?))?;
            let mut buffer = [0; 8192];
            match self.stream.read(&mut buffer) {
                Ok(0) if self.rest.is_empty() => return Err(LineError::Closed),
                Ok(0) => return Err(LineError::Cut),
                Ok(read) => self.rest.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes one line within `patience` as a whole.
    pub(super) fn write(&mut self, line: &str, patience: Duration) -> Result<(), LineError> {
        let deadline = Instant::now() + patience;
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        let mut left = bytes.as_slice();
        while !left.is_empty() {
            self.stream.set_write_timeout(Some(remaining(deadline)?))?;
            match self.stream.write(left) {
                Ok(0) => return Err(LineError::Cut),
                Ok(written) => left = &left[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// The time left, never zero: that would mean no limit to the socket.
fn remaining(deadline: Instant) -> Result<Duration, LineError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(LineError::Late) } else { Ok(left) }
}
