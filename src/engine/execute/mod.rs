//! Carries out a plan: every effect verified, durable before it is agreed, and nothing done where
//! the world moved on (`docs/sync.md` §1 P3 and P4, §5, §6).
//!
//! The calling thread is the one lane: it alone changes the drive and owns the state. Contents move on worker threads, which change
//! nothing that anybody sees. Commits of new files may overlap; they begin and end within one stage of the lane.

mod agree;
mod agreements;
mod announce;
mod dispatch;
mod done;
mod folders;
mod install;
mod known;
mod lane;
mod ledger;
mod lesson;
mod moves;
mod options;
mod parent_check;
mod pending;
mod put_back;
mod recover;
mod relocate;
mod remove;
mod report;
mod reporter;
mod schedule;
mod side_by_side;
mod stage;
mod steps;
#[cfg(test)]
mod testing;
mod transfer;
mod tries;
mod unplanned;
mod upload;
mod verified_calls;
mod window;

use std::borrow::Cow;

use crate::model::State;

use super::operation::{Operation, Plan};
use super::ports::{Ports, Store};

pub use options::{ExecuteOptions, Packages};
pub use recover::{Recovered, give_up, recover};
pub use report::{Counts, Effect, EffectKind, End, Event, Outcome, Progress, Skipped};
pub use window::Window;

/// Carries out `plan`. Call [`recover`] first while intents are stored.
///
/// One bad item never stops the others; only what [`End`] names ends the pass. What was done is
/// stored and applied to `state` before this returns, also then.
pub fn execute(
    plan: &Plan,
    ports: &Ports<'_>,
    options: &ExecuteOptions<'_>,
    state: &mut State,
    store: &mut dyn Store,
    events: &mut dyn FnMut(&Event),
) -> Outcome {
    let shared = lane::Shared::default();
    let due = what_is_due(plan, ports, options, state);
    let left_out = plan.operations.len() - due.operations.len();
    let task = lane::Task { plan: &due, ports: *ports, options, shared: &shared };
    let mut outcome = lane::Lane::new(task, state, store, events).run();
    outcome.waiting += left_out as u64;
    outcome
}

/// Items that were set aside wait until their next try, and what builds on them with them.
fn what_is_due<'p>(
    plan: &'p Plan,
    ports: &Ports<'_>,
    options: &ExecuteOptions<'_>,
    state: &State,
) -> Cow<'p, Plan> {
    let now = state.seconds(ports.clock.reading());
    let is_later =
        |operation: &Operation| state.set_aside.get(&operation.path).is_some_and(|aside| aside.waits(now));
    if options.ignore_next_try || !plan.operations.iter().any(is_later) {
        return Cow::Borrowed(plan);
    }
    Cow::Owned(plan.clone().without(&is_later))
}

#[cfg(test)]
mod stages_tests;
