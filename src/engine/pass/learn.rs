//! After a pass: what we did ourselves enters what is known of both sides, so that the next plan needs no look at either.

use std::sync::Arc;

use super::{Engine, Settings};
use crate::engine::observe::local::rescan;
use crate::engine::operation::{Action, Operation, Plan};
use crate::engine::ports::Ports;
use crate::model::{ItemId, Node, RelPath};

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

    /// Notes that what was carried out may have moved etags on iCloud.
    pub(super) fn mix_marks(&mut self, plan: &Plan) {
        let is_here_alone = |operation: &Operation| {
            matches!(
                operation.action,
                Action::Agree { .. }
                    | Action::Forget { .. }
                    | Action::Keep { .. }
                    | Action::MakeLocalFolder { .. }
                    | Action::Download { .. }
                    | Action::MoveLocal { .. }
                    | Action::TrashLocal { .. }
            )
        };
        if !plan.operations.iter().all(is_here_alone)
            && let Some(view) = self.remote.as_mut().filter(|view| !view.marks.are_mixed)
        {
            Arc::make_mut(view).marks.are_mixed = true;
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
