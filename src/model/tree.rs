//! The three trees, over one arena.
//!
//! A node knows its parent and its name; paths are made when somebody asks. So renaming a
//! folder of any size is one change, and a million items stay small.
//!
//! Copying a tree shares what it holds: the nodes lie in chunks, and the first change of one copies that chunk alone. So who
//! reads a tree beside its owner costs the owner next to nothing, and what was changed since is found without a look at the rest (`docs/size.md`, What an item weighs).

mod changed_copy;
mod chunk;
mod differences;
mod lean;

use std::sync::Arc;

use super::{Node, RelPath};
pub(super) use changed_copy::Renewed;
pub use chunk::Entry;
use chunk::{BLOCK, Block, Chunk, Ground};
pub(super) use chunk::{Place, Slot};
pub use differences::Difference;

/// Names in folders, each with what is known of the item. There is no item without its parent.
#[derive(Clone, Debug)]
pub struct Tree<T: Entry> {
    blocks: Vec<Arc<Block<T>>>,
    /// Places that were ever used.
    used: usize,
    free: Vec<Node>,
    len: usize,
    /// What chunks lean on that keep nothing of their own, as it was when they began to.
    ground: Option<Arc<Ground<T::Ground>>>,
}

impl<T: Entry> Tree<T> {
    /// A tree that holds only its root.
    pub fn new(mut root: T) -> Self {
        let label = root.label("");
        let mut tree = Self { blocks: Vec::new(), used: 0, free: Vec::new(), len: 0, ground: None };
        tree.add(Slot { parent: Node::ROOT, label, children: None, value: root });
        tree
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
        self.used
    }

    fn chunk(&self, number: usize) -> Option<&Chunk<T>> {
        self.blocks.get(number / BLOCK)?[number % BLOCK].as_ref()
    }

    fn chunk_mut(&mut self, number: usize) -> Option<&mut [Option<Slot<T>>]> {
        let block = Arc::make_mut(self.blocks.get_mut(number / BLOCK)?);
        Some(block[number % BLOCK].as_mut()?.slots_mut(self.ground.as_deref()))
    }

