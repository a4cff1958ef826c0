//! Looking at iCloud's trash now and then, beside everything else.

use std::time::{Duration, Instant};

use crate::icloud::drive::TrashPulse;

/// What is known of iCloud's trash, and when it is asked next. Where an account is large each look takes half a minute
/// (`docs/protocol.md` §9), so nothing waits for one, and only one is under way.
#[derive(Debug)]
pub(super) struct TrashWatch {
    pulse: Option<TrashPulse>,
    under_way: bool,
    at: Instant,
}

impl TrashWatch {
    /// The first look is due at `at`.
    pub fn new(at: Instant) -> Self {
        Self { pulse: None, under_way: false, at }
    }

    /// When the next look is due, unless one is under way.
    pub fn due_at(&self) -> Option<Instant> {
        (!self.under_way).then_some(self.at)
    }

    /// A look begins.
    pub fn begins(&mut self) {
        self.under_way = true;
    }

    /// A look is over; the next one comes after `period`, and not before `rest` is over.
    pub fn over(&mut self, period: Duration, rest: Duration, now: Instant) {
        self.under_way = false;
        self.at = now + period.max(rest);
    }

    /// Takes in what a look saw; whether that differs from what the one before saw.
    pub fn changed(&mut self, pulse: TrashPulse) -> bool {
        let before = self.pulse.replace(pulse);
        before.is_some() && before != self.pulse
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Etag, ItemId};

    #[test]
    fn it_looks_each_period_and_seldom_where_the_answer_is_slow() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut watch = TrashWatch::new(now + 20 * second);
        assert_eq!(watch.due_at(), Some(now + 20 * second));
        watch.begins();
        assert_eq!(watch.due_at(), None, "one at a time");
        watch.over(20 * second, 4 * second, now);
        assert_eq!(watch.due_at(), Some(now + 20 * second));
        watch.over(20 * second, 300 * second, now);
        assert_eq!(watch.due_at(), Some(now + 300 * second));
        let pulse = |etag| TrashPulse(vec![(ItemId::drive_root(), Etag::new(etag))]);
        assert!(!watch.changed(pulse("1")), "the first look has nothing to compare with");
        assert!(!watch.changed(pulse("1")) && watch.changed(pulse("2")));
    }
}
