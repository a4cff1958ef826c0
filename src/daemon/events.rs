//! What the loop hears of jobs, and what follows from it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::jobs::{self, Ended, JobEvent, OwnRoot, RemoteRoot, Walked};
use super::main_loop::{Loop, Running, SideProblem};
use crate::app::AppError;
use crate::app::drive::Drive;
use crate::app::report::{tell_notes, tell_unsettled};
use crate::app::told;
use crate::engine::pass::{HereReport, PassError, Phase, Report, Settings};
use crate::engine::ports::{Clock as _, RemoteError};
use crate::icloud::drive::{Pulse, TrashPulse};
use crate::model::ItemId;
use crate::status::{DaemonState, Pending};

/// How often in a row a pass is planned again without another look at iCloud.
const MOST_AGAIN: u32 = 8;
/// So many passes in a row may leave something for later before it is said.
const UNSETTLED_TOLD: u32 = 4;
/// How often a session that waits for a person is looked at for what another process stored.
pub(super) const SESSION_LOOK: Duration = Duration::from_secs(2);
/// The same when it cannot be read.
const UNREADABLE_LOOK: Duration = Duration::from_secs(60);

impl Loop {
    pub(super) fn on_job_event(&mut self, news: JobEvent) {
        match news {
            JobEvent::Phase(phase) => {
                self.phase = Some(phase);
                if phase == Phase::Working {
                    self.working_since.get_or_insert_with(Instant::now);
                }
            }
            JobEvent::Planned(pending, here) => {
                self.tracker.pending = pending;
                self.tracker.looked.local |= here.is_some();
                self.tracker.counts.local = here.unwrap_or(self.tracker.counts.local);
            }
            JobEvent::Event(event) => self.track(&event),
            JobEvent::Reached(result) => {
                self.asking = None;
                self.reached(*result);
            }
            JobEvent::Checked(pulse) => {
                self.asking = None;
                self.checked(pulse);
            }
            JobEvent::TrashChecked(pulse) => self.trash_checked(pulse),
            JobEvent::Walked(walked) => {
                self.asking = None;
                self.walk_over(*walked);
            }
            JobEvent::Done(done) => {
                self.engine = Some(done.engine);
                self.lent = None;
                self.running = Running::Nothing;
                self.phase = None;
                self.working_since = None;
                self.tracker.progress_over();
                match done.result {
                    Ended::Opened { drive, result } => self.opened(drive.map(|drive| *drive), result),
                    Ended::Pass { result, by_person, clean } => self.passed(result, by_person, clean),
                    Ended::LocalPass(result) => self.passed_here(result),
                    Ended::Kept => {}
                }
            }
            JobEvent::SessionRead { read, told } => self.session_read(read, told),
        }
    }

    fn reached(&mut self, result: Result<RemoteRoot, AppError>) {
        let now = Instant::now();
        let session = self.service.account().state();
        (self.tracker.session_began, self.tracker.session_expires) =
            (session.trust_began, session.trust_expires);
        match result {
            Ok(there) => {
                let root_is_library = there.root_is_library;
                self.settings = Settings { root_is_library, ..self.settings.clone() };
                self.there = Some(Arc::new(there));
                if matches!(
                    self.remote_problem.state,
                    Some(DaemonState::NeedsCode | DaemonState::NeedsPassword)
                ) {
                    self.tracker.signed_in();
                }
                self.session_look = None;
                self.away = false;
                self.remote_problem = SideProblem::default();
                self.schedule.there.over();
                self.schedule.refresh_at = now;
            }
            Err(error) => self.fail_there(&error, now),
        }
    }

    fn opened(&mut self, drive: Option<Drive>, result: Result<Option<Arc<OwnRoot>>, AppError>) {
        let now = Instant::now();
        self.drive = drive;
        self.owner = self.engine.as_ref().and_then(|engine| engine.state.owner.clone());
        match result {
            Ok(Some(here)) => {
                here.disk.keep_free(self.config().limits.keep_free);
                self.tracker.facts.file_system = here.disk.file_system();
                self.here = Some(here);
                self.local_problem = SideProblem::default();
                self.schedule.here.over();
                self.scan_due = true;
                if self.watcher.is_none() {
                    self.start_watching();
                }
            }
            Ok(None) => {}
            Err(error) => self.fail_here(&error, now),
        }
    }

