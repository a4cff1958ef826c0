//! Why a command did not do what it should.

use std::io;

use super::args::UsageError;
use super::print::PrintError;
use crate::app::AppError;
use crate::app::typed_path::NotInRoot;
use crate::chance::NoRandomness;
use crate::config::ConfigError;
use crate::control::{ControlError, Refusal};
use crate::disk::LockError;
use crate::exit::ExitCode;
use crate::logging::LogError;
use crate::model::plain::plain;

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
    /// The command could not do its work.
    #[error(transparent)]
    App(#[from] AppError),
    /// No key can be made.
    #[error(transparent)]
    Chance(#[from] NoRandomness),
    /// The daemon could not be asked, or said no.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
}

impl CliError {
    /// With which code the program ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::Configuration,
            Self::Config(error) => error.exit_code(),
            Self::Log(error) => error.exit_code(),
            Self::Daemon(error) => error.exit_code(),
            Self::Print(_) | Self::Chance(_) => ExitCode::Unexpected,
            Self::App(error) => error.exit_code(),
        }
    }

    /// What the owner should do, one sentence; empty when the message says it.
    pub fn advice(&self) -> String {
        match self {
            Self::App(AppError::Locked(LockError::Held { .. })) => {
                "to have it sync now use `icloudds sync-now`; `icloudds status` tells what it does".to_owned()
            }
            Self::App(error) => error.advice(),
            _ => String::new(),
        }
    }
}

/// Why a command that asks the daemon did not get what it wanted.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// No daemon is running.
    #[error("no daemon is running for {state_directory}; start it with `icloudds run`")]
    None {
        /// `sync.state_directory`.
        state_directory: String,
    },
    /// The daemon said no.
    #[error("{}", said(.0))]
    Refused(Refusal),
    /// It cannot be talked to.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// It answered another question.
    #[error(
        "the daemon's answer fits another question; use the `icloudds` of the same version as the daemon"
    )]
    Answer,
    /// Its last known state cannot be read.
    #[error("cannot read {path}: {source}")]
    Stored {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The path is not one of the synced folder.
    #[error(transparent)]
    Path(#[from] NotInRoot),
}

impl DaemonError {
    /// With which code the program ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::None { .. } => ExitCode::NoDaemon,
            Self::Refused(refusal) => ExitCode::from_code(refusal.exit).unwrap_or(ExitCode::Unexpected),
            Self::Control(error) => error.exit_code(),
            Self::Answer | Self::Stored { .. } => ExitCode::Unexpected,
            Self::Path(_) => ExitCode::Configuration,
        }
    }
}

fn said(refusal: &Refusal) -> String {
    match refusal.advice.as_str() {
        "" => plain(&refusal.message),
        advice => format!("{}; {}", plain(&refusal.message), plain(advice)),
    }
}
