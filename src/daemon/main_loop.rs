//! The loop: takes one event after the other, begins what is due, and never waits for anything but the next event.

use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::{Receiver, Sender};
use jiff::tz::TimeZone;

use super::current_state::{self, current_state};
use super::disk_patience::{DiskPatience, PatienceNews, whole_path};
use super::engine_slot::{EngineSlot, JobKind};
use super::events::{Event, Inbox, JobEvent, Signal};
use super::facts::{Facts, JobFacts, RemoteFacts, WatchIs};
use super::local_side::{LocalSide, WatchNews};
use super::remote_push::RemotePush;
use super::remote_side::RemoteSide;
use super::requests::Requests;
use super::scheduler::{decide, is_over, wake_at};
use super::setup::Setup;
use super::status_view::StatusView;
use super::store_room::StoreRoom;
use super::work::Work;
use crate::app::AppError;
use crate::app::durable::make_durable;
use crate::app::local_root::LocalRoot;
use crate::app::open::StateDir;
use crate::app::purpose::root_path;
use crate::clock::{Stop, SystemClock};
use crate::config::{Loaded, Sources};
use crate::control::ControlCall;
use crate::disk::Lock;
use crate::disk::watch::WatchMessage;
use crate::engine::ports::Clock as _;
use crate::exit::ExitCode;
use crate::icloud::service::Service;
use crate::signals::SignalEvents;
use crate::status::file::StatusFile;
use crate::status::{self, DaemonState};

/// What the loop starts with.
pub(super) struct Beginning {
    pub sources: Sources,
    pub loaded: Loaded,
    pub zone: TimeZone,
    pub stop: Arc<Stop>,
    pub clock: SystemClock,
    pub state_dir: StateDir,
    pub root: Option<LocalRoot>,
    pub service: Arc<Service>,
    pub signals: SignalEvents,
    pub calls: Receiver<ControlCall>,
    pub status_file: StatusFile,
}

/// What jobs are given of the world. Nothing of it changes.
pub(super) struct Ports {
    pub(super) clock: SystemClock,
    pub(super) service: Arc<Service>,
    pub(super) stop: Arc<Stop>,
    pub(super) zone: TimeZone,
    /// Leads back to the loop.
    pub(super) events: Sender<JobEvent>,
    /// Only holds the state's lock.
    _state_lock: Lock,
}

/// The owners of everything while the daemon runs.
pub(super) struct Loop {
    pub(super) setup: Setup,
    pub(super) local: LocalSide,
    pub(super) remote: RemoteSide,
    pub(super) push: RemotePush,
    pub(super) engine: EngineSlot,
    pub(super) work: Work,
    pub(super) requests: Requests,
    pub(super) status: StatusView,
    pub(super) room: StoreRoom,
    pub(super) patience: DiskPatience,
    pub(super) ports: Ports,
    inbox: Inbox,
}

impl Loop {
    pub fn new(beginning: Beginning) -> Self {
        let Beginning {
            sources,
            loaded,
            zone,
            stop,
            clock,
            state_dir,
            root,
            service,
            signals,
            calls,
            status_file,
        } = beginning;
        let now = Instant::now();
        let setup = Setup::new(sources, loaded);
        let config = setup.config();
        let facts = status::Facts {
            username: config.account.username.clone(),
            directory: config.sync.directory.display().to_string(),
            remote_root: root_path(config),
            watch: String::new(),
            file_system: None,
            pid: std::process::id(),
        };
        let (lock, engine) = state_dir.into_parts();
        let (inbox, events) = Inbox::new(signals, calls);
        let mut this = Self {
            local: LocalSide::new(root, config.sync.debounce_period, config.sync.poll_period, now),
            remote: RemoteSide::new(setup.periods(), setup.hints(), now),
            push: RemotePush::new(now, clock.uptime()),
            engine: EngineSlot::new(engine),
            work: Work::new(now),
            requests: Requests::default(),
            status: StatusView::new(facts, status_file, zone.clone(), clock.now().whole_seconds()),
            room: StoreRoom::default(),
            patience: DiskPatience::of(&config.sync.directory),
            ports: Ports { clock, service, stop, zone, events, _state_lock: lock },
            setup,
            inbox,
        };
        this.start_watching(now);
        this
    }

    /// Runs until a signal ends it and what is in flight has ended or was given up.
    pub fn run(mut self) -> Result<ExitCode, AppError> {
        self.status.is_ready();
        let mut now = Instant::now();
        let mut event = Event::Tick;
        loop {
            let facts = self.handle(event, now);
            if is_over(&facts, now) {
                break;
            }
            let is_busy = facts.job.is_some() || facts.local.watch == WatchIs::Starting;
            let wake = [
                self.status.tick_at(now),
                current_state::changes_at(&facts, now),
                self.patience.look_at(is_busy, now),
            ];
            let wake = wake.into_iter().flatten().fold(wake_at(&facts, now), Instant::min);
            event = self.inbox.next_event(self.local.messages(), wake);
            now = Instant::now();
        }
        if let (EngineSlot::AtHome(engine), Some(root)) = (&mut self.engine, self.local.root()) {
            make_durable(engine, &root.disk, &self.ports.clock);
        }
        self.status.finish(self.engine.stored());
        log::info!("stopped");
        Ok(ExitCode::Success)
    }

