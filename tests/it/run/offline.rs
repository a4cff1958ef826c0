//! iCloud away: at the start, in between, answering nonsense. It goes on by itself.

use std::net::TcpListener;

use icloudds::control::ControlRequest;
use icloudds::status::DaemonState;
use icloudds_simulator::fault::Effect;

use super::daemon::{Daemon, quick};
use crate::e2e::rig::{Rig, html};

/// While `effect` strikes every request it says `offline`, does not hammer, and goes on by itself afterwards.
#[track_caller]
fn assert_goes_on(effect: Effect) {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    rig.fault(None, 0, u64::MAX, effect);
    daemon.wait_state(DaemonState::Offline);
    assert!(daemon.status().last_error.is_some() && daemon.status().next_try.is_some());
    rig.write("here.txt", "h");
    rig.there().write("there.txt", "t").expect("a file");
    let before: u64 = rig.sim.counts().values().sum();
    let begun = std::time::Instant::now();
    daemon.wait("some time", || begun.elapsed() > std::time::Duration::from_secs(6));
    let asked = rig.sim.counts().values().sum::<u64>() - before;
    assert!(asked <= 40, "{asked} requests in 6 s\n{}", daemon.log());
    rig.sim.switches(|switches| switches.faults.clear());
    daemon.settle();
    assert_eq!(rig.read("there.txt"), "t");
    assert_eq!(rig.read_there("here.txt"), "h");
    let told = daemon.log().lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count();
    assert!(told <= 4, "{}", daemon.log());
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn a_storm_of_503() {
    assert_goes_on(html(503));
}

#[test]
fn pages_instead_of_answers() {
    assert_goes_on(html(200));
}

#[test]
fn connections_that_close() {
    assert_goes_on(Effect::NotAppliedReplyLost);
}

#[test]
fn answers_that_break_off() {
    assert_goes_on(Effect::CutBodyAfter(10));
}

#[test]
fn a_service_that_is_down_at_the_start_is_waited_for() {
    // A port that nobody listens on is a service that is down, and one that listens later is its return: the simulator cannot
    // go away and come back at one address, so a relay in front of it does.
    let mut rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    rig.write("mine.txt", "m");
    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = door.local_addr().expect("an address");
    drop(door);
    relay_configured(&mut rig, &address.to_string());
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::Offline);
    assert!(daemon.health(false).0 && !daemon.health(true).0);
    let lines = daemon.log().lines().count();
    daemon.done(&ControlRequest::SyncNow);
    let begun = std::time::Instant::now();
    daemon.wait("some time", || begun.elapsed() > std::time::Duration::from_secs(8));
    assert_eq!(daemon.status().state, DaemonState::Offline);
    let log = daemon.log();
    let more: Vec<_> = log.lines().skip(lines).collect();
    assert!(more.len() <= 1, "it says so once: {more:#?}");
    let door = TcpListener::bind(address).expect("the port again");
    let behind = rig.sim.address();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        door.set_nonblocking(true).expect("a listener");
        let relay = scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let Ok((near, _)) = door.accept() else {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    continue;
                };
                near.set_nonblocking(false).expect("a stream");
                let far = std::net::TcpStream::connect(behind).expect("the simulator");
                for (mut from, mut to) in
                    [(near.try_clone().expect("a handle"), far.try_clone().expect("a handle")), (far, near)]
                {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
        });
        daemon.settle();
        daemon.stop();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        relay.join().expect("the relay ends");
    });
}

fn relay_configured(rig: &mut Rig, address: &str) {
    let real = rig.sim.address().to_string();
    for (key, value) in [("home", rig.sim.home()), ("setup", rig.sim.setup()), ("auth", rig.sim.auth())] {
        rig.set_text(&format!("icloud.{key}"), &value.replace(&real, address));
    }
}

#[test]
fn the_wait_grows_while_it_stays_away() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    rig.fault(None, 0, u64::MAX, Effect::NotAppliedReplyLost);
    daemon.wait_state(DaemonState::Offline);
    // Between the first try and the one after the next there are at least 2.5 + 5 seconds.
    let begun = std::time::Instant::now();
    let mut tries = std::collections::BTreeSet::new();
    daemon.wait("three different next tries", || {
        tries.extend(daemon.status().next_try.map(|when| when.seconds()));
        tries.len() >= 3
    });
    assert!(begun.elapsed() > std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    // A person need not wait.
    rig.sim.switches(|switches| switches.faults.clear());
    rig.write("a.txt", "a");
    daemon.done(&ControlRequest::SyncNow);
    let asked = std::time::Instant::now();
    daemon.wait("it goes on", || rig.there().entry("a.txt").is_some());
    assert!(asked.elapsed() < std::time::Duration::from_secs(8), "{:?}", asked.elapsed());
    daemon.settle();
    daemon.stop();
}

#[test]
fn what_changes_here_while_it_is_away_is_not_forgotten() {
    let mut rig = quick();
    // Only events tell of changes: neither refreshes nor checks come by chance.
    rig.set("sync.refresh_period", "3600");
    rig.there().write("old.txt", "old").expect("a file");
    let daemon = Daemon::synced(&rig);
    rig.fault(None, 0, u64::MAX, Effect::NotAppliedReplyLost);
    daemon.wait_state(DaemonState::Offline);
    for number in 0..10 {
        rig.write(&format!("new/{number}.txt"), "n");
    }
    rig.mv("old.txt", "new/old.txt");
    let id = rig.id("old.txt");
    rig.sim.switches(|switches| switches.faults.clear());
    daemon.settle();
    assert_eq!(rig.id("new/old.txt"), id);
    daemon.stop();
    rig.assert_settled();
}
