//! What is told of the daemon: the status and its file, the supervisor, and what was said already.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use super::current_state::History;
use super::watching::WatchTold;
use super::work::Work;
use crate::app::report::tell_notes;
use crate::app::told;
use crate::engine::execute;
use crate::engine::operation::{Note, Operation};
use crate::engine::pass::{Engine, Report};
use crate::icloud::signin::SessionState;
use crate::model::{RelPath, State};
use crate::notify_systemd::Systemd;
use crate::status::file::StatusFile;
use crate::status::health::ReadyFacts;
use crate::status::{
    DaemonState, Facts, Hang, Pending, RemoteWatch, SideCounts, StatusDocument, Tracker, Trust,
};

/// The loop ticks at least this often while a supervisor wants to hear of it.
const TICK: Duration = Duration::from_secs(5);

/// What is told of the daemon.
pub(super) struct StatusView {
    tracker: Tracker,
    file: StatusFile,
    systemd: Systemd,
    zone: TimeZone,
    /// Sentences that are said once.
    said: BTreeSet<String>,
    /// What was said of items that are left alone already.
    said_notes: BTreeSet<String>,
    /// What the last pass left alone.
    notes: Vec<Note>,
    /// What waits for iCloud.
    waiting: Vec<Operation>,
    last_pass_began: Option<Instant>,
    last_pass_failed: Option<String>,
}

impl StatusView {
    /// A daemon that starts at `now` (Unix seconds).
    pub fn new(facts: Facts, file: StatusFile, zone: TimeZone, now: i64) -> Self {
        Self {
            tracker: Tracker::new(facts, now),
            file,
            systemd: Systemd::of_process(),
            zone,
            said: BTreeSet::new(),
            said_notes: BTreeSet::new(),
            notes: Vec::new(),
            waiting: Vec::new(),
            last_pass_began: None,
            last_pass_failed: None,
        }
    }

    // ---- the supervisor ---------------------------------------------------------------------

    /// The start is over.
    pub fn is_ready(&self) {
        self.systemd.ready();
    }

    /// The end has begun.
    pub fn is_stopping(&self) {
        self.systemd.stopping();
    }

    /// The loop turned.
    pub fn ticks(&mut self, now: Instant) {
        self.systemd.tick(now);
    }

    /// When the loop has to turn for the supervisor's sake.
    pub fn tick_at(&self, now: Instant) -> Option<Instant> {
        self.systemd.tick_every().map(|interval| now + interval.min(TICK))
    }

    // ---- the status -------------------------------------------------------------------------

    /// What the state tells of the passes so far.
    pub fn history(&self, work: &Work) -> History {
        History {
            before: self.tracker.state(),
            has_passed: self.tracker.totals.passes > 0,
            is_initial_done: work.is_initial_done(),
            is_cut_short: work.is_cut_short(),
        }
    }

    /// The state that was told last.
    pub fn state(&self) -> DaemonState {
        self.tracker.state()
    }

    /// Tells the state where it is another one now; `now` in Unix seconds.
    pub fn show_state(&mut self, state: DaemonState, now: i64) {
        if self.tracker.set_state(state, now) {
            self.systemd.status(state.sentence());
            // That it stops was told when it began to.
            if state != DaemonState::Stopping {
                log::info!("{}", state.line());
            }
        }
    }

    /// The status, with what `stored` remembers.
    pub fn document(&self, stored: &State) -> StatusDocument {
        self.tracker.document(stored, &self.zone)
    }

    /// Has the status file written where something changed; with `at_once` in any case.
    pub fn write(&mut self, stored: &State, now: Instant, at_once: bool) {
        let document = self.document(stored);
        self.file.offer(&document, now, at_once);
    }

    /// Writes the last status and ends.
    pub fn finish(self, stored: &State) {
        let document = self.document(stored);
        self.file.finish(document);
    }

    /// What readiness depends on beside the status.
    pub fn ready_facts(&self, signed_in: bool, refresh_period: Duration, now: Instant) -> ReadyFacts {
        ReadyFacts {
            signed_in,
            last_pass_began: self.last_pass_began.map(|at| now.saturating_duration_since(at)),
            last_pass_failed: self.last_pass_failed.clone(),
            refresh_period,
        }
    }

    // ---- the sides --------------------------------------------------------------------------

    /// How local changes are noticed.
    pub fn watching(&mut self, told: WatchTold) {
        self.tracker.facts.watch = told.word;
        for line in told.lines {
            if self.said.insert(line.clone()) {
                log::info!("{line}");
            }
        }
    }

