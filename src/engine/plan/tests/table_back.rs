//! Edits that hardly started from the version on iCloud, by what the file system tells of the files (`docs/sync.md` §6).

use super::fully::{Story, tell_all};
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "without identity, a new file that is older may be what stood there",
        "f g",
        &[(Local, "no-identity; sync; new n; back n; edit f")],
        &[
            "here -> iCloud upload over f (another file in its place here) [here f, there f, by way of the trash]",
            "here -> iCloud upload n (new here) [here n unread, into root]",
        ],
    ),
    (
        "what stands in the place of an old version that was moved over another one hardly started from that on iCloud",
        "f g h",
        &[(Local, "back f; over f g; new f; edit h")],
        &[
            "here -> iCloud upload over f (older than the version that it replaces) [here f unread, there f, by way of the trash]",
            "here -> iCloud upload over g (older than the version that it replaces) [here g unread, there g, by way of the trash]",
            "here -> iCloud upload over h (edited here) [here h, there h, by way of the trash]",
        ],
    ),
    (
        "without identity, two that are edited may have changed places where their sizes say so",
        "f g",
        &[(Local, "no-identity; sync; edit f; edit g")],
        &[
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
            "here -> iCloud upload over g (edited here) [here g, there g, by way of the trash]",
        ],
    ),
    (
        "without times of birth a file with the inode of another one says nothing of its place",
        "d/ d/e b/ b/g",
        &[(Local, "births-unknown; edit d/e; over d/e b/g")],
        &[
            "state only agree d (the same on both sides) [here d, there d/]",
            "state only agree b (the same on both sides) [here b, there b/]",
            "here -> iCloud upload over b/g (another file in its place here) [here b/g unread, there g, by way of the trash, after 1]",
            "here -> iCloud trash d/e (deleted here) [there e, nothing at d/e]",
        ],
    ),
    (
        "an edited file was moved over another one, and one was made anew in its place",
        "f g",
        &[(Local, "edit f; over f g; new f")],
        &[
            "here -> iCloud upload over f (edited here) [here f, there f, by way of the trash]",
            "here -> iCloud upload over g (edited here) [here g unread, there g, by way of the trash]",
        ],
    ),
    (
        "where two files of a folder went back in time a third edit there counts as one",
        "d/ d/f d/g d/h",
        &[(Local, "back d/f; edit d/g; back d/h")],
        &[
            "here -> iCloud upload over d/f (older than the version that it replaces) [here d/f unread, there f, by way of the trash]",
            "here -> iCloud upload over d/g (older than the version that it replaces) [here d/g, there g, by way of the trash]",
            "here -> iCloud upload over d/h (older than the version that it replaces) [here d/h unread, there h, by way of the trash]",
        ],
    ),
    (
        "without identity, only one of two that are edited has the size of the other",
        "f g h",
        &[(Local, "no-identity; sync; edit f; edit h")],
        &[
            "here -> iCloud upload over f (another file in its place here) [here f, there f, by way of the trash]",
            "here -> iCloud upload over h (edited here) [here h unread, there h, by way of the trash]",
        ],
    ),
    (
        "without identity, an older file in another one's place counts for all that may have stood there",
        "d g u\u{308} c fff/",
        &[(Local, "no-identity; edit d; edit d; over g c; edit u\u{308}")],
        &[
            "state only agree fff (the same on both sides) [here fff, there fff/]",
            "here -> iCloud upload over d (edited here) [here d unread, there d, by way of the trash]",
            "here -> iCloud upload over u\u{308} (another file in its place here) [here u\u{308} unread, there u\u{308}, by way of the trash]",
            "here -> iCloud upload over c (older than the version that it replaces) [here c, there c, by way of the trash]",
            "here -> iCloud trash g (deleted here) [there g, nothing at g]",
        ],
    ),
    (
        "a file made anew where one was that was moved over another one",
        "f g",
        &[(Local, "over f g; new f")],
        &[
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
            "here -> iCloud upload over g (older than the version that it replaces) [here g unread, there g, by way of the trash]",
        ],
    ),
    (
        "without times of birth an edit in place has its own inode",
        "f g",
        &[(Local, "births-unknown; sync; edit f"), (Remote, "edit g")],
        &[
            "iCloud -> here download over g (edited on iCloud) [here g, there g unread]",
            "here -> iCloud upload over f (edited here) [here f unread, there f, by way of the trash]",
        ],
    ),
    (
        "a file that was edited in a folder that another one took the place of",
        "d/ d/e/ d/e/f g",
        &[(Local, "move d/e e; delete d; new d/; move e d/e; edit d/e/f")],
        &[
            "state only agree d (the same on both sides) [here d, there d/]",
            "here -> iCloud upload over d/e/f (older than the version that it replaces) [here d/e/f unread, there f, by way of the trash, after 0]",
        ],
    ),
    (
        "without identity a folder that is another one says nothing of files",
        "e/ e/b/ g",
        &[(Local, "no-identity; move e/b e/\u{fc}; edit g")],
        &[
            "state only agree e (the same on both sides) [here e, there e/]",
            "here -> iCloud make folder e/\u{fc} (new here) [here e/\u{fc}, into d7, after 0]",
            "here -> iCloud upload over g (edited here) [here g unread, there g, by way of the trash]",
            "here -> iCloud trash e/b (deleted here) [there b/, nothing at e/b]",
        ],
    ),
    (
        "two went back in time, of which one meets an edit there",
        "e a \u{fc}",
        &[(Remote, "empty e"), (Local, "back \u{fc}; edit a; back e")],
        &[
            "here -> iCloud upload over a (edited here) [here a, there a, by way of the trash]",
            "here -> iCloud upload over \u{fc} (older than the version that it replaces) [here \u{fc} unread, there \u{fc}, by way of the trash]",
            "iCloud -> here settle conflict e conflict copy e (conflict 2026-11-22 10-00-00 nas) (different on both sides) [here e unread, there e unread]",
        ],
    ),
];

#[test]
fn an_edit_that_hardly_started_from_what_it_replaces_is_told_so() {
    tell_all(STORIES);
}
