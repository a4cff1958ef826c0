//! What only an odd service answers, by a script instead of HTTP.

use std::collections::VecDeque;
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::engine::ports::RemoteParent;
use crate::icloud::http::{Answer, Call, Head, HttpError};
use crate::icloud::http_error::CONNECTING;
use crate::icloud::service::ServiceError;
use crate::icloud::test_clock::TestClock;
use crate::model::{Etag, ServerTime};

/// The status of an answer that never comes: no connection is made in time.
const NO_CONNECTION: u16 = 0;

/// Gives its answers in order, each after so long, and keeps what was asked.
struct Script {
    answers: Mutex<VecDeque<(u16, Value)>>,
    asked: Mutex<Vec<(String, Value)>>,
    takes: Duration,
    clock: Arc<TestClock>,
}

impl Api for Script {
    fn call(&self, ask: &Request<'_>) -> Result<Answer, ServiceError> {
        let body = serde_json::from_slice(ask.body).unwrap_or(Value::Null);
        self.asked.lock().unwrap().push((ask.kind.to_owned(), body));
        self.clock.pause(self.takes).expect("it goes on");
        let (status, body) = self.answers.lock().unwrap().pop_front().expect("an answer is scripted");
        if status == NO_CONNECTION {
            let host = "icloud.example".to_owned();
            return Err(ServiceError::Http(HttpError::Timeout { host, what: CONNECTING }));
        }
        let head = Head { status, headers: Default::default() };
        Ok(Answer { head, body: body.to_string().into_bytes() })
    }

    fn open(&self, _: Call<'_>) -> Result<(Head, Box<dyn Read + Send>), HttpError> {
        let (status, body) = self.answers.lock().unwrap().pop_front().expect("an answer is scripted");
        Ok((
            Head { status, headers: Default::default() },
            Box::new(Cursor::new(body.to_string().into_bytes())),
        ))
    }

    fn upload_token(&self) -> Option<String> {
        None
    }

    fn allows(&self, _: &str) -> bool {
        true
    }
}

fn drive(answers: &[(u16, Value)]) -> (ICloudDrive, Arc<Script>) {
    slow_drive(answers, Duration::ZERO)
}

fn slow_drive(answers: &[(u16, Value)], takes: Duration) -> (ICloudDrive, Arc<Script>) {
    let clock = Arc::new(TestClock::with_random(0.5));
    let answers = Mutex::new(answers.iter().cloned().collect());
    let script = Arc::new(Script { answers, asked: Mutex::default(), takes, clock: Arc::clone(&clock) });
    let drive = ICloudDrive::new(Arc::clone(&script) as Arc<dyn Api>, DriveOptions::default(), clock);
    (drive, script)
}

fn asked(script: &Script, at: usize) -> Value {
    script.asked.lock().unwrap()[at].1.clone()
}

fn file(id: &str, name: &str, extension: &str) -> Value {
    json!({"drivewsid": format!("FILE::com.apple.CloudDocs::{id}"), "name": name, "extension": extension,
        "type": "FILE", "etag": "2::2", "parentId": "FOLDER::com.apple.CloudDocs::root", "status": "OK"})
}

fn root_entry() -> Value {
    json!({"drivewsid": "FOLDER::com.apple.CloudDocs::root", "name": "", "type": "FOLDER", "etag": "1"})
}

fn id(doc: &str) -> ItemId {
    ItemId::new(Zone::CloudDocs, doc)
}

fn version(doc: &str) -> ItemVersion {
    ItemVersion { id: id(doc), folder: false, etag: Etag::new("1::1") }
}

#[test]
fn a_doubled_or_lost_extension_is_put_right_once() {
    for (first, sent) in [
        (file("A", "b.pdf", "pdf"), json!({"name": "b", "extension": "pdf"})),
        (file("A", "b", ""), json!({"name": "b.pdf", "extension": "pdf"})),
    ] {
        let (drive, script) =
            drive(&[(200, json!({"items": [first]})), (200, json!({"items": [file("A", "b", "pdf")]}))]);
        assert_eq!(&*drive.rename(&version("A"), "b.pdf").unwrap().entry.name, "b.pdf");
        let again = &asked(&script, 1)["items"][0];
        assert_eq!(again["etag"], "2::2");
        assert_eq!((&again["name"], &again["extension"]), (&sent["name"], &sent["extension"]));
    }
    let (drive, script) = drive(&[(200, json!({"items": [file("A", "b 2", "pdf")]}))]);
    assert_eq!(&*drive.rename(&version("A"), "b.pdf").unwrap().entry.name, "b 2.pdf");
    assert_eq!(script.asked.lock().unwrap().len(), 1);
}

