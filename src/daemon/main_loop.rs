//! The loop: hears everything, decides what to do next, never waits for anything but the next event.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, never, select};
use jiff::tz::TimeZone;

use super::dumps::Dumps;
use super::jobs::{self, Connect, Connection, Done, Edges, Ended, News, Pass};
use super::schedule::{Periods, Schedule};
use crate::app::AppError;
use crate::app::clock::SystemClock;
use crate::app::open::{Drive, Home, settings};
use crate::app::report::tell_notes;
use crate::config::{Config, Loaded, Sources};
use crate::control::ControlCall;
use crate::disk::watch::{self, WatchMessage, Watcher, Watching};
use crate::disk::{Lock, Watch, watchability};
use crate::engine::debounce::Debounce;
use crate::engine::execute::{EffectKind, Event};
use crate::engine::operation::NoteKind;
use crate::engine::pass::{Engine, LocalLook, Look, PassError, Phase, Report, Settings};
use crate::engine::ports::{Clock as _, RemoteError};
use crate::exit::ExitCode;
use crate::icloud::drive::Pulse;
use crate::icloud::env::Stop;
use crate::icloud::service::Service;
use crate::model::{LocalKind, Node, RelPath, Side, State};
use crate::notify_systemd::Systemd;
use crate::signals::SignalEvents;
use crate::status::file::StatusFile;
use crate::status::{Counts, DaemonState, Facts, Pending, Progress, SideCounts, StatusDocument, Tracker};

/// Room for what jobs tell; a job waits when it is full.
const NEWS_ROOM: usize = 1024;
/// How long what is in flight may take to end after a stop signal. `docs/contract.md`, "Signals", gives the whole
/// process ten seconds, so some are left for writing the state.
const GRACE: Duration = Duration::from_secs(8);
/// How often in a row a pass is planned again without another look at iCloud.
const MOST_AGAIN: u32 = 8;
/// How often a session that waits for a person is looked at for what another process stored.
const SESSION_LOOK: Duration = Duration::from_secs(2);
/// How often a missing drive folder is looked for.
const FOLDER_LOOK: Duration = Duration::from_secs(5);
/// How often an account is asked again when only a person can cure it elsewhere (terms, web access).
const ACCOUNT_LOOK: Duration = Duration::from_secs(60 * 60);
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
enum Running {
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
    signals: SignalEvents,
    calls: Receiver<ControlCall>,
    pub(super) news_in: Sender<News>,
    news: Receiver<News>,
    /// Only holds the state's lock.
    _home: Lock,
    /// At home, or lent to a job.
    pub(super) engine: Option<Engine>,
    /// What the status tells of the state while the engine is lent.
    pub(super) lent: Option<State>,
    drive: Option<Drive>,
    pub(super) edges: Option<Arc<Edges>>,
    running: Running,
    watcher: Option<Watcher>,
    watch: Receiver<WatchMessage>,
    watching: Watching,
    pub(super) debounce: Debounce,
    stirred: Arc<AtomicU64>,
    pub(super) schedule: Schedule,
    /// A person asked for a pass now.
    pub(super) asked: bool,
    /// A complete local scan is due.
    scan_due: bool,
    /// The pass that runs scans everything here.
    scans_all: bool,
    /// The watch ended because the root moved; it begins anew once a pass finds the right folder in its place.
    watch_again: bool,
    /// The state files were asked for while a job had the engine.
    dump_due: bool,
    /// A person decided on the held deletions while a job had the engine; `true` rejects.
    pub(super) verdict: Option<bool>,
    /// What keeps it from syncing, until a pass ends well.
    trouble: Option<DaemonState>,
    pub(super) paused: bool,
    /// Since when, once a signal came.
    stopping: Option<Instant>,
    pulse: Option<Pulse>,
    pub(super) tracker: Tracker,
    status_file: StatusFile,
    systemd: Systemd,
    dumps: Option<Dumps>,
    pub(super) waiting_calls: Vec<ControlCall>,
    /// A plan was asked for; its answer.
    pub(super) plan_call: Option<(ControlCall, bool)>,
    told: BTreeSet<String>,
    pub(super) last_pass_began: Option<Instant>,
    pass_began: Instant,
    pub(super) last_pass_failed: Option<String>,
    initial_done: bool,
    session_look: Option<Instant>,
    housekeeping_at: Instant,
    /// The last state that the log told at `info`.
    announced: Option<DaemonState>,
    /// The last pass did something, so it is planned again: this many times in a row so far.
    again: Option<u32>,
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

