//! Each fact, and what follows from it.

mod moves;

use super::super::testing::{
    ICLOUD, entry, folder, id, item, local, local_entry, moment, operation, path, remote, signature, stamp,
    state,
};
use super::*;
use crate::engine::execute::pending::Overlay;
use crate::engine::operation::Action;
use crate::engine::ports::RemoteParent;
use crate::model::{DiskTime, State};

/// Long after every stamp of these tests.
const LATER: DiskTime = DiskTime(1_000_000_000_000);

/// What follows from `done`, done for an operation at `d/a`.
fn after(done: &Done, state: &State) -> Learned {
    let operation = operation(Action::Forget { id: id("item") }, "d/a");
    agree(done, Some(&operation), &moment(state, &Overlay::new()), &LATER.into())
}

/// The only entry that the ledger is taught.
fn taught(learned: &Learned) -> BaseEntry {
    let mut entries = learned.lessons.iter().filter_map(|lesson| match lesson {
        Lesson::Put { entry, .. } | Lesson::PutIfPossible { entry, .. } => Some((**entry).clone()),
        Lesson::Change(Change::Put { entry, .. }) => Some((**entry).clone()),
        _ => None,
    });
    let taught = entries.next().unwrap_or_else(|| panic!("nothing is agreed: {learned:?}"));
    assert_eq!(entries.next(), None);
    taught
}

fn touched(at: &str) -> Lesson {
    Lesson::Touched(path(at))
}

fn known_as(etag: &str, stamp: LocalStamp) -> State {
    state([("top", folder("planned folder", "d", 9)), ("planned folder", entry("item", "a", stamp, etag))])
}

#[test]
fn what_both_sides_hold_is_agreed_with_the_best_signature_that_is_known() {
    let (read, here, there, before) = (signature(1), signature(2), signature(3), signature(4));
    for (read_now, shown_here, shown_there, expected) in [
        (Some(read), Some(here), Some(there), read),
        (None, Some(here), Some(there), here),
        (None, None, Some(there), there),
        (None, None, None, before),
    ] {
        let mut base = known_as("1::1", stamp(1, 1));
        let with = BaseEntry { signature: Some(before), ..entry("item", "a", stamp(1, 1), "1::1") };
        base.apply(&Change::Put { parent: id("planned folder"), entry: Box::new(with) });
        let remote = RemoteSeen { signature: shown_there, ..remote("1::1") };
        let local = LocalSeen { signature: shown_here, ..local("d/a", stamp(1, 1)) };
        let learned = after(&Done::Agreed { remote, local, read: read_now }, &base);
        assert_eq!(taught(&learned).signature, Some(expected));
        assert_eq!(learned.told.unwrap().kind, EffectKind::Adopt);
    }
}

#[test]
fn a_folder_has_no_signature_and_what_we_made_is_no_package() {
    let remote = RemoteSeen { folder: true, ..remote("1::1") };
    let done = Done::Agreed { remote, local: local("d", stamp(1, 1)), read: Some(signature(1)) };
    assert_eq!(taught(&after(&done, &State::empty())).signature, None);
    let answer = item("1::1", "a", RemoteParent::Untold);
    let seen = as_seen(&answer, true, &id("planned folder"));
    assert_eq!((seen.package, seen.folder, seen.parent), (false, true, id("planned folder")));
}

#[test]
fn a_signature_of_another_version_is_not_carried_over() {
    for (etag, stamp_now) in [("1::2", stamp(1, 1)), ("1::1", stamp(1, 5))] {
        let with = BaseEntry { signature: Some(signature(4)), ..entry("item", "a", stamp(1, 1), "1::1") };
        let base = state([("top", folder("planned folder", "d", 9)), ("planned folder", with)]);
        let done = Done::Agreed { remote: remote(etag), local: local("d/a", stamp_now), read: None };
        assert_eq!(taught(&after(&done, &base)).signature, None, "{etag}");
    }
}

#[test]
fn only_a_read_of_just_now_settles_what_a_scan_could_not_tell() {
    let racy = LocalSeen { racy: true, ..local("d/a", stamp(1, 1)) };
    for (read, expected) in [(None, true), (Some(signature(1)), false)] {
        let done = Done::Agreed { remote: remote("1::1"), local: racy.clone(), read };
        assert_eq!(taught(&after(&done, &State::empty())).racy, expected);
    }
}

