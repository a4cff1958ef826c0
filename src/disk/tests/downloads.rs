use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;

use super::*;
use crate::engine::ports::DiskError;
use crate::model::LocalKind;

#[test]
fn a_download_is_placed_under_a_free_name() {
    for drive in Drive::each_way() {
        drive.folder("f");
        for name in super::reading::names() {
            let at = format!("f/{name}");
            let ready = drive.ready(&at, &name);
            assert!(!drive.is_there(&at));
            let entry = drive.disk.place(&ready, &path(&at)).unwrap();
            assert_eq!(drive.text(&at), name);
            assert_eq!((entry.kind, entry.stamp), (LocalKind::File, drive.stamp(&at)));
            assert_eq!(entry.signature, Some(signature_of(&name)));
            assert_eq!(entry.stamp.mtime.whole_seconds(), 1_600_000_000);
            let root = &drive.disk.root;
            let shows_all = root.traits_of(root.fs, &root.handle).shows_all;
            assert_eq!(entry.racy, !shows_all, "its ctime is now");
        }
        drive.disk.sync(&[], &[path("f")]).unwrap();
        assert_eq!(drive.tmp(), Vec::<String>::new());
    }
}

#[test]
fn a_taken_name_keeps_the_download_waiting() {
    for drive in Drive::each_way() {
        let ready = drive.ready("a", "theirs");
        drive.write("a", "mine");
        assert!(matches!(drive.disk.place(&ready, &path("a")), Err(DiskError::Taken { .. })));
        assert_eq!(drive.text("a"), "mine");
        drive.disk.place(&ready, &path("b")).unwrap();
        assert_eq!(drive.text("b"), "theirs");
        let ready = drive.ready("c", "dropped");
        drive.disk.discard(&ready);
        assert_eq!(drive.tmp(), Vec::<String>::new());
        assert!(drive.disk.place(&ready, &path("c")).is_err());
    }
}

#[test]
fn a_download_is_resumed_while_its_version_stays() {
    let mut drive = Drive::recording();
    let wanted = key("a", "hello world");
    let mut download = drive.disk.download(&wanted).unwrap();
    download.write_all(b"hello ").unwrap();
    drop(download);
    drive.reopen();
    let mut download = drive.disk.download(&wanted).unwrap();
    assert_eq!(download.offset(), 6);
    download.write_all(b"world").unwrap();
    let ready = download.finish(None).unwrap();
    assert_eq!((ready.size, ready.signature), (11, signature_of("hello world")));
    // Complete, then interrupted: nothing is to be fetched again.
    assert_eq!(drive.disk.download(&wanted).unwrap().offset(), 11);
    // Another content under the same etag starts over.
    let other = DownloadKey { signature_text: "other".into(), ..wanted.clone() };
    assert_eq!(drive.disk.download(&other).unwrap().offset(), 0);
    let newer = DownloadKey { etag: Etag::new("2::b"), ..wanted };
    assert_eq!(drive.disk.download(&newer).unwrap().offset(), 0);
}

#[test]
fn starting_over_forgets_what_was_written() {
    let drive = Drive::recording();
    let mut download = drive.disk.download(&key("a", "xyz")).unwrap();
    download.write_all(b"a longer wrong start").unwrap();
    download.restart().unwrap();
    assert_eq!(download.offset(), 0);
    download.write_all(b"xyz").unwrap();
    let ready = download.finish(None).unwrap();
    assert_eq!((ready.size, ready.signature), (3, signature_of("xyz")));
}

#[test]
fn after_a_power_cut_only_what_was_durable_counts() {
    let drive = Drive::recording();
    let wanted = key("a", "hello world");
    let mut download = drive.disk.download(&wanted).unwrap();
    download.write_all(b"hello ").unwrap();
    drop(download);
    let name = drive.tmp().into_iter().find(|name| name.ends_with(".json")).unwrap();
    let record = drive.text(&format!(".icloudds/tmp/{name}"));
    let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
    record["boot"] = "another".into();
    record["durable"] = 2.into();
    fs::write(drive.full(&format!(".icloudds/tmp/{name}")), record.to_string()).unwrap();
    let mut download = drive.disk.download(&wanted).unwrap();
    assert_eq!(download.offset(), 2);
    download.write_all(b"llo world").unwrap();
    assert_eq!(download.finish(None).unwrap().signature, signature_of("hello world"));
}

