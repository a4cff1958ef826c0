//! What only reading tells, under each switch that it bears on.

use std::time::Duration;

use icloudds_simulator::switches::{Aps, Feed};

use super::{assert_answers, report, set, signed_in, with_folders};
use crate::e2e::rig::Rig;
use crate::e2e::tree;

#[test]
fn a_whole_report_only_reads_and_stays_within_its_requests() {
    let rig = signed_in();
    with_folders(&rig, 100);
    rig.there().write("zero.txt", "").expect("a file");
    rig.there().write("Caf\u{e9}.txt", "some more text").expect("a file");
    rig.there().write("Old.txt", "some more text").expect("a file");
    rig.there().trash("Old.txt").expect("trashed");
    let there = tree::remote_marks(&rig.sim);
    let mut told = serde_json::Value::Null;
    let requests = rig.requests(|| told = report(&rig, &[], 0));
    assert_eq!(tree::remote_marks(&rig.sim), there, "it changed something on iCloud");
    assert!(rig.here().is_empty() && !rig.drive().join(".icloudds").exists(), "it left something here");
    let made = told["requests"].as_u64().expect("a number");
    let counted: u64 =
        requests.iter().filter(|(kind, _)| *kind != "listing.folders").map(|(_, count)| count).sum();
    assert!(made <= 44 && counted <= made, "{made} told, {requests:?}");
    assert_eq!(told["complete"], true);
    let listings = &told["sections"]["listings"];
    let sizes = &listings["folders_per_request"]["value"];
    assert_eq!((&sizes["20"], &sizes["40"], &sizes["80"]), (&"ok".into(), &"ok".into(), &"ok".into()));
    assert_eq!(listings["counts_agree"]["value"]["short"], 0);
    assert_eq!(listings["file_count"]["value"]["whole"], true);
    assert_eq!(told["sections"]["items"]["kinds"]["value"]["FOLDER"], 100);
    assert_eq!(told["sections"]["session"]["signed_in"]["value"], true);
    assert_eq!(told["sections"]["account"]["region"]["value"]["matches"], true);
    for service in ["drivews", "docws", "ckdatabasews", "push"] {
        assert_eq!(told["sections"]["account"]["services"]["value"][service]["active"], true, "{service}");
    }
    assert_eq!(told["sections"]["account"]["flags"]["value"]["hsaVersion"], 2);
    for kind in [
        "validate",
        "listing_of_the_root",
        "listing_of_the_trash",
        "listing_of_a_folder",
        "look_up",
        "download_address",
        "download",
    ] {
        let spread = &told["sections"]["latency"][kind]["value"];
        let ms = |name: &str| spread[name].as_u64().unwrap_or_else(|| panic!("{kind}: {spread}"));
        assert!(
            ms("calls") > 0 && ms("min_ms") <= ms("median_ms") && ms("median_ms") <= ms("p95_ms"),
            "{kind}"
        );
    }
    assert_eq!(told["sections"]["latency"]["clock"]["says"], "agrees with the service's");
    for line in [
        "file_system",
        "inodes_kept",
        "exchange",
        "birth_times",
        "folds_case",
        "xattrs",
        "sync_us",
        "watches",
        "free_space",
    ] {
        assert!(!told["sections"]["machine"][line].is_null(), "{line}");
    }
    assert_answers(
        &told,
        &[
            ("listings", "folders_per_request", 1, "80 are taken"),
            ("listings", "order", 1, "the order was kept"),
            ("listings", "counts_agree", 2, "no listing came back short"),
            ("listings", "slowest_listings", 37, "neither was slow"),
            ("look_ups", "unknown_id", 4, "ID_INVALID"),
            ("look_ups", "trashed_id", 4, "in the trash"),
            ("contents", "zero_bytes", 14, "no address (HTTP 400)"),
            ("contents", "address_life", 15, "and says so"),
            ("contents", "signature", 13, "the formula holds"),
            ("contents", "range", 15, "a part of a content can be fetched"),
            ("feed", "change_feed_of_a_zone", 32, "zones included"),
            ("feed", "push", 33, "answers"),
        ],
    );
    // What is looked at is told, and the report for people holds the same.
    let text = rig.run(&["diagnose"]).expect(0);
    for probe in [
        "this machine",
        "the account",
        "the root",
        "the trash",
        "20 folders",
        "80 folders",
        "how contents come",
        "push",
    ] {
        assert!(
            text.stderr.contains(&format!("looking at {probe}")) || text.stderr.contains(probe),
            "{probe}: {}",
            text.stderr
        );
    }
    assert!(text.stdout.contains("question 13: the formula holds"), "{}", text.stdout);
    rig.once();
}

