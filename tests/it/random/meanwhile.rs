//! What a person does while the program is at work on the same item, at each of its steps in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use icloudds::engine::pass::Look;

use super::scenarios::{is_at_peace, passes, wait, world};
use crate::sim::{Outcome, SimDisk, SimDrive};

/// What a person does; whether it could be done.
type Deed = fn(&SimDisk, &SimDrive) -> bool;

/// Both sides hold `a`, `c` and the folders `d`, with `d/x` in it, and `e`; `before` happens, and while the program
/// carries that out, `meanwhile`, once at each step. Then `check` looks at what came of it, where it could be done.
fn at_each_step(before: Deed, meanwhile: Deed, mut check: impl FnMut(&SimDrive, u64)) {
    for step in 1.. {
        let mut run = world(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("a", b"content of a") && disk.write("c", b"content of c"));
        assert!(disk.mkdir("d") && disk.write("d/x", b"content of x") && disk.mkdir("e"));
        assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))));
        wait(&run);
        assert!(before(&disk, &drive));
        wait(&run);
        let done = Arc::new(AtomicBool::new(false));
        let (here, there, tell) = (disk.clone(), drive.clone(), done.clone());
        run.world.fuse.interject(step, move || tell.store(meanwhile(&here, &there), Ordering::Relaxed));
        let begin = run.world.fuse.steps();
        assert!(passes(&mut run));
        let over = begin + step > run.world.fuse.steps();
        is_at_peace(&mut run);
        if done.load(Ordering::Relaxed) {
            check(&drive, step);
        }
        if over {
            break;
        }
    }
}

#[test]
fn a_move_on_icloud_is_not_undone_by_one_of_ours() {
    let moves_here: [Deed; 3] =
        [|disk, _| disk.mv("a", "b"), |disk, _| disk.mv("a", "d/a"), |disk, _| disk.mv("a", "d/b")];
    for before in moves_here {
        at_each_step(
            before,
            |_, drive| ["a", "b", "d/a", "d/b"].into_iter().any(|at| drive.move_to(at, "e")),
            |drive, step| {
                let there = drive.tree().into_keys().filter(|at| at.starts_with("e/")).count();
                assert_eq!(there, 1, "step {step}: {:?}", drive.tree());
            },
        );
    }
}

#[test]
fn what_is_renamed_on_icloud_is_looked_at_in_the_call_before() {
    let moves_here: [Deed; 3] = [
        |disk, _| disk.mv("a", "b"),
        |disk, _| disk.mv("a", "d/b"),
        |disk, _| disk.mv("a", "t") && disk.mv("c", "a") && disk.mv("t", "c"),
    ];
    for before in moves_here {
        let mut overridden = Vec::new();
        at_each_step(
            before,
            |_, drive| {
                let id = drive.find("a").and_then(|id| drive.item(&id));
                id.is_some_and(|item| *item.body == *b"content of a") && drive.person_rename("a", "z")
            },
            |drive, step| overridden.extend(drive.find("z").is_none().then_some(step)),
        );
        // The service renames whatever it is by then, so the length of one call is beyond us.
        assert!(overridden.len() <= 2, "{overridden:?}");
    }
}
