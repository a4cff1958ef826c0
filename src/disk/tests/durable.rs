//! Making durable what stands here, wherever it went since.

use std::fs;

use super::*;
use crate::engine::ports::DiskError;

/// Few items are synced by themselves, many by their file system.
const FEW_AND_MANY: [usize; 2] = [1, 40];

#[test]
fn files_are_synced_wherever_they_are_by_now() {
    for count in FEW_AND_MANY {
        for drive in Drive::each_way() {
            drive.folder("f/deeper");
            let mut files: Vec<_> = (0..count)
                .map(|number| format!("f/deeper/{number}"))
                .map(|at| (path(&at), drive.write(&at, "content")))
                .collect();
            let gone = drive.write("f/gone", "gone");
            let moved = drive.write("f/moved", "moved");
            let other = drive.write("f/other", "other");
            fs::remove_file(drive.full("f/gone")).unwrap();
            fs::rename(drive.full("f/moved"), drive.full("elsewhere")).unwrap();
            fs::remove_file(drive.full("f/other")).unwrap();
            rustix::fs::mkfifoat(
                rustix::fs::CWD,
                drive.full("f/other"),
                rustix::fs::Mode::from_raw_mode(0o600),
            )
            .unwrap();
            files.extend(
                [("f/gone", gone), ("f/moved", moved), ("f/other", other)].map(|(at, s)| (path(at), s)),
            );
            drive.disk.sync(&files, &[path("f"), path("f/deeper"), path("f/never")]).unwrap();
            fs::remove_dir_all(drive.full("f")).unwrap();
            drive.disk.sync(&files, &[path("f/deeper")]).unwrap();
        }
    }
}

#[test]
fn what_its_volume_took_with_it_is_not_durable() {
    for count in FEW_AND_MANY {
        let drive = Drive::new();
        drive.folder("volume");
        let mut stamp = drive.write("volume/file", "content");
        // As it was on a volume that was mounted there.
        stamp.on_root_fs = false;
        stamp.identity.inode += 1;
        let files: Vec<_> = (0..count).map(|_| (path("volume/file"), stamp)).collect();
        assert!(matches!(drive.disk.sync(&files, &[]), Err(DiskError::Folder { .. })));
        fs::remove_dir_all(drive.full("volume")).unwrap();
        assert!(matches!(drive.disk.sync(&files, &[]), Err(DiskError::Folder { .. })));
    }
}

#[test]
fn what_came_to_the_trash_is_synced_with_the_rest() {
    let drive = Drive::new();
    drive.folder("f");
    let stamp = drive.write("f/x", "thrown away");
    drive.disk.trash(&path("f/x"), &stamp).unwrap();
    let stamp = drive.write("f/y", "replaced");
    let ready = drive.ready("f/y", "the new one");
    drive.disk.replace(&ready, &path("f/y"), &stamp).unwrap();
    assert_eq!(drive.disk.unsynced.lock().unwrap().len(), 2);
    drive.disk.sync(&[], &[]).unwrap();
    assert!(drive.disk.unsynced.lock().unwrap().is_empty());
    let stamp = drive.write("f/z", "thrown away, brought back");
    drive.disk.trash(&path("f/z"), &stamp).unwrap();
    drive.disk.restore(&path("f/z"), None).unwrap();
    assert!(drive.disk.unsynced.lock().unwrap().is_empty(), "what is brought back is durable at once");
}
