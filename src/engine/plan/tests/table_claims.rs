//! Who has a name, and who waits for one (`docs/sync.md` §4).

use super::fully::{Story, tell_all};
use super::table::{happen, told};
use super::world::World;
use crate::engine::plan::Mode;
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "nothing comes into a folder that could not be read",
        "fff/ a",
        &[(Remote, "move a fff/fff"), (Local, "hide fff")],
        &[
            "unsettled a (the folder it comes into could not be listed in full)",
            "unsettled fff (cannot read this folder: no)",
        ],
    ),
    (
        "a new one here beside a successor there, with one name in two forms",
        "d/ d/\u{fc}",
        &[(Remote, "delete d/\u{fc}; new d/\u{fc}"), (Local, "new d/u\u{308}")],
        &[
            "iCloud -> here download over d/\u{fc} (edited on iCloud) [here d/\u{fc}, there \u{fc} unread]",
            "state only forget d/\u{fc} (edited on iCloud) [after 0]",
            "set-aside d/u\u{308} (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "without times of birth a folder that has no children is recognised by its place on iCloud alone",
        "e/ c/",
        &[(Local, "births-unknown; move e d; move c b"), (Remote, "move e d")],
        &[
            "here -> iCloud make folder b (new here) [here b, into root]",
            "state only agree d (the same on both sides) [here d, there d/]",
            "here -> iCloud trash c (deleted here) [there c/, nothing at c]",
        ],
    ),
    (
        "nothing comes into a folder that nobody reads",
        "d fff/",
        &[(Remote, "move d t; move t fff/d"), (Local, "close fff")],
        &["set-aside d (its folder was moved to where nothing is synced, and nothing is read)"],
    ),
    (
        "a folder there and a file here come to one name",
        "g/ g/g/ g/g/e/ b/",
        &[(Remote, "move g/g/e u\u{308}"), (Local, "move b \u{fc}")],
        &[
            "iCloud -> here move \u{fc} (conflict 2026-11-22 10-00-00 nas) from \u{fc} (another item has this name) [here \u{fc}]",
            "iCloud -> here move \u{fc} from g/g/e (moved on iCloud) [here g/g/e, there u\u{308}/, after 0]",
            "here -> iCloud move \u{fc} (conflict 2026-11-22 10-00-00 nas) from b (another item has this name) [here \u{fc} (conflict 2026-11-22 10-00-00 nas), there b/, into root, after 0]",
        ],
    ),
    (
        "without identity a folder that was moved is deleted and new, and comes back where nothing goes up",
        "a/",
        &[(Local, "no-identity"), (Remote, "download-only"), (Local, "move a fff")],
        &["iCloud -> here make folder a (deleted here) [there a/]"],
    ),
    (
        "nothing comes back into a folder that waits",
        "g/ g/d/",
        &[(Local, "wait g"), (Remote, "download-only"), (Local, "delete g")],
        &[],
    ),
    (
        "of two that change places there one waits, and holds its name",
        "g/ c g/c/",
        &[(Local, "upload-only"), (Remote, "move c t; move g/c c; move t g/c; wait c")],
        &["set-aside g/c (something on iCloud that does not take part has the name \"c\")"],
    ),
    (
        "what would take the place of a folder that is moved waits where that one's name is held",
        "a/ a/a/ a/e/ b/ a/a/a",
        &[(Remote, "move a/a a/d; move b t; move t a/d/a; most 1")],
        &[
            "iCloud -> here move a/d from a/a (moved on iCloud) [here a/a, there d/]",
            "state only forget a/a/a (no longer takes part)",
            "set-aside b (something here that does not take part has the name \"a\")",
        ],
    ),
    (
        "of two names that differ in case only, new here, one waits",
        "A e/",
        &[(Local, "move e A")],
        &[
            "set-aside A (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
        ],
    ),
    (
        "a folder that was moved twice on each side",
        "b/",
        &[
            (Remote, "delete b; new b/"),
            (Local, "move b private"),
            (Remote, "move b fff"),
            (Local, "move private fff"),
        ],
        &[
            "iCloud -> here trash fff (deleted on iCloud) [here fff]",
            "iCloud -> here make folder fff (new on iCloud) [there fff/, after 0]",
        ],
    ),
    (
        "of what changes places in a ring with a new folder each waits that has no place",
        "g b d/ d/d/",
        &[(Remote, "move g d/d; move b t; move d/d b; move t d/d")],
        &[
            "set-aside b (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
            "set-aside d/d (something here that does not take part has the name \"b\")",
            "set-aside g (something here that does not take part has the name \"d\")",
        ],
    ),
    (
        "of three of one name only who stands there keeps it",
        "",
        &[(Local, "folds; new x/"), (Remote, "new x; new X")],
        &[
            "set-aside X (another item beside it has the same name but for case or Unicode form, and only one of them can be held on the other side: rename one of them)",
            "set-aside x (another item has its name on the other side)",
            "set-aside x (something here that does not take part has the name \"x\")",
        ],
    ),
    (
        "a folder that is gone there stays for what cannot leave it",
        "d/ d/f",
        &[(Local, "new x; kind special x"), (Remote, "move d/f x; delete d")],
        &[
            "set-aside d/f (something here that does not take part has the name \"x\")",
            "skipped x (a link, socket, device or FIFO is never synced)",
        ],
    ),
    (
        "a mount point is not renamed for a folder there",
        "",
        &[(Local, "new a/; mount a; sync; move a b"), (Remote, "new b/")],
        &[
            "set-aside b (another item on iCloud has its name, and a folder on which a volume is mounted cannot be renamed here)",
            "set-aside b (something here that does not take part has the name \"b\")",
        ],
    ),
    (
        "in a mode in which nothing comes from there a temporary name beside its own waits",
        "f",
        &[(Local, "upload-only; new .icloudds-moving-0-f")],
        &[
            "set-aside .icloudds-moving-0-f (it bears a temporary name, and sync.mode lets nothing on that side be renamed: rename it there)",
        ],
    ),
    (
        "a folder that is gone here stays for what cannot leave it there",
        "d/ d/f",
        &[(Local, "move d/f x; delete d"), (Remote, "new x; kind foreign x")],
        &[
            "set-aside x (something on iCloud that does not take part has the name \"x\")",
            "skipped x (shared to this account, or of a kind that is not synced)",
        ],
    ),
    (
        "a link holds its name in any case on a disk that folds it",
        "d/ a",
        &[(Local, "folds; sync; new d/A; kind special d/A"), (Remote, "move a d/a")],
        &[
            "set-aside a (something here that does not take part has the name \"a\")",
            "skipped d/A (a link, socket, device or FIFO is never synced)",
        ],
    ),
    (
        "a link holds its name for what is new there in another case",
        "",
        &[(Local, "folds; new x; kind special x"), (Remote, "new X")],
        &[
            "set-aside X (something here that does not take part has the name \"X\")",
            "skipped x (a link, socket, device or FIFO is never synced)",
        ],
    ),
    (
        "a link was moved over a file",
        "f",
        &[(Local, "new s; kind special s; over s f")],
        &[
            "set-aside f (a link, socket, device or FIFO has its name here, or that of its folder)",
            "skipped f (a link, socket, device or FIFO is never synced)",
        ],
    ),
];

#[test]
fn who_cannot_have_its_place_waits_where_it_is() {
    tell_all(STORIES);
}

/// What another machine, or an earlier mode, left under a temporary name keeps it where this mode may not give it another: that is told, and
/// nothing is done.
#[test]
fn a_temporary_name_is_left_alone_where_the_mode_allows_no_other() {
    let note =
        "(it bears a temporary name, and sync.mode lets nothing on that side be renamed: rename it there)";
    for (mode, side) in [(Mode::DownloadOnly, Remote), (Mode::UploadOnly, Local)] {
        for kind in ["", "/"] {
            let aside = ".icloudds-moving-0-f";
            for deed in [format!("new {aside}{kind}"), format!("move f {aside}")] {
                let mut world = World::synced(&[&format!("f{kind}")]);
                world.mode = mode;
                happen(&mut world, side, &deed);
                let plan = told(&world);
                let acts =
                    plan.iter().filter(|line| line.contains("moving") && !line.starts_with("set-aside"));
                assert_eq!(acts.count(), 0, "{mode:?}, {deed}: {plan:?}");
                assert!(plan.iter().any(|line| line.contains(note)), "{mode:?}, {deed}: {plan:?}");
            }
        }
    }
}
