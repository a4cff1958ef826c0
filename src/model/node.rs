//! A place in a tree.

use std::num::NonZeroU32;

/// A place in one [`Tree`](super::Tree); meaningless in any other. One that may be missing takes no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(NonZeroU32);

impl Node {
    /// The root of every tree.
    pub const ROOT: Self = Self(NonZeroU32::MIN);

    /// The place of that number.
    pub(super) fn at(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("fewer than four billion items"))
    }

    /// A small dense number, for side tables.
    pub fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}
