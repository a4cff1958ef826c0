//! Which items had which file: several may have had one, as where it was moved over another and agreed on there.

use std::collections::HashMap;

use super::Finder;
use crate::model::{Identity, Node};

impl Finder<'_> {
    /// These items by the inode numbers that the base knows of them.
    pub(super) fn by_inode(&self, items: &[Node]) -> HashMap<u64, Vec<Node>> {
        let mut by_inode: HashMap<u64, Vec<Node>> = HashMap::new();
        for &item in items {
            by_inode.entry(self.base.get(item).local.stamp.identity.inode).or_default().push(item);
        }
        by_inode
    }

    /// The items that are sought and may be found by inode, in their order; but where one file was that of several items, as one that was moved
    /// over another and then agreed on there, the item that had it last comes before the others: each agreement notes a later change.
    pub(super) fn last_holders_first(
        &self,
        items: impl Iterator<Item = Node>,
        by_inode: &HashMap<u64, Vec<Node>>,
    ) -> Vec<Node> {
        let stamp = |item: Node| self.base.get(item).local.stamp;
        let is_open =
            |item: &Node| self.is_sought(*item) && by_inode.contains_key(&stamp(*item).identity.inode);
        let mut open: Vec<_> = items.filter(is_open).collect();
        let mut of_file: HashMap<Identity, Vec<usize>> = HashMap::new();
        for (at, item) in open.iter().enumerate() {
            if !self.base.get(*item).folder && stamp(*item).identity != Identity::default() {
                of_file.entry(stamp(*item).identity).or_default().push(at);
            }
        }
        for places in of_file.into_values().filter(|places| places.len() > 1) {
            let mut holders: Vec<_> = places.iter().map(|at| open[*at]).collect();
            holders.sort_by_key(|item| std::cmp::Reverse(stamp(*item).ctime));
            for (at, item) in places.into_iter().zip(holders) {
                open[at] = item;
            }
        }
        open
    }
}
