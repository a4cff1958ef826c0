//! Alive, and ready: two questions, each with one line that says why (`docs/contract.md`, `health`).

use std::time::Duration;

use super::{DaemonState, StatusDocument};

/// How many refresh periods old the last pass may be.
const READY_PERIODS: u32 = 3;

/// An answer and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Yes or no.
    pub healthy: bool,
    /// One line.
    pub why: String,
}

impl Verdict {
    fn yes(why: String) -> Self {
        Self { healthy: true, why }
    }

    fn no(why: String) -> Self {
        Self { healthy: false, why }
    }
}

/// What readiness depends on beside the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyFacts {
    /// Whether there is a session.
    pub signed_in: bool,
    /// How long ago the last pass that is over began; `None` before the first.
    pub last_pass_began: Option<Duration>,
    /// Why it failed as a whole.
    pub last_pass_failed: Option<String>,
    /// `sync.refresh_period`.
    pub refresh_period: Duration,
}

/// Whether the loop ticks. Waiting for a code or the network is no fault. `last_tick` is how long ago it did; for an
/// answer from the loop itself, zero.
pub fn alive(status: &StatusDocument, last_tick: Duration, limit: Duration) -> Verdict {
    if last_tick > limit {
        return Verdict::no(format!(
            "the loop has not ticked for {} s (state {})",
            last_tick.as_secs(),
            status.state
        ));
    }
    Verdict::yes(format!("alive: {}", sentence(status)))
}

/// Whether it is signed in, and the last pass began recently and ended without a failure of the whole pass. Held and
/// set-aside items are named, but do not make it fail.
pub fn ready(status: &StatusDocument, facts: &ReadyFacts) -> Verdict {
    let limit = facts.refresh_period * READY_PERIODS;
    match status.state {
        DaemonState::NeedsCode
        | DaemonState::NeedsPassword
        | DaemonState::WrongFolder
        | DaemonState::Stopping => return Verdict::no(format!("not ready: {}", status.state.sentence())),
        _ => {}
    }
    if let (Some(_), Some(why)) = (&status.disk_hangs, &status.last_error) {
        return Verdict::no(format!("not ready: {why}"));
    }
    if !facts.signed_in {
        return Verdict::no(format!("not ready: not connected to iCloud yet ({})", status.state.sentence()));
    }
    if let Some(error) = &facts.last_pass_failed {
        return Verdict::no(format!("not ready: the last pass failed: {error}"));
    }
    match facts.last_pass_began {
        None => {
            Verdict::no(format!("not ready: the first pass is not over yet ({})", status.state.sentence()))
        }
        Some(ago) if ago > limit => Verdict::no(format!(
            "not ready: the last pass began {} s ago, more than {} s",
            ago.as_secs(),
            limit.as_secs()
        )),
        Some(_) => Verdict::yes(format!("ready: {}", sentence(status))),
    }
}

/// The state, and what waits for a person.
fn sentence(status: &StatusDocument) -> String {
    let mut line = status.state.sentence().to_owned();
    if let (DaemonState::Offline, Some(why)) = (status.state, &status.last_error) {
        line.push_str(&format!(": {why}"));
    }
    if let (Some(_), Some(why)) = (&status.disk_hangs, &status.last_error) {
        line.push_str(&format!("; {why}"));
    }
    if status.held_deletes > 0 && status.state != DaemonState::Guarded {
        line.push_str(&format!("; deletions held: {}", status.held_deletes));
    }
    if !status.set_aside.is_empty() {
        line.push_str(&format!("; set aside: {}", status.set_aside.len()));
    }
    line
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::model::State;
    use crate::status::{DiskHang, Facts, SetAsideItem, Tracker};

    fn status(state: DaemonState) -> StatusDocument {
        let facts = Facts {
            username: "you@example.com".to_owned(),
            directory: "/drive".to_owned(),
            remote_root: "/".to_owned(),
            watch: "events".to_owned(),
            file_system: None,
            pid: 1,
        };
        let mut tracker = Tracker::new(facts, 0);
        tracker.set_state(state, 0);
        tracker.document(&State::empty(), &TimeZone::UTC)
    }

    fn facts() -> ReadyFacts {
        ReadyFacts {
            signed_in: true,
            last_pass_began: Some(Duration::from_secs(270)),
            last_pass_failed: None,
            refresh_period: Duration::from_secs(90),
        }
    }

    #[test]
    fn a_daemon_that_waits_is_alive_and_a_stuck_one_is_not() {
        let limit = Duration::from_secs(30);
        for state in DaemonState::ALL {
            assert!(alive(&status(state), Duration::ZERO, limit).healthy, "{state}");
        }
        let stuck = alive(&status(DaemonState::Syncing), Duration::from_secs(31), limit);
        assert_eq!(stuck, Verdict::no("the loop has not ticked for 31 s (state syncing)".to_owned()));
    }

    #[test]
    fn readiness_follows_the_contract() {
        let idle = status(DaemonState::Idle);
        assert_eq!(ready(&idle, &facts()), Verdict::yes("ready: waiting for changes".to_owned()));
        for (change, why) in [
            (ReadyFacts { signed_in: false, ..facts() }, "not connected to iCloud yet (waiting for changes)"),
            (ReadyFacts { last_pass_began: None, ..facts() }, "first pass"),
            (ReadyFacts { last_pass_began: Some(Duration::from_secs(271)), ..facts() }, "271 s ago"),
            (ReadyFacts { last_pass_failed: Some("HTTP 503".to_owned()), ..facts() }, "HTTP 503"),
        ] {
            let verdict = ready(&idle, &change);
            assert!(!verdict.healthy && verdict.why.contains(why), "{verdict:?}");
        }
        for state in [DaemonState::NeedsCode, DaemonState::NeedsPassword, DaemonState::WrongFolder] {
            assert!(!ready(&status(state), &facts()).healthy, "{state}");
        }
    }

    #[test]
    fn a_disk_that_hangs_is_not_ready_and_alive_with_its_path() {
        let mut status = status(DaemonState::Scanning);
        status.disk_hangs = Some(DiskHang { path: "/drive/vol".to_owned(), since: status.since });
        status.last_error = Some("the disk has not answered for 60 s: cannot read /drive/vol".to_owned());
        let verdict = ready(&status, &facts());
        assert!(!verdict.healthy && verdict.why.contains("/drive/vol"), "{verdict:?}");
        // Starting it anew would help nothing.
        let verdict = alive(&status, Duration::ZERO, Duration::from_secs(30));
        assert!(verdict.healthy && verdict.why.contains("/drive/vol"), "{verdict:?}");
    }

    #[test]
    fn held_and_set_aside_items_are_named_and_do_not_fail() {
        let mut idle = status(DaemonState::Guarded);
        idle.held_deletes = 3;
        let set_aside = SetAsideItem { path: "a".to_owned(), reason: "b".to_owned(), next_try: None };
        idle.set_aside.push(set_aside);
        let verdict = ready(&idle, &facts());
        assert!(verdict.healthy && verdict.why.contains("deletions are held"), "{verdict:?}");
        assert!(verdict.why.contains("set aside: 1"), "{verdict:?}");
        idle.state = DaemonState::Idle;
        assert!(ready(&idle, &facts()).why.contains("deletions held: 3"));
    }
}
