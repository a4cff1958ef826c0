//! Each fact, and what the memory answers after it.

use super::super::testing::{id, item, local, local_entry, path, remote, stamp};
use super::*;

fn after(facts: impl IntoIterator<Item = Done>) -> OwnChanges {
    let mut own = OwnChanges::default();
    facts.into_iter().for_each(|done| own.learn(&done));
    own
}

fn changed(before: &str, etag: &str, name: &str, folder: &str) -> Done {
    let after = item(etag, name, RemoteParent::Folder(id(folder)));
    Done::ChangedRemote { before: Etag::new(before), after }
}

fn moved_to(from: &str, to: &str, (before, after): (LocalStamp, LocalStamp), kind: LocalKind) -> Done {
    let entry = local_entry(kind, after);
    Done::MovedLocal { local: local(from, before), to: path(to), after: entry, remote: None }
}

fn moved_file(from: &str, to: &str, before: LocalStamp, after: LocalStamp) -> Done {
    moved_to(from, to, (before, after), LocalKind::File)
}

fn moved_folder(from: &str, to: &str, inode: u64) -> Done {
    moved_to(from, to, (stamp(inode, 1), stamp(inode, 2)), LocalKind::Folder)
}

fn made(operation: usize, folder: &str, at: i64) -> Done {
    let remote = RemoteSeen { id: id(folder), folder: true, ..remote("1::1") };
    Done::MadeRemoteFolder { operation, remote, local: local("d", stamp(1, 1)), at }
}

#[test]
fn nothing_is_changed_where_nothing_was_done() {
    let own = OwnChanges::default();
    assert_eq!(own.remote(&remote("1::1")), remote("1::1"));
    assert_eq!(own.local(&local("a", stamp(1, 1))), local("a", stamp(1, 1)));
    assert!(!own.has_unfinished() && own.announcements().is_empty() && own.added_to().is_empty());
}

#[test]
fn a_version_of_ours_stands_for_the_planned_one() {
    for (planned, facts, expected) in [
        ("1::1", vec![changed("1::1", "2::1", "new", "f")], ("2::1", "f", "new")),
        // The plan may name the version that an earlier operation of it makes.
        ("2::1", vec![changed("1::1", "2::1", "new", "f")], ("2::1", "f", "new")),
        // Two changes of ours are one, from the first version to the last.
        (
            "1::1",
            vec![changed("1::1", "2::1", "x", "f"), changed("2::1", "3::1", "new", "g")],
            ("3::1", "g", "new"),
        ),
        // A version that is neither is not ours to renew.
        ("9::9", vec![changed("1::1", "2::1", "new", "f")], ("9::9", "planned folder", "planned")),
    ] {
        let current = after(facts.clone()).remote(&remote(planned));
        let (etag, parent, name) = expected;
        assert_eq!(
            (current.etag.as_str(), current.parent, &*current.name),
            (etag, id(parent), name),
            "{planned} after {facts:?}"
        );
    }
}

#[test]
fn a_version_of_ours_is_one_only_of_what_it_was_made_from() {
    let own = after([changed("1::1", "2::1", "new", "f")]);
    for (planned, etag, expected) in
        [("1::1", "2::1", true), ("9::9", "9::9", true), ("9::9", "2::1", false), ("1::1", "9::9", false)]
    {
        let of = |item: &str| own.is_version(&id(item), &Etag::new(planned), &Etag::new(etag));
        assert_eq!(of("item"), expected, "{planned} {etag}");
        assert_eq!(of("other"), planned == etag, "{planned} {etag}");
    }
}

#[test]
fn an_answer_that_tells_no_folder_leaves_the_place_as_it_was() {
    let untold = |parent| Done::ChangedRemote { before: Etag::new("2::1"), after: item("3::1", "y", parent) };
    for parent in [RemoteParent::Untold, RemoteParent::Trash] {
        let own = after([changed("1::1", "2::1", "x", "f"), untold(parent.clone())]);
        let current = own.remote(&remote("1::1"));
        assert_eq!(
            (current.etag.as_str(), current.parent, &*current.name),
            ("3::1", id("f"), "x"),
            "{parent:?}"
        );
        let current = after([untold(parent)]).remote(&remote("2::1"));
        assert_eq!((current.parent, &*current.name), (id("planned folder"), "planned"));
    }
}

#[test]
fn a_version_is_the_planned_one_or_what_we_made_of_it() {
    let own = after([changed("1::1", "2::1", "new", "f")]);
    for (planned, etag, expected) in [
        ("1::1", "1::1", true),
        ("1::1", "2::1", true),
        ("2::1", "2::1", true),
        ("2::1", "1::1", false),
        ("1::1", "3::1", false),
    ] {
        let is = own.is_version(&id("item"), &Etag::new(planned), &Etag::new(etag));
        assert_eq!(is, expected, "{etag} for {planned}");
    }
    assert!(!own.is_version(&id("other"), &Etag::new("1::1"), &Etag::new("2::1")));
}