    /// One turn: takes the event, begins what is due, tells what changed. Gives what is known after it.
    fn handle(&mut self, event: Event, now: Instant) -> Facts {
        if self.push.has_slept(now, self.ports.clock.uptime()) {
            self.remote.check_soon(now);
        }
        match event {
            Event::Signal(Signal::Stop) => self.begin_to_stop(now),
            Event::Signal(Signal::Reload) => self.reload(now),
            Event::Signal(Signal::SyncNow) => self.sync_now(now),
            Event::Signal(Signal::Dump) => self.ask_for_dump(now),
            Event::Call(call) => self.on_call(call, now),
            Event::Job(event) => self.on_job_event(event, now),
            Event::Watch(message) => self.on_watch(message, now),
            Event::Tick => {}
        }
        self.look_at_open_calls(now);
        for start in decide(&self.facts(), now) {
            self.begin(start, now);
        }
        self.status.remote_watch(self.remote.watched(self.push.state(now)));
        let (facts, stored) = (self.facts(), self.engine.stored());
        let state = current_state(&facts, &self.status.history(&self.work), stored, now);
        self.status.show_state(state, self.ports.clock.now().whole_seconds());
        self.status.write(stored, now, false);
        self.status.ticks(now);
        facts
    }

    /// Says once that the disk does not answer, and that it does again.
    fn look_at_open_calls(&mut self, now: Instant) {
        match self.patience.look(now) {
            PatienceNews::Nothing => {}
            PatienceNews::Hangs(call) => {
                let root = &self.setup.config().sync.directory;
                let path = whole_path(root, &call.path).display().to_string();
                let sentence = self.patience.hang_sentence(root, &call);
                self.status.disk_hangs(path, sentence, self.ports.clock.now().whole_seconds());
            }
            PatienceNews::Answers { call, after } => self.status.disk_answers(&call.path, after),
        }
    }

    /// What decides what is done next.
    fn facts(&self) -> Facts {
        let longest = self.remote.longest_pass();
        Facts {
            stopping_since: self.requests.stopping_since(),
            is_paused: self.requests.is_paused(),
            has_owner: self.engine.owner().is_some(),
            waiting: self.requests.waiting(),
            due: self.work.due(),
            housekeeping_at: self.work.housekeeping_at(),
            shrink_at: self.room.due_at(),
            job: self.engine.loan().map(|loan| JobFacts {
                kind: loan.kind(),
                since: loan.since(),
                is_working: loan.is_working(),
                yield_at: loan.working_since().map(|since| since + longest),
                is_told_to_yield: loan.is_told_to_yield(),
            }),
            local: self.local.facts(self.engine.loan().is_none_or(|loan| loan.kind() == JobKind::Shrink)),
            remote: RemoteFacts {
                listen_at: self.push.due_at(),
                ..self.remote.facts(self.engine.seen().1.is_some())
            },
        }
    }

    /// What the loop does now, in one word.
    pub(super) fn current_state(&self, now: Instant) -> DaemonState {
        current_state(&self.facts(), &self.status.history(&self.work), self.engine.stored(), now)
    }

    fn begin_to_stop(&mut self, now: Instant) {
        if self.requests.stop(now) {
            log::info!("stopping");
            self.status.is_stopping();
            self.ports.stop.stop();
            if let Some(loan) = self.engine.loan().filter(|loan| loan.kind() == JobKind::Shrink) {
                loan.tell_to_yield();
            }
        }
    }

    /// The state files are written by a job, as soon as the engine is at home.
    fn ask_for_dump(&mut self, now: Instant) {
        self.status.write(self.engine.stored(), now, true);
        self.requests.ask_for_dump();
        if self.engine.loan().is_some() {
            log::info!("the state files are written when the running pass is over");
        }
    }

    // ---- the watch --------------------------------------------------------------------------

    pub(super) fn start_watching(&mut self, now: Instant) {
        let sync = &self.setup.config().sync;
        self.local.start_watching(&sync.directory, sync.watch, self.patience.calls());
        self.tell_watching(now);
    }

    pub(super) fn on_watch(&mut self, message: Option<WatchMessage>, now: Instant) {
        match self.local.on_watch(message, now) {
            WatchNews::Nothing => {}
            WatchNews::Changed => self.tell_watching(now),
            WatchNews::RootGone => self.status.watching_ended(),
        }
    }

    fn tell_watching(&mut self, now: Instant) {
        self.status.watching(self.local.watch_told(&self.setup.config().sync.directory, now));
    }
}