    fn checked(&mut self, pulse: Result<Pulse, RemoteError>) {
        let now = Instant::now();
        self.root_listed(now);
        match pulse {
            Ok(pulse) => {
                if std::mem::take(&mut self.away) {
                    // A pass, not this look, tells whether it is over; until then failures still count.
                    log::debug!("iCloud answers again");
                    self.schedule.there.wake();
                    self.schedule.refresh_at = now;
                } else if self.pulse.as_ref().is_some_and(|known| *known != pulse) {
                    log::debug!("something changed on iCloud");
                    self.schedule.refresh_soon(now);
                }
                self.pulse = Some(pulse);
            }
            Err(error) => {
                self.be_half_away(0);
                self.fail_there(&AppError::Remote(error), now);
            }
        }
    }

    /// The root of iCloud was listed: where that takes long, it is left alone for a while.
    fn root_listed(&mut self, now: Instant) {
        let rest = self.there.as_ref().map_or(Duration::ZERO, |there| there.remote.root_rest());
        let walks_there =
            self.owner.as_ref().is_some_and(|owner| owner.root_id == ItemId::drive_root().to_string());
        self.schedule.root_rests(rest, walks_there, now);
    }

    fn trash_checked(&mut self, pulse: Result<TrashPulse, RemoteError>) {
        let now = Instant::now();
        let rest = self.there.as_ref().map_or(Duration::ZERO, |there| there.remote.trash_rest());
        self.trash.over(self.schedule.periods.check, rest, now);
        match pulse {
            Ok(pulse) => {
                if self.trash.changed(pulse) {
                    log::debug!("something came into iCloud's trash, or left it");
                    self.schedule.refresh_soon(now);
                }
            }
            // Whether iCloud is there, other calls tell: the trash alone may be what it cannot list.
            Err(error) => log::debug!("the trash cannot be listed: {error}"),
        }
    }

    fn walk_over(&mut self, walked: Walked) {
        let now = Instant::now();
        match walked.result {
            Ok(view) => {
                self.schedule.walked(walked.took, now);
                self.root_listed(now);
                self.there_ok = true;
                self.plan_due = true;
                self.walked = true;
                self.by_person |= walked.by_person;
                self.fresh = Some(Box::new(view));
                self.take_fresh();
                if self.here.is_none() {
                    // No pass can tell that iCloud is well while the folder is away.
                    self.remote_problem = SideProblem::default();
                    self.schedule.there.over();
                }
            }
            Err(error) => {
                self.be_half_away(0);
                self.fail_there(&AppError::Pass(error), now);
            }
        }
    }

    /// Hands what a walk saw to the engine, once that is at home.
    pub(super) fn take_fresh(&mut self) {
        if let Some(engine) = self.engine.as_mut()
            && let Some(view) = self.fresh.take()
        {
            let now = engine.state.seconds(self.clock.reading());
            engine.saw_there(*view, now);
            (self.tracker.counts, self.tracker.looked) = told::counts(engine);
        }
    }

    fn passed(&mut self, result: Result<Report, PassError>, by_person: bool, clean: bool) {
        let now = Instant::now();
        self.last_pass_began = Some(self.job_began);
        let session = self.service.account().state();
        (self.tracker.session_began, self.tracker.session_expires) =
            (session.trust_began, session.trust_expires);
        let report = match result {
            Ok(report) => report,
            Err(error) => {
                self.pass_failed(error, now);
                return;
            }
        };
        tell_notes(&report, &mut self.told_notes);
        self.last_pass_failed = None;
        self.local_problem = SideProblem::default();
        self.remote_problem = SideProblem::default();
        self.tracker.passed();
        self.tracker.next_try = None;
        self.schedule.there.over();
        self.schedule.here.over();
        self.be_half_away(0);
        self.scanned(now);
        let rests = report.rests();
        // What was done may have made something else possible, such as uploading a conflict copy.
        self.again =
            (!report.quiet).then(|| self.again.unwrap_or(0) + 1).filter(|times| *times <= MOST_AGAIN);
        self.cut_short = report.outcome.cut_short;
        if self.cut_short {
            log::debug!("what is left waits until both sides are looked at again");
            self.again = Some(0);
            self.schedule.refresh_at = now;
        } else {
            self.schedule.settle_later(report.pending || (!report.quiet && self.again.is_none()), now);
        }
        if by_person && self.again.is_some() && report.outcome.failed.is_empty() {
            // What a person asked for goes on until nothing is left, or what is left fails.
            self.asked = true;
        }
        self.worked = (self.worked || !report.quiet) && !clean;
        self.tracker.last_pass_quiet = rests;
        self.tracker.pending = Pending::default();
        self.waiting.clear();
        told::left_alone(&mut self.tracker, &report);
        self.unsettled_rounds = if report.quiet && report.pending { self.unsettled_rounds + 1 } else { 0 };
        if self.unsettled_rounds == UNSETTLED_TOLD {
            tell_unsettled(&report);
        }
        self.notes = report.notes;
        if let Some(engine) = &self.engine {
            (self.tracker.counts, self.tracker.looked) = told::counts(engine);
        }
        if rests && !self.initial_done {
            self.initial_done = true;
            log::info!("initial sync complete");
        }
    }

