//! Answers that say that something was done which was not done.

use icloudds::engine::pass::Look;

use super::run::Run;
use super::scenarios::{is_at_peace, passes, wait, world};
use crate::sim::{Call, Crash, Fault, Outcome, SimDisk, SimDrive};

/// What a person does here, the call that carries it out, and whether it still stands here, and there.
type Case = (fn(&SimDisk) -> bool, Call, fn(&SimDisk) -> bool, fn(&SimDrive) -> bool);

const CASES: [Case; 5] = [
    (
        |disk| disk.mv("a", "b"),
        Call::RenameRemote,
        |disk| disk.read("b").is_some() && disk.read("a").is_none(),
        |drive| drive.find("b").is_some() && drive.find("a").is_none(),
    ),
    (
        |disk| disk.mv("a", "d/a"),
        Call::MoveRemote,
        |disk| disk.read("d/a").is_some() && disk.read("a").is_none(),
        |drive| drive.find("d/a").is_some() && drive.find("a").is_none(),
    ),
    (
        |disk| disk.mv("d", "e"),
        Call::RenameRemote,
        |disk| disk.read("e/x").is_some() && disk.read("d/x").is_none(),
        |drive| drive.find("e/x").is_some() && drive.find("d").is_none(),
    ),
    (
        |disk| disk.delete("a"),
        Call::TrashRemote,
        |disk| disk.read("a").is_none(),
        |drive| drive.find("a").is_none(),
    ),
    (
        |disk| disk.delete("d"),
        Call::TrashRemote,
        |disk| disk.read("d/x").is_none(),
        |drive| drive.find("d").is_none(),
    ),
];

fn prepared(seed: u64, did: fn(&SimDisk) -> bool) -> Run {
    let mut run = world(seed, &[]);
    let disk = run.world.disk.clone();
    assert!(disk.write("a", b"content of a") && disk.mkdir("d") && disk.write("d/x", b"content of x"));
    wait(&run);
    assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))));
    wait(&run);
    assert!(did(&disk));
    wait(&run);
    run
}

#[test]
fn what_icloud_confirms_and_does_not_do_is_not_undone_here() {
    for (did, call, is_here, is_there) in CASES {
        let mut run = prepared(1, did);
        run.world.fuse.script(call, 0, Fault::NoEffect);
        for _ in 0..3 {
            assert!(passes(&mut run));
            assert!(is_here(&run.world.disk), "{call:?}: {:?}", run.world.disk.tree());
            wait(&run);
        }
        is_at_peace(&mut run);
        assert!(is_here(&run.world.disk) && is_there(&run.world.drive), "{call:?}");
    }
}

#[test]
fn what_icloud_never_does_is_set_aside_and_done_once_it_can_be() {
    for (did, call, is_here, is_there) in CASES {
        let mut run = prepared(1, did);
        run.world.fuse.rate(Fault::NoEffect, 1.0);
        for _ in 0..4 {
            let outcome = run.run(&Look::whole(), true);
            let Ok(Outcome::Done(Ok(report))) = outcome else { panic!("{call:?}: {outcome:?}") };
            assert_eq!(report.outcome.failed.len(), 1, "{call:?}: {:?}", report.outcome);
            assert!(is_here(&run.world.disk), "{call:?}: {:?}", run.world.disk.tree());
            wait(&run);
        }
        run.world.fuse.calm();
        is_at_peace(&mut run);
        assert!(is_here(&run.world.disk) && is_there(&run.world.drive), "{call:?}");
    }
}

#[test]
fn a_crash_right_after_an_answer_without_an_effect_undoes_nothing_here() {
    for (did, call, is_here, is_there) in CASES {
        for step in 1.. {
            let mut run = prepared(step, did);
            run.world.fuse.script(call, 0, Fault::NoEffect);
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            run.world.restart(Crash::Kill);
            run.world.fuse.calm();
            is_at_peace(&mut run);
            assert!(is_here(&run.world.disk) && is_there(&run.world.drive), "{call:?}, step {step}");
            if done {
                break;
            }
        }
    }
}
