//! What the loop hears, and the one place where it waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, at, bounded, select};

use super::remote_push::Listened;
use super::roots::{OwnRoot, RemoteRoot};
use crate::app::AppError;
use crate::app::local_root::LocalRoot;
use crate::control::ControlCall;
use crate::disk::watch::WatchMessage;
use crate::engine::execute;
use crate::engine::observe::remote::EtagsCompared;
use crate::engine::pass::{Engine, HereReport, PassError, Phase, Report, Sight};
use crate::engine::ports::{RemoteError, Shrunk};
use crate::icloud::drive::{FeedFault, FeedLook, Pulse, TrashPulse, ZoneLook};
use crate::signals::SignalEvents;
use crate::status::{Pending, SideCounts};

/// Room for what jobs tell; a job waits when it is full, and the loop never waits for a job, so it always drains.
const JOB_ROOM: usize = 1024;

/// Whatever makes the loop turn. A source of hints that something changed, of whichever side, is one more of these.
pub(super) enum Event {
    Signal(Signal),
    /// Somebody asks through the control socket or the page.
    Call(ControlCall),
    /// A job tells something.
    Job(JobEvent),
    /// The watcher tells something; `None` when its channel is closed.
    Watch(Option<WatchMessage>),
    /// The time came for something.
    Tick,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Stop,
    Reload,
    SyncNow,
    Dump,
}

/// What jobs tell the loop.
pub(super) enum JobEvent {
    /// A pass begins another part.
    Phase(Phase),
    /// What a pass is going to do, and what it saw here.
    Planned(Pending, Option<SideCounts>),
    /// Something was done.
    Effect(execute::Event),
    /// A job is over; the engine comes home.
    Done(Box<Done>),
    /// Signed in, and the folder on iCloud is found; or not.
    Reached(Box<Result<RemoteRoot, AppError>>),
    /// A walk through iCloud is over.
    Walked(Box<Walked>),
    /// The cheap look at iCloud is over.
    Checked(Result<Pulse, RemoteError>),
    /// The change feed was asked.
    FeedTold(Box<FeedTold>),
    /// The look at the trash is over.
    TrashChecked(Result<TrashPulse, RemoteError>),
    /// Somebody listened to iCloud's push channel, or opened it.
    Listened(Box<Listened>),
    /// The stored session was read again: whether it is another one now, and whether somebody said so.
    SessionRead { read: Result<bool, String>, told: bool },
}

/// A job's end.
pub(super) struct Done {
    pub engine: Box<Engine>,
    /// Whether its store takes too much room now.
    pub wastes_room: bool,
    pub result: Ended,
}

/// What came of a job.
pub(super) enum Ended {
    /// The local root is open and this state's; or it comes back as far as it was opened.
    Opened { found: Option<Box<LocalRoot>>, result: Result<Option<Arc<OwnRoot>>, AppError> },
    /// A pass.
    Pass { result: Result<Report, PassError>, by_person: bool, clean: bool },
    /// A pass without iCloud.
    LocalPass(Result<HereReport, PassError>),
    /// Making the store smaller.
    Shrunk(Shrunk),
    /// Something that only needed the engine.
    Kept,
}

/// What came of a walk.
pub(super) struct Walked {
    pub result: Result<Sight, PassError>,
    pub took: Duration,
    pub by_person: bool,
    /// What the change feed told before it began, where it was asked.
    pub told: Option<FeedTold>,
    /// What the feed told of single items, where the look was to be where those are.
    pub zone: Option<Result<ZoneLook, FeedFault>>,
    /// Whether it was at the folders alone whose etag moved, unless that was not enough.
    pub by_etag: bool,
    /// Whether it saw something that the walk before and our own writes do not explain, where that can be told.
    pub saw_change: Option<bool>,
    /// How the etags of folders stand to those before, where that can be told.
    pub etags: Option<EtagsCompared>,
}

/// What the change feed told.
pub(super) struct FeedTold {
    pub look: Result<FeedLook, FeedFault>,
    /// What it told of all that the Drive's zone holds, where it was asked that.
    pub zone: Option<Result<ZoneLook, FeedFault>>,
}

/// All that the loop listens to, but for the watcher, which comes and goes with the local root.
pub(super) struct Inbox {
    signals: SignalEvents,
    calls: Receiver<ControlCall>,
    jobs: Receiver<JobEvent>,
}

impl Inbox {
    /// The inbox, and what jobs are given to tell the loop through it.
    pub fn new(signals: SignalEvents, calls: Receiver<ControlCall>) -> (Self, Sender<JobEvent>) {
        let (jobs_in, jobs) = bounded(JOB_ROOM);
        (Self { signals, calls, jobs }, jobs_in)
    }

    /// Waits for the next event, at the latest until `wake`. A channel whose other end has gone says no more than the time.
    pub fn next_event(&self, watch: &Receiver<WatchMessage>, wake: Instant) -> Event {
        select! {
            recv(self.signals.stop) -> _ => Event::Signal(Signal::Stop),
            recv(self.signals.reload) -> _ => Event::Signal(Signal::Reload),
            recv(self.signals.sync_now) -> _ => Event::Signal(Signal::SyncNow),
            recv(self.signals.dump) -> _ => Event::Signal(Signal::Dump),
            recv(self.calls) -> call => call.map_or(Event::Tick, Event::Call),
            recv(self.jobs) -> told => told.map_or(Event::Tick, Event::Job),
            recv(watch) -> message => Event::Watch(message.ok()),
            recv(at(wake)) -> _ => Event::Tick,
        }
    }
}
