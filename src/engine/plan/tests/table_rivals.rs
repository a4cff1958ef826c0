//! Items that come to one name, and folders that would hold each other (`docs/sync.md` §4).

use super::fully::{Story, tell_all};
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "a folder goes into one that lies within it after what takes that one along",
        "a/ b/ c/",
        &[(Local, "move b a/b; move c a/b/c; wait a/b/c"), (Remote, "move a c/a; move b d")],
        &[
            "iCloud -> here move d from a/b (moved on both sides, the place on iCloud counts) [here a/b, there d/]",
            "iCloud -> here move d/c/a from a (moved on iCloud) [here a, there a/, after 0]",
        ],
    ),
    (
        "and steps aside beside what takes that one along",
        "a/ b/ c/",
        &[(Local, "move b a/b; move c a/b/c; wait a/b/c"), (Remote, "move a c/a; move b a")],
        &[
            "iCloud -> here move .icloudds-moving-0-a from a (moved on iCloud) [here a]",
            "iCloud -> here move a from .icloudds-moving-0-a/b (moved on both sides, the place on iCloud counts) [here .icloudds-moving-0-a/b, there a/, after 0]",
            "iCloud -> here move a/c/a from .icloudds-moving-0-a (moved on iCloud) [here .icloudds-moving-0-a, there a/, after 0 and 1]",
        ],
    ),
    (
        "likewise on iCloud",
        "a/ b/ c/",
        &[(Remote, "move b a/b; move c a/b/c"), (Local, "upload-only; move a c/a; move b d; wait c")],
        &[
            "here -> iCloud move d from b (moved here) [here d, there b/, into root]",
            "here -> iCloud move c/a from a (moved here) [here c/a, there a/, into d9, after 0]",
        ],
    ),
    (
        "of three a folder is told under its own name",
        "g",
        &[(Remote, "move g \u{fc}"), (Local, "new \u{fc}/; new u\u{308}/")],
        &[
            "set-aside g (something here that does not take part has the name \"\u{fc}\")",
            "set-aside u\u{308} (another item has its name on the other side)",
            "set-aside \u{fc} (another item has its name on the other side)",
        ],
    ),
    (
        "what is new on both sides waits with its folder and nothing is told",
        "",
        &[(Local, "new d/; new d/f; wait d"), (Remote, "new d/; same d/f")],
        &[],
    ),
    (
        "a folder does not come into one that lies within it and stays there, nor does what it holds",
        "a/ a/b/ a/b/c/",
        &[(Remote, "new s; kind foreign s"), (Local, "move a/b/c s; move a/b s/b; move a s/b/a")],
        &[
            "set-aside s (something on iCloud that does not take part has the name \"s\")",
            "skipped s (shared to this account, or of a kind that is not synced)",
        ],
    ),
    (
        "what comes into folders that would hold each other comes there all the same",
        "j/ b/ b/c/",
        &[(Remote, "new s; kind foreign s"), (Local, "move b/c s; move b s/b; move j s/b/j")],
        &[
            "here -> iCloud move s/b/j from j (moved here) [here s/b/j, there j/, into d8]",
            "set-aside s (something on iCloud that does not take part has the name \"s\")",
            "skipped s (shared to this account, or of a kind that is not synced)",
        ],
    ),
    (
        "only what moved can come into itself",
        "f/ f/y/ x/",
        &[
            (Local, "move f x/f; sync; new s; kind special s"),
            (Remote, "move x/f/y s; delete x/f; new x/f/; move x s/x"),
        ],
        &[
            "state only agree x/f (the same on both sides) [here x/f, there f/]",
            "state only forget x/f (the same on both sides) [after 0]",
            "skipped s (a link, socket, device or FIFO is never synced)",
            "set-aside x/f/y (something here that does not take part has the name \"s\")",
        ],
    ),
    (
        "a library gets no conflict name",
        "x/",
        &[
            (Remote, "library Lib; sync"),
            (Local, "folds; move Lib .icloudds-moving-0-Lib"),
            (Remote, "move x lib"),
        ],
        &[
            "iCloud -> here move lib from x (moved on iCloud) [here x, there lib/]",
            "set-aside .icloudds-moving-0-Lib (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "what does not take part has its name as it is written",
        "",
        &[(Local, "new A; kind special A"), (Remote, "new A")],
        &[
            "set-aside A (something here that does not take part has the name \"A\")",
            "skipped A (a link, socket, device or FIFO is never synced)",
        ],
    ),
    (
        "of two in one place by name who has the place there does not count what left the scope",
        "g d/ d/\u{fc}",
        &[(Local, "move g d/u\u{308}; edit d/\u{fc}"), (Remote, "move d private")],
        &[
            "here -> iCloud make folder d (holds items that take part) [here d, into root]",
            "here -> iCloud move d/u\u{308} from g (moved here) [here d/u\u{308}, there g, into what 0 makes, after 0]",
            "state only forget d (holds items that take part) [after 0]",
            "set-aside d/\u{fc} (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "of two there who is here too does not count what left the scope",
        "g d/ d/\u{fc}",
        &[(Local, "move d private"), (Remote, "move g d/u\u{308}; edit d/\u{fc}")],
        &[
            "iCloud -> here make folder d (holds items that take part) [there d/]",
            "iCloud -> here move d/\u{fc} from g (moved on iCloud) [here g, there u\u{308}, after 0]",
            "state only agree d/\u{fc} (same content, other times) [here d/\u{fc}, there u\u{308}, after 0 and 1]",
            "set-aside private/\u{fc} (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "of two in one place who stands there but for case comes first",
        "g A",
        &[(Local, "folds"), (Remote, "move A a; move g A")],
        &[
            "iCloud -> here move a from A (moved on iCloud) [here A, there a]",
            "state only agree a (same content, other times) [here a, there a, after 0]",
            "set-aside g (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "where names are told apart by case who stands there in another one does not come first",
        "g \u{dc}",
        &[(Remote, "move \u{dc} \u{fc}; move g u\u{308}")],
        &[
            "iCloud -> here move \u{fc} from g (moved on iCloud) [here g, there u\u{308}]",
            "state only agree \u{fc} (same content, other times) [here \u{fc}, there u\u{308}, after 0]",
            "set-aside \u{dc} (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "a name is held by what is written so here",
        "d/ u\u{308}",
        &[(Local, "new d/u\u{308}; kind special d/u\u{308}"), (Remote, "move u\u{308} d/u\u{308}")],
        &[
            "skipped d/u\u{308} (a link, socket, device or FIFO is never synced)",
            "set-aside u\u{308} (something here that does not take part has the name \"u\\u{308}\")",
        ],
    ),
    (
        "a volume that tells case apart on a disk that does not",
        "a",
        &[(Local, "folds; new A; kind special A; edit a")],
        &[
            "here -> iCloud upload over a (edited here) [here a, there a, by way of the trash]",
            "skipped A (a link, socket, device or FIFO is never synced)",
        ],
    ),
    (
        "where nothing goes up nothing gets a conflict name",
        "g \u{fc}",
        &[(Local, "download-only; move \u{fc} .icloudds-moving-0-\u{fc}"), (Remote, "move g u\u{308}")],
        &[
            "iCloud -> here move \u{fc} from g (moved on iCloud) [here g, there u\u{308}]",
            "state only agree \u{fc} (same content, other times) [here \u{fc}, there u\u{308}, after 0]",
            "set-aside .icloudds-moving-0-\u{fc} (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "what left the scope under a temporary name keeps it",
        "g \u{fc}",
        &[
            (Local, "new private/; move \u{fc} private/.icloudds-moving-0-\u{fc}"),
            (Remote, "edit \u{fc}; move g u\u{308}"),
        ],
        &[
            "iCloud -> here move \u{fc} from g (moved on iCloud) [here g, there u\u{308}]",
            "state only agree \u{fc} (same content, other times) [here \u{fc}, there u\u{308}, after 0]",
            "set-aside private/.icloudds-moving-0-\u{fc} (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "and so does what left it there",
        "g \u{fc}",
        &[
            (Local, "edit \u{fc}; move g u\u{308}"),
            (Remote, "new private/; move \u{fc} private/.icloudds-moving-0-\u{fc}"),
        ],
        &[
            "here -> iCloud move u\u{308} from g (moved here) [here u\u{308}, there g, into root]",
            "set-aside \u{fc} (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "of a ring who is gone there counts as gone",
        "x/ a/ b/",
        &[(Local, "move x b/x; move a b/x/a"), (Remote, "delete x; move b a/b")],
        &[
            "iCloud -> here move a from b/x/a (moved on both sides, the place on iCloud counts) [here b/x/a, there a/]",
            "iCloud -> here move a/b from b (moved on iCloud) [here b, there b/, after 0]",
            "iCloud -> here trash a/b/x (deleted on iCloud) [here a/b/x, after 0 and 1]",
        ],
    ),
    (
        "a ring of three, one waits, the other is not known",
        "a/ a/c/ a/c/b/",
        &[(Local, "move a/c/b b; move a b/a; wait b"), (Remote, "lend a/c")],
        &[
            "unsettled b/a (it was moved into a folder that is left alone now)",
            "unsettled b/a/c (it bears a temporary name on iCloud, which another machine may be about to change)",
        ],
    ),
    (
        "a ring of three, one is not known, the other waits",
        "a/ a/c/ a/c/b/",
        &[(Local, "move a/c/b b; move a b/a; move b/a/c b/a/e; wait b/a/e"), (Remote, "lend a/c/b")],
        &[
            "unsettled b (it bears a temporary name on iCloud, which another machine may be about to change)",
            "unsettled b/a (it was moved into a folder that is left alone now)",
        ],
    ),
    (
        "a ring of three, hidden here",
        "a/ a/c/ a/c/b/",
        &[(Local, "move a/c/b b; move a b/a; hide b/a; wait b")],
        &[
            "unsettled a/c (its folder here could not be read, or is on another volume)",
            "unsettled b/a (it was moved into a folder that is left alone now)",
            "unsettled b/a (cannot read this folder: no)",
        ],
    ),
    (
        "another form of the name of a folder is learnt",
        "\u{fc}/",
        &[(Remote, "move \u{fc} u\u{308}")],
        &["state only agree \u{fc} (the same on both sides) [here \u{fc}, there u\u{308}/]"],
    ),
    (
        "where nothing goes up an edit that both sides moved is not agreed",
        "f d/",
        &[(Local, "download-only; move f d/f; edit d/f"), (Remote, "move f d/f")],
        &[],
    ),
    (
        "what is kept there only comes into the base after its new folder",
        "a/ a/d/",
        &[
            (Remote, "new a/d/private"),
            (Local, "delete a/d; sync"),
            (Remote, "new x/; move a/d x/d; delete a"),
        ],
        &[
            "iCloud -> here make folder x (new on iCloud) [there x/]",
            "state only remember a/d (still holds items that do not take part) [there only, into d9 as d, after 0]",
            "iCloud -> here trash a (deleted on iCloud) [here a, after 1]",
        ],
    ),
    (
        "what is kept here only comes after what is moved above it",
        "a/ a/d/ p/ p/k/",
        &[
            (Local, "new a/d/private; new p/k/private; move a/d p/k/d"),
            (Remote, "delete a; delete p/k; move p q"),
        ],
        &[
            "iCloud -> here move q from p (moved on iCloud) [here p, there q/]",
            "state only remember p/k (still holds items that do not take part) [here only]",
            "state only remember p/k/d (still holds items that do not take part) [here only, into d11 as d, after 0]",
            "iCloud -> here trash a (deleted on iCloud) [here a, after 2]",
        ],
    ),
    (
        "a package does not go into a library",
        "p",
        &[(Remote, "kind package p; edit p; library Lib; sync"), (Local, "move p Lib/p")],
        &[
            "set-aside Lib/p (a package cannot be moved into or out of an app library: move it back, or move it on an Apple device)",
        ],
    ),
    (
        "a half listed folder there holds up nothing that stands in it",
        "d/ d/a d/x",
        &[(Remote, "edit d/a; miss d/x")],
        &[
            "iCloud -> here download over d/a (edited on iCloud) [here d/a, there a unread]",
            "unsettled d/x (iCloud did not list it and does not say what became of it)",
        ],
    ),
    (
        "a copy in another case is there already",
        "F",
        &[
            (Local, "edit F"),
            (Remote, "edit F"),
            (Local, "sync; delete F; new f; sync; edit f"),
            (Remote, "edit f"),
        ],
        &[
            "iCloud -> here settle conflict f conflict copy f (conflict 2026-11-22 10-00-00 nas 2) (different on both sides) [here f unread, there f unread]",
        ],
    ),
    (
        "a conflict name in another case is there already",
        "",
        &[(Local, "new A"), (Remote, "new A/"), (Local, "sync; delete A; new a"), (Remote, "new a/")],
        &[
            "iCloud -> here move a (conflict 2026-11-22 10-00-00 nas 2) from a (another item has this name) [here a unread]",
            "iCloud -> here make folder a (new on iCloud) [there a/, after 0]",
            "here -> iCloud upload a (conflict 2026-11-22 10-00-00 nas 2) (another item has this name) [here a (conflict 2026-11-22 10-00-00 nas 2) unread, into root, after 0]",
            "here -> iCloud trash A (deleted here) [there A/]",
        ],
    ),
    (
        "the same conflict name is there already",
        "",
        &[(Local, "new A"), (Remote, "new A/"), (Local, "sync; delete A; new A"), (Remote, "new A/")],
        &[
            "iCloud -> here move A (conflict 2026-11-22 10-00-00 nas 2) from A (another item has this name) [here A unread]",
            "iCloud -> here make folder A (new on iCloud) [there A/, after 0]",
            "here -> iCloud upload A (conflict 2026-11-22 10-00-00 nas 2) (another item has this name) [here A (conflict 2026-11-22 10-00-00 nas 2) unread, into root, after 0]",
            "here -> iCloud trash A (deleted here) [there A/]",
        ],
    ),
];

#[test]
fn rivals_come_to_their_places_or_wait() {
    tell_all(STORIES);
}
