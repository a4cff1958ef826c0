//! Deletions: into the trashes, held beyond the limits, approved and rejected.

use super::rig::Rig;

#[test]
fn deleted_here_goes_to_recently_deleted() {
    let rig =
        Rig::synced(&[("a.txt", "a"), ("folder/b.txt", "b"), ("folder/sub/c.txt", "c"), ("d.txt", "d")]);
    rig.rm("a.txt");
    rig.rm("folder");
    rig.once();
    assert_eq!(rig.trash_there(), ["a.txt", "folder", "folder/b.txt", "folder/sub", "folder/sub/c.txt"]);
    rig.assert_settled();
}

#[test]
fn deleted_there_goes_to_the_local_trash() {
    let rig =
        Rig::synced(&[("a.txt", "a"), ("folder/b.txt", "b"), ("folder/sub/c.txt", "c"), ("d.txt", "d")]);
    rig.there().trash("a.txt").expect("a deletion");
    rig.there().trash("folder").expect("a deletion");
    rig.once();
    assert_eq!(rig.here().len(), 1);
    let trash = rig.trash_here();
    for path in ["a.txt", "folder/b.txt", "folder/sub/c.txt"] {
        assert!(trash.contains(path), "{path} is not in the trash:\n{trash}");
    }
    rig.assert_settled();
}

#[test]
fn deleted_for_good_there_goes_to_the_local_trash_too() {
    let rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b")]);
    rig.there().delete("a.txt").expect("a deletion");
    rig.once();
    assert!(rig.trash_here().contains("a.txt"));
    rig.assert_settled();
}

#[test]
fn permanent_deletion_is_only_by_configuration() {
    let mut rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b")]);
    rig.set_text("sync.remote_delete", "permanent");
    rig.rm("a.txt");
    rig.once();
    assert!(rig.trash_there().is_empty(), "{:?}", rig.trash_there());
    rig.assert_settled();
}

#[test]
fn an_edit_decides_over_a_deletion_both_ways() {
    let rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b")]);
    rig.rm("a.txt");
    rig.there().write("a.txt", "edited there").expect("an edit");
    rig.write("b.txt", "edited here");
    rig.there().trash("b.txt").expect("a deletion");
    rig.once();
    assert_eq!(rig.read("a.txt"), "edited there");
    assert_eq!(rig.read_there("b.txt"), "edited here");
    rig.assert_settled();
}

#[test]
fn deleted_on_both_sides_is_forgotten() {
    let rig = Rig::synced(&[("a.txt", "a"), ("folder/b.txt", "b"), ("c.txt", "c")]);
    for path in ["a.txt", "folder"] {
        rig.rm(path);
        rig.there().trash(path).expect("a deletion");
    }
    rig.once();
    assert_eq!(rig.here().len(), 1);
    rig.assert_settled();
}

#[test]
fn moved_on_one_side_and_deleted_on_the_other_is_deleted() {
    let rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b"), ("other/x", "x")]);
    rig.mv("a.txt", "other/a.txt");
    rig.there().trash("a.txt").expect("a deletion");
    rig.rm("b.txt");
    rig.there().move_to("b.txt", "other").expect("a move");
    rig.once();
    assert_eq!(rig.here().len(), 2, "{:?}", rig.here());
    rig.assert_settled();
}

#[test]
fn a_folder_deleted_here_stays_while_something_new_is_in_it_there() {
    let rig = Rig::synced(&[("folder/a.txt", "a"), ("folder/b.txt", "b"), ("c.txt", "c")]);
    rig.rm("folder");
    rig.there().write("folder/new.txt", "n").expect("a file");
    rig.once();
    assert_eq!(rig.read("folder/new.txt"), "n");
    assert!(!rig.at("folder/a.txt").exists() && rig.there().entry("folder/a.txt").is_none());
    rig.assert_settled();
}

#[test]
fn a_folder_deleted_there_stays_while_something_new_is_in_it_here() {
    let rig = Rig::synced(&[("folder/a.txt", "a"), ("c.txt", "c")]);
    rig.there().trash("folder").expect("a deletion");
    rig.write("folder/new.txt", "n");
    rig.once();
    assert_eq!(rig.read_there("folder/new.txt"), "n");
    assert!(!rig.at("folder/a.txt").exists());
    rig.assert_settled();
}

