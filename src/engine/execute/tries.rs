//! How often, and for how long, what fails is tried again within a pass.

use std::collections::HashMap;
use std::time::Duration;

use crate::engine::retry;

/// Back-off between tries of one item within a pass.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(16);

/// The tries of all operations of a pass.
#[derive(Default)]
pub(super) struct Tries {
    of: HashMap<usize, Tried>,
    /// Since when steps fail and none succeeds.
    troubled: Option<Duration>,
}

struct Tried {
    count: u32,
    since: Duration,
}

impl Tries {
    /// Whether an operation failed before, and has not succeeded.
    pub(super) fn has_failed(&self, operation: usize) -> bool {
        self.of.contains_key(&operation)
    }

    /// An operation succeeded.
    pub(super) fn succeeded(&mut self, operation: usize) {
        self.of.remove(&operation);
        self.troubled = None;
    }

    /// An operation failed at `now`, a time since the boot: how long to wait for its next try, no less than was `asked` for. `None`
    /// when its `budget` is spent, or the one that all share since something succeeded: they wait side by side, not one after the
    /// other. `chance` is from 0 up to 1.
    pub(super) fn failed(
        &mut self,
        operation: usize,
        now: Duration,
        asked: Option<Duration>,
        (budget, chance): (Duration, f64),
    ) -> Option<Duration> {
        let tried = self.of.entry(operation).or_insert(Tried { count: 0, since: now });
        let wait = retry::backoff(tried.count, FIRST_WAIT, LONGEST_WAIT, chance);
        let wait = wait.max(asked.unwrap_or_default());
        tried.count += 1;
        let since = tried.since.min(*self.troubled.get_or_insert(now));
        let spent = now.saturating_sub(since);
        (spent.saturating_add(wait) <= budget).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: (Duration, f64) = (Duration::from_secs(60), 0.5);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn the_waits_of_one_operation_grow_until_its_budget_is_spent() {
        let mut tries = Tries::default();
        let (mut now, mut waits) = (seconds(100), Vec::new());
        while let Some(wait) = tries.failed(0, now, None, BUDGET) {
            now += wait;
            waits.push(wait);
        }
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
        assert!(waits.len() >= 4 && now <= seconds(160), "{waits:?}");
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept_and_counts() {
        let mut tries = Tries::default();
        assert_eq!(tries.failed(0, seconds(0), Some(seconds(31)), BUDGET), Some(seconds(31)));
        assert_eq!(tries.failed(0, seconds(31), Some(seconds(31)), BUDGET), None);
        assert_eq!(tries.failed(1, seconds(0), Some(seconds(61)), BUDGET), None);
    }

    #[test]
    fn what_fails_side_by_side_shares_one_budget_until_something_succeeds() {
        let mut tries = Tries::default();
        assert!(tries.failed(0, seconds(0), None, BUDGET).is_some());
        assert_eq!(tries.failed(1, seconds(60), None, BUDGET), None, "nothing has succeeded for a minute");
        tries.succeeded(2);
        assert!(tries.failed(3, seconds(60), None, BUDGET).is_some());
        assert!(tries.has_failed(0) && !tries.has_failed(2));
        tries.succeeded(0);
        assert!(!tries.has_failed(0));
    }
}
