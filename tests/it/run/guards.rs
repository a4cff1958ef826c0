//! The guards of `docs/sync.md` §8 while the daemon runs.

use std::fs;

use icloudds::control::{ControlReply, ControlRequest};
use icloudds::status::DaemonState;

use super::daemon::{Daemon, quick};
use crate::e2e::rig::Rig;

fn files(rig: &Rig, count: u64) {
    for number in 0..count {
        rig.there()
            .write(&format!("d{}/{number}.txt", number % 3), format!("{number}").as_bytes())
            .expect("a file");
    }
}

fn held(daemon: &Daemon<'_>) -> u64 {
    match daemon.ask(&ControlRequest::Held { skip: 0 }) {
        ControlReply::Held { held } => held.count,
        other => panic!("{other:?}"),
    }
}

fn approve(daemon: &Daemon<'_>, reject: bool) -> String {
    daemon.done(&ControlRequest::Approve { reject, list: None })
}

/// The drive's folder goes away and comes back under the running daemon; `swap` may put something else there.
#[track_caller]
fn assert_waits_for_the_right_folder(watch: &str, swap: impl Fn(&Rig), unswap: impl Fn(&Rig)) {
    let mut rig = quick();
    rig.set_text("sync.watch", watch);
    files(&rig, 12);
    let daemon = Daemon::synced(&rig);
    let there = rig.on_icloud();
    let away = rig.aside().join("away");
    fs::rename(rig.drive(), &away).expect("a rename");
    swap(&rig);
    daemon.wait_state(DaemonState::WrongFolder);
    let (alive, _) = daemon.health(false);
    let (ready, why) = daemon.health(true);
    assert!(alive && !ready, "{why}");
    assert!(daemon.status().last_error.is_some());
    // It looks for the folder again more than once, and still deletes nothing and makes nothing.
    let told = daemon.log().lines().count();
    let since = std::time::Instant::now();
    daemon.wait("some time", || since.elapsed() > std::time::Duration::from_secs(7));
    assert_eq!(daemon.status().state, DaemonState::WrongFolder);
    let log = daemon.log();
    let more: Vec<_> = log.lines().skip(told).collect();
    assert!(more.is_empty(), "it says so once: {more:#?}");
    assert_eq!(rig.on_icloud(), there);
    if rig.drive().exists() {
        let made: Vec<_> = fs::read_dir(rig.drive())
            .expect("a folder")
            .map(|entry| entry.expect("one").file_name())
            .collect();
        assert!(made.iter().all(|name| name == "foreign.txt"), "{made:?}");
    }
    unswap(&rig);
    fs::rename(&away, rig.drive()).expect("a rename");
    daemon.wait_state(DaemonState::Idle);
    daemon.settle();
    assert_eq!(rig.on_icloud(), there);
    assert!(daemon.health(true).0, "{:?}", daemon.health(true));
    // It watches the folder that came back.
    rig.write("after.txt", "after");
    daemon.wait("a change after it", || rig.there().entry("after.txt").is_some());
    daemon.settle();
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn a_folder_that_vanishes_is_waited_for() {
    assert_waits_for_the_right_folder("auto", |_| {}, |_| {});
}

#[test]
fn an_empty_folder_in_its_place_deletes_nothing() {
    assert_waits_for_the_right_folder(
        "auto",
        |rig| fs::create_dir(rig.drive()).expect("a folder"),
        |rig| fs::remove_dir_all(rig.drive()).expect("a removal"),
    );
}

#[test]
fn a_foreign_folder_in_its_place_is_not_uploaded() {
    assert_waits_for_the_right_folder(
        "auto",
        |rig| {
            fs::create_dir(rig.drive()).expect("a folder");
            fs::write(rig.drive().join("foreign.txt"), "foreign").expect("a file");
        },
        |rig| fs::remove_dir_all(rig.drive()).expect("a removal"),
    );
}

#[test]
fn a_swapped_folder_is_noticed_without_a_watcher_too() {
    assert_waits_for_the_right_folder(
        "poll",
        |rig| fs::create_dir(rig.drive()).expect("a folder"),
        |rig| fs::remove_dir_all(rig.drive()).expect("a removal"),
    );
}

#[test]
fn a_folder_that_was_away_for_a_moment_is_watched_again() {
    let mut rig = quick();
    rig.set("sync.refresh_period", "3600");
    files(&rig, 3);
    let daemon = Daemon::synced(&rig);
    let away = rig.aside().join("away");
    for round in 0..3 {
        fs::rename(rig.drive(), &away).expect("a rename");
        fs::rename(&away, rig.drive()).expect("a rename");
        rig.write(&format!("after {round}.txt"), "after");
        daemon.wait("a change after it", || rig.there().entry(&format!("after {round}.txt")).is_some());
        daemon.settle();
        // What is written without any hurry is seen by the watch alone.
        daemon.rounds(0);
        rig.write(&format!("later {round}.txt"), "later");
        daemon.wait("a later change", || rig.there().entry(&format!("later {round}.txt")).is_some());
        daemon.settle();
    }
    daemon.stop();
}

#[test]
fn a_remote_root_that_is_trashed_deletes_nothing_here() {
    let mut rig = quick();
    rig.set_text("sync.remote_root", "/Notes");
    rig.there().write("Notes/a.txt", "a").expect("a file");
    let daemon = Daemon::start(&rig);
    daemon.wait("the first sync", || rig.at("a.txt").exists() && daemon.status().in_sync);
    rig.there().trash("Notes").expect("a deletion");
    daemon.wait_state(DaemonState::WrongFolder);
    assert_eq!(rig.read("a.txt"), "a");
    // It is asked for again, but not all the time.
    let (begun, before) = (std::time::Instant::now(), rig.sim.counts().values().sum::<u64>());
    daemon.wait("some time", || begun.elapsed() > std::time::Duration::from_secs(4));
    let asked = rig.sim.counts().values().sum::<u64>() - before;
    assert!(asked <= 12, "{asked} requests in 4 s\n{}", daemon.log());
    rig.there().put_back("Notes").expect("a put-back");
    daemon.wait_state(DaemonState::Idle);
    rig.write("b.txt", "b");
    daemon.wait("a change after it", || rig.there().entry("Notes/b.txt").is_some());
    daemon.stop();
}

#[test]
fn many_deletions_wait_grow_and_are_approved_over_restarts() {
    let rig = quick();
    files(&rig, 60);
    let daemon = Daemon::synced(&rig);
    rig.rm("d0");
    daemon.wait_state(DaemonState::Guarded);
    assert_eq!(daemon.status().held_deletes, 21);
    assert_eq!(held(&daemon), 21);
    assert!(rig.there().entry("d0/0.txt").is_some(), "nothing was deleted");
    let (ready, why) = daemon.health(true);
    assert!(ready && why.contains("held"), "{why}");
    assert!(!daemon.status().in_sync);
    // Everything else goes on.
    rig.write("new.txt", "new");
    daemon.wait("a new file", || rig.there().entry("new.txt").is_some());
    daemon.stop();

    // It grows while nothing runs, and survives.
    rig.rm("d1");
    let daemon = Daemon::start(&rig);
    daemon.wait("the larger set", || daemon.status().held_deletes == 42);
    assert!(rig.there().entry("d1/1.txt").is_some() && rig.there().entry("d0/0.txt").is_some());
    daemon.kill();

    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::Guarded);
    assert_eq!(held(&daemon), 42);
    let told = daemon.log().lines().count();
    let said = approve(&daemon, false);
    assert!(said.contains("42"), "{said}");
    // What was decided is not held any more, from the answer on, and no pass counts it again.
    assert_eq!((held(&daemon), daemon.status().held_deletes), (0, 0));
    assert_ne!(daemon.status().state, DaemonState::Guarded);
    daemon.wait("the deletions", || rig.there().entry("d0").is_none() && rig.there().entry("d1").is_none());
    daemon.settle();
    assert_eq!(daemon.status().held_deletes, 0);
    let log = daemon.log();
    let since: Vec<_> = log.lines().skip(told).collect();
    let counts: Vec<_> = since.iter().filter(|line| line.contains(" held=")).collect();
    assert!(!counts.is_empty() && counts.iter().all(|line| line.contains(" held=0")), "{since:#?}");
    assert!(!since.iter().any(|line| line.contains("guarded")), "{since:#?}");
    // The window is new: a small deletion is no question any more.
    rig.rm("d2/2.txt");
    daemon.wait("a small deletion", || rig.there().entry("d2/2.txt").is_none());
    daemon.settle();
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn held_deletions_dissolve_when_the_files_come_back() {
    let rig = quick();
    files(&rig, 60);
    let daemon = Daemon::synced(&rig);
    let aside = rig.aside().join("d0");
    // A copy, so that the files come back as others would bring them: with other inodes.
    fs::create_dir(&aside).expect("a folder");
    for entry in fs::read_dir(rig.at("d0")).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), aside.join(entry.file_name())).expect("a copy");
    }
    rig.rm("d0");
    daemon.wait_state(DaemonState::Guarded);
    fs::create_dir(rig.at("d0")).expect("a folder");
    for entry in fs::read_dir(&aside).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), rig.at("d0").join(entry.file_name())).expect("a copy");
    }
    daemon.settle();
    assert_eq!(daemon.status().held_deletes, 0);
    assert!(rig.trash_there().is_empty(), "{:?}", rig.trash_there());
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn rejected_deletions_are_restored() {
    let rig = quick();
    files(&rig, 60);
    let daemon = Daemon::synced(&rig);
    rig.rm("d0");
    daemon.wait_state(DaemonState::Guarded);
    approve(&daemon, true);
    daemon.wait("the files again", || rig.at("d0/0.txt").exists());
    daemon.settle();
    assert_eq!(rig.here().len(), 63);
    assert_eq!(approve(&daemon, true), "no deletion is held");
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn many_deletions_on_icloud_wait_too() {
    let rig = quick();
    files(&rig, 60);
    let daemon = Daemon::synced(&rig);
    rig.there().trash("d0").expect("a deletion");
    daemon.wait_state(DaemonState::Guarded);
    assert!(rig.at("d0/0.txt").exists());
    approve(&daemon, false);
    daemon.wait("the deletions here", || !rig.at("d0").exists());
    daemon.settle();
    assert!(rig.trash_here().contains("d0/0.txt"));
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn a_decision_is_taken_while_a_long_transfer_runs() {
    let rig = quick();
    files(&rig, 60);
    let daemon = Daemon::synced(&rig);
    rig.rm("d0");
    daemon.wait_state(DaemonState::Guarded);
    rig.sim.switches(|switches| switches.bandwidth = Some(300_000));
    rig.write("large.bin", crate::e2e::rig::noise(1, 1_500_000));
    let uploads = rig.sim.count("upload.content");
    daemon.wait("the transfer to begin", || {
        rig.sim.count("upload.content") > uploads || daemon.status().state == DaemonState::Syncing
    });
    assert_eq!(held(&daemon), 21);
    approve(&daemon, false);
    daemon.wait("the deletions", || rig.there().entry("d0").is_none());
    rig.sim.switches(|switches| switches.bandwidth = None);
    daemon.settle();
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn many_overwrites_keep_every_old_version_in_recently_deleted() {
    let mut rig = quick();
    rig.set("guard.max_deletes", "10");
    files(&rig, 40);
    let daemon = Daemon::synced(&rig);
    for number in 0..40 {
        rig.write(&format!("d{}/{number}.txt", number % 3), format!("encrypted {number}"));
    }
    daemon.wait("the edits on iCloud", || daemon.differences().is_empty());
    daemon.settle();
    // Beyond the limit, the old versions are in Recently Deleted.
    assert!(rig.trash_there().len() >= 30, "{:?}\n{}", rig.trash_there(), daemon.log());
    daemon.stop();
    rig.assert_settled();
}
