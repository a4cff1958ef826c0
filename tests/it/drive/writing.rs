//! Calls that change the drive.

use super::*;
use icloudds::engine::ports::RemoteParent;
use icloudds::model::{Etag, RemoteKind};
use icloudds_simulator::switches::{CasMove, NameBad, NameBadAnswer, NameTaken, Putback};

#[test]
fn folders_are_made_several_at_once() {
    let world = World::new(|_| {});
    let made = world.drive.create_folders(&root(), &["a", "b.c", "ü"]);
    for (result, name) in made.into_iter().zip(["a", "b.c", "ü"]) {
        let item = result.unwrap();
        assert!(icloudds::model::name::same(&item.entry.name, name));
        assert_eq!(item.entry.kind, RemoteKind::Folder);
        assert_eq!(item.parent, RemoteParent::Folder(root()));
        assert_eq!(item.entry.id, world.id(name));
    }
    assert_eq!(world.sim.count("create"), 1);
    world.drive.trash(&[world.version("a", true)]).pop().unwrap().unwrap();
    world.upload(&root(), "f", b"x").unwrap();
    assert_eq!(world.clock.waited(), Duration::ZERO, "what goes well waits for nothing");
    world.check();
}

#[test]
fn an_undecided_creation_is_looked_for() {
    let world = World::new(|_| {});
    world.sim.drive().folder("d").unwrap();
    let parent = world.id("d");
    world.sim.drive().answer_creates_unknown(1);
    let item = world.drive.create_folders(&parent, &["a"]).pop().unwrap().unwrap();
    assert_eq!(item.entry.id, world.id("d/a"));
    world.fault("create", 1, Effect::AppliedReplyLost);
    let item = world.drive.create_folders(&parent, &["b"]).pop().unwrap().unwrap();
    assert_eq!(item.entry.id, world.id("d/b"));
    world.fault("create", 1, Effect::NotAppliedReplyLost);
    let lost = world.drive.create_folders(&parent, &["c"]).pop().unwrap();
    assert!(matches!(lost, Err(RemoteError::Uncertain(_))), "{lost:?}");
    assert_eq!(world.sim.count("create"), 3);
    // The root, which is slow right after a write, is not listed to confirm one.
    world.sim.drive().answer_creates_unknown(1);
    let before = world.sim.drive().asked();
    let open = world.drive.create_folders(&root(), &["e"]).pop().unwrap();
    assert!(matches!(open, Err(RemoteError::Uncertain(_))), "{open:?}");
    assert_eq!(world.sim.drive().asked(), before);
}

#[test]
fn a_taken_folder_name_is_never_hidden() {
    for taken in NameTaken::ALL {
        let world = World::new(|switches| switches.name_taken = *taken);
        world.sim.drive().folder("a").unwrap();
        let result = world.drive.create_folders(&root(), &["a"]).pop().unwrap();
        match result {
            Ok(item) => assert!(*item.entry.name != *"a" || item.entry.id == world.id("a"), "{taken:?}"),
            Err(error) => {
                assert!(matches!(error, RemoteError::NameTaken | RemoteError::Refused(_)), "{error:?}")
            }
        }
    }
}

#[test]
fn one_bad_name_does_not_spoil_the_others() {
    for answer in NameBadAnswer::ALL {
        let world = World::new(|switches| {
            (switches.name_bad, switches.name_bad_answer) = (NameBad::AlsoColonBackslash, *answer);
        });
        let made = world.drive.create_folders(&root(), &["good", "b:ad", "fine"]);
        // Where all were refused together the caller looks, and asks for each alone.
        let alone = |(made, name): (Result<RemoteItem, RemoteError>, &str)| match made {
            Err(RemoteError::Busy { .. }) => world.drive.create_folders(&root(), &[name]).pop().unwrap(),
            other => other,
        };
        let made: Vec<_> = made.into_iter().zip(["good", "b:ad", "fine"]).map(alone).collect();
        assert!(made[0].is_ok() && made[2].is_ok(), "{answer:?} {made:?}");
        assert!(matches!(made[1], Err(RemoteError::Refused(_))), "{answer:?} {made:?}");
        assert_eq!(world.names(&root()), ["fine", "good"], "{answer:?}");
    }
}

