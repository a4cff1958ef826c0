//! Holds wholesale deletions for a person, and makes wholesale overwriting recoverable (`docs/sync.md` §8).
//!
//! Pure: a plan and what is remembered go in, a plan that may run and what to remember come out.

use std::collections::{HashMap, HashSet};

use crate::model::state::{Deletion, GuardState, Verdict};
use crate::model::{BaseEntry, BaseTree, ItemId, RelPath, Side};

use super::operation::{Action, Note, NoteKind, Operation, Parent, Plan, Replacement, UploadTarget};

/// The rolling window of deletions, in seconds.
const DELETION_WINDOW: i64 = 24 * 3600;
/// The rolling window of overwrites, in seconds.
const OVERWRITE_WINDOW: i64 = 3600;
/// The percentage counts from so many items on.
const PERCENT_FROM: usize = 20;

/// How much is let through; 0 means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardLimits {
    /// Items within the window.
    pub max_deletes: usize,
    /// Percent of the base within the window, from 20 items on.
    pub max_delete_percent: usize,
}

impl GuardLimits {
    fn are_exceeded_by(&self, count: usize, base_len: usize) -> bool {
        let by_number = self.max_deletes > 0 && count > self.max_deletes;
        let by_share = self.max_delete_percent > 0
            && count >= PERCENT_FROM
            && count.saturating_mul(100) > base_len.saturating_mul(self.max_delete_percent);
        by_number || by_share
    }
}

/// Whether a deletion carried out on side `on` does not count: a person made the item within the window
/// on the side where it was deleted, which is the other one.
pub fn is_exempt(entry: &BaseEntry, on: Side, now: i64) -> bool {
    let deleted_on = match on {
        Side::Local => Side::Remote,
        Side::Remote => Side::Local,
    };
    entry.created_on.is_some_and(|(side, at)| {
        // What was made in the future, by another clock, is as good as made long ago.
        side == deleted_on && (0..DELETION_WINDOW).contains(&now.saturating_sub(at))
    })
}

/// Takes out of `plan` what must wait for a person, carries out what a person said, and turns overwriting
/// beyond the limits into the trash way. `now` in lived seconds ([`crate::model::LivedTime`]).
///
/// Store the returned state before the plan is executed; the executor adds to it what it carries out. A
/// verdict stays until no deletion that it was about is planned any more, so that an interrupted pass does
/// not ask the person again.
pub fn apply(
    mut plan: Plan,
    guard: &GuardState,
    limits: &GuardLimits,
    base: &BaseTree,
    now: i64,
) -> (Plan, GuardState, Vec<Note>) {
    let mut guard = guard.clone();
    let mut notes = Vec::new();
    // What another clock puts into the future counts from now on.
    guard.recent.iter_mut().for_each(|deletion| deletion.at = deletion.at.min(now));
    guard.overwrites.iter_mut().for_each(|at| *at = (*at).min(now));
    guard.recent.retain(|deletion| now.saturating_sub(deletion.at) < DELETION_WINDOW);
    guard.overwrites.retain(|at| now.saturating_sub(*at) < OVERWRITE_WINDOW);

    let base_len = base.len() - 1;
    let mut removed = vec![false; plan.operations.len()];
    let mut restored = vec![false; plan.operations.len()];
    let mut held = Vec::new();
    for on in [Side::Local, Side::Remote] {
        let planned = planned(&plan, base, on, now);
        let mut side = OneSide { on, limits, base_len, now, notes: &mut notes };
        held.extend(side.judge(&guard, &planned, &mut removed, &mut restored));
        if guard.verdict == Some(Verdict::Approved) {
            let asked = guard.held.iter().filter(|held| held.on == on).map(|held| held.at).max();
            guard.recent.retain(|deletion| deletion.on != on || Some(deletion.at) > asked);
        }
    }
    if held.is_empty() || guard.held.is_empty() {
        guard.verdict = None;
    }
    guard.held = held;
    soften_overwrites(&mut plan, &guard, limits, base_len, &mut notes);
    (without(plan, removed, &restored, &mut notes), guard, notes)
}

/// Deletions on a side that could not be judged now: those that waited go on waiting, with what a person said of them.
pub fn goes_on_waiting(guard: &mut GuardState, before: &GuardState, on: Side) {
    guard.held.retain(|held| held.on != on);
    guard.held.extend(before.held.iter().filter(|held| held.on == on).cloned());
    guard.verdict = before.verdict;
}

