use std::io::Read;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::icloud::http::{Call, Head};

/// Answers in order; remembers what was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<Vec<(u16, String)>>,
    asked: Mutex<Vec<Value>>,
}

impl Api for Script {
    fn call(&self, _: &Request<'_>) -> Result<Answer, ServiceError> {
        panic!("the feed alone is asked");
    }

    fn open(&self, _: Call<'_>) -> Result<(Head, Box<dyn Read + Send>), HttpError> {
        panic!("the feed alone is asked");
    }

    fn upload_token(&self) -> Option<String> {
        None
    }

    fn allows(&self, _: &str) -> bool {
        false
    }

    fn ask_feed(&self, path: &'static str, body: &[u8]) -> Result<Option<Answer>, ServiceError> {
        assert!(["changes/database", "changes/zone"].contains(&path), "{path}");
        self.asked.lock().expect("asked").push(serde_json::from_slice(body).expect("JSON"));
        let mut answers = self.answers.lock().expect("answers");
        if answers.is_empty() {
            return Ok(None);
        }
        let (status, body) = answers.remove(0);
        Ok(Some(Answer { head: Head { status, headers: Default::default() }, body: body.into_bytes() }))
    }
}

/// What comes of these answers to a question with `token`, and the tokens that were sent.
fn told(token: Option<&str>, answers: &[(u16, &str)]) -> (Result<FeedLook, FeedFault>, Vec<Option<String>>) {
    let script = Script::default();
    *script.answers.lock().expect("answers") =
        answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
    let result = ask(&script, token).map(|look| FeedLook { zones: Vec::new(), unnamed: false, ..look });
    let asked = script.asked.into_inner().expect("asked");
    let sent = asked.iter().map(|body| Some(body.get("syncToken")?.as_str()?.to_owned())).collect();
    (result, sent)
}

fn look(token: &str, moved: bool, started_over: bool) -> Result<FeedLook, FeedFault> {
    Ok(FeedLook { token: token.to_owned(), moved, started_over, ..FeedLook::default() })
}

#[test]
fn whatever_form_an_answer_has_it_is_read_or_refused() {
    let long = "x".repeat(10_000);
    let zone = json!({"zoneID": {"zoneName": "anything"}});
    let rows: [(&str, Value, Result<FeedLook, FeedFault>); 13] = [
        ("nothing new", json!({"zones": [], "syncToken": "b", "moreComing": false}), look("b", false, false)),
        ("without zones", json!({"syncToken": "b"}), look("b", false, false)),
        ("zones are null", json!({"syncToken": "b", "zones": null}), look("b", false, false)),
        ("without a token", json!({"zones": []}), look("a", false, false)),
        ("the same token", json!({"syncToken": "a", "zones": []}), look("a", false, false)),
        ("a zone", json!({"zones": [zone], "syncToken": "b"}), look("b", true, false)),
        ("a zone without an id", json!({"zones": [{}], "syncToken": "b"}), look("b", true, false)),
        ("a number", json!({"zones": ["x"], "syncToken": 17}), look("17", true, false)),
        ("a long token", json!({"syncToken": long, "other": [1]}), look(&long, false, false)),
        ("a flag as text", json!({"syncToken": "b", "moreComing": "false"}), look("b", false, false)),
        ("a flag that is zero", json!({"syncToken": "b", "moreComing": 0.0}), look("b", false, false)),
        ("no token for a change", json!({"zones": [zone]}), Err(refused("it gives no token"))),
        ("no token for more", json!({"zones": [], "moreComing": true}), Err(refused("it gives no token"))),
    ];
    for (name, body, expected) in rows {
        let (result, sent) = told(Some("a"), &[(200, &body.to_string())]);
        assert_eq!(result, expected, "{name}");
        assert_eq!(sent, [Some("a".to_owned())], "{name}");
    }
}

