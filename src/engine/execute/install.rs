//! Putting fetched content in place, and settling conflicts in which the remote version keeps the name.

use crate::engine::operation::{LocalSeen, Operation, RemoteSeen};
use crate::engine::ports::{DiskError, Displaced, Ports};
use crate::model::{BaseEntry, Change, Intent, RelPath};

use super::done::Done;
use super::racy::still_holds_what_was_read;
use super::report::StepFailure;
use super::stage::{Acted, Before, Known, Next, Stage, then};
use super::standing::has_its_volume;
use super::transfer::Content;

/// So many names are tried for a version that was changed at the last moment.
const RESCUE_NAMES: u32 = 20;

/// Puts content into a free name, or over the version that was planned for.
pub(super) struct Install<'a> {
    pub(super) index: usize,
    pub(super) operation: &'a Operation,
    pub(super) remote: &'a RemoteSeen,
    pub(super) over: Option<&'a LocalSeen>,
    pub(super) content: Content,
    pub(super) purpose: Purpose,
}

/// What content is put in place for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Purpose {
    /// A download.
    Download,
    /// A conflict; the version that was kept beside it, if any.
    Conflict(Option<RelPath>),
}

impl Install<'_> {
    /// What was fetched says what it is now: a package may have become a plain file, whose edits are sent.
    fn now_on_icloud(&self, known: &Known<'_>) -> RemoteSeen {
        RemoteSeen { package: self.content.package, ..known.own.remote(self.remote) }
    }

    /// Another item on iCloud whose file is about to be replaced.
    fn predecessor(&self, known: &Known<'_>) -> Option<BaseEntry> {
        let over = self.over?;
        let parent = known.own.remote(self.remote).parent;
        let there = known.base().at_path(&parent, self.operation.path.name(), Some(&self.remote.id));
        there.filter(|there| there.stamp.identity == over.stamp.identity)
    }
}

impl<'a> Stage<'a> for Install<'a> {
    /// The file that is replaced may have been another item's on iCloud until now. The base forgets that one as soon as
    /// its file is gone: after a crash in between the new content must not look like an edit of it, nor it like one that a
    /// person deleted here. So the intent says which, and who had the place.
    fn before(&self, known: &Known<'_>) -> Before {
        let path = self.operation.path.clone();
        match self.predecessor(known) {
            Some(BaseEntry { id: old, stamp, .. }) => Before::note(Intent::TakeOver { old, path, stamp }),
            None => Before::arrives(&path, self.now_on_icloud(known), Some(&self.content.ready)),
        }
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let (index, bytes) = (self.index, self.content.ready.size);
        let result = self.put_in_place(ports, known, acted);
        result.map_err(|failure| match (failure, &self.purpose) {
            // The local version has given way: the planned state is gone, and whatever failed is met anew.
            (StepFailure::End(end), _) => StepFailure::End(end),
            (failure, Purpose::Conflict(Some(_))) => StepFailure::Replan(failure.to_string()),
            (failure, _) => failure,
        })?;
        acted.did(
            index,
            match self.purpose {
                Purpose::Download => Done::Fetched { bytes },
                Purpose::Conflict(kept) => Done::ConflictSettled { kept, bytes },
            },
        );
        Ok(Next::Finished)
    }
}

