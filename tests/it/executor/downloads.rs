//! Downloads, comparisons, and conflicts in which the remote version keeps the name.

use std::time::Duration;

use icloudds::engine::execute::{End, ExecuteOptions, Packages};
use icloudds::engine::operation::{Action, Conflict, LocalSeen};
use icloudds::engine::ports::RemoteError;
use icloudds::model::Change;
use icloudds::model::state::Calibration;

use super::{Bench, assert_clean, assert_planned_again, op, options, path, plan};
use crate::sim::drive::switches::Signatures;
use crate::sim::{Call, Fault};

fn fetch(bench: &Bench, at: &str) -> Action {
    Action::Download { remote: bench.remote(at), over: None }
}

fn fetch_over(bench: &Bench, at: &str) -> Action {
    Action::Download { remote: bench.remote(at), over: Some(bench.local(at).into()) }
}

fn calibrated(bench: &mut Bench) {
    bench.state.apply(&Change::Calibration(Calibration { matches: 1, ..Calibration::default() }));
}

#[test]
fn a_new_file_comes_with_its_time_and_calibrates() {
    let mut bench = Bench::new(1);
    bench.world.drive.create("f", b"content").unwrap();
    bench.later();
    let action = fetch(&bench, "f");
    let outcome = bench.one(action, "f");
    assert_clean(&outcome);
    assert_eq!((outcome.counts.downloads, outcome.counts.bytes), (1, 7));
    bench.assert_agreed();
    let entry = bench.base("f").unwrap();
    assert_eq!(entry.stamp.mtime.whole_seconds(), entry.remote_mtime.get().unwrap().0);
    assert!(entry.racy, "its inode changed just now");
    assert_eq!(bench.state.calibration.matches, 1);
}

#[test]
fn a_name_that_was_taken_meanwhile_is_planned_again_and_nothing_is_overwritten() {
    let mut bench = Bench::new(1);
    bench.world.drive.create("f", b"there").unwrap();
    let action = fetch(&bench, "f");
    assert!(bench.world.disk.write("f", b"here"));
    assert_planned_again(&bench.one(action, "f"));
    assert_eq!(bench.read("f"), "here");
    assert!(bench.base("f").is_none());
    assert_eq!(bench.world.disk.waiting_downloads(), 0);
}

#[test]
fn a_version_that_changed_on_icloud_is_planned_again() {
    for size in ["", "old content"] {
        let mut bench = Bench::new(1);
        bench.world.drive.create("f", size.as_bytes()).unwrap();
        let action = fetch(&bench, "f");
        assert!(bench.world.drive.edit("f", b"new"));
        assert_planned_again(&bench.one(action, "f"));
        assert_eq!(bench.read("f"), "nothing");
    }
}

#[test]
fn a_file_that_changed_here_is_not_replaced() {
    let mut bench = Bench::new(1);
    bench.file("f", b"old");
    bench.later();
    assert!(bench.world.drive.edit("f", b"there"));
    let action = fetch_over(&bench, "f");
    bench.later();
    assert!(bench.world.disk.write("f", b"here"));
    assert_planned_again(&bench.one(action, "f"));
    assert_eq!(bench.read("f"), "here");
    bench.world.assert_nothing_lost();
}

#[test]
fn a_file_that_changes_in_the_moment_of_its_replacement_is_kept_beside() {
    let mut rescued = 0;
    for step in 1..40 {
        let mut bench = Bench::new(1);
        bench.file("f", b"old");
        assert!(bench.world.disk.write("f (conflict)", b"in the way"));
        bench.later();
        assert!(bench.world.drive.edit("f", b"there"));
        bench.later();
        let action = fetch_over(&bench, "f");
        let disk = bench.world.disk.clone();
        bench.world.fuse.interject(step, move || assert!(disk.write("f", b"written just now")));
        let outcome = bench.one(action, "f");
        assert!(outcome.failed.is_empty(), "{outcome:?}");
        bench.world.assert_nothing_lost();
        if outcome.counts.conflicts == 1 {
            rescued += 1;
            assert_eq!(bench.read("f (conflict 2)"), "written just now");
            assert_eq!(bench.read("f"), "there");
        }
    }
    assert!(rescued > 0);
}