#[test]
fn what_stands_here_is_made_durable_unless_the_base_knows_it_so() {
    for (stamp_now, expected) in [(stamp(1, 1), false), (stamp(1, 2), true)] {
        let done = Done::Agreed { remote: remote("1::1"), local: local("d/a", stamp_now), read: None };
        let learned = after(&done, &known_as("1::1", stamp(1, 1)));
        assert_eq!(learned.lessons.contains(&touched("d")), expected);
        // The file itself too: nobody but its owner has written it.
        assert!(matches!(learned.lessons.last(), Some(Lesson::Put { written: false, .. })), "{learned:?}");
    }
}

#[test]
fn who_created_an_item_is_noted_once_and_not_on_a_first_run() {
    let made = |reason, base: &State| {
        let operation = Operation { reason, ..operation(Action::Forget { id: id("item") }, "d/a") };
        let done = Done::Agreed { remote: remote("1::1"), local: local("d/a", stamp(1, 1)), read: None };
        taught(&agree(&done, Some(&operation), &moment(base, &Overlay::new()), &LATER.into()))
            .created_on
            .get()
    };
    let synced = State { last_sync: Some(5), ..State::empty() };
    assert_eq!(made(ICLOUD, &synced), Some((Side::Remote, 1000)));
    assert_eq!(made(ICLOUD, &State::empty()), None, "everything is new on a first run");
    assert_eq!(made(Reason::Same, &synced), None);
    let known =
        BaseEntry { created_on: Some((Side::Local, 3)).into(), ..entry("item", "a", stamp(1, 1), "1::1") };
    let mut base = state([("top", folder("planned folder", "d", 9)), ("planned folder", known)]);
    base.last_sync = Some(5);
    assert_eq!(made(ICLOUD, &base), Some((Side::Local, 3)), "the first note stays");
}

fn moved_here(before: LocalStamp, signature: Option<Signature>) -> Done {
    let local = LocalSeen { signature, ..local("d/a", before) };
    let remote = RemoteSeen { parent: id("other"), ..remote("2::1") };
    let after = local_entry(LocalKind::File, stamp(1, 2));
    Done::MovedLocal { local, to: path("e/b"), after, remote: Some(remote) }
}

#[test]
fn a_move_here_is_made_durable_in_both_folders_and_agreed_in_the_new_one() {
    let learned = after(&moved_here(stamp(1, 1), None), &known_as("1::1", stamp(1, 1)));
    assert_eq!(learned.lessons[..2], [touched("d"), touched("e")]);
    let Lesson::Put { parent, .. } = &learned.lessons[2] else { panic!("{learned:?}") };
    assert_eq!(*parent, id("other"));
    let entry = taught(&learned);
    assert_eq!((&*entry.local_name, &*entry.remote_name), ("b", "planned"));
    assert_eq!((entry.stamp, entry.etag.as_str()), (stamp(1, 2), "2::1"), "a move edits nothing");
    assert_eq!(learned.told.unwrap().kind, EffectKind::Move);
}

#[test]
fn an_edit_that_comes_with_a_move_stays_visible() {
    // Edited here: the base keeps the stamp that it knows, unless the content was read and is the agreed one.
    let read = Some(signature(1));
    for (here, agreed, expected) in
        [(None, None, stamp(1, 1)), (read, read, stamp(1, 2)), (Some(signature(2)), read, stamp(1, 1))]
    {
        let known = BaseEntry { signature: agreed, ..entry("item", "a", stamp(1, 1), "1::1") };
        let base = state([("top", folder("planned folder", "d", 9)), ("planned folder", known)]);
        assert_eq!(taught(&after(&moved_here(stamp(1, 7), here), &base)).stamp, expected, "{here:?}");
    }
    // Edited on iCloud: the base keeps the content that it knows, under no version, since it learns a name that another version bore. A
    // look at etags that shows the version with that content must not take the name for the one of then.
    let entry = taught(&after(&moved_here(stamp(1, 1), None), &known_as("1::9", stamp(1, 1))));
    assert_eq!(entry.etag.as_str(), "::9");
}

