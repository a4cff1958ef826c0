//! The local side: its root, the watch over it, and what of it has to be read.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crossbeam::channel::Receiver;

use super::debounce::Debounce;
use super::facts::{LocalFacts, RootIs};
use super::roots::{OwnRoot, SideProblem};
use super::timing::{BackOff, LocalTimes};
use super::watching::{LocalWatch, WatchTold};
use crate::app::local_root::LocalRoot;
use crate::config;
use crate::disk::watch::{self, WatchMessage, Watching, Written};
use crate::engine::pass::LocalLook;
use crate::engine::ports::OpenCalls;
use crate::model::RelPath;

/// How often a missing local root is looked for.
const FOLDER_LOOK: Duration = Duration::from_secs(5);

/// How far the local root is.
enum Root {
    Absent,
    /// Nobody knows yet whether it is this state's.
    Found(Box<LocalRoot>),
    Open(Arc<OwnRoot>),
}

/// What is to be told after a message of the watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WatchNews {
    Nothing,
    /// How changes are noticed may be another way now.
    Changed,
    /// Nothing is watched until the folder is back.
    RootGone,
}

/// What a pass is told of the local side.
pub(super) struct LocalJob {
    pub look: LocalLook,
    /// Whether folders changed that this look does not read: they are not quiet yet, and may hold the other half of a move.
    pub dirty: bool,
    pub change_counter: Arc<AtomicU64>,
    pub written: Option<Arc<Written>>,
    /// Whether this is the daily verification.
    pub verifies: bool,
}

/// The local side.
pub(super) struct LocalSide {
    root: Root,
    watch: LocalWatch,
    debounce: Debounce,
    /// A complete scan is due.
    scan_due: bool,
    times: LocalTimes,
    poll_period: Duration,
    problem: SideProblem,
    backoff: BackOff,
}

impl LocalSide {
    /// With the root as far as it was found; `quiet` is how long a folder has to be quiet before it is read.
    pub fn new(found: Option<LocalRoot>, quiet: Duration, poll_period: Duration, now: Instant) -> Self {
        Self {
            root: found.map_or(Root::Absent, |root| Root::Found(Box::new(root))),
            watch: LocalWatch::off(),
            debounce: Debounce::new(quiet),
            scan_due: true,
            times: LocalTimes::new(now),
            poll_period,
            problem: SideProblem::default(),
            backoff: BackOff::default(),
        }
    }

    /// Another configuration.
    pub fn reload(&mut self, quiet: Duration, poll_period: Duration) {
        self.debounce.set_quiet(quiet);
        self.poll_period = poll_period;
    }

    /// What decides what is done next; when changed folders are quiet is only looked for if somebody `can_read` them then.
    pub fn facts(&self, can_read: bool) -> LocalFacts {
        LocalFacts {
            root: match self.root {
                Root::Absent => RootIs::Absent,
                Root::Found(_) => RootIs::Found,
                Root::Open(_) => RootIs::Open,
            },
            watch: self.watch.state(),
            scan_due: self.scan_due,
            quiet_at: if can_read { self.debounce.next_due() } else { None },
            poll_at: self.times.poll_at(),
            verify_at: self.times.verify_at(),
            not_before: self.backoff.not_before(),
            problem: self.problem.state,
        }
    }

    /// The root, once it is open.
    pub fn root(&self) -> Option<&Arc<OwnRoot>> {
        match &self.root {
            Root::Open(root) => Some(root),
            Root::Absent | Root::Found(_) => None,
        }
    }

    /// The problem that keeps this side from syncing, to be replaced.
    pub fn problem_mut(&mut self) -> &mut SideProblem {
        &mut self.problem
    }

    // ---- the root ---------------------------------------------------------------------------

    /// Takes the root as far as it was found, for the job that opens it.
    pub fn take_found(&mut self) -> Option<LocalRoot> {
        match std::mem::replace(&mut self.root, Root::Absent) {
            Root::Found(root) => Some(*root),
            Root::Absent => None,
            open @ Root::Open(_) => {
                self.root = open;
                None
            }
        }
    }

    /// The root comes back as far as it was opened.
    pub fn found(&mut self, root: Option<Box<LocalRoot>>) {
        self.root = root.map_or(Root::Absent, Root::Found);
    }

