//! Collects what the status tells. No I/O, no clock: the loop brings both.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use super::{
    Activity, ConflictItem, Counts, DaemonState, Looked, Pending, Progress, SetAsideItem, SkippedItem,
    StatusDocument, Totals, When,
};
use crate::model::{RelPath, State};
use crate::secret::{mask, mask_account};

/// How many conflicts and activities are remembered.
const REMEMBERED: usize = 50;
/// How many skipped items are listed: an ignored million would fill the memory and tell nothing.
const SKIPPED_LISTED: usize = 1000;
/// How many held deletions the document names; `held_deletes` counts them all.
const HELD_LISTED: usize = 100;
/// Over how long the rate is measured.
const RATE_WINDOW: Duration = Duration::from_secs(10);
/// How far apart its samples are at least, so that there are few.
const RATE_STEP: Duration = Duration::from_millis(500);

/// What does not change while the daemon runs, but for a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The account, not masked yet.
    pub username: String,
    /// `sync.directory`.
    pub directory: String,
    /// `sync.remote_root`.
    pub remote_root: String,
    /// How local changes are noticed, as [`StatusDocument::watch`] tells it.
    pub watch: String,
    /// As [`StatusDocument::file_system`] tells it.
    pub file_system: Option<String>,
    /// The process.
    pub pid: u32,
}

/// A path and one more thing to say of it, with its time in Unix seconds.
#[derive(Clone, Debug)]
struct Remembered<T> {
    at: i64,
    what: T,
}

/// Collects. Owned by the loop; every time is in Unix seconds unless it is an [`Instant`].
#[derive(Clone, Debug)]
pub struct Tracker {
    /// What does not change.
    pub facts: Facts,
    started: i64,
    state: DaemonState,
    since: i64,
    /// Since when this machine is trusted, in seconds since 1970.
    pub session_began: Option<i64>,
    /// When the trust runs out, and whether that is only estimated.
    pub session_expires: Option<(i64, bool)>,
    /// Whether the last pass planned nothing at all.
    pub last_pass_quiet: bool,
    /// What each side holds.
    pub counts: Counts,
    /// Which sides were looked at since the start.
    pub looked: Looked,
    /// What is still to be done.
    pub pending: Pending,
    /// What was done.
    pub totals: Totals,
    /// When it tries again.
    pub next_try: Option<i64>,
    last_error: Option<String>,
    progress: Option<Progress>,
    samples: VecDeque<(Instant, u64)>,
    skipped: Vec<SkippedItem>,
    unfit: Vec<(RelPath, String)>,
    unsettled: Vec<SkippedItem>,
    conflicts: VecDeque<Remembered<(String, Option<String>)>>,
    activity: VecDeque<Remembered<String>>,
}

impl Tracker {
    /// A daemon that starts now.
    pub fn new(facts: Facts, now: i64) -> Self {
        Self {
            facts,
            started: now,
            state: DaemonState::Starting,
            since: now,
            session_began: None,
            session_expires: None,
            last_pass_quiet: false,
            counts: Counts::default(),
            looked: Looked::default(),
            pending: Pending::default(),
            totals: Totals::default(),
            next_try: None,
            last_error: None,
            progress: None,
            samples: VecDeque::new(),
            skipped: Vec::new(),
            unfit: Vec::new(),
            unsettled: Vec::new(),
            conflicts: VecDeque::new(),
            activity: VecDeque::new(),
        }
    }

    /// What it is doing.
    pub fn state(&self) -> DaemonState {
        self.state
    }

    /// It does something else now; `false` when it did that before already.
    pub fn set_state(&mut self, state: DaemonState, now: i64) -> bool {
        let changed = self.state != state;
        if changed {
            self.state = state;
            self.since = now;
        }
        changed
    }

    /// A pass failed as a whole, or something else that the owner should know.
    pub fn failed(&mut self, error: impl Into<String>) {
        self.last_error = Some(error.into());
        self.totals.failures += 1;
    }

    /// The sign-in that somebody was waited for went well.
    pub fn signed_in(&mut self) {
        self.last_error = None;
    }

    /// A pass ended well.
    pub fn passed(&mut self) {
        self.last_error = None;
        self.totals.passes += 1;
    }

