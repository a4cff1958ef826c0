//! The one lane: runs operations stage by stage, learns what they did, and decides what follows from how they ended.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::operation::{Action, Conflict, Operation, Plan, RemoteSeen};
use crate::engine::ports::{Ports, RemoteError, Store};
use crate::model::{Change, RelPath, SetAside, State};

use super::agree::agree;
use super::done::Done;
use super::known::OwnChanges;
use super::ledger::Ledger;
use super::lesson::Lesson;
use super::options::ExecuteOptions;
use super::parent_check::lost_additions;
use super::remove::delete_for_good;
use super::report::{End, Event, Outcome, Skipped, StepFailure};
use super::reporter::Reporter;
use super::schedule::{Class, Schedule, class, class_of};
use super::stage::{Acted, Known, Next, Stage};
use super::steps::{Start, needs_content, start};
use super::transfer::{Arrived, StagedContent};
use super::tries::Tries;
use super::verified_calls;

/// So often what came of additions is asked once more where iCloud does not answer.
const LOOKS_BACK: u32 = 3;

/// What lane and workers share: a flag and a counter.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) abort: AtomicBool,
    pub(super) bytes: AtomicU64,
}

/// What is to be done, with what; it does not change.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    pub(super) plan: &'a Plan,
    pub(super) ports: Ports<'a>,
    pub(super) options: &'a ExecuteOptions<'a>,
    pub(super) shared: &'a Shared,
}

/// The lane.
pub(super) struct Lane<'a> {
    pub(super) task: Task<'a>,
    pub(super) ledger: Ledger<'a>,
    /// What this pass changed itself.
    pub(super) own: OwnChanges,
    pub(super) reporter: Reporter<'a>,
    pub(super) schedule: Schedule,
    /// What was brought for operations whose turn has not come.
    pub(super) arrived: HashMap<usize, Arrived>,
    /// Comparisons that found a difference, and what is done about it.
    pub(super) decided: HashMap<usize, Conflict>,
    pub(super) tries: Tries,
    /// Uploads whose content is under way.
    pub(super) staging: usize,
}

impl<'a> Lane<'a> {
    pub(super) fn new(
        task: Task<'a>,
        state: &'a mut State,
        store: &'a mut dyn Store,
        events: &'a mut dyn FnMut(&Event),
    ) -> Self {
        let Task { plan, ports, options, .. } = task;
        let bytes_total = plan.operations.iter().map(weight).fold(0, u64::saturating_add);
        Self {
            task,
            ledger: Ledger::new(
                ports.disk,
                ports.clock,
                state,
                store,
                options.group_items,
                options.group_age,
            ),
            own: OwnChanges::with(options.window),
            reporter: Reporter::new(events, bytes_total),
            schedule: Schedule::new(&plan.operations),
            arrived: HashMap::new(),
            decided: HashMap::new(),
            tries: Tries::default(),
            staging: 0,
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        let Task { plan, options, .. } = self.task;
        let transfers =
            plan.operations.iter().filter(|operation| class(&operation.action) != Class::Lane).count();
        let workers = options.workers.min(transfers);
        // Even a single transfer has its own thread, so that a large one's progress is told.
        if options.workers <= 1 || workers == 0 {
            self.alone()
        } else {
            self.with_workers(workers)
        }
        let has_ended = self.has_ended();
        let left = self.leave_given_up();
        // Where something that was done could not be stored, the notes tell the next recovery what it was.
        if !self.ledger.has_lost() {
            let uploads = self.own.uploads_without_effect();
            // An end that came over iCloud leaves open what became of them.
            let uploads = uploads.iter().filter(|_| !has_ended);
            for number in self.own.announcements().iter().chain(uploads) {
                self.ledger.push(Change::End(*number));
            }
        }
        if !has_ended {
            self.look_back();
        }
        let last = self.ledger.close();
        self.stored(last);
        if !self.has_ended() {
            delete_for_good(&self.task.ports, &self.known());
        }
        for (index, operation) in plan.operations.iter().enumerate() {
            let is_left = !self.has_ended() && !self.has_yielded();
            if is_left && left > 0 && !self.schedule.is_over(index) {
                self.reporter.outcome.waiting += 1;
            } else if is_left && !self.schedule.is_over(index) {
                // Its dependencies do not add up: the planner has to say anew what it wants.
                let why = (operation.path.clone(), "its turn never came".into());
                self.reporter.outcome.plan_again.push(why);
            }
        }
        Outcome { window: self.own.window(), ..self.reporter.outcome }
    }

    /// Whether the pass has come to an early end.
    pub(super) fn has_ended(&self) -> bool {
        self.reporter.outcome.ended.is_some()
    }

    /// Whether nothing new is begun.
    pub(super) fn has_yielded(&self) -> bool {
        self.reporter.outcome.cut_short
    }

    /// All that a stage may read.
    pub(super) fn known(&self) -> Known<'_> {
        let Task { plan, options, .. } = self.task;
        Known { plan, options, own: &self.own, moment: self.ledger.moment() }
    }

