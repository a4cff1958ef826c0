//! What is seen of both sides and says little: volumes that are away, folders that could not be read, words of iCloud that
//! leave a question open (`docs/sync.md` §3).

use super::fully::{Story, tell_all};
use crate::model::Side::{Local, Remote};

const STORIES: &[Story<'static>] = &[
    (
        "a volume is away, and all that it held is deleted on iCloud with its mount point",
        "",
        &[(Local, "new v/; mount v; new v/a/; new v/a/f; sync; unmount"), (Remote, "delete v")],
        &[
            "state only remember v (still holds items that do not take part) [here only]",
            "state only forget v/a/f (gone on both sides)",
            "state only forget v/a (gone on both sides) [after 1]",
        ],
    ),
    (
        "a volume is mounted over what had come into its folder: it comes once more, and nothing is deleted for it",
        "",
        &[(Local, "new v/; under v/f; under v/d/; new v/d/e; sync; mount v")],
        &[
            "state only agree v (the same on both sides) [here v, there v/]",
            "unsettled v/d (its folder here could not be read, or is on another volume)",
            "unsettled v/d/e (its folder here could not be read, or is on another volume)",
            "unsettled v/f (its folder here could not be read, or is on another volume)",
        ],
    ),
    (
        "a volume is mounted on a folder that has another name there, which it can never get here: what it covers comes once more",
        "",
        &[(Local, "new v/; under v/f; under v/d/; new v/d/e; sync; mount v"), (Remote, "move v w")],
        &[
            "state only remember v (same content, other times) [as it stands here]",
            "state only forget v/f (no longer takes part)",
            "state only forget v/d/e (no longer takes part)",
            "state only forget v/d (no longer takes part) [after 2]",
            "set-aside v (it has another name or folder on iCloud, and a folder on which a volume is mounted cannot be moved here: mount the volume at that place, or move the folder back on iCloud)",
        ],
    ),
    (
        "a mount point that was renamed on iCloud stays, and what is in it goes on",
        "",
        &[(Local, "new v/; mount v; new v/a; sync; edit v/a"), (Remote, "move v w; new w/b")],
        &[
            "iCloud -> here download v/b (new on iCloud) [there b unread]",
            "here -> iCloud upload over v/a (edited here) [here v/a unread, there a, by way of the trash]",
            "set-aside v (it has another name or folder on iCloud, and a folder on which a volume is mounted cannot be moved here: mount the volume at that place, or move the folder back on iCloud)",
        ],
    ),
    (
        "where iCloud only follows, a mount point that was renamed there gets its name back",
        "",
        &[(Local, "new v/; mount v; sync; upload-only"), (Remote, "move v w")],
        &["here -> iCloud move v from w (moved on iCloud) [here v, there w/, into root]"],
    ),
    (
        "where the folder here only follows, a mount point that was moved here stays too",
        "",
        &[(Local, "new v/; mount v; new v/a; sync; download-only; move v w")],
        &[
            "set-aside w (it has another name or folder on iCloud, and a folder on which a volume is mounted cannot be moved here: mount the volume at that place, or move the folder back on iCloud)",
        ],
    ),
    (
        "a folder that holds a mount point goes to where it was moved on its own file system",
        "",
        &[(Local, "new e/; new e/n/; mount e/n; sync"), (Remote, "move e f")],
        &["iCloud -> here move f from e (moved on iCloud) [here e, there f/]"],
    ),
    (
        "a folder that holds a mount point, and was moved here too, stays where its place on iCloud is on another file system",
        "",
        &[(Local, "new v/; mount v; new e/; new e/n/; mount e/n; sync; move e g"), (Remote, "move e v/e")],
        &[
            "set-aside g (it is in a folder on another file system on iCloud, and what a volume is mounted in cannot be moved to another one here: move the folder back on iCloud, or take the volume off)",
        ],
    ),
    (
        "a mount point that both sides moved goes on iCloud where it is here",
        "",
        &[(Local, "new v/; mount v; new v/a; sync; move v w"), (Remote, "move v x")],
        &["here -> iCloud move w from x (moved here) [here w, there x/, into root]"],
    ),
    (
        "what came to the place of a volume that is away waits on both sides",
        "",
        &[(Local, "new v/; mount v; new v/a/; sync; unmount; under v/n"), (Remote, "new v/n")],
        &[
            "unsettled v (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
            "unsettled v/a (its folder here could not be read, or is on another volume)",
            "unsettled v/n (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
            "unsettled v/n (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
        ],
    ),
    (
        "what is deleted there of a volume that is away waits for it",
        "",
        &[(Local, "new v/; mount v; new v/a/; new v/a/f; sync; unmount"), (Remote, "delete v/a")],
        &[
            "unsettled v (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
            "unsettled v/a (its folder here could not be read, or is on another volume)",
            "unsettled v/a/f (its folder here could not be read, or is on another volume)",
        ],
    ),
    (
        "another folder in the place of a mount point without its volume waits",
        "",
        &[(Local, "new v/; mount v; new v/f; sync; unmount"), (Remote, "delete v; new v/; new v/n")],
        &[
            "state only forget v/f (gone on both sides)",
            "unsettled v (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
            "set-aside v (something here that does not take part has the name \"v\")",
        ],
    ),
    (
        "something new in a mount point keeps that waiting",
        "",
        &[(Local, "new v/; mount v; new v/f; sync; unmount; under v/x"), (Remote, "delete v")],
        &[
            "state only forget v/f (gone on both sides)",
            "unsettled v (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
            "unsettled v/x (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
        ],
    ),
    (
        "what iCloud shows without content all at once waits, also where it was moved",
        "f",
        &[(Remote, "hollow f; move f g")],
        &["unsettled f (iCloud shows it without content all at once: a second look has to confirm that)"],
    ),
    (
        "what was moved there to a volume that is away stays here",
        "x",
        &[(Local, "new v/; mount v; new v/f; sync; unmount"), (Remote, "move x v/x")],
        &[
            "unsettled v (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
            "unsettled v/f (its folder here could not be read, or is on another volume)",
            "unsettled x (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
        ],
    ),
    (
        "what is in a folder of a temporary name waits with it",
        "b/ b/g",
        &[(Remote, "lend b; edit b/g")],
        &[
            "unsettled b (it bears a temporary name on iCloud, which another machine may be about to change)",
            "set-aside b/g (the folder that it was moved to is not synced now)",
        ],
    ),
    (
        "a new folder elsewhere does not take the place of a mount point",
        "",
        &[(Local, "new v/; mount v; new v/f; sync; unmount"), (Remote, "delete v; new w/")],
        &[
            "iCloud -> here make folder w (new on iCloud) [there w/]",
            "state only remember v (still holds items that do not take part) [here only]",
            "state only forget v/f (gone on both sides)",
        ],
    ),
    (
        "a mount point in a folder that is gone there",
        "",
        &[(Local, "new u/; new u/v/; mount u/v; new u/v/f; sync; unmount"), (Remote, "delete u")],
        &[
            "state only remember u (still holds items that do not take part) [here only]",
            "state only remember u/v (still holds items that do not take part) [here only]",
            "state only forget u/v/f (gone on both sides)",
        ],
    ),
    (
        "a mount point that holds a name that no path can hold is not bare",
        "",
        &[(Local, "new v/; mount v; new v/f; sync; unmount; odd v"), (Remote, "delete v")],
        &[
            "state only forget v/f (gone on both sides)",
            "unsettled v (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
            "skipped v (holds \"odd\", a name that is not UTF-8 and is never synced)",
        ],
    ),
    (
        "a mount point that could not be read is not bare",
        "",
        &[(Local, "new v/; mount v; new v/f; sync; unmount; hide v"), (Remote, "delete v")],
        &[
            "state only forget v/f (gone on both sides)",
            "unsettled v (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
            "unsettled v (cannot read this folder: no)",
        ],
    ),
    (
        "a mount point without its volume is moved there",
        "",
        &[(Local, "new v/; mount v; new v/f; sync; unmount"), (Remote, "move v w")],
        &[
            "unsettled v (its folder here is a mount point, and its volume is not mounted there now: mount it again)",
            "unsettled v/f (its folder here could not be read, or is on another volume)",
        ],
    ),
    ("a link that takes no part is not told", "", &[(Local, "new private; kind special private")], &[]),
    (
        "a file that lives on outside the scope goes here",
        "a",
        &[(Remote, "outside a")],
        &["iCloud -> here trash a (moved out of what is synced on iCloud) [here a]"],
    ),
    (
        "a file of which iCloud will not say what became is told as set aside",
        "g",
        &[(Remote, "untold g")],
        &["set-aside g (iCloud does not list it, and will not say whether it was deleted)"],
    ),
    (
        "what is shared and takes no part is not told",
        "g",
        &[(Local, "ignore =g"), (Remote, "kind foreign g")],
        &[],
    ),
    (
        "what is in a folder that nobody reads, at its own place",
        "a/ a/g",
        &[(Local, "close a")],
        &["set-aside a/g (its folder was moved to where nothing is synced, and nothing is read)"],
    ),
    (
        "a folder that lives on outside the scope goes here",
        "d/ d/a/",
        &[(Remote, "outside d/a")],
        &["iCloud -> here trash d/a (moved out of what is synced on iCloud) [here d/a]"],
    ),
    (
        "what iCloud does not tell of holds the folder above what is gone",
        "a/ a/e/",
        &[(Local, "upload-only"), (Remote, "delete a/e; vanish a")],
        &["unsettled a (iCloud did not list it and does not say what became of it)"],
    ),
];

#[test]
fn what_is_not_known_is_left_alone() {
    tell_all(STORIES);
}
