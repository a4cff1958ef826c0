//! Feeds the lane and the workers: what runs next, where, and with whom in one request.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::{self, RecvTimeoutError};

use crate::engine::operation::{Action, LocalSeen, Operation, UploadTarget};
use crate::engine::threads;
use crate::model::{Change, Zone};

use super::announce::{Announcement, announcement};
use super::done::Done;
use super::folders::FindFolders;
use super::known::OwnChanges;
use super::lane::Lane;
use super::remove::TrashRemote;
use super::report::StepFailure;
use super::schedule::{Class, class_of};
use super::transfer::{self, Arrived, Context, Job, StagedContent, Work};

/// Items in one request of those that take several (`docs/protocol.md` §8.1).
const BATCH: usize = 20;
/// The longest sleep of the lane while transfers run, so that progress is told.
const TICK: Duration = Duration::from_secs(1);
/// A group of downloads whose offers are asked for together is not larger than this, so that the
/// addresses are used soon and no worker gets all the large ones.
const GROUP_BYTES: u64 = 4 << 20;

impl<'a> Lane<'a> {
    fn context(&self) -> Context<'a> {
        Context {
            ports: self.task.ports,
            packages: self.task.options.packages,
            max_file_size: self.task.options.max_file_size,
            abort: &self.task.shared.abort,
            bytes: &self.task.shared.bytes,
        }
    }

    /// Everything on the calling thread, in plan order.
    pub(super) fn alone(&mut self) {
        let context = self.context();
        while self.goes_on() {
            let due = self.schedule.wake(self.task.ports.clock.uptime());
            if self.has_yielded() {
                match self.next_on_lane() {
                    Some(index) => self.lane_step(index),
                    None => break,
                }
                continue;
            }
            match self.first_of_all() {
                Some((index, Class::Lane)) => match self.to_send_before(index) {
                    Some(next) => self.transfer(&context, Class::Stage, next),
                    None => self.lane_step(index),
                },
                Some((index, class)) => self.transfer(&context, class, index),
                None => match due {
                    Some(due) => self.wait_until(due),
                    None => break,
                },
            }
        }
    }

    fn transfer(&mut self, context: &Context<'_>, class: Class, first: usize) {
        let jobs = self.gather(class, first, BATCH, true);
        transfer::run(context, &jobs, &mut |index, result| self.arrive(index, result));
    }

    /// Transfers on worker threads, fed by channels; everything else here.
    pub(super) fn with_workers(&mut self, workers: usize) {
        let context = self.context();
        std::thread::scope(|scope| {
            let (job_sender, job_receiver) = channel::bounded::<Vec<Job>>(workers);
            let (result_sender, results) = channel::bounded(workers * 4);
            let context = &context;
            let threads = threads::helpers(scope, workers, move || {
                for group in &job_receiver {
                    transfer::run(context, &group, &mut |index, result| {
                        // The lane reads until all workers are gone, so this never fails for long.
                        let _ = result_sender.send((index, result));
                    });
                }
            });
            if threads.is_empty() {
                return self.alone();
            }
            let mut under_way = 0;
            while self.goes_on() {
                for (index, result) in results.try_iter() {
                    under_way -= 1;
                    self.arrive(index, result);
                }
                let due = self.schedule.wake(self.task.ports.clock.uptime());
                // Nobody else sends, so a channel that is not full takes a group at once.
                while !self.has_ended() && !self.has_yielded() && !job_sender.is_full() {
                    let Some(jobs) = self.next_group(workers) else { break };
                    under_way += jobs.len();
                    if job_sender.send(jobs).is_err() {
                        break;
                    }
                }
                if let Some(index) = self.next_on_lane() {
                    self.lane_step(index);
                } else if under_way > 0 {
                    let wait = due.map_or(TICK, |due| self.until(due).min(TICK));
                    match results.recv_timeout(wait) {
                        Ok((index, result)) => {
                            under_way -= 1;
                            self.arrive(index, result);
                        }
                        // A worker ends before its channel does only by a panic, which the scope passes on.
                        Err(RecvTimeoutError::Timeout)
                            if threads.iter().any(std::thread::ScopedJoinHandle::is_finished) =>
                        {
                            break;
                        }
                        Err(RecvTimeoutError::Timeout) => self.tell_progress(),
                        Err(RecvTimeoutError::Disconnected) => break,
                    }
                } else if self.has_yielded() {
                    break;
                } else if let Some(due) = due {
                    self.wait_until(due);
                } else if self.next_transfer(workers) == (None, None) {
                    break;
                }
            }
            // Workers finish or give up at the next piece; what they bring now stays for a later resume.
            drop(job_sender);
            self.task.shared.abort.store(true, Ordering::Relaxed);
            for _ in results {}
        });
    }

    /// What may be fetched next, and what may be sent.
    fn next_transfer(&self, workers: usize) -> (Option<usize>, Option<usize>) {
        let staged = self.arrived.len() + self.staging;
        // Staged content waits for the lane; sending too far ahead would let it grow old.
        let stage = if staged < workers * 2 { self.next_of(Class::Stage) } else { None };
        (self.next_of(Class::Fetch), stage)
    }

    /// The first of a class that is ready, and not given up.
    pub(super) fn next_of(&self, class: Class) -> Option<usize> {
        self.schedule.all_ready(class).find(|index| !self.is_given_up(*index))
    }

    /// The first that is ready, of any class, in plan order.
    fn first_of_all(&self) -> Option<(usize, Class)> {
        let classes = [Class::Lane, Class::Fetch, Class::Stage].into_iter();
        let firsts = classes.filter_map(|class| self.next_of(class).map(|index| (index, class)));
        firsts.min_by_key(|(index, _)| *index)
    }

    /// Whether an operation is not tried any more in this pass: others of its kind failed, and nothing has succeeded since, as long as
    /// anything is tried again.
    pub(super) fn is_given_up(&self, index: usize) -> bool {
        let (now, budget) = (self.task.ports.clock.uptime(), self.task.options.retry_budget);
        self.tries.has_given_up(&self.task.plan.operations[index].action, now, budget)
    }

    /// Jobs for one worker: many small downloads together, so that their offers are one request.
    fn next_group(&mut self, workers: usize) -> Option<Vec<Job>> {
        match self.next_transfer(workers) {
            (Some(fetch), stage) if stage.is_none_or(|stage| fetch < stage) => {
                let share = self.schedule.ready(Class::Fetch) / (workers * 2);
                Some(self.gather(Class::Fetch, fetch, share.clamp(1, BATCH), false))
            }
            (_, Some(stage)) => {
                let jobs = self.gather(Class::Stage, stage, 1, false);
                self.staging += jobs.len();
                Some(jobs)
            }
            (_, None) => None,
        }
        .filter(|jobs| !jobs.is_empty())
    }

    /// Takes jobs of one class out of the queue, from `first` on.
    fn gather(&mut self, class: Class, first: usize, most: usize, adjacent: bool) -> Vec<Job> {
        let (mut jobs, mut bytes) = (Vec::new(), 0u64);
        let mut index = first;
        loop {
            self.schedule.take(class, index);
            self.tries.begins(index, self.task.ports.clock.uptime());
            match self.job(index) {
                Ok(job) => {
                    bytes = bytes.saturating_add(job.weight());
                    jobs.push(job);
                }
                Err(failure) => self.finish(index, Err(failure)),
            }
            let next = if adjacent {
                Some(index + 1).filter(|next| self.schedule.is_ready(class, *next))
            } else {
                self.schedule.peek(class)
            };
            match next {
                Some(next) if class == Class::Fetch && jobs.len() < most && bytes < GROUP_BYTES => {
                    index = next
                }
                _ => return jobs,
            }
        }
    }

    fn job(&mut self, index: usize) -> Result<Job, StepFailure> {
        let operation = &self.task.plan.operations[index];
        let (remote, work) = match (&operation.action, self.decided.get(&index)) {
            (Action::Compare { remote, local, .. }, None) => {
                (Some(&**remote), Work::Compare { local: self.own.local(local) })
            }
            (Action::Download { remote, over }, _) => {
                // That an item of the base has lost its content was settled by two looks before it was planned.
                let is_settled =
                    remote.size == Some(0) && self.ledger.moment().base.entry(&remote.id).is_some();
                let over_content = over.as_ref().is_some_and(|over| over.stamp.size > 0) && !is_settled;
                (Some(remote), Work::Fetch { over_content })
            }
            (Action::Compare { remote, local, .. }, Some(conflict))
            | (Action::Settle { remote, local, conflict }, _) => match class_of(conflict) {
                Class::Stage => (Some(&**remote), self.stage_work(local, remote.id.zone(), &remote.name)),
                _ => (Some(&**remote), Work::Fetch { over_content: local.stamp.size > 0 }),
            },
            (Action::Upload { local, target: UploadTarget::New { parent, name } }, _) => {
                let zone = self.own.parent(parent)?.zone().clone();
                (None, self.stage_work(local, &zone, name))
            }
            (Action::Upload { local, target: UploadTarget::Over { remote, .. } }, _) => {
                (Some(&**remote), self.stage_work(local, remote.parent.zone(), &remote.name))
            }
            _ => return Err(StepFailure::replan("it moves no content")),
        };
        Ok(Job {
            index,
            remote: remote.map(|remote| self.own.remote(remote)),
            path: operation.path.clone(),
            work,
            proves_difference: self.ledger.moment().base.calibration().proves_difference(),
        })
    }

    fn stage_work(&self, local: &LocalSeen, zone: &Zone, name: &str) -> Work {
        Work::Stage { local: self.own.local(local), zone: zone.clone(), name: name.into() }
    }

    fn arrive(&mut self, index: usize, result: Result<Arrived, StepFailure>) {
        if self.class_now(index) == Class::Stage {
            self.staging = self.staging.saturating_sub(1);
        }
        if self.has_ended() {
            return;
        }
        match result {
            Err(failure) => self.finish(index, Err(failure)),
            Ok(staged @ Arrived::Staged(_)) => {
                self.arrived.insert(index, staged);
                self.schedule.queue(index, Class::Lane);
            }
            Ok(other) => self.step(index, Some(other)),
        }
    }

    fn lane_step(&mut self, index: usize) {
        self.schedule.take(Class::Lane, index);
        let alike = |lane: &Self, next: usize| {
            // One that failed is asked for alone: it may be the reason for which all of a group were refused.
            lane.schedule.is_ready(Class::Lane, next)
                && !lane.tries.has_failed(index)
                && !lane.tries.has_failed(next)
                && alike(&lane.task.plan.operations[index].action, &lane.task.plan.operations[next].action)
        };
        let mut group = vec![index];
        while group.len() < BATCH && alike(self, index + group.len()) {
            group.push(index + group.len());
            self.schedule.take(Class::Lane, index + group.len() - 1);
        }
        let (plan, now) = (self.task.plan, self.task.ports.clock.uptime());
        group.iter().for_each(|index| self.tries.begins(*index, now));
        match &plan.operations[index].action {
            Action::MakeRemoteFolder { parent, .. } => {
                let again = group.iter().any(|index| self.tries.has_failed(*index));
                let first = FindFolders { plan, parent, group: group.clone(), again };
                self.run_group(&group, Box::new(first));
            }
            Action::TrashRemote { .. } => {
                self.run_group(&group, Box::new(TrashRemote { plan, group: group.clone() }));
            }
            Action::Upload { target: UploadTarget::New { .. }, .. } if self.is_staged(index) => {
                self.commit_from(index);
            }
            _ => {
                let arrived = self.arrived.remove(&index);
                self.step(index, arrived);
            }
        }
    }

    /// What has to be noted before uploads are committed, with what else waits for its commit.
    pub(super) fn announce(&mut self, now: &[(usize, &StagedContent)]) -> Option<Announcement> {
        let is_ready = |(other, _): &(&usize, &Arrived)| self.schedule.is_ready(Class::Lane, **other);
        let waiting = self.arrived.iter().filter(is_ready).map(|(other, arrived)| (*other, arrived));
        let announcement = announcement(&self.known(), now, waiting)?;
        // One that was noted with another content is not about to come any more.
        for (operation, _) in &announcement.documents {
            self.close_announcement(*operation, false);
        }
        Some(announcement)
    }

    /// An upload is over. The note of it goes with the last one that it notes, unless the base could not learn of all, or nobody knows
    /// what came of one of them.
    pub(super) fn close_announcement(&mut self, index: usize, is_known: bool) {
        let Some(intent) = self.own.upload_intent(index) else { return };
        self.own.learn(&Done::UploadOver { operation: index, is_known });
        if !self.own.has_open_uploads(intent) && !self.ledger.has_lost() {
            self.ledger.push(Change::End(intent));
        }
    }

    /// What is enough stays enough, whatever is answered later.
    pub(super) fn ask_whether_to_yield(&mut self) {
        let outcome = &mut self.reporter.outcome;
        outcome.cut_short =
            outcome.cut_short || self.schedule.open() > 0 && (self.task.options.should_yield)();
    }

    /// Remembers a move that was done and leaves something at a temporary name, or builds on one that did.
    pub(super) fn note_temporary_move(&mut self, index: usize) {
        let operation = &self.task.plan.operations[index];
        if operation.lends_name() || builds_on_unfinished(&self.own, operation) {
            self.own.learn(&Done::LeftUnfinished { operation: index });
        }
    }

    /// What the lane does next. Once it is enough, only what gives a name back, and what was transferred already.
    fn next_on_lane(&self) -> Option<usize> {
        if !self.has_yielded() {
            let first = self.next_of(Class::Lane)?;
            return Some(self.noted_before(first).unwrap_or(first));
        }
        let operations = &self.task.plan.operations;
        let is_owed = |index: &usize| builds_on_unfinished(&self.own, &operations[*index]);
        let owed = if self.own.has_unfinished() { self.schedule.on_lane().find(is_owed) } else { None };
        let is_ready =
            |index: &&usize| self.schedule.is_ready(Class::Lane, **index) && !self.is_given_up(**index);
        owed.or_else(|| self.arrived.keys().filter(is_ready).min().copied())
    }
}

