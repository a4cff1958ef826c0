//! How a process ends, and what goes with the power.

use icloudds::engine::ports::{Clock as _, Disk as _};
use icloudds::model::Change;

use super::history::Twist;
use super::run::Run;
use crate::sim::Crash;

impl Run {
    /// The process is told to end, and in every other history takes the time to make durable what was written.
    pub fn end(&mut self) {
        let Some(mut engine) = self.engine.take() else { return };
        if !crate::sim::rng::mix(self.world.seed ^ 0xe4d).is_multiple_of(2) {
            return;
        }
        let disk = &self.world.disk;
        if let Some(noted) = engine.once_durable(self.world.clock.reading(), &disk.mounts()) {
            disk.sync_all();
            drop(engine.commit(&[Change::Mounted(noted)]));
        }
    }

    /// What goes when the power does, in this history.
    pub fn goes_away(&self, crash: Crash) -> Crash {
        let is_the_disk = crash == Crash::PowerCut && self.history.has(Twist::DiskLosesPower);
        if is_the_disk { Crash::DiskAway } else { crash }
    }
}
