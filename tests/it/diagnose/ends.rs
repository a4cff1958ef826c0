//! When it cannot ask, when others work beside it, and when it is told to stop.

use std::time::{Duration, Instant};

use icloudds_simulator::control::Expire;
use icloudds_simulator::fault::Effect;
use rustix::process::{Pid, Signal, kill_process};

use super::{report, set, signed_in, with_folders};
use crate::e2e::rig::Rig;
use crate::run::daemon::{Daemon, PROMPT, hurry, wait_for};

#[test]
fn without_a_session_this_machine_is_told_and_nothing_is_asked() {
    let rig = Rig::new();
    let mut told = serde_json::Value::Null;
    let requests = rig.requests(|| told = report(&rig, &[], 5));
    assert!(requests.is_empty(), "{requests:?}");
    assert!(!told["sections"]["machine"]["file_system"].is_null());
    let why = told["left_out"][0].as_str().expect("a sentence");
    assert!(why.contains("run `icloudds login`"), "{why}");
    let ran = rig.run(&["diagnose", "--probe-writes"]);
    assert_eq!(ran.exit, 5, "{}", ran.stderr);
}

#[test]
fn a_session_that_ended_costs_no_password() {
    let rig = signed_in();
    for what in [Expire::Session, Expire::SessionToken] {
        rig.sim.expire(what);
    }
    let before = rig.sim.count("signin.init");
    let told = report(&rig, &[], 5);
    assert_eq!(rig.sim.count("signin.init"), before);
    assert!(told["left_out"][0].as_str().expect("a sentence").contains("icloudds login"), "{told:#}");
}

#[test]
fn a_folder_that_is_missing_here_does_not_keep_icloud_from_being_looked_at() {
    let rig = signed_in();
    std::fs::remove_dir(rig.drive()).expect("an empty folder");
    let told = report(&rig, &[], 4);
    assert!(told["left_out"][0].as_str().expect("a sentence").contains("does not exist"), "{told:#}");
    assert_eq!(told["sections"]["listings"]["root"]["value"], true);
    std::fs::create_dir(rig.drive()).expect("a folder");
}

#[test]
fn while_the_account_rests_nothing_is_asked() {
    let rig = signed_in();
    with_folders(&rig, 30);
    set(&rig, &[("S-throttle", "503-throttled"), ("throttle-every", "5"), ("throttle-for", "10 min")]);
    let told = report(&rig, &[], 7);
    let why = told["left_out"].as_array().expect("a list").last().expect("a reason").to_string();
    assert!(why.contains("asked to be left alone until"), "{why}");
    set(&rig, &[("S-throttle", "none")]);
    let requests = rig.requests(|| {
        let told = report(&rig, &[], 7);
        let rest = &told["sections"]["session"]["rest"]["value"]["minutes_left"];
        assert!((1..=10).contains(&rest.as_u64().expect("minutes")), "{told:#}");
        assert_eq!(told["requests"], 0);
        assert!(told["left_out"][0].as_str().expect("a sentence").contains("none is sent"), "{told:#}");
    });
    assert!(requests.is_empty(), "{requests:?}");
}

#[test]
fn a_short_rest_is_waited_for() {
    let rig = signed_in();
    with_folders(&rig, 5);
    set(&rig, &[("S-throttle", "429"), ("throttle-every", "12"), ("throttle-for", "1 s")]);
    let told = report(&rig, &[], 0);
    assert_eq!(told["complete"], true, "{told:#}");
    rig.sim.switches(|switches| switches.throttle = Default::default());
}

#[test]
fn a_drive_that_does_not_answer_is_told() {
    let rig = signed_in();
    rig.fault(Some("listing"), 0, 50, crate::e2e::rig::html(500));
    let told = report(&rig, &[], 7);
    assert!(told["left_out"][0].as_str().expect("a sentence").contains("refused (HTTP 500)"), "{told:#}");
    assert_eq!(told["sections"]["account"]["region"]["value"]["configured"], "global");
}