#[test]
fn a_moved_folder_takes_along_what_waits_to_be_made_durable_in_it() {
    let (remote, after_it) = (None, local_entry(LocalKind::Folder, stamp(1, 2)));
    let moved = Done::MovedLocal { local: local("d", stamp(1, 1)), to: path("e"), after: after_it, remote };
    let learned = after(&moved, &State::empty());
    assert_eq!(learned.lessons[0], Lesson::MovedFolder { from: path("d"), to: path("e") });
    let told = learned.told.unwrap();
    assert_eq!((told.kind, told.other), (EffectKind::Rename, Some(path("d"))));
}

fn moved_there(temporary: Option<u64>, local: Option<LocalSeen>) -> Done {
    let after = item("2::1", "b", RemoteParent::Folder(id("other")));
    Done::MovedRemote { remote: remote("1::1"), local, after, target: id("other"), temporary }
}

#[test]
fn a_move_on_icloud_is_agreed_where_it_mirrors_something_here() {
    let base = known_as("1::1", stamp(1, 1));
    let learned = after(&moved_there(None, Some(local("e/b", stamp(1, 1)))), &base);
    let entry = taught(&learned);
    assert_eq!((&*entry.local_name, &*entry.remote_name, entry.etag.as_str()), ("b", "b", "2::1"));
    assert_eq!(entry.written_at.get(), Some(1000));
    let told = learned.told.unwrap();
    assert_eq!((told.kind, told.other), (EffectKind::Move, Some(path("d/a"))));
    assert!(!learned.is_part);
    let learned = after(&moved_there(None, None), &base);
    assert!(learned.lessons.is_empty() && learned.told.is_some());
}

#[test]
fn a_temporary_name_is_told_but_neither_agreed_nor_counted() {
    let base = known_as("1::1", stamp(1, 1));
    let learned = after(&moved_there(Some(7), Some(local("e/b", stamp(1, 1)))), &base);
    assert!(learned.lessons.is_empty() && learned.is_part && learned.told.is_some(), "{learned:?}");
}

#[test]
fn a_replacement_keeps_the_note_of_who_created_the_file() {
    let known =
        BaseEntry { created_on: Some((Side::Local, 3)).into(), ..entry("old", "a", stamp(1, 1), "1::1") };
    let base = state([("top", folder("planned folder", "d", 9)), ("planned folder", known)]);
    let uploaded = |instead_of| Done::Uploaded {
        remote: remote("5::5"),
        local: local("d/a", stamp(1, 2)),
        signature: signature(1),
        read_at: LATER.into(),
        instead_of,
    };
    let learned = after(&uploaded(Some(id("old"))), &base);
    let inherit = Change::Inherit { heir: id("item"), of: id("old") };
    assert_eq!(learned.lessons[..2], [Lesson::Change(inherit), Lesson::Forget(id("old"))]);
    assert_eq!(taught(&learned).created_on.get(), Some((Side::Local, 3)));
    assert_eq!(taught(&after(&uploaded(None), &base)).created_on.get(), None);
}

#[test]
fn what_was_read_right_after_a_change_is_read_again() {
    for (read_at, expected) in [(DiskTime::new(3, 0), true), (DiskTime::new(30, 0), false)] {
        let done = Done::Uploaded {
            remote: remote("5::5"),
            local: local("d/a", LocalStamp { mtime: DiskTime::new(2, 0), ..stamp(1, 2) }),
            signature: signature(1),
            read_at: read_at.into(),
            instead_of: None,
        };
        assert_eq!(taught(&after(&done, &State::empty())).racy, expected, "{read_at:?}");
    }
}

#[test]
fn what_is_put_in_place_is_durable_already_and_judges_the_services_signature() {
    let installed = |matched| Done::Installed {
        remote: remote("1::1"),
        entry: local_entry(LocalKind::File, stamp(1, 2)),
        signature: signature(1),
        matched,
    };
    let learned = after(&installed(true), &State::empty());
    assert_eq!(learned.lessons[..2], [touched("d"), Lesson::Calibrated(true)]);
    assert!(matches!(&learned.lessons[2], Lesson::Put { written: true, .. }));
    assert!(!after(&installed(false), &State::empty()).lessons.contains(&Lesson::Calibrated(true)));
    assert_eq!(learned.told, None, "that is told of the operation, not of its part");
}