#[test]
fn nobody_asks_for_empty_files() {
    for untold in [false, true] {
        let mut bench = Bench::new(1);
        bench.world.drive.switch(|switches| switches.zero_size_untold = untold);
        bench.world.drive.create("f", b"").unwrap();
        let action = fetch(&bench, "f");
        assert_clean(&bench.one(action, "f"));
        bench.assert_agreed();
        let asked = bench.world.fuse.calls().get(&Call::Offers).copied().unwrap_or(0);
        // Without a size only the service can tell a package from nothing.
        assert_eq!(asked, u64::from(untold));
    }
}

#[test]
fn content_is_replaced_by_nothing_only_after_two_looks() {
    let mut bench = Bench::new(1);
    bench.world.drive.switch(|switches| switches.zero_size_untold = true);
    bench.file("f", b"content");
    assert!(bench.world.drive.edit("f", b""));
    let action = fetch_over(&bench, "f");
    let before = bench.world.clock.seconds();
    assert_clean(&bench.one(action, "f"));
    assert!(bench.world.clock.seconds() - before >= 10);
    bench.assert_agreed();
}

#[test]
fn what_breaks_off_is_resumed() {
    let mut bench = Bench::new(1);
    bench.world.drive.create("f", b"0123456789").unwrap();
    bench.world.fuse.script(Call::Fetch, 0, Fault::Short);
    let action = fetch(&bench, "f");
    bench.world.fuse.forget_calls();
    assert_clean(&bench.one(action, "f"));
    bench.assert_agreed();
    let calls = bench.world.fuse.calls();
    assert_eq!((calls[&Call::Fetch], calls[&Call::Offers]), (2, 2), "a fresh offer for the rest");
}

#[test]
fn a_wrong_signature_counts_once_calibrated() {
    // Before that it proves nothing.
    let mut bench = Bench::new(1);
    bench.world.drive.switch(|switches| switches.signatures = Signatures::OtherFormula);
    bench.world.drive.create("f", b"content").unwrap();
    let action = fetch(&bench, "f");
    assert_clean(&bench.one(action, "f"));
    bench.assert_agreed();
    assert_eq!(bench.state.calibration, Calibration::default());

    // One mismatch is fetched once more.
    let mut bench = Bench::new(1);
    calibrated(&mut bench);
    bench.world.drive.create("f", b"content").unwrap();
    bench.world.fuse.script(Call::Fetch, 0, Fault::Corrupt);
    let action = fetch(&bench, "f");
    assert_clean(&bench.one(action, "f"));
    bench.assert_agreed();

    // A second one sets the item aside.
    let mut bench = Bench::new(1);
    calibrated(&mut bench);
    bench.world.drive.create("f", b"content").unwrap();
    for _ in 0..2 {
        bench.world.fuse.script(Call::Fetch, 0, Fault::Corrupt);
    }
    let action = fetch(&bench, "f");
    let outcome = bench.one(action, "f");
    assert_eq!(outcome.failed.len(), 1);
    assert_eq!(bench.read("f"), "nothing");
    assert_eq!(bench.world.disk.waiting_downloads(), 0);
}

#[test]
fn packages_are_one_zip_or_are_skipped() {
    let mut bench = Bench::new(1);
    bench.world.drive.package("p.pages", b"zip").unwrap();
    let action = fetch(&bench, "p.pages");
    assert_clean(&bench.one(action.clone(), "p.pages"));
    assert!(bench.base("p.pages").unwrap().package);
    bench.world.assert_equal_sides();

    // It becomes a plain file there: one like any other from then on.
    let id = bench.id("p.pages");
    assert!(bench.world.drive.flatten(&id, b"a plain file"));
    let mut remote = bench.remote("p.pages");
    remote.package = true;
    let over = Some(bench.local("p.pages"));
    assert_clean(&bench.one(Action::Download { remote, over: over.map(Box::new) }, "p.pages"));
    assert!(!bench.base("p.pages").unwrap().package);
    bench.assert_agreed();

    let mut bench = Bench::new(1);
    bench.world.drive.package("p.pages", b"zip").unwrap();
    let skip = icloudds::engine::execute::ExecuteOptions { packages: Packages::Skip, ..options() };
    let action = fetch(&bench, "p.pages");
    let outcome = bench.run_with(&plan(vec![op(action, "p.pages")]), &skip);
    assert_eq!(outcome.skipped.len(), 1);
    assert_eq!(outcome.skipped[0].etag, bench.remote("p.pages").etag);
    assert!(outcome.failed.is_empty() && outcome.plan_again.is_empty());
    assert_eq!(bench.read("p.pages"), "nothing");
}

