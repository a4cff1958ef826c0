//! Edge: the control socket, through which commands and the web page reach the daemon (`docs/contract.md`, "Commands").
//!
//! The server turns each request into a [`ControlCall`] for the loop and sends back what the loop answers. It decides
//! nothing itself, and whatever a client does, slow, broken or hostile, costs at most one of a few connections for a few
//! seconds. The loop is never waited for without a limit, so that `health` fails instead of hanging when it is stuck.

mod client;
#[cfg(test)]
mod fuzz_tests;
mod line;
mod message;
mod server;
mod socket;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

pub use client::ControlClient;
pub use message::{
    CodeWays, ControlCall, ControlReply, ControlRequest, Counters, Held, Refusal, SendHow, TrashList,
    TrashVersion, ask, limit_of,
};
pub use server::{ControlServer, MAX_CONNECTIONS};

use crate::exit::ExitCode;

/// Why the control socket could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket's address cannot hold the path.
    #[error(
        "{path}: longer than the {limit} bytes that a socket's path can have; choose a shorter sync.state_directory"
    )]
    TooLong {
        /// The socket.
        path: PathBuf,
        /// Bytes.
        limit: usize,
    },
    /// Somebody answers there already.
    #[error("{path}: another daemon is listening")]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is no socket has the name.
    #[error("{path}: in the way of the control socket; remove it")]
    InTheWay {
        /// What is there.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// The verb, as in "cannot reach".
        what: &'static str,
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The daemon is there but says nothing.
    #[error("the daemon has not answered for {seconds} s")]
    Silent {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The daemon's answer cannot be read.
    #[error("the daemon's answer cannot be understood: {0}")]
    Unreadable(String),
}

impl ControlError {
    /// With which code a command ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::TooLong { .. } => ExitCode::Configuration,
            Self::InUse { .. } => ExitCode::Busy,
            Self::InTheWay { .. } | Self::Io { .. } | Self::Silent { .. } | Self::Unreadable(_) => {
                ExitCode::Unexpected
            }
        }
    }
}
