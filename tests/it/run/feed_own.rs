//! What we write ourselves comes back in the change feed, and nothing is listed for it.

use std::time::Duration;

use icloudds_simulator::switches::{EtagUp, Feed, FeedNames};

use super::daemon::{Daemon, quick};
use super::feed_places::knows_places;
use crate::cases::side_by_side;
use crate::e2e::rig::Rig;

/// Some files in folders, and no walk for an hour but for what the feed tells.
fn seldom(feed: Feed, etag_up: EtagUp, names: FeedNames) -> Rig {
    let mut rig = quick();
    rig.set("sync.refresh_period", "3600");
    rig.sim.switches(|switches| {
        (switches.feed, switches.etag_up, switches.feed_names) = (feed, etag_up, names);
        switches.feed_delay = Duration::from_secs(2);
    });
    for path in ["a/b/kept.txt", "a/b/old.txt", "a/b/going.txt", "a/c/other.txt", "top.txt"] {
        rig.there().write(path, "x").expect("a file");
    }
    rig
}

/// What iCloud has of the file that is edited.
fn kept(rig: &Rig) -> Vec<u8> {
    rig.there().content("a/b/kept.txt").expect("it can be read").unwrap_or_default()
}

#[test]
fn nothing_is_listed_for_what_we_did_ourselves() {
    side_by_side([EtagUp::Delayed, EtagUp::AtOnce, EtagUp::Always], |etag_up| {
        let rig = seldom(Feed::Ok, etag_up, FeedNames::Told);
        let daemon = Daemon::synced(&rig);
        knows_places(&rig, &daemon);
        let on_icloud = |path: &str| rig.there().entry(path).is_some();
        let requests = rig.requests(|| {
            let asked = rig.sim.count("feed.zone");
            rig.write("a/b/here.txt", "here");
            daemon.wait("the upload", || on_icloud("a/b/here.txt"));
            daemon.wait("the feed's word on it", || rig.sim.count("feed.zone") > asked);
            // What comes while a pass goes on may leave something for a walk.
            daemon.settle();
            rig.write("a/b/kept.txt", "another text");
            daemon.wait("the edit", || kept(&rig) == b"another text");
            daemon.settle();
            rig.write("a/n/m/new.txt", "new");
            daemon.wait("the folder", || on_icloud("a/n/m/new.txt"));
            daemon.settle();
            rig.mv("a/b/old.txt", "a/b/renamed.txt");
            daemon.wait("the rename", || on_icloud("a/b/renamed.txt"));
            daemon.settle();
            rig.rm("a/b/going.txt");
            daemon.wait("the deletion", || !on_icloud("a/b/going.txt"));
            daemon.calm();
        });
        // Whether a name is taken is looked at right before it is given: to a new folder, and by the rename.
        let listed = requests.get("listing").copied().unwrap_or(0);
        assert_eq!(listed, 2, "{etag_up:?}: {requests:?}\n{}", daemon.log());
        daemon.stop();
        rig.assert_settled();
    });
}

#[test]
fn a_foreign_edit_right_after_ours_is_seen_with_the_next_look() {
    side_by_side(
        [
            (Feed::Ok, FeedNames::Told),
            (Feed::Duplicate, FeedNames::Told),
            (Feed::Late, FeedNames::Told),
            (Feed::Ok, FeedNames::Sealed),
            (Feed::Ok, FeedNames::Untold),
        ],
        |(feed, names)| {
            let rig = seldom(feed, EtagUp::AtOnce, names);
            let daemon = Daemon::synced(&rig);
            knows_places(&rig, &daemon);
            for round in 0..3 {
                let (ours, theirs) = (format!("ours {round}"), format!("theirs, round {round}"));
                rig.write("a/b/kept.txt", &ours);
                let arrived = || kept(&rig) == ours.as_bytes();
                daemon.wait("the upload", arrived);
                let asked = rig.sim.count("feed.zone");
                rig.there().write("a/b/kept.txt", &*theirs).expect("an edit");
                let here =
                    || std::fs::read(rig.at("a/b/kept.txt")).is_ok_and(|text| text == theirs.as_bytes());
                daemon.wait("their edit", here);
                let asked = rig.sim.count("feed.zone") - asked;
                // One look may have begun before the edit, and one may have followed it.
                assert!(feed == Feed::Late || asked <= 3, "{feed:?}: {asked} looks\n{}", daemon.log());
            }
            daemon.settle();
            daemon.stop();
            rig.assert_settled();
        },
    );
}

#[test]
fn a_folder_that_is_renamed_there_after_our_write_into_it_is_renamed_here() {
    side_by_side([FeedNames::Told, FeedNames::Sealed, FeedNames::Untold], |names| {
        let rig = seldom(Feed::Ok, EtagUp::AtOnce, names);
        let daemon = Daemon::synced(&rig);
        knows_places(&rig, &daemon);
        rig.write("a/b/here.txt", "here");
        daemon.wait("the upload", || rig.there().entry("a/b/here.txt").is_some());
        rig.there().rename("a/b", "d").expect("a name");
        daemon.wait("the rename", || rig.at("a/d/here.txt").exists());
        daemon.settle();
        daemon.stop();
        rig.assert_settled();
    });
}
