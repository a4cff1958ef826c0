//! When the stored session is read again for what another process stored, while a person is waited for.

use std::time::{Duration, Instant};

/// How often it is read.
pub(super) const SESSION_LOOK: Duration = Duration::from_secs(2);
/// The same when it cannot be read.
pub(super) const UNREADABLE_LOOK: Duration = Duration::from_secs(60);

/// The wait; none, where nobody is waited for.
#[derive(Debug, Default)]
pub(super) struct SessionWait {
    at: Option<Instant>,
}

impl SessionWait {
    /// A person is waited for.
    pub fn begins(&mut self, now: Instant) {
        self.at = Some(now + SESSION_LOOK);
    }

    /// It could not be read, so that is tried less often.
    pub fn is_unreadable(&mut self, now: Instant) {
        self.at = self.at.map(|_| now + UNREADABLE_LOOK);
    }

    /// Nobody is waited for any more.
    pub fn is_over(&mut self) {
        self.at = None;
    }

    /// When it is read again.
    pub fn at(&self) -> Option<Instant> {
        self.at
    }
}
