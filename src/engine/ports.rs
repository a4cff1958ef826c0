//! What the engine needs of the world: iCloud, a disk, a store, time and chance.
//!
//! Each has two implementations from the first day, the real and the simulated, and one
//! shared suite runs against both.

use std::io::{Read, Write};
use std::time::Duration;

use crate::model::{
    Change, DiskTime, Etag, ItemId, LocalEntry, LocalStamp, RelPath, RemoteEntry, ServerTime, Signature, Zone,
};

/// Why a request to iCloud did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The item changed after it was seen; nothing was done (`docs/protocol.md` §10).
    #[error("changed on iCloud meanwhile")]
    Stale,
    /// Another item has the name; nothing was done.
    #[error("another item on iCloud has this name")]
    NameTaken,
    /// The id does not resolve now. That alone proves no deletion (§8.3).
    #[error("iCloud knows no such item")]
    Gone,
    /// The service refuses it for good: the name, the size, the kind.
    #[error("iCloud refuses it: {0}")]
    Refused(String),
    /// The account's storage is full.
    #[error("the iCloud storage is full: {0}")]
    Quota(String),
    /// The service is busy or throttles; all short retries are used up. Nothing was done.
    #[error("iCloud is busy: {message}")]
    Busy {
        /// What it said.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// No answer came to a call that changes the drive: it may or may not have been carried out. Look before repeating.
    #[error("no answer came, so it is unknown whether iCloud did it: {0}")]
    Uncertain(String),
    /// iCloud cannot be reached; nothing was done.
    #[error("iCloud cannot be reached: {0}")]
    Unreachable(String),
    /// The account needs something first: password, second factor, terms, approval. The pass ends.
    #[error("{message}")]
    Account {
        /// One plain sentence, with what to do.
        message: String,
        /// The contract's exit code for `once`.
        exit_code: u8,
    },
    /// What came is not what was announced: wrong length, wrong signature, not the protocol. Worth another try.
    #[error("what iCloud sent is damaged: {0}")]
    Damaged(String),
    /// The program is asked to stop.
    #[error("stopped")]
    Stopped,
}

impl RemoteError {
    /// Whether the pass as a whole cannot go on: no other item would fare better.
    pub fn ends_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Account { .. } | Self::Stopped)
    }
}

/// Where an item hangs on iCloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteParent {
    /// In that folder.
    Folder(ItemId),
    /// In the trash, as a top-level entry of it.
    Trash,
    /// The answer did not tell.
    Untold,
}

/// One item as an answer showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteItem {
    /// What is known of it.
    pub entry: RemoteEntry,
    /// Where it hangs.
    pub parent: RemoteParent,
}

/// The contents of one folder as one answer showed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The folder's own entry; its `state` says whether the listing adds up
    /// (`numberOfItems == items.len()`, status OK; `docs/protocol.md` §8.1).
    pub folder: RemoteEntry,
    /// Its children. Names that no path can hold are in `unusable` instead.
    pub items: Vec<RemoteItem>,
    /// Children that cannot be synced at all, with the reason: they hold the folder alive.
    pub unusable: Vec<(String, String)>,
}

/// What a look-up says of one id (`docs/protocol.md` §8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// It exists, there.
    Found(RemoteItem),
    /// This call said that this id is gone, while an id known to be good was answered.
    Gone,
    /// No usable answer.
    Unknown,
}

/// An item in the version that was planned for: what a call that changes it must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemVersion {
    /// The item.
    pub id: ItemId,
    /// Whether it is a folder (its `drivewsid` begins with `FOLDER`).
    pub folder: bool,
    /// The etag that was seen.
    pub etag: Etag,
}

/// Where and what a content can be fetched (`docs/protocol.md` §11.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Offer {
    /// The item.
    pub id: ItemId,
    /// The version on offer; equals the listing's etag.
    pub etag: Etag,
    /// The signature, where it is one of the known form (§13).
    pub signature: Option<Signature>,
    /// The signature as text, whatever its form: resuming needs it unchanged.
    pub signature_text: String,
    /// Whether it is a package: a zip made on demand, of no foreseeable size.
    pub package: bool,
    /// The address; carries its own authorisation, so it is a secret.
    pub url: String,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offer")
            .field("id", &self.id)
            .field("etag", &self.etag)
            .field("package", &self.package)
            .finish_non_exhaustive()
    }
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The first byte that was written to the sink: the asked offset, or 0 when the service started over.
    /// The sink was told by [`Sink::restart`] before the first byte then.
    pub from: u64,
    /// Bytes written to the sink.
    pub written: u64,
}

