//! The pure drive under each value of each switch that changes what it does.

use std::sync::Arc;
use std::time::Duration;

use super::content::Content;
use super::item::{Kind, Place};
use super::journal::{self, Lost, What};
use super::replace::NewFile;
use super::view::Listed;
use super::{Actor, Ix, Model, ROOT, Refusal};
use crate::switches::{
    ApplibCount, CasDelete, CasFolder, CasMove, CasRename, CountLag, EtagUp, Mtime, NameTaken, Purge,
    Putback, Shared, Switches,
};

const START_MS: i64 = 1_770_000_000_000;

/// A model whose clock and switches a test moves.
struct World {
    model: Model,
    switches: Switches,
    now_ms: i64,
}

impl World {
    fn new(set: impl FnOnce(&mut Switches)) -> Self {
        let mut switches = Switches::default();
        set(&mut switches);
        let mut world = Self { model: Model::new(1, START_MS), switches, now_ms: START_MS };
        world.wait(0);
        world
    }

    fn wait(&mut self, ms: i64) {
        self.now_ms += ms;
        self.model.tick(self.now_ms, Arc::new(self.switches.clone()));
    }

    fn file(&mut self, parent: Ix, name: &str, content: &str, actor: Actor) -> Ix {
        let doc = self.model.new_doc();
        let file = NewFile {
            name: name.to_owned(),
            content: Content::from(content),
            mtime_ms: START_MS,
            btime_ms: START_MS,
            executable: false,
        };
        self.model.add_file(parent, doc, file, false, actor).unwrap()
    }

    fn folder(&mut self, parent: Ix, name: &str) -> Ix {
        self.model.create_folder(parent, name).unwrap()
    }

    fn lost(&self) -> Vec<Lost> {
        let (suspects, held) = self.model.suspects();
        journal::lost(&suspects, &held).unwrap()
    }

    fn listed(&self, folder: Ix) -> Vec<String> {
        let mut names: Vec<String> =
            self.model.listing(Listed::Folder(folder)).iter().map(|view| view.name.clone()).collect();
        names.sort();
        names
    }
}

#[test]
fn an_id_survives_rename_move_trash_and_put_back() {
    let mut world = World::new(|_| {});
    let (a, b) = (world.folder(ROOT, "a"), world.folder(ROOT, "b"));
    let file = world.file(a, "x.txt", "1", Actor::Person);
    let id = world.model.item(file).id;
    world.model.rename(file, None, "y.txt").unwrap();
    world.model.move_to(file, None, b).unwrap();
    assert_eq!(world.model.path(file), "b/y.txt");
    world.model.trash_item(file, None).unwrap();
    assert_eq!(world.model.trash()[&file].restore_path, "b/y.txt");
    assert!(world.listed(b).is_empty());
    world.model.put_back(file).unwrap();
    assert_eq!((world.model.path(file).as_str(), world.model.item(file).id), ("b/y.txt", id));
}

#[test]
fn what_is_put_back_goes_to_the_root_when_its_folder_is_gone() {
    let mut world = World::new(|_| {});
    let folder = world.folder(ROOT, "f");
    let file = world.file(folder, "x", "1", Actor::Person);
    world.model.trash_item(file, None).unwrap();
    world.model.trash_item(folder, None).unwrap();
    world.model.put_back(file).unwrap();
    assert_eq!(world.model.path(file), "x");
}

#[test]
fn every_change_of_a_file_gives_it_another_etag_and_only_a_content_change_the_second_token() {
    let mut world = World::new(|_| {});
    let file = world.file(ROOT, "x", "1", Actor::Person);
    let second = |world: &World| world.model.etag(file).split_once("::").unwrap().1.to_owned();
    let (etag, token) = (world.model.etag(file), second(&world));
    world.model.rename(file, None, "y").unwrap();
    assert_ne!(world.model.etag(file), etag);
    assert_eq!(second(&world), token);
    world.model.replace(file, Content::from("2"), START_MS, Actor::Person).unwrap();
    assert_ne!(second(&world), token);
}

