//! When the daemon looks where: pure arithmetic over instants that the loop brings.

use std::time::{Duration, Instant};

use crate::model::Backoff;

/// The first wait while iCloud cannot be reached, and the longest (`docs/sync.md` §6, Retries).
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(120);
/// A complete local scan although every event was heard, once a day.
const VERIFY_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Checks that notifications ask for are so far apart at least.
const CHECK_GAP: Duration = Duration::from_secs(1);
/// The first wait before something that could not be settled is looked at again, and the longest.
const UNSETTLED_FIRST: Duration = Duration::from_secs(2);
/// While changes keep coming from iCloud, the change feed is asked that often at most...
const BUSY_CHECK: Duration = Duration::from_secs(2);
/// ...and ever more seldom once they do not: after this fraction of the time since the last one.
const BUSY_FRACTION: u32 = 60;

/// How often iCloud is looked at, by the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Periods {
    pub check: Duration,
    pub refresh: Duration,
}

/// Waiting after failures, longer each time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BackOff {
    /// Nothing is tried before.
    not_before: Option<Instant>,
    failures: u32,
}

impl BackOff {
    /// It failed again; `asked` is how long the service wants to be left alone. Returns the wait.
    pub fn failed(&mut self, asked: Option<Duration>, unit_random: f64, now: Instant) -> Duration {
        self.failed_for(asked, LONGEST, unit_random, now)
    }

    /// Something is missing: it is looked for as often as it would be checked, each `period`. Returns the wait.
    pub fn missing(&mut self, period: Duration, unit_random: f64, now: Instant) -> Duration {
        self.failed_for(None, period.max(FIRST), unit_random, now)
    }

    /// As [`BackOff::failed`], with another longest wait.
    pub fn failed_for(
        &mut self,
        asked: Option<Duration>,
        longest: Duration,
        unit_random: f64,
        now: Instant,
    ) -> Duration {
        let wait = Backoff::half_random(FIRST, longest).wait(self.failures, unit_random);
        self.failures = self.failures.saturating_add(1);
        let wait = asked.map_or(wait, |asked| asked.max(wait));
        self.not_before = Some(now + wait);
        wait
    }

    /// When something may be tried again; `None` for at once.
    pub fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// It is tried again after `wait`, however often it failed.
    pub fn wait(&mut self, wait: Duration, now: Instant) {
        self.not_before = Some(now + wait);
    }

    /// A small try succeeded: the rest may be tried now, and the next failure still waits longer.
    pub fn wake(&mut self) {
        self.not_before = None;
    }

    /// It went well, or somebody asked: everything begins anew.
    pub fn over(&mut self) {
        *self = Self::default();
    }
}

/// When iCloud is looked at.
#[derive(Clone, Debug)]
pub(super) struct RemoteTimes {
    periods: Periods,
    /// When iCloud is asked whether anything changed.
    check_at: Instant,
    /// Nobody asks that before, however often somebody tells that something did.
    next_check: Instant,
    /// When iCloud is walked through.
    refresh_at: Instant,
    /// The next walk may not begin before, so that walking takes at most a quarter of the time.
    rest_until: Instant,
    /// How long the last walk took.
    walk_took: Duration,
    /// The root of iCloud is not listed before, since its last answer took long.
    root_at: Instant,
    /// Whether a walk lists that root.
    walks_root: bool,
    unsettled: u32,
    /// When it is looked where something is said to have changed.
    look_at: Option<Instant>,
    /// Something else tells of changes, so that whole walks may be that far apart.
    seldom: Option<Duration>,
    /// When something came from iCloud last; `None` where checks come each period all the same.
    changed_at: Option<Instant>,
}

impl RemoteTimes {
    /// A walk is due at once.
    pub fn new(periods: Periods, now: Instant) -> Self {
        Self {
            periods,
            check_at: now + periods.check,
            next_check: now,
            refresh_at: now,
            rest_until: now,
            walk_took: Duration::ZERO,
            root_at: now,
            walks_root: false,
            unsettled: 0,
            look_at: None,
            seldom: None,
            changed_at: None,
        }
    }

    /// The periods.
    pub fn periods(&self) -> Periods {
        self.periods
    }

