//! Begins what the scheduler decided. What cannot begin leaves everything as it was, and is tried again after a wait.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::dumps::Dumps;
use super::engine_slot::JobKind;
use super::facts::Asking;
use super::jobs::{self, Pass};
use super::look_jobs;
use super::main_loop::Loop;
use super::requests::Answer;
use super::roots::OwnRoot;
use super::scheduler::Start;
use crate::control::{ControlCall, ControlReply};
use crate::disk::watch::WatchMessage;
use crate::engine::pass::LocalLook;
use crate::engine::ports::Clock as _;
use crate::exit::ExitCode;

impl Loop {
    pub(super) fn begin(&mut self, start: Start, now: Instant) {
        match start {
            Start::ReadSession => {
                self.remote.waits_for_person(now);
                self.read_session(false);
            }
            Start::Yield => {
                if let Some(loan) = self.engine.loan() {
                    loan.tell_to_yield();
                }
            }
            Start::Reach => self.reach(now),
            Start::Walk => self.walk(now),
            Start::Check => self.check(now),
            Start::CheckTrash => self.check_trash(now),
            Start::Listen => self.listen(now),
            Start::Dump => self.write_dump(now),
            Start::Decide => {
                let answers = self.requests.take_answers();
                self.decide(&answers, None, now);
            }
            Start::OpenRoot => self.open_root(now),
            Start::Plan => self.plan(now),
            Start::RefusePlan => {
                if let Some((call, _)) = self.requests.take_plan() {
                    self.no_plan(call);
                }
            }
            Start::Pass { whole } => self.pass(whole, now),
            Start::LocalPass { whole } => self.pass_locally(whole, now),
            Start::Housekeeping => self.keep_house(now),
            Start::Shrink => self.shrink(now),
        }
    }

    // ---- iCloud -----------------------------------------------------------------------------

    fn reach(&mut self, now: Instant) {
        let job = jobs::Reach {
            config: self.setup.config().clone(),
            service: Arc::clone(&self.ports.service),
            clock: self.ports.clock.clone(),
            owner: self.engine.owner().cloned(),
        };
        let begun = jobs::reach(job, self.ports.events.clone());
        self.asks(Asking::Reach, begun, now);
    }

    fn walk(&mut self, now: Instant) {
        let Some(root) = self.remote.root().cloned() else { return };
        let asks_feed = self.remote.feed().is_asked_before_walk(now);
        let question = asks_feed.then(|| self.feed_question(now));
        let place = self.remote.question_of_look(now).filter(|_| !self.work.due().wants_both_sides());
        let by_etag =
            place.is_none() && !self.work.due().wants_both_sides() && self.remote.looks_by_etag(now);
        if place.is_none() && !by_etag && !self.work.due().wants_both_sides() && !self.remote.may_walk(now) {
            return self.remote.walk_where_told_no_more(now);
        }
        // A look that may see little leaves what is due as it is.
        let by_person = place.is_none() && !by_etag && self.work.walk_begins();
        let job = look_jobs::Walking {
            question,
            place,
            root_rests: self.remote.root_rests(),
            by_etag,
            walk: self.engine.walk(),
            settings: self.setup.settings(self.remote.root_is_library()),
            clock: self.ports.clock.clone(),
            by_person,
            dumps: self.setup.dumps(),
        };
        let begun = look_jobs::walk(root, job, self.ports.events.clone());
        self.asks(Asking::Walk, begun, now);
    }

    fn check(&mut self, now: Instant) {
        // Events do not tell when a volume is mounted over the folder, or taken away from under it.
        if self.local.misses_the_root() {
            self.on_watch(Some(WatchMessage::RootGone), now);
        }
        let Some(root) = self.remote.root().cloned() else { return };
        let begun = if self.remote.asks_feed_at(now) {
            look_jobs::ask_feed(root, self.feed_question(now), self.ports.events.clone())
        } else {
            look_jobs::check(root, self.feed_to_keep(), self.ports.events.clone())
        };
        self.asks(Asking::Check, begun, now);
    }

