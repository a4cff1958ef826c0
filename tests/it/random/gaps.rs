//! The process is killed between a commit on iCloud and the base, and a person does something before it starts again.

use icloudds::engine::pass::{LocalLook, Look, RemoteLook};

use super::history::Twist;
use super::oracle;
use super::scenarios::{passes, wait, world};
use crate::sim::{Call, Crash, Fault, Outcome, SimDisk, SimDrive, Thing};

type Deed = fn(&SimDisk, &SimDrive) -> bool;

/// What a person does in the gap, and what both sides hold in the end, as `path=content` (folders: `path/`).
pub(super) type Gap = (&'static str, Deed, &'static [&'static str]);

/// What happens before the process is killed: both sides hold the files `a` and `c` and the folder `d`, `change` is a person's, and `came`
/// says whether the other side has it.
pub(super) struct Change {
    pub(super) twists: &'static [Twist],
    pub(super) change: Deed,
    pub(super) came: Deed,
}

/// Where the process is killed once the change came to the other side, each gap is tried, at each step of the pass. The process is killed a
/// second time `again` steps after its next start, if that is given.
pub(super) fn each_gap(what: &Change, gaps: &[Gap], again: Option<u64>) {
    for (name, act, expected) in gaps {
        let mut tried = 0;
        for step in 1.. {
            let mut run = world(step, what.twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.write("a", b"a") && disk.write("c", b"c") && disk.mkdir("d"));
            wait(&run);
            for _ in 0..2 {
                assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))));
                wait(&run);
            }
            assert!((what.change)(&disk, &drive));
            wait(&run);
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            run.world.restart(Crash::Kill);
            run.world.fuse.calm();
            if !(what.came)(&disk, &drive) && !done {
                continue;
            }
            wait(&run);
            assert!(act(&disk, &drive), "{name}, step {step}: {:?} {:?}", disk.tree(), drive.tree());
            wait(&run);
            if let Some(again) = again {
                run.world.fuse.crash_after(again);
                passes(&mut run);
                run.world.restart(Crash::Kill);
                run.world.fuse.calm();
                wait(&run);
            }
            run.tell_all();
            let twists = what.twists;
            if let Err(broken) = oracle::at_any_time(&run).and_then(|()| oracle::after_quiet(&mut run)) {
                panic!("{name}, {twists:?}, step {step}, {again:?}: {broken}\n{}", run.told());
            }
            let tree = drive.tree();
            let told = tree.iter().map(|(path, thing)| match thing {
                Thing::File(content) => format!("{path}={}", String::from_utf8_lossy(content)),
                _ => format!("{path}/"),
            });
            let told: Vec<_> = told.collect();
            assert_eq!(told, *expected, "{name}, {twists:?}, step {step}, {again:?}\n{}", run.told());
            tried += 1;
            if done {
                break;
            }
        }
        assert!(tried > 2, "{name}: the gap was met {tried} times");
    }
}

fn has(drive: &SimDrive, path: &str, content: &[u8]) -> bool {
    let item = drive.find(path).and_then(|id| drive.item(&id));
    item.is_some_and(|item| *item.body == *content)
}

#[test]
fn a_new_file_that_came_is_ours_after_a_kill() {
    each_gap(
        &Change {
            twists: &[],
            change: |disk, _| disk.write("n", b"new"),
            came: |_, drive| drive.find("n").is_some(),
        },
        &[
            ("nothing", |_, _| true, &["a=a", "c=c", "d/", "n=new"]),
            ("edited here", |disk, _| disk.write("n", b"edited"), &["a=a", "c=c", "d/", "n=edited"]),
            ("renamed here", |disk, _| disk.mv("n", "m"), &["a=a", "c=c", "d/", "m=new"]),
            ("moved here", |disk, _| disk.mv("n", "d/n"), &["a=a", "c=c", "d/", "d/n=new"]),
            ("deleted here", |disk, _| disk.delete("n"), &["a=a", "c=c", "d/"]),
            ("edited there", |_, drive| drive.edit("n", b"edited"), &["a=a", "c=c", "d/", "n=edited"]),
            ("renamed there", |_, drive| drive.person_rename("n", "m"), &["a=a", "c=c", "d/", "m=new"]),
            ("moved there", |_, drive| drive.move_to("n", "d"), &["a=a", "c=c", "d/", "d/n=new"]),
            ("deleted there", |_, drive| drive.person_trash("n"), &["a=a", "c=c", "d/"]),
        ],
        None,
    );
}

#[test]
fn a_new_file_that_came_is_ours_after_two_kills() {
    let gaps: &[Gap] = &[
        ("renamed here", |disk, _| disk.mv("n", "m"), &["a=a", "c=c", "d/", "m=new"]),
        ("deleted there", |_, drive| drive.person_trash("n"), &["a=a", "c=c", "d/"]),
    ];
    let change = Change {
        twists: &[],
        change: |disk, _| disk.write("n", b"new"),
        came: |_, drive| drive.find("n").is_some(),
    };
    for again in [1, 2, 3, 5, 8] {
        each_gap(&change, gaps, Some(again));
    }
}

