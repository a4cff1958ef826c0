//! Renames and moves, both ways: one request, the id kept, nothing transferred.

use std::collections::BTreeMap;

use super::rig::Rig;

/// Nothing was transferred, and this many requests of each kind changed the drive.
#[track_caller]
fn assert_only(requests: &BTreeMap<String, u64>, expected: &[(&str, u64)]) {
    let changing =
        ["commit", "create", "rename", "move", "trash", "delete", "upload.slot", "download.content"];
    let did: Vec<_> = requests
        .iter()
        .filter(|(kind, _)| changing.contains(&kind.as_str()))
        .map(|(kind, count)| (kind.as_str(), *count))
        .collect();
    assert_eq!(did, expected, "{requests:?}");
}

fn project() -> Rig {
    Rig::synced(&[
        ("work/a.txt", "a"),
        ("work/sub/b.txt", "b"),
        ("work/sub/c.txt", "c"),
        ("other/d.txt", "d"),
    ])
}

#[test]
fn a_file_renamed_here_is_one_rename_there() {
    let rig = project();
    let id = rig.id("work/a.txt");
    rig.mv("work/a.txt", "work/z.md");
    let requests = rig.requests(|| drop(rig.once()));
    assert_only(&requests, &[("rename", 1)]);
    assert_eq!(rig.id("work/z.md"), id);
    rig.assert_settled();
}

#[test]
fn a_folder_renamed_here_is_one_rename_there() {
    let rig = project();
    let ids = (rig.id("work"), rig.id("work/sub/b.txt"));
    rig.mv("work", "play");
    let requests = rig.requests(|| drop(rig.once()));
    assert_only(&requests, &[("rename", 1)]);
    assert_eq!((rig.id("play"), rig.id("play/sub/b.txt")), ids);
    rig.assert_settled();
}

#[test]
fn a_file_and_a_folder_moved_here_are_one_move_each() {
    let rig = project();
    let ids = (rig.id("work/a.txt"), rig.id("work/sub"));
    rig.mv("work/a.txt", "other/a.txt");
    rig.mv("work/sub", "other/sub");
    let requests = rig.requests(|| drop(rig.once()));
    // Two items for one target may share a request.
    assert!(requests.get("move").is_some_and(|count| (1..=2).contains(count)), "{requests:?}");
    assert_eq!((rig.id("other/a.txt"), rig.id("other/sub")), ids);
    assert_eq!(requests.get("upload.slot"), None);
    rig.assert_settled();
}

#[test]
fn a_move_with_a_new_name_here() {
    let rig = project();
    let id = rig.id("work/sub");
    rig.mv("work/sub", "other/renamed");
    let requests = rig.requests(|| drop(rig.once()));
    assert_only(&requests, &[("move", 1), ("rename", 1)]);
    assert_eq!(rig.id("other/renamed"), id);
    rig.assert_settled();
}

#[test]
fn a_file_and_a_folder_renamed_there_are_renamed_here() {
    let rig = project();
    let inode =
        |path: &str| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(rig.at(path)).expect("there"));
    let before = (inode("work/a.txt"), inode("work/sub"));
    rig.there().rename("work/a.txt", "z.txt").expect("a rename");
    rig.there().rename("work/sub", "deep").expect("a rename");
    rig.there().rename("work", "play").expect("a rename");
    let requests = rig.requests(|| drop(rig.once()));
    assert_only(&requests, &[]);
    assert_eq!((inode("play/z.txt"), inode("play/deep")), before);
    rig.assert_settled();
}

#[test]
fn a_file_and_a_folder_moved_there_are_moved_here() {
    let rig = project();
    rig.there().move_to("work/a.txt", "other").expect("a move");
    rig.there().move_to("work/sub", "").expect("a move");
    let requests = rig.requests(|| drop(rig.once()));
    assert_only(&requests, &[]);
    assert_eq!(rig.read("sub/b.txt"), "b");
    rig.assert_settled();
}

#[test]
fn moved_here_and_edited_there_is_both() {
    let rig = project();
    let id = rig.id("work/a.txt");
    rig.mv("work/a.txt", "other/a.txt");
    rig.there().write("work/a.txt", "edited there").expect("an edit");
    rig.once();
    assert_eq!((rig.read("other/a.txt"), rig.id("other/a.txt")), ("edited there".to_owned(), id));
    rig.assert_settled();
}

