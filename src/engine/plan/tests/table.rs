//! The table of `docs/sync.md` §4, cell by cell, and its bullets.
//!
//! A case reads: both sides hold TREE; then this happened HERE and that THERE; so this is planned. Each plan is
//! then carried out until nothing is left to do.

use super::world::{Kind, LIBRARY, Thing, World};
use crate::engine::plan::{ConflictPolicy, Mode};
use crate::engine::view::Absence;
use crate::model::{PowerCuts, RelPath, Side};

/// What a case is called, the synced tree, what happened here and there, and the lines of the plan.
pub type Case<'a> = (&'a str, &'a str, &'a str, &'a str, &'a [&'a str]);

/// Carries out `edit a; empty a; move a b; new a/; delete a; rewrite a; touch a; cut a; sync; look; pass`.
pub fn happen(world: &mut World, side: Side, script: &str) {
    for step in script.split(';').map(str::trim).filter(|step| !step.is_empty()) {
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            ["edit", path] => world.edit(side, path),
            ["empty", path] => world.empty(side, path),
            ["move", from, to] => world.rename(side, from, to),
            ["delete", path] => world.delete(side, path),
            ["new", path] => drop(world.create(side, path)),
            ["over", from, to] => {
                world.delete(side, to);
                world.rename(side, from, to);
            }
            ["rewrite", path] => {
                world.delete(side, path);
                world.create(side, path);
            }
            ["touch", path] => world.thing(side, path).touched += 1,
            ["cut", path] => world.thing(side, path).cut = true,
            ["same", path] => {
                let content = world.local.things[&world.local.find(path).unwrap()].content;
                world.create(side, path);
                world.thing(side, path).content = content;
            }
            ["sign", path] => world.thing(side, path).signed = true,
            ["kind", kind, path] => world.thing(side, path).kind = Kind::of(kind),
            ["sync"] => drop(world.settle()),
            ["look"] => drop(world.plan()),
            ["pass"] => world.apply(&world.plan(), || false),
            ["first", many] => {
                let mut left: usize = many.parse().unwrap();
                world.apply(&world.plan(), || {
                    let fails = left == 0;
                    left = left.saturating_sub(1);
                    fails
                });
            }
            ["restore", name] => world.half(side).restore(name),
            ["nosize", path] => world.thing(side, path).unsized_there = true,
            ["back", path] => {
                world.edit(side, path);
                let thing = world.thing(side, path);
                thing.earlier = i64::try_from(thing.content).unwrap();
            }
            // Edited, with the time that it had.
            ["still", path] => {
                let before = world.thing(side, path).content;
                world.edit(side, path);
                let thing = world.thing(side, path);
                thing.earlier = i64::try_from(thing.content - before).unwrap();
            }
            ["library", name] => {
                let id = LIBRARY + world.fresh();
                world.remote.things.insert(id, Thing { kind: Kind::Library, ..Thing::new(0, name, 0, id) });
            }
            _ => see(world, side, &words, step),
        }
    }
}

