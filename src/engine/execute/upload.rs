//! Making staged content a file: as a new one, in place, or by way of the trash (`docs/sync.md` §6).

mod commit;

use crate::engine::operation::{LocalSeen, Operation, Reason, RemoteSeen, Replacement, UploadTarget};
use crate::engine::ports::{Commit, LookUp, Ports, RemoteError, RemoteItem, Staged};
use crate::model::{BaseEntry, Change, DiskTime, Intent, ItemId, ServerTime, Signature, name};

use super::agree::{Here, as_seen, effect, is_racy};
use super::done::Done;
use super::lane::Lane;
use super::recover;
use super::report::{EffectKind, StepFailure};
use super::transfer::Arrived;
use super::verified_calls;
use commit::commit_new;

/// Tries of a commit while the replaced version is already in the trash.
const COMMIT_TRIES: u32 = 4;

/// Content that lies on iCloud's servers, and the file it was read from.
#[derive(Clone)]
pub(super) struct Sent {
    staged: Staged,
    signature: Signature,
    read_at: DiskTime,
    local: LocalSeen,
}

impl Sent {
    fn mtime(&self) -> ServerTime {
        ServerTime(self.local.stamp.mtime.whole_seconds())
    }

    fn commit<'a>(&'a self, parent: &'a ItemId, name: &'a str, replaces: Option<&'a ItemId>) -> Commit<'a> {
        let birth = self.local.stamp.identity.birth;
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

    /// Whether that item holds what was sent, as far as can be told without fetching it.
    fn is_held_by(&self, item: &RemoteItem) -> bool {
        item.entry.size.is_none_or(|size| size == self.staged.size)
    }

    /// The same of an item that a later look shows: a person may have edited it since it came, and what the base takes for
    /// agreed is never fetched. In doubt both sides are compared.
    fn is_shown_by(&self, ports: &Ports<'_>, item: &RemoteItem) -> bool {
        verified_calls::shows_content(
            ports,
            item,
            self.staged.size,
            (self.mtime(), self.read_at),
            &self.signature,
        )
    }
}

impl Lane<'_> {
    /// The commit of an upload whose content has been staged.
    pub(super) fn upload(
        &mut self,
        index: usize,
        operation: &Operation,
        local: &LocalSeen,
        target: &UploadTarget,
        arrived: Arrived,
    ) -> Result<(), StepFailure> {
        self.announce_uploads(index, &arrived)?;
        let sent = self.sent(local, arrived)?;
        let mut reason = operation.reason;
        let result = match target {
            UploadTarget::New { parent, name } => {
                let parent = self.own.parent(parent)?;
                self.require_alive(&parent)
                    .and_then(|()| commit_new(&self.ports, &sent, &parent, name))
                    .and_then(|item| self.agree_on_upload(operation, &sent, &parent, &item))
            }
            UploadTarget::Over { remote, way } => {
                let former = self.ledger.state().former.get(&remote.id);
                let is_former = former.is_some_and(|former| former.contains(&sent.signature));
                let way = if is_former { Replacement::Trash } else { *way };
                if is_former {
                    reason = Reason::WentBack;
                }
                self.replace(operation, remote, way, &sent)
            }
        };
        self.kept_for_later(index, &sent, result)?;
        self.outcome.counts.uploads += 1;
        let mut done = effect(operation, EffectKind::Upload, None);
        (done.bytes, done.reason) = (sent.staged.size, reason);
        self.told(done);
        Ok(())
    }

    /// A conflict in which the local version wins: the remote one goes to iCloud's trash.
    pub(super) fn take_local(
        &mut self,
        index: usize,
        operation: &Operation,
        remote: &RemoteSeen,
        local: &LocalSeen,
        arrived: Arrived,
    ) -> Result<(), StepFailure> {
        let sent = self.sent(local, arrived)?;
        let result = self.replace(operation, remote, Replacement::Trash, &sent);
        self.kept_for_later(index, &sent, result)?;
        self.outcome.counts.conflicts += 1;
        let mut done = effect(operation, EffectKind::Conflict, None);
        done.bytes = sent.staged.size;
        self.told(done);
        Ok(())
    }

