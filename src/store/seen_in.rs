//! In which folder the base was seen, as it is stored.

use serde::{Deserialize, Serialize};

use crate::model::{DiskTime, Identity, ItemId, SeenIn};

/// A [`SeenIn`] in JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredSeenIn {
    /// Inode number and birth time of the folder, where it has any that last.
    root: Option<(u64, Option<i64>)>,
    /// Ids of items.
    unseen: Vec<String>,
}

impl From<&SeenIn> for StoredSeenIn {
    fn from(seen_in: &SeenIn) -> Self {
        let Identity { inode, birth } = seen_in.root;
        let is_known = seen_in.root != Identity::default();
        Self {
            root: is_known.then(|| (inode, birth.get().map(|birth| birth.0))),
            unseen: seen_in.unseen.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<StoredSeenIn> for SeenIn {
    fn from(stored: StoredSeenIn) -> Self {
        let known =
            |(inode, birth): (u64, Option<i64>)| Identity { inode, birth: birth.map(DiskTime).into() };
        Self {
            root: stored.root.map(known).unwrap_or_default(),
            unseen: stored.unseen.iter().filter_map(|id| ItemId::from_text(id)).collect(),
        }
    }
}
