//! What the trees hold: the three kinds of entries, and the ids of those that have one.

mod renewed;

use super::ids::IdIndex;
use super::name::Name;
use super::tree::Entry;
use super::{Agreed, ItemId, LocalEntry, Node, NodeMap, RemoteEntry, Tree};

impl Entry for LocalEntry {
    type Label = Name;
    type Ground = Agreed;

    fn of(ground: &Agreed) -> &Self {
        &ground.local
    }

    fn label_of(ground: &Agreed) -> &Name {
        &ground.local_name
    }

    fn label(&mut self, name: &str) -> Name {
        name.into()
    }

    fn name<'a>(&'a self, label: &'a Name) -> &'a str {
        label
    }
}

impl Entry for RemoteEntry {
    type Label = ();
    type Ground = Agreed;

    fn of(ground: &Agreed) -> &Self {
        &ground.remote
    }

    fn label_of(_: &Agreed) -> &() {
        &()
    }

    fn label(&mut self, name: &str) {
        if self.name != name {
            self.name = name.into();
        }
    }

    fn name<'a>(&'a self, (): &'a ()) -> &'a str {
        &self.name
    }
}

impl Entry for Agreed {
    type Label = ();
    type Ground = Self;

    fn of(ground: &Self) -> &Self {
        ground
    }

    fn label_of(_: &Self) -> &() {
        &()
    }

    fn label(&mut self, name: &str) {
        if self.local_name != name {
            self.local_name = name.into();
        }
    }

    fn name<'a>(&'a self, (): &'a ()) -> &'a str {
        &self.local_name
    }
}

/// What the disk holds, keyed by path.
pub type LocalTree = Tree<LocalEntry>;

impl Tree<LocalEntry> {
    /// What is known of `node`, to change.
    pub fn get_mut(&mut self, node: Node) -> &mut LocalEntry {
        &mut self.slot_mut(node).value
    }

    /// From now on an item keeps nothing of its own where `base` says the same of it at the same path, and a long name that `base` has
    /// there too is kept once.
    pub fn rest_on(&mut self, base: &BaseTree) {
        let known = self.by_paths(base);
        for (node, known) in known.iter() {
            let Some(name) = known.map(|known| &base.get(known).local_name) else { continue };
            let is_shared = || std::ptr::eq(self.slot(node).label().as_str(), name.as_str());
            if name.len() > Name::INLINE_LIMIT && !is_shared() {
                self.slot_mut(node).label = name.clone();
            }
        }
        self.lean_on(&base.tree, |node| known.get(node));
    }

    /// The item of `base` at the path of each.
    fn by_paths(&self, base: &BaseTree) -> NodeMap<Option<Node>> {
        let mut known = NodeMap::new(self, None);
        let mut folders = vec![(Node::ROOT, Node::ROOT)];
        while let Some((folder, other)) = folders.pop() {
            let mut there = base.children(other).iter().copied().peekable();
            for &node in self.children(folder) {
                let name = self.name(node);
                while there.next_if(|there| base.name(*there) < name).is_some() {}
                let Some(same) = there.next_if(|there| base.name(*there) == name) else { continue };
                known[node] = Some(same);
                if !self.children(node).is_empty() {
                    folders.push((node, same));
                }
            }
        }
        known
    }
}

impl RemoteTree {
    /// From now on an item keeps nothing of its own where `base` says the same of it.
    pub fn rest_on(&mut self, base: &BaseTree) {
        let mut known = NodeMap::new(&self.tree, None);
        for node in self.tree.walk(Node::ROOT) {
            known[node] = base.by_id(&self.tree.get(node).id);
        }
        self.tree.lean_on(&base.tree, |node| known.get(node));
    }
}

/// A tree whose items also have an id of their own, each id once.
#[derive(Clone, Debug)]
pub struct IdTree<T: Entry> {
    tree: Tree<T>,
    by_id: IdIndex,
}

/// What has an [`ItemId`].
pub trait Identified: Entry<Label = ()> {
    /// Its id.
    fn id(&self) -> &ItemId;
}

impl Identified for RemoteEntry {
    fn id(&self) -> &ItemId {
        &self.id
    }
}

impl Identified for Agreed {
    fn id(&self) -> &ItemId {
        &self.remote.id
    }
}

/// What iCloud holds, under the name each item has there.
pub type RemoteTree = IdTree<RemoteEntry>;

/// What both sides agreed on, under the local names.
pub type BaseTree = IdTree<Agreed>;

impl<T: Identified> IdTree<T> {
    /// A tree that holds only its root.
    pub fn new(root: impl Into<T>) -> Self {
        let mut tree = Self { tree: Tree::new(root.into()), by_id: IdIndex::default() };
        tree.note(Node::ROOT);
        tree
    }

