//! The drive as the engine sees it.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::time::Duration;

use icloudds::engine::ports::{
    Commit, Fetched, ItemVersion, Listing, LookUp, Offer, Remote, RemoteError, RemoteItem, Sink, Staged,
};
use icloudds::model::{ItemId, Zone, name};

use super::reads::failed;
use super::writes::Called;
use super::{Drive, Parcel, SimDrive};
use crate::sim::fuse::{Call, Fault, lock};
use crate::sim::rng;

/// The faults of every call that changes the drive.
const WRITE: [Fault; 8] = [
    Fault::Unreachable,
    Fault::Busy,
    Fault::LostAnswer,
    Fault::LostRequest,
    Fault::Refused,
    Fault::Account,
    Fault::Rest,
    Fault::NothingMade,
];
/// The same, of a call that names etags.
const GUARDED: [Fault; 8] = [
    Fault::Rest,
    Fault::Unreachable,
    Fault::Busy,
    Fault::LostAnswer,
    Fault::LostRequest,
    Fault::Stale,
    Fault::Account,
    Fault::NoEffect,
];
/// The faults of a call that changes a name.
const RENAME: [Fault; 8] =
    [WRITE[0], WRITE[1], WRITE[2], WRITE[3], WRITE[4], WRITE[5], Fault::NoEffect, Fault::Rest];
/// The faults of sending content ahead.
const STAGE: [Fault; 6] =
    [Fault::Unreachable, Fault::Busy, Fault::Quota, Fault::Short, Fault::Account, Fault::Rest];

/// Holds the one lane for changes for as long as a call runs, also through a crash.
struct Lane<'a>(&'a SimDrive);

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.0.lane.store(false, Ordering::SeqCst);
    }
}

impl SimDrive {
    fn lane(&self) -> Result<Lane<'_>, RemoteError> {
        if self.lane.swap(true, Ordering::SeqCst) {
            self.overlaps.fetch_add(1, Ordering::SeqCst);
            return Err(RemoteError::Busy { message: "ZONE_BUSY".into(), retry_after: None });
        }
        Ok(Lane(self))
    }

    /// One change: step, fault, effect, step.
    fn change<R>(
        &self,
        call: Call,
        item: &ItemId,
        possible: &[Fault],
        effect: impl FnOnce(&mut Drive, i64) -> Result<R, RemoteError>,
    ) -> Result<R, RemoteError> {
        let _lane = self.lane()?;
        let fault = self.fuse.enter(call, &item.to_string(), possible)?;
        failed(fault)?;
        let at = self.now();
        let done = {
            let mut drive = self.held();
            drive.items.settle(at);
            if fault == Some(Fault::Stale) {
                drive.items.touch(at, item);
                return Err(RemoteError::Stale);
            }
            let caller = drive.caller;
            *drive.mutations.entry(caller).or_default() += 1;
            let without = matches!(fault, Some(Fault::NoEffect | Fault::NothingMade));
            let before = without.then(|| drive.items.clone());
            let done = effect(&mut drive, at);
            if let Some(before) = before {
                drive.items.undo_all(before);
            }
            done
        };
        self.fuse.step()?;
        if fault == Some(Fault::LostAnswer) {
            return Err(RemoteError::Uncertain("connection reset".into()));
        }
        done
    }
}

impl Remote for SimDrive {
    fn list(&self, folders: &[ItemId], brief: bool) -> Vec<Result<Listing, RemoteError>> {
        folders.iter().map(|id| self.list_one(id, brief)).collect()
    }

    fn list_trash(&self) -> Result<Listing, RemoteError> {
        self.list_trash_now()
    }

