//! What a plan is made from beyond the two looks: the base found on the disk, and names that two items share on iCloud.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::settings::Settings;
use crate::engine::observe::doubted::Doubted;
use crate::engine::observe::local::signatures;
use crate::engine::observe::recheck::{MOST_LOOKS, may_have_missed_a_move, recheck};
use crate::engine::operation::{Action, Note, NoteKind, Plan, UploadTarget};
use crate::engine::ports::{DiskError, Ports};
use crate::engine::recognise::Recognised;
use crate::engine::view::{LocalView, RemoteView};
use crate::model::{BaseTree, ItemId, Node, RelPath, name};

/// So often contents are read before what is still in doubt is left to the next pass.
const MOST_READINGS: u32 = 8;

/// The files that the plan replaces on iCloud and beside which another item has the same name there.
pub(super) fn twins(plan: &Plan, view: &RemoteView) -> HashSet<ItemId> {
    let tree = &view.tree;
    let is_twin = |id: &ItemId| {
        let node = tree.by_id(id)?;
        let mut beside = tree.children(tree.parent(node)?).iter().filter(|other| **other != node);
        beside.any(|other| name::same(&tree.get(*other).name, &tree.get(node).name)).then(|| id.clone())
    };
    let replaced = plan.operations.iter().filter_map(|operation| match &operation.action {
        Action::Upload { target: UploadTarget::Over { remote, .. }, .. } => Some(&remote.id),
        Action::Settle { remote, .. } | Action::Compare { remote, .. } => Some(&remote.id),
        _ => None,
    });
    replaced.filter_map(is_twin).collect()
}

/// Finds the base in what was seen here; where `known` says how it was found last, by what has changed since. Where that look may
/// have missed a move, it is looked again first. Reads what is `doubted`, also of the items that `went_back`.
///
/// # Errors
///
/// When the second look fails as a whole: the view is not to be used then.
pub(super) fn recognised<'a>(
    base: &Arc<BaseTree>,
    local: &mut LocalView,
    known: Option<Recognised>,
    ports: &Ports<'_>,
    settings: &Settings,
    doubted: &mut Doubted,
    went_back: impl Iterator<Item = &'a String>,
) -> Result<Recognised, DiskError> {
    let may_skip = |path: &RelPath| settings.filter.may_skip_subtree(path.as_str());
    let mut found = match known {
        Some(known) => known.again(base, &local.tree),
        None => Recognised::first(base, &local.tree),
    };
    for _ in 0..MOST_LOOKS {
        if !may_have_missed_a_move(base, &local.tree, found.recognition()) {
            break;
        }
        let has_changed = recheck(ports.disk, ports.clock, local, &may_skip)?;
        found = found.again(base, &local.tree);
        if !has_changed {
            break;
        }
    }
    if doubted.read(ports, base, &mut local.tree, found.recognition(), went_back, settings.workers) {
        found = found.again(base, &local.tree);
    }
    // What was read may show that a file is not the one that was looked for, and another one is read instead.
    local.unread.clear();
    for _ in 0..MOST_READINGS {
        if found.recognition().unsigned.is_empty() {
            break;
        }
        let unsigned = &found.recognition().unsigned;
        let failed = signatures(ports.disk, ports.clock, &mut local.tree, unsigned, settings.workers);
        let told = |(node, error): (Node, DiskError)| (local.tree.path(node), error.to_string());
        local.unread = failed.into_iter().map(told).collect();
        found = found.again(base, &local.tree);
    }
    Ok(found)
}

/// Of what could not be read the planner knows only that; the disk says why.
pub(super) fn tell_why_unread(notes: &mut Vec<Note>, local: &LocalView) {
    let all = local.unread.iter().chain(&local.failed);
    let unread: HashMap<_, _> = all.map(|(path, why)| (path, why)).collect();
    let mut told = HashSet::new();
    notes.retain_mut(|note| match unread.get(&note.path) {
        Some(why) if note.kind.unsettled().is_some() => {
            note.kind = NoteKind::Unsettled((*why).clone());
            told.insert(note.path.clone())
        }
        _ => true,
    });
}
