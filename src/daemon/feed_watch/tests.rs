use super::*;
use crate::daemon::rest::{LONGEST_ASKED, LONGEST_REST};

const MINUTE: Duration = Duration::from_secs(60);
/// How often the feed is asked here.
const CHECK: Duration = Duration::from_secs(20);

fn look(token: &str, moved: bool) -> Result<FeedLook, FeedFault> {
    Ok(FeedLook { token: token.to_owned(), moved, started_over: false, ..FeedLook::default() })
}

fn refusal(retry_after: Option<Duration>) -> Result<FeedLook, FeedFault> {
    Err(FeedFault::Refused { why: "no".to_owned(), retry_after })
}

/// A feed that answered before the first walk.
fn in_use(now: Instant) -> FeedWatch {
    let mut feed = FeedWatch::new(FeedState::default(), true);
    feed.reached("17");
    assert!(feed.is_asked_before_walk(now) && feed.is_asked(now));
    let first = FeedLook { token: "0".to_owned(), moved: true, started_over: true, ..FeedLook::default() };
    assert_eq!(feed.told(Ok(first), now), FeedNews::Walk);
    feed.walked(None, now);
    assert!(feed.is_in_use() && !feed.is_asked_before_walk(now));
    feed
}

/// Asks each `CHECK` for `span`, with nothing to tell; gives the time after it.
fn quiet(feed: &mut FeedWatch, from: Instant, span: Duration) -> Instant {
    let mut now = from;
    while now < from + span {
        now += CHECK;
        assert_eq!(feed.told(look("1", false), now), FeedNews::Nothing);
    }
    now
}

#[test]
fn a_change_that_is_told_leads_to_a_walk_and_nothing_else_does() {
    let now = Instant::now();
    let mut feed = in_use(now);
    assert_eq!(feed.told(look("1", false), now + CHECK), FeedNews::Nothing);
    assert_eq!(feed.told(look("2", true), now + 2 * CHECK), FeedNews::Walk);
    feed.walked(Some(true), now + 3 * CHECK);
    assert_eq!(feed.told(look("2", false), now + 4 * CHECK), FeedNews::Nothing);
    assert_eq!(feed.token().as_deref(), Some("2"));
    assert_eq!((feed.disagreements(), feed.because()), (0, None));
}

#[test]
fn a_feed_that_refuses_rests_longer_each_time_and_begins_anew_after_it_answered_for_long() {
    let mut now = Instant::now();
    let mut feed = in_use(now);
    let rest_after = |feed: &mut FeedWatch, asked, now| {
        assert_eq!(feed.told(refusal(asked), now), FeedNews::LookThere);
        assert!(!feed.is_in_use() && !feed.is_asked(now) && feed.because().is_some());
        feed.looked_there(true, now);
        feed.rest.until().expect("a rest").duration_since(now)
    };
    for minutes in [5, 10, 20, 40, 80, 160, 320, 360, 360] {
        assert_eq!(rest_after(&mut feed, None, now), minutes * MINUTE);
        now += minutes * MINUTE;
        assert!(feed.is_asked(now));
    }
    assert_eq!(rest_after(&mut feed, Some(700 * MINUTE), now), 700 * MINUTE, "what it asks for");
    now += 700 * MINUTE;
    assert_eq!(rest_after(&mut feed, Some(9 * 24 * 60 * MINUTE), now), LONGEST_ASKED);
    now += LONGEST_ASKED;
    feed.told(look("1", false), now);
    assert_eq!(rest_after(&mut feed, None, now + MINUTE), 360 * MINUTE, "it answered once");
    now += 361 * MINUTE;
    feed.told(look("1", false), now);
    assert_eq!(rest_after(&mut feed, None, now + LONGEST_REST), 5 * MINUTE);
}

#[test]
fn silence_is_the_feeds_fault_only_where_icloud_answers() {
    let now = Instant::now();
    for (answers, rests) in [(true, true), (false, false)] {
        let mut feed = in_use(now);
        let silence = Err(FeedFault::NoAnswer("no route".to_owned()));
        assert_eq!(feed.told(silence, now + CHECK), FeedNews::LookThere);
        assert!(!feed.is_asked(now + CHECK), "iCloud itself is looked at");
        feed.looked_there(answers, now + CHECK);
        assert_eq!(feed.is_asked(now + CHECK), !rests);
    }
}

