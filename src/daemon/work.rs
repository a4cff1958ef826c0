//! Which pass is due and why, and what the passes so far left to do.

use std::time::{Duration, Instant};

/// How often in a row a pass is planned again without another look at iCloud.
const MOST_AGAIN: u32 = 8;
/// So many passes in a row may leave something for later before it is said.
const UNSETTLED_SAID: u32 = 4;
/// How far apart the daily housekeeping is.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a pass with iCloud is due. Of several causes the last one in this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// The last one failed.
    Failure,
    /// A pass without iCloud left what needs it.
    LocalPass,
    /// The last one did something, which may have made something else possible, such as uploading a conflict copy.
    Again,
    /// A walk through iCloud ended well.
    Walk,
    /// A person asked for it.
    Person,
}

/// What is due. A pass that is to plan what changed alone would say here which places those are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// A pass; `both_sides` when iCloud is walked through before it.
    Pass {
        cause: Cause,
        both_sides: bool,
    },
}

impl Due {
    /// A pass is due for one more reason.
    fn raise(&mut self, cause: Cause, both_sides: bool) {
        *self = match *self {
            Self::Nothing => Self::Pass { cause, both_sides },
            Self::Pass { cause: known, both_sides: already } => {
                Self::Pass { cause: known.max(cause), both_sides: already || both_sides }
            }
        };
    }

    /// Whether both sides are to be looked at first.
    pub fn wants_both_sides(self) -> bool {
        matches!(self, Self::Pass { both_sides: true, .. })
    }

    /// Whether a person asked for it.
    pub fn is_by_person(self) -> bool {
        matches!(self, Self::Pass { cause: Cause::Person, .. })
    }

    /// Whether iCloud was walked through for it.
    pub fn is_after_walk(self) -> bool {
        matches!(self, Self::Pass { cause: Cause::Walk | Cause::Person, both_sides: false })
    }
}

/// How a pass ended that ended well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PassEnd {
    /// It planned nothing.
    pub quiet: bool,
    /// It left something that has to be looked at again.
    pub pending: bool,
    /// It left some of its plan for the next one.
    pub cut_short: bool,
    /// Something in it failed.
    pub failed: bool,
    /// It planned nothing and nothing is pending.
    pub rests: bool,
    /// Both sides are equal, and nothing is left.
    pub clean: bool,
    pub by_person: bool,
}

/// When iCloud is walked through after a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextWalk {
    /// Now: what is left waits for it.
    Now,
    /// Soon, later each time in a row.
    Soon,
    /// When it is due anyway.
    AsDue,
}

/// What follows from a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AfterPass {
    pub walk: NextWalk,
    /// What stays unsettled is said now.
    pub say_unsettled: bool,
    /// Both sides are equal for the first time.
    pub is_initial: bool,
}

/// What is due, and what the passes so far say of the next one.
#[derive(Debug)]
pub(super) struct Work {
    due: Due,
    /// How many passes in a row did something.
    busy: u32,
    /// How many passes in a row did nothing and still left something for later.
    unsettled: u32,
    /// The last pass left some of its plan for the next one.
    is_cut_short: bool,
    /// A pass did something since both sides were last equal.
    has_worked: bool,
    is_initial_done: bool,
    housekeeping_at: Instant,
}

impl Work {
    /// Nothing was done yet.
    pub fn new(now: Instant) -> Self {
        Self {
            due: Due::Nothing,
            busy: 0,
            unsettled: 0,
            is_cut_short: false,
            has_worked: true,
            is_initial_done: false,
            housekeeping_at: now,
        }
    }

    /// What is due.
    pub fn due(&self) -> Due {
        self.due
    }

    /// Whether the last pass left some of its plan for the next one.
    pub fn is_cut_short(&self) -> bool {
        self.is_cut_short
    }

    /// Whether a pass did something since both sides were last equal.
    pub fn has_worked(&self) -> bool {
        self.has_worked
    }

    /// Whether both sides were equal once since the start.
    pub fn is_initial_done(&self) -> bool {
        self.is_initial_done
    }

    /// When the daily housekeeping is due.
    pub fn housekeeping_at(&self) -> Instant {
        self.housekeeping_at
    }

    /// The housekeeping begins.
    pub fn keeps_house(&mut self, now: Instant) {
        self.housekeeping_at = now + HOUSEKEEPING_EVERY;
    }

    /// A person asks for a pass; both sides are looked at first.
    pub fn ask(&mut self) {
        self.due.raise(Cause::Person, true);
    }

    /// iCloud failed: who asked has to ask again, and no pass comes before the next walk.
    pub fn give_up(&mut self) {
        self.due = Due::Nothing;
    }

    /// A walk begins, after which a pass is due again; says whether a person asked for that.
    pub fn walk_begins(&mut self) -> bool {
        std::mem::replace(&mut self.due, Due::Nothing).is_by_person()
    }

    /// A walk ended well.
    pub fn walked(&mut self, by_person: bool) {
        self.due.raise(if by_person { Cause::Person } else { Cause::Walk }, false);
    }

    /// A pass with iCloud begins.
    pub fn pass_begins(&mut self) {
        self.due = Due::Nothing;
    }

    /// A pass without iCloud ended well.
    pub fn local_passed(&mut self) {
        self.due.raise(Cause::LocalPass, false);
    }

    /// A pass with iCloud failed.
    pub fn pass_failed(&mut self) {
        self.is_cut_short = false;
        self.due.raise(Cause::Failure, false);
    }

