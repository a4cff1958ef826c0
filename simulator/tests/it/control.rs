//! The control calls: all of them, where they are answered, and that the document names each.

use std::net::{SocketAddr, TcpStream};

use icloudds_simulator::control::CALLS;
use icloudds_simulator::drive::control::CALLS as DRIVE_CALLS;
use icloudds_simulator::{SimConfig, Simulator, Switches};
use serde_json::{Value, json};

use crate::client::{Client, exchange, simulator};

const DOCUMENT: &str = include_str!("../../../docs/simulator.md");

/// One call, its body and what it answers, JSON or not.
fn call(sim: &Simulator, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let answer = Client::new(sim).call(method, &format!("/_sim{path}"), Some(body));
    (answer.status, answer.json())
}

fn post(sim: &Simulator, path: &str, body: &Value) {
    let (status, answer) = call(sim, "POST", path, body);
    assert_eq!(status, 200, "{path}: {answer}");
}

#[test]
fn every_call_of_the_list_is_there_and_every_mistake_is_named() {
    let sim = simulator(|_| {});
    for (method, path, _) in CALLS.iter().chain(DRIVE_CALLS) {
        let (status, answer) = call(&sim, method, path, &Value::Null);
        let text = answer["error"].as_str().unwrap_or_default();
        assert!(!text.contains("there is no control call"), "{method} {path}: {status} {text}");
        assert!(status == 200 || !text.is_empty() || *path == "/ca.pem", "{method} {path}: {status}");
    }
    for (method, path) in
        [("POST", "/nothing"), ("GET", "/drive/nothing"), ("PUT", "/state"), ("DELETE", "/drive/tree")]
    {
        let (status, answer) = call(&sim, method, path, &Value::Null);
        assert_eq!(status, 404);
        assert!(answer["error"].as_str().unwrap().contains("GET /_sim/help"), "{answer}");
    }
    let mistakes = [
        ("/drive/rename?path=a", json!(null), "name is missing"),
        ("/drive/move", json!(null), "path is missing"),
        ("/drive/write?path=a&mtime=soon", json!(null), "mtime=soon"),
        ("/drive/package?path=a.pages", json!([]), "members"),
        ("/drive/package?path=a.pages", json!([{"path": "x"}]), "base64"),
        ("/drive/seed", json!([{"path": "x", "base64": "!"}]), "base64"),
        ("/drive/seed", json!([{"text": "x"}]), "no path"),
        ("/drive/fill", json!({}), "items is missing"),
        ("/drive/trash?path=nothing", json!(null), "nothing"),
        ("/advance", json!({"seconds": 1e300}), "seconds"),
        ("/advance", json!({"seconds": 1e10}), "100 years"),
        ("/account", json!({"session_life": 1e18}), "100 years"),
        ("/account", json!({"nickname": "x"}), "nickname"),
        ("/switches", json!({"S-nothing": 1}), "S-nothing"),
        ("/expire", json!({"what": "everything"}), "everything"),
    ];
    for (path, body, named) in mistakes {
        let (status, answer) = call(&sim, "POST", path, &body);
        assert_eq!(status, 400, "{path}");
        let text = answer["error"].as_str().unwrap_or_default();
        assert!(text.contains(named), "{path} {body}: {text}");
    }
}

#[test]
fn the_document_names_every_call_and_every_switch() {
    for (method, path, _) in CALLS.iter().chain(DRIVE_CALLS) {
        assert!(DOCUMENT.contains(&format!("`{path}`")), "{method} {path}");
    }
    let switches = serde_json::to_value(Switches::default()).unwrap();
    for (name, value) in switches.as_object().unwrap() {
        let row = DOCUMENT.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} has no row"));
        let is_duration =
            |text: &str| text.strip_suffix('s').is_some_and(|number| number.parse::<u64>().is_ok());
        if let Some(value) = value.as_str().filter(|value| !is_duration(value)) {
            assert!(
                row.contains(&format!("**{value}**")),
                "{name}: the default {value} is not the first: {row}"
            );
        }
    }
}

#[test]
fn the_faults_of_the_document_are_taken() {
    let blocks: Vec<&str> =
        DOCUMENT.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let sim = simulator(|_| {});
        post(&sim, "/switches", &serde_json::from_str(block).expect(block));
        assert_eq!(sim.core().switches().faults.len(), 3);
    }
}

