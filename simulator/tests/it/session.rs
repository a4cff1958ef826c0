//! Sessions on the web (docs/protocol.md §3.6, §4.8, §5, §6).

use std::time::Duration;

use icloudds_simulator::account::{Adp, Readiness, WebAccess};
use icloudds_simulator::control::Expire;
use icloudds_simulator::switches::{Region, SessionTrouble, Throttle};
use icloudds_simulator::{SimConfig, Simulator};
use serde_json::{Value, json};

use crate::client::{Client, PASSWORD, simulator};

const TOKEN: &str = "X-APPLE-WEBAUTH-TOKEN";

fn logged_in(change: impl FnOnce(&mut SimConfig)) -> (Simulator, Client) {
    let sim = simulator(change);
    let mut client = Client::new(&sim);
    assert_eq!(client.log_in(&sim).status, 200);
    (sim, client)
}

/// A docws call, whatever it answers after the session check.
fn slot(client: &mut Client) -> crate::client::Answer {
    client.call(
        "POST",
        "/docws/ws/com.apple.CloudDocs/upload/web",
        Some(&json!({"filename": "a.txt", "type": "FILE", "content_type": "text/plain", "size": 1})),
    )
}

/// What an unfinished or finished drive half answers once the session is accepted: anything but a session error.
fn is_let_in(status: u16) -> bool {
    ![400, 401, 403, 421, 423, 429, 503].contains(&status)
}

#[test]
fn account_login_wants_a_live_session_token() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    let answer = client.account_login();
    assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("Missing apple_id field")));
    client.carried.insert("X-Apple-Session-Token", "forged".to_owned());
    let answer = client.account_login();
    assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("Invalid Session Token")));

    client.log_in(&sim);
    assert_eq!(client.account_login().status, 200, "again, without a password");
    sim.expire(Expire::SessionToken);
    assert_eq!(client.account_login().status, 400);
}

#[test]
fn before_the_code_the_login_is_a_partial_one() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.sign_in(PASSWORD);
    let login = client.account_login();
    assert_eq!(login.status, 200);
    assert_eq!(login.json()["hsaTrustedBrowser"], false);
    assert_eq!(login.json()["hsaChallengeRequired"], true);
    let refused = client.list();
    assert_eq!((refused.status, &refused.json()["error_code"]), (400, &json!("AUTHENTICATION_FAILED")));
}

#[test]
fn cookies_are_really_checked() {
    let (sim, mut client) = logged_in(|_| {});
    assert!(is_let_in(client.list().status));
    let good = client.cookies.clone();
    for (name, value) in [
        (TOKEN, None),
        (TOKEN, Some("\"v=2:t=forged\"")),
        ("X-APPLE-WEBAUTH-USER", None),
        ("X-APPLE-WEBAUTH-USER", Some("\"v=1:s=1:d=1\"")),
        ("X-APPLE-DS-WEB-SESSION-TOKEN", Some("forged")),
    ] {
        client.cookies = good.clone();
        client.cookies.remove(name);
        if let Some(value) = value {
            client.cookies.insert(name.to_owned(), value.to_owned());
        }
        for answer in [client.list(), client.setup("validate", &Value::Null)] {
            assert_eq!(answer.status, 421, "{name} {value:?}");
            assert_eq!(answer.json()["error"], format!("Missing {name} cookie"));
            assert_eq!(answer.json()["success"], false);
        }
    }
    client.cookies = good;
    assert!(is_let_in(client.list().status));
    assert!(sim.violations().is_empty());
    let unquoted = client.cookies[TOKEN].trim_matches('"').to_owned();
    client.cookies.insert(TOKEN.to_owned(), unquoted);
    assert!(is_let_in(client.list().status));
    assert_eq!(sim.violations().len(), 1, "lost quotes are noticed");
}

#[test]
fn sessions_end_with_time_or_by_order() {
    let (sim, mut client) = logged_in(|_| {});
    sim.advance(Duration::from_secs(29 * 24 * 3600));
    assert!(is_let_in(client.list().status));
    sim.advance(Duration::from_secs(2 * 24 * 3600));
    assert_eq!(client.list().status, 421);
    assert_eq!(client.account_login().status, 200, "the session token lives longer");
    assert!(is_let_in(client.list().status));
    sim.expire(Expire::Session);
    assert_eq!(client.list().status, 421);
}