#[test]
fn an_edit_that_went_up_in_place_is_ours_after_a_kill() {
    each_gap(
        &Change {
            twists: &[],
            change: |disk, _| disk.write("a", b"once"),
            came: |_, drive| has(drive, "a", b"once"),
        },
        &[
            ("nothing", |_, _| true, &["a=once", "c=c", "d/"]),
            ("edited here", |disk, _| disk.write("a", b"twice"), &["a=twice", "c=c", "d/"]),
            ("renamed here", |disk, _| disk.mv("a", "z"), &["c=c", "d/", "z=once"]),
            ("deleted here", |disk, _| disk.delete("a"), &["c=c", "d/"]),
            ("renamed there", |_, drive| drive.person_rename("a", "z"), &["c=c", "d/", "z=once"]),
            ("moved there", |_, drive| drive.move_to("a", "d"), &["c=c", "d/", "d/a=once"]),
            ("deleted there", |_, drive| drive.person_trash("a"), &["c=c", "d/"]),
        ],
        None,
    );
}

#[test]
fn an_edit_that_went_up_by_way_of_the_trash_is_ours_after_a_kill() {
    each_gap(
        &Change {
            twists: &[Twist::TrashWay],
            change: |disk, _| disk.write("a", b"once"),
            came: |_, drive| has(drive, "a", b"once"),
        },
        &[
            ("nothing", |_, _| true, &["a=once", "c=c", "d/"]),
            ("edited here", |disk, _| disk.write("a", b"twice"), &["a=twice", "c=c", "d/"]),
            ("renamed here", |disk, _| disk.mv("a", "z"), &["c=c", "d/", "z=once"]),
            ("deleted here", |disk, _| disk.delete("a"), &["c=c", "d/"]),
            ("edited there", |_, drive| drive.edit("a", b"there"), &["a=there", "c=c", "d/"]),
        ],
        None,
    );
}

#[test]
fn a_folder_that_was_made_is_ours_after_a_kill() {
    each_gap(
        &Change {
            twists: &[],
            change: |disk, _| disk.mkdir("f"),
            came: |_, drive| drive.find("f").is_some(),
        },
        &[
            ("nothing", |_, _| true, &["a=a", "c=c", "d/", "f/"]),
            ("filled here", |disk, _| disk.write("f/x", b"x"), &["a=a", "c=c", "d/", "f/", "f/x=x"]),
            ("renamed here", |disk, _| disk.mv("f", "g"), &["a=a", "c=c", "d/", "g/"]),
            ("deleted here", |disk, _| disk.delete("f"), &["a=a", "c=c", "d/"]),
            ("renamed there", |_, drive| drive.person_rename("f", "g"), &["a=a", "c=c", "d/", "g/"]),
        ],
        None,
    );
}

#[test]
fn a_name_that_was_given_is_ours_after_a_kill() {
    each_gap(
        &Change {
            twists: &[],
            change: |disk, _| disk.mv("a", "b"),
            came: |_, drive| drive.find("b").is_some(),
        },
        &[
            ("nothing", |_, _| true, &["b=a", "c=c", "d/"]),
            ("edited here", |disk, _| disk.write("b", b"edited"), &["b=edited", "c=c", "d/"]),
            ("renamed here", |disk, _| disk.mv("b", "z"), &["c=c", "d/", "z=a"]),
            ("renamed back here", |disk, _| disk.mv("b", "a"), &["a=a", "c=c", "d/"]),
            ("moved here", |disk, _| disk.mv("b", "d/b"), &["c=c", "d/", "d/b=a"]),
            ("deleted here", |disk, _| disk.delete("b"), &["c=c", "d/"]),
            ("edited there", |_, drive| drive.edit("b", b"edited"), &["b=edited", "c=c", "d/"]),
            ("renamed there", |_, drive| drive.person_rename("b", "z"), &["c=c", "d/", "z=a"]),
            ("renamed back there", |_, drive| drive.person_rename("b", "a"), &["a=a", "c=c", "d/"]),
            ("deleted there", |_, drive| drive.person_trash("b"), &["c=c", "d/"]),
        ],
        None,
    );
}

