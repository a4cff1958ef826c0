//! Listings, look-ups, the check, the remote root.

use super::*;
use icloudds::engine::observe::remote::{Scope, observe_remote};
use icloudds::engine::ports::RemoteParent;
use icloudds::engine::view::Absence;
use icloudds::model::{AccountProblem, BaseEntry, BaseTree, FolderState, Node, RelPath, RemoteKind};
use icloudds_simulator::switches::{ApplibEmpty, Batch, Flap, Gone, Names, Shared, Short, Throttle};

/// Thirty folders with a file each.
fn wide(world: &World) -> Vec<ItemId> {
    for at in 0..30 {
        world.write(&format!("d{at:02}/f{at}"), "x");
    }
    (0..30).map(|at| world.id(&format!("d{at:02}"))).collect()
}

#[test]
fn many_folders_are_listed_right_whatever_a_batch_is_answered() {
    let cases = [Batch::Ok, Batch::RefuseOver(5), Batch::Status400, Batch::DropSome, Batch::Shuffle];
    for batch in cases {
        let world = World::new(|switches| switches.batch = batch);
        let folders = wide(&world);
        for round in 0..2 {
            let listings = world.drive.list(&folders, false);
            for (at, listing) in listings.into_iter().enumerate() {
                let listing = listing.unwrap_or_else(|error| panic!("{batch:?} {at}: {error}"));
                assert_eq!(listing.folder.id, folders[at]);
                assert_eq!(listing.folder.state, FolderState::Complete);
                assert_eq!(&*listing.items[0].entry.name, format!("f{at}"), "{batch:?} {round}");
                assert_eq!(listing.items[0].parent, RemoteParent::Folder(folders[at].clone()));
            }
        }
        if batch == Batch::Ok {
            assert_eq!(world.sim.count("listing"), 2, "all thirty, twice");
        }
        if batch == Batch::Status400 {
            assert_eq!(world.sim.count("listing"), 61, "singles for good after a refused batch");
        }
        world.check();
    }
}

#[test]
fn brief_listings_bear_ids_and_etags() {
    let world = World::new(|_| {});
    world.write("a", "x");
    let listing = world.drive.list(&[root()], true).pop().unwrap().unwrap();
    assert_eq!(listing.items[0].entry.id, world.id("a"));
    assert_eq!(listing.items[0].entry.etag.as_str(), world.sim.drive().entry("a").unwrap().etag);
}

#[test]
fn a_short_listing_is_incomplete() {
    let world = World::new(|switches| switches.short = Short::AnnounceMore);
    world.write("a", "x");
    world.write("b", "x");
    let listing = world.drive.list(&[root()], false).pop().unwrap().unwrap();
    assert_eq!(listing.folder.state, FolderState::Incomplete);
}

#[test]
fn gone_is_said_only_of_what_is_gone() {
    for gone in Gone::ALL {
        let world = World::new(|switches| switches.gone = *gone);
        world.write("kept", "x");
        world.write("trashed", "x");
        world.write("purged", "x");
        let items: Vec<_> =
            ["kept", "trashed", "purged"].map(|path| (world.id(path), false)).into_iter().collect();
        world.sim.drive().trash("trashed").unwrap();
        world.sim.drive().delete("purged").unwrap();
        let answers = world.drive.look_up(&items).unwrap();
        assert!(
            matches!(&answers[0], LookUp::Found(item) if item.parent == RemoteParent::Folder(root())),
            "{gone:?}"
        );
        assert!(!matches!(&answers[0], LookUp::Gone));
        assert_eq!(answers[2], LookUp::Gone, "{gone:?}");
        let trash = world.drive.list_trash().unwrap();
        assert_eq!(trash.items.len(), 1);
        assert_eq!(trash.items[0].entry.id, items[1].0);
        world.check();
    }
}

