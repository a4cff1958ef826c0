use super::session_wait::{SESSION_LOOK, UNREADABLE_LOOK};
use super::*;
use crate::app::feed_state::FeedState;
use crate::engine::observe::remote::{Cases, EtagsLearnt};
use crate::status::DaemonState;

const SECOND: Duration = Duration::from_secs(1);

fn side(now: Instant) -> RemoteSide {
    let feed = FeedWatch::new(FeedState::default(), true);
    RemoteSide::new(Periods { check: 20 * SECOND, refresh: 90 * SECOND }, (feed, EtagWatch::default()), now)
}

fn pulse(files: u64) -> Pulse {
    Pulse { file_count: Some(files), ..Pulse::default() }
}

#[test]
fn after_it_was_away_a_check_leads_to_a_walk_and_failures_still_count() {
    let now = Instant::now();
    let mut side = side(now);
    side.times.walked(SECOND, now);
    assert_eq!(side.is_away(None, 1.0, now), 5 * SECOND);
    assert_eq!(side.facts(true).contact, Contact::Away);
    side.is_doubtful();
    assert_eq!(side.facts(true).contact, Contact::Away, "it is still away");
    side.checked(pulse(1), now);
    let facts = side.facts(true);
    assert_eq!((facts.contact, facts.not_before, facts.walk_at), (Contact::Unseen, None, now));
    assert_eq!(side.is_away(None, 1.0, now), 10 * SECOND);
    side.is_well();
    assert_eq!(side.is_away(None, 1.0, now), 5 * SECOND);
}

#[test]
fn a_check_that_saw_a_change_leads_to_a_walk_and_the_first_one_to_none() {
    let now = Instant::now();
    let mut side = side(now);
    side.times.walked(SECOND, now);
    let later = now + 10 * SECOND;
    for (files, walk_at) in [(1, now + 90 * SECOND), (1, now + 90 * SECOND), (2, later)] {
        side.asks(Asking::Check, later);
        side.is_answered();
        side.checked(pulse(files), later);
        assert_eq!(side.facts(true).walk_at, walk_at, "{files} files");
        assert_eq!(side.facts(true).check_at, later + 20 * SECOND);
    }
}

#[test]
fn where_the_feed_told_of_changes_until_now_the_first_check_leads_to_a_walk() {
    let now = Instant::now();
    let mut side = side(now);
    side.feed_mut().reached("17");
    side.feed_told(Ok(FeedLook { token: "1".to_owned(), ..FeedLook::default() }), true, now);
    side.times.walked(SECOND, now);
    let later = now + 20 * SECOND;
    side.feed_told(Err(FeedFault::NotOffered), true, later);
    assert_eq!((side.facts(true).check_at, side.facts(true).walk_at), (later, now + 90 * SECOND));
    side.asks(Asking::Check, later);
    side.is_answered();
    side.checked(pulse(1), later);
    assert_eq!(side.facts(true).walk_at, later);
    side.times.walked(SECOND, later);
    side.checked(pulse(1), later + 20 * SECOND);
    assert_eq!(side.facts(true).walk_at, later + 90 * SECOND, "from then on counts are compared");
}

#[test]
fn the_feed_alone_is_asked_often_while_changes_come_and_icloud_itself_never() {
    let now = Instant::now();
    let mut side = side(now);
    side.feed_mut().reached("17");
    let quiet = |token: &str| Ok(FeedLook { token: token.to_owned(), ..FeedLook::default() });
    side.feed_told(quiet("1"), true, now);
    side.change_came(now);
    assert_eq!(side.facts(true).check_at, now + 2 * SECOND);
    side.asks(Asking::Check, now + 2 * SECOND);
    side.feed_told(quiet("2"), true, now + 2 * SECOND);
    assert_eq!(side.facts(true).check_at, now + 4 * SECOND);
    side.feed_told(Err(FeedFault::NotOffered), true, now + 4 * SECOND);
    for what in ["the feed is gone", "another change came"] {
        side.asks(Asking::Check, now + 4 * SECOND);
        side.checked(pulse(1), now + 4 * SECOND);
        assert_eq!(side.times.check_at(), now + 24 * SECOND, "{what}");
        side.change_came(now + 4 * SECOND);
    }
}

