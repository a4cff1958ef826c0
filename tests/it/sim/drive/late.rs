//! Commits that take effect after their answer: a gateway gave up waiting (504), and the service went on.

use std::collections::BTreeSet;
use std::time::Duration;

use icloudds::engine::ports::{Commit, RemoteError, Staged};
use icloudds::model::{ItemId, ServerTime};

use super::writes::Called;
use super::{Drive, SimDrive};
use crate::sim::Bytes;
use crate::sim::fuse::{Call, Fault, say};
use crate::sim::journal::Journal;
use crate::sim::rng;

/// The longest delay, in nanoseconds.
const LONGEST: f64 = 60e9;

/// A commit under way.
pub(super) struct LateCommit {
    due: i64,
    staged: Staged,
    parent: ItemId,
    name: String,
    replaces: Option<ItemId>,
    mtime: ServerTime,
    btime: ServerTime,
    /// The half of the etag that named the content of what it replaces.
    over: Option<u64>,
}

impl SimDrive {
    /// Whether a commit is answered now, and done within a minute.
    pub(super) fn comes_later(&self, commit: &Commit<'_>) -> Result<bool, RemoteError> {
        if !self.fuse.knows(Fault::LateEffect) {
            return Ok(false);
        }
        let about = commit.replaces.unwrap_or(commit.parent).to_string();
        // What others do while the call is on its way the caller cannot have seen.
        let over = commit.replaces.and_then(|old| self.held().items.get(old).map(|item| item.content));
        if self.fuse.enter(Call::LateCommit, &about, &[Fault::LateEffect])?.is_none() {
            return Ok(false);
        }
        let delay = rng::unit(rng::keyed(self.fuse.steps(), &commit.staged.document, 0)) * LONGEST;
        let due = self.now() + delay as i64;
        let mut drive = self.held();
        drive.late.push(LateCommit {
            due,
            staged: commit.staged.clone(),
            parent: commit.parent.clone(),
            name: commit.name.to_owned(),
            replaces: commit.replaces.cloned(),
            mtime: commit.mtime,
            btime: commit.btime,
            over,
        });
        Ok(true)
    }
}

impl SimDrive {
    /// In how long the last of what is under way is done.
    pub fn takes_effect_in(&self) -> Duration {
        let (now, drive) = (self.now(), self.held());
        let last = drive.late.iter().map(|late| late.due).max().unwrap_or(now);
        Duration::from_nanos(u64::try_from(last.saturating_sub(now)).unwrap_or(0))
    }

    /// The contents that commits under way are about to replace.
    pub fn about_to_go(&self) -> BTreeSet<Bytes> {
        let drive = self.held();
        let replaced = drive.late.iter().filter_map(|late| {
            let item = drive.items.get(late.replaces.as_ref()?)?;
            (Some(item.content) == late.over).then(|| item.body.clone())
        });
        replaced.collect()
    }
}

impl Drive {
    /// What is due is done, as if it were asked for now. Nobody can keep such a call from replacing what came since.
    pub(super) fn take_effect(&mut self, now: i64, journal: &Journal) {
        while let Some(at) = self.late.iter().position(|late| late.due <= now) {
            let late = self.late.remove(at);
            say(|| format!("{} takes effect late", late.name));
            let replaced = late.replaces.as_ref().and_then(|old| self.items.get(old));
            if let Some(item) = replaced.filter(|item| Some(item.content) != late.over) {
                journal
                    .excuse(&item.body.clone(), "overwritten by a commit that took effect after its answer");
            }
            let commit = Commit {
                staged: &late.staged,
                parent: &late.parent,
                name: &late.name,
                replaces: late.replaces.as_ref(),
                mtime: late.mtime,
                btime: late.btime,
                executable: false,
            };
            // Refused, it never came.
            if let Ok(item) = self.commit(now, Called { at: now, pauses: 0 }, &commit, journal) {
                self.tell_what_is_trashed(&item.entry.id, journal);
            }
        }
    }
}
