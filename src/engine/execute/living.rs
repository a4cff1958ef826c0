//! Whether a folder on iCloud still lives when something of ours is about to go into it.
//!
//! Nobody knows whether the service refuses to put items into a folder that lies in the trash
//! (`docs/protocol-open-questions.md`). Where it does not, what a person made here would look deleted there.

use crate::engine::ports::{LookUp, RemoteParent};
use crate::model::{ItemId, Node};

use super::lane::Lane;
use super::report::Halt;
use super::service::hangs_in;

/// So many folders above an item are looked at; a base that is deeper is none that we wrote.
const MOST_ABOVE: usize = 200;

/// So long what was just seen counts, in seconds.
const FRESH_SECONDS: i64 = 20;

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
    /// [`Halt::Replan`] when one of them is: then nothing goes into it.
    pub(super) fn must_live(&mut self, folder: &ItemId) -> Result<(), Halt> {
        let now = self.ledger.now_seconds();
        let is_fresh = |seen: &i64| now.saturating_sub(*seen) < FRESH_SECONDS;
        let folders = self.folders_of(folder);
        if folders.is_empty() || self.living.get(folder).is_some_and(is_fresh) {
            return Ok(());
        }
        let asked: Vec<_> = folders.iter().map(|folder| (folder.clone(), true)).collect();
        let answers = self.ports.remote.look_up(&asked)?;
        let above: Vec<_> = folders.iter().skip(1).cloned().collect();
        for (number, (folder, answer)) in folders.into_iter().zip(answers).enumerate() {
            let is_lost = match answer {
                // One that was moved may be in the trash with the folder that it was moved to.
                LookUp::Found(found) => {
                    let elsewhere = above.get(number).is_some_and(|above| !hangs_in(&found, above));
                    found.parent == RemoteParent::Trash || elsewhere
                }
                // A look-up may be late for what we have just made.
                LookUp::Gone => !self.made.values().any(|made| *made == folder),
                LookUp::Unknown => false,
            };
            if is_lost {
                return Err(Halt::replan("the folder it goes to was moved or deleted on iCloud meanwhile"));
            }
            self.living.insert(folder, now);
        }
        Ok(())
    }
}
