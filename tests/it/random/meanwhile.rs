//! What a person does while the program is at work on the same item, at each of its steps in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use icloudds::engine::pass::Look;

use super::history::Twist;
use super::scenarios::{is_at_peace, passes, wait, world};
use crate::sim::{Call, Crash, Fault, Outcome, SimDisk, SimDrive};

/// What a person does; whether it could be done.
type Deed = fn(&SimDisk, &SimDrive) -> bool;

/// What else goes wrong.
#[derive(Default)]
struct Trouble {
    twists: Vec<Twist>,
    /// What the first call of that kind meets.
    fault: Option<(Call, Fault)>,
    /// The program crashes so many steps after the person's deed.
    crash: Option<(u64, Crash)>,
    /// So many passes may end early after that.
    patience: usize,
}

/// Both sides hold `a`, `c` and the folders `d`, with `d/x` in it, and `e`; `before` happens, and while the program
/// carries that out, `meanwhile`, once at each step. Then `check` looks at what came of it, where it could be done.
fn at_each_step(trouble: &Trouble, before: Deed, meanwhile: Deed, mut check: impl FnMut(&SimDrive, u64)) {
    for step in 1.. {
        let mut run = world(step, &trouble.twists);
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
        if let Some((call, fault)) = trouble.fault {
            run.world.fuse.script(call, 0, fault);
        }
        if let Some((steps, _)) = trouble.crash {
            run.world.fuse.crash_after(step + steps);
        }
        let begin = run.world.fuse.steps();
        let crashed = !passes(&mut run);
        let over = begin + step > run.world.fuse.steps();
        run.world.fuse.calm();
        if let Some((_, how)) = trouble.crash.filter(|_| crashed) {
            run.world.restart(how);
        }
        for _ in 0..trouble.patience {
            wait(&run);
            passes(&mut run);
        }
        is_at_peace(&mut run);
        if done.load(Ordering::Relaxed) {
            check(&drive, step);
        }
        if over {
            break;
        }
    }
}

/// Crashes at once and a little later, of both kinds, and none.
fn crashes(twists: &[Twist]) -> Vec<Trouble> {
    let some = [1, 3, 4]
        .into_iter()
        .map(|steps| (steps, if steps % 2 == 0 { Crash::Kill } else { Crash::PowerCut }));
    let crashes = some.map(Some).chain([None]);
    crashes.map(|crash| Trouble { twists: twists.to_vec(), crash, ..Trouble::default() }).collect()
}

