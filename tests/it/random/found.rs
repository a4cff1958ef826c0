//! What long runs of seeds found, by name: each is the kind of a history that once failed, at each step where it can matter.

use std::time::Duration;

use icloudds::engine::pass::{LocalLook, Look, RemoteLook};
use icloudds::model::{ItemId, RelPath};

use super::history::Twist;
use super::oracle;
use super::run::Run;
use super::scenarios::{is_at_peace, pass, passes, wait, world};
use crate::sim::{Call, Crash, Fault, SimDisk, SimDrive};

/// What a person does here; whether it could be done.
type Deed = fn(&SimDisk) -> bool;

/// Both sides hold `a` and the folders `d`, with `x` and the folder `s` in it, and `e`, with `y` in it.
fn two_folders(seed: u64, twists: &[Twist]) -> Run {
    let mut run = world(seed, twists);
    let disk = run.world.disk.clone();
    assert!(disk.mkdir("d") && disk.mkdir("e") && disk.mkdir("d/s") && disk.write("a", b"content of a"));
    assert!(disk.write("d/x", b"content of x") && disk.write("e/y", b"content of y"));
    assert!(disk.write("d/s/z", b"content of z"));
    pass(&mut run);
    pass(&mut run);
    run
}

fn ids(drive: &SimDrive, paths: &[&str]) -> Vec<Option<ItemId>> {
    paths.iter().map(|path| drive.find(path)).collect()
}

fn folders(paths: &[&str]) -> Look {
    let folders = paths.iter().map(|path| RelPath::parse(path).expect("a path")).collect();
    Look { local: LocalLook::Folders(folders), remote: RemoteLook::Whole }
}

#[test]
fn a_move_during_a_look_keeps_the_ids_on_icloud() {
    // What is moved, and where what was at the first paths is found afterwards.
    let moves: [(Deed, &[&str], &[&str]); 8] = [
        (|disk| disk.mv("d/x", "e/x"), &["d/x"], &["e/x"]),
        (|disk| disk.mv("e/y", "d/y"), &["e/y"], &["d/y"]),
        (|disk| disk.mv("d/x", "x"), &["d/x"], &["x"]),
        (|disk| disk.mv("a", "e/a"), &["a"], &["e/a"]),
        (|disk| disk.mv("d/s", "e/s"), &["d/s", "d/s/z"], &["e/s", "e/s/z"]),
        (|disk| disk.mv("e", "d/e"), &["e", "e/y"], &["d/e", "d/e/y"]),
        (
            |disk| disk.mv("d/x", "t") && disk.mv("e/y", "d/x") && disk.mv("t", "e/y"),
            &["d/x", "e/y"],
            &["e/y", "d/x"],
        ),
        (|disk| disk.mv("d/s/z", "e/z") && disk.mv("d/x", "d/s/z"), &["d/s/z", "d/x"], &["e/z", "d/s/z"]),
    ];
    let looks = [Look::whole(), folders(&["", "d", "d/s", "e"]), folders(&["e", "d"])];
    for (deed, before, after) in moves {
        for look in &looks {
            for (twists, ticks) in [(&[][..], 0), (&[Twist::NoBirths], 3), (&[Twist::Late(8)], 3)] {
                for step in 1.. {
                    let mut run = two_folders(step, twists);
                    let (disk, drive, clock) =
                        (run.world.disk.clone(), run.world.drive.clone(), run.world.clock.clone());
                    let known = ids(&drive, before);
                    let contents = disk.tree().len();
                    run.world.fuse.interject(step, move || {
                        clock.advance(Duration::from_millis(ticks));
                        assert!(deed(&disk));
                        clock.advance(Duration::from_millis(ticks));
                    });
                    let begin = run.world.fuse.steps();
                    drop(run.run(look, true));
                    let over = begin + step > run.world.fuse.steps();
                    is_at_peace(&mut run);
                    if over {
                        break;
                    }
                    assert_eq!(ids(&drive, after), known, "step {step}, {look:?}: {before:?} to {after:?}");
                    assert_eq!(drive.tree().len(), contents, "step {step}: {:?}", drive.tree());
                }
            }
        }
    }
}

