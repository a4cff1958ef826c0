//! Facts about what our own calls of this pass did: what was done, never what is to be done about it.

use std::time::Duration;

use crate::engine::operation::{LocalSeen, Reason, RemoteSeen};
use crate::engine::ports::{ItemVersion, RemoteItem};
use crate::model::name::Name;
use crate::model::{
    BaseEntry, Etag, ItemId, LocalEntry, LocalStamp, Presence, RelPath, SeenAt, Side, Signature, Upload,
};

/// One thing that happened because of us, as the answer or a look showed it. [`super::known::OwnChanges::learn`] is the one
/// place where it is remembered, [`super::agree::agree`] the one that says what the base learns from it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Done {
    /// Both sides hold the same.
    Agreed {
        /// The item on iCloud.
        remote: RemoteSeen,
        /// The item here.
        local: LocalSeen,
        /// The signature of both contents where they were read just now.
        read: Option<Signature>,
    },
    /// The base is to know nothing of an item any more.
    Forgotten(ItemId),
    /// It turned out that an item is not agreed on any more.
    Lost(ItemId),
    /// A folder stands on that side.
    PresenceSet {
        /// The folder.
        id: ItemId,
        /// The side.
        presence: Presence,
        /// The folder and the name that it has there, where the base knows others.
        place: Option<(ItemId, Name)>,
        /// What it is known by here, where that is another one.
        stamp: Option<LocalStamp>,
    },
    /// A folder was made here, at the operation's path.
    MadeLocalFolder {
        /// The folder that it mirrors.
        remote: RemoteSeen,
        /// As it is here.
        entry: LocalEntry,
    },
    /// An item here was moved or renamed.
    MovedLocal {
        /// As it was.
        local: LocalSeen,
        /// Where it is.
        to: RelPath,
        /// As it is: a rename changes the ctime. A folder takes with it what is remembered of the paths in it.
        after: LocalEntry,
        /// The item on iCloud that it mirrors, where there is one.
        remote: Option<RemoteSeen>,
    },
    /// What is in a folder that was moved to another file system here is known by other identities.
    CrossedWithin(Vec<Crossed>),
    /// An item on iCloud has another version, place or name by a call of ours.
    ChangedRemote {
        /// The version right before.
        before: Etag,
        /// The item as the call left it.
        after: RemoteItem,
    },
    /// An item on iCloud was moved or renamed.
    MovedRemote {
        /// As it was.
        remote: RemoteSeen,
        /// The item here that it mirrors, where one is there.
        local: Option<LocalSeen>,
        /// As it is.
        after: RemoteItem,
        /// The folder it is in.
        target: ItemId,
        /// The intent that is about its temporary name, if it has one now.
        temporary: Option<u64>,
    },
    /// The operation of this index has its folder on iCloud.
    MadeRemoteFolder {
        /// The operation's index.
        operation: usize,
        /// The folder.
        remote: RemoteSeen,
        /// The folder here that it mirrors.
        local: LocalSeen,
        /// When that was seen, in seconds that the state has lived through.
        at: i64,
    },
    /// Folders on iCloud were seen outside the trash.
    SeenAlive {
        /// The folders.
        folders: Vec<ItemId>,
        /// When, in seconds that the state has lived through.
        at: i64,
    },
    /// An item of ours went into a folder on iCloud.
    AddedTo {
        /// The folder.
        folder: ItemId,
        /// What went into it.
        id: ItemId,
    },
    /// Content of ours is a file on iCloud.
    Uploaded {
        /// The file on iCloud.
        remote: RemoteSeen,
        /// The file here that was read.
        local: LocalSeen,
        /// Its signature.
        signature: Signature,
        /// When reading began.
        read_at: SeenAt,
        /// The item that went to iCloud's trash for it.
        instead_of: Option<ItemId>,
    },
    /// Content went to iCloud, which is what the operation is about.
    Sent {
        /// Its bytes.
        bytes: u64,
        /// Why, where that is not the operation's reason.
        reason: Reason,
        /// Whether it won a conflict.
        is_conflict: bool,
    },
    /// Commits of new files, one or several side by side, were answered.
    Answered {
        /// How many.
        commits: usize,
        /// Whether one was refused for what overlapping may be the reason of.
        is_refused: bool,
        /// When all were answered, by the time since the boot.
        at: Duration,
    },
    /// A version on iCloud was overwritten.
    Overwrote,
    /// Whether the service's signature of a content was the one that it has.
    Calibrated(bool),
    /// The service does not take replacements in place.
    InPlaceRefused,
    /// An item came back from iCloud's trash.
    CameBack {
        /// The item as the base knows it.
        id: ItemId,
        /// As it is; its id may be another one.
        back: RemoteItem,
    },
    /// Something that was begun before is on iCloud as it is shown there.
    Found {
        /// The folder.
        parent: ItemId,
        /// What both sides agree on of it.
        entry: Box<BaseEntry>,
    },
    /// Fetched content was put in place, at the operation's path.
    Installed {
        /// The version on iCloud; whether it is a package is what came.
        remote: RemoteSeen,
        /// As it is here.
        entry: LocalEntry,
        /// Its signature.
        signature: Signature,
        /// Whether the service's signature fitted.
        matched: bool,
    },
    /// Another item's content has the place of an item: fetched, at the operation's path, or sent by an operation that was cut short.
    TookOver {
        /// The other item.
        old: ItemId,
        /// Whose content it is.
        heir: ItemId,
    },
    /// Content came here, which is what the operation is about.
    Fetched {
        /// Its bytes.
        bytes: u64,
    },
    /// Both versions of a conflict have found their place.
    ConflictSettled {
        /// The version that was kept beside it.
        kept: Option<RelPath>,
        /// Bytes that came.
        bytes: u64,
    },
    /// A version of a person's was brought to another name.
    KeptBeside {
        /// Where it was, if that was a name that others see.
        from: Option<RelPath>,
        /// Where it is.
        to: RelPath,
        /// Its stamp there.
        stamp: LocalStamp,
    },
    /// A file that was to stay here for good does not stand there.
    NotLocalOnly(RelPath),
    /// An item went to the local trash.
    TrashedLocal {
        /// The item in the base.
        id: Option<ItemId>,
        /// Where it was.
        path: RelPath,
    },
    /// An item is in the trash of that side, or gone, by us.
    Trashed {
        /// The side.
        on: Side,
        /// The item.
        id: ItemId,
        /// What was planned to go with it, wherever the base has that.
        with: Vec<ItemId>,
    },
    /// An item went to iCloud's trash, which is what the operation is about.
    DeletedRemote,
    /// A folder in iCloud's trash is to be deleted for good at the end of the pass.
    Doomed(Doomed),
    /// An item on iCloud bears no temporary name any more.
    Unparked(ItemId),
    /// Deletions here, or folders to be made, were noted in an intent that ends with the pass.
    Announced {
        /// The items that are to be deleted.
        ids: Vec<ItemId>,
        /// The intent's number.
        intent: u64,
    },
    /// The commits of uploads were noted in an intent.
    AnnouncedUploads {
        /// Each operation's index and the `docwsid` of its content.
        documents: Vec<(usize, Name)>,
        /// The intent's number.
        intent: u64,
    },
    /// The commit of that operation's content may have been carried out, and no look has shown what it did.
    LeftOpen {
        /// The operation's index.
        operation: usize,
        /// The version that the answer told, where it told one.
        etag: Option<Etag>,
    },
    /// A look said that this commit had no effect. It may have it later: a gateway gave up waiting (504), and the service goes on.
    MayComeLate(Box<Upload>),
    /// The upload of that operation is over.
    UploadOver {
        /// The operation's index.
        operation: usize,
        /// Whether the base knows what came of it.
        is_known: bool,
    },
    /// A move was done that leaves something at a temporary name, or comes of one that did.
    LeftUnfinished {
        /// The operation's index.
        operation: usize,
    },
    /// What an intent is about is over.
    NoteOver(u64),
    /// What an intent is about was settled by a look at the world: stored at once, so that it is not settled again.
    Settled(u64),
}

/// A folder in iCloud's trash that is to be deleted for good.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Doomed {
    /// The operation that deleted it.
    pub(super) index: usize,
    pub(super) version: ItemVersion,
    /// What was to go with it.
    pub(super) planned: Vec<ItemId>,
    /// When it went to the trash, by the time since the boot.
    pub(super) since: Duration,
}

/// What came along when the folder that holds it was copied to another file system.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Crossed {
    /// Where it stands now.
    pub(super) to: RelPath,
    /// What it was known by.
    pub(super) before: LocalStamp,
    /// What it is known by now.
    pub(super) after: LocalStamp,
    /// Whether nobody saw it right after it was copied: what it is known by may be that of an edit since, with the old size and time.
    pub(super) is_doubtful: bool,
}
