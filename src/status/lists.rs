//! What the status lists: what the last pass left alone, and what happened in the last passes. Both have their bounds.

use std::collections::VecDeque;

use super::{Activity, ConflictItem, SkippedItem, When};
use crate::model::RelPath;

/// How many conflicts and activities are remembered.
const REMEMBERED: usize = 50;
/// How many items that were left alone are listed: an ignored million would fill the memory and tell nothing.
const LISTED: usize = 1000;

/// What the last pass left alone.
#[derive(Clone, Debug, Default)]
pub(super) struct LeftAlone {
    skipped: Vec<SkippedItem>,
    unfit: Vec<(RelPath, String)>,
    unsettled: Vec<SkippedItem>,
}

impl LeftAlone {
    /// What it left alone by rule.
    pub fn set_skipped<'a>(&mut self, items: impl IntoIterator<Item = (&'a RelPath, &'a str)>) {
        self.skipped = listed(items);
    }

    /// What it left alone because not enough was known of it.
    pub fn set_unsettled<'a>(&mut self, items: impl IntoIterator<Item = (&'a RelPath, &'a str)>) {
        self.unsettled = listed(items);
    }

    /// What it could not plan with, and why. Each plan finds such items out anew, so nothing of them is stored.
    pub fn set_unfit<'a>(&mut self, items: impl IntoIterator<Item = (&'a RelPath, &'a str)>) {
        let items = items.into_iter().take(LISTED);
        self.unfit = items.map(|(path, reason)| (path.clone(), reason.to_owned())).collect();
    }

    /// What was left alone by rule, as the document lists it.
    pub fn skipped(&self) -> &[SkippedItem] {
        &self.skipped
    }

    /// What was left alone because not enough was known, as the document lists it.
    pub fn unsettled(&self) -> &[SkippedItem] {
        &self.unsettled
    }

    /// What could not be planned with, and why.
    pub fn unfit(&self) -> &[(RelPath, String)] {
        &self.unfit
    }
}

fn listed<'a>(items: impl IntoIterator<Item = (&'a RelPath, &'a str)>) -> Vec<SkippedItem> {
    let items = items.into_iter().take(LISTED);
    items.map(|(path, reason)| SkippedItem { path: path.to_string(), reason: reason.to_owned() }).collect()
}

/// What happened in the last passes, with its time in Unix seconds; the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    /// The path, and where the other version is kept.
    conflicts: VecDeque<(i64, String, Option<String>)>,
    activity: VecDeque<(i64, String)>,
}

impl Recent {
    /// A conflict was settled; `copy` is where the other version is kept.
    pub fn conflict(&mut self, path: &RelPath, copy: Option<&RelPath>, now: i64) {
        remember(&mut self.conflicts, (now, path.to_string(), copy.map(ToString::to_string)));
    }

    /// Something was done, told as in the log.
    pub fn activity(&mut self, what: String, now: i64) {
        remember(&mut self.activity, (now, what));
    }

    /// The conflicts, the newest first, their times as `when` shows them.
    pub fn conflicts(&self, when: impl Fn(i64) -> When) -> Vec<ConflictItem> {
        let newest = self.conflicts.iter().rev();
        newest
            .map(|(at, path, copy)| ConflictItem { path: path.clone(), copy: copy.clone(), at: when(*at) })
            .collect()
    }

    /// What was done, the newest first, each time as `when` and each text as `safe` shows it.
    pub fn activities(&self, when: impl Fn(i64) -> When, safe: impl Fn(&str) -> String) -> Vec<Activity> {
        let newest = self.activity.iter().rev();
        newest.map(|(at, what)| Activity { at: when(*at), what: safe(what) }).collect()
    }
}

fn remember<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == REMEMBERED {
        list.pop_front();
    }
    list.push_back(item);
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).expect("a path")
    }

    #[test]
    fn memory_is_bounded_and_the_newest_come_first() {
        let (mut recent, mut left_alone) = (Recent::default(), LeftAlone::default());
        for n in 0..10_000 {
            recent.activity(format!("uploaded {n}"), n);
            recent.conflict(&path("a"), Some(&path("a (conflict)")), n);
        }
        let when = |seconds| When::new(seconds, &TimeZone::UTC);
        let (activity, conflicts) = (recent.activities(when, str::to_owned), recent.conflicts(when));
        assert_eq!((activity.len(), conflicts.len()), (REMEMBERED, REMEMBERED));
        assert_eq!(activity[0].what, "uploaded 9999");
        assert_eq!(conflicts[0].at.seconds(), 9999);
        let many: Vec<RelPath> = (0..5000).map(|n| path(&n.to_string())).collect();
        let items = || many.iter().map(|path| (path, "rule"));
        left_alone.set_skipped(items());
        left_alone.set_unsettled(items());
        left_alone.set_unfit(items());
        let (skipped, unsettled) = (left_alone.skipped().len(), left_alone.unsettled().len());
        assert_eq!((skipped, unsettled, left_alone.unfit().len()), (LISTED, LISTED, LISTED));
    }
}
