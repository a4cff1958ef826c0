//! Old kernels, and filters of system calls in containers: what is missing, or refused, is done without.

use std::fs;
use std::os::unix::fs::chown;
use std::process::{Command, Stdio};

use super::rig::{Ran, Rig, not_tried, shown};
use crate::cases::side_by_side;

/// The program under a tracer that lets these calls fail; `None` where this machine does not let us trace.
fn without(rig: &Rig, calls: &[(&str, &str)], arguments: &[&str]) -> Option<Ran> {
    let whole = rig.command(arguments);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]);
    for (call, error) in calls {
        // A call that this machine's tracer does not know is marked so that it is no fault of the test.
        command.args(["-e", &format!("inject=?{call}:error={error}")]);
    }
    command.arg(whole.get_program()).args(whole.get_args()).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match command.spawn() {
        Ok(child) => {
            let ran = rig.finish(child);
            if ran.stderr.contains("strace: ") {
                not_tried(format_args!("tracing: {}", ran.stderr));
                return None;
            }
            Some(ran)
        }
        Err(error) => {
            not_tried(format_args!("tracing: {error}"));
            None
        }
    }
}

/// Downloads, replacements, moves and deletions on both sides with these calls failing.
fn story(calls: &[(&str, &str)]) {
    eprintln!("{calls:?}");
    let rig = Rig::signed_in();
    let there = rig.there();
    for path in ["a/edit.txt", "a/move.txt", "gone.txt", "folder/in.txt"] {
        there.write(path, path).expect("a file");
    }
    rig.write("mine.txt", "mine");
    let Some(ran) = without(&rig, calls, &["once"]) else { return };
    ran.expect(0);
    assert_eq!((rig.read("a/edit.txt"), rig.read_there("mine.txt")), ("a/edit.txt".into(), "mine".into()));
    there.write("a/edit.txt", "edited there").expect("an edit");
    there.rename("a/move.txt", "moved.txt").expect("a rename");
    there.trash("gone.txt").expect("a deletion");
    rig.write("mine.txt", "edited here");
    rig.mv("folder", "renamed");
    if let Some(ran) = without(&rig, calls, &["once"]) {
        ran.expect(0);
    }
    assert_eq!(
        (rig.read("a/edit.txt"), rig.read("a/moved.txt")),
        ("edited there".into(), "a/move.txt".into())
    );
    assert_eq!(rig.read_there("mine.txt"), "edited here");
    assert!(!rig.at("gone.txt").exists() && rig.there().entry("renamed/in.txt").is_some());
    // The same with all that this kernel can: nothing is an edit for it.
    rig.assert_settled();
}

#[test]
fn each_call_that_an_old_kernel_lacks_is_done_without() {
    // Everything newer than Linux 3.10 that this program, its crates or its C library may make.
    let newer = [
        "statx",
        "renameat2",
        "openat2",
        "getrandom",
        "copy_file_range",
        "faccessat2",
        "memfd_create",
        "pidfd_open",
        "close_range",
    ];
    side_by_side(newer, |call| {
        story(&[(call, "ENOSYS")]);
    });
    let all: Vec<_> = newer.into_iter().map(|call| (call, "ENOSYS")).collect();
    story(&all);
}

#[test]
fn each_call_that_a_filter_forbids_is_done_without() {
    side_by_side(
        ["statx", "renameat2", "openat2", "getrandom", "copy_file_range", "faccessat2", "prlimit64"],
        |call| {
            story(&[(call, "EPERM")]);
        },
    );
}

#[test]
fn what_a_disk_refuses_and_nobody_needs_keeps_no_file_away() {
    for (call, error) in [
        ("utimensat", "EPERM"),
        ("fchmod", "EPERM"),
        ("fchown", "EPERM"),
        ("fsetxattr", "EPERM"),
        ("fsetxattr", "EOPNOTSUPP"),
        ("flistxattr", "EACCES"),
        ("fgetxattr", "EACCES"),
    ] {
        let rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b")]);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(rig.at("a.txt"), mode).expect("a mode");
        rig.there().write("a.txt", "edited there").expect("an edit");
        rig.there().write("b.txt", "edited there").expect("an edit");
        rig.there().write("new.txt", "new").expect("a file");
        let Some(ran) = without(&rig, &[(call, error)], &["once"]) else { return };
        let ran = ran.expect(0);
        assert!(ran.stderr.matches("this disk takes no").count() <= 1, "{call}: {}", ran.stderr);
        assert_eq!((rig.read("a.txt"), rig.read("new.txt")), ("edited there".into(), "new".into()), "{call}");
        rig.assert_settled();
    }
}

