//! A tree that was made anew, kept as a changed copy of the one before it.

use super::chunk::boxed;
use super::{Entry, NodeMap, Place, Slot, Tree};
use crate::model::Node;

/// A tree at the places of the one before, and what became of the places.
pub(in crate::model) struct Renewed<T: Entry> {
    pub tree: Tree<T>,
    /// Places of items that are not there any more.
    pub gone: Vec<Node>,
    /// Places that items got which were not there before.
    pub new: Vec<Node>,
}

/// So much may come and go before a tree that was made anew is kept as it is; so much of it may be places without an item, too.
fn most_other(len: usize) -> usize {
    (len / 8).max(2048)
}

impl<T: Entry + PartialEq> Tree<T>
where
    T::Label: PartialEq,
{
    /// What `fresh` holds, at the places that its items have in this tree: all that is equal stays shared, so that who compares
    /// the two looks at what differs alone. `was` says which node of this tree an item of `fresh` is, each at most once.
    /// `None` where so much is another that sharing is worth nothing.
    pub(in crate::model) fn renewed(
        &self,
        fresh: &Self,
        mut was: NodeMap<Option<Node>>,
    ) -> Option<Renewed<T>> {
        was[Node::ROOT] = Some(Node::ROOT);
        let most = most_other(fresh.len());
        let mut stays = NodeMap::new(self, false);
        let mut unknown = Vec::new();
        for node in fresh.walk(Node::ROOT) {
            match was[node] {
                Some(known) => stays[known] = true,
                None => unknown.push(node),
            }
        }
        let gone: Vec<Node> = self.walk(Node::ROOT).filter(|node| !stays[*node]).collect();
        // A tree with many places that nobody uses is better made anew.
        if unknown.len().max(gone.len()) > most || self.used > fresh.len() + 2 * most {
            return None;
        }
        let mut tree = self.clone();
        // What is new takes no place of what goes now: at each place one item went, or one came.
        let new: Vec<Node> = unknown
            .into_iter()
            .map(|node| {
                let place = fresh.slot(node);
                let (label, value) = (place.label().clone(), place.value().clone());
                let slot = Slot { parent: Node::ROOT, label, children: None, value };
                let place = tree.add(slot);
                was[node] = Some(place);
                place
            })
            .collect();
        for node in &gone {
            tree.take(*node);
        }
        for node in fresh.walk(Node::ROOT) {
            tree.renew(fresh.slot(node), was[node], &was);
        }
        Some(Renewed { tree, gone, new })
    }

    /// Makes one place what `slot` of another tree is, whose nodes stand `at` these places here; leaves alone what is so.
    fn renew(&mut self, slot: Place<'_, T>, place: Option<Node>, at: &NodeMap<Option<Node>>) {
        let (Some(place), Some(parent)) = (place, at[slot.parent()]) else { return };
        let children = || slot.children().iter().filter_map(|child| at[*child]);
        let known = self.slot(place);
        let holds_same = known.children().iter().copied().eq(children());
        let is_same = known.value() == slot.value() && known.label() == slot.label();
        if holds_same && is_same && known.parent() == parent {
            return;
        }
        let known = self.slot_mut(place);
        known.parent = parent;
        if !is_same {
            (known.label, known.value) = (slot.label().clone(), slot.value().clone());
        }
        if !holds_same {
            let children: Vec<Node> = children().collect();
            known.children = boxed(&children);
        }
    }
}
