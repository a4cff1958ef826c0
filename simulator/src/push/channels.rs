//! The tokens of the push channel.

use std::collections::BTreeMap;
use std::time::SystemTime;

/// What the courier knows.
#[derive(Debug, Default)]
pub struct PushState {
    pub(super) channels: BTreeMap<String, Channel>,
}

/// What is told to one token.
#[derive(Debug)]
pub(super) struct Channel {
    /// When the token was given.
    pub(super) born: SystemTime,
    /// It is registered for the Drive.
    pub(super) registered: bool,
    /// The drive's changes that it was told of.
    pub(super) told: u64,
    /// Its last notification is told once more.
    pub(super) again: bool,
}
