//! The folder here is another one than that in which the items were seen last, and a copy of that lost some (`docs/sync.md` §1, P2).

use super::table::{Case, check_all};

const UNSEEN: &[Case<'static>] = &[
    (
        "a file",
        "f",
        "unseen f; delete f",
        "",
        &["iCloud -> here download f (never seen in the folder that is here now)"],
    ),
    ("one that was seen", "f g", "unseen f; delete g", "", &["here -> iCloud trash g (deleted here)"]),
    (
        "an empty folder",
        "d/",
        "unseen d; delete d",
        "",
        &["iCloud -> here make folder d (never seen in the folder that is here now)"],
    ),
    (
        "a folder with what it holds",
        "d/ d/e/ d/e/f",
        "unseen d; unseen e; unseen f; delete d",
        "",
        &[
            "iCloud -> here make folder d (never seen in the folder that is here now)",
            "iCloud -> here make folder d/e (never seen in the folder that is here now)",
            "iCloud -> here download d/e/f (never seen in the folder that is here now)",
        ],
    ),
    (
        "edited there",
        "f",
        "unseen f; delete f",
        "edit f",
        &["iCloud -> here download f (never seen in the folder that is here now)"],
    ),
    (
        "moved there",
        "f d/",
        "unseen f; delete f",
        "move f d/g",
        &["iCloud -> here download d/g (never seen in the folder that is here now)"],
    ),
    ("deleted there", "f", "unseen f; delete f", "delete f", &["state only forget f (gone on both sides)"]),
    (
        "a folder deleted there",
        "d/ d/f",
        "unseen d; unseen f; delete d",
        "delete d",
        &["state only forget d/f (gone on both sides)", "state only forget d (gone on both sides)"],
    ),
    (
        "moved there to where nothing is synced",
        "f d/",
        "unseen f; unseen d; delete f; delete d; ignore out",
        "move f out-f; move d out-d",
        &[
            "state only forget d (never seen in the folder that is here now)",
            "state only forget f (gone on both sides)",
        ],
    ),
    (
        "a folder out of which a file was moved",
        "d/ d/f",
        "unseen d; move d/f f; delete d",
        "",
        &[
            "iCloud -> here make folder d (never seen in the folder that is here now)",
            "here -> iCloud move f (moved here)",
        ],
    ),
    (
        "something new in its place",
        "f",
        "unseen f; rewrite f",
        "",
        &["here -> iCloud upload over f (edited here)"],
    ),
];

const UPLOAD_ONLY: &[Case<'static>] = &[
    (
        "a file",
        "f",
        "unseen f; delete f",
        "",
        &["state only forget f (never seen in the folder that is here now)"],
    ),
    (
        "a folder",
        "d/ d/f",
        "unseen d; unseen f; delete d",
        "",
        &[
            "state only forget d/f (never seen in the folder that is here now)",
            "state only forget d (never seen in the folder that is here now)",
        ],
    ),
    (
        "an empty folder",
        "d/",
        "unseen d; delete d",
        "",
        &["state only forget d (never seen in the folder that is here now)"],
    ),
    (
        "edited there",
        "f",
        "unseen f; delete f",
        "edit f",
        &["state only forget f (never seen in the folder that is here now)"],
    ),
];

const DOWNLOAD_ONLY: &[Case<'static>] = &[
    (
        "a file",
        "f",
        "unseen f; delete f",
        "",
        &["iCloud -> here download f (never seen in the folder that is here now)"],
    ),
    (
        "an empty folder",
        "d/",
        "unseen d; delete d",
        "",
        &["iCloud -> here make folder d (never seen in the folder that is here now)"],
    ),
];

#[test]
fn what_is_missing_in_another_folder_was_deleted_by_nobody() {
    check_all(UNSEEN, |_| {});
}

#[test]
fn in_one_way_modes_too() {
    check_all(UPLOAD_ONLY, |world| world.mode = crate::engine::plan::Mode::UploadOnly);
    check_all(DOWNLOAD_ONLY, |world| world.mode = crate::engine::plan::Mode::DownloadOnly);
}
