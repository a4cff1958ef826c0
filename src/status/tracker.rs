//! Collects what the status tells. No I/O, no clock: the loop brings both.

use std::time::Instant;

use jiff::tz::TimeZone;

use super::lists::{LeftAlone, Recent};
use super::rate::Rate;
use super::{
    Counts, DaemonState, DiskHang, Looked, Pending, Progress, RemoteWatch, SetAsideItem, StatusDocument,
    Totals, When,
};
use crate::model::{RelPath, State};
use crate::secret::{mask, mask_account};

/// How many held deletions the document names; `held_deletes` counts them all.
const HELD_LISTED: usize = 100;

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

/// How long this machine is trusted, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Since when.
    pub began: Option<i64>,
    /// When it runs out, and whether that is only estimated.
    pub expires: Option<(i64, bool)>,
}

/// A call to the disk that does not come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hang {
    /// What it is about, with the folder that is synced.
    pub path: String,
    /// When that was noticed, in Unix seconds.
    pub since: i64,
    /// For people.
    pub sentence: String,
}

/// How the last pass, or what came instead of it, ended.
#[derive(Clone, Debug, Default)]
struct Outcome {
    /// It planned nothing at all.
    was_quiet: bool,
    error: Option<String>,
    /// When it is tried again, in Unix seconds.
    next_try: Option<i64>,
}

/// Collects. Owned by the loop; every time is in Unix seconds unless it is an [`Instant`].
#[derive(Clone, Debug)]
pub struct Tracker {
    /// What does not change.
    pub facts: Facts,
    started: i64,
    state: DaemonState,
    /// When it came into this state.
    since: i64,
    /// How long this machine is trusted.
    pub trust: Trust,
    /// What each side holds.
    pub counts: Counts,
    /// Which sides were looked at since the start.
    pub looked: Looked,
    /// How changes on iCloud are noticed.
    pub remote_watch: RemoteWatch,
    /// What is still to be done.
    pub pending: Pending,
    /// What was done.
    pub totals: Totals,
    /// The call to the disk that does not come back; `None` while all do.
    pub hang: Option<Hang>,
    outcome: Outcome,
    rate: Rate,
    left_alone: LeftAlone,
    recent: Recent,
}

impl Tracker {
    /// A daemon that starts now.
    pub fn new(facts: Facts, now: i64) -> Self {
        Self {
            facts,
            started: now,
            state: DaemonState::Starting,
            since: now,
            trust: Trust::default(),
            counts: Counts::default(),
            looked: Looked::default(),
            remote_watch: RemoteWatch::default(),
            pending: Pending::default(),
            totals: Totals::default(),
            hang: None,
            outcome: Outcome::default(),
            rate: Rate::default(),
            left_alone: LeftAlone::default(),
            recent: Recent::default(),
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

    /// A pass failed as a whole, or something else that the owner should know; `next_try` is when it is tried again. Whether
    /// both sides are equal is unknown until a pass ends well.
    pub fn failed(&mut self, error: impl Into<String>, next_try: Option<i64>) {
        self.outcome = Outcome { was_quiet: false, error: Some(error.into()), next_try };
        self.totals.failures += 1;
    }

    /// The sign-in that somebody was waited for went well.
    pub fn signed_in(&mut self) {
        self.outcome.error = None;
    }

    /// A pass ended well; a quiet one planned nothing at all.
    pub fn passed(&mut self, was_quiet: bool) {
        self.outcome = Outcome { was_quiet, ..Outcome::default() };
        self.totals.passes += 1;
    }

    /// How far the running pass is. Rate and time left are computed here; what is in them is ignored.
    pub fn progress(&mut self, progress: Progress, now: Instant) {
        self.rate.follow(progress, now);
    }

    /// No pass is running.
    pub fn progress_over(&mut self) {
        self.rate.end();
    }

    /// What the last pass left alone by rule.
    pub fn set_skipped<'a>(&mut self, items: impl IntoIterator<Item = (&'a RelPath, &'a str)>) {
        self.left_alone.set_skipped(items);
    }

    /// What the last pass left alone because not enough was known of it.
    pub fn set_unsettled<'a>(&mut self, items: impl IntoIterator<Item = (&'a RelPath, &'a str)>) {
        self.left_alone.set_unsettled(items);
    }

