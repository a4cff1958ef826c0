//! Whether a folder on iCloud still lives when something of ours is about to go into it.
//!
//! Nobody knows whether the service refuses to put items into a folder that lies in the trash
//! (`docs/protocol-open-questions.md`). Where it does not, what a person made here would look deleted there.

use std::collections::{BTreeSet, HashMap};

use crate::engine::ports::{LookUp, RemoteParent};
use crate::model::{ItemId, Node, RelPath};

use super::done::Done;
use super::lane::Lane;
use super::report::StepFailure;

/// So many folders above an item are looked at; a base that is deeper is none that we wrote.
const MOST_ABOVE: usize = 200;

impl Lane<'_> {
    /// A folder and those above it, as the base knows them, without the top.
    pub(super) fn folders_of(&self, folder: &ItemId) -> Vec<ItemId> {
        let top = &self.ledger.state().base.get(Node::ROOT).id;
        let is_top = |id: &ItemId| id == top || *id == ItemId::drive_root() || id.doc() == "documents";
        let above = |id: &ItemId| self.ledger.entry(id).map(|(parent, _)| parent);
        let chain = std::iter::successors(Some(folder.clone()), above);
        chain.take(MOST_ABOVE).filter(|id| !is_top(id)).collect()
    }

    /// Sees to it that a folder, and all above it, is not in the trash, unless that was seen a moment ago.
    ///
    /// # Errors
    ///
    /// [`StepFailure::Replan`] when one of them is: then nothing goes into it.
    pub(super) fn require_alive(&mut self, folder: &ItemId) -> Result<(), StepFailure> {
        let now = self.ledger.now_seconds();
        let folders = self.folders_of(folder);
        if folders.is_empty() || self.own.is_alive(folder, now) {
            return Ok(());
        }
        self.is_outside_trash(folder)?;
        self.own.learn(Done::SeenAlive { folders, at: now });
        Ok(())
    }

    /// Looks whether a folder, or one above it, is in the trash, however short ago it was seen outside.
    ///
    /// # Errors
    ///
    /// As [`Lane::require_alive`].
    pub(super) fn is_outside_trash(&self, folder: &ItemId) -> Result<(), StepFailure> {
        if self.is_lost(folder, &mut HashMap::new())? {
            return Err(StepFailure::replan(
                "the folder it goes to was moved or deleted on iCloud meanwhile",
            ));
        }
        Ok(())
    }

    /// Remembers that something of ours went into a folder on iCloud.
    pub(super) fn added_into(&mut self, folder: &ItemId, id: &ItemId) {
        if !self.folders_of(folder).is_empty() {
            self.own.learn(Done::AddedTo { folder: folder.clone(), id: id.clone() });
        }
    }

    /// Looks once more at the folders into which something went. Where one was deleted between the look before and what
    /// went into it, that is not agreed on: who deleted the folder had not seen it, and the next plan brings it back.
    pub(super) fn look_back(&mut self) {
        let added_to = self.own.added_to().clone();
        let asked: BTreeSet<_> = added_to.keys().flat_map(|folder| self.folders_of(folder)).collect();
        let asked: Vec<_> = asked.into_iter().map(|folder| (folder, true)).collect();
        if asked.is_empty() || self.outcome.ended.is_some() {
            return;
        }
        let mut seen: HashMap<ItemId, LookUp> = match self.ports.remote.look_up(&asked) {
            Ok(answers) => asked.into_iter().map(|(folder, _)| folder).zip(answers).collect(),
            // Best effort: without an answer it stays agreed on, after the look of at most 20 s before. If iCloud is away the
            // next pass tells so.
            Err(_) => return,
        };
        let mut lost = Vec::new();
        for (folder, items) in added_to {
            if self.is_lost(&folder, &mut seen).unwrap_or(false) {
                lost.extend(items);
            }
        }
        for id in lost {
            let base = &self.ledger.state().base;
            let path = base.by_id(&id).map_or_else(RelPath::root, |node| base.path(node));
            self.ledger.forget(&id);
            let why = "the folder it went to was moved or deleted on iCloud in that moment";
            self.outcome.plan_again.push((path, why.into()));
        }
    }

    /// Whether a folder on iCloud is in the trash or gone, with a folder above it perhaps, or outside what is synced. What
    /// stands elsewhere than the base knows is followed to where it stands: its move may have been set aside. `seen`
    /// holds the look-ups so far.
    fn is_lost(&self, folder: &ItemId, seen: &mut HashMap<ItemId, LookUp>) -> Result<bool, StepFailure> {
        let top = self.ledger.state().base.get(Node::ROOT).id.clone();
        let mut at = folder.clone();
        for _ in 0..MOST_ABOVE {
            if at == top || at.doc() == "documents" {
                return Ok(false);
            }
            if at == ItemId::drive_root() {
                return Ok(true);
            }
            if !seen.contains_key(&at) {
                let asked: Vec<_> = self.folders_of(&at).into_iter().map(|folder| (folder, true)).collect();
                let answers = self.ports.remote.look_up(&asked)?;
                seen.extend(asked.into_iter().map(|(folder, _)| folder).zip(answers));
            }
            let agreed = || self.ledger.entry(&at).map(|(parent, _)| parent);
            let above = match seen.get(&at) {
                Some(LookUp::Found(found)) => match &found.parent {
                    RemoteParent::Trash => return Ok(true),
                    RemoteParent::Folder(parent) => Some(parent.clone()),
                    RemoteParent::Untold => agreed(),
                },
                // A look-up may be late for what we have just made.
                Some(LookUp::Gone) if !self.own.is_made(&at) => return Ok(true),
                Some(LookUp::Gone | LookUp::Unknown) | None => agreed(),
            };
            let Some(above) = above else { return Ok(false) };
            at = above;
        }
        Ok(true)
    }
}
