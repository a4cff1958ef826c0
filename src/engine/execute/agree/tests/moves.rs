//! What a move makes of what was agreed.

use super::*;
use crate::model::{Etag, RemoteEntry, ServerTime};

#[test]
fn a_version_of_another_size_or_time_stays_an_edit_though_its_etag_has_the_agreed_content() {
    let of = |size: Option<u64>, seconds: Option<i64>| {
        let local = local("d/a", stamp(1, 1));
        let mtime = seconds.map(ServerTime);
        let remote = RemoteSeen { size, mtime, ..remote("2::1") };
        let after = local_entry(LocalKind::File, stamp(1, 2));
        Done::MovedLocal { local, to: path("e/b"), after, remote: Some(remote) }
    };
    let base = known_as("1::1", stamp(1, 1));
    for (size, seconds, expected) in [(None, None, "2::1"), (Some(7), None, "1::1"), (None, Some(7), "1::1")]
    {
        assert_eq!(taught(&after(&of(size, seconds), &base)).etag.as_str(), expected, "{size:?} {seconds:?}");
    }
}

#[test]
fn an_edited_file_is_known_by_what_it_became_on_another_file_system_and_stays_edited() {
    let edited = LocalStamp { mtime: DiskTime::new(5, 0), ..stamp(1, 1) };
    let copy = LocalStamp { on_root_fs: false, mtime: DiskTime::new(5, 0), ..stamp(2, 1) };
    let moved = |known: LocalStamp| {
        let local = LocalSeen { stamp: edited, ..local("d/a", edited) };
        let after = local_entry(LocalKind::File, copy);
        let done = Done::MovedLocal { local, to: path("v/a"), after, remote: Some(remote("2::1")) };
        taught(&self::after(&done, &known_as("1::1", known)))
    };
    let agreed = stamp(1, 1);
    // Where an editor wrote another file to the item's place that one is the item's, and what was agreed on may stand beside it.
    for (known, is_read_again) in [(agreed, false), (stamp(7, 1), true)] {
        let BaseEntry { stamp: learnt, racy, .. } = moved(known);
        assert_eq!((learnt.identity, learnt.on_root_fs, learnt.mtime), (copy.identity, false, agreed.mtime));
        assert_eq!(racy, is_read_again);
    }
}

#[test]
fn a_moved_folder_is_the_agreed_one_whatever_its_stamp_and_etag_say() {
    let known = BaseEntry { folder: true, ..entry("item", "a", stamp(1, 1), "1::9") };
    let base = state([("top", folder("planned folder", "d", 9)), ("planned folder", known)]);
    let moved = taught(&after(&moved_here(stamp(1, 7), None), &base));
    assert_eq!((moved.stamp, moved.etag.as_str()), (stamp(1, 2), "2::1"));
    let back = item("2::2", "a", RemoteParent::Folder(id("planned folder")));
    let back = taught(&after(&Done::CameBack { id: id("item"), back }, &base));
    assert_eq!((back.etag.as_str(), back.written_at.get()), ("2::2", Some(1000)));
    let Done::MovedRemote { remote, local, after: answer, target, .. } =
        moved_there(None, Some(local("e/b", stamp(1, 1))))
    else {
        return;
    };
    let remote = RemoteSeen { folder: true, ..remote };
    let answer = RemoteItem { entry: RemoteEntry { etag: Etag::new("3::3"), ..answer.entry }, ..answer };
    let done = Done::MovedRemote { remote, local, after: answer, target, temporary: None };
    assert_eq!(taught(&after(&done, &base)).etag.as_str(), "3::3");
}

#[test]
fn what_a_move_proves_of_a_stamp_that_proved_nothing() {
    let moved = |known_racy, seen_racy, is_read: bool, ctime| {
        let signature = is_read.then(|| signature(1));
        let known = BaseEntry { racy: known_racy, signature, ..entry("item", "a", stamp(1, 1), "1::1") };
        let base = state([("top", folder("planned folder", "d", 9)), ("planned folder", known)]);
        let local = LocalSeen { racy: seen_racy, signature, ..local("d/a", stamp(1, 1)) };
        let after_it = LocalStamp { ctime, ..stamp(1, 2) };
        let after_it = local_entry(LocalKind::File, after_it);
        let remote = Some(remote("2::1"));
        let done = Done::MovedLocal { local, to: path("e/b"), after: after_it, remote };
        taught(&after(&done, &base)).racy
    };
    let long_ago = DiskTime::new(2, 0);
    for (known_racy, seen_racy, is_read, ctime, expected) in [
        (false, false, false, long_ago, false),
        (false, false, true, long_ago, false),
        (false, false, false, LATER, true),
        (false, false, true, LATER, true),
        // What the base could not trust is read, and then the stamp of that look counts.
        (true, false, false, long_ago, true),
        (true, false, true, long_ago, false),
        (false, true, false, long_ago, false),
        (false, true, true, long_ago, true),
    ] {
        let row = (known_racy, seen_racy, is_read, ctime);
        assert_eq!(moved(known_racy, seen_racy, is_read, ctime), expected, "{row:?}");
    }
}

