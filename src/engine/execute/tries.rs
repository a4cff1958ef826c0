//! How often, and for how long, what fails is tried again within a pass.

use std::collections::{BTreeSet, HashMap};
use std::mem::Discriminant;
use std::time::Duration;

use crate::engine::operation::Action;
use crate::model::Backoff;

/// Back-off between tries of one item within a pass.
const WAITS: Backoff = Backoff::all_random(Duration::from_secs(1), Duration::from_secs(16));

/// So many different operations of one kind that fail, with no success in between for as long as anything is tried again, stand for
/// all others of that kind.
const STAND_FOR_ALL: usize = 2;

/// So much of the time that a failing step took counts as time in which nothing succeeded: a call that hangs is waited for no longer by
/// those who wait for the whole. The rest may have gone into what was done before the call, a large content for one.
const MOST_OF_A_STEP: Duration = Duration::from_secs(25);

/// The tries of all operations of a pass.
#[derive(Default)]
pub(super) struct Tries {
    of: HashMap<usize, Tried>,
    /// When the step under way began, of each operation.
    begun: HashMap<usize, Duration>,
    /// When something succeeded last.
    succeeded_at: Option<Duration>,
    /// Since when steps fail and none succeeds.
    troubled: Option<Duration>,
    /// Which operations failed since then, by their kind.
    failing: HashMap<Discriminant<Action>, BTreeSet<usize>>,
}

struct Tried {
    count: u32,
    since: Duration,
    /// Why it failed last.
    why: String,
}

impl Tries {
    /// Whether an operation failed before, and has not succeeded.
    pub(super) fn has_failed(&self, operation: usize) -> bool {
        self.of.contains_key(&operation)
    }

    /// A step of an operation begins at `now`, a time since the boot.
    pub(super) fn begins(&mut self, operation: usize, now: Duration) {
        self.begun.insert(operation, now);
    }

    /// An operation succeeded at `now`.
    pub(super) fn succeeded(&mut self, operation: usize, now: Duration) {
        self.of.remove(&operation);
        self.begun.remove(&operation);
        self.succeeded_at = Some(now);
        self.troubled = None;
        self.failing.clear();
    }

    /// An operation of that kind failed for that reason; comes after [`Tries::failed`].
    pub(super) fn note(&mut self, operation: usize, action: &Action, why: String) {
        self.failing.entry(std::mem::discriminant(action)).or_default().insert(operation);
        if let Some(tried) = self.of.get_mut(&operation) {
            tried.why = why;
        }
    }

    /// Why an operation failed last, if it did and has not succeeded.
    pub(super) fn why(&self, operation: usize) -> Option<&str> {
        self.of.get(&operation).map(|tried| tried.why.as_str())
    }

    /// Whether nothing of that kind is worth a try any more at `now`: some failed, and nothing has succeeded for the whole `budget`.
    pub(super) fn has_given_up(&self, action: &Action, now: Duration, budget: Duration) -> bool {
        self.troubled.is_some_and(|since| now.saturating_sub(since) >= budget)
            && self
                .failing
                .get(&std::mem::discriminant(action))
                .is_some_and(|failing| failing.len() >= STAND_FOR_ALL)
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
        let begun = self.begun.remove(&operation).unwrap_or(now);
        let begun = begun.max(now.saturating_sub(MOST_OF_A_STEP)).max(self.succeeded_at.unwrap_or_default());
        let tried = self.of.entry(operation).or_insert(Tried { count: 0, since: begun, why: String::new() });
        let wait = WAITS.wait(tried.count, chance);
        let wait = wait.max(asked.unwrap_or_default());
        tried.count += 1;
        let since = tried.since.min(*self.troubled.get_or_insert(begun));
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
    fn what_two_fail_for_a_whole_budget_is_given_up_for_all_of_their_kind_until_something_succeeds() {
        let forget = Action::Forget { id: crate::model::ItemId::drive_root() };
        let local = crate::engine::operation::LocalSeen {
            path: crate::model::RelPath::root(),
            stamp: crate::model::LocalStamp::default(),
            racy: false,
            signature: None,
        };
        let trash = Action::TrashLocal { id: None, local, folder: false };
        let mut tries = Tries::default();
        let fails = |tries: &mut Tries, operation, at| {
            let _ = tries.failed(operation, seconds(at), None, BUDGET);
            tries.note(operation, &forget, "busy".into());
        };
        fails(&mut tries, 0, 0);
        fails(&mut tries, 0, 70);
        assert!(!tries.has_given_up(&forget, seconds(70), BUDGET.0), "one may fail for a reason of its own");
        fails(&mut tries, 1, 70);
        for (action, at, expected) in [(&forget, 70, true), (&forget, 59, false), (&trash, 70, false)] {
            assert_eq!(tries.has_given_up(action, seconds(at), BUDGET.0), expected, "{action:?} at {at} s");
        }
        assert_eq!((tries.why(1), tries.why(2)), (Some("busy"), None));
        tries.succeeded(5, seconds(70));
        assert!(!tries.has_given_up(&forget, seconds(70), BUDGET.0));
    }

    #[test]
    fn a_step_that_hangs_uses_up_the_budget_and_one_that_took_long_for_other_reasons_only_a_part() {
        let short = (seconds(40), 0.5);
        let mut tries = Tries::default();
        tries.begins(0, seconds(100));
        assert!(tries.failed(0, seconds(125), None, short).is_some());
        tries.begins(0, seconds(126));
        assert_eq!(tries.failed(0, seconds(151), None, short), None, "50 s without a success");
        let mut tries = Tries::default();
        tries.begins(0, seconds(100));
        assert!(tries.failed(0, seconds(7300), None, short).is_some(), "a large content is tried again");
        let mut tries = Tries::default();
        tries.begins(0, seconds(100));
        tries.succeeded(1, seconds(124));
        assert!(tries.failed(0, seconds(125), None, short).is_some());
        tries.begins(0, seconds(126));
        assert!(tries.failed(0, seconds(151), None, short).is_some(), "27 s after a success");
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
        tries.succeeded(2, seconds(60));
        assert!(tries.failed(3, seconds(60), None, BUDGET).is_some());
        assert!(tries.has_failed(0) && !tries.has_failed(2));
        tries.succeeded(0, seconds(61));
        assert!(!tries.has_failed(0));
    }
}
