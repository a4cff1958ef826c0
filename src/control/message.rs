//! What can be asked of the daemon, and what it answers: one type for the socket and the web page.

use std::time::Duration;

use crossbeam::channel::{Receiver, SendTimeoutError, Sender, bounded};
use serde::{Deserialize, Serialize};

use crate::exit::ExitCode;
use crate::model::state::{Deletion, GuardState};
use crate::secret::Secret;
use crate::status::{CallCount, StatusDocument, When};

/// What can be asked of the daemon. On the socket: one JSON object on a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ControlRequest {
    /// The status document.
    Status,
    /// Whether the loop ticks; with `ready`, whether it syncs.
    Health {
        /// For readiness.
        #[serde(default)]
        ready: bool,
    },
    /// What was decided for a path, and why.
    Why {
        /// Relative to the synced folder, `/`-separated.
        path: String,
    },
    /// What a pass would do; nothing is changed.
    Plan {
        /// As JSON instead of text.
        #[serde(default)]
        json: bool,
    },
    /// A full pass now.
    SyncNow,
    /// The deletions that are held.
    Held {
        /// So many of the first are left out, for lists longer than an answer.
        #[serde(default)]
        skip: u64,
    },
    /// Decides on them.
    Approve {
        /// Restores instead.
        #[serde(default)]
        reject: bool,
        /// The name of the list that was shown ([`Held::list`]); the answer holds for no other one. Without it the answer
        /// is about what is held now.
        #[serde(default)]
        list: Option<String>,
    },
    /// Stops syncing.
    Pause,
    /// Starts it again.
    Resume,
    /// Hands over a second-factor code.
    Code {
        /// Digits only.
        #[serde(with = "code")]
        code: Secret,
    },
    /// The ways to get a code.
    CodeWays,
    /// Asks for a code.
    CodeSend {
        /// In which way.
        how: SendHow,
    },
    /// The newest versions in the local trash.
    Trash,
    /// Brings one of them back.
    Restore {
        /// The path that it had.
        path: String,
        /// Which version of it ([`TrashVersion::version`]); the newest where none is named.
        #[serde(default)]
        version: Option<String>,
    },
    /// What is counted for monitoring, beside the status.
    Counters,
    /// The stored session changed: `login` or `logout` ran.
    SessionChanged,
    /// The stored decision on held deletions, or other stored state, changed.
    StateChanged,
}

/// How a code is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SendHow {
    /// As the account usually does.
    Usual,
    /// Shown on the trusted devices.
    Device,
    /// By SMS to the listed number of this place, from 1 (two-step accounts: to that device).
    Sms {
        /// The place; the first where none is given.
        #[serde(default)]
        number: Option<usize>,
    },
    /// By a call to the listed number of this place, from 1.
    Voice {
        /// The place; the first where none is given.
        #[serde(default)]
        number: Option<usize>,
    },
}

/// A code crosses the socket, and nothing else, as text.
mod code {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::secret::Secret;

    pub(super) fn serialize<S: Serializer>(code: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(code.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Secret::while_held(text))
    }
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum ControlReply {
    /// To `Status`.
    Status {
        /// The document.
        status: Box<StatusDocument>,
    },
    /// To `Health`.
    Health {
        /// Alive, or ready.
        healthy: bool,
        /// One line.
        why: String,
    },
    /// To `Why` and `Plan`: what to print, lines with their ends.
    Text {
        /// The text.
        text: String,
    },
    /// To `Held`.
    Held {
        /// What waits.
        held: Held,
    },
    /// To `CodeWays`.
    Ways {
        /// The ways.
        ways: CodeWays,
    },
    /// To `Trash`.
    Trash {
        /// What is in it.
        trash: TrashList,
    },
    /// To `Counters`.
    Counters {
        /// The counters.
        counters: Counters,
    },
    /// It was done, or begun.
    Done {
        /// One sentence, without a full stop.
        said: String,
    },
    /// It was not done.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

/// Deletions that wait for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// How many there are.
    pub count: u64,
    /// Some of them, in order.
    pub deletions: Vec<Deletion>,
    /// The name of the whole list, for the answer.
    #[serde(default)]
    pub list: String,
}

impl Held {
    /// How many deletions one answer names.
    pub const NAMED: usize = 1000;

    /// The held deletions of a state, without the first `skip`, as many as one answer names.
    pub fn of(guard: &GuardState, skip: u64) -> Self {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Self {
            count: guard.held.len() as u64,
            deletions: guard.held.iter().skip(skip).take(Self::NAMED).cloned().collect(),
            list: guard.list_name(),
        }
    }
}

/// The local trash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrashList {
    /// How many versions there are.
    pub count: u64,
    /// The newest of them, newest first.
    pub versions: Vec<TrashVersion>,
}

impl TrashList {
    /// How many versions one answer names.
    pub const NAMED: usize = 500;
}

