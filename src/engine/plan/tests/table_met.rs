//! Both sides hold an item at one place, of which the base does not know yet that it is there: the state is older than they are.

use super::table::{Case, check_all};

const MET: &[Case<'static>] = &[
    (
        "moved on iCloud, and another one of that name here",
        "a",
        "delete a; new b",
        "edit a; move a b",
        &[
            "iCloud -> here settle conflict b conflict copy b (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
        ],
    ),
    (
        "a folder moved on iCloud, and here one of that name with the same in it",
        "a/ a/f a/g a/e/",
        "delete a; new b/; new b/f; new b/e/",
        "move a b",
        &[
            "state only agree b (the same on both sides)",
            "state only agree b/e (the same on both sides)",
            "state only compare b/f else conflict copy b/f (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
            "here -> iCloud trash a/g (deleted here)",
        ],
    ),
    (
        "a folder with nothing in it",
        "a/",
        "delete a; new b/",
        "move a b",
        &["state only agree b (the same on both sides)"],
    ),
    (
        "a file where a folder came is another item",
        "a/",
        "delete a; new b",
        "move a b",
        &["here -> iCloud trash a (deleted here)", "here -> iCloud upload b (new here)"],
    ),
    (
        "deleted here, and something else is new",
        "a",
        "delete a; new c",
        "move a b",
        &["here -> iCloud upload c (new here)", "here -> iCloud trash a (deleted here)"],
    ),
];

#[test]
fn what_stands_at_one_place_on_both_sides_is_one_item() {
    check_all(MET, |_| {});
}
