//! Planning again: only what was touched since the plan before is collected anew.
//!
//! What happened to an item that was not touched is what had happened to it before: nothing, or it was collected then, and
//! what was collected then is looked at again each time. Touched is whatever [`known`](super::base_item::known) reads
//! of an item: its entry in the base, where it is found here, what iCloud shows of its id, the folder that holds it on each
//! side; with all below a folder whose path, id or kind has changed, or that means something else for what it holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::collect::Paths;
use super::collected::{Above, Collected, Extent};
use super::items::{Items, World};
use crate::engine::recognise::{Changes, most_loose};
use crate::engine::view::RemoteView;
use crate::model::{BaseTree, Difference, ItemId, Node};

/// An earlier plan, and what has changed since.
pub struct Earlier<'a> {
    /// What it collected.
    pub collected: Collected,
    /// The base that it went by.
    pub base: &'a BaseTree,
    /// What it knew of iCloud.
    pub remote: &'a RemoteView,
    /// What has changed in the base and here.
    pub changes: &'a Changes,
    /// Items of which something else may be known now than what the trees say.
    pub doubtful: &'a [ItemId],
}

/// Nodes here and on iCloud among which all are that are never synced by their kind, in the order of the trees.
pub(super) struct Odd {
    pub here: Vec<Node>,
    pub there: Vec<Node>,
}

/// Collects what [`Items::collect`] would. `None` where too much was touched.
pub(super) fn collect(world: &World<'_>, earlier: Earlier<'_>) -> Option<(Items, Odd)> {
    let rest = world.recognition.rest.as_ref()?;
    let most = most_loose(world.base);
    let changed_there = match std::ptr::eq(world.remote, earlier.remote) {
        true => Vec::new(),
        false => world.remote.tree.differences(&earlier.remote.tree, most)?,
    };
    let mut touched = Touched { world, items: earlier.collected.known.clone() };
    touched.here(earlier.changes);
    touched.in_base(&earlier);
    touched.there(&earlier, &changed_there);
    let mut items = Items::none();
    let (above, count) = touched.collect(&mut items, earlier.collected.above, most)?;
    let known: BTreeSet<Node> = items.all.keys().filter_map(|key| key.in_base()).collect();
    let strange = strange(world, earlier.collected.strange, &changed_there, earlier.base, earlier.changes);
    if known.len().max(strange.len()) > most {
        return None;
    }
    let tree = &world.remote.tree;
    items.collected = Some(Collected { above, extent: Extent::Touched(count), ..Collected::default() });
    items.collect_remote(world, tree.in_walk_order(strange.iter().copied()).into_iter(), Paths::of_few());
    let here = world.local.tree.in_walk_order(rest.loose().local.iter().copied());
    items.collect_local(world, here.iter().copied(), Paths::of_few());
    let there = known.iter().filter_map(|item| tree.by_id(&world.base.get(*item).remote.id));
    let odd = Odd { here, there: tree.in_walk_order(there.chain(strange)) };
    if let Some(collected) = &mut items.collected {
        collected.known = known;
    }
    Some((items, odd))
}

/// The nodes on iCloud that are no item of the base, from those that were none and what has changed.
fn strange(
    world: &World<'_>,
    mut strange: BTreeSet<Node>,
    changed_there: &[Difference],
    base_before: &BaseTree,
    changes: &Changes,
) -> BTreeSet<Node> {
    let tree = &world.remote.tree;
    let ids = |base: &BaseTree, node: Node| {
        base.contains(node).then(|| tree.by_id(&base.get(node).remote.id)).flatten()
    };
    let renamed = changes.base.iter().map(|change| change.node);
    let renamed = renamed.flat_map(|node| [ids(base_before, node), ids(world.base, node)]).flatten();
    for node in changed_there.iter().map(|change| change.node).chain(renamed) {
        let is_strange =
            node != Node::ROOT && tree.contains(node) && world.base.by_id(&tree.get(node).id).is_none();
        if is_strange {
            strange.insert(node)
        } else {
            strange.remove(&node)
        };
    }
    strange
}

