//! What people do with it: sign in, decide, steer, restore, watch.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use icloudds::status::DaemonState;
use serde_json::{Value, json};

use super::client::{TOKEN, Web, listen};
use crate::e2e::rig::Rig;
use crate::run::daemon::{Daemon, hurry, quick};

#[test]
fn from_needs_code_to_in_sync_by_the_page_alone() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    listen(&mut rig);
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    let web = Web::of(&daemon);
    assert_eq!(web.get("/api/status").expect(200).json()["state"], "needs-code");
    let ways = web.get("/api/code").expect(200).json();
    assert_eq!(
        (&ways["device"], ways["numbers"].as_array().map(Vec::len)),
        (&json!(true), Some(2)),
        "{ways}"
    );
    assert_eq!(
        rig.sim.count("code.request") + rig.sim.count("sms.request"),
        0,
        "listing the ways sends nothing"
    );

    // What is no code costs no try with iCloud.
    let tries = rig.sim.counts();
    let refused = web.post("/api/code", "{\"code\": \"abc\"}").expect(400).json();
    assert!(refused["error"].as_str().is_some_and(|why| why.contains("6 digits")), "{refused}");
    assert_eq!(rig.sim.counts(), tries);
    let wrong = web.post("/api/code", "{\"code\": \"000000\"}").expect(400).json();
    assert!(wrong["error"].as_str().is_some_and(|why| why.contains("wrong code")), "{wrong}");
    assert_eq!(daemon.status().state, DaemonState::NeedsCode);

    web.post("/api/code/send", "{\"way\": \"sms\", \"number\": 2}").expect(200);
    let message = rig.sim.messages().last().cloned().expect("a message");
    let done = web.post("/api/code", &json!({"code": message.code}).to_string()).expect(200).json();
    assert_eq!(done["ok"], true);
    daemon.settle();
    let status = web.get("/api/status").expect(200).json();
    assert_eq!((&status["state"], &status["in_sync"]), (&json!("idle"), &json!(true)), "{status}");
    let began = (&status["session_began"], &status["session_expires"]);
    assert!(
        began.0.is_string() && began.1.is_string(),
        "the age of the session and its end are told: {status}"
    );
    let log = daemon.stop();
    assert!(!log.contains(&message.code) && !log.contains(TOKEN), "{log}");
}

#[test]
fn no_answer_is_counted_as_a_code_that_icloud_never_saw_beyond_a_few() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    listen(&mut rig);
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    let web = Web::of(&daemon);
    let answers: Vec<u16> =
        (0..8).map(|_| web.post("/api/code/send", "{\"way\": \"device\"}").status).collect();
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 4, "{answers:?}");
    assert!(rig.sim.count("code.request") <= 4, "{:?}", rig.sim.counts());
    daemon.stop();
}

#[test]
fn an_answer_on_held_deletions_covers_the_list_that_was_shown() {
    let mut rig = quick();
    listen(&mut rig);
    rig.set("guard.max_deletes", "2");
    for number in 0..10 {
        rig.there().write(&format!("f{number}.txt"), "x").expect("a file");
    }
    let daemon = Daemon::synced(&rig);
    let web = Web::of(&daemon);
    for number in 0..4 {
        rig.rm(&format!("f{number}.txt"));
    }
    daemon.wait_state(DaemonState::Guarded);
    let shown = web.get("/api/held").expect(200).json();
    assert_eq!(shown["count"], 4, "{shown}");
    rig.rm("f4.txt");
    daemon.wait("a longer list", || web.get("/api/held").json()["count"] == 5);
    let approve = |list: &Value, decision: &str| {
        web.post("/api/approve", &json!({"list": list, "decision": decision}).to_string())
    };
    let refused = approve(&shown["list"], "approve").expect(409).json();
    assert!(refused["error"].as_str().is_some_and(|why| why.contains("changed")), "{refused}");
    let now = web.get("/api/held").expect(200).json();
    approve(&now["list"], "reject").expect(200);
    daemon.settle();
    assert_eq!(rig.read("f4.txt"), "x");

    for number in 0..4 {
        rig.rm(&format!("f{number}.txt"));
    }
    daemon.wait_state(DaemonState::Guarded);
    let now = web.get("/api/held").expect(200).json();
    approve(&now["list"], "approve").expect(200);
    daemon.settle();
    assert!(!rig.there().tree().contains_key("f0.txt"));
    daemon.stop();
}

#[test]
fn the_trash_gives_back_what_icloud_deleted() {
    let mut rig = quick();
    listen(&mut rig);
    rig.there().write("sub/a.txt", "kept").expect("a file");
    rig.there().write("b.txt", "b").expect("a file");
    let daemon = Daemon::synced(&rig);
    let web = Web::of(&daemon);
    assert_eq!(web.get("/api/trash").expect(200).json()["count"], 0);
    rig.there().trash("sub/a.txt").expect("a deletion");
    daemon.wait("the deletion here", || !rig.at("sub/a.txt").exists());
    let trash = web.get("/api/trash").expect(200).json();
    assert_eq!((&trash["count"], &trash["versions"][0]["path"]), (&json!(1), &json!("sub/a.txt")), "{trash}");
    let version = &trash["versions"][0]["version"];
    web.post("/api/trash/restore", "{\"path\": \"../state/session.json\"}").expect(400);
    web.post("/api/trash/restore", "{\"path\": \"b.txt\"}").expect(400);
    let body = json!({"path": "sub/a.txt", "version": version}).to_string();
    web.post("/api/trash/restore", &body).expect(200);
    assert_eq!(rig.read("sub/a.txt"), "kept");
    daemon.settle();
    assert_eq!(rig.read_there("sub/a.txt"), "kept");
    daemon.stop();
}

#[test]
fn pausing_and_resuming_and_a_pass_now() {
    let mut rig = quick();
    listen(&mut rig);
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    let web = Web::of(&daemon);
    web.post("/api/pause", "{}").expect(200);
    daemon.wait_state(DaemonState::Paused);
    rig.write("b.txt", "b");
    web.post("/api/resume", "{}").expect(200);
    daemon.settle();
    let passes = daemon.status().totals.passes;
    web.post("/api/sync-now", "{}").expect(200);
    daemon.wait("another pass", || daemon.status().totals.passes > passes);
    daemon.stop();
}

#[test]
fn events_tell_of_changes_as_they_happen_and_end_with_the_daemon() {
    let mut rig = quick();
    listen(&mut rig);
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    let web = Web::of(&daemon);
    let mut stream = TcpStream::connect(web.address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    let head =
        format!("GET /api/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n", web.address);
    stream.write_all(head.as_bytes()).expect("sent");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line == "Content-Type: text/event-stream"));
    let name = "<script>alert(1)<script>.txt";
    rig.write(name, "x");
    let told = lines.by_ref().filter_map(|line| line.strip_prefix("data: ").map(str::to_owned)).any(|data| {
        let status: Value = serde_json::from_str(&data).expect("JSON");
        status["activity"]
            .as_array()
            .is_some_and(|all| all.iter().any(|it| it["what"] == format!("uploaded {name}")))
    });
    assert!(told, "{}", daemon.log());
    // An open stream keeps nobody from stopping in time.
    daemon.stop();
    assert!(lines.count() < 1000, "the stream is over");
}