    /// Other periods, for what is planned from now on.
    pub fn set_periods(&mut self, periods: Periods) {
        self.periods = periods;
    }

    /// A check begins.
    pub fn check_begins(&mut self, now: Instant) {
        self.check_at = now + self.check_wait(now);
        self.next_check = now + CHECK_GAP;
    }

    /// Something may have changed: a check is due, at most one each [`CHECK_GAP`].
    pub fn check_soon(&mut self, now: Instant) {
        self.check_at = self.check_at.min(now.max(self.next_check));
    }

    /// A walk is due at that moment at the latest, once walking has rested enough.
    pub fn refresh_by(&mut self, at: Instant) {
        self.refresh_at = self.refresh_at.min(at.max(self.rest_until));
    }

    /// A walk through iCloud is over; it took that long.
    pub fn walked(&mut self, took: Duration, now: Instant) {
        self.look_at = None;
        // Walking takes at most a quarter of the time, so on a huge drive the period stretches.
        self.rest_until = now + took * 3;
        self.walk_took = took;
        let period = self.seldom.unwrap_or_default().max(self.periods.refresh);
        self.refresh_at = (now + period).max(self.rest_until);
        self.check_at = now + self.check_wait(now);
    }

    /// Something came from iCloud, where a check is a small question: who is at work there goes on, mostly.
    pub fn change_came(&mut self, now: Instant) {
        self.changed_at = Some(now);
        self.check_at = self.check_at.min((now + self.check_wait(now)).max(self.next_check));
    }

    /// Checks come each period, whatever comes from iCloud.
    pub fn check_as_ever(&mut self) {
        self.changed_at = None;
    }

    /// How long until the next check.
    fn check_wait(&self, now: Instant) -> Duration {
        let period = self.periods.check;
        let since = self.changed_at.map(|at| now.saturating_duration_since(at));
        since.map_or(period, |since| (since / BUSY_FRACTION).clamp(BUSY_CHECK.min(period), period))
    }

    /// The root of iCloud was listed, and should be left alone for `rest` (`docs/protocol.md` §8.1); `walks_root` says whether a
    /// walk lists it too.
    pub fn root_rests(&mut self, rest: Duration, walks_root: bool, now: Instant) {
        self.root_at = now + rest;
        self.walks_root = walks_root;
    }

    /// When a check is due that lists the root of iCloud.
    pub fn check_at(&self) -> Instant {
        self.check_at.max(self.root_at)
    }

    /// When a check is due that does not.
    pub fn ask_at(&self) -> Instant {
        self.check_at
    }

    /// A check is due now.
    pub fn check_now(&mut self, now: Instant) {
        self.check_at = self.check_at.min(now);
    }

    /// Whole walks may be that far apart, or come each refresh period again: then the next one comes no later than that.
    pub fn walks_seldom(&mut self, seldom: Option<Duration>, now: Instant) {
        self.seldom = seldom;
        if seldom.is_none() {
            self.refresh_at = self.refresh_at.min((now + self.periods.refresh).max(self.rest_until));
        }
    }

    /// When a look at iCloud is due, whether at everything or not.
    pub fn walk_at(&self) -> Instant {
        let whole = self.whole_walk_at();
        self.look_at.map_or(whole, |look| look.min(whole))
    }

    /// When a walk through all of iCloud is due.
    pub fn whole_walk_at(&self) -> Instant {
        if self.walks_root { self.refresh_at.max(self.root_at) } else { self.refresh_at }
    }

    /// Something changed on iCloud, and it can be told where: look there, once looking has rested enough.
    pub fn look_soon(&mut self, now: Instant) {
        let at = now.max(self.rest_until);
        self.look_at = Some(self.look_at.map_or(at, |look| look.min(at)));
    }

