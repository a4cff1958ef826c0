//! The early end of a pass that has much to do: nothing new is begun, what is under way is finished, and no name stays lent.

use crate::engine::operation::{Action, Operation};
use crate::model::name;

use super::lane::Lane;
use super::schedule::Class;

impl Lane<'_> {
    /// What is enough stays enough, whatever is answered later.
    pub(super) fn ask_whether_to_yield(&mut self) {
        let outcome = &mut self.outcome;
        outcome.cut_short = outcome.cut_short || self.schedule.open() > 0 && (self.options.should_yield)();
    }

    /// Remembers a move that was done and leaves something at a temporary name, or builds on one that did.
    pub(super) fn note_temporary_move(&mut self, index: usize) {
        let operation = &self.plan.operations[index];
        if is_parking(operation) || self.builds_on_unfinished(operation) {
            self.unfinished_temporary_moves.insert(index);
        }
    }

    /// What the lane does next. Once it is enough, only what gives a name back, and what was transferred already.
    pub(super) fn next_on_lane(&self) -> Option<usize> {
        if !self.outcome.cut_short {
            return self.schedule.peek(Class::Lane);
        }
        let is_owed = |index: &usize| self.builds_on_unfinished(&self.plan.operations[*index]);
        let owed = if self.unfinished_temporary_moves.is_empty() {
            None
        } else {
            self.schedule.on_lane().find(is_owed)
        };
        let is_ready = |index: &&usize| self.schedule.is_ready(Class::Lane, **index);
        owed.or_else(|| self.arrived.keys().filter(is_ready).min().copied())
    }

    fn builds_on_unfinished(&self, operation: &Operation) -> bool {
        matches!(operation.action, Action::MoveLocal { .. } | Action::MoveRemote { .. })
            && operation.after.iter().any(|earlier| self.unfinished_temporary_moves.contains(earlier))
    }
}

/// Whether it brings an item to a temporary name, from which a later one takes it.
fn is_parking(operation: &Operation) -> bool {
    match &operation.action {
        Action::MoveRemote { temporary, .. } => *temporary,
        Action::MoveLocal { .. } => name::aside_origin(operation.path.name()).is_some(),
        _ => false,
    }
}
