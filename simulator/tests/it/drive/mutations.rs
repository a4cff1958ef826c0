//! Writing calls of drivews.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use icloudds_simulator::fault::{Effect, Fault};
use icloudds_simulator::switches::{Busy, NameBadAnswer, Putback};
use serde_json::{Value, json};

use crate::drive::client::{Client, ROOT, ZONE, open_simulator};

fn create(client: &Client, names: &[&str]) -> Value {
    let folders: Vec<Value> =
        names.iter().map(|name| json!({"clientId": format!("temp-{name}"), "name": name})).collect();
    client.drivews("createFolders", &json!({"destinationDrivewsId": ROOT, "folders": folders}))["folders"]
        .clone()
}

fn fault(kind: &str, effect: Effect) -> Fault {
    Fault {
        kind: Some(kind.to_owned()),
        path: None,
        skip: 0,
        count: 1,
        every: 1,
        probability: 1.0,
        seed: 0,
        effect,
    }
}

#[test]
fn several_folders_are_created_and_a_taken_name_is_numbered() {
    let (_sim, client) = open_simulator(|_| {});
    let made = create(&client, &["A", "A", "B"]);
    let names: Vec<&Value> = made.as_array().unwrap().iter().map(|folder| &folder["name"]).collect();
    assert_eq!(names, ["A", "A 2", "B"]);
    assert_eq!((&made[1]["clientId"], &made[1]["status"]), (&json!("temp-A"), &json!("OK")));
    let other = json!({"destinationDrivewsId": "FOLDER::com.apple.CloudDocs::nowhere",
        "folders": [{"clientId": "c", "name": "x"}]});
    assert_eq!(client.drivews("createFolders", &other)["folders"][0]["status"], "ID_INVALID");
}

#[test]
fn a_folder_may_be_created_though_the_answer_is_unknown() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().answer_creates_unknown(1);
    let made = create(&client, &["A"]);
    assert_eq!((&made[0]["status"], &made[0]["drivewsid"]), (&json!("UNKNOWN"), &json!(null)));
    client.child(ROOT, "A");
    assert_eq!(create(&client, &["B"])[0]["status"], "OK");
}

#[test]
fn rename_takes_the_full_name_and_move_keeps_the_id() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("Report.pdf", "1").unwrap();
    sim.drive().folder("Projects").unwrap();
    let item = client.child(ROOT, "Report.pdf");
    let renamed = client.change("renameItems", &item, json!({"name": "Report 2026.pdf"}));
    assert_eq!((&renamed["name"], &renamed["extension"]), (&json!("Report 2026"), &json!("pdf")));
    assert_ne!(renamed["etag"], item["etag"]);
    let folder = client.child(ROOT, "Projects");
    let move_with = |etag: &Value| {
        let entry = json!({"drivewsid": item["drivewsid"], "etag": etag, "clientId": item["drivewsid"]});
        let body = json!({"destinationDrivewsId": folder["drivewsid"], "items": [entry]});
        client.drivews("moveItems", &body)["items"][0].clone()
    };
    let stale = move_with(&item["etag"]);
    assert_eq!((&stale["status"], &stale["etag"]), (&json!("ETAG_CONFLICT"), &renamed["etag"]));
    let moved = move_with(&renamed["etag"]);
    assert_eq!((&moved["status"], &moved["parentId"]), (&json!("OK"), &folder["drivewsid"]));
    assert_eq!(moved["drivewsid"], item["drivewsid"]);
}

#[test]
fn trash_is_a_compare_and_swap_and_delete_ends_an_item() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("a.txt", "1").unwrap();
    let seen = client.child(ROOT, "a.txt");
    sim.drive().write("a.txt", "2").unwrap();
    let stale = client.change("moveItemsToTrash", &seen, json!({}));
    assert_eq!(stale["status"], "ETAG_CONFLICT");
    assert_eq!(sim.drive().content("a.txt").unwrap().unwrap(), b"2");
    let trashed = client.change("moveItemsToTrash", &stale, json!({}));
    assert_eq!((&trashed["status"], &trashed["parentId"]), (&json!("OK"), &json!("TRASH_ROOT")));
    assert_eq!(sim.drive().trash_contents()[0].0, "a.txt");
    let back = client.change("putBackItemsFromTrash", &trashed, json!({}));
    assert_eq!((&back["status"], &back["parentId"]), (&json!("OK"), &json!(ROOT)));
    let gone = client.change("deleteItems", &back, json!({}));
    assert_eq!((&gone["isDeleted"], &gone["etag"]), (&json!(true), &json!("null")));
    assert_eq!(client.change("moveItemsToTrash", &back, json!({}))["status"], "ID_INVALID");
    assert_eq!(sim.drive().lost_contents().unwrap().len(), 1, "nobody had downloaded it");
    assert_eq!(sim.violations(), Vec::<String>::new());
}

