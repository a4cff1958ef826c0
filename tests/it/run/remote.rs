//! What happens on iCloud appears here, and listings that do not add up delete nothing.

use std::time::Duration;

use icloudds::control::ControlRequest;
use icloudds_simulator::switches as sw;

use super::daemon::{Daemon, quick};
use crate::cases::side_by_side;

#[test]
fn every_kind_of_change_appears_here() {
    let rig = quick();
    for path in ["a/one.txt", "a/two.txt", "b/three.txt", "b/deep/four.txt"] {
        rig.there().write(path, path).expect("a file");
    }
    let daemon = Daemon::synced(&rig);
    let there = rig.there();

    there.write("a/new.txt", "new").expect("a file");
    daemon.wait("a new file", || rig.at("a/new.txt").exists());
    there.write("a/one.txt", "edited").expect("an edit");
    daemon
        .wait("an edit", || std::fs::read_to_string(rig.at("a/one.txt")).is_ok_and(|text| text == "edited"));

    let inode = |path: &str| {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(rig.at(path)).expect("a file").ino()
    };
    let two = inode("a/two.txt");
    there.rename("a/two.txt", "zwei.txt").expect("a rename");
    daemon.wait("a rename", || rig.at("a/zwei.txt").exists() && !rig.at("a/two.txt").exists());
    assert_eq!(inode("a/zwei.txt"), two, "a rename is no download");
    let four = inode("b/deep/four.txt");
    there.move_to("b/deep", "a").expect("a move");
    daemon.wait("a folder's move", || rig.at("a/deep/four.txt").exists() && !rig.at("b/deep").exists());
    assert_eq!(inode("a/deep/four.txt"), four, "a move is no download");

    there.trash("b").expect("a deletion");
    daemon.wait("a deletion", || !rig.at("b").exists());
    daemon.settle();
    assert!(rig.trash_there().iter().any(|path| path.contains('b')));
    there.put_back("b").expect("a put-back");
    daemon.wait("a folder put back", || rig.at("b/three.txt").exists());
    daemon.settle();
    daemon.stop();
    rig.assert_settled();
}

/// While the service answers oddly, nothing is deleted on either side, and new things still come through.
#[track_caller]
fn assert_deletes_nothing(name: &str, set: impl Fn(&mut icloudds_simulator::Switches)) {
    let rig = quick();
    for number in 0..12 {
        rig.there().write(&format!("f{}/{number}.txt", number % 3), "x").expect("a file");
    }
    let daemon = Daemon::synced(&rig);
    let (here, there) = (rig.here(), rig.on_icloud());
    rig.sim.switches(&set);
    rig.write("new.txt", "n");
    for _ in 0..3 {
        daemon.done(&ControlRequest::SyncNow);
        daemon.rounds(1);
    }
    for (path, node) in &here {
        assert_eq!(rig.here().get(path), Some(node), "{name}: {path} is gone here\n{}", daemon.log());
    }
    for (path, node) in &there {
        assert_eq!(
            rig.on_icloud().get(path),
            Some(node),
            "{name}: {path} is gone on iCloud\n{}",
            daemon.log()
        );
    }
    rig.sim.switches(|switches| *switches = icloudds_simulator::Switches::default());
    daemon.wait("the new file", || rig.there().entry("new.txt").is_some());
    daemon.settle();
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn listings_that_announce_more_than_they_hold_delete_nothing() {
    assert_deletes_nothing("announce-more", |switches| switches.short = sw::Short::AnnounceMore);
}

#[test]
fn listings_that_are_silently_short_delete_nothing() {
    assert_deletes_nothing("silently-fewer", |switches| switches.short = sw::Short::SilentlyFewer);
}

#[test]
fn silently_short_listings_and_every_form_of_gone_delete_nothing() {
    side_by_side(sw::Gone::ALL, |gone| {
        assert_deletes_nothing(&format!("{gone:?}"), |switches| {
            switches.short = sw::Short::SilentlyFewer;
            switches.gone = *gone;
        });
    });
}

#[test]
fn items_that_flap_are_not_deleted() {
    side_by_side(sw::Flap::ALL, |flap| {
        assert_deletes_nothing(&format!("{flap:?}"), |switches| {
            switches.short = sw::Short::SilentlyFewer;
            switches.flap = *flap;
        });
    });
}

#[test]
fn real_deletions_come_through_in_every_form_of_gone() {
    side_by_side(sw::Gone::ALL, |gone| {
        let rig = quick();
        rig.sim.switches(|switches| switches.gone = *gone);
        for path in ["a/1.txt", "a/2.txt", "b/3.txt"] {
            rig.there().write(path, path).expect("a file");
        }
        let daemon = Daemon::synced(&rig);
        rig.there().trash("a/1.txt").expect("a deletion");
        rig.there().delete("b").expect("a deletion for good");
        daemon.wait(&format!("the deletions, {gone:?}"), || {
            !rig.at("a/1.txt").exists() && !rig.at("b").exists()
        });
        daemon.settle();
        daemon.stop();
    });
}

#[test]
fn own_writes_do_not_come_back_from_late_listings() {
    let rig = quick();
    for path in ["keep.txt", "edit.txt", "move.txt", "delete.txt"] {
        rig.there().write(path, path).expect("a file");
    }
    let daemon = Daemon::synced(&rig);
    rig.sim.switches(|switches| switches.visible = Duration::from_secs(5));
    rig.write("edit.txt", "edited here");
    rig.mv("move.txt", "moved.txt");
    rig.rm("delete.txt");
    rig.write("new.txt", "new");
    daemon.wait("all on iCloud", || {
        rig.there().entry("moved.txt").is_some()
            && rig.there().entry("new.txt").is_some()
            && rig.there().entry("delete.txt").is_none()
    });
    let downloads = rig.sim.count("download.content");
    // Through the time in which listings contradict what was written, and beyond it.
    daemon.rounds(4);
    daemon.settle();
    assert_eq!(rig.sim.count("download.content"), downloads, "{}", daemon.log());
    assert_eq!(daemon.status().totals.conflicts, 0, "{}", daemon.log());
    assert_eq!(rig.here().keys().collect::<Vec<_>>(), ["edit.txt", "keep.txt", "moved.txt", "new.txt"]);
    rig.sim.switches(|switches| switches.visible = Duration::ZERO);
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn changes_on_both_sides_at_once_meet() {
    let rig = quick();
    for number in 0..10 {
        rig.there().write(&format!("f/{number}.txt"), format!("{number}").as_bytes()).expect("a file");
    }
    let daemon = Daemon::synced(&rig);
    rig.write("f/0.txt", "from here");
    rig.there().write("f/0.txt", "from there").expect("an edit");
    rig.mv("f/1.txt", "f/eins.txt");
    rig.there().write("f/1.txt", "edited there").expect("an edit");
    rig.rm("f/2.txt");
    rig.there().write("f/2.txt", "edited there").expect("an edit");
    daemon.wait("a conflict copy", || rig.on_icloud().keys().any(|path| path.starts_with("f/0 (conflict ")));
    daemon.settle();
    assert_eq!(rig.read("f/0.txt"), "from there");
    assert_eq!(rig.read("f/eins.txt"), "edited there");
    assert_eq!(rig.read("f/2.txt"), "edited there");
    assert_eq!(daemon.status().conflicts.len(), 1, "{:?}", daemon.status().conflicts);
    daemon.stop();
    rig.assert_settled();
}
