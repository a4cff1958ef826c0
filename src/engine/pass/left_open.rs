//! What an earlier process, or an earlier pass, left to settle.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Arriving, Intent, LivedTime};

/// What an earlier process left open.
#[derive(Default)]
pub(super) struct LeftOpen {
    /// How often it was tried in vain to settle an operation that was cut short.
    pub(super) refused: HashMap<u64, u32>,
    /// What came here right before that process ended, and was not found under its path.
    pub(super) astray: Vec<Arriving>,
    /// When the last two whole walks of iCloud came to their end, in lived seconds.
    pub(super) walked: [i64; 2],
    /// Since when operations of this process are open, in lived seconds, by the numbers of their intents.
    pub(super) since: BTreeMap<u64, i64>,
    /// What it had noted of the time.
    pub(super) time: Option<LivedTime>,
    /// Whether another boot began, or the clock was set, and that is not stored yet.
    pub(super) has_unnoted_time: bool,
}

impl LeftOpen {
    /// A pass ended at `now`, in lived seconds, and these operations are open.
    pub(super) fn ended(&mut self, open: &BTreeMap<u64, Intent>, now: i64) {
        self.since.retain(|number, _| open.contains_key(number));
        for number in open.keys() {
            self.since.entry(*number).or_insert(now);
        }
    }
}
