//! Named scenarios that random histories once failed in.

use std::time::Duration;

use icloudds::engine::pass::{LocalLook, Look};

use super::history::{History, Twist};
use super::oracle;
use super::run::Run;
use crate::sim::{Crash, Outcome};

/// A world with these twists in which nobody acts but the test.
pub fn world(seed: u64, twists: &[Twist]) -> Run {
    Run::new(
        &History {
            seed,
            twists: twists.to_vec(),
            odd: true,
            apart: false,
            hints: false,
            clocks_are_set: false,
            ops: Vec::new(),
        },
        None,
        false,
    )
}

pub fn wait(run: &Run) {
    run.world.clock.advance(Duration::from_secs(100));
}

/// A whole pass, which comes to its end.
pub fn pass(run: &mut Run) {
    wait(run);
    assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))));
    wait(run);
}

/// A whole pass that may crash on the way; whether it did not.
pub fn passes(run: &mut Run) -> bool {
    matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_)))
}

pub fn is_at_peace(run: &mut Run) {
    if let Err(broken) = oracle::at_any_time(run).and_then(|()| oracle::after_quiet(run)) {
        panic!("{broken}");
    }
}

#[test]
fn a_link_in_the_place_of_a_folder_holds_its_name() {
    let mut run = world(1, &[]);
    assert!(run.world.disk.mkdir("folder") && run.world.disk.write("folder/file", b"inside"));
    pass(&mut run);
    assert!(run.world.disk.delete("folder") && run.world.disk.special("folder"));
    is_at_peace(&mut run);
    assert!(run.world.drive.find("folder/file").is_some(), "nobody deleted it on iCloud");
}

#[test]
fn a_version_that_came_under_a_new_id_is_no_edit_of_the_old_one_after_a_power_cut() {
    for step in 1.. {
        let mut run = world(step, &[]);
        let drive = run.world.drive.clone();
        assert!(drive.create("e.txt", b"the old version").is_some());
        pass(&mut run);
        assert!(drive.person_trash("e.txt"));
        let old = drive.trashed().pop().expect("it is in the trash");
        assert!(drive.create("e.txt", b"the new version").is_some());
        run.world.fuse.crash_after(step);
        let done = passes(&mut run);
        run.world.restart(Crash::PowerCut);
        assert!(drive.person_put_back(&old));
        is_at_peace(&mut run);
        let live = drive.live_contents();
        assert!(live.iter().any(|content| **content == *b"the old version"), "step {step}");
        if done {
            break;
        }
    }
}

#[test]
fn nothing_goes_into_a_folder_that_was_deleted_a_moment_ago() {
    let mut run = world(1, &[Twist::IntoTrashed]);
    let disk = run.world.disk.clone();
    assert!(disk.mkdir("gone") && disk.write("moved", b"moved in") && disk.mkdir("gone/deeper"));
    pass(&mut run);
    assert!(run.world.drive.person_trash("gone"));
    assert!(disk.mv("moved", "gone/deeper/moved") && disk.write("gone/new", b"made in it"));
    let stale = Look { local: LocalLook::Whole, ..Look::default() };
    assert!(matches!(run.run(&stale, true), Ok(Outcome::Done(Ok(_)))));
    is_at_peace(&mut run);
    for path in ["gone/deeper/moved", "gone/new"] {
        assert!(disk.read(path).is_some() && run.world.drive.find(path).is_some(), "{path}");
    }
}