    /// The file must be the one that was read, also now.
    fn sent(&mut self, local: &LocalSeen, arrived: Arrived) -> Result<Sent, StepFailure> {
        let Arrived::Staged { staged, signature, read_at } = arrived else {
            return Err(StepFailure::replan("its content was not sent"));
        };
        if let Some(told) = staged.signature {
            self.ledger.calibrate(told == signature);
        }
        let local = self.own.local(local);
        match self.ports.disk.look(&local.path)? {
            Some(entry) if entry.stamp == local.stamp => Ok(Sent { staged, signature, read_at, local }),
            _ => Err(StepFailure::replan("it changed here after it was read")),
        }
    }

    /// A commit that is tried again uses the same content, so that repeating it cannot double anything.
    fn kept_for_later(
        &mut self,
        index: usize,
        sent: &Sent,
        result: Result<(), StepFailure>,
    ) -> Result<(), StepFailure> {
        if matches!(result, Err(StepFailure::Again { .. })) {
            // Its signature has been judged already.
            let staged = Staged { signature: None, ..sent.staged.clone() };
            let (signature, read_at) = (sent.signature, sent.read_at);
            self.keep(index, Arrived::Staged { staged, signature, read_at });
        }
        result
    }

    fn agree_on_upload(
        &mut self,
        operation: &Operation,
        sent: &Sent,
        parent: &ItemId,
        item: &RemoteItem,
    ) -> Result<(), StepFailure> {
        let mut remote = as_seen(item, false, parent);
        remote.size = remote.size.or(Some(sent.staged.size));
        remote.mtime = remote.mtime.or(Some(sent.mtime()));
        let stamp = sent.local.stamp;
        let here = Here {
            name: sent.local.path.name(),
            stamp,
            racy: is_racy(&stamp, sent.read_at),
            signature: Some(sent.signature),
        };
        let entry = BaseEntry {
            written_at: Some(self.ledger.now_seconds()),
            ..self.agreed(operation.reason, &remote, &here)
        };
        self.ensure_durable(&remote.id, &sent.local);
        self.added_into(parent, &remote.id);
        self.ledger.put(parent, entry)
    }

    fn replace(
        &mut self,
        operation: &Operation,
        remote: &RemoteSeen,
        way: Replacement,
        sent: &Sent,
    ) -> Result<(), StepFailure> {
        let old = self.own.remote(remote);
        self.require_alive(&old.parent)?;
        if self.is_in_place(way) {
            self.in_place(operation, &old, sent)
        } else {
            self.by_trash(operation, &old, sent)
        }
    }

    /// Whether that replacement is done in place.
    pub(super) fn is_in_place(&self, way: Replacement) -> bool {
        way == Replacement::InPlace && self.options.in_place && !self.ledger.calibration().in_place_refused
    }

    fn read_again(&self, old: &RemoteSeen) -> Result<RemoteItem, StepFailure> {
        verified_calls::check(self.ports.remote, std::slice::from_ref(old))?
            .pop()
            .unwrap_or_else(|| Err(StepFailure::again("iCloud does not say what it is now")))
    }

