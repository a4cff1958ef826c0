//! Downloads and uploads.

use std::io::Read;
use std::time::Duration;

use icloudds_simulator::drive::model::content::Content;
use icloudds_simulator::drive::package::Member;
use icloudds_simulator::fault::{Effect, Fault};
use icloudds_simulator::switches::{
    CommitTwice, NameBadAnswer, Package, Quota, Range, Sig, UrlDead, Zero, ZeroUp,
};
use serde_json::{Value, json};

use crate::drive::client::{Client, ROOT, ZONE, open_simulator};

fn result_code(answer: &Value) -> &Value {
    &answer["results"][0]["status"]["status_code"]
}

fn docwsid(client: &Client, name: &str) -> String {
    client.child(ROOT, name)["docwsid"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_uploaded_is_listed_and_downloaded_the_same() {
    let (sim, client) = open_simulator(|_| {});
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let document = client.put("Report ü.bin", &content);
    assert_eq!(document["name"], "Report ü.bin");
    assert_eq!(document["mtime"], 1_772_450_553_000_u64);
    let item = client.child(ROOT, "Report ü.bin");
    assert_eq!((&item["etag"], &item["size"]), (&document["etag"], &json!(400_000)));
    assert_eq!(item["dateModified"], "2026-03-02T11:22:33Z");
    let info = client.download_info(item["docwsid"].as_str().unwrap()).json();
    assert_eq!(info["double_etag"], item["etag"]);
    assert_eq!(info["data_token"]["signature"], document["data"]["signature"]);
    assert_eq!(client.get(info["data_token"]["url"].as_str().unwrap()).body, content);
    assert_eq!(sim.drive().content("Report ü.bin").unwrap().unwrap(), content);
    assert_eq!(sim.violations(), Vec::<String>::new());
    for kind in ["upload.slot", "upload.content", "commit", "download.info", "download.content"] {
        assert_eq!(sim.count(kind), 1, "{kind}");
    }
}

#[test]
fn a_raw_body_uploads_as_well_as_a_multipart_one() {
    let (_sim, client) = open_simulator(|_| {});
    let slot = client.slot(ZONE, "a.txt", 5).json();
    let url = slot[0]["url"].as_str().unwrap();
    let answer = client.send("POST", url, &[("Content-Type", "text/plain")], b"hello").json();
    assert_eq!(answer["singleFile"]["fileChecksum"], "AcW96XzA8CMFcrVWfJyAAy8aWWE6");
    assert_eq!(answer["singleFile"]["size"], 5);
}

#[test]
fn ranges_are_exact_ignored_or_wrong() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("a.bin", Content::Generated { seed: 1, len: 1000 }).unwrap();
    let whole = sim.drive().content("a.bin").unwrap().unwrap();
    let url = client.download_url(&docwsid(&client, "a.bin"));
    for (rule, status, from) in
        [(Range::Ok, 206, 400), (Range::Ignored, 200, 0), (Range::WrongOffset, 206, 399)]
    {
        sim.switches(|s| s.range = rule);
        let answer = client.send("GET", &url, &[("Range", "bytes=400-")], b"");
        assert_eq!((answer.status, &answer.body[..]), (status, &whole[from..]), "{rule:?}");
        let announced = (status == 206).then(|| format!("bytes {from}-999/1000"));
        assert_eq!(answer.header("content-range"), announced.as_deref(), "{rule:?}");
    }
}

#[test]
fn an_address_dies_as_the_switches_say_and_keeps_its_version_until_then() {
    let (sim, client) = open_simulator(|s| s.url_life = Duration::from_secs(60));
    sim.drive().write("a.txt", "one").unwrap();
    let url = client.download_url(&docwsid(&client, "a.txt"));
    sim.drive().write("a.txt", "two").unwrap();
    assert_eq!(client.get(&url).body, b"one");
    sim.advance(Duration::from_secs(61));
    for (rule, status) in [(UrlDead::Status403, 403), (UrlDead::Status410, 410), (UrlDead::Status404, 404)] {
        sim.switches(|s| s.url_dead = rule);
        assert_eq!(client.get(&url).status, status);
    }
}

#[test]
fn downloads_may_be_redirected_or_packed() {
    let (sim, client) = open_simulator(|s| s.content_redirect = Some(330));
    sim.drive().write("ä b.txt", "text").unwrap();
    let url = client.download_url(&docwsid(&client, "a\u{308} b.txt"));
    let redirect = client.get(&url);
    assert_eq!(redirect.status, 330);
    let target = redirect.header("location").unwrap();
    assert_eq!(client.get(target).body, b"text");
    sim.switches(|s| {
        s.content_redirect = None;
        s.content_gzip = true;
    });
    let packed = client.send("GET", &url, &[("Accept-Encoding", "gzip")], b"");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*packed.body).read_to_string(&mut text).unwrap();
    assert_eq!(text, "text");
    assert_eq!(client.get(&url).body, b"text", "only when the client accepts it");
}

