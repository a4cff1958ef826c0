//! An edit of the same size so soon after a look that it leaves all times as the look saw them (`docs/sync.md` §3, racy): contents tell, where
//! the times may be too young, by whatever clock makes them.

use std::time::Duration;

use icloudds::engine::pass::{LocalLook, Look, RemoteLook};

use super::history::Twist;
use super::scenarios::{is_at_peace, passes, wait, world};
use crate::sim::{Crash, Outcome};

const FIRST: &[u8] = b"the first version";
const SECOND: &[u8] = b"a second version!";

/// How a file comes to be agreed on.
const WAYS: [&str; 3] = ["uploaded", "downloaded", "met on both sides"];

#[test]
fn an_edit_in_the_moment_of_a_look_is_found_by_any_clock() {
    for ahead in [0, -86_400, -30, -3, 3, 30, 86_400] {
        for (way, restarts) in WAYS.iter().flat_map(|way| [(way, false), (way, true)]) {
            let told = format!("{ahead} s ahead, {way}, restarted: {restarts}");
            let mut run = world(1, &[Twist::ServersClock(ahead)]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(*way == "uploaded" || drive.create("f", FIRST).is_some());
            assert!(*way == "downloaded" || disk.write("f", FIRST));
            assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))), "{told}");
            assert!(disk.map_write("f", SECOND), "{told}");
            if restarts {
                run.world.restart(Crash::Kill);
            }
            wait(&run);
            is_at_peace(&mut run);
            let found = drive.find("f").and_then(|id| drive.item(&id));
            assert!(found.is_some_and(|item| *item.body == *SECOND), "{told}");
        }
    }
}

/// A phone's edit, in the very second of one here and of its size, comes to iCloud before ours goes up, which a kill cuts short: it is not ours.
#[test]
fn an_edit_of_the_same_second_is_not_what_was_to_go_up() {
    for step in 0.. {
        let mut run = world(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("f", b"agreed on"));
        assert!(passes(&mut run));
        wait(&run);
        assert!(disk.write("f", FIRST) && drive.edit("f", SECOND));
        run.world.clock.advance(Duration::from_secs(600));
        // Renamed and back: it changed long after it was written, as far as its times tell.
        assert!(disk.mv("f", "g") && disk.mv("g", "f"));
        run.world.fuse.crash_after(step);
        let here = Look { local: LocalLook::Whole, remote: RemoteLook::Nothing };
        let done = matches!(run.run(&here, true), Ok(Outcome::Done(_)));
        run.world.restart(Crash::Kill);
        is_at_peace(&mut run);
        let live = drive.live_contents();
        for content in [FIRST, SECOND] {
            assert!(live.iter().any(|found| **found == *content), "step {step}: {:?}", drive.tree());
        }
        if done {
            break;
        }
    }
}

/// What is taken away was read in the second of its last change, and is edited in that second once more.
#[test]
fn an_edit_of_the_second_in_which_it_was_read_is_not_taken_away_unseen() {
    for deleted in [false, true] {
        let mut in_time = 0;
        for step in 0.. {
            let mut run = world(step, &[Twist::CoarseTimes]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(drive.create("f", FIRST).is_some());
            assert!(passes(&mut run));
            match deleted {
                true => assert!(drive.person_trash("f")),
                false => assert!(drive.edit("f", b"a third version, somewhat longer")),
            }
            let person = disk.clone();
            let before = disk.stamps();
            let told = run.world.disk.clone();
            let is_hidden = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
            let hidden = is_hidden.clone();
            run.world.fuse.interject(step, move || {
                let is_same = person.forge("f", SECOND) && told.stamps() == before;
                hidden.store(is_same, std::sync::atomic::Ordering::Relaxed);
            });
            let begin = run.world.fuse.steps();
            assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_))));
            let over = begin + step > run.world.fuse.steps();
            is_at_peace(&mut run);
            if is_hidden.load(std::sync::atomic::Ordering::Relaxed) {
                in_time += 1;
                let live = drive.live_contents();
                assert!(
                    live.iter().any(|found| **found == *SECOND),
                    "deleted: {deleted}, step {step}: {:?}",
                    drive.tree()
                );
            }
            if over {
                break;
            }
        }
        assert!(in_time > 5, "deleted: {deleted}: only {in_time} edits left the stamp as it was");
    }
}
