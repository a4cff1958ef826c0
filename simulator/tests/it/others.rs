//! What clients that are not ours do and the service takes: each was refused once, because only our own client had been asked.

use icloudds_simulator::account::{Adp, StateForm};
use icloudds_simulator::switches::{Fteu, Renew};
use serde_json::{Value, json};
use std::time::Duration;

use crate::client::{Answer, Client, NAME, PASSWORD, simulator};

const DEVICE: &str = "/verify/trusteddevice/securitycode";
const CLOUD_DOCS: &str = "/docws/ws/com.apple.CloudDocs";
const PCS_COOKIE: &str = "X-APPLE-WEBAUTH-PCS-Documents";

fn request_pcs(client: &mut Client) -> Answer {
    client.setup("requestPCS", &json!({"appName": "iclouddrive", "derivedFromUserAction": true}))
}

#[test]
fn a_page_is_opened_without_an_origin_and_every_other_call_needs_one() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.without = vec!["Origin", "Referer"];
    assert_eq!(client.start().status, 200);
    assert_eq!(sim.violations(), Vec::<String>::new());
    assert_eq!(client.auth("POST", "/federate", Some(&json!({}))).status, 403);
}

#[test]
fn keys_are_needed_with_advanced_protection_only_and_success_brings_them() {
    for adp in [None, Some(Adp { consent_after_polls: Some(1), cookies_at_request: 1 })] {
        let protected = adp.is_some();
        let sim = simulator(|config| config.account.adp = adp);
        let mut client = Client::new(&sim);
        let info = client.log_in(&sim).json();
        for service in ["drivews", "docws", "ckdatabasews"] {
            assert_eq!(info["webservices"][service]["pcsRequired"], protected, "{service}");
        }
        assert_eq!(client.list().status, if protected { 423 } else { 200 });
        // A client that looks at nothing but `status` takes the cookies for granted.
        let first = request_pcs(&mut client);
        assert_eq!(first.json()["status"] == "success", !protected);
        assert_eq!(client.cookies.contains_key(PCS_COOKIE), !protected);
        if protected {
            client.setup("requestWebAccessState", &Value::Null);
            assert_eq!(request_pcs(&mut client).json()["status"], "success");
            assert!(client.cookies.contains_key(PCS_COOKIE));
        }
        assert_eq!(client.list().status, 200);
    }
}

#[test]
fn a_nested_state_keeps_nothing_at_its_top() {
    let sim = simulator(|config| {
        config.account.state_form = StateForm::Nested;
        config.account.trusted_devices = false;
    });
    let mut client = Client::new(&sim);
    client.sign_in(PASSWORD);
    let state = client.auth("GET", "", None).json();
    assert_eq!(state.as_object().unwrap().keys().collect::<Vec<_>>(), ["phoneNumberVerification"]);
    let inner = &state["phoneNumberVerification"];
    assert_eq!((&inner["authenticationType"], &inner["noTrustedDevices"]), (&json!("hsa2"), &json!(true)));
}

#[test]
fn a_browser_gets_the_page_with_the_telephones_in_the_bridges_part() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.sign_in(PASSWORD);
    for (accept, is_page) in [
        ("text/html", true),
        ("application/json", false),
        ("application/json, text/html", false),
        ("*/*", false),
    ] {
        client.extra = vec![("Accept".to_owned(), accept.to_owned())];
        let answer = client.auth("GET", "", None);
        let text = String::from_utf8(answer.body.clone()).unwrap();
        assert_eq!(text.contains("boot_args"), is_page, "{accept}");
        assert_eq!(text.contains("\"bridgeInitiateData\""), is_page, "{accept}");
        assert!(text.contains("trustedPhoneNumbers"), "{accept}");
        assert!(!text.contains("auth/bridge/step"), "the bridge is not played: {accept}");
    }
}

#[test]
fn a_commit_may_leave_out_a_size_of_0() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    let slot = json!({"filename": "empty", "type": "FILE", "content_type": "text/plain", "size": "0"});
    let slot = client.call("POST", &format!("{CLOUD_DOCS}/upload/web"), Some(&slot)).json();
    let upload =
        slot[0]["url"].as_str().unwrap().split_once(&sim.address().to_string()).unwrap().1.to_owned();
    assert_eq!(client.call("POST", &upload, None).status, 200);
    let commit = json!({
        "command": "add_file", "document_id": slot[0]["document_id"], "data": {},
        "path": {"starting_document_id": "root", "path": "empty"},
        "allow_conflict": true, "mtime": 1_772_450_553_000_u64, "btime": 1_772_450_553_000_u64,
    });
    let answer = client.call("POST", &format!("{CLOUD_DOCS}/update/documents"), Some(&commit)).json();
    assert_eq!(answer["results"][0]["status"]["status_code"], 0, "{answer}");
    assert_eq!(sim.drive().content("empty").unwrap(), Some(Vec::new()));
}

