//! What power cuts may have left of writings here (`docs/sync.md` §6, Replacing a file).

use super::Engine;
use crate::engine::ports::Ports;
use crate::model::{HiddenPlaces, Mounted, PowerCuts, Reading};

impl Engine {
    /// What may have met a power cut of what the last look here saw.
    pub(super) fn power_cuts(&self, ports: &Ports<'_>) -> PowerCuts<'_> {
        let now = ports.clock.reading();
        let mounts = self.local.as_ref().map_or(&[][..], |view| &view.mounts);
        PowerCuts::since(self.state.mounted.as_ref(), self.left_open.time.as_ref(), now, mounts)
            .by(ports.disk.skews())
    }

    /// What the power may have left under the times that it had is to be read with the next plan.
    pub(super) fn doubt_after_power(&mut self, ports: &Ports<'_>) {
        let Some(local) = &self.local else { return };
        let (now, noted) = (ports.clock.reading(), self.left_open.time.as_ref().map(|time| time.wall));
        let cuts =
            PowerCuts::since(self.state.mounted.as_ref(), self.left_open.time.as_ref(), now, &local.mounts);
        self.doubted.after_power(cuts, noted, now, &local.mounts);
        self.doubted.was_hidden(self.state.mounted.as_ref());
    }

    /// What is to be stored once all edits of the last look here were planned for but those in `hidden`, and in what could not be read;
    /// `None` where that is stored already.
    pub(super) fn seen_as_mounted(&self, now: Reading, hidden: HiddenPlaces) -> Option<Mounted> {
        let mounts = &self.local.as_ref()?.mounts;
        let known = self.state.mounted.as_ref();
        let unread = self.doubted.unread();
        let earlier = known.and_then(|known| known.hidden_since);
        let hidden_since = if hidden.is_empty() { None } else { self.doubted.earliest_since(earlier) };
        let is_known = known.is_some_and(|known| {
            (known.boot, &known.mounts, &known.hidden, &known.unread) == (now.boot, mounts, &hidden, &unread)
        });
        (!is_known).then(|| Mounted { hidden, hidden_since, unread, ..Mounted::seen(known, now, mounts) })
    }

    /// What is to be stored at the end of the process, once all that was written at `now` to the file systems that are mounted as `mounts`
    /// says is durable: no power cut after it leaves a part of that. `None` where not all edits were seen as they are mounted now.
    pub fn once_durable(&self, now: Reading, mounts: &[u64]) -> Option<Mounted> {
        self.state.mounted.as_ref()?.made_durable(now, self.state.seconds(now), mounts)
    }
}
