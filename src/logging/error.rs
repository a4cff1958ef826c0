//! Why logging could not start.

use std::path::PathBuf;

use log::SetLoggerError;

use crate::exit::ExitCode;

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log file's folder could not be created.
    #[error("log.file: cannot create the folder {folder}: {source}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The log file could not be opened.
    #[error("log.file: cannot open {file} for writing: {source}")]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A logger is there already.
    #[error("logging was started twice")]
    Twice(#[from] SetLoggerError),
}

impl LogError {
    /// With which code the program ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Folder { .. } | Self::Open { .. } => ExitCode::Configuration,
            Self::Twice(_) => ExitCode::Unexpected,
        }
    }
}
