//! How many commits of new files may be under way at once: arithmetic only, time comes from the caller.

use std::time::Duration;

/// How long it stays at one after the first refusal.
const FIRST_REST: Duration = Duration::from_secs(30);
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(3600);
/// Open for so many times its last rest without a refusal, it forgets how long that was.
const CALM: u32 = 10;

/// How many commits of new files may be under way at once (`docs/sync.md` §6). It opens by one while all succeed, falls to one at
/// the first refusal that overlapping may be the reason of, and opens again after a rest that grows. All times are times since
/// the boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    most: usize,
    width: usize,
    /// Commits that succeeded since it had another width.
    succeeded: usize,
    /// The last rest: when it was over, or will be, and how long it was.
    rested: (Duration, Duration),
}

impl Default for Window {
    /// One commit at a time, for good.
    fn default() -> Self {
        Self { most: 1, width: 1, succeeded: 0, rested: (Duration::ZERO, Duration::ZERO) }
    }
}

impl Window {
    /// The same with another upper limit.
    #[must_use]
    pub fn up_to(self, most: usize) -> Self {
        let most = most.max(1);
        Self { most, width: self.width.min(most), ..self }
    }

    /// How many commits may be under way at `now`.
    pub fn width(&self, now: Duration) -> usize {
        if self.rests(now) { 1 } else { self.width }
    }

    /// So many commits were answered by `now`, all well but for those that were refused, if any.
    pub(super) fn learn(&mut self, answered: usize, is_refused: bool, now: Duration) {
        if self.most == 1 || self.rests(now) {
            // What was refused now had begun before it fell, or was alone.
            return;
        }
        if !is_refused {
            self.succeeded += answered;
            if self.succeeded >= self.width && self.width < self.most {
                (self.width, self.succeeded) = (self.width + 1, 0);
            }
            return;
        }
        let (over, last) = self.rested;
        let is_forgotten = last.is_zero() || now.saturating_sub(over) >= last.saturating_mul(CALM);
        let rest = if is_forgotten { FIRST_REST } else { last.saturating_mul(2).min(LONGEST_REST) };
        (self.width, self.succeeded, self.rested) = (1, 0, (now.saturating_add(rest), rest));
    }

    fn rests(&self, now: Duration) -> bool {
        now < self.rested.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered at a second, how many commits at once, and how wide it is right after.
    type Row = (u64, Answer, usize);

    #[derive(Clone, Copy)]
    enum Answer {
        Well(usize),
        Refused(usize),
        Nothing,
    }
    use Answer::{Nothing, Refused, Well};

    fn widths(most: usize, rows: &[Row]) {
        let mut window = Window::default().up_to(most);
        for (row, (at, answer, width)) in rows.iter().enumerate() {
            let now = Duration::from_secs(*at);
            match answer {
                Well(count) => window.learn(*count, false, now),
                Refused(count) => window.learn(*count, true, now),
                Nothing => {}
            }
            assert_eq!(window.width(now), *width, "row {row} at {at} s: {window:?}");
        }
    }

    #[test]
    fn it_opens_by_one_once_as_many_succeeded_as_it_is_wide() {
        widths(
            4,
            &[
                (0, Nothing, 1),
                (1, Well(1), 2),
                (2, Well(1), 2),
                (3, Well(1), 3),
                (4, Well(3), 4),
                (5, Well(4), 4),
            ],
        );
        widths(1, &[(0, Well(1), 1), (1, Well(1), 1), (2, Refused(1), 1), (99, Well(1), 1)]);
    }

    #[test]
    fn it_falls_to_one_at_the_first_refusal_and_rests_longer_each_time() {
        widths(
            8,
            &[
                (0, Well(1), 2),
                (1, Well(2), 3),
                (2, Refused(3), 1),
                // Alone, whatever is answered counts for nothing.
                (3, Well(1), 1),
                (10, Refused(1), 1),
                (31, Well(1), 1),
                (32, Well(1), 2),
                (33, Refused(2), 1),
                (92, Well(1), 1),
                (93, Well(1), 2),
                (94, Refused(2), 1),
                (213, Nothing, 1),
                (214, Well(1), 2),
            ],
        );
    }

    #[test]
    fn the_rest_has_an_end_and_is_forgotten_after_a_long_calm() {
        let mut window = Window::default().up_to(8);
        let mut now = Duration::from_secs(1);
        for _ in 0..20 {
            window.learn(1, true, now);
            assert!(window.rested.1 <= LONGEST_REST);
            now = window.rested.0;
            window.learn(1, false, now);
            assert_eq!(window.width(now), 2);
        }
        assert_eq!(window.rested.1, LONGEST_REST);
        window.learn(2, true, now + LONGEST_REST * CALM);
        assert_eq!(window.rested.1, FIRST_REST);
    }

    #[test]
    fn another_limit_holds_at_once() {
        let mut window = Window::default().up_to(8);
        (0..8).for_each(|_| window.learn(8, false, Duration::ZERO));
        assert_eq!(window.width(Duration::ZERO), 8);
        assert_eq!(window.up_to(3).width(Duration::ZERO), 3);
        assert_eq!(window.up_to(0).width(Duration::ZERO), 1);
    }
}
