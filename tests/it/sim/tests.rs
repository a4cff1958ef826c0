//! Tests of the world itself: what cannot be trusted here proves nothing elsewhere.

use icloudds::engine::ports::{Clock, Disk, Remote, RemoteError, Store};
use icloudds::model::{Change, ItemId, RelPath};

use super::{Call, Crash, Fault, Outcome, World};

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

#[test]
fn a_crash_unwinds_quietly_and_nothing_happens_after_it() {
    let world = World::new(1);
    world.fuse.crash_after(3);
    let outcome = world.run(|| {
        for name in ["a", "b", "c"] {
            world.disk.make_folder(&path(name)).unwrap();
        }
    });
    assert_eq!(outcome, Outcome::Crashed);
    assert_eq!(world.disk.tree().into_keys().collect::<Vec<_>>(), ["a"]);
    world.restart(Crash::Kill);
    assert_eq!(world.run(|| world.disk.make_folder(&path("d")).is_ok()), Outcome::Done(true));
}

#[test]
fn the_power_takes_what_was_not_synced_and_keeps_what_was() {
    let mut kept = 0;
    for seed in 0..40 {
        let world = World::new(seed);
        world.disk.make_folder(&path("safe")).unwrap();
        world.disk.sync(&[], &[path("")]).unwrap();
        world.disk.make_folder(&path("safe/doubtful")).unwrap();
        world.restart(Crash::PowerCut);
        let tree = world.disk.tree();
        assert!(tree.contains_key("safe"), "seed {seed}");
        kept += usize::from(tree.contains_key("safe/doubtful"));
        assert!(world.disk.is_durable());
    }
    assert!((1..40).contains(&kept), "unsynced changes last by chance, {kept} of 40");
}

#[test]
fn no_change_outlasts_one_that_it_builds_on() {
    for seed in 0..60 {
        let world = World::new(seed);
        for name in ["a", "a/b", "a/b/c"] {
            world.disk.make_folder(&path(name)).unwrap();
        }
        let stamp = world.disk.look(&path("a/b")).unwrap().unwrap().stamp;
        world.disk.rename(&path("a/b"), &path("b"), &stamp).unwrap();
        world.restart(Crash::PowerCut);
        let tree = world.disk.tree().into_keys().collect::<Vec<_>>().join(" ");
        let possible = ["", "a", "a a/b", "a a/b a/b/c", "a b b/c"];
        assert!(possible.contains(&&*tree), "seed {seed}: {tree:?}");
    }
}