    /// The root is open, and this state's.
    pub fn opened(&mut self, root: Arc<OwnRoot>) {
        self.root = Root::Open(root);
        self.scan_due = true;
        self.is_well();
    }

    /// Nothing keeps this side from syncing.
    pub fn is_well(&mut self) {
        self.problem = SideProblem::default();
        self.backoff.over();
    }

    /// The disk or the store failed; returns when it is tried again.
    pub fn failed(&mut self, unit_random: f64, now: Instant) -> Duration {
        self.backoff.failed(None, unit_random, now)
    }

    /// The handle may lead to what was there before: everything is opened anew. Returns when that is tried.
    pub fn lost(&mut self, now: Instant) -> Duration {
        self.root = Root::Absent;
        self.watch.forget();
        self.backoff.wait(FOLDER_LOOK, now);
        FOLDER_LOOK
    }

    /// Nothing is waited for any more: somebody asked, or what was missing is there.
    pub fn try_now(&mut self) {
        self.backoff.over();
    }

    // ---- looks ------------------------------------------------------------------------------

    /// What was seen may be of another moment: the next look reads everything.
    pub fn scan_again(&mut self) {
        self.scan_due = true;
    }

    /// What a pass that begins now reads: all of it, or the folders that have been quiet for long enough.
    pub fn begin_look(&mut self, whole: bool, now: Instant) -> LocalJob {
        let due = self.debounce.take_due(now);
        let look = if whole || self.scan_due || due.subtree.is_some() {
            self.scan_due = false;
            self.debounce.clear();
            LocalLook::Whole
        } else {
            LocalLook::Folders(due.folders)
        };
        LocalJob {
            verifies: look == LocalLook::Whole && self.times.verify_at() <= now,
            look,
            dirty: self.debounce.is_dirty(),
            change_counter: self.watch.change_counter(),
            written: self.watch.written(),
        }
    }

    /// A look ended well; says whether the watch has to begin anew, since the right folder is in its place.
    pub fn looked(&mut self, read_all: bool, now: Instant) -> bool {
        if read_all {
            self.times.scanned(self.poll_period, now);
        }
        let begins = self.watch.takes_new_beginning();
        self.scan_due |= begins;
        begins
    }

    // ---- the watch --------------------------------------------------------------------------

    /// Where the watcher's messages come from.
    pub fn messages(&self) -> &Receiver<WatchMessage> {
        self.watch.messages()
    }

    /// Whether there is a watcher.
    pub fn has_watcher(&self) -> bool {
        self.watch.has_watcher()
    }

    /// Whether the watcher looks at another folder than the root's path leads to.
    pub fn misses_the_root(&self) -> bool {
        self.watch.misses_the_root()
    }

    /// Watches `root` as `setting` wants it, and notes looks at it in `calls`.
    pub fn start_watching(&mut self, root: &Path, setting: config::Watch, calls: &Arc<OpenCalls>) {
        self.watch.start(root, setting, calls);
    }

    /// What is told of the watch over `root`; where it does not see everything, scans are planned from now on.
    pub fn watch_told(&mut self, root: &Path, now: Instant) -> WatchTold {
        let told = self.watch.told(root, self.poll_period);
        self.times.poll(told.polls.then_some(self.poll_period), now);
        told
    }

    /// The watcher tells something; `None` when its channel is closed.
    pub fn on_watch(&mut self, message: Option<WatchMessage>, now: Instant) -> WatchNews {
        self.watch.counts_change();
        match message {
            Some(WatchMessage::Ready) => self.watch.is_complete(),
            Some(WatchMessage::Dirty(folders)) => {
                for folder in folders {
                    self.debounce.record(folder, now);
                }
            }
            Some(WatchMessage::Rescan(why)) => {
                log::debug!("everything is scanned again: {why}");
                self.debounce.record_subtree(RelPath::root(), now);
                // A file system that tells nothing may have been mounted, or taken away.
                return WatchNews::Changed;
            }
            Some(WatchMessage::Limit) => {
                log::warn!("{}", watch::limit_sentence(self.poll_period));
                let because = "the limit of inotify watches is reached".to_owned();
                return self.stop_watching(Watching::Poll { because });
            }
            Some(WatchMessage::RootGone) => {
                self.watch.root_gone();
                // The next look finds out, and waits for the folder to come back.
                self.backoff.over();
                self.scan_due = true;
                return WatchNews::RootGone;
            }
            Some(WatchMessage::Failed(why)) => {
                log::warn!("watching ended: {why}");
                return self.stop_watching(Watching::Poll { because: why });
            }
            None => self.watch.is_silent(),
        }
        WatchNews::Nothing
    }

