//! One plan with every kind of operation, crashed after each single effect.

use std::collections::HashSet;

use icloudds::engine::operation::{Action, Conflict, Plan, Replacement, UploadTarget};
use icloudds::model::{Node, RelPath};

use super::{Bench, after, assert_clean, known, op, path, plan};
use crate::sim::{Crash, Outcome, journal::signature};

/// Every kind of change on both sides, and the plan that a planner would make of it.
fn everything(seed: u64) -> (Bench, Plan) {
    let mut bench = Bench::new(seed);
    bench.folder("keep");
    bench.folder("gone here");
    for file in [
        "dl",
        "up",
        "up2",
        "moved there",
        "moved here",
        "a",
        "b",
        "x",
        "y",
        "trash here",
        "trash there",
        "gone here/inner",
        "both",
        "newest",
        "theirs",
    ] {
        bench.file(file, format!("{file} as agreed").as_bytes());
    }
    bench.later();
    let world = &bench.world;
    // What persons did.
    assert!(world.drive.edit("dl", b"dl edited there"));
    assert!(world.disk.write("up", b"up edited here"));
    assert!(world.disk.save("up2", b"up2 edited here"));
    assert!(world.drive.move_to("moved there", "keep"));
    assert!(world.disk.mv("moved here", "keep/new name"));
    assert!(world.disk.mv("a", "t") && world.disk.mv("b", "a") && world.disk.mv("t", "b"));
    let (x, y) = (bench.id("x"), bench.id("y"));
    assert!(world.drive.person_rename("x", "t"));
    assert!(world.drive.person_rename("y", "x"));
    assert!(world.drive.person_rename("t", "y"));
    assert!(world.drive.person_trash("trash here"));
    assert!(world.disk.delete("trash there"));
    assert!(world.disk.delete("gone here"));
    for file in ["both", "newest", "theirs"] {
        assert!(world.drive.edit(file, format!("{file} there").as_bytes()));
        assert!(world.disk.write(file, format!("{file} here").as_bytes()));
    }
    assert!(world.disk.mkdir("new here") && world.disk.write("new here/file", b"made here"));
    world.drive.mkdir("new there").unwrap();
    world.drive.create("new there/file", b"made there").unwrap();
    world.drive.create("new there/empty", b"").unwrap();
    world.drive.create("same", b"same on both").unwrap();
    assert!(world.disk.write("same", b"same on both"));
    world.drive.create("other", b"other there").unwrap();
    assert!(world.disk.write("other", b"other heree"));
    bench.later();

    // What the planner would say.
    let root = known(bench.id(""));
    let (old_a, old_b) =
        (bench.state.base.find(&path("a")).unwrap(), bench.state.base.find(&path("b")).unwrap());
    let (a, b) =
        (bench.state.base.get(old_a).remote.id.clone(), bench.state.base.get(old_b).remote.id.clone());
    let inner = bench.remote("gone here/inner");
    let over = |file: &str, way| UploadTarget::Over { remote: bench.remote(file).into(), way };
    let settle = |file: &str, conflict| Action::Settle {
        remote: bench.remote(file).into(),
        local: bench.local(file).into(),
        conflict,
    };
    let move_remote = |id, local: Option<&str>, name: &str, temporary| Action::MoveRemote {
        remote: bench.remote_id(id).into(),
        local: local.map(|at| bench.local(at)).map(Box::new),
        parent: root.clone(),
        name: name.into(),
        temporary,
    };
    let trashed = bench.base("trash here").unwrap().id.clone();
    let operations = vec![
        op(
            Action::MoveRemote {
                remote: bench.remote("moved here").into(),
                local: Some(bench.local("keep/new name").into()),
                parent: known(bench.id("keep")),
                name: "new name".into(),
                temporary: false,
            },
            "keep/new name",
        ),
        op(
            Action::MoveLocal {
                remote: Some(bench.remote("keep/moved there")),
                local: bench.local("moved there").into(),
            },
            "keep/moved there",
        ),
        op(move_remote(&a, None, "temporary", true), "b"),
        after(op(move_remote(&b, Some("a"), "a", false), "a"), &[2]),
        after(op(move_remote_from(&bench, &a, "temporary", "b"), "b"), &[3]),
        op(Action::MoveLocal { remote: None, local: bench.local("x").into() }, "away"),
        after(
            op(Action::MoveLocal { remote: Some(bench.remote_id(&y)), local: bench.local("y").into() }, "x"),
            &[5],
        ),
        after(
            op(Action::MoveLocal { remote: Some(bench.remote_id(&x)), local: away(&bench, "x").into() }, "y"),
            &[6],
        ),
        op(Action::Download { remote: bench.remote("dl"), over: Some(bench.local("dl").into()) }, "dl"),
        op(Action::Upload { local: bench.local("up"), target: over("up", Replacement::InPlace) }, "up"),
        op(Action::Upload { local: bench.local("up2"), target: over("up2", Replacement::Trash) }, "up2"),
        op(
            Action::TrashLocal { id: Some(trashed), local: bench.local("trash here"), folder: false },
            "trash here",
        ),
        op(
            Action::TrashRemote {
                remote: bench.remote("trash there").into(),
                subtree: Vec::new(),
                absent: Some(path("trash there")),
            },
            "trash there",
        ),
        op(
            Action::TrashRemote {
                remote: bench.remote("gone here").into(),
                subtree: vec![(inner.id, inner.etag)],
                absent: Some(path("gone here")),
            },
            "gone here",
        ),
        op(settle("both", Conflict::KeepBoth { copy: path("both copy"), local_only: true }), "both"),
        op(settle("newest", Conflict::TakeLocal), "newest"),
        op(settle("theirs", Conflict::TakeRemote), "theirs"),
        op(
            Action::MakeRemoteFolder {
                local: bench.local("new here"),
                parent: root.clone(),
                name: "new here".into(),
            },
            "new here",
        ),
        after(
            op(
                Action::Upload {
                    local: bench.local("new here/file"),
                    target: UploadTarget::New {
                        parent: icloudds::engine::operation::Parent::Made(17),
                        name: "file".into(),
                    },
                },
                "new here/file",
            ),
            &[17],
        ),
        op(Action::MakeLocalFolder { remote: bench.remote("new there") }, "new there"),
        after(
            op(Action::Download { remote: bench.remote("new there/file"), over: None }, "new there/file"),
            &[19],
        ),
        after(
            op(Action::Download { remote: bench.remote("new there/empty"), over: None }, "new there/empty"),
            &[19],
        ),
        op(
            Action::Compare {
                remote: bench.remote("same").into(),
                local: bench.local("same").into(),
                otherwise: Conflict::KeepBoth { copy: path("same copy"), local_only: false },
            },
            "same",
        ),
        op(
            Action::Compare {
                remote: bench.remote("other").into(),
                local: bench.local("other").into(),
                otherwise: Conflict::KeepBoth { copy: path("other copy"), local_only: false },
            },
            "other",
        ),
    ];
    let made = plan(operations);
    bench.world.fuse.forget_calls();
    (bench, made)
}

