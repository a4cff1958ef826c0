//! What leaves the scope, and what stays of it (`docs/sync.md` §4, Crossing the edge of the scope).

use super::fully::{Story, tell_all};
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "a folder leaves the scope here, and one in it was moved on there",
        "a/ a/g/ a/fff/",
        &[(Local, "move a private"), (Remote, "move a/g a/fff/fff")],
        &[
            "here -> iCloud trash a (moved out of what is synced here) [there a/, with 2 below]",
            "state only forget private/g (moved out of what is synced here) [after 0]",
        ],
    ),
    (
        "a folder goes to where nothing is read, with all that it holds",
        "d/ d/e/ d/e/f",
        &[(Local, "move d private; close private")],
        &["here -> iCloud trash d (moved out of what is synced here) [there d/, with 2 below]"],
    ),
    (
        "the side that only follows cannot say of what nobody reads",
        "d/ d/e/ d/e/f",
        &[(Local, "download-only; move d private; close private")],
        &[
            "iCloud -> here move d from private (moved here) [here private, there d/]",
            "set-aside d/e (its folder was moved to where nothing is synced, and nothing is read)",
            "set-aside d/e/f (its folder was moved to where nothing is synced, and nothing is read)",
        ],
    ),
    (
        "a folder that could not be read holds the one above it, which left the scope there",
        "b/ b/b/",
        &[(Local, "hide b/b"), (Remote, "move b private")],
        &["unsettled b/b (cannot read this folder: no)"],
    ),
    (
        "a folder left the scope here, and one in it was made anew there",
        "b/ b/d/",
        &[(Local, "move b private"), (Remote, "delete b/d; new b/d/")],
        &[
            "iCloud -> here make folder b (holds items that take part) [there b/]",
            "iCloud -> here make folder b/d (new on iCloud) [there d/, after 0]",
            "state only forget private/d (gone on both sides)",
        ],
    ),
    (
        "a folder goes to where nothing could be read, which says nothing of what it holds",
        "d/ d/e/ d/e/f",
        &[(Local, "move d private; hide private")],
        &[
            "unsettled d/e (its folder here could not be read, or is on another volume)",
            "unsettled d/e/f (its folder here could not be read, or is on another volume)",
            "unsettled private (cannot read this folder: no)",
        ],
    ),
    (
        "a library that was moved out of scope here comes back",
        "",
        &[(Remote, "library Lib"), (Local, "sync; move Lib private")],
        &["iCloud -> here move Lib from private (moved here) [here private, there Lib/]"],
    ),
    (
        "a file goes out of scope into a folder that lives on outside of it there",
        "b g/ g/fff/",
        &[(Remote, "outside g"), (Local, "move b g/fff/private")],
        &[
            "here -> iCloud trash b (moved out of what is synced here) [there b]",
            "state only remember g (still holds items that do not take part) [here only]",
            "state only remember g/fff (still holds items that do not take part) [here only]",
        ],
    ),
    (
        "in a mode in which nothing comes from there a folder is moved back into scope",
        "e/",
        &[(Local, "upload-only"), (Remote, "move e private")],
        &["here -> iCloud move e from private (moved on iCloud) [here e, there private/, into root]"],
    ),
    (
        "a folder is moved here as its old name takes no part any more",
        "b/",
        &[(Local, "move b d"), (Remote, "ignore =b")],
        &["state only forget d (no longer takes part)"],
    ),
    (
        "the side that only follows takes back what left the scope here",
        "b",
        &[(Remote, "download-only"), (Local, "move b private")],
        &["iCloud -> here move b from private (moved here) [here private, there b]"],
    ),
    (
        "a folder goes to where nothing is synced in a library",
        "c/",
        &[(Remote, "library Lib"), (Local, "sync; move c Lib/private2")],
        &["here -> iCloud trash c (moved out of what is synced here) [there c/]"],
    ),
    (
        "a folder left the scope here, and what is in it there could not be listed",
        "d/ d/g/",
        &[(Remote, "hide d/g"), (Local, "move d private")],
        &[],
    ),
    (
        "the side that only follows forgets what is gone there and out of scope here",
        "c/ c/g",
        &[(Local, "download-only"), (Remote, "delete c/g"), (Local, "move c/g private")],
        &["state only forget private (gone on both sides)"],
    ),
    (
        "a folder that takes part for what it holds alone is deleted there and made anew",
        "d/ d/f",
        &[(Local, "ignore =d; edit d/f"), (Remote, "delete d; new d/; new d/g")],
        &[
            "state only agree d (the same on both sides) [here d, there d/]",
            "iCloud -> here download d/g (new on iCloud) [there g unread, after 0]",
            "here -> iCloud upload d/f (edited here, which outweighs the deletion on the other side) [here d/f unread, into d8, after 0]",
            "state only forget d/f (edited here, which outweighs the deletion on the other side) [after 0 and 2]",
            "state only forget d (the same on both sides) [after 0 and 2 and 3]",
        ],
    ),
    (
        "so is one in which nothing happened here",
        "d/ d/f",
        &[(Local, "ignore =d"), (Remote, "delete d; new d/; new d/g")],
        &[
            "state only agree d (the same on both sides) [here d, there d/]",
            "iCloud -> here download d/g (new on iCloud) [there g unread, after 0]",
            "iCloud -> here trash d/f (deleted on iCloud) [here d/f]",
            "state only forget d (the same on both sides) [after 0 and 2]",
        ],
    ),
    (
        "so is one that holds something new here",
        "d/ d/f",
        &[(Local, "ignore =d; new d/k"), (Remote, "delete d; new d/")],
        &[
            "state only agree d (the same on both sides) [here d, there d/]",
            "here -> iCloud upload d/k (new here) [here d/k unread, into d9, after 0]",
            "iCloud -> here trash d/f (deleted on iCloud) [here d/f]",
            "state only forget d (the same on both sides) [after 0 and 2]",
        ],
    ),
    (
        "a file that takes part no more is deleted there and made anew",
        "f g",
        &[(Local, "ignore =f; edit f"), (Remote, "delete f; new f")],
        &["state only forget f (no longer takes part)"],
    ),
    (
        "a folder went to where it takes part for nothing, and what it held was moved out of it there",
        "d/ d/f d/k/ d/k/g",
        &[(Local, "ignore =x; move d x"), (Remote, "move d/f f; move d/k k; new d/h")],
        &[
            "iCloud -> here make folder d (holds items that take part) [there d/]",
            "iCloud -> here move k from x/k (moved on iCloud) [here x/k, there k/]",
            "iCloud -> here move f from x/f (moved on iCloud) [here x/f, there f]",
            "state only agree f (same content, other times) [here f, there f, after 2]",
            "iCloud -> here download d/h (new on iCloud) [there h unread, after 0]",
        ],
    ),
    (
        "a folder went to where it takes part for nothing, and of what it held one file was moved out of it there",
        "d/ d/f d/k/ d/k/g",
        &[(Local, "ignore =x; move d x; edit x/f"), (Remote, "move d/f f; new d/h")],
        &[
            "iCloud -> here move f from x/f (moved on iCloud) [here x/f unread, there f]",
            "here -> iCloud move x from d (moved here) [here x, there d/, into root]",
            "iCloud -> here download x/h (new on iCloud) [there h unread, after 1]",
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash, after 0]",
        ],
    ),
    (
        "a folder went to where it takes part for nothing there, and what it held was moved out of it here",
        "d/ d/f d/k/ d/k/g",
        &[(Remote, "ignore =x; move d x"), (Local, "move d/f f; move d/k k; new d/h")],
        &[
            "here -> iCloud make folder d (holds items that take part) [here d, into root]",
            "here -> iCloud move k (moved here) [here k, there k/, into root]",
            "here -> iCloud move f (moved here) [here f, there f, into root]",
            "here -> iCloud upload d/h (new here) [here d/h unread, into what 0 makes, after 0]",
            "state only forget d (holds items that take part) [after 0 and 1 and 2]",
        ],
    ),
    (
        "a folder went to where it takes part for nothing, and something new took the place of what was moved out of it there",
        "d/ d/f d/k/ d/k/g",
        &[(Local, "ignore =x; move d x"), (Remote, "move d/k k; new d/k/; move d/f d/k/f")],
        &[
            "iCloud -> here make folder d (holds items that take part) [there d/]",
            "iCloud -> here make folder d/k (new on iCloud) [there k/, after 0]",
            "iCloud -> here move k from x/k (moved on iCloud) [here x/k, there k/]",
            "iCloud -> here move d/k/f from x/f (moved on iCloud) [here x/f, there f, after 0 and 1]",
            "state only agree d/k/f (same content, other times) [here d/k/f, there f, after 0 and 1 and 3]",
        ],
    ),
    (
        "a folder went to where it takes part for nothing there, and something new took the place of what was moved out of it here",
        "d/ d/f d/k/ d/k/g",
        &[(Remote, "ignore =x; move d x"), (Local, "move d/k k; new d/k/; move d/f d/k/f")],
        &[
            "here -> iCloud make folder d (holds items that take part) [here d, into root]",
            "here -> iCloud move k (moved here) [here k, there k/, into root]",
            "here -> iCloud make folder d/k (new here) [here d/k, into what 0 makes, after 0 and 1]",
            "here -> iCloud move d/k/f from f (moved here) [here d/k/f, there f, into what 2 makes, after 2]",
            "state only forget d (holds items that take part) [after 0 and 1 and 3]",
        ],
    ),
    (
        "a folder went to where it takes part for nothing, and what it held changed places there",
        "d/ d/f d/k",
        &[(Local, "ignore =x; move d x"), (Remote, "move d/f t; move d/k d/f; move t d/k")],
        &[
            "here -> iCloud move x from d (moved here) [here x, there d/, into root]",
            "iCloud -> here move x/.icloudds-moving-1-f from x/f (moved on iCloud) [here x/f, there k, after 0]",
            "iCloud -> here move x/f from x/k (moved on iCloud) [here x/k, there f, after 0 and 1]",
            "iCloud -> here move x/k from x/.icloudds-moving-1-f (moved on iCloud) [here x/.icloudds-moving-1-f, there k, after 0 and 1 and 2]",
            "state only agree x/k (same content, other times) [here x/k, there k, after 0 and 3]",
            "state only agree x/f (same content, other times) [here x/f, there f, after 0 and 2]",
        ],
    ),
    (
        "a folder went to where it takes part for nothing, and one in it took it in there",
        "d/ d/k/ d/k/g",
        &[(Local, "ignore =x; move d x"), (Remote, "move d/k k; move d k/d; new k/d/h")],
        &[
            "iCloud -> here move k from x/k (moved on iCloud) [here x/k, there k/]",
            "iCloud -> here make folder k/d (holds items that take part) [there d/, after 0]",
            "iCloud -> here download k/d/h (new on iCloud) [there h unread, after 0 and 1]",
        ],
    ),
    (
        "a folder went to where it takes part for nothing there, and one in it took it in here",
        "d/ d/k/ d/k/g",
        &[(Remote, "ignore =x; move d x"), (Local, "move d/k k; move d k/d; new k/d/h")],
        &[
            "here -> iCloud move k (moved here) [here k, there k/, into root]",
            "here -> iCloud make folder k/d (holds items that take part) [here k/d, into d8, after 0]",
            "here -> iCloud upload k/d/h (new here) [here k/d/h unread, into what 1 makes, after 1]",
            "state only forget k/d (holds items that take part) [after 0 and 1]",
        ],
    ),
    (
        "a folder that takes part for what it holds alone is moved here, deleted there and made anew",
        "d/ d/f",
        &[(Local, "ignore =d; move d e"), (Remote, "delete d; new d/; new d/g")],
        &[
            "iCloud -> here make folder d (new on iCloud) [there d/]",
            "iCloud -> here download d/g (new on iCloud) [there g unread, after 0]",
            "iCloud -> here trash e/f (deleted on iCloud) [here e/f]",
            "state only forget e (no longer takes part) [after 2]",
        ],
    ),
    (
        "a folder is moved here to where it takes part for what it holds alone, deleted there and made anew",
        "e/ e/f",
        &[(Local, "ignore =d; move e d; edit d/f"), (Remote, "delete e; new e/; new e/g")],
        &[
            "iCloud -> here make folder e (new on iCloud) [there e/]",
            "here -> iCloud make folder d (holds items that take part) [here d, into root]",
            "iCloud -> here download e/g (new on iCloud) [there g unread, after 0]",
            "here -> iCloud upload d/f (edited here, which outweighs the deletion on the other side) [here d/f, into what 1 makes, after 1]",
            "state only forget d/f (edited here, which outweighs the deletion on the other side) [after 1 and 3]",
            "state only forget d (holds items that take part) [after 1 and 3 and 4]",
        ],
    ),
    (
        "a folder that stays here alone takes part for what it holds alone, and is made anew there",
        "d/ d/f",
        &[(Remote, "delete d"), (Local, "new d/private; sync; ignore =d"), (Remote, "new d/; new d/g")],
        &[
            "state only agree d (the same on both sides) [here d, there d/]",
            "iCloud -> here download d/g (new on iCloud) [there g unread, after 0]",
            "state only forget d (the same on both sides) [after 0]",
        ],
    ),
];

#[test]
fn what_leaves_the_scope_stays_where_it_went() {
    tell_all(STORIES);
}
