//! Reading calls of the drive.

use std::time::Duration;

use icloudds_simulator::switches::{ApplibEmpty, Batch, Details, Flap, Gone, Shared, Short};
use serde_json::json;

use crate::drive::client::{ROOT, open_simulator};

const PAGES: &str = "FOLDER::com.apple.Pages::documents";
const UNKNOWN: &str = "FILE::com.apple.CloudDocs::3C8E0B1D-5A4F-4B0C-9D5E-6F7A8B9C0D1E";

#[test]
fn several_folders_are_answered_in_order_with_the_trash_among_them() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("Projekte/Größe.txt", "1").unwrap();
    sim.drive().write("old.txt", "2").unwrap();
    sim.drive().trash("old.txt").unwrap();
    let folder = client.child(ROOT, "Projekte");
    let body = json!([
        {"drivewsid": folder["drivewsid"], "partialData": false, "includeHierarchy": true},
        {"drivewsid": "TRASH_ROOT", "partialData": false},
        {"drivewsid": UNKNOWN, "partialData": false},
        {"drivewsid": ROOT, "partialData": true},
    ]);
    let answer = client.drivews("retrieveItemDetailsInFolders", &body);
    assert_eq!(answer[0]["items"][0]["name"], "Gro\u{308}ße", "names come back decomposed");
    assert_eq!(answer[0]["items"][0]["extension"], "txt");
    assert_eq!(answer[0]["hierarchy"][1]["drivewsid"], folder["drivewsid"]);
    assert_eq!(answer[1]["items"][0]["restorePath"], "old.txt");
    assert_eq!(answer[1]["items"][0]["parentId"], "TRASH_ROOT");
    assert_eq!(answer[2]["status"], "ID_INVALID");
    assert_eq!((&answer[3]["fileCount"], &answer[3]["numberOfItems"]), (&json!(2), &json!(1)));
    let partial = answer[3]["items"][0].as_object().unwrap();
    assert_eq!(partial.keys().collect::<Vec<_>>(), ["docwsid", "drivewsid", "etag"]);
    assert_eq!(sim.count("listing"), 2);
    assert_eq!(sim.count("listing.folders"), 5);
}

#[test]
fn batches_may_be_refused_shortened_or_shuffled() {
    let (sim, client) = open_simulator(|_| {});
    let three = json!([{"drivewsid": ROOT}, {"drivewsid": "TRASH_ROOT"}, {"drivewsid": UNKNOWN}]);
    for (rule, status, len, first) in [
        (Batch::RefuseOver(2), 400, 0, ""),
        (Batch::RefuseOver(3), 200, 3, ROOT),
        (Batch::Status400, 400, 0, ""),
        (Batch::DropSome, 200, 2, ROOT),
        (Batch::Shuffle, 200, 3, UNKNOWN),
    ] {
        sim.switches(|s| s.batch = rule);
        let answer = client.post("/drivews/retrieveItemDetailsInFolders", &three);
        assert_eq!(answer.status, status, "{rule:?}");
        if status == 200 {
            let answer = answer.json();
            assert_eq!(answer.as_array().unwrap().len(), len, "{rule:?}");
            assert_eq!(answer[0]["drivewsid"], first, "{rule:?}");
        }
    }
}

#[test]
fn short_listings_announce_more_or_agree_on_fewer() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("a", "1").unwrap();
    sim.drive().write("b", "2").unwrap();
    for (rule, items, announced) in
        [(Short::AnnounceMore, 1, 2), (Short::SilentlyFewer, 2, 2), (Short::SilentlyFewer, 1, 1)]
    {
        sim.switches(|s| s.short = rule);
        let listing = client.list(ROOT);
        assert_eq!(listing["items"].as_array().unwrap().len(), items, "{rule:?}");
        assert_eq!(listing["numberOfItems"], announced, "{rule:?}");
        assert_eq!(listing["directChildrenCount"], if rule == Short::AnnounceMore { 2 } else { announced });
    }
}

