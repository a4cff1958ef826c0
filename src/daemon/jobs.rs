//! What runs beside the loop: one job at a time has the engine, one at a time asks iCloud without it; errands need neither.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use jiff::tz::TimeZone;

use super::dumps::Dumps;
use super::status_view::pending;
use crate::app::AppError;
use crate::app::clock::SystemClock;
use crate::app::drive::{Drive, Found, Whose, find};
use crate::app::open::{Purpose, conflict_mark};
use crate::app::report::Teller;
use crate::app::told::counts_here;
use crate::config::Config;
use crate::control::{ControlCall, ControlReply};
use crate::disk::watch::Written;
use crate::disk::{LocalDisk, Lock};
use crate::engine::execute::Event;
use crate::engine::operation::Plan;
use crate::engine::pass::{
    Engine, HereReport, LocalLook, Look, PassError, PassOptions, Phase, RETRY_BUDGET, Report, Settings, Walk,
};
use crate::engine::ports::{Clock as _, Ports, RemoteError};
use crate::engine::view::{LocalView, RemoteView};
use crate::exit::ExitCode;
use crate::icloud::drive::{ICloudDrive, Pulse, TrashPulse};
use crate::icloud::service::Service;
use crate::icloud::signin::Initiative;
use crate::model::state::GuardState;
use crate::model::{Change, Owner};
use crate::status::{Pending, SideCounts};

/// How long iCloud may answer nobody before everybody's work with it ends and waits together.
const PATIENCE: Duration = Duration::from_secs(10);

/// What jobs tell the loop. The channel has room for a burst; a job waits when it is full, and the loop never waits for
/// a job, so it always drains.
pub(super) enum JobEvent {
    /// A pass begins another part.
    Phase(Phase),
    /// What a pass is going to do, and what it saw here.
    Planned(Pending, Option<SideCounts>),
    /// Something was done.
    Event(Event),
    /// A job is over; the engine comes home.
    Done(Box<Done>),
    /// Signed in, and the folder on iCloud is found; or not.
    Reached(Box<Result<RemoteRoot, AppError>>),
    /// A walk through iCloud is over.
    Walked(Box<Walked>),
    /// The cheap look at iCloud is over.
    Checked(Result<Pulse, RemoteError>),
    /// The look at the trash is over.
    TrashChecked(Result<TrashPulse, RemoteError>),
    /// The stored session was read again: whether it is another one now, and whether somebody said so.
    SessionRead { read: Result<bool, String>, told: bool },
}

/// A job's end.
pub(super) struct Done {
    pub engine: Engine,
    pub result: Ended,
}

/// What came of a job.
pub(super) enum Ended {
    /// The drive's folder is open and this state's; or it comes back as far as it was opened.
    Opened { drive: Option<Box<Drive>>, result: Result<Option<Arc<OwnRoot>>, AppError> },
    /// A pass.
    Pass { result: Result<Report, PassError>, by_person: bool, clean: bool },
    /// A pass without iCloud.
    LocalPass(Result<HereReport, PassError>),
    /// Something that only needed the engine.
    Kept,
}

/// What came of a walk.
pub(super) struct Walked {
    pub result: Result<RemoteView, PassError>,
    pub took: Duration,
    pub by_person: bool,
}

/// The drive's folder, which is this state's.
pub(super) struct OwnRoot {
    pub disk: LocalDisk,
    /// Held until this is dropped.
    pub _lock: Option<Lock>,
}

/// The folder on iCloud, which is this state's.
pub(super) struct RemoteRoot {
    pub remote: ICloudDrive,
    pub root_is_library: bool,
    pub whose: Whose,
}

/// What signing in and finding the folder needs.
pub(super) struct Reach {
    pub config: Config,
    pub service: Arc<Service>,
    pub clock: SystemClock,
    pub owner: Option<Owner>,
}

/// What opening the drive's folder needs.
pub(super) struct Open {
    pub config: Config,
    pub drive: Option<Drive>,
    /// Whose the state becomes, if it is nobody's yet.
    pub whose: Option<Whose>,
    pub clock: SystemClock,
    pub zone: TimeZone,
}

/// What a pass needs.
pub(super) struct Pass {
    pub here: Arc<OwnRoot>,
    pub clock: SystemClock,
    pub settings: Settings,
    pub look: LocalLook,
    pub by_person: bool,
    pub zone: TimeZone,
    /// Whether folders here changed that this look does not read.
    pub dirty: bool,
    /// Counts what the watcher told; while it stands still during a look, the look is of one moment.
    pub change_counter: Arc<AtomicU64>,
    /// The files that the watcher saw closed after writing.
    pub written: Option<Arc<Written>>,
    /// Whether what was written within about a day is read again, though its stamp is the agreed one.
    pub verifies: bool,
    /// Set by the loop once something else waits: the pass begins nothing new then.
    pub should_yield: Arc<AtomicBool>,
    /// It follows a walk.
    pub walked: bool,
    /// Something was done since both sides were last equal.
    pub worked: bool,
    /// The state files to write around it.
    pub dumps: Option<Dumps>,
}