#[test]
fn a_listing_is_of_before_only_in_the_version_that_our_calls_changed() {
    let own = after([changed("1::1", "2::1", "x", "f"), changed("2::1", "3::1", "new", "g")]);
    for (etag, expected) in [("1::1", true), ("2::1", false), ("3::1", false), ("9::9", false)] {
        let listed = item(etag, "planned", RemoteParent::Folder(id("planned folder")));
        assert_eq!(own.has_changed_since(&listed), expected, "{etag}");
    }
    let same = after([changed("1::1", "1::1", "new", "f")]);
    let listed = item("1::1", "planned", RemoteParent::Folder(id("planned folder")));
    assert!(!same.has_changed_since(&listed), "one etag before and after tells nothing");
}

#[test]
fn a_moved_file_has_the_stamp_that_the_move_gave_it() {
    let own = after([moved_file("a", "b", stamp(1, 1), stamp(1, 2))]);
    assert_eq!(own.local(&local("b", stamp(1, 1))).stamp, stamp(1, 2));
    assert_eq!(own.local(&local("a", stamp(1, 1))).stamp, stamp(1, 1), "nothing is known of the old path");
    assert_eq!(own.local(&local("b", stamp(7, 1))).stamp, stamp(7, 1), "another file is not ours");
}

#[test]
fn what_was_moved_twice_is_known_by_its_first_stamp() {
    let own = after([
        moved_file("a", "t", stamp(1, 1), stamp(1, 2)),
        moved_file("t", "b", stamp(1, 2), stamp(1, 3)),
    ]);
    assert_eq!(own.local(&local("b", stamp(1, 1))).stamp, stamp(1, 3));
    assert_eq!(own.local(&local("t", stamp(1, 1))).stamp, stamp(1, 1), "the temporary name is forgotten");
    let moved = |from: &str, to: &str, then| {
        moved_to(from, to, (stamp(2, then), stamp(2, then + 1)), LocalKind::Folder)
    };
    let own = after([moved("d", "t", 1), moved("t", "e", 2)]);
    assert_eq!(own.local(&local("e", stamp(2, 1))).stamp, stamp(2, 3), "a folder likewise");
}

#[test]
fn another_file_at_a_path_that_was_moved_to_before_does_not_inherit() {
    let own = after([
        moved_file("a", "t", stamp(1, 1), stamp(1, 2)),
        moved_file("t", "b", stamp(5, 1), stamp(5, 2)),
    ]);
    assert_eq!(own.local(&local("b", stamp(5, 1))).stamp, stamp(5, 2));
    assert_eq!(own.local(&local("b", stamp(1, 1))).stamp, stamp(1, 1));
}

#[test]
fn a_moved_folder_takes_with_it_what_is_known_of_the_paths_in_it() {
    for (from, to, inside) in [("d", "e", "e/sub/b"), ("d", "x/y/d", "x/y/d/sub/b"), ("d/sub", "s", "s/b")] {
        let own = after([moved_file("a", "d/sub/b", stamp(1, 1), stamp(1, 2)), moved_folder(from, to, 2)]);
        assert_eq!(own.local(&local(inside, stamp(1, 1))).stamp, stamp(1, 2), "{from} to {to}");
        assert_eq!(own.local(&local("d/sub/b", stamp(1, 1))).stamp, stamp(1, 1), "{from} to {to}");
        assert_eq!(own.local(&local(to, stamp(2, 1))).stamp, stamp(2, 2), "the folder itself");
    }
}

#[test]
fn paths_beside_a_moved_folder_stay() {
    for (path_before, expected) in
        [("d", "e"), ("d/a", "e/a"), ("d/a/b", "e/a/b"), ("d2/a", "d2/a"), ("x/d/a", "x/d/a"), ("", "")]
    {
        assert_eq!(moved(&path(path_before), &path("d"), &path("e")), path(expected), "{path_before}");
    }
}

#[test]
fn a_made_folder_is_the_parent_that_the_plan_names() {
    let own = after([made(3, "made", 100)]);
    assert_eq!(own.parent(&Parent::Made(3)), Ok(id("made")));
    assert_eq!(own.parent(&Parent::Known(id("k"))), Ok(id("k")));
    assert!(matches!(own.parent(&Parent::Made(4)), Err(StepFailure::Replan(_))));
    assert!(own.is_made(&id("made")) && !own.is_made(&id("k")));
    assert!(own.is_alive(&id("made"), 100), "who made it has seen it");
}

#[test]
fn what_was_seen_alive_counts_for_twenty_seconds() {
    let own = after([Done::SeenAlive { folders: vec![id("f")], at: 100 }]);
    for (now, expected) in [(100, true), (119, true), (120, false), (100_000, false), (90, true)] {
        assert_eq!(own.is_alive(&id("f"), now), expected, "{now}");
    }
    assert!(!own.is_alive(&id("g"), 100));
}

