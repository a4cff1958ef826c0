//! Failures that the property test found, each as it shrank.

use super::table::{Case, check_all};
use crate::engine::plan::Mode;

const FOUND: &[Case<'static>] = &[
    (
        "a swap of a file and a folder keeps what the base knows of the folder",
        "a/ f",
        "",
        "move a t; move f a; move t f; new f/n",
        &[
            "iCloud -> here move .icloudds-moving-0-a from a (moved on iCloud)",
            "iCloud -> here move a from f (moved on iCloud)",
            "iCloud -> here move f from .icloudds-moving-0-a (moved on iCloud)",
            "state only agree a (same content, other times)",
            "iCloud -> here download f/n (new on iCloud)",
        ],
    ),
    (
        "a folder that goes there spares what leaves it first, with all it holds",
        "a/ a/b/ a/b/f",
        "move a/b b; delete a",
        "",
        &["here -> iCloud move b (moved here)", "here -> iCloud trash a (deleted here)"],
    ),
    (
        "a junk name in a folder that goes",
        "b/ c",
        "edit c; delete b",
        "move c b/.DS_Store",
        &[
            "here -> iCloud upload c (edited here, which outweighs the deletion on the other side)",
            "here -> iCloud trash b (deleted here)",
            "state only forget c (edited here, which outweighs the deletion on the other side)",
        ],
    ),
    (
        "a folder leaves the scope there while a file in it is edited here",
        "e/ e/b",
        "edit e/b",
        "move e private",
        &[
            "here -> iCloud make folder e (holds items that take part)",
            "here -> iCloud upload e/b (edited here, which outweighs the deletion on the other side)",
            "state only forget e/b (edited here, which outweighs the deletion on the other side)",
            "state only forget e (holds items that take part)",
        ],
    ),
    (
        "a folder leaves the scope here while a file in it is edited there",
        "e/ e/b",
        "move e private",
        "edit e/b",
        &[
            "iCloud -> here make folder e (holds items that take part)",
            "iCloud -> here download e/b (edited on iCloud, which outweighs the deletion on the other side)",
        ],
    ),
    (
        "a file that came with a folder that left, beside one that did not",
        "e/ e/b e/c",
        "edit e/b",
        "move e private; delete private/c",
        &[
            "here -> iCloud make folder e (holds items that take part)",
            "here -> iCloud upload e/b (edited here, which outweighs the deletion on the other side)",
            "iCloud -> here trash e/c (deleted on iCloud)",
            "state only forget e/b (edited here, which outweighs the deletion on the other side)",
            "state only forget e (holds items that take part)",
        ],
    ),
    (
        "a folder kept for what does not take part keeps the one above it",
        "a/ a/b/",
        "new a/b/l; kind special a/b/l",
        "delete a",
        &[
            "state only remember a (still holds items that do not take part)",
            "state only remember a/b (still holds items that do not take part)",
            "skipped a/b/l (a link, socket, device or FIFO is never synced)",
        ],
    ),
    (
        "two folders went out of scope, each into the other",
        "a/ b/",
        "move a b/private",
        "move b a/private",
        &[
            "state only forget b/private (moved out of what is synced here)",
            "state only forget b (moved out of what is synced on iCloud)",
        ],
    ),
    (
        "two folders went out of scope there, the outer into the inner, which is needed",
        "a/ a/c/",
        "new a/c/u/",
        "move a/c private; move a private/d",
        &[
            "here -> iCloud make folder a (holds items that take part)",
            "here -> iCloud make folder a/c (holds items that take part)",
            "here -> iCloud make folder a/c/u (new here)",
            "state only forget a/c (holds items that take part)",
            "state only forget a (holds items that take part)",
        ],
    ),
    (
        "a folder that went out of scope here is needed for what came into it there",
        "b/ d/ d/c/",
        "move b d/private",
        "move d b/d",
        &[
            "iCloud -> here make folder b (holds items that take part)",
            "iCloud -> here move b/d from d (moved on iCloud)",
        ],
    ),
    (
        "a folder parked on its way keeps what the base knows of it",
        "e/ e/d/",
        "",
        "new e/x; move e/d t; move e private; move t e; move private/x e/x",
        &[
            "iCloud -> here move .icloudds-moving-0-d from e/d (moved on iCloud)",
            "iCloud -> here trash e (moved out of what is synced on iCloud)",
            "iCloud -> here move e from .icloudds-moving-0-d (moved on iCloud)",
            "iCloud -> here download e/x (new on iCloud)",
        ],
    ),
    (
        "what was deleted here, in a folder that changes its name with another one",
        "b/ c/ c/u",
        "delete c; new b/u",
        "move c t; move b c; move t b; new b/n",
        &[
            "iCloud -> here move c from b (moved on iCloud)",
            "iCloud -> here make folder b (holds items that take part)",
            "iCloud -> here download b/n (new on iCloud)",
            "here -> iCloud upload c/u (new here)",
            "here -> iCloud trash c/u (deleted here)",
        ],
    ),
    (
        "a folder takes along what was moved into it there and moved over another one here",
        "b d u/",
        "over d b; delete u",
        "edit b; move d u/c",
        &[
            "iCloud -> here settle conflict b conflict copy b (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
            "here -> iCloud trash u (deleted here)",
            "state only forget d (deleted here)",
        ],
    ),
    (
        "a folder that left the scope there makes way for what it held",
        "A/ A/b/",
        "move A/b u",
        "move A private; move private/b A; new A/c",
        &[
            "iCloud -> here move .icloudds-moving-0-u from u (moved on both sides, the place on iCloud counts)",
            "iCloud -> here trash A (moved out of what is synced on iCloud)",
            "iCloud -> here move A from .icloudds-moving-0-u (moved on both sides, the place on iCloud counts)",
            "iCloud -> here download A/c (new on iCloud)",
        ],
    ),
    (
        "a power cut and a move out of scope",
        "fff",
        "cut fff; move fff private",
        "",
        &[
            "iCloud -> here move fff from private (moved here)",
            "iCloud -> here download over fff (empty here with its old time, the trace of a power cut)",
        ],
    ),
];

