use super::*;
use crate::icloud::push::testing::channel;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A channel's owner at work, with a clock that only the test moves. No chance shortens a wait.
struct Bench {
    push: RemotePush,
    now: Instant,
    up: Duration,
}

impl Bench {
    fn new() -> Self {
        let (now, up) = (Instant::now(), HOUR);
        let mut push = RemotePush::new(now, up);
        push.is_used(true);
        Self { push, now, up }
    }

    fn passes(&mut self, span: Duration) {
        self.now += span;
        self.up += span;
    }

    /// Waits until somebody should listen, and does; how long that took, and with which channel.
    fn begins(&mut self) -> (Duration, Listening) {
        let due = self.push.due_at().expect("nobody listens");
        let wait = due.saturating_duration_since(self.now);
        self.passes(wait);
        (wait, self.push.begins(self.now, self.up))
    }

    fn told(&mut self, serial: u64, result: Result<Came, PushError>) -> bool {
        self.push.listened(Listened { serial, result }, 1.0, self.now, self.up)
    }

    /// Somebody listens, and that comes of it after `held`; how long was waited before.
    fn turn(&mut self, held: Duration, result: Result<Came, PushError>) -> Duration {
        let (wait, job) = self.begins();
        self.passes(held);
        self.told(job.serial, result);
        wait
    }

    fn opened(&mut self) {
        self.turn(SECOND, Ok(Came::Opened(Box::new(channel(12 * HOUR)))));
    }
}

fn heard(heard: Heard) -> Result<Came, PushError> {
    Ok(Came::Heard(heard))
}

fn failed() -> Result<Came, PushError> {
    Err(PushError::Failed { why: "no".to_owned(), asked: None })
}

#[test]
fn it_is_opened_listened_to_and_opened_anew_at_half_of_its_time() {
    let mut bench = Bench::new();
    let (wait, job) = bench.begins();
    assert!(wait.is_zero() && job.channel.is_none());
    assert_eq!((bench.push.due_at(), bench.push.state(bench.now)), (None, PushIs::Absent));
    assert!(!bench.told(job.serial, Ok(Came::Opened(Box::new(channel(12 * HOUR))))));
    assert_eq!(bench.push.state(bench.now), PushIs::Mute);
    let (_, job) = bench.begins();
    assert_eq!(job.channel.map(|(_, limit)| limit), Some(LISTEN));
    bench.passes(LISTEN);
    assert!(bench.told(job.serial, heard(Heard::News)), "there is news");
    bench.passes(6 * HOUR - LISTEN - 10 * SECOND);
    let (_, job) = bench.begins();
    assert_eq!(job.channel.map(|(_, limit)| limit), Some(SHORTEST_LISTEN));
    bench.passes(SHORTEST_LISTEN);
    assert!(!bench.told(job.serial, heard(Heard::Silence)));
    assert!(bench.begins().1.channel.is_none(), "half of its time is over");
}

#[test]
fn nobody_listens_where_it_is_not_wanted_or_refused_until_the_session_is_another_one() {
    let mut bench = Bench::new();
    bench.push.is_used(false);
    assert_eq!((bench.push.due_at(), bench.push.state(bench.now)), (None, PushIs::Absent));
    bench.push.is_used(true);
    bench.turn(SECOND, Err(PushError::Refused("HTTP 403".to_owned())));
    assert_eq!((bench.push.due_at(), bench.push.state(bench.now)), (None, PushIs::Refused));
    bench.push.begin_anew(bench.now);
    assert_eq!(bench.push.due_at(), Some(bench.now));
}

#[test]
fn failures_wait_longer_each_time_and_get_another_token_the_second_time() {
    let mut bench = Bench::new();
    bench.opened();
    assert!(bench.turn(SECOND, failed()) <= SECOND);
    assert_eq!(bench.push.state(bench.now), PushIs::Failing);
    assert!(bench.push.channel.is_some(), "it may have been the line");
    let mut waits = vec![bench.turn(SECOND, failed()).as_secs()];
    assert!(bench.push.channel.is_none(), "the token, or the address, may be what does not work");
    // It opens each time, and never holds.
    for _ in 0..10 {
        bench.opened();
        waits.push(bench.turn(SECOND, failed()).as_secs());
    }
    assert_eq!(waits[0], 5);
    let (_, job) = bench.begins();
    assert!(job.channel.is_none());
    bench.told(job.serial, Err(PushError::Failed { why: "503".to_owned(), asked: Some(100 * HOUR) }));
    assert_eq!(bench.push.due_at(), Some(bench.now + LONGEST_ASKED));
    bench.opened();
    bench.turn(SECOND, heard(Heard::News));
    assert_eq!(bench.push.state(bench.now), PushIs::Working);
    bench.turn(SECOND, failed());
    assert_eq!(bench.push.due_at(), Some(bench.now + 5 * SECOND), "it begins anew after a good answer");
}

