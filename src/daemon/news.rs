//! What the loop hears of jobs, and what follows from it.

use super::jobs::{Connection, Done, Edges, Ended, News};
use super::main_loop::{Loop, Running};
use crate::app::AppError;
use crate::app::drive::Drive;
use crate::app::report::tell_notes;
use crate::engine::operation::NoteKind;
use crate::engine::pass::{PassError, Phase, Report, Settings};
use crate::engine::ports::{Clock as _, RemoteError};
use crate::exit::ExitCode;
use crate::icloud::drive::Pulse;
use crate::status::{DaemonState, Pending};
use crossbeam::channel::never;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often in a row a pass is planned again without another look at iCloud.
const MOST_AGAIN: u32 = 8;
/// How often a session that waits for a person is looked at for what another process stored.
const SESSION_LOOK: Duration = Duration::from_secs(2);
/// How often a missing drive folder is looked for.
const FOLDER_LOOK: Duration = Duration::from_secs(5);
/// How often an account is asked again when only a person can cure it elsewhere (terms, web access).
const ACCOUNT_LOOK: Duration = Duration::from_secs(60 * 60);

impl Loop {
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Phase(phase) => self.set_state(match phase {
                Phase::Looking(true) => DaemonState::Listing,
                Phase::Looking(false) => DaemonState::Scanning,
                Phase::Working => DaemonState::Syncing,
            }),
            News::Event(event) => self.track(&event),
            News::Checked(pulse) => {
                self.running = Running::Nothing;
                self.checked(pulse);
            }
            News::Done(done) => {
                let Done { engine, result } = *done;
                self.engine = Some(engine);
                self.running = Running::Nothing;
                self.tracker.progress_over();
                match result {
                    Ended::Connected(connection) => {
                        let Connection { drive, result } = *connection;
                        self.connected(drive, result);
                    }
                    Ended::Pass { result, walked, by_person } => self.passed(result, walked, by_person),
                    Ended::Planned(result) => self.planned(result),
                }
                self.answer_waiting();
                if std::mem::take(&mut self.dump_due) {
                    self.dump();
                }
            }
            News::SessionChanged => self.session_changed(),
        }
    }

    pub(super) fn connected(
        &mut self,
        drive: Option<Drive>,
        result: Result<(Arc<Edges>, Settings), AppError>,
    ) {
        let now = Instant::now();
        self.tracker.session_expires = self.service.account().state().trust_expires;
        match result {
            Ok((edges, settings)) => {
                self.edges = Some(edges);
                self.settings = settings;
                self.session_look = None;
                self.trouble = None;
                self.schedule.hurry(now);
                self.scan_due = true;
                if self.watcher.is_none() {
                    self.start_watching();
                }
                self.set_state(self.rest_state());
            }
            Err(error) => {
                self.drive = drive;
                self.fail(&error, now);
            }
        }
    }

    pub(super) fn checked(&mut self, pulse: Result<Pulse, RemoteError>) {
        let now = Instant::now();
        match pulse {
            Ok(pulse) => {
                if self.pulse.as_ref().is_some_and(|known| *known != pulse) {
                    log::debug!("something changed on iCloud");
                    self.schedule.refresh_soon(now);
                }
                self.pulse = Some(pulse);
            }
            Err(error) => {
                // A pass, not another look, tells whether it is over.
                self.schedule.refresh_at = now;
                self.fail(&AppError::Remote(error), now);
            }
        }
    }

    pub(super) fn passed(
        &mut self,
        result: Result<Report, PassError>,
        walked: Option<Duration>,
        by_person: bool,
    ) {
        let now = Instant::now();
        self.last_pass_began = Some(self.pass_began);
        self.tracker.session_expires = self.service.account().state().trust_expires;
        let report = match result {
            Ok(report) => report,
            Err(error) => {
                // What was seen may be of another moment: the next pass looks at everything.
                self.scan_due = true;
                self.schedule.refresh_at = now;
                self.fail(&AppError::Pass(error), now);
                return;
            }
        };
        tell_notes(&report, &mut self.told);
        self.last_pass_failed = None;
        self.trouble = None;
        self.tracker.passed();
        self.tracker.next_try = None;
        self.schedule.passed(walked, now);
        if self.scans_all {
            self.schedule.scanned(now);
        }
        if std::mem::take(&mut self.watch_again) {
            self.start_watching();
            self.scan_due = true;
        }
        let rests = report.quiet && !report.pending && report.outcome.waiting == 0;
        // What was done may have made something else possible, such as uploading a conflict copy.
        self.again =
            (!report.quiet).then(|| self.again.unwrap_or(0) + 1).filter(|times| *times <= MOST_AGAIN);
        self.schedule.settle_later(report.pending || (!report.quiet && self.again.is_none()), now);
        if by_person && self.again.is_some() && report.outcome.failed.is_empty() {
            // What a person asked for goes on until nothing is left, or what is left fails.
            self.asked = true;
        }
        self.after_pass(&report, rests, walked.is_some());
        self.set_state(self.rest_state());
    }

    /// Status, stored time and dumps after a pass that ended well.
    pub(super) fn after_pass(&mut self, report: &Report, rests: bool, walked: bool) {
        let Some(engine) = self.engine.as_mut() else { return };
        self.tracker.last_pass_quiet = rests;
        self.tracker.counts = super::tell::counts(engine);
        self.tracker.pending = Pending::default();
        let skipped = report.notes.iter().filter_map(|note| match &note.kind {
            NoteKind::Skipped(why) => Some((&note.path, why.as_str())),
            _ => None,
        });
        self.tracker.set_skipped(skipped);
        self.worked |= !report.quiet;
        let clean = rests
            && engine.state.set_aside.is_empty()
            && report.held == 0
            && report.set_aside().next().is_none();
        // With both sides equal nobody goes on with a download that was given up.
        if clean
            && std::mem::take(&mut self.worked)
            && let Some(edges) = &self.edges
            && let Err(error) = edges.disk.forget_downloads(&|_| false)
        {
            log::debug!("{error}");
        }
        if clean && walked {
            let now = self.clock.now().whole_seconds();
            if let Err(error) = engine.commit(&[crate::model::Change::Synced(now)]) {
                log::warn!("{error}");
            }
        }
        if walked && let Some(dumps) = &self.dumps {
            dumps.after(engine);
        }
        if rests && !self.initial_done {
            self.initial_done = true;
            log::info!("initial sync complete");
        }
    }

    /// Names the failure, and when it is tried again.
    pub(super) fn fail(&mut self, error: &AppError, now: Instant) {
        if matches!(
            error,
            AppError::Remote(RemoteError::Stopped) | AppError::Pass(PassError::Remote(RemoteError::Stopped))
        ) {
            return;
        }
        if self.stopping.is_some() {
            log::debug!("cut short: {error}");
            return;
        }
        let (state, wait) = self.failure(error, now);
        let before = self.trouble.replace(state);
        let advice = error.advice();
        let text = if advice.is_empty() { error.to_string() } else { format!("{error}: {advice}") };
        // Which way the right folder is missing may change with each look; that it is missing is told once.
        let known = self.last_pass_failed.as_deref() == Some(text.as_str())
            || (state == DaemonState::WrongFolder && before == Some(state));
        match state {
            DaemonState::Offline if known => log::debug!("{text}"),
            DaemonState::Offline => log::warn!("{text}"),
            _ if known => {}
            _ => log::error!("{text}"),
        }
        self.tracker.failed(text.clone());
        self.last_pass_failed = Some(text);
        self.tracker.next_try = wait
            .map(|wait| self.clock.now().whole_seconds() + i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
        self.set_state(state);
    }

    pub(super) fn failure(&mut self, error: &AppError, now: Instant) -> (DaemonState, Option<Duration>) {
        let exit = error.exit_code();
        let chance = self.clock.unit_random();
        match (error, exit) {
            (_, ExitCode::SecondFactor) => {
                self.session_look = Some(now + SESSION_LOOK);
                (DaemonState::NeedsCode, None)
            }
            (_, ExitCode::Missing | ExitCode::SignIn) => {
                self.session_look = Some(now + SESSION_LOOK);
                (DaemonState::NeedsPassword, None)
            }
            (AppError::Pass(PassError::WrongFolder(_)) | AppError::Foreign(_) | AppError::Drive(_), _) => {
                // The handle may lead to what was there before: everything is opened anew.
                self.edges = None;
                self.drive = None;
                self.watcher = None;
                self.watch = never();
                self.watch_again = false;
                if let Some(engine) = self.engine.as_mut() {
                    engine.local = None;
                }
                self.schedule.not_before = Some(now + FOLDER_LOOK);
                (DaemonState::WrongFolder, Some(FOLDER_LOOK))
            }
            (
                AppError::Pass(PassError::Remote(RemoteError::Account { .. }))
                | AppError::Remote(RemoteError::Account { .. }),
                _,
            ) => {
                let wait = self.schedule.failed(Some(ACCOUNT_LOOK), chance, now);
                (DaemonState::Offline, Some(wait))
            }
            (
                AppError::Pass(PassError::Remote(RemoteError::Busy { retry_after, .. }))
                | AppError::Remote(RemoteError::Busy { retry_after, .. }),
                _,
            ) => {
                let wait = self.schedule.failed(*retry_after, chance, now);
                (DaemonState::Offline, Some(wait))
            }
            (
                AppError::Pass(PassError::Store(_) | PassError::Disk(_))
                | AppError::Store(_)
                | AppError::Disk(_),
                _,
            ) => {
                let wait = self.schedule.failed(None, chance, now);
                (DaemonState::DiskFull, Some(wait))
            }
            (AppError::SignIn(error), _) if !error.is_transient() => {
                let wait = self.schedule.failed(Some(ACCOUNT_LOOK), chance, now);
                self.session_look = Some(now + SESSION_LOOK);
                (DaemonState::Offline, Some(wait))
            }
            _ => {
                let wait = self.schedule.failed(None, chance, now);
                (DaemonState::Offline, Some(wait))
            }
        }
    }

    /// The state while nothing runs: what waits for a person comes first.
    pub(super) fn rest_state(&self) -> DaemonState {
        let held = self.engine.as_ref().is_some_and(|engine| !engine.state.guard.held.is_empty());
        match self.trouble {
            Some(
                person @ (DaemonState::NeedsCode | DaemonState::NeedsPassword | DaemonState::WrongFolder),
            ) => person,
            _ if self.paused => DaemonState::Paused,
            Some(trouble) => trouble,
            None if held => DaemonState::Guarded,
            None => DaemonState::Idle,
        }
    }

    /// A full pass now, whatever was waited for.
    pub(super) fn sync_now(&mut self) {
        self.asked = true;
        self.schedule.hurry(Instant::now());
    }

    /// Looks whether another process stored a session, or a password came, since a person was needed.
    pub(super) fn look_at_session(&mut self, now: Instant) {
        match self.service.account().reload() {
            Ok(true) => self.session_changed(),
            Ok(false) => self.session_look = Some(now + SESSION_LOOK),
            Err(error) => {
                log::warn!("{error}");
                self.session_look = Some(now + ACCOUNT_LOOK.min(Duration::from_secs(60)));
            }
        }
    }

    pub(super) fn session_changed(&mut self) {
        let account = self.service.account();
        if let Err(error) = account.reload() {
            log::warn!("{error}");
        }
        if account.state().needs_code.is_some() {
            self.session_look = Some(Instant::now() + SESSION_LOOK);
            return;
        }
        log::info!("the stored session changed, going on");
        self.session_look = None;
        self.schedule.hurry(Instant::now());
    }
}
