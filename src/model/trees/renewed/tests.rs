//! The tree of a new look, at the places of the one before.

use super::*;
use crate::model::{Difference, FolderState, ItemId, LocalKind, LocalStamp, RemoteEntry, RemoteKind, Zone};

fn file(inode: u64) -> LocalEntry {
    let identity = Identity { inode, ..Identity::default() };
    LocalEntry {
        kind: LocalKind::File,
        stamp: LocalStamp { identity, on_root_fs: true, ..LocalStamp::default() },
        racy: false,
        signature: None.into(),
        state: FolderState::Unread,
        holds_unnameable: false,
    }
}

fn folder(inode: u64) -> LocalEntry {
    LocalEntry { kind: LocalKind::Folder, ..file(inode) }
}

/// A tree of paths, each with its inode; those that end in a slash are folders.
fn disk(paths: &[(&str, u64)]) -> LocalTree {
    let mut tree = LocalTree::new(folder(1));
    for (path, inode) in paths {
        let entry = if path.ends_with('/') { folder(*inode) } else { file(*inode) };
        let (above, name) =
            path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path.trim_end_matches('/')));
        let above = above.split('/').filter(|name| !name.is_empty());
        let above = above.fold(Node::ROOT, |at, name| tree.child(at, name).expect("its folder came before"));
        tree.insert(above, name, entry);
    }
    tree
}

const BEFORE: [(&str, u64); 7] =
    [("a/", 10), ("a/x", 11), ("a/y", 12), ("b/", 20), ("b/sub/", 21), ("b/sub/z", 22), ("c", 30)];

fn said<T: crate::model::tree::Entry>(tree: &Tree<T>) -> Vec<(String, T)> {
    tree.walk(Node::ROOT).map(|node| (tree.path(node).as_str().to_owned(), tree.get(node).clone())).collect()
}

/// How many places differ, and how many of these moved.
fn differences(now: &LocalTree, then: &LocalTree) -> (usize, usize) {
    let found: Vec<Difference> = now.differences(then, 100).expect("they are few");
    (found.len(), found.iter().filter(|change| change.moved).count())
}