#[test]
fn renaming_keeps_the_id_and_shows_the_name_that_was_given() {
    let world = World::new(|_| {});
    world.write("a.txt", "x");
    world.write("taken.txt", "y");
    let version = world.version("a.txt", false);
    for name in ["b.txt", "c", ".hidden", "d.tar.gz"] {
        let item = world.drive.rename(&version, name).unwrap();
        assert_eq!((&*item.entry.name, &item.entry.id), (name, &version.id));
        assert_eq!(world.id(name), version.id);
    }
    let item = world.drive.rename(&version, "taken.txt").unwrap();
    assert_ne!(&*item.entry.name, "taken.txt");
    world.check();
}

#[test]
fn moving_keeps_the_id_and_a_stale_etag_is_told() {
    for cas in CasMove::ALL {
        let world = World::new(|switches| switches.cas_move = *cas);
        world.sim.drive().folder("d").unwrap();
        world.write("a", "x");
        world.write("b", "x");
        let stale = ItemVersion { etag: Etag::new("0::0"), ..world.version("b", false) };
        let moved = world.drive.move_into(&world.id("d"), &[world.version("a", false), stale]);
        assert_eq!(moved[0].as_ref().unwrap().parent, RemoteParent::Folder(world.id("d")));
        assert_eq!(moved[0].as_ref().unwrap().entry.id, world.id("d/a"));
        match cas {
            CasMove::Reject => assert_eq!(moved[1], Err(RemoteError::Stale)),
            CasMove::Accept => assert!(moved[1].is_ok()),
        }
    }
    let world = World::new(|_| {});
    world.sim.drive().library("iCloud.x", "X", false);
    world.write("a", "x");
    let library = ItemId::new(Zone::new("iCloud.x"), "documents");
    let refused = world.drive.move_into(&library, &[world.version("a", false)]);
    assert!(matches!(refused[0], Err(RemoteError::Refused(_))));
}

#[test]
fn the_trash_takes_only_what_was_planned_and_gives_it_back() {
    let world = World::new(|_| {});
    for name in ["a", "b", "gone"] {
        world.write(name, "x");
    }
    let versions: Vec<_> = ["a", "b", "gone"].iter().map(|name| world.version(name, false)).collect();
    world.write("b", "changed elsewhere");
    world.sim.drive().delete("gone").unwrap();
    let trashed = world.drive.trash(&versions);
    assert_eq!(trashed[0].as_ref().unwrap().parent, RemoteParent::Trash);
    assert_eq!(trashed[1], Err(RemoteError::Stale));
    assert_eq!(trashed[2], Err(RemoteError::Gone));
    assert_eq!(world.names(&root()), ["b"]);
    let item = trashed.into_iter().next().unwrap().unwrap();
    let version = ItemVersion { id: item.entry.id, folder: false, etag: item.entry.etag };
    let back = world.drive.put_back(std::slice::from_ref(&version)).pop().unwrap().unwrap();
    assert_eq!(&*back.entry.name, "a");
    let again = ItemVersion { etag: back.entry.etag, ..version };
    let item = world.drive.trash(std::slice::from_ref(&again)).pop().unwrap().unwrap();
    let last = ItemVersion { etag: item.entry.etag, ..again };
    assert_eq!(world.drive.delete_trashed(std::slice::from_ref(&last)), [Ok(())]);
    assert!(world.drive.list_trash().unwrap().items.is_empty());
    world.check();
}

