//! A place in a tree.

/// A place in one [`Tree`](super::Tree); meaningless in any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub(super) u32);

impl Node {
    /// The root of every tree.
    pub const ROOT: Self = Self(0);

    /// A small dense number, for side tables.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
