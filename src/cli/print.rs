//! Standard output for commands: a reader that goes away is no failure.

use std::io::{self, Write};

use crate::model::plain::plain_lines;

/// Standard output could not be written to.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct PrintError(#[from] io::Error);

/// Writes `text` to standard output and flushes it. What moves a cursor or cannot be seen is escaped, but for the ends of lines.
///
/// A closed pipe counts as written: `icloudds status | head -1` has what it wanted.
///
/// # Errors
///
/// [`PrintError`] for any other failure, a full disk for example.
pub fn print(text: impl AsRef<str>) -> Result<(), PrintError> {
    print_drawn(plain_lines(text.as_ref()))
}

/// As [`print`], for what was drawn for a terminal from text that was escaped already.
///
/// # Errors
///
/// As [`print`].
pub(super) fn print_drawn(text: impl AsRef<str>) -> Result<(), PrintError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref().as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(PrintError),
    }
}
