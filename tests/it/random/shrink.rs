//! Makes a failing history smaller: the fewest operations, the least faults, the plainest setting that still
//! break the same promise.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::history::{History, Op, Pass};
use super::oracle::Broken;
use super::rigged::Sabotage;
use super::run::Run;

/// How long one failure is worked on.
const PATIENCE: Duration = Duration::from_secs(6);

/// Runs a history; what it says went wrong, and what was told.
pub fn trial(history: &History, sabotage: Option<Sabotage>, telling: bool) -> (Result<(), Broken>, String) {
    let mut run = Run::new(history, sabotage, telling);
    let result = catch_unwind(AssertUnwindSafe(|| run.whole()));
    let result = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Broken::new("no panic", text.unwrap_or_default()))
    });
    (result, run.told())
}

/// The smallest history found that breaks the same promise.
pub fn shrink(history: &History, sabotage: Option<Sabotage>, promise: &str) -> History {
    let begin = Instant::now();
    let fails = |candidate: &History| {
        begin.elapsed() < PATIENCE
            && trial(candidate, sabotage, false).0.is_err_and(|broken| broken.promise == promise)
    };
    let mut best = history.clone();
    loop {
        let before = best.clone();
        remove_operations(&mut best, &fails);
        simplify_passes(&mut best, &fails);
        plainer_setting(&mut best, &fails);
        if best == before || begin.elapsed() >= PATIENCE {
            return best;
        }
    }
}

fn remove_operations(best: &mut History, fails: &impl Fn(&History) -> bool) {
    let mut length = best.ops.len() / 2;
    while length > 0 {
        let mut at = 0;
        while at < best.ops.len() {
            let mut candidate = best.clone();
            candidate.ops.drain(at..(at + length).min(candidate.ops.len()));
            if fails(&candidate) {
                *best = candidate;
            } else {
                at += length;
            }
        }
        length /= 2;
    }
}

/// Every pass with one thing less.
fn simpler(pass: &Pass) -> Vec<Pass> {
    let mut all = Vec::new();
    for at in 0..pass.faults.len() {
        let mut less = pass.clone();
        less.faults.remove(at);
        all.push(less);
    }
    for at in 0..pass.meddle.len() {
        let mut less = pass.clone();
        less.meddle.remove(at);
        all.push(less);
    }
    for at in 0..pass.crashes.len() {
        let mut less = pass.clone();
        less.crashes.remove(at);
        all.push(less);
    }
    for at in 0..pass.surprises.len() {
        let mut less = pass.clone();
        less.surprises.remove(at);
        all.push(less);
    }
    all.extend([
        Pass { vanish: None, ..pass.clone() },
        Pass { enough: None, ..pass.clone() },
        Pass { folders_only: false, ..pass.clone() },
        Pass { fresh: false, ..pass.clone() },
        Pass { remote: true, ..pass.clone() },
        Pass { by_person: true, ..pass.clone() },
    ]);
    all.retain(|less| less != pass);
    all
}

fn simplify_passes(best: &mut History, fails: &impl Fn(&History) -> bool) {
    for at in 0..best.ops.len() {
        while let Op::Pass(pass) = &best.ops[at] {
            let better = simpler(pass).into_iter().find_map(|less| {
                let mut candidate = best.clone();
                candidate.ops[at] = Op::Pass(less);
                fails(&candidate).then_some(candidate)
            });
            match better {
                Some(candidate) => *best = candidate,
                None => break,
            }
        }
    }
}

fn plainer_setting(best: &mut History, fails: &impl Fn(&History) -> bool) {
    for at in (0..best.twists.len()).rev() {
        let mut candidate = best.clone();
        candidate.twists.remove(at);
        if fails(&candidate) {
            *best = candidate;
        }
    }
}