#[test]
fn an_edit_that_comes_with_a_move_on_icloud_stays_visible() {
    // Agreed, planned, answered; what is agreed then. A move of ours edits nothing, so an answer with another content shows an edit,
    // and the version that was planned with one is none that a listing may call unchanged.
    for (agreed, planned, answered, expected) in
        [("1::1", "2::1", "3::1", "3::1"), ("1::1", "2::2", "3::2", "::1"), ("1::1", "2::1", "3::2", "2::1")]
    {
        let remote = remote(planned);
        let answer = item(answered, "b", RemoteParent::Folder(id("other")));
        let local = Some(local("e/b", stamp(1, 1)));
        let done = Done::MovedRemote { remote, local, after: answer, target: id("other"), temporary: None };
        let entry = taught(&after(&done, &known_as(agreed, stamp(1, 1))));
        assert_eq!(entry.etag.as_str(), expected, "{agreed} {planned} {answered}");
    }
}

#[test]
fn what_has_no_identity_is_known_by_the_name_that_it_was_lent() {
    let blind = || LocalStamp { identity: Default::default(), ..stamp(0, 1) };
    let aside = name::temporary_name("a", 3);
    let lent = format!("d/{aside}");
    let moved = |from: &str, to: &str, now, kind, remote| {
        let known = state([
            ("top", folder("planned folder", "d", 9)),
            ("planned folder", entry("item", "a", blind(), "1::1")),
            ("planned folder", entry("known", "b", stamp(5, 1), "1::1")),
        ]);
        let (to, after_it) = (path(to), local_entry(kind, now));
        let done = Done::MovedLocal { local: local(from, now), to, after: after_it, remote };
        let learned = after(&done, &known);
        let puts = learned.lessons.into_iter().filter_map(|lesson| match lesson {
            Lesson::Put { parent, entry, .. } => Some((parent, entry.id, entry.local_name.to_string())),
            _ => None,
        });
        puts.collect::<Vec<_>>()
    };
    let file = LocalKind::File;
    let lent_to = vec![(id("planned folder"), id("item"), aside)];
    assert_eq!(moved("d/a", &lent, blind(), file, None), lent_to);
    let rest = [
        ("not a temporary name", moved("d/a", "d/c", blind(), file, None)),
        ("another folder", moved("d/a", &lent[2..], blind(), file, None)),
        ("it has an identity", moved("d/a", &lent, stamp(7, 1), file, None)),
        ("the base knows its identity", moved("d/b", &lent, blind(), file, None)),
        ("another kind", moved("d/a", &lent, blind(), LocalKind::Folder, None)),
        ("nobody's", moved("d/z", &lent, blind(), file, None)),
    ];
    for (why, puts) in rest {
        assert_eq!(puts, [], "{why}");
    }
    // Where it is agreed at its new place that is said already.
    assert_eq!(moved("d/a", &lent, blind(), file, Some(remote("1::1"))).len(), 1);
}