#[test]
fn pages_are_read_to_their_end_and_not_for_ever() {
    let page = |token: &str, zones: usize, more: &str| {
        let zones = vec!["{}"; zones].join(",");
        format!(r#"{{"zones": [{zones}], "syncToken": "{token}", "moreComing": {more}}}"#)
    };
    let (first, second) = (page("b", 0, "true"), page("c", 1, "false"));
    let (result, sent) = told(Some("a"), &[(200, &first), (200, &second)]);
    assert_eq!(result, look("c", true, false));
    assert_eq!(sent, [Some("a".to_owned()), Some("b".to_owned())]);
    let endless = page("b", 0, "1");
    let endless: Vec<_> = (0..20).map(|_| (200, endless.as_str())).collect();
    let (result, sent) = told(Some("a"), &endless);
    assert_eq!((result, sent.len()), (Err(refused("its answer has no end")), MOST_PAGES));
}

#[test]
fn a_token_that_is_not_taken_is_dropped_and_other_refusals_are_no_word_of_the_token() {
    let good = r#"{"syncToken": "n", "zones": []}"#;
    for (status, body) in [
        (400, r#"{"serverErrorCode": "BAD_REQUEST", "reason": "Unknown sync continuation type"}"#),
        (200, r#"{"serverErrorCode": "ZONE_NOT_FOUND"}"#),
        (200, r#"{"serverErrorCode": "CHANGE_TOKEN_EXPIRED"}"#),
        (410, ""),
        (200, "<html>"),
        (200, "[]"),
        (200, r#"{"serverErrorCode": {"odd": 1}}"#),
    ] {
        let (result, sent) = told(Some("old"), &[(status, body), (200, good)]);
        assert_eq!(result, look("n", true, true), "{status} {body}");
        assert_eq!(sent, [Some("old".to_owned()), None]);
        let (result, sent) = told(Some("old"), &[(status, body), (status, body)]);
        assert!(matches!(result, Err(FeedFault::Refused { .. })), "{status} {body}: {result:?}");
        assert_eq!(sent.len(), 2, "once without a token, and no more");
    }
    let wait = |secs| Some(Duration::from_secs(secs));
    for (status, body, retry_after) in [
        (401, r#"{"serverErrorCode": "AUTHENTICATION_REQUIRED"}"#, wait(0)),
        (403, r#"{"serverErrorCode": "PCS_REQUIRED"}"#, wait(0)),
        (200, r#"{"serverErrorCode": "PCS_REQUIRED"}"#, wait(0)),
        (503, r#"{"serverErrorCode": "THROTTLED", "retryAfter": 700}"#, wait(700)),
        (200, r#"{"serverErrorCode": "THROTTLED", "retryAfter": "30"}"#, wait(30)),
        (502, "<html>", wait(0)),
    ] {
        let (result, sent) = told(Some("old"), &[(status, body)]);
        let Err(FeedFault::Refused { retry_after: found, .. }) = result else { panic!("{result:?}") };
        assert_eq!((found, sent.len()), (retry_after, 1), "{status} {body}");
    }
    assert_eq!(told(None, &[]).0, Err(FeedFault::NotOffered));
    assert_eq!(told(None, &[(200, good)]).0, look("n", true, true));
}

#[test]
fn the_zones_that_moved_are_told_by_name_and_one_of_them_is_the_drives() {
    let zone = |name: &str| json!({"zoneID": {"zoneName": name, "ownerRecordName": "_me"}});
    for (zones, drive, unnamed) in [
        (json!([zone("app"), zone("_defaultZone"), zone("app")]), Some("_defaultZone"), false),
        (json!([zone("com.apple.CloudDocs")]), Some("com.apple.CloudDocs"), false),
        (json!([zone("other")]), Some("other"), false),
        (json!([zone("other"), {}]), None, true),
        (json!([zone("other"), zone("another")]), None, false),
        (json!(["_defaultZone"]), None, true),
    ] {
        let script = Script::default();
        let body = json!({"syncToken": "b", "zones": zones}).to_string();
        script.answers.lock().expect("answers").push((200, body));
        let look = ask(&script, Some("a")).expect("a look");
        assert_eq!(look.drive_zone().map(|zone| zone.name.as_str()), drive, "{zones}");
        assert_eq!(look.unnamed, unnamed, "{zones}");
    }
}

#[test]
fn what_is_told_of_zones_that_nobody_looks_at_is_left_out_where_all_are_named() {
    let zone = |name: &str| FeedZone { name: name.to_owned(), owner: None };
    let told = |names: &[&str], started_over, unnamed| FeedLook {
        token: "t".to_owned(),
        moved: true,
        zones: names.iter().map(|name| zone(name)).collect(),
        unnamed,
        started_over,
    };
    for (look, moved, zones) in [
        (told(&["app"], false, false), false, 0),
        (told(&["app", "_defaultZone"], false, false), true, 1),
        (told(&["other"], false, false), true, 1),
        (told(&["app"], true, false), true, 1),
        (told(&["app"], false, true), true, 1),
        (told(&[], false, false), true, 0),
    ] {
        let left = look.clone().without(|name| name == "app");
        assert_eq!((left.moved, left.zones.len()), (moved, zones), "{look:?}");
    }
}

/// What comes of these answers to a question about a zone, with `token`.
fn told_of_zone(token: Option<&str>, answers: &[(u16, Value)]) -> (Result<ZoneLook, FeedFault>, Vec<Value>) {
    let script = Script::default();
    *script.answers.lock().expect("answers") =
        answers.iter().map(|(status, body)| (*status, body.to_string())).collect();
    let zone = FeedZone { name: "_defaultZone".to_owned(), owner: Some("_me".to_owned()) };
    let question = ZoneQuestion { zone, token: token.map(str::to_owned), pages: 3 };
    let result = ask_zone(&script, &question);
    (result, script.asked.into_inner().expect("asked"))
}

fn zone_page(token: &str, records: &Value, more: bool) -> (u16, Value) {
    let zone = json!({"zoneName": "_defaultZone"});
    (200, json!({"zones": [{"zoneID": zone, "syncToken": token, "moreComing": more, "records": records}]}))
}

#[test]
fn the_records_of_a_zone_are_read_whatever_form_they_have() {
    use crate::engine::observe::remote::{Record, RecordKind as K, RecordPlace as P};
    let parent = |name: &str| json!({"parent": {"value": {"recordName": name}}});
    for (record, kind, doc, place, tag) in [
        (
            json!({"recordName": "documentStructure/A", "fields": parent("directory/F"), "recordChangeTag": "3x"}),
            K::File,
            "A",
            P::In("F".to_owned()),
            Some("3x"),
        ),
        (
            json!({"recordName": "DIRECTORY/a", "parent": {"recordName": "directory/f"}}),
            K::Folder,
            "a",
            P::In("f".to_owned()),
            None,
        ),
        (
            json!({"recordName": "directory/A", "recordChangeTag": 17, "fields": null}),
            K::Folder,
            "A",
            P::Untold,
            Some("17"),
        ),
        (json!({"recordName": "documentContent/A", "recordType": 5}), K::Content, "A", P::Untold, None),
        (
            json!({"recordName": "documentStructure/A", "deleted": true, "fields": parent("directory/F")}),
            K::File,
            "A",
            P::Deleted,
            None,
        ),
        (json!({"recordName": "documentStructure/A", "deleted": "true"}), K::File, "A", P::Deleted, None),
        (
            json!({"recordName": "documentStructure/A", "fields": parent("directory/trash_root")}),
            K::File,
            "A",
            P::Trash,
            None,
        ),
        (
            json!({"recordName": "documentStructure/A", "fields": {"restorePath": {"value": "x"}}}),
            K::File,
            "A",
            P::Trash,
            None,
        ),
        (json!({"recordName": "whatever/17", "deleted": "perhaps"}), K::Other, "17", P::Untold, None),
    ] {
        let (result, asked) = told_of_zone(Some("a"), &[zone_page("b", &json!([record]), false)]);
        let (tag, name) = (tag.map(str::to_owned), None);
        let expected = Record { doc: doc.to_owned(), kind, place, tag, name };
        let look = ZoneLook { token: "b".to_owned(), is_whole: true, records: Some(vec![expected]) };
        assert_eq!(result, Ok(look), "{record}");
        let zone = json!({"zoneName": "_defaultZone", "ownerRecordName": "_me"});
        assert_eq!(asked, [json!({"zones": [{"zoneID": zone, "syncToken": "a"}], "resultsLimit": 200})]);
    }
    for opaque in
        [json!([{"recordName": "A17F"}]), json!([{}]), json!(["x"]), json!([{"recordName": "directory/"}])]
    {
        let (result, _) = told_of_zone(Some("a"), &[zone_page("b", &opaque, false)]);
        assert_eq!(result.map(|look| look.records), Ok(None), "{opaque}");
    }
    // Names, where one can be read.
    for (fields, name) in [
        (
            json!({"encryptedBasename": {"value": "UmVwb3J0"}, "extension": {"value": "pdf"}}),
            Some("Report.pdf"),
        ),
        (json!({"encryptedBasename": {"value": "UmVwb3J0"}, "extension": {"value": ""}}), Some("Report")),
        (json!({"encryptedBasename": "w4Q=", "bounceNo": {"value": 1}, "extension": null}), Some("\u{c4}")),
        (
            json!({"encryptedBasename": {"value": "UmVwb3J0"}, "extension": {"value": "d"}, "bounceNo": {"value": 2}}),
            Some("Report 2.d"),
        ),
        (json!({"encryptedBasename": {"value": "not base64!"}}), None),
        (json!({"encryptedBasename": {"value": "/w=="}}), None),
        (json!({"encryptedBasename": {"value": ""}}), None),
        (json!({"encryptedBasename": {"value": "UmVwb3J0"}, "extension": {"value": 17}}), None),
        (json!({"encryptedBasename": {"value": "UmVwb3J0"}, "bounceNo": {"value": "two"}}), None),
        (json!({"extension": {"value": "pdf"}}), None),
    ] {
        let record = json!([{"recordName": "directory/A", "fields": fields}]);
        let (result, _) = told_of_zone(Some("a"), &[zone_page("b", &record, false)]);
        let records = result.expect("a look").records.expect("they are understood");
        assert_eq!(records[0].name.as_deref(), name, "{fields}");
    }
    // Nothing new: a token is not needed.
    let (result, _) = told_of_zone(Some("a"), &[(200, json!({"zones": [{}]}))]);
    assert_eq!(result, Ok(ZoneLook { token: "a".to_owned(), is_whole: true, records: Some(Vec::new()) }));
}

#[test]
fn a_zone_is_read_in_some_pages_and_too_much_is_not_kept() {
    let record = json!([{"recordName": "documentContent/A"}]);
    let (result, asked) =
        told_of_zone(Some("a"), &[zone_page("b", &record, true), zone_page("c", &record, false)]);
    let look = result.expect("a look");
    assert_eq!((look.token.as_str(), look.is_whole, look.records.map(|all| all.len())), ("c", true, Some(2)));
    assert_eq!(asked[1]["zones"][0]["syncToken"], "b");
    // All that it holds, of which nothing is kept, over several questions.
    let pages: Vec<_> = ["b", "c", "d"].map(|token| zone_page(token, &record, true)).into();
    let (result, asked) = told_of_zone(None, &pages);
    assert_eq!(result, Ok(ZoneLook { token: "d".to_owned(), is_whole: false, records: None }));
    assert_eq!(asked[0]["zones"][0].get("syncToken"), None);
    let many = vec![json!({"recordName": "documentContent/A"}); 300];
    let pages = [zone_page("b", &json!(many), true), zone_page("c", &json!(many), false)];
    let (result, _) = told_of_zone(Some("a"), &pages);
    assert_eq!(result, Ok(ZoneLook { token: "c".to_owned(), is_whole: true, records: None }));
}

#[test]
fn a_zone_that_refuses_or_does_not_go_on_tells_nothing() {
    let record = json!([{"recordName": "documentContent/A"}]);
    for answer in [
        zone_page("a", &record, true),
        zone_page("a", &record, false),
        (200, json!({"zones": [{"serverErrorCode": "ZONE_NOT_FOUND"}]})),
        (200, json!({"zones": [{"serverErrorCode": {"odd": 1}}]})),
        (200, json!({"zones": []})),
        (200, json!({"zones": [{"records": 17}]})),
        (200, json!([])),
        (403, json!({"serverErrorCode": "ACCESS_DENIED_BY_ZONE"})),
    ] {
        let (result, asked) = told_of_zone(Some("a"), std::slice::from_ref(&answer));
        assert!(matches!(result, Err(FeedFault::Refused { .. })), "{answer:?}: {result:?}");
        assert_eq!(asked.len(), 1);
    }
    let throttled = json!({"zones": [{"serverErrorCode": "THROTTLED"}], "retryAfter": 30});
    let (result, _) = told_of_zone(Some("a"), &[(200, throttled)]);
    let Err(FeedFault::Refused { retry_after: Some(_), .. }) = result else { panic!("{result:?}") };
}