#[test]
fn put_back_tells_new_ids_and_names_or_that_nobody_knows() {
    for putback in Putback::ALL {
        let world = World::new(|switches| switches.putback = *putback);
        world.write("a", "x");
        world.write("b", "x");
        let versions = [world.version("a", false), world.version("b", false)];
        let trashed: Vec<_> = world
            .drive
            .trash(&versions)
            .into_iter()
            .map(|item| item.unwrap().entry)
            .map(|entry| ItemVersion { id: entry.id, folder: false, etag: entry.etag })
            .collect();
        for (at, result) in world.drive.put_back(&trashed).into_iter().enumerate() {
            match (putback, result) {
                (Putback::Silent, result) => assert!(matches!(result, Err(RemoteError::Uncertain(_)))),
                (_, Ok(item)) => {
                    let name = item.entry.name.to_string();
                    assert_eq!(item.entry.id, world.id(&name), "{putback:?}");
                    assert!(name.starts_with(["a", "b"][at]), "{putback:?} {name}");
                }
                (_, Err(error)) => panic!("{putback:?}: {error}"),
            }
        }
    }
}

#[test]
fn no_change_that_a_busy_service_refuses_is_repeated() {
    let refusals = [
        answer(409, Some("ZONE_BUSY"), None),
        answer(429, None, Some(5)),
        answer(503, None, Some(5)),
        answer(500, None, None),
        answer(400, None, None),
        answer(403, None, None),
    ];
    for effect in refusals {
        let world = World::new(|_| {});
        world.sim.drive().folder("d").unwrap();
        world.write("a", "x");
        let version = world.version("a", false);
        let one = std::slice::from_ref(&version);
        let staged = world.stage("n", b"new").unwrap();
        for kind in ["create", "rename", "move", "trash", "commit"] {
            let before = (world.sim.count(kind), world.clock.waited());
            world.fault(kind, 1, effect.clone());
            let error = match kind {
                "create" => world.drive.create_folders(&root(), &["e"]).pop().unwrap().unwrap_err(),
                "rename" => world.drive.rename(&version, "b").unwrap_err(),
                "move" => world.drive.move_into(&world.id("d"), one).pop().unwrap().unwrap_err(),
                "trash" => world.drive.trash(one).pop().unwrap().unwrap_err(),
                _ => world.commit(&staged, &root(), "a", Some(&version.id)).unwrap_err(),
            };
            let told = matches!(error, RemoteError::Busy { .. } | RemoteError::Uncertain(_));
            assert!(told, "{kind} {effect:?}: {error:?}");
            assert_eq!(world.sim.count(kind), before.0 + 1, "{kind} {effect:?}");
            // What may have been made is looked for after a second; nothing else waits.
            assert!(world.clock.waited() - before.1 <= Duration::from_secs(1), "{kind} {effect:?}");
        }
        assert_eq!(world.names(&root()), ["a", "d"], "{effect:?}");
    }
}

#[test]
fn the_wait_that_the_service_asks_for_is_told() {
    let world = World::new(|_| {});
    world.write("a", "x");
    world.fault("rename", 1, answer(429, None, Some(5)));
    let version = world.version("a", false);
    let error = world.drive.rename(&version, "b").unwrap_err();
    let five = Some(Duration::from_secs(5));
    assert!(matches!(error, RemoteError::Busy { retry_after, .. } if retry_after == five), "{error:?}");
    assert_eq!(&*world.drive.rename(&version, "b").unwrap().entry.name, "b");
}

#[test]
fn a_change_whose_reply_is_lost_is_not_repeated() {
    for effect in
        [Effect::AppliedReplyLost, Effect::NotAppliedReplyLost, Effect::TruncateBody, answer(503, None, None)]
    {
        let world = World::new(|_| {});
        world.sim.drive().folder("d").unwrap();
        world.write("a", "x");
        let version = world.version("a", false);
        for kind in ["rename", "move", "trash"] {
            world.fault(kind, 1, effect.clone());
            let before = world.sim.count(kind);
            let error = match kind {
                "rename" => world.drive.rename(&version, "b").unwrap_err(),
                "move" => world
                    .drive
                    .move_into(&world.id("d"), std::slice::from_ref(&version))
                    .pop()
                    .unwrap()
                    .unwrap_err(),
                _ => world.drive.trash(std::slice::from_ref(&version)).pop().unwrap().unwrap_err(),
            };
            assert!(matches!(error, RemoteError::Uncertain(_)), "{kind} {effect:?}: {error:?}");
            assert_eq!(world.sim.count(kind), before + 1, "{kind} {effect:?}");
        }
    }
}
