use std::fs;

use super::*;
use crate::engine::ports::DiskError;

#[test]
fn files_and_folders_move_to_free_names() {
    for drive in Drive::each_way() {
        drive.folder("from/inner");
        drive.folder("to");
        let file = drive.write("from/a", "a");
        drive.write("from/inner/b", "b");
        let entry = drive.disk.rename(&path("from/a"), &path("to/-rf"), &file).unwrap();
        assert_eq!((drive.text("to/-rf"), entry.stamp), ("a".into(), drive.stamp("to/-rf")));
        assert!(!drive.is_there("from/a"));
        let folder = drive.stamp("from");
        drive.disk.rename(&path("from"), &path("to/moved"), &folder).unwrap();
        assert_eq!(drive.text("to/moved/inner/b"), "b");
        drive.disk.sync(&[], &[path("to"), path("gone/since"), RelPath::root()]).unwrap();
        assert_eq!(drive.tmp(), Vec::<String>::new());
    }
}

#[test]
fn a_move_overwrites_nothing_and_moves_nothing_unplanned() {
    for drive in Drive::each_way() {
        let a = drive.write("a", "a");
        let b = drive.write("b", "other");
        drive.folder("empty");
        let full = drive.folder("full/inner");
        for to in ["b", "empty", "full"] {
            assert!(matches!(drive.disk.rename(&path("a"), &path(to), &a), Err(DiskError::Taken { .. })));
        }
        let folder = drive.stamp("full");
        assert!(matches!(
            drive.disk.rename(&path("full"), &path("empty"), &folder),
            Err(DiskError::Taken { .. })
        ));
        assert!(matches!(
            drive.disk.rename(&path("full"), &path("full/inner/x"), &folder),
            Err(DiskError::Folder { .. })
        ));
        assert!(matches!(drive.disk.rename(&path("a"), &path("c"), &b), Err(DiskError::Changed { .. })));
        assert!(matches!(
            drive.disk.rename(&path("full"), &path("c"), &full),
            Err(DiskError::Changed { .. })
        ));
        assert!(matches!(drive.disk.rename(&path("a"), &path("none/c"), &a), Err(DiskError::Folder { .. })));
        assert!(matches!(
            drive.disk.rename(&path("a"), &path(&"x".repeat(256)), &a),
            Err(DiskError::Name { .. })
        ));
        drive.write("a", "longer");
        assert!(matches!(drive.disk.rename(&path("a"), &path("c"), &a), Err(DiskError::Changed { .. })));
        assert_eq!((drive.text("a"), drive.text("b")), ("longer".into(), "other".into()));
    }
}

#[test]
fn two_links_of_one_file_are_two_names() {
    for drive in Drive::each_way() {
        drive.write("a", "x");
        fs::hard_link(drive.full("a"), drive.full("A")).unwrap();
        let stamp = drive.stamp("a");
        assert!(matches!(drive.disk.rename(&path("a"), &path("A"), &stamp), Err(DiskError::Taken { .. })));
        assert!(drive.is_there("a") && drive.is_there("A"));
        assert!(!drive.disk.folds_case());
    }
}

#[test]
fn a_name_changes_its_case_where_case_is_folded() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let mount = folder.path().join("drive");
    fs::create_dir(&mount).unwrap();
    fs::File::create(&image).unwrap().set_len(8 << 20).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).arg(&image).output();
        output.is_ok_and(|output| output.status.success())
    };
    let mounted = run("mkfs.vfat", &[])
        && std::process::Command::new("mount")
            .args(["-o", "loop"])
            .arg(&image)
            .arg(&mount)
            .output()
            .is_ok_and(|output| output.status.success());
    if !mounted {
        eprintln!("skipped: no FAT file system can be made and mounted here");
        return;
    }
    let _mounted = Mounted(mount.clone());
    for force_no_renameat2 in [false, true] {
        let options = Options { writes: true, force_no_renameat2, ..Options::default() };
        let disk = LocalDisk::open(&mount, options).unwrap();
        disk.prepare().unwrap();
        assert!(disk.folds_case());
        fs::write(mount.join("Name.txt"), "x").unwrap();
        let stamp = disk.look(&path("Name.txt")).unwrap().unwrap().stamp;
        disk.rename(&path("Name.txt"), &path("NAME.txt"), &stamp).unwrap();
        let names = disk.read_folder(&RelPath::root()).unwrap().entries;
        assert_eq!(names.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["NAME.txt"]);
        assert!(matches!(disk.make_folder(&path(".ICLOUDDS")), Err(DiskError::Name { .. })));
        fs::remove_file(mount.join("NAME.txt")).unwrap();
    }
}
