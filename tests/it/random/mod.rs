//! Random histories of the engine, planner and executor over the world in memory (`docs/sync.md` §9).
//!
//! One seed decides on everything: the setting, what persons do on both sides, what goes wrong, where the program
//! crashes. After the last operation the world is left alone, and the promises P1 to P7 are the oracle. A failure
//! prints the promise, the seed, a shrunk history and what the engine planned in it.
//!
//! - `SIM_SEEDS=100000 cargo test --release --test it random::histories` tries that many seeds (`SIM_FROM` is the first).
//! - `SIM_SEED=7 cargo test --test it random::histories` runs one seed again.
//! - `SIM_STEPS=80` makes longer histories; a seed means another history then.
//! - `SIM_TRACE=1` beside `SIM_SEED` says every call, what each person did and what becomes of contents, as it happens.
//! - `random::powers` has further powers of the world in them, drawn beside all that `random::histories` draws from the seed.

mod answers;
mod arrivals;
mod broken;
mod crashes;
mod crossing;
mod ends;
mod found;
mod gaps;
mod guarded;
mod history;
mod kept_beside;
mod kept_in_place;
mod late;
mod late_effects;
mod late_times;
mod looks;
mod machines;
mod meanwhile;
mod modes;
mod month;
mod mounts;
mod new_disk;
mod old_state;
mod older;
mod oracle;
mod passing;
mod person;
mod powers;
mod rigged;
mod run;
mod same_times;
mod scenarios;
mod second;
mod setting;
mod shrink;
mod taken;
mod taken_names;
mod twists;
mod unsynced;
mod volumes;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use history::History;
use rigged::Sabotage;

/// Seeds when nobody says how many: what takes about a minute in debug.
const SEEDS: u64 = 2000;
/// Operations of a history, about.
const STEPS: usize = 24;
/// Operations of a long history, and how many of these are tried.
const LONG_STEPS: usize = 80;
const LONG_SEEDS: u64 = 160;
/// Failures after which the rest is not tried: each is shrunk and printed.
const MOST_FAILURES: usize = 6;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

fn steps() -> usize {
    number("SIM_STEPS").map_or(STEPS, |steps| usize::try_from(steps).expect("a small number"))
}

/// What is drawn from a seed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// With passes that ask iCloud nothing in between.
    Apart,
    /// With further powers of the world.
    Powers,
    /// With commits that overlap.
    SideBySide,
    /// With looks at where a change feed says that something changed, which may be wrong.
    Hints,
    /// With looks at the folders alone whose etag moved, however etags move.
    Etags,
}

/// Why a seed failed, at length.
fn failure(seed: u64, steps: usize, kind: Kind, sabotage: Option<Sabotage>) -> Option<String> {
    let history = match kind {
        Kind::Plain => History::new(seed, steps),
        Kind::Apart => History { apart: true, ..History::new(seed, steps) },
        Kind::Powers => History::with_powers(seed, steps),
        Kind::SideBySide => History::side_by_side(seed, steps),
        Kind::Hints => History::with_hints(seed, steps),
        Kind::Etags => History::by_etag(seed, steps),
    };
    let broken = shrink::trial(&history, sabotage, false).0.err()?;
    let small = shrink::shrink(&history, sabotage, broken.promise);
    let (result, told) = shrink::trial(&small, sabotage, true);
    let again = result.err().unwrap_or(broken);
    Some(format!(
        "seed {seed}: {again}\nSIM_SEED={seed} SIM_STEPS={steps} runs it again. Shrunk:\n{small:?}\nWhat happened:\n{told}\n"
    ))
}

#[test]
fn histories() {
    try_histories(Kind::Plain, 0, SEEDS);
}

/// Longer ones, which find what takes more than one thing to go wrong.
#[test]
fn long_histories() {
    try_histories_of(LONG_STEPS, Kind::Plain, 500_000, LONG_SEEDS);
    try_histories_of(LONG_STEPS, Kind::Apart, 600_000, LONG_SEEDS / 2);
    try_histories_of(LONG_STEPS, Kind::Powers, 700_000, LONG_SEEDS / 4);
}

/// The same with passes that ask iCloud nothing in between: `SIM_SEED=7 cargo test --test it random::apart`.
#[test]
fn apart() {
    try_histories(Kind::Apart, 0, SEEDS / 2);
}

/// With backups that come back, clocks that leap, waits in which others act, volumes that come and go, a second machine and more.
#[test]
fn powers() {
    try_histories(Kind::Powers, 0, SEEDS / 2);
}

/// With commits of new files that overlap, on services that take that and such that refuse it.
#[test]
fn side_by_side() {
    try_histories(Kind::SideBySide, 0, SEEDS / 4);
}

/// With a change feed that is honest, late, lossy, repeats itself, forgets, lies or is not there, and a push channel that tells of each
/// change, twice, at random or of nothing: they say when and where iCloud is looked at, and everything is looked at now and then only.
#[test]
fn hints() {
    try_histories(Kind::Hints, 0, SEEDS / 2);
}

/// With looks that read the folders alone whose etag moved, whether etags tell of every change, of some or of none; everything is looked at
/// now and then only.
#[test]
fn etags() {
    try_histories(Kind::Etags, 0, SEEDS / 2);
}

fn try_histories(kind: Kind, first: u64, seeds: u64) {
    try_histories_of(steps(), kind, first, seeds);
}

fn try_histories_of(steps: usize, kind: Kind, first: u64, seeds: u64) {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let from = number("SIM_FROM").unwrap_or(first);
            from..from + number("SIM_SEEDS").unwrap_or(seeds)
        }
    };
    let next = AtomicU64::new(seeds.start);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..number("SIM_THREADS").unwrap_or(2) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let enough = failures
                        .lock()
                        .map_or(true, |all: std::sync::MutexGuard<'_, Vec<_>>| all.len() >= MOST_FAILURES);
                    if seed >= seeds.end || enough {
                        break;
                    }
                    if let Some(failure) = failure(seed, steps, kind, None) {
                        failures.lock().expect("nobody panics with it").push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("nobody panics with it");
    let tried = next.into_inner().min(seeds.end) - seeds.start;
    assert!(failures.is_empty(), "{} of {tried} seeds failed\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn the_same_seed_is_the_same_history_and_the_same_trace() {
    for seed in 0..30 {
        let trace = || {
            let history = History::new(seed, STEPS);
            let mut run = run::Run::new(&history, None, false);
            let result = run.whole();
            (
                result,
                run.world.fuse.steps(),
                run.world.fuse.trace(),
                run.world.disk.tree(),
                run.world.drive.tree(),
            )
        };
        let (one, two) = (trace(), trace());
        let differing = one.2.iter().zip(&two.2).find(|(one, two)| one != two);
        assert!(one == two, "seed {seed}: {differing:?}, {:?} and {:?}", one.0, two.0);
    }
}