#[test]
fn a_name_that_came_out_wrong_is_left_to_whoever_looks_anew_where_the_answer_was_long_under_way() {
    let wrong = (200, json!({"items": [file("A", "b.pdf", "pdf")]}));
    let (drive, script) = slow_drive(&[wrong], Duration::from_secs(3));
    assert_eq!(&*drive.rename(&version("A"), "b.pdf").unwrap().entry.name, "b.pdf.pdf");
    assert_eq!(script.asked.lock().unwrap().len(), 1);
}

#[test]
fn details_are_asked_in_the_form_that_the_service_takes() {
    let answer = json!([{"items": [root_entry(), file("A", "a", "")]}]);
    let (drive, script) = drive(&[(400, json!({})), (200, answer.clone()), (200, answer)]);
    for _ in 0..2 {
        let looked = drive.look_up(&[(id("A"), false)]).unwrap();
        assert!(
            matches!(&looked[0], LookUp::Found(item) if item.parent == RemoteParent::Folder(ItemId::drive_root()))
        );
    }
    assert!(asked(&script, 0).is_object());
    assert!(asked(&script, 1).is_array() && asked(&script, 2).is_array());
}

#[test]
fn gone_needs_the_known_id_in_the_same_answer() {
    let gone = json!({"drivewsid": "FILE::com.apple.CloudDocs::A", "status": "ID_INVALID"});
    for (items, expected) in [
        (json!([gone, root_entry()]), LookUp::Gone),
        (json!([gone]), LookUp::Unknown),
        (
            json!([gone, {"drivewsid": "FOLDER::com.apple.CloudDocs::root", "status": "ID_INVALID"}]),
            LookUp::Unknown,
        ),
    ] {
        let (drive, _) = drive(&[(200, json!({ "items": items }))]);
        assert_eq!(drive.look_up(&[(id("A"), false)]).unwrap(), [expected]);
    }
    // Missing in a batch is asked for alone; missing there too is gone.
    let others = json!({"items": [root_entry(), file("B", "b", "")]});
    let (drive, _) = drive(&[(200, others), (200, json!({"items": [root_entry()]}))]);
    let looked = drive.look_up(&[(id("A"), false), (id("B"), false)]).unwrap();
    assert!(matches!(&looked[..], [LookUp::Gone, LookUp::Found(_)]));
}

#[test]
fn a_trash_call_that_shows_no_trash_is_no_success() {
    for (item, expected) in [
        (json!({"parentId": "TRASH_ROOT"}), None),
        (
            json!({"parentId": "FOLDER::com.apple.CloudDocs::root"}),
            Some("the answer does not show it in the trash"),
        ),
        (json!({"parentId": null}), Some("the answer does not show it in the trash")),
    ] {
        let mut shown = file("A", "a", "");
        shown["parentId"] = item["parentId"].clone();
        let (drive, _) = drive(&[(200, json!({"items": [shown]}))]);
        let error = drive.trash(&[version("A")]).pop().unwrap().err();
        assert_eq!(error, expected.map(|words| RemoteError::Uncertain(words.to_owned())));
    }
    let (drive, _) = drive(&[(200, json!({"items": []}))]);
    assert!(matches!(drive.trash(&[version("A")])[0], Err(RemoteError::Uncertain(_))));
}

#[test]
fn a_busy_item_of_a_call_is_told_and_not_asked_for_again() {
    let busy = json!({"drivewsid": "FILE::com.apple.CloudDocs::B", "status": "ZONE_BUSY"});
    let mut trashed = file("A", "x", "");
    trashed["parentId"] = json!("TRASH_ROOT");
    let (drive, script) = drive(&[(200, json!({"items": [busy, trashed]}))]);
    let results = drive.trash(&[version("A"), version("B")]);
    assert!(results[0].is_ok());
    assert!(matches!(results[1], Err(RemoteError::Busy { .. })), "{results:?}");
    assert_eq!(script.asked.lock().unwrap().len(), 1);
}

#[test]
fn items_that_are_refused_together_are_to_be_asked_for_alone() {
    let conflict = (409, json!({"error_code": "ETAG_CONFLICT"}));
    let (drive, script) = drive(&[conflict.clone(), conflict]);
    let results = drive.trash(&[version("A"), version("B")]);
    assert!(results.iter().all(|result| matches!(result, Err(RemoteError::Busy { .. }))), "{results:?}");
    assert_eq!(drive.trash(&[version("A")]), [Err(RemoteError::Stale)], "alone it is the reason");
    assert_eq!(script.asked.lock().unwrap().len(), 2);
}