    fn look_up(&self, items: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError> {
        self.look_up_all(items)
    }

    fn create_folders(&self, parent: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>> {
        let one = |name: &&str| {
            self.change(Call::CreateFolders, parent, &WRITE, |drive, at| {
                drive.create_folder(at, parent, name)
            })
        };
        names.iter().map(one).collect()
    }

    fn rename(&self, item: &ItemVersion, name: &str) -> Result<RemoteItem, RemoteError> {
        self.change(Call::RenameRemote, &item.id, &RENAME, |drive, at| drive.rename(at, item, name))
    }

    fn move_into(&self, folder: &ItemId, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        let one = |item: &ItemVersion| {
            self.change(Call::MoveRemote, &item.id, &GUARDED, |drive, at| {
                let moved = drive.move_one(at, folder, item)?;
                drive.tell_what_is_trashed(&item.id, &self.journal);
                Ok(moved)
            })
        };
        items.iter().map(one).collect()
    }

    fn trash(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        let one = |item: &ItemVersion| {
            self.change(Call::TrashRemote, &item.id, &GUARDED, |drive, at| drive.trash(at, item))
        };
        items.iter().map(one).collect()
    }

    fn delete_trashed(&self, items: &[ItemVersion]) -> Vec<Result<(), RemoteError>> {
        let one = |item: &ItemVersion| {
            self.change(Call::DeleteTrashed, &item.id, &WRITE, |drive, at| drive.delete(at, item))
        };
        items.iter().map(one).collect()
    }

    fn put_back(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        let one = |item: &ItemVersion| {
            self.change(Call::PutBack, &item.id, &WRITE, |drive, at| drive.put_back(at, item))
        };
        items.iter().map(one).collect()
    }

    fn offers(&self, items: &[ItemId]) -> Vec<Result<Offer, RemoteError>> {
        items.iter().map(|id| self.offer(id)).collect()
    }

    fn fetch(
        &self,
        offer: &Offer,
        size: Option<u64>,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Fetched, RemoteError> {
        self.fetch_into(offer, size, from, sink)
    }

    fn stage(
        &self,
        zone: &Zone,
        name: &str,
        size: u64,
        body: &mut (dyn Read + Send),
    ) -> Result<Staged, RemoteError> {
        let fault = self.fuse.enter(Call::Stage, name, &STAGE)?;
        failed(fault)?;
        let mut bytes = Vec::new();
        let read = body.read_to_end(&mut bytes);
        read.map_err(|error| RemoteError::Damaged(format!("cannot read what is sent: {error}")))?;
        if bytes.len() as u64 != size || fault == Some(Fault::Short) {
            return Err(RemoteError::Damaged(format!("{} of {size} bytes were sent", bytes.len())));
        }
        let at = self.now();
        let staged = {
            let mut drive = self.held();
            if drive.switches.quota_at == super::switches::QuotaAt::Stage {
                drive.check_quota(size)?;
            }
            let document = drive.items.fresh_doc();
            let (signature, _) = drive.signature(&bytes);
            let parcel = Parcel { zone: zone.clone(), body: bytes.into(), at, committed: false };
            drive.staged.insert(document.clone(), parcel);
            Staged { document, zone: zone.clone(), size, signature, receipt: serde_json::Value::Null }
        };
        self.fuse.step()?;
        Ok(staged)
    }

    fn commit_side_by_side(&self, commits: &[Commit<'_>]) -> Vec<Result<RemoteItem, RemoteError>> {
        let place = |commit: &Commit<'_>| (commit.parent.clone(), name::key(commit.name, true).to_string());
        let places: BTreeSet<_> = commits.iter().map(place).collect();
        if places.len() < commits.len() || commits.iter().any(|commit| commit.replaces.is_some()) {
            // Two writes of one place, or a write over what is there, must never overlap anything.
            self.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        let takes_all = self.held().switches.takes_overlaps;
        let at = self.now().unsigned_abs();
        let mut order: Vec<_> = (0..commits.len()).collect();
        order.sort_by_key(|which| rng::keyed(at, &commits[*which].staged.document, 0));
        let mut answers =
            vec![Err(RemoteError::Busy { message: "ZONE_BUSY".into(), retry_after: None }); commits.len()];
        for (nth, which) in order.into_iter().enumerate() {
            if nth == 0 || takes_all {
                answers[which] = self.commit(&commits[which]);
            }
        }
        lock(&self.widths).push(commits.len());
        answers
    }

    fn commit(&self, commit: &Commit<'_>) -> Result<RemoteItem, RemoteError> {
        let about = commit.replaces.unwrap_or(commit.parent);
        let called = Called { at: self.now(), pauses: self.clock.pauses() };
        let seconds = self.held().switches.slow_commits;
        self.clock.advance(Duration::from_secs(seconds.unsigned_abs()));
        if self.comes_later(commit)? {
            return Err(RemoteError::Uncertain("HTTP 504".into()));
        }
        self.change(Call::Commit, about, &WRITE, |drive, at| {
            let item = drive.commit(at, called, commit, &self.journal)?;
            drive.tell_what_is_trashed(&item.entry.id, &self.journal);
            Ok(item)
        })
    }
}
