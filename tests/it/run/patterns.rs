//! How programs save files: emulated by the same system calls, each ends in the right bytes in the same document.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use super::daemon::{Daemon, pace, quick};
use crate::e2e::rig::{Rig, noise};

/// `save` replaces the content of `notes/a.txt` by `new`: one upload, the same document, nothing else left over.
#[track_caller]
fn assert_saved(save: impl FnOnce(&Rig, &str)) {
    assert_saved_in(true, save);
}

/// The same; `in_place` says whether the document stays, or the version before lies in Recently Deleted.
#[track_caller]
fn assert_saved_in(in_place: bool, save: impl FnOnce(&Rig, &str)) {
    let rig = quick();
    rig.there().write("notes/a.txt", "old").expect("a file");
    rig.there().write("notes/b.txt", "beside").expect("a file");
    let daemon = Daemon::synced(&rig);
    let id = rig.id("notes/a.txt");
    let requests = rig.requests(|| {
        save(&rig, "the new text");
        daemon.wait("the edit on iCloud", || {
            rig.there().content("notes/a.txt").ok().flatten().is_some_and(|bytes| bytes == b"the new text")
        });
        daemon.settle();
    });
    assert_eq!(rig.id("notes/a.txt") == id, in_place, "another document\n{}", daemon.log());
    assert_eq!(rig.read("notes/a.txt"), "the new text");
    assert_eq!(requests.get("commit"), Some(&1), "{requests:?}\n{}", daemon.log());
    assert_eq!(rig.here().keys().collect::<Vec<_>>(), ["notes", "notes/a.txt", "notes/b.txt"]);
    let deleted: &[&str] = if in_place { &[] } else { &["notes/a.txt"] };
    assert_eq!(rig.trash_there(), deleted);
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn vim_with_a_backup_renamed_away() {
    assert_saved(|rig, text| {
        let at = |name: &str| rig.at(&format!("notes/{name}"));
        fs::write(at(".a.txt.swp"), noise(1, 4096)).expect("a swap file");
        fs::rename(at("a.txt"), at("a.txt~")).expect("a backup");
        let mut file = fs::File::create(at("a.txt")).expect("a file");
        file.write_all(text.as_bytes()).expect("a write");
        file.sync_all().expect("a sync");
        fs::remove_file(at("a.txt~")).expect("a removal");
        fs::remove_file(at(".a.txt.swp")).expect("a removal");
    });
}

#[test]
fn vim_that_copies_its_backup() {
    assert_saved(|rig, text| {
        let at = |name: &str| rig.at(&format!("notes/{name}"));
        fs::write(at("4913"), "").expect("its probe");
        fs::remove_file(at("4913")).expect("a removal");
        fs::copy(at("a.txt"), at("a.txt~")).expect("a backup");
        fs::write(at("a.txt"), text).expect("a write in place");
        fs::remove_file(at("a.txt~")).expect("a removal");
    });
}

#[test]
fn libreoffice_with_a_lock_and_a_temporary_file() {
    assert_saved(|rig, text| {
        let at = |name: &str| rig.at(&format!("notes/{name}"));
        fs::write(at(".~lock.a.txt#"), ",me,host,22.11.2026 10:00,file:///x;").expect("a lock");
        fs::write(at("lu4711abcd.tmp"), text).expect("a temporary file");
        fs::rename(at("lu4711abcd.tmp"), at("a.txt")).expect("a rename over");
        fs::remove_file(at(".~lock.a.txt#")).expect("a removal");
    });
}

#[test]
fn sed_in_place() {
    assert_saved(|rig, text| {
        fs::write(rig.at("notes/sedQx81Zb"), text).expect("a temporary file");
        fs::rename(rig.at("notes/sedQx81Zb"), rig.at("notes/a.txt")).expect("a rename over");
    });
}

/// What rsync does, with the source's modification time.
fn rsync(rig: &Rig, text: &str, time: SystemTime) {
    let temporary = rig.at("notes/.a.txt.Ab3dEf");
    let mut file = fs::File::create(&temporary).expect("a temporary file");
    for part in text.as_bytes().chunks(3) {
        file.write_all(part).expect("a write");
    }
    file.set_modified(time).expect("a time");
    drop(file);
    fs::rename(temporary, rig.at("notes/a.txt")).expect("a rename over");
}

#[test]
fn rsync_with_a_hidden_temporary_file_and_the_source_s_time() {
    assert_saved(|rig, text| {
        let before = fs::metadata(rig.at("notes/a.txt")).and_then(|file| file.modified()).expect("a time");
        rsync(rig, text, before + Duration::from_secs(1));
    });
}

/// It may be what a backup brought back: the version that it replaces stays recoverable (`docs/sync.md` §6).
#[test]
fn rsync_of_a_source_that_is_older_leaves_the_newer_version_in_recently_deleted() {
    assert_saved_in(false, |rig, text| {
        rsync(rig, text, SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000));
    });
}

