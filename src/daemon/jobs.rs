//! What runs beside the loop: one job at a time has the engine, one at a time asks iCloud without it; errands need neither.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use crossbeam::channel::{SendError, Sender, bounded};
use jiff::tz::TimeZone;

use super::dumps::Dumps;
use super::events::{Done, Ended, JobEvent};
use super::local_side::LocalJob;
use super::remote_push::{Came, Listened, Listening};
use super::roots::{OwnRoot, RemoteRoot};
use crate::app::AppError;
use crate::app::local_root::LocalRoot;
use crate::app::open::conflict_mark;
use crate::app::purpose::Purpose;
use crate::app::remote_root::{Found, RemoteOwner, find};
use crate::app::report::ProgressReporter;
use crate::app::told::{counts_here, pending};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::control::{ControlCall, ControlReply};
use crate::engine::execute::Event;
use crate::engine::operation::Plan;
use crate::engine::pass::{Engine, Look, PassObserver, PassOptions, Phase, RETRY_BUDGET, Report, Settings};
use crate::engine::ports::{Attended, Clock as _, DiskError, OpenCalls, Ports};
use crate::engine::view::LocalView;
use crate::exit::ExitCode;
use crate::icloud::push;
use crate::icloud::service::Service;
use crate::icloud::signin::Initiative;
use crate::model::state::GuardState;
use crate::model::{Change, Owner, RelPath};

/// A job that needs the engine and could not begin: why, and all that it was given.
pub(super) type NotBegun<T> = (io::Error, Box<Engine>, Box<T>);

/// How long iCloud may answer nobody before everybody's work with it ends and waits together.
const PATIENCE: Duration = Duration::from_secs(10);

/// What signing in and finding the folder needs.
pub(super) struct Reach {
    pub config: Config,
    pub service: Arc<Service>,
    pub clock: SystemClock,
    pub owner: Option<Owner>,
}

/// What opening the local root needs.
pub(super) struct Open {
    pub config: Config,
    pub found: Option<LocalRoot>,
    /// Whose the state becomes, if it is nobody's yet.
    pub whose: Option<RemoteOwner>,
    pub zone: TimeZone,
    /// Where it is noted that the root is being opened.
    pub calls: Arc<OpenCalls>,
}

/// What a pass needs.
pub(super) struct Pass {
    pub here: Arc<OwnRoot>,
    /// Where calls to its disk are noted.
    pub calls: Arc<OpenCalls>,
    pub clock: SystemClock,
    pub settings: Settings,
    /// What is read here.
    pub local: LocalJob,
    pub by_person: bool,
    pub zone: TimeZone,
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
    /// The local root's disk, whose calls are noted.
    fn disk(&self) -> Attended<'_> {
        Attended { disk: &self.here.disk, calls: Arc::clone(&self.calls) }
    }

    /// Tells the engine of which files the stamp alone does not tell.
    fn doubt(&self, engine: &mut Engine) {
        if let Some(written) = &self.local.written {
            engine.doubt_files(written.take());
        }
        if self.local.verifies {
            engine.doubt_recent();
        }
    }
}

/// Signs in and finds the folder on iCloud.
pub(super) fn reach(job: Reach, events: Sender<JobEvent>) -> io::Result<()> {
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
        drop(events.send(JobEvent::Reached(Box::new(there))));
    })
}

/// Opens the local root where that is still to do, makes it the state's, and puts right what a crash left there.
/// Gives no root, and no error, while nobody knows yet whose it shall be.
pub(super) fn open(engine: Box<Engine>, job: Open, events: Sender<JobEvent>) -> Result<(), NotBegun<Open>> {
    with_engine("icloudds-open", engine, job, events, |engine, mut job, _| {
        // One note for all of it: what a crash left is put right here, on each volume that the folder has.
        let calls = Arc::clone(&job.calls);
        let noted = calls.begins("open", &RelPath::root());
        let result = try_open(engine, &mut job);
        drop(noted);
        Ended::Opened { found: job.found.map(Box::new), result }
    })
}

