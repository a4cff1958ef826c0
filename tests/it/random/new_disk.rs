//! The folder is on another disk, by a copy that broke off: what is missing there was deleted by nobody (`docs/sync.md` §1, P2).

use icloudds::engine::pass::Look;
use icloudds::engine::plan::Mode;
use icloudds::model::{SeenIn, State};

use super::history::Twist;
use super::run::Run;
use super::scenarios::{is_at_peace, pass, passes, wait, world};
use crate::sim::{Call, Crash, Fault, Outcome};

const FILES: [&str; 4] = ["a", "d/b", "d/deep/c", "gone/x"];

/// Files, folders and an empty folder, all agreed on.
fn agreed(seed: u64, twists: &[Twist]) -> Run {
    let mut run = world(seed, twists);
    let disk = run.world.disk.clone();
    for folder in ["d", "d/deep", "gone", "empty"] {
        assert!(disk.mkdir(folder));
    }
    for file in FILES {
        assert!(disk.write(file, format!("content of {file}").as_bytes()));
    }
    assert!(disk.write("kept", b"kept"));
    pass(&mut run);
    run
}

/// The copy lost these. The program starts anew on it.
fn copied(run: &mut Run, lost: &[&str]) {
    run.stop();
    let lost: Vec<_> = lost.iter().map(|at| (*at).to_owned()).collect();
    run.world.disk.copy_to_another_disk(&lost, &|_| false, &run.world.drive);
}

const LOST: [&str; 4] = ["a", "d/deep/c", "gone", "empty"];

fn has_all_there(run: &Run, why: &str) {
    for at in FILES.iter().chain(&["empty", "kept"]) {
        assert!(run.world.drive.find(at).is_some(), "{at} is gone on iCloud: {why}");
    }
}

#[test]
fn what_the_copy_lost_comes_again() {
    for twists in
        [&[][..], &[Twist::Permanent], &[Twist::NoBirths], &[Twist::ReuseInodes], &[Twist::SmallGuard]]
    {
        let mut run = agreed(1, twists);
        let ids = FILES.map(|at| run.world.drive.find(at));
        copied(&mut run, &LOST);
        is_at_peace(&mut run);
        has_all_there(&run, &format!("{twists:?}"));
        assert_eq!(FILES.map(|at| run.world.drive.find(at)), ids);
        for at in FILES {
            let read = run.world.disk.read(at);
            assert_eq!(read.as_deref(), Some(format!("content of {at}").as_bytes()), "{twists:?} {at}");
        }
        assert!(run.world.disk.tree().contains_key("empty"));
    }
}

#[test]
fn it_does_wherever_the_first_passes_there_are_cut_short() {
    for how in [Crash::Kill, Crash::PowerCut] {
        for step in 1.. {
            let mut run = agreed(step, &[Twist::Permanent]);
            copied(&mut run, &LOST);
            let mut done = true;
            for _ in 0..2 {
                wait(&run);
                run.world.fuse.crash_after(step);
                done = passes(&mut run);
                if !done {
                    run.world.restart(how);
                }
                run.stop();
            }
            run.world.fuse.renew();
            is_at_peace(&mut run);
            has_all_there(&run, &format!("{how:?} after {step} steps"));
            if done {
                break;
            }
        }
    }
}

/// A kill right after something has come leaves it there, not durable yet; the next look finds it, and then the power goes.
#[test]
fn what_was_found_there_and_goes_with_the_power_was_deleted_by_nobody() {
    for step in 1.. {
        let mut run = agreed(step, &[]);
        copied(&mut run, &LOST);
        run.world.fuse.crash_after(step);
        let done = passes(&mut run);
        run.world.restart(Crash::Kill);
        run.stop();
        // It looks, and notes what it saw.
        assert!(matches!(run.run_for(&Look::whole(), true, Some(0)), Ok(Outcome::Done(_))), "step {step}");
        run.world.restart(Crash::PowerCut);
        run.stop();
        is_at_peace(&mut run);
        has_all_there(&run, &format!("after {step} steps"));
        if done {
            break;
        }
    }
}

