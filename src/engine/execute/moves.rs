//! Moves and renames, here and on iCloud.

use crate::engine::operation::{Action, LocalSeen, Operation, Parent, RemoteSeen};
use crate::engine::ports::{Disk, Ports};
use crate::model::name::Name;
use crate::model::{Crossing, Intent, ItemId, LocalEntry, LocalKind, RelPath};

use super::across::{all_below, crossed};
use super::done::Done;
use super::parent_check::{added_into, check_into};
use super::racy::until_a_change_would_show;
use super::recover::settle_noted;
use super::relocate::relocate;
use super::report::StepFailure;
use super::stage::{Acted, Before, Known, Next, Stage, then};
use super::standing::{has_its_volume, stays_in_sight};
use super::verified_calls;

/// A folder on iCloud, and a name in it.
type Place = (ItemId, Name);

/// Moves or renames here, to the operation's path.
#[derive(Clone, Copy)]
pub(super) struct MoveLocal<'a> {
    pub(super) index: usize,
    pub(super) operation: &'a Operation,
    pub(super) remote: Option<&'a RemoteSeen>,
    pub(super) local: &'a LocalSeen,
}

impl MoveLocal<'_> {
    fn moved(&self, known: &Known<'_>, after: LocalEntry) -> Done {
        Done::MovedLocal {
            local: known.own.local(self.local),
            to: self.operation.path.clone(),
            after,
            remote: self.remote.map(|remote| known.own.remote(remote)),
        }
    }
}

impl<'a> Stage<'a> for MoveLocal<'a> {
    /// Where a person moved another item's file to this one's place, that other item must not be found again at the new place.
    fn before(&self, known: &Known<'_>) -> Before {
        let identity = known.own.local(self.local).stamp.identity;
        match self.remote.and_then(|remote| known.base().entry(&remote.id)) {
            Some((_, owner)) if owner.stamp.identity != identity => {
                Before::Stored(known.base().cleared(identity, &owner.id))
            }
            _ => Before::Nothing,
        }
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let local = known.own.local(self.local);
        has_its_volume(ports, known.base(), &self.operation.path)?;
        match ports.disk.rename(&local.path, &self.operation.path, &local.stamp) {
            Ok(after) => {
                stays_in_sight(ports, known.base(), (&local.path, &self.operation.path), &after.stamp)?;
                acted.did(self.index, self.moved(known, after));
                Ok(Next::Finished)
            }
            Err(error) if error.crosses() => then(MoveAcross(*self)),
            Err(error) => Err(error.into()),
        }
    }
}

/// Moves to another file system. What was copied is known by other identities after it, so an intent is stored first: after a crash in
/// between it must not look like something that a person deleted, beside something new.
struct MoveAcross<'a>(MoveLocal<'a>);

impl<'a> Stage<'a> for MoveAcross<'a> {
    fn before(&self, known: &Known<'_>) -> Before {
        let MoveLocal { local, remote, operation, .. } = self.0;
        let Some(remote) = remote.filter(|remote| known.base().entry(&remote.id).is_some()) else {
            return Before::Nothing;
        };
        let (local, remote) = (known.own.local(local), known.own.remote(remote));
        Before::note(Intent::MoveAcross(Crossing {
            id: remote.id,
            etag: remote.etag,
            parent: remote.parent,
            name: remote.name,
            from: local.path,
            to: operation.path.clone(),
            stamp: local.stamp,
        }))
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let MoveLocal { index, operation, .. } = self.0;
        let local = known.own.local(self.0.local);
        has_its_volume(ports, known.base(), &operation.path).inspect_err(|_| acted.end_note(index))?;
        let before = all_below(ports.disk, &local.path).inspect_err(|_| acted.end_note(index))?;
        // The copy holds what was read, and the original goes by its stamp.
        let files = before.values().filter(|entry| entry.kind == LocalKind::File).map(|entry| &entry.stamp);
        for stamp in files.chain([&local.stamp]) {
            until_a_change_would_show(ports, stamp).inspect_err(|_| acted.end_note(index))?;
        }
        let result = ports.disk.move_across(&local.path, &operation.path, &local.stamp);
        if let Ok(after) = &result {
            stays_in_sight(ports, known.base(), (&local.path, &operation.path), &after.stamp)
                .inspect_err(|_| acted.end_note(index))?;
            acted.did(index, self.0.moved(known, after.clone()));
            if after.kind == LocalKind::Folder {
                // Where what came cannot be told apart now, the note stays: it is settled as after a crash.
                let now = all_below(ports.disk, &operation.path)?;
                acted.did(index, Done::CrossedWithin(crossed(&before, &now, (&local.path, &operation.path))));
            }
        }
        // Where it failed the original is where it was.
        acted.end_note(index);
        result?;
        Ok(Next::Finished)
    }
}

/// Moves or renames on iCloud.
#[derive(Clone)]
pub(super) struct MoveRemote<'a> {
    pub(super) index: usize,
    pub(super) remote: &'a RemoteSeen,
    /// The item here that it mirrors, if any.
    pub(super) local: Option<&'a LocalSeen>,
    pub(super) parent: Parent,
    pub(super) name: &'a str,
    /// Whether a later operation changes the name again.
    pub(super) temporary: bool,
    /// The path of the version that this keeps beside the one here, where it settles a conflict.
    pub(super) settles: Option<Option<RelPath>>,
}

impl<'a> Stage<'a> for MoveRemote<'a> {
    /// Looks whether it can go there.
    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        _acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let target = known.parent(&self.parent)?;
        is_still_here(ports.disk, self.local(known).as_ref())?;
        if verified_calls::holder(ports.remote, &target, self.name, Some(&self.remote.id))?.is_some() {
            return Err(StepFailure::replan("another item on iCloud has this name"));
        }
        then(Relocate { asked: *self, target })
    }
}

