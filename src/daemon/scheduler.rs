//! What is done next: pure, from what is known at one moment.
//!
//! Two things may go on at once: one job has the engine, and beside it somebody may look at iCloud. While such a look takes long,
//! or fails, the engine goes on without iCloud; while the local root is away, the looks go on without it. A pass with iCloud is
//! alone: a look that overlaps our own writes would be older than the base.

use std::time::{Duration, Instant};

use super::engine_slot::JobKind;
use super::facts::{Asking, Contact, Facts, LocalFacts, RemoteFacts, RootIs, WatchIs, must_wait};
use super::work::Due;

/// How long what is in flight may take to end after a stop signal. `docs/contract.md`, "Signals", gives the whole
/// process ten seconds, so some are left for writing the state.
const GRACE: Duration = Duration::from_secs(8);
/// So long local changes wait for a look at iCloud that is under way.
const ASKING_PATIENCE: Duration = Duration::from_secs(2);
/// The loop turns at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// Something that begins now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Reads the stored session, while a person is waited for.
    ReadSession,
    /// Tells the running pass to come to an early end.
    Yield,
    /// Signs in and finds the folder on iCloud.
    Reach,
    /// Walks through iCloud.
    Walk,
    /// Asks iCloud cheaply whether anything changed.
    Check,
    /// Looks at iCloud's trash.
    CheckTrash,
    /// Listens to iCloud's push channel.
    Listen,
    /// Writes the state files.
    Dump,
    /// Stores what a person said of held deletions.
    Decide,
    /// Opens the local root.
    OpenRoot,
    /// Plans, and tells who asked.
    Plan,
    /// Tells who asked for a plan that there is nothing to plan with.
    RefusePlan,
    /// A pass with iCloud, after a scan of everything here or a look at what changed and is quiet.
    Pass { whole: bool },
    /// A pass without iCloud, after the same.
    LocalPass { whole: bool },
    /// What is done once a day.
    Housekeeping,
    /// Makes the store smaller.
    Shrink,
}

/// What begins now, in order.
pub(super) fn decide(facts: &Facts, now: Instant) -> Vec<Start> {
    if facts.stopping_since.is_some() {
        return Vec::new();
    }
    let mut starts = Vec::new();
    let reads_session = facts.remote.session_at.is_some_and(|at| at <= now);
    starts.extend(reads_session.then_some(Start::ReadSession));
    let ask = to_ask(facts, now);
    let asking = match ask {
        Some(Start::Reach) => Some((Asking::Reach, now)),
        Some(Start::Walk) => Some((Asking::Walk, now)),
        Some(Start::Check) => Some((Asking::Check, now)),
        _ => facts.remote.asking,
    };
    let for_engine = for_engine(facts, asking, now);
    let yields = should_yield(facts, now) || (gives_way(facts) && !for_engine.is_empty());
    starts.extend(yields.then_some(Start::Yield));
    starts.extend(ask);
    starts.extend(trash_at(facts).is_some_and(|at| at <= now).then_some(Start::CheckTrash));
    starts.extend(listen_at(facts).is_some_and(|at| at <= now).then_some(Start::Listen));
    if facts.job.is_none() {
        starts.extend(for_engine);
    }
    starts
}

/// Whether the job that has the engine comes to an end as soon as there is anything else to do with it.
fn gives_way(facts: &Facts) -> bool {
    facts.job.is_some_and(|job| job.kind == JobKind::Shrink && !job.is_told_to_yield)
}

/// A pass that has much to do comes to an early end when somebody wants something else, or when both sides should be looked at again.
/// What it has under way is finished first.
fn should_yield(facts: &Facts, now: Instant) -> bool {
    let Some(job) = facts.job.filter(|job| job.kind == JobKind::Pass && !job.is_told_to_yield) else {
        return false;
    };
    let wanted = facts.is_paused || facts.due.wants_both_sides() || facts.waiting.plan;
    wanted || job.yield_at.is_some_and(|at| at <= now)
}

