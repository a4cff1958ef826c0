use std::collections::HashMap;

use super::*;
use crate::model::{FolderState, RemoteEntry, RemoteKind, Zone};

fn id(name: &str) -> ItemId {
    if name.is_empty() { ItemId::drive_root() } else { ItemId::new(Zone::CloudDocs, name) }
}

fn entry(name: &str, shown: &str, etag: &str) -> RemoteEntry {
    let is_file = etag.contains("::");
    RemoteEntry {
        id: id(name),
        kind: if is_file { RemoteKind::File } else { RemoteKind::Folder },
        name: shown.into(),
        etag: Etag::new(etag),
        size: is_file.then_some(1).into(),
        mtime: None.into(),
        signature: None.into(),
        state: if is_file { FolderState::Unread } else { FolderState::Complete },
    }
}

/// A view of lines `FOLDER ID NAME ETAG`, with `-` for the root.
fn view(lines: &str) -> RemoteView {
    let mut tree = RemoteTree::new(entry("", "", "r"));
    let mut marks = HashMap::new();
    for line in lines.split(", ") {
        let words: Vec<_> = line.split(' ').collect();
        let [folder, name, shown, etag] = words[..] else { panic!("{line}") };
        let folder = if folder == "-" { Node::ROOT } else { tree.by_id(&id(folder)).expect("a folder") };
        let entry = entry(name, shown, etag);
        if entry.is_folder() {
            marks.insert(entry.id.clone(), entry.etag.clone());
        }
        tree.insert(folder, shown, entry);
    }
    RemoteView {
        tree,
        absent: HashMap::new(),
        unusable: Vec::new(),
        complete: true,
        hollow: Default::default(),
        marks: FolderMarks::new(marks),
    }
}

const BEFORE: &str = "- a a 1, a b b 1, b x x 1::1, b y y 1::1, - c c 1, c d d 1, - t t 1::1";

/// The cases of contents, places and names, and the folders whose etag stayed.
fn compared(before: &RemoteView, after: &str) -> ([u32; 3], String) {
    let compared = compare_etags(before, &view(after)).expect("both show everything");
    let stayed: Vec<_> = compared.stayed.iter().map(|(id, _)| id.doc()).collect();
    (compared.cases.each(), stayed.join(" "))
}

#[test]
fn a_change_counts_where_every_etag_above_it_moved_and_against_where_one_stayed() {
    for (after, cases, stayed) in [
        (BEFORE, [0, 0, 0], ""),
        // Contents: all above, the folder alone, the one above alone, none.
        ("- a a 2, a b b 2, b x x 2::2, b y y 1::1, - c c 1, c d d 1, - t t 1::1", [1, 0, 0], ""),
        ("- a a 1, a b b 2, b x x 2::2, b y y 1::1, - c c 1, c d d 1, - t t 1::1", [0, 0, 0], "a"),
        ("- a a 2, a b b 1, b x x 2::2, b y y 1::1, - c c 1, c d d 1, - t t 1::1", [0, 0, 0], "b"),
        ("- a a 1, a b b 1, b x x 2::2, b y y 1::1, - c c 1, c d d 1, - t t 1::1", [0, 0, 0], "a b"),
        // Many in one folder are one case.
        ("- a a 2, a b b 2, b x x 2::2, b y y 2::2, - c c 1, c d d 1, - t t 1::1", [1, 0, 0], ""),
        // What changes its metadata alone says nothing.
        ("- a a 1, a b b 1, b x x 2::1, b y y 1::1, - c c 1, c d d 1, - t t 1::1", [0, 0, 0], ""),
        // Names, of files and folders.
        ("- a a 2, a b b 2, b x z 2::1, b y y 1::1, - c c 1, c d d 1, - t t 1::1", [0, 0, 1], ""),
        ("- a a 1, a b b 1, b x z 2::1, b y y 1::1, - c c 1, c d d 1, - t t 1::1", [0, 0, 0], "a b"),
        ("- a a 2, a b e 1, b x x 1::1, b y y 1::1, - c c 1, c d d 1, - t t 1::1", [0, 0, 0], ""),
        ("- a a 1, a b e 2, b x x 1::1, b y y 1::1, - c c 1, c d d 1, - t t 1::1", [0, 0, 0], "a"),
        // What comes, goes and moves.
        ("- a a 2, a b b 2, b x x 1::1, b y y 1::1, b n n 1::1, - c c 1, c d d 1, - t t 1::1", [0, 1, 0], ""),
        ("- a a 2, a b b 2, b x x 1::1, - c c 1, c d d 1, - t t 1::1", [0, 1, 0], ""),
        ("- a a 2, a b b 2, b x x 1::1, - c c 2, c d d 2, d y y 2::1, - t t 1::1", [0, 2, 0], ""),
        ("- a a 2, a b b 2, b x x 1::1, - c c 2, c d d 1, d y y 2::1, - t t 1::1", [0, 1, 0], "d"),
        // What is gone with its folder is told of the folder that is left.
        ("- a a 1, - c c 1, c d d 1, - t t 1::1", [0, 0, 0], "a"),
        // At the top nothing is learnt.
        ("- a a 1, a b b 1, b x x 1::1, b y y 1::1, - c c 1, c d d 1, - t t 2::2", [0, 0, 0], ""),
    ] {
        assert_eq!(compared(&view(BEFORE), after), (cases, stayed.to_owned()), "{after}");
    }
}