#[test]
fn a_new_upload_token_comes_with_validate() {
    let (sim, mut client) = logged_in(|_| {});
    let old = client.cookies["X-APPLE-WEBAUTH-VALIDATE"].clone();
    assert!(old.starts_with("\"v=1:t="));
    client.setup("validate", &Value::Null);
    assert_eq!(client.cookies["X-APPLE-WEBAUTH-VALIDATE"], old);
    sim.expire(Expire::UploadToken);
    client.setup("validate", &Value::Null);
    assert_ne!(client.cookies["X-APPLE-WEBAUTH-VALIDATE"], old);
}

#[test]
fn logout_deletes_cookies() {
    let (_sim, mut client) = logged_in(|_| {});
    let answer = client.setup("logout", &json!({"trustBrowser": true, "allBrowsers": false}));
    assert_eq!(answer.json()["success"], true);
    assert!(!client.cookies.contains_key(TOKEN));
    assert!(client.cookies.contains_key("X-APPLE-WEBAUTH-HSA-TRUST"));
    assert_eq!(client.list().status, 421);
    assert_eq!(client.account_login().status, 400);
}

#[test]
fn a_changed_password_voids_everything() {
    let (_sim, mut client) = logged_in(|_| {});
    let answer = client.call("POST", "/_sim/password", Some(&json!({"password": "another one"})));
    assert_eq!(answer.status, 200);
    assert_eq!(client.list().status, 421);
    assert_eq!(client.account_login().status, 400);
    client.carried.remove("scnt");
    client.carried.remove("X-Apple-ID-Session-Id");
    assert_eq!(client.sign_in(PASSWORD).status, 401);
    assert_eq!(client.sign_in("another one").status, 409, "the trust is gone too");
}

#[test]
fn wrong_region_terms_and_no_web_access() {
    let (sim, mut client) = logged_in(|_| {});
    sim.switches(|switches| switches.region = Region::DomainToUse);
    assert_eq!(client.account_login().json(), json!({"domainToUse": "iCloud.com.cn"}));
    sim.switches(|switches| switches.region = Region::Match);
    for (access, status) in
        [(WebAccess::EmptyWebservices, 403), (WebAccess::AccessDenied, 403), (WebAccess::Status421, 421)]
    {
        sim.account(|account| account.web_access = access);
        let services = client.account_login().json()["webservices"].clone();
        assert_eq!(services == json!({}), access == WebAccess::EmptyWebservices);
        assert_eq!(client.list().status, status, "{access:?}");
    }
    sim.account(|account| {
        account.web_access = WebAccess::On;
        account.login_error = Some("no".to_owned());
    });
    assert_eq!(client.account_login().json()["hasError"], true);
}

#[test]
fn terms_withhold_the_main_cookies_until_accepted() {
    let sim = simulator(|config| config.account.terms_pending = true);
    let mut client = Client::new(&sim);
    let login = client.log_in(&sim);
    assert_eq!((login.status, &login.json()["termsUpdateNeeded"]), (200, &json!(true)));
    assert!(!client.cookies.contains_key(TOKEN));
    assert_eq!(client.list().status, 421);
    let pcs = json!({"appName": "iclouddrive", "derivedFromUserAction": true});
    assert_eq!(client.setup("requestPCS", &pcs).status, 500);
    let terms = client.call("GET", "/setup/ws/1/getTerms", Some(&json!({"locale": "en_US"})));
    let version = terms.json()["iCloudTerms"]["version"].clone();
    assert_eq!(
        client.call("GET", "/setup/ws/1/repairDone", Some(&json!({"acceptedICloudTerms": 1}))).status,
        400
    );
    let done = client.call("GET", "/setup/ws/1/repairDone", Some(&json!({"acceptedICloudTerms": version})));
    assert_eq!(done.json()["success"], true);
    assert_eq!(client.account_login().json()["termsUpdateNeeded"], false);
    assert!(is_let_in(client.list().status));
}

