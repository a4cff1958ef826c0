//! Moves and renames, here and on iCloud.

use crate::engine::operation::{Action, LocalSeen, Operation, Parent, RemoteSeen};
use crate::engine::ports::RemoteItem;
use crate::model::{BaseEntry, Intent, ItemId, LocalEntry, LocalKind, LocalStamp, RelPath};

use super::agree::{effect, is_racy};
use super::done::Done;
use super::known::moved;
use super::lane::Lane;
use super::recover;
use super::relocate::relocate;
use super::report::{EffectKind, StepFailure};
use super::verified_calls;

/// A folder on iCloud, and a name in it.
type Place = (ItemId, Box<str>);

impl Lane<'_> {
    /// Moves or renames here, to the operation's path.
    pub(super) fn move_local(
        &mut self,
        operation: &Operation,
        remote: Option<&RemoteSeen>,
        local: &LocalSeen,
    ) -> Result<(), StepFailure> {
        let (from, to) = (local.path.clone(), &operation.path);
        let local = self.own.local(local);
        let owner = remote.and_then(|remote| self.ledger.entry(&remote.id));
        if let Some((_, owner)) = owner
            && owner.stamp.identity != local.stamp.identity
        {
            self.ledger.clear_identity(local.stamp.identity, &owner.id);
            self.ledger.flush()?;
        }
        let (after, noted) = match self.ports.disk.rename(&from, to, &local.stamp) {
            Err(error) if error.crosses() => self.move_across(remote, (&from, to), &local)?,
            other => (other?, None),
        };
        if after.kind == LocalKind::Folder {
            self.ledger.moved_folder(&|path| moved(path, &from, to));
        }
        self.ledger.touched(from.parent());
        self.ledger.touched(to.parent());
        let old = remote.and_then(|remote| self.ledger.entry(&remote.id));
        self.own.learn(Done::MovedLocal {
            from: from.clone(),
            to: to.clone(),
            before: local.stamp,
            after: after.stamp,
            kind: after.kind,
        });
        if let (Some(remote), Some((_, before))) = (remote, old) {
            let remote = self.own.remote(remote);
            let entry = self.moved(before, &remote, &local, &after.stamp, to.name());
            self.ledger.put(&remote.parent, entry)?;
        }
        if let Some(number) = noted {
            self.ledger.end(number);
        }
        self.outcome.counts.moved_local += 1;
        let kind = if from.parent() == to.parent() { EffectKind::Rename } else { EffectKind::Move };
        self.told(effect(operation, kind, Some(from)));
        Ok(())
    }

    /// A move to another file system gives the item another identity, so an intent is stored first: after a crash in between it must
    /// not look like one that a person deleted, beside a new one. Both sides meet as new then, and compare.
    fn move_across(
        &mut self,
        remote: Option<&RemoteSeen>,
        (from, to): (&RelPath, &RelPath),
        local: &LocalSeen,
    ) -> Result<(LocalEntry, Option<u64>), StepFailure> {
        let known = remote.filter(|remote| self.ledger.entry(&remote.id).is_some());
        let noted = known.map(|remote| {
            let old = remote.id.clone();
            self.ledger.begin(Intent::TakeOver { old, path: from.clone(), stamp: local.stamp })
        });
        let noted = noted.transpose()?;
        match self.ports.disk.move_across(from, to, &local.stamp) {
            Ok(after) => Ok((after, noted)),
            Err(error) => {
                // The original is where it was.
                if let Some(number) = noted {
                    self.ledger.end(number);
                }
                Err(error.into())
            }
        }
    }

    /// The base entry at its new place. Where content differs from what was agreed the old marks stay, so
    /// that an edit that comes with the move is still seen as one after a crash.
    fn moved(
        &self,
        before: BaseEntry,
        remote: &RemoteSeen,
        local: &LocalSeen,
        after: &LocalStamp,
        local_name: &str,
    ) -> BaseEntry {
        let mut entry = before;
        let remote_same = entry.folder
            || (entry.etag.same_content(&remote.etag)
                && entry.remote_size == remote.size
                && entry.remote_mtime == remote.mtime);
        if remote_same {
            entry.etag = remote.etag.clone();
        }
        let read_same = entry.signature.is_some() && entry.signature == local.signature;
        if entry.folder || entry.stamp == local.stamp || read_same {
            let racy = is_racy(after, self.ports.clock.now());
            entry.racy = racy || (entry.racy && !read_same) || (read_same && local.racy);
            entry.stamp = *after;
        }
        entry.local_name = local_name.into();
        entry.remote_name = remote.name.clone();
        entry
    }

    /// Moves or renames on iCloud.
    pub(super) fn move_remote(
        &mut self,
        index: usize,
        operation: &Operation,
        (remote, local): (&RemoteSeen, Option<&LocalSeen>),
        (parent, wanted): (&Parent, &str),
        temporary: bool,
    ) -> Result<(), StepFailure> {
        let seen = self.own.remote(remote);
        let target = self.own.parent(parent)?;
        let local = local.map(|local| self.own.local(local));
        self.is_still_here(local.as_ref())?;
        if verified_calls::holder(self.ports.remote, &target, wanted, Some(&seen.id))?.is_some() {
            return Err(StepFailure::replan("another item on iCloud has this name"));
        }
        let from = (seen.parent.clone(), seen.name.clone());
        let lent = self.own.temporary(&seen.id);
        let intent = match lent {
            Some(number) => number,
            None => {
                let last = if temporary { self.destination(index, &seen.id) } else { None };
                let (to, here) = match (temporary, last) {
                    (false, _) => {
                        ((target.clone(), wanted.into()), local.as_ref().map(|local| local.path.name()))
                    }
                    (true, Some((to, here))) => (to, here),
                    // Where it shall go is not made yet: after a crash it goes back.
                    (true, None) => (from.clone(), None),
                };
                self.ledger.begin(Intent::Place {
                    id: seen.id.clone(),
                    folder: seen.folder,
                    from: from.clone(),
                    to,
                    temporary: temporary.then(|| wanted.into()),
                    here: here.map(Into::into),
                })?
            }
        };
        // The last thing before the first call: the service renames whatever the item is by then, and storing the intent took
        // its time.
        let checked = self
            .is_still_here(local.as_ref())
            .and_then(|()| verified_calls::check_into(self.ports.remote, &seen, &self.folders_of(&target)));
        let item = match checked {
            Ok(item) => item,
            Err(failure) => {
                if lent.is_none() {
                    self.ledger.end(intent);
                }
                return Err(failure);
            }
        };
        let base = &self.ledger.state().base;
        let was = base.by_id(&seen.id).map(|node| base.path(node));
        let moved = match relocate(&self.ports, item, seen.folder, (&target, wanted)) {
            Ok(moved) => moved,
            Err(failure) => {
                return Err(self.undo_move(&seen, intent, lent.is_none(), failure));
            }
        };
        // Between two calls of one move a person may have edited it: then the version is not our own.
        if seen.folder || moved.entry.etag.same_content(&seen.etag) {
            self.own.learn(Done::ChangedRemote { before: remote.etag.clone(), after: moved.clone() });
        }
        if temporary {
            self.own.learn(Done::Parked { id: seen.id, intent });
        } else {
            self.moved_on_icloud(&seen, local.as_ref(), &moved, &target)?;
            self.own.learn(Done::Unparked(seen.id.clone()));
            self.ledger.end(intent);
            self.outcome.counts.moved_remote += 1;
        }
        let renamed = seen.parent == target;
        let kind = if renamed { EffectKind::Rename } else { EffectKind::Move };
        self.told(effect(operation, kind, was));
        Ok(())
    }

    fn moved_on_icloud(
        &mut self,
        seen: &RemoteSeen,
        local: Option<&LocalSeen>,
        moved: &RemoteItem,
        target: &ItemId,
    ) -> Result<(), StepFailure> {
        let (Some(local), Some((_, before))) = (local, self.ledger.entry(&seen.id)) else { return Ok(()) };
        // Whether somebody edited it is judged by the planned version: a move of ours edits nothing.
        let now = RemoteSeen { parent: target.clone(), name: moved.entry.name.clone(), ..seen.clone() };
        let mut entry = self.moved(before, &now, local, &local.stamp, local.path.name());
        if entry.etag == seen.etag && (seen.folder || moved.entry.etag.same_content(&seen.etag)) {
            entry.etag = moved.entry.etag.clone();
        }
        entry.written_at = Some(self.ledger.now_seconds());
        self.ensure_durable(&seen.id, local);
        self.added_into(target, &seen.id);
        self.ledger.put(target, entry)
    }

    /// What is to be moved on iCloud must still stand here.
    fn is_still_here(&self, local: Option<&LocalSeen>) -> Result<(), StepFailure> {
        let Some(local) = local else { return Ok(()) };
        let there = self.ports.disk.look(&local.path)?;
        if there.is_none_or(|entry| entry.stamp.identity != local.stamp.identity) {
            return Err(StepFailure::replan("it moved on here meanwhile"));
        }
        Ok(())
    }

    /// Puts a move right that did not come to its end. `is_first` says that the item bore no temporary name before it.
    fn undo_move(
        &mut self,
        seen: &RemoteSeen,
        intent: u64,
        is_first: bool,
        failure: StepFailure,
    ) -> StepFailure {
        if matches!(failure, StepFailure::End(_)) {
            return failure;
        }
        self.own.learn(Done::Unparked(seen.id.clone()));
        match recover::settle_stored(&self.ports, &mut self.ledger, intent) {
            Err(end @ StepFailure::End(_)) => end,
            // It stands where it did: the move itself may be tried again.
            Ok(false) if is_first => failure,
            // What cannot be settled now stays stored for the next recovery.
            Ok(_) | Err(_) => replanned(failure),
        }
    }

    /// Where a later operation brings the item for good: folder and name, and its name here.
    fn destination(&self, index: usize, id: &ItemId) -> Option<(Place, Option<&str>)> {
        self.plan.operations.iter().skip(index + 1).find_map(|operation| match &operation.action {
            Action::MoveRemote { remote, local, parent, name, temporary: false } if remote.id == *id => {
                let here = local.as_ref().map(|local| local.path.name());
                self.own.parent(parent).ok().map(|folder| ((folder, name.clone()), here))
            }
            _ => None,
        })
    }
}

/// A move that did not come to its end is planned anew, unless a new plan could only fail in the same way.
fn replanned(failure: StepFailure) -> StepFailure {
    match failure {
        StepFailure::Aside(why) => StepFailure::Aside(why),
        other => StepFailure::Replan(other.to_string()),
    }
}
