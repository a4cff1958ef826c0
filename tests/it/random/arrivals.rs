//! The process is killed between what it put in place here and the base, and a person does something before it starts again: what we brought
//! is nobody's new item or edit.

use super::gaps::{Change, Gap, each_gap};
use super::history::Twist;
use crate::sim::{SimDisk, SimDrive};

/// Nothing is there to know a file by but its content, or not even that.
const WORLDS: [&[Twist]; 3] = [&[], &[Twist::NoIdentities], &[Twist::NoSignatures]];

fn each_world(change: fn(&SimDisk, &SimDrive) -> bool, came: fn(&SimDisk, &SimDrive) -> bool, gaps: &[Gap]) {
    for twists in WORLDS {
        each_gap(&Change { twists, change, came }, gaps, None);
    }
}

#[test]
fn a_new_file_that_was_put_here_is_no_persons_after_a_kill() {
    each_world(
        |_, drive| drive.create("n", b"new").is_some(),
        |disk, _| disk.read("n").is_some(),
        &[
            ("nothing", |_, _| true, &["a=a", "c=c", "d/", "n=new"]),
            ("edited there", |_, drive| drive.edit("n", b"edited"), &["a=a", "c=c", "d/", "n=edited"]),
            ("renamed there", |_, drive| drive.person_rename("n", "m"), &["a=a", "c=c", "d/", "m=new"]),
            ("moved there", |_, drive| drive.move_to("n", "d"), &["a=a", "c=c", "d/", "d/n=new"]),
            ("deleted there", |_, drive| drive.person_trash("n"), &["a=a", "c=c", "d/"]),
        ],
    );
}

#[test]
fn an_edit_that_was_put_here_is_no_persons_after_a_kill() {
    each_world(
        |_, drive| drive.edit("a", b"once"),
        |disk, _| disk.read("a").as_deref() == Some(&b"once"[..]),
        &[
            ("nothing", |_, _| true, &["a=once", "c=c", "d/"]),
            ("edited there", |_, drive| drive.edit("a", b"twice"), &["a=twice", "c=c", "d/"]),
            ("renamed there", |_, drive| drive.person_rename("a", "z"), &["c=c", "d/", "z=once"]),
            ("moved there", |_, drive| drive.move_to("a", "d"), &["c=c", "d/", "d/a=once"]),
            ("deleted there", |_, drive| drive.person_trash("a"), &["c=c", "d/"]),
        ],
    );
}

#[test]
fn a_folder_that_was_made_here_is_no_persons_after_a_kill() {
    each_world(
        |_, drive| drive.mkdir("f").is_some() && drive.create("f/n", b"new").is_some(),
        |disk, _| disk.tree().contains_key("f"),
        &[
            ("nothing", |_, _| true, &["a=a", "c=c", "d/", "f/", "f/n=new"]),
            (
                "renamed there",
                |_, drive| drive.person_rename("f", "g"),
                &["a=a", "c=c", "d/", "g/", "g/n=new"],
            ),
            ("moved there", |_, drive| drive.move_to("f", "d"), &["a=a", "c=c", "d/", "d/f/", "d/f/n=new"]),
            ("deleted there", |_, drive| drive.person_trash("f"), &["a=a", "c=c", "d/"]),
            ("its file deleted there", |_, drive| drive.person_trash("f/n"), &["a=a", "c=c", "d/", "f/"]),
            (
                "a file comes to it here",
                |disk, _| disk.write("f/m", b"more"),
                &["a=a", "c=c", "d/", "f/", "f/m=more", "f/n=new"],
            ),
        ],
    );
}

