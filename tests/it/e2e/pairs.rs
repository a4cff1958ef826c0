//! Pairs of changes: the cells of the table of `docs/sync.md` §4 that the other scenarios leave out, and their
//! combinations, for files and for folders.

use super::rig::Rig;

fn project() -> Rig {
    Rig::synced(&[
        ("work/a.txt", "a"),
        ("work/sub/b.txt", "b"),
        ("work/sub/c.txt", "c"),
        ("other/d.txt", "d"),
        ("e.txt", "e"),
    ])
}

/// The paths of conflict copies here.
fn copies(rig: &Rig) -> Vec<String> {
    rig.here().into_keys().filter(|path| path.contains(" (conflict ")).collect()
}

#[test]
fn moved_and_edited_here_and_edited_there_is_a_conflict_at_the_new_place() {
    let rig = project();
    let id = rig.id("work/a.txt");
    rig.mv("work/a.txt", "other/a.txt");
    rig.write("other/a.txt", "from here");
    rig.there().write("work/a.txt", "from there").expect("an edit");
    rig.once();
    assert_eq!((rig.id("other/a.txt"), rig.read("other/a.txt")), (id, "from there".to_owned()));
    let copies = copies(&rig);
    assert!(copies.len() == 1 && copies[0].starts_with("other/a (conflict "), "{copies:?}");
    assert_eq!(rig.read_there(&copies[0]), "from here");
    rig.assert_settled();
}

#[test]
fn edited_here_and_moved_and_edited_there_is_a_conflict_at_the_new_place() {
    let rig = project();
    rig.write("work/a.txt", "from here");
    rig.there().move_to("work/a.txt", "other").expect("a move");
    rig.there().write("other/a.txt", "from there").expect("an edit");
    rig.once();
    assert_eq!(rig.read("other/a.txt"), "from there");
    let copies = copies(&rig);
    assert!(copies.len() == 1 && copies[0].starts_with("other/a (conflict "), "{copies:?}");
    assert_eq!(rig.read_there(&copies[0]), "from here");
    rig.assert_settled();
}

#[test]
fn moved_and_edited_here_and_moved_elsewhere_there() {
    let rig = project();
    let id = rig.id("work/a.txt");
    rig.mv("work/a.txt", "other/a.txt");
    rig.write("other/a.txt", "from here");
    rig.there().move_to("work/a.txt", "").expect("a move");
    rig.once();
    assert_eq!((rig.id("a.txt"), rig.read_there("a.txt")), (id, "from here".to_owned()));
    assert!(!rig.at("other/a.txt").exists());
    rig.assert_settled();
}

#[test]
fn moved_and_edited_on_one_side_and_deleted_on_the_other_lives_on() {
    let rig = project();
    rig.mv("work/a.txt", "other/a.txt");
    rig.write("other/a.txt", "from here");
    rig.there().trash("work/a.txt").expect("a deletion");
    rig.rm("e.txt");
    rig.there().move_to("e.txt", "other").expect("a move");
    rig.there().write("other/e.txt", "from there").expect("an edit");
    rig.once();
    assert_eq!(rig.read_there("other/a.txt"), "from here");
    assert_eq!(rig.read("other/e.txt"), "from there");
    assert_eq!(rig.here().len(), 8, "{:?}", rig.here().keys());
    rig.assert_settled();
}

#[test]
fn a_folder_moved_differently_on_both_sides_ends_at_the_remote_place() {
    let rig = project();
    let id = rig.id("work/sub");
    rig.mv("work/sub", "other/sub");
    rig.write("other/sub/new.txt", "n");
    rig.there().move_to("work/sub", "").expect("a move");
    rig.once();
    assert_eq!((rig.id("sub"), rig.read("sub/b.txt")), (id, "b".to_owned()));
    assert_eq!(rig.read_there("sub/new.txt"), "n");
    assert!(!rig.at("other/sub").exists());
    rig.assert_settled();
}

