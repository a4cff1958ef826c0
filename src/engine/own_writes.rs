//! While a pass works: what is stored of our own writes enters what is known of iCloud.

use std::sync::Arc;

use super::view::RemoteView;
use crate::model::{BaseEntry, Change, FolderState, ItemId, Node, RemoteEntry, RemoteKind};

/// Brings what we did ourselves into what is known of iCloud as soon as it is stored, so that the next plan needs no walk. A long
/// pass keeps nothing of its changes but what was forgotten.
pub(super) struct OwnWrites<'a> {
    view: Option<&'a mut Arc<RemoteView>>,
    forgotten: Vec<ItemId>,
}

impl<'a> OwnWrites<'a> {
    /// Writes that `view`, what was last seen of iCloud, is to learn of.
    pub fn new(view: Option<&'a mut Arc<RemoteView>>) -> Self {
        Self { view, forgotten: Vec::new() }
    }

    /// A change is stored.
    pub fn stored(&mut self, change: &Change) {
        match (change, self.view.as_deref_mut()) {
            (Change::Put { parent, entry }, Some(view)) => see(Arc::make_mut(view), parent, entry),
            (Change::Remove(id), _) => self.forgotten.push(id.clone()),
            _ => {}
        }
    }

    /// What the base forgot.
    pub fn forgotten(self) -> Vec<ItemId> {
        self.forgotten
    }
}

/// What was agreed of an item is how it stands on iCloud.
fn see(view: &mut RemoteView, parent: &ItemId, entry: &BaseEntry) {
    let Some(folder) = view.tree.by_id(parent) else { return };
    let known = view.tree.by_id(&entry.id);
    if known.is_some_and(|node| node == Node::ROOT || view.tree.is_within(folder, node)) {
        return;
    }
    let state = known.map(|node| view.tree.get(node).state);
    let fresh = RemoteEntry {
        id: entry.id.clone(),
        kind: match known.map(|node| &view.tree.get(node).kind) {
            Some(kind) => kind.clone(),
            None if entry.folder => RemoteKind::Folder,
            None => RemoteKind::File,
        },
        name: entry.remote_name.clone(),
        etag: entry.etag.clone(),
        size: entry.remote_size,
        mtime: entry.remote_mtime,
        signature: None.into(),
        // A folder that we have just made holds what we put there.
        state: state.unwrap_or(FolderState::Complete),
    };
    match known {
        Some(node) => {
            view.tree.relink(node, folder, &entry.remote_name);
            view.tree.replace(node, fresh);
        }
        None => drop(view.tree.insert(folder, &entry.remote_name, fresh)),
    }
    view.absent.remove(&entry.id);
}
