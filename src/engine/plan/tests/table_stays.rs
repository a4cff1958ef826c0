//! What stays, and what is told of it, where several rules meet (`docs/sync.md` §3 and §4).

use super::fully::{Story, tell_all};
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "a library that is gone there stays here for what was moved out of scope within it",
        "c/",
        &[(Remote, "library Lib"), (Local, "sync"), (Remote, "delete Lib"), (Local, "move c Lib/private2")],
        &[
            "here -> iCloud trash c (moved out of what is synced here) [there c/]",
            "state only remember Lib (still holds items that do not take part) [here only]",
        ],
    ),
    (
        "a folder that nobody lists there is not given up while nobody knows where is what it held",
        "a/ a/a/",
        &[(Remote, "library Lib; sync; close a"), (Local, "move a Lib/a")],
        &[
            "here -> iCloud make folder Lib/a (moved here) [here Lib/a, into d1000000007]",
            "unsettled Lib/a/a (iCloud did not list it and does not say what became of it)",
        ],
    ),
    (
        "a folder that nobody reads and that was moved within one kept there only is kept as it was known",
        "c/ c/e/",
        &[(Local, "delete c"), (Remote, "close c/e; move c/e c/a")],
        &[
            "state only remember c (still holds items that do not take part) [there only]",
            "state only remember c/e (still holds items that do not take part) [there only]",
        ],
    ),
    (
        "what went there into a folder that could not be listed waits",
        "f s/",
        &[(Remote, "hide s"), (Local, "sync"), (Remote, "move f s/d")],
        &["unsettled f (iCloud did not list it and does not say what became of it)"],
    ),
    (
        "what was moved there to the name of junk goes with its folder",
        "b/ c",
        &[(Local, "delete b"), (Remote, "move c b/.DS_Store")],
        &[
            "iCloud -> here trash c (moved out of what is synced on iCloud) [here c]",
            "here -> iCloud trash b (deleted here) [there b/, with 1 below, nothing at b]",
        ],
    ),
    (
        "a folder that left the scope there goes here, what in it is gone here is forgotten",
        "b/ b/b/ private/",
        &[(Local, "move private e; move b/b e/s; delete e"), (Remote, "move b private2")],
        &[
            "iCloud -> here trash b (moved out of what is synced on iCloud) [here b]",
            "state only forget private (no longer takes part)",
            "state only forget b/b (gone on both sides)",
        ],
    ),
    (
        "a folder is not needed for what ends in another one",
        "d/ private/ d/f/",
        &[
            (Local, "move d/f .DS_Store"),
            (Remote, "new private/g"),
            (Local, "move d .DS_Store/private"),
            (Remote, "move private/g t; move d/f private/g; move t d/f"),
        ],
        &[
            "iCloud -> here make folder d (holds items that take part) [there d/]",
            "iCloud -> here download d/f (new on iCloud) [there f unread, after 0]",
            "state only forget private (no longer takes part)",
            "state only forget .DS_Store (no longer takes part)",
        ],
    ),
    (
        "a folder that comes anew where one of its name stays there only",
        "d/ d/f",
        &[(Local, "delete d"), (Remote, "new d/private; new d/")],
        &[
            "iCloud -> here make folder d (new on iCloud) [there d/]",
            "here -> iCloud trash d/f (deleted here) [there f]",
            "state only remember d (still holds items that do not take part) [there only]",
        ],
    ),
    (
        "what lies in a folder that takes no part any more, and is not read, is told",
        "e/ e/private/ e/private/f/",
        &[(Local, "close e/private")],
        &[
            "state only forget e/private (no longer takes part)",
            "set-aside e/private/f (its folder was moved to where nothing is synced, and nothing is read)",
        ],
    ),
    (
        "a temporary name of another machine is let be, though nothing has changed since the look before",
        "e",
        &[(Local, "sync"), (Remote, "lend e")],
        &["unsettled e (it bears a temporary name on iCloud, which another machine may be about to change)"],
    ),
    (
        "a folder that both sides moved out of scope is forgotten, and why is told",
        "A/",
        &[(Local, "move A private"), (Remote, "move A B; move B private")],
        &["state only forget private (no longer takes part)"],
    ),
    (
        "a folder that comes into scope there takes the place of one that leaves it",
        "g private/",
        &[(Remote, "move g t; move private g; move t private; new g/e")],
        &[
            "iCloud -> here trash g (moved out of what is synced on iCloud) [here g]",
            "iCloud -> here move g from private (moved on iCloud) [here private, there g/, after 0]",
            "iCloud -> here download g/e (new on iCloud) [there e unread, after 1]",
        ],
    ),
    (
        "a folder on which a volume was mounted just now is not deleted",
        "d/",
        &[(Local, "mount d"), (Remote, "delete d")],
        &["state only remember d (still holds items that do not take part) [here only]"],
    ),
    (
        "a link with the name of junk keeps its folder",
        "g/ g/.DS_Store",
        &[(Remote, "delete g"), (Local, "kind special g/.DS_Store")],
        &[
            "state only remember g (still holds items that do not take part) [here only]",
            "state only forget g/.DS_Store (no longer takes part)",
        ],
    ),
    (
        "a link in the place of a file keeps the folder that left the scope with it from being given up",
        "e/ e/b",
        &[(Local, "move e private; kind special private/b")],
        &["set-aside e/b (a link, socket, device or FIFO has its name here, or that of its folder)"],
    ),
    (
        "without identity a file of the size of another edited one may be that one",
        "f fff g h",
        &[(Local, "no-identity; edit f; edit h")],
        &[
            "state only agree fff (same content, other times) [here fff, there fff]",
            "state only agree g (same content, other times) [here g, there g]",
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
            "here -> iCloud upload over h (another file in its place here) [here h unread, there h, by way of the trash]",
        ],
    ),
    (
        "without identity what was edited is told so where nothing else that changed is older",
        "g u\u{308}",
        &[(Local, "no-identity; edit u\u{308}")],
        &[
            "state only agree g (same content, other times) [here g, there g]",
            "here -> iCloud upload over u\u{308} (edited here) [here u\u{308} unread, there u\u{308}, by way of the trash]",
        ],
    ),
    (
        "what was edited here goes up again when a folder takes its other half along",
        "b/ c",
        &[(Local, "edit c; delete b"), (Remote, "move c b/.DS_Store")],
        &[
            "here -> iCloud upload c (edited here, which outweighs the deletion on the other side) [here c unread, into root]",
            "here -> iCloud trash b (deleted here) [there b/, with 1 below, nothing at b]",
            "state only forget c (edited here, which outweighs the deletion on the other side) [after 0]",
        ],
    ),
    (
        "a folder that is kept in scope there is needed by nothing that left the scope before it",
        "a/ a/c/",
        &[(Remote, "move a/c private; move a private/d")],
        &["iCloud -> here trash a/c (moved out of what is synced on iCloud) [here a/c]"],
    ),
    (
        "a folder kept here only in one that waits, and that another one took the place of, is as it was known",
        "c/ c/c/ c/c/private2",
        &[(Local, "wait c"), (Remote, "delete c; new c/")],
        &[
            "state only remember c/c (still holds items that do not take part) [here only]",
            "state only forget c/c/private2 (no longer takes part)",
        ],
    ),
    (
        "what takes no part does not go along into a library",
        "a/ a/private2/",
        &[(Remote, "library Lib"), (Local, "sync; move a Lib/a")],
        &[
            "here -> iCloud make folder Lib/a (moved here) [here Lib/a, into d1000000007]",
            "state only remember a (still holds items that do not take part) [there only]",
        ],
    ),
    (
        "what was deleted here would be where its folder goes",
        "A/ A/b/ A/b/b/",
        &[
            (Local, "move A/b u"),
            (Remote, "move A private; move private/b A"),
            (Local, "delete u"),
            (Remote, "new A/c"),
        ],
        &[
            "here -> iCloud trash A/b/b (deleted here) [there b/, nothing at A/b]",
            "iCloud -> here trash A (moved out of what is synced on iCloud) [here A, after 0]",
            "iCloud -> here make folder A (holds items that take part) [there A/, after 1]",
            "iCloud -> here download A/c (new on iCloud) [there c unread, after 2]",
        ],
    ),
    (
        "what was taken out of a folder that nobody reads is where it was found",
        "d/ d/e/ d/e/f",
        &[(Local, "move d private; move private/e/f f; close private")],
        &[
            "here -> iCloud move f (moved here) [here f, there f, into root]",
            "here -> iCloud trash d (moved out of what is synced here) [there d/, with 1 below, after 0]",
        ],
    ),
    (
        "what a power cut emptied is forgotten where it left the scope here and is gone there",
        "d",
        &[(Remote, "rewrite d"), (Local, "cut d; move d private")],
        &[
            "iCloud -> here download d (new on iCloud) [there d unread]",
            "state only forget private (gone on both sides)",
        ],
    ),
    (
        "nothing goes up into a folder that waits, though what it held left the scope",
        "a/ a/c/",
        &[(Local, "wait a; new a/c/u/"), (Remote, "move a/c private; move a private/d")],
        &[],
    ),
    (
        "what was moved into a folder that could not be listed there waits for a later look",
        "a/ a/b/",
        &[(Local, "move a/b b; move a b/a"), (Remote, "close a")],
        &[
            "unsettled b (iCloud did not list it and does not say what became of it)",
            "unsettled b/a (it was moved into a folder that is left alone now)",
        ],
    ),
    (
        "what is kept here only is remembered in the folder that took the place of its own",
        "c/ c/c/ c/c/d/",
        &[(Local, "new c/c/d/private"), (Remote, "delete c"), (Local, "sync"), (Remote, "new c/")],
        &[
            "state only agree c (the same on both sides) [here c, there c/]",
            "state only remember c/c (still holds items that do not take part) [here only, into d12 as c, after 0]",
            "state only forget c (the same on both sides) [after 0 and 1]",
        ],
    ),
    (
        "what lies in a folder that iCloud shows as empty all at once is not told of",
        "s/ s/f/",
        &[(Remote, "hollow s")],
        &["unsettled s (iCloud shows it without content all at once: a second look has to confirm that)"],
    ),
    (
        "what is shared now keeps no folder waiting",
        "d/ d/f",
        &[(Remote, "kind foreign d/f"), (Local, "move d/f x; delete d")],
        &[
            "state only remember d (still holds items that do not take part) [there only]",
            "skipped d/f (shared to this account, or of a kind that is not synced)",
        ],
    ),
    (
        "what is kept here only is remembered where it went, before its folder goes",
        "a/ a/b/ a/b/f",
        &[(Local, "kind special a/b/f; move a/b b"), (Remote, "delete a")],
        &[
            "state only remember b (still holds items that do not take part) [here only, into root as b]",
            "iCloud -> here trash a (deleted on iCloud) [here a, after 0]",
            "set-aside a/b/f (a link, socket, device or FIFO has its name here, or that of its folder)",
            "skipped b/f (a link, socket, device or FIFO is never synced)",
        ],
    ),
    (
        "what came into a mount point while its volume was away is forgotten once the folder is known as the volume",
        "",
        &[(Local, "new v/; mount v; unmount; under v/f; sync; remount; pass")],
        &["state only forget v/f (no longer takes part)"],
    ),
    (
        "nothing is forgotten while the volume cannot be read",
        "",
        &[(Local, "new v/; mount v; unmount; under v/f; sync; remount; pass; hide v")],
        &[
            "unsettled v (cannot read this folder: no)",
            "unsettled v/f (its folder here could not be read, or is on another volume)",
        ],
    ),
    (
        "what is deleted on that volume was deleted, and is not forgotten only",
        "",
        &[(Local, "new v/; mount v; new v/g; unmount; under v/f; sync; remount; pass; delete v/g")],
        &[
            "here -> iCloud trash v/g (deleted here) [there g, nothing at v/g]",
            "state only forget v/f (no longer takes part)",
        ],
    ),
    (
        "what lies under a volume is there again once that is away again",
        "",
        &[(Local, "new v/; mount v; unmount; under v/f; sync; remount; pass; unmount")],
        &["state only agree v (the same on both sides) [here v, there v/]"],
    ),
    (
        "where nothing comes from there a library that was renamed there keeps its name here",
        "",
        &[(Remote, "library Lib; sync"), (Local, "upload-only"), (Remote, "move Lib c")],
        &[],
    ),
    (
        "where nothing comes from there a folder that left the scope here does not go up for what is gone there",
        "b/ b/d/",
        &[(Local, "upload-only; move b private"), (Remote, "delete b/d")],
        &[
            "here -> iCloud trash b (moved out of what is synced here) [there b/]",
            "state only forget private/d (gone on both sides)",
        ],
    ),
    (
        "where nothing goes up a folder that left the scope there does not come for what is gone here",
        "b/ b/d/",
        &[(Local, "download-only; delete b/d"), (Remote, "move b private")],
        &[
            "iCloud -> here trash b (moved out of what is synced on iCloud) [here b]",
            "state only forget b/d (gone on both sides)",
        ],
    ),
];

#[test]
fn what_others_still_need_stays() {
    tell_all(STORIES);
}
