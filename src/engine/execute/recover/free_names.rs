//! Whose a name in a folder on iCloud is.

use crate::engine::ports::{Listing, Remote};
use crate::model::{ItemId, name};

use super::super::report::StepFailure;
use super::super::verified_calls;

/// Whether another item than `id` may be why the service numbers that name: it may hold apart no names that differ only in case.
pub(super) fn takes_name(listing: &Listing, wanted: &str, id: &ItemId) -> bool {
    let key = name::key(wanted, true);
    listing.items.iter().any(|item| item.entry.id != *id && name::key(&item.entry.name, true) == key)
}

/// Whether an item can be brought to that place: its folder is there and nobody else has the name in it.
pub(super) fn is_free(
    remote: &dyn Remote,
    (folder, name): (&ItemId, &str),
    id: &ItemId,
) -> Result<bool, StepFailure> {
    match verified_calls::holder(remote, folder, name, Some(id)) {
        // What went back into a folder that was deleted meanwhile would be deleted with it, though nobody saw it there; and somebody
        // may have moved that folder into the one that is to go there.
        Ok(holder) => Ok(holder.is_none() && verified_calls::can_take(remote, folder, id)?),
        // The folder is gone, or what cannot be synced has the name.
        Err(StepFailure::Replan(_)) => Ok(false),
        Err(failure) => Err(failure),
    }
}