#[test]
fn a_folder_moved_to_the_same_place_on_both_sides_is_agreement() {
    let rig = project();
    let id = rig.id("work/sub");
    rig.mv("work/sub", "other/sub");
    rig.there().move_to("work/sub", "other").expect("a move");
    let requests = rig.requests(|| drop(rig.once()));
    assert_eq!((requests.get("move"), requests.get("create")), (None, None), "{requests:?}");
    assert_eq!(rig.id("other/sub"), id);
    rig.assert_settled();
}

#[test]
fn a_folder_moved_on_one_side_and_deleted_on_the_other_is_deleted() {
    let rig = project();
    rig.mv("work/sub", "other/sub");
    rig.there().trash("work/sub").expect("a deletion");
    rig.once();
    assert!(!rig.at("other/sub").exists());
    assert!(rig.trash_here().contains("sub/b.txt"), "{}", rig.trash_here());
    rig.assert_settled();

    let rig = project();
    rig.rm("work/sub");
    rig.there().move_to("work/sub", "other").expect("a move");
    rig.once();
    assert!(rig.there().entry("other/sub").is_none());
    assert!(rig.trash_there().iter().any(|path| path.ends_with("sub/b.txt")), "{:?}", rig.trash_there());
    rig.assert_settled();
}

#[test]
fn an_edit_in_a_folder_decides_over_the_deletion_of_the_folder_both_ways() {
    let rig = project();
    rig.rm("work/sub");
    rig.there().write("work/sub/b.txt", "edited there").expect("an edit");
    rig.once();
    assert_eq!(rig.read("work/sub/b.txt"), "edited there");
    assert!(rig.there().entry("work/sub/c.txt").is_none(), "what nobody edited is deleted");
    rig.assert_settled();

    let rig = project();
    rig.write("work/sub/b.txt", "edited here");
    rig.there().trash("work/sub").expect("a deletion");
    rig.once();
    assert_eq!(rig.read_there("work/sub/b.txt"), "edited here");
    assert!(!rig.at("work/sub/c.txt").exists(), "what nobody edited is deleted");
    rig.assert_settled();
}

#[test]
fn what_was_moved_out_of_a_deleted_folder_goes_with_what_was_deleted() {
    let rig = project();
    rig.mv("work/sub/b.txt", "b.txt");
    rig.there().trash("work/sub").expect("a deletion");
    rig.there().move_to("work/a.txt", "").expect("a move");
    rig.rm("work/a.txt");
    rig.once();
    assert!(!rig.at("b.txt").exists() && rig.there().entry("a.txt").is_none());
    assert!(rig.trash_here().contains("b.txt"), "{}", rig.trash_here());
    rig.assert_settled();
}

#[test]
fn moved_to_a_name_that_is_new_on_the_other_side_keeps_both() {
    // Moved here, made there; then made here, moved there; a file and a folder each time.
    let rig = project();
    rig.mv("e.txt", "claimed.txt");
    rig.mv("work/sub", "folder");
    rig.there().write("claimed.txt", "made there").expect("a file");
    rig.there().write("folder", "a file there").expect("a file");
    rig.once();
    assert_eq!(rig.read("claimed.txt"), "made there");
    assert_eq!(rig.read_there("folder/b.txt"), "b");
    let copies = copies(&rig);
    assert_eq!(copies.len(), 2, "{copies:?}");
    rig.assert_settled();

    let rig = project();
    let id = rig.id("e.txt");
    rig.write("claimed.txt", "made here");
    rig.write("folder", "a file here");
    rig.there().rename("e.txt", "claimed.txt").expect("a rename");
    rig.there().rename("other", "folder").expect("a rename");
    rig.once();
    assert_eq!((rig.id("claimed.txt"), rig.read("claimed.txt")), (id, "e".to_owned()));
    assert_eq!(rig.read("folder/d.txt"), "d");
    assert_eq!(self::copies(&rig).len(), 2, "{:?}", rig.here().keys());
    rig.assert_settled();
}

