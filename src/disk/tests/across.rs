//! Moves from one file system of the drive to another.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use super::*;
use crate::engine::ports::DiskError;

/// A drive with a folder, a file, and an empty volume; `None` where this machine mounts nothing for us.
fn drive_with_volume() -> Option<(Drive, Mounted)> {
    let drive = Drive::new();
    drive.folder("volume");
    drive.folder("folder/deeper");
    drive.write("file", "a file");
    drive.write("folder/one", "one");
    drive.write("folder/deeper/two", "two");
    let mounted = Mounted::tmpfs(&drive.full("volume"), "4m")?;
    Some((drive, mounted))
}

fn sees_across(drive: &Drive, from: &str, to: &str) {
    let stamp = drive.stamp(from);
    assert!(drive.disk.rename(&path(from), &path(to), &stamp).unwrap_err().crosses());
}

#[test]
fn a_file_keeps_all_but_its_identity() {
    let Some((drive, _mounted)) = drive_with_volume() else { return };
    let file = fs::File::options().write(true).open(drive.full("file")).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789)).unwrap();
    sees_across(&drive, "file", "volume/file");
    let before = drive.stamp("file");
    let after = drive.disk.move_across(&path("file"), &path("volume/file"), &before).unwrap();
    assert_eq!((after.stamp.size, after.stamp.mtime), (before.size, before.mtime));
    assert_eq!(after.stamp, drive.stamp("volume/file"));
    assert!(!after.stamp.on_root_fs);
    assert_eq!(drive.text("volume/file"), "a file");
    assert_eq!(fs::metadata(drive.full("volume/file")).unwrap().mode() & 0o777, 0o640);
    assert!(!drive.is_there("file"));
    assert_eq!(drive.trash(), [("file".to_owned(), "a file".to_owned())]);
    assert!(fs::read_dir(drive.full("volume/.icloudds/tmp")).unwrap().next().is_none(), "no record, no copy");
    // And back.
    let stamp = drive.stamp("volume/file");
    drive.disk.move_across(&path("volume/file"), &path("file"), &stamp).unwrap();
    assert_eq!(drive.text("file"), "a file");
    assert_eq!(drive.disk.list_trash().unwrap().len(), 2);
}

/// Whoever writes to it once its original is gone has edited it: what was moved is what is agreed on, not what they wrote.
#[test]
fn what_is_written_to_it_at_its_new_place_is_no_part_of_the_move() {
    for (written, is_deleted) in [("edited, and longer", false), ("edited", false), ("", true)] {
        let Some((drive, _mounted)) = drive_with_volume() else { return };
        let before = drive.stamp("file");
        let (at, original, mut is_done) = (drive.full("volume/file"), drive.full("file"), false);
        *drive.disk.at_each_step.lock().unwrap() = Some(Box::new(move || {
            if !is_done && at.exists() && !original.exists() {
                is_done = true;
                if is_deleted { fs::remove_file(&at).unwrap() } else { fs::write(&at, written).unwrap() }
            }
        }));
        let moved = drive.disk.move_across(&path("file"), &path("volume/file"), &before);
        *drive.disk.at_each_step.lock().unwrap() = None;
        let after = moved.unwrap();
        assert_eq!((after.stamp.size, after.stamp.mtime), (before.size, before.mtime), "{written:?}");
        assert!(!drive.is_there("file") && drive.is_there("volume/file") != is_deleted, "{written:?}");
        assert!(is_deleted || drive.text("volume/file") == written);
    }
}

#[test]
fn a_folder_goes_with_all_that_is_in_it() {
    let Some((drive, _mounted)) = drive_with_volume() else { return };
    let stamp = drive.stamp("folder");
    drive.disk.move_across(&path("folder"), &path("volume/moved"), &stamp).unwrap();
    assert_eq!(drive.text("volume/moved/one"), "one");
    assert_eq!(drive.text("volume/moved/deeper/two"), "two");
    assert!(!drive.is_there("folder"));
    assert_eq!(drive.trash().len(), 2);
}