impl Pass {
    /// Tells the engine of which files the stamp alone does not tell.
    fn doubt(&self, engine: &mut Engine) {
        if let Some(written) = &self.written {
            engine.doubted.files(written.take());
        }
        if self.verifies {
            engine.doubted.recent();
        }
    }
}

/// Signs in and finds the folder on iCloud.
pub(super) fn reach(job: Reach, news: Sender<JobEvent>) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-connect", move || {
        let Reach { config, service, clock, owner } = job;
        let found = service
            .sign_in(Initiative::Unattended)
            .map_err(AppError::from)
            .and_then(|()| find(&config, &service, &clock, owner.as_ref(), Purpose::Sync, Some(PATIENCE)));
        let there = found.map(|Found { remote, root_is_library, whose }| RemoteRoot {
            remote,
            root_is_library,
            whose,
        });
        drop(news.send(JobEvent::Reached(Box::new(there))));
    })
}

/// Opens the drive's folder where that is still to do, makes it the state's, and puts right what a crash left there.
/// Gives no folder, and no error, while nobody knows yet whose it shall be.
pub(super) fn open(mut engine: Engine, mut job: Open, news: Sender<JobEvent>) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-open", move || {
        let result = try_open(&mut engine, &mut job);
        end(&news, engine, Ended::Opened { drive: job.drive.map(Box::new), result });
    })
}

fn try_open(engine: &mut Engine, job: &mut Open) -> Result<Option<Arc<OwnRoot>>, AppError> {
    let mut drive = match job.drive.take() {
        Some(drive) => drive,
        None => Drive::open(&job.config, &engine.state, Purpose::Sync)?,
    };
    let whose = engine.state.owner.as_ref().map(Whose::of).or_else(|| job.whose.take());
    let Some(whose) = whose else {
        job.drive = Some(drive);
        return Ok(None);
    };
    let opened = drive
        .own(&job.config, &job.clock, engine, &whose, Purpose::Sync)
        .and_then(|()| drive.clean_up(&engine.state, &conflict_mark(&job.zone)));
    match opened {
        Ok(()) => {
            let (disk, lock) = drive.into_parts();
            Ok(Some(Arc::new(OwnRoot { disk, _lock: lock })))
        }
        // What is not this state's folder is let go, so that the right one can come.
        Err(error @ AppError::Foreign(_)) => Err(error),
        Err(error) => {
            job.drive = Some(drive);
            Err(error)
        }
    }
}

/// Walks through iCloud beside the engine.
pub(super) fn walk(
    there: Arc<RemoteRoot>,
    walk: Walk,
    settings: Settings,
    clock: SystemClock,
    by_person: bool,
    dumps: Option<Dumps>,
    news: Sender<JobEvent>,
) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-list", move || {
        if let Some(dumps) = dumps {
            dumps.before_walk(&walk);
        }
        let begun = Instant::now();
        let result = walk.run(&there.remote, &clock, &settings);
        // The engine must be alone with what it owns again before it hears of this.
        drop(walk);
        let walked = Walked { result, took: begun.elapsed(), by_person };
        drop(news.send(JobEvent::Walked(Box::new(walked))));
    })
}

/// Asks iCloud cheaply whether anything changed.
pub(super) fn check(there: Arc<RemoteRoot>, news: Sender<JobEvent>) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-check", move || {
        let pulse = there.remote.check();
        drop(news.send(JobEvent::Checked(pulse)));
    })
}

/// Asks iCloud cheaply whether anything came into the trash. This may take long, and nothing waits for it.
pub(super) fn check_trash(there: Arc<RemoteRoot>, news: Sender<JobEvent>) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-trash", move || {
        let pulse = there.remote.check_trash();
        drop(news.send(JobEvent::TrashChecked(pulse)));
    })
}

