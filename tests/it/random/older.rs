//! Older versions that come back here, and are moved on before anybody looks.

use super::history::Twist;
use super::scenarios::{is_at_peace, pass, passes, wait, world};
use crate::sim::{Call, Crash};

/// `mv d/b a` here, over `a`, where `d/b` had gone back to an older version: nobody deleted the newer one, which is on iCloud alone.
#[test]
fn what_was_moved_over_another_file_here_is_not_deleted_for_good() {
    for with_folder in [false, true] {
        let mut run = world(1, &[Twist::Permanent]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("d") && disk.write("d/b", b"the older one") && disk.write("a", b"content of a"));
        pass(&mut run);
        let stamps = disk.stamps();
        let (_, older) = stamps.iter().find(|(at, _)| at == "d/b").expect("it is there");
        wait(&run);
        assert!(drive.edit("d/b", b"the newer one"));
        passes(&mut run);
        assert!(disk.write_at("d/b", b"the older one", Some(older.mtime)) && disk.mv("d/b", "a"));
        assert!(!with_folder || disk.delete("d"));
        let id = drive.find("d/b").expect("it is there");
        is_at_peace(&mut run);
        assert!(drive.find("d/b").is_none() && drive.find("d").is_none() == with_folder);
        assert!(drive.item(&id).is_some(), "{with_folder}: it was deleted for good");
        assert_eq!(disk.read("a").as_deref(), Some(&b"the older one"[..]));
    }
}

/// A file goes back to an older version, is moved over another one, and a new one is made in its place: that is no edit of the version
/// that iCloud alone has.
#[test]
fn what_is_made_anew_where_an_older_version_was_moved_away_replaces_no_newer_one() {
    for edited_there in [false, true] {
        let mut run = world(1, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("a", b"content of a"));
        wait(&run);
        assert!(disk.write("b", b"the older one"));
        pass(&mut run);
        let stamps = disk.stamps();
        let (_, older) = stamps.iter().find(|(at, _)| at == "b").expect("it is there");
        wait(&run);
        assert!(drive.edit("b", b"the newer one"));
        passes(&mut run);
        assert!(disk.write_at("b", b"the older one", Some(older.mtime)) && disk.mv("b", "a"));
        wait(&run);
        assert!(disk.write("b", b"made anew") && (!edited_there || drive.edit("a", b"edited on iCloud")));
        is_at_peace(&mut run);
        let contents = drive.contents();
        assert!(
            contents.iter().any(|content| **content == *b"the newer one"),
            "{edited_there}: {contents:?}"
        );
        assert_eq!(disk.read("b").as_deref(), Some(&b"made anew"[..]));
    }
}

/// Files of one size and time are deleted and restored in another order, and each gets the inode number that another one had: where the file
/// system keeps no time of birth either, only their contents tell that nobody moved them.
#[test]
fn what_is_restored_with_the_inode_numbers_of_one_another_was_not_moved() {
    let mut run = world(1, &[Twist::NoBirths, Twist::ReuseInodes]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    let names = ["a", "b", "c", "d"];
    let content = |name: &str| format!("content of {name}").into_bytes();
    assert!(disk.write("first", b"of all"));
    let (_, then) = disk.stamps().pop().expect("it is there");
    assert!(names.iter().all(|name| disk.write_at(name, &content(name), Some(then.mtime))));
    pass(&mut run);
    let inodes = || {
        let number =
            |name: &str| disk.stamps().into_iter().find(|(at, _)| at == name).map(|(_, s)| s.identity);
        names.map(number)
    };
    let (ids, before) = (names.map(|name| drive.find(name)), inodes());
    assert!(names.iter().all(|name| disk.delete(name)));
    assert!(names.iter().rev().all(|name| disk.write_at(name, &content(name), Some(then.mtime))));
    assert_ne!(inodes(), before);
    wait(&run);
    run.world.fuse.forget_calls();
    is_at_peace(&mut run);
    assert_eq!(names.map(|name| drive.find(name)), ids);
    let calls = run.world.fuse.calls();
    assert!(!calls.contains_key(&Call::RenameRemote) && !calls.contains_key(&Call::Commit), "{calls:?}");
    assert_eq!(names.map(|name| disk.read(name)), names.map(|name| Some(content(name).into())));
}

/// Where files have no identity: one goes back to an older version and changes names with another one of its size. The content in its
/// place is another file's then, with a newer time, and no edit of the version that iCloud alone has.
#[test]
fn what_another_file_stands_in_the_place_of_is_kept_where_files_have_no_identity() {
    for (read, touched) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut run = world(1, &[Twist::NoIdentities]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("c", b"the older one"));
        wait(&run);
        pass(&mut run);
        let stamps = disk.stamps();
        let (_, older) = stamps.iter().find(|(at, _)| at == "c").expect("it is there");
        assert!(disk.write("c", b"the newer one"));
        wait(&run);
        assert!(disk.write("m", if read { b"another file!" } else { b"another file, longer" }));
        passes(&mut run);
        assert!(disk.write_at("c", b"the older one", Some(older.mtime)));
        assert!(disk.mv("c", "t") && disk.mv("m", "c") && disk.mv("t", "m"));
        assert!(!touched || disk.touch("c"));
        is_at_peace(&mut run);
        let contents = drive.contents();
        assert!(
            contents.iter().any(|content| **content == *b"the newer one"),
            "{read} {touched}: {contents:?}"
        );
    }
}

