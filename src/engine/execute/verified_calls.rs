//! Calls that change iCloud, each with its answer verified. A lost reply leads to a look, never to a
//! blind repetition (`docs/sync.md` §6; `docs/protocol.md` §10).

use std::collections::HashMap;
use std::time::Duration;

use crate::engine::operation::RemoteSeen;
use crate::engine::ports::{
    ItemVersion, Listing, LookUp, Ports, Remote, RemoteError, RemoteItem, RemoteParent,
};
use crate::model::path::DEEPEST;
use crate::model::{Backoff, FolderState, ItemId, name};

use super::report::StepFailure;

/// So often a step that puts something right is repeated.
const PATIENCE: u32 = 4;
/// Listings show own changes after this at the latest (`docs/sync.md` §7).
pub(super) const LISTINGS_LAG: Duration = Duration::from_secs(31);
/// Two looks at an item that is said to be gone lie this far apart.
const GONE_LOOKS_APART: Duration = Duration::from_secs(5);

/// The version to name in a call.
pub(super) fn version(item: &RemoteItem, folder: bool) -> ItemVersion {
    ItemVersion { id: item.entry.id.clone(), folder, etag: item.entry.etag.clone() }
}

/// Whether it hangs in that folder; an answer that does not tell is no contradiction.
pub(super) fn hangs_in(item: &RemoteItem, folder: &ItemId) -> bool {
    match &item.parent {
        RemoteParent::Folder(parent) => parent == folder,
        RemoteParent::Trash => false,
        RemoteParent::Untold => true,
    }
}

/// Takes the only answer of a call for one item.
pub(super) fn only<T>(mut answers: Vec<Result<T, RemoteError>>) -> Result<T, RemoteError> {
    answers.pop().unwrap_or_else(|| Err(RemoteError::Uncertain("the answer names no item".into())))
}

/// Looks one item up.
pub(super) fn look(remote: &dyn Remote, id: &ItemId, folder: bool) -> Result<LookUp, StepFailure> {
    Ok(remote.look_up(&[(id.clone(), folder)])?.pop().unwrap_or(LookUp::Unknown))
}

/// Looks one item up, and believes that it is gone only when that is said twice, some seconds apart
/// (`docs/protocol.md` §8.3).
pub(super) fn look_surely(ports: &Ports<'_>, id: &ItemId, folder: bool) -> Result<LookUp, StepFailure> {
    match look(ports.remote, id, folder)? {
        LookUp::Gone => {
            ports.clock.pause(GONE_LOOKS_APART).map_err(|_| RemoteError::Stopped)?;
            look(ports.remote, id, folder)
        }
        told => Ok(told),
    }
}

/// As [`look_surely`]. Where a look-up does not say what became of the item, the listings of the folders that it can be in,
/// and the trash, say whether it is there; that it is in none of them counts once they must show it.
pub(super) fn look_everywhere(
    ports: &Ports<'_>,
    id: &ItemId,
    folder: bool,
    places: &[&ItemId],
) -> Result<LookUp, StepFailure> {
    let is_it = |item: &RemoteItem| item.entry.id == *id;
    for is_last in [false, true] {
        match look_surely(ports, id, folder)? {
            LookUp::Unknown => {}
            told => return Ok(told),
        }
        for place in places {
            let listing = list_if_there(ports.remote, place)?;
            if let Some(mut found) = listing.and_then(|listing| listing.items.into_iter().find(is_it)) {
                found.parent = RemoteParent::Folder((*place).clone());
                return Ok(LookUp::Found(found));
            }
        }
        let trash = ports.remote.list_trash()?;
        if let Some(mut found) = trash.items.into_iter().find(is_it) {
            found.parent = RemoteParent::Trash;
            return Ok(LookUp::Found(found));
        }
        if trash.folder.state == FolderState::Incomplete {
            return Err(StepFailure::again("the listing of the trash does not add up"));
        }
        if !is_last {
            ports.clock.pause(LISTINGS_LAG).map_err(|_| RemoteError::Stopped)?;
        }
    }
    Ok(LookUp::Gone)
}