impl Lane<'_> {
    /// The new file that is committed before `first` although its turn comes later: where the commit of `first` would have to be noted,
    /// one that is noted already goes before it. So the lane waits for a note once for many commits, not whenever a content comes
    /// late. `None` where that is not so.
    fn noted_before(&self, first: usize) -> Option<usize> {
        let is_new = |index: usize| {
            let action = &self.task.plan.operations[index].action;
            matches!(action, Action::Upload { target: UploadTarget::New { .. }, .. })
                && self.is_staged(index)
                && !self.tries.has_failed(index)
        };
        if !is_new(first) || self.own.upload_intent(first).is_some() {
            return None;
        }
        self.schedule.on_lane().find(|index| {
            is_new(*index) && self.own.upload_intent(*index).is_some() && !self.is_given_up(*index)
        })
    }
}

/// Whether a move builds on one that left something at a temporary name.
fn builds_on_unfinished(own: &OwnChanges, operation: &Operation) -> bool {
    matches!(operation.action, Action::MoveLocal { .. } | Action::MoveRemote { .. })
        && operation.after.iter().any(|earlier| own.is_unfinished(*earlier))
}

/// Whether both may share one request.
fn alike(a: &Action, b: &Action) -> bool {
    match (a, b) {
        (Action::MakeRemoteFolder { parent: a, .. }, Action::MakeRemoteFolder { parent: b, .. }) => a == b,
        (
            Action::TrashRemote { remote: a, subtree: inside_a, .. },
            Action::TrashRemote { remote: b, subtree: inside_b, .. },
        ) => !a.folder && !b.folder && inside_a.is_empty() && inside_b.is_empty(),
        _ => false,
    }
}