#[test]
fn some_rules_let_names_run_up_as_well_or_stop_at_the_folder_or_lapse() {
    for (rule, by_name, further) in [
        (EtagUp::AtOnce, [false, false], true),
        (EtagUp::Always, [true, true], true),
        (EtagUp::Parent, [true, false], false),
    ] {
        let mut world = World::new(|s| s.etag_up = rule);
        let folder = world.folder(ROOT, "f");
        let inside = world.folder(folder, "g");
        let file = world.file(inside, "x", "1", Actor::Person);
        let etags = |world: &World| [inside, folder].map(|ix| world.model.etag(ix));
        let differ = |one: [String; 2], two: [String; 2]| [one[0] != two[0], one[1] != two[1]];
        let before = etags(&world);
        world.model.rename(file, None, "y").unwrap();
        assert_eq!(differ(before, etags(&world)), by_name, "{rule:?}");
        let before = etags(&world);
        world.model.replace(file, Content::from("2"), START_MS, Actor::Person).unwrap();
        assert_eq!(differ(before, etags(&world)), [true, further], "{rule:?}");
    }
    let mut world = World::new(|s| s.etag_up = EtagUp::Lapses);
    let folder = world.folder(ROOT, "f");
    let file = world.file(folder, "x", "1", Actor::Person);
    let mut lapses = 0;
    for number in 0..200 {
        let before = world.model.etag(folder);
        world.model.rename(file, None, &format!("{number}")).unwrap();
        lapses += u32::from(world.model.etag(folder) == before);
    }
    assert_eq!(lapses, 2);
}

#[test]
fn etags_run_up_late_at_once_or_never() {
    for (rule, at_once, later) in
        [(EtagUp::Delayed, false, true), (EtagUp::AtOnce, true, true), (EtagUp::Never, false, false)]
    {
        let mut world = World::new(|s| s.etag_up = rule);
        let folder = world.folder(ROOT, "f");
        let file = world.file(folder, "x", "1", Actor::Person);
        world.wait(60_000);
        let before = [world.model.etag(folder), world.model.etag(ROOT)];
        world.model.replace(file, Content::from("2"), START_MS, Actor::Person).unwrap();
        let changed = |world: &World| {
            let now = [world.model.etag(folder), world.model.etag(ROOT)];
            assert_eq!(now[0] == before[0], now[1] == before[1], "{rule:?}: all ancestors or none");
            now[0] != before[0]
        };
        assert_eq!(changed(&world), at_once, "{rule:?}");
        world.wait(60_000);
        assert_eq!(changed(&world), later, "{rule:?}");
    }
}

#[test]
fn the_root_counts_the_trash_and_leaves_libraries_out_unless_told() {
    for (rule, files) in [(ApplibCount::Excluded, 2), (ApplibCount::Included, 3)] {
        let mut world = World::new(|s| s.applib_count = rule);
        let library = world.model.add_library("iCloud.md.obsidian", "Obsidian", false);
        world.file(library, "note.md", "n", Actor::Person);
        world.file(ROOT, "a", "1", Actor::Person);
        let trashed = world.file(ROOT, "b", "2", Actor::Person);
        let before = world.model.shown_counts(ROOT);
        world.model.trash_item(trashed, None).unwrap();
        let counts = world.model.shown_counts(ROOT);
        assert_eq!((counts.files, counts.direct), (files, 2), "{rule:?}");
        assert_eq!(counts.files, before.files, "trashing leaves the count");
        world.model.delete_item(trashed, None, Actor::Person).unwrap();
        assert_eq!(world.model.shown_counts(ROOT).files, files - 1, "deleting does not");
    }
}

