//! Carries out a plan: every effect verified, durable before it is agreed, and nothing done where
//! the world moved on (`docs/sync.md` §1 P3 and P4, §5, §6).
//!
//! The calling thread is the one lane: it alone changes the drive and owns the state. Contents move on worker threads, which change
//! nothing that anybody sees. Commits of new files may overlap; they begin and end within one stage of the lane.

mod across;
mod agree;
mod agreements;
mod announce;
mod arriving;
mod content_there;
mod dispatch;
mod done;
mod folders;
mod fresh;
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
mod racy;
mod recover;
mod relocate;
mod remove;
mod report;
mod reporter;
mod schedule;
mod side_by_side;
mod stage;
mod standing;
mod steps;
#[cfg(test)]
mod testing;
mod transfer;
mod tries;
mod unplanned;
mod upload;
mod verified_calls;
mod window;

use crate::model::State;

use super::operation::Plan;
use super::ports::{Ports, Store};

pub use options::{ExecuteOptions, Packages};
pub use recover::{Recovered, give_up, recover, settle_astray, settle_late};
pub use report::{Counts, Effect, EffectKind, End, Event, Outcome, Progress, Skipped};
pub use window::Window;

/// Carries out `plan`, all of it. Call [`recover`] first while intents are stored.
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
    let remote = fresh::FreshRemote::new(ports.remote, ports.clock);
    let ports = Ports { remote: &remote, ..*ports };
    let task = lane::Task { plan, ports, options, shared: &shared };
    lane::Lane::new(task, state, store, events).run()
}

#[cfg(test)]
mod stages_tests;
