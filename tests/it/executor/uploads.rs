//! Uploads: new, in place, by way of the trash.

use icloudds::engine::execute::{Event, ExecuteOptions, execute};
use icloudds::engine::operation::{Action, Replacement, UploadTarget};
use icloudds::model::state::Calibration;

use super::{Bench, assert_clean, assert_planned_again, known, op, options, path, plan};
use crate::sim::drive::switches::{
    CommitTwice, EtagUp, NameStorage, PutBack, QuotaAt, Signatures, Taken, Times,
};
use crate::sim::{Call, Crash, Fault, Outcome};

fn new(bench: &Bench, at: &str) -> Action {
    let parent = known(bench.id(""));
    Action::Upload { local: bench.local(at), target: UploadTarget::New { parent, name: at.into() } }
}

fn over(bench: &Bench, at: &str, way: Replacement) -> Action {
    Action::Upload {
        local: bench.local(at),
        target: UploadTarget::Over { remote: bench.remote(at).into(), way },
    }
}

fn edited() -> Bench {
    let mut bench = Bench::new(1);
    bench.file("f", b"old");
    bench.later();
    assert!(bench.world.disk.write("f", b"new content"));
    bench.later();
    bench
}

#[test]
fn nothing_goes_up_into_a_folder_that_the_base_does_not_know() {
    for way in [None, Some(Replacement::InPlace), Some(Replacement::Trash)] {
        let mut bench = Bench::new(1);
        bench.folder("d");
        bench.file("d/f", b"old");
        bench.later();
        assert!(bench.world.disk.write("d/f", b"new content") && bench.world.disk.write("d/new", b"new"));
        bench.later();
        let (action, at) = match way {
            None => {
                let target = UploadTarget::New { parent: known(bench.id("d")), name: "new".into() };
                (Action::Upload { local: bench.local("d/new"), target }, "d/new")
            }
            Some(way) => (over(&bench, "d/f", way), "d/f"),
        };
        bench.state.apply(&icloudds::model::Change::Remove(bench.id("d")));
        bench.world.fuse.forget_calls();
        assert_planned_again(&bench.one(action, at));
        // What the base could not learn of would come back as somebody's change.
        assert!(!bench.world.fuse.calls().contains_key(&Call::Commit), "{way:?}");
        assert!(bench.world.drive.trash_names().is_empty(), "{way:?}");
    }
}

#[test]
fn a_new_file_goes_up_under_any_behaviour_of_the_service() {
    for names in [NameStorage::Nfd, NameStorage::AsSent, NameStorage::Nfc] {
        for times in [Times::Keep, Times::Ceil, Times::Now] {
            for content in ["content", ""] {
                let mut bench = Bench::new(1);
                bench.world.drive.switch(|switches| {
                    (switches.names, switches.times) = (names, times);
                    switches.zero_size_untold = true;
                });
                assert!(bench.world.disk.write("M\u{fc}ll", content.as_bytes()));
                bench.later();
                let action = new(&bench, "M\u{fc}ll");
                assert_clean(&bench.one(action, "M\u{fc}ll"));
                bench.assert_agreed();
                let entry = bench.base("M\u{fc}ll").unwrap();
                assert!(!entry.racy && entry.written_at == Some(bench.world.clock.seconds()));
                assert_eq!(entry.remote_mtime.get(), bench.remote("M\u{fc}ll").mtime);
            }
        }
    }
}

#[test]
fn own_uploads_calibrate() {
    for (signatures, expected) in
        [(Signatures::Formula, (1, 0)), (Signatures::OtherFormula, (0, 1)), (Signatures::Absent, (0, 0))]
    {
        let mut bench = Bench::new(1);
        bench.world.drive.switch(|switches| switches.signatures = signatures);
        assert!(bench.world.disk.write("f", b"content"));
        let action = new(&bench, "f");
        assert_clean(&bench.one(action, "f"));
        let Calibration { matches, mismatches, .. } = bench.world.store.durable().calibration;
        assert_eq!((matches, mismatches), expected);
    }
}

#[test]
fn a_name_that_was_taken_meanwhile_is_planned_again() {
    let mut bench = Bench::new(1);
    assert!(bench.world.disk.write("f", b"here"));
    let action = new(&bench, "f");
    bench.world.drive.create("f", b"there").unwrap();
    assert_planned_again(&bench.one(action, "f"));
    assert_eq!(bench.world.drive.tree().len(), 1);
}

