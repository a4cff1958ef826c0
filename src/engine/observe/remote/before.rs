//! What the look before saw, as far as it saves reading folders once more.

use std::collections::HashMap;

use crate::engine::plan::too_deep;
use crate::engine::ports::{Listing, RemoteItem, RemoteParent};
use crate::engine::view::{FolderMarks, RemoteView};
use crate::model::{Etag, FolderState, ItemId, Node, RemoteEntry, RemoteTree};

/// What the look before saw.
pub(super) struct Before<'a> {
    pub tree: &'a RemoteTree,
    spared: Option<Spared<'a>>,
}

/// What says of a folder that it need not be read.
struct Spared<'a> {
    marks: &'a FolderMarks,
    /// What the look before could not use of what a folder holds.
    unusable: HashMap<&'a ItemId, Vec<(String, String)>>,
}

impl<'a> Before<'a> {
    /// Each folder is read, in brief at least.
    pub fn of(tree: &'a RemoteTree) -> Self {
        Self { tree, spared: None }
    }

    /// A folder is not read while it has the etag that it was read with.
    pub fn sparing(view: &'a RemoteView) -> Self {
        let tree = &view.tree;
        let mut unusable: HashMap<&ItemId, Vec<(String, String)>> = HashMap::new();
        for (folder, name, why) in view.unusable.iter().filter(|(_, _, why)| *why != too_deep()) {
            if let Some(node) = tree.find(folder) {
                unusable.entry(&tree.get(node).id).or_default().push((name.clone(), why.clone()));
            }
        }
        Self { tree, spared: Some(Spared { marks: &view.marks, unusable }) }
    }

    /// A folder that it read completely, and what was in it.
    fn folder(&self, id: &ItemId) -> Option<(Node, Vec<&'a RemoteEntry>)> {
        let node = self.tree.by_id(id)?;
        (self.tree.get(node).state == FolderState::Complete)
            .then(|| (node, self.tree.children(node).iter().map(|child| self.tree.get(*child)).collect()))
    }

    /// Whether it read that folder completely.
    pub fn has_read(&self, id: &ItemId) -> bool {
        self.tree.by_id(id).is_some_and(|node| self.tree.get(node).state == FolderState::Complete)
    }

    /// The full listing that a brief one stands for, when the same children have the same etags as at that
    /// look: name, size and time cannot have changed then (`docs/protocol.md` §7.2).
    pub fn unchanged(&self, id: &ItemId, brief: Listing) -> Option<Listing> {
        let (_, before) = self.folder(id)?;
        if brief.folder.state != FolderState::Complete || brief.items.len() != before.len() {
            return None;
        }
        let etags: HashMap<_, _> =
            brief.items.iter().map(|item| (&item.entry.id, &item.entry.etag)).collect();
        let same = before
            .iter()
            .all(|entry| !entry.etag.as_str().is_empty() && etags.get(&entry.id) == Some(&&entry.etag));
        same.then(|| Listing { items: as_listed(id, &before), ..brief })
    }

    /// What a listing of a folder that has this etag now would show, where the folder need not be read.
    pub fn spared(&self, id: &ItemId, etag: &Etag) -> Option<Listing> {
        let spared = self.spared.as_ref().filter(|spared| spared.marks.get(id) == Some(etag))?;
        let (node, before) = self.folder(id)?;
        Some(Listing {
            folder: self.tree.get(node).clone(),
            items: as_listed(id, &before),
            unusable: spared.unusable.get(id).cloned().unwrap_or_default(),
            file_count: None,
        })
    }
}

/// What a folder held, as a listing of it shows that.
fn as_listed(folder: &ItemId, entries: &[&RemoteEntry]) -> Vec<RemoteItem> {
    let item = |entry: &&RemoteEntry| RemoteItem {
        entry: RemoteEntry { state: FolderState::Unread, ..(*entry).clone() },
        parent: RemoteParent::Folder(folder.clone()),
    };
    entries.iter().map(item).collect()
}
