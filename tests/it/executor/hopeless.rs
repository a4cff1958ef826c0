//! Very many items that all fail for a reason that may pass: `once` has to end.

use std::time::Duration;

use icloudds::engine::execute::{ExecuteOptions, Outcome, Window};
use icloudds::engine::operation::{Action, Operation, UploadTarget};
use icloudds::engine::ports::Clock;

use super::{Bench, known, op, options, plan};
use crate::sim::{Call, Fault};

const FILES: usize = 500;
const EACH: u64 = 30;

/// 500 new files whose commits all fail like that after half a minute each, and a download behind them.
fn refused(fault: Fault) -> (Bench, Vec<Operation>) {
    let bench = Bench::new(1);
    bench.world.drive.switch(|switches| switches.slow_commits = EACH as i64);
    bench.world.drive.create("there", b"made there").unwrap();
    let mut operations = Vec::new();
    for number in 0..FILES {
        let at = format!("f{number}");
        assert!(bench.world.disk.write(&at, at.as_bytes()));
        let target = UploadTarget::New { parent: known(bench.id("")), name: at.as_str().into() };
        operations.push(op(Action::Upload { local: bench.local(&at), target }, &at));
    }
    operations.push(op(Action::Download { remote: bench.remote("there"), over: None }, "there"));
    bench.later();
    (0..4 * FILES).for_each(|_| bench.world.fuse.script(Call::Commit, 0, fault));
    (bench, operations)
}

fn assert_told(outcome: &Outcome, commits: u64) {
    assert!(outcome.ended.is_none() && outcome.plan_again.is_empty(), "{outcome:?}");
    assert_eq!(outcome.counts.downloads, 1, "what is of another kind has its turn");
    assert!(!outcome.failed.is_empty() && outcome.failed.len() as u64 <= commits);
    assert_eq!(outcome.failed.len() as u64 + outcome.waiting, FILES as u64, "none is forgotten");
}

#[test]
fn what_all_items_fail_for_is_not_tried_with_each_of_them() {
    for fault in [Fault::Busy, Fault::LostRequest] {
        for width in [1, 8] {
            for budget in [Duration::from_secs(40), Duration::ZERO] {
                let (mut bench, operations) = refused(fault);
                let begun = bench.world.clock.uptime();
                let window = Window::default().up_to(width);
                let options = ExecuteOptions { retry_budget: budget, window, ..options() };
                let outcome = bench.run_with(&plan(operations), &options);
                let took = bench.world.clock.uptime() - begun;
                // Once before the download succeeds, and once after it.
                let at_most = 2 * (budget + 3 * Duration::from_secs(EACH));
                assert!(took <= at_most, "{fault:?}, {width} wide, {budget:?}: {took:?}");
                assert_told(&outcome, bench.world.fuse.calls()[&Call::Commit]);
            }
        }
    }
}

#[test]
fn one_success_lets_all_others_be_tried() {
    let (mut bench, mut operations) = refused(Fault::Busy);
    operations.truncate(20);
    bench.world.fuse.calm();
    (0..7).for_each(|_| bench.world.fuse.script(Call::Commit, 0, Fault::Busy));
    let outcome = bench
        .run_with(&plan(operations), &ExecuteOptions { retry_budget: Duration::from_secs(400), ..options() });
    assert_eq!((outcome.counts.uploads, outcome.waiting), (20, 0), "{outcome:?}");
}
