//! What can receive the code of a second factor (`docs/protocol.md` §4), as a half-open sign-in keeps it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A phone that can receive codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// The service's number for it.
    pub id: i64,
    /// How the service shows it, mostly dots.
    pub number: String,
    /// `sms` or `voice`.
    pub mode: String,
    /// Copied back as it came.
    pub non_fteu: Option<bool>,
}

/// A device of a two-step account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDevice {
    /// How the service shows it.
    pub name: String,
    /// Sent back as it came.
    pub raw: Value,
}

/// How the last code was sent; it must be submitted the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SentBy {
    /// Shown on the trusted devices.
    Device,
    /// To a phone.
    Phone(Phone),
    /// To a device of a two-step account.
    Step(StepDevice),
}
