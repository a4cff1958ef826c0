//! What the store makes of folders whose hashes are the same: what it makes of all others.

use std::collections::BTreeMap;

use super::open;
use super::record::{ALL_COLLIDE, child_key, children_prefix};
use crate::engine::ports::Store;
use crate::model::{BaseEntry, Change, ItemId, Node, State, Zone};

fn id(number: u64) -> ItemId {
    if number == 0 { ItemId::drive_root() } else { ItemId::new(Zone::CloudDocs, &format!("item {number}")) }
}

/// Each item with its folder.
fn base(state: &State) -> BTreeMap<ItemId, ItemId> {
    let tree = &state.base;
    let id = |node| tree.get(node).to_entry().id;
    tree.walk(Node::ROOT).filter_map(|node| Some((id(node), id(tree.parent(node)?)))).collect()
}

/// Puts, moves and removals of a few items, which meet often.
fn change(lot: u64) -> Change {
    let (number, folder) = (lot % 11 + 1, lot / 11 % 12);
    if (lot / 132).is_multiple_of(5) {
        return Change::Remove(id(number));
    }
    let name = format!("{number}");
    let entry = BaseEntry {
        folder: true,
        local_name: name.as_str().into(),
        remote_name: name.as_str().into(),
        ..BaseEntry::root(id(number))
    };
    Change::Put { parent: id(folder), entry: Box::new(entry) }
}

#[test]
fn folders_whose_hashes_are_the_same_are_held_apart() {
    assert_ne!(children_prefix(&id(1)), children_prefix(&id(2)));
    ALL_COLLIDE.set(true);
    assert_eq!(child_key(&id(1), &id(3)), child_key(&id(2), &id(3)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let mut opened = open(&path).unwrap();
    let mut state = State::empty();
    let (mut lot, mut most) = (7_u64, 0);
    for step in 1..=600 {
        lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let change = change(lot >> 33);
        state.apply(&change);
        opened.store.commit(&[change]).unwrap();
        most = most.max(state.base.len());
        if step % 20 == 0 {
            drop(opened);
            opened = open(&path).unwrap();
            assert_eq!((&opened.damage, &opened.dropped), (&None, &Vec::new()), "after {step} changes");
            assert_eq!(base(&opened.state), base(&state), "after {step} changes");
        }
    }
    assert!(most > 6, "the folders held something: {most}");
}