/// Whether a pass with iCloud, or a plan, has the engine.
fn is_pass_running(facts: &Facts) -> bool {
    facts.job.is_some_and(|job| job.kind == JobKind::Pass)
}

// ---- iCloud ---------------------------------------------------------------------------------

/// Whether nobody asks iCloud, and no pass or person has to be waited for before somebody does.
fn is_free_to_ask(facts: &Facts) -> bool {
    facts.remote.asking.is_none() && !is_pass_running(facts) && facts.remote.session_at.is_none()
}

/// Whether looks at iCloud that are due may begin: nobody wants it left alone, and nobody else comes first.
fn may_look(facts: &Facts) -> bool {
    let plans = facts.waiting.plan && facts.local.root == RootIs::Open;
    !facts.is_paused && facts.has_owner && !plans
}

/// Who asks iCloud now.
fn to_ask(facts: &Facts, now: Instant) -> Option<Start> {
    let remote = &facts.remote;
    if !is_free_to_ask(facts) || must_wait(remote.not_before, now) {
        return None;
    }
    if !remote.is_reached {
        return Some(Start::Reach);
    }
    if !may_look(facts) {
        return None;
    }
    if remote.contact == Contact::Away {
        return Some(Start::Check);
    }
    if facts.due.wants_both_sides() || remote.walk_at <= now {
        return Some(Start::Walk);
    }
    (remote.check_at <= now).then_some(Start::Check)
}

/// When iCloud is asked for its trash.
fn trash_at(facts: &Facts) -> Option<Instant> {
    beside(facts, facts.remote.trash_at)
}

/// When iCloud's push channel is listened to.
fn listen_at(facts: &Facts) -> Option<Instant> {
    beside(facts, facts.remote.listen_at)
}

/// When something is asked of iCloud beside everything else that is due then: it is there, and nobody wants it left alone.
fn beside(facts: &Facts, due: Option<Instant>) -> Option<Instant> {
    let remote = &facts.remote;
    let may = remote.is_reached
        && remote.contact != Contact::Away
        && !facts.is_paused
        && facts.has_owner
        && remote.session_at.is_none();
    due.filter(|_| may).map(|at| remote.not_before.map_or(at, |not_before| at.max(not_before)))
}

// ---- the engine -----------------------------------------------------------------------------

/// What the engine does now, or would do were it not for a job that gives way; `asking` says who asks iCloud from now on.
fn for_engine(facts: &Facts, asking: Option<(Asking, Instant)>, now: Instant) -> Vec<Start> {
    let Facts { local, remote, waiting, .. } = facts;
    if facts.job.is_some() && !gives_way(facts) {
        return Vec::new();
    }
    if waiting.dump {
        return vec![Start::Dump];
    }
    if waiting.answers {
        return vec![Start::Decide];
    }
    if waiting.plan && (local.root != RootIs::Open || !remote.is_reached) {
        return vec![Start::RefusePlan];
    }
    if local.root != RootIs::Open {
        // A root that is nobody's yet waits until iCloud says whose it becomes.
        let can = facts.has_owner || remote.is_reached || local.root == RootIs::Absent;
        let opens = can && !must_wait(local.not_before, now);
        return opens.then_some(Start::OpenRoot).into_iter().collect();
    }
    if waiting.plan && asking.is_none() {
        return vec![Start::Plan];
    }
    if !may_scan(facts, now) {
        return Vec::new();
    }
    let whole = is_scan_due(local, now);
    let changed = local.quiet_at.is_some_and(|at| at <= now);
    let next = if may_use_icloud(remote, asking, now) {
        to_pass(facts, whole, changed, now)
    } else {
        to_pass_locally(remote, asking, whole, changed, now)
    };
    let shrink = facts.shrink_at.is_some_and(|at| at <= now && facts.job.is_none());
    next.or(shrink.then_some(Start::Shrink)).into_iter().collect()
}

/// Whether passes may begin here: nobody paused them, and what changes from now on is noticed.
fn may_scan(facts: &Facts, now: Instant) -> bool {
    let Facts { local, .. } = facts;
    !facts.is_paused && local.watch != WatchIs::Starting && !must_wait(local.not_before, now)
}

