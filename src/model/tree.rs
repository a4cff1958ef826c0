//! The three trees, over one arena.
//!
//! A node knows its parent and its name; paths are made when somebody asks. So renaming a
//! folder of any size is one change, and a million items stay small.

use std::collections::HashMap;

use super::{BaseEntry, ItemId, LocalEntry, RelPath, RemoteEntry};

/// A place in one [`Tree`]; meaningless in any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(u32);

impl Node {
    /// The root of every tree.
    pub const ROOT: Self = Self(0);

    /// A small dense number, for side tables.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Names in folders, each with what is known of the item. There is no item without its parent.
#[derive(Clone, Debug)]
pub struct Tree<T> {
    slots: Vec<Option<Slot<T>>>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    parent: Node,
    name: Box<str>,
    /// Sorted by name; two children may bear one name on iCloud.
    children: Vec<Node>,
    value: T,
}

impl<T> Tree<T> {
    /// A tree that holds only its root.
    pub fn new(root: T) -> Self {
        let slot = Slot { parent: Node::ROOT, name: "".into(), children: Vec::new(), value: root };
        Self { slots: vec![Some(slot)], free: Vec::new(), len: 1 }
    }

    /// The number of items, the root included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing but the root.
    pub fn is_empty(&self) -> bool {
        self.len == 1
    }

    /// One more than the largest [`Node::index`] ever given out: the size of a side table.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    fn slot(&self, node: Node) -> &Slot<T> {
        self.slots[node.index()]
            .as_ref()
            .expect("a node is used only with its own tree and until it is removed")
    }

    fn slot_mut(&mut self, node: Node) -> &mut Slot<T> {
        self.slots[node.index()]
            .as_mut()
            .expect("a node is used only with its own tree and until it is removed")
    }

    /// What is known of `node`.
    pub fn get(&self, node: Node) -> &T {
        &self.slot(node).value
    }

    /// What is known of `node`, to change.
    pub fn get_mut(&mut self, node: Node) -> &mut T {
        &mut self.slot_mut(node).value
    }

    /// Whether `node` still stands in the tree.
    pub fn contains(&self, node: Node) -> bool {
        self.slots.get(node.index()).is_some_and(Option::is_some)
    }

    /// Its name in its folder; `""` for the root.
    pub fn name(&self, node: Node) -> &str {
        &self.slot(node).name
    }

    /// The folder that holds it; `None` for the root.
    pub fn parent(&self, node: Node) -> Option<Node> {
        (node != Node::ROOT).then(|| self.slot(node).parent)
    }

    /// What a folder holds, in byte order of the names.
    pub fn children(&self, folder: Node) -> &[Node] {
        &self.slot(folder).children
    }

    /// The first child of exactly that name.
    pub fn child(&self, folder: Node, name: &str) -> Option<Node> {
        let children = &self.slot(folder).children;
        let at = children.partition_point(|child| self.name(*child) < name);
        children.get(at).copied().filter(|child| self.name(*child) == name)
    }

    /// The node at `path`, by exact names.
    pub fn find(&self, path: &RelPath) -> Option<Node> {
        path.parts().try_fold(Node::ROOT, |folder, name| self.child(folder, name))
    }

    /// The node at `path`, by names that are the same but for Unicode normalisation.
    pub fn find_alike(&self, path: &RelPath) -> Option<Node> {
        path.parts().try_fold(Node::ROOT, |folder, name| {
            let alike = || {
                let children = self.children(folder).iter().copied();
                children.into_iter().find(|child| super::name::same(self.name(*child), name))
            };
            self.child(folder, name).or_else(|| if name.is_ascii() { None } else { alike() })
        })
    }

    /// The path of `node`. Names that no path can hold never enter a tree ([`Tree::insert`]).
    pub fn path(&self, node: Node) -> RelPath {
        let mut names = Vec::new();
        let mut at = node;
        while let Some(parent) = self.parent(at) {
            names.push(self.name(at));
            at = parent;
        }
        RelPath::of_checked(&names)
    }

    /// Adds an item. The caller has checked `name` ([`super::path::check_name`]).
    ///
    /// # Panics
    ///
    /// When `name` cannot be part of a path: that is a bug of the caller.
    pub fn insert(&mut self, folder: Node, name: &str, value: T) -> Node {
        super::path::check_name(name).expect("edges check names before they enter a tree");
        let slot = Slot { parent: folder, name: name.into(), children: Vec::new(), value };
        let node = if let Some(index) = self.free.pop() {
            self.slots[index as usize] = Some(slot);
            Node(index)
        } else {
            let index = u32::try_from(self.slots.len()).expect("fewer than four billion items");
            self.slots.push(Some(slot));
            Node(index)
        };
        self.len += 1;
        self.attach(folder, node);
        node
    }

