//! Where the change feed says what changed, that is looked at and nothing else.

use std::collections::BTreeMap;

use icloudds_simulator::switches::{EtagUp, Feed};

use super::daemon::{Daemon, pace, quick};
use crate::cases::side_by_side;
use crate::e2e::rig::Rig;

/// A drive of a thousand files, and no walk for an hour but for what the feed tells.
fn thousand() -> Rig {
    let mut rig = quick();
    rig.set("sync.refresh_period", "3600");
    for number in 0..1000 {
        rig.there().write(&format!("a/b/{number:04}.txt"), "x").expect("a file");
    }
    rig
}

/// Waits until all that the zone holds has been told, and a check after that was quiet.
pub fn knows_places(rig: &Rig, daemon: &Daemon<'_>) {
    daemon.calm();
    daemon.wait("all pages of the zone", || {
        let (zone, checks) = (rig.sim.count("feed.zone"), rig.sim.count("feed.database"));
        daemon.wait("checks", || rig.sim.count("feed.database") >= checks + 3);
        zone > 0 && rig.sim.count("feed.zone") == zone
    });
}

/// What was asked beside the checks.
fn beside_checks(requests: &BTreeMap<String, u64>) -> Vec<String> {
    let beside =
        requests.iter().filter(|(kind, _)| !["feed.database", "listing.folders"].contains(&kind.as_str()));
    beside.map(|(kind, count)| format!("{kind} {count}")).collect()
}

#[test]
fn a_folder_of_a_thousand_files_that_is_renamed_costs_two_requests_beside_the_check() {
    let rig = thousand();
    let daemon = Daemon::synced(&rig);
    knows_places(&rig, &daemon);
    let requests = rig.requests(|| {
        rig.there().rename("a/b", "c").expect("a name");
        daemon.wait("the rename", || rig.at("a/c/0999.txt").exists());
    });
    assert_eq!(beside_checks(&requests), ["feed.zone 1", "listing 1"], "{requests:?}\n{}", daemon.log());
    // Our own writes come back: one listing at most, of the folders that changed with what is in them.
    let requests = rig.requests(|| {
        rig.write("a/here.txt", "here");
        daemon.wait("the upload", || rig.there().entry("a/here.txt").is_some());
        daemon.calm();
        pace(std::time::Duration::from_secs(3));
    });
    assert!(requests.get("listing").is_none_or(|count| *count <= 1), "{requests:?}\n{}", daemon.log());
    // Idle: the check alone.
    let requests = rig.requests(|| pace(std::time::Duration::from_secs(4)));
    assert_eq!(beside_checks(&requests), Vec::<String>::new(), "{requests:?}");
    // What goes is confirmed by a look-up, and listed nowhere else.
    let requests = rig.requests(|| {
        rig.there().trash("a/c/0001.txt").expect("a deletion");
        daemon.wait("the deletion", || !rig.at("a/c/0001.txt").exists());
    });
    assert_eq!(beside_checks(&requests), ["details 1", "feed.zone 1", "listing 1"], "{requests:?}");
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn what_the_feed_does_not_tell_of_single_items_is_found_by_a_walk() {
    side_by_side([Feed::DatabaseOnly, Feed::Duplicate, Feed::Late, Feed::Paged], |feed| {
        let mut rig = quick();
        rig.set("sync.refresh_period", "3600");
        rig.sim.switches(|switches| {
            switches.feed = feed;
            switches.feed_delay = std::time::Duration::from_secs(2);
        });
        rig.there().write("a/b/c.txt", "c").expect("a file");
        let daemon = Daemon::synced(&rig);
        daemon.calm();
        for round in 0..3 {
            let (from, to) = (format!("a/b/{}.txt", ["c", "d", "e"][round]), ["d", "e", "f"][round]);
            rig.there().rename(&from, &format!("{to}.txt")).expect("a name");
            daemon.wait("the rename", || rig.at(&format!("a/b/{to}.txt")).exists());
            rig.there().write(&format!("new {round}/x.txt"), "x").expect("a file");
            daemon.wait("a new folder", || rig.at(&format!("new {round}/x.txt")).exists());
        }
        daemon.settle();
        daemon.stop();
        rig.assert_settled();
    });
}

#[test]
fn what_changes_in_an_app_library_that_nobody_opted_into_costs_the_check_alone() {
    let mut rig = quick();
    rig.set("sync.refresh_period", "3600");
    // Else the root, which holds the library, has a version more.
    rig.sim.switches(|switches| switches.etag_up = EtagUp::Never);
    rig.there().library("iCloud.com.example.notes", "Notes", false);
    rig.there().write("Notes/one.txt", "one").expect("a file");
    rig.there().write("a/b/c.txt", "c").expect("a file");
    let daemon = Daemon::start(&rig);
    daemon.wait("the first sync", || daemon.try_status().is_some_and(|status| status.in_sync));
    let checks = |number: u64| {
        let asked = rig.sim.count("feed.database");
        daemon.wait("checks", || rig.sim.count("feed.database") >= asked + number);
    };
    daemon.wait("all pages of the zone", || rig.sim.count("feed.zone") > 0);
    checks(6);
    let requests = rig.requests(|| {
        rig.there().write("Notes/two.txt", "two").expect("a file");
        checks(6);
    });
    assert_eq!(beside_checks(&requests), Vec::<String>::new(), "{requests:?}\n{}", daemon.log());
    // Together with something that is looked at, that alone is.
    let requests = rig.requests(|| {
        rig.there().write("Notes/three.txt", "three").expect("a file");
        rig.there().rename("a/b/c.txt", "d.txt").expect("a name");
        daemon.wait("the rename", || rig.at("a/b/d.txt").exists());
    });
    assert_eq!(beside_checks(&requests), ["feed.zone 1", "listing 1"], "{requests:?}\n{}", daemon.log());
    daemon.stop();
}