    /// The node with that id.
    pub fn by_id(&self, id: &ItemId) -> Option<Node> {
        self.by_id.find(id, |node| self.tree.get(node).id())
    }

    fn note(&mut self, node: Node) {
        let tree = &self.tree;
        self.by_id.insert(tree.get(node).id(), node, |node| tree.get(node).id());
    }

    /// Adds an item; one of the same id that was there before goes, with all below it.
    ///
    /// # Panics
    ///
    /// As [`Tree::insert`]; and when `folder` lies within the item of that id.
    pub fn insert(&mut self, folder: Node, name: &str, value: impl Into<T>) -> Node {
        let value = value.into();
        if let Some(old) = self.by_id(value.id()) {
            assert!(!self.tree.is_within(folder, old), "an item cannot hold itself");
            self.remove(old);
        }
        let node = self.tree.insert(folder, name, value);
        self.note(node);
        node
    }

    /// As [`Tree::remove`].
    pub fn remove(&mut self, node: Node) -> Vec<T> {
        for gone in self.tree.walk(node) {
            self.by_id.remove(self.tree.get(gone).id(), gone);
        }
        self.tree.remove(node)
    }

    /// Replaces what is known of `node`; its id and its name may change with it, and `false` says that
    /// another item has that id and nothing was done.
    pub fn replace(&mut self, node: Node, value: impl Into<T>) -> bool {
        let value = value.into();
        let is_other = self.tree.get(node).id() != value.id();
        if is_other && self.by_id(value.id()).is_some() {
            return false;
        }
        if is_other {
            self.by_id.remove(self.tree.get(node).id(), node);
        }
        let is_renamed = self.tree.name(node) != value.name(&());
        let folder = self.tree.parent(node).filter(|_| is_renamed);
        if folder.is_some() {
            self.tree.detach(node);
        }
        self.tree.slot_mut(node).value = value;
        if let Some(folder) = folder {
            self.tree.attach(folder, node);
        }
        if is_other {
            self.note(node);
        }
        true
    }

    /// Changes what is known of `node`; its id and its name must stay ([`IdTree::replace`] changes them).
    pub fn update(&mut self, node: Node, change: impl FnOnce(&mut T)) {
        let value = &mut self.tree.slot_mut(node).value;
        let (id, name) = (value.id().clone(), Name::from(value.name(&())));
        change(value);
        assert!(
            *value.id() == id && *value.name(&()) == *name,
            "an id or a name changes through replace only"
        );
    }

    /// As [`Tree::relink`].
    pub fn relink(&mut self, node: Node, folder: Node, name: &str) {
        self.tree.relink(node, folder, name);
    }
}

impl<T: Entry> std::ops::Deref for IdTree<T> {
    type Target = Tree<T>;

    /// All that only reads.
    fn deref(&self) -> &Tree<T> {
        &self.tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BaseEntry;
    use crate::model::tree::Slot;

    /// The budget of `docs/size.md`, What an item weighs: bytes of a place in each tree.
    #[test]
    fn an_item_weighs_no_more_than_its_budget() {
        assert_eq!(size_of::<Option<Slot<Agreed>>>(), 232);
        assert_eq!(size_of::<Option<Slot<LocalEntry>>>(), 96);
        assert_eq!(size_of::<Option<Slot<RemoteEntry>>>(), 104);
        assert_eq!(size_of::<ItemId>(), 24);
        assert_eq!(size_of::<Name>(), 16);
    }

    #[test]
    fn what_has_an_id_is_found_by_it_however_it_is_renamed() {
        let entry = |number: usize, name: &str| BaseEntry {
            local_name: name.into(),
            ..BaseEntry::root(ItemId::new(crate::model::Zone::CloudDocs, &format!("item {number}")))
        };
        let mut tree = BaseTree::new(entry(0, ""));
        let nodes: Vec<_> = (1..500)
            .map(|number| tree.insert(Node::ROOT, &format!("{number:03}"), entry(number, "")))
            .collect();
        let copy = tree.clone();
        assert!(tree.replace(nodes[0], entry(1000, "999")));
        assert!(!tree.replace(nodes[1], entry(1000, "x")), "that id is taken");
        assert_eq!(tree.children(Node::ROOT).last(), Some(&nodes[0]), "it stands where its new name belongs");
        assert_eq!((tree.by_id(&entry(1, "").id), tree.by_id(&entry(1000, "").id)), (None, Some(nodes[0])));
        tree.remove(nodes[5]);
        assert_eq!(tree.by_id(&entry(6, "").id), None);
        for (at, node) in nodes.iter().enumerate() {
            assert_eq!(copy.by_id(&entry(at + 1, "").id), Some(*node));
        }
    }
}