    /// Takes `node` and all below it out and returns what was known of each, parents first.
    /// The root cannot be taken out.
    pub fn remove(&mut self, node: Node) -> Vec<T> {
        assert!(node != Node::ROOT, "the root stays");
        self.detach(node);
        let mut doomed = vec![node];
        let mut values = Vec::new();
        while let Some(next) = doomed.pop() {
            if let Some(slot) = self.slots[next.index()].take() {
                doomed.extend(slot.children);
                values.push(slot.value);
                self.free.push(next.0);
                self.len -= 1;
            }
        }
        values
    }

    /// Moves `node` with all below it into `folder` under `name`.
    ///
    /// # Panics
    ///
    /// When `folder` lies within `node`, or `name` cannot be part of a path: bugs of the caller.
    pub fn relink(&mut self, node: Node, folder: Node, name: &str) {
        super::path::check_name(name).expect("edges check names before they enter a tree");
        assert!(!self.is_within(folder, node), "a folder cannot move into itself");
        self.detach(node);
        let slot = self.slot_mut(node);
        slot.parent = folder;
        slot.name = name.into();
        self.attach(folder, node);
    }

    /// Whether `node` is `folder` or lies below it.
    pub fn is_within(&self, node: Node, folder: Node) -> bool {
        let mut at = Some(node);
        while let Some(next) = at {
            if next == folder {
                return true;
            }
            at = self.parent(next);
        }
        false
    }

    /// `node` and everything below it, each folder before what it holds, in name order.
    pub fn walk(&self, node: Node) -> impl Iterator<Item = Node> + '_ {
        let mut stack = vec![node];
        std::iter::from_fn(move || {
            let next = stack.pop()?;
            stack.extend(self.children(next).iter().rev());
            Some(next)
        })
    }

    fn attach(&mut self, folder: Node, node: Node) {
        let at = {
            let name = self.name(node);
            self.slot(folder).children.partition_point(|child| self.name(*child) <= name)
        };
        self.slot_mut(folder).children.insert(at, node);
    }

    fn detach(&mut self, node: Node) {
        let (folder, name) = (self.slot(node).parent, self.name(node));
        let children = &self.slot(folder).children;
        let first = children.partition_point(|child| self.name(*child) < name);
        // Several may have one name.
        if let Some(after) = children[first..].iter().position(|child| *child == node) {
            self.slot_mut(folder).children.remove(first + after);
        }
    }
}

/// What the disk holds, keyed by path.
pub type LocalTree = Tree<LocalEntry>;

/// A tree whose items also have an id of their own, each id once.
#[derive(Clone, Debug)]
pub struct IdTree<T> {
    tree: Tree<T>,
    by_id: HashMap<ItemId, Node>,
}

/// What has an [`ItemId`].
pub trait Identified {
    /// Its id.
    fn id(&self) -> &ItemId;
}

impl Identified for RemoteEntry {
    fn id(&self) -> &ItemId {
        &self.id
    }
}

impl Identified for BaseEntry {
    fn id(&self) -> &ItemId {
        &self.id
    }
}

/// What iCloud holds, under the name each item has there.
pub type RemoteTree = IdTree<RemoteEntry>;

/// What both sides agreed on, under the local names.
pub type BaseTree = IdTree<BaseEntry>;

impl<T: Identified> IdTree<T> {
    /// A tree that holds only its root.
    pub fn new(root: T) -> Self {
        let by_id = HashMap::from([(root.id().clone(), Node::ROOT)]);
        Self { tree: Tree::new(root), by_id }
    }

    /// The node with that id.
    pub fn by_id(&self, id: &ItemId) -> Option<Node> {
        self.by_id.get(id).copied()
    }

    /// Adds an item; one of the same id that was there before goes, with all below it.
    ///
    /// # Panics
    ///
    /// As [`Tree::insert`]; and when `folder` lies within the item of that id.
    pub fn insert(&mut self, folder: Node, name: &str, value: T) -> Node {
        if let Some(old) = self.by_id(value.id()) {
            assert!(!self.tree.is_within(folder, old), "an item cannot hold itself");
            self.remove(old);
        }
        let id = value.id().clone();
        let node = self.tree.insert(folder, name, value);
        self.by_id.insert(id, node);
        node
    }

