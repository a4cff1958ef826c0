//! The pass as a whole: order, dependencies, retries, workers, groups.

use std::time::Duration;

use icloudds::engine::execute::{End, Event, ExecuteOptions};
use icloudds::engine::operation::{Action, Operation, Reason, UploadTarget};
use icloudds::engine::ports::RemoteError;
use icloudds::model::{Change, SetAside, Side};

use super::{Bench, after, assert_clean, known, op, options, path, plan};
use crate::sim::{Call, Fault};

fn fetch(bench: &Bench, at: &str) -> Operation {
    op(Action::Download { remote: bench.remote(at), over: None }, at)
}

fn there(bench: &Bench, count: usize) -> Vec<Operation> {
    for number in 0..count {
        bench.world.drive.create(&format!("f{number:03}"), b"content").unwrap();
    }
    (0..count).map(|number| fetch(bench, &format!("f{number:03}"))).collect()
}

#[test]
fn one_worker_keeps_the_plan_s_order_and_asks_for_offers_together() {
    let mut bench = Bench::new(1);
    let operations = there(&bench, 30);
    bench.world.fuse.forget_calls();
    assert_clean(&bench.run(&plan(operations)));
    let placed: Vec<_> =
        bench.world.fuse.trace().into_iter().filter(|(call, _)| *call == Call::Place).map(|c| c.1).collect();
    assert!(placed.is_sorted() && placed.len() == 30);
    let trace = bench.world.fuse.trace();
    let before_first = trace.iter().take_while(|(call, _)| *call != Call::Fetch);
    assert_eq!(before_first.filter(|(call, _)| *call == Call::Offers).count(), 20);
    bench.assert_agreed();
}

#[test]
fn the_same_seed_runs_the_same_way() {
    let trace = || {
        let mut bench = Bench::new(3);
        let operations = there(&bench, 10);
        bench.world.fuse.rate(Fault::Busy, 0.3);
        bench.run(&plan(operations));
        bench.world.fuse.trace()
    };
    assert_eq!(trace(), trace());
}

#[test]
fn a_failed_operation_takes_those_that_build_on_it_and_no_others() {
    let mut bench = Bench::new(1);
    bench.world.drive.mkdir("d").unwrap();
    bench.world.drive.create("d/f", b"content").unwrap();
    bench.world.drive.create("g", b"content").unwrap();
    let make = op(Action::MakeLocalFolder { remote: bench.remote("d") }, "d");
    let operations = vec![make, after(fetch(&bench, "d/f"), &[0]), fetch(&bench, "g")];
    assert!(bench.world.disk.write("d", b"in the way"));
    let outcome = bench.run(&plan(operations));
    assert_eq!((outcome.plan_again.len(), outcome.waiting, outcome.counts.downloads), (1, 1, 1));
}

#[test]
fn dependencies_that_do_not_add_up_are_planned_again() {
    let mut bench = Bench::new(1);
    let mut operations = there(&bench, 2);
    operations[0].after = vec![1].into();
    operations[1].after = vec![7].into();
    let outcome = bench.run(&plan(operations));
    assert_eq!((outcome.plan_again.len(), outcome.counts.downloads), (2, 0));
}

#[test]
fn an_item_that_keeps_failing_is_set_aside_and_blocks_nobody() {
    let mut bench = Bench::new(1);
    let operations = there(&bench, 3);
    let before = bench.world.clock.seconds();
    // Busy whenever the second one is fetched: between the others, and then time and again.
    for skip in [1, 1].into_iter().chain([0; 60]) {
        bench.world.fuse.script(Call::Fetch, skip, Fault::Busy);
    }
    let whole = plan(operations);
    let outcome = bench.run(&whole);
    assert_eq!((outcome.counts.downloads, outcome.counts.set_aside), (2, 1), "{outcome:?}");
    assert_eq!(outcome.failed[0].0, path("f001"));
    assert!((20..=60).contains(&(bench.world.clock.seconds() - before)), "the budget of one item");
    assert!(bench.events.iter().any(|event| matches!(event, Event::Retry { .. })));
    bench.world.fuse.calm();

    // What it is given it tries: who waits for the next try is taken out of the plan before.
    let (at, aside) = bench.state.set_aside.iter().next().map(|(at, a)| (at.clone(), a.clone())).unwrap();
    assert_eq!((aside.attempts, aside.next_try), (1, Some(bench.world.clock.seconds() + 60)));
    let again = plan(whole.operations.iter().filter(|operation| operation.path == at).cloned().collect());
    assert_clean(&bench.run(&again));
    assert!(!bench.world.store.durable().set_aside.contains_key(&at), "success clears it");
}

#[test]
fn the_next_try_grows() {
    let mut bench = Bench::new(1);
    let operations = there(&bench, 1);
    let aside = SetAside { reason: "before".into(), attempts: 3, next_try: Some(0), since: 7 };
    bench.state.apply(&Change::SetAside(path("f000"), Some(aside)));
    for _ in 0..60 {
        bench.world.fuse.script(Call::Fetch, 0, Fault::Busy);
    }
    bench.run(&plan(operations));
    let aside = &bench.state.set_aside[&path("f000")];
    assert_eq!((aside.attempts, aside.since), (4, 7));
    assert_eq!(aside.next_try, Some(bench.world.clock.seconds() + 480));
}

