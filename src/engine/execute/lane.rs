//! The one lane: picks what is next, runs it, and decides what follows from how it ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::operation::{Action, Conflict, Operation, Plan, RemoteSeen};
use crate::engine::ports::{Ports, RemoteError, Store};
use crate::engine::retry;
use crate::model::{Change, RelPath, SetAside, State};

use super::known::OwnChanges;
use super::ledger::Ledger;
use super::options::ExecuteOptions;
use super::remove::Doomed;
use super::report::{Effect, End, Event, Outcome, Progress, Skipped, StepFailure};
use super::schedule::{Class, Schedule, class, class_of};
use super::transfer::Arrived;

/// Items in one request of those that take several (`docs/protocol.md` §8.1).
pub(super) const BATCH: usize = 20;
/// The longest sleep of the lane while transfers run, so that progress is told.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// Back-off between tries of one item within a pass.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(16);

/// What lane and workers share: a flag and a counter.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) abort: AtomicBool,
    pub(super) bytes: AtomicU64,
}

/// How a step went that did not fail.
pub(super) enum Step {
    /// The operation is done.
    Done,
    /// It is queued again for its next part.
    Later,
}

struct Tries {
    count: u32,
    since: Duration,
}

/// The lane.
pub(super) struct Lane<'a> {
    pub(super) plan: &'a Plan,
    pub(super) ports: Ports<'a>,
    pub(super) options: &'a ExecuteOptions<'a>,
    pub(super) ledger: Ledger<'a>,
    /// Folders in iCloud's trash that are to be deleted for good at the end of the pass.
    pub(super) doomed: Vec<Doomed>,
    /// What this pass changed itself.
    pub(super) own: OwnChanges,
    pub(super) outcome: Outcome,
    events: &'a mut dyn FnMut(&Event),
    pub(super) schedule: Schedule,
    pub(super) arrived: HashMap<usize, Arrived>,
    /// Comparisons that found a difference, and what is done about it.
    pub(super) decided: HashMap<usize, Conflict>,
    tries: HashMap<usize, Tries>,
    /// Since when steps fail and none succeeds.
    troubled: Option<Duration>,
    bytes_total: u64,
    /// Uploads whose content is under way.
    pub(super) staging: usize,
    pub(super) shared: &'a Shared,
}