/// Switches, and what follows from them.
type Case =
    (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static str, u64, &'static str)]);

#[track_caller]
fn assert_cases(rig: &Rig, cases: &[Case]) {
    let before = rig.sim.core().switches();
    for (switches, expected) in cases {
        set(rig, switches);
        let told = report(rig, &[], 0);
        eprintln!("{switches:?}");
        assert_answers(&told, expected);
        rig.sim.switches(|all| *all = before.clone());
    }
}

#[test]
fn listings_are_told_apart_under_every_switch() {
    let rig = signed_in();
    with_folders(&rig, 90);
    assert_cases(
        &rig,
        &[
            (
                &[("S-batch", "refuse-over-20")],
                &[(
                    "listings",
                    "folders_per_request",
                    1,
                    "40 are refused, so the program has to ask for no more than 20",
                )],
            ),
            (
                &[("S-batch", "refuse-over-40")],
                &[(
                    "listings",
                    "folders_per_request",
                    1,
                    "40 are taken and 80 are refused; the program's 40 are safe",
                )],
            ),
            (
                &[("S-batch", "refuse-over-1")],
                &[(
                    "listings",
                    "folders_per_request",
                    1,
                    "are refused, so the program has to ask for one by one",
                )],
            ),
            (
                &[("S-batch", "400")],
                &[("listings", "folders_per_request", 1, "refused, so the program has to ask")],
            ),
            (
                &[("S-batch", "drop-some")],
                &[("listings", "folders_per_request", 1, "answers leave folders out")],
            ),
            (&[("S-batch", "shuffle")], &[("listings", "order", 1, "the order is not kept")]),
            (&[("S-short", "announce-more")], &[("listings", "counts_agree", 2, "and their count shows it")]),
            (&[("S-short", "silently-fewer")], &[("listings", "counts_agree", 2, "without a sign")]),
        ],
    );
}

#[test]
fn counts_names_and_kinds_are_told_apart_under_every_switch() {
    let rig = signed_in();
    for path in ["a/one.txt", "a/One.txt", "a/two.txt", "a/two 2.txt", "a/Caf\u{e9}.txt"] {
        rig.there().write(path, "some text").expect("a file");
    }
    rig.there().folder("v1.2").expect("a folder");
    rig.there().library("iCloud.com.example.app", "An App", false);
    rig.there().shared_folder("From somebody");
    assert_cases(
        &rig,
        &[
            (
                &[],
                &[
                    ("items", "names", 10, "decomposed"),
                    ("items", "twins", 9, "numbered names stand beside their first"),
                    ("items", "twins", 10, "in case alone"),
                    ("items", "split_folders", 10, "are split at their last dot"),
                    ("items", "app_libraries", 28, "ID_INVALID"),
                    ("items", "shared_items", 29, "none is listed"),
                ],
            ),
            (&[("S-folder-ext", "whole")], &[("items", "split_folders", 10, "no folder's name came split")]),
            (&[("S-applib-empty", "empty")], &[("items", "app_libraries", 28, "an empty folder")]),
            (&[("S-shared", "listed")], &[("items", "shared_items", 29, "listed with a share")]),
            (&[("S-slow-trash", "6 s")], &[("listings", "slowest_listings", 37, "the trash is slow")]),
        ],
    );
}

#[test]
fn look_ups_and_contents_are_told_apart_under_every_switch() {
    let rig = signed_in();
    rig.there().write("zero.txt", "").expect("a file");
    rig.there().write("small.txt", "some text").expect("a file");
    assert_cases(
        &rig,
        &[
            (&[("S-gone", "404")], &[("look_ups", "unknown_id", 4, "HTTP 404")]),
            (&[("S-gone", "400")], &[("look_ups", "unknown_id", 4, "HTTP 400")]),
            (&[("S-gone", "isDeleted")], &[("look_ups", "unknown_id", 4, "marked as deleted")]),
            (&[("S-gone", "empty")], &[("look_ups", "unknown_id", 4, "left out")]),
            (&[("S-zero", "data_token")], &[("contents", "zero_bytes", 14, "has an address as others have")]),
            (&[("S-sig", "other-prefix")], &[("contents", "signature", 13, "another form")]),
            (&[("S-sig", "random")], &[("contents", "signature", 13, "does not hold")]),
            (&[("S-sig", "absent")], &[("contents", "signature", 13, "without a signature")]),
            (&[("S-range", "ignored")], &[("contents", "range", 15, "is ignored")]),
            (&[("S-url-life", "15 min")], &[("contents", "address_life", 15, "lives 15 minutes")]),
        ],
    );
}

#[test]
fn feed_and_push_are_told_apart_under_every_switch() {
    let rig = signed_in();
    for (feed, aps, expected) in [
        (Feed::DatabaseOnly, Aps::Ok, ("change_feed_of_a_zone", 32, "something changed, and not what")),
        (Feed::Off, Aps::Ok, ("change_feed", 32, "does not answer this session")),
        (Feed::PcsRequired, Aps::Ok, ("change_feed", 32, "does not answer this session")),
        (Feed::Ok, Aps::Off, ("push", 33, "does not answer this session")),
        (Feed::Ok, Aps::Silent, ("push", 33, "holds the request, as it should")),
    ] {
        rig.sim.switches(|switches| {
            (switches.feed, switches.aps) = (feed, aps);
            switches.aps_hold = Duration::from_secs(if aps == Aps::Silent { 30 } else { 0 });
        });
        let (line, question, follows) = expected;
        assert_answers(&report(&rig, &[], 0), &[("feed", line, question, follows)]);
    }
}

#[test]
fn a_session_in_trouble_is_made_anew_from_the_same_sign_in() {
    for trouble in ["401-once", "421-body", "421-misrouted", "rotating-partition"] {
        let rig = signed_in();
        rig.there().write("small.txt", "some text").expect("a file");
        set(&rig, &[("S-session", trouble)]);
        let before = rig.sim.count("signin.complete");
        let told = report(&rig, &[], 0);
        assert_eq!(told["sections"]["listings"]["root"]["value"], true, "{trouble}: {told:#}");
        assert_eq!(rig.sim.count("signin.complete"), before, "{trouble}: the password was proven");
    }
}

#[test]
fn an_account_with_few_folders_says_so() {
    let rig = signed_in();
    let told = report(&rig, &[], 0);
    let line = &told["sections"]["listings"]["folders_per_request"];
    assert_eq!(line["says"], "not tried: there are fewer than 20 folders");
    let half = rig.run(&["diagnose"]).expect(0).stdout;
    assert!(half.contains("not tried: there are fewer than 20 folders"), "{half}");
}

#[test]
fn the_clocks_are_compared() {
    let rig = signed_in();
    rig.sim.core().state().clock_ahead = std::time::Duration::from_secs(3600);
    let told = report(&rig, &[], 0);
    let behind = told["sections"]["latency"]["clock"]["value"]["behind_s"].as_i64().expect("seconds");
    assert!((3590..=3610).contains(&behind), "{behind}");
}