#[test]
fn a_drive_that_is_not_ready() {
    let (sim, mut client) = logged_in(|config| config.account.readiness = Readiness::Preparing(2));
    for _ in 0..2 {
        let answer = client.list();
        assert_eq!((answer.status, answer.body.as_slice()), (400, b"Bad Request".as_slice()));
    }
    assert!(is_let_in(client.list().status));
    sim.account(|account| account.readiness = Readiness::NeverSetUp);
    assert_eq!(client.list().json()["error_code"], "ZONE_NOT_FOUND");
}

#[test]
fn the_way_to_pcs_cookies_has_an_order() {
    let (sim, mut client) = logged_in(|config| config.account.adp = Some(Adp::default()));
    let missing = client.list();
    assert_eq!((missing.status, &missing.json()["errorCode"]), (423, &json!(423)));
    let missing = slot(&mut client);
    assert_eq!(missing.status, 400);
    assert_eq!(missing.json()["reason"], "Cannot find PCS auth info from request");

    let state = |client: &mut Client| client.setup("requestWebAccessState", &Value::Null).json();
    let first = state(&mut client);
    assert_eq!((&first["isICDRSDisabled"], &first["isDeviceConsentedForPCS"]), (&json!(true), &json!(false)));
    assert_eq!(first["deviceConsentForPCSExpiry"], Value::Null);
    assert_eq!(state(&mut client)["isDeviceConsentedForPCS"], false, "nobody was asked");
    let asked = client.setup("enableDeviceConsentForPCS", &Value::Null);
    assert_eq!(asked.json()["isDeviceConsentNotificationSent"], true);
    assert_eq!(state(&mut client)["isDeviceConsentedForPCS"], false);
    assert_eq!(state(&mut client)["isDeviceConsentedForPCS"], true);
    let answers: Vec<Value> = [true, false, false]
        .iter()
        .map(|first| {
            client
                .setup("requestPCS", &json!({"appName": "iclouddrive", "derivedFromUserAction": first}))
                .json()
        })
        .collect();
    assert_eq!(answers[0]["message"], "Requested the device to upload cookies.");
    assert_eq!(answers[1]["message"], "Cookies not available yet on server.");
    assert_eq!(answers[2]["status"], "success");
    assert!(client.cookies.contains_key("X-APPLE-WEBAUTH-PCS-Documents"));
    assert!(is_let_in(client.list().status) && is_let_in(slot(&mut client).status));
    assert_eq!(sim.violations(), Vec::<String>::new());
    sim.expire(Expire::Pcs);
    assert_eq!(client.list().status, 423);
}

#[test]
fn pcs_waits_for_a_person_whichever_call_asks_first() {
    let (sim, mut client) = logged_in(|config| {
        config.account.adp = Some(Adp { consent_after_polls: None, cookies_at_request: 1 });
    });
    let pcs = json!({"appName": "iclouddrive", "derivedFromUserAction": true});
    // Clients that know no other call ask with this one; it gives nothing before a person consented.
    assert_ne!(client.setup("requestPCS", &pcs).json()["status"], "success");
    assert_eq!(sim.violations(), Vec::<String>::new());
    client.setup("enableDeviceConsentForPCS", &Value::Null);
    for _ in 0..5 {
        let state = client.setup("requestWebAccessState", &Value::Null);
        assert_eq!(state.json()["isDeviceConsentedForPCS"], false);
    }
    client.call("POST", "/_sim/approve", None);
    assert_eq!(client.setup("requestPCS", &pcs).json()["status"], "success");
}

#[test]
fn without_advanced_protection_no_pcs_is_needed() {
    let (sim, mut client) = logged_in(|_| {});
    let state = client.setup("requestWebAccessState", &Value::Null);
    let dsid = sim.core().state().account.dsid.clone();
    assert_eq!(state.json(), json!({"dsid": dsid, "isWebAccessAllowed": true}));
}

