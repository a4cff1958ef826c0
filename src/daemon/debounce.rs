//! Coalesces local changes: a folder is read again once it has been quiet for a while (`docs/sync.md` §7).
//!
//! The caller brings the time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::model::RelPath;

/// How many quiet periods a steady stream of changes can put a folder off.
const MAX_PERIODS: u32 = 6;

/// How many folders are remembered one by one; beyond, they become the subtree that holds them all.
const MAX_FOLDERS: usize = 4096;

/// What is to be read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct QuietFolders {
    /// Folders whose own children may have changed, in path order.
    pub folders: Vec<RelPath>,
    /// A folder below which anything may have changed, at any depth; the root for the whole drive.
    pub subtree: Option<RelPath>,
}

/// When something was first and last seen to change since it was read.
#[derive(Clone, Copy, Debug)]
struct Seen {
    first: Instant,
    last: Instant,
}

impl Seen {
    fn merged(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// Folders that changed and have not been read again yet.
#[derive(Clone, Debug)]
pub(super) struct Debounce {
    quiet: Duration,
    limit: usize,
    folders: BTreeMap<RelPath, Seen>,
    subtree: Option<(RelPath, Seen)>,
}

impl Debounce {
    /// Nothing is dirty; a change is due after `quiet` without another one in its folder.
    pub fn new(quiet: Duration) -> Self {
        Self::with_limit(quiet, MAX_FOLDERS)
    }

    /// As [`Debounce::new`], with another number of folders that are remembered one by one.
    fn with_limit(quiet: Duration, limit: usize) -> Self {
        Self { quiet, limit, folders: BTreeMap::new(), subtree: None }
    }

    /// Takes another quiet period, for what is dirty too.
    pub fn set_quiet(&mut self, quiet: Duration) {
        self.quiet = quiet;
    }

    /// Something in `folder` changed.
    pub fn record(&mut self, folder: RelPath, now: Instant) {
        let seen = Seen { first: now, last: now };
        if let Some((subtree, all)) = &mut self.subtree
            && folder.is_within(subtree)
        {
            *all = all.merged(seen);
            return;
        }
        self.folders.entry(folder).and_modify(|known| *known = known.merged(seen)).or_insert(seen);
        if self.folders.len() > self.limit {
            self.collapse();
        }
    }

    /// Anything below `folder` may have changed; the root after an overflow.
    pub fn record_subtree(&mut self, folder: RelPath, now: Instant) {
        let seen = Seen { first: now, last: now };
        self.subtree = Some(match self.subtree.take() {
            Some((known, all)) => (common(&known, &folder), all.merged(seen)),
            None => (folder, seen),
        });
        self.absorb();
    }

    /// Whether anything changed that was not read again yet. No deletion is planned while this says yes: a move
    /// has two halves (`docs/sync.md` §7).
    pub fn is_dirty(&self) -> bool {
        self.subtree.is_some() || !self.folders.is_empty()
    }

    /// Forgets everything: a full scan is about to begin. What changes from now on is recorded anew.
    pub fn clear(&mut self) {
        self.folders.clear();
        self.subtree = None;
    }

    /// When [`Debounce::take_due`] has something to give, unless more changes put it off; `None` while nothing waits.
    pub fn next_due(&self) -> Option<Instant> {
        let all = self.subtree.iter().map(|(_, seen)| seen).chain(self.folders.values());
        all.map(|seen| self.due_at(seen)).min()
    }

    /// Removes and returns what has been quiet long enough, or was put off too long.
    pub fn take_due(&mut self, now: Instant) -> QuietFolders {
        let mut due = QuietFolders::default();
        let mut waiting = BTreeMap::new();
        for (folder, seen) in std::mem::take(&mut self.folders) {
            if self.due_at(&seen) <= now {
                due.folders.push(folder);
            } else {
                waiting.insert(folder, seen);
            }
        }
        self.folders = waiting;
        if self.subtree.as_ref().is_some_and(|(_, seen)| self.due_at(seen) <= now) {
            due.subtree = self.subtree.take().map(|(folder, _)| folder);
        }
        due
    }

    fn due_at(&self, seen: &Seen) -> Instant {
        (seen.last + self.quiet).min(seen.first + self.quiet * MAX_PERIODS)
    }

    /// Makes one subtree of all that waits, so that memory stays bounded whatever happens on the disk.
    fn collapse(&mut self) {
        for (folder, seen) in std::mem::take(&mut self.folders) {
            self.subtree = Some(match self.subtree.take() {
                Some((known, all)) => (common(&known, &folder), all.merged(seen)),
                None => (folder, seen),
            });
        }
    }

    /// Drops the folders that the subtree covers.
    fn absorb(&mut self) {
        if let Some((subtree, all)) = &mut self.subtree {
            self.folders.retain(|folder, seen| {
                let covered = folder.is_within(subtree);
                if covered {
                    *all = all.merged(*seen);
                }
                !covered
            });
        }
    }
}

/// The deepest folder that holds both.
fn common(a: &RelPath, b: &RelPath) -> RelPath {
    let mut folder = a.clone();
    while !b.is_within(&folder) {
        folder = folder.parent().unwrap_or_default();
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_secs(10);

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).expect("a path")
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    /// How many things are remembered one by one.
    fn remembered(debounce: &Debounce) -> usize {
        debounce.folders.len() + usize::from(debounce.subtree.is_some())
    }

    /// All that waits, once it has been quiet for long.
    fn all(debounce: &mut Debounce, start: Instant) -> QuietFolders {
        debounce.take_due(after(start, 1_000_000))
    }

    #[test]
    fn a_folder_is_due_once_it_was_quiet() {
        let start = Instant::now();
        let mut debounce = Debounce::new(QUIET);
        debounce.record(path("b"), start);
        debounce.record(path("a"), after(start, 4));
        debounce.record(path("b"), after(start, 5));
        assert_eq!(debounce.next_due(), Some(after(start, 14)));
        assert!(debounce.take_due(after(start, 13)) == QuietFolders::default());
        assert_eq!(debounce.take_due(after(start, 14)).folders, [path("a")]);
        assert!(debounce.is_dirty());
        assert_eq!(debounce.take_due(after(start, 15)).folders, [path("b")]);
        assert!(!debounce.is_dirty());
        assert_eq!(debounce.next_due(), None);
    }

    #[test]
    fn a_steady_stream_is_put_off_six_periods_and_no_longer() {
        let start = Instant::now();
        let mut debounce = Debounce::new(QUIET);
        let mut taken = Vec::new();
        for second in (0..130).step_by(2) {
            debounce.record(path("notes"), after(start, second));
            if debounce.take_due(after(start, second)) != QuietFolders::default() {
                taken.push(second);
            }
        }
        assert_eq!(taken, [60, 122]);
    }

    #[test]
    fn too_many_folders_become_the_subtree_that_holds_them() {
        let start = Instant::now();
        let mut debounce = Debounce::with_limit(QUIET, 3);
        for folder in ["a/b/1", "a/b/2", "a/b/3/x", "a/b/4"] {
            debounce.record(path(folder), start);
        }
        assert_eq!(remembered(&debounce), 1);
        // What lies within is covered; what does not is remembered beside it.
        debounce.record(path("a/b/9"), after(start, 1));
        debounce.record(path("z"), after(start, 1));
        assert_eq!(remembered(&debounce), 2);
        let due = debounce.take_due(after(start, 11));
        assert_eq!(due, QuietFolders { folders: vec![path("z")], subtree: Some(path("a/b")) });
        assert!(!debounce.is_dirty());
    }

    #[test]
    fn collapsing_again_reaches_up_to_the_whole_root() {
        let start = Instant::now();
        let mut debounce = Debounce::with_limit(QUIET, 1);
        for folder in ["a/1", "a/2", "b", "c"] {
            debounce.record(path(folder), start);
        }
        assert_eq!(
            all(&mut debounce, start),
            QuietFolders { folders: Vec::new(), subtree: Some(RelPath::root()) }
        );
    }

    #[test]
    fn memory_stays_bounded_under_a_burst() {
        let start = Instant::now();
        let mut debounce = Debounce::new(QUIET);
        for n in 0..200_000 {
            debounce.record(path(&format!("repo/{}/{n}", n % 7)), start);
            assert!(remembered(&debounce) <= MAX_FOLDERS + 1);
        }
        assert_eq!(all(&mut debounce, start).subtree, Some(path("repo")));
    }

    #[test]
    fn an_overflow_covers_what_was_dirty_before() {
        let start = Instant::now();
        let mut debounce = Debounce::new(QUIET);
        debounce.record(path("a"), start);
        debounce.record_subtree(RelPath::root(), after(start, 5));
        assert_eq!(remembered(&debounce), 1);
        // The overflow put `a` off, as another change of it would have.
        assert_eq!(debounce.next_due(), Some(after(start, 15)));
        debounce.clear();
        assert!(!debounce.is_dirty());
    }

    #[test]
    fn the_common_folder_is_by_whole_parts() {
        for (a, b, expected) in [("a/b", "a/bc", "a"), ("a", "a/b", "a"), ("a/b", "a", "a"), ("a", "b", "")] {
            assert_eq!(common(&path(a), &path(b)), path(expected), "{a} {b}");
        }
    }
}
