//! iCloud away: at the start, in between, answering nonsense. It goes on by itself.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use icloudds::control::ControlRequest;
use icloudds::status::DaemonState;
use icloudds_simulator::fault::Effect;

use super::daemon::{Daemon, hurry, pace, quick};
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
    let begun = Instant::now();
    daemon.wait("some time", || begun.elapsed() > Duration::from_secs(6));
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

/// Stands between the program and the simulator, so that the service can go away and come back at one address.
struct Relay {
    address: SocketAddr,
    behind: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    fn new(behind: SocketAddr) -> Self {
        let door = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = door.local_addr().expect("an address");
        let mut relay = Self { address, behind, stop: Arc::default(), thread: None };
        relay.serve(door);
        relay
    }

    fn serve(&mut self, door: TcpListener) {
        door.set_nonblocking(true).expect("a listener");
        self.stop.store(false, Ordering::Relaxed);
        let (stop, behind) = (Arc::clone(&self.stop), self.behind);
        self.thread = Some(thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let Ok((near, _)) = door.accept() else {
                    pace(Duration::from_millis(5));
                    continue;
                };
                near.set_nonblocking(false).expect("a stream");
                let far = TcpStream::connect(behind).expect("the simulator");
                let handle = |stream: &TcpStream| stream.try_clone().expect("a handle");
                for (mut from, mut to) in [(handle(&near), handle(&far)), (handle(&far), near)] {
                    let stop = Arc::clone(&stop);
                    thread::spawn(move || {
                        let mut bytes = [0; 16_384];
                        while let Ok(len @ 1..) = from.read(&mut bytes) {
                            if stop.load(Ordering::Relaxed) || to.write_all(&bytes[..len]).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        }));
    }

    /// Nobody listens any more; open connections end with their next byte.
    fn close(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the relay ends");
        }
    }

    fn open(&mut self) {
        self.serve(TcpListener::bind(self.address).expect("the port again"));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.close();
    }
}

#[test]
fn a_service_that_is_down_is_waited_for_at_the_start_and_in_between() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    let mut relay = Relay::new(rig.sim.address());
    let real = rig.sim.address().to_string();
    for (key, value) in [("home", rig.sim.home()), ("setup", rig.sim.setup()), ("auth", rig.sim.auth())] {
        rig.set_text(&format!("icloud.{key}"), &value.replace(&real, &relay.address.to_string()));
    }
    rig.login();
    rig.there().write("a.txt", "a").expect("a file");
    rig.write("mine.txt", "m");
    let proofs = rig.sim.count("signin.complete");
    relay.close();
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::Offline);
    assert!(daemon.health(false).0 && !daemon.health(true).0);
    let lines = daemon.log().lines().count();
    daemon.done(&ControlRequest::SyncNow);
    let begun = Instant::now();
    daemon.wait("some time", || begun.elapsed() > Duration::from_secs(8));
    assert_eq!(daemon.status().state, DaemonState::Offline);
    let log = daemon.log();
    assert!(log.lines().count() <= lines + 1, "it says so once: {log}");
    relay.open();
    daemon.settle();
    for round in 0..2 {
        relay.close();
        daemon.wait_state(DaemonState::Offline);
        rig.write(&format!("here {round}.txt"), "h");
        rig.there().write(&format!("there {round}.txt"), "t").expect("a file");
        relay.open();
        daemon.settle();
    }
    assert_eq!(rig.sim.count("signin.complete"), proofs, "the session was enough");
    daemon.stop();
}

#[test]
fn the_wait_grows_while_it_stays_away() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    rig.fault(None, 0, u64::MAX, Effect::NotAppliedReplyLost);
    daemon.wait_state(DaemonState::Offline);
    // Between the first try and the one after the next there are at least 2.5 + 5 seconds.
    let begun = Instant::now();
    let mut tries = std::collections::BTreeSet::new();
    daemon.wait("three different next tries", || {
        tries.extend(daemon.status().next_try.map(|when| when.seconds()));
        tries.len() >= 3
    });
    assert!(begun.elapsed() > Duration::from_secs(5), "{:?}", begun.elapsed());
    // A person need not wait.
    rig.sim.switches(|switches| switches.faults.clear());
    rig.write("a.txt", "a");
    daemon.done(&ControlRequest::SyncNow);
    let asked = Instant::now();
    daemon.wait("it goes on", || rig.there().entry("a.txt").is_some());
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
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