#[test]
fn an_id_that_is_gone_looks_as_the_switch_says() {
    let (sim, client) = open_simulator(|_| {});
    let one = json!({"items": [{"drivewsid": UNKNOWN}]});
    let with_root = json!({"items": [{"drivewsid": UNKNOWN}, {"drivewsid": ROOT}]});
    for (rule, status, entry, answers) in [
        (Gone::IdInvalid, 200, json!({"drivewsid": UNKNOWN, "status": "ID_INVALID"}), 2),
        (Gone::Status404, 404, json!(null), 2),
        (Gone::Status400, 400, json!(null), 2),
        (
            Gone::IsDeleted,
            200,
            json!({"drivewsid": UNKNOWN, "etag": "null", "isDeleted": true, "status": "OK"}),
            2,
        ),
        (Gone::Empty, 200, json!(null), 1),
    ] {
        sim.switches(|s| s.gone = rule);
        let answer = client.post("/drivews/retrieveItemDetails", &one);
        assert_eq!(answer.status, status, "{rule:?}");
        if status == 200 {
            assert_eq!(answer.json()["items"][0], entry, "{rule:?}");
        }
        let both = client.drivews("retrieveItemDetails", &with_root);
        assert_eq!(both["items"].as_array().unwrap().len(), answers, "{rule:?}");
    }
}

#[test]
fn details_take_an_object_or_both_body_forms_and_know_the_trash() {
    let (sim, client) = open_simulator(|s| s.details = Details::Either);
    sim.drive().write("a.txt", "1").unwrap();
    let item = client.child(ROOT, "a.txt");
    sim.drive().trash("a.txt").unwrap();
    let wanted = json!([{"drivewsid": item["drivewsid"]}]);
    let object = client.drivews("retrieveItemDetails", &json!({"items": wanted}));
    let array = client.drivews("retrieveItemDetails", &json!([{"items": wanted}]));
    assert_eq!(object["items"][0]["parentId"], "TRASH_ROOT");
    assert_eq!(array[0], object["items"][0]);
    let lookup = client.get(&format!(
        "/docws/ws/com.apple.CloudDocs/list/lookup_by_id?document_id={}",
        item["docwsid"].as_str().unwrap()
    ));
    assert_eq!(lookup.json()["deleted"], true);
    assert_eq!(client.post("/drivews/retrieveItemDetails", &json!({})).status, 400);
    sim.switches(|s| s.details = Details::default());
    let array = client.post("/drivews/retrieveItemDetails", &json!([{"items": wanted}]));
    assert_eq!(array.status, 400, "as the service answers it today");
}

#[test]
fn an_existing_id_may_answer_gone_once() {
    let (sim, client) = open_simulator(|s| s.flap = Flap::Once);
    sim.drive().write("a.txt", "1").unwrap();
    let id = client.child(ROOT, "a.txt")["drivewsid"].as_str().unwrap().to_owned();
    assert_eq!(client.details(&id)["status"], "ID_INVALID");
    assert_eq!(client.details(&id)["status"], "OK");
    assert_eq!(client.details(ROOT)["status"], "OK", "the root proves the session");
}

#[test]
fn libraries_are_listed_by_their_zone_and_an_empty_one_may_not_resolve() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().library("com.apple.Pages", "Pages", false);
    sim.drive().library("com.apple.Hidden", "Hidden", true);
    assert_eq!(client.child(ROOT, "Pages")["type"], "APP_LIBRARY");
    assert_eq!(client.list(ROOT)["numberOfItems"], 1);
    let all = client.get("/drivews/retrieveAppLibraries").json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    assert_eq!(client.list(PAGES)["status"], "ID_INVALID");
    sim.switches(|s| s.applib_empty = ApplibEmpty::Empty);
    assert_eq!(client.list(PAGES)["numberOfItems"], 0);
    sim.drive().write("Pages/a.txt", "1").unwrap();
    assert_eq!(client.list(PAGES)["items"][0]["zone"], "com.apple.Pages");
}

