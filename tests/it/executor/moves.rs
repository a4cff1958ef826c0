//! Moves, renames and new folders.

use icloudds::engine::operation::{Action, LocalSeen, Operation, Parent, UploadTarget};

use super::{Bench, after, assert_clean, assert_planned_again, known, op, path, plan};
use crate::sim::drive::switches::{EtagUp, NameStorage, Taken};
use crate::sim::{Call, Fault};

fn to(bench: &Bench, from: &str, at: &str) -> Operation {
    let target = path(at);
    op(
        Action::MoveRemote {
            remote: bench.remote(from).into(),
            local: Some(bench.local(at).into()),
            parent: known(bench.id(target.parent().unwrap().as_str())),
            name: target.name().into(),
            temporary: false,
        },
        at,
    )
}

fn moved(from: &str, at: &str) -> Bench {
    let mut bench = Bench::new(1);
    bench.folder("d");
    bench.file(from, b"content");
    bench.later();
    assert!(bench.world.disk.mv(from, at));
    bench
}

#[test]
fn moves_there_come_out_right_whatever_the_reply() {
    for (from, at) in [("f", "g"), ("f", "d/f"), ("f", "d/g"), ("f", "F")] {
        for fault in [None, Some(Fault::LostAnswer), Some(Fault::LostRequest), Some(Fault::Busy)] {
            for call in [Call::RenameRemote, Call::MoveRemote] {
                let mut bench = moved(from, at);
                bench.world.drive.switch(|switches| switches.etag_up = EtagUp::AtOnce);
                if let Some(fault) = fault {
                    bench.world.fuse.script(call, 0, fault);
                }
                let operation = to(&bench, from, at);
                let outcome = bench.run(&plan(vec![operation]));
                if outcome.plan_again.is_empty() {
                    assert_clean(&outcome);
                    bench.assert_agreed();
                } else {
                    // A move of two calls that failed in the middle was finished or undone at once.
                    assert!(fault.is_some() && at == "d/g", "{outcome:?}");
                    assert!(["f", "d/g"].iter().any(|at| bench.world.drive.find(at).is_some()));
                    assert!(bench.state.intents.is_empty());
                }
            }
        }
    }
}

#[test]
fn a_taken_name_is_noticed_before_and_put_right_after() {
    for taken in [Taken::Rename, Taken::Error] {
        for (from, at) in [("f", "g"), ("f", "d/f"), ("f", "d/g")] {
            for step in 0..40 {
                let mut bench = moved(from, at);
                bench.world.drive.switch(|switches| switches.taken = taken);
                let operation = to(&bench, from, at);
                let drive = bench.world.drive.clone();
                bench.world.fuse.interject(step, move || drop(drive.create(at, b"in the way")));
                let outcome = bench.run(&plan(vec![operation]));
                assert!(outcome.failed.is_empty() && outcome.ended.is_none(), "{outcome:?}");
                assert!(bench.state.intents.is_empty());
                bench.world.assert_nothing_lost();
                if outcome.counts.moved_remote == 0 {
                    assert_eq!(bench.read_remote("f"), "content", "{taken:?} {at} at {step}: {outcome:?}");
                    assert_eq!(bench.read_remote(at), "in the way");
                }
            }
        }
    }
}

#[test]
fn an_item_that_moved_on_is_planned_again_on_either_side() {
    for act in 0..4 {
        let mut bench = moved("f", "g");
        let operation = to(&bench, "f", "g");
        bench.later();
        match act {
            0 => assert!(bench.world.drive.person_rename("f", "h")),
            1 => assert!(bench.world.drive.move_to("f", "d")),
            2 => assert!(bench.world.drive.edit("f", b"there")),
            _ => assert!(bench.world.disk.mv("g", "h")),
        }
        bench.world.fuse.forget_calls();
        assert_planned_again(&bench.run(&plan(vec![operation])));
        // That it was about to be done is noted; nothing else is.
        let mut calls = bench.world.fuse.calls().into_keys();
        assert!(calls.all(|call| !call.changes() || call == Call::Store));
    }
}

