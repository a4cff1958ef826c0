//! The words that people read.

use icloudds::status::DaemonState;
use icloudds_simulator::fault::Effect;

use crate::e2e::rig::Rig;
use crate::golden::assert_golden;
use crate::run::daemon::{Daemon, hurry};

const COMMANDS: [&str; 20] = [
    "run",
    "once",
    "plan",
    "login",
    "code",
    "status",
    "health",
    "why",
    "sync-now",
    "approve",
    "pause",
    "resume",
    "trash",
    "logout",
    "check-config",
    "diagnose",
    "reset-state",
    "licences",
    "completions",
    "man",
];

#[test]
fn the_help_is_what_was_read_over() {
    let rig = Rig::new();
    let mut text = rig.run(&["--help"]).expect(0).stdout;
    for command in COMMANDS {
        text.push_str(&format!("\n--- {command}\n{}", rig.run(&[command, "--help"]).expect(0).stdout));
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    assert_golden("words/help.txt", &text);
}

#[test]
fn plans_and_reasons_are_what_was_read_over() {
    let mut rig = Rig::synced(&[
        ("kept.txt", "k"),
        ("old.txt", "o"),
        ("gone here.txt", "g"),
        ("gone there.txt", "g"),
        ("both.txt", "b"),
    ]);
    rig.set("sync.ignore", "['ignored']");
    rig.write("new here.txt", "n");
    rig.write("folder/inner.txt", "i");
    rig.write("ignored.tmp", "x");
    rig.write("both.txt", "edited here, and longer");
    rig.mv("old.txt", "renamed.txt");
    rig.rm("gone here.txt");
    std::os::unix::fs::symlink("kept.txt", rig.at("link")).expect("a link");
    rig.there().write("new there.txt", "n").expect("a file");
    rig.there().trash("gone there.txt").expect("a deletion");
    rig.there().write("both.txt", "edited there").expect("a file");
    let plan = rig.run(&["plan"]).expect(0).stdout;
    // The name of a conflict copy holds time and host.
    let mask = regex::Regex::new(r"\(conflict [^)]*\)").expect("an expression");
    let mut text = mask.replace_all(&plan, "(conflict TIME HOST)").into_owned();
    let ids = regex::Regex::new(r"(id|etag|inode) [^,\n]*").expect("an expression");
    for path in ["kept.txt", "ignored.tmp", "never was.txt", "both.txt"] {
        let why = rig.run(&["why", path]).expect(0).stdout;
        text.push_str(&format!("\n--- why {path}\n{}", ids.replace_all(&why, "$1 …")));
    }
    assert_golden("words/plan.txt", &text);
}

#[test]
fn what_needed_a_person_is_over_once_that_person_signed_in() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    let status = rig.run(&["status"]).expect(0).stdout;
    assert!(status.contains("not looked at yet"), "nothing was seen on iCloud: {status}");
    assert!(status.contains("last error"), "{status}");
    // No pass comes to its end.
    rig.fault(Some("listing"), 0, 1000, Effect::StallMs(20_000));
    rig.login();
    daemon.wait("the error is over", || daemon.status().last_error.is_none());
    assert_eq!(daemon.status().totals.passes, 0);
    rig.sim.switches(|switches| switches.faults.clear());
    daemon.settle();
    daemon.stop();
}

#[test]
fn the_trash_is_listed_for_people() {
    let rig = Rig::synced(&[("old.txt", "o")]);
    rig.there().write("large.bin", vec![1; 200_000]).expect("a file");
    rig.once();
    rig.there().trash("large.bin").expect("a deletion");
    rig.there().trash("old.txt").expect("a deletion");
    rig.once();
    let text = rig.trash_here();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("{:<19}  {:>8}  PATH", "WHEN", "SIZE"));
    assert_eq!(lines.len(), 3, "{text}");
    let line = |path: &str| {
        lines.iter().find(|line| line.ends_with(path)).copied().unwrap_or_else(|| panic!("{text}"))
    };
    assert!(line("  large.bin").contains("    200 kB  "), "{text}");
    assert!(line("  old.txt").contains("       1 B  "), "{text}");
}

#[test]
fn once_beside_a_daemon_names_the_command_that_is_meant() {
    let rig = crate::run::daemon::quick();
    let daemon = Daemon::synced(&rig);
    let ran = rig.run(&["once"]).expect(1);
    assert!(
        ran.sentence().contains("another instance") && ran.sentence().contains("icloudds sync-now"),
        "{}",
        ran.stderr
    );
    daemon.stop();
}
