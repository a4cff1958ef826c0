//! Deletions on both sides.

use icloudds::engine::execute::{End, ExecuteOptions};
use icloudds::engine::operation::{Action, Operation, Reason};
use icloudds::model::state::{Deletion, Verdict};
use icloudds::model::{Etag, ItemId, Presence, Side};

use super::{Bench, assert_clean, assert_planned_again, op, options, path, plan};
use crate::sim::drive::switches::PutBack;
use crate::sim::{Call, Fault};

fn doomed(bench: &Bench, at: &str, subtree: &[(ItemId, Etag)]) -> Operation {
    let remote = bench.remote(at);
    let action =
        Action::TrashRemote { remote: remote.into(), subtree: subtree.to_vec(), absent: Some(path(at)) };
    Operation { reason: Reason::Deleted(Side::Local), ..op(action, at) }
}

fn folder() -> (Bench, Operation) {
    let mut bench = Bench::new(1);
    bench.folder("d");
    bench.folder("d/e");
    bench.file("d/f", b"f");
    bench.file("d/e/g", b"g");
    bench.later();
    assert!(bench.world.disk.delete("d"));
    let subtree = ["d/e", "d/f", "d/e/g"].map(|at| bench.remote(at)).map(|seen| (seen.id, seen.etag));
    let operation = doomed(&bench, "d", &subtree);
    (bench, operation)
}

#[test]
fn files_go_to_icloud_s_trash_in_one_go_whatever_the_reply() {
    for fault in [None, Some(Fault::LostAnswer), Some(Fault::LostRequest), Some(Fault::Busy)] {
        let mut bench = Bench::new(1);
        for at in ["a", "b", "c"] {
            bench.file(at, at.as_bytes());
        }
        for at in ["a", "b", "c"] {
            assert!(bench.world.disk.delete(at));
        }
        if let Some(fault) = fault {
            bench.world.fuse.script(Call::TrashRemote, 1, fault);
        }
        let operations = ["a", "b", "c"].map(|at| doomed(&bench, at, &[]));
        let outcome = bench.run(&plan(operations.into()));
        assert_clean(&outcome);
        assert_eq!(outcome.counts.deleted_remote, 3);
        assert_eq!(bench.world.drive.trash_names(), ["a", "b", "c"]);
        assert_eq!(bench.state.guard.carried_out(Side::Remote), 3);
        bench.assert_agreed();
    }
}

#[test]
fn a_deletion_that_no_longer_holds_is_planned_again() {
    for act in 0..4 {
        let mut bench = Bench::new(1);
        bench.folder("d");
        bench.file("f", b"content");
        assert!(bench.world.disk.delete("f"));
        let operation = doomed(&bench, "f", &[]);
        match act {
            0 => assert!(bench.world.disk.write("f", b"there again")),
            1 => assert!(bench.world.drive.edit("f", b"edited")),
            2 => assert!(bench.world.drive.move_to("f", "d")),
            _ => assert!(bench.world.drive.person_rename("f", "g")),
        }
        assert_planned_again(&bench.run(&plan(vec![operation])));
        assert!(bench.world.drive.trash_names().is_empty());
        assert!(bench.base("f").is_some());
    }
}

#[test]
fn a_vanished_drive_deletes_nothing() {
    let mut bench = Bench::new(1);
    bench.file("f", b"content");
    let operation = doomed(&bench, "f", &[]);
    bench.world.disk.vanish(Some(crate::sim::disk::Vanished::Empty));
    let outcome = bench.run(&plan(vec![operation]));
    assert!(matches!(outcome.ended, Some(End::WrongRoot(_))));
    assert!(bench.world.drive.trash_names().is_empty());
}

#[test]
fn a_folder_goes_with_all_that_was_planned() {
    let (mut bench, operation) = folder();
    bench.world.drive.create("d/.DS_Store", b"junk").unwrap();
    assert_clean(&bench.run(&plan(vec![operation])));
    assert_eq!(bench.world.drive.trash_names(), ["d"]);
    assert_eq!(bench.state.guard.carried_out(Side::Remote), 4, "each item counts");
    bench.assert_agreed();
}