#[test]
fn whether_a_change_of_what_was_put_in_place_could_be_missed_is_the_disks_word() {
    for racy in [true, false] {
        // It was put there in the moment of the look.
        let stamp = LocalStamp { ctime: LATER, ..stamp(1, 2) };
        let entry = LocalEntry { racy, ..local_entry(LocalKind::File, stamp) };
        let (remote, signature) = (remote("1::1"), signature(1));
        let done = Done::Installed { remote, entry, signature, matched: false };
        assert_eq!(taught(&after(&done, &State::empty())).racy, racy);
    }
}

#[test]
fn what_came_back_keeps_its_agreement_under_its_new_id() {
    let base = known_as("1::1", stamp(1, 1));
    let mut back = item("2::1", "a", RemoteParent::Folder(id("planned folder")));
    let learned = after(&Done::CameBack { id: id("item"), back: back.clone() }, &base);
    assert_eq!(learned.lessons.len(), 1);
    assert_eq!(taught(&learned).etag.as_str(), "2::1");
    back.entry.id = id("reborn");
    let learned = after(&Done::CameBack { id: id("item"), back: back.clone() }, &base);
    assert_eq!(learned.lessons[0], Lesson::Forget(id("item")));
    assert_eq!(taught(&learned).id, id("reborn"));
    back.entry.etag = crate::model::Etag::new("2::2");
    let learned = after(&Done::CameBack { id: id("item"), back: back.clone() }, &base);
    assert_eq!(taught(&learned).etag.as_str(), "1::1", "another content was never agreed on");
    assert!(after(&Done::CameBack { id: id("stranger"), back }, &base).lessons.is_empty());
}

#[test]
fn an_edit_that_had_not_started_from_what_came_back_under_a_new_id_still_has_not() {
    let mut base = known_as("1::1", stamp(1, 1));
    base.went_back = [(id("item").to_string(), "1".to_owned()), ("other".to_owned(), "7".to_owned())].into();
    let mut back = item("2::1", "a", RemoteParent::Folder(id("planned folder")));
    let told = |back: &RemoteItem| {
        let learned = after(&Done::CameBack { id: id("item"), back: back.clone() }, &base);
        learned.lessons.into_iter().find_map(|lesson| match lesson {
            Lesson::Change(Change::WentBack(items)) => Some(items),
            _ => None,
        })
    };
    assert_eq!(told(&back), None, "under its own id it is known already");
    back.entry.id = id("reborn");
    let wanted = [(id("reborn").to_string(), "1".to_owned()), ("other".to_owned(), "7".to_owned())];
    assert_eq!(told(&back), Some(wanted.into()));
}

#[test]
fn what_came_back_to_another_name_or_folder_has_no_version_that_a_listing_shows_at_the_agreed_place() {
    let base = known_as("1::1", stamp(1, 1));
    for (name, folder) in [("a 2", "planned folder"), ("a", "another")] {
        let back = item("2::1", name, RemoteParent::Folder(id(folder)));
        let known = taught(&after(&Done::CameBack { id: id("item"), back }, &base));
        assert_eq!((known.etag.as_str(), &*known.remote_name), ("::1", "a"), "{name} in {folder}");
    }
}

#[test]
fn deletions_are_counted_before_they_are_forgotten() {
    let counted = |on| vec![Lesson::Deleted(on, vec![id("item")]), Lesson::Forget(id("item"))];
    let learned =
        after(&Done::Trashed { on: Side::Remote, id: id("item"), with: Vec::new() }, &State::empty());
    assert_eq!(learned.lessons, counted(Side::Remote));
    let learned = after(&Done::TrashedLocal { id: Some(id("item")), path: path("d/a") }, &State::empty());
    let mut expected = vec![Lesson::RemovedFolder(path("d/a")), touched("d")];
    expected.extend(counted(Side::Local));
    assert_eq!(learned.lessons, expected);
    let learned = after(&Done::TrashedLocal { id: None, path: path("d/a") }, &State::empty());
    assert_eq!(learned.lessons.len(), 2, "what no base knows is no deletion of an item");
}

