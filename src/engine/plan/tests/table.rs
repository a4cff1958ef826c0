//! The table of `docs/sync.md` §4, cell by cell, and its bullets.
//!
//! A case reads: both sides hold TREE; then this happened HERE and that THERE; so this is planned. Each plan is
//! then carried out until nothing is left to do.

use super::world::World;
use crate::model::Side;

/// What a case is called, the synced tree, what happened here and there, and the lines of the plan.
pub type Case<'a> = (&'a str, &'a str, &'a str, &'a str, &'a [&'a str]);

/// Carries out `edit a; move a b; new a/; delete a; rewrite a; touch a; cut a; back a`.
pub fn happen(world: &mut World, side: Side, script: &str) {
    for step in script.split(';').map(str::trim).filter(|step| !step.is_empty()) {
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            ["edit", path] => world.edit(side, path),
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
            ["kind", kind, path] => world.thing(side, path).kind = super::world::Kind::of(kind),
            ["nosize", path] => world.thing(side, path).unsized_there = true,
            _ => panic!("no such step: {step}"),
        }
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
        &["iCloud -> here trash d (deleted on iCloud)", "iCloud -> here trash f (deleted on iCloud)"],
    ),
    (
        "deleted, file moved out",
        "d/ d/f",
        "delete d",
        "move d/f f",
        &["here -> iCloud trash d (deleted here)", "here -> iCloud trash d/f (deleted here)"],
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

fn ignoring(world: &mut World) {
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

#[test]
fn every_bullet() {
    check_all(BULLETS, ignoring);
}