/// Where files have no identity: one goes back to an older version and changes names with a new one, or with one that is edited as well,
/// of whatever sizes. What stands in its place is newer, and no edit of the version that iCloud alone has.
#[test]
fn what_a_new_file_stands_in_the_place_of_is_kept_where_files_have_no_identity() {
    for (is_new, edited, back) in [
        (true, "as long, new", true),
        (true, "longer than that", true),
        (false, "edited as well", true),
        (true, "made anew", false),
    ] {
        let mut run = world(1, &[Twist::NoIdentities]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("c", b"the older one") && (is_new || disk.write("m", b"content of m")));
        wait(&run);
        pass(&mut run);
        let stamps = disk.stamps();
        let (_, older) = stamps.iter().find(|(at, _)| at == "c").expect("it is there");
        assert!(drive.edit("c", b"the newer one, and longer"));
        wait(&run);
        passes(&mut run);
        wait(&run);
        assert!(disk.write("m", edited.as_bytes()));
        assert!(disk.write_at("c", b"the older one", Some(older.mtime)));
        assert!(match back {
            true => disk.mv("c", "t") && disk.mv("m", "c") && disk.mv("t", "m"),
            false => disk.mv("c", "t") && disk.mv("m", "c"),
        });
        is_at_peace(&mut run);
        let contents = drive.contents();
        let is_there = contents.iter().any(|content| **content == *b"the newer one, and longer");
        assert!(is_there, "{is_new} {edited} {back}: {contents:?}");
    }
}

/// A version from a backup comes back, and while it is on its way somebody edits it: that edit has a time of now, and started from the backup
/// all the same.
#[test]
fn an_edit_of_what_came_back_from_a_backup_replaces_no_version_that_it_has_not_seen() {
    let moments = [(Call::Stage, 0), (Call::Look, 1), (Call::Look, 2), (Call::LookUp, 0), (Call::LookUp, 1)];
    for is_new_process in [false, true] {
        for (call, skip) in moments.into_iter().chain([(Call::TrashRemote, 0), (Call::Commit, 0)]) {
            let mut run = world(1, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.write("c", b"the older one"));
            wait(&run);
            pass(&mut run);
            let stamps = disk.stamps();
            let (_, older) = stamps.iter().find(|(at, _)| at == "c").expect("it is there").clone();
            assert!(disk.write("c", b"the newer one"));
            wait(&run);
            pass(&mut run);
            // Not the very content that it had: that would be known.
            assert!(disk.write_at("c", b"an older one!", Some(older.mtime)));
            let person = disk.clone();
            run.world.fuse.interject_at(call, skip, move || assert!(person.write("c", b"edited")));
            passes(&mut run);
            run.world.fuse.await_no_more();
            assert_eq!(disk.read("c").as_deref(), Some(&b"edited"[..]), "{call:?} {skip} never came");
            if is_new_process {
                run.engine = None;
            }
            is_at_peace(&mut run);
            let contents = drive.contents();
            let is_kept = contents.iter().any(|content| **content == *b"the newer one");
            assert!(is_kept, "{is_new_process}, {call:?} {skip}: {contents:?}");
        }
    }
}

/// A folder comes back from a backup, and a file in it changes places with one beside it, the only one that is known by its inode: what stands
/// in the folder now started from the older version.
#[test]
fn what_changes_places_with_a_file_of_a_restored_folder_replaces_no_newer_version() {
    let mut run = world(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("f") && disk.write("f/e", b"the older one"));
    pass(&mut run);
    let stamps = disk.stamps();
    let (_, older) = stamps.iter().find(|(at, _)| at == "f/e").expect("it is there");
    wait(&run);
    assert!(disk.save("f/e", b"the newer one") && disk.write("d", b"content of d"));
    wait(&run);
    pass(&mut run);
    assert!(disk.delete("f") && disk.mkdir("f"));
    assert!(disk.write_at("f/e", b"the older one", Some(older.mtime)));
    assert!(disk.mv("d", "t") && disk.mv("f/e", "d") && disk.mv("t", "f/e"));
    wait(&run);
    is_at_peace(&mut run);
    let contents = drive.contents();
    assert!(contents.iter().any(|content| **content == *b"the newer one"), "{contents:?}");
    assert_eq!(disk.read("f/e").as_deref(), Some(&b"content of d"[..]));
    assert_eq!(disk.read("d").as_deref(), Some(&b"the older one"[..]));
}

/// The version that an older one is to replace comes back from iCloud's trash as another item, after a kill between the two: the edit here, made once
/// more by then, still did not start from it.
#[test]
fn a_version_that_comes_back_under_another_id_is_replaced_in_place_by_nothing_older() {
    let mut met = 0;
    for step in 0.. {
        let mut run = world(step, &[Twist::PutBackNewId]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("c", b"the older one"));
        wait(&run);
        pass(&mut run);
        let (_, older) = disk.stamps()[0].clone();
        assert!(disk.write("c", b"the newer one"));
        wait(&run);
        pass(&mut run);
        assert!(disk.write_at("c", b"an older one!", Some(older.mtime)));
        run.world.fuse.crash_after(step);
        let is_over = passes(&mut run);
        run.world.restart(Crash::Kill);
        run.stop();
        // What nobody saw before the kill is an edit like any other.
        let is_met = !run.world.store.durable().went_back.is_empty();
        met += usize::from(is_met && run.world.drive.find("c").is_none());
        assert!(disk.write("c", b"edited"));
        wait(&run);
        is_at_peace(&mut run);
        let contents = drive.contents();
        let is_kept = contents.iter().any(|content| **content == *b"the newer one");
        assert!(is_kept || !is_met, "step {step}: {contents:?}");
        if is_over {
            break;
        }
    }
    assert!(met > 0, "no kill came while the version lay in the trash");
}
