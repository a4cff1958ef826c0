//! Answers that say that something was done which was not done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use icloudds::engine::pass::{LocalLook, Look};

use super::history::Twist;
use super::run::Run;
use super::scenarios::{is_at_peace, passes, wait, world};
use crate::sim::{Call, Crash, Fault, Outcome, SimDisk, SimDrive, Thing};

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
    prepared_with(&[], seed, did)
}

fn prepared_with(twists: &[Twist], seed: u64, did: fn(&SimDisk) -> bool) -> Run {
    let mut run = world(seed, twists);
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
fn an_answer_without_an_effect_counts_for_nothing_where_no_look_shows_what_became_of_it() {
    const LOOKS: u64 = 8;
    for look in 0..LOOKS {
        for (did, call, is_here, is_there) in CASES.into_iter().filter(|case| case.1 != Call::TrashRemote) {
            let mut run = prepared(look, did);
            run.world.fuse.script(call, 0, Fault::NoEffect);
            run.world.fuse.script(Call::LookUp, look, Fault::NoAnswer);
            assert!(passes(&mut run));
            wait(&run);
            assert!(passes(&mut run));
            is_at_peace(&mut run);
            assert!(is_here(&run.world.disk) && is_there(&run.world.drive), "{call:?}, look {look}");
        }
        let edit = MAKING.into_iter().filter(|(.., call, _)| *call == Call::Commit);
        for (twists, did, call, skip) in edit {
            let mut run = making(look, (twists, did, call, skip));
            run.world.fuse.script(Call::LookUp, look, Fault::NoAnswer);
            assert!(passes(&mut run));
            wait(&run);
            assert!(passes(&mut run));
            is_at_peace(&mut run);
            assert_eq!(made_here(&run), 1, "{twists:?}, look {look}: {:?}", run.world.drive.tree());
        }
    }
}

/// The connection breaks right after a call that was carried out, and the pass ends. What the next one finds to have come is known
/// before it looks, and it may not look at iCloud at all.
#[test]
fn what_is_found_done_after_a_pass_that_broke_off_is_not_undone_by_what_was_seen_before() {
    let made: [Case; 3] = [
        (
            |disk| disk.write("new", b"made here"),
            Call::Commit,
            |disk| disk.read("new").is_some(),
            |drive| drive.find("new").is_some(),
        ),
        (
            |disk| disk.write("a", b"edited, and longer"),
            Call::Commit,
            |disk| disk.read("a").is_some_and(|content| *content == *b"edited, and longer"),
            |drive| drive.live_contents().iter().any(|content| **content == *b"edited, and longer"),
        ),
        (
            |disk| disk.mkdir("new") && disk.write("new/x", b"made here"),
            Call::CreateFolders,
            |disk| disk.read("new/x").is_some(),
            |drive| drive.find("new").is_some(),
        ),
    ];
    for (did, call, is_here, is_there) in CASES.into_iter().chain(made) {
        let mut run = prepared(1, did);
        let fuse = run.world.fuse.clone();
        run.world.fuse.script(call, 0, Fault::LostAnswer);
        run.world.fuse.interject_at(call, 0, move || fuse.script(Call::LookUp, 0, Fault::Unreachable));
        assert!(passes(&mut run));
        assert!(is_there(&run.world.drive), "{call:?}");
        wait(&run);
        let here = Look { local: LocalLook::Whole, ..Look::default() };
        assert!(matches!(run.run(&here, true), Ok(Outcome::Done(Ok(_)))), "{call:?}");
        assert!(
            is_here(&run.world.disk) && is_there(&run.world.drive),
            "{call:?}: {:?}",
            run.world.disk.tree()
        );
        is_at_peace(&mut run);
        assert!(is_here(&run.world.disk) && is_there(&run.world.drive), "{call:?}");
    }
}

/// What came although its answer was lost is renamed, moved or deleted there before anybody finds it: in the same pass, or after that
/// broke off. The base learns it as it was sent, and that is a change like any other.
#[test]
fn what_a_person_does_there_with_what_came_unnoticed_stays_done() {
    type Making = (&'static [Twist], fn(&SimDisk) -> bool, Call, &'static str);
    let made: [Making; 6] = [
        (&[], |disk| disk.write("d/new", b"made here"), Call::Commit, "d/new"),
        (&[], |disk| disk.write("d/x", b"edited, and longer"), Call::Commit, "d/x"),
        (&[Twist::TrashWay], |disk| disk.write("d/x", b"edited, and longer"), Call::Commit, "d/x"),
        (&[], |disk| disk.mv("a", "d/a"), Call::MoveRemote, "d/a"),
        (&[], |disk| disk.mkdir("e") && disk.mv("e", "d/e"), Call::CreateFolders, "d/e"),
        (&[], |disk| disk.mkdir("d/new") && disk.mkdir("d/new/in"), Call::CreateFolders, "d/new"),
    ];
    // And where it is then.
    type Act = (fn(&SimDrive, &str) -> bool, &'static str);
    let acts: [Act; 3] = [
        (|drive, path| drive.person_rename(path, "renamed"), "d/renamed"),
        (|drive, path| drive.mkdir("f").is_some() && drive.move_to(path, "f"), "f"),
        (|drive, path| drive.person_trash(path), ""),
    ];
    for ((twists, did, call, name), (act, place)) in
        made.into_iter().flat_map(|made| acts.map(|act| (made, act)))
    {
        // An edit outweighs a deletion where the two may have met.
        if call == Call::Commit && name == "d/x" && place.is_empty() {
            continue;
        }
        for (looked_at, breaks_off) in
            [(Call::LookUp, false), (Call::List, false), (Call::LookUp, true), (Call::List, true)]
        {
            let mut run = prepared_with(twists, 1, did);
            let (fuse, drive) = (run.world.fuse.clone(), run.world.drive.clone());
            let acted = Arc::new(AtomicBool::new(false));
            let has_acted = Arc::clone(&acted);
            run.world.fuse.script(call, 0, Fault::LostAnswer);
            run.world.fuse.interject_at(call, 0, move || {
                if breaks_off {
                    fuse.script(looked_at, 0, Fault::Unreachable);
                }
                let acts = move || has_acted.store(act(&drive, name), Ordering::Relaxed);
                fuse.interject_at(looked_at, 0, acts);
            });
            assert!(passes(&mut run));
            run.world.fuse.await_no_more();
            wait(&run);
            is_at_peace(&mut run);
            let drive = &run.world.drive;
            let acted = acted.load(Ordering::Relaxed);
            let at = format!(
                "{twists:?} {call:?} {name} {place:?} {looked_at:?} {breaks_off}: {:?}",
                drive.tree()
            );
            let place = if place == "f" { name.replacen('d', "f", 1) } else { place.to_owned() };
            assert!(place.is_empty() || drive.find(&place).is_some() == acted, "{at}");
            // A folder whose id nobody learnt may be made once more.
            let is_one = call == Call::CreateFolders || acted != drive.find(name).is_some();
            assert!(is_one, "{at}");
        }
    }
}

/// Who deletes a file on the phone before, or right after, an edit of it comes whose answer is lost, as is a look for it, has not seen it.
#[test]
fn an_edit_outweighs_a_deletion_that_cannot_have_seen_it() {
    let cases = [Call::Commit, Call::LookUp].into_iter().flat_map(|at| [(at, false), (at, true)]);
    for ((at, breaks_off), skip) in cases.flat_map(|case| (0..4).map(move |skip| (case, skip))) {
        let mut run = prepared_with(&[], 1, |disk| disk.write("d/x", b"edited, and longer"));
        let (fuse, drive, phone) = (run.world.fuse.clone(), run.world.drive.clone(), run.world.drive.clone());
        let deletes = move || assert!(phone.person_trash("d/x"));
        run.world.fuse.script(Call::Commit, 0, Fault::LostAnswer);
        run.world.fuse.interject_at(Call::Commit, 0, move || {
            if breaks_off {
                fuse.script(Call::LookUp, 0, Fault::Unreachable);
            }
            if at == Call::Commit {
                deletes();
            } else {
                fuse.interject_at(Call::LookUp, 0, deletes);
            }
        });
        assert!(passes(&mut run));
        run.world.fuse.await_no_more();
        run.world.fuse.script(Call::LookUp, skip, Fault::Unreachable);
        passes(&mut run);
        run.world.fuse.calm();
        wait(&run);
        is_at_peace(&mut run);
        let is_there = drive.live_contents().iter().any(|content| **content == *b"edited, and longer");
        assert!(is_there, "{at:?} {breaks_off} {skip}: {:?}", drive.tree());
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

/// What a person does here that makes something on iCloud, the call that is answered without an effect, and how often it comes
/// before.
type Making = (&'static [Twist], fn(&SimDisk) -> bool, Call, u64);

const MAKING: [Making; 6] = [
    (&[], |disk| disk.write("new", b"made here"), Call::Commit, 0),
    (&[], |disk| disk.mkdir("f") && disk.write("f/new", b"made here"), Call::CreateFolders, 0),
    (&[], |disk| disk.mkdir("f") && disk.write("f/new", b"made here"), Call::Commit, 0),
    (&[], |disk| disk.write("a", b"made here"), Call::Commit, 0),
    (&[Twist::TrashWay], |disk| disk.write("a", b"made here"), Call::Commit, 0),
    (&[], |disk| disk.write("new", b"") && disk.write("other", b"made here"), Call::Commit, 1),
];

fn made_here(run: &Run) -> usize {
    let made = |content: &&crate::sim::Bytes| ***content == *b"made here";
    let here =
        run.world.disk.tree().into_values().filter(|thing| *thing == Thing::File((*b"made here").into()));
    here.count().min(run.world.drive.live_contents().iter().filter(made).count())
}

fn making(seed: u64, (twists, did, call, skip): Making) -> Run {
    let mut run = world(seed, twists);
    let disk = run.world.disk.clone();
    assert!(disk.write("a", b"content of a"));
    wait(&run);
    assert!(passes(&mut run));
    wait(&run);
    assert!(did(&disk));
    wait(&run);
    run.world.fuse.script(call, skip, Fault::NothingMade);
    run
}

#[test]
fn what_icloud_confirms_and_never_makes_is_sent_again_and_never_deleted_here() {
    for case in MAKING {
        for restarts in [false, true] {
            let mut run = making(1, case);
            for _ in 0..4 {
                assert!(passes(&mut run));
                if restarts {
                    run.stop();
                }
                wait(&run);
            }
            assert_eq!(made_here(&run), 1, "{:?}: {:?}", case.2, run.world.drive.tree());
            let trashed = run.world.disk.trash_contents();
            assert!(trashed.iter().all(|content| **content != *b"made here"), "{:?}", case.2);
            is_at_peace(&mut run);
        }
    }
}

#[test]
fn a_crash_after_something_was_confirmed_and_never_made_deletes_nothing_here() {
    for case in MAKING {
        for step in 1.. {
            let mut run = making(step, case);
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            run.world.restart(Crash::Kill);
            run.world.fuse.calm();
            is_at_peace(&mut run);
            assert_eq!(made_here(&run), 1, "{:?}, step {step}", case.2);
            if done {
                break;
            }
        }
    }
}

#[test]
fn what_a_person_deletes_for_good_later_stays_deleted() {
    let mut run = making(1, MAKING[0]);
    let drive = run.world.drive.clone();
    for _ in 0..3 {
        assert!(passes(&mut run));
        wait(&run);
    }
    let id = drive.find("new").expect("it came in the end");
    assert!(drive.person_trash("new") && drive.delete_for_good(&id));
    is_at_peace(&mut run);
    assert!(run.world.disk.read("new").is_none() && drive.find("new").is_none());
}

#[test]
fn who_edits_or_deletes_what_was_confirmed_and_never_made_replaces_no_version_that_nobody_saw() {
    let others: [fn(&SimDrive) -> bool; 2] =
        [|drive| drive.edit("a", b"edited there"), |drive| drive.person_trash("a")];
    for case in MAKING.into_iter().filter(|(.., call, _)| *call == Call::Commit) {
        for other in others {
            for step in 1.. {
                let mut run = making(step, case);
                let drive = run.world.drive.clone();
                let begun = run.world.fuse.steps();
                run.world.fuse.interject(step, move || _ = other(&drive));
                assert!(passes(&mut run));
                let is_over = begun + step > run.world.fuse.steps();
                for _ in 0..2 {
                    wait(&run);
                    assert!(passes(&mut run));
                }
                is_at_peace(&mut run);
                if is_over {
                    break;
                }
            }
        }
    }
}

#[test]
fn what_icloud_says_it_put_back_and_left_in_the_trash_is_not_deleted_here() {
    for refusal in [Fault::Refused, Fault::Quota, Fault::Account] {
        for crash in [None, Some(Crash::Kill), Some(Crash::PowerCut)] {
            let mut run = world(1, &[Twist::TrashWay]);
            let disk = run.world.disk.clone();
            assert!(disk.write("a", b"content of a"));
            wait(&run);
            assert!(passes(&mut run));
            wait(&run);
            assert!(disk.write("a", b"made here"));
            wait(&run);
            // The old version is in the trash by then.
            run.world.fuse.script(Call::Commit, 0, refusal);
            run.world.fuse.script(Call::PutBack, 0, Fault::NothingMade);
            for _ in 0..3 {
                passes(&mut run);
                if let Some(crash) = crash {
                    run.world.restart(crash);
                }
                wait(&run);
            }
            let puts_back = run.world.fuse.calls().get(&Call::PutBack).copied().unwrap_or(0);
            assert!(puts_back > 0, "{refusal:?} {crash:?}: nothing was put back");
            is_at_peace(&mut run);
            assert_eq!(made_here(&run), 1, "{refusal:?} {crash:?}: {:?}", run.world.drive.tree());
        }
    }
}

#[test]
fn who_edits_what_was_confirmed_and_not_done_undoes_nothing_here() {
    for (did, call, is_here, is_there) in CASES.into_iter().filter(|case| case.1 != Call::TrashRemote) {
        for step in 1.. {
            let mut run = prepared(step, did);
            let drive = run.world.drive.clone();
            let begun = run.world.fuse.steps();
            run.world.fuse.script(call, 0, Fault::NoEffect);
            run.world.fuse.interject(step, move || {
                let edit = |path: &str| drive.find(path).is_some() && drive.edit(path, b"edited there");
                assert!(["a", "b", "d/a"].into_iter().any(edit) && ["d/x", "e/x"].into_iter().any(edit));
            });
            assert!(passes(&mut run));
            let is_over = begun + step > run.world.fuse.steps();
            for _ in 0..2 {
                wait(&run);
                assert!(passes(&mut run));
            }
            is_at_peace(&mut run);
            assert!(is_here(&run.world.disk) && is_there(&run.world.drive), "{call:?}, step {step}");
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn a_folder_that_something_came_into_comes_back_whatever_is_confirmed() {
    for times in 1..3 {
        for step in 1.. {
            let mut run = world(step, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("d"));
            wait(&run);
            assert!(passes(&mut run));
            wait(&run);
            assert!(disk.delete("d"));
            wait(&run);
            let person = drive.clone();
            let begun = run.world.fuse.steps();
            run.world.fuse.interject(step, move || _ = person.create("d/new", b"came into it"));
            (0..times).for_each(|_| run.world.fuse.script(Call::PutBack, 0, Fault::NothingMade));
            for _ in 0..4 {
                passes(&mut run);
                wait(&run);
            }
            let is_over = begun + step > run.world.fuse.steps();
            run.world.fuse.calm();
            is_at_peace(&mut run);
            if is_over {
                break;
            }
        }
    }
}

/// A listing in brief shows the version alone, and its name is as the last look saw it.
#[test]
fn what_is_put_back_under_another_name_than_the_agreed_one_is_seen_under_it() {
    for (here, there) in [("d/b", "b"), ("d/a", "b"), ("d/b", "a")] {
        let mut run = world(1, &[Twist::TrashWay]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("d") && disk.write("d/a", b"content of a") && disk.write("d/c", b"content of c"));
        wait(&run);
        assert!(passes(&mut run));
        wait(&run);
        assert!(here == "d/a" || disk.mv("d/a", here));
        assert!(there == "a" || drive.person_rename("d/a", there));
        assert!(disk.write(here, b"made here"));
        wait(&run);
        (0..4).for_each(|_| run.world.fuse.script(Call::Commit, 0, Fault::Refused));
        assert!(passes(&mut run));
        let puts_back = run.world.fuse.calls().get(&Call::PutBack).copied().unwrap_or(0);
        assert!(puts_back > 0, "{here} {there}: nothing was put back");
        run.world.fuse.calm();
        is_at_peace(&mut run);
        assert_eq!(made_here(&run), 1, "{here} {there}");
    }
}