/// Where fetched bytes go.
pub trait Sink: Write {
    /// Forgets what was written: the service starts over at byte 0.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    fn restart(&mut self) -> std::io::Result<()>;
}

/// Content that lies on iCloud's servers and is not visible yet (`docs/protocol.md` §12.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Staged {
    /// `docwsid` that a new item would get.
    pub document: String,
    /// The zone it was staged in.
    pub zone: Zone,
    /// Bytes sent.
    pub size: u64,
    /// The service's signature, where it is of the known form (§13).
    pub signature: Option<Signature>,
    /// What the commit must repeat (`data` of §12.3); holds secrets, opaque to the engine.
    pub receipt: serde_json::Value,
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staged")
            .field("document", &self.document)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Makes staged content a file (`docs/protocol.md` §12.3).
#[derive(Clone, Debug)]
pub struct Commit<'a> {
    /// The content.
    pub staged: &'a Staged,
    /// The folder it comes into.
    pub parent: &'a ItemId,
    /// Its full name.
    pub name: &'a str,
    /// The existing item that is replaced in place; `None` makes a new one, which fails with
    /// [`RemoteError::NameTaken`] when the name is taken.
    pub replaces: Option<&'a ItemId>,
    /// Modification time, whole seconds.
    pub mtime: ServerTime,
    /// Birth time, whole seconds.
    pub btime: ServerTime,
    /// Whether the owner may execute it here.
    pub executable: bool,
}

/// iCloud Drive. All calls block; all but the four that say so change nothing. Short retries
/// with back-off happen inside; what comes back as an error has used them up.
///
/// Calls that take several items answer each by itself, in the order asked.
pub trait Remote: Sync {
    /// Lists folders, all given ones; `brief` asks for ids and etags only where the service
    /// does that (`docs/protocol.md` §8.1) and children then have empty names.
    fn list(&self, folders: &[ItemId], brief: bool) -> Vec<Result<Listing, RemoteError>>;

    /// Lists the top level of the trash (§9).
    ///
    /// # Errors
    ///
    /// As every read.
    fn list_trash(&self) -> Result<Listing, RemoteError>;