#[test]
fn swaps_of_folders_here_and_of_files_there_and_a_chain_there() {
    let rig =
        Rig::synced(&[("A/x", "in a"), ("B/x", "in b"), ("f", "f"), ("g", "g"), ("1", "one"), ("2", "two")]);
    let ids = (rig.id("A"), rig.id("B"));
    rig.mv("A", "tmp");
    rig.mv("B", "A");
    rig.mv("tmp", "B");
    for (from, to) in [("f", "t"), ("g", "f"), ("t", "g"), ("2", "3"), ("1", "2")] {
        rig.there().rename(from, to).expect("a rename");
    }
    rig.once();
    assert_eq!((rig.id("B"), rig.id("A")), ids);
    assert_eq!((rig.read("f"), rig.read("g")), ("g".to_owned(), "f".to_owned()));
    assert_eq!((rig.read("3"), rig.read("2")), ("two".to_owned(), "one".to_owned()));
    assert!(rig.here().keys().all(|path| !path.contains("moving")), "{:?}", rig.here().keys());
    rig.assert_settled();
}

#[test]
fn a_folder_kept_on_one_side_comes_back_to_the_other_when_something_in_it_takes_part() {
    let mut rig = Rig::signed_in();
    rig.set("sync.ignore", "['.*\\.tmp$']");
    for folder in ["kept here", "kept there"] {
        rig.there().write(&format!("{folder}/a.txt"), "a").expect("a file");
    }
    rig.there().write("kept there/keep.tmp", "theirs alone").expect("a file");
    rig.once();
    rig.write("kept here/keep.tmp", "mine alone");
    rig.there().trash("kept here").expect("a deletion");
    rig.rm("kept there");
    rig.once();
    assert!(rig.at("kept here/keep.tmp").exists() && rig.there().entry("kept here").is_none());
    assert!(!rig.at("kept there").exists() && rig.there().entry("kept there/keep.tmp").is_some());
    rig.assert_quiet(0);
    rig.write("kept here/new.txt", "n");
    rig.there().write("kept there/new.txt", "n").expect("a file");
    rig.once();
    assert_eq!(rig.read_there("kept here/new.txt"), "n");
    assert_eq!(rig.read("kept there/new.txt"), "n");
    rig.assert_quiet(0);
}

#[test]
fn a_folder_kept_on_one_side_and_made_on_the_other_is_one_folder() {
    let mut rig = Rig::signed_in();
    rig.set("sync.ignore", "['.*\\.tmp$']");
    for folder in ["kept here", "kept there"] {
        rig.there().write(&format!("{folder}/a.txt"), "a").expect("a file");
    }
    rig.there().write("kept there/keep.tmp", "theirs alone").expect("a file");
    rig.once();
    rig.write("kept here/keep.tmp", "mine alone");
    rig.there().trash("kept here").expect("a deletion");
    rig.rm("kept there");
    rig.once();
    // Both are renamed where they stand, and made anew under that name where they do not.
    rig.mv("kept here", "again here");
    rig.there().rename("kept there", "again there").expect("a rename");
    rig.once();
    rig.there().write("again here/new.txt", "n").expect("a file");
    rig.write("again there/new.txt", "n");
    rig.once();
    assert_eq!(
        (rig.read("again here/new.txt"), rig.read("again here/keep.tmp")),
        ("n".into(), "mine alone".into())
    );
    assert_eq!(rig.read_there("again there/new.txt"), "n");
    assert!(rig.there().entry("again there/keep.tmp").is_some());
    assert!(rig.there().entry("kept here").is_none() && !rig.at("kept there").exists());
    rig.assert_quiet(0);
}

