//! The change feed says when to look, whatever it answers; listings and look-ups decide.

use std::time::Duration;

use icloudds_simulator::fault::mix;
use icloudds_simulator::switches::{EtagUp, Feed};

use super::daemon::{Daemon, pace, quick};
use super::soak::change_both_sides;
use crate::cases::side_by_side;
use crate::e2e::rig::Rig;

/// A change of every kind on iCloud appears here.
#[track_caller]
fn follows(rig: &Rig, daemon: &Daemon<'_>, round: usize) {
    let there = rig.there();
    let path = format!("a/new {round}.txt");
    there.write(&path, "new").expect("a file");
    daemon.wait("a new file", || rig.at(&path).exists());
    there.rename(&path, "old.txt").expect("a name");
    daemon.wait("a rename", || rig.at("a/old.txt").exists() && !rig.at(&path).exists());
    there.trash("a/old.txt").expect("a deletion");
    daemon.wait("a deletion", || !rig.at("a/old.txt").exists());
    daemon.settle();
}

#[test]
fn with_the_feed_a_change_appears_long_before_the_next_whole_walk_is_due() {
    side_by_side([Feed::Ok, Feed::Paged, Feed::Duplicate, Feed::DatabaseOnly], |feed| {
        let mut rig = quick();
        rig.set("sync.refresh_period", "3600");
        // Without the feed nothing would say anything of a rename deep down.
        rig.sim.switches(|switches| (switches.feed, switches.etag_up) = (feed, EtagUp::Never));
        rig.there().write("a/b/c/d.txt", "d").expect("a file");
        rig.there().write("a/kept.txt", "k").expect("a file");
        let daemon = Daemon::synced(&rig);
        daemon.calm();
        let trash = rig.requests(|| {
            follows(&rig, &daemon, 0);
            rig.there().rename("a/b/c/d.txt", "e.txt").expect("a name");
            daemon.wait("a rename deep down", || rig.at("a/b/c/e.txt").exists());
            daemon.calm();
        });
        assert!(trash.contains_key("feed.database"), "{feed:?}: {trash:?}");
        // Our own writes come back in the feed: a walk each, and no more.
        let passes = daemon.status().totals.passes;
        rig.write("a/here.txt", "here");
        daemon.wait("the upload", || rig.there().entry("a/here.txt").is_some());
        daemon.calm();
        let more = daemon.status().totals.passes - passes;
        assert!(more <= 5, "{feed:?}: {more} passes after one upload\n{}", daemon.log());
        assert!(!daemon.log().contains(" WARN"), "{}", daemon.log());
        daemon.stop();
        rig.assert_settled();
    });
}

#[test]
fn whatever_the_feed_refuses_or_loses_changes_appear_and_nobody_is_told_of_a_failure() {
    side_by_side(
        [
            Feed::Off,
            Feed::PcsRequired,
            Feed::Throttled,
            Feed::NoJson,
            Feed::StaleToken,
            Feed::Lossy,
            Feed::Late,
            Feed::ZoneGone,
            Feed::OtherZones,
            Feed::Endless,
        ],
        |feed| {
            let rig = quick();
            rig.sim.switches(|switches| {
                switches.feed = feed;
                switches.feed_delay = Duration::from_secs(2);
            });
            rig.there().write("a/kept.txt", "k").expect("a file");
            let daemon = Daemon::synced(&rig);
            for round in 0..2 {
                follows(&rig, &daemon, round);
            }
            let log = daemon.log();
            assert!(!log.contains(" WARN") && !log.contains(" ERROR"), "{feed:?}: {log}");
            // Nobody who refuses is asked again and again, nor walked through for it.
            let asked = rig.sim.count("feed.database");
            let answers = matches!(feed, Feed::Lossy | Feed::Late | Feed::ZoneGone | Feed::OtherZones);
            assert!(
                answers || asked <= if feed == Feed::Endless { 8 } else { 4 },
                "{feed:?}: asked {asked} times"
            );
            daemon.stop();
            rig.assert_settled();
        },
    );
}

#[test]
fn a_feed_that_comes_and_goes_while_it_runs_loses_nothing() {
    let rig = quick();
    rig.there().write("a/kept.txt", "k").expect("a file");
    let daemon = Daemon::synced(&rig);
    for (round, feed) in
        [Feed::Ok, Feed::Off, Feed::Ok, Feed::StaleToken, Feed::NoJson].into_iter().enumerate()
    {
        rig.sim.switches(|switches| switches.feed = feed);
        follows(&rig, &daemon, round);
    }
    daemon.stop();
    rig.assert_settled();
    // What is remembered of it is damaged: that costs nothing but a question.
    std::fs::write(rig.state().join("feed.json"), "{\"token\": 17").expect("written");
    rig.sim.switches(|switches| switches.feed = Feed::Ok);
    let daemon = Daemon::synced(&rig);
    follows(&rig, &daemon, 9);
    daemon.stop();
    rig.assert_settled();
}

/// Zones whose names are other ones from one moment to the next, answers of many megabytes, and pages without an end.
#[test]
fn a_feed_that_grows_out_of_all_bounds_while_it_runs_costs_neither_memory_nor_requests() {
    let rig = quick();
    rig.there().write("a/kept.txt", "k").expect("a file");
    let daemon = Daemon::synced(&rig);
    for (round, (feed, padding)) in [
        (Feed::Ok, 1 << 20),
        (Feed::OtherZones, 0),
        (Feed::ZoneGone, 0),
        (Feed::Ok, 7 << 20),
        (Feed::Endless, 4 << 20),
        (Feed::Ok, 60 << 20),
    ]
    .into_iter()
    .enumerate()
    {
        rig.sim.switches(|switches| (switches.feed, switches.feed_padding) = (feed, padding));
        let requests = rig.requests(|| {
            follows(&rig, &daemon, round);
            daemon.rounds(1);
        });
        let of = |kind: &str| requests.get(kind).copied().unwrap_or(0);
        // A few pages with each check, and no more.
        assert!(of("feed.zone") <= 4 * (of("feed.database") + 1), "{feed:?} {padding}: {requests:?}");
    }
    let (usage, log) = (daemon.usage(), daemon.log());
    assert!(usage.resident_kib < 60 << 10, "{usage:?}");
    assert!(!log.contains(" WARN") && !log.contains(" ERROR"), "{log}");
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn random_changes_on_both_sides_end_equal_under_a_feed_that_lags_repeats_loses_or_forgets() {
    side_by_side(
        [
            (Feed::Late, 1),
            (Feed::Lossy, 1),
            (Feed::Lossy, 3),
            (Feed::Duplicate, 1),
            (Feed::Paged, 1),
            (Feed::StaleToken, 1),
            (Feed::OtherZones, 1),
        ]
        .into_iter()
        .zip(1..),
        |((feed, loses), seed)| {
            let rig = quick();
            rig.sim.switches(|switches| {
                (switches.feed, switches.feed_loses_every) = (feed, loses);
                switches.feed_delay = Duration::from_secs(2);
            });
            let daemon = Daemon::synced(&rig);
            for step in 0..30 {
                change_both_sides(&rig, mix(seed * 1000 + step));
                pace(Duration::from_millis(100));
            }
            daemon.settle();
            daemon.stop();
            rig.assert_settled();
        },
    );
}
