//! What is known of items on volumes that come, go, cover a folder or are copied: no look waits for ever for what it cannot show.

use icloudds::engine::pass::Look;

use super::history::Twist;
use super::scenarios::{is_at_peace, pass, passes, wait, world};
use crate::sim::{Call, Crash, Fault, Outcome};

#[test]
fn a_folder_that_holds_the_like_is_not_the_one_on_a_volume_that_is_away() {
    let mut run = world(1, &[Twist::NoIdentities]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("b") && disk.mount("b") && disk.mkdir("b/in") && disk.mkdir("b/in/common"));
    assert!(disk.mkdir("b/in/inner") && disk.mount("b/in/inner"));
    assert!(disk.mkdir("d") && disk.mkdir("d/common") && disk.mkdir("h"));
    pass(&mut run);
    let ids = ["b/in", "d"].map(|at| drive.find(at));
    disk.unmount();
    assert!(disk.mv("d", "h/d"));
    pass(&mut run);
    is_at_peace(&mut run);
    assert_eq!(["b/in", "h/d"].map(|at| drive.find(at)), ids, "each is what it was");
}

#[test]
fn what_a_volume_covers_comes_to_where_icloud_has_it_though_its_folder_is_gone_there() {
    let mut run = world(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("e") && disk.write("e/x", b"below"));
    pass(&mut run);
    assert!(disk.mount("e") && drive.move_to("e/x", "") && drive.person_trash("e"));
    is_at_peace(&mut run);
    assert_eq!(disk.read("x").as_deref(), Some(&b"below"[..]));
}

#[test]
fn a_copied_volume_is_known_by_what_icloud_never_made_until_it_is_agreed_on() {
    for never_made in [1, 2] {
        let mut run = world(1, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("volume") && disk.mount("volume"));
        assert!(disk.write("volume/a", b"content of a") && disk.write("volume/b", b"content of b"));
        run.world.fuse.script(Call::Commit, never_made - 1, Fault::NothingMade);
        assert!(passes(&mut run));
        run.stop();
        let [kept, lost] = if never_made == 1 { ["volume/a", "volume/b"] } else { ["volume/b", "volume/a"] };
        disk.copy_to_another_volume("volume", &[lost.to_owned()], &|_| false, &drive);
        is_at_peace(&mut run);
        for at in [kept, lost] {
            assert!(drive.find(at).is_some() && disk.read(at).is_some(), "{at}");
        }
    }
}

#[test]
fn an_empty_folder_that_came_along_from_a_volume_is_no_mount_point() {
    for how in [None, Some(Crash::Kill), Some(Crash::PowerCut)] {
        for step in 1.. {
            let mut run = world(step, &[Twist::NoIdentities]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("volume") && disk.mount("volume") && disk.mkdir("volume/folder"));
            assert!(
                disk.mkdir("volume/folder/empty")
                    && disk.mkdir("volume/folder/deep")
                    && disk.mkdir("volume/folder/deep/empty")
            );
            assert!(disk.write("volume/kept", b"kept"));
            pass(&mut run);
            let ids = ["volume/folder", "volume/folder/empty", "volume/folder/deep/empty"];
            let ids = ids.map(|at| drive.find(at));
            assert!(drive.move_to("volume/folder", ""));
            wait(&run);
            if how.is_some() {
                run.world.fuse.crash_after(step);
            }
            let done = matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_)));
            if let Some(how) = how.filter(|_| !done) {
                run.world.restart(how);
            }
            is_at_peace(&mut run);
            let now = ["folder", "folder/empty", "folder/deep/empty"].map(|at| drive.find(at));
            assert_eq!(now, ids, "{how:?}, step {step}");
            if done {
                break;
            }
        }
    }
}