#[test]
fn a_download_may_break_off() {
    let cut = Fault {
        kind: Some("download.content".to_owned()),
        path: None,
        skip: 0,
        count: 1,
        every: 1,
        probability: 1.0,
        seed: 0,
        effect: Effect::CutBodyAfter(10),
    };
    let (sim, client) = open_simulator(|s| s.faults = vec![cut]);
    sim.drive().write("a.bin", Content::Generated { seed: 1, len: 1000 }).unwrap();
    let url = client.download_url(&docwsid(&client, "a.bin"));
    let broken = client.get(&url);
    assert_eq!((broken.header("content-length"), broken.body.len()), (Some("1000"), 10));
    assert_eq!(client.get(&url).body.len(), 1000);
}

#[test]
fn empty_files_have_no_receipt_and_no_download() {
    let (sim, client) = open_simulator(|_| {});
    let (id, staged) = client.stage("empty.txt", b"");
    assert_eq!((&staged["receipt"], &staged["size"]), (&json!(null), &json!(0)));
    let answer = client.commit(ZONE, &id, &staged, "root", "empty.txt").json();
    assert_eq!(result_code(&answer), 0, "{answer}");
    assert_eq!(client.child(ROOT, "empty.txt")["size"], 0);
    assert_eq!(client.download_info(&id).status, 400);
    sim.switches(|s| {
        s.zero = Zero::DataToken;
        s.zero_up = ZeroUp::Status4xx;
    });
    assert_eq!(client.get(&client.download_url(&id)).body, b"");
    let slot = client.slot(ZONE, "b", 0).json();
    assert_eq!(client.upload(slot[0]["url"].as_str().unwrap(), "b", b"").status, 400);
}

#[test]
fn a_taken_name_fails_or_is_numbered_as_the_commit_allows() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("a.txt", "theirs").unwrap();
    let (id, staged) = client.stage("a.txt", b"ours");
    let refused = client.commit(ZONE, &id, &staged, "root", "a.txt").json();
    let message = refused["results"][0]["status"]["error_message"].as_str().unwrap();
    assert!(message.contains("Uniqueness constraint violation"), "{refused}");
    let numbered = client.commit_with(ZONE, &id, &staged, "root", "a.txt", true).json();
    assert_eq!(numbered["results"][0]["document"]["name"], "a 2.txt");
    assert_eq!(sim.drive().content("a.txt").unwrap().unwrap(), b"theirs");
}

#[test]
fn a_commit_under_an_existing_id_replaces_in_place() {
    let (sim, client) = open_simulator(|_| {});
    let first = client.put("a.txt", b"one");
    let id = first["document_id"].as_str().unwrap();
    let (_, staged) = client.stage("a.txt", b"two");
    let answer = client.commit(ZONE, id, &staged, "root", "a.txt").json();
    let document = &answer["results"][0]["document"];
    assert_eq!((&document["document_id"], &document["name"]), (&first["document_id"], &json!("a.txt")));
    assert_ne!(document["etag"], first["etag"]);
    assert_eq!(sim.drive().content("a.txt").unwrap().unwrap(), b"two");
    assert!(sim.drive().trash_contents().is_empty());
    assert!(sim.drive().lost_contents().unwrap().is_empty(), "the client wrote what it replaced");

    sim.drive().write("a.txt", "a person's").unwrap();
    let (_, staged) = client.stage("a.txt", b"three");
    client.commit(ZONE, id, &staged, "root", "a.txt");
    assert_eq!(sim.violations().len(), 1, "the person's version was never looked at");
    assert_eq!(sim.drive().lost_contents().unwrap().len(), 1);
}