#[test]
fn where_etags_are_relied_on_a_change_leads_to_a_look_by_them_and_walks_stay_due() {
    let now = Instant::now();
    let later = now + 10 * SECOND;
    let enough = EtagsLearnt { cases: Cases { contents: 8, places: 8, names: 3 }, doubts: 0 };
    // What is learnt, whether anything but polling is wanted, whether a look goes by etag.
    for (learnt, is_wanted, by_etag) in
        [(enough.clone(), true, true), (enough, false, false), (EtagsLearnt::default(), true, false)]
    {
        let feed = FeedWatch::new(FeedState::default(), is_wanted);
        let periods = Periods { check: 20 * SECOND, refresh: 90 * SECOND };
        let mut side = RemoteSide::new(periods, (feed, EtagWatch::new(learnt)), now);
        side.checked(pulse(1), now);
        side.times.walked(SECOND, now);
        side.contact = Contact::Seen;
        assert_eq!(side.facts(true).walk_at, now + 90 * SECOND);
        side.checked(pulse(2), later);
        assert_eq!((side.facts(true).walk_at, side.looks_by_etag(later)), (later, by_etag));
        assert_eq!(side.may_walk(later), !by_etag);
        // Once the walk is due, it is one.
        assert!(!side.looks_by_etag(now + 90 * SECOND));
    }
}

#[test]
fn a_notification_leads_to_a_check_and_to_a_walk_where_that_shows_nothing() {
    let now = Instant::now();
    let mut side = side(now);
    side.checked(pulse(1), now);
    side.times.walked(SECOND, now);
    let later = now + 10 * SECOND;
    side.is_told(later);
    assert_eq!(side.times.check_at(), later);
    side.asks(Asking::Check, later);
    side.is_told(later);
    side.is_answered();
    side.checked(pulse(1), later);
    assert_eq!(side.facts(true).walk_at, later, "the check cannot show what is deep down");
    assert_eq!(side.times.check_at(), later + SECOND, "one that came meanwhile is not answered yet");
}

#[test]
fn a_person_who_is_waited_for_is_looked_for_until_the_session_changes() {
    let now = Instant::now();
    let mut side = side(now);
    side.session_is_unreadable(now);
    assert_eq!(side.facts(true).session_at, None, "nobody is waited for");
    side.waits_for_person(now);
    assert_eq!(side.facts(true).session_at, Some(now + SESSION_LOOK));
    side.session_is_unreadable(now);
    assert_eq!(side.facts(true).session_at, Some(now + UNREADABLE_LOOK));
    side.waits_for_nobody();
    assert_eq!(side.is_refused(3600 * SECOND, 1.0, now), 3600 * SECOND);
    assert_eq!(side.facts(true).session_at, Some(now + SESSION_LOOK), "only a person can cure it");
}

#[test]
fn somebody_who_asks_waits_for_nothing() {
    let now = Instant::now();
    let mut side = side(now);
    side.times.walked(SECOND, now);
    side.cannot_ask(1.0, now);
    side.problem_mut().state = Some(DaemonState::Offline);
    side.try_now(now);
    let facts = side.facts(true);
    assert_eq!((facts.not_before, facts.walk_at), (None, now));
    assert_eq!(facts.problem, Some(DaemonState::Offline), "it lasts until something goes well");
}

// A month of checks and walks against a change feed that loses one change in a thousand, or tells each late, twice or not at all: by the
// rules alone, with a clock of its own.

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const PERIODS: Periods = Periods { check: Duration::from_secs(20), refresh: Duration::from_secs(90) };

/// How the feed tells of a change.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// Every change of such a number never shows.
    loses: Option<u64>,
    /// After what time a change shows.
    delay: Duration,
    /// Whether the root's counts show a change that the feed does not.
    shows_at_root: bool,
}

/// One change on iCloud.
#[derive(Clone, Copy)]
struct Happened {
    at: Instant,
    told_at: Option<Instant>,
}

/// What came of a month.
#[derive(Debug, Default)]
struct Outcome {
    changes: usize,
    walks: u32,
    feed_checks: u32,
    root_checks: u32,
    disagreements: u64,
    /// The longest that a change waited for a walk.
    longest: Duration,
    /// How many changes no walk has seen at the end.
    unseen: usize,
}