#[test]
fn the_wait_after_failures_grows_to_half_an_hour() {
    let mut bench = Bench::new();
    let waits: Vec<_> = (0..11).map(|_| bench.turn(SECOND, failed()).as_secs()).collect();
    assert_eq!(waits, [0, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800]);
}

#[test]
fn a_token_that_holds_no_longer_is_replaced() {
    let mut bench = Bench::new();
    bench.opened();
    bench.turn(SECOND, Err(PushError::Expired));
    let (wait, job) = bench.begins();
    assert!(job.channel.is_none() && wait == 5 * SECOND);
}

#[test]
fn a_courier_that_answers_at_once_is_asked_ever_more_seldom() {
    for (what, highest) in [(Heard::Silence, 60), (Heard::News, 5)] {
        let mut bench = Bench::new();
        bench.opened();
        let waits: Vec<_> = (0..20).map(|_| bench.turn(Duration::ZERO, heard(what)).as_secs()).collect();
        let expected = [0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64, 64, 64, 64, 64, 64];
        assert_eq!(waits, expected.map(|wait: u64| wait.min(highest)), "{what:?}");
        bench.turn(HELD, heard(Heard::Silence));
        assert_eq!(bench.push.due_at(), Some(bench.now + FLOOR), "it was held");
    }
}

#[test]
fn changes_that_follow_each_other_in_seconds_are_all_heard_at_once() {
    let mut bench = Bench::new();
    bench.opened();
    bench.turn(AWAITED, heard(Heard::News));
    for _ in 0..100 {
        assert_eq!(bench.turn(AWAITED, heard(Heard::News)), FLOOR);
    }
}

#[test]
fn after_a_sleep_who_listened_is_given_up_and_what_it_tells_is_passed_over() {
    let mut bench = Bench::new();
    bench.opened();
    assert!(!bench.push.has_slept(bench.now, bench.up));
    let mut dead = Vec::new();
    for _ in 0..MOST_GIVEN_UP {
        dead.push(bench.begins().1.serial);
        bench.passes(SECOND);
        assert!(!bench.push.has_slept(bench.now, bench.up), "an ordinary second");
        bench.up += HOUR;
        assert!(bench.push.has_slept(bench.now, bench.up));
    }
    assert_eq!(bench.push.due_at(), None, "threads do not pile up");
    assert!(!bench.told(dead[0], heard(Heard::News)), "nobody waits for it any more");
    let (wait, job) = bench.begins();
    assert!(wait <= FLOOR && job.channel.is_some());
    assert!(bench.told(job.serial, heard(Heard::News)));
}

#[test]
fn after_a_failure_it_counts_as_working_once_a_request_was_held() {
    let mut bench = Bench::new();
    bench.opened();
    bench.turn(SECOND, heard(Heard::News));
    bench.turn(SECOND, failed());
    bench.begins();
    assert_eq!(bench.push.state(bench.now), PushIs::Failing);
    bench.passes(PROVEN);
    assert_eq!(bench.push.state(bench.now), PushIs::Working);
}

#[test]
fn it_counts_as_what_tells_of_changes_once_it_told_of_one_and_until_it_misses_several() {
    let mut bench = Bench::new();
    bench.opened();
    bench.push.changes_seen();
    assert_eq!(bench.push.state(bench.now), PushIs::Mute, "it is held, and nothing came");
    bench.turn(HOUR, heard(Heard::Silence));
    assert_eq!(bench.push.state(bench.now), PushIs::Mute, "a sign of life is none of changes");
    bench.turn(HOUR, heard(Heard::News));
    assert_eq!(bench.push.state(bench.now), PushIs::Working);
    bench.push.changes_seen();
    bench.push.changes_seen();
    assert_eq!(bench.push.state(bench.now), PushIs::Working, "nobody listened");
    for expected in [PushIs::Working, PushIs::Working, PushIs::Mute] {
        let (_, job) = bench.begins();
        bench.push.changes_seen();
        assert_eq!(bench.push.state(bench.now), expected);
        bench.passes(SECOND * 10);
        bench.told(job.serial, heard(Heard::Silence));
    }
    bench.turn(HOUR, heard(Heard::News));
    assert_eq!(bench.push.state(bench.now), PushIs::Working);
    bench.push.begin_anew(bench.now);
    bench.opened();
    assert_eq!(bench.push.state(bench.now), PushIs::Mute, "another session");
}
