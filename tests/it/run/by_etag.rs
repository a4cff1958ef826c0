//! Where folder etags are seen to move with whatever changes below them, a look reads the folders alone whose etag moved.

use std::collections::BTreeMap;

use icloudds::control::ControlRequest;
use icloudds_simulator::switches::{EtagUp, Feed};

use super::daemon::{Daemon, quick};
use crate::cases::side_by_side;
use crate::e2e::rig::Rig;

const FOLDERS: usize = 200;

/// A drive of 200 folders and no feed: the root's etag says that something changed, and a walk without that comes once an hour.
fn wide(etag_up: EtagUp) -> Rig {
    let mut rig = quick();
    rig.set("sync.refresh_period", "3600");
    rig.sim.switches(|switches| (switches.feed, switches.etag_up) = (Feed::Off, etag_up));
    for number in 0..FOLDERS {
        for name in ["edited", "renamed", "going"] {
            rig.there().write(&format!("top {}/{number:03}/{name} 0", number % 10), "x").expect("a file");
        }
    }
    rig
}

fn folder(number: usize) -> String {
    format!("top {}/{number:03}", number % 10)
}

/// What is stored of the cases that were seen: contents, places and names.
fn learnt(rig: &Rig) -> [u64; 3] {
    let text = std::fs::read(rig.state().join("feed.json")).unwrap_or_default();
    let stored: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    ["contents", "places", "names"].map(|kind| stored["etags"]["cases"][kind].as_u64().unwrap_or(0))
}

/// Changes of every kind, as many as it takes, each kind in folders of its own, so that nothing hides behind another change.
fn change_much(rig: &Rig, round: usize) {
    let there = rig.there();
    for number in 0..12 {
        let at = folder(round * 37 % 100 + number);
        there.write(&format!("{at}/edited 0"), &*format!("another text of round {round}")).expect("an edit");
        let at = folder(100 + round * 37 % 50 + number);
        there.write(&format!("{at}/new {round}"), "new").expect("a file");
        let at = folder(170 + number);
        there.rename(&format!("{at}/renamed {round}"), &format!("renamed {}", round + 1)).expect("a name");
    }
}

/// Lets it see changes until it has seen as many as it takes.
fn teach(rig: &Rig, daemon: &Daemon<'_>, enough: [u64; 3]) {
    for round in 0..8 {
        if learnt(rig).iter().zip(enough).all(|(seen, enough)| *seen >= enough) {
            return;
        }
        change_much(rig, round);
        daemon.settle();
        daemon.calm();
    }
    panic!("it was not learnt: {:?}\n{}", learnt(rig), daemon.log());
}

/// The requests until a change deep down is here.
fn change_one(rig: &Rig, daemon: &Daemon<'_>, text: &str) -> BTreeMap<String, u64> {
    let path = format!("{}/edited 0", folder(150));
    let requests = rig.requests(|| {
        rig.there().write(&path, text).expect("an edit");
        daemon.wait("the edit", || std::fs::read(rig.at(&path)).is_ok_and(|found| found == text.as_bytes()));
    });
    daemon.calm();
    requests
}

/// So many folders were listed.
fn folders(requests: &BTreeMap<String, u64>) -> u64 {
    requests.get("listing.folders").copied().unwrap_or(0)
}

#[test]
fn a_change_deep_down_costs_its_way_down_once_etags_are_seen_to_move_and_a_lapse_sends_it_back() {
    let rig = wide(EtagUp::Always);
    let daemon = Daemon::synced(&rig);
    daemon.calm();
    let before = change_one(&rig, &daemon, "before");
    assert!(folders(&before) >= FOLDERS as u64, "{before:?}");
    teach(&rig, &daemon, [8, 8, 3]);
    let after = change_one(&rig, &daemon, "after");
    println!("before: {before:?}\nafter: {after:?}");
    assert!(folders(&after) <= 30, "{after:?}\n{}", daemon.log());
    // Renamed, new and deleted: all is seen.
    let at = folder(199);
    let requests = rig.requests(|| {
        rig.there().rename(&format!("{at}/edited 0"), "e").expect("a name");
        rig.there().trash(&format!("{at}/going 0")).expect("a deletion");
        rig.there().write(&format!("{at}/n/m/new"), "new").expect("a file");
        let is_here = |name: &str| rig.at(&format!("{at}/{name}")).exists();
        daemon.wait("them", || is_here("e") && is_here("n/m/new") && !is_here("going 0"));
    });
    assert!(folders(&requests) <= 60, "{requests:?}\n{}", daemon.log());
    // What we do ourselves costs its way down at most.
    let requests = rig.requests(|| {
        rig.write(&format!("{}/mine", folder(3)), "mine");
        daemon.wait("the upload", || rig.there().entry(&format!("{}/mine", folder(3))).is_some());
        daemon.calm();
    });
    assert!(folders(&requests) <= 60, "{requests:?}\n{}", daemon.log());
    assert!(!daemon.log().contains(" WARN"), "{}", daemon.log());
    // A change that moves no etag is seen by a whole walk, and the next one says that the etag was not late.
    rig.sim.switches(|switches| switches.etag_up = EtagUp::Never);
    let path = format!("{}/edited 0", folder(120));
    rig.there().write(&path, "unseen").expect("an edit");
    daemon.ask(&ControlRequest::SyncNow);
    daemon.wait("the edit", || std::fs::read(rig.at(&path)).is_ok_and(|found| found == b"unseen"));
    daemon.settle();
    daemon.ask(&ControlRequest::SyncNow);
    daemon.wait_log("whose etag stayed");
    rig.sim.switches(|switches| switches.etag_up = EtagUp::Always);
    let requests = change_one(&rig, &daemon, "after the lapse");
    assert!(folders(&requests) >= FOLDERS as u64, "{requests:?}");
    // The edit after the lapse may be the first case anew.
    daemon.wait("that it is stored", || learnt(&rig)[1..] == [0; 2]);
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn etags_that_move_with_some_changes_alone_are_never_relied_on() {
    side_by_side([EtagUp::AtOnce, EtagUp::Parent], |etag_up| {
        let rig = wide(etag_up);
        let daemon = Daemon::synced(&rig);
        daemon.calm();
        for round in 0..2 {
            change_much(&rig, round);
            daemon.ask(&ControlRequest::SyncNow);
            daemon.settle();
            daemon.ask(&ControlRequest::SyncNow);
            daemon.settle();
        }
        let requests = rig.requests(|| {
            rig.there().write(&format!("{}/edited 0", folder(150)), "last").expect("an edit");
            daemon.ask(&ControlRequest::SyncNow);
            daemon.settle();
        });
        assert!(folders(&requests) >= FOLDERS as u64, "{etag_up:?}: {requests:?}");
        assert_eq!(learnt(&rig)[2], 0, "{etag_up:?}");
        assert!(!daemon.log().contains(" WARN"), "{}", daemon.log());
        daemon.stop();
        rig.assert_settled();
    });
}