    /// What the last pass could not plan with, and why. Each plan finds such items out anew, so nothing of them is stored.
    pub fn set_unfit<'a>(&mut self, items: impl IntoIterator<Item = (&'a RelPath, &'a str)>) {
        self.left_alone.set_unfit(items);
    }

    /// A conflict was settled; `copy` is where the other version is kept.
    pub fn conflict(&mut self, path: &RelPath, copy: Option<&RelPath>, now: i64) {
        self.totals.conflicts += 1;
        self.recent.conflict(path, copy, now);
    }

    /// Something was done, told as in the log.
    pub fn activity(&mut self, what: impl Into<String>, now: i64) {
        self.recent.activity(what.into(), now);
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
        let unfit = self.left_alone.unfit().iter().filter(|(path, _)| !stored.set_aside.contains_key(path));
        let unfit = unfit.map(|(path, reason)| SetAsideItem {
            path: path.to_string(),
            reason: safe(reason),
            next_try: None,
        });
        let set_aside: Vec<SetAsideItem> = tried.chain(unfit).collect();
        let held_deletes = stored.guard.held.len() as u64;
        // What was trusted once says nothing while somebody has to sign in.
        let signed_out = matches!(self.state, DaemonState::NeedsCode | DaemonState::NeedsPassword);
        let session_expires = self.trust.expires.filter(|_| !signed_out);
        let is_decided = stored.guard.decided.is_empty();
        let settled = self.pending.total() == 0 && held_deletes == 0 && is_decided && set_aside.is_empty();
        // While nothing comes back from the disk, no other error matters as much.
        let hangs = self.hang.as_ref().map(|hang| &*hang.sentence);
        StatusDocument {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: self.state,
            since: when(self.since),
            account: mask_account(&self.facts.username),
            session_began: self.trust.began.filter(|_| !signed_out).map(when),
            session_expires: session_expires.map(|(at, _)| when(at)),
            session_expires_estimated: session_expires.is_some_and(|(_, estimated)| estimated),
            in_sync: self.outcome.was_quiet && settled && self.hang.is_none(),
            last_sync: stored.last_sync.map(when),
            counts: self.counts,
            looked: self.looked,
            pending: self.pending,
            progress: self.rate.progress(),
            totals: self.totals,
            held_deletes,
            next_try: self.outcome.next_try.map(when),
            set_aside,
            skipped: self.left_alone.skipped().to_vec(),
            unsettled: self.left_alone.unsettled().to_vec(),
            conflicts: self.recent.conflicts(when),
            last_error: hangs.or(self.outcome.error.as_deref()).map(safe),
            disk_hangs: self
                .hang
                .as_ref()
                .map(|hang| DiskHang { path: safe(&hang.path), since: when(hang.since) }),
            started: when(self.started),
            pid: self.facts.pid,
            directory: self.facts.directory.clone(),
            remote_root: self.facts.remote_root.clone(),
            watch: self.facts.watch.clone(),
            remote_watch: self.remote_watch.by,
            remote_watch_because: self.remote_watch.because.map(str::to_owned),
            file_system: self.facts.file_system.clone(),
            held: stored.guard.held.iter().take(HELD_LISTED).map(|deletion| deletion.path.clone()).collect(),
            activity: self.recent.activities(when, safe),
        }
    }
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
            "disk_hangs",
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
    fn a_disk_that_hangs_is_named_before_other_errors_until_it_answers() {
        let mut tracker = tracker();
        tracker.passed(true);
        tracker.failed("no", None);
        let sentence = "the disk has not answered".to_owned();
        tracker.hang = Some(Hang { path: "/drive/vol".to_owned(), since: NOW, sentence: sentence.clone() });
        let document = tracker.document(&State::empty(), &TimeZone::UTC);
        assert!(!document.in_sync);
        assert_eq!(document.last_error, Some(sentence));
        assert_eq!(document.disk_hangs.map(|hang| hang.path).as_deref(), Some("/drive/vol"));
        tracker.hang = None;
        let document = tracker.document(&State::empty(), &TimeZone::UTC);
        assert_eq!((document.last_error.as_deref(), document.disk_hangs), (Some("no"), None));
    }

    #[test]
    fn in_sync_needs_a_quiet_pass_and_nothing_left() {
        let mut tracker = tracker();
        let mut stored = State::empty();
        let in_sync = |tracker: &Tracker, stored: &State| tracker.document(stored, &TimeZone::UTC).in_sync;
        assert!(!in_sync(&tracker, &stored));
        tracker.passed(true);
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
    fn states_keep_their_time_and_secrets_their_mask() {
        let mut tracker = tracker();
        assert!(tracker.set_state(DaemonState::Idle, NOW + 5));
        assert!(!tracker.set_state(DaemonState::Idle, NOW + 9));
        let secret = Secret::new("status-shows-no-secret");
        tracker.failed(format!("refused {}", secret.expose()), Some(NOW + 60));
        let document = tracker.document(&State::empty(), &TimeZone::UTC);
        assert_eq!(document.since.seconds(), NOW + 5);
        assert_eq!(document.last_error.as_deref(), Some("refused ***"));
        assert_eq!(document.next_try.map(|at| at.seconds()), Some(NOW + 60));
    }

    #[test]
    fn a_failure_takes_back_what_the_pass_before_said_and_a_pass_the_failure() {
        let mut tracker = tracker();
        let told = |tracker: &Tracker| {
            let document = tracker.document(&State::empty(), &TimeZone::UTC);
            (document.in_sync, document.last_error.is_some(), document.next_try.is_some())
        };
        tracker.passed(true);
        assert_eq!(told(&tracker), (true, false, false));
        tracker.failed("no", Some(NOW));
        assert_eq!(told(&tracker), (false, true, true));
        tracker.signed_in();
        assert_eq!(told(&tracker), (false, false, true), "it is tried again all the same");
        tracker.passed(false);
        assert_eq!(told(&tracker), (false, false, false));
        let totals = tracker.document(&State::empty(), &TimeZone::UTC).totals;
        assert_eq!((totals.passes, totals.failures), (2, 1));
    }
}
