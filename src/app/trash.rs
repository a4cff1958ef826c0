//! What the local trash may lose, and when (`docs/sync.md` §5, Trash).

use std::collections::BTreeSet;

use crate::config::Trash;
use crate::disk::{LocalDisk, TrashItem};
use crate::engine::ports::DiskError;
use crate::model::{LivedTime, Reading, RelPath, State};

/// What of the state says how old a version is, and which must stay.
pub struct Kept {
    time: Option<LivedTime>,
    /// Paths of items that are held or set aside: a version in the trash may be the only one.
    protected: BTreeSet<RelPath>,
}

impl Kept {
    /// What that state says.
    pub fn of(state: &State) -> Self {
        let held = state.guard.held.iter().filter_map(|held| RelPath::parse(&held.path).ok());
        Self { time: state.time.clone(), protected: state.set_aside.keys().cloned().chain(held).collect() }
    }

    /// Removes from the local trash what the configuration does not keep, and tells it.
    ///
    /// # Errors
    ///
    /// When the disk refuses; what was removed until then is.
    pub fn prune(&self, disk: &LocalDisk, trash: &Trash, now: Reading) -> Result<(), DiskError> {
        let keep_days =
            trash.keep.map_or(0, |keep| u32::try_from(keep.as_secs() / 86_400).unwrap_or(u32::MAX));
        let time = self.time.clone().unwrap_or_else(|| LivedTime::begin(now));
        let age = |item: &TrashItem| {
            let by = |made: jiff::Timestamp| time.least_age(made.as_second(), now);
            by(item.when).min(by(item.changed))
        };
        let protected = |item: &TrashItem| self.protected.contains(&item.path);
        let pruned = disk.prune(&age, keep_days, trash.max_size.unwrap_or(0), &protected)?;
        if pruned.files > 0 {
            log::info!(files = pruned.files, bytes = pruned.bytes; "removed old versions from the local trash");
        }
        Ok(())
    }
}
