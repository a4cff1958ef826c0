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
    let caught = (0..6000).any(|seed| {
        let mut history = History::new(seed, STEPS);
        history.twists = vec![Twist::LosesContents];
        let broken = trial(&history, Some(Sabotage::NoContentSync), false).0.err();
        broken.is_some_and(|broken| broken.promise == "P1") && trial(&history, None, false).0.is_ok()
    });
    assert!(caught, "no content is lost in 6000 seeds");
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

/// As [`catches`], where commits overlap: who commits one after the other is no worse for it.
fn catches_side_by_side(sabotage: Sabotage, seeds: u64, promises: &[&str]) {
    let breaks = |history: &History| {
        trial(history, Some(sabotage), false).0.is_err_and(|broken| promises.contains(&broken.promise))
    };
    let caught = (0..seeds).any(|seed| {
        let history = History::side_by_side(seed, STEPS);
        breaks(&history) && trial(&history, None, false).0.is_ok() && {
            let mut alone = history;
            alone.twists.retain(|twist| !matches!(twist, Twist::SideBySide(_)));
            !breaks(&alone)
        }
    });
    assert!(caught, "{sabotage:?} breaks none of {promises:?} in {seeds} seeds");
}

#[test]
fn the_oracle_catches_answers_to_overlapping_commits_that_are_mixed_up() {
    catches_side_by_side(Sabotage::MixedAnswers, 300, &["P1", "P2", "P5", "equality"]);
}

/// As [`catches`], where a change feed and a push channel say when and where to look: who is told nothing is no worse for it.
fn catches_with_hints(sabotage: Sabotage, seeds: u64, promises: &[&str]) {
    let breaks = |history: &History, sabotage| {
        trial(history, sabotage, false).0.is_err_and(|broken| promises.contains(&broken.promise))
    };
    let caught = (0..seeds).any(|seed| {
        let history = History::with_hints(seed, STEPS);
        breaks(&history, Some(sabotage))
            && trial(&history, None, false).0.is_ok()
            && !breaks(&History { hints: false, ..history }, Some(sabotage))
    });
    assert!(caught, "{sabotage:?} breaks none of {promises:?} in {seeds} seeds");
}

#[test]
fn the_oracle_catches_a_deletion_on_the_word_of_the_feed() {
    catches_with_hints(Sabotage::FeedDeletes, 300, &["P2"]);
}

#[test]
fn the_oracle_catches_folders_that_count_as_empty_because_the_feed_did_not_name_them() {
    catches_with_hints(Sabotage::UnlistedIsEmpty, 300, &["P2"]);
}

#[test]
fn the_oracle_catches_an_engine_that_never_looks_beyond_the_feed() {
    let caught = (0..100).any(|seed| {
        let history = History::with_hints(seed, STEPS);
        let broken = trial(&history, Some(Sabotage::FeedAlone), false).0.err();
        broken.is_some_and(|broken| broken.promise == "equality") && trial(&history, None, false).0.is_ok()
    });
    assert!(caught, "sides stay equal in 100 seeds");
}
