//! Carries out a plan: every effect verified, durable before it is agreed, and nothing done where
//! the world moved on (`docs/sync.md` §1 P3 and P4, §5, §6).
//!
//! The calling thread is the one lane: it alone changes the drive and owns the state. Contents
//! move on worker threads, which change nothing that anybody sees.

mod agree;
mod announce;
mod dispatch;
mod done;
mod folders;
mod install;
mod known;
mod lane;
mod ledger;
mod moves;
mod parent_check;
mod preempt;
mod recover;
mod relocate;
mod remove;
mod report;
mod schedule;
mod transfer;
mod unplanned;
mod upload;
mod verified_calls;

use std::borrow::Cow;
use std::time::Duration;

use crate::model::{ItemId, RelPath, State};

use super::operation::{Operation, Plan};
use super::ports::{Clock, Disk, Remote, Store};

pub use recover::{Recovered, give_up, recover};
pub use report::{Counts, Effect, EffectKind, End, Event, Outcome, Progress, Skipped};

/// The world, as the executor reaches it.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// iCloud.
    pub remote: &'a dyn Remote,
    /// The drive's folder.
    pub disk: &'a dyn Disk,
    /// Time and chance.
    pub clock: &'a dyn Clock,
}

/// What becomes of packages (`docs/protocol.md` §11.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packages {
    /// Each is one opaque zip.
    #[default]
    Zip,
    /// They are left alone and hold their names.
    Skip,
}

/// How a plan is carried out.
#[derive(Clone, Copy)]
pub struct ExecuteOptions<'a> {
    /// Transfers at a time; with 1 everything runs on the calling thread in plan order.
    pub workers: usize,
    /// Whether what goes to iCloud's trash is deleted for good right after.
    pub remote_delete_permanent: bool,
    /// Whether files may be replaced in place; else always the trash way.
    pub in_place: bool,
    /// Changes that are stored together at most.
    pub group_items: usize,
    /// How long a change waits for others to be stored with it.
    pub group_age: Duration,
    /// What becomes of packages.
    pub packages: Packages,
    /// `limits.max_file_size`, in bytes: holds for what arrives, too, where the service could not say its size before.
    pub max_file_size: Option<u64>,
    /// How long one item, and all of them together while nothing succeeds, is tried again within one pass.
    pub retry_budget: Duration,
    /// Whether set-aside items are tried before their time.
    pub ignore_next_try: bool,
    /// Whether another item beside that one on iCloud has the same name. A replacement by way of the trash gives the name up.
    pub has_twin: &'a dyn Fn(&ItemId) -> bool,
    /// The path of a conflict copy of a file, the n-th (from 0) when earlier ones are taken.
    pub conflict_name: &'a dyn Fn(&RelPath, u32) -> RelPath,
    /// Whether a name is built-in junk that keeps no folder alive.
    pub is_junk: &'a dyn Fn(&str) -> bool,
    /// Asked before each step: whether something else waits, so that nothing new is begun. What is under way is finished, the
    /// rest is planned again.
    pub should_yield: &'a dyn Fn() -> bool,
}

impl<'a> ExecuteOptions<'a> {
    /// The contract's defaults.
    pub fn new(
        conflict_name: &'a dyn Fn(&RelPath, u32) -> RelPath,
        is_junk: &'a dyn Fn(&str) -> bool,
    ) -> Self {
        Self {
            workers: 32,
            remote_delete_permanent: false,
            in_place: true,
            group_items: 64,
            group_age: Duration::from_secs(1),
            packages: Packages::Zip,
            max_file_size: None,
            retry_budget: Duration::from_secs(60),
            ignore_next_try: false,
            has_twin: &|_| false,
            conflict_name,
            is_junk,
            should_yield: &|| false,
        }
    }
}

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
    let mut outcome = lane::Lane::new(&due, *ports, options, state, store, events, &shared).run();
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
    let is_later = |operation: &Operation| {
        let aside = state.set_aside.get(&operation.path);
        aside.is_some_and(|aside| aside.next_try.is_some() && !aside.is_due(now))
    };
    if options.ignore_next_try || !plan.operations.iter().any(is_later) {
        return Cow::Borrowed(plan);
    }
    Cow::Owned(plan.clone().without(&is_later))
}