#[test]
fn only_recorded_downloads_nobody_wants_are_forgotten() {
    let drive = Drive::recording();
    drive.ready("keep", "1");
    drive.ready("drop", "2");
    fs::write(drive.full(".icloudds/tmp/somebody's"), "3").unwrap();
    let kept = drive.disk.forget_downloads(&|key| key.path == path("keep")).unwrap();
    assert_eq!(kept, 1);
    assert_eq!(drive.tmp().len(), 3, "{:?}", drive.tmp());
    assert_eq!(drive.disk.download(&key("keep", "1")).unwrap().offset(), 1);
}

#[test]
fn what_cannot_fit_is_refused_before_and_told_after() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::tmpfs(folder.path(), "1m") else { return };
    let disk = LocalDisk::open(folder.path(), Options { writes: true, ..Options::default() }).unwrap();
    let large = DownloadKey { size: Some(2 << 20), ..key("a", "") };
    assert!(matches!(disk.download(&large), Err(DiskError::Full { .. })));
    let unknown = DownloadKey { size: None, ..key("b", "") };
    let mut download = disk.download(&unknown).unwrap();
    let error = download.write_all(&vec![1; 2 << 20]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    drop(download);
    assert_eq!(disk.forget_downloads(&|_| false).unwrap(), 0, "what does not fit leaves nothing behind");
    let mut small = disk.download(&key("c", "fits")).unwrap();
    small.write_all(b"fits").unwrap();
    let ready = small.finish(None).unwrap();
    disk.place(&ready, &path("c")).unwrap();
}

#[test]
fn a_new_file_is_as_its_folder_makes_files() {
    for drive in Drive::each_way() {
        drive.folder("set");
        let mode = |at: &str| fs::metadata(drive.full(at)).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(drive.full("set"), None, Some(12345)).unwrap();
        }
        let set = std::os::unix::fs::PermissionsExt::from_mode(0o2775);
        fs::set_permissions(drive.full("set"), set).unwrap();
        drive.write("set/plain", "");
        let ready = drive.ready("set/new", "x");
        drive.disk.place(&ready, &path("set/new")).unwrap();
        assert_eq!(mode("set/new").mode(), mode("set/plain").mode());
        assert_eq!(mode("set/new").gid(), mode("set/plain").gid());
        drive.disk.make_folder(&path("set/folder")).unwrap();
        assert_eq!(mode("set/folder").gid(), mode("set/plain").gid());
        assert_eq!(mode("set/folder").mode() & 0o2000, 0o2000);
        let ready = drive.ready("new", "x");
        drive.disk.place(&ready, &path("new")).unwrap();
        drive.write("plain", "");
        assert_eq!((mode("new").mode(), mode("new").gid()), (mode("plain").mode(), mode("plain").gid()));
    }
}

#[test]
fn a_default_acl_is_inherited() {
    use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
    let drive = Drive::new();
    drive.folder("f");
    let folder = fs::File::open(drive.full("f")).unwrap();
    // user::rwx, user:12345:rwx, group::r-x, mask::rwx, other::---
    let mut acl = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in
        [(1u16, 7u16, u32::MAX), (2, 7, 12345), (4, 5, u32::MAX), (16, 7, u32::MAX), (32, 0, u32::MAX)]
    {
        acl.extend(tag.to_le_bytes());
        acl.extend(permissions.to_le_bytes());
        acl.extend(id.to_le_bytes());
    }
    if fsetxattr(&folder, "system.posix_acl_default", &acl, XattrFlags::empty()).is_err() {
        eprintln!("skipped: this file system has no ACLs");
        return;
    }
    drive.write("f/plain", "");
    let ready = drive.ready("f/new", "x");
    drive.disk.place(&ready, &path("f/new")).unwrap();
    let read = |at| {
        let mut value = [0u8; 256];
        let file = fs::File::open(drive.full(at)).unwrap();
        let length = fgetxattr(&file, "system.posix_acl_access", &mut value[..]).unwrap();
        (value[..length].to_vec(), fs::metadata(drive.full(at)).unwrap().mode())
    };
    assert_eq!(read("f/new"), read("f/plain"));
}