#[test]
fn what_cannot_come_yet_is_deleted_by_nobody_meanwhile_and_what_was_seen_is() {
    let mut run = agreed(1, &[Twist::Permanent]);
    copied(&mut run, &LOST);
    for at in 0..4 {
        for call in [Call::Fetch, Call::MakeFolder] {
            run.world.fuse.script(call, at, Fault::Refused);
        }
        pass(&mut run);
        run.stop();
        has_all_there(&run, &format!("after pass {at}"));
    }
    assert!(run.world.disk.delete("kept"));
    pass(&mut run);
    assert!(run.world.drive.find("kept").is_none(), "it was seen on this disk, and deleted there");
    run.world.fuse.calm();
    for _ in 0..3 {
        run.world.clock.advance(std::time::Duration::from_secs(30_000));
        pass(&mut run);
    }
    is_at_peace(&mut run);
    assert!(FILES.iter().all(|at| run.world.drive.find(at).is_some() && run.world.disk.read(at).is_some()));
}

#[test]
fn once_all_was_seen_there_deletions_count_as_ever() {
    let mut run = agreed(1, &[]);
    copied(&mut run, &LOST);
    is_at_peace(&mut run);
    for fresh in [false, true] {
        if fresh {
            run.stop();
        }
        let at = if fresh { "d/b" } else { "a" };
        assert!(run.world.disk.delete(at));
        is_at_peace(&mut run);
        assert!(run.world.drive.find(at).is_none(), "{at}");
    }
    // And where the copy lost nothing.
    copied(&mut run, &[]);
    pass(&mut run);
    assert!(run.world.disk.delete("d/deep"));
    is_at_peace(&mut run);
    assert!(run.world.drive.find("d/deep").is_none());
}

#[test]
fn what_icloud_deleted_or_moved_meanwhile_goes_by_that() {
    let mut run = agreed(1, &[]);
    let drive = run.world.drive.clone();
    copied(&mut run, &LOST);
    assert!(drive.person_trash("a") && drive.move_to("d/deep/c", "") && drive.person_trash("empty"));
    is_at_peace(&mut run);
    let tree = run.world.disk.tree();
    assert!(!tree.contains_key("a") && !tree.contains_key("empty") && drive.find("a").is_none());
    assert!(run.world.disk.read("c").is_some() && run.world.disk.read("gone/x").is_some());
}

#[test]
fn in_upload_only_it_stays_on_icloud_and_nothing_comes() {
    let mut run = agreed(1, &[Twist::UploadOnly]);
    copied(&mut run, &LOST);
    let here = run.world.disk.tree();
    for _ in 0..4 {
        pass(&mut run);
        run.stop();
        has_all_there(&run, "upload-only");
    }
    assert_eq!(run.world.disk.tree(), here);
    assert!(run.world.disk.delete("kept"));
    pass(&mut run);
    assert!(run.world.drive.find("kept").is_none());
    // Brought back from the old disk it is what it was.
    assert!(run.world.disk.write("a", b"content of a"));
    let id = run.world.drive.find("a");
    pass(&mut run);
    assert_eq!(run.world.drive.find("a"), id);
    assert!(run.world.disk.delete("a"));
    pass(&mut run);
    assert!(run.world.drive.find("a").is_none());
}

#[test]
fn in_download_only_it_comes_again_as_ever() {
    let mut run = agreed(1, &[]);
    copied(&mut run, &LOST);
    run.settings.mode = Mode::DownloadOnly;
    for _ in 0..2 {
        pass(&mut run);
    }
    assert!(FILES.iter().all(|at| run.world.disk.read(at).is_some()));
    has_all_there(&run, "download-only");
}