fn try_open(engine: &mut Engine, job: &mut Open) -> Result<Option<Arc<OwnRoot>>, AppError> {
    let mut root = match job.found.take() {
        Some(root) => root,
        None => LocalRoot::open(&job.config, engine.state(), Purpose::Sync)?,
    };
    let whose = engine.state().owner.as_ref().map(RemoteOwner::of).or_else(|| job.whose.take());
    let Some(whose) = whose else {
        job.found = Some(root);
        return Ok(None);
    };
    let opened = root
        .own(&job.config, engine, &whose, Purpose::Sync)
        .and_then(|()| root.clean_up(engine.state(), &conflict_mark(&job.zone)));
    match opened {
        Ok(()) => {
            let (disk, lock) = root.into_parts();
            Ok(Some(Arc::new(OwnRoot { disk, _lock: lock })))
        }
        // What is not this state's folder is let go, so that the right one can come.
        Err(error @ AppError::Foreign(_)) => Err(error),
        Err(error) => {
            job.found = Some(root);
            Err(error)
        }
    }
}

/// Asks iCloud cheaply whether anything came into the trash. This may take long, and nothing waits for it.
pub(super) fn check_trash(there: Arc<RemoteRoot>, events: Sender<JobEvent>) -> io::Result<()> {
    spawn("icloudds-trash", move || {
        let pulse = there.remote.check_trash();
        drop(events.send(JobEvent::TrashChecked(pulse)));
    })
}

/// Opens iCloud's push channel, or listens to it until there is something to tell. Nobody waits for this, whatever becomes of it.
pub(super) fn listen(service: Arc<Service>, job: Listening, events: Sender<JobEvent>) -> io::Result<()> {
    spawn("icloudds-push", move || {
        let Listening { serial, channel } = job;
        let result = match channel {
            None => push::open(&service).map(|channel| Came::Opened(Box::new(channel))),
            Some((channel, limit)) => push::listen(&service, &channel, limit).map(Came::Heard),
        };
        drop(events.send(JobEvent::Listened(Box::new(Listened { serial, result }))));
    })
}

/// The loop, as the one who watches a pass.
struct Watching<'a> {
    job: &'a Pass,
    events: &'a Sender<JobEvent>,
    /// How many changes were noticed here when the pass began.
    changes_before: u64,
}

impl Watching<'_> {
    /// Whether the loop has gone does not concern a pass: it ends in order all the same.
    fn tell(&self, message: JobEvent) {
        drop(self.events.send(message));
    }
}

impl PassObserver for Watching<'_> {
    fn is_settled_here(&self) -> bool {
        let local = &self.job.local;
        !local.dirty && local.change_counter.load(Ordering::Acquire) == self.changes_before
    }

    fn should_yield(&self) -> bool {
        self.job.should_yield.load(Ordering::Relaxed)
    }

    fn on_phase(&self, phase: Phase) {
        self.tell(JobEvent::Phase(phase));
    }

    fn on_plan(&self, plan: &Plan, seen: Option<&LocalView>) {
        self.tell(JobEvent::Planned(pending(&plan.operations), seen.map(counts_here)));
    }
}

