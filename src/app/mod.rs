//! The program: opens the edges, runs passes, tells people about them.
//!
//! Everything below is wiring; what is decided is decided in the engine.

pub mod commands;
pub mod durable;
pub mod feed_state;
#[cfg(test)]
mod fuzz_tests;
pub mod local_root;
pub mod once;
pub mod open;
pub mod purpose;
pub mod remote_root;
pub mod report;
pub mod session;
pub mod told;
pub mod trash;
pub mod typed_path;
pub mod wording;

use crate::disk::{LockError, OpenError};
use crate::engine::pass::PassError;
use crate::engine::ports::{DiskError, RemoteError, StoreError};
use crate::exit::ExitCode;
use crate::icloud::signin::error::SignInError;
use crate::store;
use typed_path::NotInRoot;

/// Why a command could not do its work. `main` prints it, and [`AppError::advice`] below it.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Another instance works with the state or the drive.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The drive's folder cannot be used.
    #[error(transparent)]
    Drive(#[from] OpenError),
    /// The drive, the account or `remote_root` is another one than the state's.
    #[error("{0}")]
    Foreign(String),
    /// The stored state cannot be opened.
    #[error(transparent)]
    State(#[from] store::OpenError),
    /// The state cannot be saved.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Signing in failed.
    #[error("{0}")]
    SignIn(SignInError),
    /// A pass failed.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// iCloud failed outside a pass.
    #[error("{0}")]
    Remote(RemoteError),
    /// The disk failed outside a pass.
    #[error("{0}")]
    Disk(DiskError),
    /// A file of ours cannot be read or written.
    #[error("{what} {path}: {source}")]
    Io {
        /// What failed, as in "cannot create".
        what: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The command cannot do what was asked, with the exit code that says so.
    #[error("{message}")]
    Refused {
        /// One sentence with what to do.
        message: String,
        /// The code to end with.
        exit: ExitCode,
    },
}

impl From<SignInError> for AppError {
    fn from(error: SignInError) -> Self {
        Self::SignIn(error)
    }
}

impl From<NotInRoot> for AppError {
    fn from(error: NotInRoot) -> Self {
        Self::Refused { message: error.to_string(), exit: ExitCode::Configuration }
    }
}

impl From<RemoteError> for AppError {
    fn from(error: RemoteError) -> Self {
        Self::Remote(error)
    }
}

impl From<DiskError> for AppError {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::WrongRoot(text) => Self::Foreign(text),
            other => Self::Disk(other),
        }
    }
}

impl AppError {
    /// With which code the program ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Locked(error) => error.exit_code(),
            Self::Drive(_) | Self::Foreign(_) | Self::Pass(PassError::WrongFolder(_)) => {
                ExitCode::LocalDirectory
            }
            Self::State(store::OpenError::InUse { .. }) => ExitCode::Busy,
            Self::SignIn(error) => error.exit_code(),
            Self::Pass(PassError::Remote(error)) | Self::Remote(error) => of_remote(error),
            Self::Pass(PassError::Disk(_) | PassError::Full(_) | PassError::Short(_)) | Self::Disk(_) => {
                ExitCode::LocalDirectory
            }
            Self::State(_) | Self::Store(_) | Self::Pass(PassError::Store(_)) | Self::Io { .. } => {
                ExitCode::Unexpected
            }
            Self::Refused { exit, .. } => *exit,
        }
    }

    /// What the owner should do, one sentence; empty when the message says it.
    pub fn advice(&self) -> String {
        match self {
            Self::SignIn(error) => error.advice(),
            _ => String::new(),
        }
    }
}

fn of_remote(error: &RemoteError) -> ExitCode {
    match error {
        RemoteError::Account { cause, .. } => (*cause).into(),
        _ => ExitCode::Service,
    }
}
