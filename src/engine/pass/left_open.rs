//! What an earlier process, or an earlier pass, left to settle.

use std::collections::HashMap;

use crate::model::{Arriving, LivedTime, Upload};

/// What an earlier process left open.
#[derive(Default)]
pub(super) struct LeftOpen {
    /// How often it was tried in vain to settle an operation that was cut short.
    pub(super) refused: HashMap<u64, u32>,
    /// What came here right before that process ended, and was not found under its path.
    pub(super) astray: Vec<Arriving>,
    /// Uploads that had not come, of this process too, and until when, in lived seconds, their calls may take effect.
    pub(super) late: Vec<(Upload, i64)>,
    /// When the last two whole walks of iCloud came to their end, in lived seconds.
    pub(super) walked: [i64; 2],
    /// What it had noted of the time.
    pub(super) time: Option<LivedTime>,
}
