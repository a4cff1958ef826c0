//! Finishing or undoing what a crash, or an end of the pass, left half done (`docs/sync.md` §6, Intents).
//!
//! Each step looks at iCloud first and is right to repeat, so that a crash in here is met the same way. That it never says what
//! became of an item is as good as a refusal.

mod arrivals;
mod crossing;
mod free_names;
mod late;
mod put_here;
mod replacement;

use std::time::Duration;

use crate::engine::conflict::is_conflict_name_of;
use crate::engine::ports::{LookUp, Ports, RemoteItem, RemoteParent, Store, StoreError};
use crate::model::name::Name;
use crate::model::{Arriving, Change, Intent, ItemId, LocalKind, LocalStamp, RelPath, Side, State, name};

use super::agree::agree;
use super::done::Done;
use super::fresh::FreshRemote;
use super::ledger::Ledger;
use super::lesson::Lesson;
use super::pending::Moment;
use super::put_back::put_back;
use super::relocate::{is_numbered, relocate};
use super::report::{End, StepFailure};
use super::stage::Acted;
use super::standing::stands_as_known;
use super::unplanned::{Unplanned, holds_unplanned};
use super::verified_calls;
use free_names::{is_free, takes_name};
pub use late::settle_late;
pub use put_here::settle_astray;
use put_here::{Put, settle_arriving, told_last};
use replacement::{Replacement, settle_replacement};

/// What a recovery did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Operations that were brought to their end.
    pub finished: u64,
    /// Operations that were undone, or had not begun.
    pub undone: u64,
    /// Operations about which iCloud says too little now, with the reason; they stay stored. While there is
    /// one, nothing should be planned: what it left half done is no person's change. A temporary name that iCloud refuses to change is not
    /// among them.
    pub waiting: Vec<String>,
    /// Their numbers, and whether the service refuses to settle it, rather than being busy or saying too little.
    pub unsettled: Vec<(u64, bool)>,
    /// What came here and is not under its path any more, or never got there: where it was moved to only a look can tell.
    pub astray: Vec<Arriving>,
}

/// Finishes or undoes each stored intent. Call it before a look at iCloud that a plan is made from. Of those that are `is_recent`, by their
/// numbers, who deleted a file on iCloud may not have seen what came.
///
/// # Errors
///
/// [`End`] when nothing more can be done now; what was settled is stored.
pub fn recover(
    ports: &Ports<'_>,
    state: &mut State,
    store: &mut dyn Store,
    is_recent: &dyn Fn(u64) -> bool,
) -> Result<Recovered, End> {
    let remote = FreshRemote::new(ports.remote, ports.clock);
    let ports = &Ports { remote: &remote, ..*ports };
    let numbers: Vec<_> = state.intents.keys().copied().collect();
    let arriving = store.arriving();
    let mut ledger = Ledger::new(ports.disk, ports.clock, state, store, 64, Duration::from_secs(1));
    let mut recovered = Recovered::default();
    // First of all: whatever is stored ends what was noted.
    let is_noted = !arriving.is_empty();
    for arriving in told_last(arriving) {
        let at = ports.seen_at();
        let done = match settle_arriving(ports, &ledger.moment(), &arriving, &at) {
            Put::AsItCame(done) => done,
            Put::Perhaps => {
                recovered.astray.push(arriving);
                continue;
            }
            Put::Nowhere => continue,
        };
        match ledger.learn(agree(&done, None, &ledger.moment(), &at).lessons) {
            Err(StepFailure::End(end)) => return Err(end),
            Ok(()) => recovered.finished += 1,
            Err(_) => {}
        }
    }
    if is_noted && let Err(StepFailure::End(end)) = ledger.flush() {
        return Err(end);
    }
    // Until the look that tells where they are, these may meet another end of the process.
    for arriving in &recovered.astray {
        if let Err(StepFailure::End(end)) = ledger.note_arriving(arriving) {
            return Err(end);
        }
    }
    for number in numbers {
        let mut acted = Acted::default();
        let noted = late::uploads(ledger.state(), number);
        let moment = Moment { is_recent: is_recent(number), ..ledger.moment() };
        let settled = settle_noted(ports, &moment, number, (0, &mut acted));
        let mut learnt = Ok(());
        for (_, done) in acted.done {
            let mut lessons = Vec::new();
            if let Done::Settled(_) = done {
                let base = ledger.moment().base;
                let late = noted.iter().filter(|file| late::may_come(base, file)).cloned();
                lessons.extend(late.map(|file| Lesson::MayComeLate(Box::new(file))));
            }
            lessons.extend(agree(&done, None, &ledger.moment(), &ports.seen_at()).lessons);
            learnt = learnt.and_then(|()| ledger.learn(lessons));
        }
        let settled = settled.and_then(|finished| learnt.map(|()| finished));
        match settled {
            Ok(true) => recovered.finished += 1,
            Ok(false) => recovered.undone += 1,
            Err(StepFailure::End(end)) => return Err(end),
            Err(failure) => {
                let is_refused = matches!(failure, StepFailure::Aside(_) | StepFailure::Replan(_));
                recovered.unsettled.push((number, is_refused));
                // The planner takes an item with a temporary name for one of its own name: nothing else has to wait for one name.
                let is_lent = ledger.state().intents.get(&number).is_some_and(lends_name);
                if !(is_lent && matches!(failure, StepFailure::Aside(_))) {
                    recovered.waiting.push(failure.to_string());
                }
            }
        }
    }
    Ok(recovered)
}

