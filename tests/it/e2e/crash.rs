//! `kill -9` at random moments of passes that contain every kind of operation.

use std::time::Duration;

use icloudds_simulator::fault::mix;

use super::rig::{Rig, noise};
use crate::run::daemon::pace;

/// How often the program is killed; `E2E_KILLS` raises it.
fn kills() -> u64 {
    std::env::var("E2E_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// Where the random moments begin; `E2E_SEED` replays one.
fn seed() -> u64 {
    std::env::var("E2E_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// One of each: upload, download, edits, moves, folders, deletions, a conflict.
fn change_both_sides(rig: &Rig, round: u64) {
    let there = rig.there();
    let pick = |number: u64| format!("f/{}.bin", mix(round * 31 + number) % 12);
    for number in 0..12 {
        let path = format!("f/{number}.bin");
        if there.entry(&path).is_none() && !rig.at(&path).exists() {
            rig.write(&path, noise(round * 100 + number, 30_000));
        }
    }
    for number in 0..3 {
        rig.write(&format!("up {round}/{number}.bin"), noise(round * 1000 + number, 60_000));
        there
            .write(&format!("down {round}/{number}.bin"), noise(round * 1000 + 500 + number, 60_000))
            .expect("a file");
    }
    if rig.at(&pick(1)).exists() {
        rig.write(&pick(1), noise(round * 7 + 1, 20_000));
    }
    if there.entry(&pick(2)).is_some() {
        there.write(&pick(2), noise(round * 7 + 2, 20_000)).expect("an edit");
    }
    if rig.at(&pick(3)).exists() {
        rig.mv(&pick(3), &format!("moved {round}.bin"));
    }
    if there.entry(&pick(4)).is_some() {
        there.rename(&pick(4), &format!("renamed {round}.bin")).expect("a rename");
    }
    if rig.at(&pick(5)).exists() {
        rig.rm(&pick(5));
    }
    if there.entry(&pick(6)).is_some() {
        there.trash(&pick(6)).expect("a deletion");
    }
    let before = format!("up {}", round.wrapping_sub(1));
    if rig.at(&before).exists() {
        rig.mv(&before, &format!("kept {round}"));
    }
}

#[test]
fn killed_at_random_moments_it_converges_and_loses_nothing() {
    let rig = Rig::signed_in();
    for number in 0..12 {
        rig.there().write(&format!("f/{number}.bin"), noise(number, 30_000)).expect("a file");
    }
    rig.once();
    let mut cut_short = 0;
    for round in 1..=kills() {
        change_both_sides(&rig, seed() * 10_000 + round);
        let draw = mix(seed() ^ mix(round));
        let requests = draw % 60;
        let then = Duration::from_micros((draw >> 20) % 3_000);
        let before: u64 = rig.sim.counts().values().sum();
        let mut child = rig.spawn(&["once"]);
        while rig.sim.counts().values().sum::<u64>() < before + requests
            && child.try_wait().expect("a state").is_none()
        {
            pace(Duration::from_micros(300));
        }
        pace(then);
        // It may have ended by itself by now; then nothing was cut short.
        cut_short += u64::from(child.try_wait().expect("a state").is_none());
        child.kill().expect("a signal");
        child.wait().expect("an end");
        for (path, _) in rig.here() {
            assert!(!path.ends_with(".part") && !path.ends_with(".tmp"), "half a file is visible: {path}");
        }
        if round % 4 == 0 {
            let ran = rig.run(&["once"]);
            assert_eq!(ran.exit, 0, "round {round}, E2E_SEED={}: {}", seed(), ran.stderr);
            rig.assert_equal();
        }
    }
    assert!(cut_short * 2 > kills(), "only {cut_short} of {} were cut short", kills());
    rig.once();
    rig.assert_settled();
}