fn month(kind: Kind, seed: u64) -> Outcome {
    let start = Instant::now();
    let end = start + 30 * DAY;
    let feed = FeedWatch::new(FeedState::default(), true);
    let mut side = RemoteSide::new(PERIODS, (feed, EtagWatch::default()), start);
    side.feed_mut().reached("17");
    let mut outcome = Outcome::default();
    let mut happened: Vec<Happened> = Vec::new();
    // A linear congruence is chance enough for when the next change comes: after 10 seconds to 40 minutes.
    let mut random = seed;
    let mut chance = |most: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % most
    };
    let mut next_change = start + 10 * SECOND;
    let (mut seen, mut told) = (0, 0);
    let mut asked_at = start;
    let mut now = start;
    while now < end {
        let facts = side.facts(true);
        now = now.max(facts.walk_at.min(facts.check_at));
        // The last day is quiet, as long as a walk may be away.
        while next_change <= now {
            if next_change < end - DAY {
                let number = happened.len() as u64;
                let lost = kind.loses.is_some_and(|each| number % each == each - 1);
                let told_at = (!lost).then_some(next_change + kind.delay);
                happened.push(Happened { at: next_change, told_at });
            }
            next_change += Duration::from_secs(10 + chance(2_400));
        }
        let mut ask = |since: &mut Instant| {
            let moved = happened
                .iter()
                .rev()
                .take_while(|change| change.at + kind.delay > *since)
                .any(|change| change.told_at.is_some_and(|at| at > *since && at <= now));
            *since = now;
            told += 1;
            Ok(FeedLook { token: told.to_string(), moved, started_over: told == 1, ..FeedLook::default() })
        };
        if side.facts(true).walk_at <= now {
            if side.feed().is_asked_before_walk(now) {
                side.feed_told(ask(&mut asked_at), true, now);
            }
            let new = happened.len() - seen;
            let longest = happened[seen..].iter().map(|change| now - change.at).max();
            outcome.longest = outcome.longest.max(longest.unwrap_or_default());
            seen = happened.len();
            outcome.walks += 1;
            side.compare_feed((outcome.walks > 1).then_some(new > 0), true, now);
            side.times.walked(SECOND, now);
        } else if side.asks_feed_at(now) {
            side.asks(Asking::Check, now);
            side.is_answered();
            side.feed_told(ask(&mut asked_at), true, now);
            outcome.feed_checks += 1;
        } else {
            side.asks(Asking::Check, now);
            side.is_answered();
            let files = if kind.shows_at_root { happened.len() as u64 } else { 0 };
            side.checked(Pulse { file_count: Some(files), ..Pulse::default() }, now);
            outcome.root_checks += 1;
        }
    }
    outcome.changes = happened.len();
    outcome.unseen = happened.len() - seen;
    outcome.disagreements = side.feed().disagreements();
    outcome
}

#[test]
fn one_change_in_a_thousand_that_the_feed_never_shows_is_found_within_the_hour_and_trusted_less() {
    for seed in 1..=4 {
        for shows_at_root in [true, false] {
            let kind = Kind { loses: Some(1000), delay: Duration::ZERO, shows_at_root };
            let outcome = month(kind, seed);
            assert!(outcome.changes > 1500, "{outcome:?}");
            assert_eq!(outcome.unseen, 0, "seed {seed}: {outcome:?}");
            assert!(outcome.longest <= SELDOM + MINUTE, "seed {seed}: {outcome:?}");
            // Each lost change is found out, but for one that hides behind another which is told.
            assert!(outcome.disagreements <= 2, "seed {seed}: {outcome:?}");
        }
    }
}

#[test]
fn a_feed_that_tells_late_is_believed_and_one_that_tells_nothing_is_not() {
    let late = month(Kind { loses: None, delay: 2 * MINUTE, shows_at_root: false }, 7);
    assert_eq!((late.unseen, late.disagreements), (0, 0), "{late:?}");
    assert!(late.longest <= SELDOM + MINUTE, "{late:?}");
    let mute = month(Kind { loses: Some(1), delay: Duration::ZERO, shows_at_root: false }, 7);
    assert_eq!(mute.unseen, 0, "{mute:?}");
    assert!(mute.longest <= 2 * PERIODS.refresh, "it never came to be trusted: {mute:?}");
    assert!(mute.disagreements >= 14, "{mute:?}");
    assert!(mute.root_checks > 10 * mute.feed_checks, "{mute:?}");
}

#[test]
fn a_good_feed_spares_walks_and_looks() {
    let outcome = month(Kind { loses: None, delay: Duration::ZERO, shows_at_root: true }, 3);
    assert_eq!((outcome.unseen, outcome.disagreements), (0, 0), "{outcome:?}");
    assert!(outcome.longest <= PERIODS.check + SECOND * 4, "{outcome:?}");
    // A day of walks each refresh period; after it those that are told, and one an hour.
    assert!(outcome.walks < 960 + 2 * 2200 + 29 * 24, "{outcome:?}");
    assert!(outcome.root_checks < 100, "{outcome:?}");
}