/// Whether it is about an item that bears a temporary name.
fn lends_name(intent: &Intent) -> bool {
    matches!(intent, Intent::Place { temporary: Some(_), .. })
}

/// Gives up an intent that is refused again and again, so that it does not keep everything else waiting for ever. The
/// base forgets the item that it is about, unless that only bears a temporary name: what is left of it on either side meets as new, so
/// that nothing is deleted for it. What already lies in iCloud's trash stays there.
///
/// # Errors
///
/// [`StoreError`]: it stays stored.
pub fn give_up(number: u64, state: &mut State, store: &mut dyn Store) -> Result<(), StoreError> {
    let ids = match state.intents.get(&number) {
        Some(intent) if lends_name(intent) => Vec::new(),
        Some(Intent::ReplaceByTrash { old: id, .. } | Intent::TakeOver { old: id, .. }) => vec![id],
        Some(Intent::Place { id, .. } | Intent::TrashFolder { id, .. }) => vec![id],
        Some(Intent::Trash { ids }) => ids.iter().collect(),
        Some(Intent::TrashHere { items }) => items.iter().map(|(id, ..)| id).collect(),
        Some(Intent::Upload { files }) => {
            files.iter().filter_map(|file| file.over.as_ref()).map(|(old, _)| old).collect()
        }
        Some(Intent::MoveAcross(crossing)) => vec![&crossing.id],
        // What was to be made is in no base.
        Some(Intent::MakeFolders { .. }) => Vec::new(),
        None => return Ok(()),
    };
    let known = ids.into_iter().filter(|id| state.base.by_id(id).is_some());
    let changes: Vec<_> = known.map(|id| Change::Remove(id.clone())).chain([Change::End(number)]).collect();
    store.commit(&changes)?;
    for change in &changes {
        state.apply(change);
    }
    Ok(())
}

/// Settles one stored intent by what the world shows: `true` when the operation came to its end, `false` when it was
/// undone or had not begun. What was found and done is in `acted`, for the operation of that index.
///
/// # Errors
///
/// The intent stays stored.
pub(super) fn settle_noted(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    number: u64,
    (index, acted): (usize, &mut Acted),
) -> Result<bool, StepFailure> {
    let Some(intent) = moment.base.state.intents.get(&number) else { return Ok(false) };
    let mut done = Vec::new();
    let finished = settle(ports, moment, intent, &mut done);
    done.extend(finished.is_ok().then_some(Done::Settled(number)));
    done.into_iter().for_each(|done| acted.did(index, done));
    finished
}