#[test]
fn a_folder_deleted_there_stays_here_for_what_is_ignored() {
    let mut rig = Rig::signed_in();
    rig.set("sync.ignore", "['.*\\.tmp$']");
    rig.there().write("folder/a.txt", "a").expect("a file");
    rig.there().write("c.txt", "c").expect("a file");
    rig.once();
    rig.write("folder/keep.tmp", "mine alone");
    rig.write("folder/.DS_Store", "junk");
    rig.there().trash("folder").expect("a deletion");
    rig.once();
    assert_eq!(rig.read("folder/keep.tmp"), "mine alone");
    assert!(!rig.at("folder/a.txt").exists());
    assert!(rig.there().entry("folder").is_none());
    rig.assert_quiet(0);
}

#[test]
fn a_folder_deleted_there_goes_with_its_built_in_junk() {
    let rig = Rig::synced(&[("folder/a.txt", "a"), ("c.txt", "c")]);
    rig.write("folder/.DS_Store", "junk");
    rig.there().trash("folder").expect("a deletion");
    rig.once();
    assert!(!rig.at("folder").exists());
    rig.assert_settled();
}

/// Forty files, of which half a side loses thirty.
fn wholesale() -> Rig {
    let files: Vec<_> = (0..40).map(|number| (format!("f/{number:02}.txt"), number.to_string())).collect();
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Rig::synced(&files)
}

#[test]
fn many_deletions_here_are_held_until_they_are_approved() {
    let rig = wholesale();
    for number in 0..30 {
        rig.rm(&format!("f/{number:02}.txt"));
    }
    rig.write("goes on.txt", "everything else goes on");
    let ran = rig.once_unfinished();
    assert!(ran.stderr.contains("approve"), "{}", ran.stderr);
    assert_eq!(rig.read_there("goes on.txt"), "everything else goes on");
    assert_eq!(rig.read_there("f/00.txt"), "0");
    assert!(rig.trash_there().is_empty());
    rig.assert_quiet(12);
    let why = rig.run(&["why", "f/00.txt"]).expect(0).stdout;
    assert!(why.contains("approve"), "{why}");
    let shown = rig.run(&["approve"]).expect(0).stdout;
    assert!(shown.contains("f/00.txt") && shown.contains("30"), "{shown}");
    assert_eq!(rig.read_there("f/00.txt"), "0", "approve itself changes nothing");
    rig.once();
    assert_eq!(rig.trash_there().len(), 30);
    rig.assert_settled();
    assert!(rig.run(&["approve"]).expect(0).stdout.contains("no deletion is held"));
}

#[test]
fn many_deletions_here_are_restored_when_they_are_rejected() {
    let rig = wholesale();
    rig.rm("f");
    rig.once_unfinished();
    rig.run(&["approve", "--reject"]).expect(0);
    rig.once();
    assert_eq!(rig.read("f/00.txt"), "0");
    assert_eq!(rig.here().len(), 41);
    assert!(rig.trash_there().is_empty());
    rig.assert_settled();
}

#[test]
fn many_deletions_there_are_held_until_they_are_approved() {
    let rig = wholesale();
    rig.there().trash("f").expect("a deletion");
    rig.once_unfinished();
    assert_eq!(rig.here().len(), 41);
    rig.assert_quiet(12);
    rig.run(&["approve"]).expect(0);
    rig.once();
    assert!(rig.here().is_empty(), "{:?}", rig.here());
    assert!(rig.trash_here().contains("f/39.txt"));
    rig.assert_settled();
}

#[test]
fn many_deletions_there_are_restored_when_they_are_rejected() {
    let rig = wholesale();
    for number in 0..30 {
        rig.there().trash(&format!("f/{number:02}.txt")).expect("a deletion");
    }
    rig.once_unfinished();
    rig.run(&["approve", "--reject"]).expect(0);
    rig.once();
    assert_eq!(rig.read_there("f/00.txt"), "0");
    assert_eq!(rig.here().len(), 41);
    rig.assert_settled();
}

#[test]
fn held_deletions_dissolve_when_the_files_come_back() {
    let rig = wholesale();
    rig.mv("f", "../aside-f");
    rig.once_unfinished();
    rig.mv("../aside-f", "f");
    rig.once();
    assert!(rig.trash_there().is_empty());
    rig.assert_settled();
}

#[test]
fn no_limit_means_no_limit() {
    let mut rig = wholesale();
    rig.set("guard.max_deletes", "0").set("guard.max_delete_percent", "0");
    rig.rm("f");
    rig.once();
    assert_eq!(rig.trash_there().len(), 41);
    rig.assert_settled();
}