#[test]
fn a_path_leads_to_an_array_of_items_or_of_documents() {
    let sim = simulator(|_| {});
    sim.drive().write("a/b.txt", "1").unwrap();
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    let look = |client: &mut Client, format: &str| {
        let path = format!("{CLOUD_DOCS}/list/lookup_by_path?unified_format={format}");
        client.call("POST", &path, Some(&json!("a/b.txt"))).json()
    };
    let item = &look(&mut client, "true")[0];
    assert_eq!(
        (&item["name"], &item["extension"], &item["type"]),
        (&json!("b"), &json!("txt"), &json!("FILE"))
    );
    let document = &look(&mut client, "false")[0];
    assert_eq!((&document["name"], &document["document_id"]), (&json!("b.txt"), &item["docwsid"]));
}

#[test]
fn the_devices_can_be_asked_about_and_a_message_leaves_their_code_alone() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.sign_in(PASSWORD);
    client.auth("PUT", DEVICE, None);
    let code = sim.device_code().unwrap();
    let state = client.auth("GET", "/verify/trusteddevice", None);
    assert_eq!((state.status, &state.json()["securityCode"]["length"]), (200, &json!(6)));
    assert_eq!(client.auth("POST", "/verify/trusteddevice", None).status, 405, "the old way to ask");
    // Without the session id of this sign-in no message is sent.
    let id = client.carried.remove("X-Apple-ID-Session-Id").unwrap();
    let message = json!({"phoneNumber": {"id": 1}, "mode": "sms"});
    assert_eq!(client.auth("PUT", "/verify/phone", Some(&message)).status, 412);
    assert!(sim.messages().is_empty());
    client.carried.insert("X-Apple-ID-Session-Id", id);
    client.auth("PUT", "/verify/phone", Some(&json!({"phoneNumber": {"id": 1}, "mode": "sms"})));
    assert_eq!(sim.device_code(), Some(code.clone()));
    assert_eq!(client.submit_code(&code).status, 204);
}

#[test]
fn what_is_left_out_of_a_telephone_counts_as_false() {
    for (switch, flag, taken) in [
        (Fteu::Echo, false, true),
        (Fteu::Echo, true, false),
        (Fteu::Strict, false, false),
        (Fteu::Off, true, true),
    ] {
        let sim = simulator(|config| {
            config.switches.fteu = switch;
            config.account.phones[0].non_fteu = Some(flag);
        });
        let mut client = Client::new(&sim);
        client.sign_in(PASSWORD);
        let phone = json!({"id": 1});
        client.auth("PUT", "/verify/phone", Some(&json!({"phoneNumber": phone, "mode": "sms"})));
        let code = sim.messages()[0].code.clone();
        let body = json!({"securityCode": {"code": code}, "phoneNumber": phone, "mode": "sms"});
        let answer = client.auth("POST", "/verify/phone/securitycode", Some(&body));
        assert_eq!(answer.status, if taken { 204 } else { 400 }, "{switch:?} {flag}");
    }
}

#[test]
fn a_fresh_scnt_goes_with_the_session_id_of_before() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    let before = client.carried["X-Apple-ID-Session-Id"].clone();
    assert_eq!(client.start().status, 200);
    assert_eq!(client.carried["X-Apple-ID-Session-Id"], before, "the page tells none");
    let (init, _) = client.init(NAME, PASSWORD, 9);
    assert_eq!(init.status, 200);
    assert_ne!(client.carried["X-Apple-ID-Session-Id"], before);
}

#[test]
fn one_call_alone_reaches_the_device_and_waits_for_the_person() {
    let sim = simulator(|config| {
        config.account.adp = Some(Adp { consent_after_polls: None, cookies_at_request: 1 });
    });
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    for _ in 0..3 {
        let waiting = request_pcs(&mut client).json();
        assert_eq!(waiting["message"], "Requested the device to upload cookies.");
    }
    assert!(sim.core().state().setup.pcs.asked, "the device shows a question");
    client.call("POST", "/_sim/approve", None);
    assert_eq!(request_pcs(&mut client).json()["status"], "success");
    assert_eq!(client.list().status, 200);
}

#[test]
fn a_kept_session_token_renews_nothing_while_its_cookies_work() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    assert_eq!(client.account_login().status, 200, "clients ask again while they sign in");
    sim.advance(Duration::from_secs(3600));
    assert_eq!(client.account_login().status, 421);
    assert_eq!(client.list().status, 200, "the cookies are as good as before");
    sim.switches(|switches| switches.renew = Renew::Ok);
    assert_eq!(client.account_login().status, 200);
    sim.switches(|switches| switches.renew = Renew::Status421);
    client.cookies.clear();
    assert_eq!(client.account_login().status, 200, "without them it is the way back");
}

#[test]
fn a_code_that_was_taken_is_wrong_the_second_time_also_after_a_lost_answer() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.sign_in(PASSWORD);
    client.auth("PUT", DEVICE, None);
    let code = sim.device_code().unwrap();
    let lost = json!({"faults": [{"kind": "code.submit", "effect": "applied-reply-lost"}]});
    client.call("POST", "/_sim/switches", Some(&lost));
    let stream = client.connect();
    let body = json!({"securityCode": {"code": code}});
    assert!(client.call_on(&stream, "POST", &format!("/appleauth/auth{DEVICE}"), Some(&body)).is_none());
    assert_eq!(client.submit_code(&code).code(), "-21669");
    // The code was good: what comes after it is open.
    assert_eq!(client.trust().status, 204);
    assert_eq!(client.account_login().json()["hsaTrustedBrowser"], true);
}
