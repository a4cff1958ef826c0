use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::disk::{Marker, OpenError};
use crate::engine::ports::DiskError;

fn marker(id: &str) -> Marker {
    Marker { id: id.into(), account: "1234".into(), remote_root: "/".into() }
}

#[test]
fn opening_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = LocalDisk::open(folder.path(), Options { writes: true, ..Options::default() }).unwrap();
    assert_eq!(disk.read_marker().unwrap(), None);
    disk.check_root().unwrap();
    disk.folds_case();
    disk.recover().unwrap();
    assert_eq!(disk.list_trash().unwrap(), []);
    assert_eq!(disk.forget_downloads(&|_| false).unwrap(), 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let error = LocalDisk::open(&missing, Options::default()).err().unwrap();
    assert!(matches!(error, OpenError::Missing(_)) && error.exit_code().code() == 4, "{error}");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = LocalDisk::open(&file, Options::default()).err().unwrap();
    assert!(matches!(error, OpenError::NotDirectory(_)), "{error}");
    if permissions_bind() {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
        let options = Options { writes: true, ..Options::default() };
        let error = LocalDisk::open(folder.path(), options).err().unwrap();
        assert!(error.to_string().contains("uid"), "{error}");
        LocalDisk::open(folder.path(), Options::default()).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_read_only_file_system_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::tmpfs(folder.path(), "1m") else { return };
    let remount =
        std::process::Command::new("mount").args(["-o", "remount,ro"]).arg(folder.path()).status().unwrap();
    assert!(remount.success());
    let options = Options { writes: true, ..Options::default() };
    let error = LocalDisk::open(folder.path(), options).err().unwrap();
    assert!(matches!(error, OpenError::ReadOnly(_)), "{error}");
    let disk = LocalDisk::open(folder.path(), Options::default()).unwrap();
    let error = disk.make_folder(&path("a")).unwrap_err().to_string();
    assert!(error.contains("read-only"), "{error}");
}

#[test]
fn a_folder_that_can_only_be_read_from_now_on_is_no_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::tmpfs(folder.path(), "1m") else { return };
    let mut disk = LocalDisk::open(folder.path(), Options { writes: true, ..Options::default() }).unwrap();
    disk.write_marker(&marker("a")).unwrap();
    let remount = |how: &str| {
        let mount = std::process::Command::new("mount").args(["-o", how]).arg(folder.path()).status();
        assert!(mount.unwrap().success());
    };
    remount("remount,ro");
    for told in [disk.check_root().unwrap_err(), disk.make_folder(&path("a")).unwrap_err()] {
        assert!(matches!(&told, DiskError::WrongRoot(why) if why.contains("read-only")), "{told:?}");
    }
    remount("remount,rw");
    disk.check_root().unwrap();
}

#[test]
fn the_marker_comes_back_and_is_checked() {
    let mut drive = Drive::new();
    drive.disk.write_marker(&marker("a")).unwrap();
    assert_eq!(drive.disk.read_marker().unwrap(), Some(marker("a")));
    drive.disk.check_root().unwrap();
    fs::write(drive.full(".icloudds/id"), serde_json::to_vec(&marker("b")).unwrap()).unwrap();
    assert!(matches!(drive.disk.check_root(), Err(DiskError::WrongRoot(_))));
    fs::write(drive.full(".icloudds/id"), "{").unwrap();
    assert!(matches!(drive.disk.check_root(), Err(DiskError::WrongRoot(_))));
    fs::remove_file(drive.full(".icloudds/id")).unwrap();
    assert!(matches!(drive.disk.check_root(), Err(DiskError::WrongRoot(_))));
}

#[test]
fn a_root_that_is_swapped_is_noticed_and_not_written_to() {
    let outer = tempfile::tempdir().unwrap();
    let drive = outer.path().join("drive");
    fs::create_dir(&drive).unwrap();
    let options = Options { writes: true, ..Options::default() };
    let mut disk = LocalDisk::open(&drive, options).unwrap();
    disk.write_marker(&marker("a")).unwrap();
    fs::rename(&drive, outer.path().join("away")).unwrap();
    assert!(matches!(disk.check_root(), Err(DiskError::WrongRoot(_))));
    fs::create_dir(&drive).unwrap();
    fs::create_dir(drive.join(".icloudds")).unwrap();
    fs::copy(outer.path().join("away/.icloudds/id"), drive.join(".icloudds/id")).unwrap();
    let error = disk.check_root().unwrap_err().to_string();
    assert!(error.contains("another folder or volume"), "{error}");
    disk.make_folder(&path("new")).unwrap();
    assert!(!drive.join("new").exists() && outer.path().join("away/new").exists());
}

#[test]
fn a_volume_mounted_over_the_root_is_noticed() {
    let mut drive = Drive::new();
    drive.disk.write_marker(&marker("a")).unwrap();
    let Some(mounted) = Mounted::tmpfs(drive.root(), "1m") else { return };
    assert!(matches!(drive.disk.check_root(), Err(DiskError::WrongRoot(_))));
    drop(mounted);
    drive.disk.check_root().unwrap();
}

#[test]
fn our_own_folder_must_not_be_a_link() {
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(".icloudds")).unwrap();
    let options = Options { writes: true, ..Options::default() };
    let mut disk = LocalDisk::open(folder.path(), options).unwrap();
    assert!(disk.read_marker().is_err());
    assert!(disk.write_marker(&marker("a")).is_err());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

/// What was found out of a file system says nothing of the one to which the folder is copied with the note of it.
#[test]
fn who_copies_the_folder_to_another_disk_does_not_make_that_one_forget_inode_numbers() {
    let born = |at: &std::path::Path| fs::metadata(at).and_then(|metadata| metadata.created());
    for has_births in [true, false] {
        let (first, second) = (Drive::new(), tempfile::tempdir().unwrap());
        let copy = second.path().join(".icloudds");
        for folder in ["", "tmp", "trash"] {
            fs::create_dir(copy.join(folder)).unwrap();
        }
        if born(&copy.join("tmp")).is_err() {
            return;
        }
        let note = fs::read_to_string(first.root().join(".icloudds/file-system")).unwrap();
        let mut note: serde_json::Value = serde_json::from_str(&note).unwrap();
        if !has_births {
            note["born"] = serde_json::Value::Null;
        }
        fs::write(copy.join("file-system"), note.to_string()).unwrap();
        let options = Options { writes: true, ..Options::default() };
        for _ in 0..2 {
            let disk = LocalDisk::open(second.path(), options.clone()).unwrap();
            disk.prepare().unwrap();
            let found = disk.file_system();
            if has_births {
                assert_eq!(found, first.disk.file_system());
            } else {
                assert!(found.is_some_and(|found| found.contains("do not last")));
            }
        }
    }
}