#[test]
fn a_full_disk_sets_that_item_aside_and_the_others_go_on() {
    let mut bench = Bench::new(1);
    bench.world.drive.create("big", &[b'x'; 500]).unwrap();
    bench.world.drive.create("small", b"x").unwrap();
    bench.world.disk.switch(|switches| switches.capacity = Some(100));
    let operations = ["big", "small"].map(|at| op(fetch(&bench, at), at));
    let outcome = bench.run(&plan(operations.into()));
    assert_eq!((outcome.failed.len(), outcome.counts.downloads), (1, 1), "{outcome:?}");
    assert!(bench.state.set_aside[&path("big")].reason.contains("no space"));
}

#[test]
fn errors_of_the_disk_are_tried_again_wherever_they_come() {
    for call in [Call::Download, Call::Write, Call::Finish, Call::Place] {
        let mut bench = Bench::new(1);
        bench.world.drive.create("f", b"content").unwrap();
        bench.world.fuse.script(call, 0, Fault::Io);
        let action = fetch(&bench, "f");
        assert_clean(&bench.one(action, "f"));
        bench.assert_agreed();
        assert_eq!(bench.world.disk.waiting_downloads(), 0, "{call:?}");
    }
}

#[test]
fn a_disk_that_cannot_sync_or_a_store_that_cannot_save_ends_the_pass() {
    for call in [Call::Sync, Call::Store] {
        let mut bench = Bench::new(1);
        bench.world.drive.create("f", b"content").unwrap();
        bench.world.fuse.script(call, 0, Fault::Io);
        let action = fetch(&bench, "f");
        let outcome = bench.one(action, "f");
        assert!(matches!(outcome.ended, Some(End::Full(_) | End::Disk(_) | End::Store(_))), "{outcome:?}");
        assert!(bench.base("f").is_none() && bench.world.store.durable().base.is_empty());
    }
}

#[test]
fn a_folder_that_is_gone_is_planned_again() {
    let mut bench = Bench::new(1);
    bench.folder("d");
    bench.world.drive.create("d/f", b"content").unwrap();
    let action = fetch(&bench, "d/f");
    assert!(bench.world.disk.delete("d"));
    assert_planned_again(&bench.one(action, "d/f"));
}

#[test]
fn a_folder_that_goes_before_it_is_durable_is_never_agreed_wrongly() {
    let mut planned_again = 0;
    for (step, fails) in (1..40).flat_map(|step| [(step, false), (step, true)]) {
        let mut bench = Bench::new(1);
        bench.folder("d");
        bench.world.drive.create("d/f", b"content").unwrap();
        let action = fetch(&bench, "d/f");
        let disk = bench.world.disk.clone();
        bench.world.fuse.interject(step, move || assert!(disk.mv("d", "e")));
        if fails {
            bench.world.fuse.script(Call::Sync, 0, Fault::Io);
        }
        let outcome = bench.one(action, "d/f");
        let moved = bench.world.disk.tree().contains_key("e");
        bench.world.disk.power_cut(step, &bench.world.drive);
        if bench.world.store.durable().base.find(&path("d/f")).is_some() {
            assert!(["d/f", "e/f"].iter().any(|at| bench.read(at) == "content"), "at {step}");
        } else if fails && moved {
            assert!(outcome.ended.is_none() && !outcome.plan_again.is_empty(), "{outcome:?}");
            planned_again += 1;
        }
    }
    assert!(planned_again > 0);
}

