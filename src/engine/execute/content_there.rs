//! Whether an item on iCloud holds the content that was sent, where no answer says so.

use crate::engine::ports::{DownloadKey, Offer, Ports, RemoteItem};
use crate::model::{DiskTime, RelPath, ServerTime, Signature};

use super::verified_calls::only;

/// Devices' clocks lie no further apart, in seconds: who edits a file so long after it was modified here gives it another
/// modification time.
const CLOCKS_APART: u64 = 60;

/// Of a service that tells no signatures so many bytes are fetched to know what came of a call.
const MOST_FETCHED: u64 = 64 << 20;

/// Whether a look at an item that we made shows that it still is as we made it, not before `at`. Size and modification
/// time alone do not tell it from an edit in the same second, and services round a time as they like; then the signature of what would
/// be fetched has to.
pub(super) fn shows_content(
    ports: &Ports<'_>,
    (path, item, size): (&RelPath, &RemoteItem, u64),
    (mtime, at): (ServerTime, DiskTime),
    signature: &Signature,
) -> bool {
    let is_as_sent = item.entry.size.get().is_none_or(|told| told == size) && item.entry.mtime == Some(mtime);
    let is_told = item.entry.signature.get().is_some();
    !is_told && is_as_sent && is_of_another_time(mtime, at)
        || holds_content(ports, (path, item, size), signature)
}

/// Whether a look at an item shows that content, where it may never have come there: an edit from before may have any time. `path` is where the
/// file stands here.
pub(super) fn holds_content(
    ports: &Ports<'_>,
    (path, item, size): (&RelPath, &RemoteItem, u64),
    signature: &Signature,
) -> bool {
    if item.entry.size.get().is_some_and(|told| told != size) {
        return false;
    }
    if let Some(told) = item.entry.signature.get() {
        return told == *signature;
    }
    if size == 0 && item.entry.size == Some(0) {
        return true;
    }
    let Ok(offer) = only(ports.remote.offers(std::slice::from_ref(&item.entry.id))) else { return false };
    let found = || offer.signature.or_else(|| fetched(ports, (path, item, size), &offer));
    offer.etag == item.entry.etag && found() == Some(*signature)
}

/// The signature of what is fetched, of a service that tells none, and of no more than [`MOST_FETCHED`].
fn fetched(
    ports: &Ports<'_>,
    (path, item, size): (&RelPath, &RemoteItem, u64),
    offer: &Offer,
) -> Option<Signature> {
    if size > MOST_FETCHED {
        return None;
    }
    let key = DownloadKey {
        id: item.entry.id.clone(),
        etag: item.entry.etag.clone(),
        signature_text: offer.signature_text.clone(),
        size: Some(size),
        path: path.clone(),
    };
    let mut download = ports.disk.download(&key).ok()?;
    if download.offset() > 0 {
        download.restart().ok()?;
    }
    ports.remote.fetch(offer, Some(size), 0, &mut *download).ok()?;
    let ready = download.finish(item.entry.mtime.get()).ok()?;
    ports.disk.discard(&ready);
    Some(ready.signature)
}

/// Whether nobody gives what they edit from `at` on that modification time. It may lie ahead as well: a clock that was set back since, or one
/// that is behind, shows no other device's either.
fn is_of_another_time(mtime: ServerTime, at: DiskTime) -> bool {
    at.whole_seconds().abs_diff(mtime.0) > CLOCKS_APART
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_far_from_now_is_given_to_no_edit_of_now() {
        for (mtime, expected) in
            [(940, false), (939, true), (1000, false), (1060, false), (1061, true), (i64::MAX, true)]
        {
            assert_eq!(
                is_of_another_time(ServerTime(mtime), DiskTime(1_000_000_000_000)),
                expected,
                "{mtime}"
            );
        }
    }
}
