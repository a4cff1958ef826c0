//! A machine that is short of something, and what is told of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use icloudds::status::DaemonState;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::daemon::{Daemon, quick};
use crate::e2e::rig::Rig;

#[test]
fn a_daemon_without_descriptors_waits_and_never_takes_the_folder_for_gone() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    let pid = Pid::from_raw(i32::try_from(daemon.pid()).expect("a process")).expect("a process");
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("its descriptors").count() as u64;
    let none = Rlimit { current: Some(open), maximum: Some(4096) };
    prlimit(Some(pid), Resource::Nofile, none).expect("the limit of a child");
    rig.write("b.txt", "b");
    rig.there().write("c.txt", "c").expect("a file");
    let looks = rig.sim.count("listing");
    // So long that it has looked several times, and could do nothing.
    daemon.wait("its rounds", || {
        let log = daemon.log();
        log.contains("open files") || log.contains("os error 24") || rig.sim.count("listing") > looks + 3
    });
    let could_not = !rig.at("c.txt").exists();
    let all = Rlimit { current: Some(4096), maximum: Some(4096) };
    prlimit(Some(pid), Resource::Nofile, all).expect("the limit of a child");
    assert!(could_not, "it worked without descriptors, so this shows nothing");
    daemon.settle();
    assert_eq!((rig.read("c.txt"), rig.read_there("b.txt")), ("c".to_owned(), "b".to_owned()));
    assert_eq!(daemon.status().state, DaemonState::Idle);
    let said = daemon.stop();
    for word in ["wrong-folder", "is not the folder", "does not exist", "is gone"] {
        assert!(!said.contains(word), "{word}: {said}");
    }
    rig.assert_equal();
}

#[test]
fn what_others_can_read_and_a_zone_that_is_none_are_warned_of_by_name() {
    let mut rig = Rig::signed_in();
    let password = rig.sim.core().state().account.password.clone();
    let file = rig.aside().join("password.txt");
    fs::write(&file, password).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("a mode");
    rig.unset("account.password").set_text("account.password_file", &file.display().to_string());
    fs::set_permissions(rig.state(), fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::set_permissions(rig.state().parent().expect("a folder"), fs::Permissions::from_mode(0o755))
        .expect("a mode");
    let mut command = rig.command(&["once"]);
    command.env("TZ", "Middle/Earth");
    let ran = rig.finish(command.spawn().expect("it starts")).expect(0);
    let warns = |text: &str| ran.stderr.lines().any(|line| line.contains(" WARN ") && line.contains(text));
    assert!(warns("TZ=\"Middle/Earth\" names no time zone"), "{}", ran.stderr);
    assert!(warns(&format!("others can read {}", file.display())), "{}", ran.stderr);
    assert!(
        warns(&format!("others can read the state directory {}", rig.state().display())),
        "{}",
        ran.stderr
    );
    // What nobody else can read is not spoken of.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
    fs::set_permissions(rig.state(), fs::Permissions::from_mode(0o700)).expect("a mode");
    let ran = rig.once();
    assert!(!ran.stderr.contains("others can read") && !ran.stderr.contains("time zone"), "{}", ran.stderr);
}

#[test]
fn no_core_file_holds_what_it_knows() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).expect("its limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    let words: Vec<_> = core.split_whitespace().collect();
    assert_eq!(&words[4..6], ["0", "0"], "{core}");
    daemon.stop();
}

#[test]
fn a_code_that_was_refused_is_an_ordinary_number_afterwards() {
    let mut rig = Rig::new();
    super::daemon::hurry(&mut rig);
    rig.there().write("2026/trip 2026.txt", "x").expect("a file");
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    rig.run(&["code", "--send"]).expect(0);
    rig.run(&["code", "2026"]).expect(11);
    let code = rig.sim.device_code().expect("a code");
    rig.run(&["code", &code]).expect(0);
    daemon.settle();
    let why = rig.run(&["why", "2026/trip 2026.txt"]).expect(0).stdout;
    assert!(why.contains("2026/trip 2026.txt") && !why.contains("***"), "{why}");
    let said = daemon.stop();
    assert!(said.contains("2026/trip 2026.txt"), "{said}");
}
