//! The scheduler, case by case: what is known of an idle daemon to which that happened, and what begins then.

use std::time::{Duration, Instant};

use super::*;
use crate::daemon::facts::testing::{STEPS, at, facts};

fn line(start: &Start) -> &'static str {
    match start {
        Start::ReadSession => "read session",
        Start::Yield => "yield",
        Start::Reach => "reach",
        Start::Walk => "walk",
        Start::Check => "check",
        Start::CheckTrash => "check trash",
        Start::Listen => "listen",
        Start::Dump => "dump",
        Start::Decide => "decide",
        Start::OpenRoot => "open root",
        Start::Plan => "plan",
        Start::RefusePlan => "refuse plan",
        Start::Pass { whole: true } => "pass over all",
        Start::Pass { whole: false } => "pass",
        Start::LocalPass { whole: true } => "local pass over all",
        Start::LocalPass { whole: false } => "local pass",
        Start::Housekeeping => "housekeeping",
        Start::Shrink => "shrink",
    }
}

/// What happened to an idle daemon, and what begins.
type Case<'a> = (&'a str, &'a [&'a str]);

const DECIDED: &[Case<'static>] = &[
    ("", &[]),
    // A change here.
    ("changing", &[]),
    ("changed", &["pass"]),
    ("scan", &["pass over all"]),
    ("poll", &["pass over all"]),
    ("poll later", &[]),
    ("verify", &["pass over all"]),
    ("changed; paused", &[]),
    ("changed; watch starts", &[]),
    ("changed; local waits", &[]),
    ("changed; local over", &["pass"]),
    // While iCloud is looked at, changes here wait for that a little.
    ("changed; walks", &[]),
    ("changed; walks long", &["local pass"]),
    ("changed; checks", &[]),
    ("changed; checks long", &["local pass"]),
    ("scan; walks", &["local pass over all"]),
    ("changed; check", &["check"]),
    // Without iCloud.
    ("changed; away", &["check", "local pass"]),
    ("scan; away", &["check", "local pass over all"]),
    ("changed; away; iCloud waits", &["local pass"]),
    ("changed; unseen; iCloud waits", &["local pass"]),
    ("changed; walks; iCloud problem", &["local pass"]),
    ("changed; no iCloud", &["reach"]),
    ("changed; no iCloud; reaches", &[]),
    ("changed; no iCloud; iCloud waits", &["local pass"]),
    ("changed; no view; iCloud waits", &["local pass"]),
    ("changed; session soon", &["local pass"]),
    ("changed; no iCloud; session soon", &["local pass"]),
    // iCloud's turn.
    ("check", &["check"]),
    ("check; away", &["check"]),
    ("walk", &["walk"]),
    ("walk; check", &["walk"]),
    ("walk; away", &["check"]),
    ("walk; paused", &[]),
    ("walk; no owner", &[]),
    ("walk; walks", &[]),
    ("walk; pass", &[]),
    ("walk; local pass", &["walk"]),
    ("walk; chore", &["walk"]),
    ("walk; iCloud waits", &[]),
    ("walk; iCloud over", &["walk"]),
    ("walk; session soon", &[]),
    ("session", &["read session"]),
    ("no iCloud", &["reach"]),
    ("no iCloud; paused", &["reach"]),
    ("no iCloud; no owner", &["reach"]),
    ("no iCloud; iCloud waits", &[]),
    ("no iCloud; pass", &[]),
    ("no iCloud; local pass", &["reach"]),
    // The trash, beside everything else.
    ("trash", &["check trash"]),
    ("trash; pass", &["check trash"]),
    ("trash; walks", &["check trash"]),
    ("trash; away; iCloud waits", &[]),
    ("trash; paused", &[]),
    ("trash; walk", &["walk", "check trash"]),
    // The push channel, likewise.
    ("listen", &["listen"]),
    ("listen; pass", &["listen"]),
    ("listen; walks", &["listen"]),
    ("listen; no root", &["listen", "open root"]),
    ("listen; away; iCloud waits", &[]),
    ("listen; away", &["check"]),
    ("listen; iCloud waits", &[]),
    ("listen; paused", &[]),
    ("listen; session soon", &[]),
    ("listen; no iCloud", &["reach"]),
    ("listen; no owner", &[]),
    ("listen soon", &[]),
    // The local root.
    ("no root", &["open root"]),
    ("no root; local waits", &[]),
    ("no root; no owner; no iCloud; iCloud waits", &["open root"]),
    ("root found", &["open root"]),
    ("root found; no owner; no iCloud; reaches", &[]),
    ("root found; no owner", &["open root"]),
    ("no root; walk", &["walk", "open root"]),
    ("no root; paused", &["open root"]),
    ("no root; chore", &[]),
    // After a walk, or a pass.
    ("after walk", &["pass"]),
    ("after walk; watch off", &["pass over all"]),
    ("after person; watch off", &["pass over all"]),
    ("again; watch off", &["pass"]),
    ("after walk; no root", &["open root"]),
    ("after walk; paused", &[]),
    ("after walk; iCloud waits", &[]),
    ("again", &["pass"]),
    ("again; away; iCloud waits", &[]),
    ("again; walk", &["walk"]),
    ("after walk; pass", &[]),
    // A person.
    ("asked", &["walk"]),
    ("asked; scan", &["walk", "local pass over all"]),
    ("asked; away", &["check"]),
    ("asked; pass works", &["yield"]),
    ("asked; pass works; yields", &[]),
    ("asked; local pass", &["walk"]),
    ("asked; iCloud waits", &[]),
    ("paused; pass works", &["yield"]),
    ("pass works", &[]),
    ("pass works long", &["yield"]),
    ("local pass; paused", &[]),
    ("plan", &["plan"]),
    ("plan; pass works", &["yield"]),
    ("plan; walk", &["plan"]),
    ("plan; walks", &[]),
    ("plan; changed; walks long", &["local pass"]),
    ("plan; no root", &["refuse plan"]),
    ("plan; no iCloud", &["reach", "refuse plan"]),
    ("plan; paused", &["plan"]),
    ("dump; changed", &["dump"]),
    ("dump; pass", &[]),
    ("dump; no root", &["dump"]),
    ("answers; changed", &["decide"]),
    ("answers; paused", &["decide"]),
    ("answers; pass", &[]),
    // Once a day, and at the end.
    ("housekeeping", &["housekeeping"]),
    ("housekeeping; changed", &["pass"]),
    ("housekeeping; away; iCloud waits", &[]),
    ("stopping; changed; walk; trash; session", &[]),
    // The store is made smaller when nothing else is to be done, and gives way to what is.
    ("shrink", &["shrink"]),
    ("shrink soon", &[]),
    ("shrink; away; iCloud waits", &["shrink"]),
    ("shrink; walks", &["shrink"]),
    ("shrink; check", &["check", "shrink"]),
    ("shrink; changed", &["pass"]),
    ("shrink; changing", &["shrink"]),
    ("shrink; housekeeping", &["housekeeping"]),
    ("shrink; paused", &[]),
    ("shrink; pass", &[]),
    ("shrink; no root", &["open root"]),
    ("shrink; stopping", &[]),
    ("shrinks", &[]),
    ("shrinks; changing", &[]),
    ("shrinks; changed", &["yield"]),
    ("shrinks; changed; yields", &[]),
    ("shrinks; scan; away", &["yield", "check"]),
    ("shrinks; check", &["check"]),
    ("shrinks; walk", &["walk"]),
    ("shrinks; after walk", &["yield"]),
    ("shrinks; asked", &["walk"]),
    ("shrinks; plan", &["yield"]),
    ("shrinks; dump", &["yield"]),
    ("shrinks; answers", &["yield"]),
    ("shrinks; paused", &[]),
];

