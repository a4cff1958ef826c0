//! How long to wait before another try: arithmetic only, time and chance come from the caller.

use std::time::Duration;

use crate::model::SetAside;

/// The wait before try number `attempt` (0 for the first repetition): exponential with full jitter.
///
/// `chance` lies in `[0, 1)`; the wait lies between nothing and `first · 2^attempt`, at most `most`.
pub fn backoff(attempt: u32, first: Duration, most: Duration, chance: f64) -> Duration {
    let factor = 1u32.checked_shl(attempt.min(20)).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(most).mul_f64(chance.clamp(0.0, 1.0))
}

/// Seconds until a set-aside item is tried again after its `attempts`-th failure (1 for the first):
/// a minute, doubling to six hours.
pub fn aside_seconds(attempts: u32) -> i64 {
    let most = SetAside::LONGEST_WAIT;
    60i64.checked_shl(attempts.saturating_sub(1).min(16)).map_or(most, |wait| wait.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_jitter_takes_any_part_of_them() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(16));
        for (attempt, full) in [(0, 1), (1, 2), (3, 8), (4, 16), (9, 16), (u32::MAX, 16)] {
            assert_eq!(backoff(attempt, first, most, 1.0), Duration::from_secs(full), "{attempt}");
            assert_eq!(backoff(attempt, first, most, 0.0), Duration::ZERO, "{attempt}");
        }
        assert_eq!(backoff(1, first, most, 0.5), Duration::from_secs(1));
    }

    #[test]
    fn a_set_aside_item_waits_a_minute_then_twice_as_long_up_to_six_hours() {
        for (attempts, seconds) in
            [(0, 60), (1, 60), (2, 120), (3, 240), (9, 15_360), (10, 21_600), (400, 21_600)]
        {
            assert_eq!(aside_seconds(attempts), seconds, "{attempts}");
        }
    }
}