    /// What the change feed is asked, and what is stored of it at the same time.
    fn feed_question(&mut self, now: Instant) -> look_jobs::FeedQuestion {
        let keep = self.feed_to_keep();
        let feed = self.remote.feed();
        look_jobs::FeedQuestion { token: feed.token(), zone: feed.zone().question_of_check(now), keep }
    }

    /// What is to be stored of the change feed, by the job that asks iCloud next.
    fn feed_to_keep(&mut self) -> Option<look_jobs::KeptFeed> {
        let state = self.remote.take_unstored()?;
        Some(look_jobs::KeptFeed { state, directory: self.setup.config().sync.state_directory.clone() })
    }

    fn check_trash(&mut self, now: Instant) {
        let Some(root) = self.remote.root().cloned() else { return };
        self.remote.asks_for_trash();
        if let Err(error) = jobs::check_trash(root, self.ports.events.clone()) {
            log::warn!("cannot start a thread: {error}");
            self.remote.trash_checked(None, now);
        }
    }

    fn listen(&mut self, now: Instant) {
        let job = self.push.begins(now, self.ports.clock.uptime());
        let service = Arc::clone(&self.ports.service);
        if let Err(error) = jobs::listen(service, job, self.ports.events.clone()) {
            log::warn!("cannot start a thread: {error}");
            self.push.cannot_begin(self.ports.clock.unit_random(), now);
        }
    }

    fn asks(&mut self, who: Asking, begun: io::Result<()>, now: Instant) {
        match begun {
            Ok(()) => self.remote.asks(who, now),
            Err(error) => {
                log::warn!("cannot start a thread: {error}");
                self.remote.cannot_ask(self.ports.clock.unit_random(), now);
            }
        }
    }

    // ---- the engine -------------------------------------------------------------------------

    fn open_root(&mut self, now: Instant) {
        let job = jobs::Open {
            config: self.setup.config().clone(),
            found: self.local.take_found(),
            whose: self.remote.root().map(|root| root.whose.clone()),
            zone: self.ports.zone.clone(),
            calls: Arc::clone(self.patience.calls()),
        };
        let events = self.ports.events.clone();
        let mut found = None;
        let begun = self.engine.lend(JobKind::Chore, false, now, |engine, _| {
            jobs::open(engine, job, events).map_err(|(error, engine, job)| {
                found = job.found;
                (error, engine)
            })
        });
        if let Err(error) = begun {
            self.local.found(found.map(Box::new));
            self.cannot_begin(&error, now);
        }
    }

    /// What every kind of pass needs of the loop.
    fn pass_job(&mut self, root: Arc<OwnRoot>, whole: bool, now: Instant) -> Pass {
        Pass {
            here: root,
            calls: Arc::clone(self.patience.calls()),
            clock: self.ports.clock.clone(),
            settings: self.setup.settings(self.remote.root_is_library()),
            local: self.local.begin_look(whole, now),
            by_person: false,
            zone: self.ports.zone.clone(),
            should_yield: Arc::default(),
            walked: false,
            worked: self.work.has_worked(),
            dumps: None,
        }
    }

    fn pass(&mut self, whole: bool, now: Instant) {
        let (Some(local), Some(remote)) = (self.local.root().cloned(), self.remote.root().cloned()) else {
            return;
        };
        let due = self.work.due();
        let walked = due.is_after_walk();
        let job = self.pass_job(local, whole, now);
        let mut job = Pass {
            by_person: due.is_by_person(),
            walked,
            dumps: self.setup.dumps().filter(|_| walked),
            ..job
        };
        let reads_all = job.local.look == LocalLook::Whole;
        let events = self.ports.events.clone();
        let begun = self.engine.lend(JobKind::Pass, reads_all, now, |engine, should_yield| {
            job.should_yield = should_yield;
            jobs::pass(engine, remote, job, events).map_err(|(error, engine, _)| (error, engine))
        });
        match begun {
            Ok(()) => self.work.pass_begins(),
            Err(error) => self.cannot_begin(&error, now),
        }
    }

