//! What ordinary situations cost: the requests of each, to the last one. More of them is a fault, fewer a gain that goes into the
//! table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::rig::{Rig, not_tried};
use crate::run::daemon::wait_for;

/// A change that a person makes.
type Change = fn(&Rig);

/// What happened since both sides were equal, and the requests by kind of the `once` that follows: a pass that does it, and one
/// that finds nothing left to do.
const SITUATIONS: [(&str, Change, &str); 13] = [
    ("nothing", |_| {}, "listing 3"),
    (
        "a new file here",
        |rig| rig.write("folder 1/new", "new"),
        "commit 1, details 2, listing 5, upload.content 1, upload.slot 1",
    ),
    (
        "a new file there",
        |rig| rig.there().write("folder 1/new", "new").expect("a file"),
        "details 1, download.content 1, download.info 1, listing 5",
    ),
    (
        "an edit here",
        |rig| rig.write("folder 1/file 1", "edited"),
        "commit 1, details 4, listing 5, upload.content 1, upload.slot 1",
    ),
    (
        "an edit there",
        |rig| rig.there().write("folder 1/file 1", "edited").expect("a file"),
        "download.content 1, download.info 1, listing 5",
    ),
    ("a rename here", |rig| rig.mv("folder 1/file 1", "folder 1/renamed"), "details 3, listing 6, rename 1"),
    ("a rename there", |rig| rig.there().rename("folder 1/file 1", "renamed").expect("a name"), "listing 5"),
    (
        "a move here",
        |rig| rig.mv("folder 1/file 1", "folder 2/moved"),
        "details 3, listing 6, move 1, rename 1",
    ),
    ("a move there", |rig| rig.there().move_to("folder 1/file 1", "folder 2").expect("a move"), "listing 5"),
    ("a deletion here", |rig| rig.rm("folder 1/file 1"), "details 2, listing 5, trash 1"),
    ("a deletion there", |rig| rig.there().trash("folder 1/file 1").expect("a file"), "details 1, listing 5"),
    (
        "a folder of 30 files here",
        |rig| (0..30).for_each(|file| rig.write(&format!("new/{file}"), format!("content {file}"))),
        "commit 30, create 1, details 1, listing 6, upload.content 30, upload.slot 30",
    ),
    (
        "a folder of 30 files there",
        |rig| {
            rig.there().folder("new").expect("a folder");
            (0..30).for_each(|file| {
                rig.there().write(&format!("new/{file}"), &*format!("content {file}")).expect("a file");
            });
        },
        "details 1, download.content 30, download.info 2, listing 5",
    ),
];

/// Two folders of three files each, the same on both sides, and nothing that has to be looked at once more.
fn world() -> Rig {
    let mut rig = Rig::signed_in();
    // One after the other, so that nothing depends on who is quicker.
    rig.set("sync.max_workers", "1");
    for folder in 1..=2 {
        for file in 1..=3 {
            let path = format!("folder {folder}/file {file}");
            rig.there().write_at(&path, &*format!("{path} as it was"), 1_600_000_000_000).expect("a file");
        }
    }
    rig.once();
    rig.assert_settled();
    rig
}

#[test]
fn every_situation_asks_so_often_and_no_more() {
    let mut wrong = String::new();
    for (what, change, expected) in SITUATIONS {
        let rig = world();
        change(&rig);
        let begun = Instant::now();
        let mut requests = rig.requests(|| drop(rig.once()));
        let took = begun.elapsed();
        // Folders, not requests.
        requests.remove("listing.folders");
        let told = |requests: &BTreeMap<String, u64>| {
            let found: Vec<_> = requests.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            found.join(", ")
        };
        let found = told(&requests);
        // A look at a folder counts for 20 seconds: a machine that is busy with other things asks again.
        let is_expected = (0..=took.as_secs() / 20).any(|again| {
            let mut requests = requests.clone();
            if let Some(count) = requests.get_mut("details") {
                *count = count.saturating_sub(again);
            }
            told(&requests) == expected
        });
        if !is_expected {
            let _ = writeln!(wrong, "{what}: {found}\n  expected: {expected}");
        }
        rig.assert_equal();
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Before it is read, since it was written within the hour, and with the note of its upload; what the base learns of it needs no third time.
#[test]
fn a_file_that_goes_up_is_made_durable_twice_at_most() {
    // So few that no file system is synced as a whole.
    const FILES: usize = 12;
    let rig = Rig::signed_in();
    for number in 0..FILES {
        rig.write(&format!("f{number:02}"), format!("content {number}"));
    }
    // What was written within two seconds is read once more later.
    let written = Instant::now();
    wait_for("that they are no new ones", String::new, || {
        (written.elapsed() > Duration::from_secs(3)).then_some(())
    });
    let whole = rig.command(&["once"]);
    let trace = rig.aside().join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-y", "-e", "trace=fsync,fdatasync,syncfs", "-o"]).arg(&trace);
    command.arg(whole.get_program()).args(whole.get_args()).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(child) = command.spawn() else { return not_tried("tracing: no strace here") };
    let ran = rig.finish(child);
    if ran.stderr.contains("strace: ") {
        return not_tried(format_args!("tracing: {}", ran.stderr));
    }
    ran.expect(0);
    let text = fs::read_to_string(trace).expect("a trace");
    for number in 0..FILES {
        let path = format!("/f{number:02}>");
        let times = text.lines().filter(|line| line.contains("sync(") && line.contains(&path)).count();
        assert!((1..=2).contains(&times), "{path} {times} times:\n{text}");
    }
    rig.assert_settled();
}
