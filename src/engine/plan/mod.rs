//! The planner: three trees in, an ordered plan out.
//!
//! Pure: no I/O, no clock, and the same input always gives the same plan. It goes in stages, one module each. A stage takes what
//! the one before it made, a type that nobody else can make, so none can be called too early:
//!
//! 1. `collect` → `Items`: what happened to each item that something happened to.
//! 2. `decide` → `Decided`: what follows from it, by the table of `docs/sync.md` §4.
//! 3. `place` → `Placed`: where each item ends.
//! 4. `kept_folders` → `Kept`: which folders stay for what they hold; `zones` makes two items of one that cannot be moved to its place.
//! 5. `names` → `Nameable`: which names cannot be held.
//! 6. `claims` → `Claimed`: who gets a name that two items claim.
//! 7. `older` → `Explained`: which edits went back in time.
//! 8. `order`, with `tasks` and `actions`: what is to be done, what waits for what, and the operations.
//!
//! `collect` walks the whole trees, as `left_alone` does for what is never synced. Items that nothing happened to are never touched,
//! so after a few changes all but these two are small. `collect_touched` gives these two what was touched since the plan before, instead
//! of the walk: the plan is the same, and costs what was touched.

mod actions;
mod backed_up;
mod base_item;
mod claims;
mod collect;
mod collect_touched;
mod collected;
mod decide;
mod items;
mod kept_folders;
mod left_alone;
mod mount_points;
mod names;
mod older;
mod order;
mod paths;
mod place;
mod policy;
pub mod print;
mod target;
mod tasks;
#[cfg(test)]
mod tests;
mod zones;

pub use collect_touched::Earlier;
pub use collected::{Collected, Extent};
pub use left_alone::too_deep;
pub use policy::Policy;

use super::operation::{NoteKind, Plan};
use super::recognise::Recognition;
use super::view::{LocalView, RemoteView};
pub use crate::model::policy::{ConflictPolicy, Mode};
use crate::model::{BaseTree, Node};

/// Plans what makes both sides equal, as far as it can be known now.
pub fn plan(
    base: &BaseTree,
    local: &LocalView,
    remote: &RemoteView,
    recognition: &Recognition,
    policy: &Policy<'_>,
) -> Plan {
    plan_all(base, local, remote, recognition, policy).0
}

/// The same; and what [`plan_again`] needs of it, unless something happened to too much.
pub fn plan_all(
    base: &BaseTree,
    local: &LocalView,
    remote: &RemoteView,
    recognition: &Recognition,
    policy: &Policy<'_>,
) -> (Plan, Option<Collected>) {
    let world = items::World { base, local, remote, recognition, policy };
    let items = items::Items::collect(&world);
    follow(&world, items, local.tree.walk(Node::ROOT), remote.tree.walk(Node::ROOT))
}

/// The plan that [`plan`] makes, by what was touched since an earlier one. The policy must be that of the earlier plan, but for
/// what waits, what is lent and what never goes up. `None` where everything has to be planned.
pub fn plan_again(
    base: &BaseTree,
    local: &LocalView,
    remote: &RemoteView,
    recognition: &Recognition,
    policy: &Policy<'_>,
    earlier: Earlier<'_>,
) -> Option<(Plan, Collected)> {
    let world = items::World { base, local, remote, recognition, policy };
    let (items, odd) = collect_touched::collect(&world, earlier)?;
    let (plan, collected) = follow(&world, items, odd.here.into_iter(), odd.there.into_iter());
    Some((plan, collected?))
}

/// What follows from what was collected. What is never synced by its kind is among these nodes here and on iCloud.
fn follow(
    world: &items::World<'_>,
    mut items: items::Items,
    here: impl Iterator<Item = Node>,
    there: impl Iterator<Item = Node>,
) -> (Plan, Option<Collected>) {
    let collected = items.collected.take();
    let decided = decide::run(world, items);
    let placed = place::run(world, decided);
    let kept = kept_folders::run(world, placed);
    let nameable = names::run(world, kept);
    let claimed = claims::run(world, nameable);
    let explained = older::run(world, claimed);
    let mut plan = order::run(world, explained);
    plan.notes.extend(left_alone::skipped(world, here, there));
    plan.notes.sort_by(|a, b| a.path.cmp(&b.path));
    (plan, collected)
}

impl Plan {
    /// Whether it changes nothing on either side and compares nothing: both sides are as they should be. What is
    /// forgotten may be new to the next plan, as after a rejected deletion, so forgetting is not quiet.
    pub fn is_quiet(&self) -> bool {
        self.operations.iter().all(|operation| {
            matches!(
                operation.action,
                super::operation::Action::Agree { .. } | super::operation::Action::Keep { .. }
            )
        })
    }

    /// Whether something could not be planned for want of knowledge and has to be looked at again.
    pub fn is_unsettled(&self) -> bool {
        self.notes.iter().any(|note| matches!(note.kind, NoteKind::Unsettled(_)))
    }
}
