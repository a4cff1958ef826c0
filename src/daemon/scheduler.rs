//! What is done next. Two things may go on at once: one job has the engine, and beside it somebody may look at iCloud.
//! While such a look takes long, or fails, the engine goes on without iCloud; while the drive's folder is away, the
//! looks go on without it. A pass with iCloud is alone: a look that overlaps our own writes would be older than the base.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::jobs::{self, Pass};
use super::main_loop::{Asking, GRACE, Loop, Running};
use crate::control::{ControlCall, ControlReply};
use crate::disk::watch::{WatchMessage, Watcher, Watching};
use crate::engine::pass::LocalLook;
use crate::engine::ports::Clock as _;
use crate::exit::ExitCode;
use crate::status::DaemonState;

/// The loop ticks at least this often while a supervisor wants to hear of it.
const TICK: Duration = Duration::from_secs(5);
/// So long local changes wait for a look at iCloud that is under way.
const ASKING_PATIENCE: Duration = Duration::from_secs(2);

impl Loop {
    /// Starts what is due.
    pub(super) fn next_jobs(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        let now = Instant::now();
        if self.session_look.is_some_and(|at| at <= now) {
            self.look_at_session(now);
        }
        self.cut_pass_short(now);
        self.next_there(now);
        self.look_at_trash(now);
        self.next_here(now);
    }

    /// A pass that has much to do comes to an early end when somebody wants something else, or when both sides should be looked
    /// at again. What it has under way is finished first.
    fn cut_pass_short(&mut self, now: Instant) {
        let wanted = self.paused || self.asked || self.plan_call.is_some();
        if self.running == Running::Pass && (wanted || self.yield_at().is_some_and(|at| at <= now)) {
            self.should_yield.store(true, Ordering::Relaxed);
        }
    }

    /// When the pass that runs has had its time.
    fn yield_at(&self) -> Option<Instant> {
        self.working_since.map(|since| since + self.schedule.longest_pass())
    }

    // ---- iCloud -----------------------------------------------------------------------------

    fn next_there(&mut self, now: Instant) {
        if self.asking.is_some()
            || self.running == Running::Pass
            || self.session_look.is_some()
            || self.schedule.there.must_wait(now)
        {
            return;
        }
        if self.there.is_none() {
            self.reach(now);
        } else if self.paused || self.owner.is_none() || (self.plan_call.is_some() && self.here.is_some()) {
            // Nothing is due, or somebody else comes first.
        } else if self.away {
            self.start_check(now);
        } else if self.asked || self.schedule.walk_at() <= now {
            self.start_walk(now);
        } else if self.schedule.check_at <= now {
            self.start_check(now);
        }
    }

    fn reach(&mut self, now: Instant) {
        let job = jobs::Reach {
            config: self.config().clone(),
            service: Arc::clone(&self.service),
            clock: self.clock.clone(),
            owner: self.owner.clone(),
        };
        let thread = jobs::reach(job, self.news_in.clone());
        self.asks(Asking::Reach, thread, now);
    }

    fn start_walk(&mut self, now: Instant) {
        let Some(there) = self.there.clone() else { return };
        let walk = match (&self.engine, &self.lent) {
            (Some(engine), _) => engine.walk(),
            (None, Some(lent)) => lent.walk.clone(),
            (None, None) => return,
        };
        let by_person = std::mem::take(&mut self.asked);
        let thread = jobs::walk(
            there,
            walk,
            self.settings.clone(),
            self.clock.clone(),
            by_person,
            self.dumps.clone(),
            self.news_in.clone(),
        );
        self.asks(Asking::Walk, thread, now);
    }

    fn start_check(&mut self, now: Instant) {
        self.schedule.check_at = now + self.schedule.periods.check;
        // Events do not tell when a volume is mounted over the folder, or taken away from under it.
        if self.watcher.as_ref().is_some_and(|watcher| !watcher.sees_the_root()) {
            self.watched(Some(WatchMessage::RootGone));
        }
        let Some(there) = self.there.clone() else { return };
        let thread = jobs::check(there, self.news_in.clone());
        self.asks(Asking::Check, thread, now);
    }

