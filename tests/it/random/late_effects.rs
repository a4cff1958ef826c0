//! Commits that iCloud carries out after it answered with an error (504): what comes of one is nobody else's change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use icloudds::engine::conflict::is_conflict_name;

use super::run::Run;
use super::scenarios::{is_at_peace, passes, wait, world};
use crate::sim::{Call, Crash, Fault};

const FIRST: &[u8] = b"first";
const SECOND: &[u8] = b"the second";
const THIRD: &[u8] = b"third, and the last";

/// What a person does here after the error, and whether that came out as it should.
type After = (&'static str, fn(&Run) -> bool, fn(&Run) -> bool);

fn holds(run: &Run, path: &str, content: &[u8]) -> bool {
    let (here, there) = (run.world.disk.files(), run.world.drive.tree());
    here == [path] && there.len() == 1 && run.world.disk.read(path).is_some_and(|held| *held == *content)
}

const AFTER: [After; 5] = [
    ("nothing", |_| true, |run| holds(run, "f", SECOND)),
    ("edited", |run| run.world.disk.write("f", THIRD), |run| holds(run, "f", THIRD)),
    ("saved anew", |run| run.world.disk.save("f", THIRD), |run| holds(run, "f", THIRD)),
    ("renamed", |run| run.world.disk.mv("f", "g"), |run| holds(run, "g", SECOND)),
    (
        "renamed and edited",
        |run| run.world.disk.mv("f", "g") && run.world.disk.write("g", THIRD),
        |run| holds(run, "g", THIRD),
    ),
];

#[test]
fn what_takes_effect_after_its_error_makes_no_double_and_no_conflict_with_ourselves() {
    for (is_new, is_killed) in [(true, false), (false, false), (true, true), (false, true)] {
        for (deed, act, is_right) in AFTER {
            for tries in [1, 2, 8] {
                for soon in [1, 20, 50] {
                    for seed in 0..4 {
                        let mut run = world(seed, &[]);
                        if !is_new {
                            assert!(run.world.disk.write("f", FIRST));
                            wait(&run);
                            assert!(passes(&mut run));
                            wait(&run);
                        }
                        assert!(run.world.disk.write("f", SECOND));
                        wait(&run);
                        for _ in 0..tries {
                            run.world.fuse.script(Call::LateCommit, 0, Fault::LateEffect);
                        }
                        passes(&mut run);
                        run.world.fuse.calm();
                        if is_killed {
                            run.world.restart(Crash::Kill);
                        }
                        assert!(act(&run));
                        for _ in 0..4 {
                            run.world.clock.advance(Duration::from_secs(soon));
                            passes(&mut run);
                        }
                        is_at_peace(&mut run);
                        let files = run.world.disk.files();
                        let name = format!(
                            "new: {is_new}, killed: {is_killed}, {deed}, {tries} errors, {soon} s, seed {seed}"
                        );
                        assert!(
                            !files.iter().any(|path| is_conflict_name(path)),
                            "{name}: a conflict with ourselves: {files:?}"
                        );
                        assert!(is_right(&run), "{name}: {files:?}, {:?}", run.world.drive.tree());
                    }
                }
            }
        }
    }
}

/// Look-ups fail in the moment in which it is found: nothing is made of it before they have answers.
#[test]
fn what_came_late_and_cannot_be_looked_up_is_nobody_elses_change() {
    for is_new in [true, false] {
        for fault in [Fault::NoAnswer, Fault::Busy] {
            for seed in 0..8 {
                let mut run = world(seed, &[]);
                if !is_new {
                    assert!(run.world.disk.write("f", FIRST));
                    wait(&run);
                    assert!(passes(&mut run));
                    wait(&run);
                }
                assert!(run.world.disk.write("f", SECOND));
                wait(&run);
                run.world.fuse.script(Call::LateCommit, 0, Fault::LateEffect);
                passes(&mut run);
                run.world.fuse.calm();
                assert!(run.world.disk.write("f", THIRD));
                run.world.clock.advance(Duration::from_secs(70));
                for look in 0..20 {
                    run.world.fuse.script(Call::LookUp, look, fault);
                }
                passes(&mut run);
                run.world.fuse.calm();
                run.world.fuse.await_no_more();
                is_at_peace(&mut run);
                let told = format!("new: {is_new}, {fault:?}, seed {seed}: {:?}", run.world.disk.files());
                assert!(holds(&run, "f", THIRD), "{told}, {:?}", run.world.drive.tree());
            }
        }
    }
}

/// An upload that was answered with an error is watched for three minutes, and until a walk through all of iCloud that began after them.
#[test]
fn what_icloud_answered_with_an_error_is_watched_for_no_longer_than_it_may_come() {
    let mut run = world(1, &[]);
    assert!(run.world.disk.write("f", FIRST));
    wait(&run);
    assert!(passes(&mut run));
    assert!(run.world.disk.write("f", SECOND));
    wait(&run);
    let sent_of = run.world.disk.stamps()[0].1.mtime.whole_seconds();
    run.world.fuse.script(Call::LateCommit, 0, Fault::LateEffect);
    passes(&mut run);
    run.world.fuse.calm();
    for _ in 0..8 {
        wait(&run);
        assert!(passes(&mut run));
    }
    // Long after somebody copies what was sent then over what came since, with its time, while that is edited here.
    assert!(run.world.disk.write("f", THIRD));
    wait(&run);
    assert!(passes(&mut run));
    let id = run.world.drive.find("f").expect("it is there");
    assert!(run.world.drive.edit_dated(&id, SECOND, sent_of) && run.world.disk.write("f", FIRST));
    wait(&run);
    is_at_peace(&mut run);
    let live = run.world.drive.live_contents();
    let holds = |content: &[u8]| live.iter().any(|live| **live == *content);
    assert!(holds(FIRST) && holds(SECOND), "{:?}", run.world.drive.tree());
}

/// A new file came after its error, and was edited on a phone, to the same size, before it is sent once more: the answer shows the phone's version.
#[test]
fn an_answer_that_shows_what_another_device_made_of_it_is_not_taken_for_what_was_sent() {
    const OTHERS: &[u8] = b"the others";
    let mut edited = 0;
    for seed in 0..8 {
        let mut run = world(seed, &[]);
        assert!(run.world.disk.write("f", SECOND));
        wait(&run);
        run.world.fuse.script(Call::LateCommit, 0, Fault::LateEffect);
        let (clock, drive) = (run.world.clock.clone(), run.world.drive.clone());
        let has_edited = Arc::new(AtomicBool::new(false));
        let edits = has_edited.clone();
        run.world.fuse.interject_at(Call::Commit, 0, move || {
            clock.advance(Duration::from_secs(61));
            edits.store(drive.edit("f", OTHERS), Ordering::Relaxed);
        });
        passes(&mut run);
        run.world.fuse.calm();
        run.world.fuse.await_no_more();
        is_at_peace(&mut run);
        edited += usize::from(has_edited.load(Ordering::Relaxed));
        let live = run.world.drive.live_contents();
        let is_live = live.iter().any(|live| **live == *OTHERS);
        assert!(is_live || !has_edited.load(Ordering::Relaxed), "seed {seed}: {:?}", run.world.drive.tree());
        assert_eq!(run.world.disk.tree(), run.world.drive.tree(), "seed {seed}");
    }
    assert!(edited > 2, "only {edited} came in time to be edited");
}

/// What came after its error, was deleted here and is brought back on iCloud is a person's doing: it comes, and stays.
#[test]
fn what_came_late_is_watched_for_no_more() {
    for seed in 0..4 {
        let mut run = world(seed, &[]);
        assert!(run.world.disk.write("f", FIRST));
        wait(&run);
        run.world.fuse.script(Call::LateCommit, 0, Fault::LateEffect);
        assert!(passes(&mut run));
        run.world.fuse.calm();
        wait(&run);
        assert!(passes(&mut run));
        assert!(run.world.disk.delete("f"));
        wait(&run);
        assert!(passes(&mut run));
        let trashed = run.world.drive.trashed();
        assert_eq!(trashed.len(), 1, "seed {seed}");
        assert!(run.world.drive.person_put_back(&trashed[0]));
        wait(&run);
        is_at_peace(&mut run);
        assert!(holds(&run, "f", FIRST), "seed {seed}: {:?}", run.world.drive.tree());
    }
}
