//! Where the item of an id stands in a tree: five bytes for each, since the ids themselves are in the tree.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use super::{ItemId, Node};

/// So many parts has an index. One that is shared with a copy is copied part by part, as they change.
const PARTS: usize = 64;

/// The nodes of one tree by the ids of their items, which the tree is asked for.
#[derive(Clone)]
pub(super) struct IdIndex {
    parts: Vec<Arc<HashTable<Node>>>,
    hasher: RandomState,
}

impl Default for IdIndex {
    fn default() -> Self {
        Self { parts: vec![Arc::default(); PARTS], hasher: RandomState::new() }
    }
}

impl fmt::Debug for IdIndex {
    /// Only how many it knows: where each lies is by chance, and the ids stand with the nodes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: usize = self.parts.iter().map(|part| part.len()).sum();
        f.debug_struct("IdIndex").field("nodes", &nodes).finish_non_exhaustive()
    }
}

impl IdIndex {
    fn part(hash: u64) -> usize {
        // The table itself goes by the lowest and the highest bits.
        (hash >> 40) as usize % PARTS
    }

    /// The node of the item with that id; `id_of` says which id a node has.
    pub fn find<'a>(&self, id: &ItemId, id_of: impl Fn(Node) -> &'a ItemId) -> Option<Node> {
        let hash = self.hasher.hash_one(id);
        self.parts[Self::part(hash)].find(hash, |node| id_of(*node) == id).copied()
    }

    /// Notes that `node` has that id, which no other has.
    pub fn insert<'a>(&mut self, id: &ItemId, node: Node, id_of: impl Fn(Node) -> &'a ItemId) {
        let (hash, hasher) = (self.hasher.hash_one(id), &self.hasher);
        let part = Arc::make_mut(&mut self.parts[Self::part(hash)]);
        part.insert_unique(hash, node, |node| hasher.hash_one(id_of(*node)));
    }

    /// Forgets that `node` has that id.
    pub fn remove(&mut self, id: &ItemId, node: Node) {
        let hash = self.hasher.hash_one(id);
        let part = Arc::make_mut(&mut self.parts[Self::part(hash)]);
        if let Ok(known) = part.find_entry(hash, |known| *known == node) {
            known.remove();
        }
    }
}
