//! Several file systems in the drive: moves between them, and volumes that are not there any more (`docs/sync.md` §5).

use std::time::Duration;

use icloudds::engine::pass::{LocalLook, Look, RemoteLook};

use super::history::Twist;
use super::run::Run;
use super::scenarios::{is_at_peace, passes, wait, world};
use crate::sim::{Call, Crash, Outcome, SimDrive};

pub fn pass(run: &mut Run) {
    wait(run);
    assert!(passes(run));
    wait(run);
}

/// A drive with a volume in it, a file and a folder beside it, all agreed on.
pub fn with_volume(seed: u64, twists: &[Twist]) -> Run {
    let mut run = world(seed, twists);
    let disk = run.world.disk.clone();
    assert!(disk.mkdir("volume") && disk.mount("volume") && disk.write("volume/kept", b"on the volume"));
    assert!(disk.mkdir("volume/in") && disk.mkdir("folder") && disk.mkdir("folder/deeper"));
    assert!(disk.write("file", b"a file") && disk.write("folder/one", b"one"));
    assert!(disk.write("folder/deeper/two", b"two"));
    pass(&mut run);
    run
}

#[test]
fn a_move_on_icloud_to_another_volume_is_made_by_copying() {
    for (how, twists) in [Crash::Kill, Crash::PowerCut].into_iter().flat_map(|how| {
        [&[][..], &[Twist::LosesContents][..], &[Twist::NoBirths][..]].map(|twists| (how, twists))
    }) {
        for step in 1.. {
            let mut run = with_volume(step, twists);
            let drive = run.world.drive.clone();
            let ids =
                ["file", "folder", "folder/one", "folder/deeper/two"].map(|path| drive.find(path).unwrap());
            assert!(drive.move_to("file", "volume/in") && drive.move_to("folder", "volume"));
            wait(&run);
            run.world.fuse.crash_after(step);
            let done = matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_)));
            if !done {
                run.world.restart(how);
            }
            is_at_peace(&mut run);
            let at = ["volume/in/file", "volume/folder", "volume/folder/one", "volume/folder/deeper/two"];
            for (path, id) in at.iter().zip(&ids) {
                assert_eq!(drive.find(path).as_ref(), Some(id), "{path}, {how:?}, {twists:?}, step {step}");
            }
            assert!(run.world.disk.read("file").is_none() && run.world.disk.read("folder/one").is_none());
            if done {
                break;
            }
        }
    }
}

#[test]
fn a_move_between_two_volumes_and_back_is_made_by_copying() {
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("other") && disk.mount("other"));
    pass(&mut run);
    assert!(drive.move_to("volume/kept", "other"));
    is_at_peace(&mut run);
    assert_eq!(disk.read("other/kept").as_deref(), Some(&b"on the volume"[..]));
    assert!(drive.move_to("other/kept", ""));
    is_at_peace(&mut run);
    assert_eq!(disk.read("kept").as_deref(), Some(&b"on the volume"[..]));
}

#[test]
fn an_edit_in_the_moment_of_such_a_move_is_kept() {
    for step in 1.. {
        let mut run = with_volume(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(drive.move_to("file", "volume"));
        wait(&run);
        let person = disk.clone();
        run.world.fuse.interject(step, move || {
            assert!(person.write("file", b"edited here") || person.write("volume/file", b"edited here"));
        });
        let begin = run.world.fuse.steps();
        assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_))));
        let over = begin + step > run.world.fuse.steps();
        is_at_peace(&mut run);
        if over {
            break;
        }
        let live = drive.live_contents();
        assert!(live.iter().any(|content| **content == *b"edited here"), "step {step}");
    }
}

#[test]
fn a_volume_that_was_retired_is_forgotten_once_icloud_has_lost_it_too() {
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    disk.unmount();
    assert!(disk.delete("volume"));
    let whole = Look { local: LocalLook::Whole, remote: RemoteLook::Whole };
    wait(&run);
    let Ok(Outcome::Done(Ok(report))) = run.run(&whole, true) else { panic!("a pass that comes to its end") };
    assert!(report.pending && drive.find("volume/kept").is_some(), "its volume may come back");
    assert!(drive.person_trash("volume"));
    is_at_peace(&mut run);
    assert!(drive.find("volume").is_none() && disk.read("volume/kept").is_none());
    let Ok(Outcome::Done(Ok(report))) = run.run(&whole, true) else { panic!("a pass that comes to its end") };
    assert!(!report.pending && report.quiet);
}

