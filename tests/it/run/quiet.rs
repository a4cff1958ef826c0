//! A daemon that has nothing to do does next to nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use icloudds_simulator::switches as sw;

use super::daemon::{Daemon, quick};

#[test]
fn idle_is_one_small_request_per_check_period_and_two_where_the_account_has_no_change_feed() {
    idle(sw::Feed::Ok, 1, &["feed.database"]);
    idle(sw::Feed::Off, 2, &["listing"]);
}

/// An idle daemon makes so many requests each check period, and only of these kinds.
#[track_caller]
fn idle(feed: sw::Feed, each: u64, kinds: &[&str]) {
    let mut rig = quick();
    rig.sim.switches(|switches| switches.feed = feed);
    rig.set("sync.refresh_period", "3600");
    for number in 0..30 {
        rig.there().write(&format!("d{}/{number}.txt", number % 5), "x").expect("a file");
    }
    let daemon = Daemon::synced(&rig);
    let total = || {
        rig.sim
            .counts()
            .into_iter()
            .filter(|(kind, _)| kind != "listing.folders")
            .map(|(_, n)| n)
            .sum::<u64>()
    };
    daemon.calm();
    rig.sim.forget_sizes();
    let (before, passes, begun) = (total(), daemon.status().totals.passes, Instant::now());
    let kinds_before = rig.sim.counts();
    daemon.wait("five checks", || total() >= before + 5 * each);
    let took = begun.elapsed().as_secs();
    let asked = total() - before;
    let mut more = rig.sim.counts();
    more.retain(|kind, count| {
        kind != "listing.folders" && *count > kinds_before.get(kind).copied().unwrap_or(0)
    });
    assert_eq!(more.keys().map(String::as_str).collect::<Vec<_>>(), kinds, "{}", daemon.log());
    // The root, and the trash by itself: in one request each would have to wait for the slower one.
    assert_eq!(rig.there().asked().mixed, 0);
    assert!(asked <= each * (took + 2), "{asked} requests in {took} s\n{}", daemon.log());
    assert_eq!(daemon.status().totals.passes, passes, "a pass began though nothing changed");
    // Head and body, without the line of cookies, which are the service's: nobody knows which of them it could do without.
    for kind in kinds {
        let size = rig.sim.largest(kind).expect("it was asked");
        let most = if *kind == "feed.database" { 600 } else { 1000 };
        assert!(size.whole - size.cookies < most, "{kind}: {size:?}");
    }
    daemon.stop();
}

#[test]
fn an_idle_daemon_does_not_touch_the_drive() {
    let mut rig = quick();
    rig.set("sync.refresh_period", "3600");
    for number in 0..20 {
        rig.there().write(&format!("d{}/{number}.txt", number % 5), "x").expect("a file");
    }
    let daemon = Daemon::synced(&rig);
    daemon.calm();
    let trace = rig.aside().join("trace");
    let started = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=%file,getdents64", "-o"])
        .arg(&trace)
        .args(["-p", &daemon.pid().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // Without the tool the numbers of passes in the test above must do.
    let Ok(mut tracer) = started else { return };
    let checks = rig.sim.count("feed.database");
    daemon.wait("five checks", || rig.sim.count("feed.database") >= checks + 5);
    // SIGTERM makes it let go of the process and write what it has.
    let tracer_id =
        rustix::process::Pid::from_raw(i32::try_from(tracer.id()).expect("an id")).expect("not zero");
    let _ = rustix::process::kill_process(tracer_id, rustix::process::Signal::TERM);
    drop(tracer.wait());
    let calls = fs::read_to_string(&trace).unwrap_or_default();
    let drive = rig.drive().display().to_string();
    let relative = |line: &str| {
        line.contains("\"d0") || line.contains("\"d1") || line.contains(&drive) || line.contains("getdents")
    };
    // Each check asks once whether the path still leads to the watched folder, which no event tells of a mount.
    let root = format!("\"{drive}\", AT_STATX_SYNC_AS_STAT");
    let touching: Vec<_> = calls.lines().filter(|line| relative(line) && !line.contains(&root)).collect();
    assert!(touching.is_empty(), "{touching:#?}");
    daemon.stop();
}

#[test]
fn touch_and_chmod_upload_nothing() {
    let rig = quick();
    for number in 0..5 {
        rig.there()
            .write(&format!("d/{number}.txt"), format!("content {number}").as_bytes())
            .expect("a file");
    }
    let daemon = Daemon::synced(&rig);
    let passes = daemon.status().totals.passes;
    let requests = rig.requests(|| {
        for number in 0..5 {
            let at = rig.at(&format!("d/{number}.txt"));
            let file = fs::File::options().write(true).open(&at).expect("a file");
            file.set_modified(SystemTime::now()).expect("a time");
            fs::set_permissions(&at, fs::Permissions::from_mode(0o600)).expect("a mode");
            // The same owner again, as `chown -R` does where nothing is to change: only the inode's own time does.
            std::os::unix::fs::chown(&at, Some(rustix::process::geteuid().as_raw()), None).expect("an owner");
        }
        daemon.wait("passes after it", || daemon.status().totals.passes >= passes + 3);
        daemon.settle();
    });
    for kind in ["upload.slot", "upload.content", "commit", "download.content"] {
        assert_eq!(requests.get(kind), None, "{requests:?}\n{}", daemon.log());
    }
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn an_idle_log_stays_quiet() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    daemon.rounds(1);
    let lines = daemon.log().lines().count();
    daemon.rounds(4);
    let log = daemon.log();
    let more: Vec<_> = log.lines().skip(lines).collect();
    assert!(more.is_empty(), "{more:#?}");
    daemon.stop();
}

#[test]
fn what_was_written_just_before_a_look_is_compared_a_few_times_only() {
    let mut rig = quick();
    rig.set_text("log.level", "debug");
    for number in 0..10 {
        rig.write(&format!("d/{number}.txt"), "x");
    }
    let daemon = Daemon::synced(&rig);
    let compared = || daemon.log().matches("the same on both sides").count();
    daemon.wait("passes that compare nothing", || {
        let before = compared();
        daemon.rounds(2);
        compared() == before
    });
    daemon.stop();
}
