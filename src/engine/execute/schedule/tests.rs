//! Which operation runs when, case by case.

use std::time::Duration;

use super::*;
use crate::engine::operation::{Reason, RemoteSeen};
use crate::model::{Etag, ItemId, RelPath, Side};

fn seen() -> RemoteSeen {
    RemoteSeen {
        id: ItemId::drive_root(),
        folder: false,
        package: false,
        etag: Etag::default(),
        parent: ItemId::drive_root(),
        name: "x".into(),
        size: None,
        mtime: None,
        signature: None,
    }
}

fn operation(action: Action, after: &[usize]) -> Operation {
    Operation { action, path: RelPath::root(), reason: Reason::New(Side::Remote), after: after.into() }
}

fn lane(after: &[usize]) -> Operation {
    operation(Action::Forget { id: ItemId::drive_root() }, after)
}

fn fetch(after: &[usize]) -> Operation {
    operation(Action::Download { remote: seen(), over: None }, after)
}

/// The first that is ready, of any class, in plan order.
fn first(schedule: &Schedule) -> Option<(usize, Class)> {
    let classes = [Class::Lane, Class::Fetch, Class::Stage].into_iter();
    let firsts = classes.filter_map(|class| schedule.peek(class).map(|index| (index, class)));
    firsts.min_by_key(|(index, _)| *index)
}

#[test]
fn what_builds_on_nothing_is_ready_in_plan_order() {
    let mut schedule = Schedule::new(&[lane(&[]), fetch(&[]), lane(&[])]);
    assert_eq!(first(&schedule), Some((0, Class::Lane)));
    schedule.take(Class::Lane, 0);
    assert_eq!(first(&schedule), Some((1, Class::Fetch)));
    assert_eq!(schedule.on_lane().collect::<Vec<_>>(), [2]);
    assert_eq!((schedule.ready(Class::Lane), schedule.ready(Class::Fetch), schedule.open()), (1, 1, 3));
}

#[test]
fn what_builds_on_others_waits_for_the_last_of_them() {
    let operations = [lane(&[]), lane(&[]), fetch(&[0, 1])];
    let mut schedule = Schedule::new(&operations);
    assert_eq!(schedule.peek(Class::Fetch), None);
    schedule.succeeded(0, &operations);
    assert_eq!(schedule.peek(Class::Fetch), None);
    schedule.succeeded(1, &operations);
    assert_eq!(schedule.peek(Class::Fetch), Some(2));
    schedule.succeeded(1, &operations);
    assert_eq!(schedule.open(), 1, "what is over is not over twice");
}

#[test]
fn all_that_builds_on_a_failure_is_over_with_it() {
    let operations = [lane(&[]), lane(&[0]), lane(&[1]), lane(&[])];
    let mut schedule = Schedule::new(&operations);
    let mut lost = schedule.failed(0);
    lost.sort_unstable();
    assert_eq!(lost, [1, 2]);
    assert!(schedule.is_over(2) && !schedule.is_over(3));
    assert_eq!(schedule.failed(0), [0; 0], "only once");
    assert_eq!(schedule.open(), 1);
}

#[test]
fn what_builds_on_itself_or_on_a_later_one_never_becomes_ready() {
    let operations = [lane(&[0]), lane(&[2]), lane(&[])];
    let mut schedule = Schedule::new(&operations);
    assert_eq!(schedule.on_lane().collect::<Vec<_>>(), [2]);
    schedule.succeeded(2, &operations);
    assert_eq!(first(&schedule), None);
    assert_eq!(schedule.open(), 2);
}

#[test]
fn a_delayed_operation_comes_back_when_it_is_due() {
    let mut schedule = Schedule::new(&[fetch(&[]), lane(&[])]);
    schedule.take(Class::Fetch, 0);
    schedule.take(Class::Lane, 1);
    schedule.delay(0, Class::Fetch, Duration::from_secs(20));
    schedule.delay(1, Class::Lane, Duration::from_secs(10));
    assert_eq!(schedule.wake(Duration::from_secs(5)), Some(Duration::from_secs(10)));
    assert_eq!(first(&schedule), None);
    assert_eq!(schedule.wake(Duration::from_secs(10)), Some(Duration::from_secs(20)));
    assert!(schedule.is_ready(Class::Lane, 1));
    assert_eq!(schedule.wake(Duration::from_secs(30)), None);
    assert!(schedule.is_ready(Class::Fetch, 0));
}

#[test]
fn what_is_over_is_not_queued_again() {
    let operations = [lane(&[])];
    let mut schedule = Schedule::new(&operations);
    schedule.delay(0, Class::Lane, Duration::from_secs(1));
    schedule.succeeded(0, &operations);
    assert_eq!(schedule.wake(Duration::from_secs(2)), None);
    schedule.queue(0, Class::Lane);
    assert_eq!(first(&schedule), None);
}

#[test]
fn how_a_conflict_is_settled_says_where_it_runs_first() {
    let copy = RelPath::root();
    for (conflict, expected) in [
        (Conflict::KeepBoth { copy, local_only: false }, Class::Fetch),
        (Conflict::TakeRemote, Class::Fetch),
        (Conflict::TakeLocal, Class::Stage),
        (Conflict::SetAside, Class::Lane),
        (Conflict::KeepBothThere { name: "x".into() }, Class::Lane),
    ] {
        assert_eq!(class_of(&conflict), expected, "{conflict:?}");
    }
}