#[test]
fn what_left_a_folder_by_way_of_a_name_is_known_elsewhere_before_the_folder_is_forgotten() {
    // The folders `d`, `d/sub` and `e`; in `d/sub` the file `a`, of which only an intent says that it has left.
    let known = |moved: &str, target: ItemId, temporary: Option<&str>, seen: LocalStamp| {
        let mut known = state([
            ("top", folder("planned folder", "d", 9)),
            ("planned folder", folder("sub", "sub", 10)),
            ("top", folder("other", "e", 11)),
            ("sub", entry("item", "a", seen, "1::1")),
        ]);
        let from = (id("sub"), "a".into());
        let (to, temporary) = ((target, "b".into()), temporary.map(Into::into));
        let intent = Intent::Place { id: id(moved), folder: false, from, to, temporary, here: None };
        known.apply(&Change::Begin(1, intent));
        known
    };
    let lessons = |on, trashed: &str, known: &State| {
        after(&Done::Trashed { on, id: id(trashed), with: Vec::new() }, known).lessons
    };
    let forgotten =
        |on, trashed: &str| vec![Lesson::Deleted(on, vec![id(trashed)]), Lesson::Forget(id(trashed))];
    let (there, seen) = (Side::Remote, stamp(1, 1));
    for target in [id("other"), ItemId::drive_root()] {
        let learned = lessons(there, "planned folder", &known("item", target.clone(), Some("t"), seen));
        assert_eq!(learned[0], put(&target, entry("item", "t", seen, "1::1")));
        assert_eq!(learned[1..], forgotten(there, "planned folder"));
    }
    let blind = LocalStamp { identity: Identity::default(), ..seen };
    for (why, on, trashed, known) in [
        ("here", Side::Local, "planned folder", known("item", id("other"), Some("t"), seen)),
        ("it was in another folder", there, "other", known("item", id("planned folder"), Some("t"), seen)),
        ("it stays in the folder", there, "planned folder", known("item", id("sub"), Some("t"), seen)),
        ("it is the folder", there, "sub", known("sub", id("other"), Some("t"), seen)),
        ("it has no identity", there, "planned folder", known("item", id("other"), Some("t"), blind)),
        ("under its own name", there, "planned folder", known("item", id("other"), None, seen)),
        (
            "nobody knows where it goes",
            there,
            "planned folder",
            known("item", id("nowhere"), Some("t"), seen),
        ),
    ] {
        assert_eq!(lessons(on, trashed, &known), forgotten(on, trashed), "{why}");
    }
}

#[test]
fn what_came_along_to_another_file_system_is_known_by_its_new_identity_and_an_edit_stays_one() {
    let crossed = |before, after| {
        Done::CrossedWithin(vec![Crossed { to: path("v/a"), before, after, is_doubtful: false }])
    };
    let agreed = stamp(1, 1);
    let copy = LocalStamp { ctime: DiskTime::new(9, 0), ..stamp(2, 1) };
    let base = known_as("1::1", agreed);
    assert_eq!(taught(&after(&crossed(agreed, copy), &base)).stamp, copy);
    // Edited here before it was copied: it is found by the copy's identity, and has another time than what was agreed on.
    let edited = LocalStamp { mtime: DiskTime::new(5, 0), ..agreed };
    let copied = LocalStamp { mtime: DiskTime::new(5, 0), ..copy };
    let learnt = taught(&after(&crossed(edited, copied), &base)).stamp;
    assert_eq!((learnt.identity, learnt.mtime, learnt.ctime), (copy.identity, agreed.mtime, agreed.ctime));
    // Edited right after it was copied.
    let learnt = taught(&after(&crossed(agreed, copied), &base)).stamp;
    assert_eq!((learnt.identity, learnt.mtime, learnt.ctime), (copy.identity, agreed.mtime, agreed.ctime));
    assert_eq!(after(&crossed(stamp(7, 1), copy), &base).lessons, [], "it is no item of the base");
    let nobody = LocalStamp { identity: Identity::default(), ..agreed };
    let base = known_as("1::1", nobody);
    assert_eq!(after(&crossed(nobody, copy), &base).lessons, [], "nobody has an identity there");
    // Without one it is known by its place: that nobody saw it right after it was copied is learnt of what stands there as known.
    let doubtful = |stamp: LocalStamp| {
        Done::CrossedWithin(vec![Crossed {
            to: path("d/a"),
            before: nobody,
            after: stamp,
            is_doubtful: true,
        }])
    };
    assert!(taught(&after(&doubtful(nobody), &base)).racy);
    let other = LocalStamp { size: 99, ..nobody };
    assert_eq!(after(&doubtful(other), &base).lessons, [], "something else stands there");
}

#[test]
fn a_folder_that_came_along_and_is_known_by_its_place_alone_is_on_another_file_system_now() {
    let nobody = LocalStamp { identity: Identity::default(), on_root_fs: true, ..stamp(1, 1) };
    let crossed = |is_doubtful| {
        let after = LocalStamp { on_root_fs: false, ..nobody };
        Done::CrossedWithin(vec![Crossed { to: path("d/a"), before: nobody, after, is_doubtful }])
    };
    let known = |folder, stamp| {
        let entry = BaseEntry { folder, ..entry("item", "a", stamp, "1::1") };
        state([("top", self::folder("planned folder", "d", 9)), ("planned folder", entry)])
    };
    for is_doubtful in [false, true] {
        assert!(!taught(&after(&crossed(is_doubtful), &known(true, nobody))).stamp.on_root_fs);
        assert_eq!(after(&crossed(is_doubtful), &known(true, stamp(7, 1))).lessons, [], "it has an identity");
        assert_eq!(after(&crossed(is_doubtful), &known(false, nobody)).lessons, [], "a file is compared");
    }
}
