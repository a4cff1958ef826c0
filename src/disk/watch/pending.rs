//! What was seen and not handed over yet.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::message::{MAX_DIRTY, WatchMessage, Written};
use crate::model::RelPath;

/// Collects while the loop is busy; its size is bounded.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// First out, in order: the start, then at most one end.
    events: VecDeque<WatchMessage>,
    rescan: Option<&'static str>,
    dirty: BTreeSet<RelPath>,
    /// Files that were closed after writing, which the loop takes when it looks.
    pub(super) written: Arc<Written>,
}

impl Pending {
    /// Something in `folder` changed.
    pub(super) fn dirty(&mut self, folder: RelPath) {
        // A full scan finds it anyway.
        if self.rescan.is_some() {
            return;
        }
        self.dirty.insert(folder);
        if self.dirty.len() > MAX_DIRTY {
            self.rescan("more folders changed at once than are kept apart");
        }
    }

    /// Anything may have changed.
    pub(super) fn rescan(&mut self, why: &'static str) {
        self.dirty.clear();
        self.rescan.get_or_insert(why);
    }

    /// Something that is told once.
    pub(super) fn event(&mut self, message: WatchMessage) {
        self.events.push_back(message);
    }

    /// Whether there is nothing to hand over.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.rescan.is_none() && self.dirty.is_empty()
    }

    /// Takes the next message out.
    pub(super) fn next(&mut self) -> Option<WatchMessage> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if let Some(why) = self.rescan.take() {
            return Some(WatchMessage::Rescan(why));
        }
        let dirty = std::mem::take(&mut self.dirty);
        (!dirty.is_empty()).then(|| WatchMessage::Dirty(dirty.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_ends_in_one_full_scan() {
        let mut pending = Pending::default();
        pending.event(WatchMessage::Ready);
        for n in 0..=MAX_DIRTY + 5 {
            pending.dirty(RelPath::parse(&format!("f{n}")).expect("a path"));
        }
        assert_eq!(pending.next(), Some(WatchMessage::Ready));
        assert!(matches!(pending.next(), Some(WatchMessage::Rescan(_))));
        assert!(pending.is_empty());
        assert_eq!(pending.next(), None);
    }

    #[test]
    fn folders_are_told_once_and_in_order() {
        let mut pending = Pending::default();
        for folder in ["b", "a", "b"] {
            pending.dirty(RelPath::parse(folder).expect("a path"));
        }
        let folders = ["a", "b"].map(|folder| RelPath::parse(folder).expect("a path"));
        assert_eq!(pending.next(), Some(WatchMessage::Dirty(folders.to_vec())));
    }
}
