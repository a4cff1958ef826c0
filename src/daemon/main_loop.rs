//! The loop: hears everything, decides what to do next, never waits for anything but the next event.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, never, select};
use jiff::tz::TimeZone;

use super::debounce::Debounce;
use super::dumps::Dumps;
use super::jobs::{JobEvent, OwnRoot, RemoteRoot};
use super::timing::{Periods, Schedule};
use super::trash_watch::TrashWatch;
use crate::app::AppError;
use crate::app::clock::SystemClock;
use crate::app::drive::Drive;
use crate::app::open::{Home, settings};
use crate::config::{Config, Loaded, Sources};
use crate::control::ControlCall;
use crate::disk::Lock;
use crate::disk::watch::{WatchMessage, Watcher, Watching};
use crate::engine::operation::{Note, Operation};
use crate::engine::pass::{Engine, Phase, Settings, Walk};
use crate::engine::ports::Clock as _;
use crate::engine::view::RemoteView;
use crate::exit::ExitCode;
use crate::icloud::drive::Pulse;
use crate::icloud::env::Stop;
use crate::icloud::service::Service;
use crate::model::state::{Deletion, Verdict};
use crate::model::{Owner, State};
use crate::notify_systemd::Systemd;
use crate::signals::SignalEvents;
use crate::status::file::StatusFile;
use crate::status::{DaemonState, Facts, Tracker};

/// Room for what jobs tell; a job waits when it is full.
const NEWS_ROOM: usize = 1024;
/// How long what is in flight may take to end after a stop signal. `docs/contract.md`, "Signals", gives the whole
/// process ten seconds, so some are left for writing the state.
pub(super) const GRACE: Duration = Duration::from_secs(8);

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
    pub status_file: StatusFile,
}

/// Which job has the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Running {
    Nothing,
    /// Something short that leaves iCloud alone.
    Chore,
    /// A pass without iCloud.
    HereOnly,
    /// A pass, or a plan: nobody else asks iCloud meanwhile.
    Pass,
}

/// Who asks iCloud without the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// Signs in and finds the folder.
    Reach,
    Walk,
    Check,
}

/// What is known of the engine's trees while it is lent to a job.
pub(super) struct Snapshot {
    /// As it was when it left.
    pub state: State,
    pub walk: Walk,
}

/// What is wrong with one side, until it is not.
#[derive(Default)]
pub(super) struct SideProblem {
    pub state: Option<DaemonState>,
    /// The sentence that was told.
    pub told: String,
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
    pub(super) news_in: Sender<JobEvent>,
    pub(super) news: Receiver<JobEvent>,
    /// Only holds the state's lock.
    pub(super) _home: Lock,
    /// At home, or lent to a job.
    pub(super) engine: Option<Engine>,
    pub(super) lent: Option<Snapshot>,
    /// Whose the state is; `None` before the first connection.
    pub(super) owner: Option<Owner>,
    /// The drive's folder before it is known to be this state's.
    pub(super) drive: Option<Drive>,
    /// The drive's folder.
    pub(super) here: Option<Arc<OwnRoot>>,
    /// The folder on iCloud.
    pub(super) there: Option<Arc<RemoteRoot>>,
    pub(super) running: Running,
    /// When the running job began, and in which part it is.
    pub(super) job_began: Instant,
    pub(super) phase: Option<Phase>,
    pub(super) asking: Option<(Asking, Instant)>,
    /// What a walk saw while the engine was lent.
    pub(super) fresh: Option<Box<RemoteView>>,
    /// The last walk ended well, and nothing has failed on iCloud since.
    pub(super) there_ok: bool,
    /// iCloud was away: a check has to succeed before anything else is asked of it.
    pub(super) away: bool,
    /// How many passes in a row could not reach iCloud although looks at it can.
    pub(super) half_away: u32,
    /// A pass with iCloud is due.
    pub(super) plan_due: bool,
    /// It follows a walk.
    pub(super) walked: bool,
    /// It was asked for by a person.
    pub(super) by_person: bool,
    /// What waits for iCloud.
    pub(super) waiting: Vec<Operation>,
    pub(super) watcher: Option<Watcher>,
    /// Every folder is watched: a scan that begins now misses nothing.
    pub(super) watch_ready: bool,
    pub(super) watch: Receiver<WatchMessage>,
    pub(super) watching: Watching,
    pub(super) debounce: Debounce,
    pub(super) change_counter: Arc<AtomicU64>,
    /// Tells the pass that runs that something else waits.
    pub(super) should_yield: Arc<AtomicBool>,
    /// The last pass left some of its plan for the next one.
    pub(super) cut_short: bool,
    /// When the pass that runs began to carry things out.
    pub(super) working_since: Option<Instant>,
    pub(super) schedule: Schedule,
    /// A person asked for a pass now; both sides are looked at first.
    pub(super) asked: bool,
    /// A complete local scan is due.
    pub(super) scan_due: bool,
    /// The pass that runs scans everything here.
    pub(super) scans_all: bool,
    /// The watch ended because the root moved; it begins anew once a pass finds the right folder in its place.
    pub(super) watch_again: bool,
    /// The state files were asked for.
    pub(super) dump_due: bool,
    /// What a person said while a job had the engine, and of which held deletions.
    pub(super) answers: Vec<(Verdict, Vec<Deletion>)>,
    /// What keeps each side from syncing.
    pub(super) local_problem: SideProblem,
    pub(super) remote_problem: SideProblem,
    pub(super) paused: bool,
    /// Since when, once a signal came.
    pub(super) stopping: Option<Instant>,
    pub(super) pulse: Option<Pulse>,
    pub(super) trash: TrashWatch,
    pub(super) tracker: Tracker,
    pub(super) status_file: StatusFile,
    pub(super) systemd: Systemd,
    pub(super) dumps: Option<Dumps>,
    /// A plan was asked for; its answer.
    pub(super) plan_call: Option<(ControlCall, bool)>,
    /// Sentences that are said once.
    pub(super) told: BTreeSet<String>,
    /// What the last pass left alone.
    pub(super) notes: Vec<Note>,
    /// How many passes in a row did nothing and still left something for later.
    pub(super) unsettled_rounds: u32,
    /// What was said of items that are left alone already.
    pub(super) told_notes: BTreeSet<String>,
    pub(super) last_pass_began: Option<Instant>,
    pub(super) last_pass_failed: Option<String>,
    pub(super) initial_done: bool,
    pub(super) session_look: Option<Instant>,
    pub(super) housekeeping_at: Instant,
    /// A pass did something since both sides were last equal.
    pub(super) worked: bool,
    /// The last pass did something, so it is planned again: this many times in a row so far.
    pub(super) again: Option<u32>,
}