    /// How far the running pass is. Rate and time left are computed here; what is in them is ignored.
    pub fn progress(&mut self, progress: Progress, now: Instant) {
        // A new pass counts from zero again.
        if self.samples.back().is_some_and(|(_, bytes)| *bytes > progress.bytes_done) {
            self.samples.clear();
        }
        if self.samples.back().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= RATE_STEP) {
            self.samples.push_back((now, progress.bytes_done));
        }
        while self.samples.len() > 2
            && self.samples.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > RATE_WINDOW)
        {
            self.samples.pop_front();
        }
        let rate = self.samples.front().map_or(0, |(at, bytes)| {
            let millis = now.saturating_duration_since(*at).as_millis();
            let moved = u128::from(progress.bytes_done.saturating_sub(*bytes));
            (moved * 1000).checked_div(millis).map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
        });
        let left = progress.bytes_total.saturating_sub(progress.bytes_done);
        let seconds_left = if rate == 0 { None } else { Some(left.div_ceil(rate)) };
        self.progress = Some(Progress { rate, seconds_left, ..progress });
    }

    /// No pass is running.
    pub fn progress_over(&mut self) {
        self.progress = None;
        self.samples.clear();
    }

    /// What the last pass left alone by rule.
    pub fn set_skipped<'a>(&mut self, items: impl IntoIterator<Item = (&'a RelPath, &'a str)>) {
        self.skipped = listed(items);
    }

    /// What the last pass left alone because not enough was known of it.
    pub fn set_unsettled<'a>(&mut self, items: impl IntoIterator<Item = (&'a RelPath, &'a str)>) {
        self.unsettled = listed(items);
    }

    /// What the last pass could not plan with, and why. Each plan finds such items out anew, so nothing of them is stored.
    pub fn set_unfit<'a>(&mut self, items: impl IntoIterator<Item = (&'a RelPath, &'a str)>) {
        let items = items.into_iter().take(SKIPPED_LISTED);
        self.unfit = items.map(|(path, reason)| (path.clone(), reason.to_owned())).collect();
    }

    /// A conflict was settled; `copy` is where the other version is kept.
    pub fn conflict(&mut self, path: &RelPath, copy: Option<&RelPath>, now: i64) {
        self.totals.conflicts += 1;
        let what = (path.to_string(), copy.map(ToString::to_string));
        remember(&mut self.conflicts, Remembered { at: now, what });
    }

    /// Something was done, told as in the log.
    pub fn activity(&mut self, what: impl Into<String>, now: i64) {
        remember(&mut self.activity, Remembered { at: now, what: what.into() });
    }

    /// The document, with what `stored` remembers; times in `zone`. Secrets are masked.
    pub fn document(&self, stored: &State, zone: &TimeZone) -> StatusDocument {
        let when = |seconds: i64| When::new(seconds, zone);
        let safe = |text: &str| mask(text).into_owned();
        let tried = stored.set_aside.iter().map(|(path, item)| SetAsideItem {
            path: path.to_string(),
            reason: safe(&item.reason),
            next_try: item.next_try.map(|at| when(stored.shown(at))),
        });
        let unfit = self.unfit.iter().filter(|(path, _)| !stored.set_aside.contains_key(path));
        let unfit = unfit.map(|(path, reason)| SetAsideItem {
            path: path.to_string(),
            reason: safe(reason),
            next_try: None,
        });
        let set_aside: Vec<SetAsideItem> = tried.chain(unfit).collect();
        let held_deletes = stored.guard.held.len() as u64;
        // What was trusted once says nothing while somebody has to sign in.
        let signed_out = matches!(self.state, DaemonState::NeedsCode | DaemonState::NeedsPassword);
        let session_expires = self.session_expires.filter(|_| !signed_out);
        let is_decided = stored.guard.decided.is_empty();
        let settled = self.pending.total() == 0 && held_deletes == 0 && is_decided && set_aside.is_empty();
        StatusDocument {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: self.state,
            since: when(self.since),
            account: mask_account(&self.facts.username),
            session_began: self.session_began.filter(|_| !signed_out).map(when),
            session_expires: session_expires.map(|(at, _)| when(at)),
            session_expires_estimated: session_expires.is_some_and(|(_, estimated)| estimated),
            in_sync: self.last_pass_quiet && settled,
            last_sync: stored.last_sync.map(when),
            counts: self.counts,
            looked: self.looked,
            pending: self.pending,
            progress: self.progress,
            totals: self.totals,
            held_deletes,
            next_try: self.next_try.map(when),
            set_aside,
            skipped: self.skipped.clone(),
            unsettled: self.unsettled.clone(),
            conflicts: newest(&self.conflicts, |conflict| ConflictItem {
                path: conflict.what.0.clone(),
                copy: conflict.what.1.clone(),
                at: when(conflict.at),
            }),
            last_error: self.last_error.as_deref().map(safe),
            started: when(self.started),
            pid: self.facts.pid,
            directory: self.facts.directory.clone(),
            remote_root: self.facts.remote_root.clone(),
            watch: self.facts.watch.clone(),
            file_system: self.facts.file_system.clone(),
            held: stored.guard.held.iter().take(HELD_LISTED).map(|deletion| deletion.path.clone()).collect(),
            activity: newest(&self.activity, |done| Activity { at: when(done.at), what: safe(&done.what) }),
        }
    }
}

fn listed<'a>(items: impl IntoIterator<Item = (&'a RelPath, &'a str)>) -> Vec<SkippedItem> {
    let items = items.into_iter().take(SKIPPED_LISTED);
    items.map(|(path, reason)| SkippedItem { path: path.to_string(), reason: reason.to_owned() }).collect()
}

fn remember<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == REMEMBERED {
        list.pop_front();
    }
    list.push_back(item);
}