#[test]
fn what_begins_follows_from_what_is_known() {
    let now = Instant::now();
    let mut wrong = String::new();
    for (script, expected) in DECIDED {
        let begins: Vec<_> = decide(&facts(script, now), now).iter().map(line).collect();
        if begins != *expected {
            wrong += &format!("{script:?}\n  begins {begins:?}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What happened to an idle daemon, and in how many seconds it wakes.
const WOKEN: &[(&str, u64)] = &[
    ("", 20),
    ("no trash; paused", 3600),
    ("no trash; paused; watch starts", 3600),
    ("changed", 0),
    ("changing", 5),
    ("changing; checks", 5),
    ("changed; checks", 1),
    ("changing; local pass", 20),
    ("changing; paused", 3600),
    ("check soon", 2),
    ("walk soon", 3),
    ("walk soon; walks; no trash", 3000),
    ("trash soon", 4),
    ("listen soon", 1),
    ("listen soon; paused; no trash", 3600),
    ("iCloud waits; check", 6),
    ("iCloud waits; check; session soon", 1),
    ("local waits; changed", 7),
    ("poll later", 15),
    ("housekeeping soon", 8),
    ("housekeeping soon; away; iCloud waits", 6),
    ("pass works; no trash", 450),
    ("shrink soon", 9),
    ("shrink soon; pass", 25),
    ("shrinks", 20),
    ("shrinks; changing", 5),
    ("pass works; no trash; yields", 3600),
    ("stopping", 7),
];

#[test]
fn it_wakes_for_the_first_thing_that_nobody_will_tell_of() {
    let now = Instant::now();
    for (script, seconds) in WOKEN {
        let wakes = wake_at(&facts(script, now), now).duration_since(now);
        assert_eq!(wakes, Duration::from_secs(*seconds), "{script:?}");
    }
}

/// All pairs of what may happen, and each with a fault or a job beside it.
fn scripts() -> Vec<String> {
    let third =
        ["", "away", "no iCloud", "iCloud waits", "local waits", "walks", "pass works", "no root", "plan"];
    let pairs = STEPS.iter().flat_map(|a| STEPS.iter().map(move |b| format!("{a}; {b}")));
    pairs.flat_map(|pair| third.map(|step| format!("{pair}; {step}"))).collect()
}

#[test]
fn nothing_becomes_due_while_it_sleeps() {
    let now = Instant::now();
    let mut count = 0;
    for script in scripts() {
        let facts = facts(&script, now);
        let wake = wake_at(&facts, now);
        assert!(wake >= now, "{script}");
        if wake == now {
            continue;
        }
        // Every second at first, then around all that the steps name.
        let seconds = (0..30).chain([89, 91, 449, 451, 2999]);
        for second in seconds.map(|second| at(now, second)).take_while(|second| *second < wake) {
            assert_eq!(decide(&facts, second), [], "{script}, {:?} later", second - now);
            count += 1;
        }
    }
    assert!(count > 10_000, "only {count} moments");
}

#[test]
fn one_job_has_the_engine_and_one_asks_icloud_and_no_pass_overlaps_a_look() {
    let now = Instant::now();
    for script in scripts() {
        let facts = facts(&script, now);
        let begins = decide(&facts, now);
        let is_look = |start: &&Start| matches!(start, Start::Reach | Start::Walk | Start::Check);
        let is_pass = |start: &&Start| matches!(start, Start::Pass { .. } | Start::Plan);
        let takes_engine = |start: &&Start| {
            let others = [Start::Dump, Start::Decide, Start::OpenRoot, Start::Shrink];
            is_pass(start) || others.contains(start) || matches!(start, Start::LocalPass { .. })
        };
        let count = |kind: &dyn Fn(&&Start) -> bool| begins.iter().filter(|start| kind(start)).count();
        let runs = usize::from(facts.job.is_some());
        let passes = usize::from(facts.job.is_some_and(|job| job.kind == JobKind::Pass));
        let looks = usize::from(facts.remote.asking.is_some());
        assert!(count(&takes_engine) + runs <= 1, "{script}: {begins:?}");
        assert!(count(&is_look) + looks <= 1, "{script}: {begins:?}");
        assert!(count(&is_pass) == 0 || count(&is_look) + looks == 0, "{script}: {begins:?}");
        assert!(count(&is_look) == 0 || passes == 0, "{script}: {begins:?}");
        let paused = matches!(begins.last(), Some(Start::Pass { .. } | Start::LocalPass { .. }));
        assert!(!(facts.is_paused && paused), "{script}: {begins:?}");
    }
}

#[test]
fn it_stops_when_nothing_is_in_flight_or_the_grace_is_over() {
    let now = Instant::now();
    for (script, over) in [
        ("", false),
        ("stopping", true),
        ("stopping; walks", true),
        ("stopping; reaches", false),
        ("stopping; pass", false),
        ("stopping long; pass", true),
    ] {
        assert_eq!(is_over(&facts(script, now), now), over, "{script}");
    }
}
