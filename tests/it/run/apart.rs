//! Each side goes on while the other one is away: what changes here is seen and told while iCloud is silent or refuses
//! everybody, what changes on iCloud is seen while the drive's folder is gone, and who asks is answered at once.

use std::fs;
use std::time::{Duration, Instant};

use icloudds::control::ControlRequest;
use icloudds::status::{DaemonState, Pending};
use icloudds_simulator::fault::Effect;

use super::daemon::{Daemon, PROMPT, quick};
use crate::e2e::rig::{html, noise};

fn why(daemon: &Daemon<'_>, path: &str) -> String {
    let begun = Instant::now();
    let text = daemon.text(&ControlRequest::Why { path: path.to_owned() });
    assert!(begun.elapsed() < PROMPT, "why took {:?}", begun.elapsed());
    text
}

/// Waits until so much is pending; that it takes not too long.
#[track_caller]
fn assert_pending_soon(daemon: &Daemon<'_>, wanted: impl Fn(&Pending) -> bool) {
    let begun = Instant::now();
    daemon.wait("what waits for iCloud", || wanted(&daemon.status().pending));
    assert!(begun.elapsed() < PROMPT, "it took {:?}\n{}", begun.elapsed(), daemon.log());
}

#[test]
fn local_changes_are_seen_and_told_while_icloud_refuses_everybody() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    rig.there().write("old/name.txt", "n").expect("a file");
    let daemon = Daemon::synced(&rig);
    let id = rig.id("old/name.txt");
    rig.fault(None, 0, u64::MAX, html(503));
    daemon.wait_state(DaemonState::Offline);
    rig.write("a.txt", "edited");
    rig.write("new.txt", "n");
    rig.mv("old/name.txt", "moved.txt");
    assert_pending_soon(&daemon, |pending| pending.uploads == 2 && pending.moves == 1);
    assert!(!daemon.status().in_sync && daemon.status().state == DaemonState::Offline);
    let text = why(&daemon, "a.txt");
    assert!(text.contains("for iCloud: upload over") && text.contains("edited here"), "{text}");
    assert!(why(&daemon, "new.txt").contains("for iCloud: upload"), "{}", why(&daemon, "new.txt"));
    // What is undone before iCloud returns waits no more.
    rig.rm("new.txt");
    assert_pending_soon(&daemon, |pending| pending.uploads == 1);
    // The check that succeeds wakes the rest: nothing waits longer than until then. One that was under way may have failed still.
    let next = std::cell::Cell::new(daemon.status().next_try.expect("it is offline").seconds());
    rig.sim.switches(|switches| switches.faults.clear());
    daemon.wait("the upload", || {
        let told = daemon.status().next_try.map_or(0, |told| told.seconds());
        next.set(next.get().max(told));
        rig.read_there("a.txt") == "edited"
    });
    let late = jiff::Timestamp::now().as_second() - next.get();
    assert!(late < 60, "{late} s after the next try\n{}", daemon.log());
    daemon.settle();
    assert_eq!(rig.id("moved.txt"), id);
    assert_eq!(daemon.status().pending, Pending::default());
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn local_changes_are_seen_while_icloud_says_nothing() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    let asked = rig.sim.count("listing");
    rig.fault(Some("listing"), 0, u64::MAX, Effect::StallMs(60_000));
    daemon.wait("the silence", || rig.sim.count("listing") > asked);
    rig.write("a.txt", "edited");
    assert_pending_soon(&daemon, |pending| pending.uploads == 1);
    assert!(why(&daemon, "a.txt").contains("edited here"));
    let mut daemon = daemon;
    daemon.signal(rustix::process::Signal::TERM);
    let (exit, took) = daemon.ended();
    assert_eq!(exit, Some(0));
    // A look at iCloud leaves nothing behind, so nobody waits for its end.
    assert!(took < Duration::from_secs(10), "{took:?}");
    rig.sim.switches(|switches| switches.faults.clear());
    let daemon = Daemon::synced(&rig);
    assert_eq!(rig.read_there("a.txt"), "edited");
    daemon.stop();
}

