//! What takes part: the filter, sizes, modes, the root on iCloud, app libraries.

use super::rig::{Rig, noise};
use super::tree::Node;

#[test]
fn ignore_and_include_serve_both_sides() {
    let mut rig = Rig::signed_in();
    rig.set("sync.ignore", r"['.*\.tmp$', 'build/']").set("sync.include", r"['docs/', 'src/', 'build/']");
    for path in ["docs/a.md", "docs/a.tmp", "src/deep/a.rs", "build/a", "other/a", "a.txt"] {
        rig.write(&path.replace("a", "here"), "here");
        rig.there().write(&path.replace("a", "there"), "there").expect("a file");
    }
    rig.once();
    let both: Vec<_> = rig
        .here()
        .into_iter()
        .filter(|(path, node)| *node != Node::Folder && rig.there().entry(path).is_some())
        .map(|(path, _)| path)
        .collect();
    assert_eq!(both, ["docs/here.md", "docs/there.md", "src/deep/here.rs", "src/deep/there.rs"]);
    assert_eq!(rig.here().len(), 13, "{:?}", rig.here().keys());
    rig.assert_quiet(0);
}

#[test]
fn what_no_longer_takes_part_is_forgotten_and_not_deleted() {
    let mut rig = Rig::synced(&[("keep/a.txt", "a"), ("drop/b.txt", "b")]);
    rig.set("sync.ignore", "['drop/']");
    rig.once();
    assert_eq!((rig.read("drop/b.txt"), rig.read_there("drop/b.txt")), ("b".to_owned(), "b".to_owned()));
    rig.rm("drop/b.txt");
    rig.assert_quiet(0);
    assert_eq!(rig.read_there("drop/b.txt"), "b");
    // Back in scope it is new on the side that has it.
    rig.set("sync.ignore", "[]");
    rig.once();
    assert_eq!(rig.read("drop/b.txt"), "b");
    rig.assert_settled();
}

#[test]
fn a_file_moved_out_of_scope_leaves_the_other_side() {
    let mut rig = Rig::signed_in();
    rig.set("sync.ignore", r"['.*\.tmp$']");
    rig.there().write("a.txt", "a").expect("a file");
    rig.there().write("b.txt", "b").expect("a file");
    rig.once();
    rig.mv("a.txt", "a.tmp");
    rig.there().rename("b.txt", "b.tmp").expect("a rename");
    rig.once();
    assert_eq!(rig.read("a.tmp"), "a");
    assert_eq!(rig.trash_there(), ["a.txt"]);
    assert!(!rig.at("b.txt").exists() && rig.trash_here().contains("b.txt"));
    assert_eq!(rig.read_there("b.tmp"), "b");
    rig.assert_quiet(0);
}

#[test]
fn files_that_are_too_large_are_reported_and_left_alone() {
    let mut rig = Rig::signed_in();
    rig.set_text("limits.max_file_size", "10kB");
    rig.write("large here.bin", noise(1, 10_001));
    rig.write("small here.bin", noise(2, 10_000));
    rig.there().write("large there.bin", noise(3, 20_000)).expect("a file");
    let ran = rig.run(&["once"]);
    assert!(
        ran.stderr.contains("large here.bin") && ran.stderr.contains("large there.bin"),
        "{}",
        ran.stderr
    );
    assert!(!rig.at("large there.bin").exists() && rig.there().entry("large here.bin").is_none());
    assert!(rig.there().entry("small here.bin").is_some());
    rig.assert_quiet(ran.exit);
    rig.unset("limits.max_file_size");
    rig.once();
    rig.assert_settled();
}