#[test]
fn a_broken_session_or_front_says_nothing_of_items() {
    let world = World::new(|_| {});
    world.write("a", "x");
    let item = (world.id("a"), false);
    for effect in [answer(404, None, None), answer(400, None, None), answer(503, None, None)] {
        world.fault("details", 100, effect.clone());
        let said = world.drive.look_up(std::slice::from_ref(&item));
        assert!(!matches!(said.as_deref(), Ok([LookUp::Gone])), "{effect:?}: {said:?}");
    }
}

fn view_base(world: &World, paths: &[&str]) -> BaseTree {
    let mut base = BaseTree::new(BaseEntry::root(root()));
    for path in paths {
        let entry = BaseEntry {
            local_name: (*path).into(),
            remote_name: (*path).into(),
            etag: world.version(path, false).etag,
            remote_size: Some(1).into(),
            ..BaseEntry::root(world.id(path))
        };
        base.insert(Node::ROOT, path, BaseEntry { folder: false, ..entry });
    }
    base
}

fn observe(world: &World, base: &BaseTree) -> icloudds::engine::view::RemoteView {
    let skip = |_: &RelPath| false;
    let scope =
        Scope { root: root(), root_is_library: false, app_libraries: Vec::new(), may_skip: &skip, now: 0 };
    observe_remote(&world.drive, &*world.clock, base, &scope, None).unwrap()
}

#[test]
fn short_listings_and_flaps_delete_nothing_and_real_deletions_are_seen() {
    for (short, flap) in [
        (Short::Never, Flap::Off),
        (Short::AnnounceMore, Flap::Off),
        (Short::SilentlyFewer, Flap::Off),
        (Short::SilentlyFewer, Flap::Once),
        (Short::AnnounceMore, Flap::Once),
    ] {
        for gone in Gone::ALL {
            let world = World::new(|_| {});
            for name in ["a", "b", "c", "trashed", "purged"] {
                world.write(name, "x");
            }
            let base = view_base(&world, &["a", "b", "c", "trashed", "purged"]);
            let purged = world.id("purged");
            let trashed = world.id("trashed");
            world.sim.drive().trash("trashed").unwrap();
            world.sim.drive().delete("purged").unwrap();
            world
                .sim
                .switches(|switches| (switches.short, switches.flap, switches.gone) = (short, flap, *gone));
            let view = observe(&world, &base);
            for name in ["a", "b", "c"] {
                assert!(view.tree.by_id(&world.id(name)).is_some(), "{short:?} {flap:?} {gone:?} {name}");
            }
            assert_eq!(view.absent.get(&trashed), Some(&Absence::Trashed), "{short:?} {flap:?} {gone:?}");
            assert_eq!(view.absent.get(&purged), Some(&Absence::Gone), "{short:?} {flap:?} {gone:?}");
            assert_eq!(view.absent.len(), 2);
        }
    }
}

#[test]
fn own_writes_stay_while_listings_lag() {
    for lag in [0, 3, 30] {
        let world = World::new(|switches| switches.visible = Duration::from_secs(lag));
        world.write("old", "x");
        world.sim.advance(Duration::from_secs(60));
        let mut base = view_base(&world, &["old"]);
        let made = world.upload(&root(), "made", b"x").unwrap().entry;
        let written_at = Some(world.clock.now().whole_seconds());
        let entry = BaseEntry {
            folder: false,
            local_name: "made".into(),
            remote_name: "made".into(),
            etag: made.etag.clone(),
            written_at: written_at.into(),
            remote_size: Some(1).into(),
            ..BaseEntry::root(made.id.clone())
        };
        base.insert(Node::ROOT, "made", entry);
        let trashed = world.drive.trash(&[world.version("old", false)]).pop().unwrap().unwrap().entry.id;
        base.remove(base.by_id(&trashed).unwrap());
        let view = observe(&world, &base);
        assert!(view.tree.by_id(&made.id).is_some(), "{lag}");
        assert!(view.tree.by_id(&trashed).is_none(), "{lag}");
        assert!(view.absent.is_empty());
    }
}