/// Finds the items of the base that were touched.
struct Touched<'a, 'w> {
    world: &'a World<'w>,
    items: BTreeSet<Node>,
}

impl Touched<'_, '_> {
    fn by_id(&mut self, id: &ItemId) {
        self.items.extend(self.world.base.by_id(id));
    }

    fn here(&mut self, changes: &Changes) {
        let (tree, of_local) = (&self.world.local.tree, &self.world.recognition.of_local);
        self.items.extend(&changes.said.base);
        let nodes = changes.said.local.iter().copied().filter(|node| tree.contains(*node));
        for node in nodes {
            // What a folder holds was moved, or not, by what the folder is.
            self.items.extend(of_local[node]);
            self.items.extend(tree.children(node).iter().filter_map(|child| of_local[*child]));
        }
        for change in changes.local.iter().filter(|change| tree.contains(change.node)) {
            self.items.extend(of_local[change.node]);
            if change.moved {
                self.items.extend(tree.walk(change.node).filter_map(|node| of_local[node]));
            }
        }
    }

    fn in_base(&mut self, earlier: &Earlier<'_>) {
        let base = self.world.base;
        for change in &earlier.changes.base {
            if !base.contains(change.node) {
                continue;
            }
            let has_other_id = || {
                !change.moved
                    && earlier.base.contains(change.node)
                    && earlier.base.get(change.node).remote.id != base.get(change.node).remote.id
            };
            if change.moved || has_other_id() {
                self.items.extend(base.walk(change.node));
            } else {
                self.items.insert(change.node);
            }
        }
    }

    fn there(&mut self, earlier: &Earlier<'_>, changed: &[Difference]) {
        let (now, then) = (self.world.remote, earlier.remote);
        for change in changed {
            let node = change.node;
            let before = then.tree.contains(node).then(|| then.tree.get(node));
            if let Some(entry) = before {
                self.by_id(&entry.id);
            }
            if !now.tree.contains(node) {
                continue;
            }
            let entry = now.tree.get(node);
            let is_as_before =
                before.is_some_and(|before| before.id == entry.id && before.kind == entry.kind);
            if change.moved || !is_as_before {
                for node in now.tree.walk(node) {
                    self.by_id(&now.tree.get(node).id);
                }
            } else {
                self.by_id(&entry.id);
            }
        }
        if !std::ptr::eq(now, then) {
            for (one, other) in [(now, then), (then, now)] {
                one.absent
                    .iter()
                    .filter(|(id, why)| other.absent.get(*id) != Some(why))
                    .for_each(|(id, _)| self.by_id(id));
                one.hollow.difference(&other.hollow).for_each(|id| self.by_id(id));
            }
        }
        earlier.doubtful.iter().for_each(|id| self.by_id(id));
    }

    /// Collects what happened to the touched items, and to what lies below folders that mean something else for it than
    /// `above` says. Gives what folders mean now, and how many items it looked at.
    fn collect(
        self,
        items: &mut Items,
        mut above: HashMap<Node, Above>,
        most: usize,
    ) -> Option<(HashMap<Node, Above>, usize)> {
        let base = self.world.base;
        above.retain(|folder, _| base.contains(*folder));
        let mut by_depth: BTreeMap<usize, BTreeSet<Node>> = BTreeMap::new();
        let touched = self.items.into_iter().filter(|item| *item != Node::ROOT && base.contains(*item));
        for item in touched {
            by_depth.entry(base.depth(item)).or_default().insert(item);
        }
        let mut count = 0;
        // Folders come before what they hold.
        while let Some((depth, level)) = by_depth.pop_first() {
            count += level.len();
            if count > most {
                return None;
            }
            for item in level {
                let folder = base.parent(item).and_then(|folder| above.get(&folder).copied());
                let below =
                    items.collect_item(self.world, item, &base.path(item), folder.unwrap_or_default());
                let before = match below == Above::default() {
                    true => above.remove(&item),
                    false => above.insert(item, below),
                };
                if before.unwrap_or_default() != below && !base.children(item).is_empty() {
                    by_depth.entry(depth + 1).or_default().extend(base.children(item));
                }
            }
        }
        Some((above, count))
    }
}
