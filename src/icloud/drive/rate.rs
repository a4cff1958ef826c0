//! Keeps transfers within a rate.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::engine::ports::{Clock, Stopped};

/// The largest piece that is moved between two looks at the clock.
pub(super) const LARGEST_PIECE: usize = 64 << 10;

/// A bucket that all transfers of one direction share.
pub(super) struct Rate {
    bytes_per_second: u64,
    /// When everything that was allowed so far will have been moved, by the time since the boot.
    free_at: Mutex<Duration>,
}

impl Rate {
    /// `bytes_per_second` = 0 is no limit.
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second, free_at: Mutex::default() }
    }

    /// How much to move at once: about a tenth of a second's worth.
    pub fn piece(&self) -> usize {
        match self.bytes_per_second {
            0 => LARGEST_PIECE,
            rate => usize::try_from(rate / 10).unwrap_or(LARGEST_PIECE).clamp(512, LARGEST_PIECE),
        }
    }

    /// Waits until `bytes` more fit.
    ///
    /// # Errors
    ///
    /// [`Stopped`] when the program ends meanwhile.
    pub fn take(&self, bytes: usize, clock: &dyn Clock) -> Result<(), Stopped> {
        if self.bytes_per_second == 0 {
            // A long transfer must notice that the program ends.
            return clock.pause(Duration::ZERO);
        }
        let cost = bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_second);
        let cost = Duration::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX));
        let wait = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let now = clock.uptime();
            let start = (*free_at).max(now);
            *free_at = start.saturating_add(cost);
            start.saturating_sub(now)
        };
        if wait.is_zero() { Ok(()) } else { clock.pause(wait) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icloud::test_clock::TestClock;

    #[test]
    fn a_limit_spreads_the_bytes_over_time() {
        let clock = TestClock::with_random(0.5);
        let rate = Rate::new(100_000);
        (0..11).for_each(|_| rate.take(rate.piece(), &clock).unwrap());
        assert_eq!(clock.pauses().iter().sum::<Duration>(), Duration::from_secs(1));
    }

    #[test]
    fn no_limit_never_waits() {
        let clock = TestClock::with_random(0.5);
        let rate = Rate::new(0);
        (0..11).for_each(|_| rate.take(usize::MAX, &clock).unwrap());
        assert_eq!(clock.pauses().iter().sum::<Duration>(), Duration::ZERO);
        assert_eq!(rate.take(1, &TestClock::stopped()), Err(Stopped));
    }
}