    /// Whether iCloud may be asked for its trash: it is there, and nobody wants it left alone.
    fn may_look_at_trash(&self, now: Instant) -> bool {
        self.there.is_some()
            && !self.away
            && !self.paused
            && self.owner.is_some()
            && self.session_look.is_none()
            && !self.schedule.there.must_wait(now)
    }

    /// Begins a look at iCloud's trash, beside everything else.
    fn look_at_trash(&mut self, now: Instant) {
        if !self.may_look_at_trash(now) || !self.trash.is_due(now) {
            return;
        }
        let Some(there) = self.there.clone() else { return };
        self.trash.begins();
        if let Err(error) = jobs::check_trash(there, self.news_in.clone()) {
            log::warn!("cannot start a thread: {error}");
            self.trash.over(self.schedule.periods.check, Duration::ZERO, now);
        }
    }

    fn asks(&mut self, who: Asking, thread: std::io::Result<JoinHandle<()>>, now: Instant) {
        match thread {
            Ok(_) => self.asking = Some((who, now)),
            Err(error) => {
                log::warn!("cannot start a thread: {error}");
                let chance = self.clock.unit_random();
                self.schedule.failed_there(None, chance, now);
            }
        }
    }

    // ---- here -------------------------------------------------------------------------------

    fn next_here(&mut self, now: Instant) {
        if self.running != Running::Nothing {
            return;
        }
        self.take_fresh();
        if std::mem::take(&mut self.dump_due) {
            self.start_dump();
            return;
        }
        if self.decide_if_asked() {
            return;
        }
        if self.here.is_none() {
            self.refuse_plan();
            // A folder that is nobody's yet waits until iCloud says whose it becomes.
            let can = self.owner.is_some() || self.there.is_some() || self.drive.is_none();
            if can && !self.schedule.here.must_wait(now) {
                self.open_here();
            }
            return;
        }
        if self.there.is_none() {
            self.refuse_plan();
        } else if self.plan_call.is_some() && self.asking.is_none() {
            self.start_plan();
            return;
        }
        let watching = self.watcher.is_none() || self.watch_ready;
        if self.paused || !watching || self.schedule.here.must_wait(now) {
            return;
        }
        if self.schedule.verify_at <= now {
            self.scan_due = true;
        }
        if self.schedule.poll_at.is_some_and(|at| at <= now) {
            self.scan_due = true;
        }
        if self.may_use_there(now) {
            self.next_pass(now);
        } else {
            self.next_here_only(now);
        }
    }

    /// Whether a pass may use iCloud: it was seen, is there, and nobody else asks it now.
    fn may_use_there(&self, now: Instant) -> bool {
        self.there.is_some()
            && self.there_ok
            && self.asking.is_none()
            && self.session_look.is_none()
            && !self.schedule.there.must_wait(now)
            && self.engine.as_ref().is_some_and(|engine| engine.remote.is_some())
    }

    fn next_pass(&mut self, now: Instant) {
        if self.walked && self.watching == Watching::Off {
            self.scan_due = true;
        }
        let due = self.debounce.take_due(now);
        self.scan_due |= due.subtree.is_some();
        let look = if self.scan_due { LocalLook::Whole } else { LocalLook::Folders(due.folders.clone()) };
        if self.scan_due || self.plan_due || self.again.is_some() || !due.folders.is_empty() {
            self.start_pass(look);
        } else if self.housekeeping_at <= now {
            self.housekeeping(now);
        }
    }

    fn next_here_only(&mut self, now: Instant) {
        let soon = !self.away
            && self.remote_problem.state.is_none()
            && self.asking.is_some_and(|(_, since)| now < since + ASKING_PATIENCE);
        if soon && !self.scan_due {
            return;
        }
        let due = self.debounce.take_due(now);
        self.scan_due |= due.subtree.is_some();
        if self.scan_due {
            self.start_here_only(LocalLook::Whole);
        } else if !due.folders.is_empty() {
            self.start_here_only(LocalLook::Folders(due.folders));
        }
    }

    fn open_here(&mut self) {
        let job = jobs::Open {
            config: self.config().clone(),
            drive: self.drive.take(),
            whose: self.there.as_ref().map(|there| there.whose.clone()),
            clock: self.clock.clone(),
            zone: self.zone.clone(),
        };
        if let Some(engine) = self.lend(Running::Chore) {
            let thread = jobs::open(engine, job, self.news_in.clone());
            self.started(Running::Chore, thread);
        }
    }

