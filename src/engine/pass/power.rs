//! What power cuts may have left of writings here (`docs/sync.md` §6, Replacing a file).

use std::collections::BTreeSet;

use super::Engine;
use crate::engine::ports::Ports;
use crate::engine::recognise::{Content, LocalFate, Recognition};
use crate::model::{ItemId, Mounted, Node, PowerCuts, Reading};

impl Engine {
    /// What may have met a power cut of what the last look here saw.
    pub(super) fn power_cuts(&self, ports: &Ports<'_>) -> PowerCuts {
        let now = ports.clock.reading();
        let mounts = self.local.as_ref().map_or(&[][..], |view| &view.mounts);
        PowerCuts::since(self.state.mounted.as_ref(), self.left_open.time.as_ref(), now, mounts)
            .by(ports.disk.skews())
    }

    /// Whose edits here may be what a power cut left, and who may be gone with it, whatever becomes of them now. Once they were noted the next looks are no first ones.
    pub(super) fn cut_short(&self, recognition: &Recognition, power_cuts: PowerCuts) -> BTreeSet<ItemId> {
        let Some(local) = &self.local else { return BTreeSet::new() };
        if !power_cuts.is_first_look() {
            return BTreeSet::new();
        }
        let base = &self.state.base;
        let found = base.walk(Node::ROOT).filter_map(|node| match recognition.of_base[node] {
            LocalFate::There { node: here, content: Content::Edited | Content::Unread } => {
                power_cuts.may_have_cut(&local.tree.get(here).stamp).then(|| base.get(node).remote.id.clone())
            }
            // Not every file system keeps a name while another file gets it.
            LocalFate::Deleted => Some(base.get(node).remote.id.clone()),
            _ => None,
        });
        found.collect()
    }

    /// What is to be stored once all edits of the last look here were planned for; `None` where that is stored already.
    pub(super) fn seen_as_mounted(&self, now: Reading) -> Option<Mounted> {
        let mounts = &self.local.as_ref()?.mounts;
        let known = self.state.mounted.as_ref();
        let is_known = known.is_some_and(|known| known.boot == now.boot && known.mounts == *mounts);
        (!is_known).then(|| Mounted::seen(known, now, mounts))
    }

    /// What is to be stored at the end of the process, once all that was written at `now` to the file systems that are mounted as `mounts`
    /// says is durable: no power cut after it leaves a part of that. `None` where not all edits were seen as they are mounted now.
    pub fn once_durable(&self, now: Reading, mounts: &[u64]) -> Option<Mounted> {
        self.state.mounted.as_ref()?.made_durable(now, self.state.seconds(now), mounts)
    }
}