fn is_scan_due(local: &LocalFacts, now: Instant) -> bool {
    local.scan_due || local.verify_at <= now || local.poll_at.is_some_and(|at| at <= now)
}

/// Whether a pass may use iCloud: it was seen, is there, and nobody else asks it now.
fn may_use_icloud(remote: &RemoteFacts, asking: Option<(Asking, Instant)>, now: Instant) -> bool {
    remote.is_reached
        && remote.contact == Contact::Seen
        && remote.has_view
        && asking.is_none()
        && remote.session_at.is_none()
        && !must_wait(remote.not_before, now)
}

fn to_pass(facts: &Facts, whole: bool, changed: bool, now: Instant) -> Option<Start> {
    let whole = whole || (facts.due.is_after_walk() && facts.local.watch == WatchIs::Off);
    if whole || changed || facts.due != Due::Nothing {
        return Some(Start::Pass { whole });
    }
    (facts.housekeeping_at <= now).then_some(Start::Housekeeping)
}

fn to_pass_locally(
    remote: &RemoteFacts,
    asking: Option<(Asking, Instant)>,
    whole: bool,
    changed: bool,
    now: Instant,
) -> Option<Start> {
    let waits = wait_for_look(remote, asking).is_some_and(|until| now < until);
    (whole || (changed && !waits)).then_some(Start::LocalPass { whole })
}

/// Until when changes here wait for a look at iCloud that may soon be over; `None` where no such look is under way.
fn wait_for_look(remote: &RemoteFacts, asking: Option<(Asking, Instant)>) -> Option<Instant> {
    let answers = remote.contact != Contact::Away && remote.problem.is_none();
    asking.filter(|_| answers).map(|(_, since)| since + ASKING_PATIENCE)
}

// ---- when -----------------------------------------------------------------------------------

/// Whether the loop has stopped: what is in flight has ended or was given up. Looks at iCloud leave nothing behind, so nobody
/// waits for them.
pub(super) fn is_over(facts: &Facts, now: Instant) -> bool {
    let in_flight = facts.job.is_some() || matches!(facts.remote.asking, Some((Asking::Reach, _)));
    facts.stopping_since.is_some_and(|since| !in_flight || now >= since + GRACE)
}

/// When something is due that nobody will tell of.
pub(super) fn wake_at(facts: &Facts, now: Instant) -> Instant {
    if let Some(since) = facts.stopping_since {
        return since + GRACE;
    }
    // Something of what began in this turn made more possible.
    if !decide(facts, now).is_empty() {
        return now;
    }
    let later = |at: Option<Instant>| at.filter(|at| *at > now);
    let Facts { local, remote, .. } = facts;
    let yields = facts.job.filter(|job| !job.is_told_to_yield).and_then(|job| job.yield_at);
    let mut at = vec![remote.session_at, later(yields), trash_at(facts), listen_at(facts)];
    if is_free_to_ask(facts) {
        match later(remote.not_before) {
            Some(not_before) => at.push(Some(not_before)),
            None if remote.is_reached && may_look(facts) => {
                at.extend([Some(remote.walk_at), Some(remote.check_at)]);
            }
            None => {}
        }
    }
    if facts.job.is_none() || gives_way(facts) {
        match later(local.not_before) {
            Some(not_before) => at.push(Some(not_before)),
            // Until everything is watched, the watcher's message is what is waited for.
            None if local.root == RootIs::Open && may_scan(facts, now) => {
                let until = wait_for_look(remote, remote.asking);
                let quiet = local.quiet_at.map(|at| until.map_or(at, |until| at.max(until)));
                at.extend([local.poll_at, Some(local.verify_at), quiet]);
                at.push(may_use_icloud(remote, remote.asking, now).then_some(facts.housekeeping_at));
                at.push(facts.shrink_at.filter(|_| facts.job.is_none()));
            }
            None => {}
        }
    }
    at.into_iter().flatten().min().unwrap_or(now + LONGEST_SLEEP).min(now + LONGEST_SLEEP)
}

#[cfg(test)]
mod tests;
