//! Passes that have much to do: they serve what changes meanwhile, and who wants something else.

use std::time::Duration;

use icloudds::control::ControlRequest;
use icloudds::status::DaemonState;

use super::daemon::{Daemon, quick};
use crate::e2e::rig::Rig;

/// Files that take about a minute and a half to upload, one after another.
const MANY: usize = 200;

/// A first sync that takes long against the periods.
fn slow() -> Rig {
    let mut rig = quick();
    rig.set("sync.max_workers", "1").set("sync.refresh_period", "1");
    for number in 0..MANY {
        let path = format!("many/{number:03}.txt");
        rig.write(&path, format!("file {number}"));
        let long_ago = filetime::FileTime::from_unix_time(1_500_000_000, 0);
        filetime::set_file_mtime(rig.at(&path), long_ago).expect("it is ours");
    }
    rig.sim.switches(|switches| switches.latency = Duration::from_millis(80));
    rig
}

fn uploaded(rig: &Rig) -> usize {
    (0..MANY).filter(|number| rig.there().entry(&format!("many/{number:03}.txt")).is_some()).count()
}

#[test]
fn what_changes_during_a_long_pass_does_not_wait_for_its_end() {
    let rig = slow();
    let daemon = Daemon::start(&rig);
    daemon.wait("the first uploads", || uploaded(&rig) > 3);
    rig.write("0.txt", "written meanwhile");
    rig.there().write("1.txt", "written there meanwhile").expect("a file");
    daemon.wait("both", || rig.there().entry("0.txt").is_some() && rig.at("1.txt").exists());
    let done = uploaded(&rig);
    assert!(done < MANY, "{done} of {MANY} came first\n{}", daemon.log());
    rig.sim.switches(|switches| switches.latency = Duration::ZERO);
    daemon.settle();
    assert_eq!(uploaded(&rig), MANY);
    assert!(!between(&daemon).contains("idle"), "{}", daemon.log());
    daemon.stop();
    rig.assert_settled();
}

/// What was told before the last upload of many.
fn between(daemon: &Daemon<'_>) -> String {
    let log = daemon.log();
    let end = log.rfind("uploaded many/").unwrap_or(log.len());
    log[..end].to_owned()
}

#[test]
fn a_pause_does_not_wait_for_the_end_of_a_long_pass() {
    let mut rig = slow();
    // Only the pause ends it early.
    rig.set("sync.refresh_period", "3600");
    let daemon = Daemon::start(&rig);
    daemon.wait("the first uploads", || uploaded(&rig) > 3);
    daemon.done(&ControlRequest::Pause);
    daemon.wait_state(DaemonState::Paused);
    let done = uploaded(&rig);
    assert!(done < MANY, "{done} of {MANY} were uploaded\n{}", daemon.log());
    rig.sim.switches(|switches| switches.latency = Duration::ZERO);
    daemon.done(&ControlRequest::Resume);
    daemon.settle();
    assert_eq!(uploaded(&rig), MANY);
    daemon.stop();
    rig.assert_settled();
}
