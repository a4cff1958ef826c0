//! What happens rarely: names that cannot be held, items that are shown as shared, folders on one side only.

use super::table::{Case, check_all, happen, ignoring, told};
use super::world::{Kind, LIBRARY, Thing, World};
use crate::engine::plan::Mode;
use crate::model::Side;

const SHARED: &[Case<'static>] = &[
    (
        "a synced file is shown as shared",
        "f",
        "",
        "kind foreign f",
        &["skipped f (shared to this account, or of a kind that is not synced)"],
    ),
    (
        "edited here",
        "f",
        "edit f",
        "kind foreign f",
        &["skipped f (shared to this account, or of a kind that is not synced)"],
    ),
    (
        "deleted here",
        "f",
        "delete f",
        "kind foreign f",
        &["skipped f (shared to this account, or of a kind that is not synced)"],
    ),
    (
        "moved here",
        "f",
        "move f g",
        "kind foreign f",
        &["skipped f (shared to this account, or of a kind that is not synced)"],
    ),
    (
        "a synced folder is shown as shared, and what it holds is changed here",
        "d/ d/f d/g",
        "edit d/f; new d/n; delete d/g",
        "kind foreign d",
        &["skipped d (shared to this account, or of a kind that is not synced)"],
    ),
    (
        "a synced folder is shown as shared, and is deleted here",
        "d/ d/f",
        "delete d",
        "kind foreign d",
        &["skipped d (shared to this account, or of a kind that is not synced)"],
    ),
    (
        "a folder with such a folder in it is deleted here",
        "e/ e/d/ e/d/f e/g",
        "delete e",
        "kind foreign e/d",
        &[
            "here -> iCloud trash e/g (deleted here)",
            "state only remember e (still holds items that do not take part)",
            "skipped e/d (shared to this account, or of a kind that is not synced)",
        ],
    ),
    (
        "what leaves such a folder is ordinary again",
        "d/ d/f",
        "edit d/f",
        "move d/f f; kind foreign d",
        &[
            "iCloud -> here move f from d/f (moved on iCloud)",
            "here -> iCloud upload over f (edited here)",
            "skipped d (shared to this account, or of a kind that is not synced)",
        ],
    ),
];

#[test]
fn what_was_synced_and_is_shared_now_is_left_alone() {
    check_all(SHARED, ignoring);
}

/// What is planned at the end of a story of both sides.
fn after(tree: &str, story: &[(Side, &str)]) -> (World, Vec<String>) {
    let mut world = World::synced(&tree.split_whitespace().collect::<Vec<_>>());
    ignoring(&mut world);
    for (side, script) in story {
        happen(&mut world, *side, script);
    }
    let plan = told(&world);
    (world, plan)
}

/// A story: its name, and what happened then on each side, and what is planned at its end beside what is skipped.
type Story<'a> = (&'a str, &'a [(Side, &'a str)], &'a [&'a str]);