    /// Local changes are not noticed until the local root is back.
    pub fn watching_ended(&mut self) {
        "off until the folder is back".clone_into(&mut self.tracker.facts.watch);
    }

    /// How changes on iCloud are noticed; said where it is another way than before.
    pub fn remote_watch(&mut self, watch: RemoteWatch) {
        if self.tracker.remote_watch.by != watch.by {
            log::info!("changes on iCloud are noticed {}", watch.by.sentence());
        }
        self.tracker.remote_watch = watch;
    }

    /// What is out of the ordinary with the file system.
    pub fn file_system(&mut self, told: Option<String>) {
        self.tracker.facts.file_system = told;
    }

    /// Since when this machine is trusted, and until when.
    pub fn session(&mut self, session: &SessionState) {
        self.tracker.trust = Trust { began: session.trust_began, expires: session.trust_expires };
    }

    /// The stored session cannot be read, which is said once for each reason.
    pub fn session_unreadable(&mut self, why: &str) {
        if self.said.insert(format!("session: {why}")) {
            log::warn!("{why}");
        }
    }

    /// The sign-in that somebody was waited for went well.
    pub fn signed_in(&mut self) {
        self.tracker.signed_in();
    }

    /// What each side holds, as the engine saw it last.
    pub fn counts(&mut self, engine: &Engine) {
        (self.tracker.counts, self.tracker.looked) = told::counts(engine);
    }

    /// A call to the disk has not come back for long, at `now` (Unix seconds); said once for each.
    pub fn disk_hangs(&mut self, path: String, sentence: String, now: i64) {
        log::warn!("{sentence}");
        self.tracker.hang = Some(Hang { path, since: now, sentence });
    }

    /// It came back.
    pub fn disk_answers(&mut self, path: &RelPath, after: Duration) {
        log::info!("the disk answers again after {} s: {path}", after.as_secs());
        self.tracker.hang = None;
    }

    // ---- passes -----------------------------------------------------------------------------

    /// A pass tells what it is going to do, and what it saw here.
    pub fn planned(&mut self, pending: Pending, here: Option<SideCounts>) {
        self.tracker.pending = pending;
        self.tracker.looked.local |= here.is_some();
        self.tracker.counts.local = here.unwrap_or(self.tracker.counts.local);
    }

    /// Something happened in a pass, at `now` (Unix seconds); how far it is only with the moment of that.
    pub fn follow(&mut self, event: &execute::Event, now: i64, progress_at: Option<Instant>) {
        told::follow(&mut self.tracker, event, now, progress_at);
    }

    /// No job has the engine.
    pub fn job_over(&mut self) {
        self.tracker.progress_over();
    }

    /// A pass with iCloud that began then is over.
    pub fn pass_over(&mut self, began: Option<Instant>) {
        self.last_pass_began = began;
    }

    /// A pass with iCloud ended well.
    pub fn passed(&mut self, report: Report, engine: Option<&Engine>) {
        tell_notes(&report, &mut self.said_notes);
        self.last_pass_failed = None;
        self.tracker.passed(report.rests());
        self.tracker.pending = Pending::default();
        self.waiting.clear();
        told::left_alone(&mut self.tracker, &report);
        self.notes = report.notes;
        if let Some(engine) = engine {
            self.counts(engine);
        }
    }

    /// A pass without iCloud ended well, and left that to be done with it.
    pub fn local_passed(&mut self, waiting: Vec<Operation>, engine: Option<&Engine>) {
        self.tracker.pending = told::pending(&waiting);
        self.waiting = waiting;
        if let Some(engine) = engine {
            self.counts(engine);
        }
    }

    /// Something failed as a whole; `next_try` in Unix seconds.
    pub fn failed(&mut self, said: String, next_try: Option<i64>) {
        self.tracker.failed(said.clone(), next_try);
        self.last_pass_failed = Some(said);
    }

    /// What the last pass left alone at that path.
    pub fn notes_at<'a>(&'a self, path: &'a RelPath) -> impl Iterator<Item = &'a Note> {
        self.notes.iter().filter(move |note| note.path == *path)
    }

    /// What waits for iCloud at that path.
    pub fn waiting_at<'a>(&'a self, path: &'a RelPath) -> impl Iterator<Item = &'a Operation> {
        self.waiting.iter().filter(move |operation| operation.path == *path)
    }
}