#[test]
fn what_comes_from_icloud_while_its_volume_is_taken_off_is_here_once_that_is_back() {
    let whole = Look { local: LocalLook::Whole, remote: RemoteLook::Whole };
    let arrivals: [fn(&SimDrive) -> bool; 3] = [
        |drive| drive.create("volume/new", b"new there").is_some(),
        |drive| {
            drive.mkdir("volume/made").is_some() && drive.create("volume/made/new", b"new there").is_some()
        },
        |drive| drive.move_to("file", "volume"),
    ];
    for (come, is_lost) in arrivals.into_iter().flat_map(|come| [(come, false), (come, true)]) {
        for step in 1.. {
            let mut run = world(step, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            // Nothing is on it: what came into its bare mount point would be all that its folder ever held.
            assert!(disk.mkdir("volume") && disk.mount("volume") && disk.write("file", b"a file"));
            pass(&mut run);
            assert!(come(&drive));
            wait(&run);
            let person = disk.clone();
            run.world.fuse.interject(step, move || person.unmount());
            let begin = run.world.fuse.steps();
            assert!(matches!(run.run(&whole, true), Ok(Outcome::Done(_))));
            let over = begin + step > run.world.fuse.steps();
            wait(&run);
            assert!(matches!(run.run(&whole, true), Ok(Outcome::Done(_))));
            assert!(!is_lost || drive.person_trash("volume"));
            disk.remount();
            is_at_peace(&mut run);
            if over {
                break;
            }
        }
    }
}

#[test]
fn a_volume_that_answers_nothing_keeps_nothing_else_waiting_and_loses_nothing() {
    let whole = Look { local: LocalLook::Whole, remote: RemoteLook::Whole };
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    let on_it = ["volume", "volume/kept", "volume/in"].map(|path| drive.find(path));
    disk.switch(|disk| disk.volumes_are_dead = true);
    assert!(drive.edit("file", b"edited there") && drive.edit("volume/kept", b"edited there as well"));
    assert!(
        disk.write("new", b"new here")
            && disk.delete("folder/one")
            && drive.create("volume/new", b"n").is_some()
    );
    for _ in 0..3 {
        wait(&run);
        let Ok(Outcome::Done(Ok(report))) = run.run(&whole, true) else {
            panic!("a pass that comes to its end")
        };
        let told = report.notes.iter().any(|note| note.path.as_str() == "volume");
        assert!(told && report.pending, "{:?}", report.notes);
    }
    assert_eq!(disk.read("file").as_deref(), Some(&b"edited there"[..]));
    assert!(drive.find("new").is_some() && drive.find("folder/one").is_none());
    assert_eq!(["volume", "volume/kept", "volume/in"].map(|path| drive.find(path)), on_it);
    disk.switch(|disk| disk.volumes_are_dead = false);
    is_at_peace(&mut run);
    assert_eq!(disk.read("volume/kept").as_deref(), Some(&b"edited there as well"[..]));
}

/// Whether names that differ in case are one is known of the folder that is synced, and not of a volume in it.
#[test]
fn a_name_that_a_volume_takes_for_another_ones_is_set_aside_and_not_fetched_again_and_again() {
    let whole = Look { local: LocalLook::Whole, remote: RemoteLook::Whole };
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    disk.switch(|disk| disk.volumes_fold_case = true);
    assert!(
        drive.create("volume/Kept", b"another one").is_some() && drive.create("beside", b"beside").is_some()
    );
    assert!(drive.person_rename("volume/in", "IN"));
    let mut set_aside = 0;
    for _ in 0..6 {
        run.world.clock.advance(Duration::from_secs(5));
        let Ok(Outcome::Done(Ok(report))) = run.run(&whole, false) else {
            panic!("a pass that comes to its end")
        };
        set_aside += report.outcome.counts.set_aside;
    }
    assert_eq!(set_aside, 1);
    let reasons = run.world.store.durable().set_aside;
    let reason =
        reasons.iter().find(|(path, _)| path.as_str() == "volume/Kept").map(|(_, aside)| &aside.reason);
    assert!(reason.is_some_and(|reason| reason.contains("name")), "{reasons:?}");
    let fetched = run.world.fuse.calls().get(&Call::Fetch).copied().unwrap_or_default();
    assert!(fetched <= 5, "it was fetched again and again: {fetched}");
    assert_eq!(disk.read("volume/kept").as_deref(), Some(&b"on the volume"[..]));
    assert!(disk.tree().contains_key("volume/IN") && disk.read("beside").is_some());
}

#[test]
fn what_a_volume_covers_that_is_mounted_on_a_synced_folder_comes_once_more_onto_it() {
    for twists in [&[][..], &[Twist::NoIdentities], &[Twist::NoBirths]] {
        let mut run = world(1, twists);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("folder") && disk.write("folder/below", b"below") && disk.mkdir("folder/deep"));
        assert!(disk.write("folder/deep/er", b"deeper"));
        pass(&mut run);
        assert!(disk.mount("folder") && disk.write("folder/on it", b"on the volume"));
        is_at_peace(&mut run);
        for (path, content) in
            [("folder/below", "below"), ("folder/deep/er", "deeper"), ("folder/on it", "on the volume")]
        {
            assert_eq!(disk.read(path).as_deref(), Some(content.as_bytes()), "{twists:?} {path}");
            assert!(drive.find(path).is_some(), "{twists:?} {path}");
        }
    }
}

