//! Mount points that iCloud has elsewhere: nobody can move them here but who mounts the volume (`docs/sync.md` §5).

use icloudds::engine::observe::local::{observe_local, rescan};
use icloudds::engine::observe::recheck::recheck;
use icloudds::engine::ports::DiskError;
use icloudds::engine::view::LocalView;
use icloudds::model::{FolderState, RelPath};

use super::history::Twist;
use super::scenarios::{is_at_peace, passes, wait};
use super::volumes::{pass, with_volume};
use crate::sim::{Call, Fault, SimClock, SimDisk, SimDrive};

/// A mount point has its name and its folder from who mounts the volume: what becomes of it on iCloud waits for them, and nothing else does.
#[test]
fn a_mount_point_that_was_renamed_or_moved_on_icloud_keeps_nothing_else_waiting() {
    type Deed = fn(&SimDrive) -> bool;
    let moves: [(&str, Deed, Deed); 2] = [
        (
            "away",
            |drive| drive.person_rename("volume", "away"),
            |drive| drive.person_rename("away", "volume"),
        ),
        (
            "folder/volume",
            |drive| drive.move_to("volume", "folder"),
            |drive| drive.move_to("folder/volume", ""),
        ),
    ];
    for (at, deed, back) in moves {
        for is_copied in [false, true] {
            let mut run = with_volume(1, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(deed(&drive));
            if is_copied {
                run.stop();
                disk.copy_to_another_volume("volume", &[], &|_| false, &drive);
            }
            is_at_peace(&mut run);
            let set_aside = run.world.store.durable().set_aside;
            assert!(set_aside.is_empty(), "{at}: it is told, and not tried: {set_aside:?}");
            // All that happens in it goes on.
            assert!(drive.create(&format!("{at}/new there"), b"new there").is_some());
            assert!(disk.write("volume/new here", b"new here"));
            assert!(disk.write("volume/kept", b"edited here"));
            assert!(drive.move_to(&format!("{at}/in"), ""));
            wait(&run);
            is_at_peace(&mut run);
            assert_eq!(disk.read("volume/new there").as_deref(), Some(&b"new there"[..]), "{at}");
            assert!(drive.find(&format!("{at}/new here")).is_some(), "{at}, copied: {is_copied}");
            assert!(drive.live_contents().iter().any(|content| **content == *b"edited here"), "{at}");
            assert!(
                disk.tree().contains_key("in") && drive.find("in").is_some(),
                "{at}, copied: {is_copied}"
            );
            // Back at its place nothing is told any more.
            assert!(back(&drive));
            is_at_peace(&mut run);
            assert_eq!(disk.tree(), drive.tree(), "{at}, copied: {is_copied}");
        }
    }
}

#[test]
fn a_folder_that_holds_a_mount_point_and_goes_to_another_volume_on_icloud_keeps_nothing_else_waiting() {
    let mut run = with_volume(1, &[]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(
        disk.mkdir("folder/mounted") && disk.mount("folder/mounted") && disk.write("folder/mounted/x", b"x")
    );
    pass(&mut run);
    assert!(drive.move_to("folder", "volume") && disk.write("folder/one", b"edited here"));
    assert!(drive.create("volume/folder/new there", b"new there").is_some());
    wait(&run);
    is_at_peace(&mut run);
    assert_eq!(disk.read("folder/new there").as_deref(), Some(&b"new there"[..]));
    assert!(drive.live_contents().iter().any(|content| **content == *b"edited here"));
    // Within one file system it goes where it was moved to.
    assert!(drive.move_to("volume/folder", "") && drive.mkdir("beside").is_some());
    assert!(drive.move_to("folder", "beside"));
    is_at_peace(&mut run);
    assert_eq!(disk.read("beside/folder/mounted/x").as_deref(), Some(&b"x"[..]));
    assert_eq!(disk.tree(), drive.tree());
}

/// A folder is read under its path: between that and the look at what it is, a volume may be mounted there, or taken away.
#[test]
fn what_is_read_of_a_volume_that_comes_or_goes_in_that_moment_is_not_in_the_folder_below() {
    type Seen = Result<LocalView, DiskError>;
    type LookAt = fn(&SimDisk, &SimClock, LocalView) -> Seen;
    let looks: [(&str, LookAt); 3] = [
        ("whole", |disk, clock, _| observe_local(disk, clock, &|_| false)),
        ("folders", |disk, clock, mut view| {
            let folders = ["folder", "volume"].map(|path| RelPath::parse(path).unwrap());
            rescan(disk, clock, &mut view, &folders, &|_| false).map(|()| view)
        }),
        ("second", |disk, clock, mut view| {
            let node = view.tree.find(&RelPath::parse("volume").unwrap()).unwrap();
            view.tree.get_mut(node).racy = true;
            recheck(disk, clock, &mut view, &|_| false).map(|_| view)
        }),
    ];
    for (name, look) in looks {
        for (was_there, step) in (1..20).flat_map(|step| [(false, step), (true, step)]) {
            let run = with_volume(step, &[]);
            let (disk, clock) = (run.world.disk.clone(), run.world.clock.clone());
            if !was_there {
                disk.unmount();
            }
            let before = observe_local(&*disk, &*clock, &|_| false).unwrap();
            if was_there {
                disk.unmount();
            } else {
                disk.remount();
            }
            let person = disk.clone();
            run.world
                .fuse
                .interject(step, move || if was_there { person.remount() } else { person.unmount() });
            let view = look(&disk, &clock, before).unwrap();
            let node = view.tree.find(&RelPath::parse("volume").unwrap()).unwrap();
            let (entry, held) = (view.tree.get(node), view.tree.children(node).len());
            let told = format!("{name}, mounted before: {was_there}, step {step}: {entry:?} holds {held}");
            let is_whole = entry.state == FolderState::Complete;
            assert!(!is_whole || entry.stamp.on_root_fs == (held == 0), "{told}");
        }
    }
}

/// Where files have no identity, what is made on iCloud for a folder that came to another file system is known as it stands there.
#[test]
fn a_folder_in_one_that_leaves_a_volume_is_no_volume() {
    let mut run = with_volume(1, &[Twist::NoIdentities]);
    let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
    assert!(drive.move_to("volume/in", "") && disk.mkdir("volume/in/made"));
    wait(&run);
    is_at_peace(&mut run);
    assert!(drive.find("in/made").is_some() && disk.tree().contains_key("in/made"));
    assert!(disk.write("in/made/x", b"x"));
    wait(&run);
    is_at_peace(&mut run);
    assert_eq!(drive.tree(), disk.tree());
}

/// What came along with a folder to another file system is known by what stands there: a folder that cannot be read holds nothing less.
#[test]
fn what_left_a_volume_unread_is_no_volume() {
    let mut crossed = 0;
    for (skip, twists) in
        (0..24).flat_map(|skip| [&[][..], &[Twist::NoIdentities]].map(|twists| (skip, twists)))
    {
        let mut run = with_volume(skip, twists);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(
            disk.mkdir("volume/in/deep")
                && disk.write("volume/in/deep/x", b"deep")
                && disk.write("volume/in/y", b"y")
        );
        pass(&mut run);
        let ids = || ["in", "in/deep", "in/deep/x", "in/y"].map(|path| drive.find(path));
        assert!(disk.mkdir("volume/in/made") && drive.move_to("volume/in", ""));
        let before = ids();
        wait(&run);
        run.world.fuse.script(Call::ReadFolder, skip, Fault::Io);
        passes(&mut run);
        run.world.fuse.calm();
        run.world.fuse.await_no_more();
        crossed += usize::from(disk.tree().contains_key("in/deep/x"));
        wait(&run);
        is_at_peace(&mut run);
        assert_eq!(drive.tree(), disk.tree(), "read {skip}, {twists:?}");
        assert_eq!(ids(), before, "read {skip}, {twists:?}: it counted as deleted and as new");
        assert!(drive.trashed().is_empty(), "read {skip}, {twists:?}: {:?}", drive.trashed());
        // An edit and a new folder in it are what they are on both sides.
        assert!(disk.write("in/made/z", b"z") && disk.write("in/deep/x", b"edited"));
        wait(&run);
        is_at_peace(&mut run);
        assert_eq!(drive.tree(), disk.tree(), "read {skip}, {twists:?}, edited");
        assert_eq!(ids(), before, "read {skip}, {twists:?}, edited");
    }
    assert!(crossed > 12, "only {crossed} of them had come at once");
}

/// A folder on iCloud gets the name of one that is about to be made there: it is no other one's here for that.
#[test]
fn a_folder_that_gets_a_wanted_name_meanwhile_stays_who_it_is() {
    let calls = [Call::List, Call::LookUp, Call::CreateFolders, Call::Store];
    let moments = calls.into_iter().flat_map(|call| (0..6).map(move |skip| (call, skip)));
    for (is_known, (call, skip)) in moments.flat_map(|moment| [(false, moment), (true, moment)]) {
        let mut run = with_volume(1, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        if !is_known {
            run.world.store.wipe();
            run.stop();
        }
        assert!(disk.mkdir("made") && disk.write("made/x", b"in what was made"));
        wait(&run);
        let (phone, id) = (drive.clone(), drive.find("folder").unwrap());
        run.world.fuse.interject_at(call, skip, move || {
            phone.person_rename("folder", "made");
        });
        passes(&mut run);
        run.world.fuse.await_no_more();
        wait(&run);
        is_at_peace(&mut run);
        let told = format!("known: {is_known}, {call:?} {skip}: {:?}", drive.tree());
        assert_eq!(disk.tree(), drive.tree(), "{told}");
        let at = drive.path_of(&id).unwrap();
        assert!(drive.find(&format!("{at}/deeper/two")).is_some(), "{at}: {told}");
        assert!(drive.live_contents().iter().any(|content| **content == *b"in what was made"), "{told}");
    }
}