#[test]
fn what_may_be_where_nobody_can_look_was_not_moved_over() {
    let mut run = two_folders(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    let known = ids(&drive, &["a", "d/x"]);
    assert!(disk.mv("a", "t") && disk.mv("d/x", "a") && disk.mv("t", "d/x") && disk.readable("d", false));
    for _ in 0..4 {
        wait(&run);
        passes(&mut run);
    }
    assert!(disk.readable("d", true));
    is_at_peace(&mut run);
    assert_eq!(ids(&drive, &["d/x", "a"]), known);
    assert!(disk.trash_contents().is_empty(), "{:?}", disk.trash_contents());
}

/// A folder that stays on one side for what is never synced in it, and that has left the folder which goes.
#[test]
fn a_folder_that_is_kept_on_one_side_outlives_the_one_that_held_it() {
    let moves: [Deed; 4] = [
        |disk| disk.mv("h/k", "k"),
        |disk| disk.mkdir("new") && disk.mv("h/k", "new/k"),
        |disk| disk.mv("h/k", "k") && disk.mv("h", "k/h"),
        |disk| disk.mv("h/k", "t") && disk.mv("f", "h/k") && disk.mv("t", "f"),
    ];
    for deed in moves {
        for early in [true, false] {
            let mut run = world(1, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("h") && disk.mkdir("h/k") && disk.write("f", b"content of f"));
            pass(&mut run);
            assert!(disk.special("h/k/link"));
            pass(&mut run);
            let id = drive.find("h/k").expect("it was made");
            if early {
                // Kept here only, before it is moved.
                assert!(drive.person_trash("h/k"));
                pass(&mut run);
                assert!(deed(&disk) && drive.person_trash("h"));
            } else {
                assert!(deed(&disk) && drive.person_trash("h"));
            }
            is_at_peace(&mut run);
            let made_again = drive.below(&ItemId::drive_root()).into_iter().filter(|below| {
                drive.item(below).is_some_and(|item| item.is_folder() && item.name == "k") && *below != id
            });
            assert_eq!(made_again.count(), 0, "{:?}", drive.tree());
        }
    }
}

#[test]
fn a_folder_that_is_kept_on_icloud_outlives_the_one_that_held_it() {
    for twists in [&[][..], &[Twist::UploadOnly]] {
        let mut run = world(1, twists);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("h") && disk.mkdir("h/k") && disk.mkdir("h/k/l"));
        pass(&mut run);
        assert!(drive.create("h/k/own.ign", b"of no concern").is_some());
        assert!(drive.move_to("h/k", "") && disk.delete("h"));
        is_at_peace(&mut run);
        assert!(drive.find("k/own.ign").is_some() && disk.tree().is_empty(), "{:?}", disk.tree());
    }
}

#[test]
fn a_folder_that_changed_places_with_an_ignored_one_keeps_nothing_busy() {
    for twists in [&[][..], &[Twist::DownloadOnly], &[Twist::UploadOnly]] {
        let mut run = world(1, twists);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        if twists == [Twist::UploadOnly] {
            assert!(disk.mkdir("f") && disk.write("f/g", b"inside"));
        } else {
            assert!(drive.mkdir("f").is_some() && drive.create("f/g", b"inside").is_some());
        }
        pass(&mut run);
        assert!(disk.mkdir("own.ign") && disk.write("own.ign/w", b"of no concern"));
        assert!(disk.mv("f", "t") && disk.mv("own.ign", "f") && disk.mv("t", "own.ign"));
        is_at_peace(&mut run);
    }
}

#[test]
fn what_moved_into_a_folder_that_is_set_aside_is_told() {
    let mut run = world(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("d") && disk.write("c", b"as agreed"));
    pass(&mut run);
    assert!(disk.delete("d") && disk.special("d"));
    pass(&mut run);
    assert!(drive.move_to("c", "d") && drive.person_rename("d", "e"));
    is_at_peace(&mut run);
    assert!(drive.find("e/c").is_some() && disk.read("c").is_some());
}