/// A move of an item that bears a temporary name by then.
fn move_remote_from(bench: &Bench, id: &icloudds::model::ItemId, from: &str, to: &str) -> Action {
    let mut remote = bench.remote_id(id);
    remote.name = from.into();
    Action::MoveRemote {
        remote: remote.into(),
        local: Some(bench.local(to).into()),
        parent: known(bench.id("")),
        name: to.into(),
        temporary: false,
    }
}

/// What stands at `now` and will have stepped aside by then.
fn away(bench: &Bench, now: &str) -> icloudds::engine::operation::LocalSeen {
    let mut local = bench.local(now);
    local.path = path("away");
    local
}

#[test]
fn every_kind_of_operation_comes_to_its_end() {
    let (mut bench, plan) = everything(1);
    let outcome = bench.run(&plan);
    assert_clean(&outcome);
    // Conflict copies are met by the next plan.
    for copy in ["both copy", "other copy"] {
        let content = bench.world.disk.read(copy).unwrap();
        bench.world.drive.create(copy, &content).unwrap();
        bench.agree(copy, Some(signature(&content)));
    }
    bench.world.assert_nothing_lost();
    bench.world.assert_equal_sides();
    let mut names: Vec<_> = bench.world.disk.tree().into_keys().collect();
    names.retain(|name| !name.contains('/'));
    assert_eq!(
        names,
        [
            "a",
            "b",
            "both",
            "both copy",
            "dl",
            "keep",
            "new here",
            "new there",
            "newest",
            "other",
            "other copy",
            "same",
            "theirs",
            "up",
            "up2",
            "x",
            "y"
        ]
    );
    for (at, content) in [
        ("a", "b as agreed"),
        ("x", "y as agreed"),
        ("dl", "dl edited there"),
        ("both", "both there"),
        ("both copy", "both here"),
        ("newest", "newest here"),
        ("theirs", "theirs there"),
        ("new there/empty", ""),
    ] {
        assert_eq!(bench.read(at), content, "{at}");
        assert_eq!(bench.read_remote(at), content, "{at}");
    }
    assert_eq!(bench.world.store.refused(), []);
    assert!(bench.state.intents.is_empty());
    let counts = outcome.counts;
    let told = [
        counts.uploads,
        counts.downloads,
        counts.moved_local,
        counts.moved_remote,
        counts.deleted_local,
        counts.deleted_remote,
        counts.folders_local,
        counts.folders_remote,
        counts.conflicts,
        counts.adopted,
    ];
    assert_eq!(told, [3, 3, 4, 3, 1, 2, 1, 1, 4, 1]);
}