    /// As [`Tree::remove`].
    pub fn remove(&mut self, node: Node) -> Vec<T> {
        let values = self.tree.remove(node);
        for value in &values {
            self.by_id.remove(value.id());
        }
        values
    }

    /// Replaces what is known of `node`; its id may change with it, and `false` says that
    /// another item has that id and nothing was done.
    pub fn replace(&mut self, node: Node, value: T) -> bool {
        let old = self.tree.get(node).id().clone();
        if old != *value.id() {
            if self.by_id.contains_key(value.id()) {
                return false;
            }
            self.by_id.remove(&old);
            self.by_id.insert(value.id().clone(), node);
        }
        *self.tree.get_mut(node) = value;
        true
    }

    /// Changes what is known of `node`; the id must stay ([`IdTree::replace`] changes it).
    pub fn update(&mut self, node: Node, change: impl FnOnce(&mut T)) {
        let before = self.tree.get(node).id().clone();
        change(self.tree.get_mut(node));
        assert!(*self.tree.get(node).id() == before, "an id changes through replace only");
    }

    /// As [`Tree::relink`].
    pub fn relink(&mut self, node: Node, folder: Node, name: &str) {
        self.tree.relink(node, folder, name);
    }
}

impl<T> std::ops::Deref for IdTree<T> {
    type Target = Tree<T>;

    /// All that only reads.
    fn deref(&self) -> &Tree<T> {
        &self.tree
    }
}

/// Side table: one value for each node of a tree.
#[derive(Clone, Debug)]
pub struct NodeMap<V> {
    values: Vec<V>,
}

impl<V: Clone> NodeMap<V> {
    /// A table for all nodes that `tree` has now, each with `value`.
    pub fn new<T>(tree: &Tree<T>, value: V) -> Self {
        Self { values: vec![value; tree.capacity()] }
    }
}

impl<V> std::ops::Index<Node> for NodeMap<V> {
    type Output = V;
    fn index(&self, node: Node) -> &V {
        &self.values[node.index()]
    }
}

impl<V> std::ops::IndexMut<Node> for NodeMap<V> {
    fn index_mut(&mut self, node: Node) -> &mut V {
        &mut self.values[node.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    fn sample() -> (Tree<u8>, Node, Node) {
        let mut tree = Tree::new(0);
        let folder = tree.insert(Node::ROOT, "b", 1);
        let file = tree.insert(folder, "c", 2);
        tree.insert(Node::ROOT, "a", 3);
        (tree, folder, file)
    }

    #[test]
    fn moving_a_folder_moves_what_it_holds() {
        let (mut tree, folder, file) = sample();
        let target = tree.insert(Node::ROOT, "z", 4);
        tree.relink(folder, target, "y");
        assert_eq!(tree.path(file), path("z/y/c"));
        assert_eq!(tree.find(&path("z/y/c")), Some(file));
        assert_eq!(tree.find(&path("b/c")), None);
    }

    #[test]
    fn walking_goes_parents_first_in_name_order() {
        let (tree, ..) = sample();
        let names: Vec<_> = tree.walk(Node::ROOT).map(|node| tree.path(node).as_str().to_owned()).collect();
        assert_eq!(names, ["", "a", "b", "b/c"]);
    }

    #[test]
    fn removing_takes_all_below_and_the_slots_are_used_again() {
        let (mut tree, folder, file) = sample();
        assert_eq!(tree.remove(folder), [1, 2]);
        assert!(!tree.contains(file));
        assert_eq!(tree.len(), 2);
        let capacity = tree.capacity();
        tree.insert(Node::ROOT, "new", 9);
        assert_eq!(tree.capacity(), capacity);
    }

    #[test]
    fn of_several_of_one_name_the_one_that_is_meant_goes() {
        let mut tree = Tree::new(0);
        let [one, two, three] = [1, 2, 3].map(|value| tree.insert(Node::ROOT, "same", value));
        tree.insert(Node::ROOT, "a", 4);
        tree.insert(Node::ROOT, "z", 5);
        assert_eq!(tree.remove(two), [2]);
        assert!(tree.contains(one) && tree.contains(three));
        assert_eq!(tree.children(Node::ROOT).len(), 4);
    }

    #[test]
    #[should_panic(expected = "into itself")]
    fn a_folder_cannot_move_into_itself() {
        let (mut tree, folder, _) = sample();
        let inner = tree.insert(folder, "d", 7);
        tree.relink(folder, inner, "x");
    }
}
