//! `once`: passes until one plans nothing and nothing is pending.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::AppError;
use super::durable::make_durable;
use super::open::{Opened, conflict_mark};
use super::purpose::root_path;
use super::report::{ProgressReporter, tell_notes, tell_unsettled};
use super::told::{counts, follow, lacks_room, left_alone, state_after};
use super::trash::Kept;
use crate::config::Config;
use crate::engine::execute::Event;
use crate::engine::pass::{Look, PassError, PassOptions, RETRY_BUDGET, Report};
use crate::engine::ports::{Clock, RemoteError, Shrunk};
use crate::exit::ExitCode;
use crate::model::{Change, State};
use crate::status::{DaemonState, Facts, StatusDocument, Tracker, Trust, file};

/// Passes beyond which a world that never comes to rest is left to the next run.
const MOST_PASSES: u32 = 50;
/// Passes in a row that may do nothing although something is pending.
const MOST_IDLE_PASSES: u32 = 3;

/// How long a run waits before it tries again to settle what was cut short before.
const SETTLING_PAUSE: Duration = Duration::from_secs(2);

/// A call of which no byte came for so long counts as one that failed: the run ends a minute after the last thing that succeeded, and what
/// hung once is tried again within that minute.
const LONGEST_SILENCE: Duration = Duration::from_secs(20);

/// A run that syncs until nothing is left to do, and what it tells.
struct Once<'a> {
    opened: &'a mut Opened,
    tracker: Tracker,
    told: BTreeSet<String>,
    /// When something was done last, or the run began: an uptime.
    succeeded: Duration,
}

/// What a pass of this run tries again.
struct Tries {
    /// Items that were set aside, before their time.
    set_aside: bool,
    /// How long what fails is tried again: what is left of a minute since something succeeded.
    budget: Duration,
}

/// Syncs until nothing is left to do, and leaves behind what `status` tells of it.
///
/// # Errors
///
/// [`AppError`] when a pass could not come to its end.
pub fn once(opened: &mut Opened) -> Result<ExitCode, AppError> {
    opened.service.http().limit_silence(LONGEST_SILENCE);
    let facts = Facts { file_system: opened.disk.file_system(), ..facts(&opened.config) };
    let tracker = Tracker::new(facts, opened.clock.now().whole_seconds());
    let succeeded = opened.clock.uptime();
    let mut run = Once { opened, tracker, told: BTreeSet::new(), succeeded };
    let result = run.passes();
    run.prune();
    let Opened { state_dir, disk, clock, .. } = &mut *run.opened;
    make_durable(&mut state_dir.engine, disk, clock);
    run.leave_status(result.as_ref().err());
    if result.is_ok() {
        run.shrink_store();
    }
    result
}

/// Leaves behind, for `status`, that a run failed before it could begin. Beside another instance nothing is left: that one
/// tells of itself.
pub fn leave_failure(config: &Config, zone: &TimeZone, error: &AppError) {
    if matches!(error, AppError::Locked(_) | AppError::State(_)) || error.exit_code() == ExitCode::Busy {
        return;
    }
    let now = jiff::Timestamp::now().as_second();
    let directory = &config.sync.state_directory;
    let mut tracker = Tracker::new(facts(config), now);
    tracker.set_state(state_after(error), now);
    tracker.failed(error.to_string(), None);
    let new = tracker.document(&State::empty(), zone);
    // What the run before left alone is so still, as far as anybody knows.
    let document = match file::stored(directory) {
        Ok(Some((known, _))) => StatusDocument {
            state: new.state,
            since: new.since,
            in_sync: false,
            last_error: new.last_error,
            disk_hangs: None,
            started: new.started,
            ..known
        },
        _ => new,
    };
    store(directory, &document);
}

fn store(directory: &Path, document: &StatusDocument) {
    if let Err(error) = file::store(directory, document) {
        log::warn!("cannot write the status file: {error}");
    }
}

/// Whether nothing is to be expected of another pass: things fail, nothing else was done or has to be planned anew, and what they are tried
/// again for is used up. The pass would try the first of each kind once more, which takes its time where waits are asked for.
fn is_in_vain(report: &Report, moved: bool, budget: Duration) -> bool {
    let outcome = &report.outcome;
    let is_settled = outcome.plan_again.is_empty() && report.settles_after.is_none();
    !moved && budget.is_zero() && !outcome.failed.is_empty() && is_settled
}

fn facts(config: &Config) -> Facts {
    Facts {
        username: config.account.username.clone(),
        directory: config.sync.directory.display().to_string(),
        remote_root: root_path(config),
        watch: String::new(),
        file_system: None,
        pid: std::process::id(),
    }
}

