//! The early end of a pass that has much to do: nothing new is begun, what is under way is finished, and no name stays lent.

use crate::engine::operation::{Action, Operation};

use super::done::Done;
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
        if operation.lends_name() || self.builds_on_unfinished(operation) {
            self.own.learn(Done::LeftUnfinished { operation: index });
        }
    }

    /// What the lane does next. Once it is enough, only what gives a name back, and what was transferred already.
    pub(super) fn next_on_lane(&self) -> Option<usize> {
        if !self.outcome.cut_short {
            return self.schedule.peek(Class::Lane);
        }
        let is_owed = |index: &usize| self.builds_on_unfinished(&self.plan.operations[*index]);
        let owed = if self.own.has_unfinished() { self.schedule.on_lane().find(is_owed) } else { None };
        let is_ready = |index: &&usize| self.schedule.is_ready(Class::Lane, **index);
        owed.or_else(|| self.arrived.keys().filter(is_ready).min().copied())
    }

    fn builds_on_unfinished(&self, operation: &Operation) -> bool {
        matches!(operation.action, Action::MoveLocal { .. } | Action::MoveRemote { .. })
            && operation.after.iter().any(|earlier| self.own.is_unfinished(*earlier))
    }
}
