//! In which order it is done.
//!
//! Where moves wait for each other in a ring, one of them goes through a temporary name.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::items::{Items, Key, World};
use super::older::Explained;
use super::paths::{MOST_STEPS, end_on};
use super::tasks::{For, Kind, Place, Task, Tasks};
use crate::engine::operation::{Action, Conflict, Operation, Plan};
use crate::model::Side;
use crate::model::name::Name;
use crate::model::name::key as name_key;

/// Orders what is to be done into a plan.
pub(super) fn run(world: &World<'_>, explained: Explained) -> Plan {
    let items = explained.into_items();
    let tasks = Tasks::collect(world, &items);
    let mut emitter = Emitter {
        world,
        items: &items,
        // Hardly ever more than one for each task; a list that grows would stand in memory twice.
        operations: Vec::with_capacity(tasks.all.len()),
        tasks,
        moved: HashMap::new(),
        made: HashMap::new(),
        given: OnceCell::new(),
        promised: HashSet::new(),
        names: HashMap::new(),
    };
    emitter.run();
    Plan { operations: emitter.operations, notes: items.notes }
}

pub(super) struct Emitter<'a, 'w> {
    pub world: &'a World<'w>,
    pub items: &'a Items,
    pub tasks: Tasks,
    /// Places here that operations have changed, and the operation that did.
    pub moved: HashMap<Key, (Key, Name, usize)>,
    /// Operations that make a folder on iCloud.
    pub made: HashMap<Key, usize>,
    /// Names that an item gets or keeps in this plan, by folded form; made when somebody asks for one.
    given: OnceCell<HashSet<(Key, Name)>>,
    /// Names that a conflict copy gets in this plan, by folded form.
    promised: HashSet<(Key, Name)>,
    /// Names in use on either side, by folded form, of folders that needed a free one.
    pub names: HashMap<Key, HashSet<Name>>,
    pub operations: Vec<Operation>,
}

type Ready = BinaryHeap<Reverse<((u8, bool, Kind), Place)>>;

impl Emitter<'_, '_> {
    /// Whether something gets or keeps a name of that folded form in this plan.
    pub fn is_given(&self, place: &(Key, Name)) -> bool {
        let given = self.given.get_or_init(|| {
            let places = self.items.all.values().filter_map(|item| item.place.as_ref());
            places.map(|place| (place.parent, name_key(&place.local_name, true))).collect()
        });
        given.contains(place) || self.promised.contains(place)
    }

    fn run(&mut self) {
        let mut ready = Ready::new();
        for (index, task) in (0..).zip(&self.tasks.all) {
            if task.waits == 0 {
                ready.push(Reverse((self.order(task), index)));
            }
        }
        loop {
            while let Some(Reverse((_, index))) = ready.pop() {
                if !self.tasks.all[index as usize].done {
                    self.finish(index as usize, &mut ready);
                }
            }
            if let Some(index) = self.ring() {
                self.step_aside(index, &mut ready);
            } else if let Some(index) = self.courteous() {
                self.finish(index, &mut ready);
            } else {
                break;
            }
        }
        debug_assert!(self.tasks.all.iter().all(|task| task.done), "tasks wait for each other for ever");
    }

    /// Folders and moves first, then contents, the recent ones before the others, then deletions; the base's own last.
    fn order(&self, task: &Task) -> (u8, bool, Kind) {
        let (phase, later) = match task.kind {
            Kind::MakeLocal | Kind::MoveLocal | Kind::MakeRemote | Kind::MoveRemote => (0, false),
            Kind::Agree | Kind::KnowVolume => (1, false),
            Kind::Download | Kind::Upload | Kind::Reconcile => (1, !self.is_recent(task.key)),
            Kind::TrashLocal | Kind::TrashRemote => (2, false),
            Kind::KeepLocalOnly | Kind::KeepRemoteOnly | Kind::Forget => (3, false),
        };
        (phase, later, task.kind)
    }

    /// Whether it was modified a short while ago, on either side.
    fn is_recent(&self, key: Key) -> bool {
        let item = &self.items.all[&key];
        let here = item.local.map(|node| self.world.local.tree.get(node).stamp.mtime.whole_seconds());
        let there =
            item.remote.and_then(|node| self.world.remote.tree.get(node).mtime.get().map(|time| time.0));
        here.max(there).is_some_and(|time| time >= self.world.policy.recent_since)
    }