#[test]
fn a_stop_ends_the_pass_and_stores_what_was_done() {
    let mut bench = Bench::new(1);
    let operations = there(&bench, 2);
    bench.world.fuse.script(Call::Fetch, 1, Fault::Busy);
    bench.world.clock.stop(true);
    let outcome = bench.run(&plan(operations));
    assert_eq!(outcome.ended, Some(End::Remote(RemoteError::Stopped)));
    assert!(bench.world.store.durable().base.find(&path("f000")).is_some());
}

#[test]
fn groups_are_as_large_as_the_options_say() {
    for (items, groups) in [(4, 5), (64, 1)] {
        let mut bench = Bench::new(1);
        bench.world.drive.switch(|switches| {
            switches.signatures = crate::sim::drive::switches::Signatures::Absent;
        });
        let operations = there(&bench, 20);
        let options = ExecuteOptions { group_items: items, ..options() };
        assert_clean(&bench.run_with(&plan(operations), &options));
        assert_eq!(bench.world.store.groups(), groups);
    }
}

#[test]
fn created_on_is_told_only_after_the_first_sync() {
    for first in [true, false] {
        let mut bench = Bench::new(1);
        if !first {
            bench.state.apply(&Change::Synced(1));
        }
        let mut operation = there(&bench, 1).remove(0);
        operation.reason = Reason::New(Side::Remote);
        assert_clean(&bench.run(&plan(vec![operation])));
        let now = bench.world.clock.seconds();
        let expected = if first { None } else { Some((Side::Remote, now)) };
        assert_eq!(bench.base("f000").unwrap().created_on, expected);
    }
}

#[test]
fn many_workers_move_contents_and_one_lane_changes_the_drive() {
    let mut bench = Bench::new(1);
    let mut operations = there(&bench, 200);
    let root = known(bench.id(""));
    for number in 0..100 {
        let name = format!("u{number:03}");
        assert!(bench.world.disk.write(&name, name.as_bytes()));
        let target = UploadTarget::New { parent: root.clone(), name: name.as_str().into() };
        operations.push(op(Action::Upload { local: bench.local(&name), target }, &name));
    }
    bench.world.fuse.script(Call::Fetch, 50, Fault::Short);
    bench.world.fuse.script(Call::Stage, 20, Fault::Busy);
    bench.world.fuse.script(Call::Commit, 20, Fault::LostAnswer);
    let many = ExecuteOptions { workers: 8, group_age: Duration::from_millis(5), ..options() };
    let outcome = bench.run_with(&plan(operations), &many);
    assert_clean(&outcome);
    assert_eq!((outcome.counts.downloads, outcome.counts.uploads), (200, 100));
    bench.assert_agreed();
    let done = bench.events.iter().rev().find_map(|event| match event {
        Event::Progress(progress) => Some(*progress),
        _ => None,
    });
    assert_eq!(done.map(|progress| (progress.items_done, progress.items_total)), Some((300, 300)));
}

#[test]
fn many_workers_stop_when_the_pass_ends() {
    let mut bench = Bench::new(1);
    let operations = there(&bench, 200);
    bench.world.fuse.script(Call::Fetch, 100, Fault::Unreachable);
    let many = ExecuteOptions { workers: 8, ..options() };
    let outcome = bench.run_with(&plan(operations), &many);
    assert!(matches!(outcome.ended, Some(End::Remote(RemoteError::Unreachable(_)))));
    assert!(outcome.counts.downloads < 200);
    let durable = bench.world.store.durable();
    assert_eq!(durable.base.len() as u64 - 1, outcome.counts.downloads);
    bench.world.assert_nothing_lost();
}

#[test]
fn what_fails_waits_side_by_side_and_shares_one_budget() {
    for workers in [1, 4] {
        let mut bench = Bench::new(1);
        let operations = there(&bench, 7);
        let before = bench.world.clock.seconds();
        for _ in 0..500 {
            bench.world.fuse.script(Call::Fetch, 0, Fault::Busy);
        }
        let outcome = bench.run_with(&plan(operations), &ExecuteOptions { workers, ..options() });
        assert_eq!((outcome.counts.set_aside, outcome.failed.len()), (7, 7), "{outcome:?}");
        let took = bench.world.clock.seconds() - before;
        assert!((20..=60).contains(&took), "{took} s for seven items");
    }
}

#[test]
fn what_fails_is_tried_for_a_minute_after_the_last_success() {
    let mut bench = Bench::new(1);
    let operations = there(&bench, 3);
    // The second one fails for longer than the first minute; the third one, tried again meanwhile, succeeds late.
    for _ in 0..12 {
        bench.world.fuse.script(Call::Fetch, 0, Fault::Busy);
    }
    let outcome = bench.run(&plan(operations));
    assert_eq!((outcome.counts.downloads, outcome.counts.set_aside), (3, 0), "{outcome:?}");
}

#[test]
fn a_pass_without_a_budget_tries_everything_once() {
    let mut bench = Bench::new(1);
    let operations = there(&bench, 5);
    for _ in 0..500 {
        bench.world.fuse.script(Call::Fetch, 0, Fault::Busy);
    }
    let before = bench.world.clock.seconds();
    let options = ExecuteOptions { retry_budget: Duration::ZERO, ..options() };
    let outcome = bench.run_with(&plan(operations), &options);
    let fetches = bench.world.fuse.calls().get(&Call::Fetch).copied();
    assert_eq!((outcome.counts.set_aside, fetches, bench.world.clock.seconds()), (5, Some(5), before));
}