#[test]
fn a_folder_in_a_share_needs_its_share_id_when_switched_on() {
    let (sim, client) = open_simulator(|s| s.shared = Shared::Listed);
    sim.drive().shared_folder("Theirs");
    sim.drive().write("Theirs/inner/a.txt", "1").unwrap();
    let shared = client.child(ROOT, "Theirs");
    assert_eq!(shared["type"], "SHARED_FOLDER");
    let inner = client.child(shared["drivewsid"].as_str().unwrap(), "inner");
    let bare = json!([{"drivewsid": inner["drivewsid"]}]);
    let full = json!([{"drivewsid": inner["drivewsid"], "shareID": inner["shareID"]}]);
    assert_eq!(client.post("/drivews/retrieveItemDetailsInFolders", &bare).status, 200);
    let file = client.child(inner["drivewsid"].as_str().unwrap(), "a.txt");
    let by_id = "/docws/ws/com.apple.CloudDocs/download/by_id";
    let document = format!("document_id={}", file["docwsid"].as_str().unwrap());
    assert_eq!(client.get(&format!("{by_id}?{document}")).status, 404, "it is not ours");
    let owner = file["owner"]["ownerRecordName"].as_str().unwrap();
    let found = client.get(&format!("{by_id}/{owner}?{document}"));
    assert!(found.json()["data_token"]["url"].is_string(), "{}", found.status);
    assert_eq!(client.get(&format!("{by_id}/_somebody?{document}")).status, 404);
    sim.switches(|s| s.shared = Shared::Nested400);
    assert_eq!(client.post("/drivews/retrieveItemDetailsInFolders", &bare).status, 400);
    assert_eq!(client.post("/drivews/retrieveItemDetailsInFolders", &full).status, 200);
    sim.switches(|s| s.shared = Shared::Vanishes);
    assert_eq!(client.list(shared["drivewsid"].as_str().unwrap())["status"], "ID_INVALID");
    assert_eq!(client.list(ROOT)["numberOfItems"], 0);
}

#[test]
fn a_write_shows_in_listings_only_after_its_delay_but_at_once_in_look_ups() {
    let (sim, client) = open_simulator(|s| s.visible = Duration::from_secs(30));
    sim.drive().write("a.txt", "1").unwrap();
    sim.advance(Duration::from_secs(31));
    let item = client.child(ROOT, "a.txt");
    sim.drive().rename("a.txt", "b.txt").unwrap();
    assert_eq!(client.child(ROOT, "a.txt")["etag"], item["etag"]);
    assert_eq!(client.details(item["drivewsid"].as_str().unwrap())["name"], "b");
    sim.advance(Duration::from_secs(31));
    client.child(ROOT, "b.txt");
}

#[test]
fn documents_are_found_by_path_and_by_opaque_id() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("a/b.txt", "1").unwrap();
    let path = "/docws/ws/com.apple.CloudDocs/list/lookup_by_path?unified_format=true";
    let found = client.post(path, &json!("a/b.txt")).json();
    let document = &found[0];
    assert_eq!((&document["name"], &document["extension"]), (&json!("b"), &json!("txt")));
    assert_eq!(client.post(path, &json!("a/c.txt")).status, 404);
    let raw = client.get(&format!("/docws/v1/item/{}", document["item_id"].as_str().unwrap())).json();
    assert_eq!((&raw["item_info"]["size"], &raw["item_info"]["extension"]), (&json!("1"), &json!("txt")));
    let folder = client.child(ROOT, "a")["item_id"].as_str().unwrap().to_owned();
    let children = client.get(&format!("/docws/v1/enumerate/{folder}?limit=100")).json();
    assert_eq!(children["drive_item"].as_array().unwrap().len(), 1);
    let recent = client.get("/docws/ws/_all_/list/enumerate/recentDocs?limit=50").json();
    assert_eq!(recent["documents"][0]["name"], "b.txt");
}
