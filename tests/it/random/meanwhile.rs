//! What a person does while the program is at work on the same item, at each of its steps in turn.

use icloudds::engine::pass::Look;

use super::scenarios::{is_at_peace, passes, wait, world};
use crate::sim::{SimDisk, SimDrive};

type Deed = fn(&SimDisk, &SimDrive);

/// Both sides hold `a`, `c` and the folders `d`, with `d/x` in it, and `e`; `before` happens, and while the program
/// carries that out, `meanwhile`, once at each step. Then `check` looks at what came of it.
fn at_each_step(before: Deed, meanwhile: Deed, check: impl Fn(&SimDisk, &SimDrive, u64)) {
    for step in 1.. {
        let mut run = world(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("a", b"content of a") && disk.write("c", b"content of c"));
        assert!(disk.mkdir("d") && disk.write("d/x", b"content of x") && disk.mkdir("e"));
        assert!(matches!(run.run(&Look::whole(), true), Ok(crate::sim::Outcome::Done(Ok(_)))));
        wait(&run);
        before(&disk, &drive);
        wait(&run);
        let (here, there) = (disk.clone(), drive.clone());
        run.world.fuse.interject(step, move || meanwhile(&here, &there));
        let begin = run.world.fuse.steps();
        assert!(passes(&mut run));
        let over = begin + step > run.world.fuse.steps();
        is_at_peace(&mut run);
        check(&disk, &drive, step);
        if over {
            break;
        }
    }
}

#[test]
fn a_move_on_icloud_is_not_undone_by_one_of_ours() {
    let moves_here: [Deed; 3] = [
        |disk, _| assert!(disk.mv("a", "b")),
        |disk, _| assert!(disk.mv("a", "d/a")),
        |disk, _| assert!(disk.mv("a", "d/b")),
    ];
    for before in moves_here {
        at_each_step(
            before,
            |_, drive| {
                let now = ["a", "b", "d/a", "d/b"].into_iter().find(|at| drive.find(at).is_some());
                assert!(now.is_some_and(|now| drive.move_to(now, "e")));
            },
            |_, drive, step| {
                let there: Vec<_> = drive.tree().into_keys().filter(|at| at.starts_with("e/")).collect();
                assert_eq!(there.len(), 1, "step {step}: {:?}", drive.tree());
            },
        );
    }
}
