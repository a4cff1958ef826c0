//! The command line: from arguments to a command, from a command to an exit code.

mod approve;
mod args;
mod check_config;
pub mod daemon;
mod error;
mod generate;
mod help;
mod print;
mod screen;
mod table;
mod words;

use std::ffi::OsString;
use std::sync::Arc;

use jiff::tz::TimeZone;

pub use args::{
    Approve, CodeRequest, Command, Invocation, LoginHow, SendWay, Shell, StatusHow, TrashCommand, UsageError,
    parse,
};
pub use error::{CliError, DaemonError};
pub use print::{PrintError, print};

use crate::app::once::{leave_failure, once};
use crate::app::open::Opened;
use crate::app::purpose::Purpose;
use crate::app::{AppError, commands};
use crate::chance::SystemChance;
use crate::clock::Stop;
use crate::config::{self, Config, Loaded, Log, Sources};
use crate::control::ControlRequest;
use crate::diagnose;
use crate::exit::ExitCode;
use crate::logging;
use crate::signals::Ending;

/// Runs the program with `arguments`, its own name left out.
///
/// # Errors
///
/// [`CliError`], whose [`CliError::exit_code`] is the one to end with.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<ExitCode, CliError> {
    let Invocation { config, command } = parse(arguments)?;
    let sources = Sources::of_process(config);
    let stop = Arc::<Stop>::default();
    // The daemon listens for itself.
    let ending = match command {
        Command::Run => None,
        _ => Some(end_on_signal(&stop, &command)?),
    };
    let result = carry_out(&sources, command, stop);
    match ending.and_then(|ending| ending.exit_code()) {
        Some(exit) => {
            log::info!("ended by a signal");
            Ok(exit)
        }
        None => result,
    }
}

/// Sees to it that a signal ends a command in time.
fn end_on_signal(stop: &Arc<Stop>, command: &Command) -> Result<Ending, CliError> {
    let heeds_stop = matches!(
        command,
        Command::Once | Command::Plan { .. } | Command::Login(_) | Command::Diagnose { .. }
    );
    Ending::listen(Arc::clone(stop), heeds_stop).map_err(|source| {
        CliError::App(AppError::Io { what: "cannot listen for signals", path: "/proc/self".into(), source })
    })
}

