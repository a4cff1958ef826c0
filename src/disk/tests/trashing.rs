use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::disk::TrashItem;
use crate::engine::ports::DiskError;
use crate::model::{LivedTime, Reading};

#[test]
fn a_file_goes_to_the_trash_with_its_path() {
    for drive in Drive::each_way() {
        drive.folder("a/b");
        for (at, content) in [("a/b/c", "1"), ("top", "2"), ("new\nline", "3")] {
            let stamp = drive.write(at, content);
            drive.disk.trash(&path(at), &stamp).unwrap();
            assert!(!drive.is_there(at));
        }
        // Twice in one second: both stay, as two versions.
        let stamp = drive.write("top", "again");
        drive.disk.trash(&path("top"), &stamp).unwrap();
        // A file of the name of a folder in the same second.
        fs::remove_dir_all(drive.full("a")).unwrap();
        let stamp = drive.write("a", "file");
        drive.disk.trash(&path("a"), &stamp).unwrap();
        let expected = [("a", "file"), ("a/b/c", "1"), ("new\nline", "3"), ("top", "2"), ("top", "again")];
        assert_eq!(drive.trash(), expected.map(|(at, text)| (at.to_owned(), text.to_owned())));
        drive.disk.sync(&[], &[RelPath::root()]).unwrap();
    }
}

#[test]
fn what_changed_stays() {
    for drive in Drive::each_way() {
        let stamp = drive.write("a", "x");
        drive.write("a", "y!");
        assert!(matches!(drive.disk.trash(&path("a"), &stamp), Err(DiskError::Changed { .. })));
        fs::remove_file(drive.full("a")).unwrap();
        assert!(matches!(drive.disk.trash(&path("a"), &stamp), Err(DiskError::Changed { .. })));
        let folder = drive.folder("f");
        drive.folder("g");
        fs::remove_dir(drive.full("f")).unwrap();
        fs::rename(drive.full("g"), drive.full("f")).unwrap();
        assert!(matches!(drive.disk.trash(&path("f"), &folder), Err(DiskError::Changed { .. })));
        assert!(drive.is_there("f"));
    }
}

#[test]
fn only_an_empty_folder_goes_and_junk_keeps_none_alive() {
    for drive in Drive::each_way() {
        let stamp = drive.folder("f");
        let fails = |what: &str| {
            let result = drive.disk.trash(&path("f"), &stamp);
            assert!(matches!(result, Err(DiskError::Folder { .. })), "{what}: {result:?}");
        };
        drive.write("f/.DS_Store", "junk");
        drive.write("f/x.com-apple-bird.tmp", "more");
        drive.write("f/.real", "mine");
        fails("a hidden file");
        fs::remove_file(drive.full("f/.real")).unwrap();
        let foreign = drive.full("f").join(std::ffi::OsStr::from_bytes(b"\xff"));
        fs::write(&foreign, "").unwrap();
        fails("a name that is not UTF-8");
        fs::remove_file(foreign).unwrap();
        std::os::unix::fs::symlink("/", drive.full("f/y.DS_Store")).unwrap();
        fails("a link");
        fs::remove_file(drive.full("f/y.DS_Store")).unwrap();
        assert_eq!(drive.trash(), vec![], "nothing goes before all may go");
        drive.disk.trash(&path("f"), &stamp).unwrap();
        assert!(!drive.is_there("f"));
        let junk = drive.trash();
        assert_eq!(junk.len(), 2, "{junk:?}");
    }
}

/// Puts a version into the trash as if that long ago.
fn aged(drive: &Drive, slot: &str, at: &str, content: &str) {
    let full = drive.full(".icloudds/trash").join(slot).join(at);
    fs::create_dir_all(full.parent().unwrap()).unwrap();
    fs::write(full, content).unwrap();
}

#[test]
fn retention_takes_the_oldest_first_and_spares_the_protected() {
    let drive = Drive::new();
    aged(&drive, "2026-01-01 00-00-00+0000", "a", "0123456789");
    aged(&drive, "2026-01-20 10-00-00+0100", "f/b", "0123456789");
    aged(&drive, "2026-01-20 09-30-00+0000 2", "c", "0123456789");
    aged(&drive, "2026-01-29 00-00-00+0000", "d", "0123456789");
    aged(&drive, "what somebody put here", "e", "0123456789");
    let now: Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
    let age = |item: &TrashItem| now.as_second() - item.when.as_second();
    let left = || drive.trash().into_iter().map(|(at, _)| at).collect::<Vec<_>>();
    let order: Vec<_> =
        drive.disk.list_trash().unwrap().iter().map(|item| item.path.as_str().to_owned()).collect();
    assert_eq!(order, ["a", "f/b", "c", "d"]);
    drive.disk.prune(&age, 0, 0, &|_| false).unwrap();
    assert_eq!(left().len(), 4, "0 is without limit");
    let pruned = drive.disk.prune(&age, 30, 0, &|item| item.path == path("a")).unwrap();
    assert_eq!(pruned.files, 0);
    let pruned = drive.disk.prune(&age, 30, 0, &|_| false).unwrap();
    assert_eq!((pruned.files, pruned.bytes), (1, 10));
    assert_eq!(left(), ["c", "d", "f/b"]);
    let pruned = drive.disk.prune(&age, 30, 15, &|item| item.path == path("f/b")).unwrap();
    assert_eq!((pruned.files, left()), (2, vec!["f/b".to_owned()]));
    drive.disk.prune(&|item| age(item) + 2000 * 3600, 1, 0, &|_| false).unwrap();
    let slots: Vec<_> = fs::read_dir(drive.full(".icloudds/trash")).unwrap().collect();
    assert_eq!(slots.len(), 1, "empty slots go, foreign things stay: {slots:?}");
}

