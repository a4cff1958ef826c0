//! Deletions: to the trash of either side.

use std::collections::HashMap;
use std::time::Duration;

use crate::engine::operation::{Action, LocalSeen, Operation, RemoteSeen};
use crate::engine::ports::{DiskError, ItemVersion, RemoteItem, RemoteParent};
use crate::model::{Etag, Intent, ItemId, RelPath, Side};

use super::agree::effect;
use super::done::Done;
use super::lane::Lane;
use super::recover;
use super::report::{EffectKind, StepFailure};
use super::unplanned::{Unplanned, holds_unplanned};
use super::verified_calls;

/// So many deletions here are noted in one go.
const NOTED_AT_ONCE: usize = 500;

impl Lane<'_> {
    /// To the local trash; a folder must be empty but for junk.
    pub(super) fn trash_local(
        &mut self,
        operation: &Operation,
        id: Option<&ItemId>,
        local: &LocalSeen,
    ) -> Result<(), StepFailure> {
        let local = self.own.local(local);
        self.note_deletions(id, &local)?;
        self.ports.disk.trash(&local.path, &local.stamp)?;
        self.ledger.removed_folder(&local.path);
        self.ledger.touched(local.path.parent());
        if let Some(id) = id {
            self.ledger.count_deletions(Side::Local, id);
            self.ledger.forget(id);
        }
        self.outcome.counts.deleted_local += 1;
        self.told(effect(operation, EffectKind::Delete, None));
        Ok(())
    }

    /// Stores, before the first of them goes, which items go to the local trash, many at a time: after a crash one that is
    /// gone here must not look like one that a person deleted.
    fn note_deletions(&mut self, id: Option<&ItemId>, local: &LocalSeen) -> Result<(), StepFailure> {
        let Some(id) = id.filter(|id| !self.own.is_announced(id)) else { return Ok(()) };
        let mut items = vec![(id.clone(), local.path.clone(), local.stamp)];
        for operation in &self.plan.operations {
            if let Action::TrashLocal { id: Some(other), local, .. } = &operation.action
                && items.len() < NOTED_AT_ONCE
                && other != id
                && !self.own.is_announced(other)
            {
                items.push((other.clone(), local.path.clone(), self.own.local(local).stamp));
            }
        }
        let ids: Vec<_> = items.iter().map(|(id, ..)| id.clone()).collect();
        let number = self.ledger.begin(Intent::TrashHere { items })?;
        self.own.learn(Done::Announced { ids, intent: number });
        Ok(())
    }

    /// To iCloud's trash: one folder, or several files.
    pub(super) fn trash_remote(&mut self, group: &[usize]) -> Vec<(usize, Result<(), StepFailure>)> {
        let all = |failure: StepFailure| group.iter().map(|index| (*index, Err(failure.clone()))).collect();
        if let Err(error) = self.ports.disk.check_root() {
            return all(error.into());
        }
        let mut results = Vec::new();
        let mut doomed = Vec::new();
        for index in group {
            let Action::TrashRemote { remote, subtree, absent } = &self.plan.operations[*index].action else {
                results.push((*index, Err(StepFailure::replan("it deletes nothing"))));
                continue;
            };
            match self.is_absent(absent.as_ref()) {
                Ok(()) => doomed.push((*index, self.own.remote(remote), subtree, absent.as_ref())),
                Err(failure) => results.push((*index, Err(failure))),
            }
        }
        if let [(index, seen, subtree, absent)] = &doomed[..]
            && seen.folder
        {
            let result = self.trash_folder(*index, seen, subtree, *absent);
            results.push((*index, result));
            return results;
        }
        let seen: Vec<_> = doomed.iter().map(|(_, seen, ..)| seen.clone()).collect();
        if seen.is_empty() {
            return results;
        }
        let checked = match verified_calls::check(self.ports.remote, &seen) {
            Ok(checked) => checked,
            Err(failure) => {
                results.extend(doomed.iter().map(|(index, ..)| (*index, Err(failure.clone()))));
                return results;
            }
        };
        let mut asked = Vec::new();
        for ((index, seen, _, absent), item) in doomed.iter().zip(checked) {
            // That it is absent here is asked again right before it goes there (P2).
            match self.is_absent(*absent).and(item) {
                Ok(item) => asked.push((*index, seen, verified_calls::version(&item, seen.folder))),
                Err(failure) => results.push((*index, Err(failure))),
            }
        }
        let versions: Vec<_> = asked.iter().map(|(_, _, version)| version.clone()).collect();
        if versions.is_empty() {
            return results;
        }
        // After a crash in here what a person moved in between must not be found again as an item that was deleted there.
        let ids = versions.iter().map(|version| version.id.clone()).collect();
        let number = match self.ledger.begin(Intent::Trash { ids }) {
            Ok(number) => number,
            Err(failure) => {
                results.extend(asked.iter().map(|(index, ..)| (*index, Err(failure.clone()))));
                return results;
            }
        };
        // Storing that may have taken a while: nothing lies between this look here and the call.
        asked.retain(|(index, ..)| match self.is_absent(absent_of(&self.plan.operations[*index])) {
            Ok(()) => true,
            Err(failure) => {
                results.push((*index, Err(failure)));
                false
            }
        });
        let versions: Vec<_> = asked.iter().map(|(_, _, version)| version.clone()).collect();
        let trashed = if versions.is_empty() {
            Vec::new()
        } else {
            verified_calls::trash_all(self.ports.remote, &versions)
        };
        for ((index, seen, _), trashed) in asked.into_iter().zip(trashed) {
            results.push((index, trashed.map(|item| self.deleted(index, seen, &item, &[], true))));
        }
        // What did not go is tried again with a note of its own; only where the pass ends nobody looked what went.
        if !results.iter().any(|(_, result)| matches!(result, Err(StepFailure::End(_)))) {
            self.ledger.end(number);
        }
        results
    }

    /// What was deleted here must still be absent (P2).
    fn is_absent(&self, path: Option<&RelPath>) -> Result<(), StepFailure> {
        let mut at = path.cloned();
        while let Some(path) = at {
            match self.ports.disk.look(&path) {
                Ok(None) => return Ok(()),
                Ok(Some(_)) => return Err(StepFailure::replan("it is there again here")),
                // Its folder cannot be reached: absent too, if that was deleted with it.
                Err(DiskError::Folder { .. }) if path.parent().is_some_and(|folder| !folder.is_root()) => {
                    at = path.parent();
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Trashes a folder of which everything inside was planned for deletion, as a listing just now shows.
    fn trash_folder(
        &mut self,
        index: usize,
        seen: &RemoteSeen,
        subtree: &[(ItemId, Etag)],
        absent: Option<&RelPath>,
    ) -> Result<(), StepFailure> {
        let remote = self.ports.remote;
        let known: HashMap<_, _> = subtree.iter().map(|(id, etag)| (id, etag)).collect();
        let mut planned: Vec<_> = subtree.iter().map(|(id, _)| id.clone()).collect();
        for item in verified_calls::below(remote, &seen.id)? {
            let id = &item.entry.id;
            if (self.options.is_junk)(&item.entry.name) {
                planned.push(id.clone());
                continue;
            }
            // A folder's etag follows what is in it, and that is compared item by item.
            let fits = known.get(id).is_some_and(|etag| {
                item.entry.is_folder() || self.own.is_version(id, etag, &item.entry.etag)
            });
            if !fits {
                return Err(StepFailure::Replan(format!(
                    "it holds {:?}, which was not planned for",
                    item.entry.name
                )));
            }
        }
        self.is_absent(absent)?;
        let mut checked = verified_calls::check(remote, std::slice::from_ref(seen))?;
        let item =
            checked.pop().unwrap_or_else(|| Err(StepFailure::again("iCloud does not say where it is")))?;
        let number = self.ledger.begin(Intent::TrashFolder {
            id: seen.id.clone(),
            from: (seen.parent.clone(), seen.name.clone()),
            planned: planned.clone(),
        })?;
        if let Err(failure) = self.is_absent(absent) {
            self.ledger.end(number);
            return Err(failure);
        }
        let trashed = match verified_calls::trash(remote, &item, true) {
            Ok(trashed) => trashed,
            Err(failure @ StepFailure::End(_)) => return Err(failure),
            Err(failure) => {
                // The look inside says whether it was done after all.
                recover::settle_stored(&self.ports, &mut self.ledger, number)?;
                return Err(failure);
            }
        };
        let fits = |item: &RemoteItem| {
            let (id, etag) = (&item.entry.id, &item.entry.etag);
            let was = |was: &&Etag| was.same_content(etag) || self.own.is_version(id, was, etag);
            item.entry.is_folder() || known.get(id).is_none_or(was)
        };
        let was_listed = match holds_unplanned(remote, &seen.id, &planned, &fits) {
            Ok(Unplanned::Nothing) => true,
            Ok(Unplanned::Untold) => false,
            Ok(Unplanned::Something) => {
                verified_calls::put_back(&self.ports, &trashed, true, (&seen.parent, &seen.name))?;
                self.ledger.end(number);
                return Err(StepFailure::replan(
                    "something came into it while it was deleted; it is put back",
                ));
            }
            // Unsure what went with it: the intent stays and is settled at the next start.
            Err(failure) => return Err(failure),
        };
        self.deleted(index, seen, &trashed, &planned, was_listed);
        self.ledger.end(number);
        Ok(())
    }

    /// An item is in iCloud's trash: the base forgets it, and where it is so configured it goes for good; a folder only
    /// with what was listed in it there, else it stays in the trash.
    fn deleted(
        &mut self,
        index: usize,
        seen: &RemoteSeen,
        trashed: &RemoteItem,
        planned: &[ItemId],
        was_listed: bool,
    ) {
        let operation = &self.plan.operations[index];
        if self.options.remote_delete_permanent && was_listed && trashed.parent == RemoteParent::Trash {
            if seen.folder {
                let (since, etag) = (self.ports.clock.uptime(), trashed.entry.etag.clone());
                let version = ItemVersion { id: seen.id.clone(), folder: true, etag };
                self.doomed.push(Doomed { index, version, planned: planned.to_vec(), since });
            } else {
                verified_calls::delete_for_good(&self.ports, trashed, false);
            }
        }
        self.ledger.count_deletions(Side::Remote, &seen.id);
        self.ledger.forget(&seen.id);
        self.outcome.counts.deleted_remote += 1;
        self.told(effect(operation, EffectKind::Delete, None));
    }

    /// Deletes for good the folders that went to the trash in this pass, once listings must show all that came into them
    /// before: what was not planned to go keeps its folder in the trash. Where the pass ends before that they stay there too.
    pub(super) fn delete_for_good(&mut self) {
        let doomed = std::mem::take(&mut self.doomed);
        let Some(last) = doomed.iter().map(|doomed| doomed.since).max() else { return };
        let due = last.saturating_add(verified_calls::LISTINGS_LAG);
        if self.outcome.ended.is_some() || self.ports.clock.pause(self.until(due)).is_err() {
            return;
        }
        for Doomed { index, version, planned, .. } in doomed {
            let Action::TrashRemote { subtree, .. } = &self.plan.operations[index].action else { continue };
            let known: HashMap<_, _> = subtree.iter().map(|(id, etag)| (id, etag)).collect();
            let fits = |item: &RemoteItem| {
                let (id, etag) = (&item.entry.id, &item.entry.etag);
                let was = |was: &&Etag| was.same_content(etag) || self.own.is_version(id, was, etag);
                item.entry.is_folder() || known.get(id).is_none_or(was)
            };
            if let Ok(Unplanned::Nothing) = holds_unplanned(self.ports.remote, &version.id, &planned, &fits) {
                drop(self.ports.remote.delete_trashed(&[version]));
            }
        }
    }
}

/// A folder in iCloud's trash that is to be deleted for good.
pub(super) struct Doomed {
    /// The operation that deleted it.
    index: usize,
    version: ItemVersion,
    /// What was to go with it.
    planned: Vec<ItemId>,
    /// When it went to the trash, by the time since the boot.
    since: Duration,
}

/// The path here that must still be free when an item goes to iCloud's trash.
fn absent_of(operation: &Operation) -> Option<&RelPath> {
    match &operation.action {
        Action::TrashRemote { absent, .. } => absent.as_ref(),
        _ => None,
    }
}