/// What is seen of both sides, and how they are synced.
fn see(world: &mut World, side: Side, words: &[&str], step: &str) {
    let at = |world: &World, path| match side {
        Side::Local => world.local.find(path).expect("it is here"),
        Side::Remote => world.remote.find(path).expect("it is on iCloud"),
    };
    match (side, words) {
        (Side::Local, ["hide", path]) => drop(world.unread.insert(at(world, path))),
        (Side::Local, ["deep", path]) => drop(world.deep.insert(at(world, path))),
        (Side::Local, ["gone-back", name]) => drop(world.gone_back.insert((*name).to_owned())),
        (Side::Local, ["unseen", name]) => drop(world.unseen.insert((*name).to_owned())),
        (Side::Remote, ["hide", path]) => drop(world.unlisted.insert(at(world, path))),
        (Side::Local, ["close", path]) => drop(world.unread_here.insert(at(world, path))),
        (Side::Remote, ["close", path]) => drop(world.unread_there.insert(at(world, path))),
        (_, ["miss", path]) => drop(world.missed.insert(at(world, path))),
        (_, ["odd", path]) => drop(world.odd_names.insert(at(world, path))),
        (Side::Remote, ["lend", path]) => drop(world.lent.insert(at(world, path))),
        (Side::Remote, ["hollow", path]) => drop(world.hollow.insert(at(world, path))),
        (Side::Remote, ["vanish", path]) => world.vanish(path, Absence::Unknown),
        (Side::Remote, ["outside", path]) => world.vanish(path, Absence::OutOfScope),
        (Side::Remote, ["untold", path]) => world.vanish(path, Absence::Untold),
        (Side::Local, ["mount", path]) => drop(world.mounts.insert(at(world, path))),
        (Side::Local, ["under", path]) => {
            let id = world.create(side, path);
            world.under.insert(id);
        }
        (Side::Local, ["unmount"]) => world.unmounted = true,
        (Side::Local, ["remount"]) => world.unmounted = false,
        (_, ["local-only", path]) => drop(world.state.local_only.insert(RelPath::parse(path).unwrap())),
        (_, ["wait", path]) => drop(world.waiting.insert((*path).to_owned())),
        (_, ["ignore", name]) => world.ignore.push((*name).to_owned()),
        (_, ["most", bytes]) => world.max_size = Some(bytes.parse().unwrap()),
        (_, ["download-only"]) => world.mode = Mode::DownloadOnly,
        (_, ["upload-only"]) => world.mode = Mode::UploadOnly,
        (_, ["newest"]) => world.conflict = ConflictPolicy::Newest,
        (_, ["folds"]) => world.folds = true,
        (_, ["births-unknown"]) => world.no_birth = true,
        (_, ["no-identity"]) => world.no_identity = true,
        (_, ["restart"]) => world.power_cuts = PowerCuts::before(i64::MAX),
        (_, ["no-libraries"]) => world.libraries = false,
        (_, ["recent"]) => world.recent_since = i64::try_from(world.next).unwrap(),
        _ => panic!("no such step: {step}"),
    }
}

/// What a plan says, a line for each operation and note.
pub fn told(world: &World) -> Vec<String> {
    let told = world.plan().told();
    let squeeze = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let operations = told.operations.iter().map(|line| squeeze(line.to_string()));
    operations.chain(told.notes.iter().map(|note| squeeze(note.to_string()))).collect()
}

