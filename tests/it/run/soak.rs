//! Random changes on both sides with faults for a while, then quiet: equal, and nothing has grown.

use std::fs;
use std::time::{Duration, Instant};

use icloudds_simulator::fault::{Effect, Fault, FaultBody, mix};

use super::daemon::{Daemon, pace, quick};
use crate::e2e::rig::{Rig, noise};

/// How long it changes; an hour is `SOAK_SECONDS=3600`.
fn length() -> Duration {
    let seconds = std::env::var("SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    Duration::from_secs(seconds)
}

/// One random thing on each side. Whatever is not possible just now is left.
pub fn change_both_sides(rig: &Rig, draw: u64) {
    here(rig, mix(draw));
    there(rig, mix(draw ^ 0x5151));
}

fn path(draw: u64) -> String {
    let file = (draw >> 8) % 12;
    match draw % 5 {
        0 => format!("f/{file}.txt"),
        1 => format!("g/{file}.txt"),
        2 => format!("g/deep/{file}.txt"),
        3 => format!("h {}/{file}.txt", (draw >> 16) % 3),
        _ => format!("{file}.txt"),
    }
}

fn here(rig: &Rig, draw: u64) {
    let (one, other) = (path(draw >> 3), path(draw >> 24));
    let (from, to) = (rig.at(&one), rig.at(&other));
    let len = usize::try_from((draw >> 40) % 20_000).unwrap_or(0);
    match draw % 8 {
        0..=3 => {
            drop(fs::create_dir_all(from.parent().expect("a folder")));
            drop(fs::write(from, noise(draw, len)));
        }
        4 if !to.exists() => {
            drop(fs::create_dir_all(to.parent().expect("a folder")));
            drop(fs::rename(from, to));
        }
        5 => drop(fs::remove_file(from)),
        6 => drop(fs::rename(rig.at("g/deep"), rig.at("deep"))),
        _ => drop(fs::rename(rig.at("deep"), rig.at("g/deep"))),
    }
}

/// A person removes conflict copies, and what iCloud numbered when it was put back beside its successor. Without that the
/// drive itself would grow, and with it what the daemon has to know.
fn remove_copies(folder: &std::path::Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && name != ".icloudds" {
            remove_copies(&entry.path());
        } else if !is_folder && !is_plain(&name.to_string_lossy()) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Whether the random persons gave the name themselves.
fn is_plain(name: &str) -> bool {
    name.strip_suffix(".txt").is_some_and(|stem| stem.bytes().all(|byte| byte.is_ascii_digit()))
}

fn there(rig: &Rig, draw: u64) {
    let (one, other) = (path(draw >> 3), path(draw >> 24));
    let len = usize::try_from((draw >> 40) % 20_000).unwrap_or(0);
    let person = rig.there();
    match draw % 8 {
        0..=3 => drop(person.write(&one, noise(draw, len))),
        4 => {
            let name = other.rsplit('/').next().unwrap_or(&other).to_owned();
            drop(person.rename(&one, &name));
        }
        5 => drop(person.trash(&one)),
        6 => drop(person.move_to(&one, "f")),
        _ => {
            if let Some((path, _)) = person.trash_contents().first() {
                drop(person.put_back(&path.clone()));
            }
        }
    }
}

/// A plan of faults that strikes now and then.
pub fn faults(seed: u64) -> Vec<Fault> {
    let answer = |status| Effect::Answer {
        status,
        body: FaultBody::Html,
        retry_after: None,
        code: None,
        headers: Vec::new(),
    };
    [
        (0.02, answer(503)),
        (0.02, Effect::AppliedReplyLost),
        (0.02, Effect::NotAppliedReplyLost),
        (0.01, Effect::TruncateBody),
        (0.01, Effect::CutBodyAfter(100)),
    ]
    .into_iter()
    .zip(0..)
    .map(|((probability, effect), number)| Fault {
        kind: None,
        path: None,
        skip: 0,
        count: u64::MAX,
        every: 1,
        probability,
        seed: seed ^ mix(number),
        effect,
    })
    .collect()
}

#[test]
fn after_a_long_time_of_changes_both_sides_are_equal_and_nothing_has_grown() {
    let mut rig = quick();
    rig.set("guard.max_deletes", "0").set("guard.max_delete_percent", "0");
    rig.set("sync.max_workers", "4");
    rig.racing = true;
    let daemon = Daemon::synced(&rig);
    let seed = std::env::var("SOAK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1_u64);
    // A first stretch fills caches and pools; what grows afterwards is a leak.
    let begun = Instant::now();
    let mut step = 0_u64;
    let mut warm = None;
    while begun.elapsed() < length() {
        step += 1;
        change_both_sides(&rig, mix(seed ^ mix(step)));
        if step.is_multiple_of(100) {
            remove_copies(&rig.drive());
        }
        if step.is_multiple_of(40) {
            rig.sim.switches(|switches| {
                switches.faults = if step.is_multiple_of(80) { faults(seed ^ step) } else { Vec::new() };
            });
        }
        if warm.is_none() && begun.elapsed() > length() / 4 {
            warm = Some(daemon.usage());
        }
        // The pace of the two persons.
        pace(Duration::from_millis(50));
    }
    rig.sim.switches(|switches| switches.faults.clear());
    daemon.settle();
    let (warm, last) = (warm.expect("the first stretch is over"), daemon.usage());
    let status = daemon.status();
    eprintln!(
        "{step} changes in {} s: {:.1} s of CPU, {} KiB resident ({} after the first quarter), {} threads, {} files; {:?}",
        begun.elapsed().as_secs(),
        last.cpu_centis as f64 / 100.0,
        last.resident_kib,
        warm.resident_kib,
        last.threads,
        last.files,
        status.totals
    );
    // When it rests, no worker, no connection beyond the pool and no transfer is left.
    daemon.wait("its threads to rest", || daemon.usage().threads <= 8);
    assert!(
        daemon.usage().files <= warm.files + 16,
        "open files: {} at first, now {}",
        warm.files,
        last.files
    );
    assert!(
        last.resident_kib < warm.resident_kib + 40_000,
        "memory: {} KiB at first, now {} KiB",
        warm.resident_kib,
        last.resident_kib
    );
    let left = fs::read_dir(rig.at(".icloudds/tmp")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "temporary files are left");
    let passes = daemon.status().totals.passes;
    let requests =
        rig.requests(|| daemon.wait("quiet passes", || daemon.status().totals.passes >= passes + 3));
    eprintln!("at rest, three passes and the checks between them: {requests:?}");
    for kind in ["commit", "create", "rename", "move", "trash", "delete", "download.content"] {
        assert_eq!(requests.get(kind), None, "{requests:?}\n{}", daemon.log());
    }
    daemon.stop();
    rig.assert_settled();
}