    fn pass_failed(&mut self, error: PassError, now: Instant) {
        self.cut_short = false;
        // What was seen may be of another moment: the next pass looks at everything.
        self.scan_due = true;
        self.plan_due = true;
        if let PassError::Remote(_) = error {
            self.be_half_away(self.half_away + 1);
            self.fail_there(&AppError::Pass(error), now);
        } else {
            self.schedule.refresh_at = now;
            self.fail_here(&AppError::Pass(error), now);
        }
    }

    /// How many passes in a row could not reach iCloud although looks at it can. After the first one calls use up their own
    /// retries, so that the items concerned are found out and set aside one by one.
    fn be_half_away(&mut self, passes: u32) {
        self.half_away = passes;
        if let Some(there) = &self.there {
            there.remote.be_patient(passes > 0);
        }
    }

    fn passed_here(&mut self, result: Result<HereReport, PassError>) {
        let now = Instant::now();
        match result {
            Ok(report) => {
                self.local_problem = SideProblem::default();
                self.schedule.here.over();
                self.scanned(now);
                self.plan_due = true;
                self.tracker.pending = super::status_view::pending(&report.waiting);
                self.waiting = report.waiting;
                if let Some(engine) = &self.engine {
                    (self.tracker.counts, self.tracker.looked) = told::counts(engine);
                }
                if !report.outcome.plan_again.is_empty() {
                    log::debug!("{} items are planned again later", report.outcome.plan_again.len());
                }
            }
            Err(error) => {
                self.scan_due = true;
                self.fail_here(&AppError::Pass(error), now);
            }
        }
    }

    fn scanned(&mut self, now: Instant) {
        if self.scans_all {
            self.schedule.scanned(now);
        }
        if std::mem::take(&mut self.watch_again) {
            self.start_watching();
            self.scan_due = true;
        }
    }

    /// A full pass now, whatever was waited for.
    pub(super) fn sync_now(&mut self) {
        self.asked = true;
        self.scan_due = true;
        self.schedule.hurry(Instant::now());
    }

    /// Looks, beside the loop, whether another process stored a session, or a password came, since a person was needed.
    pub(super) fn look_at_session(&mut self, now: Instant) {
        self.session_look = Some(now + SESSION_LOOK);
        self.read_session(false);
    }

    /// Reads the stored session again; `told` when somebody said that it changed.
    pub(super) fn read_session(&mut self, told: bool) {
        let (service, news) = (Arc::clone(&self.service), self.news_in.clone());
        let work = move || {
            let read = service.account().reload();
            drop(news.send(JobEvent::SessionRead { read: read.map_err(|error| error.to_string()), told }));
        };
        if let Err(error) = jobs::errand("icloudds-session", work) {
            log::warn!("cannot start a thread: {error}");
        }
    }

    fn session_read(&mut self, read: Result<bool, String>, told: bool) {
        match read {
            Ok(changed) if changed || told => self.session_changed(),
            Ok(_) => {}
            Err(why) => {
                if self.told.insert(format!("session: {why}")) {
                    log::warn!("{why}");
                }
                self.session_look = self.session_look.map(|_| Instant::now() + UNREADABLE_LOOK);
            }
        }
    }

    /// The stored session, or the password, is another one.
    pub(super) fn session_changed(&mut self) {
        if self.service.account().state().needs_code.is_some() {
            self.session_look = Some(Instant::now() + SESSION_LOOK);
            return;
        }
        log::info!("the stored session changed, going on");
        self.session_look = None;
        self.schedule.hurry(Instant::now());
        // It may be another account's: the folder is looked for anew, and compared with the one that was synced.
        self.there = None;
        self.there_ok = false;
    }
}