#[test]
fn a_move_on_icloud_is_not_undone_by_one_of_ours() {
    let moves_here: [Deed; 3] =
        [|disk, _| disk.mv("a", "b"), |disk, _| disk.mv("a", "d/a"), |disk, _| disk.mv("a", "d/b")];
    for before in moves_here {
        at_each_step(
            &Trouble::default(),
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
            &Trouble::default(),
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

#[test]
fn a_name_that_a_person_gives_after_ours_whose_answer_was_lost_stays() {
    let lost = Trouble { fault: Some((Call::RenameRemote, Fault::LostAnswer)), ..Trouble::default() };
    let rename: Deed = |_, drive| drive.person_rename("b", "z");
    at_each_step(
        &lost,
        |disk, _| disk.mv("a", "b"),
        rename,
        |drive, step| {
            assert!(drive.find("z").is_some(), "step {step}: {:?}", drive.tree());
        },
    );
}

/// Edits what `a`, or `b`, is on iCloud by now, wherever it is, and leaves it as long as what is written here.
fn edit_there(_: &SimDisk, drive: &SimDrive) -> bool {
    ["b", "d/b", "d/a", "a"].into_iter().any(|at| drive.edit(at, b"edit there!"))
}

#[test]
fn a_version_that_came_a_moment_ago_and_was_edited_is_not_taken_for_ours() {
    let edits_here: [Deed; 3] = [
        |disk, _| disk.write("a", b"edited here"),
        |disk, _| disk.mv("a", "d/b") && disk.write("d/b", b"edited here"),
        |disk, _| disk.delete("a") && disk.mv("c", "a"),
    ];
    for before in edits_here {
        for twists in [&[Twist::TrashWay][..], &[]] {
            for trouble in crashes(twists) {
                at_each_step(&trouble, before, edit_there, |_, _| ());
            }
            let lost = Trouble {
                twists: twists.to_vec(),
                fault: Some((Call::Commit, Fault::LostAnswer)),
                ..Trouble::default()
            };
            at_each_step(&lost, before, edit_there, |_, _| ());
        }
    }
}

#[test]
fn a_new_file_whose_answer_is_lost_and_that_was_edited_is_not_taken_for_ours() {
    let lost = Trouble { fault: Some((Call::Commit, Fault::LostAnswer)), ..Trouble::default() };
    at_each_step(&lost, |disk, _| disk.write("b", b"edited here"), edit_there, |_, _| ());
}

#[test]
fn a_replacement_whose_folder_went_to_the_trash_keeps_nothing_waiting() {
    for trouble in crashes(&[Twist::TrashWay]) {
        at_each_step(
            &trouble,
            |disk, _| disk.mv("a", "d/b") && disk.write("d/b", b"edited here"),
            |_, drive| drive.person_trash("d"),
            |_, _| (),
        );
    }
}

#[test]
fn an_edit_in_a_folder_that_is_being_deleted_is_kept_after_a_crash() {
    for trouble in crashes(&[]) {
        at_each_step(
            &trouble,
            |disk, _| disk.delete("d"),
            |_, drive| drive.edit("d/x", b"edited there in this moment"),
            |_, _| (),
        );
    }
}

#[test]
fn what_the_service_never_admits_to_be_gone_keeps_nothing_waiting() {
    let here: [Deed; 3] = [
        |disk, _| disk.delete("d"),
        |disk, _| disk.mv("a", "d/b") && disk.write("d/b", b"edited here"),
        |disk, _| disk.mv("a", "t") && disk.mv("c", "a") && disk.mv("t", "c"),
    ];
    for before in here {
        for trouble in crashes(&[Twist::NeverGone, Twist::Permanent, Twist::TrashWay]) {
            // What goes while the program is stopped goes for good.
            let purge: Deed = |_, drive| {
                let all: Vec<_> = ["a", "c", "d"].iter().filter_map(|at| drive.find(at)).collect();
                all.iter().any(|id| drive.delete_for_good(id))
            };
            at_each_step(&Trouble { patience: 4, ..trouble }, before, purge, |_, _| ());
        }
    }
}

#[test]
fn what_is_edited_on_icloud_while_a_busy_service_is_waited_for_is_kept() {
    let edits_here: [Deed; 3] = [
        |disk, _| disk.write("a", b"edited here"),
        |disk, _| disk.mv("a", "d/b") && disk.write("d/b", b"edited here"),
        |disk, _| disk.delete("a") && disk.mv("c", "a"),
    ];
    for before in edits_here {
        for call in [Call::Commit, Call::MoveRemote, Call::RenameRemote, Call::TrashRemote] {
            for twists in [&[Twist::TrashWay][..], &[]] {
                let fault = Some((call, Fault::Busy));
                let busy = Trouble { twists: twists.to_vec(), fault, ..Trouble::default() };
                at_each_step(&busy, before, edit_there, |_, _| ());
            }
        }
    }
}

#[test]
fn a_file_that_comes_back_while_a_busy_service_is_waited_for_is_not_deleted() {
    let busy = Trouble { fault: Some((Call::TrashRemote, Fault::Busy)), ..Trouble::default() };
    let mut unchanged = Vec::new();
    let come_back: Deed = |disk, drive| drive.find("a").is_some() && disk.write("a", b"content of a");
    at_each_step(
        &busy,
        |disk, _| disk.delete("a"),
        come_back,
        |drive, step| {
            assert!(drive.find("a").is_some(), "step {step}");
            unchanged.extend(drive.trashed().is_empty().then_some(step));
        },
    );
    // All but the call itself: before it, while it is waited for, and between the looks.
    assert!(unchanged.len() > 10, "{unchanged:?}");
}

#[test]
fn a_file_that_changes_here_while_the_replaced_version_lies_in_the_trash_goes_up_as_it_is() {
    let fault = Some((Call::Commit, Fault::Busy));
    let busy = Trouble { twists: vec![Twist::TrashWay], fault, ..Trouble::default() };
    let edits_here: [Deed; 2] =
        [|disk, _| disk.write("a", b"edited once more"), |disk, _| disk.mv("a", "d/b")];
    for edit in edits_here {
        at_each_step(
            &busy,
            |disk, _| disk.write("a", b"edited here"),
            edit,
            |drive, step| {
                let copies = drive.tree().into_keys().filter(|name| name.contains("conflict")).count();
                assert_eq!(copies, 0, "step {step}: {:?}", drive.tree());
            },
        );
    }
}