/// Runs a pass with the hooks that tell the loop of it.
fn with_hooks<T>(
    job: &Pass,
    news: &Sender<JobEvent>,
    pass: impl FnOnce(&PassOptions<'_>, &mut dyn FnMut(&Event)) -> T,
) -> (T, Teller) {
    let mark = conflict_mark(&job.zone);
    let before = job.change_counter.load(Ordering::Acquire);
    // Whether the loop has gone does not concern a pass: it ends in order all the same.
    let tell = |message| drop(news.send(message));
    let options = PassOptions {
        conflict_mark: &mark,
        ignore_next_try: job.by_person,
        retry_budget: RETRY_BUDGET,
        is_settled_here: &|| !job.dirty && job.change_counter.load(Ordering::Acquire) == before,
        should_yield: &|| job.should_yield.load(Ordering::Relaxed),
        on_phase: &|phase| tell(JobEvent::Phase(phase)),
        on_plan: &|plan: &Plan, here: Option<&LocalView>| {
            tell(JobEvent::Planned(pending(&plan.operations), here.map(counts_here)));
        },
    };
    let mut teller = Teller::new(false);
    let mut events = |event: &Event| {
        teller.tell(event);
        match event {
            // Progress is only shown: what does not fit is soon told again.
            Event::Progress(_) => drop(news.try_send(JobEvent::Event(event.clone()))),
            _ => tell(JobEvent::Event(event.clone())),
        }
    };
    let result = pass(&options, &mut events);
    (result, teller)
}

/// One pass with what was last seen on iCloud.
pub(super) fn pass(
    mut engine: Engine,
    there: Arc<RemoteRoot>,
    job: Pass,
    news: Sender<JobEvent>,
) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-pass", move || {
        job.doubt(&mut engine);
        if let Some(dumps) = &job.dumps {
            dumps.before_pass(&engine);
        }
        let look = Look { local: job.look.clone(), remote: false };
        let ports = Ports { remote: &there.remote, disk: &job.here.disk, clock: &job.clock };
        let (result, teller) = with_hooks(&job, &news, |options, events| {
            engine.pass(&ports, &job.settings, &look, options, events)
        });
        if let Ok(report) = &result {
            teller.end(report);
        }
        let clean = result.as_ref().is_ok_and(|report| conclude(&mut engine, &job, report));
        if let (Some(dumps), true) = (&job.dumps, result.is_ok()) {
            dumps.after_pass(&engine);
        }
        end(&news, engine, Ended::Pass { result, by_person: job.by_person, clean });
    })
}

/// Whether both sides are equal and nothing is left; stores so, and forgets what nobody needs then.
fn conclude(engine: &mut Engine, job: &Pass, report: &Report) -> bool {
    let clean = report.rests()
        && engine.state.set_aside.is_empty()
        && report.held == 0
        && report.set_aside().next().is_none();
    // With both sides equal nobody goes on with a download that was given up.
    if clean
        && job.worked
        && let Err(error) = job.here.disk.forget_downloads(&|_| false)
    {
        log::debug!("{error}");
    }
    // What a pass without a walk finds equal counts where something was done before it, or at first.
    if clean
        && (job.walked || job.worked || engine.state.last_sync.is_none())
        && let Err(error) = engine.commit(&[Change::Synced(job.clock.now().whole_seconds())])
    {
        log::warn!("{error}");
    }
    clean
}

/// One pass without iCloud.
pub(super) fn pass_here(mut engine: Engine, job: Pass, news: Sender<JobEvent>) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-pass", move || {
        job.doubt(&mut engine);
        let (result, _) = with_hooks(&job, &news, |options, events| {
            engine.pass_here(&job.here.disk, &job.clock, &job.settings, &job.look, options, events)
        });
        end(&news, engine, Ended::LocalPass(result));
    })
}

/// Plans without doing anything, and answers who asked.
pub(super) fn plan(
    mut engine: Engine,
    there: Arc<RemoteRoot>,
    job: Pass,
    (call, json): (ControlCall, bool),
    news: Sender<JobEvent>,
) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-plan", move || {
        let mark = conflict_mark(&job.zone);
        let options = PassOptions { ignore_next_try: true, ..PassOptions::new(&mark) };
        let ports = Ports { remote: &there.remote, disk: &job.here.disk, clock: &job.clock };
        let result = engine.look(&ports, &job.settings, &Look::whole()).map(|()| {
            let planned = engine.plan(&ports, &job.settings, &options);
            crate::app::commands::plan_text(&planned.plan, json)
        });
        call.answer(match result {
            Ok(text) => ControlReply::Text { text },
            Err(error) => ControlReply::refused(ExitCode::Service, error.to_string(), ""),
        });
        end(&news, engine, Ended::Kept);
    })
}

/// Stores what a person said of the held deletions, and tells them.
pub(super) fn decide(
    mut engine: Engine,
    guard: GuardState,
    told: Option<(ControlCall, String)>,
    news: Sender<JobEvent>,
) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-decide", move || {
        let result = engine.commit(&[Change::Guard(guard)]);
        match (result, told) {
            (Ok(()), Some((call, said))) => call.answer(ControlReply::done(said)),
            (Ok(()), None) => log::info!("the decision on the held deletions is carried out now"),
            (Err(error), Some((call, _))) => {
                call.answer(ControlReply::refused(ExitCode::Unexpected, error.to_string(), ""));
            }
            (Err(error), None) => log::error!("the decision on the held deletions is lost: {error}"),
        }
        end(&news, engine, Ended::Kept);
    })
}

/// Writes all state files.
pub(super) fn dump(engine: Engine, dumps: Dumps, news: Sender<JobEvent>) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-dump", move || {
        dumps.all(&engine);
        end(&news, engine, Ended::Kept);
    })
}

/// Does something that needs no engine and may take a while.
pub(super) fn errand(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    spawn(name, work)
}

fn end(news: &Sender<JobEvent>, engine: Engine, result: Ended) {
    drop(news.send(JobEvent::Done(Box::new(Done { engine, result }))));
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(work)
}