/// Runs a pass that the loop watches.
fn watched<T>(
    job: &Pass,
    events: &Sender<JobEvent>,
    pass: impl FnOnce(&PassOptions<'_>, &mut dyn FnMut(&Event)) -> T,
) -> (T, ProgressReporter) {
    let mark = conflict_mark(&job.zone);
    let watching = Watching { job, events, changes_before: job.local.change_counter.load(Ordering::Acquire) };
    let options = PassOptions {
        conflict_mark: &mark,
        ignore_next_try: job.by_person,
        retry_budget: RETRY_BUDGET,
        observer: &watching,
    };
    let mut reporter = ProgressReporter::new(false);
    let mut on_event = |event: &Event| {
        reporter.tell(event);
        match event {
            // Progress is only shown: what does not fit is soon told again.
            Event::Progress(_) => drop(events.try_send(JobEvent::Effect(event.clone()))),
            _ => watching.tell(JobEvent::Effect(event.clone())),
        }
    };
    let result = pass(&options, &mut on_event);
    (result, reporter)
}

/// One pass with what was last seen on iCloud.
pub(super) fn pass(
    engine: Box<Engine>,
    there: Arc<RemoteRoot>,
    job: Pass,
    events: Sender<JobEvent>,
) -> Result<(), NotBegun<Pass>> {
    with_engine("icloudds-pass", engine, job, events, move |engine, job, events| {
        job.doubt(engine);
        if let Some(dumps) = &job.dumps {
            dumps.before_pass(engine);
        }
        let look = Look { local: job.local.look.clone(), ..Look::default() };
        let disk = job.disk();
        let ports = Ports { remote: &there.remote, disk: &disk, clock: &job.clock };
        let (result, reporter) = watched(&job, events, |options, on_event| {
            engine.pass(&ports, &job.settings, &look, options, on_event)
        });
        if let Ok(report) = &result {
            reporter.end(report);
        }
        let clean = result.as_ref().is_ok_and(|report| conclude(engine, &job, report));
        if let (Some(dumps), true) = (&job.dumps, result.is_ok()) {
            dumps.after_pass(engine);
        }
        Ended::Pass { result, by_person: job.by_person, clean }
    })
}

/// With both sides equal nobody goes on with a download that was given up.
fn forget_downloads(job: &Pass) -> Result<usize, DiskError> {
    let _noted = job.calls.begins("clear away downloads in", &RelPath::root());
    job.here.disk.forget_downloads(&|_| false)
}

/// Whether both sides are equal and nothing is left; stores so, and forgets what nobody needs then.
fn conclude(engine: &mut Engine, job: &Pass, report: &Report) -> bool {
    let clean = report.rests()
        && engine.state().set_aside.is_empty()
        && report.held == 0
        && report.set_aside().next().is_none();
    if clean
        && job.worked
        && let Err(error) = forget_downloads(job)
    {
        log::debug!("{error}");
    }
    // What a pass without a walk finds equal counts where something was done before it, or at first.
    if clean
        && (job.walked || job.worked || engine.state().last_sync.is_none())
        && let Err(error) = engine.commit(&[Change::Synced(job.clock.now().whole_seconds())])
    {
        log::warn!("{error}");
    }
    clean
}

/// One pass without iCloud.
pub(super) fn pass_here(
    engine: Box<Engine>,
    job: Pass,
    events: Sender<JobEvent>,
) -> Result<(), NotBegun<Pass>> {
    with_engine("icloudds-pass", engine, job, events, |engine, job, events| {
        job.doubt(engine);
        let (result, _) = watched(&job, events, |options, on_event| {
            let look = &job.local.look;
            engine.pass_here(&job.disk(), &job.clock, &job.settings, look, options, on_event)
        });
        Ended::LocalPass(result)
    })
}

/// Plans without doing anything, and answers who asked, with JSON where that is wanted.
pub(super) fn plan(
    engine: Box<Engine>,
    there: Arc<RemoteRoot>,
    job: Pass,
    (call, json): (ControlCall, bool),
    events: Sender<JobEvent>,
) -> Result<(), NotBegun<ControlCall>> {
    with_engine("icloudds-plan", engine, call, events, move |engine, call, _| {
        let mark = conflict_mark(&job.zone);
        let options = PassOptions { ignore_next_try: true, ..PassOptions::new(&mark) };
        let disk = job.disk();
        let ports = Ports { remote: &there.remote, disk: &disk, clock: &job.clock };
        let result = engine.look(&ports, &job.settings, &Look::whole()).map(|()| {
            let planned = engine.plan(&ports, &job.settings, &options);
            crate::app::commands::plan_text(&planned.plan, json)
        });
        call.answer(match result {
            Ok(text) => ControlReply::Text { text },
            Err(error) => ControlReply::refused(ExitCode::Service, error.to_string(), ""),
        });
        Ended::Kept
    })
}

/// Who gave an answer about held deletions and waits for a reply, and the reply.
pub(super) type Told = Option<(ControlCall, String)>;

/// Stores what a person said of the held deletions, and tells them.
pub(super) fn decide(
    engine: Box<Engine>,
    guard: GuardState,
    told: Told,
    events: Sender<JobEvent>,
) -> Result<(), NotBegun<Told>> {
    with_engine("icloudds-decide", engine, told, events, |engine, told, _| {
        let result = engine.commit(&[Change::Guard(guard)]);
        match (result, told) {
            (Ok(()), Some((call, said))) => call.answer(ControlReply::done(said)),
            (Ok(()), None) => log::info!("the decision on the held deletions is carried out now"),
            (Err(error), told) => decision_lost(told, &error),
        }
        Ended::Kept
    })
}

/// Tells a person that what they said of the held deletions is not stored.
pub(super) fn decision_lost(told: Told, error: &dyn std::error::Error) {
    match told {
        Some((call, _)) => call.answer(ControlReply::refused(ExitCode::Unexpected, error.to_string(), "")),
        None => log::error!("the decision on the held deletions is lost: {error}"),
    }
}

/// Writes all state files.
pub(super) fn dump(
    engine: Box<Engine>,
    dumps: Dumps,
    events: Sender<JobEvent>,
) -> Result<(), NotBegun<Dumps>> {
    with_engine("icloudds-dump", engine, dumps, events, |engine, dumps, _| {
        dumps.all(engine);
        Ended::Kept
    })
}

/// Makes the store smaller, unless something else is to be done before that has come to its end.
pub(super) fn shrink(
    engine: Box<Engine>,
    stop: Arc<AtomicBool>,
    events: Sender<JobEvent>,
) -> Result<(), NotBegun<Arc<AtomicBool>>> {
    with_engine("icloudds-shrink", engine, stop, events, |engine, stop, _| {
        Ended::Shrunk(engine.shrink_store(&stop))
    })
}

/// Does something that needs no engine and may take a while.
pub(super) fn errand(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    spawn(name, work)
}

/// Runs `work` with the engine on a thread of its own; the engine comes home with what came of it.
fn with_engine<T: Send + 'static>(
    name: &str,
    engine: Box<Engine>,
    job: T,
    events: Sender<JobEvent>,
    work: impl FnOnce(&mut Engine, T, &Sender<JobEvent>) -> Ended + Send + 'static,
) -> Result<(), NotBegun<T>> {
    let run = move |(mut engine, job): (Box<Engine>, Box<T>)| {
        let result = work(&mut engine, *job, &events);
        let wastes_room = engine.wastes_room();
        drop(events.send(JobEvent::Done(Box::new(Done { engine, wastes_room, result }))));
    };
    hand_to(Builder::new().name(name.to_owned()), (engine, Box::new(job)), run)
        .map_err(|(error, (engine, job))| (error, engine, job))
}

/// Hands something to a new thread, or gives it back. It follows once there is a thread, because what the thread's own closure
/// holds is lost when none can be started.
fn hand_to<T: Send + 'static>(
    builder: Builder,
    what: T,
    work: impl FnOnce(T) + Send + 'static,
) -> Result<(), (io::Error, T)> {
    let (hand, handed) = bounded(1);
    let take = move || {
        if let Ok(what) = handed.recv() {
            work(what);
        }
    };
    match builder.spawn(take) {
        Ok(_) => hand.send(what).map_err(|SendError(what)| (io::Error::other("the thread has ended"), what)),
        Err(error) => Err((error, what)),
    }
}

pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_was_to_get_comes_back_when_there_is_none() {
        let larger_than_any_memory = Builder::new().stack_size(1 << 46);
        let refused = hand_to(larger_than_any_memory, "the engine", |_| panic!("no thread has such a stack"));
        assert_eq!(refused.map_err(|(_, what)| what), Err("the engine"));
        let (tell, told) = bounded(1);
        hand_to(Builder::new(), "the engine", move |what| tell.send(what).expect("heard")).expect("a thread");
        assert_eq!(told.recv(), Ok("the engine"));
    }
}
