//! Sentences of `docs/sync.md` §4 that no other table covers: what keeps a folder, filters that change, libraries, and
//! conflicts that need a world of their own.

use super::table::{Case, check_all, happen, ignoring, told};
use super::world::{Kind, LIBRARY, MARK, Thing, World, size};
use crate::engine::plan::{ConflictPolicy, Mode};
use crate::model::{PowerCuts, Side};

const KEPT: &[Case<'static>] = &[
    (
        "something ignored keeps a folder here",
        "d/ d/f",
        "new d/private",
        "delete d",
        &[
            "iCloud -> here trash d/f (deleted on iCloud)",
            "state only remember d (still holds items that do not take part)",
        ],
    ),
    (
        "something ignored keeps a folder there",
        "d/ d/f",
        "delete d",
        "new d/private",
        &[
            "here -> iCloud trash d/f (deleted here)",
            "state only remember d (still holds items that do not take part)",
        ],
    ),
];

const LARGE: &[Case<'static>] = &[
    (
        "something too large keeps a folder here",
        "d/",
        "new d/l",
        "delete d",
        &[
            "state only remember d (still holds items that do not take part)",
            "skipped d/l (larger than limits.max_file_size: 4 bytes here)",
        ],
    ),
    (
        "something too large keeps a folder there",
        "d/",
        "delete d",
        "new d/l",
        &[
            "state only remember d (still holds items that do not take part)",
            "skipped d/l (larger than limits.max_file_size: 4 bytes on iCloud)",
        ],
    ),
];

#[test]
fn what_does_not_take_part_keeps_a_folder() {
    check_all(KEPT, ignoring);
    check_all(LARGE, |world| {
        world.max_size = Some(3);
        // The next content is of four bytes.
        world.next = world.next / 4 * 4 + 5;
    });
}

#[test]
fn what_was_modified_a_short_while_ago_is_transferred_first() {
    for side in [Side::Local, Side::Remote] {
        let mut world = World::synced(&["d/", "d/edited"]);
        happen(&mut world, side, "edit d/edited; new d/a; new z; new b");
        let newest = world.thing(side, "b").content;
        let order = |world: &World| -> Vec<String> {
            world.plan().operations.iter().map(|operation| operation.path.to_string()).collect()
        };
        let usual = order(&world);
        assert_eq!((usual.len(), usual[0].as_str()), (4, "d/edited"), "{:?}", told(&world));
        world.recent_since = i64::try_from(newest).expect("a small number");
        let expected: Vec<_> =
            ["b"].into_iter().chain(usual.iter().map(String::as_str).filter(|path| *path != "b")).collect();
        assert_eq!(order(&world), expected);
        world.settle();
    }
}

#[test]
fn what_was_written_before_the_machine_started_keeps_the_version_that_it_replaces() {
    let mut world = World::synced(&["f"]);
    // Of any size: a power cut leaves a part of a content, or its size alone.
    for _ in 0..3 {
        world.edit(Side::Local, "f");
        let edited_at = i64::try_from(world.thing(Side::Local, "f").content).expect("a small number");
        world.power_cuts = PowerCuts::before(edited_at);
        assert_eq!(told(&world), ["here -> iCloud upload over f (edited here)"]);
        world.power_cuts = PowerCuts::before(edited_at + 1);
        let cut =
            "here -> iCloud upload over f (edited here before the last start, which may have cut it short)";
        assert_eq!(told(&world), [cut]);
        world.settle();
    }
}

#[test]
fn a_set_aside_item_keeps_its_folder() {
    let mut world = World::synced(&["d/", "d/f", "d/g"]);
    world.waiting.insert("d/f".to_owned());
    happen(&mut world, Side::Remote, "delete d");
    assert_eq!(
        told(&world),
        [
            "iCloud -> here trash d/g (deleted on iCloud)",
            "state only remember d (still holds items that do not take part)",
        ]
    );
    world.settle();
    assert!(world.local.find("d/f").is_some());
    world.waiting.clear();
    world.settle();
    assert_eq!(world.local.listing(), world.remote.listing());
    assert!(world.local.things.is_empty());
}

#[test]
fn equal_edits_on_both_sides_are_compared_before_they_are_a_conflict() {
    let mut world = World::synced(&["f"]);
    happen(&mut world, Side::Local, "edit f");
    let content = world.thing(Side::Local, "f").content;
    happen(&mut world, Side::Remote, "edit f");
    world.thing(Side::Remote, "f").content = content;
    let plan = told(&world);
    assert!(plan.len() == 1 && plan[0].starts_with("state only compare f else conflict copy"), "{plan:?}");
    world.settle();
    assert_eq!(world.local.listing().len(), 1);
}

#[test]
fn a_second_conflict_copy_of_the_same_second_says_so() {
    let (first, second) = (format!("f (conflict {MARK}).txt"), format!("f (conflict {MARK} 2).txt"));
    let mut world = World::synced(&["f.txt", &first]);
    for path in ["f.txt", &first] {
        world.edit(Side::Local, path);
        world.edit(Side::Remote, path);
    }
    world.settle();
    let third = format!("f (conflict {MARK} 3).txt");
    let names: Vec<String> = world.local.listing().into_keys().collect();
    assert_eq!(names, [second.as_str(), &third, &first, "f.txt"]);
    assert_eq!(world.local.listing(), world.remote.listing());
}

