//! Whether a folder on iCloud still lives when something of ours is about to go into it.
//!
//! Nobody knows whether the service refuses to put items into a folder that lies in the trash
//! (`docs/protocol-open-questions.md`). Where it does not, what a person made here would look deleted there.

use std::collections::{BTreeSet, HashMap};

use crate::engine::ports::{LookUp, Ports, Remote, RemoteParent};
use crate::model::{ItemId, Node};

use super::done::Done;
use super::pending::MOST_ABOVE;
use super::report::StepFailure;
use super::stage::{Acted, Known};

/// Sees to it that a folder, and all above it, is not in the trash, unless that was seen a moment ago.
///
/// # Errors
///
/// [`StepFailure::Replan`] when one of them is: then nothing goes into it.
pub(super) fn require_alive(
    ports: &Ports<'_>,
    known: &Known<'_>,
    index: usize,
    folder: &ItemId,
    acted: &mut Acted,
) -> Result<(), StepFailure> {
    let at = known.moment.now;
    let folders = known.base().folders_of(folder);
    if folders.is_empty() || known.own.is_alive(folder, at) {
        return Ok(());
    }
    require_outside_trash(ports.remote, known, folder)?;
    acted.did(index, Done::SeenAlive { folders, at });
    Ok(())
}

/// Looks whether a folder, or one above it, is in the trash, however short ago it was seen outside.
///
/// # Errors
///
/// As [`require_alive`].
pub(super) fn require_outside_trash(
    remote: &dyn Remote,
    known: &Known<'_>,
    folder: &ItemId,
) -> Result<(), StepFailure> {
    if is_lost(remote, known, folder, &mut HashMap::new())? {
        return Err(StepFailure::replan("the folder it goes to was moved or deleted on iCloud meanwhile"));
    }
    Ok(())
}

/// Remembers that something of ours went into a folder on iCloud.
pub(super) fn added_into(
    known: &Known<'_>,
    index: usize,
    (folder, id): (&ItemId, &ItemId),
    acted: &mut Acted,
) {
    if !known.base().folders_of(folder).is_empty() {
        acted.did(index, Done::AddedTo { folder: folder.clone(), id: id.clone() });
    }
}

/// Looks once more at the folders into which something went. Where one was deleted between the look before and what
/// went into it, that is not agreed on: who deleted the folder had not seen it, and the next plan brings it back.
/// Returns what went into folders that were.
pub(super) fn lost_additions(remote: &dyn Remote, known: &Known<'_>) -> Vec<ItemId> {
    let added_to = known.own.added_to();
    let asked: BTreeSet<_> = added_to.keys().flat_map(|folder| known.base().folders_of(folder)).collect();
    let asked: Vec<_> = asked.into_iter().map(|folder| (folder, true)).collect();
    if asked.is_empty() {
        return Vec::new();
    }
    // Best effort: without an answer it stays agreed on, after the look of at most 20 s before. If iCloud is away the
    // next pass tells so.
    let Ok(answers) = remote.look_up(&asked) else { return Vec::new() };
    let mut seen: HashMap<ItemId, LookUp> =
        asked.into_iter().map(|(folder, _)| folder).zip(answers).collect();
    let mut lost = Vec::new();
    for (folder, items) in added_to {
        if is_lost(remote, known, folder, &mut seen).unwrap_or(false) {
            lost.extend(items.iter().cloned());
        }
    }
    lost
}

/// Whether a folder on iCloud is in the trash or gone, with a folder above it perhaps, or outside what is synced. What
/// stands elsewhere than the base knows is followed to where it stands: its move may have been set aside. `seen`
/// holds the look-ups so far.
fn is_lost(
    remote: &dyn Remote,
    known: &Known<'_>,
    folder: &ItemId,
    seen: &mut HashMap<ItemId, LookUp>,
) -> Result<bool, StepFailure> {
    let top = known.base().state.base.get(Node::ROOT).id.clone();
    let mut at = folder.clone();
    for _ in 0..MOST_ABOVE {
        if at == top || at.is_doc("documents") {
            return Ok(false);
        }
        if at == ItemId::drive_root() {
            return Ok(true);
        }
        if !seen.contains_key(&at) {
            let asked: Vec<_> =
                known.base().folders_of(&at).into_iter().map(|folder| (folder, true)).collect();
            let answers = remote.look_up(&asked)?;
            seen.extend(asked.into_iter().map(|(folder, _)| folder).zip(answers));
        }
        let agreed = || known.base().entry(&at).map(|(parent, _)| parent);
        let above = match seen.get(&at) {
            Some(LookUp::Found(found)) => match &found.parent {
                RemoteParent::Trash => return Ok(true),
                RemoteParent::Folder(parent) => Some(parent.clone()),
                RemoteParent::Untold => agreed(),
            },
            // A look-up may be late for what we have just made.
            Some(LookUp::Gone) if !known.own.is_made(&at) => return Ok(true),
            Some(LookUp::Gone | LookUp::Unknown) | None => agreed(),
        };
        let Some(above) = above else { return Ok(false) };
        at = above;
    }
    Ok(true)
}
