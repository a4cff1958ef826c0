//! Restored backups, answers that cover what was shown, clocks that leap between runs, and what `status` tells after a run.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::rig::{Ran, Rig, not_tried};

/// That many files in a folder, the same on both sides.
fn files(count: usize) -> Rig {
    let files: Vec<_> = (0..count).map(|number| (format!("f/{number:03}.txt"), number.to_string())).collect();
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Rig::synced(&files)
}

fn name(number: usize) -> String {
    format!("f/{number:03}.txt")
}

fn status(rig: &Rig) -> Value {
    let shown = rig.run(&["status", "--json"]).expect(0).stdout;
    serde_json::from_str(&shown).expect("a document")
}

#[test]
fn six_files_from_last_night_leave_the_phones_versions_in_recently_deleted() {
    let rig = files(40);
    for number in 0..6 {
        rig.there().write(&name(number), format!("from the phone {number}").as_str()).expect("an edit");
    }
    rig.once();
    assert_eq!(rig.read(&name(5)), "from the phone 5");
    let last_night = SystemTime::now() - Duration::from_secs(12 * 3600);
    for number in 0..6 {
        rig.write(&name(number), number.to_string());
        let file = File::options().write(true).open(rig.at(&name(number))).expect("it opens");
        file.set_modified(last_night).expect("a time");
    }
    let ran = rig.once();
    assert!(
        ran.stderr.contains("older than the version that it replaces, which is in Recently Deleted"),
        "{}",
        ran.stderr
    );
    for number in 0..6 {
        assert_eq!(rig.read_there(&name(number)), number.to_string());
        assert!(rig.trash_there().contains(&name(number)), "{:?}", rig.trash_there());
    }
    assert_eq!(rig.trash_there().len(), 6);
    rig.assert_settled();
}

#[test]
fn an_approval_does_not_cover_what_was_deleted_after_it() {
    let rig = files(100);
    for number in 0..30 {
        rig.rm(&name(number));
    }
    rig.once_unfinished();
    let listed = rig.run(&["approve", "--list"]).expect(0).stdout;
    assert_eq!(listed.lines().filter(|line| line.contains("on iCloud: f/")).count(), 30, "{listed}");
    let shown = rig.run(&["approve"]).expect(0).stdout;
    assert_eq!(shown.lines().filter(|line| line.contains("on iCloud: f/")).count(), 20, "{shown}");
    assert!(shown.contains("10 more") && shown.contains("approve --list"), "{shown}");
    // Before the next run takes it up, all of the folder goes.
    rig.rm("f");
    rig.once_unfinished();
    assert!(
        (30..100).all(|number| rig.there().entry(&name(number)).is_some()),
        "nobody was asked about these"
    );
    assert_eq!(status(&rig)["state"], "guarded");
    assert_eq!(status(&rig)["held_deletes"], 101);
    // Asked about all of it, all of it goes.
    rig.run(&["approve", "--yes"]).expect(0);
    rig.once();
    assert!(rig.there().entry("f").is_none());
    rig.assert_settled();
}

#[test]
fn status_after_a_run_tells_how_it_ended() {
    let mut rig = files(40);
    let told = status(&rig);
    assert_eq!((&told["state"], &told["in_sync"]), (&"idle".into(), &true.into()), "{told:#}");
    assert_eq!(told["counts"]["remote"]["files"], 40);
    assert_eq!(told["running"], false);
    // Edited on both sides, and many deletions.
    rig.write(&name(39), "edited here");
    rig.there().write(&name(39), "edited there").expect("an edit");
    for number in 0..30 {
        rig.rm(&name(number));
    }
    rig.once_unfinished();
    let told = status(&rig);
    assert_eq!((&told["state"], &told["held_deletes"]), (&"guarded".into(), &30.into()), "{told:#}");
    assert_eq!(told["in_sync"], false);
    assert_eq!(told["conflicts"][0]["path"], name(39));
    let text = rig.run(&["status"]).expect(0).stdout;
    assert!(text.contains("30 deletions until `icloudds approve`"), "{text}");
    rig.run(&["approve"]).expect(0);
    rig.once();
    let told = status(&rig);
    assert_eq!((&told["state"], &told["held_deletes"]), (&"idle".into(), &0.into()), "{told:#}");
    // One that cannot begin says why, and keeps what was known.
    let directory = rig.drive().join("missing").display().to_string();
    rig.set_text("sync.directory", &directory);
    assert_ne!(rig.run(&["once"]).exit, 0);
    let told = status(&rig);
    assert_eq!((&told["state"], &told["in_sync"]), (&"wrong-folder".into(), &false.into()), "{told:#}");
    assert!(told["last_error"].as_str().is_some_and(|why| !why.is_empty()), "{told:#}");
}

/// Runs it as if the machine had been up for so many seconds more: against its own clock the wall clock went back.
/// `None` where the kernel lets nobody do that here.
fn once_later(rig: &Rig, seconds: u64) -> Option<Ran> {
    let inner = rig.command(&["once"]);
    let unshare = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--time", "--boottime", &seconds.to_string(), "--fork"]);
        command.arg(program);
        command
    };
    let tried = unshare("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.success()) {
        not_tried("another time since the boot: `unshare --time` cannot be used here");
        return None;
    }
    let mut command = unshare(&inner.get_program().to_string_lossy());
    command.args(inner.get_args()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(rig.finish(command.spawn().expect("it starts")))
}

#[test]
fn a_run_alone_prunes_the_trash_and_tells_a_leap_once() {
    const DAY: u64 = 86_400;
    let mut rig = files(3);
    rig.set("trash.keep_days", "30");
    rig.there().trash(&name(0)).expect("a deletion");
    rig.once();
    assert!(rig.trash_here().contains(&name(0)));
    // What is told apart by the wall clock lies ten seconds apart.
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(11) {
        rig.run(&["status"]).expect(0);
    }
    let Some(ran) = once_later(&rig, 20 * DAY) else { return };
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("clock was set back by 20 days").count(), 1, "{}", ran.stderr);
    assert!(rig.trash_here().contains(&name(0)), "{}", ran.stderr);
    let ran = once_later(&rig, 31 * DAY).expect("as before");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(!rig.trash_here().contains(&name(0)), "{}", ran.stderr);
    rig.once();
}

#[test]
fn sixty_files_that_are_rewritten_on_icloud_can_be_brought_back_whatever_the_trash_may_hold() {
    let mut rig = files(60);
    rig.set_text("trash.max_size", "10B");
    for number in 0..60 {
        rig.there().write(&name(number), format!("encrypted {number}").as_str()).expect("an edit");
    }
    rig.once();
    rig.once();
    let trash = rig.trash_here();
    assert_eq!(trash.lines().skip(1).count(), 60, "{trash}");
    let restored = rig.run(&["trash", "restore", &name(59)]).expect(0).stdout;
    assert!(restored.starts_with("restored as"), "{restored}");
}
