//! What is gone on a side, stays on one only or left the scope (`docs/sync.md` §4).

use super::fully::{Story, tell_all};
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "what stands in a volume that is away, and of which iCloud does not tell, is told on both sides",
        "v/ v/f",
        &[(Local, "mount v; sync; unmount"), (Remote, "vanish v")],
        &[
            "unsettled v (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
            "unsettled v (iCloud did not list it and does not say what became of it)",
            "unsettled v/f (its folder here could not be read, or is on another volume)",
            "unsettled v/f (iCloud did not list it and does not say what became of it)",
        ],
    ),
    (
        "where nothing comes from there what left the scope there and is gone here is forgotten",
        "f",
        &[(Local, "upload-only; delete f"), (Remote, "move f private")],
        &["state only forget f (gone on both sides)"],
    ),
    (
        "a file on which a volume is mounted now",
        "v/ v/f",
        &[(Local, "mount v")],
        &["state only agree v (the same on both sides) [here v, there v/]"],
    ),
    (
        "what was put under a volume and is gone there is gone on both sides",
        "",
        &[(Local, "new v/; mount v; unmount; under v/f; sync; remount"), (Remote, "delete v/f")],
        &[
            "state only agree v (the same on both sides) [here v, there v/]",
            "state only forget v/f (no longer takes part)",
        ],
    ),
    (
        "in a volume that is away an edited file has its path",
        "",
        &[
            (Local, "new v/; mount v; new v/g; unmount; under v/f; sync; remount; miss v/g; pass; unmount"),
            (Remote, "edit v/f"),
        ],
        &[
            "state only agree v (the same on both sides) [here v, there v/]",
            "iCloud -> here download over v/f (edited on iCloud) [here v/f, there f unread, after 0]",
        ],
    ),
    (
        "a folder kept there only, that moved and was made here again",
        "d/ d/e/",
        &[
            (Remote, "new d/e/private"),
            (Local, "delete d; sync"),
            (Remote, "move d x"),
            (Local, "new d/; new d/e/"),
        ],
        &[
            "here -> iCloud make folder d (new here) [here d, into root]",
            "here -> iCloud make folder d/e (new here) [here d/e, into what 0 makes, after 0]",
        ],
    ),
    (
        "a folder kept here only that comes back there",
        "d/",
        &[(Local, "new d/private"), (Remote, "delete d"), (Local, "sync"), (Remote, "restore d")],
        &["state only agree d (the same on both sides) [here d, there d/]"],
    ),
    (
        "a temporary name that was learnt is left for the right one",
        "a b",
        &[(Remote, "move a t; move b a; move t b"), (Local, "first 1")],
        &[
            "iCloud -> here move a from b (moved on iCloud) [here b, there a]",
            "iCloud -> here move b from .icloudds-moving-0-a (the same on both sides) [here .icloudds-moving-0-a, there b, after 0]",
            "state only agree a (same content, other times) [here a, there a, after 0]",
        ],
    ),
    (
        "a package that is too large there",
        "p",
        &[(Remote, "kind package p; edit p; sync;"), (Local, "most 1")],
        &["skipped p (larger than limits.max_file_size: 4 bytes on iCloud)"],
    ),
    (
        "a folder kept here only in one kept here only",
        "a/ a/d/ k/",
        &[(Local, "new a/d/private; new k/private; move a/d k/d"), (Remote, "delete a; delete k")],
        &[
            "state only remember k (still holds items that do not take part) [here only]",
            "state only remember k/d (still holds items that do not take part) [here only, into d8 as d]",
            "iCloud -> here trash a (deleted on iCloud) [here a, after 1]",
        ],
    ),
    (
        "what is ignored and has the name in another case holds it",
        "A",
        &[(Local, "ignore =a; folds; delete A; new a")],
        &["here -> iCloud trash A (deleted here) [there A]"],
    ),
    (
        "of two of one time none is newer",
        "",
        &[(Local, "newest; new f"), (Remote, "same f")],
        &[
            "state only compare f else conflict copy f (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here f unread, there f unread]",
        ],
    ),
    (
        "a package is not compared",
        "p",
        &[(Remote, "kind package p; edit p; sync"), (Local, "edit p"), (Remote, "edit p; sign p")],
        &[
            "iCloud -> here settle conflict p conflict copy p (conflict 2026-11-22 10-00-00 nas) (changed here, which is never uploaded) [here p unread, there p, the copy stays here]",
        ],
    ),
    (
        "a package is not newer",
        "p",
        &[(Remote, "kind package p; edit p; sync"), (Local, "newest; edit p"), (Remote, "edit p")],
        &[
            "iCloud -> here settle conflict p conflict copy p (conflict 2026-11-22 10-00-00 nas) (changed here, which is never uploaded) [here p unread, there p unread, the copy stays here]",
        ],
    ),
    (
        "a package is not older",
        "p",
        &[(Remote, "kind package p; edit p; sync"), (Remote, "edit p"), (Local, "newest; edit p")],
        &[
            "iCloud -> here settle conflict p conflict copy p (conflict 2026-11-22 10-00-00 nas) (changed here, which is never uploaded) [here p unread, there p unread, the copy stays here]",
        ],
    ),
    (
        "what both sides edited and moved to one name with another one",
        "f",
        &[(Local, "edit f; move f x"), (Remote, "edit f; new x")],
        &[
            "iCloud -> here move x (conflict 2026-11-22 10-00-00 nas) from x (another item has this name) [here x unread]",
            "here -> iCloud move x (conflict 2026-11-22 10-00-00 nas) from f (another item has this name) [here x (conflict 2026-11-22 10-00-00 nas) unread, there f unread, into root, after 0]",
            "iCloud -> here download x (new on iCloud) [there x unread, after 0]",
            "iCloud -> here settle conflict x (conflict 2026-11-22 10-00-00 nas) conflict copy x (conflict 2026-11-22 10-00-00 nas 2) (different on both sides) [here x (conflict 2026-11-22 10-00-00 nas) unread, there f unread, after 0 and 1]",
        ],
    ),
    (
        "of two conflicts that differ in case there",
        "A a",
        &[(Local, "upload-only; edit A; edit a"), (Remote, "edit A; edit a")],
        &[
            "here -> iCloud settle conflict A conflict copy A (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here A unread, there A unread]",
            "here -> iCloud settle conflict a conflict copy a (conflict 2026-11-22 10-00-00 nas 2) (different on both sides) [here a, there a unread]",
        ],
    ),
    (
        "a library that was moved out of what is synced there stays as it is there",
        "",
        &[(Remote, "library Lib; new Lib/f; sync; move Lib private"), (Local, "edit Lib/f")],
        &[
            "iCloud -> here move private from Lib (moved on iCloud) [here Lib, there private/]",
            "set-aside Lib/f (something on iCloud that does not take part has the name \"f\")",
        ],
    ),
    (
        "what went along with its folder needs no other one",
        "d/ d/f",
        &[(Local, "ignore =x; move d x; edit x/f")],
        &[
            "here -> iCloud move x from d (moved here) [here x, there d/, into root]",
            "here -> iCloud upload over x/f (edited here) [here x/f, there f, by way of the trash, after 0]",
        ],
    ),
    (
        "a mount point with something in it keeps the folder above it",
        "",
        &[(Local, "new p/; new p/v/; mount p/v; sync; unmount; under p/v/f"), (Remote, "delete p")],
        &[
            "state only remember p (still holds items that do not take part) [here only]",
            "unsettled p/v (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
            "unsettled p/v/f (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
        ],
    ),
    (
        "something shared with the name of junk keeps its folder",
        "d/",
        &[(Remote, "new d/.DS_Store; kind foreign d/.DS_Store"), (Local, "delete d")],
        &["state only remember d (still holds items that do not take part) [there only]"],
    ),
    (
        "a folder kept here only that got another name",
        "g/ g/p/ g/p/d/ g/p/f",
        &[
            (Local, "new g/p/d/private"),
            (Remote, "delete g/p/d"),
            (Local, "sync"),
            (Remote, "move g/p p; delete g"),
            (Local, "move g/p/d g/p/e"),
        ],
        &[
            "iCloud -> here move p from g/p (moved on iCloud) [here g/p, there p/]",
            "state only remember g/p/e (still holds items that do not take part) [here only, into d10 as e, after 0]",
            "iCloud -> here trash g (deleted on iCloud) [here g, after 0 and 1]",
        ],
    ),
    (
        "a folder kept here only that moved into one that waits",
        "a/ a/d/",
        &[
            (Local, "new a/d/private"),
            (Remote, "delete a/d"),
            (Local, "sync; new w/; move a/d w/d; wait w"),
            (Remote, "delete a"),
        ],
        &["iCloud -> here trash a (deleted on iCloud) [here a]"],
    ),
    (
        "a library that stands where it was is agreed where nothing comes from there",
        "",
        &[(Remote, "library Lib; sync"), (Local, "upload-only; delete Lib; new Lib/")],
        &["state only agree Lib (the same on both sides) [here Lib, there Lib/]"],
    ),
    (
        "a package of which nobody knows",
        "p",
        &[(Remote, "kind package p; edit p; sync; lend p")],
        &["unsettled p (it bears a temporary name on iCloud, which another machine may be about to change)"],
    ),
    (
        "a package that changed here where nothing comes from there",
        "p",
        &[(Remote, "kind package p; edit p; sync"), (Local, "upload-only; edit p")],
        &["skipped p (a package that changed here is never uploaded: it is left as it is)"],
    ),
];

#[test]
fn what_is_gone_on_one_side_goes_or_stays_on_the_other() {
    tell_all(STORIES);
}