#[test]
fn folders_cross_the_edge_of_the_scope_both_ways() {
    let mut rig = Rig::signed_in();
    rig.set("sync.ignore", "['private']");
    for path in ["one/a.txt", "two/b.txt", "three/c.txt"] {
        rig.there().write(path, path).expect("a file");
    }
    rig.there().write("private/d/d.txt", "d").expect("a file");
    rig.once();
    rig.mkdir("private");
    rig.write("private/e/e.txt", "e");
    // Out of scope: each stays where it went, and its copy on the other side goes to that side's trash.
    rig.mv("one", "private/one");
    rig.there().move_to("two", "private").expect("a move");
    rig.once();
    assert!(rig.at("private/one/a.txt").exists() && rig.there().entry("one").is_none());
    assert!(rig.there().entry("private/two/b.txt").is_some() && !rig.at("two").exists());
    assert!(rig.trash_here().contains("two/b.txt"), "{}", rig.trash_here());
    rig.assert_quiet(0);
    // Into scope: new on the other side.
    rig.mv("private/e", "e");
    rig.there().move_to("private/d", "").expect("a move");
    rig.once();
    assert_eq!((rig.read_there("e/e.txt"), rig.read("d/d.txt")), ("e".to_owned(), "d".to_owned()));
    rig.assert_quiet(0);
}

#[test]
fn a_conflict_copy_of_a_long_name_fits_the_disk() {
    let name = format!("{}.txt", "\u{fc}".repeat(125));
    let rig = Rig::synced(&[(name.as_str(), "base")]);
    rig.write(&name, "from here");
    rig.there().write(&name, "from there").expect("an edit");
    rig.once();
    let copies = copies(&rig);
    assert!(copies.len() == 1 && copies[0].len() <= 255 && copies[0].ends_with(").txt"), "{copies:?}");
    assert_eq!(
        (rig.read(&name), rig.read_there(&copies[0])),
        ("from there".to_owned(), "from here".to_owned())
    );
    rig.assert_settled();
}

#[test]
fn long_names_are_deleted_and_change_places_like_others() {
    let (a, b, c) = ("a".repeat(255), "b".repeat(255), "c".repeat(255));
    let rig = Rig::synced(&[(a.as_str(), "a"), (b.as_str(), "b"), (c.as_str(), "c")]);
    rig.there().rename(&a, "t").expect("a rename");
    rig.there().rename(&b, &a).expect("a rename");
    rig.there().rename("t", &b).expect("a rename");
    rig.there().trash(&c).expect("a deletion");
    rig.once();
    assert_eq!((rig.read(&a), rig.read(&b)), ("b".to_owned(), "a".to_owned()));
    assert!(rig.trash_here().contains(&c));
    rig.assert_settled();
    rig.mv(&a, "t");
    rig.mv(&b, &a);
    rig.mv("t", &b);
    rig.once();
    assert_eq!((rig.read_there(&a), rig.read_there(&b)), ("a".to_owned(), "b".to_owned()));
    rig.assert_settled();
}

#[test]
fn a_name_that_is_too_long_for_the_disk_is_told_and_never_tried() {
    let rig = Rig::signed_in_with(|config| {
        config.switches.name_limit = icloudds_simulator::switches::NameLimit::None;
    });
    for path in ["a.txt", "folder/b.txt"] {
        rig.there().write(path, path).expect("a file");
    }
    rig.once();
    let (file, folder) = (format!("{}.txt", "x".repeat(300)), "y".repeat(300));
    rig.there().write(&file, "out of reach").expect("a file");
    rig.there().rename("folder", &folder).expect("a rename");
    rig.there().write(&format!("{folder}/b.txt"), "edited there").expect("an edit");
    let requests = rig.requests(|| {
        let ran = rig.once_unfinished();
        assert!(ran.stderr.contains("304 bytes") && ran.stderr.contains("300 bytes"), "{}", ran.stderr);
    });
    // Only the edit in the folder, which goes on under its old name here.
    assert_eq!(requests.get("download.content"), Some(&1), "{requests:?}");
    assert_eq!(rig.read("folder/b.txt"), "edited there");
    rig.assert_quiet(12);
    rig.there().rename(&file, "short.txt").expect("a rename");
    rig.there().rename(&folder, "short").expect("a rename");
    rig.once();
    assert_eq!(
        (rig.read("short.txt"), rig.read("short/b.txt")),
        ("out of reach".into(), "edited there".into())
    );
    rig.assert_settled();
}
