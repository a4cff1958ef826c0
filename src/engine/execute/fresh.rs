//! iCloud, as whoever carries something out reaches it: no call that replaces, renames, moves or deletes an item for good comes long
//! after the look that it rests on.
//!
//! Most of these calls are unconditional on the service's side (`docs/protocol.md` §10), so what another device did since that look is
//! overridden. An answer may be under way for long, and a process may stand still before its next call.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::engine::ports::{
    Clock, Commit, Fetched, ItemVersion, Listing, LookUp, Offer, Remote, RemoteError, RemoteItem, Sink,
    Staged,
};
use crate::model::{ItemId, Zone};

/// A look counts for so long from when it was asked for (`docs/sync.md` §6).
const FRESH: Duration = Duration::from_secs(5);
/// Where so many looks at an item in a row were answered later than that, no look is any fresher: what moves it goes by the answer then.
const LATE_IN_A_ROW: u32 = 2;
/// So many looks are remembered before those that do not count any more are dropped.
const MOST_LOOKS: usize = 1000;

/// iCloud with a memory of when each item was last looked at.
pub(super) struct FreshRemote<'a> {
    remote: &'a dyn Remote,
    clock: &'a dyn Clock,
    /// The last look that showed an item. Calls come from several threads.
    looks: Mutex<HashMap<ItemId, Look>>,
}

/// A look that showed an item; times since the boot.
struct Look {
    asked: Duration,
    answered: Duration,
    /// How many in a row, with this one, were answered too late to count.
    late: u32,
}

impl<'a> FreshRemote<'a> {
    pub(super) fn new(remote: &'a dyn Remote, clock: &'a dyn Clock) -> Self {
        Self { remote, clock, looks: Mutex::default() }
    }

    /// Remembers that an answer to what was asked at `asked` showed these items.
    fn saw<'i>(&self, asked: Duration, items: impl Iterator<Item = &'i ItemId>) {
        let answered = self.clock.uptime();
        let is_late = answered.saturating_sub(asked) >= FRESH;
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= MOST_LOOKS {
            looks.retain(|_, look| answered.saturating_sub(look.answered) < FRESH);
        }
        for id in items {
            let before = looks.get(id).map_or(0, |look| look.late);
            let late = if is_late { before.saturating_add(1) } else { 0 };
            looks.insert(id.clone(), Look { asked, answered, late });
        }
    }

    /// Whether the last look at an item still counts for a call that replaces what it holds.
    fn is_fresh(&self, id: &ItemId) -> bool {
        self.counts(id, |look| look.asked)
    }

    /// Whether the last look at an item still counts for a call that gives it another place, which overrides nothing but another such call.
    fn is_fresh_enough(&self, id: &ItemId) -> bool {
        self.counts(id, |look| if look.late >= LATE_IN_A_ROW { look.answered } else { look.asked })
    }

    fn counts(&self, id: &ItemId, since: impl Fn(&Look) -> Duration) -> bool {
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.get(id).is_some_and(|look| self.clock.uptime().saturating_sub(since(look)) < FRESH)
    }

    /// Calls for those items whose last look still counts; the answers come in the order of the items.
    fn call_fresh<T>(
        &self,
        items: &[ItemVersion],
        is_fresh: impl Fn(&ItemId) -> bool,
        call: impl FnOnce(&[ItemVersion]) -> Vec<Result<T, RemoteError>>,
    ) -> Vec<Result<T, RemoteError>> {
        let is_fresh: Vec<_> = items.iter().map(|item| is_fresh(&item.id)).collect();
        if is_fresh.iter().all(|is_fresh| *is_fresh) {
            return call(items);
        }
        let asked = items.iter().zip(&is_fresh).filter(|(_, is_fresh)| **is_fresh);
        let asked: Vec<_> = asked.map(|(item, _)| item.clone()).collect();
        let mut answers = if asked.is_empty() { Vec::new() } else { call(&asked) }.into_iter();
        let unanswered = || Err(RemoteError::Uncertain("the answer names no item".into()));
        let answer = |is_fresh| match is_fresh {
            true => answers.next().unwrap_or_else(unanswered),
            false => Err(RemoteError::LookedLongAgo),
        };
        is_fresh.into_iter().map(answer).collect()
    }

    /// Remembers what an answer to a change showed.
    fn changed(&self, asked: Duration, answers: &[Result<RemoteItem, RemoteError>]) {
        self.saw(asked, answers.iter().flatten().map(|item| &item.entry.id));
    }
}

