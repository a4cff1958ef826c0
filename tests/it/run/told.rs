//! What a person is told while the daemon runs is true at that moment.

use icloudds::control::ControlRequest;
use icloudds::status::DaemonState;
use icloudds_simulator::fault::Effect;

use super::daemon::{Daemon, quick};
use crate::e2e::rig::noise;

fn why(daemon: &Daemon, path: &str) -> String {
    daemon.text(&ControlRequest::Why { path: path.to_owned() })
}

#[test]
fn an_item_that_no_plan_can_take_is_set_aside_everywhere_until_it_is_renamed() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    // Both forms of one name, which iCloud cannot hold apart.
    rig.write("A\u{30a}.txt", "decomposed");
    rig.write("\u{c5}.txt", "composed");
    daemon.wait("a set-aside item", || daemon.status().set_aside.len() == 1);
    daemon.rounds(2);
    let status = daemon.status();
    assert!(!status.in_sync, "an item is set aside");
    let item = status.set_aside.first().expect("an item");
    assert!(item.reason.contains("rename one of them"), "{}", item.reason);
    assert!(daemon.health(true).1.contains("set aside: 1"));
    let told = why(&daemon, &item.path);
    assert!(told.contains("left alone set aside: another item beside it has the same name"), "{told}");
    rig.mv("A\u{30a}.txt", "B.txt");
    daemon.settle();
    assert!(daemon.status().set_aside.is_empty());
    daemon.stop();
}

#[test]
fn why_names_what_is_never_synced_and_shows_names_on_one_line() {
    let rig = quick();
    rig.write("red\u{1b}[31m\n.txt", "a");
    std::os::unix::fs::symlink("elsewhere", rig.at("link")).expect("a link");
    let daemon = Daemon::start(&rig);
    daemon.wait("a skipped item", || daemon.status().in_sync && daemon.status().skipped.len() == 1);
    let told = why(&daemon, "link");
    assert!(told.contains("left alone skipped: a link, socket, device or FIFO is never synced"), "{told}");
    assert!(told.contains("seen here  a link, socket, device or FIFO"), "{told}");
    assert_eq!(daemon.status().counts.local.files, 1, "what is never synced is not counted");
    let told = why(&daemon, "red\u{1b}[31m\n.txt");
    assert!(told.starts_with("red\\u{1b}[31m\\n.txt\n") && !told.contains('\u{1b}'), "{told:?}");
    daemon.stop();
}

#[test]
fn a_pass_that_cannot_begin_is_not_promised() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    assert_eq!(daemon.done(&ControlRequest::SyncNow), "a full pass begins now");
    daemon.settle();
    daemon.done(&ControlRequest::Pause);
    daemon.wait_state(DaemonState::Paused);
    let said = daemon.done(&ControlRequest::SyncNow);
    assert_eq!(said, "a full pass begins when it can: paused: `icloudds resume` goes on");
    daemon.done(&ControlRequest::Resume);
    daemon.settle();
    std::fs::rename(rig.drive(), rig.aside().join("drive")).expect("renamed");
    daemon.wait_state(DaemonState::WrongFolder);
    assert!(daemon.done(&ControlRequest::SyncNow).contains("the folder cannot be used"));
    std::fs::rename(rig.aside().join("drive"), rig.drive()).expect("renamed");
    daemon.settle();
    daemon.stop();
}

#[test]
fn before_the_first_connection_readiness_says_what_it_waits_for() {
    let rig = quick();
    rig.fault(None, 0, u64::MAX, Effect::NotAppliedReplyLost);
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::Offline);
    let (ready, why) = daemon.health(true);
    assert!(!ready && why.contains("iCloud cannot be reached"), "{why}");
    rig.sim.switches(|switches| switches.faults.clear());
    daemon.settle();
    daemon.stop();
}

#[test]
fn a_check_that_nobody_answers_is_no_idleness() {
    let mut rig = quick();
    rig.set("sync.refresh_period", "3600");
    let daemon = Daemon::synced(&rig);
    daemon.calm();
    // The feed's answer as well as a listing.
    rig.fault(None, 0, u64::MAX, Effect::StallMs(60_000));
    daemon.wait_state(DaemonState::Offline);
    rig.sim.switches(|switches| switches.faults.clear());
    daemon.signal(rustix::process::Signal::TERM);
    let mut daemon = daemon;
    assert_eq!(daemon.ended().0, Some(0));
}

#[test]
fn what_is_here_is_counted_before_it_is_uploaded() {
    let rig = quick();
    rig.write("large.bin", noise(1, 1_600_000));
    rig.sim.switches(|switches| switches.bandwidth = Some(400_000));
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::Syncing);
    daemon.wait("the count", || daemon.status().counts.local.files == 1);
    assert_eq!(daemon.status().counts.remote.files, 0, "it is still on its way");
    daemon.settle();
    daemon.stop();
}
