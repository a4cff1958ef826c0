//! Putting an item back from iCloud's trash, whatever is answered.

use crate::engine::ports::{Listing, LookUp, Ports, Remote, RemoteError, RemoteItem, RemoteParent};
use crate::model::{ItemId, name};

use super::relocate::{is_numbered, relocate, right_after_a_look};
use super::report::StepFailure;
use super::verified_calls::{hangs_in, holder, list, list_if_there, look, only, version};

/// So many names are tried for what comes back.
const MOST_NAMES: u32 = 5;

/// Puts an item back from the trash, to its folder and, where free, its name; its id may be another afterwards.
pub(super) fn put_back(
    ports: &Ports<'_>,
    trashed: &RemoteItem,
    folder: bool,
    (parent, wanted): (&ItemId, &str),
) -> Result<RemoteItem, StepFailure> {
    let remote = ports.remote;
    // Where its folder is gone it comes back to wherever the service puts it.
    let before = list_if_there(remote, parent)?;
    let told = match back(remote, trashed, folder)? {
        Ok(item) => Some(item).filter(|item| matches!(item.parent, RemoteParent::Folder(_))),
        Err(RemoteError::Uncertain(_) | RemoteError::Damaged(_)) => None,
        Err(error) => return Err(error.into()),
    };
    // An answer may have no effect: what stayed in the trash nobody would look for there.
    let id = told.as_ref().map_or(&trashed.entry.id, |item| &item.entry.id);
    let item = match look(remote, id, folder)? {
        LookUp::Found(now) if matches!(now.parent, RemoteParent::Folder(_)) => now,
        LookUp::Unknown => return Err(StepFailure::again("iCloud does not say whether it was put back")),
        // It may have come back under another id: whatever is new in its folder and like it.
        LookUp::Found(_) | LookUp::Gone => {
            let before =
                before.as_ref().ok_or_else(|| StepFailure::replan("the folder it was in is gone"))?;
            came_back(remote, parent, before, trashed, wanted)?
        }
    };
    if before.is_none() || hangs_in(&item, parent) && name::same(&item.entry.name, wanted) {
        return Ok(item);
    }
    if holder(remote, parent, wanted, Some(&item.entry.id))?.is_some() {
        return Ok(item);
    }
    relocate(ports, item, folder, (parent, wanted))
}

/// The call. Where the service refuses it for its name it comes back under another one, made as the service makes them: what somebody
/// put into it must not stay in the trash for that.
fn back(
    remote: &dyn Remote,
    trashed: &RemoteItem,
    folder: bool,
) -> Result<Result<RemoteItem, RemoteError>, StepFailure> {
    let mut now = trashed.clone();
    for number in 2..=MOST_NAMES {
        match only(remote.put_back(&[version(&now, folder)])) {
            Err(RemoteError::NameTaken) => {}
            answer => return Ok(answer),
        }
        let name = numbered(&trashed.entry.name, folder, number);
        now = match right_after_a_look(remote, &now, folder, |now| remote.rename(now, &name))? {
            // An answer need not say where it lies.
            Ok(renamed) => RemoteItem { parent: RemoteParent::Trash, ..renamed },
            Err(error) => return Ok(Err(error)),
        };
    }
    Ok(only(remote.put_back(&[version(&now, folder)])))
}

fn numbered(name: &str, folder: bool, number: u32) -> String {
    match name::split_extension(name) {
        (stem, Some(extension)) if !folder => format!("{stem} {number}.{extension}"),
        _ => format!("{name} {number}"),
    }
}

fn came_back(
    remote: &dyn Remote,
    parent: &ItemId,
    before: &Listing,
    trashed: &RemoteItem,
    wanted: &str,
) -> Result<RemoteItem, StepFailure> {
    let is_new = |item: &RemoteItem| before.items.iter().all(|old| old.entry.id != item.entry.id);
    list(remote, parent)?
        .items
        .into_iter()
        .filter(|item| is_new(item) && item.entry.size == trashed.entry.size)
        .find(|item| name::same(&item.entry.name, wanted) || is_numbered(&item.entry.name, wanted))
        .map(|mut item| {
            item.parent = RemoteParent::Folder(parent.clone());
            item
        })
        .ok_or_else(|| StepFailure::again("iCloud did not put it back"))
}