#[test]
fn what_comes_into_a_doomed_folder_at_any_moment_survives() {
    for put_back in [PutBack::Same, PutBack::NewName, PutBack::NewId, PutBack::Silent] {
        for act in 0..2 {
            let mut rescued = 0;
            for step in 0..60 {
                let (mut bench, operation) = folder();
                bench.world.drive.switch(|switches| switches.put_back = put_back);
                let drive = bench.world.drive.clone();
                let (told, came) = std::sync::mpsc::channel();
                bench.world.fuse.interject(step, move || {
                    let came = match act {
                        0 => drive.create("d/e/new", b"came just now").is_some(),
                        _ => drive.edit("d/e/g", b"edited just now"),
                    };
                    told.send(came).unwrap();
                });
                let outcome = bench.run(&plan(vec![operation]));
                assert!(outcome.failed.is_empty() && outcome.ended.is_none(), "{outcome:?}");
                bench.world.assert_nothing_lost();
                assert!(bench.state.intents.is_empty());
                let came = came.try_recv().unwrap_or(false);
                assert!(!came || act == 1 || bench.world.drive.find("d/e/new").is_some(), "at {step}");
                if outcome.counts.deleted_remote == 0 {
                    assert!(bench.world.drive.find("d").is_some(), "{put_back:?} at {step}");
                    rescued += 1;
                }
            }
            assert!(rescued > 0);
        }
    }
}

#[test]
fn a_listing_that_does_not_add_up_deletes_no_folder() {
    let (mut bench, operation) = folder();
    bench.world.drive.create("d/e/new", b"new").unwrap();
    for _ in 0..40 {
        bench.world.fuse.script(Call::List, 0, Fault::PartialListing);
    }
    let outcome = bench.run(&plan(vec![operation]));
    assert_eq!(outcome.counts.deleted_remote, 0);
    assert!(bench.world.drive.find("d/e/new").is_some());
}

#[test]
fn permanent_mode_deletes_with_the_etag_of_the_trash_call() {
    for fault in [None, Some(Fault::Refused), Some(Fault::LostAnswer)] {
        let (mut bench, operation) = folder();
        bench.world.drive.switch(|switches| switches.cas_delete = true);
        if let Some(fault) = fault {
            bench.world.fuse.script(Call::DeleteTrashed, 0, fault);
        }
        let permanent = ExecuteOptions { remote_delete_permanent: true, ..options() };
        assert_clean(&bench.run_with(&plan(vec![operation]), &permanent));
        let refused = fault == Some(Fault::Refused);
        assert_eq!(bench.world.drive.trash_names().len(), usize::from(refused));
        bench.assert_agreed();
    }
}

#[test]
fn files_and_folders_here_go_to_the_local_trash() {
    let mut bench = Bench::new(1);
    bench.folder("d");
    bench.file("d/f", b"content");
    bench.later();
    assert!(bench.world.drive.person_trash("d"));
    let trash = |bench: &Bench, at: &str, folder| {
        let id = Some(bench.base(at).unwrap().id.clone());
        op(Action::TrashLocal { id, local: bench.local(at), folder }, at)
    };
    // Something new in it keeps the folder.
    assert!(bench.world.disk.write("d/new", b"new"));
    let operations = vec![trash(&bench, "d/f", false), super::after(trash(&bench, "d", true), &[0])];
    let outcome = bench.run(&plan(operations));
    assert_eq!((outcome.counts.deleted_local, outcome.plan_again.len()), (1, 1));
    assert_eq!(bench.read("d/new"), "new");
    assert!(bench.world.disk.trash_contents().iter().any(|content| **content == *b"content"));

    assert!(bench.world.disk.delete("d/new"));
    let operations = vec![trash(&bench, "d", true)];
    assert_clean(&bench.run(&plan(operations)));
    bench.assert_agreed();
    assert_eq!(bench.state.guard.carried_out(Side::Local), 2);
}

