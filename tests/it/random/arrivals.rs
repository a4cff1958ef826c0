//! The process is killed between what it put in place here and the base, and a person does something before it starts again: what we brought
//! is nobody's new item or edit.

use icloudds::engine::pass::Look;

use super::history::Twist;
use super::oracle;
use super::scenarios::{passes, wait, world};
use crate::sim::{Crash, Outcome, SimDisk, SimDrive, Thing};

type Deed = fn(&SimDisk, &SimDrive) -> bool;

/// What a person does in the gap, and what both sides hold in the end, as `path=content` (folders: `path/`).
type Gap = (&'static str, Deed, &'static [&'static str]);

/// Both sides hold `a` and the folder `d`. `change` happens on iCloud; where the process is killed once `came` says that it is here, each gap
/// is tried, at each step of the pass.
fn each_gap(change: fn(&SimDrive) -> bool, came: fn(&SimDisk) -> bool, gaps: &[Gap]) {
    let worlds: [&[Twist]; 3] = [&[], &[Twist::NoIdentities], &[Twist::NoSignatures]];
    for (twists, (name, act, expected)) in
        worlds.iter().flat_map(|twists| gaps.iter().map(move |gap| (*twists, gap)))
    {
        let mut tried = 0;
        for step in 1.. {
            let mut run = world(step, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.write("a", b"a") && disk.mkdir("d"));
            wait(&run);
            for _ in 0..2 {
                assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))));
                wait(&run);
            }
            assert!(change(&drive));
            wait(&run);
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            run.world.restart(Crash::Kill);
            run.world.fuse.calm();
            if !came(&disk) && !done {
                continue;
            }
            wait(&run);
            assert!(act(&disk, &drive), "{name}, step {step}: {:?}", disk.tree());
            wait(&run);
            run.tell_all();
            if let Err(broken) = oracle::at_any_time(&run).and_then(|()| oracle::after_quiet(&mut run)) {
                panic!("{name}, {twists:?}, step {step}: {broken}\n{}", run.told());
            }
            let tree = drive.tree();
            let told = tree.iter().map(|(path, thing)| match thing {
                Thing::File(content) => format!("{path}={}", String::from_utf8_lossy(content)),
                _ => format!("{path}/"),
            });
            let told: Vec<_> = told.collect();
            assert_eq!(told, *expected, "{name}, {twists:?}, step {step}\n{}", run.told());
            tried += 1;
            if done {
                break;
            }
        }
        assert!(tried > 2, "{name}: the gap was met {tried} times");
    }
}

#[test]
fn a_new_file_that_was_put_here_is_no_persons_after_a_kill() {
    each_gap(
        |drive| drive.create("n", b"new").is_some(),
        |disk| disk.read("n").is_some(),
        &[
            ("nothing", |_, _| true, &["a=a", "d/", "n=new"]),
            ("edited there", |_, drive| drive.edit("n", b"edited"), &["a=a", "d/", "n=edited"]),
            ("renamed there", |_, drive| drive.person_rename("n", "m"), &["a=a", "d/", "m=new"]),
            ("moved there", |_, drive| drive.move_to("n", "d"), &["a=a", "d/", "d/n=new"]),
            ("deleted there", |_, drive| drive.person_trash("n"), &["a=a", "d/"]),
        ],
    );
}

#[test]
fn an_edit_that_was_put_here_is_no_persons_after_a_kill() {
    each_gap(
        |drive| drive.edit("a", b"once"),
        |disk| disk.read("a").as_deref() == Some(&b"once"[..]),
        &[
            ("nothing", |_, _| true, &["a=once", "d/"]),
            ("edited there", |_, drive| drive.edit("a", b"twice"), &["a=twice", "d/"]),
            ("renamed there", |_, drive| drive.person_rename("a", "z"), &["d/", "z=once"]),
            ("moved there", |_, drive| drive.move_to("a", "d"), &["d/", "d/a=once"]),
            ("deleted there", |_, drive| drive.person_trash("a"), &["d/"]),
        ],
    );
}

#[test]
fn a_folder_that_was_made_here_is_no_persons_after_a_kill() {
    each_gap(
        |drive| drive.mkdir("f").is_some() && drive.create("f/n", b"new").is_some(),
        |disk| disk.tree().contains_key("f"),
        &[
            ("nothing", |_, _| true, &["a=a", "d/", "f/", "f/n=new"]),
            ("renamed there", |_, drive| drive.person_rename("f", "g"), &["a=a", "d/", "g/", "g/n=new"]),
            ("moved there", |_, drive| drive.move_to("f", "d"), &["a=a", "d/", "d/f/", "d/f/n=new"]),
            ("deleted there", |_, drive| drive.person_trash("f"), &["a=a", "d/"]),
            ("its file deleted there", |_, drive| drive.person_trash("f/n"), &["a=a", "d/", "f/"]),
            (
                "a file comes to it here",
                |disk, _| disk.write("f/m", b"more"),
                &["a=a", "d/", "f/", "f/m=more", "f/n=new"],
            ),
        ],
    );
}
