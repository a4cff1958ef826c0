//! Moves and renames, here and on iCloud.

use crate::engine::operation::{Action, LocalSeen, Operation, Parent, RemoteSeen};
use crate::engine::ports::{LookUp, RemoteItem};
use crate::model::{BaseEntry, Intent, ItemId, LocalKind, LocalStamp, RelPath, name};

use super::agree::{effect, is_racy};
use super::lane::Lane;
use super::recover;
use super::relocate::relocate;
use super::report::{EffectKind, StepFailure};
use super::verified_calls;

impl Lane<'_> {
    /// Moves or renames here, to the operation's path.
    pub(super) fn move_local(
        &mut self,
        operation: &Operation,
        remote: Option<&RemoteSeen>,
        local: &LocalSeen,
    ) -> Result<(), StepFailure> {
        let (from, to) = (local.path.clone(), &operation.path);
        let local = self.local_now(local);
        let owner = remote.and_then(|remote| self.ledger.entry(&remote.id));
        if let Some((_, owner)) = owner
            && owner.stamp.identity != local.stamp.identity
        {
            self.ledger.clear_identity(local.stamp.identity, &owner.id);
            self.ledger.flush()?;
        }
        let after = self.ports.disk.rename(&from, to, &local.stamp)?;
        if after.kind == LocalKind::Folder {
            self.moved_paths(&from, to);
        }
        self.ledger.touched(from.parent());
        self.ledger.touched(to.parent());
        let old = remote.and_then(|remote| self.ledger.entry(&remote.id));
        // What comes after it in the plan names the stamp that it had before all of its moves.
        let moved_before = self.own_stamps.remove(if after.kind == LocalKind::Folder { to } else { &from });
        let planned = moved_before.filter(|(_, now)| *now == local.stamp).map(|(before, _)| before);
        self.own_stamps.insert(to.clone(), (planned.unwrap_or(local.stamp), after.stamp));
        if let (Some(remote), Some((_, before))) = (remote, old) {
            let remote = self.versions.current(remote);
            let entry = self.moved(before, &remote, &local, &after.stamp, to.name());
            self.ledger.put(&remote.parent, entry)?;
        }
        self.outcome.counts.moved_local += 1;
        let kind = if from.parent() == to.parent() { EffectKind::Rename } else { EffectKind::Move };
        self.told(effect(operation, kind, Some(from)));
        Ok(())
    }

    /// What is remembered of paths below a folder is found under its new path.
    fn moved_paths(&mut self, from: &RelPath, to: &RelPath) {
        let moved = |path: &RelPath| {
            if !path.is_within(from) {
                return path.clone();
            }
            let rest = path.as_str().get(from.as_str().len()..).unwrap_or("");
            RelPath::parse(&format!("{}{rest}", to.as_str())).unwrap_or_else(|_| path.clone())
        };
        let known = std::mem::take(&mut self.own_stamps);
        self.own_stamps = known.into_iter().map(|(path, stamps)| (moved(&path), stamps)).collect();
        self.ledger.moved_folder(&moved);
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
        let seen = self.versions.current(remote);
        let target = self.parent(parent)?;
        let local = local.map(|local| self.local_now(local));
        if let Some(local) = &local {
            let there = self.ports.disk.look(&local.path)?;
            if there.is_none_or(|entry| entry.stamp.identity != local.stamp.identity) {
                return Err(StepFailure::replan("it moved on here meanwhile"));
            }
        }
        if verified_calls::holder(self.ports.remote, &target, wanted, Some(&seen.id))?.is_some() {
            return Err(StepFailure::replan("another item on iCloud has this name"));
        }
        let from = (seen.parent.clone(), seen.name.clone());
        let several = seen.parent != target && *seen.name != *wanted;
        let intent = match self.temporary.get(&seen.id) {
            Some(number) => Some(*number),
            None if temporary || several => {
                let to = if temporary { self.destination(index, &seen.id) } else { None };
                Some(self.ledger.begin(Intent::Place {
                    id: seen.id.clone(),
                    folder: seen.folder,
                    from: from.clone(),
                    to: match (temporary, to) {
                        (false, _) => (target.clone(), wanted.into()),
                        (true, Some(to)) => to,
                        // Where it shall go is not made yet: after a crash it goes back.
                        (true, None) => from.clone(),
                    },
                    temporary: temporary.then(|| wanted.into()),
                })?)
            }
            None => None,
        };
        // The last thing before the first call: the service renames whatever the item is by then.
        let item = match verified_calls::check_into(self.ports.remote, &seen, &self.folders_of(&target)) {
            Ok(item) => item,
            Err(failure) => {
                if let Some(number) = intent.filter(|_| !self.temporary.contains_key(&seen.id)) {
                    self.ledger.end(number);
                }
                return Err(failure);
            }
        };
        let base = &self.ledger.state().base;
        let was = base.by_id(&seen.id).map(|node| base.path(node));
        let moved = match relocate(&self.ports, item, seen.folder, (&target, wanted)) {
            Ok(moved) => moved,
            Err(failure) => {
                return Err(self.undo_move(&seen, intent, &from, &(target, wanted.into()), failure));
            }
        };
        // Between two calls of one move a person may have edited it: then the version is not our own.
        if seen.folder || moved.entry.etag.same_content(&seen.etag) {
            self.versions.renew(&remote.etag, &moved);
        }
        if temporary {
            if let Some(number) = intent {
                self.temporary.insert(seen.id, number);
            }
        } else {
            self.moved_on_icloud(&seen, local.as_ref(), &moved, &target)?;
            if let Some(number) = intent {
                self.temporary.remove(&seen.id);
                self.ledger.end(number);
            }
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

    /// Puts a move right that did not come to its end.
    fn undo_move(
        &mut self,
        seen: &RemoteSeen,
        intent: Option<u64>,
        from: &(ItemId, Box<str>),
        to: &(ItemId, Box<str>),
        failure: StepFailure,
    ) -> StepFailure {
        if matches!(failure, StepFailure::End(_)) {
            return failure;
        }
        let remote = self.ports.remote;
        match intent {
            Some(number) => {
                self.temporary.remove(&seen.id);
                match recover::settle_stored(&self.ports, &mut self.ledger, number) {
                    Err(end @ StepFailure::End(_)) => end,
                    // What cannot be settled now stays stored for the next recovery.
                    Ok(_) | Err(_) => replanned(failure),
                }
            }
            None => match verified_calls::look(remote, &seen.id, seen.folder) {
                Ok(LookUp::Found(now))
                    if recover::is_our_doing(&now, from, to, None)
                        && !(verified_calls::hangs_in(&now, &from.0)
                            && name::same(&now.entry.name, &from.1)) =>
                {
                    let back = || relocate(&self.ports, now.clone(), seen.folder, (&from.0, &from.1));
                    match verified_calls::patiently(&self.ports, back) {
                        Err(end @ StepFailure::End(_)) => end,
                        Ok(_) | Err(_) => replanned(failure),
                    }
                }
                Ok(_) => failure,
                Err(end @ StepFailure::End(_)) => end,
                Err(_) => failure,
            },
        }
    }

    /// Where a later operation brings the item for good.
    fn destination(&self, index: usize, id: &ItemId) -> Option<(ItemId, Box<str>)> {
        self.plan.operations.iter().skip(index + 1).find_map(|operation| match &operation.action {
            Action::MoveRemote { remote, parent, name, temporary: false, .. } if remote.id == *id => {
                self.parent(parent).ok().map(|folder| (folder, name.clone()))
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
