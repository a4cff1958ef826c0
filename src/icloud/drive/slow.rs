//! The two listings that cost the service much: the root's and the trash's (`docs/protocol.md` §8.1, §9).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::DiskTime;

/// So many times as long as its last answer took, such a listing is left alone.
const RESTS: u32 = 10;
/// An answer that took less costs the service nothing worth a rest.
const QUICK: Duration = Duration::from_secs(1);

/// What the last answer to one of these listings cost.
#[derive(Default)]
pub(super) struct SlowListing {
    /// When it was over, and how long it took.
    last: Mutex<Option<(DiskTime, Duration)>>,
}

impl SlowListing {
    /// A listing that began at `began` is over at `now`, whatever came of it.
    pub fn over(&self, began: DiskTime, now: DiskTime) {
        let took = Duration::from_nanos(now.0.saturating_sub(began.0).try_into().unwrap_or(0));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, took));
    }

    /// How long it should be left alone from `now` on.
    pub fn rest(&self, now: DiskTime) -> Duration {
        let Some((over, took)) = *self.last.lock().unwrap_or_else(PoisonError::into_inner) else {
            return Duration::ZERO;
        };
        if took < QUICK {
            return Duration::ZERO;
        }
        // A clock that was set back must not make this longer than it ever was.
        let since = Duration::from_nanos(now.0.saturating_sub(over.0).try_into().unwrap_or(0));
        took.saturating_mul(RESTS).saturating_sub(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_ten_times_as_long_as_it_took() {
        let second = 1_000_000_000;
        let slow = SlowListing::default();
        let at = |seconds: i64| DiskTime(seconds * second);
        assert_eq!(slow.rest(at(0)), Duration::ZERO, "nothing is known of it");
        slow.over(at(100), at(130));
        assert_eq!(slow.rest(at(130)), Duration::from_secs(300));
        assert_eq!(slow.rest(at(330)), Duration::from_secs(100));
        assert_eq!(slow.rest(at(430)), Duration::ZERO);
        assert_eq!(slow.rest(at(0)), Duration::from_secs(300), "the clock was set back");
        slow.over(at(500), DiskTime(500 * second + 900_000_000));
        assert_eq!(slow.rest(at(501)), Duration::ZERO, "it was quick");
        slow.over(at(500), at(499));
        assert_eq!(slow.rest(at(500)), Duration::ZERO, "and set back while it was asked");
    }
}
