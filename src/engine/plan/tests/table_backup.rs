//! Editors that rename the version that they replace, and write a new file at its path (`docs/sync.md` §3, rule 2).

use super::fully::{Story, tell_all};
use super::table::{happen, told};
use super::world::World;
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "saved with a backup",
        "f",
        &[(Local, "move f f~; new f")],
        &[
            "here -> iCloud upload over f (edited here) [here f, there f, by way of the trash]",
            "here -> iCloud upload f~ (new here) [here f~ unread, into root]",
        ],
    ),
    (
        "a plain rename",
        "f",
        &[(Local, "move f f~")],
        &["here -> iCloud move f~ from f (moved here) [here f~, there f, into root]"],
    ),
    (
        "the backup before is an item",
        "f~ f",
        &[(Local, "over f f~; new f")],
        &[
            "here -> iCloud upload over f~ (edited here) [here f~ unread, there f~, by way of the trash]",
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
        ],
    ),
    (
        "saved twice",
        "f",
        &[(Local, "move f f~; new f; over f f~; new f")],
        &[
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
            "here -> iCloud upload f~ (new here) [here f~ unread, into root]",
        ],
    ),
    (
        "the second save after a sync",
        "f",
        &[(Local, "move f f~; new f; sync; over f f~; new f")],
        &[
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
            "here -> iCloud upload over f~ (edited here) [here f~, there f~, by way of the trash]",
        ],
    ),
    (
        "the second save after the backup alone was sent",
        "f~ f",
        &[(Local, "over f f~; new f; first 1; over f f~; new f")],
        &[
            "here -> iCloud upload over f~ (edited here) [here f~ unread, there f~, by way of the trash]",
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
        ],
    ),
    (
        "a numbered backup",
        "f f.~1~",
        &[(Local, "move f f.~2~; new f")],
        &[
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
            "here -> iCloud upload f.~2~ (new here) [here f.~2~ unread, into root]",
        ],
    ),
    (
        "the backup takes no part",
        "f",
        &[(Local, "ignore =f~; move f f~; new f")],
        &["here -> iCloud upload over f (edited here) [here f, there f, by way of the trash]"],
    ),
    (
        "the backup is too large",
        "f",
        &[(Local, "most 3; edit f; edit f; edit f; edit f; move f f~; new f")],
        &[
            "here -> iCloud upload over f (edited here) [here f, there f, by way of the trash]",
            "skipped f~ (larger than limits.max_file_size: 4 bytes here)",
        ],
    ),
    (
        "in a folder that was moved",
        "d/ d/f",
        &[(Local, "move d e; move e/f e/f~; new e/f")],
        &[
            "here -> iCloud move e from d (moved here) [here e, there d/, into root]",
            "here -> iCloud upload over e/f (edited here) [here e/f unread, there f, by way of the trash, after 0]",
            "here -> iCloud upload e/f~ (new here) [here e/f~ unread, into d5, after 0]",
        ],
    ),
    (
        "on a disk without times of birth",
        "f g",
        &[(Local, "births-unknown; sync; move f f~; new f; edit g")],
        &[
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
            "here -> iCloud upload over g (edited here) [here g unread, there g, by way of the trash]",
            "here -> iCloud upload f~ (new here) [here f~ unread, into root]",
        ],
    ),
    (
        "on a disk without times of birth, over the backup before",
        "f~ f g",
        &[(Local, "births-unknown; sync; over f f~; new f; edit g")],
        &[
            "here -> iCloud upload over f~ (another file in its place here) [here f~ unread, there f~, by way of the trash]",
            "here -> iCloud upload over f (edited here) [here f, there f, by way of the trash]",
            "here -> iCloud upload over g (edited here) [here g unread, there g, by way of the trash]",
        ],
    ),
    (
        "on a disk without identities",
        "f g",
        &[(Local, "no-identity; sync; move f f~; new f; edit g")],
        &[
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
            "here -> iCloud upload over g (another file in its place here) [here g unread, there g, by way of the trash]",
            "here -> iCloud upload f~ (new here) [here f~ unread, into root]",
        ],
    ),
    (
        "on a disk without identities, under a name that is no backup's",
        "f g",
        &[(Local, "no-identity; sync; move f n; new f; edit g")],
        &[
            "here -> iCloud upload over f (another file in its place here) [here f unread, there f, by way of the trash]",
            "here -> iCloud upload over g (another file in its place here) [here g unread, there g, by way of the trash]",
            "here -> iCloud upload n (new here) [here n unread, into root]",
        ],
    ),
    (
        "on a disk without identities, over the backup before",
        "f~ f g",
        &[(Local, "no-identity; sync; over f f~; new f; edit g")],
        &[
            "here -> iCloud upload over f~ (another file in its place here) [here f~ unread, there f~, by way of the trash]",
            "here -> iCloud upload over f (edited here) [here f, there f, by way of the trash]",
            "here -> iCloud upload over g (edited here) [here g unread, there g, by way of the trash]",
        ],
    ),
    (
        "edited there",
        "f",
        &[(Local, "move f f~; new f"), (Remote, "edit f")],
        &[
            "here -> iCloud upload f~ (new here) [here f~ unread, into root]",
            "iCloud -> here settle conflict f conflict copy f (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here f, there f unread]",
        ],
    ),
    (
        "renamed there",
        "f",
        &[(Local, "move f f~; new f"), (Remote, "move f g")],
        &[
            "iCloud -> here move g from f (moved on iCloud) [here f, there g]",
            "here -> iCloud upload over g (edited here) [here g, there g, by way of the trash, after 0]",
            "here -> iCloud upload f~ (new here) [here f~ unread, into root]",
        ],
    ),
    (
        "moved and edited there",
        "f d/",
        &[(Local, "move f f~; new f"), (Remote, "move f d/g; edit d/g")],
        &[
            "iCloud -> here move d/g from f (moved on iCloud) [here f unread, there g unread]",
            "here -> iCloud upload f~ (new here) [here f~ unread, into root]",
            "iCloud -> here settle conflict d/g conflict copy d/g (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here d/g unread, there g unread, after 0]",
        ],
    ),
    (
        "deleted there",
        "f",
        &[(Local, "move f f~; new f"), (Remote, "delete f")],
        &[
            "here -> iCloud upload f (edited here, which outweighs the deletion on the other side) [here f, into root]",
            "here -> iCloud upload f~ (new here) [here f~ unread, into root]",
            "state only forget f (edited here, which outweighs the deletion on the other side) [after 0]",
        ],
    ),
    (
        "its folder deleted there",
        "d/ d/f",
        &[(Local, "move d/f d/f~; new d/f"), (Remote, "delete d")],
        &[
            "here -> iCloud make folder d (holds items that take part) [here d, into root]",
            "here -> iCloud upload d/f (edited here, which outweighs the deletion on the other side) [here d/f unread, into what 0 makes, after 0]",
            "here -> iCloud upload d/f~ (new here) [here d/f~ unread, into what 0 makes, after 0]",
            "state only forget d/f (edited here, which outweighs the deletion on the other side) [after 0 and 1]",
            "state only forget d (holds items that take part) [after 0 and 1 and 3]",
        ],
    ),
    (
        "something new there has the name of the backup",
        "f",
        &[(Local, "move f f~; new f"), (Remote, "new f~")],
        &[
            "here -> iCloud upload over f (edited here) [here f, there f, by way of the trash]",
            "iCloud -> here settle conflict f~ conflict copy f~ (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here f~ unread, there f~ unread]",
        ],
    ),
    (
        "the backup before was edited there",
        "f~ f",
        &[(Local, "over f f~; new f"), (Remote, "edit f~")],
        &[
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
            "iCloud -> here settle conflict f~ conflict copy f~ (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here f~ unread, there f~ unread]",
        ],
    ),
    (
        "the backup before was deleted there",
        "f~ f",
        &[(Local, "over f f~; new f"), (Remote, "delete f~")],
        &[
            "here -> iCloud upload f~ (edited here, which outweighs the deletion on the other side) [here f~ unread, into root]",
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
            "state only forget f~ (edited here, which outweighs the deletion on the other side) [after 0]",
        ],
    ),
    (
        "renamed to that name there",
        "f",
        &[(Local, "move f f~; new f"), (Remote, "move f f~")],
        &[
            "iCloud -> here move f~ (conflict 2026-11-22 10-00-00 nas) from f~ (another item has this name) [here f~ unread]",
            "iCloud -> here move f~ from f (moved on iCloud) [here f, there f~, after 0]",
            "here -> iCloud upload over f~ (edited here) [here f~, there f~, by way of the trash, after 1]",
            "here -> iCloud upload f~ (conflict 2026-11-22 10-00-00 nas) (another item has this name) [here f~ (conflict 2026-11-22 10-00-00 nas) unread, into root, after 0]",
        ],
    ),
    (
        "the older version is put back",
        "f~ f",
        &[(Local, "over f~ f")],
        &[
            "here -> iCloud upload over f (older than the version that it replaces) [here f unread, there f, by way of the trash]",
            "here -> iCloud trash f~ (moved over another item here) [there f~, nothing at f~]",
        ],
    ),
    ("saved, and the old version put back", "f", &[(Local, "move f f~; new f; over f~ f")], &[]),
    (
        "saved, and all was moved",
        "f d/",
        &[(Local, "move f f~; new f; move f d/f; move f~ d/f~")],
        &[
            "here -> iCloud move d/f~ from f (moved here) [here d/f~, there f, into d5]",
            "here -> iCloud upload d/f (new here) [here d/f unread, into d5]",
        ],
    ),
    ("the folder that follows", "f", &[(Local, "download-only; move f f~; new f")], &[]),
    (
        "the drive that follows",
        "f",
        &[(Local, "upload-only; move f f~; new f"), (Remote, "edit f")],
        &[
            "here -> iCloud upload f~ (new here) [here f~ unread, into root]",
            "here -> iCloud settle conflict f conflict copy f (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here f, there f unread]",
        ],
    ),
    (
        "a person changes two names",
        "f~ f",
        &[(Local, "move f x; move f~ f; move x f~")],
        &[
            "here -> iCloud move aside f as .icloudds-moving-0-f~ (moved here) [there f~, into root]",
            "here -> iCloud move f~ from f (moved here) [here f~, there f, into root, after 0]",
            "here -> iCloud move f from f~ (moved here) [here f, there f~, into root, after 0 and 1]",
        ],
    ),
    (
        "what stands at its path was another item",
        "f g",
        &[(Local, "move f f~; move g f")],
        &[
            "here -> iCloud move f~ from f (moved here) [here f~, there f, into root]",
            "here -> iCloud move f from g (moved here) [here f, there g, into root, after 0]",
        ],
    ),
];

/// What a disk without times of birth gives a new file: the number of the one that was removed last.
#[test]
fn the_inode_of_the_backup_before_says_nothing_of_what_is_written() {
    let (edited, exchanged) = ("edited here", "another file in its place here");
    // What the backup is: what stood at the path, that edited, a copy of it.
    for (backup, reason) in [("as it was", edited), ("edited", exchanged), ("copied", exchanged)] {
        let mut world = World::synced(&["f~", "f"]);
        happen(&mut world, Local, "births-unknown; sync");
        let older = world.thing(Local, "f~").inode;
        happen(&mut world, Local, "over f f~; new f");
        world.thing(Local, "f").inode = older;
        match backup {
            "edited" => happen(&mut world, Local, "edit f~"),
            "copied" => {
                let fresh = world.fresh();
                world.thing(Local, "f~").inode = fresh;
            }
            _ => {}
        }
        let told = told(&world);
        let wanted = format!("here -> iCloud upload over f ({reason})");
        assert!(told.contains(&wanted), "{backup}: {told:?}");
        world.settle();
    }
}

#[test]
fn what_stands_at_the_path_is_the_item_and_the_backup_a_new_file() {
    tell_all(STORIES);
}
