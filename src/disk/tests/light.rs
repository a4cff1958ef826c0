//! Small downloads that become durable together, the private folder that stays open, and stamps that tell all.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{XattrFlags, fsetxattr};
use rustix::io::Errno;

use super::*;

fn places(drive: &Drive, all: &[String]) -> u32 {
    let ready: Vec<_> = all.iter().map(|at| drive.ready(at, at)).collect();
    let before = drive.disk.syncs.load(Ordering::Relaxed);
    for (at, ready) in all.iter().zip(&ready) {
        drive.disk.place(ready, &path(at)).unwrap();
        assert_eq!(drive.text(at), *at);
    }
    drive.disk.syncs.load(Ordering::Relaxed) - before
}

fn names(folder: &str) -> Vec<String> {
    (0..20).map(|number| format!("{folder}/{number}")).collect()
}

#[test]
fn what_is_finished_anew_during_a_sync_is_not_made_durable_by_it() {
    let drive = Drive::new();
    let first = drive.ready("a", "one");
    drive.ready("b", "two");
    let volatile = || drive.disk.light.volatile(&RelPath::root());
    let synced = volatile();
    assert_eq!(synced.len(), 2);
    // The same version once more, while the sync of what was there before goes on.
    let again = drive.ready("a", "one");
    assert_eq!(again.slot, first.slot, "one name for both");
    drive.disk.light.are_durable(&synced);
    assert_eq!(volatile().len(), 1, "b is durable, and the second a is not");
    assert!(!synced.contains(&volatile()[0]));
    // Who had the first one in hand puts nothing in place.
    let area = drive.disk.area_of(&RelPath::root()).unwrap();
    let (name, number) = synced.iter().find(|(name, _)| first.slot.ends_with(name.as_str())).unwrap();
    let file = fs::File::open(drive.full(&format!(".icloudds/tmp/{name}.part"))).unwrap();
    let settled = drive.disk.settle_light(&area, (name, *number), &file, false);
    assert_eq!(settled, Err(Errno::BUSY));
    assert_eq!(drive.disk.syncs.load(Ordering::Relaxed), 1);
    drive.disk.place(&again, &path("a")).unwrap();
    assert_eq!((drive.text("a"), drive.disk.syncs.load(Ordering::Relaxed)), ("one".into(), 1));
}

#[test]
fn what_a_folder_gives_to_its_files_costs_no_sync_of_each() {
    let drive = Drive::new();
    let mut count = 0;
    drive.folder("set");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(drive.full("set"), None, Some(12345)).unwrap();
    }
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o2775);
    fs::set_permissions(drive.full("set"), mode).unwrap();
    count += places(&drive, &names("set"));
    assert_eq!(count, 1, "one wait for all, the group's");
    // One entry more than a mode holds, and one that says the same as a mode.
    for (folder, others) in [("named", &[(2u16, 7u16, 12345u32)][..]), ("plain", &[])] {
        drive.folder(folder);
        let mut acl = 2u32.to_le_bytes().to_vec();
        let ends = [(4u16, 5u16, u32::MAX), (16, 7, u32::MAX), (32, 0, u32::MAX)];
        let ends = ends.iter().filter(|(tag, ..)| *tag != 16 || !others.is_empty());
        for (tag, permissions, id) in [(1, 7, u32::MAX)].iter().chain(others).chain(ends) {
            acl.extend(tag.to_le_bytes());
            acl.extend(permissions.to_le_bytes());
            acl.extend(id.to_le_bytes());
        }
        let opened = fs::File::open(drive.full(folder)).unwrap();
        if fsetxattr(&opened, "system.posix_acl_default", &acl, XattrFlags::empty()).is_err() {
            eprintln!("skipped: this file system has no ACLs");
            return;
        }
        assert_eq!(places(&drive, &names(folder)), 1, "{folder}");
    }
    // A folder that is changed after its downloads began costs a sync of each.
    let ready: Vec<_> = names("late")
        .iter()
        .map(|at| {
            drive.folder("late");
            (drive.ready(at, at), at.clone())
        })
        .collect();
    if rustix::process::geteuid().is_root() {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o2775);
        std::os::unix::fs::chown(drive.full("late"), None, Some(12345)).unwrap();
        fs::set_permissions(drive.full("late"), mode).unwrap();
        let before = drive.disk.syncs.load(Ordering::Relaxed);
        for (ready, at) in &ready {
            drive.disk.place(ready, &path(at)).unwrap();
            assert_eq!(std::os::unix::fs::MetadataExt::gid(&fs::metadata(drive.full(at)).unwrap()), 12345);
        }
        assert!(drive.disk.syncs.load(Ordering::Relaxed) - before >= 20, "each is durable as it is shown");
    }
}

#[test]
fn the_private_folder_is_opened_anew_where_another_one_took_its_place() {
    let drive = Drive::new();
    drive.folder("f");
    let old = drive.ready("f/a", "one");
    drive.disk.place(&old, &path("f/a")).unwrap();
    let own = [".icloudds", ".icloudds/tmp", ".icloudds/trash"];
    for (number, moved) in own.iter().enumerate() {
        let aside = format!("aside {number}");
        fs::rename(drive.full(moved), drive.full(&aside)).unwrap();
        let at = format!("f/after {number}");
        let ready = drive.ready(&at, "two");
        assert_eq!(drive.tmp().len(), 1, "it waits where the next start looks for it");
        drive.disk.place(&ready, &path(&at)).unwrap();
        assert_eq!(drive.text(&at), "two");
    }
    // A link is no folder of ours, wherever it leads.
    fs::rename(drive.full(".icloudds"), drive.full("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", drive.full(".icloudds")).unwrap();
    assert!(drive.disk.download(&key("f/never", "three")).is_err());
    assert!(!drive.is_there("f/never"));
}

#[test]
fn an_edit_right_after_a_download_was_put_in_place_is_never_missed() {
    let drive = Drive::new();
    let mtime = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    for number in 0..200 {
        let at = format!("{number}");
        let ready = drive.ready(&at, "theirs");
        let entry = drive.disk.place(&ready, &path(&at)).unwrap();
        fs::write(drive.full(&at), "forged").unwrap();
        fs::File::options().write(true).open(drive.full(&at)).unwrap().set_modified(mtime).unwrap();
        let now = drive.stamp(&at);
        assert_eq!(
            (now.mtime, now.size),
            (entry.stamp.mtime, entry.stamp.size),
            "only the change time can tell"
        );
        assert!(entry.racy || now != entry.stamp, "{number}: the stamp tells it, or is known not to");
    }
}