#[test]
fn session_troubles_strike_once() {
    let (sim, mut client) = logged_in(|_| {});
    sim.switches(|switches| switches.session = SessionTrouble::Once401);
    assert_eq!(client.list().status, 401);
    assert!(is_let_in(client.list().status));

    sim.switches(|switches| switches.session = SessionTrouble::Body421);
    assert_eq!(client.list().json()["error"], format!("Missing {TOKEN} cookie"));
    assert_eq!(client.setup("validate", &Value::Null).status, 421);
    client.account_login();
    assert!(is_let_in(client.list().status));

    let stream = client.connect();
    let path = "/drivews/retrieveItemDetailsInFolders";
    let body = json!([{"drivewsid": "FOLDER::com.apple.CloudDocs::root"}]);
    let kept = client.call_on(&stream, "POST", path, Some(&body)).unwrap();
    assert!(is_let_in(kept.status));
    sim.switches(|switches| switches.session = SessionTrouble::Misrouted421);
    let misrouted = client.call_on(&stream, "POST", path, Some(&body)).unwrap();
    assert_eq!((misrouted.status, misrouted.body.as_slice()), (421, b"Misdirected Request".as_slice()));
    assert!(is_let_in(client.list().status), "a new connection");

    sim.switches(|switches| switches.session = SessionTrouble::Rotating);
    let info = client.account_login().json();
    assert_eq!(info["webservices"]["drivews"]["url"], format!("{}/p32-drivews", sim.url()));
    assert_eq!(client.list().status, 421, "the old partition");
    assert!(is_let_in(client.call("POST", "/p32-drivews/retrieveItemDetailsInFolders", Some(&body)).status));
}

#[test]
fn throttling_strikes_one_call_in_so_many() {
    for (throttle, status) in
        [(Throttle::Status429, 429), (Throttle::Html503, 503), (Throttle::AccessDenied, 403)]
    {
        let (_sim, mut client) = logged_in(|config| {
            config.switches.throttle = throttle;
            config.switches.throttle_every = 3;
        });
        let statuses: Vec<bool> = (0..6).map(|_| client.list().status == status).collect();
        assert_eq!(statuses, [false, false, true, false, false, true]);
    }
}

#[test]
fn two_step_verification_of_old_accounts() {
    let sim = simulator(|config| config.account.hsa_version = 1);
    let mut client = Client::new(&sim);
    let conflict = client.sign_in(PASSWORD);
    assert_eq!((conflict.status, &conflict.json()["authType"]), (409, &json!("hsa")));
    let login = client.account_login().json();
    assert_eq!((&login["hsaChallengeRequired"], &login["dsInfo"]["hsaVersion"]), (&json!(true), &json!(1)));
    let devices = client.call("GET", "/setup/ws/1/listDevices", None).json();
    let mut device = devices["devices"][1].clone();
    assert_eq!(device["phoneNumber"], "*******78");
    assert_eq!(client.setup("sendVerificationCode", &json!({"deviceId": "9"})).json()["success"], false);
    assert_eq!(client.setup("sendVerificationCode", &device).json()["success"], true);
    let sent = sim.messages().pop().unwrap();
    device["trustBrowser"] = json!(true);
    device["verificationCode"] = json!("wrong");
    assert_eq!(client.setup("validateVerificationCode", &device).json()["errorCode"], "-21669");
    device["verificationCode"] = json!(sent.code);
    assert_eq!(client.setup("validateVerificationCode", &device).json()["success"], true);
    assert_eq!(client.trust().status, 204);
    assert_eq!(client.account_login().json()["hsaTrustedBrowser"], true);
    assert!(is_let_in(client.list().status));
}

#[test]
fn under_the_real_names_cookies_and_roots_are_the_real_ones() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    client.set_cookies.clear();
    for (name, value) in [
        ("Host", "setup.icloud.com"),
        ("Origin", "https://www.icloud.com"),
        ("Referer", "https://www.icloud.com/"),
        ("X-Forwarded-Proto", "https"),
    ] {
        client.extra.push((name.to_owned(), value.to_owned()));
    }
    let info = client.account_login().json();
    assert_eq!(info["webservices"]["docws"]["url"], "https://p31-docws.icloud.com:443");
    assert!(!client.set_cookies.is_empty());
    for cookie in &client.set_cookies {
        assert!(cookie.contains("Domain=.icloud.com; Secure"), "{cookie}");
    }
    client.extra[0].1 = "p31-drivews.icloud.com:443".to_owned();
    let listing = client.call("POST", "/retrieveItemDetailsInFolders", Some(&json!([])));
    assert!(![401, 403, 421].contains(&listing.status), "{}", listing.status);
    client.extra[0].1 = "setup.icloud.com.cn".to_owned();
    assert_eq!(client.account_login().json(), json!({"domainToUse": "iCloud.com"}));
}