/// The program with so many descriptors: the soft limit and the hard one.
fn with_descriptors(rig: &Rig, soft: u32, hard: u32) -> Ran {
    let whole = rig.command(&["once"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\"")]);
    command.arg(whole.get_program()).args(whole.get_args()).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    rig.finish(command.spawn().expect("a shell"))
}

#[test]
fn the_soft_limit_of_descriptors_is_raised_and_running_out_deletes_nothing() {
    let rig = Rig::signed_in();
    for number in 0..80 {
        rig.there().write(&format!("d{}/{number}.txt", number % 9), "x").expect("a file");
    }
    with_descriptors(&rig, 16, 4096).expect(0);
    rig.assert_settled();
    let (here, there) = (rig.here(), rig.on_icloud());
    for hard in [6, 10, 14, 20] {
        rig.there().write(&format!("new {hard}.txt"), "n").expect("a file");
        let ran = with_descriptors(&rig, hard, hard);
        assert!(!ran.stderr.contains("is gone"), "{hard}: {}", ran.stderr);
        for (path, node) in &here {
            assert_eq!(rig.here().get(path), Some(node), "{hard}: {path} is gone here");
        }
        for (path, node) in &there {
            assert_eq!(rig.on_icloud().get(path), Some(node), "{hard}: {path} is gone on iCloud");
        }
    }
    rig.once();
    rig.assert_settled();
}

#[test]
fn another_user_is_refused_beside_a_service_s_state() {
    let rig = Rig::new();
    fs::create_dir(rig.state()).expect("a folder");
    if chown(rig.state(), Some(12_345), Some(12_345)).is_err() {
        not_tried("a folder of another user's: only root can give one away");
        return;
    }
    let refused = |arguments: &[&str]| {
        let ran = rig.run(arguments).expect(4);
        let sentence = ran.sentence().to_owned();
        assert!(sentence.contains("uid 12345") && sentence.contains("run it as that user"), "{sentence}");
    };
    // A state directory that the service has not used yet, as systemd makes it.
    refused(&["login"]);
    assert_eq!(fs::read_dir(rig.state()).expect("the state").count(), 0, "nothing was written");
    // One that it has used.
    chown(rig.state(), Some(0), Some(0)).expect("root owns it again");
    rig.login();
    rig.once();
    for name in ["", "session.json", "state.redb", "lock"] {
        chown(rig.state().join(name), Some(12_345), Some(12_345)).expect("it is given away");
    }
    for arguments in
        [&["login"][..], &["logout"], &["once"], &["approve"], &["reset-state"], &["trash", "restore", "a"]]
    {
        refused(arguments);
    }
    let shown = shown(&rig.state());
    assert!(fs::metadata(rig.state().join("session.json")).is_ok(), "{shown}: nothing was forgotten");
}

#[test]
fn lost_and_found_of_a_volume_is_left_alone() {
    use std::os::unix::process::CommandExt as _;
    let rig = Rig::synced(&[("a.txt", "a")]);
    rig.mkdir("lost+found");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(rig.at("lost+found"), mode).expect("a mode");
    let given =
        Command::new("chown").args(["-R", "12345:12345"]).arg(rig.drive().parent().expect("above")).status();
    if !given.is_ok_and(|status| status.success()) || chown(rig.at("lost+found"), Some(0), Some(0)).is_err() {
        not_tried("a folder of another user's: only root can give one away");
        return;
    }
    rig.there().write("b.txt", "b").expect("a file");
    let ran = rig.finish(rig.command(&["once"]).uid(12_345).gid(12_345).spawn().expect("the binary starts"));
    let ran = ran.expect(0);
    assert!(!ran.stderr.contains("lost+found"), "{}", ran.stderr);
    assert!(rig.at("b.txt").exists() && rig.at("lost+found").is_dir());
    assert!(rig.there().entry("lost+found").is_none());
}