impl MoveRemote<'_> {
    fn local(&self, known: &Known<'_>) -> Option<LocalSeen> {
        self.local.map(|local| known.own.local(local))
    }
}

/// The version on iCloud gives way to its conflict name there, where it stays; the local one is new from then on. The base
/// forgets the item before: after a crash half-way the two are met as strangers, never as an edit and a deletion.
pub(super) struct MakeWayThere<'a>(pub(super) MoveRemote<'a>);

impl<'a> Stage<'a> for MakeWayThere<'a> {
    fn before(&self, known: &Known<'_>) -> Before {
        Before::Stored(known.base().removal(&self.0.remote.id))
    }

    fn act(
        self: Box<Self>,
        _ports: &Ports<'_>,
        _known: &Known<'_>,
        _acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        then(self.0)
    }
}

/// The calls of a move on iCloud, with an intent that one with a temporary name keeps until a later operation gives that back.
struct Relocate<'a> {
    asked: MoveRemote<'a>,
    target: ItemId,
}

impl<'a> Stage<'a> for Relocate<'a> {
    fn before(&self, known: &Known<'_>) -> Before {
        let MoveRemote { index, remote, name, temporary, .. } = self.asked;
        let seen = known.own.remote(remote);
        if known.own.temporary(&seen.id).is_some() {
            return Before::Nothing;
        }
        let from = (seen.parent, seen.name);
        let local = self.asked.local(known);
        let here = |local: &LocalSeen| local.path.name().into();
        let (to, here) = if temporary {
            // Where it shall go is not made yet: after a crash it goes back.
            destination(known, index, &seen.id).unwrap_or_else(|| (from.clone(), None))
        } else {
            ((self.target.clone(), name.into()), local.as_ref().map(here))
        };
        let temporary = temporary.then(|| name.into());
        Before::note(Intent::Place { id: seen.id, folder: seen.folder, from, to, temporary, here })
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let MoveRemote { index, remote, name, temporary, .. } = self.asked;
        let target = &self.target;
        let seen = known.own.remote(remote);
        let local = self.asked.local(known);
        // The last thing before the first call: the service renames whatever the item is by then, and storing the intent took
        // its time.
        let checked = is_still_here(ports.disk, local.as_ref())
            .and_then(|()| check_into(ports.remote, known, &seen, target));
        let item = checked.inspect_err(|_| acted.end_note(index))?;
        let moved = relocate(ports, item, seen.folder, (target, name))
            .map_err(|failure| put_right(ports, known, (index, &seen), failure, acted))?;
        // Between two calls of one move a person may have edited it: then the version is not our own.
        if seen.folder || moved.entry.etag.same_content(&seen.etag) {
            acted.did(index, Done::ChangedRemote { before: remote.etag.clone(), after: moved.clone() });
        }
        let note = known.own.temporary(&seen.id).or(acted.note);
        if !temporary && local.is_some() && known.base().entry(&seen.id).is_some() {
            added_into(known, index, (target, &seen.id), acted);
        }
        let parked = note.filter(|_| temporary);
        let after = moved;
        acted.did(
            index,
            Done::MovedRemote { remote: seen, local, after, target: target.clone(), temporary: parked },
        );
        if !temporary && let Some(number) = note {
            acted.did(index, Done::NoteOver(number));
        }
        if let Some(kept) = self.asked.settles {
            acted.did(index, Done::ConflictSettled { kept, bytes: 0 });
        }
        Ok(Next::Finished)
    }
}

/// What is to be moved on iCloud must still stand here.
fn is_still_here(disk: &dyn Disk, local: Option<&LocalSeen>) -> Result<(), StepFailure> {
    let Some(local) = local else { return Ok(()) };
    let there = disk.look(&local.path)?;
    if there.is_none_or(|entry| entry.stamp.identity != local.stamp.identity) {
        return Err(StepFailure::replan("it moved on here meanwhile"));
    }
    Ok(())
}

/// Puts a move right that did not come to its end.
fn put_right(
    ports: &Ports<'_>,
    known: &Known<'_>,
    (index, seen): (usize, &RemoteSeen),
    failure: StepFailure,
    acted: &mut Acted,
) -> StepFailure {
    let lent = known.own.temporary(&seen.id);
    let (Some(note), false) = (lent.or(acted.note), matches!(failure, StepFailure::End(_))) else {
        return failure;
    };
    acted.did(index, Done::Unparked(seen.id.clone()));
    match settle_noted(ports, &known.moment, note, (index, acted)) {
        Err(end @ StepFailure::End(_)) => end,
        // It stands where it did, and bore no temporary name there: the move itself may be tried again.
        Ok(false) if lent.is_none() => failure,
        // What cannot be settled now stays stored for the next recovery.
        Ok(_) | Err(_) => replanned(failure),
    }
}

/// Where a later operation brings the item for good: folder and name, and its name here.
fn destination(known: &Known<'_>, index: usize, id: &ItemId) -> Option<(Place, Option<Name>)> {
    known.plan.operations.iter().skip(index + 1).find_map(|operation| match &operation.action {
        Action::MoveRemote { remote, local, parent, name, temporary: false } if remote.id == *id => {
            let here = local.as_ref().map(|local| local.path.name().into());
            known.parent(parent).ok().map(|folder| ((folder, name.clone()), here))
        }
        _ => None,
    })
}

/// A move that did not come to its end is planned anew, unless a new plan could only fail in the same way.
fn replanned(failure: StepFailure) -> StepFailure {
    match failure {
        StepFailure::Aside(why) => StepFailure::Aside(why),
        other => StepFailure::Replan(other.to_string()),
    }
}