#[test]
fn it_reads_beside_a_daemon_and_does_not_write_there() {
    let mut rig = signed_in();
    hurry(&mut rig);
    let log = rig.aside().join("log/icloudds.log");
    rig.set_text("log.file", &log.display().to_string());
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    let before = std::fs::read_to_string(&log).expect("the daemon's log");
    let told = report(&rig, &[], 0);
    assert_eq!(told["sections"]["listings"]["root"]["value"], true);
    assert!(std::fs::read_to_string(&log).expect("a log").starts_with(&before));
    let refused = rig.run(&["diagnose", "--probe-writes"]).expect(1);
    assert!(refused.stderr.contains("stop it first"), "{}", refused.stderr);
    rig.write("b.txt", "b");
    daemon.settle();
    assert_eq!(rig.read_there("b.txt"), "b");
    daemon.stop();
    rig.assert_equal();
}

#[track_caller]
fn ended(rig: &Rig, arguments: &[&str], kind: &str, signal: Signal) -> (i32, Duration, String) {
    let before = rig.sim.count(kind);
    let child = rig.spawn(arguments);
    wait_for("the request", String::new, || (rig.sim.count(kind) > before).then_some(()));
    let begun = Instant::now();
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process")).expect("a process");
    kill_process(pid, signal).expect("the signal");
    let ran = rig.finish(child);
    (ran.exit, begun.elapsed(), ran.stderr)
}

#[test]
fn a_signal_ends_it_whatever_it_waits_for() {
    for (kind, signal, exit) in
        [("listing", Signal::TERM, 143), ("validate", Signal::INT, 130), ("feed.database", Signal::HUP, 129)]
    {
        let mut rig = signed_in();
        rig.forgiving = true;
        rig.fault(Some(kind), 0, 100, Effect::StallMs(120_000));
        let (code, took, said) = ended(&rig, &["diagnose"], kind, signal);
        assert_eq!(code, exit, "{kind}: {said}");
        assert!(took < PROMPT, "{kind}: {took:?}");
        rig.sim.switches(|switches| switches.faults.clear());
    }
}

#[test]
fn the_probes_folder_goes_to_the_trash_after_an_interrupt_too() {
    for kind in ["create", "upload.slot", "commit", "rename"] {
        let mut rig = signed_in();
        rig.there().write("a.txt", "a").expect("a file");
        let (code, took, said) = ended(&rig, &["diagnose", "--probe-writes"], kind, Signal::INT);
        assert_eq!(code, 130, "{kind}: {said}");
        assert!(took < Duration::from_secs(10), "{kind}: {took:?}");
        let left: Vec<_> = rig.there().tree().into_keys().collect();
        assert_eq!(left, ["a.txt"], "{kind}: {said}");
        assert!(!rig.state().join("diagnose.json").exists(), "{kind}: it is noted still");
        rig.forgiving = true;
    }
}

#[test]
fn a_folder_that_a_killed_probe_left_is_put_away_by_the_next() {
    let mut rig = signed_in();
    rig.there().write("a.txt", "a").expect("a file");
    let before = rig.sim.count("rename");
    let mut child = rig.spawn(&["diagnose", "--probe-writes"]);
    wait_for("the writes", String::new, || (rig.sim.count("rename") > before).then_some(()));
    child.kill().expect("the process");
    child.wait().expect("the process");
    let left = rig.there().tree().into_keys().filter(|path| path.starts_with("icloudds probe")).count();
    assert!(left > 0 && rig.state().join("diagnose.json").exists());
    let ran = rig.run(&["diagnose", "--probe-writes"]).expect(0);
    assert!(ran.stderr.contains("what an earlier diagnosis left"), "{}", ran.stderr);
    assert_eq!(rig.there().tree().into_keys().collect::<Vec<_>>(), ["a.txt"]);
    assert!(!rig.state().join("diagnose.json").exists());
    rig.forgiving = true;
}