#[test]
fn what_was_held_or_deleted_before_stays_so() {
    let mut run = agreed(1, &[Twist::SmallGuard]);
    let disk = run.world.disk.clone();
    run.world.clock.advance(std::time::Duration::from_secs(200_000));
    for number in 0..12 {
        assert!(disk.write(&format!("many {number}"), format!("many {number}").as_bytes()));
    }
    pass(&mut run);
    run.world.clock.advance(std::time::Duration::from_secs(200_000));
    for number in 0..12 {
        assert!(disk.delete(&format!("many {number}")));
    }
    pass(&mut run);
    let held = run.world.store.durable().guard.held.len();
    assert!(held > 0, "they are held");
    copied(&mut run, &["a"]);
    pass(&mut run);
    assert_eq!(run.world.store.durable().guard.held.len(), held, "nobody said anything else");
    assert!(run.world.drive.find("a").is_some());
    run.decide(true);
    for _ in 0..2 {
        pass(&mut run);
    }
    assert!((0..12).all(|number| run.world.drive.find(&format!("many {number}")).is_none()));
    assert!(run.world.drive.find("a").is_some() && disk.read("a").is_some());
}

#[test]
fn what_could_not_be_read_at_first_is_not_missing_later() {
    let mut run = agreed(1, &[]);
    copied(&mut run, &["d/deep/c"]);
    assert!(run.world.disk.readable("d", false));
    for _ in 0..2 {
        pass(&mut run);
        run.stop();
    }
    assert!(run.world.disk.readable("d", true));
    is_at_peace(&mut run);
    has_all_there(&run, "d can be read");
    assert!(run.world.disk.read("d/deep/c").is_some());
}

#[test]
fn a_file_that_was_copied_in_part_replaces_nothing_for_good() {
    for first in [true, false] {
        let mut run = agreed(1, &[Twist::Permanent]);
        copied(&mut run, &[]);
        if !first {
            assert!(run.world.disk.readable("d", false));
            pass(&mut run);
            assert!(run.world.disk.readable("d", true));
        }
        assert!(run.world.disk.cut("d/b", 5));
        for _ in 0..2 {
            pass(&mut run);
        }
        let kept = run.world.drive.contents();
        assert!(kept.iter().any(|content| **content == *b"content of d/b"), "at once: {first}");
    }
}

#[test]
fn a_state_from_before_learns_the_folder_and_refuses_nothing() {
    let mut run = agreed(1, &[]);
    run.stop();
    let before = State { seen_in: SeenIn::default(), ..run.world.store.durable() };
    run.world.store.bring_back(before);
    assert!(run.world.disk.delete("a"));
    is_at_peace(&mut run);
    assert!(run.world.drive.find("a").is_none());
    copied(&mut run, &["d/b"]);
    is_at_peace(&mut run);
    assert!(run.world.drive.find("d/b").is_some() && run.world.disk.read("d/b").is_some());
}

#[test]
fn where_identities_do_not_last_the_folder_s_own_says_nothing() {
    let mut run = agreed(1, &[Twist::NoIdentities]);
    for at in ["a", "d/b"] {
        run.stop();
        assert!(run.world.disk.delete(at));
        is_at_peace(&mut run);
        assert!(run.world.drive.find(at).is_none());
    }
}

#[test]
fn a_volume_that_is_another_one_after_a_copy_is_met_likewise() {
    for twists in [&[][..], &[Twist::Permanent], &[Twist::NoBirths]] {
        for step in 0.. {
            let mut run = world(1, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("volume") && disk.mount("volume") && disk.mkdir("volume/in"));
            for at in ["volume/lost", "volume/kept", "volume/in/lost", "volume/in/kept", "beside"] {
                assert!(disk.write(at, format!("content of {at}").as_bytes()));
            }
            pass(&mut run);
            run.stop();
            let lost = ["volume/lost", "volume/in/lost"].map(str::to_owned);
            disk.copy_to_another_volume("volume", &lost, &|_| false, &drive);
            wait(&run);
            if step > 0 {
                run.world.fuse.crash_after(step);
            }
            let done = matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_)));
            if !done {
                run.world.restart(Crash::Kill);
                run.stop();
            }
            run.world.fuse.renew();
            is_at_peace(&mut run);
            for at in &lost {
                assert!(drive.find(at).is_some() && disk.read(at).is_some(), "{at} {twists:?} step {step}");
            }
            assert!(disk.delete("volume/kept") && disk.delete("beside"));
            is_at_peace(&mut run);
            assert!(drive.find("volume/kept").is_none() && drive.find("beside").is_none());
            if done && step > 0 {
                break;
            }
        }
    }
}
