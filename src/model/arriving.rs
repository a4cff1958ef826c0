use super::{Etag, Identity, ItemId, RelPath, ServerTime, Signature};

/// What is about to get its name here, as iCloud showed it. Until the base says so, only this tells that it is no new item, or edit, of a
/// person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arriving {
    /// Where it comes to.
    pub path: RelPath,
    /// Its id on iCloud.
    pub id: ItemId,
    /// The folder on iCloud that it is in.
    pub parent: ItemId,
    /// Its version there.
    pub etag: Etag,
    /// Its name there.
    pub name: String,
    /// Whether it is a folder.
    pub folder: bool,
    /// Whether it is a package, kept as one opaque zip.
    pub package: bool,
    /// Its size there in bytes, where it was told.
    pub size: Option<u64>,
    /// Its modification time there.
    pub mtime: Option<ServerTime>,
    /// The signature of the content that comes; `None` for a folder.
    pub content: Option<Signature>,
    /// What it can be found by where somebody moves it, on file systems that keep that; of a folder once it is made.
    pub identity: Option<Identity>,
}
