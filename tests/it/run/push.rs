//! The push channel: what happens on iCloud is here at once, and whatever the channel does, it costs little and loses nothing.

use std::time::{Duration, Instant};

use icloudds::control::ControlRequest;
use icloudds::status::WatchedBy;
use icloudds_simulator::fault::{Effect, FaultBody};
use icloudds_simulator::switches::Aps;

use super::daemon::{Daemon, quick};
use crate::cases::side_by_side;
use crate::e2e::rig::{Rig, html};

/// A rig on which only notifications bring anything within a test's patience.
fn seldom() -> Rig {
    let mut rig = quick();
    rig.set("sync.check_period", "600").set("sync.refresh_period", "3600");
    rig
}

fn aps(rig: &Rig, aps: Aps) {
    rig.sim.switches(|switches| switches.aps = aps);
}

/// Requests are held for so long, and nothing ever comes.
fn held(rig: &Rig, span: Duration) {
    rig.sim.switches(|switches| (switches.aps, switches.aps_hold) = (Aps::Silent, span));
}

/// How often each of the channel's calls was made: token, registration, listening.
fn calls(rig: &Rig) -> [u64; 3] {
    ["push.token", "push.register", "push.aps"].map(|kind| rig.sim.count(kind))
}

#[track_caller]
fn wait_watched(daemon: &Daemon<'_>, by: WatchedBy) {
    daemon.wait(by.as_str(), || daemon.try_status().is_some_and(|status| status.remote_watch == by));
}

#[test]
fn what_happens_there_is_here_long_before_the_next_look() {
    side_by_side([Aps::Ok, Aps::Duplicate], |switch| {
        let rig = seldom();
        aps(&rig, switch);
        rig.there().write("a/b/file", "1").expect("a file");
        let daemon = Daemon::synced(&rig);
        daemon.wait("somebody who listens", || rig.sim.count("push.aps") > 0);
        assert_ne!(daemon.status().remote_watch, WatchedBy::Push, "nothing came yet");
        for content in ["2 edited deep down", "3 and once more"] {
            rig.there().write("a/b/file", content).expect("an edit");
            daemon.wait(content, || rig.read("a/b/file") == content);
            wait_watched(&daemon, WatchedBy::Push);
        }
        rig.there().write("new", "new").expect("a file");
        daemon.wait("a new file", || rig.at("new").exists());
        rig.write("mine", "written here");
        daemon.wait("an upload", || rig.there().entry("mine").is_some());
        daemon.settle();
        daemon.stop();
        rig.assert_settled();
    });
}

#[test]
fn whatever_the_channel_does_the_same_comes_by_looking() {
    let answer = |status, body| Effect::Answer {
        status,
        body,
        retry_after: None,
        code: None,
        headers: vec![("Location".to_owned(), "https://evil.example/".to_owned())],
    };
    let all = |kind: &'static str, effect: Effect| (kind, Some(effect), Aps::Ok);
    side_by_side(
        [
            ("", None, Aps::Silent),
            ("", None, Aps::Off),
            ("", None, Aps::Trickle),
            all("push.token", html(503)),
            all("push.token", answer(200, FaultBody::DeepJson)),
            all("push.token", answer(200, FaultBody::Empty)),
            all("push.register", html(404)),
            all("push.register", Effect::AppliedReplyLost),
            all("push.aps", html(200)),
            all("push.aps", html(410)),
            all("push.aps", answer(302, FaultBody::Empty)),
            all("push.aps", answer(200, FaultBody::EmptyItems)),
            all("push.aps", answer(200, FaultBody::LongText)),
            all("push.aps", Effect::NotAppliedReplyLost),
            all("push.aps", Effect::WrongLength(5)),
            all("push.aps", Effect::StallMs(3_600_000)),
        ],
        |(kind, effect, switch)| {
            let what = format!("{kind} {effect:?} {switch:?}");
            let rig = quick();
            aps(&rig, switch);
            if let Some(effect) = effect {
                rig.fault(Some(kind), 0, u64::MAX, effect);
            }
            rig.there().write("a/file", "1").expect("a file");
            let daemon = Daemon::synced(&rig);
            rig.there().write("a/file", "edited").expect("an edit");
            daemon.wait(&what, || rig.read("a/file") == "edited");
            daemon.rounds(2);
            assert!(calls(&rig).iter().all(|count| *count < 12), "{what}: {:?}", calls(&rig));
            assert!(daemon.usage().resident_kib < 60 << 10, "{what}: {:?}", daemon.usage());
            daemon.stop();
            rig.assert_settled();
        },
    );
}

#[test]
fn a_courier_that_answers_at_once_and_for_ever_is_no_busy_loop() {
    let rig = quick();
    held(&rig, Duration::ZERO);
    let daemon = Daemon::synced(&rig);
    let begun = Instant::now();
    daemon.rounds(5);
    let seconds = begun.elapsed().as_secs();
    assert!(rig.sim.count("push.aps") <= 12 + seconds, "{:?} in {seconds} s", calls(&rig));
    daemon.stop();
}

