//! What runs beside the loop: one job at a time has the engine; errands need none.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use jiff::tz::TimeZone;

use crate::app::AppError;
use crate::app::clock::SystemClock;
use crate::app::drive::Drive;
use crate::app::open::{Purpose, conflict_mark};
use crate::app::report::Teller;
use crate::config::Config;
use crate::disk::{LocalDisk, Lock};
use crate::engine::execute::{Event, Ports};
use crate::engine::pass::{Engine, Look, PassError, PassOptions, Phase, Report, Settings};
use crate::engine::ports::RemoteError;
use crate::icloud::drive::{ICloudDrive, Pulse};
use crate::icloud::service::Service;
use crate::icloud::signin::Initiative;

/// What jobs tell the loop. The channel has room for a burst; a job waits when it is full, and the loop never waits for
/// a job, so it always drains.
pub(super) enum News {
    /// A pass begins another part.
    Phase(Phase),
    /// Something was done.
    Event(Event),
    /// A job is over; the engine comes home.
    Done(Box<Done>),
    /// The cheap look at iCloud is over.
    Checked(Result<Pulse, RemoteError>),
    /// The stored session was changed by another process.
    SessionChanged,
}

/// A job's end.
pub(super) struct Done {
    pub engine: Engine,
    pub result: Ended,
}

/// What came of a job. One exists at a time, so its size does not matter.
#[expect(clippy::large_enum_variant, reason = "one exists at a time")]
pub(super) enum Ended {
    /// The drive's folder is open and the account known; both come back in any case.
    Connected(Box<Connection>),
    /// A pass.
    Pass { result: Result<Report, PassError>, walked: Option<Duration>, by_person: bool },
    /// A plan that was asked for: the text.
    Planned(Result<String, PassError>),
}

/// What came of connecting.
pub(super) struct Connection {
    /// The drive's folder, where it was opened and not used up.
    pub drive: Option<Drive>,
    /// The edges, and the settings that the folder on iCloud completes.
    pub result: Result<(Arc<Edges>, Settings), AppError>,
}

/// The open edges that passes work through.
pub(super) struct Edges {
    pub disk: LocalDisk,
    pub remote: ICloudDrive,
    pub clock: SystemClock,
    /// Held until this is dropped.
    pub _lock: Option<Lock>,
}

impl Edges {
    pub fn ports(&self) -> Ports<'_> {
        Ports { remote: &self.remote, disk: &self.disk, clock: &self.clock }
    }
}

/// What connecting needs.
pub(super) struct Connect {
    pub config: Config,
    pub settings: Settings,
    pub drive: Option<Drive>,
    pub service: Arc<Service>,
    pub clock: SystemClock,
    pub zone: TimeZone,
}

/// What a pass needs.
pub(super) struct Pass {
    pub edges: Arc<Edges>,
    pub settings: Settings,
    pub look: Look,
    pub by_person: bool,
    pub zone: TimeZone,
    /// Whether folders here changed that this look does not read.
    pub dirty: bool,
    /// Counts what the watcher told; while it stands still during a look, the look is of one moment.
    pub stirred: Arc<AtomicU64>,
}

/// Opens the drive where that is still to do, signs in and finds the folder on iCloud.
pub(super) fn connect(mut engine: Engine, job: Connect, news: Sender<News>) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-connect", move || {
        let Connect { config, settings, mut drive, service, clock, zone } = job;
        let result = try_connect(&mut engine, &config, &settings, &mut drive, &service, &clock, &zone);
        let result = result.map(|(remote, settings, drive)| {
            let (disk, lock) = drive.into_parts();
            (Arc::new(Edges { disk, remote, clock, _lock: lock }), settings)
        });
        end(&news, engine, Ended::Connected(Box::new(Connection { drive, result })));
    })
}

fn try_connect(
    engine: &mut Engine,
    config: &Config,
    settings: &Settings,
    slot: &mut Option<Drive>,
    service: &Arc<Service>,
    clock: &SystemClock,
    zone: &TimeZone,
) -> Result<(ICloudDrive, Settings, Drive), AppError> {
    if slot.is_none() {
        *slot = Some(Drive::open(config, &engine.state, Purpose::Sync)?);
    }
    service.sign_in(Initiative::Unattended)?;
    let Some(mut drive) = slot.take() else { unreachable!("it was opened above") };
    let connected = drive
        .connect(config, service, clock, engine, Purpose::Sync)
        .and_then(|connected| drive.clean_up(&engine.state, &conflict_mark(zone)).map(|()| connected));
    match connected {
        Ok(connected) => {
            let settings = Settings { root_is_library: connected.root_is_library, ..settings.clone() };
            Ok((connected.remote, settings, drive))
        }
        // What is not this state's folder is let go, so that the right one can come.
        Err(error @ AppError::Foreign(_)) => Err(error),
        Err(error) => {
            *slot = Some(drive);
            Err(error)
        }
    }
}

/// One pass.
pub(super) fn pass(mut engine: Engine, job: Pass, news: Sender<News>) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-pass", move || {
        let begun = Instant::now();
        let mark = conflict_mark(&job.zone);
        let before = job.stirred.load(Ordering::Acquire);
        let walks = job.look.remote || engine.remote.is_none();
        // Whether the loop has gone does not concern a pass: it ends in order all the same.
        let tell = |message| drop(news.send(message));
        let options = PassOptions {
            conflict_mark: &mark,
            ignore_next_try: job.by_person,
            is_settled_here: &|| !job.dirty && job.stirred.load(Ordering::Acquire) == before,
            on_phase: &|phase| tell(News::Phase(phase)),
        };
        let mut teller = Teller::new(false);
        let mut events = |event: &Event| {
            teller.tell(event);
            match event {
                // Progress is only shown: what does not fit is soon told again.
                Event::Progress(_) => drop(news.try_send(News::Event(event.clone()))),
                _ => tell(News::Event(event.clone())),
            }
        };
        let result = engine.pass(&job.edges.ports(), &job.settings, &job.look, &options, &mut events);
        if let Ok(report) = &result {
            teller.end(report);
        }
        let walked = walks.then(|| begun.elapsed());
        end(&news, engine, Ended::Pass { result, walked, by_person: job.by_person });
    })
}

/// Plans without doing anything.
pub(super) fn plan(
    mut engine: Engine,
    job: Pass,
    json: bool,
    news: Sender<News>,
) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-plan", move || {
        let mark = conflict_mark(&job.zone);
        let options = PassOptions { ignore_next_try: job.by_person, ..PassOptions::new(&mark) };
        let ports = job.edges.ports();
        let result = engine.look(&ports, &job.settings, &job.look).map(|()| {
            let planned = engine.plan(&ports, &job.settings, &options);
            crate::app::commands::plan_text(&planned.plan, json)
        });
        end(&news, engine, Ended::Planned(result));
    })
}

/// Asks iCloud cheaply whether anything changed.
pub(super) fn check(edges: Arc<Edges>, news: Sender<News>) -> io::Result<JoinHandle<()>> {
    spawn("icloudds-check", move || {
        let pulse = edges.remote.check();
        drop(news.send(News::Checked(pulse)));
    })
}

/// Does something that needs no engine and may take a while.
pub(super) fn errand(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    spawn(name, work)
}

fn end(news: &Sender<News>, engine: Engine, result: Ended) {
    drop(news.send(News::Done(Box::new(Done { engine, result }))));
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(work)
}