#[test]
fn counts_lag_or_never_follow() {
    for (lag, soon, later) in [
        (CountLag::After(Duration::ZERO), 1, 1),
        (CountLag::After(Duration::from_secs(5)), 0, 1),
        (CountLag::Stuck, 0, 0),
    ] {
        let mut world = World::new(|s| s.count_lag = lag);
        let folder = world.folder(ROOT, "f");
        world.wait(100_000);
        world.file(folder, "x", "1", Actor::Person);
        world.wait(1000);
        assert_eq!(world.model.shown_counts(folder).files, soon, "{lag:?}");
        world.wait(5000);
        assert_eq!(world.model.shown_counts(folder).files, later, "{lag:?}");
        assert_eq!(world.model.shown_counts(ROOT).files, later, "{lag:?}");
    }
}

#[test]
fn listings_show_the_old_state_for_a_while_and_views_the_new_one() {
    let mut world = World::new(|s| s.visible = Duration::from_secs(3));
    let folder = world.folder(ROOT, "f");
    let file = world.file(ROOT, "x", "1", Actor::Person);
    world.wait(10_000);
    world.model.move_to(file, None, folder).unwrap();
    assert_eq!(world.listed(ROOT), ["f", "x"]);
    assert!(world.listed(folder).is_empty());
    assert_eq!(world.model.view(file).parent, Some(world.model.drivewsid(folder)));
    world.model.trash_item(file, None).unwrap();
    assert!(world.model.listing(Listed::Trash).is_empty());
    world.wait(3000);
    assert_eq!(world.listed(ROOT), ["f"]);
    assert_eq!(world.model.listing(Listed::Trash).len(), 1);
}

#[test]
fn stale_etags_are_rejected_where_the_switches_say() {
    let mut world = World::new(|_| {});
    let folder = world.folder(ROOT, "f");
    let file = world.file(ROOT, "x", "1", Actor::Person);
    let stale = Some("0::0");
    assert_eq!(world.model.trash_item(file, stale), Err(Refusal::Stale));
    for (reject, expected) in [(true, Err(Refusal::Stale)), (false, Ok(file))] {
        world.switches.cas_move = if reject { CasMove::Reject } else { CasMove::Accept };
        world.switches.cas_rename = if reject { CasRename::Reject } else { CasRename::Accept };
        world.switches.cas_delete = if reject { CasDelete::Reject } else { CasDelete::Accept };
        world.wait(0);
        assert_eq!(world.model.move_to(file, stale, folder), expected);
        assert_eq!(world.model.rename(file, stale, "z"), expected);
        assert_eq!(world.model.delete_item(file, stale, Actor::Client), expected);
    }
}

#[test]
fn a_folder_is_guarded_by_its_own_etag_or_by_its_subtree() {
    for (rule, guarded) in [(CasFolder::OwnEtagOnly, false), (CasFolder::Subtree, true)] {
        let mut world = World::new(|s| {
            s.cas_folder = rule;
            s.etag_up = EtagUp::Never;
        });
        let folder = world.folder(ROOT, "f");
        let file = world.file(folder, "x", "1", Actor::Person);
        world.model.run_up_now(folder);
        let etag = world.model.etag(folder);
        world.model.rename(file, None, "y").unwrap();
        let result = world.model.trash_item(folder, Some(&etag));
        assert_eq!(result.is_err(), guarded, "{rule:?}");
        if guarded {
            let fresh = world.model.etag(folder);
            assert_ne!(fresh, etag);
            assert_eq!(world.model.trash_item(folder, Some(&fresh)), Ok(folder));
        }
    }
}

#[test]
fn a_taken_name_is_numbered_refused_or_answered_with_its_holder() {
    for rule in NameTaken::ALL {
        let mut world = World::new(|s| s.name_taken = *rule);
        let first = world.folder(ROOT, "Projects");
        let other = world.folder(ROOT, "Other");
        let created = world.model.create_folder(ROOT, "Projects");
        let renamed = world.model.rename(other, None, "Projects");
        match rule {
            NameTaken::AutoRename => {
                assert_eq!(world.model.path(created.unwrap()), "Projects 2");
                assert_eq!(world.model.path(renamed.unwrap()), "Projects 3");
            }
            NameTaken::Error => {
                assert_eq!((created, renamed), (Err(Refusal::NameTaken), Err(Refusal::NameTaken)));
            }
            NameTaken::ExistingReturned => {
                assert_eq!((created, renamed), (Ok(first), Ok(first)));
                assert_eq!(world.model.path(other), "Other");
            }
        }
    }
}

