//! Contents that persons did not sync, and the power goes: what the base says of a file is durable before it says it
//! (`docs/sync.md` §5).

use icloudds::engine::ports::Disk;
use icloudds::model::{DiskTime, RelPath};

use super::history::Twist;
use super::run::Run;
use super::scenarios::{is_at_peace, passes, wait, world};
use crate::sim::{Bytes, Crash, Outcome, SimDisk};

/// So many ways of losing what was not synced are tried.
pub const CUTS: u64 = 40;

pub const FIRST: &[u8] = b"the first version, synced by all";
const SECOND: &[u8] = b"a second version, synced by none";

/// A world in which persons never sync.
pub fn lazy(cut: u64, twists: &[Twist]) -> Run {
    let twists: Vec<_> = twists.iter().copied().chain([Twist::LosesContents]).collect();
    world(cut, &twists)
}

pub fn pass(run: &mut Run) {
    wait(run);
    assert!(passes(run));
    wait(run);
}

fn everywhere(run: &Run) -> Vec<Bytes> {
    let mut all = run.world.drive.contents();
    all.extend(run.world.disk.trash_contents());
    all.extend(run.world.disk.files().iter().filter_map(|path| run.world.disk.read(path)));
    all
}

fn is_somewhere(run: &Run, content: &[u8]) -> bool {
    everywhere(run).iter().any(|held| **held == *content)
}

/// The ways in which programs write a second version of a file.
type Way = fn(&SimDisk) -> bool;
const WAYS: [(&str, Way); 5] = [
    ("in place", |disk| disk.write("f", SECOND)),
    ("as an editor", |disk| disk.save("f", SECOND)),
    ("with the old time", |disk| disk.forge("f", SECOND)),
    ("over another file", |disk| disk.write("g", SECOND) && disk.mv("g", "f")),
    ("under another name", |disk| disk.write("f", SECOND) && disk.mv("f", "h")),
];

#[test]
fn what_the_power_left_of_a_restore_under_the_agreed_time_takes_nothing_away() {
    let time = DiskTime::new(1_700_000_000, 5_000_000);
    for left in [&b"a part"[..], b"another of its size"] {
        let mut run = lazy(1, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write_at("f", FIRST, Some(time)));
        pass(&mut run);
        assert!(disk.write_at("f", left, Some(time)));
        wait(&run);
        is_at_peace(&mut run);
        assert!(drive.contents().iter().any(|content| **content == *FIRST), "it is in iCloud's trash");
    }
}

#[test]
fn a_file_that_is_empty_suddenly_takes_no_version_away() {
    for made_anew in [false, true] {
        let mut run = lazy(1, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("f", FIRST));
        pass(&mut run);
        wait(&run);
        // The times are those of the writing that the power cut short.
        if made_anew {
            assert!(disk.write("new", b"") && disk.mv("new", "f"));
        } else {
            assert!(disk.write("f", b""));
        }
        wait(&run);
        is_at_peace(&mut run);
        assert!(drive.contents().iter().any(|content| **content == *FIRST), "it is in iCloud's trash");
        assert!(drive.live_contents().iter().any(|content| content.is_empty()));
    }
}

#[test]
fn what_a_place_held_before_is_known_whoever_stands_there_now() {
    let saved_there: fn(&Run) = |run| {
        let drive = &run.world.drive;
        assert!(drive.person_trash("f") && drive.create("f", SECOND).is_some());
    };
    let moved_over_here: fn(&Run) = |run| {
        let disk = &run.world.disk;
        assert!(disk.write("new", SECOND) && disk.mv("new", "f"));
    };
    let edited_here: fn(&Run) = |run| assert!(run.world.disk.write("f", SECOND));
    for (how, change, twists) in [
        ("saved there", saved_there, &[][..]),
        ("saved there", saved_there, &[Twist::NoIdentities]),
        ("moved over it here", moved_over_here, &[]),
        ("edited here", edited_here, &[]),
        ("edited here", edited_here, &[Twist::TrashWay]),
    ] {
        let mut run = lazy(1, twists);
        assert!(run.world.disk.write("f", FIRST));
        pass(&mut run);
        change(&run);
        is_at_peace(&mut run);
        // Restored by a tool that sets no times.
        assert!(run.world.disk.write("f", FIRST));
        wait(&run);
        is_at_peace(&mut run);
        let contents = run.world.drive.contents();
        assert!(
            contents.iter().any(|content| **content == *SECOND),
            "{how}, {twists:?}: it is in iCloud's trash"
        );
    }
}