/// As [`look_surely`] of many items in two calls at most.
pub(super) fn look_all_surely(
    ports: &Ports<'_>,
    asked: &[(ItemId, bool)],
) -> Result<HashMap<ItemId, LookUp>, StepFailure> {
    let look_up = |asked: &[(ItemId, bool)]| -> Result<Vec<(ItemId, LookUp)>, StepFailure> {
        let answers = ports.remote.look_up(asked)?.into_iter().chain(std::iter::repeat(LookUp::Unknown));
        Ok(asked.iter().map(|(id, _)| id.clone()).zip(answers).collect())
    };
    let mut told: HashMap<_, _> = look_up(asked)?.into_iter().collect();
    let is_gone = |(id, _): &&(ItemId, bool)| told.get(id) == Some(&LookUp::Gone);
    let gone: Vec<_> = asked.iter().filter(is_gone).cloned().collect();
    if !gone.is_empty() {
        ports.clock.pause(GONE_LOOKS_APART).map_err(|_| RemoteError::Stopped)?;
        told.extend(look_up(&gone)?);
    }
    Ok(told)
}

/// Repeats what puts a wrong result right: left to a later try, the wrong result would stay. After each wait the item is looked
/// at again, and what somebody else changed meanwhile is left as it is.
pub(super) fn patiently<T>(
    ports: &Ports<'_>,
    item: &RemoteItem,
    folder: bool,
    mut step: impl FnMut(&RemoteItem) -> Result<T, StepFailure>,
) -> Result<T, StepFailure> {
    let mut now = item.clone();
    for attempt in 0..PATIENCE {
        match step(&now) {
            Err(StepFailure::Again { after, .. }) => wait(ports, attempt, after)?,
            other => return other,
        }
        now = match look(ports.remote, &item.entry.id, folder)? {
            LookUp::Found(found) if is_as_left(&found, item, folder) => found,
            LookUp::Found(_) | LookUp::Gone => {
                return Err(StepFailure::replan("it was changed on iCloud meanwhile"));
            }
            // So new that it is not told yet, or the look failed: its etag still guards what can be guarded.
            LookUp::Unknown => now,
        };
    }
    step(&now)
}

/// Waits before a repetition, as long as was asked for, if that is not long.
pub(super) fn wait(ports: &Ports<'_>, attempt: u32, asked: Option<Duration>) -> Result<(), StepFailure> {
    let most = Duration::from_secs(8);
    let wait = Backoff::all_random(Duration::from_secs(1), most).wait(attempt, ports.clock.unit_random());
    let wait = wait.max(asked.unwrap_or_default().min(most));
    ports.clock.pause(wait).map_err(|_| RemoteError::Stopped)?;
    Ok(())
}

/// Whether a later look shows an item in the place, under the name and, for a file, with the content that it had.
fn is_as_left(now: &RemoteItem, before: &RemoteItem, folder: bool) -> bool {
    let stays = match &before.parent {
        RemoteParent::Folder(parent) => hangs_in(now, parent),
        RemoteParent::Trash => now.parent == RemoteParent::Trash,
        RemoteParent::Untold => now.parent != RemoteParent::Trash,
    };
    stays
        && name::same(&now.entry.name, &before.entry.name)
        && (folder || now.entry.etag.same_content(&before.entry.etag))
}

/// Deletes for good what lies in the trash, best effort: where it is refused, or was changed meanwhile, it stays there, which is
/// deleted too. Whether the service refuses to delete what does not lie there nobody knows (`docs/protocol.md` §10.6), so a look right
/// before each call is the guard, and no answer to an earlier one.
pub(super) fn delete_for_good(ports: &Ports<'_>, trashed: &RemoteItem, folder: bool) {
    let deleted = patiently(ports, trashed, folder, |now| match look(ports.remote, &now.entry.id, folder)? {
        LookUp::Found(seen) if seen.parent == RemoteParent::Trash && seen.entry.etag == now.entry.etag => {
            Ok(only(ports.remote.delete_trashed(&[version(&seen, folder)]))?)
        }
        _ => Err(StepFailure::replan("no look shows it there")),
    });
    if let Err(failure) = deleted {
        log::debug!("{}: it stays in iCloud's trash: {failure}", trashed.entry.name);
    }
}

