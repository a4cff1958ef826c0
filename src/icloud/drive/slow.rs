//! The two listings that cost the service much: the root's and the trash's (`docs/protocol.md` §8.1, §9).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many times as long as its last answer took, such a listing is left alone.
const RESTS: u32 = 10;
/// An answer that took less costs the service nothing worth a rest.
const QUICK: Duration = Duration::from_secs(1);

/// What the last answer to one of these listings cost.
#[derive(Default)]
pub(super) struct SlowListing {
    /// When it was over, by the time since the boot, and how long it took.
    last: Mutex<Option<(Duration, Duration)>>,
}

impl SlowListing {
    /// A listing that began at `began` is over at `now`, both by the time since the boot, whatever came of it.
    pub fn over(&self, began: Duration, now: Duration) {
        let took = now.saturating_sub(began);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, took));
    }

    /// How long it should be left alone from `now` on, a time since the boot.
    pub fn rest(&self, now: Duration) -> Duration {
        let Some((over, took)) = *self.last.lock().unwrap_or_else(PoisonError::into_inner) else {
            return Duration::ZERO;
        };
        if took < QUICK {
            return Duration::ZERO;
        }
        took.saturating_mul(RESTS).saturating_sub(now.saturating_sub(over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_ten_times_as_long_as_it_took() {
        let slow = SlowListing::default();
        let at = Duration::from_secs;
        assert_eq!(slow.rest(at(0)), Duration::ZERO, "nothing is known of it");
        slow.over(at(100), at(130));
        assert_eq!(slow.rest(at(130)), Duration::from_secs(300));
        assert_eq!(slow.rest(at(330)), Duration::from_secs(100));
        assert_eq!(slow.rest(at(430)), Duration::ZERO);
        assert_eq!(slow.rest(at(0)), Duration::from_secs(300), "never longer than that");
        slow.over(at(500), at(500) + Duration::from_millis(900));
        assert_eq!(slow.rest(at(501)), Duration::ZERO, "it was quick");
    }
}
