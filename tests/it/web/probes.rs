//! Probes and metrics, and what may listen where.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use icloudds::status::DaemonState;

use super::client::{Web, listen};
use crate::e2e::rig::{Rig, not_tried};
use crate::run::daemon::{Daemon, hurry, quick};

#[test]
fn probes_need_no_token_and_tell_strangers_only_yes_or_no() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    listen(&mut rig);
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    let web = Web::of(&daemon);
    assert_eq!(web.stranger().get("/healthz").expect(200).body, "alive\n");
    assert_eq!(web.stranger().get("/readyz").expect(503).body, "not ready\n");
    let told = web.get("/readyz").expect(503).body;
    assert!(told.contains("second-factor code"), "{told}");
    let head = web.stranger().with("HEAD", "/healthz", "", "").expect(200);
    assert_eq!((head.header("Content-Length"), head.body.as_str()), (Some("6"), ""));
    daemon.stop();
}

#[test]
fn metrics_tell_what_the_status_tells() {
    let mut rig = quick();
    listen(&mut rig);
    rig.there().write("a.txt", "four").expect("a file");
    let daemon = Daemon::synced(&rig);
    let web = Web::of(&daemon);
    let answer = web.get("/metrics").expect(200);
    assert_eq!(answer.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "icloudds_state{state=\"idle\"} 1",
        "icloudds_in_sync 1",
        "icloudds_files{side=\"remote\"} 1",
        "icloudds_size_bytes{side=\"local\"} 4",
        "icloudds_transfers_total{kind=\"download\"} 1",
        "icloudds_walk_complete 1",
        "icloudds_held_deletes 0",
    ] {
        assert!(answer.body.lines().any(|known| known == line), "{line} is not in\n{}", answer.body);
    }
    let requests = answer.body.lines().find(|line| line.starts_with("icloudds_requests_total{"));
    assert!(requests.is_some_and(|line| !line.ends_with(" 0")), "{}", answer.body);
    assert!(!answer.body.contains("a.txt"), "no names");
    // Where Prometheus is installed, its own judgement.
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    if promtool.is_err() {
        not_tried("promtool on the metrics: it is not installed");
    }
    if let Ok(mut child) = promtool {
        child.stdin.take().expect("a pipe").write_all(answer.body.as_bytes()).expect("written");
        let judged = child.wait_with_output().expect("it ends");
        let said =
            String::from_utf8_lossy(&judged.stderr).into_owned() + &String::from_utf8_lossy(&judged.stdout);
        assert!(judged.status.success() && said.trim().is_empty(), "{said}");
        // What the gate's step `metrics` looks for.
        println!("promtool finds nothing");
    }
    daemon.stop();
}

#[test]
fn off_by_default_and_an_address_in_use_is_told_at_the_start() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    assert!(!daemon.log().contains("web page"), "{}", daemon.log());
    daemon.stop();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut rig = quick();
    rig.set_text("web.listen", &taken.local_addr().expect("an address").to_string());
    let ran = rig.run(&["run"]).expect(3);
    assert!(ran.sentence().contains("web.listen: cannot listen at 127.0.0.1:"), "{}", ran.stderr);
}

#[test]
fn without_a_token_this_machine_needs_none() {
    let mut rig = quick();
    rig.set_text("web.listen", "127.0.0.1:0");
    let daemon = Daemon::synced(&rig);
    let web = Web::of(&daemon);
    assert!(daemon.log().contains("asks for no token"), "{}", daemon.log());
    web.get("/api/status").expect(200);
    assert!(web.get("/").expect(200).body.contains("id=\"headline\""));
    web.with("POST", "/api/pause", "Content-Type: application/json\r\nOrigin: https://example.net\r\n", "{}")
        .expect(403);
    assert_eq!(daemon.status().state, DaemonState::Idle);
    daemon.stop();
}