#[test]
fn what_cannot_be_copied_stays_where_it_is() {
    let Some((drive, _mounted)) = drive_with_volume() else { return };
    symlink("one", drive.full("folder/link")).unwrap();
    let stamp = drive.stamp("folder");
    let error = drive.disk.move_across(&path("folder"), &path("volume/moved"), &stamp).unwrap_err();
    assert!(error.to_string().contains("a link"), "{error}");
    assert_eq!(drive.text("folder/deeper/two"), "two");
    assert!(!drive.is_there("volume/moved") && drive.trash().is_empty());
    assert!(fs::read_dir(drive.full("volume/.icloudds/tmp")).unwrap().next().is_none());
    drive.write("volume/taken", "somebody's");
    let stamp = drive.stamp("file");
    let error = drive.disk.move_across(&path("file"), &path("volume/taken"), &stamp).unwrap_err();
    assert!(matches!(error, DiskError::Taken { .. }));
    drive.write("file", "edited since, and longer");
    let error = drive.disk.move_across(&path("file"), &path("volume/file"), &stamp).unwrap_err();
    assert!(matches!(error, DiskError::Changed { .. }));
}

#[test]
fn what_does_not_fit_is_not_begun() {
    let Some((drive, _mounted)) = drive_with_volume() else { return };
    let stamp = drive.write("file", &"x".repeat(8 << 20));
    let error = drive.disk.move_across(&path("file"), &path("volume/file"), &stamp).unwrap_err();
    assert!(matches!(error, DiskError::Full { .. }), "{error}");
    assert!(drive.is_there("file") && !drive.is_there("volume/file"));
    assert!(fs::read_dir(drive.full("volume/.icloudds/tmp")).unwrap().next().is_none());
}

#[test]
fn a_crash_at_any_point_is_finished_or_undone() {
    for item in ["file", "folder"] {
        for steps in 0.. {
            let Some((drive, _mounted)) = drive_with_volume() else { return };
            let to = path("volume/moved");
            let stamp = drive.stamp(item);
            *drive.disk.steps_left.lock().unwrap() = Some(steps);
            let crashed =
                catch_unwind(AssertUnwindSafe(|| drive.disk.move_across(&path(item), &to, &stamp))).is_err();
            *drive.disk.steps_left.lock().unwrap() = None;
            let files = if item == "file" { vec![""] } else { vec!["/one", "/deeper/two"] };
            drive.disk.recover().unwrap();
            for file in files {
                let (old, new) = (format!("{item}{file}"), format!("volume/moved{file}"));
                assert!(
                    drive.is_there(&old) != drive.is_there(&new),
                    "{old} stands at one place after {steps} steps"
                );
            }
            assert!(
                fs::read_dir(drive.full("volume/.icloudds/tmp")).unwrap().next().is_none(),
                "no record, no copy after {steps} steps"
            );
            if !crashed {
                break;
            }
        }
    }
}

#[test]
fn an_area_of_a_folder_s_own_serves_where_that_of_its_file_system_does_not() {
    let drive = Drive::new();
    drive.folder("quota/deeper");
    drive.write("quota/file", "a file");
    // From then on all that happens below it goes by way of its own area.
    drive.disk.own_area(&path("quota")).unwrap();
    let stamp = drive.stamp("quota/file");
    drive.disk.trash(&path("quota/file"), &stamp).unwrap();
    let items = drive.disk.list_trash().unwrap();
    assert!(items.len() == 1 && items[0].slot.starts_with("quota//"), "{items:?}");
    drive.disk.restore(&path("quota/file"), None).unwrap();
    assert_eq!(drive.text("quota/file"), "a file");
    let ready = drive.ready("quota/deeper/new", "content");
    assert!(ready.slot.starts_with("quota//"));
    drive.disk.place(&ready, &path("quota/deeper/new")).unwrap();
    assert_eq!(drive.disk.read_folder(&path("quota")).unwrap().entries.len(), 2, "the area is not shown");
}