/// Reads items again right before they are changed and compares them with what was planned. A folder's
/// etag follows its contents, which are nobody's concern when its place changes, so of folders only the
/// place counts.
pub(super) fn check(
    remote: &dyn Remote,
    seen: &[RemoteSeen],
) -> Result<Vec<Result<RemoteItem, StepFailure>>, StepFailure> {
    let asked: Vec<_> = seen.iter().map(|seen| (seen.id.clone(), seen.folder)).collect();
    let mut answers = remote.look_up(&asked)?.into_iter();
    Ok(seen.iter().map(|seen| checked(seen, answers.next().unwrap_or(LookUp::Unknown))).collect())
}

/// Compares what a look-up says of an item with what was planned, as [`check`] does.
pub(super) fn checked(seen: &RemoteSeen, answer: LookUp) -> Result<RemoteItem, StepFailure> {
    let item = match answer {
        LookUp::Found(item) => item,
        LookUp::Gone => return Err(StepFailure::replan("it is gone from iCloud")),
        LookUp::Unknown => return Err(StepFailure::again("iCloud does not say what became of it")),
    };
    if !hangs_in(&item, &seen.parent) || !name::same(&item.entry.name, &seen.name) {
        return Err(StepFailure::replan("it was moved on iCloud meanwhile"));
    }
    if item.entry.is_folder() != seen.folder || (!seen.folder && item.entry.etag != seen.etag) {
        return Err(StepFailure::replan("it changed on iCloud meanwhile"));
    }
    Ok(item)
}

/// Lists one folder in full.
pub(super) fn list(remote: &dyn Remote, folder: &ItemId) -> Result<Listing, StepFailure> {
    let listing = only(remote.list(std::slice::from_ref(folder), false))?;
    if listing.folder.state == FolderState::Complete {
        Ok(listing)
    } else {
        Err(StepFailure::again("the listing of its folder does not add up"))
    }
}

/// Lists one folder in full, if it exists.
pub(super) fn list_if_there(remote: &dyn Remote, folder: &ItemId) -> Result<Option<Listing>, StepFailure> {
    match list(remote, folder) {
        // Nothing else of a listing is a reason to plan again.
        Err(StepFailure::Replan(_)) => Ok(None),
        listing => listing.map(Some),
    }
}

/// Who else has `wanted` in `folder`. A listing may lag, so whoever it shows is looked up.
pub(super) fn holder(
    remote: &dyn Remote,
    folder: &ItemId,
    wanted: &str,
    except: Option<&ItemId>,
) -> Result<Option<RemoteItem>, StepFailure> {
    let listing = list(remote, folder)?;
    if listing.unusable.iter().any(|(shown, _)| name::same(shown, wanted)) {
        return Err(StepFailure::replan("an item that cannot be synced has this name on iCloud"));
    }
    for item in listing.items {
        if !name::same(&item.entry.name, wanted) || Some(&item.entry.id) == except {
            continue;
        }
        match look(remote, &item.entry.id, item.entry.is_folder())? {
            LookUp::Found(now) if hangs_in(&now, folder) && name::same(&now.entry.name, wanted) => {
                return Ok(Some(now));
            }
            LookUp::Unknown => return Err(StepFailure::again("iCloud does not say who has this name")),
            LookUp::Found(_) | LookUp::Gone => {}
        }
    }
    Ok(None)
}

/// Whether a folder, and each one above it, hangs in the drive and is another one than `item`, which is to go there, as far as look-ups
/// tell.
pub(super) fn can_take(remote: &dyn Remote, folder: &ItemId, item: &ItemId) -> Result<bool, StepFailure> {
    let mut at = folder.clone();
    for _ in 0..DEEPEST {
        if at == *item {
            return Ok(false);
        }
        if at == ItemId::drive_root() || at.is_doc("documents") {
            break;
        }
        match look(remote, &at, true)? {
            LookUp::Found(found) => match found.parent {
                RemoteParent::Folder(parent) => at = parent,
                RemoteParent::Trash => return Ok(false),
                RemoteParent::Untold => break,
            },
            LookUp::Gone => return Ok(false),
            LookUp::Unknown => break,
        }
    }
    Ok(true)
}