    /// It was looked where something was said to have changed; that took so long. Walks come when they come.
    pub fn looked(&mut self, took: Duration, now: Instant) {
        self.look_at = None;
        self.rest_until = self.rest_until.max(now + took * 3);
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

    /// Walk through iCloud now, however lately that was done; only a slow root still has its rest.
    pub fn refresh_now(&mut self, now: Instant) {
        self.refresh_at = now;
    }

    /// The pass left something that has to be looked at again; `false` clears the memory of it.
    pub fn settle_later(&mut self, pending: bool, now: Instant) {
        if !pending {
            self.unsettled = 0;
            return;
        }
        let wait = Backoff::exact(UNSETTLED_FIRST, self.periods.refresh).wait(self.unsettled, 0.0);
        self.unsettled = self.unsettled.saturating_add(1);
        self.refresh_at = self.refresh_at.min(now + wait);
    }

    /// Nothing is waited for any more: somebody asked, or what was missing is there.
    pub fn hurry(&mut self, now: Instant) {
        self.refresh_at = now;
        self.root_at = now;
    }
}

/// When the local root is scanned although no change of it was seen.
#[derive(Clone, Debug)]
pub(super) struct LocalTimes {
    /// Because not everything can be watched.
    poll_at: Option<Instant>,
    /// Because a watch may miss something.
    verify_at: Instant,
}

impl LocalTimes {
    /// Everything is watched, and was read a moment ago.
    pub fn new(now: Instant) -> Self {
        Self { poll_at: None, verify_at: now + VERIFY_EVERY }
    }

    /// When the next scan for want of a watch is due.
    pub fn poll_at(&self) -> Option<Instant> {
        self.poll_at
    }

    /// When the next scan for safety is due.
    pub fn verify_at(&self) -> Instant {
        self.verify_at
    }

    /// Scans each `period` from now on; `None` where everything can be watched.
    pub fn poll(&mut self, period: Option<Duration>, now: Instant) {
        self.poll_at = period.map(|period| now + period);
    }

    /// A local scan is over.
    pub fn scanned(&mut self, poll_period: Duration, now: Instant) {
        self.verify_at = now + VERIFY_EVERY;
        if self.poll_at.is_some() {
            self.poll_at = Some(now + poll_period);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(now: Instant) -> RemoteTimes {
        let seconds = Duration::from_secs;
        RemoteTimes::new(Periods { check: seconds(20), refresh: seconds(90) }, now)
    }

    #[test]
    fn failures_back_off_to_two_minutes_and_a_success_forgets_them() {
        let now = Instant::now();
        let mut backoff = BackOff::default();
        let waits: Vec<_> = (0..7).map(|_| backoff.failed(None, 1.0, now).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 120, 120]);
        assert_eq!(backoff.not_before(), Some(now + Duration::from_secs(120)));
        backoff.wake();
        assert_eq!(backoff.not_before(), None);
        assert_eq!(backoff.failed(None, 1.0, now).as_secs(), 120, "a small try forgets nothing");
        backoff.over();
        assert_eq!(backoff.failed(None, 0.0, now), Duration::from_millis(2500));
        let asked = Some(Duration::from_secs(300));
        assert_eq!(backoff.failed(asked, 0.0, now), Duration::from_secs(300));
    }

    #[test]
    fn a_missing_folder_is_looked_for_ever_more_seldom_up_to_the_check_period() {
        let (now, period) = (Instant::now(), Duration::from_secs(20));
        let mut backoff = BackOff::default();
        let waits: Vec<_> = (0..4).map(|_| backoff.missing(period, 1.0, now).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 20]);
    }

    #[test]
    fn a_scan_puts_off_the_next_one_and_polls_only_where_it_has_to() {
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        let mut times = LocalTimes::new(now);
        times.scanned(minute, now + minute);
        assert_eq!((times.poll_at(), times.verify_at()), (None, now + minute + VERIFY_EVERY));
        times.poll(Some(minute), now);
        assert_eq!(times.poll_at(), Some(now + minute));
        times.scanned(minute, now + minute);
        assert_eq!(times.poll_at(), Some(now + 2 * minute));
        times.poll(None, now);
        assert_eq!(times.poll_at(), None);
    }

    #[test]
    fn a_slow_walk_stretches_the_period_to_a_quarter_of_the_time() {
        let now = Instant::now();
        let mut times = times(now);
        times.walked(Duration::from_secs(10), now);
        assert_eq!(times.refresh_at, now + Duration::from_secs(90));
        times.walked(Duration::from_secs(100), now);
        assert_eq!(times.refresh_at, now + Duration::from_secs(300));
    }

