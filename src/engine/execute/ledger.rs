//! The only writer of the state: groups changes, makes the disk durable first, then the store,
//! then applies them in memory. So the base never leads the disk or the service.

mod durable;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::engine::guard;
use crate::engine::ports::{Clock, Disk, Store};
use crate::model::state::{Calibration, CarriedOut, succeed};
use crate::model::{BaseEntry, Change, Identity, Intent, ItemId, LocalStamp, Node, RelPath, Side, State};

use super::report::{End, StepFailure};

/// More folders than lie above any item.
const DEEPEST: usize = crate::model::path::DEEPEST;

/// Pending changes over a state.
pub(super) struct Ledger<'a> {
    disk: &'a dyn Disk,
    clock: &'a dyn Clock,
    state: &'a mut State,
    store: &'a mut dyn Store,
    changes: Vec<Change>,
    /// Folders whose changes must be durable before `changes` are.
    folders: BTreeSet<RelPath>,
    /// Files that the base says nothing of and that must be durable all the same before `changes` are.
    beside: Vec<(RelPath, LocalStamp)>,
    /// Items whose content we wrote, and made durable, ourselves.
    written: HashSet<ItemId>,
    /// What `changes` say of base items: `None` for those that go.
    overlay: HashMap<ItemId, Option<(ItemId, BaseEntry)>>,
    /// When the first of `changes` came, by the time since the boot.
    since: Option<Duration>,
    calibration: Option<Calibration>,
    deletions: Vec<CarriedOut>,
    /// Ids whose deletion a person approved, which does not count again.
    approved: HashSet<String>,
    overwrites: Vec<i64>,
    next_intent: u64,
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
            changes: Vec::new(),
            folders: BTreeSet::new(),
            beside: Vec::new(),
            written: HashSet::new(),
            overlay: HashMap::new(),
            since: None,
            calibration: None,
            deletions: Vec::new(),
            approved,
            overwrites: Vec::new(),
            next_intent,
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

    /// The base item as it will be once all pending is stored: its folder and what is known of it.
    pub(super) fn entry(&self, id: &ItemId) -> Option<(ItemId, BaseEntry)> {
        if let Some(pending) = self.overlay.get(id) {
            return pending.clone();
        }
        let base = &self.state.base;
        let node = base.by_id(id)?;
        let parent = base.parent(node)?;
        Some((base.get(parent).id.clone(), base.get(node).clone()))
    }

    /// What is known of signatures, with what is pending.
    pub(super) fn calibration(&self) -> Calibration {
        self.calibration.unwrap_or(self.state.calibration)
    }

    /// Learns from an own transfer whether the service's signature was the expected one.
    pub(super) fn calibrate(&mut self, matched: bool) {
        let mut calibration = self.calibration();
        if matched {
            calibration.matches = calibration.matches.saturating_add(1);
        } else {
            calibration.mismatches = calibration.mismatches.saturating_add(1);
        }
        self.calibration = Some(calibration);
        self.started();
    }

    /// Remembers that in-place replacement is not taken for this account.
    pub(super) fn refuse_in_place(&mut self) {
        self.calibration = Some(Calibration { in_place_refused: true, ..self.calibration() });
        self.started();
    }

    /// Adds a change. A local path belongs to one item of the base: who has the path of an item that is put gives way, as
    /// [`State::put_changes`] describes.
    pub(super) fn push(&mut self, change: Change) {
        let Change::Put { parent, entry } = change else { return self.record(change) };
        let Some(elder) = self.holder(&parent, &entry) else {
            return self.record(Change::Put { parent, entry });
        };
        let held = self.held_by(&elder.id);
        let is_free = |name: &str| self.at_path(&parent, name, None).is_none();
        for change in succeed(&parent, *entry, &elder, held.into_iter(), &is_free) {
            self.record(change);
        }
    }

    /// Another item that has the local path of `entry` once all pending is stored.
    fn holder(&self, parent: &ItemId, entry: &BaseEntry) -> Option<BaseEntry> {
        self.at_path(parent, &entry.local_name, Some(&entry.id))
    }

    /// The item, other than `but`, that has a local path once all pending is stored.
    pub(super) fn at_path(&self, parent: &ItemId, name: &str, but: Option<&ItemId>) -> Option<BaseEntry> {
        let base = &self.state.base;
        let stored = base
            .by_id(parent)
            .and_then(|folder| base.child(folder, name))
            .map(|node| base.get(node))
            .filter(|entry| !self.overlay.contains_key(&entry.id));
        let pending = self.overlay.values().flatten();
        let pending = pending
            .filter(|(folder, entry)| folder == parent && &*entry.local_name == name)
            .map(|(_, entry)| entry);
        stored.into_iter().chain(pending).find(|entry| but != Some(&entry.id)).cloned()
    }

    /// Says that no item but `owner` is the file here of that identity, before we move that: where a person moved another
    /// item's file over this one's, the other item must not be found again at the new place.
    pub(super) fn clear_identity(&mut self, identity: Identity, owner: &ItemId) {
        if identity == Identity::default() {
            return;
        }
        let base = &self.state.base;
        let others = base.walk(Node::ROOT).skip(1).filter(|node| {
            let entry = base.get(*node);
            entry.stamp.identity == identity && entry.id != *owner
        });
        let others: Vec<_> = others.map(|node| base.get(node).id.clone()).collect();
        for id in others {
            // One that goes with its folder needs no more to be said of it.
            if let Some((parent, mut entry)) = self.entry(&id)
                && !self.is_forgotten(&parent)
            {
                entry.stamp.identity = Identity::default();
                self.record(Change::Put { parent, entry: Box::new(entry) });
            }
        }
    }

    /// Whether `id` is that folder or lies within it once all pending is stored.
    pub(super) fn is_within(&self, id: &ItemId, folder: &ItemId) -> bool {
        let above = |id: &ItemId| self.entry(id).map(|(parent, _)| parent);
        std::iter::successors(Some(id.clone()), above).take(DEEPEST).any(|at| at == *folder)
    }

    /// Whether an item, or a folder above it, is out of the base once all pending is stored.
    pub(super) fn is_forgotten(&self, id: &ItemId) -> bool {
        let mut at = Some(id.clone());
        // While folders change places what is pending may go round in a circle.
        for _ in 0..DEEPEST {
            let Some(id) = at else { break };
            at = match self.overlay.get(&id) {
                Some(None) => return true,
                Some(Some((parent, _))) => Some(parent.clone()),
                None => {
                    let base = &self.state.base;
                    let Some(node) = base.by_id(&id) else { return true };
                    base.parent(node).map(|folder| base.get(folder).id.clone())
                }
            };
        }
        false
    }

    /// What a folder holds once all pending is stored.
    fn held_by(&self, folder: &ItemId) -> Vec<BaseEntry> {
        let base = &self.state.base;
        let stored = base.by_id(folder).map_or(&[][..], |node| base.children(node));
        let stored = stored.iter().map(|child| base.get(*child));
        let pending = self.overlay.values().flatten();
        stored
            .filter(|entry| !self.overlay.contains_key(&entry.id))
            .chain(pending.filter(|(parent, _)| parent == folder).map(|(_, entry)| entry))
            .cloned()
            .collect()
    }

    fn record(&mut self, change: Change) {
        match &change {
            Change::Remove(id) => drop(self.overlay.insert(id.clone(), None)),
            Change::Put { parent, entry } => {
                drop(self.overlay.insert(entry.id.clone(), Some((parent.clone(), (**entry).clone()))));
            }
            _ => {}
        }
        self.started();
        self.changes.push(change);
    }

    /// Adds an agreed item.
    ///
    /// # Errors
    ///
    /// [`StepFailure::Replan`] when the base lacks the folder: the item is met anew by the next plan.
    pub(super) fn put(&mut self, parent: &ItemId, entry: BaseEntry) -> Result<(), StepFailure> {
        let known = match self.overlay.get(parent) {
            Some(pending) => pending.is_some(),
            None => self.state.base.by_id(parent).is_some(),
        };
        if !known {
            return Err(StepFailure::replan("its folder is not agreed yet"));
        }
        self.push(Change::Put { parent: parent.clone(), entry: Box::new(entry) });
        Ok(())
    }

    /// Takes an item and all below it out of the base, where it is there.
    pub(super) fn forget(&mut self, id: &ItemId) {
        if self.entry(id).is_some() {
            self.push(Change::Remove(id.clone()));
        }
    }

    /// Says that something changed in a folder here, which must be durable before the group is stored.
    pub(super) fn touched(&mut self, folder: Option<RelPath>) {
        self.folders.insert(folder.unwrap_or_default());
        self.started();
    }

    /// We removed a folder here: what was done in it is made durable with the folder it was in.
    pub(super) fn removed_folder(&mut self, folder: &RelPath) {
        self.folders.retain(|path| !path.is_within(folder));
    }

    /// We moved a folder here: what was done in it is found under its new path.
    pub(super) fn moved_folder(&mut self, moved: &dyn Fn(&RelPath) -> RelPath) {
        self.folders = self.folders.iter().map(moved).collect();
    }

    /// Counts the deletion of `id` and of all below it in the base, for the guard.
    /// Call it before the base forgets them.
    pub(super) fn count_deletions(&mut self, on: Side, id: &ItemId) {
        let at = self.now_seconds();
        let base = &self.state.base;
        let approved = &self.approved;
        let counts = |entry: &BaseEntry| {
            !guard::is_exempt(entry, on, at)
                && (approved.is_empty() || !approved.contains(&entry.id.to_string()))
        };
        // What was in a folder and went, or was moved out, in this group has been counted, or does not count.
        let is_still_in = |folder: &ItemId, entry: &BaseEntry| match self.overlay.get(&entry.id) {
            Some(Some((parent, _))) => parent == folder,
            Some(None) => false,
            None => true,
        };
        let mut open: Vec<Node> = base.by_id(id).into_iter().collect();
        let mut count = 0;
        while let Some(node) = open.pop() {
            let entry = base.get(node);
            count += u64::from(counts(entry));
            let children = base.children(node).iter().copied();
            open.extend(children.filter(|child| is_still_in(&entry.id, base.get(*child))));
        }
        if count > 0 {
            self.deletions.push(CarriedOut { on, at, count });
        }
    }

    /// Counts a replacement on iCloud, for the guard.
    pub(super) fn count_overwrite(&mut self) {
        let now = self.now_seconds();
        self.overwrites.push(now);
    }

    /// The seconds that the state has lived through.
    pub(super) fn now_seconds(&self) -> i64 {
        self.state.seconds(self.clock.reading())
    }

    fn started(&mut self) {
        let now = self.clock.uptime();
        self.since.get_or_insert(now);
    }

    /// Stores the group when it is large or old enough.
    ///
    /// # Errors
    ///
    /// As [`Ledger::flush`].
    pub(super) fn flush_if_due(&mut self) -> Result<(), StepFailure> {
        let Some(since) = self.since else { return Ok(()) };
        let old = self.clock.uptime().saturating_sub(since) >= self.most_age;
        if old || self.changes.len() >= self.most_items { self.flush() } else { Ok(()) }
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
        self.since = None;
        let files = self.spoken_of();
        let mut folders = std::mem::take(&mut self.folders);
        folders.extend(files.iter().filter_map(|(path, _)| path.parent()));
        let folders: Vec<_> = folders.into_iter().collect();
        let mut changes = std::mem::take(&mut self.changes);
        self.overlay.clear();
        self.written.clear();
        let calibration = self.calibration.take();
        if !folders.is_empty()
            && let Err(error) = self.disk.sync(&files, &folders)
        {
            // What is not agreed is done, and counted, once more.
            self.deletions.clear();
            self.overwrites.clear();
            self.lost = true;
            return Err(self.not_durable(&folders, &error));
        }
        self.look_again(&files, &mut changes);
        changes.extend(calibration.map(Change::Calibration));
        let counted = self.deletions.len() + self.overwrites.len();
        // What the guards remember is stored whole. While it is long, not with each group: after a crash the
        // guard may have counted a tenth too little.
        let known = self.state.guard.recent.len() + self.state.guard.overwrites.len();
        if counted > 0 && (closing || counted * 10 >= known) {
            let mut remembered = self.state.guard.clone();
            self.deletions.drain(..).for_each(|done| remembered.remember(done));
            remembered.overwrites.append(&mut self.overwrites);
            changes.push(Change::Guard(remembered));
        }
        if changes.is_empty() {
            return Ok(());
        }
        changes.extend(self.state.time.as_ref().map(|time| Change::Time(time.at(self.clock.reading()))));
        self.store.commit(&changes).map_err(|error| {
            self.lost = true;
            StepFailure::End(End::Store(error))
        })?;
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
    pub(super) fn begin(&mut self, intent: Intent) -> Result<u64, StepFailure> {
        let number = self.next_intent;
        self.next_intent += 1;
        self.push(Change::Begin(number, intent));
        self.flush()?;
        Ok(number)
    }

    /// Clears an intent with the group it belongs to.
    pub(super) fn end(&mut self, number: u64) {
        self.push(Change::End(number));
    }
}
