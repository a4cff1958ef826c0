//! Edits, new items, and what only looks like an edit.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use super::rig::{Rig, noise};

#[test]
fn an_edit_here_goes_up_in_place_and_keeps_the_document_id() {
    let rig = Rig::synced(&[("notes/todo.txt", "one")]);
    let id = rig.id("notes/todo.txt");
    rig.write("notes/todo.txt", "one, two");
    let requests = rig.requests(|| drop(rig.once()));
    assert_eq!(rig.read_there("notes/todo.txt"), "one, two");
    assert_eq!(rig.id("notes/todo.txt"), id);
    assert_eq!(requests.get("commit"), Some(&1), "{requests:?}");
    assert_eq!(requests.get("trash"), None, "{requests:?}");
    rig.assert_times();
    rig.assert_settled();
}

#[test]
fn an_edit_there_comes_down_and_the_old_version_lands_in_the_trash() {
    let rig = Rig::synced(&[("notes/todo.txt", "one")]);
    fs::set_permissions(rig.at("notes/todo.txt"), fs::Permissions::from_mode(0o640)).expect("a mode");
    rig.there().write("notes/todo.txt", "one, two").expect("an edit");
    rig.once();
    assert_eq!(rig.read("notes/todo.txt"), "one, two");
    let mode = fs::metadata(rig.at("notes/todo.txt")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(rig.trash_here().contains("notes/todo.txt"), "{}", rig.trash_here());
    rig.assert_settled();
}

#[test]
fn replacing_by_way_of_the_trash_keeps_the_old_version_in_recently_deleted() {
    let mut rig = Rig::synced(&[("a.txt", "old")]);
    rig.set_text("sync.remote_replace", "trash");
    rig.write("a.txt", "new");
    rig.once();
    assert_eq!(rig.read_there("a.txt"), "new");
    assert_eq!(rig.trash_there(), ["a.txt"]);
    rig.assert_settled();
}

#[test]
fn an_editors_replace_by_rename_is_an_edit() {
    let rig = Rig::synced(&[("doc.txt", "draft")]);
    let id = rig.id("doc.txt");
    rig.write(".doc.txt.swp", "final");
    rig.mv(".doc.txt.swp", "doc.txt");
    rig.once();
    assert_eq!((rig.read_there("doc.txt"), rig.id("doc.txt")), ("final".to_owned(), id));
    assert_eq!(rig.here().len(), 1);
    rig.assert_settled();
}

#[test]
fn an_editor_that_renames_the_version_before_edits_the_item() {
    let rig = Rig::synced(&[("doc.txt", "draft 0")]);
    let id = rig.id("doc.txt");
    for number in 1..4 {
        rig.mv("doc.txt", "doc.txt~");
        rig.write("doc.txt", format!("draft {number}"));
        rig.once();
        assert_eq!(rig.read_there("doc.txt"), format!("draft {number}"));
        assert_eq!(rig.read_there("doc.txt~"), format!("draft {}", number - 1));
        assert_eq!(rig.id("doc.txt"), id);
    }
    assert_eq!(rig.here().len(), 2);
    rig.assert_settled();
}

#[test]
fn touch_chown_and_chmod_upload_nothing() {
    let rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b")]);
    let later = SystemTime::now() + Duration::from_secs(100);
    fs::File::options()
        .write(true)
        .open(rig.at("a.txt"))
        .and_then(|file| file.set_modified(later))
        .expect("touch");
    fs::set_permissions(rig.at("b.txt"), fs::Permissions::from_mode(0o600)).expect("chmod");
    let requests = rig.requests(|| drop(rig.once()));
    assert_eq!(requests.get("upload.slot"), None, "{requests:?}");
    rig.assert_settled();
}

#[test]
fn an_edit_of_the_same_size_with_the_old_time_put_back_is_not_missed() {
    let rig = Rig::synced(&[("a.txt", "aaaa")]);
    let time = fs::metadata(rig.at("a.txt")).and_then(|seen| seen.modified()).expect("a time");
    rig.write("a.txt", "bbbb");
    fs::File::options()
        .write(true)
        .open(rig.at("a.txt"))
        .and_then(|file| file.set_modified(time))
        .expect("a time");
    rig.once();
    assert_eq!(rig.read_there("a.txt"), "bbbb");
    rig.assert_settled();
}

#[test]
fn new_items_on_both_sides_cross() {
    let rig = Rig::synced(&[("a/x.txt", "x")]);
    rig.write("a/here.txt", "h");
    rig.mkdir("empty here");
    rig.there().write("a/there.txt", "t").expect("a file");
    rig.there().folder("empty there").expect("a folder");
    rig.once();
    assert!(rig.at("empty there").is_dir() && rig.there().entry("empty here").is_some());
    rig.assert_settled();
}

#[test]
fn a_folder_new_on_both_sides_is_one_folder() {
    let rig = Rig::synced(&[("x.txt", "x")]);
    rig.write("new/here.txt", "h");
    rig.there().write("new/there.txt", "t").expect("a file");
    rig.once();
    assert_eq!(rig.here().len(), 4);
    rig.assert_settled();
}

#[test]
fn files_go_down_to_zero_bytes_and_up_again_both_ways() {
    let rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b"), ("empty.txt", "")]);
    rig.write("a.txt", "");
    rig.there().write("b.txt", "").expect("an edit");
    rig.write("new empty.txt", "");
    // Two looks, ten seconds apart, must agree before a content is replaced by nothing.
    rig.once();
    assert_eq!((rig.read_there("a.txt"), rig.read("b.txt")), (String::new(), String::new()));
    rig.assert_settled();
    rig.write("b.txt", "b again");
    rig.there().write("a.txt", "a again").expect("an edit");
    rig.write("empty.txt", "no longer");
    rig.once();
    assert_eq!((rig.read("a.txt"), rig.read_there("b.txt")), ("a again".to_owned(), "b again".to_owned()));
    rig.assert_settled();
}

#[test]
fn a_file_that_became_a_folder_and_the_reverse() {
    let rig = Rig::synced(&[("file", "f"), ("folder/x.txt", "x")]);
    rig.rm("file");
    rig.write("file/inside.txt", "i");
    rig.rm("folder");
    rig.write("folder", "now a file");
    rig.once();
    assert_eq!(rig.read_there("file/inside.txt"), "i");
    assert_eq!(rig.read_there("folder"), "now a file");
    rig.assert_settled();
}

#[test]
fn a_git_working_tree_syncs_whole() {
    let rig = Rig::signed_in();
    for number in 0..200_u64 {
        let hash = format!("{:016x}", icloudds_simulator::fault::mix(number));
        rig.write(&format!("repo/.git/objects/{}/{}", &hash[..2], &hash[2..]), noise(number, 200));
    }
    rig.write("repo/.git/HEAD", "ref: refs/heads/main\n");
    rig.write("repo/src/main.rs", "fn main() {}\n");
    rig.once();
    rig.assert_settled();
    // A checkout of another branch: many files change, come and go at once.
    rig.write("repo/.git/HEAD", "ref: refs/heads/other\n");
    rig.mv("repo/src/main.rs", "repo/src/lib.rs");
    rig.write("repo/src/lib.rs", "pub fn lib() {}\n");
    rig.write("repo/src/main.rs", "fn main() { lib() }\n");
    rig.once();
    assert_eq!(rig.read_there("repo/src/lib.rs"), "pub fn lib() {}\n");
    rig.assert_settled();
}

#[test]
fn a_maildir_with_colons_in_names_moves_from_new_to_cur() {
    let rig = Rig::signed_in();
    rig.mkdir("Maildir/cur");
    rig.write("Maildir/new/1700000000.M1P1.host", "Subject: hello\n");
    rig.once();
    rig.assert_settled();
    let id = rig.id("Maildir/new/1700000000.M1P1.host");
    rig.mv("Maildir/new/1700000000.M1P1.host", "Maildir/cur/1700000000.M1P1.host:2,S");
    rig.once();
    assert_eq!(rig.id("Maildir/cur/1700000000.M1P1.host:2,S"), id);
    rig.assert_settled();
}

#[test]
fn trash_restore_brings_a_version_back_beside_what_is_there() {
    let rig = Rig::synced(&[("a.txt", "first")]);
    rig.there().write("a.txt", "second").expect("an edit");
    rig.once();
    let said = rig.run(&["trash", "restore", "a.txt"]).expect(0).stdout;
    assert!(said.starts_with("restored as "), "{said}");
    assert_eq!(rig.read("a.txt"), "second");
    let name = said.trim().trim_start_matches("restored as ");
    assert_eq!(rig.read(name), "first");
    rig.once();
    assert_eq!(rig.read_there(name), "first");
    rig.assert_settled();
    let none = rig.run(&["trash", "restore", "never.txt"]);
    assert_ne!(none.exit, 0);
    assert!(none.stderr.contains("never.txt"), "{}", none.stderr);
}

#[test]
fn why_tells_what_is_known_of_a_path() {
    let mut rig = Rig::synced(&[("a.txt", "a")]);
    rig.set("sync.ignore", "['secret']");
    for (path, words) in [
        ("a.txt", &["agreed", "iCloud"][..]),
        ("secret.txt", &["ignored", "secret"]),
        ("never.txt", &["not known"]),
        (".DS_Store", &["built-in"]),
    ] {
        let said = rig.run(&["why", path]).expect(0).stdout;
        for word in words {
            assert!(said.contains(word), "why {path} lacks {word:?}: {said}");
        }
    }
}