#[test]
fn a_file_that_changed_here_is_not_trashed() {
    let mut bench = Bench::new(1);
    bench.file("f", b"content");
    bench.later();
    assert!(bench.world.drive.person_trash("f"));
    let id = Some(bench.base("f").unwrap().id.clone());
    let operation = op(Action::TrashLocal { id, local: bench.local("f"), folder: false }, "f");
    assert!(bench.world.disk.write("f", b"edited"));
    assert_planned_again(&bench.run(&plan(vec![operation])));
    assert_eq!(bench.read("f"), "edited");
}

#[test]
fn approved_deletions_do_not_count_again() {
    let mut bench = Bench::new(1);
    bench.file("f", b"content");
    assert!(bench.world.disk.delete("f"));
    let id = bench.base("f").unwrap().id.to_string();
    bench.state.guard.held.push(Deletion {
        on: Side::Remote,
        id,
        path: "f".into(),
        at: 0,
        version: String::new(),
    });
    bench.state.guard.verdict = Some(Verdict::Approved);
    let operation = doomed(&bench, "f", &[]);
    assert_clean(&bench.run(&plan(vec![operation])));
    assert!(bench.state.guard.recent.is_empty());
}

#[test]
fn the_base_forgets_and_remembers_presence_without_a_call() {
    let mut bench = Bench::new(1);
    bench.folder("d");
    bench.file("f", b"content");
    let (folder, file) = (bench.id("d"), bench.id("f"));
    bench.world.fuse.forget_calls();
    let operations = vec![
        op(Action::Keep { id: folder, presence: Presence::LocalOnly, place: None, stamp: None }, "d"),
        op(Action::Forget { id: file }, "f"),
    ];
    assert_clean(&bench.run(&plan(operations)));
    assert!(bench.world.fuse.calls().into_keys().all(|call| call == Call::Store));
    assert_eq!(bench.base("d").unwrap().presence, Presence::LocalOnly);
    assert!(bench.base("f").is_none());
}

#[test]
fn what_a_folder_held_counts_once() {
    let mut bench = Bench::new(1);
    bench.folder("d");
    let files: Vec<_> = (0..10).map(|number| format!("d/f{number}")).collect();
    files.iter().for_each(|at| bench.file(at, b"content"));
    bench.later();
    assert!(bench.world.drive.person_trash("d"));
    let trash = |bench: &Bench, at: &str, folder| {
        let id = Some(bench.base(at).unwrap().id.clone());
        op(Action::TrashLocal { id, local: bench.local(at), folder }, at)
    };
    let mut operations: Vec<_> = files.iter().map(|at| trash(&bench, at, false)).collect();
    operations.push(super::after(trash(&bench, "d", true), &(0..10).collect::<Vec<_>>()));
    assert_clean(&bench.run(&plan(operations)));
    assert_eq!(bench.state.guard.carried_out(Side::Local), 11);
}

/// Files that went on iCloud, and the plan that follows here.
fn gone_there(count: usize) -> (Bench, Vec<Operation>) {
    let mut bench = Bench::new(1);
    let files: Vec<_> = (0..count).map(|number| format!("f{number}")).collect();
    files.iter().for_each(|at| bench.file(at, b"content"));
    bench.later();
    let trash = |at: &String| {
        assert!(bench.world.drive.person_trash(at));
        let id = Some(bench.base(at).unwrap().id.clone());
        op(Action::TrashLocal { id, local: bench.local(at), folder: false }, at)
    };
    let operations = files.iter().map(trash).collect();
    (bench, operations)
}

#[test]
fn a_deletion_here_that_could_not_be_stored_stays_noted() {
    let (mut bench, operations) = gone_there(3);
    // The note is stored, what was done is not, and then there is room again.
    bench.world.fuse.script(Call::Store, 1, Fault::Io);
    let one_by_one = ExecuteOptions { group_items: 1, ..options() };
    let outcome = bench.run_with(&plan(operations), &one_by_one);
    assert!(matches!(outcome.ended, Some(End::Store(_))), "{outcome:?}");
    assert_eq!(outcome.counts.deleted_local, 1);
    assert!(bench.base("f0").is_some());
    bench.recover();
    assert!(bench.base("f0").is_none(), "it went here by us, and by no person");
    assert!(bench.base("f1").is_some() && bench.state.intents.is_empty());
}

