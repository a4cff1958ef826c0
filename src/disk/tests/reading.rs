use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;

use super::*;
use crate::engine::ports::DiskError;
use crate::model::LocalKind;

/// Names that people's disks hold.
pub(super) fn names() -> Vec<String> {
    let long = "ä".repeat(127) + "x";
    [
        "new\nline",
        "back\\slash",
        "🦀 crab",
        "dot.",
        "space ",
        " ",
        "-rf",
        "*?\"<>|",
        "a\u{308}",
        "ä",
        "%2e%2e",
        "~",
    ]
    .iter()
    .map(|name| (*name).to_owned())
    .chain([long])
    .collect()
}

#[test]
fn all_kinds_and_names_are_seen() {
    for drive in Drive::each_way() {
        for name in names() {
            drive.write(&name, &name);
        }
        drive.folder("folder");
        symlink("/etc", drive.full("link")).unwrap();
        let _socket = UnixListener::bind(drive.full("socket")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            drive.full("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        assert!(fs::metadata(drive.full("fifo")).unwrap().file_type().is_fifo());
        fs::write(drive.root().join(OsStr::from_bytes(b"latin-\xe4")), "").unwrap();
        let reading = drive.disk.read_folder(&RelPath::root()).unwrap();
        let found =
            |name: &str| reading.entries.iter().find(|(at, _)| &**at == name).map(|(_, entry)| entry.kind);
        for name in names() {
            assert_eq!(found(&name), Some(LocalKind::File), "{name:?}");
            assert_eq!(
                read_all(&drive.disk, &name, &drive.stamp(&name)),
                (name.clone(), signature_of(&name))
            );
        }
        assert_eq!(found("folder"), Some(LocalKind::Folder));
        for special in ["link", "socket", "fifo"] {
            assert_eq!(found(special), Some(LocalKind::Special), "{special}");
            let stamp = drive.stamp(special);
            assert!(matches!(drive.disk.open(&path(special), &stamp), Err(DiskError::Changed { .. })));
            assert!(matches!(drive.disk.trash(&path(special), &stamp), Err(DiskError::Changed { .. })));
            assert!(drive.is_there(special));
        }
        assert_eq!(reading.unnameable, ["latin-\u{fffd}"]);
        assert!(reading.entries.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(found(".icloudds"), None);
        assert_eq!(drive.disk.look(&path(".icloudds/id")).unwrap(), None);
        assert!(drive.disk.read_folder(&path(".icloudds")).is_err());
    }
}

#[test]
fn a_look_tells_absent_from_unknown() {
    for drive in Drive::each_way() {
        drive.folder("a");
        drive.write("file", "");
        assert_eq!(drive.disk.look(&path("a/x")).unwrap(), None);
        assert_eq!(drive.disk.look(&path(&"x".repeat(256))).unwrap(), None);
        for unknown in ["b/x", "file/x"] {
            assert!(matches!(drive.disk.look(&path(unknown)), Err(DiskError::Folder { .. })), "{unknown}");
        }
        assert_eq!(drive.disk.look(&RelPath::root()).unwrap().unwrap().kind, LocalKind::Folder);
    }
}

#[test]
fn no_link_is_followed_on_the_way() {
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("secret"), "secret").unwrap();
    for drive in Drive::each_way() {
        drive.folder("a");
        let stamp = drive.write("a/secret", "mine");
        let ready = drive.ready("a/new", "new");
        let over = drive.ready("a/secret", "over");
        fs::rename(drive.full("a"), drive.full("b")).unwrap();
        symlink(elsewhere.path(), drive.full("a")).unwrap();
        let disk = &drive.disk;
        let (inside, new) = (path("a/secret"), path("a/new"));
        let refused = [
            disk.read_folder(&path("a")).err(),
            disk.look(&inside).err(),
            disk.open(&inside, &stamp).err(),
            disk.make_folder(&new).err(),
            disk.place(&ready, &new).err(),
            disk.replace(&over, &inside, &stamp).err(),
            disk.rename(&inside, &path("out"), &stamp).err(),
            disk.rename(&path("b/secret"), &new, &stamp).err(),
            disk.trash(&inside, &stamp).err(),
            disk.download(&key("a/other", "x")).err(),
        ];
        for (at, error) in refused.into_iter().enumerate() {
            assert!(matches!(error, Some(DiskError::Folder { .. })), "{at}: {error:?}");
        }
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(elsewhere.path().join("secret")).unwrap(), "secret");
        // The last part as a link is a special file, not what it leads to.
        symlink(elsewhere.path().join("secret"), drive.full("b/link")).unwrap();
        assert!(disk.open(&path("b/link"), &drive.stamp("b/link")).is_err());
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_has_no_signature() {
    let drive = Drive::new();
    let stamp = drive.write("a", "one");
    let mut source = drive.disk.open(&path("a"), &stamp).unwrap();
    source.read_exact(&mut [0; 3]).unwrap();
    assert_eq!(source.finish().unwrap(), signature_of("one"), "a reader that counts need not see the end");

    let stamp = drive.stamp("a");
    let mut source = drive.disk.open(&path("a"), &stamp).unwrap();
    source.read_exact(&mut [0; 2]).unwrap();
    assert!(matches!(source.finish(), Err(DiskError::Changed { .. })), "not read to its end");

    let mut source = drive.disk.open(&path("a"), &stamp).unwrap();
    source.read_to_end(&mut Vec::new()).unwrap();
    fs::OpenOptions::new().append(true).open(drive.full("a")).unwrap().write_all(b"!").unwrap();
    assert!(matches!(source.finish(), Err(DiskError::Changed { .. })), "grew");

    assert!(matches!(drive.disk.open(&path("a"), &stamp), Err(DiskError::Changed { .. })));
    let stamp = drive.stamp("a");
    let mut source = drive.disk.open(&path("a"), &stamp).unwrap();
    source.read_to_end(&mut Vec::new()).unwrap();
    fs::write(drive.full("b"), "two!").unwrap();
    fs::rename(drive.full("b"), drive.full("a")).unwrap();
    assert!(matches!(source.finish(), Err(DiskError::Changed { .. })), "another file has the name");
}

#[test]
fn folders_are_made_as_anybody_would_make_them() {
    for drive in Drive::each_way() {
        let entry = drive.disk.make_folder(&path("a")).unwrap();
        assert_eq!((entry.kind, entry.stamp), (LocalKind::Folder, drive.stamp("a")));
        fs::create_dir(drive.full("b")).unwrap();
        let mode = |at| fs::metadata(drive.full(at)).unwrap().mode();
        assert_eq!(mode("a"), mode("b"));
        assert!(matches!(drive.disk.make_folder(&path("a")), Err(DiskError::Taken { .. })));
        assert!(matches!(drive.disk.make_folder(&path("x/y")), Err(DiskError::Folder { .. })));
        assert!(matches!(drive.disk.make_folder(&path(&"x".repeat(256))), Err(DiskError::Name { .. })));
        for ours in [".icloudds", "a/.icloudds", ".icloudds/x"] {
            assert!(matches!(drive.disk.make_folder(&path(ours)), Err(DiskError::Name { .. })), "{ours}");
        }
        assert!(drive.disk.make_folder(&RelPath::root()).is_err());
    }
}

#[test]
fn a_very_deep_path_is_reached() {
    let drive = Drive::new();
    let mut at = RelPath::root();
    for _ in 0..40 {
        at = at.join(&"d".repeat(200)).unwrap();
        drive.disk.make_folder(&at).unwrap();
    }
    assert!(at.as_str().len() > 4096);
    let file = at.join("file").unwrap();
    let ready = drive.ready("short", "deep");
    let entry = drive.disk.place(&ready, &file).unwrap();
    drive.disk.trash(&file, &entry.stamp).unwrap();
    drive.disk.sync(&[], &[at]).unwrap();
    let items = drive.disk.list_trash().unwrap();
    assert_eq!(items.iter().map(|item| &item.path).collect::<Vec<_>>(), [&file]);
}
