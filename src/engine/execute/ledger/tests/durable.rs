//! What is made durable here before a group is stored.

use super::*;
use crate::model::Identity;

/// What was made durable for these lessons, over the base of these tests; the files stand there as the base and the lessons say.
fn synced_for(lessons: Vec<Lesson>, state: &mut State) -> Vec<Synced> {
    let mut desk = Desk::default();
    desk.over(state, |ledger, _| {
        ledger.learn(lessons).unwrap();
        ledger.flush().unwrap();
    });
    desk.synced()
}

fn paths(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[test]
fn a_file_of_which_the_group_says_something_new_is_made_durable_with_its_folder() {
    let read = BaseEntry { signature: Some(signature(1)), ..entry("item", "a", stamp(1, 1), "1::1") };
    let written = Lesson::Put {
        parent: id("folder"),
        entry: Box::new(entry("item", "a", stamp(1, 2), "1::1")),
        written: true,
    };
    let cleared = LocalStamp { identity: Identity::default(), ..stamp(1, 1) };
    let rows = [
        ("another stamp", put("item", "a", stamp(1, 2)), Some("d/a")),
        ("its content was read", put_of("folder", read), Some("d/a")),
        ("new to the base", put("new", "n", stamp(3, 1)), Some("d/n")),
        ("known so", put("item", "a", stamp(1, 1)), None),
        ("renamed only", put("item", "c", stamp(1, 1)), None),
        ("a folder", put_of("folder", folder("inner", "i", 11)), None),
        ("written, and made durable, by us", written, None),
        ("another item's file by now", put("item", "a", cleared), None),
        ("without an identity, and new", put("new", "n", cleared), Some("d/n")),
        ("gone", Lesson::Forget(id("item")), None),
    ];
    for (why, lesson, expected) in rows {
        let expected = expected.map(|file| (paths(&[file]), paths(&["d"])));
        assert_eq!(synced_for(vec![lesson], &mut base()), expected.into_iter().collect::<Vec<_>>(), "{why}");
    }
    // Where no item has an identity, having none says nothing.
    let mut state =
        state([("top", folder("folder", "d", 9)), ("folder", entry("item", "a", cleared, "1::1"))]);
    let edited = LocalStamp { size: 7, ..cleared };
    assert_eq!(synced_for(vec![put("item", "a", edited)], &mut state), [(paths(&["d/a"]), paths(&["d"]))]);
}

#[test]
fn what_was_written_is_forgotten_with_its_group() {
    let written = |stamp| Lesson::Put {
        parent: id("folder"),
        entry: Box::new(entry("item", "a", stamp, "1::1")),
        written: true,
    };
    let lessons = vec![written(stamp(1, 2)), Lesson::Flush, put("item", "a", stamp(1, 3))];
    assert_eq!(synced_for(lessons, &mut base()), [(paths(&["d/a"]), paths(&["d"]))]);
}

#[test]
fn a_version_that_stands_beside_an_item_is_made_durable_once() {
    let beside = |at: &str| Lesson::KeptBeside(path(at), stamp(3, 1));
    let told = ["d/copy", "d/another", "d/copy"].map(beside);
    let lessons = told.into_iter().chain([Lesson::Flush, Lesson::Change(Change::Synced(1))]).collect();
    assert_eq!(synced_for(lessons, &mut base()), [(paths(&["d/another", "d/copy"]), paths(&["d"]))]);
}

#[test]
fn folders_are_made_durable_where_they_are_by_now() {
    let touched = |at: &str| Lesson::Touched(path(at));
    let moved = Lesson::MovedFolder { from: path("d"), to: path("e") };
    let lessons = vec![touched("d/x"), touched("f"), moved];
    assert_eq!(synced_for(lessons, &mut base()), [(paths(&[]), paths(&["e/x", "f"]))]);
    let lessons = vec![touched("d/x"), touched("d"), touched("f"), Lesson::RemovedFolder(path("d"))];
    assert_eq!(synced_for(lessons, &mut base()), [(paths(&[]), paths(&["f"]))]);
}

fn upload(at: &str, stamp: LocalStamp) -> crate::model::Upload {
    crate::model::Upload {
        document: "document".into(),
        over: None,
        parent: id("folder"),
        name: "a".into(),
        path: path(at),
        stamp,
        signature: signature(1),
    }
}

#[test]
fn a_file_that_was_made_durable_with_the_note_of_its_upload_needs_no_second_sync() {
    // The stamp at the time of the note, and as the base learns it; what stands there then.
    for (noted, stands, learnt, is_again) in [
        (stamp(3, 1), stamp(3, 1), stamp(3, 1), false),
        (stamp(3, 1), stamp(3, 1), stamp(3, 2), true),
        (stamp(3, 1), stamp(3, 2), stamp(3, 1), true),
    ] {
        let (mut desk, mut state) = (Desk::default(), base());
        desk.disk.stamps.insert(path("d/n"), stands);
        desk.over(&mut state, |ledger, _| {
            let intent = Intent::Upload { files: vec![upload("d/n", noted)] };
            ledger.prepare(Before::Noted(Box::new(intent))).unwrap();
            ledger.learn(vec![put("new", "n", learnt), Lesson::Flush]).unwrap();
        });
        let once = (paths(&["d/n"]), paths(&["d"]));
        let expected = if is_again { vec![once.clone(), once] } else { vec![once] };
        assert_eq!(desk.synced(), expected, "{noted:?} {stands:?} {learnt:?}");
    }
    // What the base has learnt is not known to be durable any longer.
    let (mut desk, mut state) = (Desk::default(), base());
    desk.disk.stamps.insert(path("d/n"), stamp(3, 1));
    desk.over(&mut state, |ledger, _| {
        let intent = Intent::Upload { files: vec![upload("d/n", stamp(3, 1))] };
        ledger.prepare(Before::Noted(Box::new(intent))).unwrap();
        ledger.learn(vec![put("new", "n", stamp(3, 1)), Lesson::Flush]).unwrap();
        ledger.learn(vec![Lesson::Forget(id("new")), Lesson::Flush]).unwrap();
        ledger.learn(vec![put("new", "n", stamp(3, 1)), Lesson::Flush]).unwrap();
    });
    assert_eq!(desk.synced().len(), 2);
}

#[test]
fn a_file_that_is_to_be_replaced_by_way_of_the_trash_is_durable_with_the_note() {
    let (mut desk, mut state) = (Desk::default(), base());
    let intent = Intent::ReplaceByTrash {
        old: id("item"),
        old_etag: crate::model::Etag::new("1::1"),
        parent: id("folder"),
        name: "a".into(),
        document: "document".into(),
        path: path("d/a"),
        stamp: stamp(1, 2),
        signature: signature(1),
    };
    desk.over(&mut state, |ledger, _| ledger.prepare(Before::Noted(Box::new(intent)))).unwrap();
    assert_eq!(desk.synced(), [(paths(&["d/a"]), paths(&["d"]))]);
}

#[test]
fn what_somebody_changed_while_it_was_made_durable_is_read_again() {
    for (stands, expected) in [(Some(stamp(3, 1)), false), (Some(stamp(3, 2)), true), (None, true)] {
        let (mut desk, mut state) = (Desk::default(), base());
        desk.disk.stamps = stands.into_iter().map(|stamp| (path("d/n"), stamp)).collect();
        desk.disk.stamps.insert(path("d/a"), stamp(1, 2));
        let lessons = vec![put("new", "n", stamp(3, 1)), put("item", "a", stamp(1, 2)), Lesson::Flush];
        desk.over(&mut state, |ledger, _| ledger.learn(lessons)).unwrap();
        let racy = |of: &str| state.base.get(state.base.by_id(&id(of)).unwrap()).racy;
        assert_eq!((racy("new"), racy("item")), (expected, false), "{stands:?}");
    }
}

#[test]
fn what_cannot_be_made_durable_is_not_stored() {
    let full = || DiskError::Full { path: RelPath::root() };
    let root = || DiskError::WrongRoot("another disk".into());
    let other =
        || DiskError::Io { what: "sync", path: RelPath::root(), source: std::io::ErrorKind::Other.into() };
    // No more open files: that passes, and says nothing of the folder.
    let short = || DiskError::Io {
        what: "sync",
        path: RelPath::root(),
        source: std::io::Error::from_raw_os_error(24),
    };
    type Row = (fn() -> DiskError, &'static str, bool, bool, fn(&StepFailure) -> bool);
    let rows: [Row; 8] = [
        (short, "d", true, false, |failure| matches!(failure, StepFailure::End(End::Short(_)))),
        (full, "d", true, false, |failure| matches!(failure, StepFailure::End(End::Full(_)))),
        (other, "d", true, false, |failure| matches!(failure, StepFailure::End(End::Disk(_)))),
        (root, "d", false, false, |failure| matches!(failure, StepFailure::End(End::WrongRoot(_)))),
        // It went alone, or with the folder that it was in.
        (other, "d", false, false, |failure| matches!(failure, StepFailure::Replan(_))),
        (other, "d", true, true, |failure| matches!(failure, StepFailure::Replan(_))),
        // The drive's folder itself is not looked at: were it gone, that would be said.
        (other, "", false, false, |failure| matches!(failure, StepFailure::End(End::Disk(_)))),
        (full, "", false, false, |failure| matches!(failure, StepFailure::End(End::Full(_)))),
    ];
    for (number, (error, at, stands, blind, is_expected)) in rows.into_iter().enumerate() {
        let (mut desk, mut state) = (Desk::default(), base());
        desk.disk = Durable { fails: Some(error), blind, ..Durable::default() };
        desk.disk.stamps = stands.then(|| (path("d"), stamp(9, 1))).into_iter().collect();
        desk.over(&mut state, |ledger, _| {
            let lessons = vec![
                Lesson::Touched(RelPath::parse(at).unwrap()),
                Lesson::Deleted(Side::Local, vec![id("item")]),
                Lesson::Overwrote,
                Lesson::Change(Change::Synced(3)),
            ];
            ledger.learn(lessons).unwrap();
            let failure = ledger.flush().unwrap_err();
            assert!(is_expected(&failure), "{number}: {failure:?}");
            assert!(ledger.has_lost());
            // What is not agreed is done, and counted, once more.
            assert!(ledger.close().is_ok());
        });
        assert_eq!((desk.groups().len(), state.last_sync), (0, None), "{number}");
    }
}