/// One version in the local trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrashVersion {
    /// The path that it had.
    pub path: String,
    /// Its name among the versions of that path.
    pub version: String,
    /// When it came into the trash.
    pub at: When,
    /// Bytes.
    pub size: u64,
}

/// What is counted since the start, for monitoring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Requests to iCloud by kind of call.
    pub requests: Vec<CallCount>,
    /// Whether the last walk through iCloud read every folder and each one added up; `null` before the first.
    pub walk_complete: Option<bool>,
    /// How often a walk saw a change that iCloud's change feed did not tell, since the start.
    #[serde(default)]
    pub feed_disagreements: u64,
    /// How often a walk saw a change below a folder whose etag stayed although it was relied on, since the start.
    #[serde(default)]
    pub etag_disagreements: u64,
}

/// The ways in which a code can come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeWays {
    /// Whether trusted devices can show one.
    pub device: bool,
    /// Phone numbers as the service shows them, or the devices of a two-step account.
    pub numbers: Vec<String>,
    /// The places, from 1, of numbers that get a call where others get a message.
    #[serde(default)]
    pub voice: Vec<usize>,
    /// Whether the account uses the older two-step verification.
    pub two_step: bool,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// With which code the command ends (`docs/contract.md`, "Exit codes").
    pub exit: u8,
    /// What went wrong, without a full stop.
    pub message: String,
    /// What to do about it; may be empty.
    #[serde(default)]
    pub advice: String,
}

impl ControlReply {
    /// It was done.
    pub fn done(said: impl Into<String>) -> Self {
        Self::Done { said: said.into() }
    }

    /// It was not done.
    pub fn refused(exit: ExitCode, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Refused {
            refusal: Refusal { exit: exit.code(), message: message.into(), advice: advice.into() },
        }
    }
}

/// A request on its way to the loop.
#[derive(Debug)]
pub struct ControlCall {
    /// What is asked.
    pub request: ControlRequest,
    reply: Sender<ControlReply>,
}

impl ControlCall {
    /// A call, and where its answer arrives.
    pub fn new(request: ControlRequest) -> (Self, Receiver<ControlReply>) {
        // Room for the one answer, so that answering never waits.
        let (reply, answer) = bounded(1);
        (Self { request, reply }, answer)
    }

    /// Answers. Never waits; nothing happens when the asker has gone.
    pub fn answer(self, reply: ControlReply) {
        let _ = self.reply.try_send(reply);
    }
}

/// How long the loop has for an answer.
pub fn limit_of(request: &ControlRequest) -> Duration {
    Duration::from_secs(match request {
        ControlRequest::Status
        | ControlRequest::Health { .. }
        | ControlRequest::SyncNow
        | ControlRequest::Pause
        | ControlRequest::Resume
        | ControlRequest::SessionChanged
        | ControlRequest::StateChanged
        | ControlRequest::Counters => 5,
        ControlRequest::Why { .. } | ControlRequest::Held { .. } | ControlRequest::Approve { .. } => 15,
        // These wait for the disk.
        ControlRequest::Trash | ControlRequest::Restore { .. } => 60,
        // These wait for iCloud.
        ControlRequest::Code { .. } | ControlRequest::CodeWays | ControlRequest::CodeSend { .. } => 120,
        // A complete listing of a large drive.
        ControlRequest::Plan { .. } => 1800,
    })
}

/// Hands `request` to the loop and waits for its answer, at most as long as [`limit_of`] says and not beyond the closing
/// of `stop`.
pub fn ask<T>(
    request: ControlRequest,
    calls: &Sender<ControlCall>,
    stop: &Receiver<T>,
    limit: Duration,
) -> ControlReply {
    let is_health = matches!(request, ControlRequest::Health { .. });
    let (call, answer) = ControlCall::new(request);
    // The loop takes calls between its other work; while it is stuck, this channel fills and times out.
    let failure = match calls.send_timeout(call, limit) {
        Ok(()) => crossbeam::channel::select! {
            recv(answer) -> reply => match reply {
                Ok(reply) => return reply,
                Err(_) => Failure::Stopping,
            },
            recv(stop) -> _ => Failure::Stopping,
            default(limit) => Failure::Stuck,
        },
        Err(SendTimeoutError::Timeout(_)) => Failure::Stuck,
        Err(SendTimeoutError::Disconnected(_)) => Failure::Stopping,
    };
    let why = match failure {
        Failure::Stuck => format!("the daemon's loop has not answered for {} s", limit.as_secs()),
        Failure::Stopping => "the daemon is stopping".to_owned(),
    };
    if is_health {
        return ControlReply::Health { healthy: false, why };
    }
    ControlReply::refused(ExitCode::Unexpected, why, "")
}

/// Why there is no answer.
#[derive(Clone, Copy)]
enum Failure {
    Stuck,
    Stopping,
}
