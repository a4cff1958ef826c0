//! Chunks of a tree's places: in full, or leaning on another tree that says the same of most of them.

use std::sync::Arc;

use super::{BLOCK, Block, Entry, Tree};
use crate::model::Node;

/// A place in full.
#[derive(Clone, Debug)]
pub(in crate::model) struct Slot<T: Entry> {
    pub(super) parent: Node,
    pub(in crate::model) label: T::Label,
    /// Sorted by name; two children may bear one name on iCloud.
    pub(super) children: Children,
    pub(in crate::model) value: T,
}

/// What a folder holds. `None` is nothing: most items are files. Boxed twice, since a vector takes three words and a slice in a
/// box two.
#[allow(clippy::box_collection)]
pub(super) type Children = Option<Box<Vec<Node>>>;

/// A place that only says where it is: what is known of the item, and its name, stand at another place of another tree.
#[derive(Clone, Debug)]
pub(in crate::model) struct Leaning {
    parent: Node,
    /// Where in the other tree.
    on: Node,
    children: Children,
}

#[derive(Clone, Debug)]
enum LeanPlace {
    Leaning(Leaning),
    /// The number of a place among those that are in full; [`NOTHING`] where nothing stands.
    Own(u32),
}

const NOTHING: u32 = u32::MAX;

/// A chunk of which most places lean on another tree.
#[derive(Clone, Debug)]
pub(super) struct Lean<T: Entry> {
    places: Box<[LeanPlace]>,
    own: Box<[Slot<T>]>,
}

/// A tree that others lean on, as it was when they began to: the tree itself goes on, and copies what it changes.
#[derive(Clone, Debug)]
pub(super) struct Ground<T: Entry>(Vec<Arc<Block<T>>>);

impl<T: Entry> Ground<T> {
    fn get(&self, node: Node) -> Option<&T> {
        let (number, at) = Tree::<T>::chunk_of(node.index());
        match self.0.get(number / BLOCK)?[number % BLOCK].as_ref()? {
            Chunk::Full(slots) => slots[at].as_ref().map(|slot| &slot.value),
            // What others lean on leans on nothing.
            Chunk::Lean(_) => None,
        }
    }
}

/// So many of four places may say something of their own in a chunk that leans.
const MOST_OWN: usize = 2;

/// A chunk.
#[derive(Clone, Debug)]
pub(super) enum Chunk<T: Entry> {
    Full(Arc<[Option<Slot<T>>]>),
    Lean(Arc<Lean<T>>),
}

/// What stands at a place, however it is kept.
pub(in crate::model) enum Place<'a, T: Entry> {
    Own(&'a Slot<T>),
    Leaning(&'a Leaning, &'a T::Ground),
}

impl<T: Entry> Clone for Place<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Entry> Copy for Place<'_, T> {}

impl<'a, T: Entry> Place<'a, T> {
    pub fn parent(self) -> Node {
        match self {
            Self::Own(slot) => slot.parent,
            Self::Leaning(leaning, _) => leaning.parent,
        }
    }

    pub fn children(self) -> &'a [Node] {
        let children = match self {
            Self::Own(slot) => &slot.children,
            Self::Leaning(leaning, _) => &leaning.children,
        };
        children.as_deref().map_or(&[], Vec::as_slice)
    }

    pub fn value(self) -> &'a T {
        match self {
            Self::Own(slot) => &slot.value,
            Self::Leaning(_, ground) => T::of(ground),
        }
    }

    pub fn label(self) -> &'a T::Label {
        match self {
            Self::Own(slot) => &slot.label,
            Self::Leaning(_, ground) => T::label_of(ground),
        }
    }

    pub fn name(self) -> &'a str {
        self.value().name(self.label())
    }

    /// The same, which leans on nothing.
    fn to_slot(self) -> Slot<T> {
        match self {
            Self::Own(slot) => slot.clone(),
            Self::Leaning(leaning, ground) => Slot {
                parent: leaning.parent,
                label: T::label_of(ground).clone(),
                children: leaning.children.clone(),
                value: T::of(ground).clone(),
            },
        }
    }
}

impl<T: Entry> Chunk<T> {
    /// One with nothing in it.
    pub fn empty(size: usize) -> Self {
        Self::Full((0..size).map(|_| None).collect())
    }

