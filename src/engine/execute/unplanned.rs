//! What lies in a folder that went to iCloud's trash, beside what was planned to go with it.

use std::collections::HashSet;

use crate::engine::ports::{LookUp, Remote, RemoteError, RemoteItem, RemoteParent};
use crate::model::path::DEEPEST;
use crate::model::{FolderState, ItemId};

use super::known::OwnChanges;
use super::report::StepFailure;
use super::verified_calls::look;

/// What a look into a trashed folder finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unplanned {
    /// All of it was listed, and all of it was planned to go.
    Nothing,
    /// Something that was not planned to go with it.
    Something,
    /// The service lists no trashed folder: the look right before is all there is.
    Untold,
}

/// Whether an item that a listing shows in `folder`, at whatever depth, hangs in the drive beside it by now: a move of ours in this pass
/// took it out, which the listing does not show yet and a look-up does. Where somebody else's move is at odds with a look-up nobody
/// knows which of the two is late.
pub(super) fn we_took_out(
    remote: &dyn Remote,
    own: &OwnChanges,
    item: &RemoteItem,
    folder: &ItemId,
) -> Result<bool, StepFailure> {
    if !own.has_changed_since(item) {
        return Ok(false);
    }
    let mut found = look(remote, &item.entry.id, item.entry.is_folder())?;
    for _ in 0..DEEPEST {
        let LookUp::Found(RemoteItem { parent: RemoteParent::Folder(above), .. }) = found else { break };
        if above == *folder {
            break;
        }
        if above == ItemId::drive_root() || above.is_doc("documents") {
            return Ok(true);
        }
        found = look(remote, &above, true)?;
    }
    Ok(false)
}

/// Whether a trashed folder holds anything that was not planned to go with it, or not in the version that `fits`. What `own` knows to
/// have left it before does not count.
pub(super) fn holds_unplanned(
    remote: &dyn Remote,
    own: Option<&OwnChanges>,
    folder: &ItemId,
    planned: &[ItemId],
    fits: &dyn Fn(&RemoteItem) -> bool,
) -> Result<Unplanned, StepFailure> {
    let planned: HashSet<_> = planned.iter().collect();
    let mut folders = vec![folder.clone()];
    let mut found = Unplanned::Nothing;
    while !folders.is_empty() {
        let mut next = Vec::new();
        for listing in remote.list(&folders, false) {
            let listing = match listing {
                Ok(listing) => listing,
                Err(RemoteError::Gone | RemoteError::Refused(_)) => {
                    found = Unplanned::Untold;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if listing.folder.state != FolderState::Complete {
                return Err(StepFailure::again("the listing of a deleted folder does not add up"));
            }
            if !listing.unusable.is_empty() {
                return Ok(Unplanned::Something);
            }
            for item in listing.items {
                if !planned.contains(&item.entry.id) || !fits(&item) {
                    match own {
                        Some(own) if we_took_out(remote, own, &item, folder)? => continue,
                        _ => return Ok(Unplanned::Something),
                    }
                }
                if item.entry.is_folder() {
                    next.push(item.entry.id);
                }
            }
        }
        folders = next;
    }
    Ok(found)
}