#[test]
fn a_file_that_changes_before_while_or_after_it_is_read_is_never_agreed_wrongly() {
    let mut seen_early = 0;
    for way in [None, Some(Replacement::InPlace), Some(Replacement::Trash)] {
        for step in 0..40 {
            let mut bench = edited();
            assert!(bench.world.disk.write("g", b"new content"));
            bench.later();
            let action = match way {
                None => new(&bench, "g"),
                Some(way) => over(&bench, "f", way),
            };
            let at = if way.is_none() { "g" } else { "f" };
            let (disk, fuse) = (bench.world.disk.clone(), bench.world.fuse.clone());
            fuse.forget_calls();
            let (told, calls) = std::sync::mpsc::channel();
            bench.world.fuse.interject(step, move || {
                assert!(disk.write(at, b"later content"));
                told.send(fuse.calls()).unwrap();
            });
            let outcome = bench.one(action, at);
            assert!(outcome.failed.is_empty() && outcome.ended.is_none(), "{outcome:?}");
            bench.world.assert_nothing_lost();
            if let Ok(calls) = calls.try_recv()
                && !calls.contains_key(&Call::Look)
            {
                // Before the last look at it: nothing is committed.
                assert_planned_again(&outcome);
                assert!(!bench.world.fuse.calls().contains_key(&Call::Commit));
                seen_early += 1;
            }
            if let Some(entry) = bench.base(at).filter(|_| outcome.counts.uploads == 1) {
                // Whatever was agreed is what went up, and a later edit shows.
                let there = bench.world.drive.item(&entry.id).unwrap().body;
                assert_eq!(entry.signature, Some(crate::sim::journal::signature(&there)));
                assert_eq!(&*there, b"new content");
            }
        }
    }
    assert!(seen_early > 10);
}

#[test]
fn a_lost_reply_doubles_nothing() {
    for fault in [Fault::LostAnswer, Fault::LostRequest] {
        for twice in [CommitTwice::Same, CommitTwice::Taken, CommitTwice::Duplicate] {
            for way in [None, Some(Replacement::InPlace), Some(Replacement::Trash)] {
                let mut bench = edited();
                bench.world.drive.switch(|switches| switches.commit_twice = twice);
                let action = match way {
                    None => {
                        assert!(bench.world.disk.delete("f") && bench.world.drive.person_trash("f"));
                        assert!(bench.world.disk.write("f", b"new content"));
                        let id = bench.base("f").unwrap().id.clone();
                        bench.state.apply(&icloudds::model::Change::Remove(id));
                        new(&bench, "f")
                    }
                    Some(way) => over(&bench, "f", way),
                };
                bench.world.fuse.script(Call::Commit, 0, fault);
                assert_clean(&bench.one(action, "f"));
                assert_eq!(bench.world.drive.tree().len(), 1);
                assert_eq!(bench.read_remote("f"), "new content");
                assert_eq!(bench.base("f").unwrap().etag, bench.remote("f").etag);
                assert!(bench.state.intents.is_empty());
            }
        }
    }
}

#[test]
fn what_an_answer_confirmed_is_known_again_where_the_look_after_it_had_no_answer() {
    // Modified a moment ago, so that size and time alone do not tell whose version it is.
    let mut bench = Bench::new(1);
    bench.file("f", b"old");
    bench.later();
    assert!(bench.world.disk.write("f", b"new content"));
    let action = over(&bench, "f", Replacement::InPlace);
    bench.world.fuse.forget_calls();
    // The first look is right before the commit.
    bench.world.fuse.script(Call::LookUp, 2, Fault::Busy);
    let outcome = bench.one(action, "f");
    let trace = bench.world.fuse.trace();
    let commits = trace.iter().filter(|(call, _)| *call == Call::Commit).count();
    assert_eq!((outcome.counts.uploads, commits), (1, 1), "{outcome:?}: {trace:?}");
    bench.assert_agreed();
    assert!(bench.state.intents.is_empty());
}

