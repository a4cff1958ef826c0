//! Edits on both sides, and two items that claim one name.

use super::rig::Rig;
use super::tree::Node;

/// The one conflict copy here.
#[track_caller]
fn copy_of(rig: &Rig, stem: &str) -> String {
    let copies: Vec<_> =
        rig.here().into_keys().filter(|path| path.starts_with(&format!("{stem} (conflict "))).collect();
    match copies.as_slice() {
        [copy] => copy.clone(),
        other => panic!("conflict copies of {stem}: {other:?}; here is {:?}", rig.here().keys()),
    }
}

#[test]
fn edits_on_both_sides_keep_both() {
    let rig = Rig::synced(&[("notes/plan.txt", "base")]);
    let id = rig.id("notes/plan.txt");
    rig.write("notes/plan.txt", "from here");
    rig.there().write("notes/plan.txt", "from there").expect("an edit");
    let ran = rig.once();
    let copy = copy_of(&rig, "notes/plan");
    assert!(copy.ends_with(").txt"), "{copy}");
    assert!(ran.stderr.contains("conflict"), "{}", ran.stderr);
    assert_eq!(
        (rig.read("notes/plan.txt"), rig.read(&copy)),
        ("from there".to_owned(), "from here".to_owned())
    );
    assert_eq!(rig.read_there(&copy), "from here");
    assert_eq!(rig.id("notes/plan.txt"), id);
    rig.assert_settled();
}

#[test]
fn an_edit_there_meets_what_an_editor_wrote_beside_its_backup() {
    let rig = Rig::synced(&[("plan.txt", "base")]);
    let id = rig.id("plan.txt");
    rig.there().write("plan.txt", "from there").expect("an edit");
    rig.mv("plan.txt", "plan.txt~");
    rig.write("plan.txt", "from here");
    rig.once();
    let copy = copy_of(&rig, "plan");
    assert_eq!((rig.read_there("plan.txt"), rig.id("plan.txt")), ("from there".to_owned(), id));
    assert_eq!(
        (rig.read_there(&copy), rig.read_there("plan.txt~")),
        ("from here".to_owned(), "base".to_owned())
    );
    rig.assert_settled();
}

#[test]
fn a_conflict_of_a_conflict_copy_does_not_nest() {
    let rig = Rig::synced(&[("a.txt", "base")]);
    rig.write("a.txt", "here");
    rig.there().write("a.txt", "there").expect("an edit");
    rig.once();
    let copy = copy_of(&rig, "a");
    rig.write(&copy, "here again");
    rig.there().write(&copy, "there again").expect("an edit");
    rig.once();
    assert_eq!(rig.here().len(), 3);
    assert!(rig.here().keys().all(|path| path.matches("(conflict ").count() <= 1), "{:?}", rig.here().keys());
    rig.assert_settled();
}

#[test]
fn equal_edits_on_both_sides_are_agreement() {
    let rig = Rig::synced(&[("a.txt", "base")]);
    rig.write("a.txt", "the same");
    rig.there().write("a.txt", "the same").expect("an edit");
    rig.once();
    assert_eq!(rig.here().len(), 1);
    rig.assert_settled();
}

#[test]
fn different_files_under_one_name_at_the_first_sync_keep_both() {
    let rig = Rig::signed_in();
    rig.write("a.txt", "mine");
    rig.there().write("a.txt", "theirs").expect("a file");
    rig.once();
    assert_eq!((rig.read("a.txt"), rig.read(&copy_of(&rig, "a"))), ("theirs".to_owned(), "mine".to_owned()));
    rig.assert_settled();
}

#[test]
fn the_newest_keeps_the_name_when_so_configured() {
    let mut rig = Rig::synced(&[("a.txt", "base"), ("b.txt", "base")]);
    rig.set_text("sync.conflict", "newest");
    let day = 86_400_000;
    let now = icloudds_simulator::Core::now(rig.sim.core());
    let now = i64::try_from(now.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis())
        .expect("a time");
    rig.write("a.txt", "newer here");
    rig.there().write_at("a.txt", "older there", now - day).expect("an edit");
    rig.write("b.txt", "older here");
    rig.there().write_at("b.txt", "newer there", now + day).expect("an edit");
    rig.once();
    assert_eq!((rig.read("a.txt"), rig.read("b.txt")), ("newer here".to_owned(), "newer there".to_owned()));
    assert_eq!(rig.here().len(), 2);
    assert_eq!(rig.trash_there(), ["a.txt"]);
    assert!(rig.trash_here().contains("b.txt"), "{}", rig.trash_here());
    rig.assert_settled();
}

#[test]
fn two_items_moved_to_one_name_are_both_kept() {
    let rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b")]);
    rig.mv("a.txt", "c.txt");
    rig.there().rename("b.txt", "c.txt").expect("a rename");
    rig.once();
    assert_eq!((rig.read("c.txt"), rig.read(&copy_of(&rig, "c"))), ("b".to_owned(), "a".to_owned()));
    rig.assert_settled();
}

#[test]
fn a_file_here_and_a_folder_there_of_one_name() {
    let rig = Rig::synced(&[("x", "x")]);
    rig.write("thing", "a file here");
    rig.there().write("thing/inside.txt", "a folder there").expect("a file");
    rig.once();
    assert_eq!(rig.read("thing/inside.txt"), "a folder there");
    assert_eq!(rig.read(&copy_of(&rig, "thing")), "a file here");
    rig.assert_settled();
}

#[test]
fn a_folder_here_and_a_file_there_of_one_name() {
    let rig = Rig::synced(&[("x", "x")]);
    rig.write("thing/inside.txt", "a folder here");
    rig.there().write("thing", "a file there").expect("a file");
    rig.once();
    assert_eq!(rig.read_there("thing/inside.txt"), "a folder here");
    let files: Vec<_> =
        rig.here().into_iter().filter(|(_, node)| matches!(node, Node::File(12, _))).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].0.starts_with("thing (conflict "), "{files:?}");
    rig.assert_settled();
}

#[test]
fn a_conflict_in_a_folder_that_was_renamed_there() {
    let rig = Rig::synced(&[("f/a.txt", "base")]);
    rig.write("f/a.txt", "here");
    rig.there().write("f/a.txt", "there").expect("an edit");
    rig.there().rename("f", "g").expect("a rename");
    rig.once();
    assert_eq!(
        (rig.read("g/a.txt"), rig.read(&copy_of(&rig, "g/a"))),
        ("there".to_owned(), "here".to_owned())
    );
    assert!(!rig.at("f").exists());
    rig.assert_settled();
}
