//! `kill -9` of the running daemon at random moments, with random changes and faults on both sides.

use std::time::{Duration, Instant};

use icloudds_simulator::fault::mix;

use super::daemon::{Daemon, pace, quick};
use super::soak::{change_both_sides, faults};

/// How often it is killed; `KILLS` raises it.
fn kills() -> u64 {
    std::env::var("KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(25)
}

/// Where the random moments begin; `KILL_SEED` replays a run.
fn seed() -> u64 {
    std::env::var("KILL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[test]
fn killed_at_random_moments_both_sides_end_equal_and_nothing_is_lost() {
    let mut rig = quick();
    // What a random person deletes is no accident.
    rig.set("guard.max_deletes", "0").set("guard.max_delete_percent", "0");
    for number in 0..12 {
        rig.there().write(&format!("f/{number}.txt"), format!("first {number}").as_bytes()).expect("a file");
    }
    Daemon::synced(&rig).stop();
    for round in 1..=kills() {
        let draw = mix(seed() ^ mix(round));
        rig.sim.switches(|switches| switches.faults = if round % 3 == 0 { faults(draw) } else { Vec::new() });
        let daemon = Daemon::launch(&rig);
        let (requests, then) = (draw % 60, Duration::from_micros((draw >> 20) % 5_000));
        let before: u64 = rig.sim.counts().values().sum();
        let begun = Instant::now();
        let mut step = 0;
        // Changes go on while it runs; where it waits for the network, time decides.
        while rig.sim.counts().values().sum::<u64>() < before + requests
            && begun.elapsed() < Duration::from_secs(3)
        {
            if begun.elapsed() > Duration::from_millis(150 * step) {
                step += 1;
                change_both_sides(&rig, mix(draw ^ step));
            }
            pace(Duration::from_micros(300));
        }
        let reached = Instant::now();
        while reached.elapsed() < then {
            std::thread::yield_now();
        }
        daemon.kill();
        for (path, _) in rig.here() {
            assert!(!path.ends_with(".part") && !path.contains("icloudds"), "half a file is visible: {path}");
        }
        if round % 8 == 0 {
            rig.sim.switches(|switches| switches.faults.clear());
            eprintln!("round {round}, KILL_SEED={}", seed());
            Daemon::synced(&rig).stop();
        }
    }
    rig.sim.switches(|switches| switches.faults.clear());
    Daemon::synced(&rig).stop();
    rig.assert_settled();
    // The rig's end asks the simulator for broken rules and lost contents.
}