    // ---- what is heard ----------------------------------------------------------------------

    fn hear(&mut self, news: News) {
        match news {
            News::Phase(phase) => self.set_state(match phase {
                Phase::Looking(true) => DaemonState::Listing,
                Phase::Looking(false) => DaemonState::Scanning,
                Phase::Working => DaemonState::Syncing,
            }),
            News::Event(event) => self.track(&event),
            News::Checked(pulse) => {
                self.running = Running::Nothing;
                self.checked(pulse);
            }
            News::Done(done) => {
                let Done { engine, result } = *done;
                self.engine = Some(engine);
                self.running = Running::Nothing;
                self.tracker.progress_over();
                match result {
                    Ended::Connected(connection) => {
                        let Connection { drive, result } = *connection;
                        self.connected(drive, result);
                    }
                    Ended::Pass { result, walked, by_person } => self.passed(result, walked, by_person),
                    Ended::Planned(result) => self.planned(result),
                }
                self.answer_waiting();
                if std::mem::take(&mut self.dump_due) {
                    self.dump();
                }
            }
            News::SessionChanged => self.session_changed(),
        }
    }

    fn connected(&mut self, drive: Option<Drive>, result: Result<(Arc<Edges>, Settings), AppError>) {
        let now = Instant::now();
        self.tracker.session_expires = self.service.account().state().trust_expires;
        match result {
            Ok((edges, settings)) => {
                self.edges = Some(edges);
                self.settings = settings;
                self.session_look = None;
                self.trouble = None;
                self.schedule.hurry(now);
                self.scan_due = true;
                if self.watcher.is_none() {
                    self.start_watching();
                }
                self.set_state(self.rest_state());
            }
            Err(error) => {
                self.drive = drive;
                self.fail(&error, now);
            }
        }
    }

    fn checked(&mut self, pulse: Result<Pulse, RemoteError>) {
        let now = Instant::now();
        match pulse {
            Ok(pulse) => {
                if self.pulse.as_ref().is_some_and(|known| *known != pulse) {
                    log::debug!("something changed on iCloud");
                    self.schedule.refresh_soon(now);
                }
                self.pulse = Some(pulse);
            }
            Err(error) => {
                // A pass, not another look, tells whether it is over.
                self.schedule.refresh_at = now;
                self.fail(&AppError::Remote(error), now);
            }
        }
    }

    fn passed(&mut self, result: Result<Report, PassError>, walked: Option<Duration>, by_person: bool) {
        let now = Instant::now();
        self.last_pass_began = Some(self.pass_began);
        self.tracker.session_expires = self.service.account().state().trust_expires;
        let report = match result {
            Ok(report) => report,
            Err(error) => {
                // What was seen may be of another moment: the next pass looks at everything.
                self.scan_due = true;
                self.schedule.refresh_at = now;
                self.fail(&AppError::Pass(error), now);
                return;
            }
        };
        tell_notes(&report, &mut self.told);
        self.last_pass_failed = None;
        self.trouble = None;
        self.tracker.passed();
        self.tracker.next_try = None;
        self.schedule.passed(walked, now);
        if self.scans_all {
            self.schedule.scanned(now);
        }
        if std::mem::take(&mut self.watch_again) {
            self.start_watching();
            self.scan_due = true;
        }
        let rests = report.quiet && !report.pending && report.outcome.waiting == 0;
        // What was done may have made something else possible, such as uploading a conflict copy.
        self.again =
            (!report.quiet).then(|| self.again.unwrap_or(0) + 1).filter(|times| *times <= MOST_AGAIN);
        self.schedule.settle_later(report.pending || (!report.quiet && self.again.is_none()), now);
        if by_person && self.again.is_some() && report.outcome.failed.is_empty() {
            // What a person asked for goes on until nothing is left, or what is left fails.
            self.asked = true;
        }
        self.after_pass(&report, rests, walked.is_some());
        self.set_state(self.rest_state());
    }