impl Once<'_> {
    fn passes(&mut self) -> Result<ExitCode, AppError> {
        let mut idle = 0;
        // What was set aside before is tried at once, then again only after something else was done: that may have mended it.
        let mut tries = Tries { set_aside: true, budget: RETRY_BUDGET };
        for round in 1..=MOST_PASSES {
            let report = match self.pass(&tries) {
                // Only this run counts how often that was tried, and gives it up in the end.
                Err(AppError::Pass(PassError::Remote(RemoteError::Busy { message, .. })))
                    if self.opened.state_dir.engine.is_settling() =>
                {
                    log::info!("{message}: trying again");
                    let pause = self.opened.clock.pause(SETTLING_PAUSE);
                    pause.map_err(|_| AppError::Remote(RemoteError::Stopped))?;
                    continue;
                }
                other => other?,
            };
            let done = report.outcome.counts;
            let rests = report.rests();
            if rests || (report.quiet && idle >= MOST_IDLE_PASSES) {
                return self.conclude(&report, rests);
            }
            if let Some(wait) = report.settles_after {
                log::info!(
                    "some files have lost their content on iCloud: looking again in {} s",
                    wait.as_secs()
                );
                self.opened.clock.pause(wait).map_err(|_| AppError::Remote(RemoteError::Stopped))?;
            }
            let moved = done
                != crate::engine::execute::Counts {
                    adopted: done.adopted,
                    set_aside: done.set_aside,
                    ..Default::default()
                };
            idle = if moved { 0 } else { idle + 1 };
            let passed = self.opened.clock.uptime().saturating_sub(self.succeeded);
            let budget = RETRY_BUDGET.saturating_sub(passed);
            tries = Tries { set_aside: moved && !budget.is_zero(), budget };
            if idle > MOST_IDLE_PASSES || round == MOST_PASSES || is_in_vain(&report, moved, budget) {
                return self.conclude(&report, false);
            }
        }
        Ok(ExitCode::Unfinished)
    }

    /// One whole pass, told as it goes.
    fn pass(&mut self, tries: &Tries) -> Result<Report, AppError> {
        let mark = conflict_mark(&self.opened.zone);
        let options = PassOptions {
            ignore_next_try: tries.set_aside,
            retry_budget: tries.budget,
            ..PassOptions::new(&mark)
        };
        let mut reporter = ProgressReporter::default();
        let clock = self.opened.clock.clone();
        let (tracker, succeeded) = (&mut self.tracker, &mut self.succeeded);
        let (engine, ports, settings) = self.opened.parts();
        let report = engine.pass(&ports, settings, &Look::whole(), &options, &mut |event| {
            if matches!(event, Event::Done(_)) {
                *succeeded = clock.uptime();
            }
            reporter.tell(event);
            follow(tracker, event, clock.now().whole_seconds(), None);
        })?;
        reporter.end(&report);
        tell_notes(&report, &mut self.told);
        self.tracker.passed(report.rests());
        left_alone(&mut self.tracker, &report);
        Ok(report)
    }

    fn conclude(&mut self, report: &Report, rests: bool) -> Result<ExitCode, AppError> {
        let engine = &mut self.opened.state_dir.engine;
        let set_aside = engine.state().set_aside.len() + report.set_aside().count();
        if rests && set_aside == 0 && report.held == 0 {
            let now = self.opened.clock.now().whole_seconds();
            engine.commit(&[Change::Synced(now)])?;
            log::info!("in sync: both sides are equal");
            return Ok(ExitCode::Success);
        }
        tell_unsettled(report);
        log::warn!(set_aside, held = report.held; "finished, but not everything is in sync");
        Ok(ExitCode::Unfinished)
    }

    /// Removes from the local trash what the configuration does not keep, as a daemon does once a day.
    fn prune(&self) {
        let opened = &self.opened;
        let kept = Kept::of(opened.state_dir.engine.state());
        if let Err(error) = kept.prune(&opened.disk, &opened.config.trash, opened.clock.reading()) {
            log::warn!("{error}");
        }
    }

    /// Gives back the room that the state does not need, if that is worth the time: nobody waits for anything else any more.
    fn shrink_store(&mut self) {
        let Opened { state_dir, clock, .. } = &mut *self.opened;
        if state_dir.engine.wastes_room()
            && let Shrunk::Failed(why) = state_dir.engine.shrink_store(clock.stop_flag())
        {
            log::warn!("the state's file stays larger than it has to be: {why}");
        }
    }

    /// Leaves behind how the run ended, for `status`.
    fn leave_status(&mut self, failure: Option<&AppError>) {
        let opened = &self.opened;
        let engine = &opened.state_dir.engine;
        let holds = !engine.state().guard.held.is_empty();
        let state = match failure {
            Some(error) => state_after(error),
            None if holds => DaemonState::Guarded,
            None if lacks_room(engine.state()) => DaemonState::DiskFull,
            None => DaemonState::Idle,
        };
        self.tracker.set_state(state, opened.clock.now().whole_seconds());
        if let Some(error) = failure {
            self.tracker.failed(error.to_string(), None);
        }
        (self.tracker.counts, self.tracker.looked) = counts(engine);
        let session = opened.service.account().state();
        self.tracker.trust = Trust { began: session.trust_began, expires: session.trust_expires };
        let document = self.tracker.document(engine.state(), &opened.zone);
        store(&opened.config.sync.state_directory, &document);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RelPath;

    #[test]
    fn a_pass_in_which_all_that_was_tried_failed_is_the_last_once_the_minute_is_over() {
        let one = || vec![(RelPath::parse("a").expect("a path"), "busy".to_owned())];
        let fails = || {
            let mut report = Report::default();
            report.outcome.failed = one();
            report
        };
        assert!(is_in_vain(&fails(), false, Duration::ZERO));
        assert!(!is_in_vain(&fails(), true, Duration::ZERO), "something was done");
        assert!(!is_in_vain(&fails(), false, Duration::from_secs(1)), "there is time left");
        assert!(!is_in_vain(&Report::default(), false, Duration::ZERO), "nothing failed");
        let mut again = fails();
        again.outcome.plan_again = one();
        assert!(!is_in_vain(&again, false, Duration::ZERO), "the world moved on");
        let settles = Report { settles_after: Some(Duration::from_secs(30)), ..fails() };
        assert!(!is_in_vain(&settles, false, Duration::ZERO), "a second look settles something");
    }
}
