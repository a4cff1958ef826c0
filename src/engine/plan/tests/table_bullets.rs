//! The bullets of `docs/sync.md` §4, as in [`super::table`].

use super::table::{Case, check_all, ignoring};

const BULLETS: &[Case<'static>] = &[
    (
        "new here",
        "",
        "new f; new d/",
        "",
        &["here -> iCloud make folder d (new here)", "here -> iCloud upload f (new here)"],
    ),
    (
        "new there",
        "",
        "",
        "new f; new d/",
        &["iCloud -> here make folder d (new on iCloud)", "iCloud -> here download f (new on iCloud)"],
    ),
    (
        "new folders on both sides are one",
        "",
        "new d/; new d/a",
        "new d/; new d/b",
        &[
            "state only agree d (the same on both sides)",
            "iCloud -> here download d/b (new on iCloud)",
            "here -> iCloud upload d/a (new here)",
        ],
    ),
    (
        "new on both sides, equal, signature known",
        "",
        "new f",
        "same f; sign f",
        &[
            "state only compare f else conflict copy f (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
        ],
    ),
    (
        "new on both sides, equal, to be compared",
        "",
        "new f",
        "same f",
        &[
            "state only compare f else conflict copy f (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
        ],
    ),
    (
        "new on both sides, different",
        "",
        "new f",
        "new f; edit f",
        &[
            "iCloud -> here settle conflict f conflict copy f (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
        ],
    ),
    (
        "moved here to where something new came there",
        "f",
        "move f g",
        "new g",
        &[
            "iCloud -> here move g (conflict 2026-11-22 10-00-00 nas) from g (another item has this name)",
            "here -> iCloud move g (conflict 2026-11-22 10-00-00 nas) from f (another item has this name)",
            "iCloud -> here download g (new on iCloud)",
        ],
    ),
    (
        "a new one here where one moved to there",
        "f",
        "new g",
        "move f g",
        &[
            "iCloud -> here move g (conflict 2026-11-22 10-00-00 nas) from g (another item has this name)",
            "iCloud -> here move g from f (moved on iCloud)",
            "state only agree g (same content, other times)",
            "here -> iCloud upload g (conflict 2026-11-22 10-00-00 nas) (another item has this name)",
        ],
    ),
    (
        "both moved to one name",
        "f g",
        "move f h",
        "move g h",
        &[
            "iCloud -> here move h (conflict 2026-11-22 10-00-00 nas) from h (another item has this name)",
            "iCloud -> here move h from g (moved on iCloud)",
            "here -> iCloud move h (conflict 2026-11-22 10-00-00 nas) from f (another item has this name)",
            "state only agree h (same content, other times)",
        ],
    ),
    (
        "new folder here, new file there",
        "",
        "new x/; new x/a",
        "new x",
        &[
            "here -> iCloud move x (conflict 2026-11-22 10-00-00 nas) from x (another item has this name)",
            "here -> iCloud make folder x (new here)",
            "iCloud -> here download x (conflict 2026-11-22 10-00-00 nas) (another item has this name)",
            "here -> iCloud upload x/a (new here)",
        ],
    ),
    (
        "new file here, new folder there",
        "",
        "new x",
        "new x/; new x/a",
        &[
            "iCloud -> here move x (conflict 2026-11-22 10-00-00 nas) from x (another item has this name)",
            "iCloud -> here make folder x (new on iCloud)",
            "iCloud -> here download x/a (new on iCloud)",
            "here -> iCloud upload x (conflict 2026-11-22 10-00-00 nas) (another item has this name)",
        ],
    ),
    (
        "a file became a folder here",
        "f",
        "delete f; new f/; new f/a",
        "",
        &[
            "here -> iCloud trash f (deleted here)",
            "here -> iCloud make folder f (new here)",
            "here -> iCloud upload f/a (new here)",
        ],
    ),
    (
        "a file became a folder there",
        "f",
        "",
        "delete f; new f/",
        &["iCloud -> here trash f (deleted on iCloud)", "iCloud -> here make folder f (new on iCloud)"],
    ),
    (
        "cycle: A into B here, B into A there",
        "A/ B/",
        "move A B/A",
        "move B A/B",
        &[
            "iCloud -> here move A from B/A (moved on both sides, the place on iCloud counts)",
            "iCloud -> here move A/B from B (moved on iCloud)",
        ],
    ),
    (
        "swap here",
        "a b",
        "move a t; move b a; move t b",
        "",
        &[
            "here -> iCloud move aside b as .icloudds-moving-0-a (moved here)",
            "here -> iCloud move a from b (moved here)",
            "here -> iCloud move b from a (moved here)",
        ],
    ),
    (
        "swap there",
        "a b",
        "",
        "move a t; move b a; move t b",
        &[
            "iCloud -> here move .icloudds-moving-0-a from a (moved on iCloud)",
            "iCloud -> here move a from b (moved on iCloud)",
            "iCloud -> here move b from .icloudds-moving-0-a (moved on iCloud)",
            "state only agree b (same content, other times)",
            "state only agree a (same content, other times)",
        ],
    ),
    (
        "chain here",
        "a b",
        "move b c; move a b",
        "",
        &["here -> iCloud move c from b (moved here)", "here -> iCloud move b from a (moved here)"],
    ),
    (
        "chain there",
        "a b",
        "",
        "move b c; move a b",
        &[
            "iCloud -> here move c from b (moved on iCloud)",
            "iCloud -> here move b from a (moved on iCloud)",
            "state only agree b (same content, other times)",
            "state only agree c (same content, other times)",
        ],
    ),
    (
        "ring of three there",
        "a b c",
        "",
        "move a t; move c a; move b c; move t b",
        &[
            "iCloud -> here move .icloudds-moving-0-a from a (moved on iCloud)",
            "iCloud -> here move a from c (moved on iCloud)",
            "iCloud -> here move c from b (moved on iCloud)",
            "iCloud -> here move b from .icloudds-moving-0-a (moved on iCloud)",
            "state only agree b (same content, other times)",
            "state only agree c (same content, other times)",
            "state only agree a (same content, other times)",
        ],
    ),
    (
        "a folder and what holds it change places there",
        "a/ a/b/",
        "",
        "move a/b b; move a b/a",
        &[
            "iCloud -> here move b from a/b (moved on iCloud)",
            "iCloud -> here move b/a from a (moved on iCloud)",
        ],
    ),
    (
        "a folder and what holds it change places here",
        "a/ a/b/",
        "move a/b b; move a b/a",
        "",
        &["here -> iCloud move b (moved here)", "here -> iCloud move b/a from a (moved here)"],
    ),
    ("case only, here", "a", "move a A", "", &["here -> iCloud move A from a (moved here)"]),
    (
        "case only, there",
        "a",
        "",
        "move a A",
        &["iCloud -> here move A from a (moved on iCloud)", "state only agree A (same content, other times)"],
    ),
    (
        "normalisation only, here",
        "u\u{308}",
        "move u\u{308} \u{fc}",
        "",
        &["state only agree ü (the same on both sides)"],
    ),
    (
        "normalisation only, there",
        "\u{fc}",
        "",
        "move \u{fc} u\u{308}",
        &["state only agree ü (same content, other times)"],
    ),
    (
        "successor there, same here",
        "f",
        "",
        "delete f; new f",
        &["iCloud -> here download over f (edited on iCloud)", "state only forget f (edited on iCloud)"],
    ),
    (
        "successor there, edited here",
        "f",
        "edit f",
        "delete f; new f",
        &[
            "iCloud -> here settle conflict f conflict copy f (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
            "state only forget f (different on both sides)",
        ],
    ),
    (
        "successor of a folder",
        "d/ d/f",
        "",
        "delete d; new d/",
        &[
            "state only agree d (the same on both sides)",
            "iCloud -> here trash d/f (deleted on iCloud)",
            "state only forget d (the same on both sides)",
        ],
    ),
    (
        "out of scope here",
        "f",
        "move f private",
        "",
        &["here -> iCloud trash f (moved out of what is synced here)"],
    ),
    (
        "out of scope there",
        "f",
        "",
        "move f private",
        &["iCloud -> here trash f (moved out of what is synced on iCloud)"],
    ),
    (
        "out of scope here, edited there",
        "f",
        "move f private",
        "edit f",
        &["iCloud -> here download f (edited on iCloud, which outweighs the deletion on the other side)"],
    ),
    ("into scope here", "", "new private; move private f", "", &["here -> iCloud upload f (new here)"]),
    (
        "held by a link here",
        "",
        "new f; kind special f",
        "new f",
        &[
            "set-aside f (something here that does not take part has the name \"f\")",
            "skipped f (a link, socket, device or FIFO is never synced)",
        ],
    ),
    (
        "held by something shared there",
        "",
        "new f",
        "new f; kind foreign f",
        &[
            "set-aside f (something on iCloud that does not take part has the name \"f\")",
            "skipped f (shared to this account, or of a kind that is not synced)",
        ],
    ),
    (
        "two of one name there",
        "",
        "",
        "new \u{fc}; new u\u{308}",
        &[
            "iCloud -> here download ü (new on iCloud)",
            "set-aside u\u{308} (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "two of one name here",
        "",
        "new \u{fc}; new u\u{308}",
        "",
        &[
            "here -> iCloud upload ü (new here)",
            "set-aside u\u{308} (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
];

#[test]
fn every_bullet() {
    check_all(BULLETS, ignoring);
}
