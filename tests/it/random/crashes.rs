//! Crash points: one plan that holds every kind of operation, and a crash after each single effect of it.

use super::history::{History, Twist};
use super::oracle;
use super::run::Run;
use crate::sim::{Crash, Outcome, Thing, World};
use icloudds::engine::pass::Look;

/// A setting without chance: nobody acts but the test.
fn plain(seed: u64) -> Run {
    Run::new(
        &History {
            seed,
            twists: Vec::new(),
            odd: true,
            apart: false,
            hints: false,
            clocks_are_set: false,
            ops: Vec::new(),
        },
        None,
        false,
    )
}

/// Many new files here, in folders that are new and in one that is not, and a setting in which their commits overlap.
fn many_new(seed: u64, takes_overlaps: bool) -> Run {
    let mut twists = vec![Twist::SideBySide(4)];
    twists.extend(takes_overlaps.then_some(Twist::TakesOverlaps));
    let history = History {
        seed,
        twists,
        odd: false,
        apart: false,
        hints: false,
        clocks_are_set: false,
        ops: Vec::new(),
    };
    let mut run = Run::new(&history, None, false);
    assert!(run.world.disk.mkdir("known") && run.world.disk.write("known/first", b"the first"));
    run.world.clock.advance(std::time::Duration::from_secs(100));
    assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))));
    for folder in ["new", "new/deep"] {
        assert!(run.world.disk.mkdir(folder));
    }
    for (number, folder) in
        ["known", "known", "new", "new", "new/deep", "", "", "new", "known"].iter().enumerate()
    {
        let slash = if folder.is_empty() { "" } else { "/" };
        let content = format!("content {number}");
        assert!(run.world.disk.write(&format!("{folder}{slash}file {number}"), content.as_bytes()));
    }
    run.world.clock.advance(std::time::Duration::from_secs(100));
    run
}

#[test]
fn a_crash_amid_commits_side_by_side_is_survived() {
    for takes_overlaps in [true, false] {
        let mut widest = 0;
        for how in [Crash::Kill, Crash::PowerCut] {
            for step in 1.. {
                let mut run = many_new(step, takes_overlaps);
                run.world.fuse.crash_after(step);
                let is_over = matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_)));
                widest = run.world.drive.widths().into_iter().max().unwrap_or(0).max(widest);
                if is_over {
                    assert!(step > 60, "the plan has only {step} steps");
                    break;
                }
                run.world.restart(how);
                if step % 3 == 0 {
                    run.world.fuse.crash_after(1 + step % 17);
                    drop(run.run(&Look::whole(), true));
                    run.world.restart(how);
                }
                let result = oracle::at_any_time(&run).and_then(|()| oracle::after_quiet(&mut run));
                if let Err(broken) = result {
                    panic!("{how:?} after step {step}, takes overlaps: {takes_overlaps}: {broken}");
                }
                let files =
                    run.world.drive.tree().into_values().filter(|thing| matches!(thing, Thing::File(_)));
                assert_eq!(files.count(), 10, "{how:?} after step {step}: none is lost, none is doubled");
            }
        }
        assert_eq!(widest, if takes_overlaps { 4 } else { 2 }, "takes overlaps: {takes_overlaps}");
    }
}