#[test]
fn throttling_is_waited_out_within_bounds() {
    for (throttle, every) in [(Throttle::Status429, 3), (Throttle::Html503, 3)] {
        let world = World::new(|_| {});
        let folders = wide(&world);
        world.sim.switches(|switches| (switches.throttle, switches.throttle_every) = (throttle, every));
        for folder in &folders {
            let listing = world.drive.list(std::slice::from_ref(folder), false).pop().unwrap();
            assert!(listing.is_ok(), "{throttle:?}: {listing:?}");
        }
    }
    let world = World::new(|_| {});
    world.drive.list(&[root()], false).pop().unwrap().unwrap();
    world.fault("listing", 1000, answer(429, None, Some(7200)));
    let error = world.drive.list(&[root()], false).pop().unwrap().unwrap_err();
    assert!(
        matches!(error, RemoteError::Busy { retry_after: Some(wait), .. } if wait == Duration::from_secs(7200))
    );
    world.fault("listing", 1000, answer(503, None, None));
    let before = world.clock.waited();
    let error = world.drive.list(&[root()], false).pop().unwrap().unwrap_err();
    assert!(matches!(error, RemoteError::Busy { retry_after: None, .. }), "{error:?}");
    assert!(world.clock.waited() - before < Duration::from_secs(180));
    world.fault("listing", 1000, answer(403, Some("ACCESS_DENIED"), None));
    let error = world.drive.list(&[root()], false).pop().unwrap().unwrap_err();
    assert!(
        matches!(error, RemoteError::Busy { retry_after: Some(wait), .. } if wait >= Duration::from_secs(300))
    );
    world.clock.pause(Duration::from_secs(1000)).unwrap();
    let error = world.drive.list(&[root()], false).pop().unwrap().unwrap_err();
    assert!(matches!(error, RemoteError::Account { cause: AccountProblem::Drive, .. }), "{error:?}");
}

#[test]
fn a_first_use_is_waited_for_and_told() {
    let world = World::new(|_| {});
    world.fault("listing", 20, answer(400, None, None));
    world.drive.list(&[root()], false).pop().unwrap().expect("ready after some minutes");
    assert!(world.clock.waited() > Duration::from_secs(60));
    let world = World::new(|_| {});
    world.fault("listing", u64::MAX, answer(400, None, None));
    let error = world.drive.list(&[root()], false).pop().unwrap().unwrap_err();
    assert!(
        matches!(&error, RemoteError::Account { cause: AccountProblem::Drive, message } if message.contains("preparing")),
        "{error:?}"
    );
    assert!(world.clock.waited() <= Duration::from_secs(1900));
    // Where there is a state, the Drive was prepared long ago.
    let world = World::with(|_| {}, DriveOptions { was_used: true, ..DriveOptions::default() });
    world.fault("listing", u64::MAX, answer(400, None, None));
    let error = world.drive.list(&[root()], false).pop().unwrap().unwrap_err();
    assert!(!matches!(error, RemoteError::Account { .. }), "{error:?}");
    assert!(world.clock.waited() <= Duration::from_secs(60));
}

#[test]
fn damaged_answers_are_asked_for_again() {
    for effect in
        [Effect::TruncateBody, Effect::CutBodyAfter(20), Effect::NotAppliedReplyLost, answer(500, None, None)]
    {
        let world = World::new(|_| {});
        world.write("a", "x");
        world.fault("listing", 1, effect.clone());
        let listing = world.drive.list(&[root()], false).pop().unwrap();
        assert_eq!(listing.map(|listing| listing.items.len()), Ok(1), "{effect:?}");
    }
}