    fn job(&mut self, look: LocalLook) -> Option<Pass> {
        let here = self.here.clone()?;
        self.scans_all = look == LocalLook::Whole;
        if self.scans_all {
            self.scan_due = false;
            self.debounce.clear();
        }
        // The daily verification.
        let verifies = look == LocalLook::Whole && self.schedule.verify_at <= Instant::now();
        Some(Pass {
            here,
            clock: self.clock.clone(),
            settings: self.settings.clone(),
            look,
            by_person: false,
            zone: self.zone.clone(),
            // Folders that changed but are not quiet yet may hold the other half of a move.
            dirty: self.debounce.is_dirty(),
            change_counter: Arc::clone(&self.change_counter),
            written: self.watcher.as_ref().map(Watcher::written),
            verifies,
            should_yield: Arc::default(),
            walked: false,
            worked: self.worked,
            dumps: None,
        })
    }

    fn start_pass(&mut self, look: LocalLook) {
        let (Some(there), Some(job)) = (self.there.clone(), self.job(look)) else { return };
        let Some(engine) = self.lend(Running::Pass) else { return };
        self.should_yield = Arc::clone(&job.should_yield);
        self.plan_due = false;
        let walked = std::mem::take(&mut self.walked);
        let job = Pass {
            by_person: std::mem::take(&mut self.by_person),
            walked,
            dumps: self.dumps.clone().filter(|_| walked),
            ..job
        };
        let thread = jobs::pass(engine, there, job, self.news_in.clone());
        self.started(Running::Pass, thread);
    }

    fn start_here_only(&mut self, look: LocalLook) {
        let Some(job) = self.job(look) else { return };
        let Some(engine) = self.lend(Running::HereOnly) else { return };
        let thread = jobs::pass_here(engine, job, self.news_in.clone());
        self.started(Running::HereOnly, thread);
    }

    fn start_plan(&mut self) {
        let Some(call) = self.plan_call.take() else { return };
        let (Some(there), Some(job)) = (self.there.clone(), self.job(LocalLook::Whole)) else { return };
        let Some(engine) = self.lend(Running::Pass) else { return };
        let thread = jobs::plan(engine, there, job, call, self.news_in.clone());
        self.started(Running::Pass, thread);
        // What the plan's look read is not what a pass worked on.
        self.scan_due = true;
    }

    /// Without both sides there is nothing to plan with.
    fn refuse_plan(&mut self) {
        if let Some((call, _)) = self.plan_call.take() {
            self.no_plan(call);
        }
    }

    pub(super) fn no_plan(&self, call: ControlCall) {
        let state = self.tracker.state();
        call.answer(ControlReply::refused(
            ExitCode::Service,
            format!("there is nothing to plan with yet: {}", state.sentence()),
            "",
        ));
    }

    fn start_dump(&mut self) {
        let dumps = self.dumps.clone().unwrap_or_else(|| super::dumps::Dumps::beside_state(self.config()));
        if let Some(engine) = self.lend(Running::Chore) {
            let thread = jobs::dump(engine, dumps, self.news_in.clone());
            self.started(Running::Chore, thread);
        }
    }

    /// A thread was asked to take the engine; without threads there is no going on.
    pub(super) fn started(&mut self, what: Running, thread: std::io::Result<JoinHandle<()>>) {
        match thread {
            Ok(_) => {
                self.running = what;
                self.job_began = Instant::now();
                self.phase = None;
                self.working_since = None;
            }
            // The engine went down with the closure; the stored state is sound, and a restart begins there.
            Err(error) => panic!("cannot start a thread: {error}"),
        }
    }

    // ---- when -------------------------------------------------------------------------------