/// Everything that persons can do to a synced tree, on both sides at once.
fn everything(world: &World) {
    let (disk, drive) = (&world.disk, &world.drive);
    assert!(drive.edit("download", b"edited there"));
    assert!(disk.write("upload", b"edited here"));
    assert!(disk.save("saved", b"saved here over"));
    assert!(drive.move_to("moved there", "keep"));
    assert!(disk.mv("moved here", "keep/new name"));
    assert!(disk.mv("folder here", "keep/folder") && drive.edit("folder here/inner", b"edited inside"));
    assert!(disk.mv("a", "t") && disk.mv("b", "a") && disk.mv("t", "b"));
    assert!(drive.person_rename("x", "t") && drive.person_rename("y", "x") && drive.person_rename("t", "y"));
    assert!(drive.person_trash("trashed there") && disk.delete("trashed here"));
    assert!(disk.delete("folder gone here") && drive.person_trash("folder gone there"));
    assert!(disk.write("conflict", b"this side") && drive.edit("conflict", b"that side"));
    assert!(disk.mkdir("new here") && disk.write("new here/file", b"made here"));
    assert!(drive.mkdir("new there").is_some() && drive.create("new there/file", b"made there").is_some());
    assert!(
        drive.create("new there/empty", b"").is_some()
            && drive.package("new there/package", b"zip").is_some()
    );
    assert!(drive.create("same", b"same on both").is_some() && disk.write("same", b"same on both"));
    assert!(disk.write("claimed", b"a file here") && drive.mkdir("claimed").is_some());
}

/// A world in which all of that waits for the next pass.
fn prepared(seed: u64) -> Run {
    let mut run = plain(seed);
    for folder in ["keep", "folder here", "folder gone here", "folder gone there"] {
        assert!(run.world.disk.mkdir(folder));
    }
    let files = [
        "download",
        "upload",
        "saved",
        "moved there",
        "moved here",
        "folder here/inner",
        "a",
        "b",
        "x",
        "y",
        "trashed there",
        "trashed here",
        "folder gone here/inner",
        "folder gone there/inner",
        "conflict",
    ];
    for file in files {
        assert!(run.world.disk.write(file, format!("{file} as agreed").as_bytes()));
    }
    run.world.clock.advance(std::time::Duration::from_secs(100));
    for _ in 0..2 {
        assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))));
        run.world.clock.advance(std::time::Duration::from_secs(100));
    }
    everything(&run.world);
    run.world.clock.advance(std::time::Duration::from_secs(100));
    run
}

#[test]
fn a_crash_after_any_effect_is_survived() {
    for how in [Crash::Kill, Crash::PowerCut] {
        for step in 1.. {
            let mut run = prepared(step);
            run.world.fuse.crash_after(step);
            let outcome = run.run(&Look::whole(), true);
            if matches!(outcome, Ok(Outcome::Done(_))) {
                assert!(step > 200, "the plan has only {step} steps");
                break;
            }
            run.world.restart(how);
            // Every third time the restart itself does not get far either.
            if step % 3 == 0 {
                run.world.fuse.crash_after(1 + step % 17);
                drop(run.run(&Look::whole(), true));
                run.world.restart(how);
            }
            let result = oracle::at_any_time(&run).and_then(|()| oracle::after_quiet(&mut run));
            if let Err(broken) = result {
                panic!("{how:?} after step {step}: {broken}");
            }
        }
    }
}

#[test]
fn a_person_who_acts_after_any_effect_is_met_by_the_next_pass() {
    for step in 1.. {
        let mut run = prepared(step);
        let (disk, drive, clock) = (run.world.disk.clone(), run.world.drive.clone(), run.world.clock.clone());
        run.world.fuse.interject(step, move || {
            clock.advance(std::time::Duration::from_millis(3));
            for (path, text) in
                [("download", "a"), ("upload", "b"), ("conflict", "c"), ("keep/folder/inner", "d")]
            {
                disk.save(path, format!("here, at once {text}").as_bytes());
                drive.edit(path, format!("there, at once {text}").as_bytes());
            }
            drop(drive.create("folder gone here/late", b"came late"));
            disk.write("folder gone there/late", b"came late here");
            clock.advance(std::time::Duration::from_millis(3));
        });
        let begin = run.world.fuse.steps();
        assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_))));
        if begin + step > run.world.fuse.steps() {
            assert!(step > 200, "the plan has only {step} steps");
            break;
        }
        if let Err(broken) = oracle::after_quiet(&mut run) {
            panic!("after step {step}: {broken}");
        }
    }
}
