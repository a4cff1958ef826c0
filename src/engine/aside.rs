//! When a set-aside item is one no more without having been tried again.

use std::collections::BTreeSet;

use super::operation::Plan;
use super::pass::{Engine, PassOptions};
use crate::model::{Change, RelPath};

impl Engine {
    /// What has to be forgotten of the set-aside items: those that are on neither side any more, and those whose time to be
    /// tried had come when nothing was left to do for them. Otherwise they would be told for ever.
    pub(super) fn no_longer_set_aside(
        &self,
        plan: &Plan,
        options: &PassOptions<'_>,
        now: i64,
    ) -> Vec<Change> {
        // What was not seen is not gone.
        let (Some(local), Some(remote)) = (&self.local, &self.remote) else { return Vec::new() };
        if !remote.complete || self.state.set_aside.is_empty() {
            return Vec::new();
        }
        let planned: BTreeSet<&RelPath> = plan.operations.iter().map(|operation| &operation.path).collect();
        let is_over = |path: &RelPath, next_try: Option<i64>| {
            if planned.contains(path) {
                return false;
            }
            let was_due = options.ignore_next_try || next_try.is_some_and(|next| next <= now);
            was_due || (local.tree.find(path).is_none() && remote.tree.find(path).is_none())
        };
        let over = self.state.set_aside.iter().filter(|(path, item)| is_over(path, item.next_try));
        over.map(|(path, _)| Change::SetAside(path.clone(), None)).collect()
    }
}