fn commit(drive: &ICloudDrive, replaces: Option<&ItemId>) -> Result<RemoteItem, RemoteError> {
    let staged = Staged {
        document: "N".to_owned(),
        zone: Zone::CloudDocs,
        size: 1,
        signature: None,
        receipt: json!({"data": {"size": 1}, "staged_at": 1_700_000_000}),
    };
    let (mtime, btime) = (ServerTime(1), ServerTime(1));
    drive.commit(&Commit {
        staged: &staged,
        parent: &ItemId::drive_root(),
        name: "a",
        replaces,
        mtime,
        btime,
        executable: false,
    })
}

#[test]
fn a_change_that_rests_on_a_look_is_looked_at_anew_where_the_connection_comes_late() {
    type Call = fn(&ICloudDrive) -> Result<(), RemoteError>;
    let calls: [(&str, bool, Call); 7] = [
        ("a commit in place", true, |drive| commit(drive, Some(&id("A"))).map(drop)),
        ("a rename", true, |drive| drive.rename(&version("A"), "b").map(drop)),
        ("a move", true, |drive| drive.move_into(&id("F"), &[version("A")]).remove(0).map(drop)),
        ("for good", true, |drive| drive.delete_trashed(&[version("A")]).remove(0)),
        // Nothing is overridden by these: an etag guards them, or nothing was there before.
        ("a new file", false, |drive| commit(drive, None).map(drop)),
        ("to the trash", false, |drive| drive.trash(&[version("A")]).remove(0).map(drop)),
        ("a new folder", false, |drive| drive.create_folders(&id("F"), &["n"]).remove(0).map(drop)),
    ];
    for (what, rests_on_a_look, call) in calls {
        let (drive, script) = drive(&[(NO_CONNECTION, Value::Null)]);
        let error = call(&drive).unwrap_err();
        assert_eq!(matches!(error, RemoteError::Busy { .. }), rests_on_a_look, "{what}: {error:?}");
        assert_eq!(matches!(error, RemoteError::Unreachable(_)), !rests_on_a_look, "{what}: {error:?}");
        assert_eq!(script.asked.lock().unwrap().len(), 1, "{what}");
    }
}

#[test]
fn a_commit_answer_must_show_exactly_one_document() {
    let document = json!({"document_id": "N", "name": "a", "etag": "1::1", "parent_id": "root", "size": 1});
    let good = json!({"status": {"status_code": 0}, "document": document});
    let commit = |drive: &ICloudDrive| commit(drive, None);
    for (answer, expected) in [
        (json!({"results": [good]}), "ok"),
        (json!({"results": [good, good]}), "uncertain"),
        (json!({"results": []}), "uncertain"),
        (json!({}), "uncertain"),
        (json!({"results": [{"status": {"status_code": 0}}]}), "uncertain"),
        (json!({"results": [{"status": {"status_code": 9, "error_message": "who knows"}}]}), "refused"),
        (json!({"status": {"status_code": 9, "error_message": "Quota exceeded"}}), "quota"),
    ] {
        let (drive, script) = drive(&[(200, answer.clone())]);
        let told = match commit(&drive) {
            Ok(item) if item.entry.id == id("N") => "ok",
            Err(RemoteError::Uncertain(_)) => "uncertain",
            Err(RemoteError::Refused(_)) => "refused",
            Err(RemoteError::Quota(_)) => "quota",
            other => panic!("{answer}: {other:?}"),
        };
        assert_eq!(told, expected, "{answer}");
        let sent = asked(&script, 0);
        assert_eq!(sent["allow_conflict"], false);
        assert_eq!(sent["mtime"], 1000);
    }
    // A folder made moments ago may need a second; whoever waits for it looks again.
    let early = (412, json!({"error_code": "VALIDATING_REFERENCE_ERROR"}));
    let mut listed = root_entry();
    (listed["items"], listed["numberOfItems"]) = (json!([]), json!(0));
    let (drive, _) = drive(&[early, (200, json!([listed])), (200, json!({"results": [good]}))]);
    let error = commit(&drive).unwrap_err();
    assert!(matches!(error, RemoteError::Busy { retry_after: Some(_), .. }), "{error:?}");
    assert!(commit(&drive).is_ok());
}

#[test]
fn zones_are_escaped_in_paths() {
    assert_eq!(zone_in_path(&Zone::new("com.apple.CloudDocs")), "com.apple.CloudDocs");
    assert_eq!(zone_in_path(&Zone::new("a/../b?c")), "a%2F..%2Fb%3Fc");
}