#[test]
fn what_is_over_is_told_with_what_it_moved() {
    let reason = Reason::WentBack;
    for (done, kind, bytes, other) in [
        (Done::Sent { bytes: 3, reason, is_conflict: false }, EffectKind::Upload, 3, None),
        (Done::Sent { bytes: 3, reason, is_conflict: true }, EffectKind::Conflict, 3, None),
        (Done::Fetched { bytes: 4 }, EffectKind::Download, 4, None),
        (Done::ConflictSettled { kept: Some(path("c")), bytes: 5 }, EffectKind::Conflict, 5, Some(path("c"))),
        (Done::DeletedRemote, EffectKind::Delete, 0, None),
        (Done::Forgotten(id("item")), EffectKind::Forget, 0, None),
    ] {
        let told = after(&done, &State::empty()).told.unwrap();
        assert_eq!((told.kind, told.bytes, told.other), (kind, bytes, other), "{done:?}");
    }
}

#[test]
fn a_recovery_tells_nobody_and_stores_what_it_settled_at_once() {
    let state = State::empty();
    let learned = agree(&Done::Settled(7), None, &moment(&state, &Overlay::new()), &LATER.into());
    assert_eq!(learned.lessons, [Lesson::Change(Change::End(7)), Lesson::Flush]);
    let done = Done::Forgotten(id("item"));
    assert_eq!(agree(&done, None, &moment(&state, &Overlay::new()), &LATER.into()).told, None);
}

#[test]
fn a_folder_that_does_not_stand_here_gets_a_name_that_nobody_has_here() {
    let base = state([("top", folder("item", "x", 9)), ("top", entry("file", "b", stamp(1, 1), "1::1"))]);
    let place = |name: &str| Some((ItemId::drive_root(), name.into()));
    let set = |presence, name: &str| Done::PresenceSet {
        id: id("item"),
        presence,
        place: place(name),
        stamp: None,
    };
    let named = |presence, name| taught(&after(&set(presence, name), &base));
    let there = named(Presence::RemoteOnly, "b");
    assert_eq!((&*there.remote_name, &*there.local_name != "b"), ("b", true), "{there:?}");
    assert_eq!(there.presence, Presence::RemoteOnly);
    assert_eq!(&*named(Presence::RemoteOnly, "c").local_name, "c");
    let here = named(Presence::LocalOnly, "c");
    assert_eq!((&*here.local_name, &*here.remote_name), ("c", "x"));
    let done = Done::PresenceSet { id: id("item"), presence: Presence::Both, place: None, stamp: None };
    let expected = Lesson::Change(Change::Presence(id("item"), Presence::Both));
    assert_eq!(after(&done, &base).lessons, [expected]);
}

#[test]
fn what_is_over_for_the_base_is_forgotten() {
    for done in [Done::Forgotten(id("item")), Done::Lost(id("item"))] {
        assert_eq!(after(&done, &State::empty()).lessons, [Lesson::Forget(id("item"))], "{done:?}");
    }
    let copy = Done::NotLocalOnly(path("copy"));
    let expected = Lesson::Change(Change::LocalOnly(path("copy"), false));
    assert_eq!(after(&copy, &State::empty()).lessons, [expected]);
    let took_over = Done::TookOver { old: id("item"), heir: id("heir") };
    let inherit = Change::Inherit { heir: id("heir"), of: id("item") };
    let learned = after(&took_over, &known_as("1::1", stamp(1, 1)));
    assert_eq!(learned.lessons, [touched("d"), Lesson::Change(inherit), Lesson::Forget(id("item"))]);
    let learned = after(&took_over, &State::empty());
    assert_eq!(learned.lessons, [touched("d"), Lesson::Forget(id("item"))], "nobody had that place");
}

#[test]
fn what_one_operation_did_is_told_once_with_its_side() {
    let made = |entry| Done::MadeLocalFolder { remote: remote("1::1"), entry };
    let made_there = |local| Done::MadeRemoteFolder { operation: 0, remote: remote("1::1"), local, at: 5 };
    let kept = |presence| Done::PresenceSet { id: id("item"), presence, place: None, stamp: None };
    let trashed = Done::TrashedLocal { id: None, path: path("d/a") };
    let rows = [
        (made(local_entry(LocalKind::Folder, stamp(1, 2))), EffectKind::MakeFolder, Some(Side::Local)),
        (made_there(local("d/a", stamp(1, 2))), EffectKind::MakeFolder, Some(Side::Local)),
        (kept(Presence::LocalOnly), EffectKind::Keep, Some(Side::Local)),
        (kept(Presence::RemoteOnly), EffectKind::Keep, Some(Side::Remote)),
        (kept(Presence::Both), EffectKind::Keep, None),
        (trashed, EffectKind::Delete, Some(Side::Local)),
    ];
    for (done, kind, side) in rows {
        let remote = remote("1::1");
        let operation = operation(Action::MakeLocalFolder { remote }, "d/a");
        let learned =
            agree(&done, Some(&operation), &moment(&State::empty(), &Overlay::new()), &LATER.into());
        let told = learned.told.unwrap();
        assert_eq!((told.kind, told.side, told.bytes), (kind, side, 0), "{done:?}");
    }
}

