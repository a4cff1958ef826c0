//! When the daemon looks where: pure arithmetic over instants that the loop brings.

use std::time::{Duration, Instant};

/// The first wait while iCloud cannot be reached, and the longest (`docs/sync.md` §6, Retries).
const OFFLINE_FIRST: Duration = Duration::from_secs(5);
const OFFLINE_LONGEST: Duration = Duration::from_secs(120);
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
    /// Nothing is tried before, after a failure.
    pub not_before: Option<Instant>,
    /// The next walk may not begin before, so that walking takes at most a quarter of the time.
    rest_until: Instant,
    failures: u32,
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
            not_before: None,
            rest_until: now,
            failures: 0,
            unsettled: 0,
        }
    }

    /// A pass ended well; `walked` tells whether it walked through iCloud, and for how long.
    pub fn passed(&mut self, walked: Option<Duration>, now: Instant) {
        self.failures = 0;
        self.not_before = None;
        if let Some(took) = walked {
            // Walking takes at most a quarter of the time, so on a huge drive the period stretches.
            self.rest_until = now + took * 3;
            self.refresh_at = (now + self.periods.refresh).max(self.rest_until);
            self.check_at = now + self.periods.check;
        }
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

    /// A pass or connecting failed; `asked` is how long the service wants to be left alone. Returns the wait.
    pub fn failed(&mut self, asked: Option<Duration>, unit_random: f64, now: Instant) -> Duration {
        let doubled = OFFLINE_FIRST * 2u32.saturating_pow(self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        // Half of it is chance, so that many daemons do not come back together.
        let wait = doubled.min(OFFLINE_LONGEST).mul_f64(0.5 + unit_random / 2.0);
        let wait = asked.map_or(wait, |asked| asked.max(wait));
        self.not_before = Some(now + wait);
        wait
    }

    /// Nothing is waited for any more: somebody asked, or what was missing is there.
    pub fn hurry(&mut self, now: Instant) {
        self.failures = 0;
        self.not_before = None;
        self.refresh_at = now;
    }

    /// Whether a failure still forbids trying.
    pub fn must_wait(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|at| at > now)
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
        let waits: Vec<_> = (0..7).map(|_| schedule.failed(None, 1.0, now).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 120, 120]);
        assert!(schedule.must_wait(now));
        schedule.passed(Some(Duration::ZERO), now);
        assert!(!schedule.must_wait(now));
        assert_eq!(schedule.failed(None, 0.0, now), Duration::from_millis(2500));
        assert_eq!(schedule.failed(Some(Duration::from_secs(300)), 0.0, now), Duration::from_secs(300));
    }

    #[test]
    fn a_slow_walk_stretches_the_period_to_a_quarter_of_the_time() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        schedule.passed(Some(Duration::from_secs(10)), now);
        assert_eq!(schedule.refresh_at, now + Duration::from_secs(90));
        schedule.passed(Some(Duration::from_secs(100)), now);
        assert_eq!(schedule.refresh_at, now + Duration::from_secs(300));
    }

    #[test]
    fn what_is_unsettled_is_looked_at_sooner_each_time_a_little_later() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        for expected in [2, 4, 8, 16, 32, 64, 90, 90] {
            schedule.passed(Some(Duration::ZERO), now);
            schedule.settle_later(true, now);
            assert_eq!(schedule.refresh_at, now + Duration::from_secs(expected));
        }
        schedule.settle_later(false, now);
        schedule.passed(Some(Duration::ZERO), now);
        schedule.settle_later(true, now);
        assert_eq!(schedule.refresh_at, now + Duration::from_secs(2));
    }
}