#[test]
fn an_upload_that_no_look_of_its_pass_shows_is_settled_by_the_next_one() {
    let faults = [None, Some(Fault::LostAnswer), Some(Fault::LostRequest)];
    let all_times = [Times::Keep, Times::Ceil, Times::Now];
    for (fault, times) in faults.into_iter().flat_map(|fault| all_times.map(|times| (fault, times))) {
        let mut bench = edited();
        bench.world.drive.switch(|switches| switches.times = times);
        let action = over(&bench, "f", Replacement::InPlace);
        bench.world.fuse.forget_calls();
        // But for the one right before the commit.
        bench.world.fuse.script(Call::LookUp, 2, Fault::Busy);
        (0..200).for_each(|_| bench.world.fuse.script(Call::LookUp, 0, Fault::Busy));
        if let Some(fault) = fault {
            bench.world.fuse.script(Call::Commit, 0, fault);
        }
        let outcome = bench.one(action, "f");
        assert!(outcome.counts.uploads == 0 && outcome.ended.is_none(), "{outcome:?}");
        assert_eq!(bench.state.intents.len(), 1, "{fault:?}: its note is kept");
        bench.world.fuse.calm();
        assert!(bench.world.disk.write("f", b"a later edit"));
        let recovered = bench.recover();
        assert!(recovered.waiting.is_empty() && bench.state.intents.is_empty(), "{recovered:?}");
        let known = bench.base("f").unwrap();
        let has_come = fault != Some(Fault::LostRequest);
        assert!(known.etag.same_content(&bench.remote("f").etag), "{fault:?}: no edit of anybody else");
        let sent = crate::sim::journal::signature(b"new content");
        assert_eq!(known.signature == Some(sent), has_come, "{fault:?}, {times:?}");
    }
}

/// Who put another file in its place on iCloud may have seen what came, or only what it replaced.
#[test]
fn an_upload_that_another_file_has_taken_the_place_of_when_it_is_settled_stays_an_edit_here() {
    let mut bench = edited();
    let before = bench.base("f").unwrap().clone();
    let action = over(&bench, "f", Replacement::InPlace);
    bench.world.fuse.forget_calls();
    bench.world.fuse.script(Call::LookUp, 2, Fault::Busy);
    (0..200).for_each(|_| bench.world.fuse.script(Call::LookUp, 0, Fault::Busy));
    bench.one(action, "f");
    assert_eq!(bench.state.intents.len(), 1, "its note is kept");
    bench.world.fuse.calm();
    assert!(bench.world.drive.person_trash("f"));
    assert!(bench.world.drive.create("f", b"another one").is_some());
    let recovered = bench.recover();
    assert!(recovered.waiting.is_empty() && bench.state.intents.is_empty(), "{recovered:?}");
    let known = bench.base("f").unwrap();
    assert_eq!((&known.etag, known.stamp), (&before.etag, before.stamp), "nothing was agreed on");
}

#[test]
fn what_a_replaced_file_held_is_remembered_wherever_a_kill_comes() {
    let mut finished = 0;
    for step in 1.. {
        let mut bench = edited();
        let old = bench.base("f").unwrap().clone();
        let plan = plan(vec![op(over(&bench, "f", Replacement::Trash), "f")]);
        bench.world.fuse.crash_after(step);
        let has_crashed = {
            let (world, mut state) = (&bench.world, bench.state.clone());
            let ended = world.run(|| {
                let (mut store, ports) = (world.store.clone(), Bench::ports(world));
                execute(&plan, &ports, &options(), &mut state, &mut store, &mut |_| {})
            });
            ended == Outcome::Crashed
        };
        bench.world.restart(Crash::Kill);
        bench.state = bench.world.store.durable();
        finished += bench.recover().finished;
        if let Some(new) = bench.base("f").filter(|known| known.id != old.id) {
            let former = bench.state.former.get(&new.id).cloned().unwrap_or_default();
            assert!(former.contains(&old.signature.unwrap()), "step {step}");
        }
        if !has_crashed {
            break;
        }
    }
    assert!(finished > 3, "only {finished} were finished after a kill");
}

#[test]
fn in_place_keeps_the_id_and_the_trash_way_keeps_the_old_version() {
    for way in [Replacement::InPlace, Replacement::Trash] {
        let mut bench = edited();
        let id = bench.id("f");
        let action = over(&bench, "f", way);
        assert_clean(&bench.one(action, "f"));
        bench.assert_agreed();
        let in_place = way == Replacement::InPlace;
        assert_eq!(bench.id("f") == id, in_place);
        assert_eq!(bench.world.drive.trash_names().len(), usize::from(!in_place));
        assert_eq!(bench.state.guard.overwrites.len(), 1);
    }
}