#[test]
fn edited_here_and_moved_there_is_both() {
    let rig = project();
    rig.write("work/a.txt", "edited here");
    rig.there().move_to("work/a.txt", "other").expect("a move");
    rig.once();
    assert_eq!(rig.read_there("other/a.txt"), "edited here");
    assert!(!rig.at("work/a.txt").exists());
    rig.assert_settled();
}

#[test]
fn a_folder_renamed_here_while_its_file_is_edited_there() {
    let rig = project();
    rig.mv("work", "play");
    rig.there().write("work/sub/b.txt", "edited there").expect("an edit");
    rig.there().write("work/new.txt", "new there").expect("a file");
    rig.once();
    assert_eq!(rig.read("play/sub/b.txt"), "edited there");
    assert_eq!(rig.read("play/new.txt"), "new there");
    rig.assert_settled();
}

#[test]
fn moved_differently_on_both_sides_the_remote_place_wins() {
    let rig = project();
    rig.mv("work/a.txt", "other/a.txt");
    rig.there().move_to("work/a.txt", "").expect("a move");
    rig.once();
    assert_eq!(rig.read("a.txt"), "a");
    assert!(!rig.at("other/a.txt").exists());
    rig.assert_settled();
}

#[test]
fn moved_to_the_same_place_on_both_sides_is_agreement() {
    let rig = project();
    rig.mv("work/a.txt", "other/a.txt");
    rig.there().move_to("work/a.txt", "other").expect("a move");
    let requests = rig.requests(|| drop(rig.once()));
    assert_only(&requests, &[]);
    rig.assert_settled();
}

#[test]
fn moves_that_would_form_a_cycle_end_at_the_remote_place() {
    let rig = Rig::synced(&[("A/a.txt", "a"), ("B/b.txt", "b")]);
    rig.mv("A", "B/A");
    rig.there().move_to("B", "A").expect("a move");
    rig.once();
    assert_eq!((rig.read("A/B/b.txt"), rig.read("A/a.txt")), ("b".to_owned(), "a".to_owned()));
    rig.assert_settled();
}

#[test]
fn swaps_and_chains_here_come_out_right() {
    let rig = Rig::synced(&[("A", "a"), ("B", "b"), ("1", "one"), ("2", "two"), ("3", "three")]);
    let ids = (rig.id("A"), rig.id("B"), rig.id("1"));
    rig.mv("A", "tmp");
    rig.mv("B", "A");
    rig.mv("tmp", "B");
    rig.mv("3", "4");
    rig.mv("2", "3");
    rig.mv("1", "2");
    rig.once();
    assert_eq!((rig.id("B"), rig.id("A"), rig.id("2")), ids);
    assert_eq!(rig.read_there("4"), "three");
    rig.assert_settled();
}

#[test]
fn swaps_of_folders_there_come_out_right() {
    let rig = Rig::synced(&[("A/x", "in a"), ("B/x", "in b")]);
    rig.there().rename("A", "tmp").expect("a rename");
    rig.there().rename("B", "A").expect("a rename");
    rig.there().rename("tmp", "B").expect("a rename");
    let requests = rig.requests(|| drop(rig.once()));
    assert_only(&requests, &[]);
    assert_eq!((rig.read("A/x"), rig.read("B/x")), ("in b".to_owned(), "in a".to_owned()));
    rig.assert_settled();
}

#[test]
fn a_change_of_case_or_normalisation_alone_is_a_rename() {
    let rig = Rig::synced(&[("readme.txt", "r"), ("folder/x", "x")]);
    let ids = (rig.id("readme.txt"), rig.id("folder"));
    rig.mv("readme.txt", "README.txt");
    rig.there().rename("folder", "Folder").expect("a rename");
    rig.once();
    assert_eq!((rig.id("README.txt"), rig.id("Folder")), ids);
    assert_eq!(rig.read("Folder/x"), "x");
    rig.assert_settled();
}

#[test]
fn a_moved_folder_with_new_and_deleted_things_inside() {
    let rig = project();
    rig.mv("work", "other/work");
    rig.write("other/work/new.txt", "n");
    rig.rm("other/work/sub/b.txt");
    rig.once();
    assert_eq!(rig.read_there("other/work/new.txt"), "n");
    assert_eq!(rig.trash_there().len(), 1, "{:?}", rig.trash_there());
    rig.assert_settled();
}
