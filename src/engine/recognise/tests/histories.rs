//! Random changes of a small base and a small disk, one after the other: recognising again says the same as recognising everything.

use super::again::assert_same;
use super::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A row of numbers that a seed gives (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Few names and few inode numbers, so that things meet.
const NAMES: [&str; 4] = ["d", "f", "g", "g~"];
const INODES: usize = 8;

/// Whether birth times are known: always, never, or of some.
#[derive(Clone, Copy)]
enum Births {
    Known,
    Unknown,
    Mixed,
}

impl Births {
    fn of_one(self, numbers: &mut Numbers) -> Option<DiskTime> {
        let is_known = match self {
            Self::Known => true,
            Self::Unknown => false,
            Self::Mixed => numbers.below(2) == 0,
        };
        is_known.then_some(DiskTime(1))
    }
}

/// A folder or a file of a random inode number.
fn drawn(numbers: &mut Numbers, births: Births) -> (bool, LocalStamp) {
    let folder = numbers.below(3) == 0;
    let inode = 2 + u64::try_from(numbers.below(INODES)).unwrap();
    let mut stamp = stamp(if folder { 0 } else { 10 }, 1000, 1000, inode);
    stamp.identity.birth = births.of_one(numbers).into();
    (folder, stamp)
}

fn change_here(both: &mut Both, numbers: &mut Numbers, births: Births) {
    let all: Vec<Node> = both.local.walk(Node::ROOT).collect();
    let node = numbers.of(&all);
    let is_folder = |both: &Both, node| both.local.get(node).kind == LocalKind::Folder;
    let (folder, name) = (numbers.of(&all), numbers.of(&NAMES));
    let fits = is_folder(both, folder) && both.local.child(folder, name).is_none();
    match numbers.below(5) {
        0 if node != Node::ROOT => drop(both.local.remove(node)),
        1 | 2 if node != Node::ROOT && fits && !both.local.is_within(folder, node) => {
            both.local.relink(node, folder, name);
        }
        3 if !is_folder(both, node) => {
            let found = both.local.get_mut(node);
            found.stamp.size += u64::try_from(numbers.below(2)).unwrap();
            found.stamp.ctime = DiskTime(found.stamp.ctime.0 + SECOND);
            found.signature = (numbers.below(2) == 0).then_some(Signature([1; 20])).into();
        }
        _ if fits => {
            let (is_folder, stamp) = drawn(numbers, births);
            let kind = if is_folder { LocalKind::Folder } else { LocalKind::File };
            let state = if is_folder { FolderState::Complete } else { FolderState::Unread };
            both.local.insert(folder, name, LocalEntry { kind, state, ..seen(stamp) });
        }
        _ => {}
    }
}

fn change_known(both: &mut Both, numbers: &mut Numbers, births: Births) {
    let all: Vec<Node> = both.base.walk(Node::ROOT).collect();
    let (item, folder, name) = (numbers.of(&all), numbers.of(&all), numbers.of(&NAMES));
    // Two items of one name may be known for a while.
    let fits =
        both.base.get(folder).folder && (both.base.child(folder, name).is_none() || numbers.below(4) == 0);
    match numbers.below(6) {
        0 if item != Node::ROOT => drop(both.base.remove(item)),
        1 if item != Node::ROOT && fits && !both.base.is_within(folder, item) => {
            let entry = BaseEntry { local_name: name.into(), ..both.base.get(item).to_entry() };
            both.base.insert(folder, name, entry);
        }
        2 if item != Node::ROOT && both.base.get(item).folder => {
            let other = match both.base.get(item).presence {
                Presence::RemoteOnly => Presence::Both,
                _ => Presence::RemoteOnly,
            };
            both.base.update(item, |entry| entry.presence = other);
        }
        // What stands here is agreed on.
        3 | 4 => {
            let here: Vec<Node> = both.local.walk(Node::ROOT).skip(1).collect();
            if here.is_empty() {
                return;
            }
            let node = numbers.of(&here);
            let (found, name) = (both.local.get(node), both.local.name(node));
            let above = both.local.parent(node).map(|folder| both.local.path(folder)).unwrap_or_default();
            let Some(at) = both.base.find(&above).filter(|at| both.base.get(*at).folder) else { return };
            if both.base.child(at, name).is_some() && numbers.below(4) != 0 {
                return;
            }
            let id = ItemId::new(Zone::CloudDocs, &format!("{} {}", node.index(), numbers.below(1000)));
            let folder = found.kind == LocalKind::Folder;
            let mut entry = BaseEntry { id, folder, local_name: name.into(), ..agreed(found.stamp) };
            if matches!(births, Births::Mixed) {
                entry.stamp.identity.birth = births.of_one(numbers).into();
            }
            if both.base.by_id(&entry.id).is_none() {
                both.base.insert(at, name, entry);
            }
        }
        _ if fits => {
            let (is_folder, stamp) = drawn(numbers, births);
            let id = ItemId::new(Zone::CloudDocs, &format!("new {}", numbers.below(1_000_000)));
            if both.base.by_id(&id).is_none() {
                let entry = BaseEntry { id, folder: is_folder, local_name: name.into(), ..agreed(stamp) };
                both.base.insert(folder, name, entry);
            }
        }
        _ => {}
    }
}

/// Of whom something else is said than before.
fn differing(before: &Recognition, now: &Recognition, both: &Both) -> (BTreeSet<Node>, BTreeSet<Node>) {
    let then = |fates: &NodeMap<LocalFate>, item: Node| {
        fates.iter().find(|(at, _)| *at == item).map(|(_, fate)| *fate)
    };
    let items = both.base.walk(Node::ROOT);
    let items = items.filter(|item| then(&before.of_base, *item) != Some(now.of_base[*item]));
    let was = |node: Node| before.of_local.iter().find(|(at, _)| *at == node).and_then(|(_, known)| *known);
    let nodes = both.local.walk(Node::ROOT).filter(|node| was(*node) != now.of_local[*node]);
    (items.collect(), nodes.collect())
}

#[test]
fn whatever_differs_is_recognised_as_everything_would_be_and_told() {
    let mut by_changes = 0;
    for seed in 1..=400u64 {
        let mut numbers = Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let births = numbers.of(&[Births::Known, Births::Unknown, Births::Mixed]);
        let mut both = Both::new(births.of_one(&mut numbers));
        let mut recognised = Recognised::first(&Arc::new(both.base.clone()), &both.local).planned();
        for step in 0..12 {
            for _ in 0..numbers.below(3) {
                change_here(&mut both, &mut numbers, births);
            }
            if numbers.below(2) == 0 {
                change_known(&mut both, &mut numbers, births);
            }
            let before = recognised.recognition().clone();
            recognised = recognised.again(&Arc::new(both.base.clone()), &both.local);
            let case = format!("seed {seed}, step {step}");
            assert_same(recognised.recognition(), &both, &case);
            if let Some(changes) = recognised.changes() {
                by_changes += 1;
                let (items, nodes) = differing(&before, recognised.recognition(), &both);
                let changed =
                    |of: &[crate::model::Difference]| of.iter().map(|one| one.node).collect::<BTreeSet<_>>();
                let told: BTreeSet<_> = changed(&changes.base).union(&changes.said.base).copied().collect();
                assert!(items.is_subset(&told), "{case}: {items:?} and {told:?}");
                let told: BTreeSet<_> = changed(&changes.local).union(&changes.said.local).copied().collect();
                assert!(nodes.is_subset(&told), "{case}: {nodes:?} and {told:?}");
            }
            recognised = recognised.planned();
        }
    }
    assert!(by_changes > 1000, "hardly anything was recognised by its changes: {by_changes}");
}
