//! The loop: hears everything, decides what to do next, never waits for anything but the next event.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, never, select};
use jiff::tz::TimeZone;

use super::dumps::Dumps;
use super::jobs::{self, Connect, Edges, News, Pass};
use super::schedule::{Periods, Schedule};
use crate::app::AppError;
use crate::app::clock::SystemClock;
use crate::app::drive::Drive;
use crate::app::open::{Home, settings};
use crate::config::{Config, Loaded, Sources};
use crate::control::ControlCall;
use crate::disk::Lock;
use crate::disk::watch::{WatchMessage, Watcher, Watching};
use crate::engine::debounce::Debounce;
use crate::engine::pass::{Engine, LocalLook, Look, Settings};
use crate::engine::ports::Clock as _;
use crate::exit::ExitCode;
use crate::icloud::drive::Pulse;
use crate::icloud::env::Stop;
use crate::icloud::service::Service;
use crate::model::State;
use crate::notify_systemd::Systemd;
use crate::signals::SignalEvents;
use crate::status::file::StatusFile;
use crate::status::{DaemonState, Facts, Tracker};

/// Room for what jobs tell; a job waits when it is full.
const NEWS_ROOM: usize = 1024;
/// How long what is in flight may take to end after a stop signal. `docs/contract.md`, "Signals", gives the whole
/// process ten seconds, so some are left for writing the state.
const GRACE: Duration = Duration::from_secs(8);
/// The loop ticks at least this often while a supervisor wants to hear of it.
const TICK: Duration = Duration::from_secs(5);

/// What the loop starts with.
pub(super) struct Start {
    pub sources: Sources,
    pub loaded: Loaded,
    pub zone: TimeZone,
    pub stop: Arc<Stop>,
    pub clock: SystemClock,
    pub home: Home,
    pub drive: Option<Drive>,
    pub service: Arc<Service>,
    pub signals: SignalEvents,
    pub calls: Receiver<ControlCall>,
}

/// What runs beside the loop now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Running {
    Nothing,
    /// A job has the engine.
    Job,
    /// The cheap look at iCloud.
    Check,
}

/// The owner of everything while the daemon runs.
pub(super) struct Loop {
    pub(super) sources: Sources,
    pub(super) loaded: Loaded,
    pub(super) settings: Settings,
    pub(super) zone: TimeZone,
    pub(super) stop: Arc<Stop>,
    pub(super) clock: SystemClock,
    pub(super) service: Arc<Service>,
    pub(super) signals: SignalEvents,
    pub(super) calls: Receiver<ControlCall>,
    pub(super) news_in: Sender<News>,
    pub(super) news: Receiver<News>,
    /// Only holds the state's lock.
    pub(super) _home: Lock,
    /// At home, or lent to a job.
    pub(super) engine: Option<Engine>,
    /// What the status tells of the state while the engine is lent.
    pub(super) lent: Option<State>,
    pub(super) drive: Option<Drive>,
    pub(super) edges: Option<Arc<Edges>>,
    pub(super) running: Running,
    pub(super) watcher: Option<Watcher>,
    /// Every folder is watched: a scan that begins now misses nothing.
    pub(super) watch_ready: bool,
    pub(super) watch: Receiver<WatchMessage>,
    pub(super) watching: Watching,
    pub(super) debounce: Debounce,
    pub(super) stirred: Arc<AtomicU64>,
    pub(super) schedule: Schedule,
    /// A person asked for a pass now.
    pub(super) asked: bool,
    /// A complete local scan is due.
    pub(super) scan_due: bool,
    /// The pass that runs scans everything here.
    pub(super) scans_all: bool,
    /// The watch ended because the root moved; it begins anew once a pass finds the right folder in its place.
    pub(super) watch_again: bool,
    /// The state files were asked for while a job had the engine.
    pub(super) dump_due: bool,
    /// A person decided on the held deletions while a job had the engine; `true` rejects.
    pub(super) verdict: Option<bool>,
    /// What keeps it from syncing, until a pass ends well.
    pub(super) trouble: Option<DaemonState>,
    pub(super) paused: bool,
    /// Since when, once a signal came.
    pub(super) stopping: Option<Instant>,
    pub(super) pulse: Option<Pulse>,
    pub(super) tracker: Tracker,
    pub(super) status_file: StatusFile,
    pub(super) systemd: Systemd,
    pub(super) dumps: Option<Dumps>,
    pub(super) waiting_calls: Vec<ControlCall>,
    /// A plan was asked for; its answer.
    pub(super) plan_call: Option<(ControlCall, bool)>,
    pub(super) told: BTreeSet<String>,
    pub(super) last_pass_began: Option<Instant>,
    pub(super) pass_began: Instant,
    pub(super) last_pass_failed: Option<String>,
    pub(super) initial_done: bool,
    pub(super) session_look: Option<Instant>,
    pub(super) housekeeping_at: Instant,
    /// A pass did something since both sides were last equal.
    pub(super) worked: bool,
    /// The last state that the log told at `info`.
    pub(super) announced: Option<DaemonState>,
    /// The last pass did something, so it is planned again: this many times in a row so far.
    pub(super) again: Option<u32>,
}