    fn stop_watching(&mut self, instead: Watching) -> WatchNews {
        self.watch.stop(instead);
        self.scan_due = true;
        WatchNews::Changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::facts::WatchIs;

    const QUIET: Duration = Duration::from_secs(10);

    /// A side whose first scan is over.
    fn scanned(now: Instant) -> LocalSide {
        let mut side = LocalSide::new(None, QUIET, Duration::from_secs(60), now);
        assert_eq!(side.begin_look(false, now).look, LocalLook::Whole, "the first look reads everything");
        assert!(!side.looked(true, now) && !side.facts(true).scan_due);
        side
    }

    fn dirty(path: &str) -> Option<WatchMessage> {
        Some(WatchMessage::Dirty(vec![RelPath::parse(path).expect("a path")]))
    }

    #[test]
    fn a_look_reads_what_is_quiet_and_says_that_more_is_not() {
        let now = Instant::now();
        let mut side = scanned(now);
        side.on_watch(dirty("a"), now);
        side.on_watch(dirty("b"), now + QUIET / 2);
        assert_eq!(side.facts(true).quiet_at, Some(now + QUIET));
        assert_eq!(side.facts(false).quiet_at, None, "nobody could read it");
        let job = side.begin_look(false, now + QUIET);
        assert_eq!(job.look, LocalLook::Folders(vec![RelPath::parse("a").expect("a path")]));
        assert!(job.dirty && !job.verifies);
        let job = side.begin_look(true, now + QUIET);
        assert!(job.look == LocalLook::Whole && !job.dirty);
    }

    #[test]
    fn a_look_counts_what_the_watcher_tells_meanwhile() {
        let now = Instant::now();
        let mut side = scanned(now);
        let counter = side.begin_look(false, now).change_counter;
        let before = counter.load(std::sync::atomic::Ordering::Acquire);
        side.on_watch(dirty("a"), now);
        assert_ne!(counter.load(std::sync::atomic::Ordering::Acquire), before);
    }

    #[test]
    fn once_the_root_is_gone_everything_is_read_at_once_and_the_watch_begins_anew_after_it() {
        let now = Instant::now();
        let mut side = scanned(now);
        side.failed(1.0, now);
        assert!(side.facts(true).not_before.is_some());
        assert_eq!(side.on_watch(Some(WatchMessage::RootGone), now), WatchNews::RootGone);
        let facts = side.facts(true);
        assert!(facts.scan_due && facts.not_before.is_none() && facts.watch == WatchIs::Off);
        // A look at what is quiet that was decided a moment before reads everything too.
        assert_eq!(side.begin_look(false, now).look, LocalLook::Whole);
        assert!(side.looked(true, now), "the watch begins anew");
        assert!(side.facts(true).scan_due && !side.looked(true, now));
    }

    #[test]
    fn a_watch_that_ends_is_replaced_by_polling_and_a_scan() {
        let now = Instant::now();
        for message in [WatchMessage::Limit, WatchMessage::Failed("broken".to_owned())] {
            let mut side = scanned(now);
            assert_eq!(side.on_watch(Some(message), now), WatchNews::Changed);
            let told = side.watch_told(Path::new("/"), now);
            assert!(told.polls && told.word.starts_with("poll: "), "{}", told.word);
            let facts = side.facts(true);
            assert!(facts.scan_due && facts.watch == WatchIs::Polling);
            assert_eq!(facts.poll_at, Some(now + Duration::from_secs(60)));
        }
    }

    #[test]
    fn a_lost_root_is_looked_for_soon_and_a_well_side_waits_for_nothing() {
        let now = Instant::now();
        let mut side = scanned(now);
        assert_eq!(side.lost(now), FOLDER_LOOK);
        assert_eq!(side.facts(true).root, RootIs::Absent);
        assert_eq!(side.facts(true).not_before, Some(now + FOLDER_LOOK));
        side.problem_mut().state = Some(crate::status::DaemonState::WrongFolder);
        side.is_well();
        assert!(side.facts(true).not_before.is_none() && side.facts(true).problem.is_none());
    }
}