/// What the base says is so on both sides, wherever the crash came: it may lag, it never leads.
fn assert_base_does_not_lead(bench: &Bench, at: &str) {
    let base = &bench.state.base;
    let contents: HashSet<_> = bench
        .world
        .disk
        .tree()
        .into_values()
        .filter_map(|thing| match thing {
            crate::sim::Thing::File(content) => Some(signature(&content)),
            _ => None,
        })
        .collect();
    // What persons deleted or edited shows as their change, or is there already; nothing else may differ.
    let deleted = ["trash here", "trash there", "gone here", "gone here/inner"];
    let edited = ["dl", "up", "up2", "both", "newest", "theirs"];
    for node in base.walk(Node::ROOT).skip(1) {
        let (entry, here): (_, RelPath) = (base.get(node), base.path(node));
        if deleted.contains(&here.as_str()) {
            continue;
        }
        let item = bench.world.drive.item(&entry.remote.id);
        let live = item.is_some_and(|item| matches!(item.place, crate::sim::drive::Place::Folder(_)));
        assert!(live, "{at}: the base leads iCloud at {here}");
        if entry.folder {
            assert!(bench.world.disk.tree().contains_key(here.as_str()), "{at}: no folder {here}");
        } else if !edited.contains(&here.as_str()) {
            let agreed = entry.signature.unwrap();
            assert!(contents.contains(&agreed), "{at}: the base leads the disk at {here}");
        }
    }
}

/// A copy that appeared has left an item that the base forgot before, or has learnt anew since.
fn assert_copies_are_strangers(bench: &Bench, at: &str) {
    for (file, copy) in [("both", "both copy"), ("other", "other copy")] {
        if bench.world.disk.read(copy).is_some() {
            let agreed = bench.base(file).and_then(|entry| entry.signature);
            let there = signature(bench.read_remote(file).as_bytes());
            assert!(agreed.is_none_or(|agreed| agreed == there), "{at}: {file} is still agreed as it was");
            let stays = bench.state.local_only.contains(&path(copy));
            assert_eq!(stays, file == "both", "{at}: {copy}");
        }
    }
}

#[test]
fn a_crash_after_any_single_effect_loses_nothing() {
    let steps = {
        let (mut bench, plan) = everything(1);
        let before = bench.world.fuse.steps();
        assert_clean(&bench.run(&plan));
        bench.world.fuse.steps() - before
    };
    assert!(steps > 200, "only {steps} steps");
    for crash in [Crash::Kill, Crash::PowerCut] {
        for step in 1..=steps {
            let at = format!("{crash:?} at step {step}");
            let (mut bench, plan) = everything(1);
            bench.world.fuse.crash_after(step);
            let world = &bench.world;
            let mut state = bench.state.clone();
            let outcome = world.run(|| {
                let mut store = world.store.clone();
                let ports = Bench::ports(world);
                icloudds::engine::execute::execute(
                    &plan,
                    &ports,
                    &super::options(),
                    &mut state,
                    &mut store,
                    &mut |_| {},
                )
            });
            assert_eq!(outcome, Outcome::Crashed, "{at}");
            bench.world.restart(crash);
            bench.state = bench.world.store.durable();
            bench.world.assert_nothing_lost();
            let recovered = bench.recover();
            assert!(recovered.waiting.is_empty(), "{at}: {recovered:?}");
            assert!(bench.state.intents.is_empty(), "{at}");
            assert!(bench.world.drive.find("temporary").is_none(), "{at}: a temporary name stays");
            bench.world.assert_nothing_lost();
            assert_base_does_not_lead(&bench, &at);
            assert_copies_are_strangers(&bench, &at);
            // Right to repeat.
            assert_eq!(bench.recover(), icloudds::engine::execute::Recovered::default(), "{at}");
        }
    }
}