fn compare(bench: &Bench, at: &str) -> Action {
    let otherwise = Conflict::KeepBoth { copy: path("copy"), local_only: false };
    Action::Compare { remote: bench.remote(at).into(), local: bench.local(at).into(), otherwise }
}

#[test]
fn equal_contents_agree_without_a_transfer_where_signatures_decide() {
    for (signatures, fetches) in [(Signatures::Formula, 0), (Signatures::Absent, 1)] {
        let mut bench = Bench::new(1);
        bench.world.drive.switch(|switches| switches.signatures = signatures);
        bench.world.drive.create("f", b"content").unwrap();
        bench.later();
        assert!(bench.world.disk.write("f", b"content"));
        let action = compare(&bench, "f");
        let outcome = bench.one(action, "f");
        assert_clean(&outcome);
        assert_eq!(outcome.counts.adopted, 1);
        assert_eq!(bench.world.fuse.calls().get(&Call::Fetch).copied().unwrap_or(0), fetches);
        bench.assert_agreed();
        assert_eq!(bench.world.disk.waiting_downloads(), 0);
    }
}

#[test]
fn a_difference_is_settled_with_one_fetch_at_most() {
    for (known, remote, here) in [
        (false, "there", "hered"),
        (true, "there", "hered"),
        (false, "longer there", "here"),
        (false, "", "here"),
    ] {
        let mut bench = Bench::new(1);
        if known {
            calibrated(&mut bench);
        }
        bench.world.drive.create("f", remote.as_bytes()).unwrap();
        assert!(bench.world.disk.write("f", here.as_bytes()));
        let action = compare(&bench, "f");
        let outcome = bench.one(action, "f");
        assert_clean(&outcome);
        assert_eq!(outcome.counts.conflicts, 1);
        assert_eq!((bench.read("f"), bench.read("copy")), (remote.into(), here.into()));
        assert_eq!(
            bench.world.fuse.calls().get(&Call::Fetch).copied().unwrap_or(0),
            u64::from(!remote.is_empty())
        );
        assert_eq!(bench.base("f").unwrap().stamp, bench.local("f").stamp);
        assert!(bench.base("copy").is_none());
        bench.world.assert_nothing_lost();
    }
}

#[test]
fn a_comparison_that_takes_the_local_version_sends_it() {
    let mut bench = Bench::new(1);
    bench.world.drive.create("f", b"there").unwrap();
    assert!(bench.world.disk.write("f", b"hered"));
    let otherwise = Conflict::TakeLocal;
    let action =
        Action::Compare { remote: bench.remote("f").into(), local: bench.local("f").into(), otherwise };
    let outcome = bench.one(action, "f");
    assert_clean(&outcome);
    assert_eq!(bench.read_remote("f"), "hered");
    assert_eq!(bench.world.drive.trash_names(), ["f"]);
    bench.assert_agreed();
    assert_eq!(bench.world.disk.waiting_downloads(), 0);
}

#[test]
fn an_undecided_conflict_is_set_aside_with_both_versions_in_place() {
    let mut bench = Bench::new(1);
    bench.world.drive.create("f", b"there").unwrap();
    assert!(bench.world.disk.write("f", b"here"));
    let settle = Action::Settle {
        remote: bench.remote("f").into(),
        local: bench.local("f").into(),
        conflict: Conflict::SetAside,
    };
    let compare = Action::Compare {
        remote: bench.remote("f").into(),
        local: bench.local("f").into(),
        otherwise: Conflict::SetAside,
    };
    for action in [settle, compare] {
        bench.state.set_aside.clear();
        let outcome = bench.one(action, "f");
        assert_eq!(outcome.failed.len(), 1, "{outcome:?}");
        assert_eq!((bench.read("f"), bench.read_remote("f")), ("here".into(), "there".into()));
    }
}

fn keep_both(bench: &Bench, local_only: bool) -> Action {
    let conflict = Conflict::KeepBoth { copy: path("copy"), local_only };
    Action::Settle { remote: bench.remote("f").into(), local: bench.local("f").into(), conflict }
}