#[test]
fn a_look_that_saw_the_same_differs_in_nothing_and_what_it_saw_else_stands_as_it_was_seen() {
    let with = |changed: &[(&'static str, u64)]| {
        let mut paths: Vec<_> = BEFORE.iter().filter(|(path, _)| *path != "c").copied().collect();
        paths.extend(changed);
        paths
    };
    for (what, paths, expected) in [
        ("the same", BEFORE.to_vec(), (0, 0)),
        ("another order", [&BEFORE[3..], &BEFORE[..3]].concat(), (0, 0)),
        ("a new file", [&BEFORE[..], &[("b/new", 40)]].concat(), (2, 1)),
        ("one that went", with(&[]), (2, 1)),
        ("another file in its place", with(&[("c", 31)]), (3, 2)),
        ("a file renamed", with(&[("b/d", 30)]), (3, 1)),
        ("a file that is a folder now", with(&[("c/", 30), ("c/in", 41)]), (4, 3)),
    ] {
        let (before, fresh) = (disk(&BEFORE), disk(&paths));
        let renewed = before.renewed_by_path(fresh.clone());
        assert_eq!(said(&renewed), said(&fresh), "{what}");
        assert_eq!(renewed.len(), fresh.len(), "{what}");
        assert_eq!(differences(&renewed, &before), expected, "{what}");
    }
}

#[test]
fn a_folder_that_moved_takes_what_it_holds_along() {
    let moved =
        [("a/", 10), ("a/x", 11), ("a/y", 12), ("a/sub/", 21), ("a/sub/z", 22), ("b/", 20), ("c", 30)];
    let (before, fresh) = (disk(&BEFORE), disk(&moved));
    let renewed = before.renewed_by_path(fresh.clone());
    assert_eq!(said(&renewed), said(&fresh));
    assert_eq!(differences(&renewed, &before), (3, 1), "the folder, and the two that held it");
}

#[test]
fn items_without_an_identity_stay_at_their_paths_alone() {
    let without: Vec<_> = BEFORE.iter().map(|(path, _)| (*path, 0)).collect();
    let before = disk(&without);
    let renewed = before.renewed_by_path(disk(&without));
    assert_eq!(differences(&renewed, &before), (0, 0));
    let fresh = disk(&[&without[..6], &[("d", 0)]].concat());
    let renewed = before.renewed_by_path(fresh.clone());
    assert_eq!(said(&renewed), said(&fresh));
    assert_eq!(differences(&renewed, &before), (3, 2), "one went, one came");
}

#[test]
fn of_two_links_of_one_file_each_stays_where_it_is() {
    let links = [("a/", 10), ("a/x", 11), ("b", 11), ("c", 30)];
    let before = disk(&links);
    let swapped = [("a/", 10), ("a/x", 30), ("b", 11), ("d", 11)];
    let fresh = disk(&swapped);
    let renewed = before.renewed_by_path(fresh.clone());
    assert_eq!(said(&renewed), said(&fresh));
    let again = renewed.renewed_by_path(disk(&swapped));
    assert_eq!(differences(&again, &renewed), (0, 0));
}

#[test]
fn a_tree_that_is_mostly_another_is_kept_as_it_is() {
    let names: Vec<String> = (0..5000).map(|number| format!("{number:04}")).collect();
    let many = |inode: u64| -> Vec<(&str, u64)> {
        names.iter().zip(inode..).map(|(name, inode)| (name.as_str(), inode)).collect()
    };
    let (before, fresh) = (disk(&many(10)), disk(&many(10_000)));
    let renewed = before.renewed_by_path(fresh.clone());
    assert_eq!(renewed.capacity(), fresh.capacity());
    assert_eq!(said(&renewed), said(&fresh));
    let few = before.renewed_by_path(disk(&many(10)[..100]));
    assert_eq!((few.len(), few.capacity()), (101, 101), "no place is kept for what went");
}

fn shown(number: usize, name: &str) -> RemoteEntry {
    RemoteEntry {
        id: ItemId::new(Zone::CloudDocs, &format!("item {number}")),
        kind: RemoteKind::Folder,
        name: name.into(),
        etag: crate::model::Etag::new("1"),
        size: None.into(),
        mtime: None.into(),
        signature: None.into(),
        state: FolderState::Complete,
    }
}

#[test]
fn on_icloud_an_item_keeps_its_place_by_its_id_wherever_it_went() {
    use crate::model::RemoteTree;
    let mut before = RemoteTree::new(shown(0, ""));
    let one = before.insert(Node::ROOT, "one", shown(1, "one"));
    let two = before.insert(Node::ROOT, "two", shown(2, "two"));
    let inner = before.insert(one, "inner", shown(3, "inner"));
    // Two of one name stand in the order in which they were seen last.
    let twins = [4, 5].map(|number| before.insert(two, "twin", shown(number, "twin")));
    let mut fresh = RemoteTree::new(shown(0, ""));
    let new_two = fresh.insert(Node::ROOT, "two", shown(2, "two"));
    let one_there = fresh.insert(new_two, "uno", shown(1, "uno"));
    fresh.insert(one_there, "inner", shown(3, "inner"));
    for number in [5, 4] {
        fresh.insert(new_two, "twin", shown(number, "twin"));
    }
    fresh.insert(Node::ROOT, "late", shown(6, "late"));
    let renewed = before.renewed(fresh.clone());
    assert_eq!(said(&renewed), said(&fresh));
    let at = |number: usize| renewed.by_id(&shown(number, "").id);
    let places = [at(1), at(2), at(3), at(4), at(5)];
    assert_eq!(places, [Some(one), Some(two), Some(inner), Some(twins[0]), Some(twins[1])]);
    assert!(at(6).is_some_and(|late| renewed.name(late) == "late"));
    // What goes is not found by its id any more.
    let less = renewed.renewed(RemoteTree::new(shown(0, "")));
    assert_eq!((less.len(), less.by_id(&shown(6, "").id)), (1, None));
    let other = renewed.renewed(RemoteTree::new(shown(9, "")));
    assert_eq!(other.get(Node::ROOT).id, shown(9, "").id, "of another root nothing is kept");
}