fn settle(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    intent: &Intent,
    done: &mut Vec<Done>,
) -> Result<bool, StepFailure> {
    match intent {
        Intent::ReplaceByTrash { old, old_etag, parent, name, document, path, stamp, signature } => {
            let replacement =
                Replacement { old, old_etag, parent, name, document, path, stamp, signature: *signature };
            settle_replacement(ports, moment, &replacement, done)
        }
        Intent::Place { id, folder, from, to, temporary, here } => {
            let placed = settle_place(ports, (id, *folder), from, to, temporary.as_deref())?;
            match (&placed, here) {
                (Placed::There(item), Some(here)) => {
                    done.extend(arrivals::agree_on_place(moment, item, &to.0, here));
                }
                // One with a temporary name may have been put right by another machine.
                (Placed::Before(item), Some(here)) if !folder && temporary.is_none() => {
                    done.extend(arrivals::brought_back(moment, item, from, to, here));
                }
                _ => {}
            }
            Ok(matches!(placed, Placed::There(_)) && from != to)
        }
        Intent::Upload { files } => arrivals::settle_uploads(ports, moment, files, done),
        Intent::MakeFolders { parent, strangers, folders } => {
            arrivals::settle_folders(ports, moment, parent, strangers, folders, done)
        }
        Intent::TrashFolder { id, from, planned } => settle_trash(ports, moment, id, from, planned, done),
        Intent::Trash { ids } => settle_trashed(ports, moment, ids, done),
        Intent::TrashHere { items } => settle_trashed_here(ports, moment, items, done),
        Intent::TakeOver { old, path, stamp } => settle_take_over(ports, old, (path, stamp), done),
        Intent::MoveAcross(crossing) => crossing::settle_across(ports, moment, crossing, done),
    }
}

/// Where a move has ended.
enum Placed {
    /// Where it was to go.
    There(Box<RemoteItem>),
    /// Where it was before.
    Before(Box<RemoteItem>),
    /// Anywhere else.
    Elsewhere,
}