#[test]
fn what_comes_on_icloud_into_a_folder_whose_volume_is_away_waits_for_it() {
    let whole = Look { local: LocalLook::Whole, remote: RemoteLook::Whole };
    let arrivals: [fn(&SimDrive) -> bool; 3] = [
        |drive| drive.create("volume/new", b"new there").is_some(),
        |drive| drive.move_to("file", "volume"),
        |drive| drive.move_to("folder", "volume/in"),
    ];
    for come in arrivals {
        let mut run = with_volume(1, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        let here = disk.tree();
        disk.unmount();
        assert!(come(&drive));
        for _ in 0..3 {
            wait(&run);
            let Ok(Outcome::Done(Ok(report))) = run.run(&whole, true) else {
                panic!("a pass that comes to its end")
            };
            assert!(report.pending, "it waits, and says so");
        }
        disk.remount();
        assert_eq!(disk.tree(), here, "nothing was put under the volume, and nothing moved");
        is_at_peace(&mut run);
    }
}

#[test]
fn what_came_under_a_volume_while_it_was_away_for_a_moment_is_fetched_again() {
    for step in 1.. {
        let mut run = with_volume(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(drive.create("volume/new", b"new there").is_some());
        wait(&run);
        let person = disk.clone();
        run.world.fuse.interject(step, move || person.unmount());
        let begin = run.world.fuse.steps();
        assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_))));
        if begin + step > run.world.fuse.steps() {
            break;
        }
        wait(&run);
        disk.remount();
        is_at_peace(&mut run);
        assert_eq!(disk.read("volume/new").as_deref(), Some(&b"new there"[..]), "step {step}");
        assert!(drive.find("volume/new").is_some(), "step {step}");
    }
}

#[test]
fn what_moves_to_a_volume_that_is_away_for_a_moment_moves_once_it_is_back() {
    for step in 1.. {
        let mut run = with_volume(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("outside", b"not on the volume"));
        assert!(passes(&mut run));
        assert!(drive.move_to("outside", "volume"));
        wait(&run);
        let person = disk.clone();
        run.world.fuse.interject(step, move || person.unmount());
        let begin = run.world.fuse.steps();
        assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_))));
        if begin + step > run.world.fuse.steps() {
            break;
        }
        wait(&run);
        disk.remount();
        is_at_peace(&mut run);
        assert_eq!(disk.read("volume/outside").as_deref(), Some(&b"not on the volume"[..]), "step {step}");
        assert!(drive.find("volume/outside").is_some() && disk.read("outside").is_none(), "step {step}");
    }
}

#[test]
fn a_volume_within_a_volume_is_left_where_it_is_once_icloud_has_lost_it() {
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(
        disk.mkdir("volume/inner")
            && disk.mount("volume/inner")
            && disk.write("volume/inner/x", b"on the inner one")
    );
    wait(&run);
    is_at_peace(&mut run);
    assert!(drive.find("volume/inner/x").is_some());
    assert!(drive.person_trash("volume/inner"));
    is_at_peace(&mut run);
    assert!(drive.find("volume/inner").is_none() && drive.find("volume/kept").is_some());
    assert!(disk.tree().contains_key("volume/inner") && disk.read("volume/inner/x").is_none());
    assert!(disk.write("volume/inner/again", b"made on it"));
    is_at_peace(&mut run);
    assert!(drive.find("volume/inner/again").is_some());
}

#[test]
fn a_volume_within_a_volume_that_is_away_was_not_deleted() {
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(
        disk.mkdir("volume/inner")
            && disk.mount("volume/inner")
            && disk.write("volume/inner/x", b"on the inner one")
    );
    wait(&run);
    is_at_peace(&mut run);
    assert!(disk.unmount_at("volume/inner"));
    for _ in 0..3 {
        wait(&run);
        assert!(passes(&mut run));
    }
    assert!(drive.find("volume/inner/x").is_some(), "its volume may come back");
    disk.remount();
    is_at_peace(&mut run);
    assert!(drive.find("volume/inner/x").is_some() && disk.read("volume/inner/x").is_some());
}

