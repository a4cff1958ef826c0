//! Moves, names and their order where several rules meet (`docs/sync.md` §4).

use super::fully::{Story, tell_all};
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "a name in another case is another one where the disk tells them apart",
        "A a/",
        &[(Local, "delete a")],
        &["here -> iCloud trash a (deleted here) [there a/, nothing at a]"],
    ),
    (
        "a file that was moved there into a library goes on there as a new one",
        "b",
        &[(Remote, "library Lib; move b Lib/A")],
        &[
            "iCloud -> here make folder Lib (new on iCloud) [there Lib/]",
            "iCloud -> here move Lib/A from b (moved on iCloud) [here b unread, after 0]",
            "here -> iCloud trash b (moved out of what is synced here) [there A]",
            "here -> iCloud upload Lib/A (moved here) [here Lib/A unread, into d1000000004, after 0 and 1 and 2]",
        ],
    ),
    (
        "and so does a folder",
        "b/",
        &[(Remote, "library Lib; move b Lib/A")],
        &[
            "iCloud -> here make folder Lib (new on iCloud) [there Lib/]",
            "iCloud -> here move Lib/A from b (moved on iCloud) [here b, after 0]",
            "here -> iCloud trash b (moved out of what is synced here) [there A/]",
            "here -> iCloud make folder Lib/A (moved here) [here Lib/A, into d1000000004, after 0 and 1 and 2]",
        ],
    ),
    (
        "a temporary name that was left on iCloud is taken back, to the place here",
        "c/ b/ c/a/",
        &[(Remote, "move c/a b/.icloudds-moving-0-b")],
        &[
            "here -> iCloud move c/a from .icloudds-moving-0-b (moved on iCloud) [here c/a, there .icloudds-moving-0-b/, into d7]",
        ],
    ),
    (
        "of two folders that were moved into each other the place on iCloud counts, whichever it is",
        "A/ B/",
        &[(Remote, "move A B/A"), (Local, "move B A/B")],
        &[
            "iCloud -> here move B from A/B (moved on both sides, the place on iCloud counts) [here A/B, there B/]",
            "iCloud -> here move B/A from A (moved on iCloud) [here A, there A/, after 0]",
        ],
    ),
    (
        "where nothing comes from there a folder comes back out of one that left the scope here",
        "b/ d/",
        &[(Local, "upload-only; move b d/private"), (Remote, "move d b/d")],
        &["here -> iCloud move d (moved on iCloud) [here d, there d/, into root]"],
    ),
    (
        "of two there that differ in case the one that is written as here is that one",
        "",
        &[(Local, "folds; new f"), (Remote, "new F; new f")],
        &[
            "state only compare f else conflict copy f (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here f unread, there f unread]",
            "set-aside F (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "a temporary name stays where something that takes no part has the right one",
        "private a",
        &[(Local, "move private t; move a private; move t a; move private .icloudds-moving-2-b")],
        &[
            "state only forget a (no longer takes part)",
            "set-aside .icloudds-moving-2-b (something here that does not take part has the name \"a\")",
        ],
    ),
    (
        "a folder that lost its name to what had been in it is made anew beside it",
        "A/ A/b/",
        &[(Remote, "move A private; move private/b A"), (Local, "new A/c")],
        &[
            "iCloud -> here move A (conflict 2026-11-22 10-00-00 nas) from A (another item has this name) [here A]",
            "iCloud -> here move A from A (conflict 2026-11-22 10-00-00 nas)/b (moved on iCloud) [here A (conflict 2026-11-22 10-00-00 nas)/b, there A/, after 0]",
            "here -> iCloud make folder A (conflict 2026-11-22 10-00-00 nas) (another item has this name) [here A (conflict 2026-11-22 10-00-00 nas), into root, after 0]",
            "here -> iCloud upload A (conflict 2026-11-22 10-00-00 nas)/c (new here) [here A (conflict 2026-11-22 10-00-00 nas)/c unread, into what 2 makes, after 0 and 2]",
            "state only forget A (another item has this name) [after 1 and 2]",
        ],
    ),
    (
        "where nothing comes from there a folder that both sides moved goes where it is here",
        "b/ b/e/",
        &[(Remote, "move b/e e"), (Local, "upload-only; move b/e s")],
        &["here -> iCloud move s from e (moved here) [here s, there e/, into root]"],
    ),
    (
        "who waits for a name does not hold the one that it cannot have",
        "A a/ e/",
        &[(Remote, "move e A"), (Local, "delete a")],
        &[
            "here -> iCloud trash a (deleted here) [there a/, nothing at a]",
            "set-aside e (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "a new folder that was left under a temporary name gets its own",
        "",
        &[(Remote, "new .icloudds-moving-1-s/")],
        &[
            "here -> iCloud move s from .icloudds-moving-1-s (new on iCloud) [there .icloudds-moving-1-s/, into root]",
            "iCloud -> here make folder s (new on iCloud) [there .icloudds-moving-1-s/, after 0]",
        ],
    ),
    (
        "what was moved into a library that is closed now waits",
        "a",
        &[(Remote, "library Lib"), (Local, "sync; move a Lib/d; no-libraries")],
        &[
            "state only forget Lib (no longer takes part)",
            "set-aside Lib/d (the folder that it was moved to is not synced now)",
        ],
    ),
    (
        "what a power cut emptied and both sides moved comes back to its place there, and is told as moved twice",
        "fff",
        &[(Remote, "move fff b"), (Local, "cut fff; move fff g")],
        &[
            "iCloud -> here move b from g (moved on both sides, the place on iCloud counts) [here g, there b]",
            "iCloud -> here download over b (empty here with its old time, the trace of a power cut) [here b, there b, after 0]",
        ],
    ),
    (
        "what stands under a temporary name here goes where it was moved to there",
        "a g/",
        &[(Local, "move a A; move A g/.icloudds-moving-0-c"), (Remote, "move a e")],
        &[
            "iCloud -> here move e from g/.icloudds-moving-0-c (moved on both sides, the place on iCloud counts) [here g/.icloudds-moving-0-c, there e]",
            "state only agree e (same content, other times) [here e, there e, after 0]",
        ],
    ),
    (
        "a folder moves along to a name that takes part only for what it holds",
        "c/ c/c/",
        &[(Remote, "new c/c/c; ignore =a"), (Local, "sync"), (Remote, "move c/c a")],
        &["iCloud -> here move a from c/c (moved on iCloud) [here c/c, there a/]"],
    ),
    (
        "what is only agreed does not wait for a transfer",
        "fff b",
        &[(Local, "recent; no-identity"), (Remote, "edit fff")],
        &[
            "state only agree b (same content, other times) [here b, there b]",
            "iCloud -> here download over fff (edited on iCloud) [here fff, there fff unread]",
        ],
    ),
    (
        "in a ring of two folders and a file, each comes to its place through a temporary name",
        "a/ a/a a/g",
        &[(Local, "move a/g t; move a/a a/g; move t a/a; move a s")],
        &[
            "here -> iCloud move s from a (moved here) [here s, there a/, into root]",
            "here -> iCloud move aside s/g as .icloudds-moving-1-a (moved here) [there a, into d7, after 0]",
            "here -> iCloud move s/a from g (moved here) [here s/a, there g, into d7, after 0 and 1]",
            "here -> iCloud move s/g from a (moved here) [here s/g, there a, into d7, after 0 and 1 and 2]",
        ],
    ),
    (
        "who waits for a name holds its own only in the folder where it stands",
        "e/ fff/ e/a",
        &[(Remote, "move fff e/a"), (Local, "move fff t"), (Remote, "new e/b"), (Local, "move t b")],
        &[
            "iCloud -> here download e/b (new on iCloud) [there b unread]",
            "set-aside b (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "what is known of an item says nothing of the one that took its place",
        "b",
        &[(Remote, "delete b; new b; same b")],
        &[
            "iCloud -> here download over b (edited on iCloud) [here b, there b unread]",
            "state only forget b (edited on iCloud) [after 0]",
            "set-aside b (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "a conflict copy gets a name that nobody has or gets",
        "",
        &[(Local, "new A"), (Remote, "new .icloudds-moving-0-A; new A")],
        &[
            "here -> iCloud move A (conflict 2026-11-22 10-00-00 nas) from .icloudds-moving-0-A (another item has this name) [there .icloudds-moving-0-A unread, into root]",
            "iCloud -> here download A (conflict 2026-11-22 10-00-00 nas) (another item has this name) [there .icloudds-moving-0-A unread, after 0]",
            "state only compare A else conflict copy A (conflict 2026-11-22 10-00-00 nas 2) (different on both sides) [here A unread, there A unread]",
        ],
    ),
    (
        "where nothing comes from there what was moved into a library goes up, and its former copy goes",
        "a/ a/b/ a/b/f",
        &[(Remote, "library Lib"), (Local, "sync; move a Lib/a; upload-only")],
        &[
            "here -> iCloud make folder Lib/a (moved here) [here Lib/a, into d1000000010]",
            "here -> iCloud make folder Lib/a/b (moved here) [here Lib/a/b, into what 0 makes, after 0]",
            "here -> iCloud upload Lib/a/b/f (moved here) [here Lib/a/b/f unread, into what 1 makes, after 1]",
            "here -> iCloud trash a (moved out of what is synced here) [there a/, with 2 below, after 0 and 1 and 2]",
        ],
    ),
    (
        "where nothing comes from there a ring is undone with one temporary name",
        "g b d/ d/d/",
        &[(Remote, "move g d/d; move b t; move d/d b; move t d/d"), (Local, "upload-only")],
        &[
            "here -> iCloud move g from d (moved on iCloud) [here g, there d, into root]",
            "state only agree g (same content, other times) [here g, there d, after 0]",
            "here -> iCloud move aside d/d as .icloudds-moving-2-b (moved on iCloud) [there b/, into d9, after 0]",
            "here -> iCloud move b from d (moved on iCloud) [here b, there d, into root, after 2]",
            "here -> iCloud move d/d from b (moved on iCloud) [here d/d, there b/, into d9, after 0 and 2 and 3]",
            "state only agree b (same content, other times) [here b, there d, after 3]",
        ],
    ),
    (
        "a file comes to a name after who leaves it",
        "b a/",
        &[(Remote, "edit b"), (Local, "move b a/private"), (Remote, "move a t; move b a; move t b")],
        &[
            "iCloud -> here move b from a (moved on iCloud) [here a, there b/]",
            "iCloud -> here download a (edited on iCloud, which outweighs the deletion on the other side) [there a unread, after 0]",
        ],
    ),
    (
        "only who makes room for others steps aside",
        "e/ a/",
        &[(Local, "move e a/c; move a e")],
        &[
            "here -> iCloud move aside e/c as .icloudds-moving-0-e (moved here) [there e/, into root]",
            "here -> iCloud move e from a (moved here) [here e, there a/, into root, after 0]",
            "here -> iCloud move e/c from e (moved here) [here e/c, there e/, into d6, after 0 and 1]",
        ],
    ),
    (
        "where nothing comes from there a new file is written as it is here",
        "",
        &[(Local, "upload-only; folds; new f"), (Remote, "new F")],
        &[
            "here -> iCloud move f from F (different on both sides) [here f unread, there F unread, into root]",
            "here -> iCloud settle conflict f conflict copy F (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here f unread, there F unread, after 0]",
        ],
    ),
    (
        "of three that come to one name a new folder there keeps it",
        "f",
        &[(Local, "move f g"), (Remote, "new g/; new g")],
        &[
            "iCloud -> here move g (conflict 2026-11-22 10-00-00 nas) from g (another item has this name) [here g]",
            "iCloud -> here make folder g (new on iCloud) [there g/, after 0]",
            "here -> iCloud move g (conflict 2026-11-22 10-00-00 nas) from f (another item has this name) [here g (conflict 2026-11-22 10-00-00 nas), there f, into root, after 0]",
            "set-aside g (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "a temporary name on iCloud of what left the scope here gives way to its own",
        "f",
        &[(Remote, "edit f"), (Local, "move f private"), (Remote, "move f .icloudds-moving-1-b")],
        &[
            "here -> iCloud move b from .icloudds-moving-1-b (moved on both sides, the place on iCloud counts) [there .icloudds-moving-1-b unread, into root]",
            "iCloud -> here download b (edited on iCloud, which outweighs the deletion on the other side) [there .icloudds-moving-1-b unread, after 0]",
        ],
    ),
];

#[test]
fn what_was_moved_comes_to_its_place_or_waits() {
    tell_all(STORIES);
}
