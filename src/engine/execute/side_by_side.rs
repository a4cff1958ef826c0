//! Which new files are committed side by side.

use std::collections::BTreeSet;

use crate::engine::operation::{Action, UploadTarget};
use crate::model::{ItemId, name};

use super::lane::Lane;
use super::schedule::Class;
use super::transfer::Arrived;
use super::upload::{NewFile, UploadNew};

/// Of so many operations that follow, the folders are looked up ahead.
const AHEAD: usize = 400;

impl Lane<'_> {
    /// Whether the content of an operation lies on iCloud's servers.
    pub(super) fn is_staged(&self, index: usize) -> bool {
        matches!(self.arrived.get(&index), Some(Arrived::Staged(_)))
    }

    /// Commits a new file, and with it as many others as the window is wide.
    pub(super) fn commit_from(&mut self, first: usize) {
        let plan = self.task.plan;
        let group = self.side_by_side(first);
        let mut contents = Vec::new();
        let begun = self.task.ports.clock.uptime();
        for index in &group {
            self.tries.begins(*index, begun);
            self.schedule.take(Class::Lane, *index);
            if let Some(Arrived::Staged(content)) = self.arrived.remove(index) {
                contents.push((*index, content));
            }
        }
        let now: Vec<_> = contents.iter().map(|(index, content)| (*index, content)).collect();
        let announcement = self.announce(&now);
        let file = |(index, content): &(usize, _)| {
            let operation = &plan.operations[*index];
            let Action::Upload { local, target: UploadTarget::New { parent, name } } = &operation.action
            else {
                return None;
            };
            let (content, again) = (Clone::clone(content), self.tries.has_failed(*index));
            Some(NewFile { index: *index, operation, local, parent, name, content, again })
        };
        let files = contents.iter().filter_map(file).collect();
        let stage = UploadNew { group: files, ahead: self.parents_ahead(first), announcement };
        let results = self.drive(&group, Box::new(stage));
        for ((index, result), (_, content)) in results.into_iter().zip(contents) {
            self.keep_arrived(index, Some(Arrived::Staged(content)), &result);
            self.finish(index, result);
        }
    }

    /// The operations that are committed together, from `first` on: new files whose content is there, as many as the window is wide,
    /// none of which failed before, and no two of one name in one folder.
    fn side_by_side(&self, first: usize) -> Vec<usize> {
        let mut group = vec![first];
        let width = self.own.window().width(self.task.ports.clock.uptime());
        if width == 1 || self.tries.has_failed(first) {
            return group;
        }
        let mut places: BTreeSet<_> = self.new_place(first).into_iter().collect();
        for index in self.schedule.on_lane() {
            let fits = index != first && self.is_staged(index) && !self.tries.has_failed(index);
            if fits && self.new_place(index).is_some_and(|place| places.insert(place)) {
                group.push(index);
            }
            if group.len() >= width {
                break;
            }
        }
        group
    }

    /// Where a new file comes: the folder, and what its name is on a service that folds case. `None` for all other operations.
    fn new_place(&self, index: usize) -> Option<(ItemId, String)> {
        let Action::Upload { target: UploadTarget::New { parent, name }, .. } =
            &self.task.plan.operations[index].action
        else {
            return None;
        };
        Some((self.own.parent(parent).ok()?, name::key(name, true).to_string()))
    }

    /// Where everything runs on one thread: the upload whose content is sent before `index` is committed, so that there is something
    /// to commit beside it.
    pub(super) fn to_send_before(&self, index: usize) -> Option<usize> {
        self.new_place(index).filter(|_| self.is_staged(index) && !self.tries.has_failed(index))?;
        let width = self.own.window().width(self.task.ports.clock.uptime());
        if self.side_by_side(index).len() >= width {
            return None;
        }
        let next = self.next_of(Class::Stage)?;
        self.new_place(next).map(|_| next)
    }

    /// The folders into which the next new files go, once each, as far as they are made.
    fn parents_ahead(&self, first: usize) -> Vec<ItemId> {
        let mut folders = Vec::new();
        for operation in self.task.plan.operations.iter().skip(first).take(AHEAD) {
            if let Action::Upload { target: UploadTarget::New { parent, .. }, .. } = &operation.action
                && let Ok(folder) = self.own.parent(parent)
                && folders.last() != Some(&folder)
            {
                folders.push(folder);
            }
        }
        folders.dedup();
        folders
    }
}
