//! The oracle is tested: each promise is broken on purpose, and a seed among the first ones must catch it.

use super::STEPS;
use super::history::{History, Twist};
use super::rigged::Sabotage;
use super::shrink::trial;

/// One of these promises is seen broken in a world that a good engine masters.
fn catches(sabotage: Sabotage, seeds: u64, promises: &[&str]) {
    let caught = (0..seeds).any(|seed| {
        let history = History::new(seed, STEPS);
        let broken = trial(&history, Some(sabotage), false).0.err();
        broken.is_some_and(|broken| promises.contains(&broken.promise))
            && trial(&history, None, false).0.is_ok()
    });
    assert!(caught, "{sabotage:?} breaks none of {promises:?} in {seeds} seeds");
}

#[test]
fn the_oracle_catches_a_deletion_before_the_upload() {
    catches(Sabotage::DeleteBeforeUpload, 300, &["P2", "P5", "equality"]);
}

#[test]
fn the_oracle_catches_a_change_here_without_a_precondition() {
    catches(Sabotage::NoLocalPrecondition, 1500, &["P1", "P2"]);
}

#[test]
fn the_oracle_catches_a_change_on_icloud_without_a_look() {
    catches(Sabotage::NoRemotePrecondition, 600, &["P1", "P2", "P5", "equality"]);
}

#[test]
fn the_oracle_catches_a_deletion_on_icloud_without_its_etag() {
    catches(Sabotage::DeleteWithoutEtag, 1000, &["P1", "P2"]);
}

#[test]
fn the_oracle_catches_a_base_that_leads_the_disk() {
    catches(Sabotage::BaseFirst, 300, &["P2", "P5", "equality"]);
}

#[test]
fn the_oracle_catches_a_disk_that_is_not_synced() {
    catches(Sabotage::NoSync, 600, &["P2"]);
}

#[test]
fn the_oracle_catches_contents_that_are_not_synced() {
    let caught = (0..1500).any(|seed| {
        let mut history = History::new(seed, STEPS);
        history.twists = vec![Twist::LosesContents];
        let broken = trial(&history, Some(Sabotage::NoContentSync), false).0.err();
        broken.is_some_and(|broken| broken.promise == "P1") && trial(&history, None, false).0.is_ok()
    });
    assert!(caught, "no content is lost in 1500 seeds");
}

#[test]
fn the_oracle_catches_a_replaced_version_that_is_not_kept() {
    catches(Sabotage::NoTrash, 1500, &["P1"]);
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
    catches(Sabotage::NoGuard, 1500, &["P7"]);
}

#[test]
fn the_oracle_catches_a_partial_listing_that_is_taken_as_whole() {
    catches(Sabotage::PartialAsWhole, 600, &["P2"]);
}

#[test]
fn the_oracle_catches_an_engine_that_leaves_things_undone() {
    catches(Sabotage::Lazy, 3, &["equality", "P5"]);
}