impl Remote for FreshRemote<'_> {
    fn list(&self, folders: &[ItemId], brief: bool) -> Vec<Result<Listing, RemoteError>> {
        self.remote.list(folders, brief)
    }

    fn list_trash(&self) -> Result<Listing, RemoteError> {
        self.remote.list_trash()
    }

    fn look_up(&self, items: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError> {
        let asked = self.clock.uptime();
        let answers = self.remote.look_up(items)?;
        let found = answers.iter().filter_map(|answer| match answer {
            LookUp::Found(item) => Some(&item.entry.id),
            LookUp::Gone | LookUp::Unknown => None,
        });
        self.saw(asked, found);
        Ok(answers)
    }

    fn create_folders(&self, parent: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>> {
        let asked = self.clock.uptime();
        let answers = self.remote.create_folders(parent, names);
        self.changed(asked, &answers);
        answers
    }

    fn rename(&self, item: &ItemVersion, name: &str) -> Result<RemoteItem, RemoteError> {
        if !self.is_fresh_enough(&item.id) {
            return Err(RemoteError::LookedLongAgo);
        }
        let asked = self.clock.uptime();
        let renamed = self.remote.rename(item, name)?;
        self.saw(asked, std::iter::once(&renamed.entry.id));
        Ok(renamed)
    }

    fn move_into(&self, folder: &ItemId, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        let asked = self.clock.uptime();
        let answers = self.call_fresh(
            items,
            |id| self.is_fresh_enough(id),
            |items| self.remote.move_into(folder, items),
        );
        self.changed(asked, &answers);
        answers
    }

    /// The service itself refuses this for another version than was looked at, so an old look does no harm.
    fn trash(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        let asked = self.clock.uptime();
        let answers = self.remote.trash(items);
        self.changed(asked, &answers);
        answers
    }

    fn delete_trashed(&self, items: &[ItemVersion]) -> Vec<Result<(), RemoteError>> {
        self.call_fresh(items, |id| self.is_fresh(id), |items| self.remote.delete_trashed(items))
    }

    /// What came out of the trash meanwhile stays where it is, so an old look does no harm.
    fn put_back(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        let asked = self.clock.uptime();
        let answers = self.remote.put_back(items);
        self.changed(asked, &answers);
        answers
    }

    fn offers(&self, items: &[ItemId]) -> Vec<Result<Offer, RemoteError>> {
        self.remote.offers(items)
    }

    fn fetch(
        &self,
        offer: &Offer,
        size: Option<u64>,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Fetched, RemoteError> {
        self.remote.fetch(offer, size, from, sink)
    }

    fn stage(
        &self,
        zone: &Zone,
        name: &str,
        size: u64,
        body: &mut (dyn Read + Send),
    ) -> Result<Staged, RemoteError> {
        self.remote.stage(zone, name, size, body)
    }

    fn commit(&self, commit: &Commit<'_>) -> Result<RemoteItem, RemoteError> {
        if commit.replaces.is_some_and(|old| !self.is_fresh(old)) {
            return Err(RemoteError::LookedLongAgo);
        }
        let asked = self.clock.uptime();
        let item = self.remote.commit(commit)?;
        self.saw(asked, std::iter::once(&item.entry.id));
        Ok(item)
    }

    fn commit_side_by_side(&self, commits: &[Commit<'_>]) -> Vec<Result<RemoteItem, RemoteError>> {
        let asked = self.clock.uptime();
        let answers = self.remote.commit_side_by_side(commits);
        self.changed(asked, &answers);
        answers
    }
}