#[test]
fn what_a_walk_sees_first_is_late_for_five_minutes_and_then_a_disagreement_for_a_day() {
    let start = Instant::now();
    let mut feed = in_use(start);
    feed.walked(Some(true), start);
    let mut now = start;
    while now + CHECK < start + LATE {
        now += CHECK;
        assert_eq!(feed.told(look("1", false), now), FeedNews::LookThere);
        assert!(feed.is_in_use() && !feed.is_asked(now), "iCloud itself is looked at as well");
        feed.looked_there(true, now);
    }
    // Late, not lost.
    let mut late = in_use(start);
    late.walked(Some(true), start);
    assert_eq!(late.told(look("2", true), now), FeedNews::Walk);
    late.walked(Some(false), now);
    assert_eq!(late.told(look("2", false), start + LATE), FeedNews::Nothing);
    assert_eq!(late.disagreements(), 0);
    assert_eq!(feed.told(look("1", false), start + LATE), FeedNews::LookThere);
    assert_eq!(feed.disagreements(), 1);
    assert!(!feed.is_in_use() && feed.because().is_some());
    let mut now = start + LATE;
    let mut asked = 0;
    while now < start + LATE + Duration::from_secs(DAY) {
        asked += u32::from(feed.is_asked(now));
        now += MINUTE;
        feed.looked_there(true, now);
    }
    assert_eq!(asked, 0);
    assert!(feed.is_asked(now));
}

#[test]
fn whole_walks_come_seldom_after_a_day_of_agreement_and_often_after_any_doubt() {
    let start = Instant::now();
    let day = Duration::from_secs(DAY);
    // A feed that never told anything is not believed, however long it is quiet.
    let mut mute = in_use(start);
    quiet(&mut mute, start, 2 * day);
    assert!(!mute.may_walk_seldom());
    let trusted = || {
        let mut feed = in_use(start);
        feed.told(look("1", true), start);
        feed.walked(Some(true), start);
        let now = quiet(&mut feed, start, day - CHECK);
        assert!(!feed.may_walk_seldom());
        let now = quiet(&mut feed, now, CHECK);
        assert!(feed.may_walk_seldom());
        (feed, now)
    };
    let (mut feed, now) = trusted();
    feed.walked(Some(true), now);
    assert!(!feed.may_walk_seldom(), "a change was not told");
    feed.told(look("3", true), now + CHECK);
    assert!(feed.may_walk_seldom(), "it was late");
    feed.told(refusal(None), now + 2 * CHECK);
    assert!(!feed.may_walk_seldom());
    let (mut feed, _) = trusted();
    feed.want(false);
    assert!(!feed.may_walk_seldom() && !feed.is_in_use());
    // It outlives a restart, and no other account inherits it.
    let (mut feed, now) = trusted();
    let etags = EtagsLearnt { doubts: 1, ..EtagsLearnt::default() };
    let stored = feed.take_unstored(&etags).expect("something new");
    assert_eq!(stored.etags, etags);
    assert_eq!(feed.take_unstored(&etags), None);
    let mut again = FeedWatch::new(stored.clone(), true);
    again.reached("17");
    assert!(!again.may_walk_seldom(), "it was not asked yet");
    again.told(look("4", false), now);
    assert!(again.may_walk_seldom());
    let mut other = FeedWatch::new(stored, true);
    other.reached("18");
    assert_eq!(other.token(), None);
}

#[test]
fn where_no_feed_is_offered_icloud_is_looked_at_without_a_word() {
    let now = Instant::now();
    let mut feed = FeedWatch::new(FeedState::default(), true);
    assert!(!feed.is_asked(now), "nobody is signed in");
    feed.reached("17");
    assert_eq!(feed.told(Err(FeedFault::NotOffered), now), FeedNews::LookThere);
    assert!(!feed.is_asked(now) && feed.is_asked(now + FIRST_REST), "another session may name one");
    assert_eq!(feed.because(), None);
    let mut unwanted = FeedWatch::new(FeedState::default(), false);
    unwanted.reached("17");
    assert!(!unwanted.is_asked(now) && !unwanted.is_asked_before_walk(now));
}

#[test]
fn tokens_that_do_not_last_are_a_refusal_and_one_that_expired_is_none() {
    let start = Instant::now();
    let over = |token: &str| {
        Ok(FeedLook { token: token.to_owned(), moved: true, started_over: true, ..FeedLook::default() })
    };
    let mut feed = in_use(start);
    assert_eq!(feed.told(over("2"), start + SHORT_LIFE), FeedNews::Walk);
    assert!(feed.is_in_use(), "it had lasted");
    assert_eq!(feed.told(over("3"), start + SHORT_LIFE + CHECK), FeedNews::Walk);
    assert!(!feed.is_in_use() && !feed.is_asked(start + SHORT_LIFE + CHECK));
}

#[test]
fn a_feed_that_tells_of_changes_where_there_are_none_is_a_refusal_and_our_own_writes_are_none() {
    let mut now = Instant::now();
    for (writes, rests) in [(false, true), (true, false)] {
        let mut feed = in_use(now);
        for number in 0..2 * MOST_ALARMS {
            now += CHECK;
            if feed.is_in_use() {
                assert_eq!(feed.told(look(&number.to_string(), true), now), FeedNews::Walk);
                feed.walked(Some(false), now);
            }
            if writes {
                feed.has_written();
            }
        }
        assert_eq!(feed.is_in_use(), !rests);
    }
}
