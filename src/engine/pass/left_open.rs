//! What an earlier process left for this one to settle.

use std::collections::HashMap;

use crate::model::{Arriving, LivedTime};

/// What an earlier process left open.
#[derive(Default)]
pub(super) struct LeftOpen {
    /// How often it was tried in vain to settle an operation that was cut short.
    pub(super) refused: HashMap<u64, u32>,
    /// What came here right before that process ended, and was not found under its path.
    pub(super) astray: Vec<Arriving>,
    /// What it had noted of the time.
    pub(super) time: Option<LivedTime>,
}