/// Tells all stories, each after the same beginning.
fn tell_all(tree: &str, beginning: &[(Side, &str)], stories: &[Story<'_>]) {
    let mut wrong = String::new();
    for (name, then, expected) in stories {
        let story: Vec<_> = beginning.iter().chain(*then).copied().collect();
        let (mut world, mut plan) = after(tree, &story);
        plan.retain(|line| !line.starts_with("skipped"));
        if plan != *expected {
            wrong += &format!("{name}\n");
            plan.iter().for_each(|line| wrong += &format!("    {line:?},\n"));
        }
        world.settle();
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn a_folder_kept_on_icloud_only() {
    use Side::{Local, Remote};
    let kept = [(Remote, "new d/l; kind foreign d/l"), (Local, "delete d; sync")];
    let stories: &[Story<'_>] = &[
        ("moved", &[(Remote, "move d e")], &[]),
        (
            "moved, and something in it takes part",
            &[(Remote, "move d e; new e/n")],
            &[
                "iCloud -> here make folder e (holds items that take part)",
                "iCloud -> here download e/n (new on iCloud)",
            ],
        ),
        (
            "made here again",
            &[(Local, "new d/; new d/n")],
            &["state only agree d (the same on both sides)", "here -> iCloud upload d/n (new here)"],
        ),
        (
            "moved, and made here at its new place",
            &[(Remote, "move d e; sync"), (Local, "new e/; new e/n")],
            &["state only agree e (the same on both sides)", "here -> iCloud upload e/n (new here)"],
        ),
        (
            "moved, and another one made here at its old place",
            &[(Remote, "move d e; sync"), (Local, "new d/; new d/n")],
            &["here -> iCloud make folder d (new here)", "here -> iCloud upload d/n (new here)"],
        ),
        (
            "moved, and another one made there at its old place",
            &[(Remote, "move d e; new d/; new d/n")],
            &["iCloud -> here make folder d (new on iCloud)", "iCloud -> here download d/n (new on iCloud)"],
        ),
        (
            "moved, and one made here at both places",
            &[(Remote, "move d e"), (Local, "new d/; new e/")],
            &["here -> iCloud make folder d (new here)", "state only agree e (the same on both sides)"],
        ),
    ];
    tell_all("d/ d/f", &kept, stories);
}

#[test]
fn a_folder_kept_here_only() {
    use Side::{Local, Remote};
    let kept = [(Local, "new d/l; kind special d/l"), (Remote, "delete d; sync")];
    let stories: &[Story<'_>] = &[
        ("moved", &[(Local, "move d e")], &[]),
        (
            "moved, and something in it takes part",
            &[(Local, "move d e; new e/n")],
            &[
                "here -> iCloud make folder e (holds items that take part)",
                "here -> iCloud upload e/n (new here)",
                "state only forget e (holds items that take part)",
            ],
        ),
        (
            "made there again",
            &[(Remote, "new d/; new d/n")],
            &[
                "state only agree d (the same on both sides)",
                "iCloud -> here download d/n (new on iCloud)",
                "state only forget d (the same on both sides)",
            ],
        ),
        (
            "moved, and made there at its new place",
            &[(Local, "move d e; sync"), (Remote, "new e/; new e/n")],
            &[
                "state only agree e (the same on both sides)",
                "iCloud -> here download e/n (new on iCloud)",
                "state only forget e (the same on both sides)",
            ],
        ),
        (
            "moved, and another one made there at its old place",
            &[(Local, "move d e; sync"), (Remote, "new d/; new d/n")],
            &["iCloud -> here make folder d (new on iCloud)", "iCloud -> here download d/n (new on iCloud)"],
        ),
        (
            "moved, and another one made here at its old place",
            &[(Local, "move d e; new d/; new d/n")],
            &["here -> iCloud make folder d (new here)", "here -> iCloud upload d/n (new here)"],
        ),
    ];
    tell_all("d/ d/f", &kept, stories);
}

#[test]
fn names_that_are_too_long_are_set_aside_where_they_are() {
    let long = "o".repeat(256);
    let there = "is 256 bytes long and a disk holds 255: give it a shorter one on iCloud)";
    let here = "is 256 bytes long and iCloud is given 255: give it a shorter one here)";
    let cases: &[(&str, Side, &str, &str, &str)] = &[
        ("new there", Side::Remote, "", "new LONG", there),
        ("new folder there, with something in it", Side::Remote, "", "new LONG/; new LONG/a", there),
        ("renamed there, and edited", Side::Remote, "f", "move f LONG; edit LONG", there),
        ("folder renamed there", Side::Remote, "d/ d/f", "move d LONG", there),
        // Some file systems count characters.
        ("new here", Side::Local, "", "new LONG", here),
        ("renamed here", Side::Local, "f", "move f LONG", here),
    ];
    for (name, side, tree, script, why) in cases {
        let (mut world, plan) = after(tree, &[(*side, &script.replace("LONG", &long))]);
        assert!(
            plan.len() == 1 && plan[0].starts_with("set-aside") && plan[0].ends_with(why),
            "{name}: {plan:?}"
        );
        let before = (world.local.listing(), world.remote.listing());
        world.settle();
        assert_eq!(before, (world.local.listing(), world.remote.listing()), "{name}");
    }
}

#[test]
fn what_stands_under_a_long_name_goes_on() {
    // What changes in a folder that could not be renamed is still synced, and a deletion needs no name.
    let long = "o".repeat(256);
    let script = format!("move d {long}; edit {long}/f");
    let (world, plan) = after("d/ d/f", &[(Side::Remote, &script)]);
    assert_eq!(plan[0], "iCloud -> here download over d/f (edited on iCloud)");
    drop(world);
    let script = format!("move f {long}");
    let (_, plan) = after("f", &[(Side::Remote, &script), (Side::Local, "delete f")]);
    assert_eq!(plan, ["here -> iCloud trash f (deleted here)"]);
}

#[test]
fn a_name_counts_in_the_form_in_which_the_disk_gets_it() {
    // As iCloud tells it, decomposed, it is too long; composed it is not.
    let decomposed = "u\u{308}".repeat(120);
    assert!(decomposed.len() > 255);
    let (world, plan) = after("", &[(Side::Remote, &format!("new {decomposed}"))]);
    assert_eq!(plan, [format!("iCloud -> here download {} (new on iCloud)", "\u{fc}".repeat(120))]);
    drop(world);
    // And one whose composed form is the longer one.
    let odd = "\u{958}".repeat(80);
    let (_, plan) = after("", &[(Side::Remote, &format!("new {odd}"))]);
    assert_eq!(plan, [format!("iCloud -> here download {odd} (new on iCloud)")]);
}

#[test]
fn long_names_change_places_through_a_temporary_name_that_is_cut() {
    let (a, b) = ("a".repeat(255), "b".repeat(255));
    for side in [Side::Local, Side::Remote] {
        let script = format!("move {a} t; move {b} {a}; move t {b}");
        let (mut world, plan) = after(&format!("{a} {b}"), &[(side, &script)]);
        assert!(plan.iter().any(|line| line.contains(".icloudds-moving-")), "{plan:?}");
        let expected = world.half(side).listing();
        world.settle();
        assert_eq!((&world.local.listing(), &world.remote.listing()), (&expected, &expected));
    }
}

/// A drive with the app library `Lib`, opted in, which holds the folder `Lib/u`; beside it `a` and `e/`.
fn with_library() -> World {
    let mut world = World::new();
    ignoring(&mut world);
    world.next += 1;
    let id = LIBRARY + world.next;
    world.remote.things.insert(id, Thing { kind: Kind::Library, ..Thing::new(0, "Lib", 0, id) });
    happen(&mut world, Side::Remote, "new Lib/u/; new a; new e/");
    world.settle();
    world
}

#[test]
fn a_folder_that_leaves_a_library_takes_in_what_lives_outside() {
    for mode in [Mode::TwoWay, Mode::UploadOnly] {
        let mut world = with_library();
        world.mode = mode;
        happen(&mut world, Side::Local, "move Lib/u u; move a u/a");
        let expected = [
            "here -> iCloud make folder u (moved here)",
            "here -> iCloud move u/a from a (moved here)",
            "here -> iCloud trash Lib/u (moved out of what is synced here)",
        ];
        assert_eq!(told(&world), expected, "{mode:?}");
        world.settle();
        assert_eq!(world.local.listing(), world.remote.listing());
    }
}

#[test]
fn a_folder_that_stays_in_scope_in_a_library_takes_in_what_lives_outside() {
    let mut world = with_library();
    happen(&mut world, Side::Local, "move e Lib/e; move a Lib/e/a");
    happen(&mut world, Side::Remote, "move e private");
    let expected = [
        "here -> iCloud make folder Lib/e (holds items that take part)",
        "here -> iCloud upload Lib/e/a (moved here)",
        "here -> iCloud trash a (moved out of what is synced here)",
        "state only forget Lib/e (holds items that take part)",
    ];
    assert_eq!(told(&world), expected);
    world.settle();
    let (here, there) = (world.local.listing(), world.remote.listing());
    assert_eq!(here["Lib/e/a"], there["Lib/e/a"]);
}

/// A file in a new folder, in one that goes into a library: it cannot be moved there, as little as that.
#[test]
fn what_is_in_a_new_folder_goes_into_a_library_as_new() {
    let mut world = with_library();
    happen(&mut world, Side::Remote, "new e/x; sync");
    happen(&mut world, Side::Local, "new e/n/; new e/n/m/; move e/x e/n/m/x; move e Lib/e");
    let told = told(&world);
    assert!(told.iter().any(|line| line.contains("upload Lib/e/n/m/x")), "{told:#?}");
    assert!(told.iter().all(|line| !line.contains("-> iCloud move")), "{told:#?}");
    world.settle();
    assert!(world.remote.find("Lib/e/n/m/x").is_some());
}

#[test]
fn what_a_power_cut_emptied_does_not_leave_its_library() {
    let mut world = with_library();
    happen(&mut world, Side::Remote, "new Lib/u/fff; sync");
    happen(&mut world, Side::Local, "cut Lib/u/fff; move Lib/u private");
    let expected = [
        "iCloud -> here make folder Lib/u (holds items that take part)",
        "iCloud -> here move Lib/u/fff from private/fff (empty here with its old time, the trace of a power cut)",
        "iCloud -> here download over Lib/u/fff (empty here with its old time, the trace of a power cut)",
    ];
    assert_eq!(told(&world), expected);
    world.settle();
    assert!(world.remote.find("Lib/u/fff").is_some());
}

#[test]
fn a_folder_never_comes_into_one_that_is_left_alone_inside_it() {
    let mut world = World::synced(&["A/", "u/"]);
    happen(&mut world, Side::Local, "move A u/a");
    happen(&mut world, Side::Remote, "move u A/b");
    world.waiting.insert("u".to_owned());
    assert_eq!(told(&world), Vec::<String>::new());
    world.settle();
    world.waiting.clear();
    world.settle();
    assert_eq!(world.local.listing(), world.remote.listing());
}

/// What is left alone may turn out to be so after the folder was asked about that comes into it.
#[test]
fn a_folder_never_comes_into_one_that_cannot_leave_it() {
    let mut world = World::synced(&["b/", "b/c/", "b/c/a/"]);
    world.mode = Mode::UploadOnly;
    happen(&mut world, Side::Remote, "new e; kind foreign e");
    happen(&mut world, Side::Local, "new e/; move b/c e/c; move b e/c/a/b");
    let told = told(&world);
    assert!(told.iter().all(|line| !line.contains("move b") && !line.contains("a/b from")), "{told:#?}");
    world.settle();
}

/// The same with more folders in between than something happened to.
#[test]
fn a_folder_never_comes_into_one_that_is_left_alone_far_inside_it() {
    let mut world = World::synced(&["A/", "A/b/", "A/b/c/", "A/b/c/d/", "A/b/c/d/u/"]);
    world.mode = Mode::DownloadOnly;
    happen(&mut world, Side::Local, "move A/b/c/d/u u; move A u/A");
    for waiting in ["A", "u/A"] {
        world.waiting.insert(waiting.to_owned());
    }
    assert_eq!(told(&world), Vec::<String>::new());
    world.waiting.clear();
    world.settle();
    assert_eq!(world.local.listing(), world.remote.listing());
}

/// Here a folder that came out of another one took that one in; what was in it could not be listed, so that nobody knows where it
/// stands on iCloud. That is no move against another one, and nothing is moved back for it.
#[test]
fn a_folder_that_went_into_one_of_which_nothing_is_known_waits_for_that() {
    for mode in [Mode::TwoWay, Mode::UploadOnly] {
        let mut world = World::synced(&["e/", "e/h/", "e/h/f", "e/g"]);
        world.mode = mode;
        happen(&mut world, Side::Local, "move e/h h; move e h/e");
        world.unlisted.insert(world.remote.find("e").expect("it is there"));
        let told = told(&world);
        let moves = |line: &&String| line.contains(" move ");
        assert_eq!(told.iter().filter(moves).count(), 0, "{mode:?}: {told:#?}");
        world.unlisted.clear();
        world.settle();
        assert_eq!(world.local.listing(), world.remote.listing(), "{mode:?}");
        assert!(world.local.find("h/e").is_some(), "{mode:?}: as the person here had it");
    }
}

/// The same where the other one is set aside: its next try lies hours ahead, and until then there is nothing to plan anew.
#[test]
fn a_folder_that_went_into_one_that_is_set_aside_is_set_aside_with_it() {
    let mut world = World::synced(&["e/", "e/h/", "e/h/f", "e/g"]);
    happen(&mut world, Side::Local, "move e/h h; move e h/e");
    for waiting in ["h", "e/h"] {
        world.waiting.insert(waiting.to_owned());
    }
    assert_eq!(told(&world), ["set-aside h/e (it was moved into a folder that is left alone now)"]);
    world.waiting.clear();
    world.settle();
    assert_eq!(world.local.listing(), world.remote.listing());
    assert!(world.local.find("h/e").is_some(), "as the person here had it");
}

/// A version that gives way on iCloud while it bears a temporary name: its conflict name is made of its own.
#[test]
fn a_conflict_name_is_never_made_of_a_temporary_one() {
    let mut world = World::synced(&["f"]);
    world.mode = Mode::UploadOnly;
    happen(&mut world, Side::Local, "edit f");
    happen(&mut world, Side::Remote, "edit f; move f .icloudds-moving-0-f");
    let told = told(&world);
    assert!(told.iter().any(|line| line.contains("f (conflict")), "{told:#?}");
    assert!(told.iter().all(|line| !line.contains(".icloudds-moving-0-f (conflict")), "{told:#?}");
    world.settle();
    let there = world.remote.listing();
    assert!(there.keys().all(|name| !name.contains("moving")), "{there:?}");
}

/// What a move left under a temporary name and nobody knows any more, while another one has its name: nobody else would give it one.
#[test]
fn what_an_interrupted_move_left_gets_a_conflict_name_where_another_one_has_its_own() {
    for side in [Side::Local, Side::Remote] {
        for (known, left) in [
            (&[][..], "new f; new .icloudds-moving-0-f/; new .icloudds-moving-0-f/in"),
            (&["f"], "new .icloudds-moving-0-f/; new .icloudds-moving-0-f/in"),
            (&["f/"], "new .icloudds-moving-0-f"),
            (&[], "new f; new .icloudds-moving-0-f; new .icloudds-moving-1-f"),
        ] {
            let mut world = World::synced(known);
            happen(&mut world, side, left);
            let count = [&world.local, &world.remote].map(|tree| tree.listing().len()).into_iter().max();
            world.settle();
            let (here, there) = (world.local.listing(), world.remote.listing());
            assert_eq!(here, there, "{side:?} {left}");
            assert_eq!(Some(here.len()), count, "{side:?} {left}: {here:?}");
            assert!(here.keys().all(|name| !name.contains("moving")), "{side:?} {left}: {here:?}");
        }
    }
}

#[test]
fn what_is_new_in_a_folder_that_nobody_reads_on_icloud_is_set_aside_with_it() {
    let mut world = World::synced(&["d/"]);
    (world.mode, world.ignore) = (Mode::UploadOnly, vec!["private".to_owned()]);
    happen(&mut world, Side::Local, "new d/a");
    happen(&mut world, Side::Remote, "move d private; new d/");
    world.unread_there.insert(world.remote.find("private").expect("it is there"));
    let expected = [
        "set-aside d (something on iCloud that does not take part has the name \"d\")",
        "set-aside d/a (its folder was moved to where nothing is synced, and nothing is read)",
    ];
    assert_eq!(told(&world), expected);
}