#[test]
fn a_save_that_unlinks_first() {
    assert_saved(|rig, text| {
        fs::remove_file(rig.at("notes/a.txt")).expect("a removal");
        fs::write(rig.at("notes/a.txt"), text).expect("a new file");
    });
}

#[test]
fn obsidian_that_saves_again_and_again_uploads_once_per_quiet_period() {
    let rig = quick();
    rig.there().write("note.md", "0").expect("a file");
    let daemon = Daemon::synced(&rig);
    let id = rig.id("note.md");
    // Three times faster than the debounce of one second, for longer than the six of them that it may be put off.
    let begun = Instant::now();
    let mut saves = 0;
    let requests = rig.requests(|| {
        while begun.elapsed() < Duration::from_secs(9) {
            saves += 1;
            rig.write("note.md", format!("{saves}"));
            // The pace of the program that saves, which nothing can be waited for.
            pace(Duration::from_millis(300));
        }
        daemon.wait("the last save on iCloud", || {
            rig.there()
                .content("note.md")
                .ok()
                .flatten()
                .is_some_and(|bytes| bytes == saves.to_string().as_bytes())
        });
        daemon.settle();
    });
    let commits = requests.get("commit").copied().unwrap_or(0);
    assert!((1..=3).contains(&commits), "{commits} uploads of {saves} saves\n{}", daemon.log());
    assert_eq!(rig.id("note.md"), id);
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn git_checkout_of_many_files() {
    // 2,000 in the long run of CI.
    let count: u64 = std::env::var("CHECKOUT_FILES").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    let mut rig = quick();
    // A checkout is a mass of overwrites; here it is the ids that count, so the guard is off.
    rig.set("guard.max_deletes", "0").set("guard.max_delete_percent", "0");
    let path = |number: u64| format!("src/{}/{number}.rs", number % 20);
    for number in 0..count {
        rig.there().write(&path(number), noise(number, 200)).expect("a file");
    }
    let daemon = Daemon::synced(&rig);
    let ids: Vec<_> = (0..count).map(|number| rig.id(&path(number))).collect();
    let requests = rig.requests(|| {
        for number in 0..count {
            let at = rig.at(&path(number));
            fs::remove_file(&at).expect("a removal");
            fs::write(&at, noise(number + 1_000_000, 300)).expect("a new file");
        }
        rig.rm("src/0/0.rs");
        rig.write("src/new/0.rs", "moved");
        daemon.wait("the checkout on iCloud", || daemon.differences().is_empty());
        daemon.settle();
    });
    for number in 1..count {
        assert_eq!(rig.id(&path(number)), ids[usize::try_from(number).expect("small")], "{}", path(number));
    }
    // What a pass caught in the middle of the checkout may have gone up and changed again.
    let commits = requests.get("commit").copied().unwrap_or(0);
    assert!(commits >= count && commits < count * 3 / 2, "{commits} uploads for {count} files");
    daemon.stop();
    rig.assert_settled();
}