#[test]
fn commits_belong_to_their_zone_and_their_parent() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().library("com.apple.Pages", "Pages", false);
    let (id, staged) = client.stage("a.txt", b"one");
    let wrong = client.commit(ZONE, &id, &staged, "documents", "a.txt");
    assert_eq!((wrong.status, &wrong.json()["serverErrorCode"]), (412, &json!("VALIDATING_REFERENCE_ERROR")));
    let pages = "/docws/ws/com.apple.Pages";
    assert_eq!(
        client.commit(pages, &id, &staged, "documents", "a.txt").status,
        412,
        "the slot's zone differs"
    );
    let slot = client.slot(pages, "a.txt", 3).json();
    let staged =
        client.upload(slot[0]["url"].as_str().unwrap(), "a.txt", b"two").json()["singleFile"].clone();
    let id = slot[0]["document_id"].as_str().unwrap();
    let done = client.commit(pages, id, &staged, "documents", "a.txt").json();
    assert_eq!(done["results"][0]["document"]["zone"], "com.apple.Pages");
    assert_eq!(sim.drive().content("Pages/a.txt").unwrap().unwrap(), b"two");
}

#[test]
fn a_commit_needs_the_receipt_of_an_upload() {
    let (_sim, client) = open_simulator(|_| {});
    let (id, staged) = client.stage("a.txt", b"one");
    let mut forged = staged.clone();
    forged["receipt"] = json!("A0sforged");
    assert_eq!(client.commit(ZONE, &id, &forged, "root", "a.txt").status, 400);
    let mut other = staged.clone();
    other["fileChecksum"] = json!("AcW96XzA8CMFcrVWfJyAAy8aWWE6");
    assert_ne!(result_code(&client.commit(ZONE, &id, &other, "root", "a.txt").json()), 0);
    assert_eq!(result_code(&client.commit(ZONE, &id, &staged, "root", "a.txt").json()), 0);
}

#[test]
fn slots_age_and_commits_repeat_as_the_switches_say() {
    let (sim, client) = open_simulator(|_| {});
    let (id, staged) = client.stage("a.txt", b"one");
    let commit = || client.commit(ZONE, &id, &staged, "root", "a.txt");
    let first = commit().json();
    assert_eq!(commit().json()["results"][0]["document"]["etag"], first["results"][0]["document"]["etag"]);
    sim.switches(|s| s.commit_twice = CommitTwice::Uniqueness);
    assert_ne!(result_code(&commit().json()), 0);
    sim.switches(|s| s.commit_twice = CommitTwice::Duplicate);
    assert_eq!(commit().json()["results"][0]["document"]["name"], "a 2.txt");
    sim.advance(Duration::from_secs(3601));
    assert_eq!(commit().status, 410);
    let slot = client.slot(ZONE, "b", 1).json();
    sim.advance(Duration::from_secs(3601));
    assert_eq!(client.upload(slot[0]["url"].as_str().unwrap(), "b", b"b").status, 404);
}

#[test]
fn a_full_storage_shows_where_the_switch_says() {
    for (rule, slot_status, content_status) in [
        (Quota::None, 200, 200),
        (Quota::Slot413, 413, 0),
        (Quota::Slot507, 507, 0),
        (Quota::Content507, 200, 507),
        (Quota::InBodyAtCommit, 200, 200),
    ] {
        let (sim, client) = open_simulator(|s| {
            s.quota = rule;
            s.quota_left = 3;
        });
        client.put("fits.txt", b"abc");
        let slot = client.slot(ZONE, "a.txt", 1);
        assert_eq!(slot.status, slot_status, "{rule:?}");
        if slot_status == 200 {
            let slot = slot.json();
            let content = client.upload(slot[0]["url"].as_str().unwrap(), "a.txt", b"x");
            assert_eq!(content.status, content_status, "{rule:?}");
            if content_status == 200 {
                let id = slot[0]["document_id"].as_str().unwrap();
                let staged = content.json()["singleFile"].clone();
                let done = client.commit(ZONE, id, &staged, "root", "a.txt").json();
                assert_eq!(result_code(&done) == 0, rule == Quota::None, "{rule:?}");
            }
        }
        assert_eq!(sim.drive().entry("a.txt").is_some(), rule == Quota::None, "{rule:?}");
    }
}

