//! Which operation may run next: in plan order, after those it builds on, or when its next try is due.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::operation::{Action, Conflict, Operation};

/// Where an operation runs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// On the lane only.
    Lane,
    /// Its content is fetched, or compared, ahead.
    Fetch,
    /// Its content is sent ahead.
    Stage,
}

/// Where an operation runs first.
pub(super) fn class(action: &Action) -> Class {
    match action {
        Action::Download { .. } | Action::Compare { .. } => Class::Fetch,
        Action::Upload { .. } => Class::Stage,
        Action::Settle { conflict, .. } => class_of(conflict),
        _ => Class::Lane,
    }
}

/// Where the settling of a conflict runs first.
pub(super) fn class_of(conflict: &Conflict) -> Class {
    match conflict {
        Conflict::KeepBoth { .. } | Conflict::TakeRemote => Class::Fetch,
        Conflict::TakeLocal => Class::Stage,
        Conflict::SetAside | Conflict::KeepBothThere { .. } => Class::Lane,
    }
}

/// The state of all operations of a plan.
pub(super) struct Schedule {
    /// How many of the operations it builds on are not over yet.
    missing: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    over: Vec<bool>,
    open: usize,
    lane: BTreeSet<usize>,
    fetch: BTreeSet<usize>,
    stage: BTreeSet<usize>,
    /// By the time since the boot at which they are due.
    delayed: BTreeSet<(Duration, usize, u8)>,
}

impl Schedule {
    pub(super) fn new(operations: &[Operation]) -> Self {
        let count = operations.len();
        let mut schedule = Self {
            missing: vec![0; count],
            dependents: vec![Vec::new(); count],
            over: vec![false; count],
            open: count,
            lane: BTreeSet::new(),
            fetch: BTreeSet::new(),
            stage: BTreeSet::new(),
            delayed: BTreeSet::new(),
        };
        for (index, operation) in operations.iter().enumerate() {
            for earlier in &operation.after {
                schedule.missing[index] += 1;
                // One that builds on itself, on a later or on no operation never becomes ready.
                if *earlier < index {
                    schedule.dependents[*earlier].push(index);
                }
            }
        }
        for (index, operation) in operations.iter().enumerate() {
            if schedule.missing[index] == 0 {
                schedule.queue(index, class(&operation.action));
            }
        }
        schedule
    }

    /// Makes an operation wait for its turn.
    pub(super) fn queue(&mut self, index: usize, class: Class) {
        if !self.over[index] {
            self.set(class).insert(index);
        }
    }

    fn set(&mut self, class: Class) -> &mut BTreeSet<usize> {
        match class {
            Class::Lane => &mut self.lane,
            Class::Fetch => &mut self.fetch,
            Class::Stage => &mut self.stage,
        }
    }

    /// The first of a class that is ready.
    pub(super) fn peek(&self, class: Class) -> Option<usize> {
        match class {
            Class::Lane => self.lane.first().copied(),
            Class::Fetch => self.fetch.first().copied(),
            Class::Stage => self.stage.first().copied(),
        }
    }

    /// All of a class that are ready, in plan order.
    pub(super) fn all_ready(&self, class: Class) -> impl Iterator<Item = usize> + '_ {
        let set = match class {
            Class::Lane => &self.lane,
            Class::Fetch => &self.fetch,
            Class::Stage => &self.stage,
        };
        set.iter().copied()
    }

    /// All that are ready on the lane, in plan order.
    pub(super) fn on_lane(&self) -> impl Iterator<Item = usize> + '_ {
        self.all_ready(Class::Lane)
    }

    /// How many of a class are ready.
    pub(super) fn ready(&self, class: Class) -> usize {
        match class {
            Class::Lane => self.lane.len(),
            Class::Fetch => self.fetch.len(),
            Class::Stage => self.stage.len(),
        }
    }

    /// Whether that operation is ready in that class.
    pub(super) fn is_ready(&self, class: Class, index: usize) -> bool {
        match class {
            Class::Lane => self.lane.contains(&index),
            Class::Fetch => self.fetch.contains(&index),
            Class::Stage => self.stage.contains(&index),
        }
    }

    /// Takes an operation out of its queue, to run it.
    pub(super) fn take(&mut self, class: Class, index: usize) {
        self.set(class).remove(&index);
    }

    /// Queues an operation again at a time since the boot.
    pub(super) fn delay(&mut self, index: usize, class: Class, due: Duration) {
        self.delayed.insert((due, index, class as u8));
    }

    /// Queues what is due by now and returns when the next one is.
    pub(super) fn wake(&mut self, now: Duration) -> Option<Duration> {
        while let Some((due, index, class)) = self.delayed.first().copied() {
            if due > now {
                return Some(due);
            }
            self.delayed.pop_first();
            let class = [Class::Lane, Class::Fetch, Class::Stage][usize::from(class)];
            self.queue(index, class);
        }
        None
    }

    /// An operation succeeded: those that build on it may be ready now.
    pub(super) fn succeeded(&mut self, index: usize, operations: &[Operation]) {
        if !self.close(index) {
            return;
        }
        for dependent in std::mem::take(&mut self.dependents[index]) {
            self.missing[dependent] -= 1;
            if self.missing[dependent] == 0 {
                self.queue(dependent, class(&operations[dependent].action));
            }
        }
    }

    /// An operation did not succeed: all that builds on it is over too. Returns those.
    pub(super) fn failed(&mut self, index: usize) -> Vec<usize> {
        let mut lost = Vec::new();
        if !self.close(index) {
            return lost;
        }
        let mut next = std::mem::take(&mut self.dependents[index]);
        while let Some(dependent) = next.pop() {
            if self.close(dependent) {
                next.extend(std::mem::take(&mut self.dependents[dependent]));
                lost.push(dependent);
            }
        }
        lost
    }

    fn close(&mut self, index: usize) -> bool {
        if self.over[index] {
            return false;
        }
        self.over[index] = true;
        self.open -= 1;
        for set in [&mut self.lane, &mut self.fetch, &mut self.stage] {
            set.remove(&index);
        }
        true
    }

    /// Operations that are not over.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Whether that one is over.
    pub(super) fn is_over(&self, index: usize) -> bool {
        self.over[index]
    }
}

#[cfg(test)]
mod tests;