#[test]
fn a_version_that_changed_on_icloud_is_never_replaced() {
    for way in [Replacement::InPlace, Replacement::Trash] {
        for (step, act) in (0..30).flat_map(|step| [(step, 0), (step, 1), (step, 2)]) {
            let mut bench = edited();
            let action = over(&bench, "f", way);
            let drive = bench.world.drive.clone();
            bench.world.fuse.interject(step, move || match act {
                0 => drop(drive.edit("f", b"there")),
                1 => drop(drive.person_rename("f", "g")),
                _ => drop(drive.person_trash("f")),
            });
            let outcome = bench.one(action, "f");
            assert!(outcome.failed.is_empty() && outcome.ended.is_none(), "{outcome:?}");
            bench.world.assert_nothing_lost();
            assert!(bench.state.intents.is_empty());
        }
    }
}

#[test]
fn an_account_that_does_not_replace_in_place_is_put_right_and_remembered() {
    let mut bench = edited();
    bench.world.drive.switch(|switches| switches.in_place = false);
    let action = over(&bench, "f", Replacement::InPlace);
    assert_clean(&bench.one(action, "f"));
    bench.assert_agreed();
    assert_eq!(bench.read_remote("f"), "new content");
    assert_eq!(bench.world.drive.trash_names(), ["f"]);
    assert!(bench.world.store.durable().calibration.in_place_refused);

    bench.later();
    assert!(bench.world.disk.write("f", b"once more"));
    bench.later();
    let action = over(&bench, "f", Replacement::InPlace);
    bench.world.fuse.forget_calls();
    assert_clean(&bench.one(action, "f"));
    assert_eq!(bench.world.fuse.calls()[&Call::Commit], 1);
    bench.assert_agreed();
}

#[test]
fn the_option_switches_in_place_off() {
    let mut bench = edited();
    let action = over(&bench, "f", Replacement::InPlace);
    let by_trash = ExecuteOptions { in_place: false, ..options() };
    assert_clean(&bench.run_with(&plan(vec![op(action, "f")]), &by_trash));
    assert_eq!(bench.world.drive.trash_names(), ["f"]);
}

#[test]
fn a_replacement_that_fails_for_good_brings_the_old_version_back() {
    for put_back in [PutBack::Same, PutBack::NewName, PutBack::NewId, PutBack::Both, PutBack::Silent] {
        let mut bench = edited();
        bench.world.drive.switch(|switches| {
            (switches.quota, switches.quota_at) = (Some(5), QuotaAt::Commit);
            switches.put_back = put_back;
            switches.etag_up = EtagUp::AtOnce;
        });
        let action = over(&bench, "f", Replacement::Trash);
        let outcome = bench.one(action, "f");
        assert_eq!(outcome.failed.len(), 1, "{put_back:?}: {outcome:?}");
        assert_eq!(bench.read_remote("f"), "old", "{put_back:?}");
        assert!(bench.world.drive.trash_names().is_empty());
        assert!(bench.state.intents.is_empty());
        let entry = bench.base("f").unwrap();
        assert_eq!((&entry.id, &entry.etag), (&bench.id("f"), &bench.remote("f").etag), "{put_back:?}");
        assert_ne!(entry.stamp, bench.local("f").stamp, "the edit is still to be sent");
    }
}

#[test]
fn quota_sets_aside_and_the_others_go_on() {
    let mut bench = Bench::new(1);
    bench.world.drive.switch(|switches| switches.quota = Some(5));
    assert!(bench.world.disk.write("big", b"too much of it") && bench.world.disk.write("small", b"x"));
    let operations = ["big", "small"].map(|at| op(new(&bench, at), at));
    let outcome = bench.run(&plan(operations.into()));
    assert_eq!((outcome.failed.len(), outcome.counts.uploads), (1, 1));
    assert!(bench.world.store.durable().set_aside.contains_key(&path("big")));
}

