//! Putting fetched content in place, and settling conflicts in which the remote version keeps the name.

use crate::engine::operation::{Conflict, LocalSeen, Operation, Parent, RemoteSeen};
use crate::engine::ports::{DiskError, Displaced};
use crate::model::{Change, Intent, ItemId, LocalEntry, RelPath};

use super::agree::effect;
use super::lane::Lane;
use super::report::{EffectKind, StepFailure};
use super::transfer::{Arrived, Content};

/// So many names are tried for a version that was changed at the last moment.
const RESCUE_NAMES: u32 = 20;

impl Lane<'_> {
    /// A download: into a free name, or over the version that was planned for.
    pub(super) fn install(
        &mut self,
        operation: &Operation,
        remote: &RemoteSeen,
        over: Option<&LocalSeen>,
        content: Content,
    ) -> Result<(), StepFailure> {
        let bytes = content.ready.size;
        self.put_in_place(operation, remote, over, content)?;
        self.outcome.counts.downloads += 1;
        let mut done = effect(operation, EffectKind::Download, None);
        done.bytes = bytes;
        self.told(done);
        Ok(())
    }

    /// Content that could not be put in place waits for the next try, or goes when there is none.
    pub(super) fn kept_content(&mut self, index: usize, content: Content, result: &Result<(), StepFailure>) {
        match result {
            Err(StepFailure::Again { .. }) => self.keep(index, Arrived::Content(content)),
            Err(StepFailure::Replan(_) | StepFailure::Aside(_)) => self.ports.disk.discard(&content.ready),
            _ => {}
        }
    }

    fn put_in_place(
        &mut self,
        operation: &Operation,
        remote: &RemoteSeen,
        over: Option<&LocalSeen>,
        content: Content,
    ) -> Result<(), StepFailure> {
        let path = &operation.path;
        let entry = match over {
            None => self.ports.disk.place(&content.ready, path)?,
            Some(over) => {
                let stamp = self.own.local(over).stamp;
                let taken_over = self.take_over(operation, remote, over)?;
                // Where this fails the next recovery finds out who has the place.
                let (entry, displaced) = self.ports.disk.replace(&content.ready, path, &stamp)?;
                if let Some((number, elder)) = taken_over {
                    self.ledger.touched(path.parent());
                    self.ledger.forget(&elder);
                    self.ledger.end(number);
                }
                if let Displaced::Changed { slot } = displaced {
                    self.rescue(operation, &slot)?;
                }
                entry
            }
        };
        self.ledger.touched(path.parent());
        self.agree_on_download(operation, remote, &entry, &content)
    }

    /// The file that is replaced may have been another item's on iCloud until now. The base forgets that one as soon as
    /// its file is gone: after a crash in between the new content must not look like an edit of it, nor it like one that a
    /// person deleted here. So an intent is stored first; says which, and who had the place.
    fn take_over(
        &mut self,
        operation: &Operation,
        remote: &RemoteSeen,
        over: &LocalSeen,
    ) -> Result<Option<(u64, ItemId)>, StepFailure> {
        let parent = self.own.remote(remote).parent;
        let elder = self.ledger.at_path(&parent, operation.path.name(), Some(&remote.id));
        let Some(elder) = elder.filter(|elder| elder.stamp.identity == over.stamp.identity) else {
            return Ok(None);
        };
        let (old, path) = (elder.id.clone(), operation.path.clone());
        let number = self.ledger.begin(Intent::TakeOver { old, path, stamp: elder.stamp })?;
        Ok(Some((number, elder.id)))
    }

    fn agree_on_download(
        &mut self,
        operation: &Operation,
        remote: &RemoteSeen,
        entry: &LocalEntry,
        content: &Content,
    ) -> Result<(), StepFailure> {
        if content.matched {
            self.ledger.calibrate(true);
        }
        let mut remote = self.own.remote(remote);
        // What was fetched says what it is now: a package may have become a plain file, whose edits are sent.
        remote.package = content.package;
        let here = self.here(operation.path.name(), entry, Some(content.ready.signature));
        let agreed = self.agreed(operation.reason, &remote, &here);
        self.ledger.put_written(&remote.parent, agreed)
    }

    /// Somebody wrote to the file in the moment in which it was replaced: that version stands beside it.
    fn rescue(&mut self, operation: &Operation, slot: &str) -> Result<(), StepFailure> {
        for attempt in 0..RESCUE_NAMES {
            let beside = (self.options.conflict_name)(&operation.path, attempt);
            match self.ports.disk.rescue(slot, &beside) {
                Ok(entry) => {
                    self.ledger.kept_beside(&beside, entry.stamp);
                    self.outcome.counts.conflicts += 1;
                    self.told(effect(operation, EffectKind::Conflict, Some(beside)));
                    return Ok(());
                }
                Err(DiskError::Taken { .. }) => {}
                Err(error) => return Err(kept_in_trash(error.into())),
            }
        }
        Err(kept_in_trash(StepFailure::again("no name is free beside it")))
    }

    /// Settles a conflict for which the remote content has come.
    pub(super) fn settle(
        &mut self,
        operation: &Operation,
        remote: &RemoteSeen,
        local: &LocalSeen,
        conflict: &Conflict,
        content: Content,
    ) -> Result<(), StepFailure> {
        let bytes = content.ready.size;
        let kept = match conflict {
            Conflict::KeepBoth { copy, local_only } => {
                // The copy of what was a package stays here; that of a file is a file like any other.
                let is_file_now = remote.package && !content.package;
                self.make_way(remote, local, copy, *local_only && !is_file_now)?;
                // From here on the planned state is gone: whatever fails is met anew.
                self.put_in_place(operation, remote, None, content).map_err(|failure| match failure {
                    StepFailure::End(end) => StepFailure::End(end),
                    other => StepFailure::Replan(other.to_string()),
                })?;
                Some(copy.clone())
            }
            Conflict::TakeRemote => {
                self.put_in_place(operation, remote, Some(local), content)?;
                None
            }
            Conflict::TakeLocal | Conflict::KeepBothThere { .. } | Conflict::SetAside => {
                return Err(StepFailure::replan("it is not settled by fetching"));
            }
        };
        self.outcome.counts.conflicts += 1;
        let mut done = effect(operation, EffectKind::Conflict, kept);
        done.bytes = bytes;
        self.told(done);
        Ok(())
    }

    /// Brings the version on iCloud to its conflict name there, where it stays; the local one is new from then on. The
    /// base forgets the item before, as in [`Lane::make_way`].
    pub(super) fn make_way_there(
        &mut self,
        index: usize,
        operation: &Operation,
        remote: &RemoteSeen,
        name: &str,
    ) -> Result<(), StepFailure> {
        self.ledger.forget(&remote.id);
        self.ledger.flush()?;
        let parent = Parent::Known(remote.parent.clone());
        self.move_remote(index, operation, (remote, None), (&parent, name), false)?;
        self.outcome.counts.conflicts += 1;
        let copy = operation.path.parent().and_then(|folder| folder.join(name).ok());
        self.told(effect(operation, EffectKind::Conflict, copy));
        Ok(())
    }

    /// Brings the local version to its conflict name. The base forgets the item before: after a crash
    /// half-way the two are met as strangers, never as an edit and a deletion.
    fn make_way(
        &mut self,
        remote: &RemoteSeen,
        local: &LocalSeen,
        copy: &RelPath,
        local_only: bool,
    ) -> Result<(), StepFailure> {
        let local = self.own.local(local);
        if self.ports.disk.look(copy)?.is_some() {
            return Err(StepFailure::replan("the conflict copy's name is taken here"));
        }
        if self.ports.disk.look(&local.path)?.is_none_or(|entry| entry.stamp != local.stamp) {
            return Err(StepFailure::replan("it changed here meanwhile"));
        }
        self.ledger.forget(&remote.id);
        self.ledger.clear_identity(local.stamp.identity, &remote.id);
        if local_only {
            self.ledger.push(Change::LocalOnly(copy.clone(), true));
        }
        self.ledger.flush()?;
        match self.ports.disk.rename(&local.path, copy, &local.stamp) {
            Ok(entry) => {
                self.ledger.touched(local.path.parent());
                self.ledger.kept_beside(copy, entry.stamp);
                Ok(())
            }
            Err(error) => {
                if local_only {
                    self.ledger.push(Change::LocalOnly(copy.clone(), false));
                }
                Err(error.into())
            }
        }
    }
}

/// The displaced version could not be brought back beside the file: it waits in the local trash.
fn kept_in_trash(failure: StepFailure) -> StepFailure {
    match failure {
        StepFailure::End(end) => StepFailure::End(end),
        other => StepFailure::Aside(format!(
            "it was changed while it was replaced, and that version stays in the local trash: {other}"
        )),
    }
}
