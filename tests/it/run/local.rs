//! What a person does here reaches iCloud, with as few requests as it takes.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use super::daemon::{Daemon, PROMPT, hurry, pace, quick};
use crate::e2e::rig::{Rig, noise, not_tried};

/// The requests that change the drive or transfer contents.
#[track_caller]
fn changing(rig: &Rig, act: impl FnOnce()) -> Vec<(String, u64)> {
    let kinds = ["commit", "create", "rename", "move", "trash", "delete", "upload.slot", "download.content"];
    rig.requests(act).into_iter().filter(|(kind, _)| kinds.contains(&kind.as_str())).collect()
}

fn project() -> Rig {
    let rig = quick();
    for path in ["work/a.txt", "work/sub/b.txt", "work/sub/c.txt", "other/d.txt"] {
        rig.there().write(path, path).expect("a file");
    }
    rig
}

/// `act` here becomes exactly one request of this kind there, and `path` keeps the id it had as `before`.
#[track_caller]
fn assert_one(kind: &str, before: &str, path: &str, act: impl FnOnce(&Rig)) {
    let rig = project();
    let daemon = Daemon::synced(&rig);
    let id = rig.id(before);
    let did = changing(&rig, || {
        act(&rig);
        daemon.wait("it on iCloud", || rig.there().entry(path).is_some_and(|entry| entry.docwsid == id));
        daemon.settle();
    });
    assert_eq!(did, [(kind.to_owned(), 1)], "{}", daemon.log());
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn a_renamed_file_is_one_request() {
    assert_one("rename", "work/a.txt", "work/z.md", |rig| rig.mv("work/a.txt", "work/z.md"));
}

#[test]
fn a_renamed_folder_is_one_request() {
    assert_one("rename", "work", "play", |rig| rig.mv("work", "play"));
}

#[test]
fn a_moved_file_is_one_request() {
    assert_one("move", "work/a.txt", "other/a.txt", |rig| rig.mv("work/a.txt", "other/a.txt"));
}

#[test]
fn a_moved_folder_is_one_request() {
    assert_one("move", "work/sub", "other/sub", |rig| rig.mv("work/sub", "other/sub"));
}

#[test]
fn a_deleted_folder_is_one_request_and_waits_in_recently_deleted() {
    let rig = project();
    let daemon = Daemon::synced(&rig);
    let did = changing(&rig, || {
        rig.rm("work");
        daemon.wait("the deletion on iCloud", || rig.there().entry("work").is_none());
        daemon.settle();
    });
    assert_eq!(did, [("trash".to_owned(), 1)], "{}", daemon.log());
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn new_files_in_new_folders_go_up() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    for number in 0..20 {
        rig.write(&format!("a{}/b/c{}/f.txt", number % 3, number), noise(number, 500));
    }
    rig.write("empty.txt", "");
    daemon.wait("all on iCloud", || daemon.differences().is_empty());
    daemon.settle();
    assert_eq!(rig.sim.count("commit"), 21, "{}", daemon.log());
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn a_move_whose_second_half_comes_late_is_no_deletion() {
    // The target's folder stays busy, so the source's is quiet first.
    let rig = project();
    let daemon = Daemon::synced(&rig);
    let id = rig.id("work/a.txt");
    let did = changing(&rig, || {
        rig.write("other/busy.log", "");
        rig.mv("work/a.txt", "other/a.txt");
        let begun = Instant::now();
        let mut file = fs::File::options().append(true).open(rig.at("other/busy.log")).expect("a file");
        while begun.elapsed() < Duration::from_secs(3) {
            file.write_all(b".").expect("a write");
            // The pace of the writer.
            pace(Duration::from_millis(100));
        }
        daemon.wait("the move on iCloud", || rig.there().entry("other/a.txt").is_some());
        daemon.settle();
    });
    assert_eq!(rig.id("other/a.txt"), id, "{did:?}\n{}", daemon.log());
    assert!(did.contains(&("move".to_owned(), 1)), "{did:?}\n{}", daemon.log());
    assert!(!did.iter().any(|(kind, _)| kind == "trash"), "{did:?}\n{}", daemon.log());
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn a_growing_file_waits_until_it_is_quiet() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    let mut file = fs::File::create(rig.at("recording.wav")).expect("a file");
    let begun = Instant::now();
    let mut written = Vec::new();
    while begun.elapsed() < Duration::from_secs(4) {
        let part = noise(written.len() as u64, 2000);
        file.write_all(&part).expect("a write");
        written.extend(part);
        assert_eq!(rig.sim.count("commit"), 0, "it went up while it grew\n{}", daemon.log());
        // The pace of the recorder.
        pace(Duration::from_millis(150));
    }
    drop(file);
    daemon.wait("the recording on iCloud", || {
        rig.there().content("recording.wav").ok().flatten().is_some_and(|bytes| bytes == written)
    });
    daemon.settle();
    assert_eq!(rig.sim.count("commit"), 1, "{}", daemon.log());
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn a_burst_of_events_converges() {
    let events: u64 = std::env::var("BURST").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    // Each write is at least one event: far more than the kernel's queue holds where there are 200,000.
    let paths: Vec<_> = (0..100).map(|number| format!("d{}/f{number}.txt", number % 10)).collect();
    for path in &paths {
        rig.write(path, "");
    }
    for round in 0..events / 200 {
        for (number, path) in (0..).zip(&paths) {
            // Opened and truncated, then written: two events and more.
            rig.write(path, format!("{round} {number}"));
        }
    }
    rig.mv("d0", "moved");
    rig.rm("d1");
    daemon.wait("all on iCloud", || daemon.differences().is_empty());
    daemon.settle();
    assert_eq!(rig.here().len(), 9 + 90);
    daemon.stop();
    rig.assert_settled();
}

/// With so many watches only, `folders` at the start and some more later: each change is found all the same.
#[track_caller]
fn assert_polls_at_the_limit(watches: u32, folders: u64) {
    let mut rig = quick();
    rig.set("sync.poll_period", "2").set("sync.refresh_period", "3600");
    for number in 0..folders {
        rig.there().write(&format!("d{number}/old.txt"), "old").expect("a file");
    }
    let Some(daemon) = Daemon::launch_with_watches(&rig, watches) else {
        not_tried("the limit of watches: no user namespaces here");
        return;
    };
    daemon.settle();
    for number in 0..30 {
        rig.write(&format!("new{number}/deep/a.txt"), "a");
    }
    daemon.wait_log("fs.inotify.max_user_watches=");
    daemon.wait("the new folders", || rig.there().entry("new29/deep/a.txt").is_some());
    daemon.settle();
    assert!(daemon.status().watch.starts_with("poll: the limit"), "{}", daemon.status().watch);
    rig.write("new7/deep/later.txt", "later");
    rig.rm("d0/old.txt");
    daemon.wait("both changes", || {
        rig.there().entry("new7/deep/later.txt").is_some() && rig.there().entry("d0/old.txt").is_none()
    });
    daemon.settle();
    assert_eq!(daemon.log().matches("fs.inotify.max_user_watches=").count(), 1, "{}", daemon.log());
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn where_the_limit_of_watches_is_reached_at_the_start_it_polls() {
    assert_polls_at_the_limit(8, 20);
}

#[test]
fn where_the_limit_of_watches_is_reached_later_it_polls_from_then_on() {
    assert_polls_at_the_limit(12, 3);
}

#[test]
fn polled_drives_catch_every_change_within_a_poll_period() {
    let mut rig = quick();
    // Passes that only look at iCloud come far more often than polls; they must not put a poll off.
    rig.set_text("sync.watch", "poll").set("sync.poll_period", "4");
    rig.there().write("a/old.txt", "old").expect("a file");
    let daemon = Daemon::synced(&rig);
    assert!(daemon.log().contains("scanning every 4 s"), "{}", daemon.log());
    assert!(daemon.status().watch.starts_with("poll"), "{}", daemon.status().watch);
    for round in 0..3 {
        let begun = Instant::now();
        rig.write(&format!("a/{round}.txt"), "new");
        daemon.wait("it on iCloud", || rig.there().entry(&format!("a/{round}.txt")).is_some());
        assert!(begun.elapsed() < PROMPT, "{:?}\n{}", begun.elapsed(), daemon.log());
    }
    rig.mv("a/old.txt", "moved.txt");
    daemon.wait("the move on iCloud", || rig.there().entry("moved.txt").is_some());
    daemon.settle();
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn polls_go_on_where_refreshes_come_more_often() {
    let mut rig = quick();
    rig.set_text("sync.watch", "poll").set("sync.poll_period", "5").set("sync.refresh_period", "1");
    let daemon = Daemon::synced(&rig);
    rig.write("new.txt", "new");
    daemon.wait("it on iCloud", || rig.there().entry("new.txt").is_some());
    daemon.stop();
}

#[test]
fn an_unwatched_drive_is_scanned_with_each_refresh_and_on_request() {
    let mut rig = quick();
    rig.set_text("sync.watch", "off");
    let daemon = Daemon::synced(&rig);
    assert_eq!(daemon.status().watch, "off");
    rig.write("a.txt", "a");
    daemon.wait("it on iCloud", || rig.there().entry("a.txt").is_some());
    daemon.stop();

    let mut rig = rig;
    rig.set("sync.refresh_period", "3600");
    let daemon = Daemon::synced(&rig);
    rig.write("b.txt", "b");
    daemon.done(&icloudds::control::ControlRequest::SyncNow);
    daemon.wait("it on iCloud", || rig.there().entry("b.txt").is_some());
    daemon.stop();
}

#[test]
fn what_changed_while_nothing_ran_is_seen_at_the_start() {
    let mut rig = project();
    hurry(&mut rig);
    Daemon::synced(&rig).stop();
    rig.mv("work", "play");
    rig.write("play/a.txt", "edited while nothing ran");
    rig.rm("other/d.txt");
    rig.there().write("from there.txt", "there").expect("a file");
    let id = rig.id("work/a.txt");
    let daemon = Daemon::synced(&rig);
    assert_eq!(rig.id("play/a.txt"), id);
    assert_eq!(rig.read_there("play/a.txt"), "edited while nothing ran");
    assert!(rig.there().entry("other/d.txt").is_none());
    daemon.stop();
    rig.assert_settled();
}