#[test]
fn put_back_may_give_another_name_or_id() {
    for (rule, new_name, new_id) in [
        (Putback::NumberedInTrash, false, false),
        (Putback::Same, false, false),
        (Putback::NewName, true, false),
        (Putback::NewId, false, true),
        (Putback::Both, true, true),
        (Putback::Silent, false, false),
    ] {
        let mut world = World::new(|s| s.putback = rule);
        let file = world.file(ROOT, "x.txt", "1", Actor::Person);
        let id = world.model.item(file).id;
        world.model.trash_item(file, None).unwrap();
        world.model.put_back(file).unwrap();
        assert_eq!(world.model.path(file) == "x 2.txt", new_name, "{rule:?}");
        assert_eq!(world.model.item(file).id != id, new_id, "{rule:?}");
        assert_eq!(world.model.find("com.apple.CloudDocs", &id.doc.to_string()).is_none(), new_id);
    }
}

#[test]
fn the_trash_numbers_a_name_that_it_holds_and_put_back_keeps_the_number() {
    let mut world = World::new(|s| s.putback = Putback::NumberedInTrash);
    let first = world.file(ROOT, "x.txt", "1", Actor::Person);
    world.model.trash_item(first, None).unwrap();
    let second = world.file(ROOT, "x.txt", "2", Actor::Person);
    let id = world.model.item(second).id;
    world.model.trash_item(second, None).unwrap();
    assert_eq!(&*world.model.item(second).name, "x 2.txt");
    assert_eq!(world.model.trash()[&second].restore_path, "x.txt");
    world.model.put_back(second).unwrap();
    assert_eq!((world.model.path(second), world.model.item(second).id), ("x 2.txt".to_owned(), id));
}

#[test]
fn a_file_can_become_a_package_under_its_id_and_opening_changes_no_content() {
    let mut world = World::new(|_| {});
    let file = world.file(ROOT, "Sheet.numbers", "flat", Actor::Person);
    let (id, etag) = (world.model.item(file).id, world.model.etag(file));
    world.model.open(file).unwrap();
    let opened = world.model.etag(file);
    assert_ne!(opened, etag);
    assert_eq!(opened.split_once("::").unwrap().1, etag.split_once("::").unwrap().1);
    let members = vec![
        crate::drive::package::Member { path: "Index.zip".to_owned(), content: Content::from("12345") },
        crate::drive::package::Member { path: "preview.jpg".to_owned(), content: Content::from("678") },
    ];
    world.model.become_package(file, members).unwrap();
    let item = world.model.item(file);
    assert_eq!((item.kind, item.id), (Kind::Package, id));
    assert_eq!(world.model.size(file), 8, "a package is as large as its members");
    assert_ne!(world.model.etag(file).split_once("::").unwrap().1, etag.split_once("::").unwrap().1);
}

#[test]
fn mtime_is_kept_rounded_or_replaced() {
    for (rule, expected) in [
        (Mtime::Keep, START_MS + 1_400),
        (Mtime::Ceil, START_MS + 2_000),
        (Mtime::Floor, START_MS + 1_000),
        (Mtime::Now, START_MS + 60_000),
    ] {
        let mut world = World::new(|s| s.mtime = rule);
        let file = world.file(ROOT, "x", "1", Actor::Person);
        world.wait(60_000);
        world.model.replace(file, Content::from("2"), START_MS + 1_400, Actor::Client).unwrap();
        assert_eq!(world.model.item(file).modified_ms, expected, "{rule:?}");
    }
}