#[test]
fn a_crash_during_recovery_is_met_by_the_next_one() {
    for file in ["up2", "newest", "b", "gone here", "keep/new name"] {
        let (bench, whole) = everything(1);
        let steps = bench.world.fuse.steps();
        drop(bench);
        let only = |plan: &Plan| {
            let mut operations: Vec<_> =
                plan.operations.iter().filter(|operation| operation.path == path(file)).cloned().collect();
            operations.truncate(1);
            operations.iter_mut().for_each(|operation| operation.after.clear());
            super::plan(operations)
        };
        assert!(steps > 0 && !only(&whole).operations.is_empty(), "{file}");
        for step in 1..200 {
            let (mut bench, plan) = everything(1);
            let plan = only(&plan);
            let world = &bench.world;
            world.fuse.crash_after(step);
            let mut state = bench.state.clone();
            let outcome = world.run(|| {
                let mut store = world.store.clone();
                let ports = Bench::ports(world);
                icloudds::engine::execute::execute(
                    &plan,
                    &ports,
                    &super::options(),
                    &mut state,
                    &mut store,
                    &mut |_| {},
                )
            });
            if outcome != Outcome::Crashed {
                break;
            }
            bench.world.restart(Crash::Kill);
            for again in 1..100 {
                let world = &bench.world;
                world.fuse.crash_after(again);
                let mut state = world.store.durable();
                let outcome = world.run(|| {
                    let mut store = world.store.clone();
                    icloudds::engine::execute::recover(&Bench::ports(world), &mut state, &mut store, &|_| {
                        false
                    })
                });
                world.restart(Crash::Kill);
                world.assert_nothing_lost();
                if outcome != Outcome::Crashed {
                    break;
                }
            }
            bench.state = bench.world.store.durable();
            let at = format!("{file} step {step}");
            assert!(bench.state.intents.is_empty(), "{at}");
            assert_base_does_not_lead(&bench, &at);
        }
    }
}

#[test]
fn faults_of_every_kind_lose_nothing_and_leave_nothing_half_done() {
    use crate::sim::Fault::{
        Busy, Flap, Full, Io, LateListing, LostAnswer, LostRequest, NoAnswer, PartialListing, Quota, Refused,
        Short, ShortListing, ShuffledListing, Stale, StartOver, Unreachable,
    };
    for seed in 0..200 {
        let (mut bench, plan) = everything(seed);
        for fault in [
            Busy,
            LostAnswer,
            LostRequest,
            Stale,
            Quota,
            Refused,
            Short,
            StartOver,
            LateListing,
            PartialListing,
            ShortListing,
            ShuffledListing,
            Flap,
            NoAnswer,
            Io,
            Full,
        ] {
            bench.world.fuse.rate(fault, 0.05);
        }
        if seed % 3 == 0 {
            bench.world.fuse.rate(Unreachable, 0.01);
        }
        let outcome = bench.run(&plan);
        bench.world.fuse.calm();
        bench.later();
        let at = format!("seed {seed}: {outcome:?}, {:?}", bench.state.intents);
        let recovered = bench.recover();
        assert!(recovered.waiting.is_empty() && bench.state.intents.is_empty(), "{at}: {recovered:?}");
        bench.world.assert_nothing_lost();
        assert!(bench.world.drive.find("temporary").is_none(), "{at}");
        assert_base_does_not_lead(&bench, &at);
        assert_copies_are_strangers(&bench, &at);
        let mut doubled: Vec<_> = bench.world.drive.tree().into_keys().collect();
        doubled.retain(|path| path.ends_with(" 2") || path.contains('#'));
        assert!(doubled.is_empty(), "{at}: {doubled:?}");
        assert_eq!(bench.state.base.len(), bench.world.store.durable().base.len(), "{at}");
        assert!(bench.world.store.refused().is_empty(), "{at}: {:?}", bench.world.store.refused());
    }
}