impl Install<'_> {
    fn put_in_place(
        &self,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<(), StepFailure> {
        let (index, path, ready) = (self.index, &self.operation.path, &self.content.ready);
        let entry = match self.over {
            None => {
                has_its_volume(ports, known.base(), path)?;
                ports.disk.place(ready, path)?
            }
            Some(over) => {
                let current = known.own.local(over);
                let agreed = self.predecessor(known).or_else(|| Some(known.base().entry(&self.remote.id)?.1));
                still_holds_what_was_read(ports, over, &current, agreed.as_ref())?;
                // Where this fails the next recovery finds out who has the place.
                let (entry, displaced) = ports.disk.replace(ready, path, &current.stamp)?;
                if acted.note.is_some()
                    && let Some(old) = self.predecessor(known)
                {
                    acted.did(index, Done::TookOver { old: old.id, heir: self.remote.id.clone() });
                    acted.end_note(index);
                }
                if let Displaced::Changed { slot } = displaced {
                    self.rescue(ports, known, &slot, acted)?;
                }
                entry
            }
        };
        let remote = self.now_on_icloud(known);
        let (signature, matched) = (ready.signature, self.content.matched);
        acted.did(index, Done::Installed { remote, entry, signature, matched });
        Ok(())
    }

    /// Somebody wrote to the file in the moment in which it was replaced: that version stands beside it.
    fn rescue(
        &self,
        ports: &Ports<'_>,
        known: &Known<'_>,
        slot: &str,
        acted: &mut Acted,
    ) -> Result<(), StepFailure> {
        for attempt in 0..RESCUE_NAMES {
            let beside = (known.options.conflict_name)(&self.operation.path, attempt);
            match ports.disk.rescue(slot, &beside) {
                Ok(entry) => {
                    let (to, stamp) = (beside.clone(), entry.stamp);
                    acted.did(self.index, Done::KeptBeside { from: None, to, stamp });
                    acted.did(self.index, Done::ConflictSettled { kept: Some(beside), bytes: 0 });
                    return Ok(());
                }
                Err(DiskError::Taken { .. }) => {}
                Err(error) => return Err(kept_in_trash(error.into())),
            }
        }
        Err(kept_in_trash(StepFailure::again("no name is free beside it")))
    }
}

/// A conflict in which both versions stay here: the local one is to get its conflict name.
pub(super) struct KeepBoth<'a> {
    pub(super) index: usize,
    pub(super) operation: &'a Operation,
    pub(super) remote: &'a RemoteSeen,
    pub(super) local: &'a LocalSeen,
    pub(super) copy: &'a RelPath,
    /// Whether the copy stays here for good.
    pub(super) local_only: bool,
    pub(super) content: Content,
}

impl<'a> Stage<'a> for KeepBoth<'a> {
    /// Looks whether it can give way.
    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        _acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let local = known.own.local(self.local);
        if ports.disk.look(self.copy)?.is_some() {
            return Err(StepFailure::replan("the conflict copy's name is taken here"));
        }
        if ports.disk.look(&local.path)?.is_none_or(|entry| entry.stamp != local.stamp) {
            return Err(StepFailure::replan("it changed here meanwhile"));
        }
        then(MakeWay(*self))
    }
}

/// Brings the local version to its conflict name. The base forgets the item before: after a crash
/// half-way the two are met as strangers, never as an edit and a deletion.
struct MakeWay<'a>(KeepBoth<'a>);

impl MakeWay<'_> {
    fn stays_here(&self) -> bool {
        // The copy of what was a package stays here; that of a file is a file like any other.
        let is_file_now = self.0.remote.package && !self.0.content.package;
        self.0.local_only && !is_file_now
    }
}

impl<'a> Stage<'a> for MakeWay<'a> {
    fn before(&self, known: &Known<'_>) -> Before {
        let KeepBoth { remote, local, copy, .. } = self.0;
        let mut changes = known.base().removal(&remote.id);
        let identity = known.own.local(local).stamp.identity;
        changes.extend(known.base().cleared(identity, &remote.id));
        changes.extend(self.stays_here().then(|| Change::LocalOnly(copy.clone(), true)));
        Before::Stored(changes)
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let stays_here = self.stays_here();
        let KeepBoth { index, operation, remote, local, copy, content, .. } = self.0;
        let local = known.own.local(local);
        match ports.disk.rename(&local.path, copy, &local.stamp) {
            Ok(entry) => {
                let (from, to) = (Some(local.path), copy.clone());
                acted.did(index, Done::KeptBeside { from, to, stamp: entry.stamp });
                let purpose = Purpose::Conflict(Some(copy.clone()));
                then(Install { index, operation, remote, over: None, content, purpose })
            }
            Err(error) => {
                if stays_here {
                    acted.did(index, Done::NotLocalOnly(copy.clone()));
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
