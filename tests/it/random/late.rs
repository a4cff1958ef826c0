//! Answers that are long under way, and a process that stands still between two calls: what was looked at is not fresh for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use icloudds::engine::pass::Look;

use super::history::Twist;
use super::scenarios::{is_at_peace, passes, wait, world};
use crate::sim::{Call, Fault, Outcome, SimDisk, SimDrive};

type Deed = fn(&SimDisk, &SimDrive) -> bool;

/// How somebody else comes to act between a look and the call that rests on it.
#[derive(Clone, Copy, Debug)]
enum Gap {
    /// The answer to a look-up is under way for 12 s.
    LateAnswer,
    /// The process stands still for 15 s.
    Stopped,
}

/// Both sides hold `a`, `c` and the folder `d`; `before` happens, and while the program carries that out, `meanwhile`, once in each gap.
fn in_each_gap(twists: &[Twist], before: Deed, meanwhile: Deed, check: fn(&SimDrive) -> bool) {
    for gap in [Gap::LateAnswer, Gap::Stopped] {
        let (mut acted, mut overridden) = (0, Vec::new());
        for nth in 0.. {
            let mut run = world(nth, twists);
            let (disk, drive, clock) =
                (run.world.disk.clone(), run.world.drive.clone(), run.world.clock.clone());
            assert!(disk.write("a", b"content of a") && disk.write("c", b"content of c") && disk.mkdir("d"));
            assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))));
            wait(&run);
            assert!(before(&disk, &drive));
            wait(&run);
            let done = Arc::new(AtomicBool::new(false));
            let (here, there, tell) = (disk.clone(), drive.clone(), done.clone());
            let begin = run.world.fuse.steps();
            let looks = run.world.fuse.calls().get(&Call::LookUp).copied().unwrap_or_default();
            match gap {
                Gap::LateAnswer => {
                    run.world.fuse.script(Call::LookUp, nth, Fault::LateAnswer);
                    let act = move || tell.store(meanwhile(&here, &there), Ordering::Relaxed);
                    run.world.fuse.interject_at(Call::SlowAnswer, 0, act);
                }
                Gap::Stopped => run.world.fuse.interject(nth, move || {
                    clock.advance(Duration::from_secs(15));
                    tell.store(meanwhile(&here, &there), Ordering::Relaxed);
                }),
            }
            passes(&mut run);
            let over = match gap {
                Gap::LateAnswer => run.world.fuse.calls().get(&Call::LookUp).copied() <= Some(looks + nth),
                Gap::Stopped => run.world.fuse.steps() < begin + nth,
            };
            run.world.fuse.calm();
            run.world.fuse.await_no_more();
            is_at_peace(&mut run);
            if over {
                break;
            }
            if done.load(Ordering::Relaxed) {
                acted += 1;
                overridden.extend((!check(&drive)).then_some(nth));
            }
        }
        assert!(acted > 0, "{gap:?}: nobody acted in it");
        // The service carries out whatever comes, so what happens within a call, of which a move may need two, is beyond us.
        let beyond = if matches!(gap, Gap::Stopped) { 2 } else { 0 };
        assert!(overridden.len() <= beyond, "{gap:?}: {overridden:?}");
    }
}

fn edit_there(_: &SimDisk, drive: &SimDrive) -> bool {
    drive.edit("a", b"edited on the phone")
}

/// That no content is lost the oracle sees to.
#[test]
fn an_edit_that_comes_while_the_look_before_a_replacement_is_under_way_is_not_overwritten() {
    let edits: [Deed; 2] = [
        |disk, _| disk.write("a", b"edited here"),
        |disk, _| disk.write("a", b"edited here") && disk.write("c", b"edited here too"),
    ];
    for edit in edits {
        in_each_gap(&[], edit, edit_there, |_| true);
        in_each_gap(&[Twist::TrashWay], edit, edit_there, |_| true);
    }
}

#[test]
fn a_name_or_place_that_a_person_gives_while_a_look_is_under_way_stays() {
    let moves: [Deed; 3] =
        [|disk, _| disk.mv("a", "b"), |disk, _| disk.mv("a", "d/a"), |disk, _| disk.mv("a", "d/b")];
    for before in moves {
        in_each_gap(
            &[],
            before,
            |_, drive| drive.person_rename("a", "z"),
            |drive| drive.tree().keys().any(|path| path == "z" || path == "d/z"),
        );
    }
}

/// A link so slow that each answer is late: what was changed here comes to iCloud all the same, the edit by the way that keeps the old version.
#[test]
fn where_each_answer_is_late_all_work_is_done() {
    let mut run = world(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.write("a", b"content of a") && disk.write("c", b"content of c") && disk.mkdir("d"));
    assert!(disk.write("e", b"content of e"));
    assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))));
    wait(&run);
    assert!(disk.write("a", b"edited here") && disk.mv("c", "d/b") && disk.delete("e"));
    wait(&run);
    run.world.fuse.rate(Fault::LateAnswer, 1.0);
    for _ in 0..3 {
        passes(&mut run);
        wait(&run);
    }
    run.world.fuse.calm();
    let paths: Vec<_> = drive.tree().into_keys().collect();
    assert_eq!(paths, ["a", "d", "d/b"]);
    let live = drive.live_contents();
    assert!(live.iter().any(|content| **content == *b"edited here"));
    assert!(drive.contents().iter().any(|content| **content == *b"content of a"), "the old version is kept");
    is_at_peace(&mut run);
}
