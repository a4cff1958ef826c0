//! What can be asked of a running daemon.

use std::os::unix::net::UnixListener;

use icloudds::control::{ControlReply, ControlRequest};
use icloudds::status::DaemonState;
use icloudds_simulator::fault::Effect;
use rustix::process::Signal;

use super::daemon::{Daemon, PROMPT, quick};
use crate::e2e::rig::noise;

#[test]
fn health_tells_the_truth_from_the_start_to_the_end() {
    let rig = quick();
    rig.there().write("large.bin", noise(1, 1_600_000)).expect("a file");
    rig.sim.switches(|switches| switches.bandwidth = Some(400_000));
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::Syncing);
    let (ready, why) = daemon.health(true);
    assert!(!ready && why.contains("first pass"), "{why}");
    assert!(daemon.health(false).0);
    daemon.wait("progress", || {
        daemon.status().progress.is_some_and(|progress| progress.bytes_total >= 1_600_000)
    });
    daemon.settle();
    let (ready, why) = daemon.health(true);
    assert!(ready, "{why}");
    rig.sim.switches(|switches| switches.bandwidth = None);
    rig.fault(None, 0, u64::MAX, Effect::NotAppliedReplyLost);
    daemon.wait_state(DaemonState::Offline);
    let (ready, why) = daemon.health(true);
    assert!(!ready && why.contains("failed"), "{why}");
    assert!(daemon.health(false).0);
    rig.sim.switches(|switches| switches.faults.clear());
    daemon.settle();
    assert!(daemon.health(true).0);
    assert_eq!(daemon.status().last_error, None);
    daemon.stop();
}

#[test]
fn pausing_stops_syncing_and_resuming_goes_on() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    daemon.done(&ControlRequest::Pause);
    daemon.wait_state(DaemonState::Paused);
    let commits = rig.sim.count("commit");
    rig.write("a.txt", "a");
    rig.there().write("b.txt", "b").expect("a file");
    let begun = std::time::Instant::now();
    daemon.wait("some time", || begun.elapsed() > std::time::Duration::from_secs(5));
    assert_eq!(rig.sim.count("commit"), commits);
    assert!(!rig.at("b.txt").exists());
    assert_eq!(daemon.status().state, DaemonState::Paused);
    // A plan may be looked at meanwhile, and does not end the pause.
    let plan = daemon.text(&ControlRequest::Plan { json: false });
    assert!(plan.contains("a.txt") && plan.contains("b.txt"), "{plan}");
    assert_eq!(daemon.status().state, DaemonState::Paused);
    assert_eq!(rig.sim.count("commit"), commits);
    daemon.done(&ControlRequest::Resume);
    daemon.settle();
    assert_eq!(rig.read_there("a.txt"), "a");
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn sync_now_does_not_wait_for_any_period() {
    let mut rig = quick();
    rig.set("sync.refresh_period", "3600")
        .set("sync.check_period", "3600")
        .set("sync.debounce_period", "3600");
    let daemon = Daemon::synced(&rig);
    rig.write("a.txt", "a");
    rig.there().write("b.txt", "b").expect("a file");
    daemon.done(&ControlRequest::SyncNow);
    daemon.wait("both", || rig.there().entry("a.txt").is_some() && rig.at("b.txt").exists());
    daemon.stop();
}

#[test]
fn sync_now_sends_nothing_while_the_account_rests_also_after_a_restart() {
    let mut rig = quick();
    rig.forgiving = true;
    let daemon = Daemon::synced(&rig);
    rig.sim.switches(|switches| {
        switches.throttle = icloudds_simulator::switches::Throttle::Status429;
        switches.throttle_every = 1;
        switches.throttle_for = std::time::Duration::from_secs(3600);
    });
    daemon.wait_log("iCloud asks for fewer requests; none is sent until ");
    let before = rig.sim.counts();
    // A person who presses the button again and again, with something to do on both sides.
    let press = |daemon: &Daemon<'_>| {
        for number in 0..3 {
            rig.write(&format!("{number}.txt"), "n");
            daemon.done(&ControlRequest::SyncNow);
            let begun = std::time::Instant::now();
            daemon.wait("a while", || begun.elapsed() > std::time::Duration::from_millis(1500));
        }
        assert_eq!(rig.sim.counts(), before, "requests were sent\n{}", daemon.log());
    };
    press(&daemon);
    assert!(daemon.status().next_try.is_some(), "its end is told");
    daemon.stop();
    let daemon = Daemon::start(&rig);
    daemon.wait_log("iCloud asks for fewer requests; none is sent until ");
    press(&daemon);
    daemon.stop();
}