#[test]
fn what_went_to_a_volume_and_is_nowhere_now_is_not_waited_for_where_something_else_has_its_place() {
    let mut has_gone = false;
    for step in 1.. {
        let mut run = world(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("volume") && disk.mount("volume") && disk.write("volume/kept", b"kept"));
        assert!(disk.mkdir("a") && disk.mkdir("x") && disk.write("x/file", b"a file"));
        pass(&mut run);
        assert!(drive.move_to("x", "volume"));
        wait(&run);
        let person = disk.clone();
        run.world.fuse.interject(step, move || _ = person.mv("a", "x/a"));
        let begin = run.world.fuse.steps();
        assert!(passes(&mut run));
        let over = begin + step > run.world.fuse.steps();
        wait(&run);
        if over {
            break;
        }
        if disk.tree().contains_key("volume/x/a") {
            has_gone = true;
            assert!(disk.delete("volume/x") && disk.write("a", b"another"));
        }
        is_at_peace(&mut run);
    }
    assert!(has_gone, "it was moved along");
}

#[test]
fn what_a_volume_within_a_volume_covers_was_deleted_by_nobody() {
    let worlds = [&[][..], &[Twist::NoIdentities], &[Twist::NoBirths]];
    for (twists, how) in
        worlds.into_iter().flat_map(|twists| [Crash::Kill, Crash::PowerCut].map(|how| (twists, how)))
    {
        for step in 1.. {
            let mut run = world(step, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("v") && disk.mount("v") && disk.mkdir("v/d") && disk.write("v/kept", b"kept"));
            assert!(disk.write("v/d/f", b"below") && disk.mkdir("v/d/deep"));
            assert!(disk.write("v/d/deep/er", b"deeper"));
            pass(&mut run);
            let ids = ["v/d/f", "v/d/deep/er"].map(|at| drive.find(at));
            assert!(disk.mount("v/d") && disk.write("v/d/on it", b"on the volume"));
            wait(&run);
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            if !done {
                run.world.restart(how);
            }
            run.world.fuse.renew();
            is_at_peace(&mut run);
            let all = [("v/d/f", "below"), ("v/d/deep/er", "deeper"), ("v/d/on it", "on the volume")];
            for (path, content) in all {
                let read = disk.read(path);
                assert_eq!(read.as_deref(), Some(content.as_bytes()), "{twists:?} {how:?} {step} {path}");
            }
            let now = ["v/d/f", "v/d/deep/er"].map(|at| drive.find(at));
            assert_eq!(now, ids, "{twists:?} {how:?} {step}");
            if done {
                break;
            }
        }
    }
}

#[test]
fn an_edit_that_moves_into_a_volume_stays_in_sight_where_that_is_taken_off_in_that_moment() {
    for step in 1.. {
        let mut run = world(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("volume") && disk.mount("volume") && disk.write("file", b"a file"));
        pass(&mut run);
        assert!(disk.write("file", b"edited here") && drive.move_to("file", "volume"));
        wait(&run);
        let person = disk.clone();
        run.world.fuse.interject(step, move || person.unmount());
        let begin = run.world.fuse.steps();
        assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_))));
        if begin + step > run.world.fuse.steps() {
            break;
        }
        disk.remount();
        is_at_peace(&mut run);
        let live = drive.live_contents();
        assert!(live.iter().any(|content| **content == *b"edited here"), "step {step}");
    }
}

/// A volume whose folder is deleted on iCloud stays for what takes no part; it came from another disk just before.
#[test]
fn a_copied_volume_that_stays_here_alone_is_known_as_the_copy() {
    let mut run = world(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(disk.mkdir("volume") && disk.mount("volume"));
    assert!(disk.write("volume/a", b"content of a") && disk.write("volume/b", b"content of b"));
    assert!(disk.special("volume/link"));
    pass(&mut run);
    wait(&run);
    assert!(drive.person_trash("volume"));
    run.stop();
    disk.copy_to_another_volume("volume", &["volume/b".to_owned()], &|_| false, &drive);
    is_at_peace(&mut run);
    let id = drive.trashed().into_iter().find(|id| drive.item(id).is_some_and(|item| item.name == "volume"));
    assert!(
        drive.person_put_back(&id.expect("it is in the trash")) && drive.create("volume/c", b"new").is_some()
    );
    is_at_peace(&mut run);
    assert_eq!(disk.read("volume/c").as_deref(), Some(&b"new"[..]), "it waits for no other volume");
}
