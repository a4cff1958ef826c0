//! Content that lies on iCloud's servers, the file it was read from, and what it is for.

use crate::engine::execute::agree::as_seen;
use crate::engine::execute::content_there::{holds_content, shows_content};
use crate::engine::execute::done::Done;
use crate::engine::execute::parent_check::added_into;
use crate::engine::execute::report::StepFailure;
use crate::engine::execute::stage::{Acted, Known};
use crate::engine::execute::verified_calls;
use crate::engine::operation::{LocalSeen, Reason, RemoteSeen};
use crate::engine::ports::{Commit, Disk, Ports, RemoteItem, Staged};
use crate::model::name::Name;
use crate::model::{Etag, ItemId, SeenAt, ServerTime, Signature, Upload};

/// By so many seconds a service may round a modification time.
const ROUNDED_SECONDS: u64 = 1;

/// Content that lies on iCloud's servers, and the file it was read from.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) staged: Staged,
    pub(super) signature: Signature,
    pub(super) read_at: SeenAt,
    pub(super) local: LocalSeen,
}

impl Sent {
    pub(super) fn mtime(&self) -> ServerTime {
        ServerTime(self.local.stamp.mtime.whole_seconds())
    }

    /// The item that comes of it as a new file.
    pub(super) fn document(&self) -> ItemId {
        ItemId::new(self.staged.zone.clone(), &self.staged.document)
    }

    pub(super) fn commit<'a>(
        &'a self,
        parent: &'a ItemId,
        name: &'a str,
        replaces: Option<&'a ItemId>,
    ) -> Commit<'a> {
        let birth = self.local.stamp.identity.birth.get();
        Commit {
            staged: &self.staged,
            parent,
            name,
            replaces,
            mtime: self.mtime(),
            btime: birth.map_or(self.mtime(), |birth| ServerTime(birth.whole_seconds())),
            // No scan tells modes, and a changed mode alone is never uploaded.
            executable: false,
        }
    }

    /// What is noted of it before it is committed.
    pub(super) fn upload(&self, parent: ItemId, name: Name, over: Option<(ItemId, Etag)>) -> Upload {
        Upload {
            document: self.staged.document.as_str().into(),
            over,
            parent,
            name,
            path: self.local.path.clone(),
            stamp: self.local.stamp,
            signature: self.signature,
        }
    }

    /// Whether that item holds what was sent, as far as can be told without fetching it.
    pub(super) fn is_held_by(&self, item: &RemoteItem) -> bool {
        item.entry.size.get().is_none_or(|size| size == self.staged.size)
    }

    /// Whether that item has the modification time that was sent, as a service may round it.
    pub(super) fn is_of_its_time(&self, item: &RemoteItem) -> bool {
        let sent = self.mtime().0;
        item.entry.mtime.get().is_none_or(|told| told.0.abs_diff(sent) <= ROUNDED_SECONDS)
    }

    /// The same of a new item that a later look shows: a person may have edited it since it came, and what the base takes for
    /// agreed is never fetched. In doubt both sides are compared.
    pub(super) fn is_shown_by(&self, ports: &Ports<'_>, item: &RemoteItem) -> bool {
        shows_content(
            ports,
            (&self.local.path, item, self.staged.size),
            (self.mtime(), self.read_at.by_this_machine()),
            &self.signature,
        )
    }

    /// The same of an item that held something else before: it may have come from elsewhere.
    pub(super) fn is_held_surely(&self, ports: &Ports<'_>, item: &RemoteItem) -> bool {
        holds_content(ports, (&self.local.path, item, self.staged.size), &self.signature)
    }

    /// The file must still be the one that was read.
    pub(super) fn is_as_read(&self, disk: &dyn Disk) -> Result<bool, StepFailure> {
        Ok(disk.look(&self.local.path)?.is_some_and(|entry| entry.stamp == self.local.stamp))
    }
}

/// What an upload is for.
#[derive(Clone, Copy)]
pub(super) struct Aim {
    pub(super) index: usize,
    pub(super) reason: Reason,
    pub(super) is_conflict: bool,
}

impl Aim {
    /// What was sent is a file in `parent` on iCloud, perhaps instead of another item.
    pub(super) fn came(
        self,
        known: &Known<'_>,
        sent: &Sent,
        (parent, item): (&ItemId, &RemoteItem),
        instead_of: Option<ItemId>,
        acted: &mut Acted,
    ) {
        let mut remote = as_seen(item, false, parent);
        remote.size = remote.size.or(Some(sent.staged.size));
        remote.mtime = remote.mtime.or(Some(sent.mtime()));
        added_into(known, self.index, (parent, &remote.id), acted);
        let (local, signature, read_at) = (sent.local.clone(), sent.signature, sent.read_at);
        acted.did(self.index, Done::Uploaded { remote, local, signature, read_at, instead_of });
        self.is_done(sent, acted);
    }

    /// What was to be sent is on iCloud, and the base knows of it.
    pub(super) fn is_done(self, sent: &Sent, acted: &mut Acted) {
        let Self { index, reason, is_conflict } = self;
        acted.did(index, Done::Sent { bytes: sent.staged.size, reason, is_conflict });
    }
}

/// A version on iCloud that is replaced.
pub(super) struct Replacing {
    pub(super) aim: Aim,
    /// As it stood before the stage that began with it.
    pub(super) old: RemoteSeen,
    pub(super) sent: Sent,
}

/// Looks at the version that is replaced, right before it is.
pub(super) fn read_again(ports: &Ports<'_>, old: &RemoteSeen) -> Result<RemoteItem, StepFailure> {
    verified_calls::check(ports.remote, std::slice::from_ref(old))?
        .pop()
        .unwrap_or_else(|| Err(StepFailure::again("iCloud does not say what it is now")))
}