/// Checks all cases, each in a world that `set` has prepared, and tells of all that differ.
pub fn check_all(cases: &[Case<'_>], set: impl Fn(&mut World)) {
    let mut wrong = String::new();
    for (name, tree, here, there, expected) in cases {
        let mut world = World::synced(&tree.split_whitespace().collect::<Vec<_>>());
        set(&mut world);
        happen(&mut world, Side::Local, here);
        happen(&mut world, Side::Remote, there);
        let plan = told(&world);
        if plan != *expected {
            wrong += &format!("{name}\n  here: {here}\n  there: {there}\n  planned:\n");
            plan.iter().for_each(|line| wrong += &format!("    {line:?},\n"));
        }
        world.settle();
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

const FILES: &[Case<'static>] = &[
    ("same, same", "f", "", "", &[]),
    ("same, edited", "f", "", "edit f", &["iCloud -> here download over f (edited on iCloud)"]),
    (
        "same, moved",
        "f d/",
        "",
        "move f d/g",
        &[
            "iCloud -> here move d/g from f (moved on iCloud)",
            "state only agree d/g (same content, other times)",
        ],
    ),
    ("same, deleted", "f", "", "delete f", &["iCloud -> here trash f (deleted on iCloud)"]),
    ("edited, same", "f", "edit f", "", &["here -> iCloud upload over f (edited here)"]),
    (
        "edited, edited",
        "f",
        "edit f",
        "edit f",
        &[
            "iCloud -> here settle conflict f conflict copy f (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
        ],
    ),
    (
        "edited, moved",
        "f d/",
        "edit f",
        "move f d/g",
        &["iCloud -> here move d/g from f (moved on iCloud)", "here -> iCloud upload over d/g (edited here)"],
    ),
    (
        "edited, deleted",
        "f",
        "edit f",
        "delete f",
        &[
            "here -> iCloud upload f (edited here, which outweighs the deletion on the other side)",
            "state only forget f (edited here, which outweighs the deletion on the other side)",
        ],
    ),
    ("moved, same", "f d/", "move f d/g", "", &["here -> iCloud move d/g from f (moved here)"]),
    (
        "moved, edited",
        "f d/",
        "move f d/g",
        "edit f",
        &[
            "here -> iCloud move d/g from f (moved here)",
            "iCloud -> here download over d/g (edited on iCloud)",
        ],
    ),
    (
        "moved, moved to the same place",
        "f d/",
        "move f d/g",
        "move f d/g",
        &["state only agree d/g (same content, other times)"],
    ),
    (
        "moved, moved elsewhere",
        "f d/",
        "move f d/g",
        "move f h",
        &[
            "iCloud -> here move h from d/g (moved on both sides, the place on iCloud counts)",
            "state only agree h (same content, other times)",
        ],
    ),
    ("moved, deleted", "f d/", "move f d/g", "delete f", &["iCloud -> here trash d/g (deleted on iCloud)"]),
    ("deleted, same", "f", "delete f", "", &["here -> iCloud trash f (deleted here)"]),
    (
        "deleted, edited",
        "f",
        "delete f",
        "edit f",
        &["iCloud -> here download f (edited on iCloud, which outweighs the deletion on the other side)"],
    ),
    ("deleted, moved", "f d/", "delete f", "move f d/g", &["here -> iCloud trash f (deleted here)"]),
    ("deleted, deleted", "f", "delete f", "delete f", &["state only forget f (gone on both sides)"]),
    (
        "moved and edited, same",
        "f d/",
        "move f d/g; edit d/g",
        "",
        &["here -> iCloud move d/g from f (moved here)", "here -> iCloud upload over d/g (edited here)"],
    ),
    (
        "moved and edited, edited",
        "f d/",
        "move f d/g; edit d/g",
        "edit f",
        &[
            "here -> iCloud move d/g from f (moved here)",
            "iCloud -> here settle conflict d/g conflict copy d/g (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
        ],
    ),
    (
        "moved and edited, moved",
        "f d/",
        "move f d/g; edit d/g",
        "move f h",
        &[
            "iCloud -> here move h from d/g (moved on both sides, the place on iCloud counts)",
            "here -> iCloud upload over h (edited here)",
        ],
    ),
    (
        "moved and edited, deleted",
        "f d/",
        "move f d/g; edit d/g",
        "delete f",
        &[
            "here -> iCloud upload d/g (edited here, which outweighs the deletion on the other side)",
            "state only forget d/g (edited here, which outweighs the deletion on the other side)",
        ],
    ),
    (
        "same, moved and edited",
        "f d/",
        "",
        "move f d/g; edit d/g",
        &[
            "iCloud -> here move d/g from f (moved on iCloud)",
            "iCloud -> here download over d/g (edited on iCloud)",
        ],
    ),
    (
        "deleted, moved and edited",
        "f d/",
        "delete f",
        "move f d/g; edit d/g",
        &["iCloud -> here download d/g (edited on iCloud, which outweighs the deletion on the other side)"],
    ),
    (
        "edited, moved and edited",
        "f d/",
        "edit f",
        "move f d/g; edit d/g",
        &[
            "iCloud -> here move d/g from f (moved on iCloud)",
            "iCloud -> here settle conflict d/g conflict copy d/g (conflict 2026-11-22 10-00-00 nas) (different on both sides)",
        ],
    ),
];
const FOLDERS: &[Case<'static>] = &[
    ("same, moved", "d/ d/f e/", "", "move d e/g", &["iCloud -> here move e/g from d (moved on iCloud)"]),
    (
        "same, deleted",
        "d/ d/f",
        "",
        "delete d",
        &["iCloud -> here trash d/f (deleted on iCloud)", "iCloud -> here trash d (deleted on iCloud)"],
    ),
    ("moved, same", "d/ d/f e/", "move d e/g", "", &["here -> iCloud move e/g from d (moved here)"]),
    (
        "moved, file in it edited",
        "d/ d/f e/",
        "move d e/g",
        "edit d/f",
        &[
            "here -> iCloud move e/g from d (moved here)",
            "iCloud -> here download over e/g/f (edited on iCloud)",
        ],
    ),
    (
        "moved, moved elsewhere",
        "d/ d/f e/",
        "move d e/g",
        "move d h",
        &["iCloud -> here move h from e/g (moved on both sides, the place on iCloud counts)"],
    ),
    (
        "moved, moved to the same place",
        "d/ d/f e/",
        "move d e/g",
        "move d e/g",
        &["state only agree e/g (the same on both sides)"],
    ),
    (
        "moved, deleted",
        "d/ d/f e/",
        "move d e/g",
        "delete d",
        &["iCloud -> here trash e/g/f (deleted on iCloud)", "iCloud -> here trash e/g (deleted on iCloud)"],
    ),
    ("deleted, same", "d/ d/f", "delete d", "", &["here -> iCloud trash d (deleted here)"]),
    ("deleted, moved", "d/ d/f e/", "delete d", "move d e/g", &["here -> iCloud trash d (deleted here)"]),
    (
        "deleted, deleted",
        "d/ d/f",
        "delete d",
        "delete d",
        &["state only forget d/f (gone on both sides)", "state only forget d (gone on both sides)"],
    ),
    (
        "deleted, file in it edited",
        "d/ d/f d/g",
        "delete d",
        "edit d/f",
        &[
            "iCloud -> here make folder d (holds items that take part)",
            "iCloud -> here download d/f (edited on iCloud, which outweighs the deletion on the other side)",
            "here -> iCloud trash d/g (deleted here)",
        ],
    ),
    (
        "file in it edited, deleted",
        "d/ d/f d/g",
        "edit d/f",
        "delete d",
        &[
            "here -> iCloud make folder d (holds items that take part)",
            "here -> iCloud upload d/f (edited here, which outweighs the deletion on the other side)",
            "iCloud -> here trash d/g (deleted on iCloud)",
            "state only forget d/f (edited here, which outweighs the deletion on the other side)",
            "state only forget d (holds items that take part)",
        ],
    ),
    (
        "deleted, new file in it",
        "d/ d/f",
        "delete d",
        "new d/n",
        &[
            "iCloud -> here make folder d (holds items that take part)",
            "iCloud -> here download d/n (new on iCloud)",
            "here -> iCloud trash d/f (deleted here)",
        ],
    ),
    (
        "new file in it, deleted",
        "d/ d/f",
        "new d/n",
        "delete d",
        &[
            "here -> iCloud make folder d (holds items that take part)",
            "here -> iCloud upload d/n (new here)",
            "iCloud -> here trash d/f (deleted on iCloud)",
            "state only forget d (holds items that take part)",
        ],
    ),
    (
        "file moved out, deleted",
        "d/ d/f",
        "move d/f f",
        "delete d",
        &["iCloud -> here trash f (deleted on iCloud)", "iCloud -> here trash d (deleted on iCloud)"],
    ),
    (
        "deleted, file moved out",
        "d/ d/f",
        "delete d",
        "move d/f f",
        &["here -> iCloud trash d/f (deleted here)", "here -> iCloud trash d (deleted here)"],
    ),
    (
        "a link in it keeps it here",
        "d/ d/f",
        "new d/l; kind special d/l",
        "delete d",
        &[
            "iCloud -> here trash d/f (deleted on iCloud)",
            "state only remember d (still holds items that do not take part)",
            "skipped d/l (a link, socket, device or FIFO is never synced)",
        ],
    ),
    (
        "something shared in it keeps it there",
        "d/ d/f",
        "delete d",
        "new d/l; kind foreign d/l",
        &[
            "here -> iCloud trash d/f (deleted here)",
            "state only remember d (still holds items that do not take part)",
            "skipped d/l (shared to this account, or of a kind that is not synced)",
        ],
    ),
    (
        "junk in it does not",
        "d/ d/f",
        "new d/.DS_Store",
        "delete d",
        &["iCloud -> here trash d/f (deleted on iCloud)", "iCloud -> here trash d (deleted on iCloud)"],
    ),
    (
        "junk in it there does not",
        "d/ d/f",
        "delete d",
        "new d/.DS_Store",
        &["here -> iCloud trash d (deleted here)"],
    ),
];
/// The filter of the tables.
pub fn ignoring(world: &mut World) {
    world.ignore = vec![".DS_Store".to_owned(), "private".to_owned()];
}

#[test]
fn every_cell_of_the_table_for_files() {
    check_all(FILES, ignoring);
}

#[test]
fn every_cell_of_the_table_for_folders() {
    check_all(FOLDERS, ignoring);
}