#[test]
fn a_deletion_here_is_noted_anew_where_its_note_could_not_be_stored() {
    let (mut bench, mut operations) = gone_there(3);
    // A folder that was made a moment ago goes away again before it is saved.
    bench.world.drive.mkdir("d").unwrap();
    bench.world.drive.create("d/f", b"content").unwrap();
    operations.insert(0, op(Action::MakeLocalFolder { remote: bench.remote("d") }, "d"));
    let file = op(Action::Download { remote: bench.remote("d/f"), over: None }, "d/f");
    operations.insert(1, super::after(file, &[0]));
    bench.world.fuse.script(Call::Sync, 0, Fault::Io);
    for step in 1..80 {
        let disk = bench.world.disk.clone();
        bench.world.fuse.interject(step, move || {
            if disk.read("d/f").is_some() {
                assert!(disk.delete("d"));
            }
        });
    }
    bench.world.fuse.forget_calls();
    let outcome = bench.run(&plan(operations));
    assert_eq!((outcome.plan_again.len(), outcome.counts.deleted_local), (1, 2), "{outcome:?}");
    let trace = bench.world.fuse.trace();
    let before = trace.iter().take_while(|(call, _)| *call != Call::TrashLocal);
    assert!(before.filter(|(call, _)| *call == Call::Store).count() > 0, "{trace:?}");
}

#[test]
fn permanent_mode_deletes_nothing_that_it_could_not_list() {
    for lists_trashed in [true, false] {
        let (mut bench, operation) = folder();
        bench.world.drive.switch(|switches| switches.lists_trashed = lists_trashed);
        let permanent = ExecuteOptions { remote_delete_permanent: true, ..options() };
        assert_clean(&bench.run_with(&plan(vec![operation]), &permanent));
        assert_eq!(bench.world.drive.trash_names().len(), usize::from(!lists_trashed));
        bench.assert_agreed();
    }
}

/// The answer says that it went to the trash, where it never came, and another device edits it right after.
#[test]
fn permanent_mode_deletes_for_good_only_what_a_look_shows_in_the_trash() {
    let permanent = ExecuteOptions { remote_delete_permanent: true, ..options() };
    for looks in 1..3 {
        let mut bench = Bench::new(1);
        bench.file("f", b"content");
        bench.later();
        assert!(bench.world.disk.delete("f"));
        bench.world.fuse.script(Call::TrashRemote, 0, Fault::NoEffect);
        let operation = doomed(&bench, "f", &[]);
        let drive = bench.world.drive.clone();
        bench.world.fuse.interject_at(Call::LookUp, looks, move || assert!(drive.edit("f", b"edited there")));
        bench.run_with(&plan(vec![operation]), &permanent);
        assert_eq!(bench.read_remote("f"), "edited there", "before look {looks}");
    }
}

/// A file that is where nothing is synced now may hold something else by now than what iCloud has.
#[test]
fn permanent_mode_leaves_what_left_the_scope_in_the_trash() {
    let permanent = ExecuteOptions { remote_delete_permanent: true, ..options() };
    for (reason, left) in [(Reason::Deleted(Side::Local), 0), (Reason::LeftScope(Side::Local), 1)] {
        let mut bench = Bench::new(1);
        bench.file("f", b"content");
        bench.later();
        assert!(bench.world.disk.delete("f"));
        let file = Operation { reason, ..doomed(&bench, "f", &[]) };
        assert_clean(&bench.run_with(&plan(vec![file]), &permanent));
        let (mut inside, operation) = folder();
        let folder = Operation { reason, ..operation };
        assert_clean(&inside.run_with(&plan(vec![folder]), &permanent));
        for bench in [bench, inside] {
            assert_eq!(bench.world.drive.trash_names().len(), left, "{reason:?}");
        }
    }
}
