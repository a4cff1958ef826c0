//! When the daemon looks where: pure arithmetic over instants that the loop brings.

use std::time::{Duration, Instant};

/// The first wait while iCloud cannot be reached, and the longest (`docs/sync.md` §6, Retries).
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(120);
/// A complete local scan although every event was heard, once a day.
const VERIFY_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// The first wait before something that could not be settled is looked at again, and the longest.
const UNSETTLED_FIRST: Duration = Duration::from_secs(2);

/// The periods of the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Periods {
    pub check: Duration,
    pub refresh: Duration,
    pub poll: Duration,
}

/// Waiting after failures, longer each time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// Nothing is tried before.
    pub not_before: Option<Instant>,
    failures: u32,
}

impl Patience {
    /// It failed again; `asked` is how long the service wants to be left alone, `longest` bounds the wait beside that.
    /// Returns the wait.
    pub fn failed(
        &mut self,
        asked: Option<Duration>,
        longest: Duration,
        unit_random: f64,
        now: Instant,
    ) -> Duration {
        let doubled = FIRST * 2u32.saturating_pow(self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        // Half of it is chance, so that many daemons do not come back together.
        let wait = doubled.min(longest).mul_f64(0.5 + unit_random / 2.0);
        let wait = asked.map_or(wait, |asked| asked.max(wait));
        self.not_before = Some(now + wait);
        wait
    }

    /// A small try succeeded: the rest may be tried now, and the next failure still waits longer.
    pub fn wake(&mut self) {
        self.not_before = None;
    }

    /// It went well, or somebody asked: everything begins anew.
    pub fn over(&mut self) {
        *self = Self::default();
    }

    /// Whether a failure still forbids trying.
    pub fn must_wait(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|at| at > now)
    }
}

/// What is due, and when the next thing will be.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub periods: Periods,
    /// When iCloud is asked whether anything changed.
    pub check_at: Instant,
    /// When iCloud is walked through.
    pub refresh_at: Instant,
    /// When the local drive is scanned because it cannot be watched.
    pub poll_at: Option<Instant>,
    /// When it is scanned although it is watched.
    pub verify_at: Instant,
    /// After failures of iCloud.
    pub there: Patience,
    /// After failures of the drive's folder, its disk, or the store.
    pub here: Patience,
    /// The next walk may not begin before, so that walking takes at most a quarter of the time.
    rest_until: Instant,
    /// How long the last walk took.
    walk_took: Duration,
    /// The root of iCloud is not listed before, since its last answer took long.
    root_at: Instant,
    /// Whether a walk lists that root.
    walks_root: bool,
    unsettled: u32,
}

impl Schedule {
    /// Everything is due at once.
    pub fn new(periods: Periods, now: Instant) -> Self {
        Self {
            periods,
            check_at: now + periods.check,
            refresh_at: now,
            poll_at: None,
            verify_at: now + VERIFY_EVERY,
            there: Patience::default(),
            here: Patience::default(),
            rest_until: now,
            walk_took: Duration::ZERO,
            root_at: now,
            walks_root: false,
            unsettled: 0,
        }
    }

    /// A walk through iCloud is over; it took that long.
    pub fn walked(&mut self, took: Duration, now: Instant) {
        // Walking takes at most a quarter of the time, so on a huge drive the period stretches.
        self.rest_until = now + took * 3;
        self.walk_took = took;
        self.refresh_at = (now + self.periods.refresh).max(self.rest_until);
        self.check_at = now + self.periods.check;
    }

    /// The root of iCloud was listed, and should be left alone for `rest` (`docs/protocol.md` §8.1); `walks_root` says whether a
    /// walk lists it too.
    pub fn root_rests(&mut self, rest: Duration, walks_root: bool, now: Instant) {
        self.root_at = now + rest;
        self.walks_root = walks_root;
        self.check_at = self.check_at.max(self.root_at);
    }

    /// When a walk through iCloud is due.
    pub fn walk_at(&self) -> Instant {
        if self.walks_root { self.refresh_at.max(self.root_at) } else { self.refresh_at }
    }

    /// How long a pass may carry things out before both sides are looked at again: long against what a look takes, so that a first
    /// sync of days still serves what changes meanwhile.
    pub fn longest_pass(&self) -> Duration {
        (self.periods.refresh * 5).max(self.walk_took * 10)
    }

    /// Something changed on iCloud: walk through it as soon as walking has rested enough.
    pub fn refresh_soon(&mut self, now: Instant) {
        self.refresh_at = self.refresh_at.min(self.rest_until.max(now));
    }