    /// Status, stored time and dumps after a pass that ended well.
    fn after_pass(&mut self, report: &Report, rests: bool, walked: bool) {
        let Some(engine) = self.engine.as_mut() else { return };
        self.tracker.last_pass_quiet = rests;
        self.tracker.counts = counts(engine);
        self.tracker.pending = Pending::default();
        let skipped = report.notes.iter().filter_map(|note| match &note.kind {
            NoteKind::Skipped(why) => Some((&note.path, why.as_str())),
            _ => None,
        });
        self.tracker.set_skipped(skipped);
        let clean = rests
            && engine.state.set_aside.is_empty()
            && report.held == 0
            && report.set_aside().next().is_none();
        if clean && walked {
            let now = self.clock.now().whole_seconds();
            if let Err(error) = engine.commit(&[crate::model::Change::Synced(now)]) {
                log::warn!("{error}");
            }
        }
        if walked && let Some(dumps) = &self.dumps {
            dumps.after(engine);
        }
        if rests && !self.initial_done {
            self.initial_done = true;
            log::info!("initial sync complete");
        }
    }

    /// Names the failure, and when it is tried again.
    fn fail(&mut self, error: &AppError, now: Instant) {
        if matches!(
            error,
            AppError::Remote(RemoteError::Stopped) | AppError::Pass(PassError::Remote(RemoteError::Stopped))
        ) {
            return;
        }
        if self.stopping.is_some() {
            log::debug!("cut short: {error}");
            return;
        }
        let (state, wait) = self.failure(error, now);
        let before = self.trouble.replace(state);
        let advice = error.advice();
        let text = if advice.is_empty() { error.to_string() } else { format!("{error}: {advice}") };
        // Which way the right folder is missing may change with each look; that it is missing is told once.
        let known = self.last_pass_failed.as_deref() == Some(text.as_str())
            || (state == DaemonState::WrongFolder && before == Some(state));
        match state {
            DaemonState::Offline if known => log::debug!("{text}"),
            DaemonState::Offline => log::warn!("{text}"),
            _ if known => {}
            _ => log::error!("{text}"),
        }
        self.tracker.failed(text.clone());
        self.last_pass_failed = Some(text);
        self.tracker.next_try = wait
            .map(|wait| self.clock.now().whole_seconds() + i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
        self.set_state(state);
    }

    fn failure(&mut self, error: &AppError, now: Instant) -> (DaemonState, Option<Duration>) {
        let exit = error.exit_code();
        let chance = self.clock.unit_random();
        match (error, exit) {
            (_, ExitCode::SecondFactor) => {
                self.session_look = Some(now + SESSION_LOOK);
                (DaemonState::NeedsCode, None)
            }
            (_, ExitCode::Missing | ExitCode::SignIn) => {
                self.session_look = Some(now + SESSION_LOOK);
                (DaemonState::NeedsPassword, None)
            }
            (AppError::Pass(PassError::WrongFolder(_)) | AppError::Foreign(_) | AppError::Drive(_), _) => {
                // The handle may lead to what was there before: everything is opened anew.
                self.edges = None;
                self.drive = None;
                self.watcher = None;
                self.watch = never();
                self.watch_again = false;
                if let Some(engine) = self.engine.as_mut() {
                    engine.local = None;
                }
                self.schedule.not_before = Some(now + FOLDER_LOOK);
                (DaemonState::WrongFolder, Some(FOLDER_LOOK))
            }
            (
                AppError::Pass(PassError::Remote(RemoteError::Account { .. }))
                | AppError::Remote(RemoteError::Account { .. }),
                _,
            ) => {
                let wait = self.schedule.failed(Some(ACCOUNT_LOOK), chance, now);
                (DaemonState::Offline, Some(wait))
            }
            (
                AppError::Pass(PassError::Remote(RemoteError::Busy { retry_after, .. }))
                | AppError::Remote(RemoteError::Busy { retry_after, .. }),
                _,
            ) => {
                let wait = self.schedule.failed(*retry_after, chance, now);
                (DaemonState::Offline, Some(wait))
            }
            (
                AppError::Pass(PassError::Store(_) | PassError::Disk(_))
                | AppError::Store(_)
                | AppError::Disk(_),
                _,
            ) => {
                let wait = self.schedule.failed(None, chance, now);
                (DaemonState::DiskFull, Some(wait))
            }
            (AppError::SignIn(error), _) if !error.is_transient() => {
                let wait = self.schedule.failed(Some(ACCOUNT_LOOK), chance, now);
                self.session_look = Some(now + SESSION_LOOK);
                (DaemonState::Offline, Some(wait))
            }
            _ => {
                let wait = self.schedule.failed(None, chance, now);
                (DaemonState::Offline, Some(wait))
            }
        }
    }

    /// The state while nothing runs: what waits for a person comes first.
    pub(super) fn rest_state(&self) -> DaemonState {
        let held = self.engine.as_ref().is_some_and(|engine| !engine.state.guard.held.is_empty());
        match self.trouble {
            Some(
                person @ (DaemonState::NeedsCode | DaemonState::NeedsPassword | DaemonState::WrongFolder),
            ) => person,
            _ if self.paused => DaemonState::Paused,
            Some(trouble) => trouble,
            None if held => DaemonState::Guarded,
            None => DaemonState::Idle,
        }
    }

    /// A full pass now, whatever was waited for.
    pub(super) fn sync_now(&mut self) {
        self.asked = true;
        self.schedule.hurry(Instant::now());
    }

    // ---- the session ------------------------------------------------------------------------

    /// Looks whether another process stored a session, or a password came, since a person was needed.
    fn look_at_session(&mut self, now: Instant) {
        match self.service.account().reload() {
            Ok(true) => self.session_changed(),
            Ok(false) => self.session_look = Some(now + SESSION_LOOK),
            Err(error) => {
                log::warn!("{error}");
                self.session_look = Some(now + ACCOUNT_LOOK.min(Duration::from_secs(60)));
            }
        }
    }

    pub(super) fn session_changed(&mut self) {
        let account = self.service.account();
        if let Err(error) = account.reload() {
            log::warn!("{error}");
        }
        if account.state().needs_code.is_some() {
            self.session_look = Some(Instant::now() + SESSION_LOOK);
            return;
        }
        log::info!("the stored session changed, going on");
        self.session_look = None;
        self.schedule.hurry(Instant::now());
    }

    // ---- the local drive --------------------------------------------------------------------

    fn start_watching(&mut self) {
        let config = self.config();
        let root = config.sync.directory.clone();
        self.watching = watch::decide(config.sync.watch, || {
            Ok(match watchability(&root)? {
                Watch::Native => None,
                Watch::PollBecause(reason) => Some(reason),
            })
        });
        if self.watching == Watching::Events {
            match Watcher::start(&root) {
                Ok((watcher, messages)) => {
                    self.watcher = Some(watcher);
                    self.watch = messages;
                }
                Err(error) => self.watching = Watching::Poll { because: error.to_string() },
            }
        }
        self.tell_watching();
    }

    fn tell_watching(&mut self) {
        let poll = self.config().sync.poll_period;
        let (told, line) = match &self.watching {
            Watching::Events => ("events".to_owned(), "watching by events".to_owned()),
            Watching::Poll { because } => {
                (format!("poll: {because}"), format!("scanning every {} s because {because}", poll.as_secs()))
            }
            Watching::Off => ("off".to_owned(), "not watching, scanning with each refresh".to_owned()),
        };
        self.schedule.poll_at = matches!(self.watching, Watching::Poll { .. }).then(|| Instant::now() + poll);
        self.tracker.facts.watch = told;
        if self.told.insert(line.clone()) {
            log::info!("{line}");
        }
    }

    fn watched(&mut self, message: Option<WatchMessage>) {
        let now = Instant::now();
        self.stirred.fetch_add(1, Ordering::AcqRel);
        match message {
            Some(WatchMessage::Ready) => {}
            Some(WatchMessage::Dirty(folders)) => {
                for folder in folders {
                    self.debounce.record(folder, now);
                }
            }
            Some(WatchMessage::Rescan(why)) => {
                log::debug!("everything is scanned again: {why}");
                self.debounce.record_subtree(RelPath::root(), now);
            }
            Some(WatchMessage::Limit) => {
                log::warn!("{}", watch::limit_sentence(self.config().sync.poll_period));
                self.stop_watching(Watching::Poll {
                    because: "the limit of inotify watches is reached".to_owned(),
                });
            }
            Some(WatchMessage::RootGone) => {
                self.stop_watching(Watching::Off);
                self.watch_again = true;
                // The next look finds out, and waits for the folder to come back.
                self.schedule.hurry(now);
                self.scan_due = true;
            }
            Some(WatchMessage::Failed(why)) => {
                log::warn!("watching ended: {why}");
                self.stop_watching(Watching::Poll { because: why });
            }
            None => self.watch = never(),
        }
    }

    fn stop_watching(&mut self, instead: Watching) {
        self.watcher = None;
        self.watch = never();
        self.watching = instead;
        self.scan_due = true;
        self.tell_watching();
    }

    // ---- the rest ---------------------------------------------------------------------------

    fn begin_to_stop(&mut self) {
        if self.stopping.is_none() {
            log::info!("stopping");
            self.stopping = Some(Instant::now());
            self.set_state(DaemonState::Stopping);
            self.systemd.stopping();
            self.stop.stop();
        }
    }

    fn dump(&mut self) {
        let dumps = self.dumps.clone().unwrap_or_else(|| Dumps::beside_state(self.config()));
        self.write_status();
        if let Some(engine) = &self.engine {
            dumps.all(engine);
        } else {
            self.dump_due = true;
            log::info!("the state files are written when the running pass is over");
        }
    }

    /// What a running daemon does once a day.
    fn housekeeping(&mut self, now: Instant) {
        self.housekeeping_at = now + Duration::from_secs(24 * 60 * 60);
        let (Some(edges), service) = (self.edges.clone(), Arc::clone(&self.service)) else { return };
        let trash = self.config().trash;
        let protected: BTreeSet<RelPath> = self.engine.as_ref().map_or_else(BTreeSet::new, |engine| {
            let held = engine.state.guard.held.iter().filter_map(|held| RelPath::parse(&held.path).ok());
            engine.state.set_aside.keys().cloned().chain(held).collect()
        });
        let started = jobs::errand("icloudds-housekeeping", move || {
            let keep_days =
                trash.keep.map_or(0, |keep| u32::try_from(keep.as_secs() / 86_400).unwrap_or(u32::MAX));
            let now = jiff::Timestamp::now();
            let keep = |item: &crate::disk::TrashItem| protected.contains(&item.path);
            match edges.disk.prune(now, keep_days, trash.max_size.unwrap_or(0), &keep) {
                Ok(pruned) if pruned.files > 0 => {
                    log::info!(files = pruned.files, bytes = pruned.bytes; "removed old versions from the local trash");
                }
                Ok(_) => {}
                Err(error) => log::warn!("{error}"),
            }
            match service.account().prolong_trust() {
                Ok(true) => log::debug!("the trust of this machine was prolonged"),
                Ok(false) => {}
                Err(error) => log::debug!("the trust of this machine could not be prolonged: {error}"),
            }
        });
        if let Err(error) = started {
            log::warn!("cannot start a thread: {error}");
        }
    }

    fn track(&mut self, event: &Event) {
        let now = self.clock.now().whole_seconds();
        match event {
            Event::Done(effect) => {
                let totals = &mut self.tracker.totals;
                match (effect.kind, effect.side) {
                    (EffectKind::Upload, _) => {
                        totals.uploads += 1;
                        totals.bytes += effect.bytes;
                    }
                    (EffectKind::Download, _) => {
                        totals.downloads += 1;
                        totals.bytes += effect.bytes;
                    }
                    (EffectKind::Move | EffectKind::Rename, Some(Side::Local)) => totals.moved_local += 1,
                    (EffectKind::Move | EffectKind::Rename, _) => totals.moved_remote += 1,
                    (EffectKind::Delete, Some(Side::Local)) => totals.deleted_local += 1,
                    (EffectKind::Delete, _) => totals.deleted_remote += 1,
                    (EffectKind::MakeFolder, Some(Side::Local)) => totals.folders_local += 1,
                    (EffectKind::MakeFolder, _) => totals.folders_remote += 1,
                    (EffectKind::Conflict | EffectKind::Adopt | EffectKind::Forget, _) => {}
                }
                if effect.kind == EffectKind::Conflict {
                    self.tracker.conflict(&effect.path, effect.other.as_ref(), now);
                }
                if !matches!(effect.kind, EffectKind::Adopt | EffectKind::Forget) {
                    self.tracker.activity(crate::app::report::effect_text(effect), now);
                }
            }
            Event::SetAside { path, reason, .. } => {
                self.tracker.activity(format!("set aside {path}: {reason}"), now)
            }
            Event::Progress(progress) => self.tracker.progress(
                Progress {
                    items_done: progress.items_done,
                    items_total: progress.items_total,
                    bytes_done: progress.bytes_done,
                    bytes_total: progress.bytes_total,
                    ..Progress::default()
                },
                Instant::now(),
            ),
            _ => {}
        }
    }

    pub(super) fn set_state(&mut self, state: DaemonState) {
        if !self.tracker.set_state(state, self.clock.now().whole_seconds()) {
            return;
        }
        self.systemd.status(state.sentence());
        // A look that finds nothing to do is no news: only what follows from it is.
        let looking = matches!(state, DaemonState::Scanning | DaemonState::Listing);
        if looking || self.announced == Some(state) {
            log::debug!("{state}: {}", state.sentence());
        } else {
            self.announced = Some(state);
            log::info!("{state}: {}", state.sentence());
        }
    }

    /// The status; while the engine is lent to a job, with what was stored when it left.
    pub(super) fn document(&self) -> StatusDocument {
        let empty;
        let stored = match (&self.engine, &self.lent) {
            (Some(engine), _) => &engine.state,
            (None, Some(lent)) => lent,
            (None, None) => {
                empty = State::empty();
                &empty
            }
        };
        self.tracker.document(stored, &self.zone)
    }

    fn tell_status(&mut self) {
        let document = self.document();
        if let Err(error) = self.status_file.offer(&document, Instant::now())
            && self.told.insert("status".to_owned())
        {
            log::warn!("cannot write the status file: {error}");
        }
    }

    fn write_status(&mut self) {
        let document = self.document();
        if let Err(error) = self.status_file.write(&document, Instant::now()) {
            log::warn!("cannot write the status file: {error}");
        }
    }

    /// Takes the engine for a job, and remembers what the status tells of its state meanwhile.
    fn lend(&mut self) -> Option<Engine> {
        let engine = self.engine.take()?;
        let state = &engine.state;
        self.lent = Some(State {
            set_aside: state.set_aside.clone(),
            guard: state.guard.clone(),
            last_sync: state.last_sync,
            ..State::empty()
        });
        Some(engine)
    }
}

pub(super) fn periods(config: &Config) -> Periods {
    Periods {
        check: config.sync.check_period,
        refresh: config.sync.refresh_period,
        poll: config.sync.poll_period,
    }
}

/// What each side holds, as last seen.
fn counts(engine: &Engine) -> Counts {
    let mut counts = Counts::default();
    if let Some(view) = &engine.local {
        for node in view.tree.walk(Node::ROOT).skip(1) {
            let entry = view.tree.get(node);
            count(&mut counts.local, entry.kind == LocalKind::Folder, entry.stamp.size);
        }
    }
    if let Some(view) = &engine.remote {
        for node in view.tree.walk(Node::ROOT).skip(1) {
            let entry = view.tree.get(node);
            count(&mut counts.remote, entry.is_folder(), entry.size.unwrap_or(0));
        }
    }
    counts
}

fn count(side: &mut SideCounts, folder: bool, size: u64) {
    if folder {
        side.folders += 1;
    } else {
        side.files += 1;
        side.bytes += size;
    }
}
