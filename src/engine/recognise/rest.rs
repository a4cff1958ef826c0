//! What rule 1 leaves over, and what else recognising again goes by.

use std::collections::BTreeSet;

use crate::model::{BaseTree, LocalTree, Node, NodeMap};

/// So much may differ, or be left over by rule 1, before everything is recognised, and planned, anew.
pub fn most_loose(base: &BaseTree) -> usize {
    (base.len() / 16).max(1024)
}

/// Places in the base and in the local tree.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Items of the base.
    pub base: BTreeSet<Node>,
    /// Local nodes.
    pub local: BTreeSet<Node>,
}

/// What recognising again needs to know.
#[derive(Clone, Debug)]
pub struct Rest {
    /// Where each item was found, by any rule.
    pub(super) at: NodeMap<Option<Node>>,
    /// What rule 1 did not find.
    pub(super) loose: Places,
    /// A part of each inode number, to see whether an identity stands at two places.
    pub(super) inodes: NodeMap<u32>,
}

/// Some bits of an inode number; those that differ most from file to file.
pub(super) fn part_of(inode: u64) -> u32 {
    u32::try_from(inode & u64::from(u32::MAX)).unwrap_or_default()
}

impl Rest {
    pub(super) fn new(local: &LocalTree, at: NodeMap<Option<Node>>, loose: Places) -> Self {
        let mut inodes = NodeMap::new(local, 0);
        for node in local.walk(Node::ROOT) {
            inodes[node] = part_of(local.get(node).stamp.identity.inode);
        }
        Self { at, loose, inodes }
    }

    /// What rule 1 did not find. Only there something may have been found elsewhere than at its place, or nowhere.
    pub fn loose(&self) -> &Places {
        &self.loose
    }

    /// The nodes of the local tree that may have one of these inode numbers; few others are among them.
    pub fn with_inodes<'a>(
        &'a self,
        local: &'a LocalTree,
        inodes: impl Iterator<Item = u64>,
    ) -> impl Iterator<Item = Node> + 'a {
        const BITS: u32 = 1 << 12;
        let mut wanted = vec![false; BITS as usize];
        inodes.for_each(|inode| wanted[(part_of(inode) % BITS) as usize] = true);
        let alike = self.inodes.iter().filter(move |(_, part)| wanted[(**part % BITS) as usize]);
        alike.map(|(node, _)| node).filter(|node| local.contains(*node))
    }
}