#[test]
fn what_cannot_get_its_own_name_back_on_icloud_is_told_until_it_can() {
    let mut run = world(1, &[Twist::RemoteFoldsCase]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(drive.create("C", b"the capital").is_some());
    assert!(drive.create(".icloudds-moving-0-c", b"left by another machine").is_some());
    is_at_peace(&mut run);
    let told = |run: &Run| {
        run.world.store.durable().set_aside.into_iter().map(|(path, it)| (path.to_string(), it.reason))
    };
    let why = "`C` has this name on iCloud, which takes no difference in case";
    assert_eq!(told(&run).collect::<Vec<_>>(), [("c".to_owned(), why.to_owned())]);
    assert!(drive.person_rename("C", "D"));
    run.world.clock.advance(Duration::from_secs(7200));
    is_at_peace(&mut run);
    assert_eq!(told(&run).count(), 0);
    assert_eq!(disk.read("c").as_deref(), Some(&b"left by another machine"[..]));
}

#[test]
fn a_name_of_three_on_a_disk_that_folds_case_is_kept_by_the_two_that_meet() {
    let mut run = world(1, &[Twist::LocalFoldsCase]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(drive.create("a", b"made there").is_some() && disk.write("A", b"made here, longer"));
    assert!(drive.mkdir("A").is_some());
    is_at_peace(&mut run);
    assert_eq!(disk.read("a").as_deref(), Some(&b"made there"[..]));
}

#[test]
fn an_edit_goes_up_into_a_folder_whose_own_move_is_set_aside() {
    let mut run = world(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("c") && disk.mkdir("d") && disk.mkdir("d/b") && disk.write("d/b/x", b"as agreed"));
    pass(&mut run);
    assert!(disk.special("c/d"));
    pass(&mut run);
    assert!(
        drive.move_to("d", "c") && disk.write("d/b/x", b"edited here") && disk.write("d/b/n", b"new here")
    );
    is_at_peace(&mut run);
    assert_eq!(drive.live_contents().iter().filter(|content| content.ends_with(b"here")).count(), 2);
}

#[test]
fn a_version_beside_another_one_of_its_name_is_not_deleted() {
    for twists in [&[Twist::TrashWay][..], &[Twist::TrashWay, Twist::TakenError], &[Twist::SmallGuard]] {
        let mut run = world(1, twists);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        for name in ["x", "y", "z"] {
            assert!(disk.write(name, b"as agreed") && disk.write(&format!("more {name}"), b"more"));
        }
        pass(&mut run);
        let id = drive.find("x").expect("it was uploaded");
        assert!(drive.twin("x", b"a second one of the name").is_some());
        for name in ["x", "y", "z"] {
            assert!(disk.write(name, format!("edited {name}").as_bytes()));
        }
        is_at_peace(&mut run);
        assert!(!drive.trashed().contains(&id), "nobody deleted it");
    }
}

#[test]
fn an_edit_of_the_same_size_in_the_same_second_is_seen() {
    for twists in [&[Twist::NotInPlace][..], &[Twist::TrashWay], &[]] {
        for (lost, crash) in [(false, None), (true, None), (false, Some(Crash::Kill))] {
            for step in 1.. {
                let mut run = world(step, twists);
                let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
                assert!(disk.write("a", b"as agreed"));
                pass(&mut run);
                // The clock stands at the same second until the program waits.
                assert!(disk.write("a", b"edit here!"));
                let person = drive.clone();
                run.world.fuse.interject(step, move || {
                    let live = person.find("a");
                    if let Some(id) = live {
                        person.edit_id(&id, b"edit there");
                    }
                });
                if lost {
                    run.world.fuse.script(Call::Commit, 0, Fault::LostAnswer);
                }
                if crash.is_some() {
                    run.world.fuse.crash_after(step + 1);
                }
                let begin = run.world.fuse.steps();
                let done = passes(&mut run);
                let over = begin + step > run.world.fuse.steps();
                run.world.fuse.calm();
                if let Some(how) = crash.filter(|_| !done) {
                    run.world.restart(how);
                }
                if let Err(broken) = oracle::at_any_time(&run).and_then(|()| oracle::after_quiet(&mut run)) {
                    panic!("{twists:?}, lost {lost}, {crash:?}, step {step}: {broken}");
                }
                if over {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_replacement_that_never_began_is_settled_where_nothing_is_said_to_be_gone() {
    for step in 1.. {
        let mut run = world(step, &[Twist::NeverGone, Twist::TrashWay]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("a", b"as agreed"));
        pass(&mut run);
        assert!(disk.write("a", b"edited here"));
        wait(&run);
        let person = drive.clone();
        run.world.fuse.interject(step, move || {
            person.person_rename("a", "z");
        });
        let begin = run.world.fuse.steps();
        assert!(passes(&mut run));
        let over = begin + step > run.world.fuse.steps();
        is_at_peace(&mut run);
        if over {
            break;
        }
    }
}

#[test]
fn what_came_into_a_folder_unseen_is_not_deleted_for_good() {
    for step in 0.. {
        let mut run = world(step, &[Twist::Late(8), Twist::Permanent]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(drive.mkdir("a").is_some() && drive.create("a/known", b"seen by all").is_some());
        pass(&mut run);
        pass(&mut run);
        assert!(disk.delete("a"));
        wait(&run);
        let person = drive.clone();
        run.world.fuse.interject(step, move || drop(person.create("a/new", b"made in this moment")));
        let begin = run.world.fuse.steps();
        assert!(passes(&mut run));
        let over = begin + step > run.world.fuse.steps();
        is_at_peace(&mut run);
        if over {
            break;
        }
    }
    // And what everybody saw does go.
    let mut run = world(1, &[Twist::Permanent]);
    let drive = run.world.drive.clone();
    assert!(drive.mkdir("a").is_some() && drive.create("a/known", b"seen by all").is_some());
    pass(&mut run);
    assert!(run.world.disk.delete("a"));
    is_at_peace(&mut run);
    assert!(drive.trashed().is_empty(), "it was deleted for good");
}

/// Two items change places over two folders, by way of a temporary name, and one of the folders is deleted meanwhile.
#[test]
fn what_was_lent_a_name_does_not_go_back_into_a_folder_that_was_deleted() {
    for step in 1.. {
        let mut run = world(step, &[Twist::IntoTrashed]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("h") && disk.mkdir("h/f") && disk.write("g", b"content of g"));
        pass(&mut run);
        assert!(disk.mv("g", "t") && disk.mv("h/f", "g") && disk.mv("t", "h/f"));
        assert!(drive.create("h/f/late", b"came late").is_some());
        wait(&run);
        let person = drive.clone();
        run.world.fuse.interject(step, move || assert!(person.person_trash("h")));
        let begin = run.world.fuse.steps();
        passes(&mut run);
        let over = begin + step > run.world.fuse.steps();
        is_at_peace(&mut run);
        if over {
            break;
        }
    }
}

#[test]
fn folders_that_change_places_in_a_circle_come_through_a_crash_at_any_point() {
    for (crash, twists) in
        [(Crash::Kill, &[][..]), (Crash::Kill, &[Twist::EtagNever]), (Crash::PowerCut, &[])]
    {
        for step in 1.. {
            let mut run = world(step, twists);
            let disk = run.world.disk.clone();
            for folder in ["b", "b/inner", "top"] {
                assert!(disk.mkdir(folder));
            }
            assert!(disk.write("b/inner/file", b"inside") && disk.write("top/other", b"at the top"));
            pass(&mut run);
            let drive = run.world.drive.clone();
            let before = ids(&drive, &["b", "b/inner", "top", "b/inner/file"]);
            // The inner one comes out and holds the outer one, which holds the one whose name the inner one has now.
            assert!(disk.mv("top", "b/held") && disk.mv("b/inner", "top") && disk.mv("b", "top/outer"));
            assert!(disk.write("b", b"what has the name of the outer one now"));
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            run.world.restart(crash);
            is_at_peace(&mut run);
            assert_eq!(
                ids(&drive, &["top/outer", "top", "top/outer/held", "top/file"]),
                before,
                "step {step}"
            );
            if done {
                break;
            }
        }
    }
}

#[test]
fn folders_of_one_name_within_each_other_change_places_once_where_nothing_has_an_identity() {
    for crash in [Crash::Kill, Crash::PowerCut] {
        for step in 1.. {
            let mut run = world(step, &[Twist::NoIdentities]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("a") && disk.mkdir("b") && disk.mkdir("a/a"));
            pass(&mut run);
            assert!(drive.move_to("a", "b") && drive.person_rename("b", "a"));
            assert!(disk.mkdir("a/a/a"));
            wait(&run);
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            run.world.restart(crash);
            is_at_peace(&mut run);
            let there: Vec<String> = drive.tree().into_keys().collect();
            if done {
                assert_eq!(there, ["a", "a/a", "a/a/a", "a/a/a/a"]);
                break;
            }
            // After a crash nobody can tell which of them has the temporary name: one may come twice, and no more than that.
            assert!(there.len() <= 8, "{crash:?}, step {step}: {there:?}");
        }
    }
}

#[test]
fn a_folder_that_is_put_back_before_it_goes_for_good_stays() {
    let mut put_back = 0;
    for call in [Call::Pause, Call::List] {
        for skip in 0..12 {
            let mut run = world(skip, &[Twist::Permanent]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("d") && disk.write("d/f", b"put back"));
            pass(&mut run);
            assert!(disk.delete("d"));
            wait(&run);
            let person = drive.clone();
            run.world.fuse.interject_at(call, skip, move || {
                for id in person.trashed() {
                    person.person_put_back(&id);
                }
            });
            passes(&mut run);
            put_back += usize::from(drive.find("d/f").is_some());
            is_at_peace(&mut run);
        }
    }
    assert!(put_back > 0, "nothing was put back in time");
}