#[test]
fn download_only_never_changes_icloud() {
    let mut rig =
        Rig::synced(&[("a.txt", "a"), ("b.txt", "b"), ("c.txt", "c"), ("d.txt", "d"), ("e.txt", "e")]);
    rig.set_text("sync.mode", "download-only");
    rig.write("mine.txt", "mine");
    rig.rm("a.txt");
    rig.write("b.txt", "edited here");
    rig.there().write("c.txt", "edited there").expect("an edit");
    rig.there().trash("d.txt").expect("a deletion");
    rig.there().rename("e.txt", "f.txt").expect("a rename");
    rig.there().write("new/n.txt", "n").expect("a file");
    let there = rig.on_icloud();
    let requests = rig.requests(|| drop(rig.once()));
    for kind in ["commit", "create", "rename", "move", "trash", "delete", "upload.slot"] {
        assert_eq!(requests.get(kind), None, "{requests:?}");
    }
    assert_eq!(rig.on_icloud(), there);
    assert_eq!(rig.read("a.txt"), "a", "a file deleted here comes back");
    assert_eq!((rig.read("mine.txt"), rig.read("b.txt")), ("mine".to_owned(), "edited here".to_owned()));
    assert_eq!((rig.read("c.txt"), rig.read("new/n.txt")), ("edited there".to_owned(), "n".to_owned()));
    assert!(!rig.at("d.txt").exists() && rig.trash_here().contains("d.txt"));
    assert_eq!(rig.read("f.txt"), "e");
    rig.assert_quiet(0);
    // Once the remote version changes too, the edit from here becomes a copy that stays here.
    rig.there().write("b.txt", "edited there").expect("an edit");
    rig.once();
    assert_eq!(rig.read("b.txt"), "edited there");
    let copies: Vec<_> = rig.here().into_keys().filter(|path| path.starts_with("b (conflict ")).collect();
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert!(rig.there().entry(&copies[0]).is_none());
    rig.assert_quiet(0);
}

#[test]
fn upload_only_never_writes_here() {
    let mut rig =
        Rig::synced(&[("a.txt", "a"), ("b.txt", "b"), ("c.txt", "c"), ("d.txt", "d"), ("e.txt", "e")]);
    rig.set_text("sync.mode", "upload-only");
    rig.write("new/n.txt", "n");
    rig.rm("a.txt");
    rig.write("b.txt", "edited here");
    rig.mv("c.txt", "f.txt");
    rig.there().trash("d.txt").expect("a deletion");
    rig.there().write("e.txt", "edited there").expect("an edit");
    rig.there().write("theirs.txt", "t").expect("a file");
    let here = rig.here();
    rig.once();
    assert_eq!(rig.here(), here);
    assert!(rig.trash_there().contains(&"a.txt".to_owned()), "{:?}", rig.trash_there());
    assert_eq!(
        (rig.read_there("b.txt"), rig.read_there("f.txt")),
        ("edited here".to_owned(), "c".to_owned())
    );
    assert_eq!(rig.read_there("new/n.txt"), "n");
    assert_eq!(rig.read_there("d.txt"), "d", "a file deleted there comes back");
    assert_eq!(
        (rig.read_there("theirs.txt"), rig.read_there("e.txt")),
        ("t".to_owned(), "edited there".to_owned())
    );
    rig.assert_quiet(0);
}

#[test]
fn a_sub_folder_can_be_the_root_and_the_rest_stays_untouched() {
    let mut rig = Rig::signed_in();
    rig.set_text("sync.remote_root", "/Documents/Notes");
    rig.there().write("Documents/Notes/a.txt", "a").expect("a file");
    rig.there().write("Documents/other.txt", "o").expect("a file");
    rig.write("b/c.txt", "c");
    rig.once();
    assert_eq!(rig.here().into_keys().collect::<Vec<_>>(), ["a.txt", "b", "b/c.txt"]);
    assert_eq!(rig.read_there("Documents/Notes/b/c.txt"), "c");
    rig.assert_quiet(0);
    // What leaves the folder there leaves here too, and stays where it went.
    rig.there().move_to("Documents/Notes/a.txt", "Documents").expect("a move");
    rig.once();
    assert!(!rig.at("a.txt").exists() && rig.trash_here().contains("a.txt"));
    assert_eq!(rig.read_there("Documents/a.txt"), "a");
    rig.assert_quiet(0);
}

#[test]
fn a_root_that_does_not_exist_is_created_on_the_first_run_only() {
    let mut rig = Rig::signed_in();
    rig.set_text("sync.remote_root", "/New/Ünder");
    rig.write("a.txt", "a");
    rig.once();
    assert_eq!(rig.read_there("New/Ünder/a.txt"), "a");
    rig.assert_quiet(0);
    rig.there().trash("New").expect("a deletion");
    let ran = rig.run(&["once"]).expect(4);
    assert!(ran.sentence().contains("/New/Ünder"), "{}", ran.stderr);
    assert_eq!(rig.read("a.txt"), "a");
}

