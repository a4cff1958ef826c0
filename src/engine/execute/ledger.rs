//! The only writer of the state: groups changes, makes the disk durable first, then the store,
//! then applies them in memory. So the base never leads the disk or the service.

mod durable;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::engine::guard;
use crate::engine::ports::{Clock, Disk, Store};
use crate::model::state::{Calibration, CarriedOut, put_aside, succeed};
use crate::model::{
    Agreed, Arriving, Change, Intent, ItemId, LocalStamp, Node, OwnCalls, RelPath, Side, State,
};

use super::known::moved;
use super::lesson::Lesson;
use super::pending::{Moment, Overlay, PendingBase};
use super::report::{End, StepFailure};
use super::stage::Before;

/// What waits to be stored together.
#[derive(Default)]
struct Group {
    changes: Vec<Change>,
    /// Folders whose changes must be durable before `changes` are.
    folders: BTreeSet<RelPath>,
    /// Files that the base says nothing of and that must be durable all the same before `changes` are.
    beside: Vec<(RelPath, LocalStamp)>,
    /// Items whose content we wrote, and made durable, ourselves.
    written: HashSet<ItemId>,
    /// What `changes` say of base items.
    overlay: Overlay,
    /// When the first of `changes` came, by the time since the boot.
    since: Option<Duration>,
    calibration: Option<Calibration>,
    deletions: Vec<CarriedOut>,
    overwrites: Vec<i64>,
}

