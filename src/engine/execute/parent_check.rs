//! Whether a folder on iCloud still lives when something of ours is about to go into it.
//!
//! Nobody knows whether the service refuses to put items into a folder that lies in the trash
//! (`docs/protocol-open-questions.md`). Where it does not, what a person made here would look deleted there.

use std::collections::{BTreeSet, HashMap};

use crate::engine::operation::RemoteSeen;
use crate::engine::ports::{LookUp, Ports, Remote, RemoteItem, RemoteParent};
use crate::model::{ItemId, Node};

use super::done::Done;
use super::pending::MOST_ABOVE;
use super::report::StepFailure;
use super::stage::{Acted, Known};
use super::verified_calls;

/// So many items one look-up names (`docs/protocol.md` §8.2).
const AT_ONCE: usize = 20;

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

/// A folder into which something of ours is about to go.
pub(super) struct Wanted {
    /// The operation's index.
    pub(super) index: usize,
    pub(super) folder: ItemId,
    /// Whether that was refused before: after a wait what was seen before it does not count.
    pub(super) again: bool,
}

/// As [`require_alive`] of several folders, with one look-up for all, and for those `ahead` as well if one is needed at all.
pub(super) fn alive_each(
    ports: &Ports<'_>,
    known: &Known<'_>,
    wanted: &[Wanted],
    ahead: &[ItemId],
    acted: &mut Acted,
) -> Vec<Result<(), StepFailure>> {
    let at = known.moment.now;
    let is_open = |folder: &ItemId, again: bool| {
        !known.base().folders_of(folder).is_empty() && (again || !known.own.is_alive(folder, at))
    };
    let open: Vec<_> = wanted.iter().map(|wanted| is_open(&wanted.folder, wanted.again)).collect();
    let Some(first) = open.iter().position(|is_open| *is_open) else { return vec![Ok(()); wanted.len()] };
    let needed = wanted.iter().zip(&open).filter(|(_, is_open)| **is_open).map(|(wanted, _)| &wanted.folder);
    let mut asked: BTreeSet<_> = needed.flat_map(|folder| known.base().folders_of(folder)).collect();
    let mut seen_too: Vec<&ItemId> = Vec::new();
    for folder in ahead.iter().filter(|folder| is_open(folder, false)) {
        let with = asked.union(&known.base().folders_of(folder).into_iter().collect()).cloned().collect();
        if BTreeSet::len(&with) > AT_ONCE {
            break;
        }
        (asked, _) = (with, seen_too.push(folder));
    }
    let asked: Vec<_> = asked.into_iter().map(|folder| (folder, true)).collect();
    let answers = match ports.remote.look_up(&asked) {
        Ok(answers) => answers,
        Err(error) => {
            let unseen = |is_open: &bool| if *is_open { Err(error.clone().into()) } else { Ok(()) };
            return open.iter().map(unseen).collect();
        }
    };
    let mut seen: HashMap<ItemId, LookUp> =
        asked.into_iter().map(|(folder, _)| folder).zip(answers).collect();
    let mut look = |index: usize, folder: &ItemId| -> Result<(), StepFailure> {
        if is_lost(ports.remote, known, folder, &mut seen)? {
            return Err(lost());
        }
        acted.did(index, Done::SeenAlive { folders: known.base().folders_of(folder), at });
        Ok(())
    };
    let each = wanted.iter().zip(&open);
    let looked = each
        .map(|(wanted, is_open)| if *is_open { look(wanted.index, &wanted.folder) } else { Ok(()) })
        .collect();
    for folder in seen_too {
        // One that does not live is told when its own turn comes.
        drop(look(wanted[first].index, folder));
    }
    looked
}

fn lost() -> StepFailure {
    StepFailure::replan("the folder it goes to was moved or deleted on iCloud meanwhile")
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
        return Err(lost());
    }
    Ok(())
}

/// As [`verified_calls::check`] of one item that is to be moved; in the same call the folder into which it goes, with those above it. The
/// service may well move it into a folder that somebody has just deleted, and then it would look deleted too.
pub(super) fn check_into(
    remote: &dyn Remote,
    known: &Known<'_>,
    item: &RemoteSeen,
    folder: &ItemId,
) -> Result<RemoteItem, StepFailure> {
    let asked = [(item.id.clone(), item.folder)].into_iter();
    let above = known.base().folders_of(folder).into_iter().map(|folder| (folder, true));
    let asked: Vec<_> = asked.chain(above).collect();
    let mut answers = remote.look_up(&asked)?.into_iter();
    let found = verified_calls::checked(item, answers.next().unwrap_or(LookUp::Unknown));
    let mut seen = asked.into_iter().skip(1).map(|(folder, _)| folder).zip(answers).collect();
    // Of a folder that iCloud says nothing about nothing speaks against it: the item is moved, and looked at afterwards.
    match is_lost(remote, known, folder, &mut seen) {
        Ok(true) => Err(lost()),
        Ok(false) | Err(_) => found,
    }
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
/// Returns what went into folders that were, and whether iCloud said it of all: of the others all stays agreed on, after the look of at most
/// 20 s before.
pub(super) fn lost_additions(remote: &dyn Remote, known: &Known<'_>) -> (Vec<ItemId>, bool) {
    let added_to = known.own.added_to();
    let asked: BTreeSet<_> = added_to.keys().flat_map(|folder| known.base().folders_of(folder)).collect();
    let asked: Vec<_> = asked.into_iter().map(|folder| (folder, true)).collect();
    if asked.is_empty() {
        return (Vec::new(), true);
    }
    let Ok(answers) = remote.look_up(&asked) else { return (Vec::new(), false) };
    let mut seen: HashMap<ItemId, LookUp> =
        asked.into_iter().map(|(folder, _)| folder).zip(answers).collect();
    let (mut lost, mut is_said_of_all) = (Vec::new(), true);
    for (folder, items) in added_to {
        match is_lost(remote, known, folder, &mut seen) {
            Ok(true) => lost.extend(items.iter().cloned()),
            Ok(false) => {}
            Err(_) => is_said_of_all = false,
        }
    }
    (lost, is_said_of_all)
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
    let top = known.base().state.base.get(Node::ROOT).remote.id.clone();
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
            Some(LookUp::Gone | LookUp::Unknown) | None if known.own.is_made(&at) => agreed(),
            Some(LookUp::Gone) => return Ok(true),
            Some(LookUp::Unknown) | None => {
                return Err(StepFailure::again(
                    "iCloud does not say whether the folder it goes to is in the trash",
                ));
            }
        };
        let Some(above) = above else { return Ok(false) };
        at = above;
    }
    Ok(true)
}