#[test]
fn naming_an_item_without_an_etag_is_refused_and_recorded() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("a.txt", "1").unwrap();
    let id = client.child(ROOT, "a.txt")["drivewsid"].clone();
    let answer = client.post("/drivews/deleteItems", &json!({"items": [{"drivewsid": id}]}));
    assert_eq!(answer.status, 400);
    assert_eq!(sim.violations().len(), 1, "{:?}", sim.violations());
    assert!(sim.drive().entry("a.txt").is_some());
}

#[test]
fn put_back_may_answer_without_the_item() {
    let (sim, client) = open_simulator(|s| s.putback = Putback::Silent);
    sim.drive().write("a.txt", "1").unwrap();
    let item = client.child(ROOT, "a.txt");
    let trashed = client.change("moveItemsToTrash", &item, json!({}));
    assert_eq!(client.change("putBackItemsFromTrash", &trashed, json!({})), json!(null));
    assert!(sim.drive().entry("a.txt").is_some());
}

#[test]
fn a_refused_name_is_answered_by_status_or_in_the_body_and_changes_nothing() {
    let (sim, client) = open_simulator(|_| {});
    let body = json!({"destinationDrivewsId": ROOT,
        "folders": [{"clientId": "1", "name": "fine"}, {"clientId": "2", "name": "x".repeat(300)}]});
    assert_eq!(client.post("/drivews/createFolders", &body).status, 400);
    assert!(sim.drive().tree().is_empty());
    sim.switches(|s| s.name_bad_answer = NameBadAnswer::InBody);
    let made = client.drivews("createFolders", &body)["folders"].clone();
    assert_eq!((&made[0]["status"], &made[1]["status"]), (&json!("OK"), &json!("INVALID_NAME")));
}

#[test]
fn two_writes_at_a_time_are_one_too_many() {
    let (sim, client) = open_simulator(|s| s.latency = Duration::from_millis(300));
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let both: Vec<_> = ["A", "B"]
            .map(|name| {
                let client = &client;
                scope.spawn(move || {
                    let folders = json!([{"clientId": name, "name": name}]);
                    let body = json!({"destinationDrivewsId": ROOT, "folders": folders});
                    client.post("/drivews/createFolders", &body).status
                })
            })
            .into_iter()
            .collect();
        both.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.contains(&409), "{answers:?}");
    assert!(!sim.violations().is_empty());
    sim.switches(|s| s.latency = Duration::ZERO);
    create(&client, &["C"]);
    sim.switches(|s| s.busy = Busy::Random(1.0));
    let body = json!({"destinationDrivewsId": ROOT, "folders": [{"clientId": "D", "name": "D"}]});
    let busy = client.post("/drivews/createFolders", &body);
    assert_eq!((busy.status, busy.json()["serverErrorCode"].as_str()), (409, Some("ZONE_BUSY")));
    assert!(sim.drive().entry("D").is_none());
}

#[test]
fn a_write_during_an_upload_is_refused_when_switched_on() {
    let (sim, client) = open_simulator(|s| s.busy = Busy::OnOverlapWithUpload);
    let slot = client.slot(ZONE, "a.txt", 4).json();
    let url = slot[0]["url"].as_str().unwrap();
    let path = url.strip_prefix(&sim.url()).unwrap();
    let mut upload = TcpStream::connect(sim.address()).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: raw\r\nContent-Length: 4\r\n\r\nha",
        sim.address()
    );
    upload.write_all(head.as_bytes()).unwrap();
    while sim.core().lane().uploads() == 0 {
        std::thread::yield_now();
    }
    let body = json!({"destinationDrivewsId": ROOT, "folders": [{"clientId": "A", "name": "A"}]});
    assert_eq!(client.post("/drivews/createFolders", &body).status, 409);
    sim.switches(|s| s.busy = Busy::OnOverlap);
    assert_eq!(client.post("/drivews/createFolders", &body).status, 200);
    assert_eq!(sim.violations(), Vec::<String>::new(), "uploads may run beside writes");
}

#[test]
fn a_reply_may_be_lost_with_and_without_effect() {
    for (effect, applied) in [(Effect::AppliedReplyLost, true), (Effect::NotAppliedReplyLost, false)] {
        let (sim, client) = open_simulator(|s| s.faults = vec![fault("create", effect.clone())]);
        let body = json!({"destinationDrivewsId": ROOT, "folders": [{"clientId": "A", "name": "A"}]});
        let lost = client.try_send("POST", "/drivews/createFolders", &[], body.to_string().as_bytes());
        assert!(lost.is_none(), "{effect:?}");
        assert_eq!(sim.drive().entry("A").is_some(), applied, "{effect:?}");
        assert_eq!(sim.count("create"), 1);
    }
}
