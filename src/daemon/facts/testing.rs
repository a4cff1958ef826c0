//! Facts from a script, such as `away; changed`: an idle daemon that is in sync, to which that happened.

use std::time::{Duration, Instant};

use super::{Asking, Contact, Facts, JobFacts, LocalFacts, RemoteFacts, RootIs, Waiting, WatchIs};
use crate::daemon::engine_slot::JobKind;
use crate::daemon::work::{Cause, Due};
use crate::status::DaemonState;

/// Everything that a script may say.
pub(in crate::daemon) const STEPS: &[&str] = &[
    "changed",
    "changing",
    "scan",
    "poll",
    "poll later",
    "verify",
    "no root",
    "root found",
    "watch starts",
    "watch off",
    "polls",
    "local waits",
    "local over",
    "local problem",
    "no iCloud",
    "unseen",
    "away",
    "no view",
    "no owner",
    "walk",
    "walk soon",
    "check",
    "check soon",
    "trash",
    "trash soon",
    "no trash",
    "listen",
    "listen soon",
    "iCloud waits",
    "iCloud over",
    "iCloud problem",
    "session",
    "session soon",
    "reaches",
    "walks",
    "walks long",
    "checks",
    "checks long",
    "chore",
    "local pass",
    "pass",
    "pass works",
    "pass works long",
    "yields",
    "paused",
    "plan",
    "dump",
    "answers",
    "asked",
    "again",
    "after walk",
    "after person",
    "housekeeping",
    "housekeeping soon",
    "shrink",
    "shrink soon",
    "shrinks",
];

/// So many seconds after or, where negative, before `now`.
pub(in crate::daemon) fn at(now: Instant, seconds: i64) -> Instant {
    let span = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { now.checked_sub(span).expect("the clock runs for a while already") } else { now + span }
}

/// Nothing is to be done; looks are due in minutes.
pub(in crate::daemon) fn idle(now: Instant) -> Facts {
    Facts {
        stopping_since: None,
        is_paused: false,
        has_owner: true,
        waiting: Waiting::default(),
        due: Due::Nothing,
        housekeeping_at: at(now, 3000),
        shrink_at: None,
        job: None,
        local: LocalFacts {
            root: RootIs::Open,
            watch: WatchIs::Ready,
            scan_due: false,
            quiet_at: None,
            poll_at: None,
            verify_at: at(now, 3000),
            not_before: None,
            problem: None,
        },
        remote: RemoteFacts {
            is_reached: true,
            contact: Contact::Seen,
            has_view: true,
            asking: None,
            session_at: None,
            not_before: None,
            walk_at: at(now, 90),
            check_at: at(now, 20),
            trash_at: Some(at(now, 25)),
            listen_at: None,
            problem: None,
        },
    }
}

/// What a script says of an idle daemon.
pub(in crate::daemon) fn facts(script: &str, now: Instant) -> Facts {
    let mut facts = idle(now);
    for step in script.split(';').map(str::trim).filter(|step| !step.is_empty()) {
        happen(&mut facts, step, now);
    }
    facts
}

fn happen(facts: &mut Facts, step: &str, now: Instant) {
    let job = |kind, is_working, yield_at| {
        Some(JobFacts { kind, since: at(now, -1), is_working, yield_at, is_told_to_yield: false })
    };
    let Facts { local, remote, .. } = facts;
    match step {
        "changed" => local.quiet_at = Some(now),
        "changing" => local.quiet_at = Some(at(now, 5)),
        "scan" => local.scan_due = true,
        "poll" => local.poll_at = Some(now),
        "poll later" => local.poll_at = Some(at(now, 15)),
        "verify" => local.verify_at = now,
        "no root" => local.root = RootIs::Absent,
        "root found" => local.root = RootIs::Found,
        "watch starts" => local.watch = WatchIs::Starting,
        "watch off" => local.watch = WatchIs::Off,
        "polls" => local.watch = WatchIs::Polling,
        "local waits" => local.not_before = Some(at(now, 7)),
        "local over" => local.not_before = Some(now),
        "local problem" => local.problem = Some(DaemonState::DiskFull),
        "no iCloud" => {
            remote.is_reached = false;
            remote.contact = Contact::Unseen;
        }
        "unseen" => remote.contact = Contact::Unseen,
        "away" => remote.contact = Contact::Away,
        "no view" => remote.has_view = false,
        "no owner" => facts.has_owner = false,
        "walk" => remote.walk_at = now,
        "walk soon" => remote.walk_at = at(now, 3),
        "check" => remote.check_at = now,
        "check soon" => remote.check_at = at(now, 2),
        "trash" => remote.trash_at = Some(now),
        "trash soon" => remote.trash_at = Some(at(now, 4)),
        "no trash" => remote.trash_at = None,
        "listen" => remote.listen_at = Some(now),
        "listen soon" => remote.listen_at = Some(at(now, 1)),
        "iCloud waits" => remote.not_before = Some(at(now, 6)),
        "iCloud over" => remote.not_before = Some(now),
        "iCloud problem" => remote.problem = Some(DaemonState::Offline),
        "session" => remote.session_at = Some(now),
        "session soon" => remote.session_at = Some(at(now, 1)),
        "reaches" => remote.asking = Some((Asking::Reach, at(now, -1))),
        "walks" => remote.asking = Some((Asking::Walk, at(now, -1))),
        "walks long" => remote.asking = Some((Asking::Walk, at(now, -30))),
        "checks" => remote.asking = Some((Asking::Check, at(now, -1))),
        "checks long" => remote.asking = Some((Asking::Check, at(now, -30))),
        "chore" => facts.job = job(JobKind::Chore, false, None),
        "local pass" => facts.job = job(JobKind::LocalPass, true, None),
        "pass" => facts.job = job(JobKind::Pass, false, None),
        "pass works" => facts.job = job(JobKind::Pass, true, Some(at(now, 450))),
        "pass works long" => facts.job = job(JobKind::Pass, true, Some(now)),
        "yields" => facts.job.iter_mut().for_each(|job| job.is_told_to_yield = true),
        "paused" => facts.is_paused = true,
        "plan" => facts.waiting.plan = true,
        "dump" => facts.waiting.dump = true,
        "answers" => facts.waiting.answers = true,
        "asked" => facts.due = Due::Pass { cause: Cause::Person, both_sides: true },
        "again" => facts.due = Due::Pass { cause: Cause::Again, both_sides: false },
        "after walk" => facts.due = Due::Pass { cause: Cause::Walk, both_sides: false },
        "after person" => facts.due = Due::Pass { cause: Cause::Person, both_sides: false },
        "housekeeping" => facts.housekeeping_at = now,
        "housekeeping soon" => facts.housekeeping_at = at(now, 8),
        "shrink" => facts.shrink_at = Some(now),
        "shrink soon" => facts.shrink_at = Some(at(now, 9)),
        "shrinks" => facts.job = job(JobKind::Shrink, false, None),
        "stopping" => facts.stopping_since = Some(at(now, -1)),
        "stopping long" => facts.stopping_since = Some(at(now, -8)),
        _ => panic!("no such step: {step}"),
    }
}