#[test]
fn what_was_overwritten_within_a_day_never_goes_for_want_of_room() {
    let drive = Drive::new();
    aged(&drive, "2026-01-30 00-00-00+0000", "old", "0123456789");
    for number in 0..60 {
        aged(&drive, "2026-01-31 23-50-00+0000", &format!("f{number}"), "0123456789");
    }
    let now: Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
    let age = |item: &TrashItem| now.as_second() - item.when.as_second();
    let pruned = drive.disk.prune(&age, 30, 15, &|_| false).unwrap();
    assert_eq!((pruned.files, drive.trash().len()), (1, 60), "only what is older than a day");
    let later = |item: &TrashItem| age(item) + 24 * 3600;
    let pruned = drive.disk.prune(&later, 30, 15, &|_| false).unwrap();
    assert_eq!((pruned.files, drive.trash().len()), (59, 1));
}

#[test]
fn a_board_that_boots_in_1970_keeps_its_trash_when_it_gets_the_right_time() {
    let drive = Drive::new();
    aged(&drive, "1970-01-01 00-10-00+0000", "gone.txt", "0123456789");
    let reading =
        |wall, uptime| Reading { wall, boot: 1, uptime: Duration::from_secs(i64::unsigned_abs(uptime)) };
    let right = 1_800_000_000;
    let time = LivedTime::begin(reading(300, 20)).at(reading(900, 620)).at(reading(right, 630));
    let prune = |days: i64| {
        let now = reading(right + days * 86_400, 630 + days * 86_400);
        let age = |item: &TrashItem| time.least_age(item.when.as_second(), now);
        drive.disk.prune(&age, 30, 5, &|_| false).unwrap().files
    };
    assert_eq!((prune(0), drive.trash().len()), (0, 1));
    // Without the limit of size, whose day is over, it would stay for the whole thirty.
    let age =
        |item: &TrashItem| time.least_age(item.when.as_second(), reading(right + 29 * 86_400, 29 * 86_400));
    assert_eq!(drive.disk.prune(&age, 30, 0, &|_| false).unwrap().files, 0);
    assert_eq!((prune(31), drive.trash().len()), (1, 0));
}

#[test]
fn a_version_comes_back_beside_what_is_there() {
    let drive = Drive::new();
    aged(&drive, "2026-01-01 00-00-00+0000", "f/a.txt", "first");
    aged(&drive, "2026-01-02 00-00-00+0000", "f/a.txt", "second");
    aged(&drive, "2026-01-03 00-00-00+0000", "f/a.txt", "third");
    let wanted = path("f/a.txt");
    assert_eq!(drive.disk.restore(&wanted, None).unwrap(), wanted);
    assert_eq!(drive.text("f/a.txt"), "third");
    let beside = drive.disk.restore(&wanted, Some("2026-01-01 00-00-00+0000")).unwrap();
    assert!(beside.as_str().starts_with("f/a (from trash 20") && beside.as_str().ends_with(").txt"));
    assert_eq!(drive.text(beside.as_str()), "first");
    let again = drive.disk.restore(&wanted, None).unwrap();
    assert_eq!(drive.text(again.as_str()), "second");
    assert_eq!(drive.text("f/a.txt"), "third");
    assert!(matches!(drive.disk.restore(&wanted, None), Err(DiskError::Changed { .. })));
    let long = format!("{}.txt", "ä".repeat(120));
    aged(&drive, "2026-01-01 00-00-00+0000", &long, "long");
    drive.write(&long, "there");
    let beside = drive.disk.restore(&path(&long), None).unwrap();
    assert!(beside.name().len() <= 255);
    assert_eq!(drive.text(beside.as_str()), "long");
}

#[test]
fn many_folders_are_synced_as_one_file_system() {
    let drive = Drive::new();
    let folders: Vec<RelPath> = (0..40)
        .map(|number| {
            let folder = format!("f{number}");
            drive.folder(&folder);
            let stamp = drive.write(&format!("{folder}/x"), "x");
            drive.disk.trash(&path(&format!("{folder}/x")), &stamp).unwrap();
            path(&folder)
        })
        .collect();
    assert!(!drive.disk.unsynced.lock().unwrap().is_empty());
    drive.disk.sync(&[], &folders).unwrap();
    assert!(drive.disk.unsynced.lock().unwrap().is_empty());
}

#[test]
fn a_folder_in_the_place_of_a_file_is_another_item_also_without_identities() {
    for drive in Drive::each_way() {
        let mut planned = drive.write("a", "old");
        planned.identity = Default::default();
        let ready = drive.ready("a", "new");
        std::fs::remove_file(drive.full("a")).unwrap();
        drive.folder("a");
        drive.write("a/inner", "a person's");
        assert!(matches!(drive.disk.trash(&path("a"), &planned), Err(DiskError::Changed { .. })));
        assert!(matches!(
            drive.disk.rename(&path("a"), &path("b"), &planned),
            Err(DiskError::Changed { .. })
        ));
        assert!(drive.disk.replace(&ready, &path("a"), &planned).is_err());
        assert_eq!((drive.text("a/inner"), drive.trash()), ("a person's".into(), vec![]));
    }
}