    /// When something is due that nobody will tell of.
    pub(super) fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let mut at = now + Duration::from_secs(3600);
        let mut by = |instant: Option<Instant>| at = at.min(instant.unwrap_or(at));
        if let Some(since) = self.stopping {
            return since + GRACE;
        }
        by(self.systemd.tick_every().map(|interval| now + interval.min(TICK)));
        by(self.state_changes_at());
        by(self.session_look);
        by(self.yield_at().filter(|at| *at > now));
        by(self.trash.due_at().filter(|_| self.may_look_at_trash(now)));
        let waits_there = self.schedule.there.not_before.filter(|at| *at > now);
        if self.asking.is_none() && self.running != Running::Pass && self.session_look.is_none() {
            match waits_there {
                Some(_) => by(waits_there),
                None if self.paused || self.owner.is_none() || self.there.is_none() => {}
                None if self.plan_call.is_some() => {}
                None => {
                    by(Some(self.schedule.walk_at()));
                    by(Some(self.schedule.check_at));
                }
            }
        }
        if self.running == Running::Nothing {
            match self.schedule.here.not_before.filter(|at| *at > now) {
                Some(not_before) => by(Some(not_before)),
                // Until everything is watched, the watcher's message is what is waited for.
                None if self.paused || self.here.is_none() => {}
                None if self.watcher.is_some() && !self.watch_ready => {}
                None => {
                    by(self.schedule.poll_at);
                    by(Some(self.schedule.verify_at));
                    let due = self.debounce.next_due();
                    by(match self.asking {
                        Some((_, since)) => due.map(|due| due.max(since + ASKING_PATIENCE)),
                        None => due,
                    });
                    if self.may_use_there(now) {
                        by(self.again.map(|_| now));
                        by(Some(self.housekeeping_at));
                    }
                }
            }
        }
        at
    }

    /// What the loop does now, in one word. What waits for a person comes first, then what is in the way.
    pub(super) fn current_state(&self) -> DaemonState {
        use DaemonState as S;
        if self.stopping.is_some() {
            return S::Stopping;
        }
        let troubles = [self.remote_problem.state, self.local_problem.state];
        let works = self.running == Running::Pass && self.phase == Some(crate::engine::pass::Phase::Working);
        let for_a_person = |state: &S| matches!(state, S::NeedsCode | S::NeedsPassword | S::WrongFolder);
        if let Some(state) = troubles.into_iter().flatten().find(for_a_person) {
            return state;
        }
        if self.paused && !works {
            return S::Paused;
        }
        if let Some(state) = self.local_problem.state.or(self.remote_problem.state) {
            return state;
        }
        if works {
            return S::Syncing;
        }
        let first = self.tracker.totals.passes == 0;
        let now = Instant::now();
        match self.asking {
            Some((Asking::Reach, _)) => return S::SigningIn,
            Some((Asking::Walk, since)) if first || now >= since + LOOK_SHOWN => return S::Listing,
            // One small request: an answer that takes this long may never come.
            Some((Asking::Check, since)) if now >= since + SILENCE_SHOWN => return S::Offline,
            _ => {}
        }
        let scans = matches!(self.running, Running::Pass | Running::HereOnly);
        if scans && (first || now >= self.job_began + LOOK_SHOWN) {
            return S::Scanning;
        }
        if first && !self.initial_done {
            return self.tracker.state();
        }
        if self.cut_short {
            return S::Syncing;
        }
        if self.holds_deletions() {
            return S::Guarded;
        }
        // What was approved a moment ago is carried out by the next pass.
        let is_decided = self.stored().is_some_and(|state| !state.guard.decided.is_empty());
        if is_decided && (self.asked || self.engine.is_none()) {
            return S::Syncing;
        }
        if self.lacks_room() { S::DiskFull } else { S::Idle }
    }

    /// When the state changes although nothing happens: a look that takes longer is a state of its own.
    fn state_changes_at(&self) -> Option<Instant> {
        let asking = self.asking.and_then(|(who, since)| match who {
            Asking::Reach => None,
            Asking::Walk => Some(since + LOOK_SHOWN),
            Asking::Check => Some(since + SILENCE_SHOWN),
        });
        let scans = matches!(self.running, Running::Pass | Running::HereOnly);
        let scan = scans.then_some(self.job_began + LOOK_SHOWN);
        let now = Instant::now();
        [asking, scan].into_iter().flatten().filter(|at| *at > now).min()
    }
}

/// A look that finds nothing to do within this time is no change of state.
const LOOK_SHOWN: Duration = Duration::from_secs(2);
/// A check that nobody answered for this long counts as iCloud being away, although its own limits go on.
const SILENCE_SHOWN: Duration = Duration::from_secs(10);
