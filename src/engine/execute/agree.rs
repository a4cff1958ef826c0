//! What the base learns: the only place where its entries are made.

use crate::engine::operation::{LocalSeen, Operation, Parent, Reason, RemoteSeen};
use crate::engine::ports::RemoteItem;
use crate::model::{
    BaseEntry, Change, DiskTime, ItemId, LocalEntry, LocalStamp, Presence, RelPath, Signature, name,
};

use super::lane::Lane;
use super::report::{Effect, EffectKind, StepFailure};

/// A change this close to the look that recorded it could have left the stamp as it is (`docs/sync.md` §3).
const RACY_SECONDS: i64 = 2;

/// Whether a stamp that was taken at `at` cannot be trusted alone.
pub(super) fn is_racy(stamp: &LocalStamp, at: DiskTime) -> bool {
    stamp.mtime.is_within(RACY_SECONDS, at) || stamp.ctime.is_within(RACY_SECONDS, at)
}

/// The local half of an agreement.
pub(super) struct Here<'a> {
    pub(super) name: &'a str,
    pub(super) stamp: LocalStamp,
    pub(super) racy: bool,
    pub(super) signature: Option<Signature>,
}

/// A remote item as an answer of ours showed it, in the terms of a plan.
pub(super) fn as_seen(item: &RemoteItem, folder: bool, parent: &ItemId) -> RemoteSeen {
    RemoteSeen {
        id: item.entry.id.clone(),
        folder,
        package: false,
        etag: item.entry.etag.clone(),
        parent: parent.clone(),
        name: item.entry.name.clone(),
        size: item.entry.size,
        mtime: item.entry.mtime,
        signature: item.entry.signature,
    }
}