#[test]
fn a_temporary_name_keeps_its_intent_until_the_end() {
    let mut bench = Bench::new(1);
    bench.file("a", b"a");
    bench.file("b", b"b");
    bench.later();
    let disk = &bench.world.disk;
    assert!(disk.mv("a", "t") && disk.mv("b", "a") && disk.mv("t", "b"));
    let step = |from: &str, local: Option<&str>, name: &str, temporary| Action::MoveRemote {
        remote: bench.remote(from).into(),
        local: local.map(|at| bench.local(at)).map(Box::new),
        parent: known(bench.id("")),
        name: name.into(),
        temporary,
    };
    let mut last = step("a", Some("b"), "b", false);
    if let Action::MoveRemote { remote, .. } = &mut last {
        remote.name = "temporary".into();
    }
    let operations = vec![
        op(step("a", None, "temporary", true), "b"),
        after(op(step("b", Some("a"), "a", false), "a"), &[0]),
        after(op(last, "b"), &[1]),
    ];
    // Only the first: its intent stays, and the next start finishes it if the name is free, else undoes it.
    bench.run(&plan(operations[..1].to_vec()));
    assert_eq!(bench.state.intents.len(), 1);
    assert_eq!(bench.recover().waiting, Vec::<String>::new());
    assert_eq!((bench.read_remote("a"), bench.read_remote("b")), ("a".into(), "b".into()));

    assert_clean(&bench.run(&plan(renewed(&bench, operations))));
    bench.assert_agreed();
    assert_eq!((bench.read_remote("a"), bench.read_remote("b")), ("b".into(), "a".into()));
}

/// The same operations on the versions of now.
fn renewed(bench: &Bench, mut operations: Vec<Operation>) -> Vec<Operation> {
    for operation in &mut operations {
        if let Action::MoveRemote { remote, .. } = &mut operation.action {
            remote.etag = bench.remote_id(&remote.id.clone()).etag;
        }
    }
    operations
}

#[test]
fn moves_here_come_out_right_and_edits_stay_edits() {
    for (from, at) in [("f", "g"), ("f", "d/f"), ("f", "d/g"), ("f", "F")] {
        for edited in [None, Some(true), Some(false)] {
            let mut bench = Bench::new(1);
            bench.folder("d");
            bench.file(from, b"content");
            bench.later();
            let target = path(at);
            if target.parent() == path(from).parent() {
                assert!(bench.world.drive.person_rename(from, target.name()));
            } else {
                assert!(bench.world.drive.move_to(from, "d"));
                assert!(bench.world.drive.person_rename("d/f", target.name()));
            }
            match edited {
                Some(true) => assert!(bench.world.drive.edit(at, b"edited there")),
                Some(false) => assert!(bench.world.disk.write(from, b"edited here")),
                None => {}
            }
            let action =
                Action::MoveLocal { remote: Some(bench.remote(at)), local: bench.local(from).into() };
            assert_clean(&bench.one(action, at));
            let entry = bench.base(at).unwrap();
            let (remote, local) = (bench.remote(at), bench.local(at));
            assert_eq!(entry.etag.same_content(&remote.etag), edited != Some(true));
            assert_eq!(entry.stamp == local.stamp, edited != Some(false));
            if edited.is_none() {
                bench.assert_agreed();
            }
        }
    }
}

#[test]
fn a_move_here_that_moved_on_is_planned_again() {
    for act in 0..2 {
        let mut bench = Bench::new(1);
        bench.file("f", b"content");
        bench.later();
        assert!(bench.world.drive.person_rename("f", "g"));
        let action = Action::MoveLocal { remote: Some(bench.remote("g")), local: bench.local("f").into() };
        match act {
            0 => assert!(bench.world.disk.write("g", b"in the way")),
            _ => assert!(bench.world.disk.save("f", b"another file")),
        }
        assert_planned_again(&bench.one(action, "g"));
        assert_eq!(bench.base("f").unwrap().remote_name, "f");
    }
}

fn make(bench: &Bench, at: &str) -> Operation {
    let local = bench.local(at);
    op(Action::MakeRemoteFolder { local, parent: known(bench.id("")), name: at.into() }, at)
}

#[test]
fn folders_are_made_once_whatever_the_reply() {
    for fault in [None, Some(Fault::LostAnswer), Some(Fault::LostRequest), Some(Fault::Busy)] {
        for names in [NameStorage::Nfd, NameStorage::AsSent] {
            let mut bench = Bench::new(1);
            bench.world.drive.switch(|switches| switches.names = names);
            for at in ["\u{e4}", "b", "c"] {
                assert!(bench.world.disk.mkdir(at));
            }
            assert!(bench.world.disk.mkdir("b/inner"));
            bench.later();
            let mut operations: Vec<_> = ["\u{e4}", "b", "c"].iter().map(|at| make(&bench, at)).collect();
            let local = bench.local("b/inner");
            let inside = Action::MakeRemoteFolder { local, parent: Parent::Made(1), name: "inner".into() };
            operations.push(after(op(inside, "b/inner"), &[1]));
            if let Some(fault) = fault {
                bench.world.fuse.script(Call::CreateFolders, 1, fault);
            }
            assert_clean(&bench.run(&plan(operations)));
            bench.assert_agreed();
        }
    }
}