#[test]
fn an_app_library_takes_part_only_when_it_is_named() {
    let mut rig = Rig::signed_in();
    rig.there().library("iCloud.md.obsidian", "Obsidian", false);
    rig.there().write("Obsidian/Vault/note.md", "note").expect("a file");
    rig.there().write("a.txt", "a").expect("a file");
    rig.once();
    assert_eq!(rig.here().into_keys().collect::<Vec<_>>(), ["a.txt"]);
    rig.assert_quiet(0);
    rig.set("sync.app_libraries", "['Obsidian']");
    rig.once();
    assert_eq!(rig.read("Obsidian/Vault/note.md"), "note");
    rig.write("Obsidian/Vault/from here.md", "mine");
    rig.write("Obsidian/Vault/note.md", "edited here");
    rig.once();
    assert_eq!(rig.read_there("Obsidian/Vault/from here.md"), "mine");
    rig.assert_settled();
    // Moving between the zones.
    rig.mv("a.txt", "Obsidian/Vault/a.txt");
    rig.once();
    assert_eq!(rig.read_there("Obsidian/Vault/a.txt"), "a");
    rig.assert_settled();
    // The library itself is never trashed.
    rig.rm("Obsidian");
    rig.run(&["once"]);
    assert!(rig.there().entry("Obsidian").is_some());
}

#[test]
fn an_app_library_can_be_the_root() {
    let mut rig = Rig::signed_in();
    rig.there().library("iCloud.md.obsidian", "Obsidian", false);
    rig.there().write("Obsidian/Vault/note.md", "note").expect("a file");
    rig.there().write("outside.txt", "o").expect("a file");
    rig.set_text("sync.remote_root", "/Obsidian");
    rig.write("Vault/mine.md", "mine");
    rig.once();
    assert_eq!(rig.here().into_keys().collect::<Vec<_>>(), ["Vault", "Vault/mine.md", "Vault/note.md"]);
    assert_eq!(rig.read_there("Obsidian/Vault/mine.md"), "mine");
    rig.assert_quiet(0);
}

#[test]
fn a_root_that_is_written_almost_right_is_refused_with_the_one_that_is_there() {
    for (there, written, near) in [
        ("Documents/Notes", "/documents/notes", "/Documents/Notes"),
        ("Documents/Notes", "/Documents/NOTES", "/Documents/Notes"),
        ("My  Notes ünd", "/My Notes Ünd", "/My  Notes ünd"),
        ("Notes", "/ Notes", "/Notes"),
    ] {
        let mut rig = Rig::signed_in();
        rig.there().write(&format!("{there}/a.txt"), "a").expect("a file");
        rig.write("mine.txt", "mine");
        rig.set_text("sync.remote_root", written);
        let before = rig.on_icloud();
        for command in ["plan", "once"] {
            let ran = rig.run(&[command]).expect(4);
            assert!(ran.sentence().contains(&format!("{near:?} does")), "{written}: {}", ran.stderr);
        }
        assert_eq!(rig.on_icloud(), before, "nothing is made on iCloud");
        // Both may be meant: then a person makes the second one.
        rig.set_text("sync.remote_root", near);
        rig.once();
        assert_eq!(rig.read("a.txt"), "a");
    }
}

#[test]
fn a_deep_chain_of_folders_is_synced_both_ways() {
    let rig = Rig::signed_in();
    let chain = |name: &str| vec![name; 600].join("/");
    rig.there().write(&format!("{}/far.txt", chain("t")), "far").expect("a file");
    rig.mkdir(&chain("h"));
    rig.write(&format!("{}/near.txt", chain("h")), "near");
    rig.once();
    assert_eq!(rig.read(&format!("{}/far.txt", chain("t"))), "far");
    assert_eq!(rig.read_there(&format!("{}/near.txt", chain("h"))), "near");
    rig.assert_settled();
}