#[test]
fn a_token_that_held_shorter_than_it_was_told_is_replaced() {
    let rig = seldom();
    aps(&rig, Aps::Ok);
    rig.sim.switches(|switches| {
        (switches.aps_hold, switches.aps_ttl) = (Duration::from_secs(1), Duration::ZERO)
    });
    rig.there().write("file", "1").expect("a file");
    let daemon = Daemon::synced(&rig);
    daemon.wait("somebody who listens", || rig.sim.count("push.aps") > 0);
    rig.sim.advance(Duration::from_secs(13 * 3600));
    daemon.wait("another token", || rig.sim.count("push.register") == 2);
    rig.there().write("file", "edited").expect("an edit");
    daemon.wait("an edit", || rig.read("file") == "edited");
    wait_watched(&daemon, WatchedBy::Push);
    daemon.stop();
}

#[test]
fn a_courier_that_falls_silent_does_not_count_as_what_tells_of_changes() {
    let rig = quick();
    aps(&rig, Aps::Ok);
    let daemon = Daemon::synced(&rig);
    daemon.wait("somebody who listens", || rig.sim.count("push.aps") > 0);
    wait_watched(&daemon, WatchedBy::Feed);
    rig.there().write("file", "told").expect("a file");
    daemon.wait("a file", || rig.at("file").exists());
    wait_watched(&daemon, WatchedBy::Push);
    aps(&rig, Aps::Silent);
    for content in ["missed", "missed again", "and again", "and once more"] {
        rig.there().write("file", content).expect("an edit");
        daemon.wait(content, || rig.read("file") == content);
    }
    wait_watched(&daemon, WatchedBy::Feed);
    // It is still listened to.
    aps(&rig, Aps::Ok);
    rig.there().write("file", "told anew").expect("an edit");
    wait_watched(&daemon, WatchedBy::Push);
    daemon.settle();
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn a_courier_that_sends_a_byte_now_and_then_for_ever_is_one_request() {
    let mut rig = quick();
    rig.set("sync.refresh_period", "3600");
    aps(&rig, Aps::Trickle);
    rig.there().write("a/file", "1").expect("a file");
    let mut daemon = Daemon::synced(&rig);
    daemon.wait("somebody who listens", || rig.sim.count("push.aps") > 0);
    rig.there().write("a/file", "edited").expect("an edit");
    daemon.wait("an edit", || rig.read("a/file") == "edited");
    daemon.calm();
    assert_eq!(calls(&rig), [1, 1, 1]);
    assert!(!daemon.log().contains(" WARN"), "{}", daemon.log());
    daemon.signal(rustix::process::Signal::TERM);
    let (exit, took) = daemon.ended();
    assert_eq!(exit, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
    rig.assert_settled();
}

#[test]
fn it_stops_at_once_while_the_channel_is_listened_to() {
    let rig = seldom();
    held(&rig, Duration::from_secs(3600));
    let mut daemon = Daemon::synced(&rig);
    daemon.wait("somebody who listens", || rig.sim.count("push.aps") > 0);
    daemon.signal(rustix::process::Signal::TERM);
    let (exit, took) = daemon.ended();
    assert_eq!(exit, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn an_idle_daemon_listens_with_one_request_and_looks_as_often_as_ever() {
    let mut rig = quick();
    rig.set("sync.refresh_period", "3600");
    held(&rig, Duration::from_secs(3600));
    let daemon = Daemon::synced(&rig);
    daemon.wait("somebody who listens", || rig.sim.count("push.aps") > 0);
    daemon.calm();
    assert_eq!(calls(&rig), [1, 1, 1]);
    daemon.stop();
}

#[test]
fn nobody_listens_where_polling_alone_is_wanted_also_after_a_reload() {
    let mut rig = quick();
    aps(&rig, Aps::Ok);
    rig.set_text("sync.remote_watch", "poll");
    rig.there().write("file", "1").expect("a file");
    let daemon = Daemon::synced(&rig);
    daemon.rounds(2);
    assert_eq!((calls(&rig), daemon.status().remote_watch), ([0, 0, 0], WatchedBy::Poll));
    rig.there().write("file", "edited").expect("an edit");
    daemon.wait("an edit", || rig.read("file") == "edited");
    daemon.stop();
}

#[test]
fn while_it_is_paused_nobody_begins_to_listen() {
    let rig = quick();
    held(&rig, Duration::from_secs(1));
    let daemon = Daemon::synced(&rig);
    daemon.wait("somebody who listens", || rig.sim.count("push.aps") > 0);
    daemon.done(&ControlRequest::Pause);
    daemon.wait("the last answer", || {
        let before = rig.sim.count("push.aps");
        super::daemon::pace(Duration::from_secs(3));
        rig.sim.count("push.aps") == before
    });
    daemon.done(&ControlRequest::Resume);
    let before = rig.sim.count("push.aps");
    daemon.wait("somebody who listens again", || rig.sim.count("push.aps") > before);
    daemon.stop();
}
