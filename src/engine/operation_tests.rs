//! What is left of a plan without some of its operations.

use super::*;
use crate::model::{Identity, name::temporary_name};

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn id(text: &str) -> ItemId {
    ItemId::new(ItemId::drive_root().zone().clone(), text)
}

fn operation(action: Action, at: &str, after: &[usize]) -> Operation {
    Operation { action, path: path(at), reason: Reason::Moved(Side::Local), after: after.into() }
}

fn remote(item: &str, to: &str, temporary: bool, after: &[usize]) -> Operation {
    let seen = RemoteSeen {
        id: id(item),
        folder: false,
        package: false,
        etag: Etag::new("1::1"),
        parent: ItemId::drive_root(),
        name: item.into(),
        size: None,
        mtime: None,
        signature: None,
    };
    let parent = Parent::Known(ItemId::drive_root());
    let action = Action::MoveRemote { remote: seen.into(), local: None, parent, name: to.into(), temporary };
    operation(action, to, after)
}

fn local(inode: u64, from: &str, to: &str, after: &[usize]) -> Operation {
    let stamp = LocalStamp { identity: Identity { inode, birth: None.into() }, ..LocalStamp::default() };
    let seen = LocalSeen { path: path(from), stamp, racy: false, signature: None };
    operation(Action::MoveLocal { remote: None, local: seen.into() }, to, after)
}

fn forget(at: &str, after: &[usize]) -> Operation {
    operation(Action::Forget { id: id(at) }, at, after)
}

/// The paths of what is left, and what each builds on.
fn left(operations: Vec<Operation>, drops: &str) -> Vec<(String, Vec<usize>)> {
    let plan = Plan { operations, notes: Vec::new() };
    let plan = plan.without(&|operation| operation.path.as_str() == drops);
    plan.operations
        .into_iter()
        .map(|operation| (operation.path.to_string(), operation.after.to_vec()))
        .collect()
}

#[test]
fn what_builds_on_a_dropped_operation_goes_with_it_and_the_rest_is_numbered_anew() {
    let plan = || vec![forget("x", &[]), forget("y", &[]), forget("z", &[1]), forget("q", &[0, 2])];
    assert_eq!(left(plan(), "x"), [("y".into(), vec![]), ("z".into(), vec![0])]);
    assert_eq!(left(plan(), "y"), [("x".into(), vec![])]);
    assert_eq!(left(plan(), "q").len(), 3);
    assert_eq!(left(plan(), "none").len(), 4);
}

#[test]
fn a_ring_whose_last_move_is_dropped_lends_no_name() {
    let parked = temporary_name("a", 0);
    let ring_there = || {
        vec![
            forget("other", &[]),
            remote("a", &parked, true, &[]),
            remote("b", "a", false, &[1]),
            remote("a", "b", false, &[2]),
        ]
    };
    let ring_here = || {
        vec![
            forget("other", &[]),
            local(1, "a", &parked, &[]),
            local(2, "b", "a", &[1]),
            local(1, &parked, "b", &[2]),
        ]
    };
    for drops in ["a", "b", parked.as_str()] {
        assert_eq!(left(ring_there(), drops), [("other".into(), vec![])], "on iCloud, without {drops}");
        assert_eq!(left(ring_here(), drops), [("other".into(), vec![])], "here, without {drops}");
    }
    assert_eq!(left(ring_there(), "other").len(), 3);
    assert_eq!(left(ring_here(), "other").len(), 3);
}

#[test]
fn a_longer_ring_falls_as_a_whole_and_another_one_stays() {
    let (p, q) = (temporary_name("a", 0), temporary_name("x", 1));
    let rings = vec![
        remote("a", &p, true, &[]),
        remote("x", &q, true, &[]),
        remote("b", "a", false, &[0]),
        remote("y", "x", false, &[1]),
        remote("c", "b", false, &[2]),
        remote("x", "y", false, &[3]),
        remote("a", "c", false, &[4]),
    ];
    let expected = [(q.clone(), vec![]), ("x".to_owned(), vec![0]), ("y".to_owned(), vec![1])];
    assert_eq!(left(rings, "c"), expected);
}

#[test]
fn an_operation_that_builds_on_none_that_exists_is_dropped() {
    assert_eq!(left(vec![forget("x", &[7])], "none"), []);
}