    /// Commits with the existing document id, right after a look at the version that is replaced.
    fn in_place(&mut self, operation: &Operation, old: &RemoteSeen, sent: &Sent) -> Result<(), StepFailure> {
        let before = self.read_again(old)?;
        let answer = self.ports.remote.commit(&sent.commit(&old.parent, &before.entry.name, Some(&old.id)));
        let item = match answer {
            Ok(item) => item,
            Err(RemoteError::Uncertain(why)) => {
                match verified_calls::look(self.ports.remote, &old.id, false)? {
                    LookUp::Found(now) if now.entry.etag == before.entry.etag => {
                        return Err(StepFailure::again(why));
                    }
                    LookUp::Found(now) if sent.is_shown_by(&self.ports, &now) => now,
                    LookUp::Found(_) | LookUp::Gone => {
                        return Err(StepFailure::replan("it changed on iCloud meanwhile"));
                    }
                    LookUp::Unknown => return Err(StepFailure::replan(why)),
                }
            }
            // The service does not take it as a replacement at all.
            Err(RemoteError::NameTaken) => {
                self.ledger.refuse_in_place();
                return self.by_trash(operation, old, sent);
            }
            Err(RemoteError::Damaged(why)) => return Err(StepFailure::Resend(why)),
            Err(error) => return Err(error.into()),
        };
        if item.entry.id != old.id {
            return self.put_right(old, &before, &item, sent);
        }
        let item = self.settled(item, &before, sent)?;
        if !name::same(&item.entry.name, &old.name)
            || !sent.is_held_by(&item)
            || !verified_calls::hangs_in(&item, &old.parent)
        {
            return Err(StepFailure::replan("iCloud shows something else than what was sent"));
        }
        self.own.learn(Done::ChangedRemote { before: old.etag.clone(), after: item.clone() });
        self.ledger.count_overwrite();
        self.agree_on_upload(operation, sent, &old.parent, &item)
    }

    /// An answer whose etag is missing or unchanged is looked up: the base must know the new version.
    fn settled(&self, item: RemoteItem, before: &RemoteItem, sent: &Sent) -> Result<RemoteItem, StepFailure> {
        let etag = &item.entry.etag;
        if !etag.as_str().is_empty() && *etag != before.entry.etag {
            return Ok(item);
        }
        match verified_calls::look(self.ports.remote, &item.entry.id, false)? {
            LookUp::Found(now) if sent.is_shown_by(&self.ports, &now) => Ok(now),
            _ => Err(StepFailure::replan("iCloud does not show what was sent")),
        }
    }

    /// The service made another item of a replacement in place. The old version goes to the trash, the new
    /// one gets the name, and it is never tried again for this account (`docs/protocol.md` §12.5).
    fn put_right(
        &mut self,
        old: &RemoteSeen,
        before: &RemoteItem,
        new: &RemoteItem,
        sent: &Sent,
    ) -> Result<(), StepFailure> {
        self.ledger.refuse_in_place();
        let number = self.begin_replacement(old, before, &new.entry.id.doc(), sent)?;
        match recover::settle_stored(&self.ports, &mut self.ledger, number)? {
            true => {
                self.ledger.count_overwrite();
                Ok(())
            }
            false => Err(StepFailure::replan("iCloud does not replace files in place")),
        }
    }

    fn begin_replacement(
        &mut self,
        old: &RemoteSeen,
        before: &RemoteItem,
        document: &str,
        sent: &Sent,
    ) -> Result<u64, StepFailure> {
        self.ledger.begin(Intent::ReplaceByTrash {
            old: old.id.clone(),
            old_etag: before.entry.etag.clone(),
            parent: old.parent.clone(),
            name: before.entry.name.clone(),
            document: document.to_owned(),
            path: sent.local.path.clone(),
            stamp: sent.local.stamp,
            signature: sent.signature,
        })
    }

