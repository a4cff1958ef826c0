//! What left the scope with a folder that nobody reads any more (`docs/sync.md` §4, Crossing the edge of the scope).

use super::fully::{Story, tell_all};
use crate::model::Side::{Local, Remote};

const FOLDERS: &[Story<'static>] = &[
    (
        "a folder within one that was moved here to where nothing is read was deleted by nobody",
        "a/ a/s/ a/s/g a/f",
        &[(Local, "move a private; close private"), (Remote, "edit a/f")],
        &[
            "iCloud -> here make folder a (holds items that take part) [there a/]",
            "iCloud -> here download a/f (edited on iCloud, which outweighs the deletion on the other side) [there f unread, after 0]",
            "here -> iCloud trash a/s (moved out of what is synced here) [there s/, with 1 below]",
        ],
    ),
    (
        "nor was one that lives on outside the scope there",
        "a/ a/s/ a/s/g a/f",
        &[(Remote, "outside a/s")],
        &[
            "iCloud -> here trash a/s/g (moved out of what is synced on iCloud) [here a/s/g]",
            "iCloud -> here trash a/s (moved out of what is synced on iCloud) [here a/s, after 0]",
        ],
    ),
];

#[test]
fn what_was_moved_out_of_scope_is_never_told_as_deleted() {
    tell_all(FOLDERS);
}