#[test]
fn sync_now_with_an_item_that_keeps_failing_comes_to_an_end() {
    let mut rig = quick();
    rig.set("sync.refresh_period", "3600").set("sync.check_period", "3600");
    let daemon = Daemon::synced(&rig);
    rig.sim
        .switches(|switches| switches.name_bad = icloudds_simulator::switches::NameBad::AlsoColonBackslash);
    rig.write("bad:name.txt", "b");
    rig.write("good.txt", "g");
    daemon.done(&ControlRequest::SyncNow);
    daemon.wait("the good one", || rig.there().entry("good.txt").is_some());
    daemon.wait("the bad one set aside", || daemon.status().set_aside.len() == 1);
    daemon.wait_state(DaemonState::Idle);
    let passes = daemon.status().totals.passes;
    let begun = std::time::Instant::now();
    daemon.wait("some time", || begun.elapsed() > std::time::Duration::from_secs(4));
    let more = daemon.status().totals.passes - passes;
    assert!(more <= 10, "{more} passes in 4 s\n{}", daemon.log());
    assert!(!daemon.status().in_sync);
    let (ready, why) = daemon.health(true);
    assert!(ready && why.contains("set aside"), "{why}");
    rig.rm("bad:name.txt");
    daemon.settle();
    daemon.stop();
}

#[test]
fn why_and_plan_are_answered_by_the_daemon() {
    let mut rig = quick();
    rig.set("sync.ignore", "['private']");
    rig.there().write("notes/a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    rig.write("private.txt", "p");
    daemon.done(&ControlRequest::SyncNow);
    daemon.rounds(1);
    let why = daemon.text(&ControlRequest::Why { path: "notes/a.txt".to_owned() });
    assert!(why.contains("seen here") && why.contains("seen there") && why.contains("etag"), "{why}");
    let why = daemon.text(&ControlRequest::Why { path: "private.txt".to_owned() });
    assert!(why.contains("private"), "{why}");
    let ControlReply::Refused { refusal } = daemon.ask(&ControlRequest::Why { path: "../x".to_owned() })
    else {
        panic!("a path outside")
    };
    assert_eq!(refusal.exit, 3);
    let plan = daemon.text(&ControlRequest::Plan { json: true });
    serde_json::from_str::<serde_json::Value>(&plan).unwrap_or_else(|error| panic!("{error}: {plan}"));
    daemon.stop();
}

#[test]
fn a_second_instance_and_once_are_refused_and_name_the_first() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    for command in ["run", "once", "reset-state"] {
        let ran = rig.run(&[command]).expect(1);
        assert!(ran.stderr.contains(&daemon.pid().to_string()), "{command}: {}", ran.stderr);
    }
    assert!(daemon.health(true).0);
    daemon.stop();
}

#[test]
fn a_stale_socket_and_a_stale_lock_are_no_obstacle() {
    let rig = quick();
    Daemon::synced(&rig).kill();
    assert!(rig.state().join("control.sock").exists(), "a killed one leaves it");
    let daemon = Daemon::synced(&rig);
    daemon.stop();
    drop(UnixListener::bind(rig.state().join("control.sock")).expect("a dead socket"));
    Daemon::synced(&rig).stop();
}

#[test]
fn a_status_is_answered_while_the_service_is_silent() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    rig.fault(Some("listing"), 0, 20, Effect::StallMs(120_000));
    let asked = rig.sim.count("listing");
    daemon.wait("the silence", || rig.sim.count("listing") > asked);
    for _ in 0..20 {
        let begun = std::time::Instant::now();
        daemon.status();
        assert!(daemon.health(false).0);
        assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
    }
    daemon.signal(Signal::TERM);
    rig.sim.switches(|switches| switches.faults.clear());
    let mut daemon = daemon;
    let (exit, took) = daemon.ended();
    assert_eq!(exit, Some(0));
    assert!(took < std::time::Duration::from_secs(10), "{took:?}");
}

#[test]
fn the_files_of_the_daemon_are_the_owner_s_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    daemon.wait("the status file", || rig.state().join("status.json").exists());
    for name in ["control.sock", "status.json", "session.json", "state.redb"] {
        let mode = std::fs::metadata(rig.state().join(name)).expect(name).permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{name}");
    }
    daemon.stop();
}
