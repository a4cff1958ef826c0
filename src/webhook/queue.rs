//! When what is to be told is sent. No I/O.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::watch::Notice;
use crate::model::Backoff;

/// How many notices wait at most; there are fewer conditions than this.
const MOST: usize = 20;
/// The waits after failures: up to an hour.
const WAITS: Backoff = Backoff::exact(Duration::from_secs(10), Duration::from_secs(60 * 60));

/// What is to be sent, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    notices: VecDeque<Notice>,
    failures: u32,
    not_before: Option<Instant>,
}

impl Queue {
    /// With what an earlier run did not get rid of.
    pub(super) fn new(unsent: Vec<Notice>) -> Self {
        let mut queue = Self::default();
        for notice in unsent {
            queue.push(notice);
        }
        queue
    }

    /// Takes a notice. What waits of the same condition is not news any more: a later word takes its place, and where
    /// nobody heard of its beginning, nobody needs to hear of its end.
    pub(super) fn push(&mut self, notice: Notice) {
        let before = self.notices.len();
        let was_recovery =
            self.notices.iter().any(|known| known.about == notice.about && known.is_recovery());
        self.notices.retain(|known| known.about != notice.about);
        let unheard = self.notices.len() < before && !was_recovery;
        if notice.is_recovery() && unheard {
            return;
        }
        if self.notices.len() >= MOST {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// The next one, if it may be sent at `now`.
    pub(super) fn due(&self, now: Instant) -> Option<&Notice> {
        if self.not_before.is_some_and(|at| now < at) { None } else { self.notices.front() }
    }

    /// It arrived.
    pub(super) fn sent(&mut self) {
        self.notices.pop_front();
        self.failures = 0;
        self.not_before = None;
    }

    /// It did not; how long the next try waits, and whether this is the first failure in a row.
    pub(super) fn failed(&mut self, now: Instant) -> (Duration, bool) {
        let wait = WAITS.wait(self.failures, 0.0);
        let first = self.failures == 0;
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + wait);
        (wait, first)
    }

    /// What waits.
    pub(super) fn unsent(&self) -> Vec<Notice> {
        self.notices.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Condition, RECOVERED};
    use super::*;

    fn notice(about: Condition, event: &str, at: i64) -> Notice {
        Notice { about, event: event.to_owned(), message: String::new(), at }
    }

    #[test]
    fn a_sink_that_fails_for_a_day_is_tried_less_and_less_and_then_hears_the_last_word_once() {
        let begun = Instant::now();
        let mut queue = Queue::default();
        queue.push(notice(Condition::SignInNeeded, "sign-in-needed", 1));
        let (mut tries, mut warned) = (0, 0);
        for second in (0..86_400).step_by(5) {
            let now = begun + Duration::from_secs(second);
            if second == 43_200 {
                queue.push(notice(Condition::SignInNeeded, "sign-in-needed", 2));
            }
            if queue.due(now).is_some() {
                tries += 1;
                warned += u32::from(queue.failed(now).1);
            }
        }
        assert!((30..40).contains(&tries), "{tries}");
        assert_eq!(warned, 1, "it is said once");
        let later = begun + Duration::from_secs(2 * 86_400);
        assert_eq!(queue.due(later).map(|notice| notice.at), Some(2), "the later word alone");
        queue.sent();
        assert_eq!(queue.due(later), None);
        assert_eq!(queue.failed(later), (WAITS.wait(0, 0.0), true), "after a success it begins anew");
    }

    #[test]
    fn what_ended_before_anybody_heard_of_it_is_not_told() {
        let mut queue = Queue::default();
        queue.push(notice(Condition::DeletionsHeld, "deletions-held", 1));
        queue.push(notice(Condition::SetAside, "set-aside", 1));
        queue.push(notice(Condition::DeletionsHeld, RECOVERED, 2));
        assert_eq!(queue.unsent(), [notice(Condition::SetAside, "set-aside", 1)]);
        queue.sent();
        queue.push(notice(Condition::SetAside, RECOVERED, 3));
        assert_eq!(queue.unsent().len(), 1, "its beginning was told");
        queue.push(notice(Condition::SetAside, "set-aside", 4));
        assert_eq!(queue.unsent(), [notice(Condition::SetAside, "set-aside", 4)], "it began again meanwhile");
        assert_eq!(Queue::new(queue.unsent()).unsent(), queue.unsent());
    }

    #[test]
    fn its_length_is_bounded() {
        let mut queue = Queue::default();
        for at in 0..1000 {
            queue.push(notice(Condition::Offline, "offline", at));
        }
        assert_eq!(queue.unsent().len(), 1);
    }
}
