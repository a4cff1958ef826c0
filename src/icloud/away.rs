//! Notices that the service answers nobody, so that callers need not wait each by itself.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::ports::RemoteError;

/// Watches how calls fare. Without a patience it never gives up before they do.
pub(super) struct Reach {
    patience: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Since when no call succeeded, by the time since the boot, and why the last one did not.
    failing: Option<(Duration, String)>,
    /// Nobody is asked any more until somebody tries.
    away: bool,
    /// Calls use up their own retries for now.
    patient: bool,
    /// When the service wants to be asked again, by the time since the boot.
    rest: Option<Duration>,
}

impl Reach {
    /// Gives up once no call has succeeded for `patience`.
    pub fn new(patience: Option<Duration>) -> Self {
        Self { patience, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes before a call.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Unreachable`] while the service is away.
    pub fn before(&self) -> Result<(), RemoteError> {
        let state = self.lock();
        if state.away { Err(state.error()) } else { Ok(()) }
    }

    /// The next call is made all the same; when it fails, the service is still away. Whether the last one failed.
    pub fn try_again(&self) -> bool {
        let mut state = self.lock();
        state.away = false;
        state.failing.is_some()
    }

    /// Whether the last call failed.
    pub fn is_failing(&self) -> bool {
        self.lock().failing.is_some()
    }

    /// The service answered, whatever it said of the call.
    pub fn answered(&self) {
        let mut state = self.lock();
        if state.failing.is_some() {
            *state = State { patient: state.patient, ..State::default() };
        }
    }

    /// It did not: no connection, no whole answer, or one that means all of it; `asked` is how long it wants to be left
    /// alone. Whether the call may be repeated after a wait; no when everybody had better wait together. `now` is the time since the boot.
    pub fn failed(&self, now: Duration, why: &str, asked: Option<Duration>) -> Result<(), RemoteError> {
        let mut state = self.lock();
        let since = state.failing.as_ref().map_or(now, |(since, _)| *since);
        state.failing = Some((since, why.to_owned()));
        let Some(patience) = self.patience.filter(|_| !state.patient) else { return Ok(()) };
        if let Some(asked) = asked {
            state.rest = state.rest.max(Some(now.saturating_add(asked)));
        }
        let long = now.saturating_sub(since) >= patience;
        if long || asked.is_some_and(|asked| asked > patience) {
            state.away = true;
            return Err(state.error());
        }
        Ok(())
    }

    /// Whether calls use up their own retries after all: for a service that answers, though not everything.
    pub fn be_patient(&self, patient: bool) {
        let mut state = self.lock();
        if state.patient && !patient {
            *state = State::default();
        }
        state.patient = patient;
    }

    /// How long from `now` on, a time since the boot, the service wants to be left alone.
    pub fn rest(&self, now: Duration) -> Option<Duration> {
        let left = self.lock().rest?.saturating_sub(now);
        (!left.is_zero()).then_some(left)
    }
}

impl State {
    fn error(&self) -> RemoteError {
        RemoteError::Unreachable(self.failing.as_ref().map_or_else(String::new, |(_, why)| why.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn only_a_time_without_any_answer_means_away() {
        let reach = Reach::new(Some(PATIENCE));
        assert!(reach.failed(at(0), "HTTP 503", None).is_ok());
        assert!(reach.failed(at(9), "HTTP 503", None).is_ok());
        reach.answered();
        assert!(reach.failed(at(12), "HTTP 503", None).is_ok(), "an answer came in between");
        assert!(reach.before().is_ok());
        assert!(reach.failed(at(22), "HTTP 502", None).is_err());
        assert_eq!(reach.before(), Err(RemoteError::Unreachable("HTTP 502".to_owned())));
    }

    #[test]
    fn who_tries_again_fails_at_once_or_ends_it() {
        let reach = Reach::new(Some(PATIENCE));
        assert!(reach.failed(at(0), "a", None).is_ok());
        assert!(reach.failed(at(10), "a", None).is_err());
        assert!(reach.try_again());
        assert!(reach.before().is_ok() && reach.is_failing());
        assert!(reach.failed(at(60), "b", None).is_err(), "one failure is enough now");
        reach.try_again();
        reach.answered();
        assert!(reach.failed(at(70), "c", None).is_ok(), "patience begins anew");
    }

    #[test]
    fn patience_can_be_asked_for() {
        let reach = Reach::new(Some(PATIENCE));
        reach.be_patient(true);
        assert!(reach.failed(at(0), "a", None).is_ok());
        reach.answered();
        assert!(reach.failed(at(99), "a", None).is_ok() && reach.before().is_ok());
        reach.be_patient(false);
        assert!(reach.failed(at(100), "a", None).is_ok());
        assert!(reach.failed(at(110), "a", None).is_err());
    }

    #[test]
    fn a_long_rest_is_not_waited_for_in_a_call() {
        let reach = Reach::new(Some(PATIENCE));
        assert!(reach.failed(at(0), "HTTP 429", Some(Duration::from_secs(2))).is_ok());
        assert!(reach.failed(at(1), "HTTP 429", Some(Duration::from_secs(120))).is_err());
        assert_eq!(reach.rest(at(21)), Some(Duration::from_secs(100)));
        assert_eq!(reach.rest(at(121)), None);
        let never = Reach::new(None);
        assert!(never.failed(at(0), "HTTP 429", Some(Duration::from_secs(120))).is_ok());
        assert!(never.failed(at(900), "HTTP 429", None).is_ok() && never.before().is_ok());
    }
}
