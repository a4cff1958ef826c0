//! `run`: keeps both sides the same until somebody stops it.
//!
//! One thread, the loop, decides when to look and answers every question. It never waits for the
//! network or the disk: it lends the engine, the sole owner of the three trees, to a job thread and
//! gets it back with the job's result. Looks at iCloud need no engine, only what was agreed when they
//! began, so local work goes on beside them, and while iCloud is away. Watcher, control socket, signals
//! and jobs all talk to the loop through bounded channels.
//!
//! Each turn is the same: one [`events::Event`] comes in, the owner that it concerns takes it, [`scheduler::decide`] says from
//! plain facts what begins now, and it begins. The owners are a tree, each in its file and with private fields: the
//! [`local_side`], the [`remote_side`] and its [`remote_push`], the [`engine_slot`], the [`work`] that is due, the [`requests`] that wait, the
//! [`status_view`], the [`store_room`], the [`disk_patience`] and the [`setup`]. Another source of hints is one more event and one more owner beside these.

mod at_terminal;
mod control_requests;
mod current_state;
mod debounce;
mod disk_patience;
mod dumps;
mod engine_slot;
mod etag_watch;
mod events;
mod facts;
mod failures;
mod feed_watch;
mod jobs;
mod local_side;
mod look_jobs;
mod main_loop;
mod news;
mod outcomes;
mod outward;
pub mod rehearsal;
mod reload;
mod remote_push;
mod remote_side;
mod requests;
mod rest;
mod roots;
mod scheduler;
mod setup;
mod starts;
mod status_view;
mod store_room;
mod timing;
mod trash_requests;
mod trash_watch;
mod watching;
mod work;
mod zone_watch;

use std::sync::Arc;

use crossbeam::channel::bounded;
use jiff::tz::TimeZone;

use crate::app::AppError;
use crate::app::local_root::LocalRoot;
use crate::app::open::{StateDir, service};
use crate::app::purpose::Purpose;
use crate::clock::{Stop, SystemClock};
use crate::config::{Loaded, Sources};
use crate::control::ControlServer;
use crate::exit::ExitCode;
use crate::signals::SignalThread;
use crate::status::file::StatusFile;
use crate::terminal;
use outward::Outward;

/// Requests that may wait for the loop; beyond, clients are told that it is stuck.
const CALL_ROOM: usize = 16;

/// Runs the daemon until a signal ends it.
///
/// # Errors
///
/// [`AppError`] only for what no waiting can cure: another instance, a drive folder that cannot be
/// used, an unusable configuration. Everything else is a state of the running daemon.
pub fn run(sources: Sources, loaded: Loaded, zone: TimeZone) -> Result<ExitCode, AppError> {
    let stop = Arc::<Stop>::default();
    let at_once = || {
        terminal::restore();
        std::process::exit(i32::from(ExitCode::Success.code()))
    };
    let (listening, signals) = SignalThread::start(at_once).map_err(|source| AppError::Io {
        what: "cannot listen for signals",
        path: "/proc/self".into(),
        source,
    })?;
    let config = &loaded.config;
    let state_dir = StateDir::open(config)?;
    // A missing or wrong folder is worth waiting for only when it was the right one before.
    let root = match LocalRoot::open(config, state_dir.engine.state(), Purpose::Sync) {
        Ok(root) => Some(root),
        Err(error @ AppError::Locked(_)) => return Err(error),
        Err(error) if state_dir.engine.state().base.is_empty() => return Err(error),
        Err(error) => {
            log::error!("{error}");
            None
        }
    };
    let clock = SystemClock::new(Arc::clone(&stop));
    let service = service(config, &clock)?;
    let (calls_in, calls) = bounded(CALL_ROOM);
    let outward = Outward::start(config, &calls_in)?;
    let control = ControlServer::start(&config.sync.state_directory, calls_in)
        .map_err(|error| AppError::Refused { message: error.to_string(), exit: error.exit_code() })?;
    let status_file = StatusFile::start(&config.sync.state_directory).map_err(|source| AppError::Io {
        what: "cannot write the status into",
        path: config.sync.state_directory.clone(),
        source,
    })?;
    let result = main_loop::Loop::new(main_loop::Beginning {
        sources,
        loaded,
        zone,
        stop,
        clock,
        state_dir,
        root,
        service: Arc::clone(&service),
        signals,
        calls,
        status_file,
    })
    .run();
    drop(control);
    drop(outward);
    drop(listening);
    if let Err(error) = service.account().flush() {
        log::warn!("{error}");
    }
    result
}
