//! `once`: passes until one plans nothing and nothing is pending.

use std::collections::BTreeSet;
use std::time::Duration;

use super::AppError;
use super::open::{Opened, conflict_mark};
use super::report::{Teller, tell_notes, tell_unsettled};
use super::trash::Kept;
use crate::engine::pass::{Look, PassError, PassOptions, Report};
use crate::engine::ports::{Clock, RemoteError};
use crate::exit::ExitCode;
use crate::model::Change;

/// Passes beyond which a world that never comes to rest is left to the next run.
const MOST_PASSES: u32 = 50;
/// Passes in a row that may do nothing although something is pending.
const MOST_IDLE_PASSES: u32 = 3;

/// How long a run waits before it tries again to settle what was cut short before.
const SETTLING_PAUSE: Duration = Duration::from_secs(5);

/// Syncs until nothing is left to do.
///
/// # Errors
///
/// [`AppError`] when a pass could not come to its end.
pub fn once(opened: &mut Opened) -> Result<ExitCode, AppError> {
    let result = passes(opened);
    prune(opened);
    result
}

/// Removes from the local trash what the configuration does not keep, as a daemon does once a day.
fn prune(opened: &Opened) {
    let kept = Kept::of(&opened.home.engine.state);
    if let Err(error) = kept.prune(&opened.disk, &opened.config.trash, opened.clock.reading()) {
        log::warn!("{error}");
    }
}

fn passes(opened: &mut Opened) -> Result<ExitCode, AppError> {
    let mut told = BTreeSet::new();
    let mut idle = 0;
    for round in 1..=MOST_PASSES {
        let report = match one_pass(opened, true, &mut told) {
            // Only this run counts how often that was tried, and gives it up in the end.
            Err(AppError::Pass(PassError::Remote(RemoteError::Busy { message, .. })))
                if opened.home.engine.is_settling() =>
            {
                log::info!("{message}: trying again");
                opened.clock.pause(SETTLING_PAUSE).map_err(|_| AppError::Remote(RemoteError::Stopped))?;
                continue;
            }
            other => other?,
        };
        let done = report.outcome.counts;
        let rests = report.rests();
        if rests || (report.quiet && idle >= MOST_IDLE_PASSES) {
            return conclude(opened, &report, rests);
        }
        let moved = done
            != crate::engine::execute::Counts {
                adopted: done.adopted,
                set_aside: done.set_aside,
                ..Default::default()
            };
        idle = if moved { 0 } else { idle + 1 };
        if idle > MOST_IDLE_PASSES || round == MOST_PASSES {
            return conclude(opened, &report, false);
        }
    }
    Ok(ExitCode::Unfinished)
}

/// One whole pass, told as it goes.
///
/// # Errors
///
/// [`AppError::Pass`].
pub fn one_pass(
    opened: &mut Opened,
    by_person: bool,
    told: &mut BTreeSet<String>,
) -> Result<Report, AppError> {
    let mark = conflict_mark(&opened.zone);
    let options = PassOptions { ignore_next_try: by_person, ..PassOptions::new(&mark) };
    let mut teller = Teller::default();
    let (engine, ports, settings) = opened.parts();
    let report = engine.pass(&ports, settings, &Look::whole(), &options, &mut |event| teller.tell(event))?;
    teller.end(&report);
    tell_notes(&report, told);
    Ok(report)
}

fn conclude(opened: &mut Opened, report: &Report, rests: bool) -> Result<ExitCode, AppError> {
    let engine = &mut opened.home.engine;
    let set_aside = engine.state.set_aside.len() + report.set_aside().count();
    if rests && set_aside == 0 && report.held == 0 {
        let now = opened.clock.now().whole_seconds();
        engine.commit(&[Change::Synced(now)])?;
        log::info!("in sync: both sides are equal");
        return Ok(ExitCode::Success);
    }
    tell_unsettled(report);
    log::warn!(set_aside, held = report.held; "finished, but not everything is in sync");
    Ok(ExitCode::Unfinished)
}