    fn pass_locally(&mut self, whole: bool, now: Instant) {
        let Some(root) = self.local.root().cloned() else { return };
        let mut job = self.pass_job(root, whole, now);
        let reads_all = job.local.look == LocalLook::Whole;
        let events = self.ports.events.clone();
        let begun = self.engine.lend(JobKind::LocalPass, reads_all, now, |engine, should_yield| {
            job.should_yield = should_yield;
            jobs::pass_here(engine, job, events).map_err(|(error, engine, _)| (error, engine))
        });
        if let Err(error) = begun {
            self.cannot_begin(&error, now);
        }
    }

    fn plan(&mut self, now: Instant) {
        let Some(call) = self.requests.take_plan() else { return };
        let (Some(local), Some(remote)) = (self.local.root().cloned(), self.remote.root().cloned()) else {
            return self.no_plan(call.0);
        };
        let job = self.pass_job(local, true, now);
        // What the plan's look read is not what a pass worked on.
        self.local.scan_again();
        let events = self.ports.events.clone();
        let begun = self.engine.lend(JobKind::Pass, true, now, |engine, _| {
            jobs::plan(engine, remote, job, call, events).map_err(|(error, engine, call)| {
                call.answer(ControlReply::refused(ExitCode::Unexpected, error.to_string(), ""));
                (error, engine)
            })
        });
        if let Err(error) = begun {
            self.cannot_begin(&error, now);
        }
    }

    /// Without both sides there is nothing to plan with.
    pub(super) fn no_plan(&self, call: ControlCall) {
        call.answer(ControlReply::refused(
            ExitCode::Service,
            format!("there is nothing to plan with yet: {}", self.status.state().sentence()),
            "",
        ));
    }

    fn write_dump(&mut self, now: Instant) {
        self.requests.dump_begins();
        let dumps = self.setup.dumps().unwrap_or_else(|| Dumps::beside_state(self.setup.config()));
        let events = self.ports.events.clone();
        let begun = self.engine.lend(JobKind::Chore, false, now, |engine, _| {
            jobs::dump(engine, dumps, events).map_err(|(error, engine, _)| (error, engine))
        });
        if let Err(error) = begun {
            log::warn!("the state files are not written: {error}");
        }
    }

    fn shrink(&mut self, now: Instant) {
        let events = self.ports.events.clone();
        let begun = self.engine.lend(JobKind::Shrink, false, now, |engine, should_yield| {
            jobs::shrink(engine, should_yield, events).map_err(|(error, engine, _)| (error, engine))
        });
        match begun {
            Ok(()) => self.room.begins(),
            Err(error) => {
                log::debug!("cannot start a thread: {error}");
                self.room.cannot_begin(now);
            }
        }
    }

    /// Stores what a person said of held deletions, and answers who waits for that.
    pub(super) fn decide(&mut self, answers: &[Answer], told: jobs::Told, now: Instant) {
        let Some((guard, decided)) = self.engine.decided(answers) else { return };
        if decided == 0 && told.is_none() {
            return;
        }
        let events = self.ports.events.clone();
        let stored = guard.clone();
        let begun = self.engine.lend(JobKind::Chore, false, now, |engine, _| {
            jobs::decide(engine, stored, told, events).map_err(|(error, engine, told)| {
                jobs::decision_lost(*told, &error);
                (error, engine)
            })
        });
        if begun.is_ok() {
            self.engine.show_guard(|shown| *shown = guard);
            self.sync_now(now);
        }
    }

    /// No thread could be started for a job that needs the engine: all of it is looked at again after a wait.
    fn cannot_begin(&mut self, error: &io::Error, now: Instant) {
        log::warn!("cannot start a thread: {error}");
        self.local.scan_again();
        self.local.failed(self.ports.clock.unit_random(), now);
    }
}