    fn finish(&mut self, index: usize, ready: &mut Ready) {
        let operation = self.perform(index, None);
        let task = &mut self.tasks.all[index];
        task.done = true;
        let waiters = task.take_waiters(&[For::Done, For::Leave, For::Name, For::Courtesy]);
        self.release(waiters, operation, ready);
    }

    fn step_aside(&mut self, index: usize, ready: &mut Ready) {
        let task = &self.tasks.all[index];
        let side = if task.kind == Kind::MoveRemote { Side::Remote } else { Side::Local };
        let aside = self.standing_end(task.key, side);
        let operation = self.perform(index, Some(aside));
        let task = &mut self.tasks.all[index];
        task.parked = true;
        task.after.extend(operation);
        let waiters = task.take_waiters(&[For::Name, For::Leave]);
        self.release(waiters, operation, ready);
    }

    /// A task that waits out of courtesy only.
    fn courteous(&self) -> Option<usize> {
        let only = |task: &Task| !task.done && task.courtesies > 0 && task.waits == task.courtesies;
        self.tasks.all.iter().position(only)
    }

    /// Where tasks wait for each other in a ring: a move that others wait for, which steps aside. One whose folder
    /// stands already is preferred.
    fn ring(&self) -> Option<usize> {
        let mut second = None;
        for (index, task) in self.tasks.all.iter().enumerate() {
            let steps_aside = !task.done
                && !task.parked
                && matches!(task.kind, Kind::MoveLocal | Kind::MoveRemote)
                && task.is_in_the_way();
            if steps_aside && task.waits == task.name_waits {
                return Some(index);
            }
            if steps_aside && second.is_none() {
                second = Some(index);
            }
        }
        second
    }

    /// The lowest folder above the end of an item that stands where it will stand, with all above it.
    fn standing_end(&self, key: Key, side: Side) -> Key {
        let end = |key| end_on(self.world, self.items, key, side);
        let mut standing = end(key).unwrap_or(Key::ROOT);
        let mut at = Some(standing);
        for _ in 0..MOST_STEPS {
            let Some(folder) = at else { break };
            at = end(folder);
            if self.tasks.is_awaited(folder) {
                standing = at.unwrap_or(Key::ROOT);
            }
        }
        standing
    }

    fn release(&mut self, waiters: Vec<(Place, For)>, operation: Option<usize>, ready: &mut Ready) {
        for (waiter, what) in waiters {
            let task = &mut self.tasks.all[waiter as usize];
            task.waits -= 1;
            match what {
                For::Done | For::Leave => {}
                For::Name => task.name_waits -= 1,
                For::Courtesy => task.courtesies -= 1,
            }
            // What went ahead without waiting does not come after it.
            if !task.done {
                task.after.extend(operation);
                if task.waits == 0 {
                    let order = self.order(&self.tasks.all[waiter as usize]);
                    ready.push(Reverse((order, waiter)));
                }
            }
        }
    }

    /// Appends the operation of a task; with `aside` it moves to a temporary name in that folder instead.
    fn perform(&mut self, index: usize, aside: Option<Key>) -> Option<usize> {
        let (key, kind) = (self.tasks.all[index].key, self.tasks.all[index].kind);
        let item = &self.items.all[&key];
        let task = &mut self.tasks.all[index];
        // A task that only steps aside has its own turn later.
        let mut after = if aside.is_some() { task.after.clone() } else { std::mem::take(&mut task.after) };
        let (action, path, reason) = self.action(key, kind, aside, &mut after)?;
        let number = self.operations.len();
        // Nobody asks again for the place of a file that was nowhere here.
        let is_asked_for = item.folder || item.local.is_some();
        if is_asked_for && matches!(kind, Kind::MakeLocal | Kind::MoveLocal | Kind::Download) {
            let place = item.place.as_ref()?;
            let (parent, name) = match aside {
                Some(folder) => (folder, path.name().into()),
                None => (place.parent, place.local_name.clone()),
            };
            self.moved.insert(key, (parent, name, number));
        }
        if kind == Kind::MakeRemote {
            self.made.insert(key, number);
        }
        if let (Action::Compare { otherwise: conflict, .. } | Action::Settle { conflict, .. }, Some(place)) =
            (&action, &item.place)
        {
            let name = match conflict {
                Conflict::KeepBoth { copy, .. } => Some(copy.name()),
                Conflict::KeepBothThere { name } => Some(&**name),
                _ => None,
            };
            self.promised.extend(name.map(|name| (place.parent, name_key(name, true))));
        }
        self.operations.push(Operation { action, path, reason, after: after.sorted() });
        Some(number)
    }
}
