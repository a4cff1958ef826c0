//! Signals: stopping, reloading, syncing now, writing the state files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use icloudds::status::DaemonState;
use icloudds_simulator::fault::Effect;
use rustix::process::Signal;

use super::daemon::{Daemon, quick};
use crate::e2e::rig::{Rig, noise};

const DUMPS: [&str; 5] = [
    "icloudds_local_before.log",
    "icloudds_icloud_before.log",
    "icloudds_local_after.log",
    "icloudds_icloud_after.log",
    "icloudds_refresh_after.log",
];

/// Stops while `act` makes something large move; afterwards a further start converges.
#[track_caller]
fn assert_stops_during(prepare: impl Fn(&Rig), kind: &str) {
    let rig = quick();
    rig.there().write("small.txt", "s").expect("a file");
    Daemon::synced(&rig).stop();
    prepare(&rig);
    rig.sim.switches(|switches| switches.bandwidth = Some(200_000));
    let daemon = Daemon::start(&rig);
    daemon.wait("the transfer", || rig.sim.count(kind) > 0);
    let log = daemon.stop();
    assert!(log.contains("stopped"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    for path in rig.here().keys() {
        assert!(!path.contains(".part") && !path.contains(".tmp"), "half a file is visible: {path}");
    }
    rig.sim.switches(|switches| switches.bandwidth = None);
    Daemon::synced(&rig).stop();
    rig.assert_settled();
}

#[test]
fn sigterm_during_a_large_download() {
    assert_stops_during(
        |rig| rig.there().write("large.bin", noise(1, 8_000_000)).expect("a file"),
        "download.content",
    );
}

#[test]
fn sigterm_during_a_large_upload() {
    assert_stops_during(|rig| rig.write("large.bin", noise(1, 8_000_000)), "upload.content");
}

#[test]
fn sigterm_while_the_service_says_nothing() {
    for kind in ["listing", "validate", "details"] {
        let rig = quick();
        rig.there().write("a.txt", "a").expect("a file");
        rig.fault(Some(kind), 0, 100, Effect::StallMs(40_000));
        let daemon = Daemon::start(&rig);
        let begun = std::time::Instant::now();
        daemon.wait("the silence", || rig.sim.count(kind) > 0 || begun.elapsed() > Duration::from_secs(3));
        daemon.stop();
        rig.sim.switches(|switches| switches.faults.clear());
    }
}

#[test]
fn sigterm_at_once_after_the_start() {
    let rig = quick();
    for _ in 0..5 {
        let daemon = Daemon::launch(&rig);
        // The handlers are there before anything else that could be seen from outside.
        daemon.wait("its lock", || rig.state().join("lock").exists());
        daemon.wait("the socket", || rig.state().join("control.sock").exists());
        daemon.stop();
    }
}

#[test]
fn a_second_sigterm_ends_it_at_once() {
    let rig = quick();
    rig.there().write("large.bin", noise(1, 8_000_000)).expect("a file");
    rig.sim.switches(|switches| switches.bandwidth = Some(100_000));
    let mut daemon = Daemon::start(&rig);
    daemon.wait("the transfer", || rig.sim.count("download.content") > 0);
    daemon.signal(Signal::TERM);
    daemon.wait_log("stopping");
    daemon.signal(Signal::INT);
    let (_, took) = daemon.ended();
    assert!(took < Duration::from_secs(7), "{took:?}");
    drop(daemon);
    rig.sim.switches(|switches| switches.bandwidth = None);
    Daemon::synced(&rig).stop();
    rig.assert_settled();
}

#[test]
fn a_stopped_daemon_leaves_no_socket_and_says_so_in_its_status() {
    let rig = quick();
    let log = Daemon::synced(&rig).stop();
    assert!(log.contains("stopped"), "{log}");
    assert!(!rig.state().join("control.sock").exists());
    let status = fs::read_to_string(rig.state().join("status.json")).expect("a status");
    assert!(status.contains("\"stopping\""), "{status}");
}

#[test]
fn sighup_takes_over_what_can_change_and_names_what_cannot() {
    let mut rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    rig.there().write("b.log", "b").expect("a file");
    let temp = rig.state();
    // The daemon borrows the rig; the configuration file is written by the next command that is made.
    let daemon = Daemon::synced(&rig);
    daemon.rounds(0);
    let file = temp.parent().expect("a folder").join("config.toml");
    let text = fs::read_to_string(&file).expect("the configuration");
    let changed = text
        .replace("[sync]", "[sync]\nignore = ['.*\\.tmp']\nmode = \"two-way\"")
        .replace("debounce_period = 1", "debounce_period = 2")
        + "\n[log]\nlevel = \"debug\"\n";
    fs::write(&file, changed).expect("the configuration");
    daemon.signal(Signal::HUP);
    daemon.wait_log("the configuration was read again");
    daemon.wait_log("log.level changed, which needs a restart");
    rig.write("c.tmp", "ignored");
    rig.write("c.txt", "c");
    daemon.wait("the file that takes part", || rig.there().entry("c.txt").is_some());
    daemon.rounds(2);
    assert!(rig.there().entry("c.tmp").is_none(), "{}", daemon.log());

    fs::write(&file, "[sync]\nnonsense = 1\n").expect("the configuration");
    daemon.signal(Signal::HUP);
    daemon.wait_log("the configuration was not reloaded, the old one stays");
    assert!(daemon.log().contains("nonsense"), "{}", daemon.log());
    rig.write("d.txt", "d");
    daemon.wait("it goes on", || rig.there().entry("d.txt").is_some());
    daemon.stop();
    rig.forgiving = false;
}

#[test]
fn sigusr1_is_a_full_pass_now() {
    let mut rig = quick();
    rig.set_text("sync.watch", "off").set("sync.refresh_period", "3600");
    let daemon = Daemon::synced(&rig);
    rig.write("a.txt", "a");
    rig.there().write("b.txt", "b").expect("a file");
    daemon.signal(Signal::USR1);
    daemon.wait("both", || rig.there().entry("a.txt").is_some() && rig.at("b.txt").exists());
    daemon.stop();
}

/// All five are there, for their owner only, in the contract's form.
#[track_caller]
fn assert_dumps(rig: &Rig, daemon: &Daemon<'_>, names: &[&str]) {
    daemon.wait("five state files", || DUMPS.iter().all(|name| rig.state().join(name).exists()));
    for name in DUMPS {
        let path = rig.state().join(name);
        let mode = fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
        let text = fs::read_to_string(&path).expect("text");
        for wanted in names {
            let line = text.lines().find(|line| line.starts_with(&format!("{wanted}: ")));
            let line = line.unwrap_or_else(|| panic!("{name} lacks {wanted}:\n{text}"));
            let rest = line.split_once(": ").expect("a colon").1;
            assert!(rest.starts_with("FileInfo(") || rest.starts_with("FolderInfo("), "{line}");
            assert!(
                rest.contains(", modified=") && rest.contains("+00:00") || rest.contains("modified=None"),
                "{line}"
            );
            assert!(rest.contains(", etag=") && rest.contains(", id=") && rest.ends_with(')'), "{line}");
            assert_eq!(rest.starts_with("FileInfo("), rest.contains(", size="), "{line}");
        }
        let mut sorted: Vec<_> = text.lines().map(|line| line.split(": ").next()).collect();
        sorted.sort();
        assert_eq!(sorted.len(), text.lines().count());
    }
}

#[test]
fn sigusr2_writes_the_five_state_files() {
    let rig = quick();
    rig.there().write("notes/a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    assert!(DUMPS.iter().all(|name| !rig.state().join(name).exists()), "not without being asked");
    daemon.signal(Signal::USR2);
    assert_dumps(&rig, &daemon, &["notes", "notes/a.txt"]);
    daemon.stop();
}

#[test]
fn sigusr2_during_a_pass_is_not_forgotten() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    Daemon::synced(&rig).stop();
    rig.there().write("large.bin", noise(1, 1_000_000)).expect("a file");
    rig.sim.switches(|switches| switches.bandwidth = Some(400_000));
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::Syncing);
    daemon.signal(Signal::USR2);
    assert_dumps(&rig, &daemon, &["a.txt"]);
    daemon.stop();
}

#[test]
fn sigusr2_before_the_first_look_tells_what_is_stored() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    Daemon::synced(&rig).stop();
    rig.fault(None, 0, u64::MAX, Effect::NotAppliedReplyLost);
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::Offline);
    daemon.signal(Signal::USR2);
    assert_dumps(&rig, &daemon, &["a.txt"]);
    daemon.stop();
    rig.sim.switches(|switches| switches.faults.clear());
}

#[test]
fn configured_state_files_are_written_around_each_refresh() {
    let mut rig = quick();
    rig.set("log.state_dump", "true");
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    daemon.rounds(2);
    assert_dumps(&rig, &daemon, &["a.txt"]);
    rig.there().write("b.txt", "b").expect("a file");
    daemon.wait("the new file in the listing", || {
        fs::read_to_string(rig.state().join("icloudds_refresh_after.log"))
            .is_ok_and(|text| text.contains("b.txt: "))
    });
    daemon.stop();
}