#[test]
fn what_changed_before_a_start_without_icloud_is_told() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    rig.there().write("b.txt", "b").expect("a file");
    Daemon::synced(&rig).stop();
    rig.write("a.txt", "edited");
    rig.write("new/c.txt", "c");
    rig.rm("b.txt");
    rig.fault(None, 0, u64::MAX, Effect::NotAppliedReplyLost);
    let daemon = Daemon::start(&rig);
    assert_pending_soon(&daemon, |pending| (pending.uploads, pending.folders, pending.deletes) == (2, 1, 1));
    assert!(why(&daemon, "new/c.txt").contains("for iCloud: upload"));
    // Changes go on being noticed before the first connection.
    rig.write("d.txt", "d");
    assert_pending_soon(&daemon, |pending| pending.uploads == 3);
    rig.sim.switches(|switches| switches.faults.clear());
    daemon.settle();
    assert_eq!(rig.read_there("new/c.txt"), "c");
    assert!(rig.there().entry("b.txt").is_none());
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn while_a_code_is_needed_local_changes_are_told() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    Daemon::synced(&rig).stop();
    rig.run(&["logout"]).expect(0);
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    rig.write("a.txt", "edited");
    assert_pending_soon(&daemon, |pending| pending.uploads == 1);
    assert_eq!(daemon.status().state, DaemonState::NeedsCode);
    daemon.stop();
}

#[test]
fn changes_on_icloud_are_seen_while_the_folder_is_away() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    assert_eq!(daemon.status().counts.remote.files, 1);
    let away = rig.aside().join("away");
    fs::rename(rig.drive(), &away).expect("a rename");
    daemon.wait_state(DaemonState::WrongFolder);
    rig.there().write("b.txt", "b").expect("a file");
    rig.there().write("c/d.txt", "d").expect("a file");
    daemon.wait("the news", || daemon.status().counts.remote.files == 3);
    assert_eq!(daemon.status().state, DaemonState::WrongFolder);
    assert!(why(&daemon, "b.txt").contains("seen there File"), "{}", why(&daemon, "b.txt"));
    fs::rename(&away, rig.drive()).expect("a rename");
    daemon.settle();
    assert_eq!(rig.read("c/d.txt"), "d");
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn questions_are_answered_while_a_long_transfer_runs() {
    let rig = quick();
    rig.there().write("known/a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    rig.there().write("large.bin", noise(1, 4_000_000)).expect("a file");
    rig.sim.switches(|switches| switches.bandwidth = Some(400_000));
    daemon.wait_state(DaemonState::Syncing);
    // A pass says that it syncs before it has a plan.
    daemon.wait("the download is planned", || daemon.status().pending.downloads == 1);
    let text = why(&daemon, "known/a.txt");
    assert!(text.contains("both sides agreed on it") && text.contains("a pass is running"), "{text}");
    for request in
        [ControlRequest::Held { skip: 0 }, ControlRequest::Status, ControlRequest::Health { ready: true }]
    {
        let begun = Instant::now();
        daemon.ask(&request);
        assert!(begun.elapsed() < PROMPT, "{request:?}: {:?}", begun.elapsed());
    }
    assert_eq!(daemon.status().state, DaemonState::Syncing, "the transfer still runs");
    rig.sim.switches(|switches| switches.bandwidth = None);
    daemon.settle();
    daemon.stop();
}

#[test]
fn a_missing_folder_on_icloud_is_looked_for_ever_more_seldom() {
    let mut rig = quick();
    rig.set_text("sync.remote_root", "/work").set("sync.check_period", "60");
    rig.there().write("work/a.txt", "a").expect("a file");
    let daemon = Daemon::start(&rig);
    daemon.wait("the first sync", || rig.at("a.txt").exists() && daemon.status().in_sync);
    assert!(daemon.status().last_sync.is_some(), "both sides were found equal just now");
    rig.there().trash("work").expect("a removal");
    daemon.wait_state(DaemonState::WrongFolder);
    let begun = Instant::now();
    let mut tries = std::collections::BTreeSet::new();
    daemon.wait("three different next tries", || {
        tries.extend(daemon.status().next_try.map(|when| when.seconds()));
        tries.len() >= 3
    });
    // Half of each wait is chance: 2.5 + 5 seconds at least lie between the first and the third.
    assert!(begun.elapsed() > Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(rig.read("a.txt"), "a");
    rig.there().put_back("work").expect("a restored folder");
    daemon.done(&ControlRequest::SyncNow);
    daemon.wait_state(DaemonState::Idle);
    daemon.stop();
}