#[test]
fn what_goes_into_a_folder_in_the_moment_of_its_deletion_is_kept() {
    for step in 1.. {
        let mut run = world(step, &[Twist::IntoTrashed]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(
            disk.mkdir("gone") && disk.write("gone/old", b"as it was") && disk.write("moved", b"moved in")
        );
        pass(&mut run);
        assert!(disk.write("gone/one", b"new one") && disk.mkdir("gone/deeper"));
        assert!(disk.write("gone/deeper/two", b"new two") && disk.mv("moved", "gone/deeper/moved"));
        assert!(disk.write("gone/old", b"edited here"));
        wait(&run);
        run.world.fuse.interject(step, move || assert!(drive.person_trash("gone")));
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
fn an_edit_here_that_a_replacement_displaced_just_before_a_crash_comes_back() {
    for step in 1.. {
        let mut over = false;
        for later in 0..4 {
            let mut run = world(step, &[]);
            let disk = run.world.disk.clone();
            assert!(disk.write("f.txt", b"agreed"));
            pass(&mut run);
            assert!(run.world.drive.edit("f.txt", b"edited there"));
            wait(&run);
            let person = disk.clone();
            run.world.fuse.interject(step, move || assert!(person.write("f.txt", b"edited here")));
            run.world.fuse.crash_after(step + later);
            over = passes(&mut run);
            if !over {
                run.world.restart(Crash::Kill);
            }
            is_at_peace(&mut run);
        }
        if over {
            break;
        }
    }
}

#[test]
fn a_pass_that_comes_to_an_early_end_leaves_nothing_at_a_temporary_name() {
    for enough in 0..12 {
        for is_here in [true, false] {
            let mut run = world(1, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(
                disk.write("a", b"content of a") && disk.mkdir("c") && disk.write("c/x", b"content of x")
            );
            pass(&mut run);
            if is_here {
                assert!(disk.mv("a", "t") && disk.mv("c", "a") && disk.mv("t", "c"));
            } else {
                let swapped =
                    [("a", "t"), ("c", "a"), ("t", "c")].map(|(from, to)| drive.person_rename(from, to));
                assert_eq!(swapped, [true; 3]);
            }
            wait(&run);
            assert!(matches!(run.run_for(&Look::whole(), true, Some(enough)), Ok(Outcome::Done(Ok(_)))));
            let names = disk.tree().into_keys().chain(drive.tree().into_keys());
            let lent: Vec<_> = names.filter(|name| name.contains("icloudds")).collect();
            assert!(lent.is_empty(), "after {enough} steps: {lent:?}");
            is_at_peace(&mut run);
            assert!(disk.read("c").is_some() && disk.read("a/x").is_some());
        }
    }
}

#[test]
fn an_edit_between_two_calls_of_one_move_is_kept() {
    for step in 1.. {
        let mut run = world(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("a", b"content of a") && disk.write("b", b"content of b"));
        pass(&mut run);
        let id = drive.find("a").expect("it was uploaded");
        assert!(disk.mv("a", "t") && disk.mv("b", "a") && disk.mv("t", "b"));
        assert!(disk.write("b", b"a, edited here too"));
        wait(&run);
        let person = drive.clone();
        run.world.fuse.interject(step, move || assert!(person.edit_id(&id, b"edited there")));
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
fn a_folder_that_the_service_numbers_is_taken_back() {
    let mut run = world(1, &[Twist::RemoteFoldsCase]);
    assert!(run.world.disk.write("A", b"a file"));
    pass(&mut run);
    assert!(run.world.disk.mkdir("a"));
    is_at_peace(&mut run);
    let names: Vec<_> = run.world.drive.tree().into_keys().collect();
    assert_eq!(names, ["A"], "no numbered folder is left");
}

#[test]
fn a_swap_that_somebody_s_name_blocks_keeps_nothing_else_waiting() {
    let mut run = world(1, &[Twist::RemoteFoldsCase]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.write("D.TXT", b"the first") && disk.write("b", b"the second, longer"));
    pass(&mut run);
    drive.share_to_me("d.txt");
    assert!(disk.mv("D.TXT", "x") && disk.mv("b", "D.TXT") && disk.mv("x", "b"));
    assert!(disk.write("new", b"what waits for nobody"));
    is_at_peace(&mut run);
    assert!(drive.find("new").is_some());
    let mut contents = drive.live_contents();
    contents.retain(|content| **content == *b"the first" || **content == *b"the second, longer");
    assert_eq!(contents.len(), 2);
}

#[test]
fn a_deletion_that_was_cut_short_takes_nothing_that_was_moved() {
    for step in 1.. {
        let mut run = world(step, &[]);
        let disk = run.world.disk.clone();
        assert!(disk.write("moved", b"moved aside") && disk.mkdir("closed"));
        pass(&mut run);
        // Nobody can read where it went, so that it seems to be deleted.
        assert!(disk.mv("moved", "closed/moved") && disk.readable("closed", false));
        wait(&run);
        run.world.fuse.crash_after(step);
        let done = passes(&mut run);
        run.world.restart(Crash::PowerCut);
        is_at_peace(&mut run);
        assert!(disk.read("closed/moved").is_some(), "step {step}");
        if done {
            break;
        }
    }
}

#[test]
fn a_skipped_package_with_an_umlaut_is_looked_at_once() {
    let mut run = world(1, &[Twist::SkipPackages]);
    assert!(run.world.drive.package("Mu\u{308}ll", b"zip").is_some());
    is_at_peace(&mut run);
    assert!(run.world.disk.tree().is_empty(), "it is not downloaded");
}

#[test]
fn a_deletion_here_that_was_cut_short_is_no_persons() {
    for step in 1.. {
        let mut run = world(step, &[]);
        let drive = run.world.drive.clone();
        assert!(drive.create("g", b"put back in time").is_some());
        pass(&mut run);
        assert!(drive.person_trash("g"));
        let id = drive.trashed().pop().expect("it is in the trash");
        wait(&run);
        run.world.fuse.crash_after(step);
        let done = passes(&mut run);
        run.world.restart(Crash::Kill);
        assert!(drive.person_put_back(&id));
        is_at_peace(&mut run);
        assert!(run.world.disk.read("g").is_some() && drive.find("g").is_some(), "step {step}");
        if done {
            break;
        }
    }
}

#[test]
fn a_deletion_here_that_was_cut_short_behind_a_closed_door_holds_nothing_else_up() {
    for step in 1.. {
        let mut run = world(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(
            disk.mkdir("closed") && disk.write("closed/g", b"deleted there") && disk.write("closed/h", b"h")
        );
        pass(&mut run);
        assert!(drive.person_trash("closed/g"));
        wait(&run);
        run.world.fuse.crash_after(step);
        let done = passes(&mut run);
        run.world.restart(Crash::Kill);
        assert!(disk.readable("closed", false) && disk.write("other", b"made meanwhile"));
        for _ in 0..8 {
            wait(&run);
            passes(&mut run);
        }
        assert!(drive.find("other").is_some(), "step {step}: it waits for a folder that nobody can read");
        is_at_peace(&mut run);
        if done {
            break;
        }
    }
}

#[test]
fn a_pass_that_looks_at_nothing_anew_stores_nothing() {
    let mut run = world(1, &[]);
    assert!(run.world.drive.create("f", b"downloaded").is_some() && run.world.disk.write("g", b"uploaded"));
    assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))));
    let nothing = Look { local: LocalLook::Folders(Vec::new()), ..Look::default() };
    let mut groups = Vec::new();
    for _ in 0..5 {
        wait(&run);
        assert!(matches!(run.run(&nothing, true), Ok(Outcome::Done(Ok(_)))));
        groups.push(run.world.store.groups());
    }
    assert_eq!(groups[1], groups[4], "{groups:?}");
}

/// The file that both sides agreed on, as iCloud shows it without its content for some seconds or for good.
fn suddenly_empty(untold: bool) -> Run {
    let mut run = world(1, if untold { &[Twist::ZeroUntold] } else { &[] });
    assert!(run.world.disk.write("f.txt", b"what somebody wrote"));
    pass(&mut run);
    assert!(run.world.drive.edit("f.txt", b""));
    wait(&run);
    assert!(passes(&mut run));
    assert_eq!(run.world.disk.read("f.txt").as_deref(), Some(&b"what somebody wrote"[..]));
    run
}

#[test]
fn a_file_that_is_suddenly_empty_on_icloud_is_looked_at_twice() {
    for untold in [false, true] {
        // For good: a second look right after the first one decides nothing, one ten seconds later does.
        let mut run = suddenly_empty(untold);
        run.world.clock.advance(Duration::from_secs(3));
        assert!(passes(&mut run));
        assert!(run.world.disk.read("f.txt").is_some_and(|content| !content.is_empty()));
        run.world.clock.advance(Duration::from_secs(10));
        assert!(passes(&mut run));
        assert_eq!(run.world.disk.read("f.txt").as_deref(), Some(&b""[..]));
        is_at_peace(&mut run);
        // For a moment: the content comes, and nobody saw the file empty here.
        let mut run = suddenly_empty(untold);
        assert!(run.world.drive.edit("f.txt", b"what somebody wrote there"));
        wait(&run);
        assert!(passes(&mut run));
        assert_eq!(run.world.disk.read("f.txt").as_deref(), Some(&b"what somebody wrote there"[..]));
        is_at_peace(&mut run);
        // Another empty version begins the wait anew.
        let mut run = suddenly_empty(untold);
        run.world.clock.advance(Duration::from_secs(9));
        assert!(run.world.drive.edit("f.txt", b"x") && run.world.drive.edit("f.txt", b""));
        run.world.clock.advance(Duration::from_secs(5));
        assert!(passes(&mut run));
        assert!(run.world.disk.read("f.txt").is_some_and(|content| !content.is_empty()));
        is_at_peace(&mut run);
    }
}

/// A drive on a file system whose inode numbers say nothing.
fn without_identities(seed: u64) -> Run {
    let run = world(seed, &[]);
    run.world.disk.switch(|disk| disk.identities = false);
    run
}

#[test]
fn where_inode_numbers_say_nothing_everything_comes_and_nothing_is_a_conflict() {
    let mut run = without_identities(1);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("d") && disk.write("d/edit", b"to be edited") && disk.write("d/move", b"to be moved"));
    assert!(
        disk.write("gone", b"to be deleted") && disk.mkdir("folder") && disk.write("folder/in", b"inside")
    );
    assert!(
        disk.mkdir("target") && disk.write("target/t", b"there") && disk.write("here", b"to be moved here")
    );
    pass(&mut run);
    let ids = ["d/move", "folder", "here"].map(|path| drive.find(path).expect("it was uploaded"));
    // Moves, edits and deletions on iCloud come here.
    assert!(drive.edit("d/edit", b"edited there") && drive.person_trash("gone"));
    assert!(drive.move_to("d/move", "target") && drive.person_rename("folder", "renamed"));
    pass(&mut run);
    assert_eq!(disk.read("d/edit").as_deref(), Some(&b"edited there"[..]));
    assert!(disk.read("target/move").is_some() && disk.read("renamed/in").is_some());
    assert!(disk.read("gone").is_none() && disk.read("d/move").is_none());
    // Moves here go there, and the items keep their ids.
    assert!(disk.mv("here", "target/here") && disk.mv("renamed", "target/folder"));
    pass(&mut run);
    let now = ["target/move", "target/folder", "target/here"].map(|path| drive.find(path).expect("it moved"));
    assert_eq!(now, ids);
    // An edit here, and one by way of a new file that is renamed over the old one.
    assert!(disk.write("d/edit", b"edited here") && disk.write("new", b"written anew"));
    assert!(disk.mv("new", "target/t"));
    pass(&mut run);
    assert_eq!(drive.tree().keys().filter(|path| path.contains("conflict")).count(), 0);
    assert_eq!(disk.tree().keys().filter(|path| path.contains("conflict")).count(), 0);
    is_at_peace(&mut run);
}

#[test]
fn without_inode_numbers_a_file_of_equal_size_and_time_is_known_by_its_content() {
    let mut run = without_identities(1);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    // Written in one moment, so size and time are equal.
    for name in ["a", "b", "c", "d"] {
        assert!(disk.write(name, format!("content of {name}").as_bytes()));
    }
    pass(&mut run);
    let ids = ["a", "b", "c", "d"].map(|path| drive.find(path).expect("it was uploaded"));
    for (from, to) in [("a", "w"), ("b", "x"), ("c", "y"), ("d", "v")] {
        assert!(disk.mv(from, to));
    }
    pass(&mut run);
    let now = ["w", "x", "y", "v"].map(|path| drive.find(path).expect("it moved"));
    assert_eq!(now, ids);
    is_at_peace(&mut run);
}

/// What another device moved into a folder that is deleted here went with it, and counts: one more deletion is one too many.
#[test]
fn what_was_deleted_with_a_folder_it_was_moved_into_counts_for_the_guard() {
    let mut run = world(1, &[Twist::SmallGuard]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("b") && disk.mkdir("g") && disk.mkdir("g/f"));
    pass(&mut run);
    run.world.clock.advance(Duration::from_secs(2 * 86_400));
    pass(&mut run);
    assert!(drive.move_to("b", "g/f") && disk.delete("b") && disk.delete("g/f"));
    pass(&mut run);
    assert!(drive.find("g").is_some() && drive.find("g/f").is_none(), "two are not too many");
    assert!(disk.delete("g"));
    pass(&mut run);
    assert!(drive.find("g").is_some(), "the third is");
    assert_eq!(run.world.store.durable().guard.held.len(), 1);
}
