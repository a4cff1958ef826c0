//! What only time, or an earlier pass, can settle.

use std::collections::{HashMap, HashSet};

use super::{Engine, PassOptions};
use crate::engine::operation::Plan;
use crate::engine::ports::StoreError;
use crate::model::{Change, Node, RelPath, RemoteEntry, RemoteKind, SetAside};

/// Two looks at a file without a size must lie so far apart, in seconds (`docs/sync.md` §3).
const SIZELESS_SECONDS: i64 = 10;

impl Engine {
    /// What is left alone by rule is seen as such, and not planned again until it changes.
    pub(super) fn hide_left_alone(&mut self) {
        let Some(view) = self.remote.as_mut() else { return };
        for (id, etag) in &self.left_alone {
            let new = self.state.base.by_id(id).is_none();
            if let Some(node) = view.tree.by_id(id).filter(|node| new && view.tree.get(*node).etag == *etag) {
                view.tree.update(node, |entry| entry.kind = RemoteKind::Foreign);
            }
        }
    }

    /// Forgets that items were set aside that are not there any more under that path, or that need nothing now:
    /// the world has settled them, and nobody would ever clear them.
    pub(super) fn clear_set_aside(
        &mut self,
        plan: &Plan,
        options: &PassOptions<'_>,
        now: i64,
    ) -> Result<(), StoreError> {
        let (Some(local), Some(remote)) = (&self.local, &self.remote) else { return Ok(()) };
        if self.state.set_aside.is_empty() || !remote.complete || !local.failed.is_empty() {
            return Ok(());
        }
        let planned: HashSet<&RelPath> = plan.operations.iter().map(|operation| &operation.path).collect();
        let told: HashSet<&RelPath> = plan.notes.iter().map(|note| &note.path).collect();
        let is_there = |path: &RelPath| {
            local.tree.find(path).is_some()
                || remote.tree.find(path).is_some()
                || self.state.base.find(path).is_some()
        };
        let settled = |(path, item): &(&RelPath, &SetAside)| {
            let waits = !options.ignore_next_try && item.next_try.is_none_or(|next| next > now);
            !planned.contains(path) && !told.contains(path) && !(waits && is_there(path))
        };
        let changes: Vec<_> =
            self.state.set_aside.iter().filter(settled).map(|(path, _)| path.clone()).collect();
        let changes: Vec<_> = changes.into_iter().map(|path| Change::SetAside(path, None)).collect();
        if changes.is_empty() { Ok(()) } else { self.commit(&changes) }
    }

    /// A file that had content and is shown without a size is empty once two looks that lie far enough apart agree on
    /// its version. Until then the planner leaves it alone.
    pub(super) fn settle_sizes(&mut self, now: i64) {
        let Some(view) = self.remote.as_mut() else { return };
        let mut seen = HashMap::new();
        let base = &self.state.base;
        for node in view.tree.walk(Node::ROOT).collect::<Vec<_>>() {
            let entry = view.tree.get(node);
            let plain = entry.kind == RemoteKind::File && entry.size.is_none();
            if !plain || base.by_id(&entry.id).is_none_or(|known| base.get(known).package) {
                continue;
            }
            let before = self.sizeless.get(&entry.id).filter(|(etag, _)| *etag == entry.etag);
            let since = before.map_or(now, |(_, since)| *since);
            seen.insert(entry.id.clone(), (entry.etag.clone(), since));
            if now.saturating_sub(since) >= SIZELESS_SECONDS {
                view.tree.update(node, |entry| entry.size = Some(0));
            }
        }
        self.sizeless = seen;
    }

    /// Brings our own writes into what is known of iCloud, so that the next plan needs no walk.
    pub(super) fn learn(&mut self, changes: &[Change]) {
        let Some(view) = self.remote.as_mut() else { return };
        for change in changes {
            match change {
                Change::Remove(id) => {
                    // What is forgotten but still there comes back with the next walk.
                    if let Some(node) = view.tree.by_id(id).filter(|node| *node != Node::ROOT)
                        && self.state.base.by_id(id).is_none()
                    {
                        view.tree.remove(node);
                    }
                    view.absent.remove(id);
                }
                Change::Put { parent, entry } => {
                    let Some(folder) = view.tree.by_id(parent) else { continue };
                    let known = view.tree.by_id(&entry.id);
                    if known.is_some_and(|node| node == Node::ROOT || view.tree.is_within(folder, node)) {
                        continue;
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
                        state: state.unwrap_or(crate::model::FolderState::Complete),
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
                _ => {}
            }
        }
    }
}
