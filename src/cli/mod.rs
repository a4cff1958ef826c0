//! The command line: from arguments to a command, from a command to an exit code.

mod args;
mod check_config;
pub mod daemon;
mod help;
mod print;

use std::ffi::OsString;

pub use args::{CodeRequest, Command, Invocation, SendWay, TrashCommand, UsageError, parse};
pub use print::{PrintError, print};

use crate::config::{self, ConfigError, Sources};
use crate::control::ControlRequest;
use crate::exit::ExitCode;
use crate::logging::LogError;

/// Why a command ended without doing what it should. `main` prints it and its sources.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line is wrong.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logging could not start.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Standard output could not be written to.
    #[error(transparent)]
    Print(#[from] PrintError),
    /// The daemon could not be asked, or said no.
    #[error(transparent)]
    Daemon(#[from] daemon::DaemonError),
    /// The command is part of the contract but not of this version.
    #[error("the command {0} is not built in this version")]
    NotBuilt(&'static str),
}

impl CliError {
    /// With which code the program ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::NotBuilt(_) => ExitCode::Configuration,
            Self::Config(error) => error.exit_code(),
            Self::Log(error) => error.exit_code(),
            Self::Daemon(error) => error.exit_code(),
            Self::Print(_) => ExitCode::Unexpected,
        }
    }
}

/// Runs the program with `arguments`, its own name left out.
///
/// # Errors
///
/// [`CliError`], whose [`CliError::exit_code`] is the one to end with.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<ExitCode, CliError> {
    let Invocation { config, command } = parse(arguments)?;
    let sources = Sources::of_process(config);
    match command {
        Command::Version => {
            print(concat!("icloudds ", env!("CARGO_PKG_VERSION"), "\n"))?;
            Ok(ExitCode::Success)
        }
        Command::Help(topic) => {
            print(help::text(topic))?;
            Ok(ExitCode::Success)
        }
        Command::CheckConfig => check_config::run(&sources),
        Command::Status { json } => daemon::status(&config::load(&sources)?.config, json),
        Command::Health { ready } => daemon::health(&config::load(&sources)?.config, ready),
        Command::Code(request) => daemon::code(&config::load(&sources)?.config, request),
        Command::SyncNow => daemon::steer(&config::load(&sources)?.config, &ControlRequest::SyncNow),
        Command::Pause => daemon::steer(&config::load(&sources)?.config, &ControlRequest::Pause),
        Command::Resume => daemon::steer(&config::load(&sources)?.config, &ControlRequest::Resume),
        other => Err(CliError::NotBuilt(other.name())),
    }
}