impl<'a> Lane<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        ports: Ports<'a>,
        options: &'a ExecuteOptions<'a>,
        state: &'a mut State,
        store: &'a mut dyn Store,
        events: &'a mut dyn FnMut(&Event),
        shared: &'a Shared,
    ) -> Self {
        let ledger =
            Ledger::new(ports.disk, ports.clock, state, store, options.group_items, options.group_age);
        Self {
            plan,
            ports,
            options,
            ledger,
            doomed: Vec::new(),
            own: OwnChanges::default(),
            outcome: Outcome::default(),
            events,
            schedule: Schedule::new(&plan.operations),
            arrived: HashMap::new(),
            decided: HashMap::new(),
            tries: HashMap::new(),
            troubled: None,
            bytes_total: plan.operations.iter().map(weight).fold(0, u64::saturating_add),
            staging: 0,
            shared,
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        let transfers =
            self.plan.operations.iter().filter(|operation| class(&operation.action) != Class::Lane).count();
        let workers = self.options.workers.min(transfers);
        // Even a single transfer has its own thread, so that a large one's progress is told.
        if self.options.workers <= 1 || workers == 0 {
            self.alone()
        } else {
            self.with_workers(workers)
        }
        // Where something that was done could not be stored, the notes tell the next recovery what it was.
        if !self.ledger.has_lost() {
            let uploads = self.own.open_uploads();
            // An end that came over iCloud leaves open what became of them.
            let uploads = uploads.iter().filter(|_| self.outcome.ended.is_none());
            for number in self.own.announcements().iter().chain(uploads) {
                self.ledger.end(*number);
            }
        }
        self.look_back();
        let last = self.ledger.close();
        self.stored(last);
        self.delete_for_good();
        for (index, operation) in self.plan.operations.iter().enumerate() {
            if self.outcome.ended.is_none() && !self.outcome.cut_short && !self.schedule.is_over(index) {
                // Its dependencies do not add up: the planner has to say anew what it wants.
                self.outcome.plan_again.push((operation.path.clone(), "its turn never came".into()));
            }
        }
        self.outcome
    }

    /// Where the operation's next transfer runs.
    pub(super) fn class_now(&self, index: usize) -> Class {
        self.decided.get(&index).map_or_else(|| class(&self.plan.operations[index].action), class_of)
    }

    /// Keeps what was staged, so that a repetition need not send it again.
    pub(super) fn keep(&mut self, index: usize, staged: Arrived) {
        self.arrived.insert(index, staged);
    }

    pub(super) fn step(&mut self, index: usize, arrived: Option<Arrived>) {
        let plan = self.plan;
        let result = self.perform(index, &plan.operations[index], arrived);
        self.finish(index, result);
    }

    fn perform(
        &mut self,
        index: usize,
        operation: &Operation,
        arrived: Option<Arrived>,
    ) -> Result<Step, StepFailure> {
        match (&operation.action, arrived) {
            (Action::Agree { remote, local }, _) => self.agree(operation, remote, local)?,
            (Action::Forget { id }, _) => self.forget(operation, id),
            (Action::Keep { id, presence, place }, _) => {
                self.keep_presence(operation, id, *presence, place.as_ref())?;
            }
            (Action::MakeLocalFolder { remote }, _) => self.make_local_folder(operation, remote)?,
            (Action::MoveLocal { remote, local }, _) => {
                self.move_local(operation, remote.as_ref(), local)?;
            }
            (Action::MoveRemote { remote, local, parent, name, temporary }, _) => {
                self.move_remote(index, operation, (remote, local.as_ref()), (parent, name), *temporary)?;
            }
            (Action::TrashLocal { id, local, .. }, _) => self.trash_local(operation, id.as_ref(), local)?,
            (Action::Download { remote, over }, Some(Arrived::Content(content))) => {
                let result = self.install(operation, remote, over.as_ref(), content.clone());
                self.kept_content(index, content, &result);
                result?;
            }
            (Action::Upload { local, target }, Some(staged)) => {
                self.upload(index, operation, local, target, staged)?;
            }
            (Action::Compare { remote, local, .. }, Some(Arrived::Equal { signature, package })) => {
                self.agree_on_content(operation, remote, local, signature, package)?;
            }
            (Action::Compare { remote, otherwise, .. }, Some(Arrived::Different(None))) => {
                if let Conflict::KeepBothThere { name } = otherwise {
                    self.make_way_there(index, operation, remote, name)?;
                    return Ok(Step::Done);
                }
                if *otherwise == Conflict::SetAside {
                    return Err(undecided());
                }
                self.decided.insert(index, otherwise.clone());
                self.schedule.queue(index, class_of(otherwise));
                return Ok(Step::Later);
            }
            (
                Action::Compare { remote, local, otherwise },
                Some(Arrived::Different(Some(content)) | Arrived::Content(content)),
            ) => match otherwise {
                Conflict::KeepBothThere { name } => {
                    self.ports.disk.discard(&content.ready);
                    self.make_way_there(index, operation, remote, name)?;
                }
                Conflict::TakeLocal => {
                    self.ports.disk.discard(&content.ready);
                    self.decided.insert(index, otherwise.clone());
                    self.schedule.queue(index, Class::Stage);
                    return Ok(Step::Later);
                }
                _ => {
                    let result = self.settle(operation, remote, local, otherwise, content.clone());
                    self.kept_content(index, content, &result);
                    result?;
                }
            },
            (Action::Settle { remote, local, conflict }, Some(Arrived::Content(content))) => {
                let result = self.settle(operation, remote, local, conflict, content.clone());
                self.kept_content(index, content, &result);
                result?;
            }
            (
                Action::Settle { remote, local, .. } | Action::Compare { remote, local, .. },
                Some(staged @ Arrived::Staged { .. }),
            ) => self.take_local(index, operation, remote, local, staged)?,
            (Action::Settle { remote, conflict: Conflict::KeepBothThere { name }, .. }, _) => {
                self.make_way_there(index, operation, remote, name)?;
            }
            (Action::Settle { conflict: Conflict::SetAside, .. }, _) => return Err(undecided()),
            _ => return Err(StepFailure::replan("what was fetched for it does not fit")),
        }
        Ok(Step::Done)
    }

    /// Draws the consequence of how an operation went.
    pub(super) fn finish(&mut self, index: usize, result: Result<Step, StepFailure>) {
        let operation = &self.plan.operations[index];
        let path = operation.path.clone();
        if !matches!(result, Ok(Step::Later) | Err(StepFailure::Again { .. } | StepFailure::End(_))) {
            self.close_announcement(index);
        }
        match result {
            Ok(Step::Later) => return,
            Ok(Step::Done) => {
                self.tries.remove(&index);
                self.troubled = None;
                self.note_temporary_move(index);
                if self.ledger.state().set_aside.contains_key(&path) {
                    self.ledger.push(Change::SetAside(path, None));
                }
                self.schedule.succeeded(index, &self.plan.operations);
            }
            Err(StepFailure::End(end)) => return self.end(end),
            Err(StepFailure::Again { why, after }) => return self.again(index, path, why, after),
            Err(StepFailure::Resend(why)) => {
                self.arrived.remove(&index);
                return self.again(index, path, why, None);
            }
            Err(StepFailure::Replan(why)) => {
                self.emit(&Event::PlanAgain { path: path.clone(), why: why.clone() });
                self.outcome.plan_again.push((path, why));
                self.lose(index);
            }
            Err(StepFailure::Aside(why)) => self.set_aside(index, path, why, None),
            Err(StepFailure::Skip(reason)) => {
                self.emit(&Event::Skipped { path: path.clone(), reason: reason.clone() });
                if let Some(remote) = seen(&operation.action) {
                    let RemoteSeen { id, etag, .. } = self.own.remote(remote);
                    self.outcome.skipped.push(Skipped { path, id, etag, reason });
                }
                self.lose(index);
            }
        }
        self.tell_progress();
        let result = self.ledger.flush_if_due();
        self.stored(result);
    }

    fn lose(&mut self, index: usize) {
        self.arrived.remove(&index);
        self.outcome.waiting += self.schedule.failed(index).len() as u64;
    }

    /// Tries again in this pass while the item's budget lasts, and the one that all share since something succeeded: they
    /// wait side by side, not one after the other.
    fn again(&mut self, index: usize, path: RelPath, why: String, after: Option<Duration>) {
        let now = self.ports.clock.uptime();
        let tries = self.tries.entry(index).or_insert(Tries { count: 0, since: now });
        let wait = retry::backoff(tries.count, FIRST_WAIT, LONGEST_WAIT, self.ports.clock.unit_random())
            .max(after.unwrap_or_default());
        tries.count += 1;
        let since = tries.since.min(*self.troubled.get_or_insert(now));
        let spent = now.saturating_sub(since);
        if spent.saturating_add(wait) > self.options.retry_budget {
            self.set_aside(index, path, why, after);
            return self.tell_progress();
        }
        let class = if self.arrived.contains_key(&index) { Class::Lane } else { self.class_now(index) };
        self.schedule.delay(index, class, now.saturating_add(wait));
        self.emit(&Event::Retry { path, why, wait });
    }

    fn set_aside(&mut self, index: usize, path: RelPath, reason: String, after: Option<Duration>) {
        let now = self.ledger.now_seconds();
        // The item is named beside the reason wherever that is told.
        let reason = reason.strip_prefix(&format!("{path}: ")).map_or(reason.clone(), str::to_owned);
        let before = self.ledger.state().set_aside.get(&path);
        let attempts = before.map_or(0, |before| before.attempts).saturating_add(1);
        let wished = after.map_or(0, |after| i64::try_from(after.as_secs()).unwrap_or(i64::MAX));
        let wait = retry::aside_seconds(attempts).max(wished).min(SetAside::LONGEST_WAIT);
        let next_try = Some(now.saturating_add(wait));
        let since = before.map_or(now, |before| before.since);
        let aside = SetAside { reason: reason.clone(), attempts, next_try, since };
        self.ledger.push(Change::SetAside(path.clone(), Some(aside)));
        self.emit(&Event::SetAside { path: path.clone(), reason: reason.clone(), next_try });
        self.outcome.counts.set_aside += 1;
        self.outcome.failed.push((path, reason));
        self.lose(index);
    }

    fn end(&mut self, end: End) {
        self.shared.abort.store(true, Ordering::Relaxed);
        self.outcome.ended.get_or_insert(end);
    }

    /// Stores a group that is due; `false` when the pass has ended.
    pub(super) fn goes_on(&mut self) -> bool {
        self.ask_whether_to_yield();
        if self.outcome.ended.is_none() {
            let result = self.ledger.flush_if_due();
            self.stored(result);
        }
        self.outcome.ended.is_none()
    }

    /// Draws the consequence of storing a group.
    fn stored(&mut self, result: Result<(), StepFailure>) {
        for change in self.ledger.take_stored() {
            self.emit(&Event::Stored(change));
        }
        match result {
            Ok(()) => {}
            Err(StepFailure::End(end)) => self.end(end),
            Err(failure) => self.outcome.plan_again.push((RelPath::root(), failure.to_string())),
        }
    }

    /// How long it is, from now, until the machine has been up for `due`.
    pub(super) fn until(&self, due: Duration) -> Duration {
        due.saturating_sub(self.ports.clock.uptime())
    }

    pub(super) fn wait_until(&mut self, due: Duration) {
        let result = self.ledger.flush();
        self.stored(result);
        if self.outcome.ended.is_some() {
            return;
        }
        if self.ports.clock.pause(self.until(due)).is_err() {
            self.end(End::Remote(RemoteError::Stopped));
        }
    }

    /// Whether the operation failed before in this pass.
    pub(super) fn was_tried(&self, index: usize) -> bool {
        self.tries.contains_key(&index)
    }

    pub(super) fn emit(&mut self, event: &Event) {
        (self.events)(event);
    }

    /// Tells an effect.
    pub(super) fn told(&mut self, effect: Effect) {
        self.outcome.counts.bytes += effect.bytes;
        self.emit(&Event::Done(effect));
    }

    pub(super) fn tell_progress(&mut self) {
        let total = self.plan.operations.len();
        // What is sent or fetched again, or turns out larger, was not announced.
        let bytes_done = self.shared.bytes.load(Ordering::Relaxed);
        self.bytes_total = self.bytes_total.max(bytes_done);
        let progress = Progress {
            items_done: (total - self.schedule.open()) as u64,
            items_total: total as u64,
            bytes_done,
            bytes_total: self.bytes_total,
        };
        self.emit(&Event::Progress(progress));
    }
}

fn undecided() -> StepFailure {
    StepFailure::Aside("it differs on both sides, and nothing decides between the versions".into())
}

/// The remote version that an operation's content is of.
fn seen(action: &Action) -> Option<&RemoteSeen> {
    match action {
        Action::Download { remote, .. } | Action::Compare { remote, .. } | Action::Settle { remote, .. } => {
            Some(remote)
        }
        _ => None,
    }
}

/// Bytes that an operation is expected to move.
fn weight(operation: &Operation) -> u64 {
    match &operation.action {
        Action::Download { remote, .. } | Action::Settle { remote, .. } => remote.size.unwrap_or(0),
        Action::Upload { local, .. } => local.stamp.size,
        _ => 0,
    }
}
