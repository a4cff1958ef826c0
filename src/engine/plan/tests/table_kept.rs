//! What folders stay for, and what the modes, libraries and packages make of them (`docs/sync.md` §4).

use super::fully::{Story, tell_all};
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "a folder made anew there keeps here, within it, what does not take part",
        "c/ c/c/ c/c/d/",
        &[(Local, "new c/c/d/private"), (Remote, "delete c; new c/")],
        &[
            "state only agree c (the same on both sides) [here c, there c/]",
            "state only remember c/c (still holds items that do not take part) [here only, into d12 as c, after 0]",
            "state only remember c/c/d (still holds items that do not take part) [here only]",
            "state only forget c (the same on both sides) [after 0 and 1 and 2]",
        ],
    ),
    (
        "a library that is deleted here comes back, without what it held",
        "",
        &[(Remote, "library Lib; new Lib/f; sync"), (Local, "delete Lib")],
        &[
            "iCloud -> here make folder Lib (deleted here) [there Lib/]",
            "here -> iCloud trash Lib/f (deleted here) [there f, nothing at Lib/f, after 0]",
        ],
    ),
    (
        "a file that goes into a library here, and is edited there, is two",
        "a",
        &[(Remote, "library Lib"), (Local, "sync"), (Remote, "edit a"), (Local, "move a Lib/d")],
        &[
            "iCloud -> here download a (edited on iCloud, which outweighs the deletion on the other side) [there a unread]",
            "here -> iCloud upload Lib/d (moved here) [here Lib/d unread, into d1000000004]",
        ],
    ),
    (
        "a folder that nobody reads there holds its own, which was deleted here",
        "c/ c/d/ c/d/.DS_Store",
        &[(Remote, "move c/d a; close a"), (Local, "delete c")],
        &[
            "state only remember c/d (still holds items that do not take part) [there only, into root as a]",
            "here -> iCloud trash c (deleted here) [there c/, nothing at c, after 0]",
            "state only forget c/d/.DS_Store (no longer takes part)",
        ],
    ),
    (
        "a name on iCloud that no path can hold keeps the folders above it there",
        "a/ a/e/",
        &[(Local, "move a c; sync"), (Remote, "odd c/e"), (Local, "delete c")],
        &[
            "state only remember c (still holds items that do not take part) [there only]",
            "state only remember c/e (still holds items that do not take part) [there only]",
            "set-aside c/e (holds \"odd\" on iCloud, which cannot be synced: why)",
        ],
    ),
    (
        "a folder that takes no part keeps the one above it there",
        "e/ e/fff/",
        &[(Local, "no-identity"), (Remote, "new e/fff/private/"), (Local, "delete e/fff")],
        &[
            "state only agree e (the same on both sides) [here e, there e/]",
            "state only remember e/fff (still holds items that do not take part) [there only]",
        ],
    ),
    (
        "a name here that no path can hold keeps the folder it is in",
        "g d/ d/d/",
        &[(Remote, "delete d/d; move g d/d"), (Local, "odd d/d")],
        &[
            "state only remember d/d (still holds items that do not take part) [here only]",
            "skipped d/d (holds \"odd\", a name that is not UTF-8 and is never synced)",
            "set-aside g (something here that does not take part has the name \"d\")",
        ],
    ),
    (
        "a library that is renamed here is renamed back, and an edit in it goes up",
        "",
        &[(Remote, "library Lib; new Lib/f; sync"), (Local, "move Lib L; edit L/f")],
        &[
            "iCloud -> here move Lib from L (moved here) [here L, there Lib/]",
            "here -> iCloud upload over Lib/f (edited here) [here Lib/f, there f, by way of the trash, after 0]",
        ],
    ),
    (
        "nothing comes into a folder that waits and was made anew there",
        "fff/",
        &[(Local, "wait fff; new fff/c.icloudds-moving-0-f"), (Remote, "delete fff; new fff/")],
        &[],
    ),
    (
        "a new file of a temporary name keeps its folder from going",
        "b/ b/d/",
        &[(Local, "delete b/d"), (Remote, "new b/d/a; lend b/d/a")],
        &[
            "unsettled b/d/a (it bears a temporary name on iCloud, which another machine may be about to change)",
        ],
    ),
    (
        "in a mode in which nothing comes from there what a power cut emptied stays empty",
        "d",
        &[(Local, "upload-only; cut d")],
        &[],
    ),
    (
        "in a mode in which nothing goes up a conflict copy is an addition here, which another mode takes along",
        "d",
        &[(Local, "download-only; rewrite d"), (Remote, "delete d; new d")],
        &[
            "iCloud -> here settle conflict d conflict copy d (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here d unread, there d unread]",
            "state only forget d (different on both sides) [after 0]",
        ],
    ),
    (
        "what is in a folder that takes no part takes part for itself",
        "fff/ fff/c/",
        &[(Remote, "new fff/c/d"), (Local, "ignore =c")],
        &["iCloud -> here download fff/c/d (new on iCloud) [there d unread]"],
    ),
    (
        "in a mode in which nothing comes from there only what is still here is made again",
        "c/ c/a/",
        &[(Local, "upload-only"), (Remote, "delete c"), (Local, "delete c/a")],
        &[
            "here -> iCloud make folder c (deleted on iCloud) [here c, into root]",
            "state only forget c/a (gone on both sides)",
            "state only forget c (deleted on iCloud) [after 0 and 1]",
        ],
    ),
    (
        "a folder that stays here only is known in the folder that is made anew above it",
        "b/ b/A b/e/ b/e/b/",
        &[(Local, "back b/A"), (Remote, "delete b"), (Local, "new b/e/b/b; kind special b/e/b/b")],
        &[
            "here -> iCloud make folder b (holds items that take part) [here b, into root]",
            "here -> iCloud upload b/A (edited here, which outweighs the deletion on the other side) [here b/A unread, into what 0 makes, after 0]",
            "state only remember b/e (still holds items that do not take part) [here only, into what 0 makes as e, after 0]",
            "state only remember b/e/b (still holds items that do not take part) [here only]",
            "state only forget b/A (edited here, which outweighs the deletion on the other side) [after 0 and 1]",
            "state only forget b (holds items that take part) [after 0 and 1 and 2 and 3 and 4]",
            "skipped b/e/b/b (a link, socket, device or FIFO is never synced)",
        ],
    ),
    (
        "what is older here and goes nowhere is moved as iCloud has it",
        "b a/",
        &[(Local, "download-only"), (Remote, "move b a/b"), (Local, "back b")],
        &["iCloud -> here move a/b from b (moved on iCloud) [here b unread, there b]"],
    ),
    ("a folder that takes no part is forgotten", "e/ e/private/", &[(Remote, "sync")], &[]),
    (
        "a folder that takes no part any more is not made again",
        "a/ a/g/",
        &[(Local, "download-only"), (Remote, "ignore g"), (Local, "delete a")],
        &[
            "iCloud -> here make folder a (deleted here) [there a/]",
            "state only forget a/g (no longer takes part)",
        ],
    ),
    (
        "what came into a folder that is moved there comes with it",
        "c/ c/c/",
        &[(Remote, "new c/c/c; ignore =a; move c/c a")],
        &[
            "iCloud -> here move a from c/c (moved on iCloud) [here c/c, there a/]",
            "iCloud -> here download a/c (new on iCloud) [there c unread, after 0]",
        ],
    ),
    (
        "junk in a folder whose successor was moved on",
        "g/ g/.DS_Store",
        &[(Remote, "delete g; new g/; move g A")],
        &[
            "iCloud -> here make folder A (new on iCloud) [there A/]",
            "state only remember g (still holds items that do not take part) [here only]",
            "state only forget g/.DS_Store (no longer takes part)",
        ],
    ),
    (
        "a temporary name that came from here stays where nothing comes from there",
        "",
        &[
            (Local, "upload-only; new c.icloudds-moving-0-f; sync"),
            (Remote, "move c.icloudds-moving-0-f g; edit g"),
        ],
        &[
            "here -> iCloud move c.icloudds-moving-0-f from g (moved on iCloud) [here c.icloudds-moving-0-f, there g unread, into root]",
        ],
    ),
    (
        "a folder that takes no part any more and is gone there",
        "c/ c/a/",
        &[(Remote, "delete c"), (Local, "ignore a"), (Remote, "sync")],
        &[],
    ),
    (
        "a folder that nobody reads here keeps the one above it",
        "d/ d/a/ d/a/c/",
        &[(Remote, "outside d/a"), (Local, "close d/a/c")],
        &[
            "state only remember d/a (still holds items that do not take part) [here only]",
            "state only remember d/a/c (still holds items that do not take part) [here only]",
        ],
    ),
    (
        "a name that no path can hold in a folder whose content is deleted here",
        "a/ a/fff/ a/fff/b/ a/fff/b/b/",
        &[(Local, "delete a/fff/b/b"), (Remote, "odd a/fff")],
        &[
            "here -> iCloud trash a/fff/b/b (deleted here) [there b/, nothing at a/fff/b/b]",
            "set-aside a/fff (holds \"odd\" on iCloud, which cannot be synced: why)",
        ],
    ),
    (
        "a file that is new on both sides of a folder that goes into a library here is two",
        "a/",
        &[(Remote, "library Lib; sync; new a/n"), (Local, "new a/n; move a Lib/a")],
        &[
            "iCloud -> here make folder a (holds items that take part) [there a/]",
            "here -> iCloud make folder Lib/a (moved here) [here Lib/a, into d1000000004]",
            "iCloud -> here download a/n (new on iCloud) [there n unread, after 0]",
            "here -> iCloud upload Lib/a/n (moved here) [here Lib/a/n unread, into what 1 makes, after 1]",
        ],
    ),
    (
        "in a mode in which nothing comes from there an edit on iCloud stays where its file was, which went into a library",
        "a",
        &[(Remote, "library Lib; sync"), (Local, "upload-only"), (Remote, "edit a"), (Local, "move a Lib/a")],
        &[
            "here -> iCloud upload Lib/a (moved here) [here Lib/a unread, into d1000000004]",
            "state only forget a (changed here, which is never uploaded)",
        ],
    ),
    (
        "a folder that goes into a library here stays for what is new in it there",
        "a/ a/b/ a/b/f",
        &[(Remote, "library Lib; sync"), (Local, "move a Lib/a"), (Remote, "new a/b/n")],
        &[
            "iCloud -> here make folder a (holds items that take part) [there a/]",
            "iCloud -> here make folder a/b (holds items that take part) [there b/, after 0]",
            "here -> iCloud make folder Lib/a (moved here) [here Lib/a, into d1000000010]",
            "here -> iCloud make folder Lib/a/b (moved here) [here Lib/a/b, into what 2 makes, after 2]",
            "iCloud -> here download a/b/n (new on iCloud) [there n unread, after 0 and 1]",
            "here -> iCloud upload Lib/a/b/f (moved here) [here Lib/a/b/f unread, into what 3 makes, after 3]",
            "here -> iCloud trash a/b/f (moved out of what is synced here) [there f, after 5]",
        ],
    ),
];

#[test]
fn what_a_folder_holds_decides_what_becomes_of_it() {
    tell_all(STORIES);
}
