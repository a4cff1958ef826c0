//! Holds wholesale deletions for a person, and makes wholesale overwriting recoverable (`docs/sync.md` §8).
//!
//! Pure: a plan and what is remembered go in, a plan that may run and what to remember come out.

use std::collections::{HashMap, HashSet};

use crate::model::state::{Deletion, GuardState, Verdict};
use crate::model::{Agreed, BaseTree, ItemId, RelPath, Side};

use super::operation::{Action, After, Note, NoteKind, Operation, Parent, Plan, Replacement, UploadTarget};

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
pub fn is_exempt(entry: &Agreed, on: Side, now: i64) -> bool {
    let deleted_on = match on {
        Side::Local => Side::Remote,
        Side::Remote => Side::Local,
    };
    entry.created_on.get().is_some_and(|(side, at)| {
        // What was made in the future, by another clock, is as good as made long ago.
        side == deleted_on && (0..DELETION_WINDOW).contains(&now.saturating_sub(at))
    })
}

/// Takes out of `plan` what must wait for a person, carries out what a person said, and turns overwriting
/// beyond the limits into the trash way. `now` in lived seconds ([`crate::model::LivedTime`]).
///
/// Store the returned state before the plan is executed; the executor adds to it what it carries out. What a person
/// said of a deletion stays until that one is planned no more, so that an interrupted pass does not ask again. It covers
/// what they were shown, in the version that they were shown: what came to it since, waits for another answer.
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
    let mut guard = within_windows(guard, now);

    guard.settle_verdict();

    let base_len = base.len() - 1;
    let mut ruling = Ruling::of(plan.operations.len());
    let mut held = Vec::new();
    let mut still_planned = HashSet::new();
    for on in [Side::Local, Side::Remote] {
        let planned = planned(&plan, base, on, now);
        let mut side = OneSide { on, limits, base_len, now, notes: &mut notes };
        held.extend(side.judge(&guard, &planned, &mut ruling));
        if let Some(asked) = asked_at(&guard, on) {
            guard.recent.retain(|deletion| deletion.on != on || deletion.at > asked);
        }
        let items = planned.into_iter().flat_map(|deletion| deletion.items);
        still_planned.extend(items.map(|item| (on, item.text)));
    }
    guard.decided.retain(|known| still_planned.contains(&(known.deletion.on, known.deletion.id.clone())));
    guard.held = held;
    soften_overwrites(&mut plan, &guard, limits, base_len, &mut notes);
    (ruling.carried_out(plan, &mut notes), guard, notes)
}

/// What the guards still count at `now` (lived seconds). That time passed is no reason to store it.
pub fn within_windows(mut guard: GuardState, now: i64) -> GuardState {
    guard.recent.retain(|deletion| now.saturating_sub(deletion.at) < DELETION_WINDOW);
    guard.overwrites.retain(|at| now.saturating_sub(*at) < OVERWRITE_WINDOW);
    guard
}

/// Deletions on a side that could not be judged now: those that waited go on waiting, and what a person said of others holds.
pub fn goes_on_waiting(guard: &mut GuardState, before: &GuardState, on: Side) {
    let mut before = before.clone();
    before.settle_verdict();
    guard.held.retain(|held| held.on != on);
    guard.held.extend(before.held.into_iter().filter(|held| held.on == on));
    guard.decided.retain(|known| known.deletion.on != on);
    guard.decided.extend(before.decided.into_iter().filter(|known| known.deletion.on == on));
}

/// When a person was asked about what they approved last on a side: a reset window no longer counts what was carried out
/// before that.
fn asked_at(guard: &GuardState, on: Side) -> Option<i64> {
    let approved = guard.decided.iter().filter(|known| known.verdict == Verdict::Approved);
    approved.filter(|known| known.deletion.on == on).map(|known| known.deletion.at).max()
}

/// What becomes of the operations of a plan.
struct Ruling {
    /// Those that are taken out.
    removed: Vec<bool>,
    /// Those in whose place the base forgets the item.
    restored: Vec<bool>,
    /// Items that the base forgets, by the operation that would have taken them away with others.
    forgotten: Vec<(usize, ItemId, String)>,
}

impl Ruling {
    fn of(operations: usize) -> Self {
        Self { removed: vec![false; operations], restored: vec![false; operations], forgotten: Vec::new() }
    }

    fn carried_out(self, plan: Plan, notes: &mut Vec<Note>) -> Plan {
        let forget = |(index, id, path): (usize, ItemId, String)| {
            let operation: &Operation = &plan.operations[index];
            let path = RelPath::parse(&path).unwrap_or_else(|_| operation.path.clone());
            Operation {
                action: Action::Forget { id },
                path,
                reason: operation.reason,
                after: After::default(),
            }
        };
        let forgotten: Vec<_> = self.forgotten.into_iter().map(forget).collect();
        let mut plan = without(plan, self.removed, &self.restored, notes);
        plan.operations.extend(forgotten);
        plan
    }
}