/// What follows from "this name is taken": who has it is met by the next plan. Where nobody is seen to have it, but
/// somebody one that differs in case only, the service takes both for one name, and no time mends that.
pub(super) fn taken(
    remote: &dyn Remote,
    folder: &ItemId,
    wanted: &str,
    except: Option<&ItemId>,
) -> Result<StepFailure, StepFailure> {
    if holder(remote, folder, wanted, except)?.is_some() {
        return Ok(StepFailure::replan("another item on iCloud has this name"));
    }
    let items = list(remote, folder)?.items;
    let others = items.iter().filter(|item| Some(&item.entry.id) != except);
    let mut alike =
        others.filter(|item| name::key(&item.entry.name, true) == name::key(wanted, true)).peekable();
    Ok(match alike.peek() {
        Some(item) => StepFailure::Aside(one_name(&item.entry.name)),
        // The listing lags: what has the name is seen soon.
        None => StepFailure::again("iCloud says that another item has this name"),
    })
}

/// Why two names that differ only in case cannot both be there.
pub(super) fn one_name(other: &str) -> String {
    format!("`{}` has this name on iCloud, which takes no difference in case", name::nfc(other))
}

/// Moves an item to the trash if it still is the version that was just read.
pub(super) fn trash(remote: &dyn Remote, item: &RemoteItem, folder: bool) -> Result<RemoteItem, StepFailure> {
    let mut trashed = trash_all(remote, &[version(item, folder)]);
    trashed.pop().unwrap_or_else(|| Err(StepFailure::again("the answer names no item")))
}

/// Moves items to the trash that still are those versions. A lost reply leads to a look, and so does one that says it was done:
/// an answer can come without an effect.
pub(super) fn trash_all(
    remote: &dyn Remote,
    versions: &[ItemVersion],
) -> Vec<Result<RemoteItem, StepFailure>> {
    let mut answers = remote.trash(versions);
    answers.resize_with(versions.len(), || Err(RemoteError::Uncertain("the answer names no item".into())));
    let is_open =
        |answer: &Result<RemoteItem, RemoteError>| matches!(answer, Ok(_) | Err(RemoteError::Uncertain(_)));
    let open = versions.iter().zip(&answers).filter(|(_, answer)| is_open(answer));
    let asked: Vec<_> = open.map(|(version, _)| (version.id.clone(), version.folder)).collect();
    // Without an answer to the look the one to the call counts.
    let looks = if asked.is_empty() { Ok(Vec::new()) } else { remote.look_up(&asked) };
    let mut looks = looks.unwrap_or_default().into_iter();
    let judge = |(version, answer): (&ItemVersion, Result<RemoteItem, RemoteError>)| match answer {
        Ok(_) | Err(RemoteError::Uncertain(_)) => {
            trashed(version, answer.ok(), looks.next().unwrap_or(LookUp::Unknown))
        }
        Err(error) => Err(error.into()),
    };
    versions.iter().zip(answers).map(judge).collect()
}

/// Judges what a call and the look after it say of an item that was to go to the trash. `said` is what the call showed.
fn trashed(asked: &ItemVersion, said: Option<RemoteItem>, look: LookUp) -> Result<RemoteItem, StepFailure> {
    let said = said.filter(|item| item.parent == RemoteParent::Trash && item.entry.id == asked.id);
    match (said, look) {
        (_, LookUp::Found(now)) if now.parent == RemoteParent::Trash => Ok(now),
        // It stands as it did before the call.
        (_, LookUp::Found(now)) if now.entry.etag == asked.etag => {
            Err(StepFailure::again("iCloud did not do what was deleted here"))
        }
        // What went to the trash and does not lie there any more was put back by a person.
        (Some(item), _) => Ok(item),
        (None, LookUp::Gone) => Err(StepFailure::replan("it is gone from iCloud")),
        (None, LookUp::Found(_) | LookUp::Unknown) => {
            Err(StepFailure::again("iCloud did not confirm a deletion"))
        }
    }
}

/// Everything below a folder, as its listings show it now.
pub(super) fn below(remote: &dyn Remote, folder: &ItemId) -> Result<Vec<RemoteItem>, StepFailure> {
    let mut found = Vec::new();
    let mut folders = vec![folder.clone()];
    while !folders.is_empty() {
        let mut next = Vec::new();
        for listing in remote.list(&folders, false) {
            let listing = listing?;
            if listing.folder.state != FolderState::Complete {
                return Err(StepFailure::again("the listing of a folder in it does not add up"));
            }
            if !listing.unusable.is_empty() {
                return Err(StepFailure::replan("it holds an item that cannot be synced"));
            }
            for item in listing.items {
                if item.entry.is_folder() {
                    next.push(item.entry.id.clone());
                }
                found.push(item);
            }
        }
        folders = next;
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