#[test]
fn signatures_follow_the_formula_or_not() {
    let (sim, client) = open_simulator(|_| {});
    for (rule, first_byte) in [
        (Sig::Formula, Some('A')),
        (Sig::OtherPrefix, Some('g')),
        (Sig::Random, Some('A')),
        (Sig::Absent, None),
    ] {
        sim.switches(|s| s.sig = rule);
        let (id, staged) = client.stage("a.txt", b"hello");
        let signature = staged["fileChecksum"].as_str();
        assert_eq!(signature.and_then(|text| text.chars().next()), first_byte, "{rule:?}");
        assert_eq!(signature == Some("AcW96XzA8CMFcrVWfJyAAy8aWWE6"), rule == Sig::Formula, "{rule:?}");
        let done = client.commit_with(ZONE, &id, &staged, "root", "a.txt", true).json();
        assert_eq!(result_code(&done), 0, "{rule:?}: {done}");
    }
}

#[test]
fn packages_come_as_zips_that_may_vary_and_ignore_ranges() {
    let (sim, client) = open_simulator(|_| {});
    let members = vec![Member { path: "Index.xml".to_owned(), content: Content::from("<doc/>") }];
    sim.drive().package("Letter.pages", members).unwrap();
    let item = client.child(ROOT, "Letter.pages");
    assert_eq!((&item["type"], &item["extension"]), (&json!("FILE"), &json!("pages")));
    let info = client.download_info(item["docwsid"].as_str().unwrap()).json();
    assert!(info["data_token"].is_null());
    let url = info["package_token"]["url"].as_str().unwrap();
    assert!(url.contains("/packageDownload"));
    let fetch = || client.send("GET", url, &[("Range", "bytes=4-")], b"");
    for (rule, same, start) in [
        (Package::StableZip, true, &b"PK\x03\x04"[..]),
        (Package::VaryingZip, false, b"PK\x03\x04"),
        (Package::GzipWrapped, true, b"\x1f\x8b"),
    ] {
        sim.switches(|s| s.package = rule);
        let (one, two) = (fetch(), fetch());
        assert_eq!(one.status, 200);
        assert!(one.body.starts_with(start), "{rule:?}");
        assert_eq!(one.body == two.body, same, "{rule:?}");
    }
}

#[test]
fn ids_are_downloaded_in_batches_and_gone_ones_are_404() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("a.txt", "1").unwrap();
    let id = docwsid(&client, "a.txt");
    let other = "3C8E0B1D-5A4F-4B0C-9D5E-6F7A8B9C0D1E";
    let body = json!([{"document_id": id}, {"document_id": other}]);
    let answer = client.post(&format!("{ZONE}/download/batch"), &body).json();
    assert_eq!(answer[0]["document_id"], id);
    assert_eq!(answer[1]["serverErrorCode"], "NOT_FOUND");
    assert_eq!(client.download_info(other).status, 404);
    sim.drive().trash("a.txt").unwrap();
    assert_eq!(client.get(&client.download_url(&id)).body, b"1", "a trashed file is still there");
    sim.drive().delete_trashed("a.txt").unwrap();
    assert_eq!(client.download_info(&id).status, 404);
}

#[test]
fn a_wrong_upload_token_and_a_bad_name_are_refused() {
    let (sim, client) = open_simulator(|_| {});
    let body = json!({"filename": "a", "type": "FILE", "content_type": "", "size": 1});
    assert_eq!(client.post(&format!("{ZONE}/upload/web?token=wrong"), &body).status, 401);
    let right = format!("{ZONE}/upload/web?token={}", icloudds_simulator::service::SESSIONLESS_UPLOAD_TOKEN);
    assert_eq!(client.post(&right, &body).status, 200);
    let (id, staged) = client.stage("a", b"x");
    assert_eq!(client.commit(ZONE, &id, &staged, "root", "a/b").status, 400);
    sim.switches(|s| s.name_bad_answer = NameBadAnswer::InBody);
    assert_ne!(result_code(&client.commit(ZONE, &id, &staged, "root", "a/b").json()), 0);
}
