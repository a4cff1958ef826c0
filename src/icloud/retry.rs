//! How long to wait before asking again, and when to stop asking (`docs/protocol.md` §16.1).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::engine::ports::{Clock, RemoteError, Stopped};
use crate::model::Backoff;

/// All the waiting that one call may do, unless its caller has less patience.
pub(super) const BUDGET: Duration = Duration::from_secs(60);
/// The first wait after an answer that says "busy".
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// All the waiting of calls that the engine makes again itself, and of one call after refusals without a reason.
const SHORT: Duration = Duration::from_secs(10);
/// The longest single wait.
const LONGEST: Duration = Duration::from_secs(30);
/// More attempts than this never helped anybody, however short the waits.
const MOST_ATTEMPTS: u32 = 12;
/// So many throttles slow everything down (open question 20).
const SLOW_FROM: u32 = 3;
/// Beyond this, calls wait no longer than before.
const SLOWEST: u32 = 5;
/// The waits before each call then: at most two seconds, so that a few of them end within the minute that a run may take.
const SLOW_WAITS: Backoff = Backoff::half_random(Duration::from_millis(500), Duration::from_secs(2));
/// So many answers in a row take one throttle back.
const CALM: u32 = 20;

impl From<Stopped> for RemoteError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// The waits of one call: exponential with full jitter, within a budget.
pub(super) struct CallWaits {
    waits: Backoff,
    budget: Duration,
    attempts: u32,
    waited: Duration,
    /// When the first attempt began, where what attempts take counts as waiting.
    begun: Option<Duration>,
}

impl CallWaits {
    /// Waits that start around `first` and are no longer than `budget` in all.
    pub fn new(first: Duration, budget: Duration) -> Self {
        Self {
            waits: Backoff::all_random(first, LONGEST),
            budget,
            attempts: 0,
            waited: Duration::ZERO,
            begun: None,
        }
    }

    /// How often it waited.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Waits before the next attempt: at least `asked`, where the service asked for a time. Gives
    /// `false`, without waiting, when the budget does not allow another.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Stopped`] when the program ends meanwhile.
    pub fn wait(&mut self, clock: &dyn Clock, asked: Option<Duration>) -> Result<bool, RemoteError> {
        if self.attempts >= MOST_ATTEMPTS {
            return Ok(false);
        }
        let jitter = self.waits.wait(self.attempts, clock.unit_random());
        // The jitter is added, so that those who were told the same time do not come together.
        let wait = asked.map_or(jitter, |asked| asked.saturating_add(jitter.min(Duration::from_secs(1))));
        let waited = self.waited.saturating_add(wait);
        let spent =
            self.begun.map_or(waited, |begun| clock.uptime().saturating_sub(begun).saturating_add(wait));
        if spent > self.budget {
            return Ok(false);
        }
        self.attempts += 1;
        self.waited = waited;
        clock.pause(wait)?;
        Ok(true)
    }
}

/// What all calls together may wait: while none succeeds, each has what the others have left of it.
pub(super) struct Budget {
    whole: Duration,
    /// Whether what attempts take counts as waiting: who calls tries again itself, and others wait for it.
    counts_attempts: bool,
    /// Since when calls have to wait and none succeeds.
    since: Mutex<Option<Duration>>,
}

impl Budget {
    /// A budget of that length.
    pub fn new(whole: Duration) -> Self {
        Self { whole, counts_attempts: false, since: Mutex::new(None) }
    }

    /// The waits of one call: what is left.
    pub fn backoff(&self, clock: &dyn Clock) -> CallWaits {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = since.map_or(Duration::ZERO, |since| clock.uptime().saturating_sub(since));
        let begun = self.counts_attempts.then(|| clock.uptime());
        CallWaits { begun, ..CallWaits::new(FIRST_WAIT, self.whole.saturating_sub(spent)) }
    }

    /// A short one, no longer than this, for what the engine tries again itself: what is waited here comes before its own waits, and
    /// both together have to end in time (`docs/sync.md` §6).
    pub fn brief(&self) -> Self {
        Self { counts_attempts: true, ..Self::new(self.whole.min(SHORT)) }
    }

    /// Waits that nobody shares, and short ones therefore: the engine tries again itself, and others go on meanwhile.
    pub fn short(&self) -> CallWaits {
        CallWaits::new(FIRST_WAIT, self.whole.min(SHORT))
    }

    /// Waits as [`CallWaits::wait`], and remembers that calls have to.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Stopped`] when the program ends meanwhile.
    pub fn wait(
        &self,
        backoff: &mut CallWaits,
        clock: &dyn Clock,
        asked: Option<Duration>,
    ) -> Result<bool, RemoteError> {
        let now = clock.uptime();
        self.since.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(now);
        backoff.wait(clock, asked)
    }

