//! The state, case by case: what is known of an idle daemon to which that happened, and its word.

use super::*;
use crate::daemon::facts::testing::{at, facts};
use crate::model::state::{Deletion, SetAside};
use crate::model::{ItemId, RelPath, Side};

/// A daemon whose passes ended well.
const SETTLED: History =
    History { before: DaemonState::Idle, has_passed: true, is_initial_done: true, is_cut_short: false };

/// A daemon that has just begun.
const FIRST: History =
    History { before: DaemonState::Starting, has_passed: false, is_initial_done: false, is_cut_short: false };

fn word(script: &str, history: &History, stored: &State) -> &'static str {
    let now = Instant::now();
    current_state(&facts(script, now), history, stored, now).as_str()
}

#[test]
fn what_a_person_has_to_do_comes_first_then_what_is_in_the_way_then_what_is_done() {
    for (script, settled, first) in [
        ("", "idle", "starting"),
        ("stopping; pass works", "stopping", "stopping"),
        ("paused", "paused", "paused"),
        ("paused; pass works", "syncing", "syncing"),
        ("paused; iCloud problem", "paused", "paused"),
        ("iCloud problem", "offline", "offline"),
        ("iCloud problem; local problem", "disk-full", "disk-full"),
        ("iCloud problem; pass works", "offline", "offline"),
        ("pass works", "syncing", "syncing"),
        ("pass", "idle", "scanning"),
        ("local pass", "idle", "scanning"),
        ("chore", "idle", "starting"),
        ("reaches", "signing-in", "signing-in"),
        ("walks", "idle", "listing"),
        ("walks long", "listing", "listing"),
        ("checks", "idle", "starting"),
        ("checks long", "offline", "offline"),
        ("changing", "idle", "starting"),
    ] {
        assert_eq!(word(script, &SETTLED, &State::empty()), settled, "{script:?}");
        assert_eq!(word(script, &FIRST, &State::empty()), first, "{script:?}, at first");
    }
}

#[test]
fn a_problem_for_a_person_goes_before_a_pause() {
    let now = Instant::now();
    for (state, word) in [(DaemonState::NeedsCode, "needs-code"), (DaemonState::WrongFolder, "wrong-folder")]
    {
        let mut facts = facts("paused; pass works", now);
        facts.remote.problem = Some(state);
        assert_eq!(current_state(&facts, &SETTLED, &State::empty(), now).as_str(), word);
    }
}

#[test]
fn what_is_stored_is_told_where_nothing_goes_on() {
    let id = ItemId::drive_root().to_string();
    let deletion = Deletion { path: "a".to_owned(), on: Side::Local, id, at: 0, version: String::new() };
    let mut held = State::empty();
    held.guard.held = vec![deletion];
    assert_eq!(word("", &SETTLED, &held), "guarded");
    assert_eq!(word("pass works", &SETTLED, &held), "syncing");
    let cut_short = History { is_cut_short: true, ..SETTLED };
    assert_eq!(word("", &cut_short, &held), "syncing");
    let mut full = State::empty();
    let reason = format!("it {} here", crate::engine::ports::NO_SPACE);
    let item = SetAside { reason, attempts: 1, next_try: None, since: 0 };
    full.set_aside.insert(RelPath::root(), item);
    assert_eq!(word("", &SETTLED, &full), "disk-full");
}

#[test]
fn a_look_that_takes_longer_changes_the_state_by_itself() {
    let now = Instant::now();
    for (script, seconds) in [
        ("", None),
        ("reaches", None),
        ("walks", Some(1)),
        ("walks long", None),
        ("checks", Some(9)),
        ("pass", Some(1)),
        ("chore", None),
    ] {
        assert_eq!(changes_at(&facts(script, now), now), seconds.map(|second| at(now, second)), "{script:?}");
    }
}