impl Lane<'_> {
    /// The entry that both sides agree on now.
    pub(super) fn agreed(&self, reason: Reason, remote: &RemoteSeen, here: &Here<'_>) -> BaseEntry {
        let before = self.ledger.entry(&remote.id).map(|(_, entry)| entry);
        let state = self.ledger.state();
        // On a first run everything is seen for the first time: that tells nothing of who made it when.
        let created = match reason {
            Reason::New(side) if state.last_sync.is_some() => Some((side, self.ledger.now_seconds())),
            _ => None,
        };
        BaseEntry {
            id: remote.id.clone(),
            folder: remote.folder,
            package: remote.package,
            presence: Presence::Both,
            local_name: here.name.into(),
            remote_name: remote.name.clone(),
            etag: remote.etag.clone(),
            remote_size: remote.size,
            remote_mtime: remote.mtime,
            stamp: here.stamp,
            racy: here.racy,
            signature: if remote.folder { None } else { here.signature },
            created_on: before.as_ref().and_then(|before| before.created_on).or(created),
            written_at: before.and_then(|before| before.written_at),
        }
    }

    /// What a look at a local item that we just changed says of it.
    pub(super) fn here<'n>(
        &self,
        name: &'n str,
        entry: &LocalEntry,
        signature: Option<Signature>,
    ) -> Here<'n> {
        let racy = entry.racy || is_racy(&entry.stamp, self.ports.clock.now());
        Here { name, stamp: entry.stamp, racy, signature }
    }

    /// Both hold the same: the base learns it.
    pub(super) fn agree(
        &mut self,
        operation: &Operation,
        remote: &RemoteSeen,
        local: &LocalSeen,
    ) -> Result<(), StepFailure> {
        let (remote, local) = (self.own.remote(remote), self.own.local(local));
        let known = self.ledger.entry(&remote.id).and_then(|(_, before)| {
            let same = before.stamp == local.stamp && before.etag.same_content(&remote.etag);
            before.signature.filter(|_| same)
        });
        let signature = local.signature.or(remote.signature).or(known);
        let here = Here { name: local.path.name(), stamp: local.stamp, racy: local.racy, signature };
        let entry = self.agreed(operation.reason, &remote, &here);
        self.ensure_durable(&remote.id, &local);
        self.ledger.put(&remote.parent, entry)?;
        self.adopted(operation);
        Ok(())
    }

    /// A comparison found both contents equal.
    pub(super) fn agree_on_content(
        &mut self,
        operation: &Operation,
        remote: &RemoteSeen,
        local: &LocalSeen,
        signature: Signature,
        package: bool,
    ) -> Result<(), StepFailure> {
        let mut remote = self.own.remote(remote);
        remote.package = package;
        let local = self.own.local(local);
        // It was read just now, so what the scan could not tell is settled unless it changed just now.
        let racy = is_racy(&local.stamp, self.ports.clock.now());
        let here = Here { name: local.path.name(), stamp: local.stamp, racy, signature: Some(signature) };
        let entry = self.agreed(operation.reason, &remote, &here);
        self.ensure_durable(&remote.id, &local);
        self.ledger.put(&remote.parent, entry)?;
        self.adopted(operation);
        Ok(())
    }

    /// What stands here goes into the base: should the power go, it must still be there, or its absence would
    /// be taken for a person's deletion. Persons' programs do not always sync, and a crash of ours may have
    /// come before the sync of what was put in place.
    pub(super) fn ensure_durable(&mut self, id: &ItemId, local: &LocalSeen) {
        if self.ledger.entry(id).is_none_or(|(_, before)| before.stamp != local.stamp) {
            self.ledger.touched(local.path.parent());
        }
    }

    fn adopted(&mut self, operation: &Operation) {
        self.outcome.counts.adopted += 1;
        self.told(effect(operation, EffectKind::Adopt, None));
    }

    /// The base forgets an item.
    pub(super) fn forget(&mut self, operation: &Operation, id: &ItemId) {
        self.ledger.forget(id);
        self.told(effect(operation, EffectKind::Forget, None));
    }

    /// The base remembers on which side a folder stands, and where: the folder that held it may be forgotten next, with all
    /// that the base knows in it.
    pub(super) fn keep_presence(
        &mut self,
        operation: &Operation,
        id: &ItemId,
        presence: Presence,
        place: Option<&(Parent, Box<str>)>,
    ) -> Result<(), StepFailure> {
        let Some((_, mut entry)) = self.ledger.entry(id).filter(|_| !self.ledger.is_forgotten(id)) else {
            return Err(StepFailure::replan("the base does not know it any more"));
        };
        match place {
            None => self.ledger.push(Change::Presence(id.clone(), presence)),
            Some((parent, name)) => {
                let parent = self.own.parent(parent)?;
                if self.ledger.is_within(&parent, id) {
                    return Err(StepFailure::replan("the folder it is in has yet to leave it"));
                }
                entry.presence = presence;
                if presence == Presence::LocalOnly {
                    entry.local_name = name.clone();
                } else {
                    entry.remote_name = name.clone();
                    entry.local_name = self.free_local_name(&parent, name, id);
                }
                self.ledger.put(&parent, entry)?;
            }
        }
        self.told(effect(operation, EffectKind::Forget, None));
        Ok(())
    }

    /// What a folder that does not stand here would be called here; another name where somebody has that one.
    fn free_local_name(&self, parent: &ItemId, remote_name: &str, id: &ItemId) -> Box<str> {
        let wanted = name::held_here(remote_name);
        let others = (0..).map(|number| name::aside_name(&wanted, number).into());
        let mut names = std::iter::once(wanted.clone()).chain(others);
        let free = names.find(|name| self.ledger.at_path(parent, name, Some(id)).is_none());
        free.unwrap_or(wanted)
    }
}

/// An effect of an operation, without bytes.
pub(super) fn effect(operation: &Operation, kind: EffectKind, other: Option<RelPath>) -> Effect {
    let side = match kind {
        EffectKind::Adopt | EffectKind::Forget => None,
        _ => operation.side(),
    };
    Effect { kind, side, path: operation.path.clone(), other, bytes: 0, reason: operation.reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_within_two_seconds_of_the_look_cannot_be_trusted_alone() {
        let at = |seconds, nanos| DiskTime::new(seconds, nanos);
        let stamp = |mtime, ctime| LocalStamp { mtime, ctime, ..LocalStamp::default() };
        for (mtime, ctime, expected) in [
            (at(100, 0), at(100, 0), true),
            (at(98, 0), at(50, 0), true),
            (at(50, 0), at(98, 0), true),
            (at(102, 0), at(50, 0), true),
            (at(50, 0), at(50, 0), false),
            (at(97, 0), at(97, 0), false),
            (at(1000, 0), at(50, 0), false),
        ] {
            assert_eq!(is_racy(&stamp(mtime, ctime), at(100, 0)), expected, "{mtime:?} {ctime:?}");
        }
    }
}
