//! Facts about what our own calls of this pass did: what was done, never what is to be done about it.

use crate::engine::ports::RemoteItem;
use crate::model::{Etag, ItemId, LocalKind, LocalStamp, RelPath};

/// One thing that happened because of us, as the answer or a look showed it. [`super::known::OwnChanges::learn`] is the one
/// place where it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Done {
    /// An item here was moved or renamed.
    MovedLocal {
        /// Where it was.
        from: RelPath,
        /// Where it is.
        to: RelPath,
        /// Its stamp right before.
        before: LocalStamp,
        /// Its stamp right after: a rename changes the ctime.
        after: LocalStamp,
        /// What it is; a folder takes with it what is remembered of the paths in it.
        kind: LocalKind,
    },
    /// An item on iCloud has another version, place or name by a call of ours.
    ChangedRemote {
        /// The version right before.
        before: Etag,
        /// The item as the call left it.
        after: RemoteItem,
    },
    /// The operation of this index has its folder on iCloud.
    MadeRemoteFolder {
        /// The operation's index.
        operation: usize,
        /// The folder.
        id: ItemId,
        /// When that was seen, in Unix seconds.
        at: i64,
    },
    /// Folders on iCloud were seen outside the trash.
    SeenAlive {
        /// The folders.
        folders: Vec<ItemId>,
        /// When, in Unix seconds.
        at: i64,
    },
    /// An item of ours went into a folder on iCloud.
    AddedTo {
        /// The folder.
        folder: ItemId,
        /// What went into it.
        id: ItemId,
    },
    /// An item on iCloud bears a temporary name, which that intent is about.
    Parked {
        /// The item.
        id: ItemId,
        /// The intent's number.
        intent: u64,
    },
    /// An item on iCloud bears no temporary name any more.
    Unparked(ItemId),
    /// Deletions here were noted in an intent.
    Announced {
        /// The items.
        ids: Vec<ItemId>,
        /// The intent's number.
        intent: u64,
    },
    /// The commits of uploads were noted in an intent.
    AnnouncedUploads {
        /// Each operation's index and the `docwsid` of its content.
        documents: Vec<(usize, Box<str>)>,
        /// The intent's number.
        intent: u64,
    },
    /// The upload of that operation is over, well or not.
    UploadOver {
        /// The operation's index.
        operation: usize,
    },
    /// A move was done that leaves something at a temporary name, or comes of one that did.
    LeftUnfinished {
        /// The operation's index.
        operation: usize,
    },
}
