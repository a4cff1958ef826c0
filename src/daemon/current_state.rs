//! What the loop does, in one word: pure, from what is known at one moment.

use std::time::{Duration, Instant};

use super::engine_slot::JobKind;
use super::facts::{Asking, Facts};
use crate::app::told::lacks_room;
use crate::model::State;
use crate::status::DaemonState;

/// A look that finds nothing to do within this time is no change of state.
const LOOK_SHOWN: Duration = Duration::from_secs(2);
/// A check that nobody answered for this long counts as iCloud being away, although its own limits go on.
const SILENCE_SHOWN: Duration = Duration::from_secs(10);

/// What was done so far, as far as the state tells of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct History {
    /// The state that was told last.
    pub before: DaemonState,
    /// A pass ended well since the start.
    pub has_passed: bool,
    /// Both sides were equal once since the start.
    pub is_initial_done: bool,
    /// The last pass left some of its plan for the next one.
    pub is_cut_short: bool,
}

/// The state. What waits for a person comes first, then what is in the way.
pub(super) fn current_state(facts: &Facts, history: &History, stored: &State, now: Instant) -> DaemonState {
    use DaemonState as S;
    if facts.stopping_since.is_some() {
        return S::Stopping;
    }
    let works = facts.job.is_some_and(|job| job.kind == JobKind::Pass && job.is_working);
    let (local, remote) = (facts.local.problem, facts.remote.problem);
    let for_a_person = |state: &S| matches!(state, S::NeedsCode | S::NeedsPassword | S::WrongFolder);
    if let Some(state) = [remote, local].into_iter().flatten().find(for_a_person) {
        return state;
    }
    if facts.is_paused && !works {
        return S::Paused;
    }
    if let Some(state) = local.or(remote) {
        return state;
    }
    if works {
        return S::Syncing;
    }
    let first = !history.has_passed;
    match facts.remote.asking {
        Some((Asking::Reach, _)) => return S::SigningIn,
        Some((Asking::Walk, since)) if first || now >= since + LOOK_SHOWN => return S::Listing,
        // One small request: an answer that takes this long may never come.
        Some((Asking::Check, since)) if now >= since + SILENCE_SHOWN => return S::Offline,
        _ => {}
    }
    if scans_since(facts).is_some_and(|since| first || now >= since + LOOK_SHOWN) {
        return S::Scanning;
    }
    if first && !history.is_initial_done {
        return history.before;
    }
    if history.is_cut_short {
        return S::Syncing;
    }
    if !stored.guard.held.is_empty() {
        return S::Guarded;
    }
    // What was approved a moment ago is carried out by the next pass.
    let is_decided = !stored.guard.decided.is_empty();
    if is_decided && (facts.due.wants_both_sides() || facts.job.is_some()) {
        return S::Syncing;
    }
    if lacks_room(stored) { S::DiskFull } else { S::Idle }
}

/// When the state changes although nothing happens: a look that takes longer is a state of its own.
pub(super) fn changes_at(facts: &Facts, now: Instant) -> Option<Instant> {
    let asking = facts.remote.asking.and_then(|(who, since)| match who {
        Asking::Reach => None,
        Asking::Walk => Some(since + LOOK_SHOWN),
        Asking::Check => Some(since + SILENCE_SHOWN),
    });
    let scan = scans_since(facts).map(|since| since + LOOK_SHOWN);
    [asking, scan].into_iter().flatten().filter(|at| *at > now).min()
}

/// Since when a pass runs that may still be looking.
fn scans_since(facts: &Facts) -> Option<Instant> {
    facts.job.filter(|job| !matches!(job.kind, JobKind::Chore | JobKind::Shrink)).map(|job| job.since)
}

#[cfg(test)]
mod tests;