    /// The old version goes to the trash under guard of its etag, then the new one takes the name.
    fn by_trash(&mut self, operation: &Operation, old: &RemoteSeen, sent: &Sent) -> Result<(), StepFailure> {
        let remote = self.ports.remote;
        if (self.options.has_twin)(&old.id) {
            let why = "another item beside it on iCloud has the same name, so that the version there cannot be replaced: \
                       rename one of them";
            return Err(StepFailure::Aside(why.to_owned()));
        }
        let before = self.read_again(old)?;
        let name = before.entry.name.clone();
        let number = self.begin_replacement(old, &before, &sent.staged.document, sent)?;
        let trashed = match verified_calls::trash(remote, &before, false) {
            Ok(trashed) => trashed,
            Err(failure @ StepFailure::End(_)) => return Err(failure),
            Err(failure) => {
                recover::settle_stored(&self.ports, &mut self.ledger, number)?;
                return Err(failure);
            }
        };
        let (committed, repeated) = self.commit_patiently(sent, &old.parent, &name);
        match committed {
            Ok(item) => {
                self.ledger.end(number);
                self.ledger.count_overwrite();
                let created_on = self.ledger.entry(&old.id).and_then(|(_, entry)| entry.created_on);
                self.ledger.forget(&old.id);
                self.agree_on_upload(operation, sent, &old.parent, &item)?;
                self.inherit(&item.entry.id, created_on);
                Ok(())
            }
            // The intent stays: the next start finishes or undoes it.
            Err(failure @ StepFailure::End(_)) => Err(failure),
            Err(failure @ StepFailure::Replan(_)) => {
                // Somebody else made an item of that name in this moment, and nobody deleted the old version: it comes back
                // under a name that the service gives it. Where it does not it is in the trash, and what is here is new.
                let document = ItemId::new(sent.staged.zone.clone(), &sent.staged.document);
                let has_come = !matches!(verified_calls::look(remote, &document, false), Ok(LookUp::Gone));
                let put_back =
                    || verified_calls::put_back(&self.ports, &trashed, false, (&old.parent, &name));
                match Some(put_back).filter(|_| !has_come).and_then(|put_back| put_back().ok()) {
                    Some(back) => {
                        recover::came_back(&mut self.ledger, &old.id, &back);
                        self.own.learn(Done::ChangedRemote { before: old.etag.clone(), after: back });
                    }
                    None => self.ledger.forget(&old.id),
                }
                self.ledger.end(number);
                Err(failure)
            }
            Err(failure) => {
                // An earlier try whose reply was lost may have been carried out: then it is finished instead.
                let settled = if repeated {
                    recover::settle_stored(&self.ports, &mut self.ledger, number)
                } else {
                    verified_calls::put_back(&self.ports, &trashed, false, (&old.parent, &name)).map(|back| {
                        recover::came_back(&mut self.ledger, &old.id, &back);
                        self.own.learn(Done::ChangedRemote { before: old.etag.clone(), after: back });
                        self.ledger.end(number);
                        false
                    })
                };
                match settled {
                    Ok(true) => {
                        self.ledger.count_overwrite();
                        return Ok(());
                    }
                    Err(end @ StepFailure::End(_)) => return Err(end),
                    // Where it failed the intent stays: the next start settles it.
                    Ok(false) | Err(_) => {}
                }
                Err(match failure {
                    StepFailure::Again { why, .. } => StepFailure::Aside(why),
                    other => other,
                })
            }
        }
    }

    /// While the old version is in the trash the commit is repeated at once, not after all others.
    /// Tells also whether it took more than one try.
    fn commit_patiently(
        &self,
        sent: &Sent,
        parent: &ItemId,
        name: &str,
    ) -> (Result<RemoteItem, StepFailure>, bool) {
        let mut attempt = 0;
        loop {
            let asked = match commit_new(&self.ports, sent, parent, name) {
                Err(StepFailure::Again { after, .. }) if attempt + 1 < COMMIT_TRIES => after,
                other => {
                    let again = matches!(other, Err(StepFailure::Again { .. }));
                    return (other, attempt > 0 || again);
                }
            };
            let looked = verified_calls::wait(&self.ports, attempt, asked)
                .and_then(|()| self.is_as_read(sent))
                .and_then(|()| self.is_outside_trash(parent));
            if let Err(failure) = looked {
                return (Err(failure), true);
            }
            attempt += 1;
        }
    }

    /// The file must still be the one that was read.
    fn is_as_read(&self, sent: &Sent) -> Result<(), StepFailure> {
        match self.ports.disk.look(&sent.local.path)? {
            Some(entry) if entry.stamp == sent.local.stamp => Ok(()),
            // Not "planned again": the version that was replaced goes back to its name first.
            _ => Err(StepFailure::Resend("it changed here while iCloud was busy".into())),
        }
    }

    /// The new version of a file keeps the note of who created it.
    fn inherit(&mut self, id: &ItemId, created_on: Option<(crate::model::Side, i64)>) {
        if let Some((parent, mut entry)) = self.ledger.entry(id) {
            entry.created_on = created_on;
            self.ledger.push(Change::Put { parent, entry: Box::new(entry) });
        }
    }
}
