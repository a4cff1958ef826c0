//! The state directory comes from a backup, and both sides are as they were: nobody did anything since the last sync.

use super::history::Twist;
use super::scenarios::{is_at_peace, pass, wait, world};
use crate::sim::{Crash, SimDisk, SimDrive};

type Deed = fn(&SimDisk, &SimDrive) -> bool;

/// What both sides were brought to after the backup of the state.
const DEEDS: [(&str, Deed); 9] = [
    ("nothing", |_, _| true),
    ("moved there", |_, drive| drive.move_to("d/f", "e")),
    ("moved here", |disk, _| disk.mv("d/f", "e/f")),
    ("moved and edited there", |_, drive| drive.move_to("d/f", "e") && drive.edit("e/f", b"edited")),
    ("moved and edited here", |disk, _| disk.mv("d/f", "e/g") && disk.save("e/g", b"edited")),
    ("edited there, then moved here", |disk, drive| drive.edit("d/f", b"edited") && disk.mv("d/g", "e/g")),
    ("a folder renamed there", |_, drive| drive.person_rename("d", "z")),
    ("a folder renamed here, and a file in it edited", |disk, _| {
        disk.mv("d", "z") && disk.save("z/f", b"edited")
    }),
    ("names changed", |_, drive| {
        drive.person_rename("d/f", "t") && drive.person_rename("d/g", "f") && drive.person_rename("d/t", "g")
    }),
];

#[test]
fn what_both_sides_agree_on_needs_no_state_that_knows_it() {
    for twists in [&[][..], &[Twist::NoIdentities], &[Twist::NoBirths], &[Twist::EtagAtOnce]] {
        for (name, deed) in DEEDS {
            let told = format!("{name}, {twists:?}");
            // Without identities two files that changed names look edited, each by the other's content.
            if name == "names changed" && twists.contains(&Twist::NoIdentities) {
                continue;
            }
            let mut run = world(1, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.mkdir("d") && disk.mkdir("e"));
            assert!(disk.write("d/f", b"content of f") && disk.write("d/g", b"another content"));
            pass(&mut run);
            pass(&mut run);
            let backup = run.world.store.durable();
            assert!(deed(&disk, &drive), "{told}");
            for _ in 0..3 {
                pass(&mut run);
            }
            let (before, trash) = ((disk.tree(), drive.tree()), drive.trashed());
            let ids: Vec<_> = before.1.keys().map(|path| drive.find(path)).collect();
            run.engine = None;
            run.world.store.bring_back(backup);
            run.world.restart(Crash::Kill);
            wait(&run);
            is_at_peace(&mut run);
            assert_eq!((disk.tree(), drive.tree()), before, "{told}");
            let now: Vec<_> = before.1.keys().map(|path| drive.find(path)).collect();
            assert_eq!(now, ids, "{told}: the items are the same");
            assert_eq!(drive.trashed(), trash, "{told}: nothing was thrown away");
        }
    }
}