#[test]
fn what_went_into_a_folder_is_remembered_until_the_folder_is_seen_again() {
    let added = |folder: &str, item: &str| Done::AddedTo { folder: id(folder), id: id(item) };
    let own = after([added("f", "1"), added("g", "2"), added("f", "3")]);
    assert_eq!(own.added_to()[&id("f")], [id("1"), id("3")]);
    let seen = Done::SeenAlive { folders: vec![id("f")], at: 100 };
    let own = after([added("f", "1"), added("g", "2"), seen, added("f", "3")]);
    assert_eq!(own.added_to()[&id("f")], [id("3")]);
    assert_eq!(own.added_to()[&id("g")], [id("2")], "another folder was not seen");
}

#[test]
fn a_temporary_name_is_remembered_until_it_is_given_back() {
    let moved = |of: &str, temporary| Done::MovedRemote {
        remote: RemoteSeen { id: id(of), ..remote("1::1") },
        local: None,
        after: item("2::1", "x", RemoteParent::Untold),
        target: id("f"),
        temporary,
    };
    let lent = || moved("a", Some(7));
    assert_eq!(after([lent()]).temporary(&id("a")), Some(7));
    assert_eq!(after([lent()]).temporary(&id("b")), None);
    assert_eq!(after([lent(), moved("b", None)]).temporary(&id("a")), Some(7), "another item moved");
    assert_eq!(after([lent(), moved("a", None)]).temporary(&id("a")), None, "a later move gave it back");
    assert_eq!(after([lent(), Done::Unparked(id("a"))]).temporary(&id("a")), None, "it was put right");
}

#[test]
fn announced_deletions_are_remembered_with_all_their_intents() {
    let announced = |item: &str, intent| Done::Announced { ids: vec![id(item)], intent };
    let own = after([announced("a", 1), announced("b", 2)]);
    assert!(own.is_announced(&id("a")) && own.is_announced(&id("b")) && !own.is_announced(&id("c")));
    assert_eq!(own.announcements(), [1, 2]);
}

#[test]
fn what_is_left_unfinished_is_remembered_by_its_operation() {
    let own = after([Done::LeftUnfinished { operation: 2 }]);
    assert!(own.is_unfinished(2) && !own.is_unfinished(1) && own.has_unfinished());
}

#[test]
fn what_one_answer_to_a_commit_told_stays_known_where_a_later_one_tells_nothing() {
    let told = |etag: Option<&str>| Done::LeftOpen { operation: 1, etag: etag.map(Etag::new) };
    assert_eq!(after([told(None)]).confirmed(1), None);
    assert_eq!(after([told(Some("2::2")), told(None)]).confirmed(1), Some(&Etag::new("2::2")));
    assert_eq!(after([told(Some("2::2")), told(Some("3::3"))]).confirmed(1), Some(&Etag::new("3::3")));
}

#[test]
fn an_intent_of_which_nobody_knows_what_came_of_it_is_not_without_effect() {
    let documents = vec![(1, "A".into()), (2, "B".into())];
    let announced = || Done::AnnouncedUploads { documents: documents.clone(), intent: 7 };
    let over = || Done::UploadOver { operation: 1, is_known: false };
    let own = after([announced(), Done::LeftOpen { operation: 1, etag: None }, over()]);
    assert_eq!(own.uploads_without_effect(), BTreeSet::new(), "the other one is of the same intent");
    let own = after([announced(), over()]);
    assert_eq!(own.uploads_without_effect(), BTreeSet::from([7]), "the one that is over was never left open");
}

#[test]
fn an_announced_upload_is_known_by_operation_and_content_until_it_is_over() {
    let announced = |documents: &[(usize, &str)], intent| {
        let documents = documents.iter().map(|(operation, document)| (*operation, (*document).into()));
        Done::AnnouncedUploads { documents: documents.collect(), intent }
    };
    let mut own = after([announced(&[(1, "A"), (2, "B")], 7), announced(&[(3, "C")], 8)]);
    assert_eq!(own.announced_upload(1, "A"), Some(7));
    assert_eq!(own.announced_upload(1, "B"), None, "another content");
    assert_eq!(own.upload_intent(2), Some(7));
    assert_eq!(own.uploads_without_effect(), BTreeSet::from([7, 8]));
    own.learn(&Done::UploadOver { operation: 1, is_known: true });
    assert!(own.has_open_uploads(7), "one of two is open");
    own.learn(&Done::UploadOver { operation: 2, is_known: true });
    assert!(!own.has_open_uploads(7) && own.has_open_uploads(8));
    own.learn(&announced(&[(3, "D")], 9));
    assert_eq!((own.announced_upload(3, "C"), own.announced_upload(3, "D")), (None, Some(9)));
    own.learn(&Done::LeftOpen { operation: 3, etag: None });
    assert_eq!(own.uploads_without_effect(), BTreeSet::new(), "nobody knows what its commit did");
    own.learn(&Done::UploadOver { operation: 3, is_known: false });
    assert!(own.has_open_uploads(9), "its note outlives the operation");
    own.learn(&announced(&[(4, "E")], 10));
    own.learn(&Done::LeftOpen { operation: 4, etag: None });
    own.learn(&Done::UploadOver { operation: 4, is_known: true });
    assert!(!own.has_open_uploads(10));
}