#[test]
fn the_trash_gives_up_after_30_days_and_look_ups_may_go_on() {
    for (rule, answers) in [(Purge::Gone, false), (Purge::StillAnswers, true)] {
        let mut world = World::new(|s| s.purge = rule);
        let folder = world.folder(ROOT, "f");
        let file = world.file(folder, "x", "1", Actor::Person);
        world.model.trash_item(folder, None).unwrap();
        world.wait(30 * 24 * 3_600_000 - 1);
        assert!(world.model.is_trashed(file));
        world.wait(1);
        assert!(world.model.trash().is_empty());
        assert_eq!(world.model.item(folder).place, Place::Gone);
        assert_eq!((world.model.answers(folder), world.model.answers(file)), (answers, answers), "{rule:?}");
        assert!(world.lost().is_empty(), "age is nobody's fault");
    }
}

#[test]
fn items_do_not_move_between_zones_or_into_themselves() {
    let mut world = World::new(|_| {});
    let library = world.model.add_library("com.apple.Pages", "Pages", false);
    let outer = world.folder(ROOT, "outer");
    let inner = world.folder(outer, "inner");
    assert_eq!(world.model.move_to(outer, None, library), Err(Refusal::WrongPlace));
    assert_eq!(world.model.move_to(outer, None, inner), Err(Refusal::WrongPlace));
    assert_eq!(world.model.trash_item(library, None), Err(Refusal::WrongPlace));
    let note = world.file(library, "n", "1", Actor::Person);
    assert_eq!(world.model.zone_name(note), "com.apple.Pages");
}

#[test]
fn shared_and_hidden_things_appear_only_when_they_should() {
    for (rule, shown) in
        [(Shared::None, false), (Shared::Listed, true), (Shared::Nested400, true), (Shared::Vanishes, false)]
    {
        let mut world = World::new(|s| s.shared = rule);
        let shared = world.model.add_shared_folder("Theirs");
        let nested = world.folder(shared, "nested");
        world.model.add_library("com.apple.Hidden", "Hidden", true);
        assert_eq!(world.model.item(nested).kind, Kind::FolderInShared);
        assert_eq!(world.listed(ROOT) == ["Theirs"], shown, "{rule:?}");
    }
}

#[test]
fn a_client_that_never_had_a_content_loses_it_by_overwriting() {
    let mut world = World::new(|_| {});
    let file = world.file(ROOT, "x", "precious", Actor::Person);
    let copy = world.file(ROOT, "copy", "precious", Actor::Person);
    world.model.note_shown(file);
    let what = world.model.replace(file, Content::from("other"), START_MS, Actor::Client);
    assert_eq!(what, Ok(What::ReplacedUnread));
    assert!(world.lost().is_empty(), "the copy still has it");
    world.model.delete_item(copy, None, Actor::Person).unwrap();
    let lost = world.lost();
    assert_eq!((lost.len(), lost[0].path.as_str(), lost[0].len), (1, "x", 8));
}

#[test]
fn knowing_a_content_makes_it_right_to_replace_or_delete_it() {
    let mut world = World::new(|_| {});
    let file = world.file(ROOT, "x", "first", Actor::Person);
    world.model.note_known(file);
    assert_eq!(
        world.model.replace(file, Content::from("second"), START_MS, Actor::Client),
        Ok(What::Replaced)
    );
    world.model.replace(file, Content::from("third"), START_MS, Actor::Person).unwrap();
    assert_eq!(
        world.model.replace(file, Content::from("fourth"), START_MS, Actor::Client),
        Ok(What::ReplacedUnseen),
        "the person's version was never shown"
    );
    assert_eq!(world.lost().len(), 1);
    world.model.delete_item(file, None, Actor::Client).unwrap();
    assert_eq!(world.lost().len(), 1, "its own version is the client's to delete");
}

#[test]
fn a_trashed_content_is_not_lost() {
    let mut world = World::new(|_| {});
    let file = world.file(ROOT, "x", "unread", Actor::Person);
    let etag = world.model.etag(file);
    world.model.trash_item(file, Some(&etag)).unwrap();
    assert!(world.lost().is_empty());
    world.model.delete_item(file, None, Actor::Client).unwrap();
    assert_eq!(world.lost()[0].how, What::DeletedUnread);
}
