//! Histories of the status, and what is told of them.

use jiff::tz::TimeZone;

use super::*;
use crate::model::State;
use crate::status::{Facts, SetAsideItem, Tracker, When};

const NOW: i64 = 1_795_341_600;

fn status(state: DaemonState) -> StatusDocument {
    let facts = Facts {
        username: "you@example.com".to_owned(),
        directory: "/drive".to_owned(),
        remote_root: "/".to_owned(),
        watch: "events".to_owned(),
        file_system: None,
        pid: 1,
    };
    let mut tracker = Tracker::new(facts, NOW);
    tracker.set_state(state, NOW);
    tracker.totals.passes = 1;
    tracker.document(&State::empty(), &TimeZone::UTC)
}

/// What is told of a history that is looked at every so many seconds, each with the seconds since its beginning.
fn told(seconds: i64, step: usize, mut at: impl FnMut(i64) -> StatusDocument) -> Vec<(i64, String)> {
    let mut watch = Watch::default();
    let mut told = Vec::new();
    for second in (0..seconds).step_by(step) {
        let notices = watch.observe(&at(second), NOW + second);
        told.extend(notices.into_iter().map(|notice| (second, notice.event)));
        // It survives a restart at any moment.
        let stored = serde_json::to_string(&watch).expect("JSON");
        watch = serde_json::from_str(&stored).expect("what was stored");
    }
    told
}

fn events(list: &[(i64, &str)]) -> Vec<(i64, String)> {
    list.iter().map(|(second, event)| (*second, (*event).to_owned())).collect()
}

#[test]
fn a_sign_in_is_asked_for_at_once_once_a_day_and_its_end_told_once() {
    let history = told(3 * DAY, 10, |second| match second {
        0..100 => status(DaemonState::SigningIn),
        // Somebody types wrong codes.
        500..520 | 900..910 => status(DaemonState::SigningIn),
        100..200_000 => status(DaemonState::NeedsCode),
        _ => status(DaemonState::Idle),
    });
    let expected =
        [(100, "sign-in-needed"), (100 + DAY, "sign-in-needed"), (100 + 2 * DAY, "sign-in-needed")];
    let end = [(200_030, "recovered")];
    let expected: Vec<_> = expected.into_iter().filter(|(at, _)| *at < 200_000).chain(end).collect();
    assert_eq!(history, events(&expected));
}

#[test]
fn what_passes_by_itself_is_no_news() {
    let flaps = |second: i64| match second % 100 {
        0..50 => status(DaemonState::WrongFolder),
        _ => status(DaemonState::Idle),
    };
    assert_eq!(told(HOUR, 5, flaps), []);
    let short = |second| status(if second < HOUR - 60 { DaemonState::Offline } else { DaemonState::Idle });
    assert_eq!(told(2 * HOUR, 5, short), []);
    let long = |second| status(if second < 3 * HOUR { DaemonState::Offline } else { DaemonState::Idle });
    assert_eq!(told(4 * HOUR, 10, long), events(&[(HOUR, "offline"), (3 * HOUR + 30, "recovered")]));
}

#[test]
fn a_list_that_grows_is_told_again_but_not_all_the_time() {
    let held = |second: i64| {
        let mut status = status(DaemonState::Guarded);
        status.held_deletes = 100 + u64::try_from(second / 60).unwrap_or(0);
        status
    };
    let history = told(3 * HOUR, 15, held);
    assert_eq!(
        history,
        events(&[(15, "deletions-held"), (15 + HOUR, "deletions-held"), (15 + 2 * HOUR, "deletions-held")])
    );
    let shrinks = |second: i64| {
        let mut status = status(DaemonState::Guarded);
        status.held_deletes = 1000 - u64::try_from(second / 60).unwrap_or(0);
        status
    };
    assert_eq!(told(3 * HOUR, 15, shrinks), events(&[(15, "deletions-held")]));
}

#[test]
fn set_aside_items_wait_and_a_restart_is_no_recovery() {
    let aside = |passes: u64, count: usize| {
        let mut status = status(DaemonState::Idle);
        status.totals.passes = passes;
        let item = SetAsideItem { path: "a".to_owned(), reason: "b".to_owned(), next_try: None };
        status.set_aside = vec![item; count];
        status
    };
    let history = told(DAY, 30, |second| match second {
        0..2000 => aside(1, 2),
        // A restart, before its first pass.
        2000..4000 => aside(0, 0),
        4000..6000 => aside(1, 2),
        _ => aside(2, 0),
    });
    assert_eq!(history, events(&[(600, "set-aside"), (6030, "recovered")]));
}

#[test]
fn the_end_of_the_trust_is_told_on_its_days_and_its_renewal_once() {
    let expires = |end: i64| {
        let mut status = status(DaemonState::Idle);
        status.session_expires = Some(When::new(NOW + end, &TimeZone::UTC));
        status
    };
    let history = told(20 * DAY, 1800, |second| expires(if second < 18 * DAY { 20 * DAY } else { 50 * DAY }));
    let days: Vec<(i64, &str)> = [6, 13, 17]
        .iter()
        .map(|day| (day * DAY, "session-expires"))
        .chain([(18 * DAY + 1800, "recovered")])
        .collect();
    assert_eq!(history, events(&days));
}

#[test]
fn a_clock_that_is_set_back_silences_nothing() {
    let mut watch = Watch::default();
    assert_eq!(watch.observe(&status(DaemonState::NeedsCode), NOW).len(), 1);
    assert_eq!(watch.observe(&status(DaemonState::NeedsCode), NOW - 10 * DAY).len(), 1);
    assert_eq!(watch.observe(&status(DaemonState::NeedsCode), NOW - 10 * DAY + 5).len(), 0);
}

#[test]
fn messages_are_short_say_what_to_do_and_show_no_hidden_character() {
    for (state, error, words) in [
        (DaemonState::NeedsCode, None, "icloudds code CODE"),
        (DaemonState::NeedsPassword, None, "icloudds login"),
        (DaemonState::WrongFolder, Some("/drive is \u{202e}gone"), "is \\u{202e}gone"),
    ] {
        let mut watch = Watch::default();
        let mut status = status(state);
        status.last_error = error.map(str::to_owned);
        watch.observe(&status, NOW);
        let notices = watch.observe(&status, NOW + 60);
        let first = Watch::default().observe(&status, NOW);
        let notice = notices.first().or(first.first()).expect("something to tell");
        assert!(notice.message.contains(words), "{}", notice.message);
    }
    let mut long = status(DaemonState::Idle);
    let item = SetAsideItem { path: "x".repeat(5000), reason: "é".repeat(5000), next_try: None };
    long.set_aside.push(item);
    let mut watch = Watch::default();
    watch.observe(&long, NOW);
    let notices = watch.observe(&long, NOW + HOUR);
    assert!(notices[0].message.chars().count() < 1000, "it fits every service");
}