    /// Looks items up by id, current even where listings lag (§8.2). The flag says whether it is a folder.
    ///
    /// # Errors
    ///
    /// When the call as a whole fails.
    fn look_up(&self, items: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError>;

    /// Makes folders in `parent` (§10.1). Changes the drive. The answer may bear another name
    /// than was asked, or be a folder that existed: the caller compares.
    fn create_folders(&self, parent: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>>;

    /// Renames an item (§10.2): unconditional on the service's side. Changes the drive.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Uncertain`] when no answer came.
    fn rename(&self, item: &ItemVersion, name: &str) -> Result<RemoteItem, RemoteError>;

    /// Moves items of one zone into `folder` (§10.3). Changes the drive.
    fn move_into(&self, folder: &ItemId, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>>;

    /// Moves items to the trash if they still have their etag (§10.4). Changes the drive. Success
    /// means that the answer shows the item in the trash.
    fn trash(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>>;

    /// Deletes trashed items for good (§10.5, §10.6). Changes the drive.
    fn delete_trashed(&self, items: &[ItemVersion]) -> Vec<Result<(), RemoteError>>;

    /// Puts trashed items back (§10.7). Changes the drive. Name and id may differ from before.
    fn put_back(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>>;

    /// Asks where contents can be fetched (§11.1), of files that are not empty.
    fn offers(&self, items: &[ItemId]) -> Vec<Result<Offer, RemoteError>>;

    /// Fetches content from byte `from` on into `sink` (§11.3, §11.4). `size` is the expected whole
    /// size; `None` for packages, which arrive as plain zips.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Damaged`] when fewer or more bytes came; what was written may be resumed.
    fn fetch(
        &self,
        offer: &Offer,
        size: Option<u64>,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Fetched, RemoteError>;

    /// Sends content ahead (§12.1, §12.2): `size` bytes of `body`. Nothing becomes visible.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Quota`] and [`RemoteError::Refused`] for good; the others may be tried again with a new body.
    fn stage(
        &self,
        zone: &Zone,
        name: &str,
        size: u64,
        body: &mut (dyn Read + Send),
    ) -> Result<Staged, RemoteError>;

    /// Makes staged content a file (§12.3). Changes the drive. The answer has been checked to show one document.
    ///
    /// # Errors
    ///
    /// [`RemoteError::NameTaken`]; [`RemoteError::Uncertain`] when no answer came.
    fn commit(&self, commit: &Commit<'_>) -> Result<RemoteItem, RemoteError>;
}

/// Why something on the disk did not happen.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The item is not what was planned for: changed, replaced, or gone. Nothing was done.
    #[error("{path}: changed here meanwhile")]
    Changed {
        /// The item.
        path: RelPath,
    },
    /// Something has the name already; nothing was done.
    #[error("{path}: something else has this name here")]
    Taken {
        /// The name.
        path: RelPath,
    },
    /// The folder that should hold it is not there, or the folder still holds something.
    #[error("{path}: the folder is not as planned")]
    Folder {
        /// The item.
        path: RelPath,
    },
    /// The disk cannot hold the name: too long, or a character it forbids.
    #[error("{path}: this disk cannot hold the name")]
    Name {
        /// The name.
        path: RelPath,
    },
    /// No space, or no quota, left.
    #[error("{path}: no space left on this disk")]
    Full {
        /// The item.
        path: RelPath,
    },
    /// The drive's root is not the one of this state: unmounted, swapped, or its marker is missing.
    #[error("{0}")]
    WrongRoot(String),
    /// Anything else the system said.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// The verb, as in "cannot read".
        what: &'static str,
        /// The item.
        path: RelPath,
        /// The system's words.
        source: std::io::Error,
    },
}

/// What one folder holds, read without error, on the file system the entries say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderReading {
    /// Children whose names are UTF-8, sorted by the bytes of the name. Folders have state `Unread`.
    pub entries: Vec<(Box<str>, LocalEntry)>,
    /// Children whose names no path can hold (not UTF-8), shown as well as can be.
    pub unnameable: Vec<String>,
}

/// What a download is known by while it waits in the drive's `.icloudds/tmp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadKey {
    /// The item.
    pub id: ItemId,
    /// The version; another one starts over.
    pub etag: Etag,
    /// The service's signature text; another one starts over (`docs/protocol.md` §11.4).
    pub signature_text: String,
    /// The whole size where known; space is checked against it.
    pub size: Option<u64>,
    /// Where the file will stand: it is written on that file system.
    pub path: RelPath,
}

/// A file that is being downloaded. Dropping it keeps what was written for a later resume.
pub trait Download: Sink + Send {
    /// Bytes that are there already.
    fn offset(&self) -> u64;

    /// Cuts nothing, sets the modification time and makes the content durable.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    fn finish(self: Box<Self>, mtime: Option<ServerTime>) -> Result<Ready, DiskError>;
}

/// A complete, durable file that is not visible under a real name yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Opaque name of it, for [`Disk::place`].
    pub slot: String,
    /// The file system it lies on, as its place's path.
    pub path: RelPath,
    /// Bytes.
    pub size: u64,
    /// Signature of the content.
    pub signature: Signature,
}

/// What putting a file in place displaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Displaced {
    /// The planned version; it is in the trash.
    AsPlanned,
    /// Somebody had changed it in between; it waits in that slot of the trash and must be rescued.
    Changed {
        /// Opaque name, for [`Disk::rescue`].
        slot: String,
    },
}

/// A local file open for reading.
pub trait Source: Read + Send {
    /// Signature of all that was read.
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`] when the file is not the planned one any more, or was not read to its end.
    fn finish(self: Box<Self>) -> Result<Signature, DiskError>;
}

/// The local drive. Nothing follows a symbolic link, nothing leaves the drive's root.
///
/// Every change is visible at once; it is durable after [`Disk::sync`].
pub trait Disk: Sync {
    /// Checks through the root's handle that the folder is still the one of this state.
    ///
    /// # Errors
    ///
    /// [`DiskError::WrongRoot`] with the sentence for the owner.
    fn check_root(&self) -> Result<(), DiskError>;

    /// Whether the drive's file system cannot hold names apart that differ only in case.
    fn folds_case(&self) -> bool;

    /// Reads one folder.
    ///
    /// # Errors
    ///
    /// Any: then nothing is known of its children.
    fn read_folder(&self, folder: &RelPath) -> Result<FolderReading, DiskError>;

    /// Looks at one item; `None` when its folder is readable and it is not there.
    ///
    /// # Errors
    ///
    /// When nobody can say.
    fn look(&self, path: &RelPath) -> Result<Option<LocalEntry>, DiskError>;

    /// Opens the file that `stamp` describes for reading.
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`] when it is another one now.
    fn open(&self, path: &RelPath, stamp: &LocalStamp) -> Result<Box<dyn Source>, DiskError>;

