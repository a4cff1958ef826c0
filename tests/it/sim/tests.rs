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
        world.disk.sync(&[path("")]).unwrap();
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