#[test]
fn what_we_did_meanwhile_teaches_nothing_and_still_speaks_against() {
    let mut before = view(BEFORE);
    before.marks.are_mixed = true;
    let moved = "- a a 2, a b b 2, b x x 2::2, b y y 1::1, - c c 1, c d d 1, - t t 1::1";
    assert_eq!(compared(&before, moved), ([0; 3], String::new()));
    let stayed = "- a a 2, a b b 1, b x x 2::2, b y y 1::1, - c c 1, c d d 1, - t t 1::1";
    assert_eq!(compared(&before, stayed), ([0; 3], "b".to_owned()));
    before.complete = false;
    assert_eq!(compare_etags(&before, &view(moved)), None);
}

#[test]
fn all_kinds_of_changes_have_to_be_seen_and_a_disagreement_makes_it_take_longer() {
    let all = Cases { contents: 8, places: 8, names: 3 };
    let mut learnt = EtagsLearnt::default();
    for lacking in [Cases { names: 2, ..all }, Cases { places: 7, ..all }, Cases { contents: 7, ..all }] {
        assert!(!EtagsLearnt { cases: lacking, doubts: 0 }.may_skip(), "{lacking:?}");
    }
    learnt.agree(all);
    assert!(learnt.may_skip());
    assert!(learnt.disagree(), "it was relied on");
    assert!(!learnt.disagree(), "it was not");
    for _ in 0..3 {
        assert!(!learnt.may_skip());
        learnt.agree(all);
    }
    learnt.agree(all);
    assert!(learnt.may_skip(), "four times as much");
    for _ in 0..100 {
        learnt.disagree();
    }
    for _ in 0..32 {
        learnt.agree(all);
    }
    assert!(learnt.may_skip());
}

#[test]
fn an_etag_that_moved_by_the_next_walk_was_late() {
    let one = compare_etags(&view(BEFORE), &view(&BEFORE.replace("x 1::1", "x 2::2"))).expect("compared");
    let marks = |etag: &str| {
        FolderMarks::new(HashMap::from([
            (id("a"), Etag::new(etag)),
            (id("b"), Etag::new("2")),
            (id("c"), Etag::new("1")),
        ]))
    };
    assert_eq!(one.still(&marks("1")), 1);
    assert_eq!(one.still(&marks("2")), 0);
    assert_eq!(one.still(&FolderMarks::default()), 0);
}