fn carry_out(sources: &Sources, command: Command, stop: Arc<Stop>) -> Result<ExitCode, CliError> {
    match command {
        Command::Version => {
            print(concat!("icloudds ", env!("CARGO_PKG_VERSION"), "\n"))?;
            Ok(ExitCode::Success)
        }
        Command::Help(topic) => {
            print(table::help_text(topic))?;
            Ok(ExitCode::Success)
        }
        Command::Licences => {
            print(include_str!(concat!(env!("OUT_DIR"), "/licences.txt")))?;
            Ok(ExitCode::Success)
        }
        Command::CheckConfig => check_config::run(sources),
        // These only ask: they open no log, which may be the daemon's.
        Command::Completions(shell) => {
            print(generate::completions(shell))?;
            Ok(ExitCode::Success)
        }
        Command::Man => {
            print(generate::manual())?;
            Ok(ExitCode::Success)
        }
        Command::Status(how) => daemon::status(&config::load(sources)?.config, how),
        Command::Health { ready } => daemon::health(&config::load(sources)?.config, ready),
        Command::Code(request) => daemon::code(&config::load(sources)?.config, request),
        Command::SyncNow => daemon::steer(&config::load(sources)?.config, &ControlRequest::SyncNow),
        Command::Pause => daemon::steer(&config::load(sources)?.config, &ControlRequest::Pause),
        Command::Resume => daemon::steer(&config::load(sources)?.config, &ControlRequest::Resume),
        Command::Why { path } => {
            let config = config::load(sources)?.config;
            daemon::why(&config, &path, |path| Ok(commands::why(&config, path)?))
        }
        // All others open the log.
        Command::Run => {
            let (loaded, zone) = begin(sources)?;
            tell_start(&loaded);
            Ok(crate::daemon::run(sources.clone(), loaded, zone)?)
        }
        Command::Once => {
            let (loaded, zone) = begin(sources)?;
            tell_start(&loaded);
            let config = loaded.config.clone();
            let mut opened = Opened::open(loaded.config, zone.clone(), stop, Purpose::Sync)
                .inspect_err(|error| leave_failure(&config, &zone, error))?;
            let result = once(&mut opened);
            opened.service.account().flush().map_err(AppError::from)?;
            Ok(result?)
        }
        Command::Plan { json } => {
            let (loaded, zone) = begin(sources)?;
            match daemon::plan(&loaded.config, json)? {
                Some(exit) => Ok(exit),
                None => printed(commands::plan(loaded.config, zone, stop, json)?),
            }
        }
        Command::Diagnose { json, probe_writes } => {
            let loaded = config::load(sources)?;
            // It may run beside a daemon, whose file it is.
            open_log(&loaded, &Log { file: None, ..loaded.config.log.clone() })?;
            let report = diagnose::run(&loaded.config, stop, probe_writes)?;
            printed((report.exit(), if json { report.json() } else { report.text() }))
        }
        Command::Login(how) => login(&begin(sources)?.0.config, how, stop),
        Command::Logout => {
            let (loaded, _) = begin(sources)?;
            let outcome = commands::logout(&loaded.config)?;
            tell_daemon(&loaded.config);
            printed(outcome)
        }
        Command::ResetState => printed(commands::reset_state(&begin(sources)?.0.config)?),
        Command::Approve(how) => approve::run(&begin(sources)?.0.config, how),
        Command::Trash(TrashCommand::List) => {
            let (loaded, zone) = begin(sources)?;
            printed(commands::trash_list(&loaded.config, &zone)?)
        }
        Command::Trash(TrashCommand::Restore { path }) => {
            printed(commands::trash_restore(&begin(sources)?.0.config, &path)?)
        }
    }
}

/// The configuration, with a log that is open.
fn begin(sources: &Sources) -> Result<(Loaded, TimeZone), CliError> {
    let loaded = config::load(sources)?;
    let zone = open_log(&loaded, &loaded.config.log)?;
    Ok((loaded, zone))
}

/// Opens the log and tells in it what the configuration left to say; the zone in which its times are.
fn open_log(loaded: &Loaded, log: &Log) -> Result<TimeZone, CliError> {
    let (zone, zone_note) = logging::zone::of_process();
    logging::init(log, zone.clone())?;
    SystemChance::check()?;
    for note in &loaded.notes {
        log::debug!("{note}");
    }
    for warning in loaded.warnings.iter().chain(&zone_note) {
        log::warn!("{warning}");
    }
    Ok(zone)
}

/// Prints what a command says at its end.
fn printed((exit, text): (ExitCode, String)) -> Result<ExitCode, CliError> {
    print(text)?;
    Ok(exit)
}

fn login(config: &Config, how: LoginHow, stop: Arc<Stop>) -> Result<ExitCode, CliError> {
    let exit = match how {
        LoginHow::Ask { now } => commands::login(config, now, stop)?,
        LoginHow::Import(file) => crate::app::session::take(config, &file)?,
        LoginHow::Export(file) => return Ok(crate::app::session::give(config, &file)?),
    };
    tell_daemon(config);
    Ok(exit)
}

/// Lets a daemon that waits for a session look at the stored one. The command has done its work whether or not it
/// hears, and it looks by itself too.
fn tell_daemon(config: &Config) {
    if let Err(error) = daemon::tell(config, &ControlRequest::SessionChanged) {
        log::debug!("the daemon could not be told of the session: {error}");
    }
}

fn tell_start(loaded: &Loaded) {
    log::info!("icloudds {}", env!("CARGO_PKG_VERSION"));
    for line in config::start_lines(loaded) {
        log::info!("{line}");
    }
}
