//! Each plan is made once more by what has changed since the one before, and has to be the same.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::engine::plan::{Collected, Earlier, plan_again, plan_all};
use crate::engine::recognise::Recognised;

/// How many plans were made by what had changed, and how many had to be made anew.
pub static BY_CHANGES: AtomicU64 = AtomicU64::new(0);
pub static ANEW: AtomicU64 = AtomicU64::new(0);

/// What the plan before left to the next one.
#[derive(Clone, Debug)]
pub struct Memory {
    local: LocalView,
    remote: RemoteView,
    base: Arc<BaseTree>,
    recognised: Recognised,
    collected: Option<Collected>,
    terms: (Mode, Vec<String>, Option<u64>, bool),
    /// How many plans there were.
    turn: u32,
}

impl World {
    /// Makes the plan of these views by what has changed since the last one, where that can be, and compares it with the whole.
    pub fn plan_by_changes(&self, local: &LocalView, remote: &RemoteView, policy: &Policy<'_>) {
        let terms = (self.mode, self.ignore.clone(), self.max_size, self.folds);
        let before = self.memory.borrow_mut().take().filter(|memory| memory.terms == terms);
        let base = &self.state.base;
        let turn = before.as_ref().map_or(0, |memory| memory.turn + 1);
        // A scan makes its tree anew, a look at some folders changes the one that there is.
        let (mut local, mut remote) = (local.clone(), remote.clone());
        if let Some(memory) = before.as_ref().filter(|_| turn % 4 != 3) {
            local.tree = changed_here(memory.local.tree.clone(), &local.tree);
            remote.tree = changed_there(memory.remote.tree.clone(), &remote.tree);
        }
        let mut found = match &before {
            Some(memory) => memory.recognised.clone().again(base, &local.tree),
            None => Recognised::first(base, &local.tree),
        };
        for _ in 0..3 {
            self.sign(&mut local.tree, &found.recognition().unsigned);
            found = found.again(base, &local.tree);
        }
        let whole = recognise(base, &local.tree);
        let again = found.recognition();
        for node in base.walk(Node::ROOT) {
            assert_eq!(again.of_base[node], whole.of_base[node], "{}", base.path(node));
        }
        for node in local.tree.walk(Node::ROOT) {
            assert_eq!(again.of_local[node], whole.of_local[node], "{}", local.tree.path(node));
        }
        assert_eq!(again.unsigned, whole.unsigned);
        let (plan, mut collected) = plan_all(base, &local, &remote, &whole, policy);
        if let (Some(memory), Some(changes)) = (before, found.changes())
            && let Some(known) = memory.collected
        {
            let lent: Vec<_> = self.lent.iter().map(|number| id(*number)).collect();
            let earlier = Earlier {
                collected: known,
                base: &memory.base,
                remote: &memory.remote,
                changes,
                doubtful: &lent,
            };
            let (by_changes, again) = plan_again(base, &local, &remote, found.recognition(), policy, earlier)
                .expect("a small world changes little");
            assert_eq!(by_changes, plan, "by what has changed, and the whole");
            collected = Some(again);
            BY_CHANGES.fetch_add(1, Ordering::Relaxed);
        } else {
            ANEW.fetch_add(1, Ordering::Relaxed);
        }
        let memory = Memory {
            local,
            remote,
            base: Arc::clone(base),
            recognised: found.planned(),
            collected,
            terms,
            turn,
        };
        *self.memory.borrow_mut() = Some(memory);
    }
}

/// `tree` with what differs in `fresh`, as reading its folders again changes it.
fn changed_here(mut tree: LocalTree, fresh: &LocalTree) -> LocalTree {
    *tree.get_mut(Node::ROOT) = fresh.get(Node::ROOT).clone();
    let mut folders = vec![(Node::ROOT, Node::ROOT)];
    while let Some((at, there)) = folders.pop() {
        for child in tree.children(at).to_vec() {
            let same =
                fresh.child(there, tree.name(child)).map(|other| fresh.get(other)).is_some_and(|other| {
                    let entry = tree.get(child);
                    entry.kind == other.kind && entry.stamp.identity == other.stamp.identity
                });
            if !same {
                tree.remove(child);
            }
        }
        for &other in fresh.children(there) {
            let (name, mut entry) = (fresh.name(other), fresh.get(other).clone());
            let node = match tree.child(at, name) {
                Some(node) => {
                    let known = tree.get(node);
                    if known.stamp == entry.stamp {
                        entry.signature = known.signature.clone();
                    }
                    if *known != entry {
                        *tree.get_mut(node) = entry;
                    }
                    node
                }
                None => tree.insert(at, name, entry),
            };
            folders.push((node, other));
        }
    }
    tree
}

/// The same on iCloud, as our own writes change it.
fn changed_there(mut tree: RemoteTree, fresh: &RemoteTree) -> RemoteTree {
    for node in tree.walk(Node::ROOT).collect::<Vec<_>>() {
        if tree.contains(node) && fresh.by_id(&tree.get(node).id).is_none() {
            tree.remove(node);
        }
    }
    tree.replace(Node::ROOT, fresh.get(Node::ROOT).clone());
    for other in fresh.walk(Node::ROOT).skip(1) {
        let entry = fresh.get(other).clone();
        let above = fresh.parent(other).and_then(|folder| tree.by_id(&fresh.get(folder).id));
        let folder = above.expect("folders come first");
        match tree.by_id(&entry.id) {
            Some(node) => {
                tree.relink(node, folder, &entry.name);
                if *tree.get(node) != entry {
                    assert!(tree.replace(node, entry), "it has its id already");
                }
            }
            None => drop(tree.insert(folder, &entry.name.clone(), entry)),
        }
    }
    tree
}
