//! What comes after what, and what each operation expects.

use super::fully::{Story, tell_all};
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "a folder and the file that it takes the place of change places there",
        "b",
        &[(Remote, "new g/; move b g/a; move g b")],
        &[
            "iCloud -> here move .icloudds-moving-0-b from b (moved on iCloud) [here b]",
            "iCloud -> here make folder b (new on iCloud) [there b/, after 0]",
            "iCloud -> here move b/a from .icloudds-moving-0-b (moved on iCloud) [here .icloudds-moving-0-b, there a, after 0 and 1]",
            "state only agree b/a (same content, other times) [here b/a, there a, after 1 and 2]",
        ],
    ),
    (
        "two folders change places, and what comes into one waits for that",
        "a/ b/ a/g/ e/",
        &[(Local, "new e/c; move e t; move a/g e; move t a/g; move a/g/c t; move b a/g/c; move t b")],
        &[
            "here -> iCloud move aside a/g as .icloudds-moving-0-e (moved here) [there e/, into d9]",
            "here -> iCloud move e from g (moved here) [here e, there g/, into root, after 0]",
            "here -> iCloud move a/g from e (moved here) [here a/g, there e/, into d9, after 0 and 1]",
            "here -> iCloud move a/g/c from b (moved here) [here a/g/c, there b/, into d11, after 2]",
            "here -> iCloud upload b (new here) [here b unread, into root, after 3]",
        ],
    ),
    (
        "a folder whose name differs in case is made and the other one goes",
        "a/",
        &[(Local, "delete a; new A/")],
        &[
            "here -> iCloud make folder A (new here) [here A, into root]",
            "here -> iCloud trash a (deleted here) [there a/]",
        ],
    ),
    (
        "what stands in the way of a folder that comes from there moves on",
        "b fff/ e/",
        &[(Local, "rewrite b"), (Remote, "move fff e/a"), (Local, "move fff t; move b fff; move t b")],
        &[
            "iCloud -> here move e/a from b (moved on both sides, the place on iCloud counts) [here b, there a/]",
            "here -> iCloud upload fff (new here) [here fff unread, into root]",
            "here -> iCloud trash b (deleted here) [there b]",
        ],
    ),
    (
        "in a mode in which nothing comes from there a folder leaves the one that goes",
        "a/ g/",
        &[(Local, "upload-only; delete g"), (Remote, "move a g/a")],
        &[
            "here -> iCloud move a (moved on iCloud) [here a, there a/, into root]",
            "here -> iCloud trash g (deleted here) [there g/, nothing at g, after 0]",
        ],
    ),
    (
        "folders go after what they hold",
        "g/ g/g/ g/g/fff/",
        &[(Remote, "delete g")],
        &[
            "iCloud -> here trash g/g/fff (deleted on iCloud) [here g/g/fff]",
            "iCloud -> here trash g/g (deleted on iCloud) [here g/g, after 0]",
            "iCloud -> here trash g (deleted on iCloud) [here g, after 1]",
        ],
    ),
    (
        "in a mode in which nothing comes from there a place that both agree on is left alone with its edit",
        "e",
        &[(Local, "upload-only; move e g"), (Remote, "edit e; move e private2; move private2 g")],
        &[],
    ),
    (
        "a deletion looks for its name on a disk that folds case",
        "g b/",
        &[(Local, "folds; delete b")],
        &["here -> iCloud trash b (deleted here) [there b/, nothing at b]"],
    ),
    (
        "what is sent again comes before what is forgotten, from the bottom up",
        "a/ a/e/ a/e/fff",
        &[(Local, "edit a/e/fff"), (Remote, "move a private2")],
        &[
            "here -> iCloud make folder a (holds items that take part) [here a, into root]",
            "here -> iCloud make folder a/e (holds items that take part) [here a/e, into what 0 makes, after 0]",
            "here -> iCloud upload a/e/fff (edited here, which outweighs the deletion on the other side) [here a/e/fff, into what 1 makes, after 1]",
            "state only forget a/e/fff (edited here, which outweighs the deletion on the other side) [after 1 and 2]",
            "state only forget a/e (holds items that take part) [after 0 and 1 and 2 and 3]",
            "state only forget a (holds items that take part) [after 0 and 1 and 4]",
        ],
    ),
    (
        "what takes the place of another one waits for it, also where its content comes later",
        "b d",
        &[(Remote, "empty b; move d t; move b d")],
        &[
            "iCloud -> here move t from d (moved on iCloud) [here d, there t]",
            "iCloud -> here move d from b (moved on iCloud) [here b, there d unread, after 0]",
            "state only agree t (same content, other times) [here t, there t, after 0]",
            "iCloud -> here download over d (edited on iCloud) [here d, there d unread, after 1]",
        ],
    ),
    (
        "a file in a folder that goes from another one goes once",
        "fff/ c fff/a/ fff/a/d/",
        &[(Local, "move c fff/a/d/d"), (Remote, "delete fff/a; delete c")],
        &[
            "iCloud -> here trash fff/a/d/d (deleted on iCloud) [here fff/a/d/d]",
            "iCloud -> here trash fff/a/d (deleted on iCloud) [here fff/a/d, after 0]",
            "iCloud -> here trash fff/a (deleted on iCloud) [here fff/a, after 1]",
        ],
    ),
    (
        "names change places, and an edit follows the last move",
        "c u\u{308}",
        &[(Local, "empty c; move c t; move u\u{308} c; move t u\u{308}")],
        &[
            "here -> iCloud move aside u\u{308} as .icloudds-moving-0-c (moved here) [there c, into root]",
            "here -> iCloud move c from u\u{308} (moved here) [here c, there u\u{308}, into root, after 0]",
            "here -> iCloud move u\u{308} from c (moved here) [here u\u{308}, there c, into root, after 0 and 1]",
            "here -> iCloud upload over u\u{308} (empty here now) [here u\u{308}, there c, by way of the trash, after 2]",
        ],
    ),
    (
        "a conflict on a disk that folds case has one name",
        "",
        &[(Local, "folds; new f"), (Remote, "new F; new F2")],
        &[
            "iCloud -> here move F from f (different on both sides) [here f unread]",
            "iCloud -> here download F2 (new on iCloud) [there F2 unread]",
            "iCloud -> here settle conflict F conflict copy F (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here F unread, there F unread, after 0]",
        ],
    ),
    (
        "a folder that lies deep and left another one that goes is deleted for itself",
        "c/ c/b/ c/b/c/ c/b/c/fff/ c/b/c/fff/fff/",
        &[(Remote, "move c/b/c/fff/fff b"), (Local, "delete c")],
        &[
            "here -> iCloud trash c/b/c/fff/fff (deleted here) [there b/, nothing at c/b/c/fff/fff]",
            "here -> iCloud trash c (deleted here) [there c/, with 3 below, nothing at c, after 0]",
        ],
    ),
    (
        "the second conflict copy of one moment gets another name",
        "a",
        &[(Remote, "edit a; move a d"), (Local, "back a; sync"), (Remote, "edit d"), (Local, "edit d")],
        &[
            "iCloud -> here settle conflict d conflict copy d (conflict 2026-11-22 10-00-00 nas 2) (different on both sides) [here d unread, there d unread]",
        ],
    ),
    (
        "within a folder that is moved two of its items change places",
        "c/ c/b/ c/b/b c/b/e/",
        &[(Remote, "move c fff"), (Local, "move c/b/b t; move c/b/e c/b/b; move t c/b/e")],
        &[
            "iCloud -> here move fff from c (moved on iCloud) [here c, there fff/]",
            "here -> iCloud move aside fff/b/b as .icloudds-moving-1-e (moved here) [there e/, into d10, after 0]",
            "here -> iCloud move fff/b/e from b (moved here) [here fff/b/e, there b, into d10, after 0 and 1]",
            "here -> iCloud move fff/b/b from e (moved here) [here fff/b/b, there e/, into d10, after 0 and 1 and 2]",
        ],
    ),
    (
        "a file there, and a folder here, whose names differ in case",
        "A/",
        &[(Local, "delete A"), (Remote, "new a")],
        &[
            "iCloud -> here download a (new on iCloud) [there a unread]",
            "here -> iCloud trash A (deleted here) [there A/]",
        ],
    ),
    (
        "a folder that is deleted here is looked for by its name",
        "b/",
        &[(Local, "folds; delete b")],
        &["here -> iCloud trash b (deleted here) [there b/, nothing at b]"],
    ),
    (
        "in a mode in which nothing comes from there a successor changes nothing here",
        "c",
        &[(Local, "upload-only"), (Remote, "delete c; new c")],
        &[],
    ),
    (
        "what leaves a folder that goes leaves it first",
        "b/ b/e",
        &[(Remote, "move b/e \u{fc}; delete b")],
        &[
            "iCloud -> here move \u{fc} from b/e (moved on iCloud) [here b/e, there \u{fc}]",
            "state only agree \u{fc} (same content, other times) [here \u{fc}, there \u{fc}, after 0]",
            "iCloud -> here trash b (deleted on iCloud) [here b, after 0 and 1]",
        ],
    ),
    (
        "what was modified a short while ago goes first also where it went back in time",
        "c fff",
        &[(Local, "back fff; recent; empty c")],
        &[
            "here -> iCloud upload over c (empty here now) [here c, there c, by way of the trash]",
            "here -> iCloud upload over fff (older than the version that it replaces) [here fff unread, there fff, by way of the trash]",
        ],
    ),
    (
        "in a mode in which nothing comes from there what was moved in the way there goes back first",
        "a/ b",
        &[(Local, "upload-only; move a c"), (Remote, "move b c")],
        &[
            "here -> iCloud move b from c (moved on iCloud) [here b, there c, into root]",
            "here -> iCloud move c from a (moved here) [here c, there a/, into root, after 0]",
            "state only agree b (same content, other times) [here b, there c, after 0]",
        ],
    ),
];

#[test]
fn each_operation_comes_after_what_it_waits_for() {
    tell_all(STORIES);
}
