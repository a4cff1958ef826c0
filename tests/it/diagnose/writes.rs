//! `--probe-writes` under each switch that it bears on.

use std::time::Duration;

use icloudds_simulator::switches::Aps;

use super::{assert_answers, report, set, signed_in};
use crate::cases::side_by_side;
use crate::e2e::rig::Rig;

/// What the probe breaks on purpose: two writes at once.
#[track_caller]
fn forgive_the_two_at_once(rig: &mut Rig) {
    let violations = rig.sim.violations();
    let others: Vec<_> = violations.iter().filter(|broken| *broken != "create overlapped create").collect();
    assert!(others.is_empty(), "rules of the protocol were broken: {others:#?}");
    assert!(
        rig.there()
            .lost_contents()
            .expect("readable contents")
            .iter()
            .all(|lost| lost.path.contains("icloudds probe"))
    );
    rig.forgiving = true;
}

#[test]
fn writing_is_tried_in_one_folder_that_goes_to_the_trash() {
    let mut rig = signed_in();
    rig.there().write("mine.txt", "mine").expect("a file");
    // On loopback the first of two would be over before the second begins.
    rig.sim.switches(|switches| {
        switches.latency = Duration::from_millis(60);
        (switches.aps, switches.aps_hold) = (Aps::Ok, Duration::from_secs(6));
    });
    let mut told = serde_json::Value::Null;
    let requests = rig.requests(|| told = report(&rig, &["--probe-writes"], 0));
    assert_eq!(rig.there().tree().into_keys().collect::<Vec<_>>(), ["mine.txt"]);
    let trash = rig.trash_there();
    assert_eq!(
        trash.iter().filter(|path| path.starts_with("icloudds probe") && !path.contains('/')).count(),
        1,
        "{trash:?}"
    );
    let counted: u64 =
        requests.iter().filter(|(kind, _)| *kind != "listing.folders").map(|(_, count)| count).sum();
    assert!(counted <= 140, "{requests:?}");
    assert!(!requests.contains_key("delete"), "{requests:?}");
    assert!(!rig.state().join("diagnose.json").exists());
    assert_answers(
        &told,
        &[
            ("writes", "zero_bytes_upload", 14, "is taken"),
            ("writes", "zero_bytes_download", 14, "HTTP 400"),
            ("writes", "time", 18, "is kept"),
            ("writes", "upload_signature", 13, "holds for an upload"),
            ("writes", "visible", 5, "seen at the first look"),
            ("writes", "taken_name_rename", 9, "numbered"),
            ("writes", "taken_name_folder", 9, "numbered"),
            ("writes", "replace_in_place", 6, "replaced under its id"),
            ("writes", "stale_rename", 6, "is accepted"),
            ("writes", "stale_move", 6, "is refused"),
            ("writes", "etags_above", 3, "some time after an edit"),
            ("writes", "put_back", 12, "the same id, the same name"),
            ("writes", "composed_name", 10, "kept as it was sent"),
            ("writes", "decomposed_name", 10, "kept as it was sent"),
            ("writes", "dotted_folder", 10, "split at the last dot"),
            ("writes", "two_at_once", 19, "one is refused as busy"),
            ("writes", "feed_delay", 32, "tells of a change within"),
            ("writes", "push_delay", 33, "tells of a change within"),
        ],
    );
    let delays = &told["sections"]["writes"]["told_after_listing"]["value"];
    assert!(["listing_ms", "feed_ms", "push_ms"].iter().all(|who| delays[who].is_u64()), "{delays}");
    forgive_the_two_at_once(&mut rig);
}

#[test]
fn writes_are_told_apart_under_every_switch() {
    side_by_side(
        [
            (
                &[
                    ("S-etag-up", "at-once"),
                    ("S-cas-rename", "reject"),
                    ("S-cas-move", "accept"),
                    ("S-name-taken", "error"),
                ][..],
                &[
                    ("writes", "etags_above", 3, "of all folders above change"),
                    ("writes", "stale_rename", 6, "is refused"),
                    ("writes", "stale_move", 6, "is accepted"),
                    ("writes", "taken_name_rename", 9, "the name is taken"),
                ][..],
            ),
            (
                &[
                    ("S-etag-up", "never"),
                    ("S-names", "NFC"),
                    ("S-folder-ext", "whole"),
                    ("S-putback", "new-id"),
                    ("S-mtime", "now"),
                ],
                &[
                    ("writes", "etags_above", 3, "do not change"),
                    ("writes", "decomposed_name", 10, "in another form"),
                    ("writes", "dotted_folder", 10, "kept whole"),
                    ("writes", "put_back", 12, "another id"),
                    ("writes", "time", 18, "not kept"),
                ],
            ),
            (
                &[
                    ("S-names", "NFD+case-sensitive"),
                    ("S-zero-up", "4xx"),
                    ("S-putback", "new-name"),
                    ("S-sig", "random"),
                    ("S-visible", "3 s"),
                ],
                &[
                    ("writes", "composed_name", 10, "in another form"),
                    ("writes", "zero_bytes_upload", 14, "refused"),
                    ("writes", "put_back", 12, "another name"),
                    ("writes", "upload_signature", 13, "does not hold"),
                    ("writes", "visible", 5, "is not seen at once"),
                ],
            ),
            (
                &[("S-feed", "lossy"), ("S-name-taken", "existing-returned")],
                &[
                    ("writes", "feed_delay", 32, "does not tell of a change"),
                    ("writes", "taken_name_folder", 9, "answered with the name itself"),
                ],
            ),
        ],
        |(switches, expected)| {
            let mut rig = signed_in();
            set(&rig, switches);
            let told = report(&rig, &["--probe-writes"], 0);
            assert_answers(&told, expected);
            // Also where a look after a write lags.
            rig.sim.switches(|all| all.visible = Duration::ZERO);
            assert!(rig.there().tree().is_empty(), "{switches:?}");
            forgive_the_two_at_once(&mut rig);
        },
    );
}