    /// Where the operation's next transfer runs.
    pub(super) fn class_now(&self, index: usize) -> Class {
        let action = &self.task.plan.operations[index].action;
        self.decided.get(&index).map_or_else(|| class(action), class_of)
    }

    /// Runs one operation, with what was brought for it.
    pub(super) fn step(&mut self, index: usize, arrived: Option<Arrived>) {
        let plan = self.task.plan;
        let arrived = self.keep_needed(index, arrived);
        let announcement = match &arrived {
            Some(Arrived::Staged(content)) => self.announce(&[(index, content)]),
            _ => None,
        };
        let result = match start(plan, index, arrived.as_ref(), announcement) {
            Start::Stage(stage) => self.drive(&[index], stage).pop().map_or(Ok(()), |(_, result)| result),
            Start::Failed(failure) => Err(failure),
            Start::Decided(conflict) => {
                self.decided.insert(index, conflict.clone());
                return self.schedule.queue(index, class_of(conflict));
            }
        };
        self.keep_arrived(index, arrived, &result);
        self.finish(index, result);
    }

    /// Runs operations that share their requests.
    pub(super) fn run_group(&mut self, group: &[usize], first: Box<dyn Stage<'a> + 'a>) {
        for (index, result) in self.drive(group, first) {
            self.finish(index, result);
        }
    }

    /// Stage by stage: what must be durable before, the act, what is learnt from it.
    pub(super) fn drive(
        &mut self,
        group: &[usize],
        first: Box<dyn Stage<'a> + 'a>,
    ) -> Vec<(usize, Result<(), StepFailure>)> {
        let mut over = BTreeMap::new();
        let mut stage = first;
        let rest = loop {
            let before = stage.before(&self.known());
            let note = match self.ledger.prepare(before) {
                Ok(note) => note,
                Err(failure) => break Err(failure),
            };
            let mut acted = Acted { note, ..Acted::default() };
            let next = stage.act(&self.task.ports, &self.known(), &mut acted);
            over.extend(acted.over);
            let unlearnt = self.learn(acted.done);
            over.extend(unlearnt.into_iter().map(|(index, failure)| (index, Err(failure))));
            match next {
                Ok(Next::Then(next)) if group.iter().any(|index| !over.contains_key(index)) => stage = next,
                Ok(_) => break Ok(()),
                Err(failure) => break Err(failure),
            }
        };
        let is_end = matches!(rest, Err(StepFailure::End(_)));
        let result = |index: &usize| match over.remove(index) {
            Some(result) if result.is_ok() || !is_end => (*index, result),
            _ => (*index, rest.clone()),
        };
        group.iter().map(result).collect()
    }

    /// Learns what was done, one fact after the other. Returns the operations of which the base could not learn something; of them
    /// it learns nothing more.
    fn learn(&mut self, done: Vec<(Option<usize>, Done)>) -> BTreeMap<usize, StepFailure> {
        let mut unlearnt = BTreeMap::new();
        for (index, done) in done {
            self.own.learn(&done);
            if index.is_some_and(|index| unlearnt.contains_key(&index)) {
                continue;
            }
            let operation = index.map(|index| &self.task.plan.operations[index]);
            let at = self.task.ports.seen_at();
            let learned = agree(&done, operation, &self.ledger.moment(), &at);
            match (self.ledger.learn(learned.lessons), index) {
                (Ok(()), _) => {
                    if let Some(effect) = learned.told {
                        self.reporter.told(effect, learned.is_part);
                    }
                }
                (Err(failure), Some(index)) => drop(unlearnt.insert(index, failure)),
                (Err(_), None) => {}
            }
        }
        unlearnt
    }

    /// Content that an operation has no use for goes at once.
    fn keep_needed(&self, index: usize, arrived: Option<Arrived>) -> Option<Arrived> {
        match arrived {
            Some(Arrived::Different(Some(content)) | Arrived::Content(content))
                if !needs_content(&self.task.plan.operations[index]) =>
            {
                self.task.ports.disk.discard(&content.ready);
                Some(Arrived::Different(None))
            }
            other => other,
        }
    }

