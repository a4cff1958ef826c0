//! Recognition (`docs/sync.md` §3) as far as it shows in plans, the modes, and policies.

use super::table::{Case, check_all};
use crate::engine::plan::{ConflictPolicy, Mode};

const RECOGNISED: &[Case<'static>] = &[
    ("rewritten by an editor", "f", "rewrite f", "", &["here -> iCloud upload over f (edited here)"]),
    (
        "moved over an existing one",
        "a b",
        "over a b",
        "",
        &[
            "here -> iCloud upload over b (older than the version that it replaces)",
            "here -> iCloud trash a (moved over another item here)",
        ],
    ),
    (
        "one of them gives way to a folder",
        "a f",
        "over a f; new n/",
        "move f n",
        &[
            "iCloud -> here move n (conflict 2026-11-22 10-00-00 nas) from f (another item has this name)",
            "here -> iCloud move n (conflict 2026-11-22 10-00-00 nas) from n (another item has this name)",
            "here -> iCloud make folder n (new here)",
            "here -> iCloud upload over n (conflict 2026-11-22 10-00-00 nas) (older than the version that it replaces)",
            "here -> iCloud trash a (moved over another item here)",
        ],
    ),
    (
        "a chain of such moves",
        "a b c",
        "over b c; move a b",
        "",
        &[
            "here -> iCloud upload over b (older than the version that it replaces)",
            "here -> iCloud upload over c (older than the version that it replaces)",
            "here -> iCloud trash a (moved over another item here)",
        ],
    ),
    ("emptied", "f", "empty f", "", &["here -> iCloud upload over f (empty here now)"]),
    ("emptied on iCloud", "f", "", "empty f", &["iCloud -> here download over f (edited on iCloud)"]),
    ("touched", "f", "touch f", "", &["state only agree f (same content, other times)"]),
    (
        "touched, edited there",
        "f",
        "touch f",
        "edit f",
        &["iCloud -> here download over f (edited on iCloud)"],
    ),
    (
        "power cut",
        "fff",
        "cut fff",
        "",
        &["iCloud -> here download over fff (empty here with its old time, the trace of a power cut)"],
    ),
    (
        "power cut, edited there",
        "fff",
        "cut fff",
        "edit fff",
        &["iCloud -> here download over fff (empty here with its old time, the trace of a power cut)"],
    ),
    (
        "power cut, moved here",
        "fff",
        "cut fff; move fff g",
        "",
        &[
            "iCloud -> here move fff from g (moved here)",
            "iCloud -> here download over fff (empty here with its old time, the trace of a power cut)",
        ],
    ),
    (
        "size vanished there",
        "fff",
        "",
        "edit fff; nosize fff",
        &["iCloud -> here download over fff (edited on iCloud)"],
    ),
    (
        "down to zero bytes there",
        "fff",
        "",
        "edit fff; edit fff; edit fff",
        &["iCloud -> here download over fff (edited on iCloud)"],
    ),
];
const DOWNLOAD_ONLY: &[Case<'static>] = &[
    ("new here", "", "new f", "", &[]),
    ("new there", "", "", "new f", &["iCloud -> here download f (new on iCloud)"]),
    ("edited here", "f", "edit f", "", &[]),
    (
        "edited on both",
        "f",
        "edit f",
        "edit f",
        &[
            "iCloud -> here settle conflict f conflict copy f (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
        ],
    ),
    ("deleted here", "f", "delete f", "", &["iCloud -> here download f (deleted here)"]),
    (
        "folder deleted here",
        "d/ d/f",
        "delete d",
        "",
        &["iCloud -> here make folder d (deleted here)", "iCloud -> here download d/f (deleted here)"],
    ),
    ("moved here", "f", "move f g", "", &["iCloud -> here move f from g (moved here)"]),
    ("deleted there", "f", "", "delete f", &["iCloud -> here trash f (deleted on iCloud)"]),
    (
        "edited here, deleted there",
        "f",
        "edit f",
        "delete f",
        &["state only forget f (changed here, which is never uploaded)"],
    ),
    (
        "moved there",
        "f",
        "",
        "move f g",
        &["iCloud -> here move g from f (moved on iCloud)", "state only agree g (same content, other times)"],
    ),
];
const UPLOAD_ONLY: &[Case<'static>] = &[
    ("new there", "", "", "new f", &[]),
    ("new here", "", "new f", "", &["here -> iCloud upload f (new here)"]),
    ("edited there", "f", "", "edit f", &[]),
    (
        "edited on both",
        "f",
        "edit f",
        "edit f",
        &[
            "here -> iCloud settle conflict f conflict copy f (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
        ],
    ),
    (
        "deleted there",
        "f",
        "",
        "delete f",
        &["here -> iCloud upload f (deleted on iCloud)", "state only forget f (deleted on iCloud)"],
    ),
    (
        "folder deleted there",
        "d/ d/f",
        "",
        "delete d",
        &[
            "here -> iCloud make folder d (deleted on iCloud)",
            "here -> iCloud upload d/f (deleted on iCloud)",
            "state only forget d/f (deleted on iCloud)",
            "state only forget d (deleted on iCloud)",
        ],
    ),
    (
        "moved there",
        "f",
        "",
        "move f g",
        &["here -> iCloud move f from g (moved on iCloud)", "state only agree f (same content, other times)"],
    ),
    ("deleted here", "f", "delete f", "", &["here -> iCloud trash f (deleted here)"]),
    (
        "deleted here, edited there",
        "f",
        "delete f",
        "edit f",
        &["state only forget f (changed here, which is never uploaded)"],
    ),
    ("moved here", "f", "move f g", "", &["here -> iCloud move g from f (moved here)"]),
];
const PACKAGES: &[Case<'static>] = &[
    (
        "edited here",
        "p",
        "edit p",
        "",
        &[
            "iCloud -> here settle conflict p conflict copy p (conflict 2026-11-22 10-00-00 nas) (changed here, which is never uploaded)",
        ],
    ),
    (
        "edited on both sides",
        "p",
        "edit p",
        "edit p",
        &[
            "iCloud -> here settle conflict p conflict copy p (conflict 2026-11-22 10-00-00 nas) (changed here, which is never uploaded)",
        ],
    ),
    (
        "edited here, deleted there",
        "p",
        "edit p",
        "delete p",
        &["skipped p (a package that changed here is never uploaded: it is left as it is)"],
    ),
    ("edited there", "p", "", "edit p", &["iCloud -> here download over p (edited on iCloud)"]),
    ("deleted here", "p", "delete p", "", &["here -> iCloud trash p (deleted here)"]),
    ("moved here", "p", "move p q", "", &["here -> iCloud move q from p (moved here)"]),
];
const NEWEST: &[Case<'static>] = &[
    ("newer there", "f", "edit f", "edit f", &["iCloud -> here settle conflict f (different on both sides)"]),
    (
        "new on both sides, newer there",
        "",
        "new fff",
        "new fff",
        &["iCloud -> here settle conflict fff (different on both sides)"],
    ),
    (
        "deleted there",
        "f",
        "edit f",
        "delete f",
        &[
            "here -> iCloud upload f (edited here, which outweighs the deletion on the other side)",
            "state only forget f (edited here, which outweighs the deletion on the other side)",
        ],
    ),
];
const LIMITED: &[Case<'static>] = &[
    (
        "too large since the limit changed",
        "fff",
        "edit fff; edit fff; edit fff",
        "",
        &["state only forget fff (no longer takes part)"],
    ),
    (
        "new and too large here",
        "",
        "new f",
        "",
        &["skipped f (larger than limits.max_file_size: 3 bytes here)"],
    ),
    (
        "new and too large there",
        "",
        "",
        "new f",
        &["skipped f (larger than limits.max_file_size: 3 bytes on iCloud)"],
    ),
];

#[test]
fn every_rule_of_recognition() {
    check_all(RECOGNISED, |_| ());
}

#[test]
fn download_only_never_changes_icloud() {
    check_all(DOWNLOAD_ONLY, |world| world.mode = Mode::DownloadOnly);
}

#[test]
fn upload_only_never_changes_this_disk() {
    check_all(UPLOAD_ONLY, |world| world.mode = Mode::UploadOnly);
}

#[test]
fn packages_are_never_uploaded() {
    check_all(PACKAGES, |world| world.make_package("p"));
}

#[test]
fn the_newest_keeps_the_name() {
    check_all(NEWEST, |world| world.conflict = ConflictPolicy::Newest);
}

#[test]
fn what_is_too_large_is_left_alone() {
    check_all(LIMITED, |world| world.max_size = Some(2));
}
