//! Generated drives and the control endpoint.

use icloudds_simulator::Simulator;
use icloudds_simulator::drive::generate::Scale;
use serde_json::json;

use crate::drive::client::{ROOT, open_simulator};

#[test]
fn a_seed_fills_a_drive_with_exactly_so_many_items() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().fill(&Scale::of(5000, 7));
    assert_eq!(outline(&sim).len(), 5000);
    let (same, _) = open_simulator(|_| {});
    same.drive().fill(&Scale::of(5000, 7));
    assert_eq!(outline(&same), outline(&sim));
    assert_eq!(client.list(ROOT)["numberOfItems"], 25);
    assert!(sim.drive().journal().is_empty());
}

/// What a listing would show of everything.
fn outline(sim: &Simulator) -> Vec<(String, u64, String)> {
    sim.drive().tree().into_iter().map(|(path, entry)| (path, entry.size, entry.docwsid)).collect()
}

#[test]
fn the_lifelike_drive_has_one_of_each_kind() {
    let (sim, client) = open_simulator(|_| {});
    assert_eq!(client.post("/_sim/drive/lifelike", &json!(null)).status, 200);
    let tree = sim.drive().tree();
    let sizes = |path: &str| tree[path].size;
    assert_eq!((sizes("Empty.txt"), sizes("Photos/holiday film.mov")), (0, 50 * 1024 * 1024));
    assert!(tree.contains_key("Documents/Übersicht – Größe.md"));
    assert!(tree.contains_key("Projects/icloudds/notes/todo 🎉.txt"));
    assert!(!tree.keys().any(|path| path.starts_with("Empty folder/")) && tree.contains_key("Empty folder"));
    assert!(tree["Documents/Letter.pages"].content.is_none());
}

#[test]
fn another_process_can_act_as_a_person() {
    let (sim, client) = open_simulator(|_| {});
    let write = client.send("POST", "/_sim/drive/write?path=a/b.txt", &[], b"hello");
    assert_eq!(write.status, 200);
    client.post("/_sim/drive/rename?path=a/b.txt&name=c.txt", &json!(null));
    client.post("/_sim/drive/folder?path=d", &json!(null));
    client.post("/_sim/drive/move?path=a/c.txt&to=d", &json!(null));
    assert_eq!(client.get("/_sim/drive/content?path=d/c.txt").body, b"hello");
    let tree = client.get("/_sim/drive/tree").json();
    let file = tree.as_array().unwrap().iter().find(|item| item["path"] == "d/c.txt").unwrap();
    assert_eq!(file["sha1"], "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d");
    client.post("/_sim/drive/trash?path=d/c.txt", &json!(null));
    assert_eq!(client.get("/_sim/drive/trash").json()[0]["path"], "d/c.txt");
    assert_eq!(client.post("/_sim/drive/putback?path=d/c.txt", &json!(null)).status, 200);
    assert_eq!(client.post("/_sim/drive/delete?path=d/c.txt", &json!(null)).status, 200);
    assert_eq!(client.get("/_sim/drive/lost").json(), json!([]), "a person may delete");
    assert_eq!(client.post("/_sim/drive/trash?path=nothing", &json!(null)).status, 400);
    assert!(sim.drive().entry("d").is_some());
}