#[test]
fn a_folder_that_was_made_here_is_noted_by_its_identity_before_it_is_agreed_on() {
    for (known, expected) in [(Identity { inode: 7, birth: None.into() }, true), (Identity::default(), false)]
    {
        let stamp = LocalStamp { identity: known, ..stamp(1, 2) };
        let done = Done::MadeLocalFolder {
            remote: RemoteSeen { folder: true, ..remote("1::1") },
            entry: local_entry(LocalKind::Folder, stamp),
        };
        let lessons = after(&done, &State::empty()).lessons;
        let noted = matches!(&lessons[0], Lesson::Came(line) if line.identity == Some(known) && line.folder && line.path == path("d/a"));
        assert_eq!(noted, expected, "{lessons:?}");
        assert!(matches!(lessons.last(), Some(Lesson::Put { .. })), "{lessons:?}");
    }
}

#[test]
fn a_folder_that_was_made_is_racy_where_a_change_of_that_moment_could_be_missed() {
    let just_now = LocalStamp { mtime: LATER, ..stamp(1, 2) };
    for (was_racy, now, expected) in
        [(false, stamp(1, 2), false), (true, stamp(1, 2), true), (false, just_now, true)]
    {
        let entry = LocalEntry { racy: was_racy, ..local_entry(LocalKind::Folder, now) };
        let here = Done::MadeLocalFolder { remote: remote("1::1"), entry };
        let local = LocalSeen { racy: was_racy, ..local("d/a", now) };
        let there = Done::MadeRemoteFolder { operation: 0, remote: remote("1::1"), local, at: 5 };
        for done in [here, there] {
            let learned = after(&done, &State::empty());
            let first = learned.lessons.iter().find(|lesson| !matches!(lesson, Lesson::Came(_)));
            assert_eq!(first, Some(&touched("d")), "{done:?}");
            assert_eq!(taught(&learned).racy, expected, "{done:?}");
        }
    }
}

#[test]
fn what_is_sent_or_moved_on_icloud_is_made_durable_here_unless_the_base_knows_it_so() {
    for (now, expected) in [(stamp(1, 1), false), (stamp(1, 2), true)] {
        let uploaded = Done::Uploaded {
            remote: remote("5::5"),
            local: local("d/a", now),
            signature: signature(1),
            read_at: LATER.into(),
            instead_of: None,
        };
        for done in [uploaded, moved_there(None, Some(local("d/a", now)))] {
            let learned = after(&done, &known_as("1::1", stamp(1, 1)));
            assert_eq!(learned.lessons.contains(&touched("d")), expected, "{done:?}");
        }
    }
}

#[test]
fn what_stands_beside_an_item_is_durable_with_the_folder_that_it_was_in() {
    let (to, stamp) = (path("d/copy"), stamp(3, 1));
    let kept = |from: Option<&str>| Done::KeptBeside { from: from.map(path), to: path("d/copy"), stamp };
    let beside = || Lesson::KeptBeside(to.clone(), stamp);
    assert_eq!(after(&kept(Some("e/a")), &State::empty()).lessons, [touched("e"), beside()]);
    assert_eq!(after(&kept(None), &State::empty()).lessons, [beside()]);
}

#[test]
fn what_was_found_again_is_put_where_its_folder_is_known() {
    let entry = Box::new(entry("item", "a", stamp(1, 1), "1::1"));
    let done = Done::Found { parent: id("planned folder"), entry: entry.clone() };
    let expected = Lesson::PutIfPossible { parent: id("planned folder"), entry };
    assert_eq!(after(&done, &State::empty()).lessons, [expected]);
}
