//! Files that a start reads back, made by somebody else. The library's tests try each form (`src/disk/tests/forged.rs`).

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use crate::e2e::rig::{Rig, is_root, shown};

/// Somebody who is not the user of these tests.
const STRANGER: u32 = 54321;

fn forge(rig: &Rig, park: &str) -> std::path::PathBuf {
    let record = rig.at(".icloudds/tmp/1.step");
    fs::create_dir_all(record.parent().expect("a folder")).expect("a folder");
    let text = serde_json::json!({"Parked": {"park": park, "home": "a", "goal": "loot"}}).to_string();
    fs::write(&record, text).expect("written");
    record
}

#[test]
fn a_forged_record_takes_no_file_from_elsewhere_to_icloud() {
    let rig = Rig::synced(&[("mine", "mine")]);
    let victim = rig.aside().join("id_ed25519");
    fs::write(&victim, "the private key").expect("written");
    let climbing = format!("../../../aside/{}", victim.file_name().expect("a name").to_string_lossy());
    for park in [shown(&victim), climbing] {
        let record = forge(&rig, &park);
        let ran = rig.once();
        assert!(ran.stderr.contains("left alone .icloudds/tmp/1.step"), "{}", ran.stderr);
        assert_eq!(fs::read_to_string(&victim).expect("still there"), "the private key");
        assert!(record.exists());
        assert_eq!(rig.there().tree().keys().collect::<Vec<_>>(), ["mine"]);
    }
    rig.assert_equal();
}

#[test]
fn somebody_elses_private_folder_is_refused_and_named() {
    if !is_root() {
        return;
    }
    let rig = Rig::synced(&[("mine", "mine")]);
    let victim = rig.aside().join("key");
    fs::write(&victim, "the private key").expect("written");
    forge(&rig, &shown(&victim));
    chown(rig.at(".icloudds"), Some(STRANGER), None).expect("given away");
    let ran = rig.run(&["once"]).expect(4);
    assert!(ran.sentence().contains("uid 54321"), "{}", ran.stderr);
    assert!(victim.exists());
    chown(rig.at(".icloudds"), Some(0), None).expect("given back");
    rig.assert_settled();
}

#[test]
fn what_others_could_write_in_the_state_directory_is_not_believed() {
    let rig = Rig::synced(&[("mine", "mine")]);
    let state = rig.state();
    let mode = |path: &std::path::Path, bits| {
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).expect("a mode");
    };
    // In a folder that nobody else can enter a mode is only a slip.
    mode(&state.join("state.redb"), 0o666);
    mode(&state.join("session.json"), 0o666);
    let ran = rig.once();
    assert!(
        ran.stderr.contains("session.json could be read by others; its mode is now 0600"),
        "{}",
        ran.stderr
    );
    assert!(!state.join("session.json.damaged").exists());

    mode(&state, 0o777);
    mode(&state.join("state.redb"), 0o666);
    let ran = rig.once();
    assert!(ran.stderr.contains("others could write to it (mode 666)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing is deleted"), "{}", ran.stderr);
    rig.assert_settled();

    mode(&state.join("session.json"), 0o666);
    let ran = rig.run(&["once"]);
    assert!(
        ran.stderr.contains("session.json cannot be used (others could write to it (mode 666))"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.exit, 8, "a new sign-in needs a code: {}", ran.stderr);
    assert!(state.join("session.json.damaged").exists());
}
