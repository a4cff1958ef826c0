//! A tree that leans on another one, which says the same of most items.

use std::sync::Arc;

use super::chunk::Ground;
use super::{Chunk, Entry, Tree};
use crate::model::Node;

impl<T: Entry + PartialEq> Tree<T>
where
    T::Label: PartialEq,
{
    /// From now on a place keeps nothing of its own where `ground` says the same at the place that `at` names for it. Nothing that
    /// can be read of the tree changes, and a chunk that does not change stays shared.
    pub(in crate::model) fn lean_on(&mut self, ground: &Tree<T::Ground>, at: impl Fn(Node) -> Option<Node>) {
        let ground = Arc::new(Ground(ground.blocks.clone()));
        let before = self.ground.replace(Arc::clone(&ground));
        let mut number = 0;
        for block in &mut self.blocks {
            for place in 0..block.len() {
                let first = number * Chunk::<T>::SIZE;
                number += 1;
                let Some(chunk) = &block[place] else { continue };
                let at = |place: usize| at(Node::at(first + place));
                if let Some(chunk) = chunk.leaning_on(Chunk::<T>::SIZE, &ground, before.as_deref(), at) {
                    Arc::make_mut(block)[place] = Some(chunk);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chunk::{LeanPlace, Place};
    use super::*;
    use crate::model::name::Name;

    /// Place, folder, name, entry and children.
    type Told = (Node, Option<Node>, String, u8, Vec<Node>);

    /// All that can be read of a tree.
    fn told(tree: &Tree<u8>) -> Vec<Told> {
        let one = |node: Node| {
            let name = tree.name(node).to_owned();
            (node, tree.parent(node), name, *tree.get(node), tree.children(node).to_vec())
        };
        tree.walk(Node::ROOT).map(one).collect()
    }

    fn leaning(tree: &Tree<u8>) -> usize {
        let places = (0..tree.capacity()).filter_map(|index| tree.place(index));
        places.filter(|place| matches!(place, Place::Leaning(..))).count()
    }

    /// One that leans reads like one that never did, while both are changed in the same way, and what it leans on is changed too.
    #[test]
    fn a_tree_that_leans_says_what_one_says_that_does_not() {
        let mut random = 1_u64;
        let mut below = move |limit: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % limit
        };
        let mut ground: Tree<(u8, Name)> = Tree::new((0, "".into()));
        let mut plain = Tree::new(0_u8);
        let mut nodes = vec![(Node::ROOT, Node::ROOT)];
        for number in 0..4 * Chunk::<u8>::SIZE {
            let (there, here) = nodes[below(nodes.len().min(40))];
            let (name, value) = (format!("{number:04}"), (number % 200) as u8);
            let there = ground.insert(there, &name, (value, "".into()));
            nodes.push((there, plain.insert(here, &name, value)));
        }
        let mut lean = plain.clone();
        let mut most = 0;
        for round in 0..60 {
            let at = |node: Node| nodes.iter().find(|(_, here)| *here == node).map(|(there, _)| *there);
            // Also at places that say something else, and at some that are gone.
            lean.lean_on(
                &ground,
                |node| if node.index() % 97 == round { Some(Node::ROOT) } else { at(node) },
            );
            assert_eq!(told(&lean), told(&plain));
            most = most.max(leaning(&lean));
            let kept = lean.clone();
            let before = told(&kept);
            for _ in 0..below(12) {
                let (there, here) = nodes[1 + below(nodes.len() - 1)];
                if below(3) == 0 && ground.contains(there) {
                    ground.slot_mut(there).value.0 = 250;
                }
                if !plain.contains(here) {
                    continue;
                }
                match below(4) {
                    0 if plain.children(here).is_empty() => {
                        assert_eq!(lean.remove(here), plain.remove(here));
                    }
                    1 => {
                        lean.slot_mut(here).value = 251;
                        plain.slot_mut(here).value = 251;
                    }
                    2 => {
                        let name = format!("new {}", below(1000));
                        assert_eq!(lean.insert(here, &name, 1), plain.insert(here, &name, 1));
                    }
                    _ => {
                        let name = format!("moved {}", below(1000));
                        lean.relink(here, Node::ROOT, &name);
                        plain.relink(here, Node::ROOT, &name);
                    }
                }
            }
            assert_eq!(told(&lean), told(&plain));
            assert_eq!(told(&kept), before, "a copy stays as it was");
        }
        assert!(most > 3 * Chunk::<u8>::SIZE, "{most} places leant");
    }

    #[test]
    fn a_chunk_of_which_nothing_changed_stays_shared() {
        let mut ground: Tree<(u8, Name)> = Tree::new((0, "".into()));
        let mut tree = Tree::new(0_u8);
        for number in 0..2 * Chunk::<u8>::SIZE {
            ground.insert(Node::ROOT, &format!("{number:04}"), (1, "".into()));
            tree.insert(Node::ROOT, &format!("{number:04}"), 1);
        }
        tree.lean_on(&ground, Some);
        let copy = tree.clone();
        tree.lean_on(&ground, Some);
        let chunks = (0..).map_while(|number| Some((tree.chunk(number)?, copy.chunk(number)?)));
        assert!(chunks.into_iter().all(|(one, other)| one.is_shared(other)));
    }

    #[test]
    fn a_place_that_leans_takes_two_words() {
        assert_eq!(size_of::<LeanPlace>(), 16);
    }
}