#[test]
fn what_comes_on_icloud_under_the_name_of_a_volume_waits_for_another_name() {
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("c") && disk.write("c/x", b"in c"));
    assert!(passes(&mut run));
    wait(&run);
    assert!(disk.mkdir("A") && disk.mount("A") && drive.person_rename("c", "A"));
    is_at_peace(&mut run);
    assert!(disk.read("c/x").is_some() && disk.tree().contains_key("A"));
    assert!(drive.person_rename("A", "B"));
    run.world.clock.advance(Duration::from_secs(7200));
    is_at_peace(&mut run);
    assert!(disk.read("B/x").is_some() && drive.find("A").is_some());
}

#[test]
fn a_folder_that_holds_a_volume_outlives_its_deletion_on_icloud() {
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(drive.person_trash("volume"));
    is_at_peace(&mut run);
    assert!(drive.find("volume").is_none() && disk.read("volume/kept").is_none());
    // What comes into it takes it back to iCloud.
    assert!(disk.write("volume/again", b"made on the volume"));
    is_at_peace(&mut run);
    assert!(drive.find("volume/again").is_some());
}

#[test]
fn the_empty_folder_of_a_volume_that_was_retired_keeps_nothing_waiting() {
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    disk.unmount();
    let whole = Look { local: LocalLook::Whole, remote: RemoteLook::Whole };
    wait(&run);
    let Ok(Outcome::Done(Ok(report))) = run.run(&whole, true) else { panic!("a pass that comes to its end") };
    assert!(report.pending && drive.find("volume/kept").is_some(), "its volume may come back");
    assert!(drive.person_trash("volume"));
    for _ in 0..3 {
        wait(&run);
        assert!(passes(&mut run));
    }
    let Ok(Outcome::Done(Ok(report))) = run.run(&whole, true) else { panic!("a pass that comes to its end") };
    assert!(!report.pending && report.quiet);
    assert!(drive.find("volume").is_none() && disk.tree().contains_key("volume"));
    // What is on the volume is new, should it come back all the same.
    disk.remount();
    is_at_peace(&mut run);
    assert!(drive.find("volume/kept").is_some());
}

#[test]
fn what_somebody_left_in_a_mount_point_without_its_volume_meets_nothing_that_comes() {
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    disk.unmount();
    disk.use_bare_mount_points();
    assert!(disk.write("volume/left", b"left here"));
    assert!(drive.create("volume/left", b"new there").is_some());
    let whole = Look { local: LocalLook::Whole, remote: RemoteLook::Whole };
    for _ in 0..3 {
        wait(&run);
        let Ok(Outcome::Done(Ok(report))) = run.run(&whole, true) else {
            panic!("a pass that comes to its end")
        };
        assert!(report.pending, "it waits, and says so");
        assert_eq!(disk.read("volume/left").as_deref(), Some(&b"left here"[..]));
        assert!(drive.find("volume/kept").is_some());
    }
    disk.remount();
    for _ in 0..3 {
        wait(&run);
        assert!(passes(&mut run));
    }
    assert_eq!(disk.read("volume/left").as_deref(), Some(&b"new there"[..]));
    assert!(
        !drive.contents().iter().any(|content| **content == *b"left here"),
        "what the volume covers was not sent"
    );
    disk.unmount();
    assert_eq!(disk.read("volume/left").as_deref(), Some(&b"left here"[..]), "and stays where it is");
}

#[test]
fn a_folder_that_succeeds_a_retired_volume_s_on_icloud_waits_for_the_mount_point() {
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    disk.unmount();
    assert!(drive.person_trash("volume") && drive.mkdir("volume").is_some());
    assert!(drive.create("volume/new", b"new there").is_some());
    for _ in 0..3 {
        wait(&run);
        assert!(passes(&mut run));
    }
    disk.remount();
    is_at_peace(&mut run);
    assert_eq!(disk.read("volume/new").as_deref(), Some(&b"new there"[..]));
    assert_eq!(disk.read("volume/kept").as_deref(), Some(&b"on the volume"[..]));
}

#[test]
fn what_is_deleted_on_icloud_while_its_volume_is_away_is_deleted_here_once_that_is_back() {
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    disk.unmount();
    assert!(drive.person_trash("volume/kept"));
    for _ in 0..3 {
        wait(&run);
        assert!(passes(&mut run));
    }
    disk.remount();
    is_at_peace(&mut run);
    assert!(disk.read("volume/kept").is_none(), "it went to the trash here");
    assert!(drive.find("volume/kept").is_none(), "and did not come back there");
}
