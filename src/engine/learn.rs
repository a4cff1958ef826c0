//! After a pass: what we did ourselves enters what is known of both sides, so that the next plan needs no walk.

use std::sync::Arc;

use super::observe::local::rescan;
use super::operation::{Action, Plan};
use super::pass::{Engine, Settings};
use super::ports::Ports;
use super::view::RemoteView;
use crate::model::{BaseEntry, Change, FolderState, ItemId, Node, RelPath, RemoteEntry, RemoteKind};

impl Engine {
    /// Brings what was forgotten into what is known of iCloud.
    pub(super) fn learn(&mut self, forgotten: &[ItemId]) {
        let Some(view) = self.remote.as_mut().filter(|_| !forgotten.is_empty()) else { return };
        let view = Arc::make_mut(view);
        for id in forgotten {
            // What is forgotten but still there comes back with the next walk.
            if let Some(node) = view.tree.by_id(id).filter(|node| *node != Node::ROOT)
                && self.state.base.by_id(id).is_none()
            {
                view.tree.remove(node);
            }
            view.absent.remove(id);
        }
    }

    /// Reads the folders again in which the plan worked here; where that fails the next pass scans everything.
    pub(super) fn look_again(&mut self, ports: &Ports<'_>, settings: &Settings, plan: &Plan) {
        let mut folders = Vec::new();
        for operation in &plan.operations {
            let places: &[&RelPath] = match &operation.action {
                Action::MoveLocal { local, .. } => &[&operation.path, &local.path],
                Action::MakeLocalFolder { .. } | Action::Download { .. } | Action::TrashLocal { .. } => {
                    &[&operation.path]
                }
                Action::Compare { local, .. } | Action::Settle { local, .. } => &[&local.path],
                _ => &[],
            };
            folders.extend(places.iter().filter_map(|path| path.parent()));
        }
        folders.sort_unstable();
        folders.dedup();
        if folders.is_empty() {
            return;
        }
        let may_skip = |path: &RelPath| settings.filter.may_skip_subtree(path.as_str());
        if let Some(mut view) = self.local.take()
            && rescan(ports.disk, ports.clock, &mut view, &folders, &may_skip).is_ok()
        {
            self.local = Some(view);
        }
    }
}

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
        signature: None,
        // A folder that we have just made holds what we put there.
        state: state.unwrap_or(FolderState::Complete),
        file_count: None,
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