    /// Content that could not be put in place or committed waits for the next try, so that a repetition need not move it again and
    /// cannot double anything; it goes when there is none.
    pub(super) fn keep_arrived(
        &mut self,
        index: usize,
        arrived: Option<Arrived>,
        result: &Result<(), StepFailure>,
    ) {
        match (arrived, result) {
            (Some(Arrived::Staged(content)), Err(StepFailure::Again { .. })) => {
                let StagedContent { mut staged, signature, read_at } = content;
                // It has been judged already.
                staged.signature = None;
                self.arrived.insert(index, Arrived::Staged(StagedContent { staged, signature, read_at }));
            }
            (Some(Arrived::Content(content) | Arrived::Different(Some(content))), Err(failure)) => {
                match failure {
                    StepFailure::Again { .. } => drop(self.arrived.insert(index, Arrived::Content(content))),
                    StepFailure::Replan(_) | StepFailure::Aside(_) => {
                        self.task.ports.disk.discard(&content.ready);
                    }
                    StepFailure::Resend(_) | StepFailure::Skip(_) | StepFailure::End(_) => {}
                }
            }
            _ => {}
        }
    }

    /// Draws the consequence of how an operation went.
    pub(super) fn finish(&mut self, index: usize, result: Result<(), StepFailure>) {
        let plan = self.task.plan;
        let operation = &plan.operations[index];
        let path = operation.path_to_tell().into_owned();
        if !matches!(result, Err(StepFailure::Again { .. } | StepFailure::End(_))) {
            self.close_announcement(index, result.is_ok());
        }
        match result {
            Ok(()) => {
                self.tries.succeeded(index, self.task.ports.clock.uptime());
                self.note_temporary_move(index);
                if self.ledger.state().set_aside.contains_key(&path) {
                    self.ledger.push(Change::SetAside(path, None));
                }
                self.schedule.succeeded(index, &plan.operations);
            }
            Err(StepFailure::End(end)) => return self.end(end),
            Err(StepFailure::Again { why, after }) => return self.again(index, path, why, after),
            Err(StepFailure::Resend(why)) => {
                self.arrived.remove(&index);
                return self.again(index, path, why, None);
            }
            Err(StepFailure::Replan(why))
                if is_put_here(&operation.action) && (self.task.options.is_stuck)(&path, &why) =>
            {
                self.set_aside(index, path, why, None);
            }
            Err(StepFailure::Replan(why)) => {
                self.reporter.emit(&Event::PlanAgain { path: path.clone(), why: why.clone() });
                self.reporter.outcome.plan_again.push((path, why));
                self.lose(index);
            }
            Err(StepFailure::Aside(why)) => self.set_aside(index, path, why, None),
            Err(StepFailure::Skip(reason)) => {
                self.reporter.emit(&Event::Skipped { path: path.clone(), reason: reason.clone() });
                if let Some(remote) = seen(&operation.action) {
                    let RemoteSeen { id, etag, .. } = self.own.remote(remote);
                    self.reporter.outcome.skipped.push(Skipped { path, id, etag, reason });
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
        self.reporter.outcome.waiting += self.schedule.failed(index).len() as u64;
    }

    /// Tries again in this pass while there is time for it.
    fn again(&mut self, index: usize, path: RelPath, why: String, after: Option<Duration>) {
        let clock = self.task.ports.clock;
        let now = clock.uptime();
        let limits = (self.task.options.retry_budget, clock.unit_random());
        let wait = self.tries.failed(index, now, after, limits);
        self.tries.note(index, &self.task.plan.operations[index].action, why.clone());
        let Some(wait) = wait else {
            self.set_aside(index, path, why, after);
            return self.tell_progress();
        };
        let class = if self.arrived.contains_key(&index) { Class::Lane } else { self.class_now(index) };
        self.schedule.delay(index, class, now.saturating_add(wait));
        self.reporter.emit(&Event::Retry { path, why, wait });
    }

    fn set_aside(&mut self, index: usize, path: RelPath, reason: String, after: Option<Duration>) {
        let now = self.ledger.moment().now;
        // The item is named beside the reason wherever that is told.
        let reason = reason.strip_prefix(&format!("{path}: ")).map_or(reason.clone(), str::to_owned);
        let before = self.ledger.state().set_aside.get(&path);
        let attempts = before.map_or(0, |before| before.attempts).saturating_add(1);
        let wished = after.map_or(0, |after| i64::try_from(after.as_secs()).unwrap_or(i64::MAX));
        let wait = SetAside::wait_after(attempts).max(wished).min(SetAside::LONGEST_WAIT);
        let next_try = Some(now.saturating_add(wait));
        let since = before.map_or(now, |before| before.since);
        let aside = SetAside { reason: reason.clone(), attempts, next_try, since };
        self.ledger.push(Change::SetAside(path.clone(), Some(aside)));
        self.reporter.emit(&Event::SetAside { path: path.clone(), reason: reason.clone(), next_try });
        self.reporter.outcome.counts.set_aside += 1;
        self.reporter.outcome.failed.push((path, reason));
        self.lose(index);
    }

    /// Sets aside what was tried in vain and is not tried any more, and counts what is left with it.
    fn leave_given_up(&mut self) -> usize {
        if self.has_ended() || self.has_yielded() {
            return 0;
        }
        let operations = &self.task.plan.operations;
        let left: Vec<_> = (0..operations.len())
            .filter(|index| !self.schedule.is_over(*index) && self.is_given_up(*index))
            .collect();
        for index in &left {
            if let Some(why) = self.tries.why(*index).map(str::to_owned) {
                self.set_aside(*index, operations[*index].path_to_tell().into_owned(), why, None);
            }
        }
        left.len()
    }

    /// What went into folders that somebody deleted in that moment is not agreed on.
    fn look_back(&mut self) {
        let Task { ports, .. } = self.task;
        let (mut lost, mut is_said) = lost_additions(ports.remote, &self.known());
        for attempt in 0..LOOKS_BACK {
            if is_said || verified_calls::wait(&ports, attempt, None).is_err() {
                break;
            }
            (lost, is_said) = lost_additions(ports.remote, &self.known());
        }
        self.reporter.outcome.unconfirmed = !is_said;
        for id in lost {
            let path = self.ledger.moment().base.stored_path(&id).unwrap_or_default();
            // Forgetting needs nothing that could be missing.
            let _ = self.ledger.learn(vec![Lesson::Forget(id)]);
            let why = "the folder it went to was moved or deleted on iCloud in that moment";
            self.reporter.outcome.plan_again.push((path, why.into()));
        }
    }

    fn end(&mut self, end: End) {
        self.task.shared.abort.store(true, Ordering::Relaxed);
        self.reporter.outcome.ended.get_or_insert(end);
    }

    /// Stores a group that is due; `false` when the pass has ended.
    pub(super) fn goes_on(&mut self) -> bool {
        self.ask_whether_to_yield();
        if !self.has_ended() {
            let result = self.ledger.flush_if_due();
            self.stored(result);
        }
        !self.has_ended()
    }

    /// Draws the consequence of storing a group.
    fn stored(&mut self, result: Result<(), StepFailure>) {
        for change in self.ledger.take_stored() {
            self.reporter.emit(&Event::Stored(change));
        }
        match result {
            Ok(()) => {}
            Err(StepFailure::End(end)) => self.end(end),
            Err(failure) => self.reporter.outcome.plan_again.push((RelPath::root(), failure.to_string())),
        }
    }

    /// How long it is, from now, until the machine has been up for `due`.
    pub(super) fn until(&self, due: Duration) -> Duration {
        due.saturating_sub(self.task.ports.clock.uptime())
    }

    pub(super) fn wait_until(&mut self, due: Duration) {
        let result = self.ledger.flush();
        self.stored(result);
        if !self.has_ended() && self.task.ports.clock.pause(self.until(due)).is_err() {
            self.end(End::Remote(RemoteError::Stopped));
        }
    }

    pub(super) fn tell_progress(&mut self) {
        let total = self.task.plan.operations.len();
        let bytes = self.task.shared.bytes.load(Ordering::Relaxed);
        self.reporter.progress((total - self.schedule.open(), total), bytes);
    }
}

/// The remote version that an operation's content is of.
fn seen(action: &Action) -> Option<&RemoteSeen> {
    match action {
        Action::Download { remote, .. } => Some(remote),
        Action::Compare { remote, .. } | Action::Settle { remote, .. } => Some(remote),
        _ => None,
    }
}

/// Bytes that an operation is expected to move.
fn weight(operation: &Operation) -> u64 {
    match &operation.action {
        Action::Download { remote, .. } => remote.size.unwrap_or(0),
        Action::Settle { remote, .. } => remote.size.unwrap_or(0),
        Action::Upload { local, .. } => local.stamp.size,
        _ => 0,
    }
}
/// Whether it puts something under a name here, which the disk may refuse for a reason that no plan knows of: a name that it takes for another
/// one's, say.
fn is_put_here(action: &Action) -> bool {
    matches!(
        action,
        Action::MakeLocalFolder { .. } | Action::MoveLocal { .. } | Action::Download { over: None, .. }
    )
}