    fn place(&self, index: usize) -> Option<Place<'_, T>> {
        let (number, place) = Chunk::<T>::of(index);
        self.chunk(number)?.place(place, self.ground.as_deref())
    }

    pub(super) fn slot(&self, node: Node) -> Place<'_, T> {
        self.place(node.index()).expect("a node is used only with its own tree and until it is removed")
    }

    pub(super) fn slot_mut(&mut self, node: Node) -> &mut Slot<T> {
        let (number, place) = Chunk::<T>::of(node.index());
        self.chunk_mut(number)
            .and_then(|chunk| chunk[place].as_mut())
            .expect("a node is used only with its own tree and until it is removed")
    }

    fn add(&mut self, slot: Slot<T>) -> Node {
        let node = self.free.pop().unwrap_or_else(|| {
            self.used += 1;
            Node::at(self.used - 1)
        });
        let (number, place) = Chunk::<T>::of(node.index());
        if number / BLOCK == self.blocks.len() {
            self.blocks.push(Arc::new(std::array::from_fn(|_| None)));
        }
        let block = Arc::make_mut(&mut self.blocks[number / BLOCK]);
        let chunk = block[number % BLOCK].get_or_insert_with(|| Chunk::empty(Chunk::<T>::SIZE));
        chunk.slots_mut(self.ground.as_deref())[place] = Some(slot);
        self.len += 1;
        node
    }

    fn take(&mut self, node: Node) -> Option<Slot<T>> {
        let (number, place) = Chunk::<T>::of(node.index());
        let slot = self.chunk_mut(number)?[place].take()?;
        self.free.push(node);
        self.len -= 1;
        Some(slot)
    }

    /// What is known of `node`.
    pub fn get(&self, node: Node) -> &T {
        self.slot(node).value()
    }

    /// Whether `node` still stands in the tree.
    pub fn contains(&self, node: Node) -> bool {
        self.place(node.index()).is_some()
    }

    /// Its name in its folder; `""` for the root.
    pub fn name(&self, node: Node) -> &str {
        self.slot(node).name()
    }

    /// The folder that holds it; `None` for the root.
    pub fn parent(&self, node: Node) -> Option<Node> {
        (node != Node::ROOT).then(|| self.slot(node).parent())
    }

    /// What a folder holds, in byte order of the names.
    pub fn children(&self, folder: Node) -> &[Node] {
        self.slot(folder).children()
    }

    /// The first child of exactly that name.
    pub fn child(&self, folder: Node, name: &str) -> Option<Node> {
        let children = self.children(folder);
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

    /// Adds an item. The caller has checked `name` ([`super::name::check_name`]).
    ///
    /// # Panics
    ///
    /// When `name` cannot be part of a path: that is a bug of the caller.
    pub fn insert(&mut self, folder: Node, name: &str, mut value: T) -> Node {
        super::name::check_name(name).expect("edges check names before they enter a tree");
        let label = value.label(name);
        let node = self.add(Slot { parent: folder, label, children: None, value });
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
            if let Some(slot) = self.take(next) {
                doomed.extend(slot.children.iter().flat_map(|children| children.iter()));
                values.push(slot.value);
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
        super::name::check_name(name).expect("edges check names before they enter a tree");
        assert!(!self.is_within(folder, node), "a folder cannot move into itself");
        if self.slot(node).parent() == folder && self.name(node) == name {
            return;
        }
        self.detach(node);
        let slot = self.slot_mut(node);
        slot.parent = folder;
        slot.label = slot.value.label(name);
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

    pub(super) fn attach(&mut self, folder: Node, node: Node) {
        let at = {
            let (name, children) = (self.name(node), self.children(folder));
            // Who fills a folder in order has nothing to look for.
            match children.last() {
                Some(last) if self.name(*last) > name => {
                    children.partition_point(|child| self.name(*child) <= name)
                }
                _ => children.len(),
            }
        };
        self.slot_mut(folder).children.get_or_insert_default().insert(at, node);
    }

    pub(super) fn detach(&mut self, node: Node) {
        let (folder, name) = (self.slot(node).parent(), self.name(node));
        let children = self.children(folder);
        let first = children.partition_point(|child| self.name(*child) < name);
        // Several may have one name.
        if let Some(after) = children[first..].iter().position(|child| *child == node) {
            let slot = self.slot_mut(folder);
            if let Some(children) = &mut slot.children {
                children.remove(first + after);
            }
            if slot.children.as_ref().is_some_and(|children| children.is_empty()) {
                slot.children = None;
            }
        }
    }
}

/// Side table: one value for each node of a tree.
#[derive(Clone, Debug)]
pub struct NodeMap<V> {
    values: Vec<V>,
}

impl<V: Clone> NodeMap<V> {
    /// A table for all nodes that `tree` has now, each with `value`.
    pub fn new<T: Entry>(tree: &Tree<T>, value: V) -> Self {
        Self { values: vec![value; tree.capacity()] }
    }

    /// Makes room for all nodes that `tree` has now; those that are new get `value`.
    pub fn grow<T: Entry>(&mut self, tree: &Tree<T>, value: V) {
        if tree.capacity() > self.values.len() {
            self.values.resize(tree.capacity(), value);
        }
    }

    /// The value of a node; `None` as well where the table has no room for it.
    pub fn get<T>(&self, node: Node) -> Option<T>
    where
        V: Into<Option<T>>,
    {
        self.values.get(node.index()).cloned().and_then(Into::into)
    }

    /// Every node that the table has room for, with its value; some may not stand in the tree.
    pub fn iter(&self) -> impl Iterator<Item = (Node, &V)> {
        self.values.iter().enumerate().map(|(index, value)| (Node::at(index), value))
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
    use crate::model::name::Name;

    impl Entry for u8 {
        type Label = Name;
        type Ground = (u8, Name);

        fn of((value, _): &(u8, Name)) -> &u8 {
            value
        }

        fn label_of((_, name): &(u8, Name)) -> &Name {
            name
        }

        fn label(&mut self, name: &str) -> Name {
            name.into()
        }

        fn name<'a>(&'a self, label: &'a Name) -> &'a str {
            label
        }
    }

    impl Entry for (u8, Name) {
        type Label = ();
        type Ground = Self;

        fn of(ground: &Self) -> &Self {
            ground
        }

        fn label_of(_: &Self) -> &() {
            &()
        }

        fn label(&mut self, name: &str) {
            self.1 = name.into();
        }

        fn name<'a>(&'a self, (): &'a ()) -> &'a str {
            &self.1
        }
    }

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
    fn a_copy_stays_as_it_was_and_shares_what_nobody_changes() {
        let mut tree = Tree::new(0_u8);
        let last = 3 * Chunk::<u8>::SIZE - 1;
        let names = (0..=last).map(|number| format!("{number:03}"));
        let nodes: Vec<_> = names.map(|name| tree.insert(Node::ROOT, &name, 1)).collect();
        let copy = tree.clone();
        let shared = |tree: &Tree<u8>| {
            let both = (0..).map_while(|number| Some((tree.chunk(number)?, copy.chunk(number)?)));
            both.filter(|(one, other)| one.is_shared(other)).count()
        };
        let chunks = shared(&copy);
        assert_eq!(shared(&tree), chunks);
        assert_eq!(chunks, 4);
        tree.relink(nodes[last - 1], nodes[last - 2], "moved");
        tree.remove(nodes[last - 3]);
        assert_eq!(shared(&tree), chunks - 2, "the root's chunk and the third one were copied");
        assert_eq!(copy.name(nodes[last - 1]), format!("{:03}", last - 1));
        assert_eq!((copy.len(), copy.children(Node::ROOT).len()), (last + 2, last + 1));
        assert_eq!((tree.len(), tree.children(Node::ROOT).len()), (last + 1, last - 1));
    }

    #[test]
    fn each_place_is_in_the_chunk_that_a_division_says() {
        let size = Chunk::<u8>::SIZE;
        let last = u32::MAX as usize;
        for index in (0..5 * size).chain((1..1 << 16).map(|far| far * 65_521)).chain(last - size..=last) {
            assert_eq!(Chunk::<u8>::of(index), (index / size, index % size), "{index}");
        }
    }

    #[test]
    #[should_panic(expected = "into itself")]
    fn a_folder_cannot_move_into_itself() {
        let (mut tree, folder, _) = sample();
        let inner = tree.insert(folder, "d", 7);
        tree.relink(folder, inner, "x");
    }
}
