//! Two machines on one account: what one of them has under way is no person's change to the other.

use std::sync::Arc;
use std::time::Duration;

use icloudds::engine::pass::Look;

use super::run::Run;
use super::scenarios::{passes, world};
use crate::sim::{Crash, Outcome, SimDisk, SimStore};

/// Names that are changed in pairs.
const PAIRS: [(&str, &str); 5] = [("a0", "b0"), ("a1", "b1"), ("a2", "b2"), ("a3", "b3"), ("a4", "b4")];

/// Another machine on the account of the first, with a folder and a state of its own.
fn beside(first: &Run) -> Run {
    let mut second = world(first.world.seed + 1000, &[]);
    let world = &first.world;
    second.world.fuse = world.fuse.clone();
    second.world.clock = world.clock.clone();
    second.world.journal = world.journal.clone();
    second.world.drive = world.drive.clone();
    second.world.disk =
        Arc::new(SimDisk::new(world.clock.clone(), world.fuse.clone(), world.journal.clone()));
    second.world.store = SimStore::new(world.fuse.clone());
    second
}

fn pass(run: &mut Run) {
    assert!(matches!(run.run(&Look::whole(), false), Ok(Outcome::Done(Ok(_)))));
}

/// All names are changed, and nothing stands beside them.
fn assert_swapped(run: &Run, step: u64) {
    let tree = run.world.disk.tree();
    assert_eq!(tree.len(), 2 * PAIRS.len(), "step {step}: {tree:?}");
    for (a, b) in PAIRS {
        assert_eq!(run.world.disk.read(a).as_deref(), Some(b.as_bytes()), "step {step}: {a}");
        assert_eq!(run.world.disk.read(b).as_deref(), Some(a.as_bytes()), "step {step}: {b}");
    }
}

/// One machine is killed in the midst of five swaps, and the other one looks before it starts again, after so many seconds. Two items may want
/// one name once that does not wait any longer: the first machine brings its swaps to their end all the same.
fn swaps(away: u64) {
    for step in (1..).step_by(3) {
        let mut first = world(step, &[]);
        let clock = first.world.clock.clone();
        let later = |seconds| clock.advance(Duration::from_secs(seconds));
        let mut second = beside(&first);
        for (a, b) in PAIRS {
            assert!(first.world.disk.write(a, a.as_bytes()) && first.world.disk.write(b, b.as_bytes()));
        }
        later(100);
        for run in [&mut first, &mut second] {
            pass(run);
            later(100);
            pass(run);
        }
        assert_eq!(second.world.disk.tree().len(), 2 * PAIRS.len());
        for (a, b) in PAIRS {
            let disk = &first.world.disk;
            assert!(disk.mv(a, "t") && disk.mv(b, a) && disk.mv("t", b));
        }
        later(10);
        first.world.fuse.crash_after(step);
        let done = passes(&mut first);
        first.world.restart(Crash::Kill);
        first.world.fuse.calm();
        // Who looks sees temporary names.
        for _ in 0..3 {
            pass(&mut second);
            later(away / 3);
        }
        for _ in 0..4 {
            for run in [&mut first, &mut second] {
                pass(run);
                later(200);
            }
        }
        first.world.assert_nothing_lost();
        first.world.assert_equal_sides();
        second.world.assert_equal_sides();
        assert_swapped(&first, step);
        assert_swapped(&second, step);
        let names: Vec<_> = second.world.disk.tree().into_keys().collect();
        assert!(names.iter().all(|name| !name.contains("icloudds")), "step {step}: {names:?}");
        if done {
            break;
        }
    }
}

#[test]
fn another_machine_leaves_the_temporary_names_of_a_swap_alone() {
    swaps(240);
}

#[test]
fn temporary_names_that_stay_are_put_right_by_another_machine() {
    swaps(1200);
}

/// The machine that gave them never starts again, and the other one runs every few minutes, as `once` does, each time in a new process.
#[test]
fn temporary_names_that_stay_are_put_right_by_processes_that_live_for_one_pass() {
    let mut met = 0;
    for step in (1..).step_by(2) {
        let mut first = world(step, &[]);
        let clock = first.world.clock.clone();
        let later = |seconds| clock.advance(Duration::from_secs(seconds));
        let mut second = beside(&first);
        assert!(first.world.disk.write("a", b"a") && first.world.disk.write("b", b"b"));
        later(100);
        for run in [&mut first, &mut second] {
            pass(run);
            later(100);
        }
        let disk = &first.world.disk;
        assert!(disk.mv("a", "t") && disk.mv("b", "a") && disk.mv("t", "b"));
        later(10);
        first.world.fuse.crash_after(step);
        if passes(&mut first) {
            break;
        }
        first.world.restart(Crash::Kill);
        first.world.fuse.calm();
        let bears_one = |run: &Run| run.world.drive.tree().keys().any(|name| name.contains("icloudds"));
        met += usize::from(bears_one(&first));
        for _ in 0..4 {
            second.engine = None;
            pass(&mut second);
            later(200);
        }
        assert!(!bears_one(&second), "step {step}: {:?}", second.world.drive.tree());
        second.world.assert_equal_sides();
    }
    assert!(met > 0, "no temporary name was left over");
}
