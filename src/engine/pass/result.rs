//! What came of a pass.

use std::time::Duration;

use crate::engine::execute::Outcome;
use crate::engine::operation::{Note, NoteKind};
use crate::engine::plan::Extent;
use crate::model::RelPath;

/// What came of a pass.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Operations that were planned.
    pub planned: usize,
    /// How much was looked at to plan them.
    pub extent: Extent,
    /// Whether nothing had to be done on either side.
    pub quiet: bool,
    /// Whether something could not be planned for want of knowledge, or has to be planned again.
    pub pending: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// Items that are left alone, and why.
    pub notes: Vec<Note>,
    /// How many deletions wait for a person.
    pub held: usize,
    /// Whether iCloud was walked through and every folder added up.
    pub complete: bool,
    /// How long until another look at iCloud may settle what only a second one can (`docs/sync.md` §3).
    pub settles_after: Option<Duration>,
}

impl Report {
    /// What had to be left because the world moved on before its turn, and what was different.
    pub fn planned_again(&self) -> impl Iterator<Item = (&RelPath, &str)> {
        self.outcome.plan_again.iter().map(|(path, why)| (path, why.as_str()))
    }

    /// Whether nothing was done, and nothing is left to do.
    pub fn rests(&self) -> bool {
        self.quiet && !self.pending && self.outcome.waiting == 0
    }

    /// Items that are left alone for a fault, not by rule.
    pub fn set_aside(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(|note| matches!(note.kind, NoteKind::SetAside(_)))
    }
}