impl Loop {
    pub fn new(start: Start) -> Self {
        let Start { sources, loaded, zone, stop, clock, home, drive, service, signals, calls } = start;
        let now = Instant::now();
        let config = &loaded.config;
        let (news_in, news) = bounded(NEWS_ROOM);
        let facts = Facts {
            username: config.account.username.clone(),
            directory: config.sync.directory.display().to_string(),
            remote_root: crate::app::open::root_path(config),
            watch: String::new(),
            pid: std::process::id(),
        };
        let state_directory = config.sync.state_directory.clone();
        let (lock, engine) = home.into_parts();
        let mut this = Self {
            settings: settings(config),
            schedule: Schedule::new(periods(config), now),
            debounce: Debounce::new(config.sync.debounce_period),
            tracker: Tracker::new(facts, clock.now().whole_seconds()),
            dumps: Dumps::of(config),
            status_file: StatusFile::new(&state_directory),
            systemd: Systemd::of_process(),
            sources,
            loaded,
            zone,
            stop,
            clock,
            service,
            signals,
            calls,
            news_in,
            news,
            _home: lock,
            engine: Some(engine),
            lent: None,
            drive,
            edges: None,
            running: Running::Nothing,
            watcher: None,
            watch_ready: false,
            watch: never(),
            watching: Watching::Off,
            stirred: Arc::default(),
            asked: false,
            scan_due: true,
            scans_all: false,
            watch_again: false,
            dump_due: false,
            verdict: None,
            trouble: None,
            paused: false,
            stopping: None,
            pulse: None,
            waiting_calls: Vec::new(),
            plan_call: None,
            told: BTreeSet::new(),
            last_pass_began: None,
            pass_began: now,
            last_pass_failed: None,
            initial_done: false,
            session_look: None,
            housekeeping_at: now,
            worked: true,
            announced: None,
            again: None,
        };
        this.start_watching();
        this
    }

    /// Runs until a signal ends it and what is in flight has ended or was given up.
    pub fn run(mut self) -> Result<ExitCode, AppError> {
        self.systemd.ready();
        loop {
            self.next_job();
            self.tell_status();
            if let Some(since) = self.stopping
                && (self.running == Running::Nothing || since.elapsed() >= GRACE)
            {
                break;
            }
            let wake = self.wake_at();
            let (signals, calls, news, watch) =
                (self.signals.clone(), self.calls.clone(), self.news.clone(), self.watch.clone());
            select! {
                recv(signals.stop) -> _ => self.begin_to_stop(),
                recv(signals.reload) -> _ => self.reload(),
                recv(signals.sync_now) -> _ => self.sync_now(),
                recv(signals.dump) -> _ => self.dump(),
                recv(calls) -> call => if let Ok(call) = call { self.call(call) },
                recv(news) -> message => if let Ok(message) = message { self.hear(message) },
                recv(watch) -> message => self.watched(message.ok()),
                default(wake.saturating_duration_since(Instant::now())) => {}
            }
            self.systemd.tick(Instant::now());
        }
        self.set_state(DaemonState::Stopping);
        self.write_status();
        self.systemd.stopping();
        log::info!("stopped");
        Ok(ExitCode::Success)
    }

    pub(super) fn config(&self) -> &Config {
        &self.loaded.config
    }

    // ---- what is done next ------------------------------------------------------------------