/// A planned deletion: the operation, and what it takes away that counts.
struct Planned {
    operation: usize,
    path: RelPath,
    /// All ids, counting or not.
    main: String,
    items: Vec<(String, String)>,
}

fn planned(plan: &Plan, base: &BaseTree, on: Side, now: i64) -> Vec<Planned> {
    let mut found = Vec::new();
    for (index, operation) in plan.operations.iter().enumerate() {
        let ids: Vec<&ItemId> = match (&operation.action, on) {
            (Action::TrashLocal { id: Some(id), .. }, Side::Local) => vec![id],
            (Action::TrashRemote { remote, subtree, .. }, Side::Remote) => {
                std::iter::once(&remote.id).chain(subtree.iter().map(|(id, _)| id)).collect()
            }
            _ => continue,
        };
        let main = ids[0].to_string();
        let counting = ids.into_iter().filter_map(|id| {
            let Some(node) = base.by_id(id) else {
                return Some((id.to_string(), operation.path.as_str().to_owned()));
            };
            let exempt = is_exempt(base.get(node), on, now);
            (!exempt).then(|| (id.to_string(), base.path(node).as_str().to_owned()))
        });
        let items: Vec<_> = counting.collect();
        found.push(Planned { operation: index, path: operation.path.clone(), main, items });
    }
    found
}

struct OneSide<'a> {
    on: Side,
    limits: &'a GuardLimits,
    base_len: usize,
    now: i64,
    notes: &'a mut Vec<Note>,
}

impl OneSide<'_> {
    /// Decides about the deletions on one side and returns those that wait, or that a verdict is about.
    fn judge(
        &mut self,
        guard: &GuardState,
        planned: &[Planned],
        removed: &mut [bool],
        restored: &mut [bool],
    ) -> Vec<Deletion> {
        let before: HashMap<&str, &Deletion> =
            guard.held.iter().filter(|held| held.on == self.on).map(|held| (&*held.id, held)).collect();
        let was_held = |deletion: &&Planned| {
            before.contains_key(&*deletion.main)
                || deletion.items.iter().any(|(id, _)| before.contains_key(&**id))
        };
        let (asked, fresh): (Vec<_>, Vec<_>) = planned.iter().partition(was_held);
        let count = |of: &[&Planned]| of.iter().map(|deletion| deletion.items.len()).sum::<usize>();
        // A reset window no longer counts what was carried out before the person was asked.
        let asked_at = match guard.verdict {
            Some(Verdict::Approved) => before.values().map(|held| held.at).max(),
            _ => None,
        };
        let recent = guard.recent.iter().filter(|done| done.on == self.on && Some(done.at) > asked_at);
        let recent = usize::try_from(recent.map(|done| done.count).sum::<u64>()).unwrap_or(usize::MAX);

        let mut held = Vec::new();
        match guard.verdict {
            Some(verdict) if !before.is_empty() => {
                for deletion in &asked {
                    if verdict == Verdict::Rejected {
                        restored[deletion.operation] = true;
                    }
                    held.extend(self.remember(deletion, &before));
                }
                // What nobody was asked about is judged by itself, and asked about once the verdict is done.
                if self.limits.are_exceeded_by(recent.saturating_add(count(&fresh)), self.base_len) {
                    self.hold(&fresh, removed);
                }
            }
            _ => {
                let all: Vec<_> = planned.iter().collect();
                let total = recent.saturating_add(count(&all));
                if !asked.is_empty() || self.limits.are_exceeded_by(total, self.base_len) {
                    for deletion in self.hold(&all, removed) {
                        held.extend(self.remember(deletion, &before));
                    }
                }
            }
        }
        held
    }

    /// Takes deletions out of the plan, but for those that do not count at all.
    fn hold<'p>(&mut self, deletions: &[&'p Planned], removed: &mut [bool]) -> Vec<&'p Planned> {
        let counting: Vec<_> =
            deletions.iter().copied().filter(|deletion| !deletion.items.is_empty()).collect();
        for deletion in &counting {
            removed[deletion.operation] = true;
            self.notes.push(Note { path: deletion.path.clone(), kind: NoteKind::Held(self.on) });
        }
        counting
    }

    fn remember(&self, deletion: &Planned, before: &HashMap<&str, &Deletion>) -> Vec<Deletion> {
        let remembered = deletion.items.iter().map(|(id, path)| Deletion {
            on: self.on,
            id: id.clone(),
            path: path.clone(),
            at: before.get(&**id).map_or(self.now, |held| held.at),
        });
        remembered.collect()
    }
}