    /// A pass with iCloud ended well.
    pub fn passed(&mut self, end: PassEnd) -> AfterPass {
        self.busy = if end.quiet { 0 } else { self.busy + 1 };
        let mut again = (1..=MOST_AGAIN).contains(&self.busy);
        if end.cut_short || !again {
            self.busy = 0;
        }
        again |= end.cut_short;
        self.is_cut_short = end.cut_short;
        if again {
            // What a person asked for goes on until nothing is left, or what is left fails.
            let asks = end.by_person && !end.failed;
            self.due.raise(if asks { Cause::Person } else { Cause::Again }, asks);
        }
        self.has_worked = (self.has_worked || !end.quiet) && !end.clean;
        self.unsettled = if end.quiet && end.pending { self.unsettled + 1 } else { 0 };
        let is_initial = end.rests && !self.is_initial_done;
        self.is_initial_done |= end.rests;
        AfterPass {
            walk: match end {
                _ if end.cut_short => NextWalk::Now,
                _ if end.pending || (!end.quiet && !again) => NextWalk::Soon,
                _ => NextWalk::AsDue,
            },
            say_unsettled: self.unsettled == UNSETTLED_SAID,
            is_initial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pass that did something.
    const BUSY: PassEnd = PassEnd {
        quiet: false,
        pending: false,
        cut_short: false,
        failed: false,
        rests: false,
        clean: false,
        by_person: false,
    };

    /// A pass that found both sides equal.
    const QUIET: PassEnd = PassEnd { quiet: true, rests: true, clean: true, ..BUSY };

    fn due(cause: Cause, both_sides: bool) -> Due {
        Due::Pass { cause, both_sides }
    }

    #[test]
    fn the_strongest_cause_counts_and_a_wish_for_both_sides_stays() {
        let mut work = Work::new(Instant::now());
        work.local_passed();
        assert_eq!(work.due(), due(Cause::LocalPass, false));
        work.walked(false);
        assert_eq!(work.due(), due(Cause::Walk, false));
        work.ask();
        work.walked(false);
        assert_eq!(work.due(), due(Cause::Person, true));
        assert!(work.walk_begins(), "a person asked");
        assert_eq!(work.due(), Due::Nothing);
        work.walked(true);
        assert!(work.due().is_after_walk() && work.due().is_by_person());
        work.pass_begins();
        assert!(!work.walk_begins());
        work.pass_failed();
        assert_eq!(work.due(), due(Cause::Failure, false));
        work.give_up();
        assert_eq!(work.due(), Due::Nothing);
    }

    #[test]
    fn a_pass_that_did_something_is_planned_again_a_few_times_and_then_waits_for_a_walk() {
        let mut work = Work::new(Instant::now());
        for _ in 0..2 {
            for _ in 0..MOST_AGAIN {
                assert_eq!(work.passed(BUSY).walk, NextWalk::AsDue);
                assert_eq!(work.due(), due(Cause::Again, false));
                work.pass_begins();
            }
            assert_eq!(work.passed(BUSY).walk, NextWalk::Soon);
            assert_eq!(work.due(), Due::Nothing);
        }
        assert_eq!(work.passed(QUIET).walk, NextWalk::AsDue);
        assert_eq!(work.due(), Due::Nothing);
    }

    #[test]
    fn what_a_pass_left_of_its_plan_waits_for_a_walk_and_does_not_count_as_busy() {
        let mut work = Work::new(Instant::now());
        for _ in 0..MOST_AGAIN {
            assert_eq!(work.passed(PassEnd { cut_short: true, ..BUSY }).walk, NextWalk::Now);
            assert!(work.is_cut_short());
            assert_eq!(work.due(), due(Cause::Again, false));
            assert!(!work.walk_begins());
            work.walked(false);
            work.pass_begins();
        }
        assert_eq!(work.passed(BUSY).walk, NextWalk::AsDue, "the first busy one in a row");
        assert!(!work.is_cut_short());
        work.passed(PassEnd { cut_short: true, ..BUSY });
        work.pass_failed();
        assert!(!work.is_cut_short());
    }

    #[test]
    fn what_a_person_asked_for_goes_on_until_nothing_is_left_or_something_fails() {
        let mut work = Work::new(Instant::now());
        work.passed(PassEnd { by_person: true, ..BUSY });
        assert_eq!(work.due(), due(Cause::Person, true));
        work.pass_begins();
        work.passed(PassEnd { by_person: true, failed: true, ..BUSY });
        assert_eq!(work.due(), due(Cause::Again, false));
        work.pass_begins();
        work.passed(PassEnd { by_person: true, ..QUIET });
        assert_eq!(work.due(), Due::Nothing);
    }

    #[test]
    fn a_wish_that_came_during_a_pass_outlives_it() {
        let mut work = Work::new(Instant::now());
        work.pass_begins();
        work.ask();
        work.passed(QUIET);
        assert_eq!(work.due(), due(Cause::Person, true));
    }

    #[test]
    fn what_stays_unsettled_is_said_once_after_a_few_passes() {
        let mut work = Work::new(Instant::now());
        let end = PassEnd { pending: true, rests: false, clean: false, ..QUIET };
        let said: Vec<_> = (0..6).map(|_| work.passed(end).say_unsettled).collect();
        assert_eq!(said, [false, false, false, true, false, false]);
        assert_eq!(work.passed(end).walk, NextWalk::Soon);
        assert!(!work.passed(QUIET).say_unsettled);
    }

    #[test]
    fn both_sides_are_equal_for_the_first_time_once() {
        let mut work = Work::new(Instant::now());
        assert!(!work.passed(BUSY).is_initial && !work.is_initial_done() && work.has_worked());
        assert!(work.passed(QUIET).is_initial && work.is_initial_done() && !work.has_worked());
        assert!(!work.passed(QUIET).is_initial);
        work.passed(BUSY);
        assert!(work.has_worked() && work.is_initial_done());
    }
}
