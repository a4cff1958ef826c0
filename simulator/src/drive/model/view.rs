//! What a listing shows of items: copies, so that a listing can also show how things were (S-visible).

use std::collections::HashMap;
use std::sync::Arc;

use super::id::Doc;
use super::item::{Counts, Ix, Kind};

/// One item as the service shows it at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// The item itself.
    pub ix: Ix,
    /// What it is.
    pub kind: Kind,
    /// Its zone.
    pub zone: String,
    /// Its `docwsid`.
    pub doc: Doc,
    /// `TYPE::zone::docwsid`.
    pub drivewsid: String,
    /// The parent's `drivewsid`, `TRASH_ROOT`, or nothing for the root.
    pub parent: Option<String>,
    /// The parent's `docwsid`.
    pub parent_doc: Option<Doc>,
    /// Full name in the stored form.
    pub name: String,
    /// Name and extension as drivews shows them.
    pub parts: (String, String),
    /// As written.
    pub etag: String,
    /// Bytes; `None` for folders.
    pub size: Option<u64>,
    /// In milliseconds since 1970.
    pub created_ms: i64,
    /// In milliseconds since 1970.
    pub modified_ms: i64,
    /// In milliseconds since 1970.
    pub changed_ms: i64,
    /// Counts of a folder.
    pub counts: Option<Counts>,
    /// `restorePath` and `dateExpiration` (milliseconds since 1970) of a top-level trashed item.
    pub trashed: Option<(String, i64)>,
    /// Deleted for good.
    pub deleted: bool,
    /// The executable flag of the commit.
    pub executable: bool,
}

/// What a listing was made of: a folder, or the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listed {
    /// A folder.
    Folder(Ix),
    /// The top of the trash.
    Trash,
}

/// A listing, and until when it was true, in milliseconds since 1970.
type OldListing = (i64, Arc<[View]>);

/// Older states of listings, each with the moment until which it was true.
#[derive(Debug, Default)]
pub struct Snapshots {
    pub(super) of: HashMap<Listed, Vec<OldListing>>,
}

impl Snapshots {
    /// Drops states that no listing can show any more.
    pub(super) fn forget_before(&mut self, now_ms: i64, visible_ms: i64) {
        self.of.retain(|_, states| {
            states.retain(|(until, _)| until.saturating_add(visible_ms) > now_ms);
            !states.is_empty()
        });
    }
}
