//! One item of the drive and where it is.

use std::collections::BTreeSet;

use super::content::Content;
use super::id::ItemId;

/// An item's place in the model's memory; never reused.
pub type Ix = u32;

/// The Drive's root, always the first item.
pub const ROOT: Ix = 0;

/// What an item is (`docs/protocol.md §7.1`, `§7.3`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory that is shown as one document (`docs/protocol.md §11.5`).
    Package,
    /// A folder.
    Folder,
    /// The root of an app library (`docs/protocol.md §14`).
    Library {
        /// Whether the listing of the root leaves it out.
        hidden: bool,
    },
    /// A folder that somebody shares with the account (`docs/protocol.md §15`).
    SharedFolder,
    /// A folder below a shared one.
    FolderInShared,
    /// A file below a shared one.
    FileInShared,
}

impl Kind {
    /// Whether it can hold children.
    pub fn is_folder(self) -> bool {
        !matches!(self, Self::File | Self::Package | Self::FileInShared)
    }

    /// Whether it belongs to somebody else's share.
    pub fn is_shared(self) -> bool {
        matches!(self, Self::SharedFolder | Self::FolderInShared | Self::FileInShared)
    }

    /// The first part of a `drivewsid`.
    pub fn id_prefix(self) -> &'static str {
        match self {
            Self::File | Self::Package => "FILE",
            Self::Folder | Self::Library { .. } => "FOLDER",
            Self::SharedFolder => "SHARED_FOLDER",
            Self::FolderInShared => "FOLDER_IN_SHARED_FOLDER",
            Self::FileInShared => "FILE_IN_SHARED_FOLDER",
        }
    }

    /// The `type` member of an item.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Library { .. } => "APP_LIBRARY",
            other => other.id_prefix(),
        }
    }
}

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The Drive's root has no parent.
    Root,
    /// In a folder.
    In(Ix),
    /// At the top of the trash.
    Trash,
    /// Deleted for good.
    Gone,
}

/// What the trash remembers of a top-level item.
#[derive(Clone, Debug)]
pub struct Trashed {
    /// Where it was.
    pub parent: Ix,
    /// Its path from the Drive's root.
    pub restore_path: String,
    /// When it goes for good, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// Recursive numbers of a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files below, at any depth.
    pub files: u64,
    /// Sum of their sizes in bytes.
    pub bytes: u64,
}

/// Counts as a listing shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `fileCount`.
    pub files: u64,
    /// `assetQuota`, in bytes.
    pub quota: u64,
    /// `directChildrenCount`.
    pub direct: u64,
}

/// What only folders have.
#[derive(Debug, Default)]
pub struct Folder {
    /// Hash of the folded name, and the child: a listing's order, and the way to find a name.
    pub children: BTreeSet<(u64, Ix)>,
    /// True recursive numbers.
    pub totals: Totals,
    /// Counts that were true until the moment given with them, in milliseconds since 1970.
    pub count_history: Vec<(i64, Counts)>,
}

/// One item.
#[derive(Debug)]
pub struct Item {
    /// Its identity, which survives renames, moves, the trash and replacement in place.
    pub id: ItemId,
    /// What it is.
    pub kind: Kind,
    /// Full name in the stored form; empty for the root.
    pub name: Box<str>,
    /// Where it is.
    pub place: Place,
    /// Change number of the first etag token.
    pub meta_rev: u64,
    /// Change number of the content; 0 for folders.
    pub content_rev: u64,
    /// When the content came, in milliseconds since 1970.
    pub content_at_ms: i64,
    /// The content's change number that a client was last shown.
    pub shown_rev: u64,
    /// The content's change number that a client last had the content or signature of.
    pub known_rev: u64,
    /// Created, in milliseconds since 1970.
    pub created_ms: i64,
    /// Content time set by the uploader, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Last change of any kind, in milliseconds since 1970.
    pub changed_ms: i64,
    /// Whether the commit set `is_executable`.
    pub executable: bool,
    /// The bytes; `None` for folders and packages.
    pub content: Option<Content>,
    /// `Some` for folders.
    pub folder: Option<Box<Folder>>,
}