/// Overwriting beyond the limits goes by way of the trash, so that every old version stays recoverable.
fn soften_overwrites(
    plan: &mut Plan,
    guard: &GuardState,
    limits: &GuardLimits,
    base_len: usize,
    notes: &mut Vec<Note>,
) {
    let is_over = |operation: &Operation| {
        matches!(&operation.action, Action::Upload { target: UploadTarget::Over { .. }, .. })
    };
    let count =
        guard.overwrites.len() + plan.operations.iter().filter(|operation| is_over(operation)).count();
    if !limits.are_exceeded_by(count, base_len) {
        return;
    }
    let mut softened = 0usize;
    for operation in &mut plan.operations {
        if let Action::Upload { target: UploadTarget::Over { way, .. }, .. } = &mut operation.action
            && *way == Replacement::InPlace
        {
            *way = Replacement::Trash;
            softened += 1;
        }
    }
    if softened > 0 {
        let text = format!(
            "{count} files were edited here within an hour: their old versions go to Recently Deleted on iCloud"
        );
        notes.push(Note { path: RelPath::root(), kind: NoteKind::Skipped(text) });
    }
}

/// The plan without the removed operations and all that builds on them; those to restore are forgotten.
fn without(plan: Plan, mut removed: Vec<bool>, restored: &[bool], notes: &mut Vec<Note>) -> Plan {
    let operations = plan.operations.len();
    for (index, operation) in plan.operations.iter().enumerate() {
        let built_on = |earlier: &usize| {
            *earlier < operations && (removed[*earlier] || (restored[*earlier] && !restored[index]))
        };
        if !removed[index]
            && (operation.after.iter().any(built_on) || made(operation).is_some_and(|m| built_on(&m)))
        {
            removed[index] = true;
            let kind = NoteKind::Unsettled("it waits for a deletion that is held".into());
            notes.push(Note { path: operation.path.clone(), kind });
        }
    }
    let mut places = vec![None; operations];
    let mut kept = 0;
    for (index, is_removed) in removed.iter().enumerate() {
        if !is_removed {
            places[index] = Some(kept);
            kept += 1;
        }
    }
    let place = |index: usize| places.get(index).copied().flatten();
    let mut result = Plan { operations: Vec::with_capacity(kept), notes: plan.notes };
    for (index, mut operation) in plan.operations.into_iter().enumerate() {
        if removed[index] {
            continue;
        }
        operation.after = operation.after.into_iter().filter_map(place).collect();
        remake(&mut operation.action, &place);
        if restored[index] {
            operation.action = forgotten(operation.action);
        }
        result.operations.push(operation);
    }
    result
}

/// The operation that makes the folder which this one names.
fn made(operation: &Operation) -> Option<usize> {
    match parent(&operation.action) {
        Some(Parent::Made(index)) => Some(*index),
        _ => None,
    }
}

fn parent(action: &Action) -> Option<&Parent> {
    match action {
        Action::MakeRemoteFolder { parent, .. }
        | Action::MoveRemote { parent, .. }
        | Action::Keep { place: Some((parent, _)), .. }
        | Action::Upload { target: UploadTarget::New { parent, .. }, .. } => Some(parent),
        _ => None,
    }
}

fn remake(action: &mut Action, place: &impl Fn(usize) -> Option<usize>) {
    if let Action::MakeRemoteFolder { parent, .. }
    | Action::MoveRemote { parent, .. }
    | Action::Keep { place: Some((parent, _)), .. }
    | Action::Upload { target: UploadTarget::New { parent, .. }, .. } = action
        && let Parent::Made(index) = parent
        && let Some(new) = place(*index)
    {
        *index = new;
    }
}

/// A rejected deletion: the base forgets the item, so the side that still has it gives it back as new.
fn forgotten(action: Action) -> Action {
    match action {
        Action::TrashLocal { id: Some(id), .. } => Action::Forget { id },
        Action::TrashRemote { remote, .. } => Action::Forget { id: remote.id },
        other => other,
    }
}

/// The ids of deletions that a person approved: carrying them out does not count against the window.
pub fn approved(guard: &GuardState) -> HashSet<String> {
    match guard.verdict {
        Some(Verdict::Approved) => guard.held.iter().map(|held| held.id.clone()).collect(),
        _ => HashSet::new(),
    }
}
