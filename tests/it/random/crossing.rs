//! A folder that is moved to another volume on iCloud is copied here: what else happens to what is in it meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use icloudds::engine::pass::Look;

use super::history::Twist;
use super::run::Run;
use super::scenarios::{is_at_peace, passes, wait, world};
use crate::sim::{Crash, Outcome, SimDisk, SimDrive, Thing};

type Deed = fn(&SimDisk, &SimDrive) -> bool;

/// What is done here, and to what: the folder that `f` is in, or `f`.
type Here = (&'static str, fn(&SimDisk, &str) -> bool);

/// The drive and a volume in it, on each of them a folder `f` with `one` and `deeper/two`, and a file beside it, all agreed on.
fn with_folders(seed: u64, twists: &[Twist]) -> Run {
    let mut run = world(seed, twists);
    let disk = run.world.disk.clone();
    assert!(disk.mkdir("volume") && disk.mount("volume") && disk.mkdir("near"));
    for at in ["near", "volume"] {
        let write = |path: &str| disk.write(&format!("{at}/{path}"), format!("{path} of {at}").as_bytes());
        assert!(disk.mkdir(&format!("{at}/f")) && disk.mkdir(&format!("{at}/f/deeper")));
        assert!(write("f/one") && write("f/deeper/two") && write("beside"));
    }
    wait(&run);
    assert!(passes(&mut run));
    wait(&run);
    run
}

/// Where each content stands on iCloud, sorted.
fn contents(drive: &SimDrive) -> Vec<(String, String)> {
    let tree = drive.tree().into_iter();
    let files = tree.filter_map(|(path, thing)| match thing {
        Thing::File(content) => Some((String::from_utf8_lossy(&content).into_owned(), path)),
        _ => None,
    });
    let mut found: Vec<_> = files.collect();
    found.sort();
    found
}

/// Both ways across, as (from, into).
const WAYS: [(&str, &str); 2] = [("near", "volume/deep"), ("volume", "")];

/// What is done to `f`, or in it, where `at` is the folder that it was in.
const HERE: [Here; 6] = [
    ("a file renamed", |disk, at| disk.mv(&format!("{at}/f/one"), &format!("{at}/f/uno"))),
    ("a folder renamed", |disk, at| disk.mv(&format!("{at}/f/deeper"), &format!("{at}/f/lower"))),
    ("a file moved within", |disk, at| disk.mv(&format!("{at}/f/one"), &format!("{at}/f/deeper/one"))),
    ("a file moved out", |disk, at| disk.mv(&format!("{at}/f/deeper/two"), &format!("{at}/two"))),
    ("a file moved in", |disk, at| disk.mv(&format!("{at}/beside"), &format!("{at}/f/beside"))),
    ("a file deleted", |disk, at| disk.delete(&format!("{at}/f/one"))),
];

#[test]
fn what_is_renamed_here_in_a_folder_that_crosses_to_another_volume_is_no_other_item() {
    for (way, into) in WAYS {
        for (deed, act) in HERE {
            let mut run = with_folders(1, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("volume/deep"));
            wait(&run);
            assert!(passes(&mut run));
            let ids = |drive: &SimDrive| {
                let files = contents(drive).into_iter();
                files.map(|(content, path)| (content, drive.find(&path))).collect::<Vec<_>>()
            };
            let before = ids(&drive);
            assert!(act(&disk, way) && drive.move_to(&format!("{way}/f"), into));
            is_at_peace(&mut run);
            let mut expected = before;
            if deed == "a file deleted" {
                expected.retain(|(content, _)| *content != format!("f/one of {way}"));
            }
            assert_eq!(ids(&drive), expected, "{way}, {deed}: {:?}", contents(&drive));
        }
    }
}

#[test]
fn what_happens_on_icloud_to_a_folder_whose_crossing_was_cut_short_doubles_nothing() {
    let deeds: [(&str, Deed); 6] = [
        ("a file added where it was", |disk, _| disk.write("near/f/added", b"added")),
        ("a folder added where it was", |disk, _| disk.mkdir("near/f/more")),
        ("nothing", |_, _| true),
        ("renamed there", |_, drive| drive.person_rename("volume/deep/f", "g")),
        ("a file in it renamed there", |_, drive| drive.person_rename("volume/deep/f/one", "uno")),
        ("a file in it moved out there", |_, drive| drive.move_to("volume/deep/f/one", "")),
    ];
    for how in [Crash::Kill, Crash::PowerCut] {
        for (name, deed) in deeds {
            for step in 1.. {
                let mut run = with_folders(step, &[]);
                let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
                assert!(disk.mkdir("volume/deep"));
                wait(&run);
                assert!(passes(&mut run));
                let before: Vec<_> = contents(&drive).into_iter().map(|(content, _)| content).collect();
                assert!(drive.move_to("near/f", "volume/deep"));
                wait(&run);
                run.world.fuse.crash_after(step);
                let done = matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_)));
                if !done {
                    run.world.restart(how);
                }
                let is_done = deed(&disk, &drive);
                assert!(is_done || name.ends_with("where it was"));
                is_at_peace(&mut run);
                let mut after: Vec<_> = contents(&drive).into_iter().map(|(content, _)| content).collect();
                after.retain(|content| content != "added");
                assert_eq!(after, before, "{name}, {how:?}, step {step}: {:?}", contents(&drive));
                if done {
                    break;
                }
            }
        }
    }
}

/// What a person does here at any moment of the crossing, wherever `f` is by then; the content that comes of it.
const AMID: [Here; 4] = [
    ("renamed", |disk, f| disk.mv(&format!("{f}/one"), &format!("{f}/uno"))),
    ("moved out", |disk, f| disk.mv(&format!("{f}/deeper/two"), "two")),
    ("moved in", |disk, f| disk.mv("near/beside", &format!("{f}/beside"))),
    ("edited", |disk, f| disk.write(&format!("{f}/one"), b"edited here")),
];

#[test]
fn what_happens_here_amid_a_crossing_loses_nothing_and_stands_still_for_ever_nowhere() {
    for twists in [&[][..], &[Twist::NoBirths], &[Twist::LosesContents]] {
        for (name, act) in AMID {
            for step in 1.. {
                let mut run = with_folders(step, twists);
                let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
                assert!(disk.mkdir("volume/deep"));
                wait(&run);
                assert!(passes(&mut run));
                let mut expected: Vec<_> = contents(&drive).into_iter().map(|(content, _)| content).collect();
                assert!(drive.move_to("near/f", "volume/deep"));
                wait(&run);
                let (person, done) = (disk.clone(), Arc::new(AtomicBool::new(false)));
                let tell = done.clone();
                run.world.fuse.interject(step, move || {
                    // No person renames from one file system to another either.
                    let is_done = act(&person, "volume/deep/f") || act(&person, "near/f");
                    tell.store(is_done, Ordering::Relaxed);
                });
                let begin = run.world.fuse.steps();
                assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(_))));
                let over = begin + step > run.world.fuse.steps();
                is_at_peace(&mut run);
                if over {
                    break;
                }
                if name == "edited" && done.load(Ordering::Relaxed) {
                    expected.retain(|content| *content != "f/one of near");
                    expected.push("edited here".into());
                    expected.sort();
                }
                let mut after: Vec<_> = contents(&drive).into_iter().map(|(content, _)| content).collect();
                // Whoever has a file in hand while it is copied may leave it at both places, and then it is there twice.
                after.dedup();
                after.retain(|content| name != "edited" || *content != "f/one of near");
                assert_eq!(after, expected, "{name}, {twists:?}, step {step}: {:?}", contents(&drive));
            }
        }
    }
}
