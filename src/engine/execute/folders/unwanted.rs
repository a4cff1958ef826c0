//! Folders that iCloud made under a name that nobody asked for.

use crate::engine::operation::LocalSeen;
use crate::engine::ports::{LookUp, Ports, Remote, RemoteItem, RemoteParent};
use crate::model::{Intent, ItemId};

use super::super::put_back::put_back;
use super::super::report::StepFailure;
use super::super::stage::{Acted, Before, Known, Next, Stage, then};
use super::super::unplanned::{Unplanned, holds_unplanned};
use super::super::verified_calls;
use super::adopted::adopt;

/// A folder of ours that cannot get the name that it was made for.
pub(super) struct Unwanted {
    /// The operation that made it, and the folder here.
    pub(super) of: (usize, LocalSeen),
    pub(super) made: RemoteItem,
    /// What becomes of the operation once it is gone: the folder that has the name, or why there is none.
    pub(super) instead: Result<RemoteItem, StepFailure>,
}

/// Moves such folders to the trash, unless somebody uses them already.
pub(super) struct TakeBack {
    /// The folder that they were made in.
    pub(super) folder: ItemId,
    /// One, and those after it.
    pub(super) first: Unwanted,
    pub(super) rest: Vec<Unwanted>,
}

impl<'a> Stage<'a> for TakeBack {
    fn before(&self, _known: &Known<'_>) -> Before {
        let made = &self.first.made.entry;
        Before::note(Intent::TrashFolder {
            id: made.id.clone(),
            from: (self.folder.clone(), made.name.as_str().into()),
            planned: Vec::new(),
        })
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let Self { folder, first: Unwanted { of, made, instead }, mut rest } = *self;
        // Where it is not known whether something came into it, the intent stays and is settled at the next start.
        let taken = take_back(ports, &folder, &made);
        if taken.is_ok() {
            acted.end_note(of.0);
        }
        match taken.and(instead) {
            Err(failure @ StepFailure::End(_)) => return Err(failure),
            Err(failure) => acted.failed(of.0, failure),
            Ok(existing) => adopt(known, of, &folder, existing, acted),
        }
        match rest.pop() {
            Some(first) => then(Self { folder, first, rest }),
            None => Ok(Next::Finished),
        }
    }
}

fn take_back(ports: &Ports<'_>, folder: &ItemId, made: &RemoteItem) -> Result<(), StepFailure> {
    let remote = ports.remote;
    if !is_empty(remote, &made.entry.id)? {
        return Ok(());
    }
    let LookUp::Found(now) = verified_calls::look(remote, &made.entry.id, true)? else { return Ok(()) };
    if now.parent == RemoteParent::Trash {
        return Ok(());
    }
    let trashed = verified_calls::trash(remote, &now, true)?;
    // A folder's etag does not tell what came into it meanwhile.
    match holds_unplanned(remote, None, &made.entry.id, &[], &|_| true)? {
        Unplanned::Something => put_back(ports, &trashed, true, (folder, &made.entry.name)).map(drop),
        Unplanned::Nothing | Unplanned::Untold => Ok(()),
    }
}

fn is_empty(remote: &dyn Remote, folder: &ItemId) -> Result<bool, StepFailure> {
    match verified_calls::list(remote, folder) {
        Ok(listing) => Ok(listing.items.is_empty() && listing.unusable.is_empty()),
        // So new that it is not listed yet.
        Err(StepFailure::Replan(_)) => Ok(true),
        Err(failure) => Err(failure),
    }
}