const BY_NAME: &[Case<'static>] = &[(
    "a name stays with what left the scope under it",
    "A/",
    "move A private",
    "move A B; new private/; new private/f",
    &[
        "here -> iCloud trash A (moved out of what is synced here)",
        "set-aside private (something here that does not take part has the name \"private\")",
    ],
)];

const UPLOAD_ONLY: &[Case<'static>] = &[
    (
        "a folder that left the scope there is moved back with what it holds",
        "a/ a/c a/c2",
        "",
        "move a private",
        &["here -> iCloud move a from private (moved on iCloud)"],
    ),
    (
        "junk in a folder that was deleted here",
        "a/",
        "delete a",
        "new a/.DS_Store",
        &["here -> iCloud trash a (deleted here)"],
    ),
];

const FOLDING: &[Case<'static>] = &[
    (
        "one name but for case, new on both sides",
        "",
        "new Bb; new Bb2/",
        "new bb; new bb2/",
        &[
            "iCloud -> here move bb from Bb (different on both sides)",
            "iCloud -> here move bb2 from Bb2 (the same on both sides)",
            "state only agree bb2 (the same on both sides)",
            "state only compare bb else conflict copy bb (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
        ],
    ),
    (
        "two names there that this disk cannot hold apart",
        "",
        "",
        "new a; new A",
        &[
            "iCloud -> here download a (new on iCloud)",
            "set-aside A (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "one of them goes",
        "A",
        "",
        "delete A; new a",
        &["iCloud -> here trash A (deleted on iCloud)", "iCloud -> here download a (new on iCloud)"],
    ),
];

#[test]
fn what_random_changes_found() {
    check_all(FOUND, |world| world.ignore = vec!["private".to_owned(), ".DS_Store".to_owned()]);
}

#[test]
fn what_random_changes_found_where_a_folder_is_ignored_without_what_it_holds() {
    check_all(BY_NAME, |world| world.ignore = vec!["=private".to_owned()]);
}

#[test]
fn what_random_changes_found_in_upload_only() {
    check_all(UPLOAD_ONLY, |world| {
        world.ignore = vec!["private".to_owned(), ".DS_Store".to_owned()];
        world.mode = Mode::UploadOnly;
    });
}

#[test]
fn what_random_changes_found_on_disks_that_fold_case() {
    check_all(FOLDING, |world| world.folds = true);
}