#[test]
fn what_the_power_left_of_the_same_content_saved_again_takes_nothing_away() {
    let mut torn = 0;
    for cut in 0..CUTS {
        let mut run = lazy(cut, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("f", FIRST));
        pass(&mut run);
        assert!(disk.write("f", FIRST));
        run.world.restart(Crash::PowerCut);
        torn += usize::from(disk.read("f").is_some_and(|left| !left.is_empty() && *left != *FIRST));
        // Nobody can tell what is left of it from an edit, so that a trash is where it may be.
        run.world.journal.is_recoverable(&Bytes::from(FIRST));
        is_at_peace(&mut run);
        assert!(drive.contents().iter().any(|content| **content == *FIRST), "cut {cut}");
    }
    assert!(torn > 3, "the power cut only {torn} files short");
}

#[test]
fn what_the_power_left_of_an_edit_takes_nothing_away_whatever_its_size() {
    let mut torn = 0;
    for (how, edit) in WAYS {
        for cut in 0..CUTS {
            let mut run = lazy(cut, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.write("f", FIRST));
            pass(&mut run);
            assert!(edit(&disk));
            // Every third time it is the disk's alone.
            run.world.restart(if cut % 3 == 0 { Crash::DiskAway } else { Crash::PowerCut });
            let whole = [FIRST, SECOND].map(Bytes::from);
            let left: Vec<_> = disk.files().iter().filter_map(|path| disk.read(path)).collect();
            torn += usize::from(left.iter().any(|left| left.len() >= SECOND.len() && !whole.contains(left)));
            is_at_peace(&mut run);
            assert!(
                is_somewhere(&run, SECOND) || drive.contents().iter().any(|content| **content == *FIRST),
                "{how}, cut {cut}: neither version is anywhere"
            );
        }
    }
    assert!(torn > 10, "the power left only {torn} files of their size");
}

