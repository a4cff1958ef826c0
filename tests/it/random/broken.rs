//! The oracle is tested: each promise is broken on purpose, and a seed among the first ones must catch it.

use super::STEPS;
use super::history::History;
use super::rigged::Sabotage;
use super::shrink::trial;

/// The promises that a bad engine is seen to break, and that no good one breaks, among the first seeds.
fn caught(sabotage: Sabotage, seeds: u64) -> Option<(u64, &'static str)> {
    (0..seeds).find_map(|seed| {
        let history = History::new(seed, STEPS);
        trial(&history, Some(sabotage), false).0.err().map(|broken| (seed, broken.promise))
    })
}

fn catches(sabotage: Sabotage, seeds: u64, promises: &[&str]) {
    match caught(sabotage, seeds) {
        Some((_, promise)) if promises.contains(&promise) => {}
        other => panic!("{sabotage:?} is met by {other:?}, expected one of {promises:?}"),
    }
}

#[test]
fn the_oracle_catches_a_deletion_before_the_upload() {
    catches(Sabotage::DeleteBeforeUpload, 300, &["P2", "P5", "equality"]);
}

#[test]
fn the_oracle_catches_a_change_here_without_a_precondition() {
    catches(Sabotage::NoLocalPrecondition, 3000, &["P1", "P2"]);
}

#[test]
fn the_oracle_catches_a_change_on_icloud_without_a_look() {
    catches(Sabotage::NoRemotePrecondition, 600, &["P1", "P2", "P5", "equality"]);
}

#[test]
fn the_oracle_catches_a_deletion_on_icloud_without_its_etag() {
    catches(Sabotage::DeleteWithoutEtag, 6000, &["P1", "P2"]);
}

#[test]
fn the_oracle_catches_a_base_that_leads_the_disk() {
    catches(Sabotage::BaseFirst, 300, &["P2", "P5", "equality"]);
}

#[test]
fn the_oracle_catches_a_partial_listing_taken_as_whole() {
    catches(Sabotage::PartialIsWhole, 600, &["P2"]);
}

#[test]
fn the_oracle_catches_a_disk_that_is_not_synced() {
    catches(Sabotage::NoSync, 600, &["P2"]);
}

#[test]
fn the_oracle_catches_a_replaced_version_that_is_not_kept() {
    catches(Sabotage::NoTrash, 3000, &["P1"]);
}

#[test]
fn the_oracle_catches_a_file_that_shows_in_parts() {
    catches(Sabotage::VisibleParts, 300, &["P4"]);
}

#[test]
fn the_oracle_catches_an_engine_that_never_rests() {
    catches(Sabotage::NeverQuiet, 3, &["P5"]);
}

#[test]
fn the_oracle_catches_a_guard_that_lets_everything_through() {
    catches(Sabotage::NoGuard, 3000, &["P7"]);
}

#[test]
fn the_oracle_catches_an_engine_that_leaves_things_undone() {
    catches(Sabotage::Lazy, 3, &["equality", "P5"]);
}