#[test]
fn same_seed_same_faults() {
    let luck = |seed| {
        let world = World::new(seed);
        world.fuse.rate(Fault::Unreachable, 0.5);
        (0..50).map(|_| world.drive.list_trash().is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(luck(3), luck(3));
    assert_ne!(luck(3), luck(4));
    assert!(luck(3).contains(&true) && luck(3).contains(&false));
}

#[test]
fn a_lost_answer_is_done_and_a_lost_request_is_not() {
    let world = World::new(1);
    world.fuse.script(Call::CreateFolders, 0, Fault::LostRequest);
    world.fuse.script(Call::CreateFolders, 0, Fault::LostAnswer);
    for expected in [0, 1] {
        let answers = world.drive.create_folders(&ItemId::drive_root(), &["new"]);
        assert!(matches!(answers[..], [Err(RemoteError::Uncertain(_))]));
        assert_eq!(world.drive.tree().len(), expected);
    }
}

#[test]
fn a_person_can_act_between_two_steps() {
    let world = World::new(1);
    let drive = world.drive.clone();
    world.fuse.interject(2, move || drop(drive.create("from elsewhere.txt", b"x")));
    world.drive.list_trash().unwrap();
    assert!(world.drive.tree().is_empty());
    world.drive.list_trash().unwrap();
    assert_eq!(world.drive.tree().len(), 1);
}

#[test]
fn a_listing_shows_the_past_when_the_service_is_late() {
    let world = World::new(1);
    world.drive.switch(|switches| switches.visible_after = 30);
    world.drive.create("a.txt", b"1").unwrap();
    let count = || world.drive.list(&[ItemId::drive_root()], false)[0].as_ref().unwrap().items.len();
    assert_eq!(count(), 0);
    world.clock.pause(std::time::Duration::from_secs(31)).unwrap();
    assert_eq!(count(), 1);
}

#[test]
fn the_oracle_finds_a_loss_and_excuses_what_a_person_gave_up() {
    let world = World::new(1);
    world.disk.write("a.txt", b"first");
    world.disk.write("a.txt", b"second");
    let id = world.drive.create("b.txt", b"third").unwrap();
    world.assert_nothing_lost();
    // The engine deletes for good what no person gave up.
    let etag = world.drive.item(&id).unwrap().etag();
    let version = icloudds::engine::ports::ItemVersion { id, folder: false, etag };
    world.drive.delete_trashed(&[version])[0].as_ref().unwrap();
    assert_eq!(world.lost_contents().len(), 1);
}

#[test]
fn the_oracle_does_not_excuse_an_overwriting_without_a_look() {
    for (looked, losses) in [(true, 0), (false, 1)] {
        let world = World::new(1);
        let root = ItemId::drive_root();
        let id = world.drive.create("a.txt", b"old").unwrap();
        let staged = world.drive.stage(root.zone(), "a.txt", 3, &mut b"own".as_slice()).unwrap();
        if looked {
            world.drive.look_up(&[(id.clone(), false)]).unwrap();
        }
        world.drive.edit_id(&id, b"new");
        let commit = icloudds::engine::ports::Commit {
            staged: &staged,
            parent: &root,
            name: "a.txt",
            replaces: Some(&id),
            mtime: icloudds::model::ServerTime(1),
            btime: icloudds::model::ServerTime(1),
            executable: false,
        };
        world.drive.commit(&commit).unwrap();
        assert_eq!(world.lost_contents().len(), losses, "looked: {looked}");
    }
}

#[test]
fn the_store_keeps_whole_groups() {
    let world = World::new(1);
    let mut store = world.store.clone();
    store.commit(&[Change::Synced(1)]).unwrap();
    world.fuse.script(Call::Store, 0, Fault::Io);
    assert!(store.commit(&[Change::Synced(2)]).is_err());
    world.fuse.crash_after(1);
    assert_eq!(world.run(|| store.commit(&[Change::Synced(3)]).is_ok()), Outcome::Crashed);
    world.restart(Crash::PowerCut);
    assert_eq!(world.store.durable().last_sync, Some(1));
}

#[test]
fn the_sides_compare_by_content() {
    let world = World::new(1);
    world.disk.mkdir("d");
    world.disk.write("d/M\u{fc}ll", b"x");
    world.drive.mkdir("d").unwrap();
    world.drive.create("d/M\u{fc}ll", b"x").unwrap();
    world.assert_equal_sides();
    world.drive.edit("d/M\u{fc}ll", b"y");
    assert_eq!(world.differences().len(), 1);
}

#[test]
fn a_drive_that_vanished_reads_as_an_empty_one_and_takes_nothing() {
    let world = World::new(1);
    world.disk.write("a.txt", b"x");
    world.disk.vanish(Some(super::disk::Vanished::Empty));
    assert!(world.disk.check_root().is_err());
    assert!(world.disk.read_folder(&path("")).unwrap().entries.is_empty());
    assert!(world.disk.make_folder(&path("d")).is_err());
    world.disk.vanish(None);
    assert_eq!(world.disk.files(), ["a.txt"]);
}

#[test]
fn a_mount_shows_what_it_covers_when_it_is_taken_off() {
    let world = World::new(1);
    world.disk.mkdir("m");
    assert!(world.disk.mount("m"));
    world.disk.write("m/inside", b"x");
    assert!(!world.disk.look(&path("m/inside")).unwrap().unwrap().stamp.on_root_fs);
    world.disk.unmount();
    assert!(world.disk.read_folder(&path("m")).unwrap().entries.is_empty());
    world.disk.remount();
    assert_eq!(world.disk.read_folder(&path("m")).unwrap().entries.len(), 1);
}

#[test]
fn inode_numbers_come_again_where_file_systems_do_so() {
    let world = World::new(1);
    world.disk.switch(|switches| {
        switches.reuse_inodes = true;
        switches.births = false;
    });
    let identity = |name: &str| world.disk.look(&path(name)).unwrap().unwrap().stamp.identity;
    world.disk.write("a", b"1");
    let first = identity("a");
    world.disk.delete("a");
    world.disk.write("b", b"2");
    assert_eq!(identity("b"), first);
}

#[test]
fn what_a_person_does_between_two_steps_of_a_replacement_is_rescued() {
    use icloudds::engine::ports::{Displaced, DownloadKey};
    use std::io::Write;
    let world = World::new(1);
    world.disk.write("a", b"old");
    let stamp = world.disk.look(&path("a")).unwrap().unwrap().stamp;
    let key = DownloadKey {
        id: ItemId::drive_root(),
        etag: icloudds::model::Etag::new("1"),
        signature_text: String::new(),
        size: Some(3),
        path: path("a"),
    };
    let mut download = world.disk.download(&key).unwrap();
    download.write_all(b"new").unwrap();
    let ready = download.finish(None).unwrap();
    let disk = world.disk.clone();
    // The first step is the call's own, the second lies after the file went to its slot.
    world.fuse.interject(2, move || assert!(disk.save("a", b"mine, just now")));
    let (_, displaced) = world.disk.replace(&ready, &path("a"), &stamp).unwrap();
    let Displaced::Changed { slot } = displaced else { panic!("{displaced:?}") };
    world.disk.rescue(&slot, &path("a (conflict)")).unwrap();
    assert_eq!(&*world.disk.read("a (conflict)").unwrap(), b"mine, just now");
    world.assert_nothing_lost();
}

#[test]
fn the_listing_faults_say_what_they_should_and_hide_what_they_should() {
    let world = World::new(1);
    for number in 0..20 {
        world.drive.create(&format!("{number}"), b"x").unwrap();
    }
    let list = |fault| {
        world.fuse.script(Call::List, 0, fault);
        let listing = world.drive.list(&[ItemId::drive_root()], false).remove(0).unwrap();
        (listing.items.len() < 20, listing.folder.state == icloudds::model::FolderState::Complete)
    };
    assert_eq!(list(Fault::PartialListing), (true, false));
    assert_eq!(list(Fault::ShortListing), (true, true));
    assert_eq!(list(Fault::ShuffledListing), (false, true));
}