#[test]
fn the_newer_one_here_keeps_the_name() {
    let mut world = World::synced(&["f"]);
    world.conflict = ConflictPolicy::Newest;
    world.edit(Side::Remote, "f");
    world.edit(Side::Local, "f");
    let (here, there) = (world.thing(Side::Local, "f").content, world.thing(Side::Remote, "f").content);
    assert_eq!(told(&world), ["here -> iCloud settle conflict f (different on both sides)"]);
    world.settle();
    assert_eq!(world.thing(Side::Remote, "f").content, here);
    assert_eq!(world.remote.trash, [there], "the other version goes to its own side's trash");
}

#[test]
fn what_the_filter_does_not_take_any_more_is_forgotten_and_what_it_takes_again_is_new() {
    let mut world = World::synced(&["d/", "d/f", "private", "e/", "e/private"]);
    let before = (world.local.listing(), world.remote.listing());
    ignoring(&mut world);
    let expected = [
        "state only forget private (no longer takes part)",
        "state only forget e/private (no longer takes part)",
    ];
    assert_eq!(told(&world), expected);
    world.settle();
    assert_eq!(before, (world.local.listing(), world.remote.listing()));
    // A deletion meanwhile is none: back in scope it is new on the side that has it.
    happen(&mut world, Side::Local, "delete private");
    world.settle();
    world.ignore.clear();
    let plan = told(&world);
    assert_eq!(plan[0], "iCloud -> here download private (new on iCloud)");
    world.settle();
    assert_eq!(world.local.listing(), world.remote.listing());
}

/// A drive with the app library `Lib`, which holds `Lib/f`.
fn with_library(opted_in: bool) -> World {
    let mut world = World::new();
    world.libraries = opted_in;
    world.next += 1;
    let id = LIBRARY + world.next;
    world.remote.things.insert(id, Thing { kind: Kind::Library, ..Thing::new(0, "Lib", 0, id) });
    happen(&mut world, Side::Remote, "new Lib/f");
    world.settle();
    world
}

#[test]
fn a_library_is_never_renamed_or_trashed() {
    let mut world = with_library(true);
    happen(&mut world, Side::Local, "move Lib Renamed; new Renamed/n");
    assert_eq!(
        told(&world),
        ["iCloud -> here move Lib from Renamed (moved here)", "here -> iCloud upload Lib/n (new here)"]
    );
    world.settle();
    happen(&mut world, Side::Local, "delete Lib");
    assert_eq!(
        told(&world),
        [
            "iCloud -> here make folder Lib (deleted here)",
            "here -> iCloud trash Lib/f (deleted here)",
            "here -> iCloud trash Lib/n (deleted here)",
        ]
    );
    world.settle();
    assert_eq!(world.remote.listing().len(), 1);
}

#[test]
fn a_library_that_is_not_opted_in_holds_its_name_and_one_that_is_closed_is_forgotten() {
    let mut world = with_library(false);
    assert!(world.local.things.is_empty());
    happen(&mut world, Side::Local, "new Lib/; new Lib/mine");
    let plan = told(&world);
    assert_eq!(plan, ["set-aside Lib (something on iCloud that does not take part has the name \"Lib\")"]);
    let mut world = with_library(true);
    assert!(world.local.find("Lib/f").is_some());
    world.libraries = false;
    assert_eq!(
        told(&world),
        ["state only forget Lib/f (no longer takes part)", "state only forget Lib (no longer takes part)"]
    );
    let before = (world.local.listing(), world.remote.listing());
    world.settle();
    assert_eq!(before, (world.local.listing(), world.remote.listing()));
}

#[test]
fn a_library_that_moved_or_went_here_is_left_alone_where_nothing_may_change_here() {
    for (change, expected) in [
        ("new Lib/n", vec!["here -> iCloud upload Lib/n (new here)"]),
        ("move Lib Renamed", vec![]),
        // Its content goes as any other; it stays itself, and is not made anew here.
        ("delete Lib", vec!["here -> iCloud trash Lib/f (deleted here)"]),
    ] {
        let mut world = with_library(true);
        world.mode = Mode::UploadOnly;
        happen(&mut world, Side::Local, change);
        assert_eq!(told(&world), expected, "{change}");
    }
}

#[test]
fn a_known_file_that_grows_too_large_is_told_unless_it_takes_no_part_any_more() {
    for (side, where_it_is) in [(Side::Local, "here"), (Side::Remote, "on iCloud")] {
        let mut world = World::synced(&["f"]);
        while size(world.thing(side, "f").content) != 4 {
            world.edit(side, "f");
        }
        world.max_size = Some(3);
        let told_so = format!("skipped f (larger than limits.max_file_size: 4 bytes {where_it_is})");
        assert_eq!(told(&world), [told_so]);
        world.ignore = vec!["f".to_owned()];
        assert_eq!(told(&world), ["state only forget f (no longer takes part)"]);
    }
}