/// Where a move ends.
fn settle_place(
    ports: &Ports<'_>,
    (id, folder): (&ItemId, bool),
    from: &(ItemId, Name),
    to: &(ItemId, Name),
    temporary: Option<&str>,
) -> Result<Placed, StepFailure> {
    let remote = ports.remote;
    let item = match verified_calls::look_everywhere(ports, id, folder, &[&from.0, &to.0])? {
        LookUp::Found(item) => item,
        LookUp::Gone => return Ok(Placed::Elsewhere),
        LookUp::Unknown => return Err(StepFailure::replan("iCloud does not say where a moved item is")),
    };
    let stands = |place: &(ItemId, Name)| {
        item.parent == RemoteParent::Folder(place.0.clone()) && name::same(&item.entry.name, &place.1)
    };
    if stands(to) {
        return Ok(Placed::There(Box::new(item)));
    }
    if stands(from) {
        return Ok(Placed::Before(Box::new(item)));
    }
    if !is_our_doing(&item, from, to, temporary) {
        return Ok(Placed::Elsewhere);
    }
    // The service numbers a name that is taken; where it is not, a person gave it that number.
    for place in [to, from] {
        if verified_calls::hangs_in(&item, &place.0) && is_numbered(&item.entry.name, &place.1) {
            let listing = verified_calls::list_if_there(remote, &place.0)?;
            if listing.is_some_and(|listing| !takes_name(&listing, &place.1, id)) {
                return Ok(Placed::Elsewhere);
            }
        }
    }
    let mut refused = None;
    for place in [to, from] {
        if !is_free(remote, (&place.0, &place.1), id)? {
            continue;
        }
        match relocate(ports, item.clone(), folder, (&place.0, &place.1)) {
            Ok(placed) if place == to => return Ok(Placed::There(Box::new(placed))),
            Ok(_) => return Ok(Placed::Elsewhere),
            // Somebody was quicker, or the service takes the name for another one's.
            Err(failure @ (StepFailure::Replan(_) | StepFailure::Aside(_))) => refused = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    // A name of ours is nobody's: it is given back as long as that is not given up.
    if let Some(failure @ StepFailure::Aside(_)) = refused
        && temporary.is_some_and(|name| name::same(&item.entry.name, name))
    {
        return Err(failure);
    }
    // No place is free: it lives on under the name it has, and both sides learn that.
    Ok(Placed::Elsewhere)
}

/// Whether our own calls of a move can have brought the item where it is. What a person made of it meanwhile is not ours to
/// put right.
pub(super) fn is_our_doing(
    item: &RemoteItem,
    from: &(ItemId, Name),
    to: &(ItemId, Name),
    temporary: Option<&str>,
) -> bool {
    let near = [&from.0, &to.0].iter().any(|parent| item.parent == RemoteParent::Folder((*parent).clone()));
    let is_aside = name::temporary_origin(&item.entry.name).is_some();
    let mut names = [Some(&*from.1), Some(&*to.1), temporary].into_iter().flatten();
    // Another machine that put our temporary name right may have found the name itself taken.
    let is_put_right = |known: &str| temporary.is_some() && is_conflict_name_of(&item.entry.name, known);
    let is_known = |known: &str| {
        let found = &item.entry.name;
        name::same(found, known) || is_numbered(found, known) || is_put_right(known)
    };
    near && (is_aside || names.any(is_known))
}

fn settle_trash(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    id: &ItemId,
    from: &(ItemId, Name),
    planned: &[ItemId],
    done: &mut Vec<Done>,
) -> Result<bool, StepFailure> {
    let remote = ports.remote;
    match verified_calls::look_everywhere(ports, id, true, &[&from.0])? {
        LookUp::Unknown => Err(StepFailure::replan("iCloud does not say what became of a deleted folder")),
        LookUp::Found(item) if item.parent == RemoteParent::Trash => {
            // What is planned to go is as agreed; an edit in the last moment is not.
            let as_agreed = |item: &RemoteItem| {
                let known = moment.base.entry(&item.entry.id);
                item.entry.is_folder()
                    || known.is_none_or(|(_, known)| known.etag.same_content(&item.entry.etag))
            };
            if holds_unplanned(remote, None, id, planned, &as_agreed)? == Unplanned::Something {
                let back = put_back(ports, &item, true, (&from.0, &from.1))?;
                if back.entry.id == *id {
                    done.push(Done::CameBack { id: id.clone(), back });
                }
                return Ok(false);
            }
            done.push(Done::Trashed { on: Side::Remote, id: id.clone(), with: planned.to_vec() });
            Ok(true)
        }
        LookUp::Found(_) => Ok(false),
        // Deleted for good, as permanent mode does it, or by a person.
        LookUp::Gone => {
            done.push(Done::Trashed { on: Side::Remote, id: id.clone(), with: planned.to_vec() });
            Ok(true)
        }
    }
}

/// Files that are in the trash, or gone, went there by us: the base forgets them.
fn settle_trashed(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    ids: &[ItemId],
    done: &mut Vec<Done>,
) -> Result<bool, StepFailure> {
    let asked: Vec<_> = ids.iter().map(|id| (id.clone(), false)).collect();
    let mut finished = false;
    for (id, answer) in ids.iter().zip(ports.remote.look_up(&asked)?) {
        let is_there = match answer {
            LookUp::Unknown => {
                let folder = moment.base.entry(id).map(|(parent, _)| parent);
                let places: Vec<_> = folder.iter().collect();
                match verified_calls::look_everywhere(ports, id, false, &places)? {
                    LookUp::Found(item) => item.parent != RemoteParent::Trash,
                    LookUp::Gone => false,
                    // In the end the base forgets them, and nothing is deleted for it.
                    LookUp::Unknown => {
                        return Err(StepFailure::replan("iCloud does not say what became of a deleted file"));
                    }
                }
            }
            LookUp::Found(item) if item.parent != RemoteParent::Trash => {
                if arrivals::was_acted_on(moment, &item) {
                    // Whoever took it out of the trash again wants it: it comes here as new.
                    done.push(Done::Lost(id.clone()));
                }
                true
            }
            LookUp::Found(_) => false,
            LookUp::Gone => matches!(verified_calls::look_surely(ports, id, false)?, LookUp::Found(_)),
        };
        if !is_there {
            done.push(Done::Trashed { on: Side::Remote, id: id.clone(), with: Vec::new() });
            finished = true;
        }
    }
    Ok(finished)
}

/// Items that do not stand here any more went to the trash by us: the base forgets them.
fn settle_trashed_here(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    items: &[(ItemId, RelPath, LocalStamp)],
    done: &mut Vec<Done>,
) -> Result<bool, StepFailure> {
    let mut finished = false;
    for (id, path, stamp) in items {
        let Some((_, known)) = moment.base.entry(id) else { continue };
        let kind = if known.folder { LocalKind::Folder } else { LocalKind::File };
        if !stands_as_known(ports, path, (kind, stamp))? {
            done.push(Done::Trashed { on: Side::Local, id: id.clone(), with: Vec::new() });
            finished = true;
        }
    }
    Ok(finished)
}

/// Where the file of `old` does not stand any more, the content of another item has taken its place, or a person has
/// put something there: both sides meet as new, and `old`, wherever it is on iCloud, is no item that was deleted here.
fn settle_take_over(
    ports: &Ports<'_>,
    old: &ItemId,
    (path, stamp): (&RelPath, &LocalStamp),
    done: &mut Vec<Done>,
) -> Result<bool, StepFailure> {
    if stands_as_known(ports, path, (LocalKind::File, stamp))? {
        return Ok(false);
    }
    done.push(Done::Lost(old.clone()));
    Ok(true)
}

#[cfg(test)]
mod tests;
