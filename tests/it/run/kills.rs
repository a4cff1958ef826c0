//! `kill -9` of the running daemon at random moments, with random changes and faults on both sides.

use std::time::{Duration, Instant};

use icloudds_simulator::fault::mix;

use super::daemon::{Daemon, pace, quick};
use super::soak::{change_both_sides, faults};
use crate::e2e::rig::Rig;

/// So many worlds at once: most of the time each only waits.
const WORLDS: u64 = 4;
/// After so many kills both sides are brought to rest and compared.
const BETWEEN_RESTS: u64 = 25;
/// A daemon lives no longer than this: by then it has looked at everything and begun to work.
const LONGEST_LIFE: Duration = Duration::from_millis(900);

/// How often it is killed; `KILLS` changes it.
fn kills() -> u64 {
    std::env::var("KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

/// Where the random moments begin; `KILL_SEED` replays a run.
fn seed() -> u64 {
    std::env::var("KILL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[test]
fn killed_at_random_moments_both_sides_end_equal_and_nothing_is_lost() {
    std::thread::scope(|scope| {
        for world in 0..WORLDS {
            let share = kills() / WORLDS + u64::from(world < kills() % WORLDS);
            scope.spawn(move || live_and_die(mix(seed().wrapping_mul(WORLDS) + world), share));
        }
    });
}

/// One world in which the daemon is killed so often.
fn live_and_die(seed: u64, kills: u64) {
    let mut rig = quick();
    rig.racing = true;
    // What a random person deletes is no accident.
    rig.set("guard.max_deletes", "0").set("guard.max_delete_percent", "0");
    for number in 0..12 {
        rig.there().write(&format!("f/{number}.txt"), format!("first {number}").as_bytes()).expect("a file");
    }
    Daemon::synced(&rig).stop();
    for round in 1..=kills {
        let draw = mix(seed ^ mix(round));
        rig.sim.switches(|switches| switches.faults = if round % 3 == 0 { faults(draw) } else { Vec::new() });
        // What happened while it was dead.
        for change in 0..draw % 4 {
            change_both_sides(&rig, mix(draw ^ (change << 32)));
        }
        let daemon = Daemon::launch(&rig);
        wait_for_the_moment(&rig, draw);
        daemon.kill();
        for (path, _) in rig.here() {
            assert!(!path.ends_with(".part") && !path.contains("icloudds"), "half a file is visible: {path}");
        }
        if round % BETWEEN_RESTS == 0 || round == kills {
            rig.sim.switches(|switches| switches.faults.clear());
            eprintln!("{round} kills in the world of seed {seed}");
            Daemon::synced(&rig).stop();
            rig.assert_settled();
        }
    }
    // The rig's end asks the simulator for broken rules and lost contents.
}

/// Two of three moments are some requests and a little later, so that they fall between any two effects; the others are
/// drawn from the clock alone, and some come before it has read its own state. Changes go on meanwhile.
fn wait_for_the_moment(rig: &Rig, draw: u64) {
    let begun = Instant::now();
    let by_requests = !draw.is_multiple_of(3);
    let requests = if by_requests { (draw >> 8) % 48 } else { u64::MAX };
    let life =
        if by_requests { LONGEST_LIFE } else { LONGEST_LIFE.mul_f64(((draw >> 16) % 1000) as f64 / 1000.0) };
    let before: u64 = rig.sim.counts().values().sum();
    let mut step = 1;
    while rig.sim.counts().values().sum::<u64>() < before.saturating_add(requests) && begun.elapsed() < life {
        if begun.elapsed() > Duration::from_millis(150 * step) {
            change_both_sides(rig, mix(draw ^ step));
            step += 1;
        }
        pace(Duration::from_micros(300));
    }
    if by_requests {
        pace(Duration::from_micros((draw >> 28) % 5_000));
    }
}
