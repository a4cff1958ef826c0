//! Names and places that somebody else has, or had a moment ago.

use std::time::Duration;

use icloudds::model::ItemId;

use super::history::Twist;
use super::scenarios::{is_at_peace, pass, passes, wait, world};
use crate::sim::drive::switches::Taken;
use crate::sim::{Call, Crash, SimDrive};

fn ids(drive: &SimDrive, paths: &[&str]) -> Vec<Option<ItemId>> {
    paths.iter().map(|path| drive.find(path)).collect()
}

/// The name that it has is taken there, and so is the one that it gets, by one that differs in case: each pass tried both ways anew.
#[test]
fn what_can_go_to_a_folder_under_neither_of_its_names_is_told_and_rests() {
    for taken in [Taken::Rename, Taken::Error] {
        for renamed in ["g", "h"] {
            let mut run = world(1, &[Twist::RemoteFoldsCase]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            drive.switch(|switches| switches.taken = taken);
            assert!(disk.mkdir("c") && disk.write("c/h", b"on its way"));
            pass(&mut run);
            assert!(drive.create("G", b"the capital").is_some() && drive.create("H", b"another").is_some());
            pass(&mut run);
            assert!(disk.mv("c/h", renamed));
            is_at_peace(&mut run);
            let told = run.world.store.durable().set_aside;
            let told: Vec<_> = told.into_iter().map(|(path, it)| (path.to_string(), it.reason)).collect();
            let capital = renamed.to_uppercase();
            let why = format!("`{capital}` has this name on iCloud, which takes no difference in case");
            assert_eq!(told, [(renamed.to_owned(), why)], "{taken:?}");
            assert!(drive.find("c/h").is_some(), "{taken:?}: it waits under its own name");
            assert!(drive.person_rename(&capital, "other"));
            run.world.clock.advance(Duration::from_secs(7200));
            is_at_peace(&mut run);
            assert!(drive.find(renamed).is_some() && drive.find("c/h").is_none());
        }
    }
}

/// A file goes into a folder that takes its name: after its temporary name listings show the old one for a while, which each pass took
/// for a file in the folder's place.
#[test]
fn a_file_goes_into_a_folder_of_its_name_where_listings_lag() {
    let mut run = world(1, &[Twist::Late(8)]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.write("a", b"content of a"));
    pass(&mut run);
    wait(&run);
    assert!(disk.mkdir("t") && disk.mv("a", "t/b") && disk.mv("t", "a"));
    let id = drive.find("a");
    is_at_peace(&mut run);
    assert_eq!(drive.find("a/b"), id);
}

/// A folder takes the place of the one that held it, which goes, by way of a temporary name on iCloud; and a file in it is edited.
#[test]
fn a_folder_that_takes_the_place_of_its_own_folder_keeps_its_id_and_what_is_in_it() {
    for (twists, edited) in
        [(&[][..], false), (&[][..], true), (&[Twist::TrashWay], true), (&[Twist::Late(8)], true)]
    {
        let mut run = world(1, twists);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("p") && disk.mkdir("p/d") && disk.mkdir("p/d/e"));
        assert!(disk.write("p/d/e/b", b"content of b") && disk.write("p/d/e/c", b"content of c"));
        pass(&mut run);
        pass(&mut run);
        wait(&run);
        let before = ids(&drive, &["p/d/e", "p/d/e/c"]);
        assert!(disk.mv("p/d/e", "p/t") && disk.delete("p/d") && disk.mv("p/t", "p/d"));
        assert!(!edited || disk.write("p/d/b", b"edited, and longer"));
        is_at_peace(&mut run);
        assert_eq!(ids(&drive, &["p/d", "p/d/c"]), before, "{twists:?} {edited}");
    }
}

