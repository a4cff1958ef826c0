//! Commits of new files side by side, on a service that takes them and on one that does not (`docs/sync.md` §6).

use std::time::Duration;

use icloudds_simulator::switches::Busy;

use super::rig::Rig;
use crate::cases::side_by_side;
use crate::run::daemon::pace;

const FILES: usize = 24;

fn ready(busy: Busy, width: &str) -> Rig {
    let mut rig = Rig::signed_in_with(|config| {
        config.switches.busy = busy;
        config.switches.slow_commit = Duration::from_millis(100);
    });
    rig.set("sync.parallel_writes", width);
    for number in 0..FILES {
        rig.write(&format!("folder {}/file {number}", number % 3), format!("content {number}"));
    }
    rig
}

#[test]
fn a_service_that_takes_them_gets_several_commits_at_once() {
    for width in ["4", "\"auto\""] {
        let rig = ready(Busy::Never, width);
        let requests = rig.requests(|| drop(rig.once()));
        rig.assert_settled();
        assert_eq!(requests.get("commit"), Some(&(FILES as u64)), "each once: {requests:?}");
        let overlapping = requests.get("commit.overlapping").copied().unwrap_or(0);
        assert!(overlapping >= FILES as u64 / 2, "{requests:?}");
    }
}

#[test]
fn a_service_that_refuses_them_is_asked_once_and_gets_all_one_by_one() {
    let rig = ready(Busy::OnOverlap, "8");
    let requests = rig.requests(|| drop(rig.once()));
    rig.assert_settled();
    let commits = requests.get("commit").copied().unwrap_or(0);
    assert!((FILES as u64 + 1..=FILES as u64 + 2).contains(&commits), "{requests:?}");
    assert_eq!(requests.get("commit.overlapping"), Some(&1), "{requests:?}");
}

#[test]
fn without_being_told_so_nothing_overlaps() {
    let rig = ready(Busy::Never, "1");
    let requests = rig.requests(|| drop(rig.once()));
    rig.assert_settled();
    assert_eq!(requests.get("commit.overlapping"), None, "{requests:?}");
}

#[test]
fn a_kill_amid_them_loses_and_doubles_nothing() {
    side_by_side([Busy::Never, Busy::OnOverlap], |busy| {
        let rig = ready(busy, "8");
        for _ in 0..3 {
            let mut child = rig.spawn(&["once"]);
            let committed = rig.sim.counts().get("commit").copied().unwrap_or(0);
            // Killed once some more were sent, or at its end.
            while child.try_wait().expect("a process").is_none() {
                if rig.sim.counts().get("commit").copied().unwrap_or(0) >= committed + 5 {
                    child.kill().expect("a process");
                    child.wait().expect("a process");
                    break;
                }
                pace(Duration::from_millis(1));
            }
        }
        rig.once();
        rig.assert_settled();
        let files = rig.on_icloud().len();
        assert_eq!(files, FILES + 3, "files and folders, none doubled");
    });
}