#[test]
fn a_drive_is_made_in_bulk_and_everything_is_as_at_the_start_again() {
    let sim = simulator(|config| config.lifelike = true);
    let tree = |sim: &Simulator| -> Vec<String> { sim.drive().tree().into_keys().collect() };
    let start = tree(&sim);
    post(
        &sim,
        "/drive/seed",
        &json!([
            {"path": "new/Größe.txt", "text": "hello", "mtime": 1_000_000_000_000_u64},
            {"path": "new/bytes", "base64": "AAEC"},
            {"path": "new/large", "size": 100_000},
            {"path": "new/folder", "folder": true},
        ]),
    );
    let (_, item) = call(&sim, "GET", "/drive/item?path=new/Gr%C3%B6%C3%9Fe.txt", &Value::Null);
    assert_eq!((&item["size"], &item["mtime"]), (&json!(5), &json!(1_000_000_000_000_u64)));
    assert_eq!(item["stored_name"], "Gro\u{308}ße.txt", "as a device writes it");
    let id = item["id"].as_str().unwrap();
    assert_eq!(item["drivewsid"], format!("FILE::com.apple.CloudDocs::{id}"));
    assert_eq!(sim.drive().content("new/bytes").unwrap(), Some(vec![0, 1, 2]));
    post(&sim, "/drive/fill", &json!({"items": 50, "seed": 3}));
    post(&sim, "/drive/library?zone=com.apple.Pages&name=Pages", &Value::Null);
    post(&sim, "/drive/package?path=Pages/Letter.pages", &json!([{"path": "Index/a", "text": "12345"}]));
    assert_eq!(sim.drive().entry("Pages/Letter.pages").unwrap().size, 5, "the sum of the members");
    post(&sim, "/drive/write?path=flat.numbers&mtime=2000", &Value::Null);
    let before = sim.drive().entry("flat.numbers").unwrap();
    post(&sim, "/drive/flip?path=flat.numbers", &json!([{"path": "Index.zip", "text": "x"}]));
    let after = sim.drive().entry("flat.numbers").unwrap();
    assert_eq!((after.docwsid, after.content.is_none()), (before.docwsid, true));
    post(
        &sim,
        "/drive/seed",
        &json!([{"path": "Sheet.numbers", "text": "1234"}, {"path": "a.txt", "text": "1"}]),
    );
    for switch in ["off", "on-open"] {
        post(&sim, "/switches", &json!({"S-flip": switch}));
        let before = sim.drive().entry("Sheet.numbers").unwrap();
        for path in ["Sheet.numbers", "a.txt"] {
            post(&sim, &format!("/drive/open?path={path}"), &Value::Null);
        }
        let after = sim.drive().entry("Sheet.numbers").unwrap();
        assert_eq!((&after.docwsid, after.size), (&before.docwsid, 4));
        assert_ne!(after.etag, before.etag);
        assert_eq!(after.content.is_none(), switch == "on-open");
        assert!(sim.drive().entry("a.txt").unwrap().content.is_some());
    }
    for path in ["new/bytes", "new/large", "new/folder"] {
        post(&sim, &format!("/drive/trash?path={path}"), &Value::Null);
    }
    post(&sim, "/drive/delete-trashed?path=new/folder", &Value::Null);
    assert_eq!(sim.drive().trash_contents().len(), 2);
    post(&sim, "/drive/empty-trash", &Value::Null);
    assert_eq!(sim.drive().trash_contents().len(), 0);
    assert_eq!(call(&sim, "GET", "/drive/lost", &Value::Null).1, json!([]), "a person may delete");

    let mut client = Client::new(&sim);
    client.log_in(&sim);
    post(&sim, "/switches", &json!({"S-2fa": "409+token"}));
    post(&sim, "/account", &json!({"first_name": "Other"}));
    post(&sim, "/restart", &Value::Null);
    assert_eq!(tree(&sim), start);
    assert_eq!(sim.core().switches(), Switches::default());
    assert_eq!(call(&sim, "GET", "/account", &Value::Null).1["first_name"], "Sync");
    assert!(sim.counts().is_empty());
    assert_eq!(client.list().status, 421, "its session is gone");
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    assert_eq!(client.list().status, 200);
}

#[test]
fn every_third_request_fails() {
    let sim = simulator(|_| {});
    let fault = json!({"kind": "home", "every": 3, "count": 2, "effect": {"answer": {"status": 503}}});
    post(&sim, "/switches", &json!({"faults": [fault]}));
    let mut client = Client::new(&sim);
    let statuses: Vec<u16> = (0..8).map(|_| client.call("GET", "/", None).status).collect();
    assert_eq!(statuses, [200, 200, 503, 200, 200, 503, 200, 200]);
}

#[test]
fn the_control_calls_are_answered_on_loopback_only() {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let refused = Simulator::start(SimConfig { control: Some(everywhere), ..SimConfig::default() });
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("loopback only") && text.contains("0.0.0.0:0"), "{text}");

    let sim = simulator(|config| (config.listen, config.control) = (everywhere, Some(here)));
    let ask = |port: u16, path: &str| {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        exchange(&stream, request.as_bytes(), false).unwrap().status
    };
    let control = sim.control().unwrap();
    let control: u16 = control.rsplit_once(':').unwrap().1.parse().unwrap();
    assert_eq!(ask(sim.address().port(), "/"), 200);
    assert_eq!(ask(sim.address().port(), "/_sim/state"), 403);
    assert_eq!(ask(control, "/_sim/state"), 200);
    assert_eq!(ask(control, "/"), 404, "clients are served elsewhere");
    let alone = simulator(|config| config.listen = everywhere);
    assert_eq!(alone.control(), None);
    assert_eq!(ask(alone.address().port(), "/_sim/state"), 403);
}