    /// Starts what is due, if nothing runs.
    fn next_job(&mut self) {
        if self.running != Running::Nothing || self.stopping.is_some() {
            return;
        }
        let now = Instant::now();
        if self.session_look.is_some_and(|at| at <= now) {
            self.look_at_session(now);
        }
        if self.edges.is_none() {
            if !self.schedule.must_wait(now) && self.session_look.is_none() {
                self.connect();
            }
            return;
        }
        if let Some((call, json)) = self.plan_call.take() {
            self.start_plan(call, json);
            return;
        }
        if self.paused {
            return;
        }
        if self.watcher.is_some() && !self.watch_ready {
            return;
        }
        if self.asked {
            self.asked = false;
            self.schedule.not_before = None;
            self.scan_due = true;
            self.start_pass(Look::whole(), true);
            return;
        }
        if self.schedule.must_wait(now) || self.session_look.is_some() {
            return;
        }
        let refresh = self.schedule.refresh_at <= now;
        let polled = self.schedule.poll_at.is_some_and(|at| at <= now);
        if self.schedule.verify_at <= now {
            self.scan_due = true;
        }
        if self.again.is_some() && !refresh {
            self.start_pass(Look { local: LocalLook::Folders(Vec::new()), remote: false }, false);
            return;
        }
        let due = self.debounce.take_due(now);
        if due.subtree.is_some() {
            self.scan_due = true;
        }
        if self.scan_due || polled {
            self.start_pass(Look { local: LocalLook::Whole, remote: refresh }, false);
        } else if refresh && matches!(self.watching, Watching::Off) {
            self.start_pass(Look::whole(), false);
        } else if refresh || !due.folders.is_empty() {
            self.start_pass(Look { local: LocalLook::Folders(due.folders), remote: refresh }, false);
        } else if self.schedule.check_at <= now {
            self.start_check(now);
        } else if self.housekeeping_at <= now {
            self.housekeeping(now);
        }
    }

    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let mut at = now + Duration::from_secs(3600);
        let mut by = |instant: Option<Instant>| at = at.min(instant.unwrap_or(at));
        if self.stopping.is_some() {
            by(self.stopping.map(|since| since + GRACE));
            return at;
        }
        by(self.systemd.tick_every().map(|interval| now + interval.min(TICK)));
        if self.running == Running::Nothing {
            by(self.session_look);
            match self.schedule.not_before.filter(|at| *at > now) {
                Some(not_before) => by(Some(not_before)),
                // Until everything is watched, the watcher's message is what is waited for.
                None if self.watcher.is_some() && !self.watch_ready => {}
                None if self.edges.is_some() && !self.paused && self.session_look.is_none() => {
                    by(Some(self.schedule.refresh_at));
                    by(Some(self.schedule.check_at));
                    by(self.schedule.poll_at);
                    by(Some(self.schedule.verify_at));
                    by(self.debounce.next_due());
                    by(self.again.map(|_| now));
                    by(Some(self.housekeeping_at));
                }
                None => {}
            }
        }
        at
    }

    fn connect(&mut self) {
        let Some(engine) = self.lend() else { return };
        // While something is in the way, that is what people need to know, not each try.
        if self.trouble.is_none() {
            self.set_state(DaemonState::SigningIn);
        }
        let job = Connect {
            config: self.config().clone(),
            settings: self.settings.clone(),
            drive: self.drive.take(),
            service: Arc::clone(&self.service),
            clock: self.clock.clone(),
            zone: self.zone.clone(),
        };
        self.started(jobs::connect(engine, job, self.news_in.clone()));
    }

    fn start_pass(&mut self, look: Look, by_person: bool) {
        let Some(edges) = self.edges.clone() else { return };
        let Some(engine) = self.lend() else { return };
        self.scans_all = look.local == LocalLook::Whole;
        if self.scans_all {
            self.scan_due = false;
            self.debounce.clear();
        }
        if look.remote
            && let Some(dumps) = &self.dumps
        {
            dumps.before(&engine);
        }
        self.pass_began = Instant::now();
        let job = Pass {
            edges,
            settings: self.settings.clone(),
            look,
            by_person,
            zone: self.zone.clone(),
            // Folders that changed but are not quiet yet may hold the other half of a move.
            dirty: self.debounce.is_dirty(),
            stirred: Arc::clone(&self.stirred),
        };
        self.started(jobs::pass(engine, job, self.news_in.clone()));
    }

    fn start_plan(&mut self, call: ControlCall, json: bool) {
        let Some(edges) = self.edges.clone() else { return };
        let Some(engine) = self.lend() else { return };
        self.waiting_calls.push(call);
        let job = Pass {
            edges,
            settings: self.settings.clone(),
            look: Look::whole(),
            by_person: true,
            zone: self.zone.clone(),
            dirty: false,
            stirred: Arc::clone(&self.stirred),
        };
        self.started(jobs::plan(engine, job, json, self.news_in.clone()));
    }

    fn start_check(&mut self, now: Instant) {
        self.schedule.check_at = now + self.schedule.periods.check;
        // Events do not tell when a volume is mounted over the folder, or taken away from under it.
        if self.watcher.as_ref().is_some_and(|watcher| !watcher.sees_the_root()) {
            self.watched(Some(WatchMessage::RootGone));
            return;
        }
        let Some(edges) = self.edges.clone() else { return };
        match jobs::check(edges, self.news_in.clone()) {
            Ok(_) => self.running = Running::Check,
            Err(error) => log::warn!("cannot start a thread: {error}"),
        }
    }

    /// A thread was asked to take the engine; without threads there is no going on.
    fn started(&mut self, thread: std::io::Result<std::thread::JoinHandle<()>>) {
        match thread {
            Ok(_) => self.running = Running::Job,
            // The engine went down with the closure; the stored state is sound, and a restart begins there.
            Err(error) => panic!("cannot start a thread: {error}"),
        }
    }
}

pub(super) fn periods(config: &Config) -> Periods {
    Periods {
        check: config.sync.check_period,
        refresh: config.sync.refresh_period,
        poll: config.sync.poll_period,
    }
}
