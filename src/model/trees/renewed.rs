//! What a new look saw, kept as a changed copy of what the look before saw: then the two share what is equal, and who goes by what
//! has changed since need not look at everything because somebody looked again.

use std::collections::HashMap;

use super::{IdTree, Identified, LocalTree, Tree};
use crate::model::tree::{NodeMap, Renewed};
use crate::model::{Identity, LocalEntry, Node};

impl<T: Identified + PartialEq> IdTree<T> {
    /// What `fresh` holds; an item of an id that is known here keeps its node.
    #[must_use]
    pub fn renewed(&self, fresh: Self) -> Self {
        if self.get(Node::ROOT).id() != fresh.get(Node::ROOT).id() {
            return fresh;
        }
        let mut was = NodeMap::new(&fresh.tree, None);
        for node in fresh.walk(Node::ROOT) {
            was[node] = self.by_id(fresh.get(node).id());
        }
        let Some(Renewed { tree, gone, new }) = self.tree.renewed(&fresh.tree, was) else { return fresh };
        let mut by_id = self.by_id.clone();
        for node in gone {
            by_id.remove(self.tree.get(node).id(), node);
        }
        for node in new {
            by_id.insert(tree.get(node).id(), node, |node| tree.get(node).id());
        }
        Self { tree, by_id }
    }
}

impl Tree<LocalEntry> {
    /// What `fresh` holds; an item keeps its node that is at its path, or that is found elsewhere by its identity.
    #[must_use]
    pub fn renewed_by_path(&self, fresh: Self) -> Self {
        let mut pairing = Pairing {
            before: self,
            fresh: &fresh,
            was: NodeMap::new(&fresh, None),
            is_taken: NodeMap::new(self, false),
            left: Vec::new(),
        };
        pairing.pair(Node::ROOT, Node::ROOT);
        pairing.pair_moved();
        let was = pairing.was;
        self.renewed(&fresh, was).map_or(fresh, |renewed| renewed.tree)
    }
}

/// Finds which node an item had before.
struct Pairing<'a> {
    before: &'a LocalTree,
    fresh: &'a LocalTree,
    was: NodeMap<Option<Node>>,
    is_taken: NodeMap<bool>,
    /// Items that are not where they were, or are new; what they hold was not looked at yet.
    left: Vec<Node>,
}

impl Pairing<'_> {
    fn is_one_item(&self, node: Node, known: Node) -> bool {
        let (now, then) = (self.fresh.get(node), self.before.get(known));
        now.kind == then.kind && now.stamp.identity == then.stamp.identity
    }

    /// Pairs a folder with one of before, and by their names what the two hold, with all below.
    fn pair(&mut self, folder: Node, known: Node) {
        let mut folders = vec![(folder, known)];
        while let Some((folder, known)) = folders.pop() {
            (self.was[folder], self.is_taken[known]) = (Some(known), true);
            let mut there = self.before.children(known).iter().copied().peekable();
            for &node in self.fresh.children(folder) {
                let name = self.fresh.name(node);
                while there.next_if(|there| self.before.name(*there) < name).is_some() {}
                let found = there.next_if(|there| self.before.name(*there) == name);
                match found.filter(|found| !self.is_taken[*found] && self.is_one_item(node, *found)) {
                    Some(found) => folders.push((node, found)),
                    None => self.left.push(node),
                }
            }
        }
    }

    /// Pairs what is elsewhere now by its identity.
    fn pair_moved(&mut self) {
        if self.left.is_empty() {
            return;
        }
        let missing = self.before.walk(Node::ROOT).filter(|node| !self.is_taken[*node]);
        let identity = |node: Node| self.before.get(node).stamp.identity;
        let missing: HashMap<Identity, Node> = missing.map(|node| (identity(node), node)).collect();
        while let Some(node) = self.left.pop() {
            let identity = self.fresh.get(node).stamp.identity;
            let found = missing.get(&identity).copied().filter(|_| identity != Identity::default());
            match found.filter(|found| !self.is_taken[*found] && self.is_one_item(node, *found)) {
                Some(found) => self.pair(node, found),
                None => self.left.extend(self.fresh.children(node)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