#[test]
fn staged_content_that_expired_is_sent_again() {
    for way in [None, Some(Replacement::InPlace), Some(Replacement::Trash)] {
        let mut bench = edited();
        assert!(bench.world.disk.write("g", b"new content"));
        bench.later();
        let (at, action) = match way {
            None => ("g", new(&bench, "g")),
            Some(way) => ("f", over(&bench, "f", way)),
        };
        bench.world.drive.switch(|switches| switches.slot_life = 5);
        let clock = bench.world.clock.clone();
        // Time passes once, somewhere between sending and committing.
        bench.world.fuse.interject(8, move || clock.advance(std::time::Duration::from_secs(6)));
        assert_clean(&bench.one(action, at));
        assert_eq!(bench.read_remote(at), "new content");
        assert!(bench.state.intents.is_empty());
    }
}

#[test]
fn errors_that_pass_are_tried_again_and_doubled_by_nothing() {
    for way in [None, Some(Replacement::InPlace), Some(Replacement::Trash)] {
        for call in [Call::Stage, Call::Commit, Call::LookUp, Call::TrashRemote] {
            for count in 1..3 {
                let mut bench = edited();
                assert!(bench.world.disk.write("g", b"new content"));
                bench.later();
                let (at, action) = match way {
                    None => ("g", new(&bench, "g")),
                    Some(way) => ("f", over(&bench, "f", way)),
                };
                for _ in 0..count {
                    bench.world.fuse.script(call, 0, Fault::Busy);
                }
                assert_clean(&bench.one(action, at));
                assert_eq!(bench.read_remote(at), "new content", "{call:?} {way:?}");
                assert!(bench.state.intents.is_empty());
                bench.world.assert_nothing_lost();
            }
        }
    }
}

#[test]
fn a_pass_that_ends_between_trash_and_commit_is_finished_or_undone_by_recovery() {
    for fault in [Fault::Unreachable, Fault::Account] {
        let mut bench = edited();
        let action = over(&bench, "f", Replacement::Trash);
        bench.world.fuse.script(Call::Commit, 0, fault);
        let outcome = bench.one(action, "f");
        assert!(outcome.ended.is_some());
        assert_eq!(bench.read_remote("f"), "nothing");
        assert_eq!(bench.recover().undone, 1);
        assert_eq!(bench.read_remote("f"), "old");
        assert_eq!(bench.base("f").unwrap().etag, bench.remote("f").etag);
    }
}

#[test]
fn a_file_that_may_not_be_read_is_set_aside_without_waiting() {
    let mut bench = Bench::new(1);
    assert!(bench.world.disk.write("f", b"secret"));
    bench.later();
    assert!(bench.world.disk.readable("f", false));
    let action = new(&bench, "f");
    let before = bench.world.clock.seconds();
    let outcome = bench.one(action, "f");
    assert_eq!(outcome.counts.set_aside, 1, "{outcome:?}");
    assert!(outcome.failed[0].1.contains("give the user that runs icloudds access to it"), "{outcome:?}");
    assert!(bench.world.clock.seconds() <= before + 1, "nothing else may wait for it");
}

#[test]
fn a_name_that_differs_in_case_only_is_set_aside_at_once_with_the_reason() {
    for taken in [Taken::Rename, Taken::Error, Taken::Existing] {
        for folder in [false, true] {
            let mut bench = Bench::new(1);
            bench.world.drive.switch(|switches| {
                (switches.names, switches.taken) = (NameStorage::FoldsCase, taken);
            });
            let action = if folder {
                bench.world.drive.mkdir("Note.md").unwrap();
                assert!(bench.world.disk.mkdir("note.md"));
                let (parent, name) = (known(bench.id("")), "note.md".into());
                Action::MakeRemoteFolder { local: bench.local("note.md"), parent, name }
            } else {
                bench.world.drive.create("Note.md", b"there").unwrap();
                assert!(bench.world.disk.write("note.md", b"here"));
                new(&bench, "note.md")
            };
            let before = bench.world.clock.seconds();
            let outcome = bench.one(action, "note.md");
            let told: Vec<_> = outcome.failed.iter().map(|(_, why)| why.as_str()).collect();
            let reason = "`Note.md` has this name on iCloud, which takes no difference in case";
            assert_eq!(told, [reason], "{taken:?} {folder}");
            assert_eq!(bench.world.clock.seconds(), before, "{taken:?} {folder}: nothing is waited for");
            assert_eq!(bench.world.drive.tree().into_keys().collect::<Vec<_>>(), ["Note.md"]);
            assert!(!bench.events.iter().any(|event| matches!(event, Event::Retry { .. })));
        }
    }
}
