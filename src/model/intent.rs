//! What is under way, as it survives a crash.

use super::name::Name;
use super::{Etag, ItemId, LocalStamp, RelPath, Signature};

/// What is about to be done, stored before its first call and cleared with what the base learns of it (`docs/sync.md` §6,
/// Intents): after a crash in between it is finished, undone or agreed on, and never taken for a person's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Replace `old` by trashing it and committing `document` under the name. If the new one
    /// cannot come, the old one is put back.
    ReplaceByTrash {
        /// The item that goes to the trash.
        old: ItemId,
        /// Its etag before.
        old_etag: Etag,
        /// The folder of both.
        parent: ItemId,
        /// The name of both.
        name: Name,
        /// `docwsid` that the new item gets.
        document: String,
        /// Where the new content lies here, and its fingerprint.
        path: RelPath,
        /// Fingerprint of the content that goes up.
        stamp: LocalStamp,
        /// Signature of the content that goes up.
        signature: Signature,
    },
    /// Bring an item to a folder and a name in several calls, perhaps through a temporary name.
    Place {
        /// The item.
        id: ItemId,
        /// Whether it is a folder.
        folder: bool,
        /// Where it was: folder and name.
        from: (ItemId, Name),
        /// Where it goes: folder and name.
        to: (ItemId, Name),
        /// A name that it may bear in between.
        temporary: Option<Name>,
        /// The name here of an item that stands here already as it shall on iCloud; `None` where nothing is to be agreed on.
        here: Option<Name>,
    },
    /// Contents that were sent ahead become files.
    Upload {
        /// The files.
        files: Vec<Upload>,
    },
    /// Folders are made in one folder.
    MakeFolders {
        /// The folder that they come into.
        parent: ItemId,
        /// What it held before that the base does not know.
        strangers: Vec<ItemId>,
        /// The folders: name on iCloud, path here, and what they are known by here.
        folders: Vec<(Name, RelPath, LocalStamp)>,
    },
    /// A folder went to the trash; what it held beyond the plan is to be put back.
    TrashFolder {
        /// The folder.
        id: ItemId,
        /// The folder it was in, and its name.
        from: (ItemId, Name),
        /// The items that were planned to go with it.
        planned: Vec<ItemId>,
    },
    /// Files went to the trash: after that they are no more, wherever a person may have moved what is here meanwhile.
    Trash {
        /// The files.
        ids: Vec<ItemId>,
    },
    /// Items go to the trash here, since they went on iCloud: where one does not stand any more that was us, and no person's
    /// deletion.
    TrashHere {
        /// The items, where they stand and what they are known by.
        items: Vec<(ItemId, RelPath, LocalStamp)>,
    },
    /// The file here that was `old`'s gives its place to the content of another item. Once that has happened what stands
    /// there is no edit of `old`.
    TakeOver {
        /// The item that had the place.
        old: ItemId,
        /// The place.
        path: RelPath,
        /// Its file.
        stamp: LocalStamp,
    },
    /// An item here is copied to another file system, where it has other identities. Once that has happened the base learns them.
    MoveAcross(Crossing),
}

/// A move here to another file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The item that it mirrors, in the version that was seen right before.
    pub id: ItemId,
    /// That version.
    pub etag: Etag,
    /// Its folder on iCloud, and its name there.
    pub parent: ItemId,
    /// Its name there.
    pub name: Name,
    /// Where it stands.
    pub from: RelPath,
    /// Where it goes.
    pub to: RelPath,
    /// What it is known by where it stands.
    pub stamp: LocalStamp,
}

/// Content that is about to become a file on iCloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// `docwsid` that a new item gets.
    pub document: Name,
    /// The item that it replaces in place, in the version that was seen right before; `None` for a new one.
    pub over: Option<(ItemId, Etag)>,
    /// The folder.
    pub parent: ItemId,
    /// The name.
    pub name: Name,
    /// Where the content lies here.
    pub path: RelPath,
    /// The fingerprint of the content that goes up.
    pub stamp: LocalStamp,
    /// The signature of the content that goes up.
    pub signature: Signature,
}

impl Upload {
    /// The id that the file gets as a new one.
    pub fn new_id(&self) -> ItemId {
        ItemId::new(self.parent.zone().clone(), &self.document)
    }
}
