//! Where lines go: stderr, and a file that is rolled by size.

use std::cell::Cell;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fern::Output;

use super::error::LogError;
use super::rolling::RollingFile;
use crate::model::plain::plain;

thread_local! {
    static WRITING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside an output just now. Whoever reports a panic must then not log: the output's lock is
/// held by the very thread that would wait for it.
pub fn is_writing() -> bool {
    WRITING.get()
}

/// Marks this thread as writing until dropped.
struct Writing;

impl Writing {
    fn begin() -> Self {
        WRITING.set(true);
        Self
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        WRITING.set(false);
    }
}

/// Standard error, a line an event, each in one piece.
pub(super) fn stderr() -> Output {
    Output::call(|record| {
        let _writing = Writing::begin();
        let line = format!("{}\n", record.args());
        // Nobody is left to tell when stderr is gone, and the program goes on without it.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    })
}

/// The file at `path`, rolled beyond `max_size_bytes` (`None`: never), `keep` old ones kept.
pub(super) fn file(path: &Path, max_size_bytes: Option<u64>, keep: usize) -> Result<Output, LogError> {
    let file = Mutex::new(Tolerant { file: RollingFile::open(path, max_size_bytes, keep)?, said: false });
    Ok(Output::call(move |record| {
        let _writing = Writing::begin();
        let line = format!("{}\n", record.args());
        file.lock().unwrap_or_else(PoisonError::into_inner).write(&line);
    }))
}

/// A log file whose failures are said once on stderr and otherwise borne.
struct Tolerant {
    file: RollingFile,
    said: bool,
}

impl Tolerant {
    fn write(&mut self, line: &str) {
        if let Err(error) = self.file.write_line(line)
            && !self.said
        {
            self.said = true;
            let path = self.file.path().display();
            let said = plain(&format!(
                "icloudds: cannot write to the log file {path}: {error}; going on without it"
            ));
            let _ = io::stderr().lock().write_all(format!("{said}\n").as_bytes());
        }
    }
}
