//! The wrong folder, account or state, and two instances.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use super::rig::{Rig, is_root, shown};
use crate::run::daemon::pace;

#[test]
fn the_state_of_another_directory_is_refused() {
    let mut rig = Rig::synced(&[("a.txt", "a")]);
    let other = rig.aside();
    rig.set_text("sync.directory", &shown(&other));
    let ran = rig.run(&["once"]).expect(4);
    assert!(ran.sentence().contains("reset-state"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(&other).expect("readable").count(), 0, "nothing is made in a foreign folder");
    rig.run(&["reset-state"]).expect(0);
    rig.once();
    assert_eq!(fs::read_to_string(other.join("a.txt")).expect("a copy"), "a");
}

#[test]
fn the_state_of_another_root_is_refused() {
    let mut rig = Rig::synced(&[("Sub/a.txt", "a")]);
    rig.set_text("sync.remote_root", "/Sub");
    let ran = rig.run(&["once"]).expect(4);
    assert!(
        ran.sentence().contains("sync.remote_root") && ran.sentence().contains("reset-state"),
        "{}",
        ran.stderr
    );
    assert_eq!(rig.here().len(), 2);
}

#[test]
fn the_state_of_another_account_is_refused() {
    let rig = Rig::synced(&[("a.txt", "a")]);
    rig.run(&["logout"]).expect(0);
    rig.sim.account(|account| account.dsid = "17329999999".to_owned());
    rig.login();
    let ran = rig.run(&["once"]).expect(4);
    assert!(ran.sentence().contains("another") && ran.sentence().contains("reset-state"), "{}", ran.stderr);
    assert_eq!(rig.read("a.txt"), "a");
}

#[test]
fn a_missing_marker_deletes_nothing() {
    let rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b")]);
    // A volume that is not mounted: the folder is there and empty.
    let volume = rig.aside().join("volume");
    fs::rename(rig.drive(), &volume).expect("unmounted");
    fs::create_dir(rig.drive()).expect("an empty mount point");
    let requests = rig.requests(|| drop(rig.run(&["once"]).expect(4)));
    assert_eq!(requests.get("trash"), None, "{requests:?}");
    assert_eq!(rig.on_icloud().len(), 2);
    assert_eq!(fs::read_dir(rig.drive()).expect("readable").count(), 0, "nothing is written either");
    fs::remove_dir(rig.drive()).expect("empty");
    fs::rename(&volume, rig.drive()).expect("mounted again");
    rig.assert_settled();
}

#[test]
fn another_folders_marker_is_refused() {
    let rig = Rig::synced(&[("a.txt", "a")]);
    fs::write(rig.at(".icloudds/id"), "not ours").expect("a marker");
    let ran = rig.run(&["once"]).expect(4);
    assert!(ran.sentence().contains(".icloudds/id"), "{}", ran.stderr);
    assert_eq!(rig.on_icloud().len(), 1);
}

#[test]
fn a_missing_directory_and_one_that_is_none() {
    let mut rig = Rig::signed_in();
    let missing = rig.aside().join("missing");
    rig.set_text("sync.directory", &shown(&missing));
    let ran = rig.run(&["once"]).expect(4);
    assert!(ran.sentence().contains(&shown(&missing)), "{}", ran.stderr);
    assert!(!missing.exists());
    fs::write(&missing, "a file").expect("a file");
    let ran = rig.run(&["once"]).expect(4);
    assert!(ran.sentence().contains(&shown(&missing)), "{}", ran.stderr);
}

#[test]
fn a_copy_of_the_folder_that_broke_off_deletes_nothing_on_icloud() {
    let files: Vec<(String, String)> =
        (0..12).map(|number| (format!("d{}/f{number}", number % 3), format!("content {number}"))).collect();
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    let mut rig = Rig::synced(&files);
    rig.set_text("sync.remote_delete", "permanent");
    let before = rig.on_icloud();
    let old = rig.drive().with_extension("old");
    fs::rename(rig.drive(), &old).expect("another name");
    let copied = Command::new("cp").arg("-a").arg(&old).arg(rig.drive()).status();
    assert!(copied.is_ok_and(|status| status.success()));
    fs::remove_dir_all(&old).expect("the old disk is put away");
    rig.rm("d0/f0");
    rig.rm("d1");
    // A kill amid the first look at it, or later.
    let mut child = rig.spawn(&["run"]);
    pace(Duration::from_millis(300));
    child.kill().and_then(|()| child.wait()).expect("killed");
    let ran = rig.once();
    assert_eq!(rig.on_icloud(), before);
    rig.assert_settled();
    // The file system is one whose numbers last, as before.
    assert!(!ran.stderr.contains("do not last"), "{}", ran.stderr);
    rig.rm("d2/f2");
    rig.once();
    assert!(!rig.on_icloud().contains_key("d2/f2"), "it was seen in this folder, and deleted there");
    rig.assert_settled();
}

#[test]
fn a_read_only_drive_directory_is_exit_4() {
    let mut rig = Rig::signed_in();
    if is_root() {
        // Root writes where modes forbid it; only a read-only file system stops it.
        rig.set_text("sync.directory", "/proc/self/fdinfo");
        let ran = rig.run(&["once"]).expect(4);
        assert!(ran.sentence().contains("/proc/self/fdinfo"), "{}", ran.stderr);
        return;
    }
    fs::set_permissions(rig.drive(), fs::Permissions::from_mode(0o500)).expect("a mode");
    let ran = rig.run(&["once"]).expect(4);
    assert!(ran.sentence().contains(&shown(&rig.drive())), "{}", ran.stderr);
    fs::set_permissions(rig.drive(), fs::Permissions::from_mode(0o700)).expect("a mode");
}

#[test]
fn a_second_instance_is_exit_1_and_names_the_first() {
    let rig = Rig::signed_in();
    rig.there().write("a.txt", "a").expect("a file");
    // Each answer takes long, so that the first is still at it when the second starts.
    rig.sim.switches(|switches| switches.latency = std::time::Duration::from_millis(400));
    let mut first = rig.spawn(&["once"]);
    while rig.sim.count("listing") == 0 {
        assert!(first.try_wait().expect("a state").is_none(), "the first ended early");
        pace(Duration::from_millis(1));
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for command in [&["once"][..], &["reset-state"]] {
        let second = rig.run(command).expect(1);
        let said = second.sentence();
        assert!(said.contains(&first.id().to_string()) && said.contains(&host), "{said}");
    }
    rig.sim.switches(|switches| switches.latency = std::time::Duration::ZERO);
    rig.finish(first).expect(0);
    rig.assert_settled();
}

#[test]
fn a_second_state_for_the_same_drive_is_exit_1_too() {
    let mut rig = Rig::signed_in();
    rig.there().write("a.txt", "a").expect("a file");
    rig.sim.switches(|switches| switches.latency = std::time::Duration::from_millis(400));
    let mut first = rig.spawn(&["once"]);
    while rig.sim.count("listing") == 0 {
        assert!(first.try_wait().expect("a state").is_none(), "the first ended early");
        pace(Duration::from_millis(1));
    }
    let state = rig.aside().join("state");
    rig.set_text("sync.state_directory", &shown(&state));
    let second = rig.run(&["once"]).expect(1);
    assert!(second.sentence().contains(&first.id().to_string()), "{}", second.sentence());
    rig.sim.switches(|switches| switches.latency = std::time::Duration::ZERO);
    rig.finish(first).expect(0);
}

#[test]
fn the_session_is_private_and_survives_no_logout() {
    let rig = Rig::synced(&[("a.txt", "a")]);
    let mode = |name: &str| fs::metadata(rig.state().join(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!((mode("session.json"), mode(".")), (0o600, 0o700));
    rig.run(&["logout"]).expect(0);
    let ran = rig.run(&["once"]).expect(8);
    assert!(ran.sentence().contains("icloudds login"), "{}", ran.stderr);
    rig.login();
    rig.assert_settled();
}