#[test]
fn a_folder_that_exists_by_then_is_adopted() {
    for taken in [Taken::Rename, Taken::Error, Taken::Existing] {
        for step in 0..20 {
            let mut bench = Bench::new(1);
            bench.world.drive.switch(|switches| switches.taken = taken);
            assert!(bench.world.disk.mkdir("new"));
            bench.later();
            let operation = make(&bench, "new");
            let drive = bench.world.drive.clone();
            let made = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
            let by_person = made.clone();
            bench.world.fuse.interject(step, move || {
                by_person.store(drive.find("new").is_none(), std::sync::atomic::Ordering::SeqCst);
                if drive.find("new").is_none() {
                    drive.mkdir("new");
                }
            });
            assert_clean(&bench.run(&plan(vec![operation])));
            assert_eq!(bench.world.drive.tree().len(), 1, "{taken:?} at {step}");
            bench.assert_agreed();
        }
    }
}

#[test]
fn a_file_in_a_new_folders_place_is_left_alone() {
    let mut bench = Bench::new(1);
    assert!(bench.world.disk.mkdir("new"));
    let operation = make(&bench, "new");
    bench.world.drive.create("new", b"a file").unwrap();
    assert_planned_again(&bench.run(&plan(vec![operation])));
    assert_eq!(bench.world.drive.tree().len(), 1);

    let mut bench = Bench::new(1);
    assert!(bench.world.disk.mkdir("new"));
    let operation = make(&bench, "new");
    assert!(bench.world.disk.delete("new"));
    assert_planned_again(&bench.run(&plan(vec![operation])));
    assert!(bench.world.drive.tree().is_empty());
}

#[test]
fn a_folder_here_needs_a_free_name() {
    let mut bench = Bench::new(1);
    bench.world.drive.mkdir("d").unwrap();
    let action = Action::MakeLocalFolder { remote: bench.remote("d") };
    assert_clean(&bench.one(action.clone(), "d"));
    bench.assert_agreed();
    assert_planned_again(&bench.one(action, "d"));
}

#[test]
fn a_lost_reply_doubles_no_folder_though_listings_lag() {
    for fault in [Fault::LostAnswer, Fault::LostRequest] {
        let mut bench = Bench::new(1);
        bench.world.drive.switch(|switches| switches.visible_after = 30);
        assert!(bench.world.disk.mkdir("a") && bench.world.disk.mkdir("a/b"));
        bench.later();
        bench.world.fuse.script(Call::CreateFolders, 0, fault);
        bench.world.fuse.script(Call::CreateFolders, 1, fault);
        let local = bench.local("a/b");
        let inside = Action::MakeRemoteFolder { local, parent: Parent::Made(0), name: "b".into() };
        let operations = vec![make(&bench, "a"), after(op(inside, "a/b"), &[0])];
        assert_clean(&bench.run(&plan(operations)));
        assert_eq!(bench.world.drive.tree().into_keys().collect::<Vec<_>>(), ["a", "a/b"]);
        bench.assert_agreed();
    }
}

#[test]
fn two_files_change_places_here_through_a_temporary_name() {
    let mut bench = Bench::new(1);
    bench.folder("d");
    bench.file("d/x", b"x");
    bench.file("y", b"y");
    bench.later();
    let (x, y) = (bench.id("d/x"), bench.id("y"));
    let drive = &bench.world.drive;
    assert!(drive.person_rename("y", "x") && drive.person_rename("d/x", "y"));
    assert!(drive.move_to("x", "d") && drive.move_to("d/y", ""));
    let (at_x, at_y) = (bench.local("d/x"), bench.local("y"));
    let away = LocalSeen { path: path("away"), ..at_x.clone() };
    let operations = vec![
        op(Action::MoveLocal { remote: None, local: at_x.into() }, "away"),
        after(op(Action::MoveLocal { remote: Some(bench.remote_id(&y)), local: at_y.into() }, "d/x"), &[0]),
        after(op(Action::MoveLocal { remote: Some(bench.remote_id(&x)), local: away.into() }, "y"), &[1]),
    ];
    assert_clean(&bench.run(&plan(operations)));
    bench.assert_agreed();
    assert_eq!((bench.read("y"), bench.read("d/x")), ("x".into(), "y".into()));
}

#[test]
fn what_was_moved_twice_here_is_still_the_planned_version() {
    let mut bench = Bench::new(1);
    bench.file("a", b"content");
    bench.later();
    assert!(bench.world.disk.write("a", b"edited"));
    bench.later();
    let seen = bench.local("a");
    let step = |from: &str, to: &str| {
        op(
            Action::MoveLocal { remote: None, local: LocalSeen { path: path(from), ..seen.clone() }.into() },
            to,
        )
    };
    let upload = Action::Upload {
        local: LocalSeen { path: path("b"), ..seen.clone() },
        target: UploadTarget::New { parent: known(bench.id("")), name: "b".into() },
    };
    let operations = vec![step("a", "aside"), after(step("aside", "b"), &[0]), after(op(upload, "b"), &[1])];
    assert_clean(&bench.run(&plan(operations)));
    assert_eq!(bench.read_remote("b"), "edited");
}