    #[test]
    fn walks_come_seldom_while_something_else_tells_of_changes_and_as_ever_once_it_does_not() {
        let (now, seconds) = (Instant::now(), Duration::from_secs);
        let mut times = times(now);
        times.walks_seldom(Some(seconds(3600)), now);
        times.walked(seconds(1), now);
        assert_eq!(times.walk_at(), now + seconds(3600));
        times.walks_seldom(None, now + seconds(100));
        assert_eq!(times.walk_at(), now + seconds(190));
        times.walks_seldom(None, now + seconds(120));
        assert_eq!(times.walk_at(), now + seconds(190), "doubt puts nothing off");
        times.check_begins(now);
        times.check_now(now + seconds(5));
        assert_eq!(times.check_at(), now + seconds(5));
    }

    #[test]
    fn checks_come_often_after_a_change_and_ever_more_seldom_up_to_the_period() {
        let (now, seconds) = (Instant::now(), Duration::from_secs);
        let mut times = times(now);
        times.change_came(now);
        assert_eq!(times.ask_at(), now + seconds(2));
        let mut asked = Vec::new();
        while times.ask_at() < now + seconds(3600) {
            let at = times.ask_at();
            times.check_begins(at);
            asked.push(times.ask_at() - at);
        }
        assert!(asked.is_sorted() && asked[55] == seconds(2) && asked.last() == Some(&seconds(20)));
        assert!(
            (290..340).contains(&asked.len()),
            "{} questions in an hour, and 180 without the change",
            asked.len()
        );
        times.walked(seconds(1), now + seconds(60));
        assert_eq!(times.ask_at(), now + seconds(62), "a walk puts off no more than a check does");
        times.check_as_ever();
        times.check_begins(now);
        assert_eq!(times.ask_at(), now + seconds(20));
        times.set_periods(Periods { check: seconds(1), refresh: seconds(90) });
        times.change_came(now);
        times.check_begins(now);
        assert_eq!(times.ask_at(), now + seconds(1), "no change makes them rarer");
    }

    #[test]
    fn notifications_bring_checks_forward_one_a_second_and_leave_a_slow_root_alone() {
        let (now, seconds) = (Instant::now(), Duration::from_secs);
        let mut times = times(now);
        times.check_soon(now);
        assert_eq!(times.check_at(), now);
        times.check_begins(now);
        times.check_soon(now + seconds(0));
        assert_eq!(times.check_at(), now + CHECK_GAP);
        times.check_begins(now);
        times.root_rests(seconds(300), true, now);
        times.check_soon(now + seconds(2));
        assert_eq!(times.check_at(), now + seconds(300));
        times.walked(seconds(10), now);
        times.refresh_by(now + seconds(5));
        assert_eq!(times.refresh_at, now + seconds(30), "walking takes a quarter of the time at most");
    }

    #[test]
    fn a_slow_root_is_listed_seldom_and_a_quick_one_as_ever() {
        let (now, seconds) = (Instant::now(), Duration::from_secs);
        let mut times = times(now);
        times.check_at = now + seconds(20);
        times.root_rests(seconds(4), true, now);
        times.refresh_at = now;
        assert_eq!(times.check_at, now + seconds(20));
        assert_eq!(times.walk_at(), now + seconds(4));
        times.root_rests(seconds(300), true, now);
        times.refresh_soon(now);
        assert_eq!((times.check_at(), times.walk_at()), (now + seconds(300), now + seconds(300)));
        assert_eq!(times.ask_at(), now + seconds(20), "nobody else waits for the root");
        times.root_rests(seconds(300), false, now);
        assert_eq!(times.walk_at(), now, "a walk below another folder does not list the root");
        times.root_rests(seconds(300), true, now);
        times.hurry(now);
        assert_eq!(times.walk_at(), now, "a person asked");
    }

    #[test]
    fn what_is_unsettled_is_looked_at_sooner_each_time_a_little_later() {
        let now = Instant::now();
        let mut times = times(now);
        for expected in [2, 4, 8, 16, 32, 64, 90, 90] {
            times.walked(Duration::ZERO, now);
            times.settle_later(true, now);
            assert_eq!(times.refresh_at, now + Duration::from_secs(expected));
        }
        times.settle_later(false, now);
        times.walked(Duration::ZERO, now);
        times.settle_later(true, now);
        assert_eq!(times.refresh_at, now + Duration::from_secs(2));
    }
}