    /// The pass left something that has to be looked at again; `false` clears the memory of it.
    pub fn settle_later(&mut self, pending: bool, now: Instant) {
        if !pending {
            self.unsettled = 0;
            return;
        }
        let wait = UNSETTLED_FIRST * 2u32.saturating_pow(self.unsettled.min(16));
        self.unsettled = self.unsettled.saturating_add(1);
        self.refresh_at = self.refresh_at.min(now + wait.min(self.periods.refresh));
    }

    /// A local scan is over.
    pub fn scanned(&mut self, now: Instant) {
        self.verify_at = now + VERIFY_EVERY;
        if self.poll_at.is_some() {
            self.poll_at = Some(now + self.periods.poll);
        }
    }

    /// iCloud failed; `asked` as [`Patience::failed`].
    pub fn failed_there(&mut self, asked: Option<Duration>, unit_random: f64, now: Instant) -> Duration {
        self.there.failed(asked, LONGEST, unit_random, now)
    }

    /// The disk or the store failed.
    pub fn failed_here(&mut self, unit_random: f64, now: Instant) -> Duration {
        self.here.failed(None, LONGEST, unit_random, now)
    }

    /// The folder on iCloud is missing, or another one's: it is looked for as often as it would be checked.
    pub fn missing_there(&mut self, unit_random: f64, now: Instant) -> Duration {
        self.there.failed(None, self.periods.check.max(FIRST), unit_random, now)
    }

    /// Nothing is waited for any more: somebody asked, or what was missing is there.
    pub fn hurry(&mut self, now: Instant) {
        self.there.over();
        self.here.over();
        self.refresh_at = now;
        self.root_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(now: Instant) -> Schedule {
        let seconds = Duration::from_secs;
        Schedule::new(Periods { check: seconds(20), refresh: seconds(90), poll: seconds(60) }, now)
    }

    #[test]
    fn failures_back_off_to_two_minutes_and_a_success_forgets_them() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        let waits: Vec<_> = (0..7).map(|_| schedule.failed_there(None, 1.0, now).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 120, 120]);
        assert!(schedule.there.must_wait(now));
        assert!(!schedule.here.must_wait(now), "the disk is another matter");
        schedule.there.wake();
        assert!(!schedule.there.must_wait(now));
        assert_eq!(schedule.failed_there(None, 1.0, now).as_secs(), 120, "a small try forgets nothing");
        schedule.there.over();
        assert_eq!(schedule.failed_there(None, 0.0, now), Duration::from_millis(2500));
        let asked = Some(Duration::from_secs(300));
        assert_eq!(schedule.failed_there(asked, 0.0, now), Duration::from_secs(300));
    }

    #[test]
    fn a_missing_folder_is_looked_for_ever_more_seldom_up_to_the_check_period() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        let waits: Vec<_> = (0..4).map(|_| schedule.missing_there(1.0, now).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 20]);
    }

    #[test]
    fn a_slow_walk_stretches_the_period_to_a_quarter_of_the_time() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        schedule.walked(Duration::from_secs(10), now);
        assert_eq!(schedule.refresh_at, now + Duration::from_secs(90));
        schedule.walked(Duration::from_secs(100), now);
        assert_eq!(schedule.refresh_at, now + Duration::from_secs(300));
    }

    #[test]
    fn a_slow_root_is_listed_seldom_and_a_quick_one_as_ever() {
        let (now, seconds) = (Instant::now(), Duration::from_secs);
        let mut schedule = schedule(now);
        schedule.check_at = now + seconds(20);
        schedule.root_rests(seconds(4), true, now);
        schedule.refresh_at = now;
        assert_eq!(schedule.check_at, now + seconds(20));
        assert_eq!(schedule.walk_at(), now + seconds(4));
        schedule.root_rests(seconds(300), true, now);
        schedule.refresh_soon(now);
        assert_eq!((schedule.check_at, schedule.walk_at()), (now + seconds(300), now + seconds(300)));
        schedule.root_rests(seconds(300), false, now);
        assert_eq!(schedule.walk_at(), now, "a walk below another folder does not list the root");
        schedule.root_rests(seconds(300), true, now);
        schedule.hurry(now);
        assert_eq!(schedule.walk_at(), now, "a person asked");
    }

    #[test]
    fn what_is_unsettled_is_looked_at_sooner_each_time_a_little_later() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        for expected in [2, 4, 8, 16, 32, 64, 90, 90] {
            schedule.walked(Duration::ZERO, now);
            schedule.settle_later(true, now);
            assert_eq!(schedule.refresh_at, now + Duration::from_secs(expected));
        }
        schedule.settle_later(false, now);
        schedule.walked(Duration::ZERO, now);
        schedule.settle_later(true, now);
        assert_eq!(schedule.refresh_at, now + Duration::from_secs(2));
    }
}