    /// Makes a folder in an existing one.
    ///
    /// # Errors
    ///
    /// [`DiskError::Taken`] when the name is taken.
    fn make_folder(&self, path: &RelPath) -> Result<LocalEntry, DiskError>;

    /// Begins or resumes a download.
    ///
    /// # Errors
    ///
    /// [`DiskError::Full`] when it cannot fit.
    fn download(&self, key: &DownloadKey) -> Result<Box<dyn Download>, DiskError>;

    /// Puts a finished download under a free name.
    ///
    /// # Errors
    ///
    /// [`DiskError::Taken`]: the download waits on.
    fn place(&self, ready: &Ready, to: &RelPath) -> Result<LocalEntry, DiskError>;

    /// Puts a finished download in the place of the file that `stamp` describes, which goes to the
    /// trash; mode, extended attributes, ACLs and owner are kept.
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`] when another file is there already at the first look.
    fn replace(
        &self,
        ready: &Ready,
        at: &RelPath,
        stamp: &LocalStamp,
    ) -> Result<(LocalEntry, Displaced), DiskError>;

    /// Drops a finished download that nobody wants any more.
    fn discard(&self, ready: &Ready);

    /// Brings a displaced version from its slot in the trash to a free name.
    ///
    /// # Errors
    ///
    /// [`DiskError::Taken`]: it stays in the trash.
    fn rescue(&self, slot: &str, to: &RelPath) -> Result<LocalEntry, DiskError>;

    /// Renames within the drive, to a free name. Of `stamp` kind and identity must fit, for files size and
    /// mtime too.
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`], [`DiskError::Taken`].
    fn rename(&self, from: &RelPath, to: &RelPath, stamp: &LocalStamp) -> Result<LocalEntry, DiskError>;

    /// Exchanges two items in one step.
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`] when one is not as planned.
    fn exchange(&self, a: (&RelPath, &LocalStamp), b: (&RelPath, &LocalStamp)) -> Result<(), DiskError>;

    /// Moves a file to the local trash, or removes an empty folder (junk such as `.DS_Store` in it goes to the trash).
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`]; [`DiskError::Folder`] when the folder holds something.
    fn trash(&self, path: &RelPath, stamp: &LocalStamp) -> Result<(), DiskError>;

    /// Makes all changes so far in these folders durable.
    ///
    /// # Errors
    ///
    /// Any: then the base must not be committed.
    fn sync(&self, folders: &[RelPath]) -> Result<(), DiskError>;
}

/// Why the state could not be stored.
#[derive(Debug, thiserror::Error)]
#[error("cannot save the sync state: {0}")]
pub struct StoreError(pub String);

/// Where the state is stored.
pub trait Store {
    /// Makes a group of changes durable, all or none.
    ///
    /// # Errors
    ///
    /// When it cannot; nothing of the group is stored then.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError>;
}

/// The program is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Time and chance, from outside.
pub trait Clock: Sync {
    /// Wall-clock time, nanoseconds since 1970.
    fn now(&self) -> DiskTime;

    /// Waits that long.
    ///
    /// # Errors
    ///
    /// [`Stopped`] at once when the program is to end.
    fn pause(&self, time: Duration) -> Result<(), Stopped>;

    /// A number from 0 up to, but not including, 1.
    fn unit_random(&self) -> f64;
}
