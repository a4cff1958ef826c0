//! What is on a volume that is not there.

use super::Finder;
use crate::model::Node;

impl Finder<'_> {
    /// Whether the volume that a folder above an item is the mount point of is not mounted there.
    pub(super) fn is_on_a_volume_that_is_away(&self, item: Node) -> bool {
        let mut above = std::iter::successors(self.base.parent(item), |folder| self.base.parent(*folder));
        let mount = above.find(|folder| self.base.get(*folder).local.stamp.is_mount);
        let is_there = |mount: Node| self.at[mount].is_some_and(|node| self.local.get(node).stamp.is_mount);
        mount.is_some_and(|mount| !is_there(mount))
    }
}
