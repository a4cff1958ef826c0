//! The planner: three trees in, an ordered plan out.
//!
//! Pure: no I/O, no clock, and the same input always gives the same plan. It goes in steps, one module each:
//!
//! 1. `collect`: what happened to each item that something happened to. It walks the whole trees, as `skipped` does for what is
//!    never synced.
//! 2. `decide`: what follows from it, by the table of `docs/sync.md` §4.
//! 3. `place`: where each item ends; `zones`: items that cannot be moved there; `folders`: which folders stay
//!    for what they hold.
//! 4. `names`: which names cannot be held; `claims`: who gets a name that two items claim.
//! 5. `tasks`, `order`, `actions`: what is to be done, what waits for what, and the operations.
//!
//! Items that nothing happened to are never touched, so after a few changes all but these two steps are small. `again` gives
//! these two what was touched since the plan before, instead of the walk: the plan is the same, and costs what was touched.

mod actions;
mod again;
mod claims;
mod collect;
mod collected;
mod decide;
mod folders;
mod items;
mod known;
mod names;
mod older;
mod order;
mod place;
pub mod print;
mod target;
mod tasks;
#[cfg(test)]
mod tests;
mod zones;

pub use again::Earlier;
pub use collected::Collected;

use std::collections::BTreeSet;

use super::operation::{Note, NoteKind, Plan};
use super::recognise::Recognition;
use super::view::{LocalView, RemoteView};
use crate::model::path::{DEEPEST, LONGEST_PATH_BYTES};
use crate::model::policy::Replacement;
pub use crate::model::policy::{ConflictPolicy, Mode};
use crate::model::{BaseTree, FolderState, ItemId, LocalKind, Node, RelPath, RemoteKind};

/// What the owner configured, as far as planning needs it.
pub struct Policy<'a> {
    /// Which sides may change.
    pub mode: Mode,
    /// Who keeps the name in a conflict.
    pub conflict: ConflictPolicy,
    /// How an edit replaces the version on iCloud.
    pub replacement: Replacement,
    /// Larger files are left alone; bytes.
    pub max_file_size: Option<u64>,
    /// Whether a path takes part, by the filter.
    pub takes_part: &'a dyn Fn(&RelPath) -> bool,
    /// Whether a path is built-in junk (`.DS_Store`, …), which keeps no folder alive.
    pub is_junk: &'a dyn Fn(&RelPath) -> bool,
    /// Whether an item is set aside and its next try is not due.
    pub is_waiting: &'a dyn Fn(&RelPath) -> bool,
    /// Whether an item on iCloud bears a temporary name of ours that was first seen a moment ago: whoever gave it, on another
    /// machine of this account perhaps, is about to take it back.
    pub is_lent: &'a dyn Fn(&ItemId) -> bool,
    /// Files here that never go up.
    pub local_only: &'a BTreeSet<RelPath>,
    /// `YYYY-MM-DD HH-MM-SS HOST`, for conflict copies.
    pub conflict_mark: &'a str,
    /// Whether the local disk cannot hold names apart that differ only in case.
    pub local_folds_case: bool,
    /// Contents that were modified since then, Unix seconds, are transferred before all others: somebody waits for them.
    pub recent_since: i64,
    /// When the machine was started, Unix seconds.
    pub started_at: i64,
}

/// How much of the trees a plan has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    #[default]
    Whole,
    /// What was touched since the plan before alone: so many items of the base.
    Touched(usize),
}

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
    let (items, odd) = again::collect(&world, earlier)?;
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
    decide::decide(world, &mut items);
    place::place(world, &mut items);
    names::set_aside(world, &mut items);
    claims::settle(world, &mut items);
    older::find(world, &mut items);
    skipped(world, &mut items.notes, here, there);
    items.notes.sort_by(|a, b| a.path.cmp(&b.path));
    (order::emit(world, items), collected)
}

/// What is never synced by its kind, is named so that no path can hold it, or could not be read.
fn skipped(
    world: &items::World<'_>,
    notes: &mut Vec<Note>,
    here: impl Iterator<Item = Node>,
    there: impl Iterator<Item = Node>,
) {
    let (local, remote) = (world.local, world.remote);
    let takes_part = world.policy.takes_part;
    for node in here {
        let entry = local.tree.get(node);
        if entry.kind == LocalKind::Special && entry.state != FolderState::Incomplete {
            let path = local.tree.path(node);
            if takes_part(&path) {
                let text = "a link, socket, device or FIFO is never synced";
                notes.push(note(path, NoteKind::Skipped(text.to_owned())));
            }
        }
    }
    for node in there {
        if remote.tree.get(node).kind == RemoteKind::Foreign {
            let path = remote.tree.path(node);
            if takes_part(&path) {
                let text = "shared to this account, or of a kind that is not synced";
                notes.push(note(path, NoteKind::Skipped(text.to_owned())));
            }
        }
    }
    for (folder, name) in &local.unnameable {
        let text = format!("holds {name:?}, a name that is not UTF-8 and is never synced");
        notes.push(note(folder.clone(), NoteKind::Skipped(text)));
    }
    for (folder, name, why) in &remote.unusable {
        let text = format!("holds {name:?} on iCloud, which cannot be synced: {why}");
        notes.push(note(folder.clone(), NoteKind::SetAside(text)));
    }
    for folder in &local.too_deep {
        notes.push(note(folder.clone(), NoteKind::SetAside(too_deep())));
    }
    for (folder, why) in &local.failed {
        notes.push(note(folder.clone(), NoteKind::Unsettled(format!("cannot read this folder: {why}"))));
    }
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

/// Why a folder is not looked into that lies too deep.
pub fn too_deep() -> String {
    format!(
        "it lies deeper than {DEEPEST} folders, or its path is longer than {LONGEST_PATH_BYTES} bytes: what it holds is not synced"
    )
}

fn note(path: RelPath, kind: NoteKind) -> Note {
    Note { path, kind }
}