/// The same, cut short anywhere: it is found again by its note and its identity.
#[test]
fn a_folder_that_takes_the_place_of_its_own_folder_comes_through_a_crash_at_any_point() {
    for (crash, twists, top) in [
        (Crash::Kill, &[][..], "p/"),
        (Crash::Kill, &[], ""),
        (Crash::Kill, &[Twist::TakenError], ""),
        (Crash::PowerCut, &[], "p/"),
    ] {
        for step in 1.. {
            let mut run = world(step, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            let at = |inside: &str| format!("{top}{inside}");
            let now = |paths: &[&str]| paths.iter().map(|path| drive.find(&at(path))).collect::<Vec<_>>();
            assert!(disk.mkdir("p") && disk.mkdir(&at("d")) && disk.mkdir(&at("d/e")));
            assert!(disk.write(&at("d/e/b"), b"content of b") && disk.write(&at("d/e/c"), b"content of c"));
            pass(&mut run);
            pass(&mut run);
            wait(&run);
            let before = now(&["d/e", "d/e/b", "d/e/c"]);
            assert!(disk.mv(&at("d/e"), &at("t")) && disk.delete(&at("d")) && disk.mv(&at("t"), &at("d")));
            assert!(disk.write(&at("d/b"), b"edited, and longer"));
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            run.world.restart(crash);
            is_at_peace(&mut run);
            let (mut after, mut before) = (now(&["d", "d/b", "d/c"]), before);
            if crash == Crash::PowerCut {
                // The edit may have been cut short: it takes no version's place, so that it has another id.
                assert!(after.remove(1).is_some() && before.remove(1).is_some());
            }
            assert_eq!(after, before, "{twists:?} {top:?} step {step}");
            if done {
                break;
            }
        }
    }
}

/// A folder that something came into while it was deleted, and whose name somebody else has by then, where the service refuses what is
/// taken: what came into it is nowhere else, and nothing else may wait for it.
#[test]
fn what_came_into_a_folder_comes_back_though_its_name_is_taken() {
    for is_folder in [false, true] {
        let mut run = world(1, &[Twist::TakenError]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("d") && disk.write("d/a", b"content of a"));
        pass(&mut run);
        pass(&mut run);
        wait(&run);
        assert!(disk.delete("d"));
        let person = drive.clone();
        let comes = move || assert!(person.create("d/late", b"came late").is_some());
        run.world.fuse.interject_at(Call::TrashRemote, 0, comes);
        let person = drive.clone();
        let takes = move || match is_folder {
            true => assert!(person.mkdir("d").is_some()),
            false => assert!(person.create("d", b"another one").is_some()),
        };
        run.world.fuse.interject_at(Call::PutBack, 0, takes);
        passes(&mut run);
        is_at_peace(&mut run);
        let live = drive.live_contents();
        assert!(live.iter().any(|content| **content == *b"came late"), "{is_folder}: {:?}", drive.tree());
    }
}

/// A package that is skipped while its folder has another name here: what is told of it follows the folder.
#[test]
fn a_skipped_package_is_told_under_the_name_that_its_folder_has() {
    let mut run = world(1, &[Twist::SkipPackages]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("h"));
    pass(&mut run);
    wait(&run);
    assert!(drive.package("h/c", b"PK\x03\x04 a package").is_some() && drive.person_rename("h", "f"));
    assert!(disk.special("f"));
    pass(&mut run);
    assert!(disk.delete("f"));
    is_at_peace(&mut run);
    assert!(disk.paths().iter().any(|(at, ..)| at == "f"));
}

/// What a person moves into a folder right before that goes to iCloud's trash, where look-ups show for a while where it came from: the
/// listing is right, and what is in it comes back.
#[test]
fn what_a_person_moves_into_a_folder_that_is_being_deleted_comes_back_where_look_ups_lag() {
    for (twists, call) in
        [(&[][..], Call::TrashRemote), (&[], Call::LookUp), (&[Twist::Permanent], Call::TrashRemote)]
    {
        for moved in ["other/a", "other/inside"] {
            let mut run = world(1, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            drive.switch(|switches| switches.placed_after = 20);
            assert!(disk.mkdir("d") && disk.write("d/b", b"content of b"));
            assert!(disk.mkdir("other") && disk.write("other/a", b"content of a"));
            assert!(disk.mkdir("other/inside") && disk.write("other/inside/c", b"content of c"));
            pass(&mut run);
            pass(&mut run);
            wait(&run);
            assert!(disk.delete("d"));
            let (person, what) = (drive.clone(), moved.to_owned());
            let into = move || assert!(person.move_to(&what, "d"));
            run.world.fuse.interject_at(call, 0, into);
            passes(&mut run);
            is_at_peace(&mut run);
            let live = drive.live_contents();
            for content in [b"content of a", b"content of c"] {
                assert!(
                    live.iter().any(|it| **it == *content),
                    "{call:?} {twists:?} {moved}: {:?}",
                    drive.tree()
                );
            }
        }
    }
}

/// What came right before a kill, and what a person made of it on iCloud before the restart: a number in its name is that person's, where
/// nobody else has the name.
#[test]
fn what_a_person_numbers_right_after_it_came_keeps_its_number() {
    for (twists, moved) in [(&[][..], false), (&[], true), (&[Twist::TakenError], true)] {
        for step in 1.. {
            let mut run = world(step, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("d") && disk.write("a", b"content of a"));
            pass(&mut run);
            assert!(if moved { disk.mv("a", "d/n.txt") } else { disk.write("d/n.txt", b"made here") });
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            run.world.restart(Crash::Kill);
            let came = drive.find("d/n.txt");
            assert_eq!(drive.person_rename("d/n.txt", "n 2.txt"), came.is_some());
            is_at_peace(&mut run);
            let shown = drive.find("d/n 2.txt");
            assert!(came.is_none() || shown == came, "{moved} step {step}: {:?}", drive.tree());
            assert!(
                shown.is_none() || drive.find("d/n.txt").is_none(),
                "{moved} step {step}: {:?}",
                drive.tree()
            );
            if done {
                break;
            }
        }
    }
}

/// A ring of three, cut short anywhere: a temporary name that is left over is known to be our own, and no pass waits for somebody else to
/// give it back.
#[test]
fn a_ring_that_was_cut_short_is_finished_by_the_next_passes() {
    for step in 1.. {
        let mut run = world(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("e") && disk.write("x", b"content of x") && disk.write("y", b"content of y"));
        assert!(disk.write("e/z", b"content of z"));
        pass(&mut run);
        let ids = ids(&drive, &["y", "e/z", "x"]);
        assert!(disk.mv("x", "t") && disk.mv("y", "x") && disk.mv("e/z", "y") && disk.mv("t", "e/z"));
        run.world.fuse.crash_after(step);
        let done = passes(&mut run);
        run.world.restart(Crash::Kill);
        for _ in 0..3 {
            assert!(passes(&mut run));
            run.world.clock.advance(Duration::from_secs(12));
        }
        assert_eq!(ids, self::ids(&drive, &["x", "y", "e/z"]), "step {step}: {:?}", drive.tree());
        is_at_peace(&mut run);
        if done {
            break;
        }
    }
}

/// A replacement by way of the trash that a kill cut short: its version comes back from there, under the number that it has there, which
/// another file has in its folder, and the service refuses that. The look that the rename in the trash rests on is seconds old by then.
#[test]
fn a_version_comes_back_from_the_trash_though_another_file_has_its_number() {
    let mut met = 0;
    for step in 1.. {
        let mut run = world(step, &[Twist::TrashWay, Twist::TakenError]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(drive.create("a", b"deleted long ago").is_some() && drive.person_trash("a"));
        assert!(disk.write("a", b"the version before") && disk.write("a 2", b"another file"));
        pass(&mut run);
        wait(&run);
        assert!(disk.write("a", b"edited here, and longer"));
        run.world.fuse.crash_after(step);
        let done = passes(&mut run);
        run.world.restart(Crash::Kill);
        run.world.fuse.forget_calls();
        passes(&mut run);
        met += run.world.fuse.calls().get(&Call::RenameRemote).copied().unwrap_or_default();
        is_at_peace(&mut run);
        let live = drive.live_contents();
        let is_live = |content: &[u8]| live.iter().any(|found| **found == *content);
        assert!(is_live(b"edited here, and longer") && is_live(b"another file"), "step {step}");
        if done {
            break;
        }
    }
    assert!(met > 0, "nothing was renamed in the trash");
}

/// A folder that iCloud made under another name, since it takes no difference in case, goes again; and not with what a person put into it in
/// that moment, wherever the program is killed.
#[test]
fn what_comes_into_a_folder_that_is_taken_back_stays() {
    for killed_at in 0.. {
        let mut run = world(1, &[Twist::RemoteFoldsCase]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(drive.create("c", b"has the name").is_some());
        pass(&mut run);
        wait(&run);
        assert!(disk.mkdir("C") && drive.tree().len() == 1);
        let person = drive.clone();
        let comes = move || {
            let made = person.tree().into_keys().find(|path| path != "c").expect("a folder was made");
            assert!(person.create(&format!("{made}/late"), b"came late").is_some());
        };
        run.world.fuse.interject_at(Call::TrashRemote, 0, comes);
        run.world.fuse.crash_after(killed_at);
        let done = passes(&mut run);
        run.world.restart(Crash::Kill);
        is_at_peace(&mut run);
        let live = drive.live_contents();
        // Where it was killed before that, nobody put anything into it.
        let is_asked = drive.contents().iter().any(|content| **content == *b"came late");
        assert!(
            !is_asked || live.iter().any(|content| **content == *b"came late"),
            "killed at {killed_at}: {:?}",
            drive.tree()
        );
        if done {
            assert!(is_asked, "nothing was taken back");
            break;
        }
    }
}

/// A folder whose move on iCloud cannot be made here, since its name is taken, stays in a folder that is deleted there: what a person moves
/// into it goes to where it stands.
#[test]
fn what_moves_into_a_folder_that_stands_elsewhere_on_icloud_goes_there() {
    let mut run = world(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("h") && disk.mkdir("h/a") && disk.write("e", b"content of e"));
    pass(&mut run);
    wait(&run);
    assert!(disk.special("a") && drive.move_to("h/a", "") && drive.person_trash("h"));
    assert!(drive.create("h", b"in its place").is_some() && disk.mv("e", "h/a/e"));
    is_at_peace(&mut run);
    assert!(drive.find("a/e").is_some(), "{:?}", drive.tree());
}
