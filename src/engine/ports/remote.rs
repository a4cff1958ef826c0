//! The port to iCloud Drive.

use std::io::{Read, Write};

use super::RemoteError;
use crate::model::{Etag, ItemId, RemoteEntry, ServerTime, Signature, Zone};

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
    /// Files below the folder, as the service counts them: a hint (`docs/protocol.md` §8.5).
    pub file_count: Option<u64>,
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

/// iCloud Drive. All calls block; all but those that say so change nothing. Short retries
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

    /// Makes several staged contents new files, in calls that may overlap: each by itself, in any order, and nothing else changes the
    /// drive meanwhile. All are over when this returns. Their names must differ also where a service folds case.
    fn commit_side_by_side(&self, commits: &[Commit<'_>]) -> Vec<Result<RemoteItem, RemoteError>> {
        commits.iter().map(|commit| self.commit(commit)).collect()
    }
}
