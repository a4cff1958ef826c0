//! What a second look makes of what one look showed, and how edits and new items are known (`docs/sync.md` §4).

use super::fully::{Story, tell_all};
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "an edit that had gone back before",
        "f",
        &[(Local, "edit f; gone-back f")],
        &[
            "here -> iCloud upload over f (older than the version that it replaces) [here f unread, there f, by way of the trash]",
        ],
    ),
    (
        "another content with the time that was there",
        "f",
        &[(Local, "still f")],
        &[
            "here -> iCloud upload over f (older than the version that it replaces) [here f unread, there f, by way of the trash]",
        ],
    ),
    (
        "without identity a content tells of an exchange",
        "f x g",
        &[(Local, "no-identity; over g f; touch f")],
        &[
            "state only agree x (same content, other times) [here x, there x]",
            "here -> iCloud upload over f (another file in its place here) [here f, there f, by way of the trash]",
            "here -> iCloud trash g (deleted here) [there g, nothing at g]",
        ],
    ),
    (
        "moved there and moved again to where nothing is synced",
        "d/ d/f",
        &[(Remote, "move d x"), (Local, "look"), (Remote, "move x private")],
        &[
            "iCloud -> here trash d/f (moved out of what is synced on iCloud) [here d/f]",
            "iCloud -> here trash d (moved out of what is synced on iCloud) [here d, after 0]",
        ],
    ),
    (
        "hollow after a look",
        "f",
        &[(Local, "look"), (Remote, "hollow f")],
        &["unsettled f (iCloud shows it without content all at once: a second look has to confirm that)"],
    ),
    (
        "what never goes up meets nothing there",
        "",
        &[(Local, "new x; local-only x"), (Remote, "new x")],
        &["set-aside x (something here that does not take part has the name \"x\")"],
    ),
    (
        "a name that takes no part in another case",
        "",
        &[(Local, "ignore =x; folds; new X/"), (Remote, "new x/")],
        &["set-aside X (something on iCloud that does not take part has the name \"X\")"],
    ),
    (
        "an ignored new folder goes up for what it holds",
        "",
        &[(Local, "ignore =x; new x/; new x/f")],
        &[
            "here -> iCloud make folder x (new here) [here x, into root]",
            "here -> iCloud upload x/f (new here) [here x/f unread, into what 0 makes, after 0]",
        ],
    ),
    (
        "of two forms of a name here the one on iCloud is one",
        "",
        &[(Local, "new \u{1d6}; new \u{fc}\u{304}"), (Remote, "new u\u{308}\u{304}")],
        &[
            "iCloud -> here settle conflict \u{fc}\u{304} conflict copy \u{fc}\u{304} (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here \u{fc}\u{304} unread, there u\u{308}\u{304} unread]",
            "set-aside \u{1d6} (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "a link has the name as it is written there",
        "",
        &[(Local, "new \u{fc}; kind special \u{fc}; new u\u{308}"), (Remote, "new \u{fc}")],
        &[
            "set-aside u\u{308} (something on iCloud that does not take part has the name \"u\\u{308}\")",
            "set-aside \u{fc} (something here that does not take part has the name \"\u{fc}\")",
            "skipped \u{fc} (a link, socket, device or FIFO is never synced)",
        ],
    ),
    (
        "a folder kept there only that is hollow",
        "d/",
        &[
            (Remote, "new d/private"),
            (Local, "delete d; sync"),
            (Remote, "move d x; hollow x"),
            (Local, "new x/"),
        ],
        &[
            "unsettled d (iCloud shows it without content all at once: a second look has to confirm that)",
            "set-aside x (something on iCloud that does not take part has the name \"x\")",
        ],
    ),
    (
        "a folder in the place of one kept there only that moved",
        "d/",
        &[(Remote, "new d/private"), (Local, "delete d; sync"), (Remote, "move d x"), (Local, "new x/")],
        &["state only agree x (the same on both sides) [here x, there x/]"],
    ),
    (
        "deep",
        "d/ d/f e/ e/f",
        &[(Local, "deep d; odd e")],
        &[
            "set-aside d (it lies deeper than 4096 folders, or its path is longer than 65536 bytes: what it holds is not synced)",
            "unsettled d/f (its folder here could not be read, or is on another volume)",
            "skipped e (holds \"odd\", a name that is not UTF-8 and is never synced)",
        ],
    ),
];

#[test]
fn a_later_look_makes_the_same_of_it() {
    tell_all(STORIES);
}