fn conflicting() -> Bench {
    let mut bench = Bench::new(1);
    bench.file("f", b"old");
    bench.later();
    assert!(bench.world.disk.write("f", b"here"));
    assert!(bench.world.drive.edit("f", b"there"));
    bench
}

#[test]
fn a_copy_that_stays_local_is_remembered_before_it_appears() {
    for local_only in [false, true] {
        let mut bench = conflicting();
        let action = keep_both(&bench, local_only);
        assert_clean(&bench.one(action, "f"));
        assert_eq!(bench.world.store.durable().local_only.contains(&path("copy")), local_only);
        assert_eq!((bench.read("f"), bench.read("copy")), ("there".into(), "here".into()));
    }
}

#[test]
fn a_conflict_that_moved_on_is_planned_again() {
    // The copy's name is taken, or the local version changed.
    for taken in [true, false] {
        let mut bench = conflicting();
        let action = keep_both(&bench, true);
        bench.later();
        if taken {
            assert!(bench.world.disk.write("copy", b"in the way"));
        } else {
            assert!(bench.world.disk.write("f", b"later"));
        }
        assert_planned_again(&bench.one(action, "f"));
        assert!(bench.base("f").is_some(), "nothing was begun");
        assert!(bench.state.local_only.is_empty());
        bench.world.assert_nothing_lost();
    }
}

#[test]
fn a_vanished_drive_ends_the_pass() {
    let mut bench = Bench::new(1);
    bench.world.drive.create("f", b"content").unwrap();
    bench.world.disk.switch(|switches| switches.vanished = Some(crate::sim::disk::Vanished::Empty));
    let action = fetch(&bench, "f");
    assert!(matches!(bench.one(action, "f").ended, Some(End::WrongRoot(_))));
}

#[test]
fn what_ends_a_pass_ends_it_at_once() {
    for fault in [Fault::Unreachable, Fault::Account] {
        let mut bench = Bench::new(1);
        for at in ["a", "b"] {
            bench.world.drive.create(at, b"content").unwrap();
        }
        let operations = ["a", "b"].map(|at| op(fetch(&bench, at), at));
        bench.world.fuse.script(Call::Offers, 0, fault);
        let outcome = bench.run(&plan(operations.into()));
        assert!(
            matches!(
                outcome.ended,
                Some(End::Remote(RemoteError::Unreachable(_) | RemoteError::Account { .. }))
            ),
            "{outcome:?}"
        );
        assert_eq!(outcome.counts.downloads, 0);
    }
}

#[test]
fn an_agreement_is_only_learnt() {
    let mut bench = Bench::new(1);
    bench.file("f", b"content");
    bench.later();
    assert!(bench.world.drive.touch("f") && bench.world.disk.touch("f"));
    let local = LocalSeen { signature: bench.base("f").unwrap().signature, ..bench.local("f") };
    let remote = bench.remote("f");
    bench.world.fuse.forget_calls();
    assert_clean(&bench.one(Action::Agree { remote, local: local.into() }, "f"));
    // A person's change here must be durable before the base knows it, and is looked at once more then.
    let learns = |call| matches!(call, Call::Store | Call::Sync | Call::Look);
    assert!(bench.world.fuse.calls().into_keys().all(learns));
    bench.assert_agreed();
}

#[test]
fn a_large_file_over_a_line_that_breaks_is_not_set_aside_while_it_gets_on() {
    let content: Vec<u8> = (0..8_000_000_u32).map(|at| (at / 7 % 251) as u8).collect();
    let mut bench = Bench::new(1);
    bench.world.drive.create("large", &content).unwrap();
    let action = Action::Download { remote: bench.remote("large"), over: None };
    (0..5).for_each(|_| bench.world.fuse.script(Call::Fetch, 0, Fault::Short));
    // No time at all to try again what does not get on.
    let options = ExecuteOptions { retry_budget: Duration::ZERO, ..options() };
    assert_clean(&bench.run_with(&plan(vec![op(action, "large")]), &options));
    bench.assert_agreed();
}