/// What was put here is known by its identity wherever a person moves it, and whatever they make of it, before the process starts again.
#[test]
fn what_was_put_here_and_moved_or_edited_after_a_kill_is_that_item() {
    let new: &[Gap] = &[
        ("renamed here", |disk, _| disk.mv("n", "m"), &["a=a", "c=c", "d/", "m=new"]),
        ("moved here", |disk, _| disk.mv("n", "d/n"), &["a=a", "c=c", "d/", "d/n=new"]),
        ("edited here", |disk, _| disk.write("n", b"mine"), &["a=a", "c=c", "d/", "n=mine"]),
        (
            "renamed and edited here",
            |disk, _| disk.mv("n", "m") && disk.write("m", b"mine"),
            &["a=a", "c=c", "d/", "m=mine"],
        ),
        (
            "renamed here, moved there",
            |disk, drive| disk.mv("n", "m") && drive.move_to("n", "d"),
            &["a=a", "c=c", "d/", "d/n=new"],
        ),
        (
            "renamed here, another one in its place",
            |disk, _| disk.mv("n", "m") && disk.write("n", b"another"),
            &["a=a", "c=c", "d/", "m=new", "n=another"],
        ),
    ];
    let edit: &[Gap] = &[
        ("renamed here", |disk, _| disk.mv("a", "m"), &["c=c", "d/", "m=once"]),
        ("moved here", |disk, _| disk.mv("a", "d/a"), &["c=c", "d/", "d/a=once"]),
        ("edited here", |disk, _| disk.write("a", b"mine"), &["a=mine", "c=c", "d/"]),
        (
            "renamed and edited here",
            |disk, _| disk.mv("a", "m") && disk.write("m", b"mine"),
            &["c=c", "d/", "m=mine"],
        ),
    ];
    let folder: &[Gap] = &[
        ("renamed here", |disk, _| disk.mv("f", "g"), &["a=a", "c=c", "d/", "g/", "g/n=new"]),
        ("moved here", |disk, _| disk.mv("f", "d/f"), &["a=a", "c=c", "d/", "d/f/", "d/f/n=new"]),
    ];
    for twists in [&[][..], &[Twist::NoSignatures], &[Twist::NoBirths]] {
        // An inode number alone may be another file's by now: only equal content tells then, and nothing of a folder.
        let is_blind = twists.contains(&Twist::NoBirths);
        let told = |gaps: &[Gap]| -> Vec<Gap> {
            gaps.iter().filter(|(name, ..)| !is_blind || !name.contains("edited")).copied().collect()
        };
        let came: fn(&SimDisk, &SimDrive) -> bool = |disk, _| disk.read("n").is_some();
        let change = Change { twists, change: |_, drive| drive.create("n", b"new").is_some(), came };
        each_gap(&change, &told(new), None);
        let came: fn(&SimDisk, &SimDrive) -> bool = |disk, _| disk.read("a").as_deref() == Some(&b"once"[..]);
        each_gap(&Change { twists, change: |_, drive| drive.edit("a", b"once"), came }, &told(edit), None);
        // A folder is known once it was noted, which comes after it is there: at the latest with what comes into it.
        let came: fn(&SimDisk, &SimDrive) -> bool = |disk, _| disk.tree().contains_key("f/n");
        let made = |_: &SimDisk, drive: &SimDrive| {
            drive.mkdir("f").is_some() && drive.create("f/n", b"new").is_some()
        };
        if !is_blind {
            each_gap(&Change { twists, change: made, came }, folder, None);
        }
    }
}

/// A folder is moved here as iCloud has it, and a new file comes into it, when the process is killed.
#[test]
fn what_came_to_a_folder_that_was_moved_just_before_is_that_item() {
    let change = Change {
        twists: &[],
        change: |_, drive| drive.person_rename("d", "e") && drive.create("e/n", b"new").is_some(),
        came: |disk, _| disk.read("e/n").is_some(),
    };
    let gaps: &[Gap] = &[
        ("nothing", |_, _| true, &["a=a", "c=c", "e/", "e/n=new"]),
        ("renamed here", |disk, _| disk.mv("e/n", "e/m"), &["a=a", "c=c", "e/", "e/m=new"]),
        ("moved here", |disk, _| disk.mv("e/n", "n"), &["a=a", "c=c", "e/", "n=new"]),
        ("moved there", |_, drive| drive.move_to("e/n", ""), &["a=a", "c=c", "e/", "n=new"]),
        ("edited there", |_, drive| drive.edit("e/n", b"edited"), &["a=a", "c=c", "e/", "e/n=edited"]),
        ("deleted there", |_, drive| drive.person_trash("e/n"), &["a=a", "c=c", "e/"]),
    ];
    each_gap(&change, gaps, None);
}

/// What a crash left half-way is being settled when the process is killed once more.
#[test]
fn what_was_put_here_is_no_persons_after_two_kills() {
    let gaps: &[Gap] = &[
        ("edited there", |_, drive| drive.edit("n", b"edited"), &["a=a", "c=c", "d/", "n=edited"]),
        ("deleted there", |_, drive| drive.person_trash("n"), &["a=a", "c=c", "d/"]),
        ("renamed here", |disk, _| disk.mv("n", "m"), &["a=a", "c=c", "d/", "m=new"]),
    ];
    let change = Change {
        twists: &[],
        change: |_, drive| drive.create("n", b"new").is_some(),
        came: |disk, _| disk.read("n").is_some(),
    };
    for again in [1, 2, 3, 5, 8] {
        each_gap(&change, gaps, Some(again));
    }
}