/// Pending changes over a state.
pub(super) struct Ledger<'a> {
    disk: &'a dyn Disk,
    clock: &'a dyn Clock,
    state: &'a mut State,
    store: &'a mut dyn Store,
    group: Group,
    /// Ids whose deletion a person approved, which does not count again.
    approved: HashSet<String>,
    next_intent: u64,
    /// Files that were made durable with the note of their upload, and had that stamp afterwards. What the base learns of such a file
    /// under that very stamp needs no second sync.
    noted: HashMap<RelPath, LocalStamp>,
    /// What was stored since [`Ledger::take_stored`].
    stored: Vec<Change>,
    /// Whether a group could not be stored.
    lost: bool,
    most_items: usize,
    most_age: Duration,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(
        disk: &'a dyn Disk,
        clock: &'a dyn Clock,
        state: &'a mut State,
        store: &'a mut dyn Store,
        most_items: usize,
        most_age: Duration,
    ) -> Self {
        let approved = guard::approved(&state.guard);
        let next_intent = state.intents.keys().next_back().map_or(0, |last| last + 1);
        Self {
            disk,
            clock,
            state,
            store,
            group: Group::default(),
            approved,
            next_intent,
            noted: HashMap::new(),
            stored: Vec::new(),
            lost: false,
            most_items: most_items.max(1),
            most_age,
        }
    }

    /// The state as it is stored: without what is pending.
    pub(super) fn state(&self) -> &State {
        self.state
    }

    /// The base as it will be once all pending is stored, and the time.
    pub(super) fn moment(&self) -> Moment<'_> {
        Moment { base: self.base(), now: self.state.seconds(self.clock.reading()), is_recent: true }
    }

    fn base(&self) -> PendingBase<'_> {
        PendingBase::new(self.state, &self.group.overlay, self.calibration())
    }

    /// Makes durable what has to be before a stage acts. Returns the number of the intent, where there is one.
    ///
    /// # Errors
    ///
    /// As [`Ledger::flush`]; then the stage must not act.
    pub(super) fn prepare(&mut self, before: Before) -> Result<Option<u64>, StepFailure> {
        match before {
            Before::Nothing => Ok(None),
            Before::Stored(changes) => {
                changes.into_iter().for_each(|change| self.record(change));
                self.flush()?;
                Ok(None)
            }
            Before::Noted(intent) => self.begin(*intent).map(Some),
            Before::Arriving(arriving) => {
                self.note_arriving(&arriving)?;
                Ok(None)
            }
        }
    }

    /// Writes a line that says what is about to get its name here.
    ///
    /// # Errors
    ///
    /// When the store cannot.
    pub(super) fn note_arriving(&mut self, arriving: &Arriving) -> Result<(), StepFailure> {
        self.store.note_arriving(arriving).map_err(|error| StepFailure::End(End::Store(error)))
    }

    /// Learns what follows from what was done, in order.
    ///
    /// # Errors
    ///
    /// Of the first lesson that fails; those after it are not learnt. [`StepFailure::Replan`] when the base lacks the folder of an
    /// agreed item, which is met anew by the next plan; as [`Ledger::flush`].
    pub(super) fn learn(&mut self, lessons: Vec<Lesson>) -> Result<(), StepFailure> {
        lessons.into_iter().try_for_each(|lesson| self.learn_one(lesson))
    }

    fn learn_one(&mut self, lesson: Lesson) -> Result<(), StepFailure> {
        match lesson {
            Lesson::Put { parent, entry, written } => {
                if !self.base().has_folder(&parent) {
                    return Err(StepFailure::replan("its folder is not agreed yet"));
                }
                let id = entry.id.clone();
                self.push(Change::Put { parent, entry });
                if written {
                    self.group.written.insert(id);
                }
            }
            Lesson::PutIfPossible { parent, entry } => {
                if self.base().has_folder(&parent) {
                    self.push(Change::Put { parent, entry });
                }
            }
            Lesson::Forget(id) => {
                for change in self.base().removal(&id) {
                    self.push(change);
                }
            }
            Lesson::Came(arriving) => self.note_arriving(&arriving)?,
            Lesson::Change(change) => self.push(change),
            Lesson::Touched(folder) => self.touched(folder),
            Lesson::RemovedFolder(folder) => self.group.folders.retain(|path| !path.is_within(&folder)),
            Lesson::MovedFolder { from, to } => {
                self.group.folders = self.group.folders.iter().map(|path| moved(path, &from, &to)).collect();
            }
            Lesson::KeptBeside(path, stamp) => {
                let folder = path.parent().unwrap_or_default();
                self.group.beside.push((path, stamp));
                self.touched(folder);
            }
            Lesson::Deleted(on, ids) => self.count_deletions(on, &ids),
            Lesson::Overwrote => {
                let now = self.now_seconds();
                self.group.overwrites.push(now);
            }
            Lesson::Calibrated(matched) => {
                let mut calibration = self.calibration();
                let count = if matched { &mut calibration.matches } else { &mut calibration.mismatches };
                *count = count.saturating_add(1);
                self.calibrate(calibration);
            }
            Lesson::InPlaceRefused => {
                self.calibrate(Calibration { in_place_refused: true, ..self.calibration() });
            }
            Lesson::MayComeLate(file) => {
                let now = self.now_seconds();
                let pending = self.group.changes.iter().rev().find_map(|change| match change {
                    Change::MayComeLate(late) => Some(late),
                    _ => None,
                });
                let late = pending.unwrap_or(&self.state.calls.late);
                self.record(Change::MayComeLate(OwnCalls::with_late(late, *file, now)));
            }
            Lesson::Flush => self.flush()?,
        }
        Ok(())
    }

    fn calibrate(&mut self, calibration: Calibration) {
        self.group.calibration = Some(calibration);
        self.started();
    }

    fn touched(&mut self, folder: RelPath) {
        self.group.folders.insert(folder);
        self.started();
    }

    /// What is known of signatures, with what is pending.
    pub(super) fn calibration(&self) -> Calibration {
        self.group.calibration.unwrap_or(self.state.calibration)
    }

    /// Adds a change. A local path belongs to one item of the base: who has the path of an item that is put gives way, as
    /// [`State::put_changes`] describes.
    pub(super) fn push(&mut self, change: Change) {
        let Change::Put { parent, entry } = change else { return self.record(change) };
        if entry.folder
            && let Some((beside, inner)) = self.base().left_before(&parent, &entry.id)
        {
            let base = self.base();
            let aside = put_aside(&beside, &inner, &|name| base.at_path(&beside, name, None).is_none());
            self.record(aside);
        }
        let base = self.base();
        let Some(elder) = base.at_path(&parent, &entry.local_name, Some(&entry.id)) else {
            return self.record(Change::Put { parent, entry });
        };
        let held = base.held_by(&elder.id);
        let is_free = |name: &str| base.at_path(&parent, name, None).is_none();
        for change in succeed(&parent, *entry, &elder, held.into_iter(), &is_free) {
            self.record(change);
        }
    }

    fn record(&mut self, change: Change) {
        match &change {
            Change::Remove(id) => drop(self.group.overlay.insert(id.clone(), None)),
            Change::Put { parent, entry } => {
                drop(self.group.overlay.insert(entry.id.clone(), Some((parent.clone(), (**entry).clone()))));
            }
            _ => {}
        }
        self.started();
        self.group.changes.push(change);
    }

    /// Counts the deletion of these items and of all below them in the base, for the guard: what was moved into a folder on iCloud and went
    /// with it stands elsewhere in the base. Call it before the base forgets them.
    fn count_deletions(&mut self, on: Side, ids: &[ItemId]) {
        let at = self.now_seconds();
        let base = &self.state.base;
        let approved = &self.approved;
        let counts = |entry: &Agreed| {
            !guard::is_exempt(entry, on, at)
                && (approved.is_empty() || !approved.contains(&entry.remote.id.to_string()))
        };
        // What was in a folder and went, or was moved out, in this group has been counted, or does not count.
        let is_still_in = |folder: &ItemId, entry: &Agreed| match self.group.overlay.get(&entry.remote.id) {
            Some(Some((parent, _))) => parent == folder,
            Some(None) => false,
            None => true,
        };
        let is_known = |id: &&ItemId| !matches!(self.group.overlay.get(id), Some(None));
        let mut open: Vec<Node> = ids.iter().filter(is_known).filter_map(|id| base.by_id(id)).collect();
        let mut counted = HashSet::new();
        let mut count = 0;
        while let Some(node) = open.pop() {
            if !counted.insert(node) {
                continue;
            }
            let entry = base.get(node);
            count += u64::from(counts(entry));
            let children = base.children(node).iter().copied();
            open.extend(children.filter(|child| is_still_in(&entry.remote.id, base.get(*child))));
        }
        if count > 0 {
            self.group.deletions.push(CarriedOut { on, at, count });
        }
    }

    /// The seconds that the state has lived through.
    pub(super) fn now_seconds(&self) -> i64 {
        self.state.seconds(self.clock.reading())
    }

    fn started(&mut self) {
        let now = self.clock.uptime();
        self.group.since.get_or_insert(now);
    }

    /// Stores the group when it is large or old enough.
    ///
    /// # Errors
    ///
    /// As [`Ledger::flush`].
    pub(super) fn flush_if_due(&mut self) -> Result<(), StepFailure> {
        let Some(since) = self.group.since else { return Ok(()) };
        let old = self.clock.uptime().saturating_sub(since) >= self.most_age;
        if old || self.group.changes.len() >= self.most_items { self.flush() } else { Ok(()) }
    }

    /// Makes the disk durable, then stores the group, then applies it.
    ///
    /// # Errors
    ///
    /// Nothing of the group is stored then; its items are met anew by the next plan. [`StepFailure::Replan`] when a
    /// folder went away meanwhile, so that nobody can say whether what was done in it is durable.
    pub(super) fn flush(&mut self) -> Result<(), StepFailure> {
        self.store_group(false)
    }

    /// The last flush of a pass.
    ///
    /// # Errors
    ///
    /// As [`Ledger::flush`].
    pub(super) fn close(&mut self) -> Result<(), StepFailure> {
        self.store_group(true)
    }

    /// Whether changes that were made are not in the base, since a group could not be stored.
    pub(super) fn has_lost(&self) -> bool {
        self.lost
    }

    fn store_group(&mut self, closing: bool) -> Result<(), StepFailure> {
        self.group.since = None;
        let files = self.spoken_of();
        let unsynced: Vec<_> = files.iter().filter(|file| !self.is_durable(file)).cloned().collect();
        let mut folders = std::mem::take(&mut self.group.folders);
        folders.extend(unsynced.iter().filter_map(|(path, _)| path.parent()));
        let folders: Vec<_> = folders.into_iter().collect();
        let on_volumes = self.folders_on_volumes();
        let mut changes = std::mem::take(&mut self.group.changes);
        self.group.overlay.clear();
        self.group.written.clear();
        let calibration = self.group.calibration.take();
        if !folders.is_empty()
            && let Err(error) =
                self.disk.sync(&unsynced, &folders).and_then(|()| self.have_their_volumes(&on_volumes))
        {
            // What is not agreed is done, and counted, once more.
            self.group.deletions.clear();
            self.group.overwrites.clear();
            self.lost = true;
            return Err(self.not_durable(&folders, &error));
        }
        let changed = self.look_again(&files, &mut changes);
        changes.extend(calibration.map(Change::Calibration));
        let counted = self.group.deletions.len() + self.group.overwrites.len();
        // What the guards remember is stored whole. While it is long, not with each group: after a crash the
        // guard may have counted a tenth too little.
        let known = self.state.guard.recent.len() + self.state.guard.overwrites.len();
        if counted > 0 && (closing || counted * 10 >= known) {
            let now = self.state.seconds(self.clock.reading());
            let mut remembered = guard::within_windows(self.state.guard.clone(), now);
            self.group.deletions.drain(..).for_each(|done| remembered.remember(done));
            remembered.overwrites.append(&mut self.group.overwrites);
            changes.push(Change::Guard(remembered));
        }
        if changes.is_empty() {
            self.store.forget_arriving();
            return Ok(());
        }
        changes.extend(self.state.time.as_ref().map(|time| Change::Time(time.at(self.clock.reading()))));
        self.store.commit(&changes).map_err(|error| {
            self.lost = true;
            StepFailure::End(End::Store(error))
        })?;
        // One operation is carried out at a time here, and what it did is learnt before anything is stored.
        self.store.forget_arriving();
        self.remember_durable(&files, &changed, &changes);
        for change in &changes {
            self.state.apply(change);
        }
        self.stored.append(&mut changes);
        Ok(())
    }

    /// Hands over what was stored since the last time, in its order.
    pub(super) fn take_stored(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.stored)
    }

    /// Stores an intent, with all that is pending, before its first call.
    ///
    /// # Errors
    ///
    /// As [`Ledger::flush`]; then the call must not be made.
    fn begin(&mut self, intent: Intent) -> Result<u64, StepFailure> {
        let number = self.next_intent;
        self.next_intent += 1;
        self.push(Change::Begin(number, intent));
        self.flush()?;
        Ok(number)
    }
}

#[cfg(test)]
mod tests;
