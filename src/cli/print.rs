//! Standard output for commands: a reader that goes away is no failure.

use std::io::{self, Write};

/// Standard output could not be written to.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct PrintError(#[from] io::Error);

/// Writes `text` to standard output and flushes it.
///
/// A closed pipe counts as written: `icloudds status | head -1` has what it wanted.
///
/// # Errors
///
/// [`PrintError`] for any other failure, a full disk for example.
pub fn print(text: impl AsRef<str>) -> Result<(), PrintError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref().as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(PrintError),
    }
}