#[test]
fn a_place_that_was_given_is_ours_after_a_kill() {
    for change in
        [(|disk, _| disk.mv("a", "d/a")) as Deed, |disk, _| disk.mv("a", "d/b") && disk.mv("d/b", "d/a")]
    {
        each_gap(
            &Change { twists: &[], change, came: |_, drive| drive.find("d/a").is_some() },
            &[
                ("nothing", |_, _| true, &["c=c", "d/", "d/a=a"]),
                ("edited here", |disk, _| disk.write("d/a", b"edited"), &["c=c", "d/", "d/a=edited"]),
                ("renamed here", |disk, _| disk.mv("d/a", "d/z"), &["c=c", "d/", "d/z=a"]),
                ("moved back here", |disk, _| disk.mv("d/a", "a"), &["a=a", "c=c", "d/"]),
                ("deleted here", |disk, _| disk.delete("d/a"), &["c=c", "d/"]),
                ("edited there", |_, drive| drive.edit("d/a", b"edited"), &["c=c", "d/", "d/a=edited"]),
                ("renamed there", |_, drive| drive.person_rename("d/a", "z"), &["c=c", "d/", "d/z=a"]),
                ("moved back there", |_, drive| drive.move_to("d/a", ""), &["a=a", "c=c", "d/"]),
                ("deleted there", |_, drive| drive.person_trash("d/a"), &["c=c", "d/"]),
            ],
            None,
        );
    }
}

#[test]
fn a_folder_that_was_renamed_is_ours_after_a_kill() {
    each_gap(
        &Change {
            twists: &[],
            change: |disk, _| disk.mv("d", "e"),
            came: |_, drive| drive.find("e").is_some(),
        },
        &[
            ("nothing", |_, _| true, &["a=a", "c=c", "e/"]),
            ("renamed here", |disk, _| disk.mv("e", "g"), &["a=a", "c=c", "g/"]),
            ("filled there", |_, drive| drive.create("e/x", b"x").is_some(), &["a=a", "c=c", "e/", "e/x=x"]),
            ("deleted here", |disk, _| disk.delete("e"), &["a=a", "c=c"]),
        ],
        None,
    );
}

#[test]
fn a_deletion_that_was_done_is_ours_after_a_kill() {
    each_gap(
        &Change {
            twists: &[],
            change: |disk, _| disk.delete("a"),
            came: |_, drive| drive.find("a").is_none(),
        },
        &[
            ("nothing", |_, _| true, &["c=c", "d/"]),
            ("new here", |disk, _| disk.write("a", b"another"), &["a=another", "c=c", "d/"]),
            ("new there", |_, drive| drive.create("a", b"another").is_some(), &["a=another", "c=c", "d/"]),
            (
                "put back there",
                |_, drive| drive.trashed().iter().all(|id| drive.person_put_back(id)),
                &["a=a", "c=c", "d/"],
            ),
        ],
        None,
    );
}

#[test]
fn names_that_were_changed_are_ours_after_a_kill() {
    each_gap(
        &Change {
            twists: &[],
            change: |disk, _| disk.mv("a", "t") && disk.mv("c", "a") && disk.mv("t", "c"),
            came: |_, drive| has(drive, "a", b"c") && has(drive, "c", b"a"),
        },
        &[
            ("nothing", |_, _| true, &["a=c", "c=a", "d/"]),
            ("edited here", |disk, _| disk.write("a", b"edited"), &["a=edited", "c=a", "d/"]),
            ("renamed here", |disk, _| disk.mv("a", "z"), &["c=a", "d/", "z=c"]),
            ("renamed there", |_, drive| drive.person_rename("c", "z"), &["a=c", "d/", "z=a"]),
        ],
        None,
    );
}

/// Two files change names here, and one of them is written anew at its new place, as editors save. What a person then edits on iCloud, where
/// that came, is an edit of this one, and the file that had been there stands at the other place: also where that was none on iCloud,
/// which had confirmed it and not made it.
#[test]
fn what_changed_names_is_not_found_again_as_what_was_saved_in_its_place() {
    for is_made in [true, false] {
        for step in 1.. {
            let mut run = world(step, &[]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.write("a", b"content of a") && disk.write("c", b"content of c"));
            wait(&run);
            if !is_made {
                run.world.fuse.script(Call::Commit, 1, Fault::NothingMade);
            }
            assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))));
            assert!(disk.mv("a", "t") && disk.mv("c", "a") && disk.mv("t", "c"));
            assert!(disk.write("new", b"saved anew") && disk.mv("new", "a"));
            wait(&run);
            run.world.fuse.crash_after(step);
            let look = Look { local: LocalLook::Whole, remote: RemoteLook::Nothing };
            let done = matches!(run.run(&look, true), Ok(Outcome::Done(_)));
            run.world.restart(Crash::Kill);
            run.world.fuse.calm();
            // Before it came the edit is one of what had been there, wherever that was moved here.
            let came = has(&drive, "a", b"saved anew");
            let is_edited = drive.edit("a", b"edited there");
            wait(&run);
            if let Err(broken) = oracle::at_any_time(&run).and_then(|()| oracle::after_quiet(&mut run)) {
                panic!("{is_made}, step {step}: {broken}");
            }
            let live = drive.live_contents();
            let lives = |content: &[u8]| live.iter().any(|at| **at == *content);
            let is_kept = (lives(b"content of a") || !came) && (lives(b"edited there") || !is_edited);
            assert!(is_kept, "{is_made}, step {step}: {:?}", drive.tree());
            if done {
                break;
            }
        }
    }
}
