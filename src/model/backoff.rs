//! How long to wait before another try: arithmetic only, time and chance come from the caller.

use std::time::Duration;

/// Waits that double with each failure in a row up to a longest one, and of which a part is chance, so that many that fail together do
/// not come back together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    spread: f64,
}

impl Backoff {
    /// Waits from `first` to `longest`, of which nothing is chance.
    pub const fn exact(first: Duration, longest: Duration) -> Self {
        Self { first, longest, spread: 0.0 }
    }

    /// Waits of which the second half is chance.
    pub const fn half_random(first: Duration, longest: Duration) -> Self {
        Self { first, longest, spread: 0.5 }
    }

    /// Waits of which all is chance.
    pub const fn all_random(first: Duration, longest: Duration) -> Self {
        Self { first, longest, spread: 1.0 }
    }

    /// The wait before the next try after so many failures in a row, the last one not counted: 0 for the first failure. `chance`
    /// lies in `[0, 1)`.
    pub fn wait(&self, failures: u32, chance: f64) -> Duration {
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(factor).min(self.longest);
        let part = 1.0 - self.spread + self.spread * chance.clamp(0.0, 1.0);
        // The longest time there is has no exact form as a fraction.
        if part < 1.0 { whole.mul_f64(part) } else { whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(16);

    #[test]
    fn waits_double_up_to_the_longest() {
        for (failures, seconds) in
            [(0, 1), (1, 2), (3, 8), (4, 16), (9, 16), (31, 16), (32, 16), (u32::MAX, 16)]
        {
            let wait = Duration::from_secs(seconds);
            for backoff in [Backoff::exact, Backoff::half_random, Backoff::all_random] {
                assert_eq!(backoff(FIRST, LONGEST).wait(failures, 1.0), wait, "{failures}");
            }
        }
        assert_eq!(Backoff::exact(Duration::MAX, Duration::MAX).wait(40, 0.5), Duration::MAX);
        assert_eq!(Backoff::exact(LONGEST, FIRST).wait(0, 0.5), FIRST, "the longest bounds the first too");
    }

    #[test]
    fn a_set_aside_item_waits_a_minute_then_twice_as_long_up_to_six_hours() {
        for (attempts, seconds) in
            [(0, 60), (1, 60), (2, 120), (3, 240), (9, 15_360), (10, 21_600), (400, 21_600)]
        {
            assert_eq!(crate::model::SetAside::wait_after(attempts), seconds, "{attempts}");
        }
    }

    #[test]
    fn chance_takes_the_part_that_is_left_to_it() {
        let waits = |backoff: fn(Duration, Duration) -> Backoff| {
            [0.0, 0.5, 2.0].map(|chance| backoff(FIRST, LONGEST).wait(2, chance).as_millis())
        };
        assert_eq!(waits(Backoff::exact), [4000, 4000, 4000]);
        assert_eq!(waits(Backoff::half_random), [2000, 3000, 4000]);
        assert_eq!(waits(Backoff::all_random), [0, 2000, 4000]);
    }
}
