//! What the ledger is taught: the only words in which the base, and what must be durable before it, is spoken of.

use crate::model::{Arriving, BaseEntry, Change, ItemId, LocalStamp, RelPath, Side, Upload};

/// One thing that follows from what was done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Lesson {
    /// Both sides agree on an item. Fails where the base lacks the folder.
    Put {
        /// The folder on iCloud.
        parent: ItemId,
        /// What was agreed.
        entry: Box<BaseEntry>,
        /// Whether its content is durable already.
        written: bool,
    },
    /// As [`Lesson::Put`]; where the base lacks the folder the item is met as new on both sides, and compared.
    PutIfPossible {
        /// The folder on iCloud.
        parent: ItemId,
        /// What was agreed.
        entry: Box<BaseEntry>,
    },
    /// An item and all below it leaves the base, where it is there.
    Forget(ItemId),
    /// Anything else that is stored.
    Change(Change),
    /// Something changed in a folder here, which must be durable first.
    Touched(RelPath),
    /// A folder here went: what was done in it is made durable with the folder it was in.
    RemovedFolder(RelPath),
    /// A folder here was moved: what was done in it is found under its new path.
    MovedFolder {
        /// Where it was.
        from: RelPath,
        /// Where it is.
        to: RelPath,
    },
    /// A version of a person's stands beside its item, and must be durable before that is agreed on.
    KeptBeside(RelPath, LocalStamp),
    /// Items, and all that the base has below them, were deleted on that side, for the guard. Comes before they are forgotten.
    Deleted(Side, Vec<ItemId>),
    /// A file on iCloud was overwritten, for the guard.
    Overwrote,
    /// An upload had not come, and may come all the same. Comes before its intent ends.
    MayComeLate(Box<Upload>),
    /// Whether the service's signature was the expected one.
    Calibrated(bool),
    /// In-place replacement is not taken for this account.
    InPlaceRefused,
    /// What a line tells of that came here. Comes before it is agreed on.
    Came(Box<Arriving>),
    /// All that is pending is stored now.
    Flush,
}
