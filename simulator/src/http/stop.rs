//! The end of all waiting.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lets every waiting thread end at once.
#[derive(Debug, Default)]
pub(super) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(super) fn raise(&self) {
        *lock(&self.stopped) = true;
        self.changed.notify_all();
    }

    pub(super) fn is_raised(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Waits so long, or until the server stops; then it is an error.
    pub(super) fn pause(&self, duration: Duration) -> io::Result<()> {
        let (stopped, _) = self
            .changed
            .wait_timeout_while(lock(&self.stopped), duration, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        if *stopped {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
