//! What was changed of a tree since a copy of it was taken: what the copy still shares is not looked at.

use std::sync::Arc;

use super::{BLOCK, Chunk, Entry, Place, Tree};
use crate::model::Node;

/// A place at which a tree differs from an earlier copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The place. Nothing may stand there any more.
    pub node: Node,
    /// Whether something came there, went, or has another folder or name: not only what is known of it, or what it holds,
    /// is another.
    pub moved: bool,
}

impl<T: Entry + PartialEq> Tree<T>
where
    T::Label: PartialEq,
{
    /// The places at which it differs from `before`, an earlier copy, in the order of their numbers. `None` when they are more
    /// than `most`, as in a tree that was made anew.
    pub fn differences(&self, before: &Self, most: usize) -> Option<Vec<Difference>> {
        let mut found = Vec::new();
        for block in 0..self.blocks.len().max(before.blocks.len()) {
            let both = self.blocks.get(block).zip(before.blocks.get(block));
            if both.is_some_and(|(now, then)| Arc::ptr_eq(now, then)) {
                continue;
            }
            for number in block * BLOCK..(block + 1) * BLOCK {
                let both = self.chunk(number).zip(before.chunk(number));
                if both.is_some_and(|(now, then)| now.is_shared(then)) {
                    continue;
                }
                for index in number * Chunk::<T>::SIZE..(number + 1) * Chunk::<T>::SIZE {
                    let Some(moved) = difference(self.place(index), before.place(index)) else { continue };
                    if found.len() == most {
                        return None;
                    }
                    found.push(Difference { node: Node::at(index), moved });
                }
            }
        }
        Some(found)
    }
}

/// Whether two states of a place differ; and if so, whether in more than what is known of it and what it holds.
fn difference<T: Entry + PartialEq>(now: Option<Place<'_, T>>, then: Option<Place<'_, T>>) -> Option<bool>
where
    T::Label: PartialEq,
{
    match (now, then) {
        (None, None) => None,
        (Some(now), Some(then)) => {
            if now.parent() != then.parent() || now.name() != then.name() {
                return Some(true);
            }
            let same = now.children() == then.children() && now.value() == then.value();
            (!same).then_some(false)
        }
        _ => Some(true),
    }
}

impl<T: Entry> Tree<T> {
    /// These nodes of the tree in the order of [`Tree::walk`], each once.
    pub fn in_walk_order(&self, nodes: impl IntoIterator<Item = Node>) -> Vec<Node> {
        let mut keyed: Vec<(Vec<usize>, Node)> =
            nodes.into_iter().map(|node| (self.position(node), node)).collect();
        keyed.sort_unstable();
        keyed.dedup();
        keyed.into_iter().map(|(_, node)| node).collect()
    }

    /// The place of `node` and of each folder above it among what its folder holds, from the top.
    fn position(&self, node: Node) -> Vec<usize> {
        let mut position = Vec::new();
        let mut at = node;
        while let Some(folder) = self.parent(at) {
            let (name, children) = (self.name(at), self.children(folder));
            let first = children.partition_point(|child| self.name(*child) < name);
            // Several may have one name.
            let beside = children[first..].iter().position(|child| *child == at).unwrap_or_default();
            position.push(first + beside);
            at = folder;
        }
        position.reverse();
        position
    }

    /// How many folders lie above `node`.
    pub fn depth(&self, node: Node) -> usize {
        std::iter::successors(self.parent(node), |folder| self.parent(*folder)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(count: u8) -> (Tree<u8>, Vec<Node>) {
        let mut tree = Tree::new(0);
        let folder = tree.insert(Node::ROOT, "folder", 0);
        let mut nodes = vec![folder];
        nodes.extend((0..count).map(|number| tree.insert(folder, &format!("{number:03}"), number)));
        (tree, nodes)
    }

    #[test]
    fn only_what_was_changed_differs() {
        let (mut tree, nodes) = numbered(200);
        let before = tree.clone();
        assert_eq!(tree.differences(&before, 0), Some(Vec::new()));
        tree.relink(nodes[100], Node::ROOT, "moved");
        tree.remove(nodes[7]);
        let new = tree.insert(nodes[3], "new", 9);
        assert_eq!(new, nodes[7], "a place that was left is used again");
        let expected =
            [(Node::ROOT, false), (nodes[0], false), (nodes[3], false), (nodes[7], true), (nodes[100], true)];
        let expected: Vec<_> = expected.map(|(node, moved)| Difference { node, moved }).into();
        assert_eq!(tree.differences(&before, 5), Some(expected));
        assert_eq!(tree.differences(&before, 4), None);
    }

    #[test]
    fn a_tree_made_anew_of_the_same_differs_in_nothing() {
        assert_eq!(numbered(90).0.differences(&numbered(90).0, 0), Some(Vec::new()));
        let (few, many) = (numbered(10).0, numbered(90).0);
        assert_eq!(many.differences(&few, 100).map(|found| found.len()), Some(81));
        assert_eq!(few.differences(&many, 100).map(|found| found.len()), Some(81));
    }

    #[test]
    fn some_nodes_come_in_the_order_of_the_walk() {
        let mut tree = Tree::new(0);
        let twins = [1, 2].map(|value| tree.insert(Node::ROOT, "same", value));
        let (later, first) = (tree.insert(twins[1], "x", 3), tree.insert(Node::ROOT, "a", 4));
        let all: Vec<Node> = tree.walk(Node::ROOT).collect();
        assert_eq!(tree.in_walk_order([later, twins[1], first, twins[0], Node::ROOT, later]), all);
        assert_eq!((tree.depth(Node::ROOT), tree.depth(later)), (0, 2));
    }
}