#[test]
fn the_pulse_is_one_request_and_sees_what_happens() {
    let world = World::new(|_| {});
    world.write("a", "x");
    let before = world.drive.check().unwrap();
    assert_eq!(world.drive.check().unwrap(), before);
    assert_eq!(world.sim.count("listing"), 2);
    world.sim.drive().rename("a", "b").unwrap();
    let renamed = world.drive.check().unwrap();
    assert_ne!(renamed, before);
    let trash = world.drive.check_trash().unwrap();
    world.sim.drive().trash("b").unwrap();
    assert_ne!(world.drive.check().unwrap(), renamed);
    assert_ne!(world.drive.check_trash().unwrap(), trash);
    assert_eq!(world.sim.drive().asked().mixed, 0);
    let single = World::new(|switches| switches.batch = Batch::Status400);
    single.drive.list(&[root()], false).pop().unwrap().unwrap();
    single.drive.check().unwrap();
    single.drive.check().unwrap();
}

#[test]
fn the_remote_root_is_found_by_names_or_made() {
    let world = World::new(|_| {});
    world.write("Documents/Nötes/x", "x");
    world.sim.drive().library("iCloud.md.obsidian", "Obsidian", false);
    world.write("Obsidian/in", "x");
    let resolve = |path, create| world.drive.resolve_root(path, create);
    assert_eq!(resolve("/", false).unwrap().unwrap().entry.id, root());
    let notes = world.id("Documents/Nötes");
    for form in ["/Documents/N\u{f6}tes", "/Documents/No\u{308}tes/", "Documents/Nötes"] {
        assert_eq!(resolve(form, false).unwrap().unwrap().entry.id, notes);
    }
    for name in ["/Obsidian", "/iCloud.md.obsidian"] {
        let library = resolve(name, false).unwrap().unwrap();
        assert_eq!(library.entry.kind, RemoteKind::AppLibrary);
    }
    assert_eq!(resolve("/Documents/New/Deep", false).unwrap(), None);
    let made = resolve("/Documents/New/Deep", true).unwrap().unwrap();
    assert_eq!(made.entry.id, world.id("Documents/New/Deep"));
    assert!(matches!(resolve("/Documents/Nötes/x", true), Err(RemoteError::Refused(_))));
    world.check();
}

#[test]
fn names_and_foreign_items_come_as_they_are() {
    for names in Names::ALL {
        let world = World::new(|switches| (switches.names, switches.shared) = (*names, Shared::Listed));
        for name in ["Ünïcödé.txt", ".bashrc", "a.tar.gz", "no extension", "trailing."] {
            world.write(name, "x");
        }
        world.sim.drive().shared_folder("Shared");
        let listing = world.drive.list(&[root()], false).pop().unwrap().unwrap();
        for name in ["Ünïcödé.txt", ".bashrc", "a.tar.gz", "no extension", "trailing."] {
            let is = |item: &&RemoteItem| icloudds::model::name::same(&item.entry.name, name);
            let item = listing.items.iter().find(is).unwrap_or_else(|| panic!("{names:?} {name}"));
            assert_eq!(item.entry.kind, RemoteKind::File);
        }
        let shared = listing.items.iter().find(|item| &*item.entry.name == "Shared").unwrap();
        assert_eq!(shared.entry.kind, RemoteKind::Foreign);
    }
}

#[test]
fn an_empty_library_that_does_not_resolve_is_unknown_not_empty() {
    let world = World::new(|switches| switches.applib_empty = ApplibEmpty::IdInvalid);
    world.sim.drive().library("iCloud.md.obsidian", "Obsidian", false);
    let skip = |_: &RelPath| false;
    let libraries = vec!["Obsidian".to_owned()];
    let scope =
        Scope { root: root(), root_is_library: false, app_libraries: libraries, may_skip: &skip, now: 0 };
    let base = BaseTree::new(BaseEntry::root(root()));
    let view = observe_remote(&world.drive, &*world.clock, &base, &scope, None).unwrap();
    let library = view.tree.find(&RelPath::parse("Obsidian").unwrap()).unwrap();
    assert_eq!(view.tree.get(library).state, FolderState::Incomplete);
}