    /// Whether both are one in memory.
    pub fn is_shared(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Full(one), Self::Full(other)) => Arc::ptr_eq(one, other),
            (Self::Lean(one), Self::Lean(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// What stands at one of its places; `ground` is what its tree leans on.
    pub fn place<'a>(&'a self, at: usize, ground: Option<&'a Ground<T::Ground>>) -> Option<Place<'a, T>> {
        match self {
            Self::Full(slots) => slots[at].as_ref().map(Place::Own),
            Self::Lean(lean) => match &lean.places[at] {
                LeanPlace::Own(number) => lean.own.get(*number as usize).map(Place::Own),
                LeanPlace::Leaning(leaning) => {
                    let ground = ground.expect("a tree with chunks that lean has what they lean on");
                    let known = ground.get(leaning.on).expect("what is leant on stays as it was");
                    Some(Place::Leaning(leaning, known))
                }
            },
        }
    }

    /// Its places, to change, in full.
    pub fn slots_mut(&mut self, ground: Option<&Ground<T::Ground>>) -> &mut [Option<Slot<T>>] {
        if let Self::Lean(lean) = self {
            let size = lean.places.len();
            let slots = (0..size).map(|at| self.place(at, ground).map(Place::to_slot)).collect();
            *self = Self::Full(slots);
        }
        match self {
            Self::Full(slots) => Arc::make_mut(slots),
            Self::Lean(_) => unreachable!("it was brought into full form just now"),
        }
    }
}

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
                let first = number * Self::CHUNK;
                number += 1;
                let Some(chunk) = &block[place] else { continue };
                let at = |place: usize| at(Node::at(first + place));
                if let Some(chunk) = chunk.leaning_on(Self::CHUNK, &ground, before.as_deref(), at) {
                    Arc::make_mut(block)[place] = Some(chunk);
                }
            }
        }
    }
}

impl<T: Entry + PartialEq> Chunk<T>
where
    T::Label: PartialEq,
{
    /// The same, leaning on `ground` instead of on what it leant on before. `None` where that makes no difference to it.
    fn leaning_on(
        &self,
        size: usize,
        ground: &Ground<T::Ground>,
        before: Option<&Ground<T::Ground>>,
        at: impl Fn(usize) -> Option<Node>,
    ) -> Option<Self> {
        let says_same = |on: Node, place: Place<'_, T>| {
            let known = ground.get(on);
            known.is_some_and(|known| T::label_of(known) == place.label() && T::of(known) == place.value())
        };
        let on = |number: usize| {
            let place = self.place(number, before)?;
            at(number).filter(|on| says_same(*on, place))
        };
        let on: Vec<Option<Node>> = (0..size).map(on).collect();
        if let Self::Lean(lean) = self {
            let is_same = |(place, on): (&LeanPlace, &Option<Node>)| match place {
                LeanPlace::Leaning(leaning) => *on == Some(leaning.on),
                LeanPlace::Own(_) => on.is_none(),
            };
            if lean.places.iter().zip(&on).all(is_same) {
                return None;
            }
        }
        let stand = || (0..size).filter_map(|number| Some((number, self.place(number, before)?)));
        let own = stand().filter(|(number, _)| on[*number].is_none()).count();
        if own * 4 > stand().count() * MOST_OWN {
            // What leant on something that is gone must stand by itself.
            let full =
                || Self::Full((0..size).map(|at| self.place(at, before).map(Place::to_slot)).collect());
            return matches!(self, Self::Lean(_)).then(full);
        }
        let mut places = vec![LeanPlace::Own(NOTHING); size];
        let mut slots = Vec::with_capacity(own);
        for (number, place) in stand() {
            places[number] = match on[number] {
                Some(on) => LeanPlace::Leaning(Leaning {
                    parent: place.parent(),
                    on,
                    children: boxed(place.children()),
                }),
                None => {
                    slots.push(place.to_slot());
                    LeanPlace::Own(u32::try_from(slots.len() - 1).unwrap_or(NOTHING))
                }
            };
        }
        Some(Self::Lean(Arc::new(Lean { places: places.into(), own: slots.into() })))
    }
}

/// The children of a folder, with no room for more.
pub(super) fn boxed(children: &[Node]) -> Children {
    (!children.is_empty()).then(|| Box::new(children.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::Name;

    /// All that can be read of a tree.
    fn told(tree: &Tree<u8>) -> Vec<(Node, Option<Node>, String, u8, Vec<Node>)> {
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
        for number in 0..4 * Tree::<u8>::CHUNK {
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
        assert!(most > 3 * Tree::<u8>::CHUNK, "{most} places leant");
    }

    #[test]
    fn a_chunk_of_which_nothing_changed_stays_shared() {
        let mut ground: Tree<(u8, Name)> = Tree::new((0, "".into()));
        let mut tree = Tree::new(0_u8);
        for number in 0..2 * Tree::<u8>::CHUNK {
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