#[test]
fn a_nested_mount_has_its_own_area() {
    let drive = Drive::new();
    drive.folder("a/mount");
    let Some(_mounted) = Mounted::tmpfs(&drive.full("a/mount"), "4m") else { return };
    assert!(!drive.stamp("a/mount").on_root_fs && drive.stamp("a").on_root_fs);
    drive.folder("a/mount/inner");
    let ready = drive.ready("a/mount/inner/x", "content");
    drive.disk.place(&ready, &path("a/mount/inner/x")).unwrap();
    let stamp = drive.stamp("a/mount/inner/x");
    assert!(!stamp.on_root_fs);
    let reading = drive.disk.read_folder(&path("a/mount")).unwrap();
    assert_eq!(reading.entries.len(), 1, "its .icloudds is not shown");
    let error = drive.disk.rename(&path("a/mount/inner/x"), &path("x"), &stamp).unwrap_err();
    let DiskError::Io { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::CrossesDevices);
    drive.disk.trash(&path("a/mount/inner/x"), &stamp).unwrap();
    drive.disk.sync(&[], &[path("a/mount/inner")]).unwrap();
    let items = drive.disk.list_trash().unwrap();
    assert_eq!(items.len(), 1);
    assert!(items[0].slot.starts_with("a/mount//"));
    drive.disk.restore(&path("a/mount/inner/x"), None).unwrap();
    assert_eq!(drive.text("a/mount/inner/x"), "content");
}

#[test]
fn small_downloads_have_no_record_and_become_durable_together() {
    let drive = Drive::new();
    drive.folder("f");
    let all: Vec<_> = (0..40).map(|number| format!("f/{number}")).collect();
    let ready: Vec<_> = all.iter().map(|at| drive.ready(at, at)).collect();
    assert!(drive.tmp().iter().all(|name| name.ends_with(".part")), "{:?}", drive.tmp());
    assert_eq!(drive.disk.syncs.load(Ordering::Relaxed), 0);
    for (at, ready) in all.iter().zip(&ready) {
        drive.disk.place(ready, &path(at)).unwrap();
        assert_eq!(drive.text(at), *at);
    }
    assert_eq!(drive.disk.syncs.load(Ordering::Relaxed), 1, "one wait for all that were finished");
    // What is finished later waits for the disk by itself.
    let late = drive.ready("late", "late");
    drive.disk.place(&late, &path("late")).unwrap();
    assert_eq!(drive.disk.syncs.load(Ordering::Relaxed), 2);
    assert_eq!(drive.tmp(), Vec::<String>::new());
}

#[test]
fn a_small_download_is_fetched_again_and_leaves_nothing() {
    let mut drive = Drive::new();
    let wanted = key("a", "hello world");
    let mut download = drive.disk.download(&wanted).unwrap();
    download.write_all(b"hello ").unwrap();
    drop(download);
    assert_eq!(drive.tmp(), Vec::<String>::new());
    let ready = drive.ready("a", "hello world");
    drop(ready);
    // The same once more, while the first still lies there.
    assert_eq!(drive.ready("a", "hello world").size, 11);
    drive.ready("b", "nobody's");
    assert_eq!(drive.disk.forget_downloads(&|key| key.path == path("a")).unwrap(), 1);
    assert_eq!(drive.tmp().len(), 1);
    // A crash: what is in nobody's memory goes, and what is not ours stays.
    fs::write(drive.full(".icloudds/tmp/somebody's.part"), "3").unwrap();
    fs::write(drive.full(".icloudds/tmp/cafe.part"), "3").unwrap();
    drive.reopen();
    drive.disk.recover().unwrap();
    assert_eq!(drive.tmp(), ["cafe.part", "somebody's.part"]);
}

#[test]
fn a_small_download_that_an_older_version_recorded_goes_on() {
    let mut drive = Drive::recording();
    let mut download = drive.disk.download(&key("a", "hello")).unwrap();
    download.write_all(b"hel").unwrap();
    drop(download);
    drive.disk = LocalDisk::open(drive.root(), Options { writes: true, ..Options::default() }).unwrap();
    drive.disk.recover().unwrap();
    let mut download = drive.disk.download(&key("a", "hello")).unwrap();
    assert_eq!(download.offset(), 3);
    download.write_all(b"lo").unwrap();
    let ready = download.finish(None).unwrap();
    drive.disk.place(&ready, &path("a")).unwrap();
    assert_eq!((drive.text("a"), drive.tmp()), ("hello".into(), vec![]));
}