/// The first look after the power cut cannot see the folder, nor can the one after a further start: what it left there is found later.
#[test]
fn what_the_power_left_where_the_first_look_saw_nothing_takes_nothing_away() {
    type Hide = fn(&SimDisk, bool) -> bool;
    let unreadable: Hide = |disk, hidden| disk.readable("d", !hidden);
    let unmounted: Hide = |disk, hidden| {
        if hidden {
            return disk.unmount_at("d");
        }
        disk.remount();
        true
    };
    for (how, hide, starts) in
        [("unreadable", unreadable, 1), ("unreadable", unreadable, 2), ("away", unmounted, 1)]
    {
        let mut torn = 0;
        for cut in 0..CUTS {
            let mut run = lazy(cut, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            // As where the kernel gives mounts no numbers.
            disk.switch(|now| now.mounts_are_told = false);
            assert!(disk.mkdir("d") && (how == "unreadable" || disk.mount("d")) && disk.write("d/f", FIRST));
            assert!(disk.write("g", FIRST));
            pass(&mut run);
            assert!(disk.write("d/f", SECOND));
            run.world.restart(Crash::PowerCut);
            torn += usize::from(disk.read("d/f").is_some_and(|left| *left != *FIRST && *left != *SECOND));
            assert!(hide(&disk, true), "{how}");
            for start in 0..starts {
                if start > 0 {
                    run.end();
                    run.stop();
                    disk.sync_all();
                    run.world.restart(Crash::PowerCut);
                }
                passes(&mut run);
                wait(&run);
            }
            assert!(hide(&disk, false), "{how}");
            is_at_peace(&mut run);
            let is_kept = |content: &[u8]| drive.contents().iter().any(|held| **held == *content);
            assert!(is_kept(SECOND) || is_kept(FIRST), "{how}, {starts} starts, cut {cut}");
            let id = drive.find("d/f");
            assert!(disk.write("d/f", b"another edit, of whatever is there"));
            wait(&run);
            is_at_peace(&mut run);
            assert_eq!(drive.find("d/f"), id, "{how}, cut {cut}: what was seen is edited in place again");
        }
        assert!(torn > 3, "{how}: the power cut only {torn} files short");
    }
}

#[test]
fn what_may_be_gone_with_the_power_is_not_deleted_for_good() {
    for (crash, for_good) in [(Crash::PowerCut, false), (Crash::DiskAway, false), (Crash::Kill, true)] {
        for (path, deleted) in [("f", "f"), ("d/f", "d")] {
            let mut run = lazy(2, &[Twist::Permanent]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("d") && disk.write(path, FIRST));
            pass(&mut run);
            pass(&mut run);
            assert!(disk.delete(deleted));
            disk.sync_all();
            run.stop();
            run.world.restart(crash);
            is_at_peace(&mut run);
            assert_eq!(drive.find(path), None);
            let is_kept = drive.contents().iter().any(|content| **content == *FIRST);
            assert_eq!(is_kept, !for_good, "{crash:?}, {path}: in Recently Deleted");
        }
    }
}

#[test]
fn an_edit_that_was_made_durable_before_the_machine_went_off_keeps_its_item() {
    for (is_ended, keeps) in [(true, true), (false, false)] {
        let mut run = lazy(2, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("f", FIRST));
        pass(&mut run);
        let item = drive.find("f");
        assert!(disk.write("f", SECOND));
        wait(&run);
        if is_ended {
            run.end();
        }
        run.stop();
        disk.sync_all();
        run.world.restart(Crash::PowerCut);
        is_at_peace(&mut run);
        assert!(drive.live_contents().iter().any(|content| **content == *SECOND));
        assert_eq!(drive.find("f") == item, keeps, "ended: {is_ended}");
        assert!(keeps || drive.contents().iter().any(|content| **content == *FIRST));
    }
}

#[test]
fn an_edit_that_went_up_is_not_undone_by_a_power_cut() {
    for (how, edit) in WAYS {
        for cut in 0..CUTS {
            let mut run = lazy(cut, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.write("f", FIRST));
            pass(&mut run);
            assert!(edit(&disk));
            pass(&mut run);
            run.world.restart(Crash::PowerCut);
            assert!(
                disk.files().iter().any(|path| disk.read(path).is_some_and(|content| *content == *SECOND)),
                "{how}, cut {cut}: the base speaks of what is not durable"
            );
            is_at_peace(&mut run);
            let live = drive.live_contents();
            assert!(live.iter().any(|content| **content == *SECOND), "{how}, cut {cut}");
        }
    }
}

#[test]
fn an_edit_is_kept_wherever_the_power_goes() {
    for (how, edit) in WAYS {
        for step in 1.. {
            let mut run = lazy(step, &[]);
            assert!(run.world.disk.write("f", FIRST));
            pass(&mut run);
            assert!(edit(&run.world.disk));
            wait(&run);
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            let came = run.world.drive.contents().iter().any(|content| **content == *SECOND);
            run.world.restart(Crash::PowerCut);
            is_at_peace(&mut run);
            assert!(!came || is_somewhere(&run, SECOND), "{how}, step {step}");
            if done {
                break;
            }
        }
    }
}

#[test]
fn an_edit_by_the_trash_way_is_kept_wherever_the_power_goes() {
    for step in 1.. {
        let mut run = lazy(step, &[Twist::TrashWay]);
        assert!(run.world.disk.write("f", FIRST));
        pass(&mut run);
        assert!(run.world.disk.write("f", SECOND));
        wait(&run);
        run.world.fuse.crash_after(step);
        let done = passes(&mut run);
        let live = |run: &Run| run.world.drive.live_contents().iter().any(|content| **content == *SECOND);
        let came = live(&run);
        run.world.restart(Crash::PowerCut);
        is_at_peace(&mut run);
        assert!(!came || live(&run), "step {step}: what came to iCloud was replaced by what was before");
        if done {
            break;
        }
    }
}

#[test]
fn what_both_sides_had_is_durable_before_it_is_agreed() {
    for cut in 0..CUTS {
        let mut run = lazy(cut, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("f", SECOND) && drive.create("f", SECOND).is_some());
        pass(&mut run);
        run.world.restart(Crash::PowerCut);
        assert_eq!(disk.read("f").as_deref(), Some(SECOND), "new on both sides, cut {cut}");
        is_at_peace(&mut run);

        assert!(disk.write("f", FIRST) && drive.edit("f", FIRST));
        pass(&mut run);
        run.world.restart(Crash::PowerCut);
        assert_eq!(disk.read("f").as_deref(), Some(FIRST), "edited alike on both sides, cut {cut}");
        is_at_peace(&mut run);
    }
}

#[test]
fn both_versions_of_a_conflict_are_durable_before_it_is_settled() {
    for cut in 0..CUTS {
        let mut run = lazy(cut, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("f", FIRST));
        pass(&mut run);
        assert!(disk.write("f", SECOND) && drive.edit("f", b"what the phone made of it"));
        pass(&mut run);
        run.world.restart(Crash::PowerCut);
        assert!(is_somewhere(&run, SECOND), "cut {cut}: the version here is gone");
        is_at_peace(&mut run);
        assert!(is_somewhere(&run, SECOND) && is_somewhere(&run, b"what the phone made of it"), "cut {cut}");
    }
}

#[test]
fn what_the_newer_version_displaces_is_durable_in_the_trash() {
    for cut in 0..CUTS {
        let mut run = lazy(cut, &[Twist::Newest]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("f", FIRST));
        pass(&mut run);
        assert!(disk.write("f", SECOND));
        wait(&run);
        assert!(drive.edit("f", b"newer, from the phone"));
        pass(&mut run);
        assert_eq!(disk.read("f").as_deref(), Some(&b"newer, from the phone"[..]));
        run.world.restart(Crash::PowerCut);
        assert!(is_somewhere(&run, SECOND), "cut {cut}: not even the trash has it");
        is_at_peace(&mut run);
    }
}

#[test]
fn a_file_that_was_only_touched_is_durable_before_its_new_time_is_agreed() {
    for cut in 0..CUTS {
        let mut run = lazy(cut, &[]);
        let disk = run.world.disk.clone();
        assert!(disk.write("f", FIRST));
        pass(&mut run);
        // A program that writes what is there already.
        assert!(disk.write("f", FIRST));
        pass(&mut run);
        run.world.restart(Crash::PowerCut);
        assert_eq!(disk.read("f").as_deref(), Some(FIRST), "cut {cut}");
        is_at_peace(&mut run);
    }
}

#[test]
fn an_edit_that_comes_while_the_one_before_is_made_durable_goes_up_too() {
    for step in 0.. {
        let mut run = lazy(step, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("f", FIRST));
        pass(&mut run);
        assert!(disk.write("f", SECOND));
        wait(&run);
        let person = disk.clone();
        run.world
            .fuse
            .interject(step, move || assert!(person.forge("f", b"a third version, of one length..")));
        let begin = run.world.fuse.steps();
        assert!(matches!(run.run(&icloudds::engine::pass::Look::whole(), true), Ok(Outcome::Done(_))));
        let over = begin + step > run.world.fuse.steps();
        let root = RelPath::root();
        assert!(disk.sync(&[], &[root.clone(), root.join("missing").unwrap()]).is_ok());
        run.world.restart(Crash::PowerCut);
        is_at_peace(&mut run);
        if !over {
            let live = drive.live_contents();
            assert!(
                live.iter().any(|content| **content == *b"a third version, of one length.."),
                "step {step}"
            );
        }
        if over {
            break;
        }
    }
}

#[test]
fn a_write_through_a_memory_map_is_seen_though_no_time_tells() {
    type Tell = fn(&mut Run, &str);
    let told: [(&str, Tell); 2] = [
        ("when the watcher says that it was closed", Run::closed_after_writing),
        ("with the daily verification", |run, _| run.verification_is_due()),
    ];
    // Also where its folder is moved meanwhile, which changes nothing of the file.
    for (how, tell) in told {
        for folder in ["a", "b"] {
            let mut run = world(1, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("a") && disk.write("a/f", FIRST));
            pass(&mut run);
            pass(&mut run);
            assert!(disk.map_write("a/f", SECOND));
            pass(&mut run);
            let is_there = || drive.live_contents().iter().any(|content| **content == *SECOND);
            assert!(!is_there(), "the stamp tells it");
            assert!(folder == "a" || disk.mv("a", folder));
            tell(&mut run, &format!("{folder}/f"));
            pass(&mut run);
            assert!(is_there(), "{how}, in {folder}");
            is_at_peace(&mut run);
        }
    }
}