fn newest<T, U>(list: &VecDeque<T>, show: impl Fn(&T) -> U) -> Vec<U> {
    list.iter().rev().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state::{Deletion, SetAside};
    use crate::model::{Change, Side};
    use crate::secret::Secret;

    const NOW: i64 = 1_795_341_600;

    fn tracker() -> Tracker {
        let facts = Facts {
            username: "you@example.com".to_owned(),
            directory: "/drive".to_owned(),
            remote_root: "/".to_owned(),
            watch: "events".to_owned(),
            file_system: None,
            pid: 42,
        };
        Tracker::new(facts, NOW)
    }

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).expect("a path")
    }

    #[test]
    fn the_contract_names_every_field() {
        let document = tracker().document(&State::empty(), &TimeZone::UTC);
        let json = serde_json::to_value(&document).expect("JSON");
        for field in [
            "version",
            "state",
            "since",
            "account",
            "session_began",
            "session_expires",
            "in_sync",
            "last_sync",
            "counts",
            "pending",
            "progress",
            "totals",
            "held_deletes",
            "next_try",
            "set_aside",
            "skipped",
            "conflicts",
            "last_error",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert_eq!(json["account"], "y***@example.com");
        assert_eq!(json["state"], "starting");
        assert_eq!(json["since"], "2026-11-22T10:00:00+00:00");
        assert_eq!(json["counts"]["local"]["files"], 0);
        for state in DaemonState::ALL {
            assert_eq!(serde_json::to_value(state).expect("JSON"), state.as_str());
        }
    }

    #[test]
    fn in_sync_needs_a_quiet_pass_and_nothing_left() {
        let mut tracker = tracker();
        let mut stored = State::empty();
        let in_sync = |tracker: &Tracker, stored: &State| tracker.document(stored, &TimeZone::UTC).in_sync;
        assert!(!in_sync(&tracker, &stored));
        tracker.last_pass_quiet = true;
        tracker.set_skipped([(&path("movie.mkv"), "larger than limits.max_file_size")]);
        assert!(in_sync(&tracker, &stored), "what is skipped by rule does not count");
        tracker.pending.uploads = 1;
        assert!(!in_sync(&tracker, &stored));
        tracker.pending.uploads = 0;
        let aside = SetAside { reason: "no".to_owned(), attempts: 1, next_try: None, since: NOW };
        stored.apply(&Change::SetAside(path("a"), Some(aside)));
        assert!(!in_sync(&tracker, &stored));
        stored.apply(&Change::SetAside(path("a"), None));
        stored.guard.held.push(Deletion {
            on: Side::Remote,
            id: "z::1".to_owned(),
            path: "gone".to_owned(),
            at: NOW,
            version: String::new(),
        });
        let document = tracker.document(&stored, &TimeZone::UTC);
        assert!(!document.in_sync);
        assert_eq!((document.held_deletes, document.held), (1, vec!["gone".to_owned()]));
    }

    #[test]
    fn the_rate_is_that_of_the_last_moments() {
        let mut tracker = tracker();
        let start = Instant::now();
        let total = Progress { items_total: 9, bytes_total: 100_000, ..Progress::default() };
        for second in 0..=60 {
            let bytes_done = if second <= 30 { second * 10 } else { 300 + (second - 30) * 1000 };
            tracker.progress(Progress { bytes_done, ..total }, start + Duration::from_secs(second));
        }
        let progress = tracker.progress.expect("a pass is running");
        assert_eq!(progress.rate, 1000);
        assert_eq!(progress.seconds_left, Some(70));
        assert!(tracker.samples.len() < 30);
        tracker.progress_over();
        tracker.progress(total, start + Duration::from_secs(61));
        assert_eq!(tracker.progress.map(|progress| (progress.rate, progress.seconds_left)), Some((0, None)));
    }

    #[test]
    fn memory_is_bounded_and_the_newest_come_first() {
        let mut tracker = tracker();
        for n in 0..10_000 {
            tracker.activity(format!("uploaded {n}"), NOW + n);
            tracker.conflict(&path("a"), Some(&path("a (conflict)")), NOW + n);
        }
        let document = tracker.document(&State::empty(), &TimeZone::UTC);
        assert_eq!(document.activity.len(), REMEMBERED);
        assert_eq!(document.activity[0].what, "uploaded 9999");
        assert_eq!((document.conflicts.len(), document.totals.conflicts), (REMEMBERED, 10_000));
        let many: Vec<RelPath> = (0..5000).map(|n| path(&n.to_string())).collect();
        tracker.set_skipped(many.iter().map(|path| (path, "rule")));
        assert_eq!(tracker.skipped.len(), SKIPPED_LISTED);
    }

    #[test]
    fn states_keep_their_time_and_secrets_their_mask() {
        let mut tracker = tracker();
        assert!(tracker.set_state(DaemonState::Idle, NOW + 5));
        assert!(!tracker.set_state(DaemonState::Idle, NOW + 9));
        let secret = Secret::new("status-shows-no-secret");
        tracker.failed(format!("refused {}", secret.expose()));
        let document = tracker.document(&State::empty(), &TimeZone::UTC);
        assert_eq!(document.since.seconds(), NOW + 5);
        assert_eq!(document.last_error.as_deref(), Some("refused ***"));
        tracker.passed();
        assert_eq!(tracker.document(&State::empty(), &TimeZone::UTC).last_error, None);
    }
}
