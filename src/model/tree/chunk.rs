//! Chunks of a tree's places: in full, or leaning on another tree that says the same of most of them.

use std::sync::Arc;

use crate::model::Node;

/// What a tree says of an item, and where the item's name stands: each name is kept once.
pub trait Entry: Clone + std::fmt::Debug {
    /// What the tree keeps beside the entry where that does not know its own name; `()` where it does.
    type Label: Clone + std::fmt::Debug;

    /// Entries that have one of these in them: a tree of those may keep it for this one (`Tree::lean_on`).
    type Ground: Entry;

    /// The one that is in such an entry.
    fn of(ground: &Self::Ground) -> &Self;

    /// Its name there.
    fn label_of(ground: &Self::Ground) -> &Self::Label;

    /// The name as the tree is to keep it; an entry that knows its own takes this one.
    fn label(&mut self, name: &str) -> Self::Label;

    /// The name.
    fn name<'a>(&'a self, label: &'a Self::Label) -> &'a str;
}

/// So many bytes of nodes are copied at once when one of them changes while somebody else reads: as many as the allocators keep
/// together without a gap, those that two counts of who shares them and the allocator's own note take left out.
const CHUNK_BYTES: usize = 4080 - 20;

/// So many chunks are shared as one, so that a copy of a large tree costs little too.
pub(super) const BLOCK: usize = 64;

pub(super) type Block<T> = [Option<Chunk<T>>; BLOCK];

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
pub(super) enum LeanPlace {
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
pub(super) struct Ground<T: Entry>(pub(super) Vec<Arc<Block<T>>>);

impl<T: Entry> Ground<T> {
    fn get(&self, node: Node) -> Option<&T> {
        let (number, at) = Chunk::<T>::of(node.index());
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
    /// So many nodes lie in a chunk.
    pub const SIZE: usize = CHUNK_BYTES / size_of::<Option<Slot<T>>>();

    /// What a number is multiplied by to divide it by [`Self::SIZE`]: code for size divides, and takes ten times as long for that.
    const PER_CHUNK: u128 = u64::MAX as u128 / Self::SIZE as u128 + 1;

    /// The chunk of that place, and where in it the place is. Right for as many places as there can be nodes.
    pub fn of(index: usize) -> (usize, usize) {
        let number = ((index as u128 * Self::PER_CHUNK) >> 64) as usize;
        (number, index - number * Self::SIZE)
    }

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

impl<T: Entry + PartialEq> Chunk<T>
where
    T::Label: PartialEq,
{
    /// The same, leaning on `ground` instead of on what it leant on before. `None` where that makes no difference to it.
    pub fn leaning_on(
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
