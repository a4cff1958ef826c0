//! Records that this program did not write, or that speak of what they must not.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::*;
use crate::disk::LeftAlone;
use crate::engine::ports::DiskError;

/// Somebody who is not the user of these tests.
const STRANGER: u32 = 54321;

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: only the superuser gives files away");
    }
    root
}

fn give_away(at: &Path) {
    std::os::unix::fs::chown(at, Some(STRANGER), None).unwrap();
}

fn mode(at: &Path, mode: u32) {
    fs::set_permissions(at, fs::Permissions::from_mode(mode)).unwrap();
}

fn parked(park: &str, home: &str, goal: &str) -> String {
    serde_json::json!({"Parked": {"park": park, "home": home, "goal": goal}}).to_string()
}

fn names(left: &[LeftAlone]) -> Vec<&str> {
    left.iter().map(|left| left.path.as_str()).collect()
}

#[test]
fn a_record_moves_nothing_but_what_waits_in_tmp() {
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("key");
    fs::write(&victim, "private").unwrap();
    let mut drive = Drive::new();
    drive.write("mine", "mine");
    fs::write(drive.full(".icloudds/id"), "the marker").unwrap();
    let far = victim.to_str().unwrap();
    let climbing = format!("../../..{far}");
    for (park, home, goal) in [
        (far, "a", "b"),
        (&*climbing, "a", "b"),
        ("..", "a", "b"),
        ("../id", "a", "b"),
        (".", "a", "b"),
        ("", "a", "b"),
        ("1.part", "a", "b"),
        ("1.parked", "/etc/a", "b"),
        ("1.parked", "../a", "b"),
        ("1.parked", "a", "../b"),
        ("1.parked", "a", ""),
        ("1.parked", "", "b"),
        ("1.parked", "a", ".icloudds/id2"),
        ("1.parked", ".icloudds/trash/a", "b"),
        ("1.parked", "a", "b/\0"),
    ] {
        fs::write(drive.full(".icloudds/tmp/1.parked"), "waits").unwrap();
        fs::write(drive.full(".icloudds/tmp/1.part"), "waits").unwrap();
        fs::write(drive.full(".icloudds/tmp/1.step"), parked(park, home, goal)).unwrap();
        drive.reopen();
        let recovered = drive.disk.recover().unwrap();
        assert_eq!(names(&recovered.left_alone), [".icloudds/tmp/1.step"], "{park:?} {home:?} {goal:?}");
        assert_eq!((recovered.repaired, recovered.strays), (vec![], vec![]), "{park:?} {home:?} {goal:?}");
        assert_eq!(drive.tmp(), ["1.parked", "1.part", "1.step"], "{park:?} {home:?} {goal:?}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "private");
        let mut there: Vec<_> =
            fs::read_dir(drive.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        there.sort();
        assert_eq!(there, [".icloudds", "mine"], "{park:?} {home:?} {goal:?}");
    }
}

#[test]
fn a_record_of_a_copy_removes_nothing_but_what_waits_in_tmp() {
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("key");
    fs::write(&victim, "private").unwrap();
    let mut drive = Drive::new();
    drive.write("mine", "mine");
    let far = victim.to_str().unwrap();
    let climbing = format!("../../..{far}");
    for (part, from, to) in [
        (far, "a", "b"),
        (&*climbing, "a", "b"),
        ("..", "a", "b"),
        ("../../mine", "a", "b"),
        ("1.part", "a", "b"),
        ("1.across", "/etc/a", "b"),
        ("1.across", "a", "../b"),
        ("1.across", "a", ".icloudds/id"),
    ] {
        fs::write(drive.full(".icloudds/tmp/1.part"), "waits").unwrap();
        let record = serde_json::json!({"Across": {
            "part": part, "from": from, "to": to, "original": 1, "copy": 0, "began": 0,
        }});
        fs::write(drive.full(".icloudds/tmp/1.step"), record.to_string()).unwrap();
        drive.reopen();
        let recovered = drive.disk.recover().unwrap();
        assert_eq!(names(&recovered.left_alone), [".icloudds/tmp/1.step"], "{part:?} {from:?} {to:?}");
        assert_eq!(drive.tmp(), ["1.part", "1.step"], "{part:?} {from:?} {to:?}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "private");
        assert_eq!(fs::read_to_string(drive.full("mine")).unwrap(), "mine");
    }
}

#[test]
fn a_record_takes_no_name_off_what_is_ours_or_elsewhere() {
    let drive = Drive::new();
    drive.write("a", "x");
    for (from, to) in [("../a", "b"), ("/a", "b"), ("a", ".icloudds/b"), (".icloudds/tmp/x", "a"), ("", "a")]
    {
        let record = serde_json::json!({"Linked": {"from": from, "to": to}}).to_string();
        fs::write(drive.full(".icloudds/tmp/1.step"), record).unwrap();
        let recovered = drive.disk.recover().unwrap();
        assert_eq!(names(&recovered.left_alone), [".icloudds/tmp/1.step"], "{from:?} {to:?}");
        assert_eq!(drive.text("a"), "x");
    }
}

#[test]
fn a_note_brings_nothing_back_from_elsewhere() {
    let drive = Drive::new();
    fs::create_dir_all(drive.full("other/.icloudds/trash/2026-11-22 10-00-00+0000")).unwrap();
    fs::write(drive.full("other/.icloudds/trash/2026-11-22 10-00-00+0000/a"), "planted").unwrap();
    for (slot, path) in [
        ("//2026-11-22 10-00-00+0000/a", "../a"),
        ("//2026-11-22 10-00-00+0000/a", ".icloudds/id"),
        ("//../id", "a"),
        ("//id", "a"),
        ("other//2026-11-22 10-00-00+0000/a", "b"),
    ] {
        let record = serde_json::json!({"slot": slot, "path": path}).to_string();
        fs::write(drive.full(".icloudds/tmp/1.displaced"), record).unwrap();
        let recovered = drive.disk.recover().unwrap();
        assert_eq!(names(&recovered.left_alone), [".icloudds/tmp/1.displaced"], "{slot:?} {path:?}");
        assert_eq!(recovered.strays, [], "{slot:?} {path:?}");
    }
}

#[test]
fn a_replacement_that_was_never_begun_puts_nothing_anywhere() {
    let mut drive = Drive::recording();
    let stamp = drive.write("a", "old");
    let key = key("a", "new");
    drive.ready("a", "new");
    let record = drive.tmp().into_iter().find(|name| name.ends_with(".json")).unwrap();
    let at = drive.full(&format!(".icloudds/tmp/{record}"));
    let good: serde_json::Value = serde_json::from_slice(&fs::read(&at).unwrap()).unwrap();
    fs::create_dir_all(drive.full("other/.icloudds/trash/2026-11-22 10-00-00+0000")).unwrap();
    fs::create_dir_all(drive.full("other/.icloudds/tmp")).unwrap();
    fs::write(drive.full("other/.icloudds/trash/2026-11-22 10-00-00+0000/a"), "planted").unwrap();
    for (slot, target) in [
        ("//2026-11-22 10-00-00+0000/a", "../a"),
        ("//2026-11-22 10-00-00+0000/a", "/etc/a"),
        ("//2026-11-22 10-00-00+0000/a", ".icloudds/id"),
        ("//../id", "a"),
        ("//id", "a"),
        ("other//2026-11-22 10-00-00+0000/a", "b"),
    ] {
        let mut forged = good.clone();
        forged["swap"] = serde_json::json!({
            "slot": slot, "target": target, "new_inode": 1, "old": [stamp.identity.inode, 3, 0],
        });
        fs::write(&at, forged.to_string()).unwrap();
        drive.reopen();
        let recovered = drive.disk.recover().unwrap();
        assert_eq!(names(&recovered.left_alone), [format!(".icloudds/tmp/{record}")], "{slot:?} {target:?}");
        assert_eq!((recovered.repaired, recovered.strays), (vec![], vec![]), "{slot:?} {target:?}");
        assert_eq!(drive.text("a"), "old");
        assert!(!drive.is_there("b"));
    }
    // Another name than that of a download is none of ours either.
    fs::write(&at, good.to_string()).unwrap();
    fs::rename(&at, drive.full(".icloudds/tmp/..%2f.json")).unwrap();
    assert_eq!(names(&drive.disk.recover().unwrap().left_alone), [".icloudds/tmp/..%2f.json"]);
    assert_eq!(drive.disk.download(&key).unwrap().offset(), 0);
}

#[test]
fn a_record_that_others_could_write_is_left_alone_and_told() {
    let drive = Drive::new();
    let record = drive.full(".icloudds/tmp/1.step");
    let park = drive.full(".icloudds/tmp/1.parked");
    let put = || {
        fs::write(&park, "waits").unwrap();
        fs::write(&record, parked("1.parked", "a", "b")).unwrap();
    };
    for bits in [0o620, 0o602, 0o666, 0o777] {
        put();
        mode(&record, bits);
        let recovered = drive.disk.recover().unwrap();
        assert_eq!(names(&recovered.left_alone), [".icloudds/tmp/1.step"], "{bits:o}");
        assert!(!drive.is_there("b") && record.exists() && park.exists(), "{bits:o}");
    }
    fs::remove_file(&record).unwrap();
    put();
    fs::hard_link(&record, drive.full("second")).unwrap();
    assert!(drive.disk.recover().unwrap().left_alone[0].why.contains("second name"));
    fs::remove_file(drive.full("second")).unwrap();
    fs::rename(&record, drive.full("mine")).unwrap();
    std::os::unix::fs::symlink(drive.full("mine"), &record).unwrap();
    assert_eq!(drive.disk.recover().unwrap().left_alone.len(), 1);
    fs::remove_file(&record).unwrap();
    fs::create_dir(&record).unwrap();
    assert_eq!(drive.disk.recover().unwrap().left_alone.len(), 1);
    fs::remove_dir(&record).unwrap();
    if is_root() {
        put();
        give_away(&record);
        let recovered = drive.disk.recover().unwrap();
        assert!(recovered.left_alone[0].why.contains("uid 54321"), "{:?}", recovered.left_alone);
        assert!(!drive.is_there("b"));
        fs::remove_file(&record).unwrap();
    }
    // The same record, ours alone, is what a crash leaves.
    put();
    let recovered = drive.disk.recover().unwrap();
    assert_eq!((recovered.left_alone, drive.text("b")), (vec![], "waits".to_owned()));
}

#[test]
fn a_folder_that_others_could_write_to_is_closed_and_its_records_are_left_alone() {
    for folder in [".icloudds", ".icloudds/tmp", ".icloudds/trash"] {
        for bits in [0o720, 0o702, 0o777] {
            let drive = Drive::new();
            fs::write(drive.full(".icloudds/tmp/1.parked"), "waits").unwrap();
            fs::write(drive.full(".icloudds/tmp/1.step"), parked("1.parked", "a", "b")).unwrap();
            mode(&drive.full(folder), bits);
            let recovered = drive.disk.recover().unwrap();
            assert_eq!(names(&recovered.left_alone), [".icloudds/tmp/1.step"], "{folder} {bits:o}");
            assert!(!drive.is_there("a") && !drive.is_there("b"));
            assert_eq!(fs::metadata(drive.full(folder)).unwrap().mode() & 0o7777, 0o700, "{folder}");
        }
    }
}

#[test]
fn the_private_folder_of_somebody_else_is_not_used() {
    if !is_root() {
        return;
    }
    for folder in [".icloudds", ".icloudds/tmp", ".icloudds/trash"] {
        let drive = Drive::new();
        fs::write(drive.full(".icloudds/tmp/1.parked"), "waits").unwrap();
        fs::write(drive.full(".icloudds/tmp/1.step"), parked("1.parked", "a", "b")).unwrap();
        let stamp = drive.write("mine", "x");
        give_away(&drive.full(folder));
        for error in [
            drive.disk.recover().unwrap_err(),
            drive.disk.prepare().unwrap_err(),
            drive.disk.trash(&path("mine"), &stamp).unwrap_err(),
            drive.disk.download(&key("n", "new")).map(drop).unwrap_err(),
            drive.disk.list_trash().unwrap_err(),
        ] {
            assert!(error.to_string().contains("uid 54321"), "{error}");
            assert!(matches!(error, DiskError::Io { .. }), "{error}");
        }
        assert!(!drive.is_there("a") && !drive.is_there("b") && drive.is_there("mine"));
    }
}

#[test]
fn a_half_downloaded_file_of_somebody_else_is_not_gone_on_with() {
    let drive = Drive::recording();
    let key = key("a", "new");
    let mut download = drive.disk.download(&key).unwrap();
    download.write_all(b"ne").unwrap();
    drop(download);
    assert_eq!(drive.disk.download(&key).unwrap().offset(), 2);
    let part = drive.tmp().into_iter().find(|name| name.ends_with(".part")).unwrap();
    let at = drive.full(&format!(".icloudds/tmp/{part}"));
    if is_root() {
        give_away(&at);
        assert_eq!(drive.disk.download(&key).unwrap().offset(), 0);
        assert_eq!(fs::metadata(&at).unwrap().uid(), 0);
    }
}

#[test]
fn what_is_written_beside_goes_through_no_second_name() {
    let mut drive = Drive::new();
    drive.write("mine", "precious");
    fs::hard_link(drive.full("mine"), drive.full(".icloudds/id.new")).unwrap();
    let marker = crate::disk::Marker { id: "a".into(), account: "1".into(), remote_root: "/".into() };
    drive.disk.write_marker(&marker).unwrap();
    assert_eq!(drive.text("mine"), "precious");
    // The lock's file is one of ours alone, too.
    fs::hard_link(drive.full("mine"), drive.full(".icloudds/lock")).unwrap();
    let error = crate::disk::lock_root(drive.root()).unwrap_err();
    assert!(error.to_string().contains("second name"), "{error}");
    assert_eq!(drive.text("mine"), "precious");
}
