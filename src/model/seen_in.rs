//! In which folder the items of the base were seen last (`docs/sync.md` §1, P2).

use std::collections::BTreeSet;

use super::{Identity, ItemId};

/// By what the folder that is synced is known, and what of the base was never seen in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenIn {
    /// What the folder is known by; nothing before the first look, and where its file system gives folders no identity that lasts.
    pub root: Identity,
    /// Items that were seen last in another folder, or on another volume in it, from which this one was copied, and not here yet. That
    /// they are missing says nothing.
    pub unseen: BTreeSet<ItemId>,
}

impl Identity {
    /// Whether what was known as `self` is known as something else now. Who was known by nothing is no other one by being known now, and
    /// a time of birth counts only where both times there is one.
    pub fn is_another(&self, now: &Self) -> bool {
        let (then, born) = (self.birth.get(), now.birth.get());
        *self != Self::default()
            && (self.inode != now.inode || then.is_some() && born.is_some() && then != born)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DiskTime;

    #[test]
    fn a_folder_is_another_one_by_its_number_or_its_birth_where_both_are_known() {
        let of = |inode, birth: Option<i64>| Identity { inode, birth: birth.map(DiskTime).into() };
        let nothing = Identity::default();
        for (then, now, expected) in [
            (of(2, Some(7)), of(2, Some(7)), false),
            (of(2, Some(7)), of(2, Some(8)), true),
            (of(2, Some(7)), of(3, Some(7)), true),
            (of(2, None), of(3, None), true),
            // Another kernel tells births.
            (of(2, None), of(2, Some(8)), false),
            (of(2, Some(7)), of(2, None), false),
            // From a disk that has identities to one that has none.
            (of(2, Some(7)), nothing, true),
            (nothing, of(2, Some(7)), false),
            (nothing, nothing, false),
        ] {
            assert_eq!(then.is_another(&now), expected, "{then:?} {now:?}");
        }
    }
}