    /// Whether calls had to wait and none has succeeded since.
    pub fn is_in_use(&self) -> bool {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// A call succeeded, or the service was left alone for a while.
    pub fn renew(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Slows all calls down while the service throttles.
#[derive(Default)]
pub(super) struct Pace {
    state: Mutex<PaceState>,
}

#[derive(Clone, Copy, Default)]
struct PaceState {
    throttles: u32,
    calm: u32,
}

impl Pace {
    /// Waits before a call, if the service has throttled several times of late.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Stopped`] when the program ends meanwhile.
    pub fn before(&self, clock: &dyn Clock) -> Result<(), RemoteError> {
        let throttles = self.state.lock().unwrap_or_else(PoisonError::into_inner).throttles;
        if throttles >= SLOW_FROM {
            clock.pause(SLOW_WAITS.wait(throttles - SLOW_FROM, clock.unit_random()))?;
        }
        Ok(())
    }

    /// The service throttled.
    pub fn throttled(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.throttles = (state.throttles + 1).min(SLOWEST);
        state.calm = 0;
        if state.throttles == SLOW_FROM {
            log::warn!("iCloud throttles; all requests slow down for a while");
        }
    }

    /// The service was left alone for a while: calls go at their own pace until it throttles again.
    pub fn rested(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.throttles = state.throttles.min(SLOW_FROM - 1);
        state.calm = 0;
    }

    /// The service answered as usual.
    pub fn answered(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.throttles == 0 {
            return;
        }
        state.calm += 1;
        if state.calm >= CALM {
            state.calm = 0;
            state.throttles -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icloud::test_clock::TestClock;

    #[test]
    fn waits_grow_with_jitter_and_end_within_the_budget() {
        let clock = TestClock::with_random(0.5);
        let mut backoff = CallWaits::new(Duration::from_millis(500), BUDGET);
        while backoff.wait(&clock, None).unwrap() {}
        let waits = clock.pauses();
        assert_eq!(waits[..3], [250, 500, 1000].map(Duration::from_millis));
        assert!(waits.iter().sum::<Duration>() <= BUDGET);
        assert_eq!(waits.iter().max(), Some(&Duration::from_secs(15)));
    }

    #[test]
    fn an_attempt_that_hangs_leaves_nothing_of_a_brief_budget() {
        let clock = TestClock::with_random(0.5);
        for (budget, tries_again) in [(Budget::new(BUDGET).brief(), false), (Budget::new(BUDGET), true)] {
            let mut backoff = budget.backoff(&clock);
            assert!(budget.wait(&mut backoff, &clock, None).unwrap());
            clock.pause(Duration::from_secs(20)).unwrap();
            assert_eq!(budget.wait(&mut backoff, &clock, None).unwrap(), tries_again);
        }
    }

    #[test]
    fn without_luck_the_number_of_attempts_is_bounded() {
        let clock = TestClock::with_random(0.0);
        let mut backoff = CallWaits::new(Duration::from_millis(500), BUDGET);
        while backoff.wait(&clock, None).unwrap() {}
        assert_eq!(clock.pauses().len(), 12);
    }

    #[test]
    fn an_asked_for_time_is_kept_or_handed_on() {
        let clock = TestClock::with_random(0.5);
        assert!(CallWaits::new(LONGEST, BUDGET).wait(&clock, Some(Duration::from_secs(20))).unwrap());
        assert_eq!(clock.pauses(), [Duration::from_secs(21)]);
        assert!(!CallWaits::new(LONGEST, BUDGET).wait(&clock, Some(Duration::from_secs(90))).unwrap());
        assert_eq!(clock.pauses().len(), 1);
    }

    #[test]
    fn three_throttles_slow_all_calls_and_calm_ends_it() {
        let clock = TestClock::with_random(0.5);
        let pace = Pace::default();
        pace.throttled();
        pace.throttled();
        pace.before(&clock).unwrap();
        assert!(clock.pauses().is_empty());
        pace.throttled();
        pace.before(&clock).unwrap();
        assert_eq!(clock.pauses(), [Duration::from_millis(375)]);
        (0..CALM).for_each(|_| pace.answered());
        pace.before(&clock).unwrap();
        assert_eq!(clock.pauses().len(), 1);
    }

    #[test]
    fn a_rest_ends_the_slowness_until_the_next_throttle() {
        let clock = TestClock::with_random(0.5);
        let pace = Pace::default();
        (0..SLOWEST).for_each(|_| pace.throttled());
        pace.rested();
        pace.before(&clock).unwrap();
        assert!(clock.pauses().is_empty());
        pace.throttled();
        pace.before(&clock).unwrap();
        assert_eq!(clock.pauses().len(), 1);
    }

    #[test]
    fn stopping_ends_a_wait() {
        let clock = TestClock::stopped();
        assert_eq!(CallWaits::new(LONGEST, BUDGET).wait(&clock, None), Err(RemoteError::Stopped));
    }
}