/// A planned deletion: the operation, and what it takes away that counts.
struct Planned {
    operation: usize,
    path: RelPath,
    items: Vec<Counted>,
}

/// An item whose deletion counts.
struct Counted {
    id: ItemId,
    text: String,
    path: String,
    version: String,
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
        let counting = ids.into_iter().filter_map(|id| {
            let known = base.by_id(id).map(|node| (node, base.get(node)));
            if known.is_some_and(|(_, entry)| is_exempt(entry, on, now)) {
                return None;
            }
            let path = known.map_or_else(|| operation.path.clone(), |(node, _)| base.path(node));
            let file = known.filter(|(_, entry)| !entry.folder);
            let version = file.map_or_else(String::new, |(_, entry)| entry.remote.etag.content().to_owned());
            Some(Counted { id: id.clone(), text: id.to_string(), path: path.as_str().to_owned(), version })
        });
        let items: Vec<_> = counting.collect();
        found.push(Planned { operation: index, path: operation.path.clone(), items });
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
    /// Decides about the deletions on one side and returns those that wait.
    fn judge(&mut self, guard: &GuardState, planned: &[Planned], ruling: &mut Ruling) -> Vec<Deletion> {
        let before: HashMap<&str, &Deletion> =
            guard.held.iter().filter(|held| held.on == self.on).map(|held| (&*held.id, held)).collect();
        let decided: HashMap<(&str, &str), Verdict> = guard
            .decided
            .iter()
            .filter(|known| known.deletion.on == self.on)
            .map(|known| ((&*known.deletion.id, &*known.deletion.version), known.verdict))
            .collect();
        let word = |item: &Counted| decided.get(&(&*item.text, &*item.version)).copied();

        let mut open = Vec::new();
        for deletion in planned.iter().filter(|deletion| !deletion.items.is_empty()) {
            let all = |verdict| deletion.items.iter().all(|item| word(item) == Some(verdict));
            if all(Verdict::Approved) {
                continue;
            }
            if all(Verdict::Rejected) {
                ruling.restored[deletion.operation] = true;
                continue;
            }
            // Of what goes with others that nobody was asked about, the rest is restored first.
            let rejected = deletion.items.iter().filter(|item| word(item) == Some(Verdict::Rejected));
            let rejected: Vec<_> =
                rejected.map(|item| (deletion.operation, item.id.clone(), item.path.clone())).collect();
            if !rejected.is_empty() {
                ruling.forgotten.extend(rejected);
                ruling.removed[deletion.operation] = true;
                let kind = NoteKind::Unsettled("some of what it holds is restored first".into());
                self.notes.push(Note { path: deletion.path.clone(), kind });
                continue;
            }
            open.push(deletion);
        }

        let recent = guard.recent.iter().filter(|done| {
            done.on == self.on && asked_at(guard, self.on).is_none_or(|asked| done.at > asked)
        });
        let recent = usize::try_from(recent.map(|done| done.count).sum::<u64>()).unwrap_or(usize::MAX);
        let items = || open.iter().flat_map(|deletion| &deletion.items);
        let unasked = items().filter(|item| word(item).is_none()).count();
        let was_held = items().any(|item| before.contains_key(&*item.text));
        if !was_held && !self.limits.are_exceeded_by(recent.saturating_add(unasked), self.base_len) {
            return Vec::new();
        }
        let mut held = Vec::new();
        for deletion in open {
            ruling.removed[deletion.operation] = true;
            self.notes.push(Note { path: deletion.path.clone(), kind: NoteKind::Held(self.on) });
            held.extend(deletion.items.iter().map(|item| Deletion {
                on: self.on,
                id: item.text.clone(),
                path: item.path.clone(),
                at: before.get(&*item.text).map_or(self.now, |held| held.at),
                version: item.version.clone(),
            }));
        }
        held
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
        let built_on = |earlier: &usize| *earlier < operations && (removed[*earlier] || restored[*earlier]);
        // What is restored is forgotten, which waits for nothing.
        if !removed[index]
            && !restored[index]
            && (operation.after.iter().any(built_on) || made(operation).is_some_and(|m| built_on(&m)))
        {
            removed[index] = true;
            let kind = NoteKind::Unsettled("it waits for a deletion that is held".into());
            notes.push(Note { path: operation.path.clone(), kind });
        }
    }
    let mut plan = plan;
    for (operation, _) in plan.operations.iter_mut().zip(restored).filter(|(_, restored)| **restored) {
        operation.action = forgotten(operation.action.clone());
        operation.after.clear();
    }
    plan.retain(&removed)
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
    let mut guard = guard.clone();
    guard.settle_verdict();
    let approved = guard.decided.into_iter().filter(|known| known.verdict == Verdict::Approved);
    approved.map(|known| known.deletion.id).collect()
}

#[cfg(test)]
mod tests;