impl Loop {
    pub fn new(start: Start) -> Self {
        let Start { sources, loaded, zone, stop, clock, home, drive, service, signals, calls, status_file } =
            start;
        let now = Instant::now();
        let config = &loaded.config;
        let (news_in, news) = bounded(NEWS_ROOM);
        let facts = Facts {
            username: config.account.username.clone(),
            directory: config.sync.directory.display().to_string(),
            remote_root: crate::app::open::root_path(config),
            watch: String::new(),
            file_system: None,
            pid: std::process::id(),
        };
        let (lock, engine) = home.into_parts();
        let mut this = Self {
            settings: settings(config),
            schedule: Schedule::new(periods(config), now),
            trash: TrashWatch::new(now + periods(config).check),
            debounce: Debounce::new(config.sync.debounce_period),
            tracker: Tracker::new(facts, clock.now().whole_seconds()),
            dumps: Dumps::of(config),
            status_file,
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
            owner: engine.state.owner.clone(),
            engine: Some(engine),
            lent: None,
            drive,
            here: None,
            there: None,
            running: Running::Nothing,
            job_began: now,
            phase: None,
            asking: None,
            fresh: None,
            there_ok: false,
            away: false,
            half_away: 0,
            plan_due: false,
            walked: false,
            by_person: false,
            waiting: Vec::new(),
            watcher: None,
            watch_ready: false,
            watch: never(),
            watching: Watching::Off,
            change_counter: Arc::default(),
            should_yield: Arc::default(),
            cut_short: false,
            working_since: None,
            asked: false,
            scan_due: true,
            scans_all: false,
            watch_again: false,
            dump_due: false,
            answers: Vec::new(),
            local_problem: SideProblem::default(),
            remote_problem: SideProblem::default(),
            paused: false,
            stopping: None,
            pulse: None,
            plan_call: None,
            told: BTreeSet::new(),
            notes: Vec::new(),
            unsettled_rounds: 0,
            told_notes: BTreeSet::new(),
            last_pass_began: None,
            last_pass_failed: None,
            initial_done: false,
            session_look: None,
            housekeeping_at: now,
            worked: true,
            again: None,
        };
        this.start_watching();
        this
    }

    /// Runs until a signal ends it and what is in flight has ended or was given up.
    pub fn run(mut self) -> Result<ExitCode, AppError> {
        self.systemd.ready();
        loop {
            self.next_jobs();
            self.tell_status();
            // Looks at iCloud leave nothing behind, so nobody waits for them.
            let in_flight =
                self.running != Running::Nothing || matches!(self.asking, Some((Asking::Reach, _)));
            if let Some(since) = self.stopping
                && (!in_flight || since.elapsed() >= GRACE)
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
                recv(news) -> message => if let Ok(message) = message { self.on_job_event(message) },
                recv(watch) -> message => self.watched(message.ok()),
                default(wake.saturating_duration_since(Instant::now())) => {}
            }
            self.systemd.tick(Instant::now());
        }
        self.show_state();
        let document = self.document();
        self.status_file.finish(document);
        log::info!("stopped");
        Ok(ExitCode::Success)
    }

    pub(super) fn config(&self) -> &Config {
        &self.loaded.config
    }
}

pub(super) fn periods(config: &Config) -> Periods {
    Periods {
        check: config.sync.check_period,
        refresh: config.sync.refresh_period,
        poll: config.sync.poll_period,
    }
}
