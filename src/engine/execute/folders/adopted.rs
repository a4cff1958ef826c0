//! A folder on iCloud that mirrors one here from now on.

use crate::engine::operation::LocalSeen;
use crate::engine::ports::{RemoteItem, RemoteParent};
use crate::model::ItemId;

use super::super::agree::as_seen;
use super::super::done::Done;
use super::super::parent_check::added_into;
use super::super::report::StepFailure;
use super::super::stage::{Acted, Known};

/// The folder on iCloud is the operation's from now on.
pub(super) fn adopt(
    known: &Known<'_>,
    (index, local): (usize, LocalSeen),
    parent: &ItemId,
    item: RemoteItem,
    acted: &mut Acted,
) {
    if !item.entry.is_folder() {
        return acted.failed(index, StepFailure::replan("a file on iCloud has this name"));
    }
    let remote = as_seen(&RemoteItem { parent: RemoteParent::Folder(parent.clone()), ..item }, true, parent);
    added_into(known, index, (parent, &remote.id), acted);
    let at = known.moment.now;
    acted.did(index, Done::MadeRemoteFolder { operation: index, remote, local, at });
    acted.finished(index);
}
