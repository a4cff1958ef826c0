use super::super::Rung;
use super::*;
use crate::icloud::service::Service;
use crate::icloud::testing::*;
use crate::model::Stopped;
use serde_json::json;

const LIST_DEVICES_ROUTE: &str = "GET /setup/ws/1/listDevices";
const SEND_STEP_ROUTE: &str = "POST /setup/ws/1/sendVerificationCode";
const STEP_CODE_ROUTE: &str = "POST /setup/ws/1/validateVerificationCode";
const STATE_ROUTE: &str = "POST /setup/ws/1/requestWebAccessState";
const CONSENT_ROUTE: &str = "POST /setup/ws/1/enableDeviceConsentForPCS";
const KEYS_ROUTE: &str = "POST /setup/ws/1/requestPCS";

fn phones() -> Value {
    json!([
        {"id": 1, "numberWithDialCode": "+1 (•••) •••-••34", "pushMode": "sms", "nonFTEU": false},
        {"id": 7, "obfuscatedNumber": "•••-••99", "pushMode": "voice"}
    ])
}

/// An account with two-factor authentication, after the password was accepted.
fn half_open() -> (Bench, Service) {
    let bench = Bench::new();
    let body = json!({"authType": "hsa2", "trustedPhoneNumbers": phones()});
    let conflict = complete_reply(409).body(&body.to_string());
    let trusted = Reply::new(204)
        .header("X-Apple-Session-Token", "session-token-2")
        .header("X-Apple-TwoSV-Trust-Token", "trust-token-2");
    bench
        .server
        .on(COMPLETE, [conflict])
        .on(DEVICE, [Reply::new(202)])
        .on(DEVICE_CODE_ROUTE, [Reply::new(204)])
        .on(PHONE, [Reply::json(200, json!({}))])
        .on(PHONE_CODE_ROUTE, [Reply::new(200)])
        .on(TRUST, [trusted]);
    let service = bench.open();
    let error = service.sign_in(Initiative::Unattended).expect_err("a code is needed");
    assert!(error.needs_code() && error.exit_code().code() == 8, "{error:?}");
    bench.server.take();
    (bench, service)
}

#[test]
fn waiting_for_a_code_asks_nobody_and_sends_nothing_however_often_it_restarts() {
    let (bench, _) = half_open();
    for _ in 0..10 {
        let error = bench.open().sign_in(Initiative::Unattended).expect_err("still waiting");
        assert!(error.needs_code(), "{error:?}");
    }
    assert_eq!(bench.server.routes(), [""; 0]);
}

#[test]
fn another_process_asks_for_a_code_and_submits_it_and_the_daemon_goes_on() {
    let (bench, daemon) = half_open();
    let by_hand = bench.open();
    by_hand.account().set_password(None);
    let ways = by_hand.account().ways().expect("ways");
    assert_eq!(ways.numbers, ["+1 (•••) •••-••34", "•••-••99"]);
    assert_eq!(ways.voice, [2]);
    by_hand.account().send_code(SendTo::Device).expect("sent");
    bench.open().account().submit_code(" 123-456 ").expect("accepted");
    let seen = bench.server.take();
    let routes: Vec<&str> = seen.iter().map(|request| request.route.as_str()).collect();
    assert_eq!(routes, [DEVICE, DEVICE_CODE_ROUTE, TRUST, LOGIN]);
    assert_eq!(seen[0].body, "");
    assert_eq!(seen[1].json(), json!({"securityCode": {"code": "123456"}}));
    assert_eq!(seen[3].json()["dsWebAuthToken"], "session-token-2");
    assert_eq!(seen[3].json()["trustToken"], "trust-token-2");
    assert_eq!(daemon.account().state().needs_code, Some(FactorKind::TwoFactor));
    daemon.sign_in(Initiative::Unattended).expect("goes on by itself");
    assert_eq!(bench.server.routes(), [""; 0]);
    assert!(daemon.account().state().signed_in);
}

#[test]
fn a_phone_code_goes_back_to_the_phone_endpoint() {
    let (bench, service) = half_open();
    service.account().send_code(SendTo::Number(1)).expect("sent");
    service.account().submit_code("١٢٣٤٥٦").expect_err("other scripts' digits are not folded");
    service.account().submit_code("１２３４５６").expect("full-width digits are");
    let seen = bench.server.take();
    assert_eq!(seen[0].body, r#"{"phoneNumber":{"id":1,"nonFTEU":false},"mode":"sms"}"#);
    assert_eq!(
        seen[1].body,
        r#"{"securityCode":{"code":"123456"},"phoneNumber":{"id":1,"nonFTEU":false},"mode":"sms"}"#
    );
    let (bench, service) = half_open();
    service.account().send_code(SendTo::Number(2)).expect("sent");
    assert_eq!(bench.server.take()[0].body, r#"{"phoneNumber":{"id":7},"mode":"voice"}"#);
    let error = service.account().send_code(SendTo::Number(3)).expect_err("not listed");
    assert_eq!(error.exit_code().code(), 9);
    service.account().send_code(SendTo::Voice(1)).expect("called");
    service.account().submit_code("123456").expect("accepted");
    let seen = bench.server.take();
    assert_eq!(seen[0].body, r#"{"phoneNumber":{"id":1,"nonFTEU":false},"mode":"voice"}"#);
    assert!(seen[1].body.ends_with(r#""phoneNumber":{"id":1,"nonFTEU":false},"mode":"voice"}"#));
}

#[test]
fn a_409_that_did_what_was_asked_is_no_refusal() {
    let state = json!({"authType": "hsa2", "trustedPhoneNumbers": phones()});
    let (bench, service) = half_open();
    bench.server.on(PHONE, [Reply::json(409, state)]).on(DEVICE, [Reply::new(409)]);
    service.account().send_code(SendTo::Number(1)).expect("sent");
    service.account().send_code(SendTo::Device).expect("sent");
    bench.server.on(PHONE, [Reply::refusal(409, "-28248")]);
    let error = service.account().send_code(SendTo::Number(1)).expect_err("an error is one");
    assert_eq!(error.exit_code().code(), 9, "{error:?}");
    let locked = json!({"securityCode": {"tooManyCodesSent": true}});
    bench.server.on(PHONE, [Reply::json(409, locked)]);
    let error = service.account().send_code(SendTo::Number(1)).expect_err("locked");
    assert!(matches!(error, SignInError::CodesLocked { sending: true }), "{error:?}");
}

#[test]
fn phones_are_found_wherever_the_service_puts_them() {
    let inner = json!({"trustedPhoneNumbers": phones(), "hasTrustedDevices": false});
    let bridge = json!({"direct": {
        "authInitialRoute": "auth/bridge/step",
        "twoSV": {
            "phoneNumberVerification": {"trustedPhoneNumbers": []},
            "bridgeInitiateData": {"phoneNumberVerification": inner.clone()},
        },
    }});
    let page =
        format!("<html><script type=\"application/json\" class=\"boot_args\">{bridge}</script></html>");
    for body in [
        inner.to_string(),
        json!({"phoneNumberVerification": inner}).to_string(),
        json!({"twoSV": {"bridgeInitiateData": {"phoneNumberVerification": inner}}}).to_string(),
        bridge.to_string(),
        page,
    ] {
        for status in [200, 409] {
            let (bench, service) = half_open();
            bench.server.on(COMPLETE, [complete_reply(409).body(r#"{"authType":"hsa2"}"#)]);
            bench.server.on("GET /appleauth/auth", [Reply::new(status).body(&body)]);
            service.account().climb(Rung::Password, Initiative::Person).expect_err("a code is needed");
            let ways = service.account().ways().expect("ways");
            assert_eq!((ways.numbers.len(), ways.device), (2, false), "{status} {body}");
        }
    }
}

#[test]
fn codes_are_judged_by_body_then_error_code_then_status() {
    let valid = |status, valid: bool| {
        Reply::json(status, json!({"securityCode": {"code": "123456", "valid": valid}}))
    };
    let token = |reply: Reply| reply.header("X-Apple-Session-Token", "session-token-2");
    let locked = Reply::json(200, json!({"securityCode": {"securityCodeLocked": true}}));
    // 0 = signed in, else the exit code.
    for (reply, code) in [
        (Reply::new(204), 0),
        (Reply::new(200), 0),
        (valid(409, true), 0),
        (token(Reply::new(409)), 0),
        (Reply::new(409), 11),
        (valid(412, true), 0),
        (valid(412, false), 11),
        (valid(409, false), 11),
        (valid(200, false), 11),
        (Reply::refusal(401, "-21669"), 11),
        (Reply::refusal(400, "-21669"), 11),
        (Reply::refusal(200, "-99999"), 11),
        (Reply::new(412), 11),
        (Reply::new(423), 11),
        (locked, 11),
        (Reply::new(500), 7),
        (Reply::new(429), 7),
        (Reply::new(401), 8),
        (Reply::new(403), 8),
        (Reply::new(421), 8),
    ] {
        let (bench, service) = half_open();
        bench.server.on(DEVICE_CODE_ROUTE, [reply.clone()]).on(REPAIR, [Reply::new(200)]);
        let outcome = service.account().submit_code("123456");
        let got = outcome.as_ref().err().map_or(0, |error| error.exit_code().code());
        assert_eq!(got, code, "{reply:?}: {outcome:?}");
    }
}

#[test]
fn an_expired_half_open_sign_in_is_opened_again_with_the_password() {
    let (bench, service) = half_open();
    bench.server.on(DEVICE, [Reply::new(401), Reply::new(202)]);
    service.account().send_code(SendTo::Device).expect("sent after all");
    let routes = bench.server.routes();
    assert_eq!(routes.iter().filter(|route| route.contains("complete")).count(), 1, "{routes:?}");
    bench.server.on(DEVICE_CODE_ROUTE, [Reply::new(421), Reply::new(204)]);
    let error = service.account().submit_code("123456").expect_err("that code is void");
    assert!(matches!(error, SignInError::CodeExpired), "{error:?}");
    service.account().submit_code("123456").expect("the next one is not");
    // Without a password it says so.
    let (bench, service) = half_open();
    service.account().set_password(None);
    bench.server.on(DEVICE, [Reply::new(401)]);
    assert!(matches!(service.account().send_code(SendTo::Device), Err(SignInError::MissingPassword)));
}

#[test]
fn only_what_account_login_says_counts_as_trust() {
    let (bench, service) = half_open();
    let mut info = bench.info();
    info["hsaTrustedBrowser"] = json!(false);
    bench.server.on(TRUST, [Reply::new(403)]).on(LOGIN, [Reply::json(200, info)]);
    let error = service.account().submit_code("123456").expect_err("not trusted");
    assert!(matches!(error, SignInError::NotTrusted) && error.exit_code().code() == 11, "{error:?}");
    assert_eq!(service.account().state().needs_code, Some(FactorKind::TwoFactor));
    // A failing trust call alone decides nothing.
    bench.server.on(LOGIN, [login_reply(bench.info())]);
    service.account().submit_code("123456").expect("trusted");
}

#[test]
fn a_code_that_cannot_be_sent_says_so() {
    for (reply, locked) in [(Reply::new(423), true), (Reply::new(429), false), (Reply::new(412), false)] {
        let (bench, service) = half_open();
        bench.server.on(DEVICE, [reply]);
        let error = service.account().send_code(SendTo::Device).expect_err("not sent");
        assert_eq!(matches!(error, SignInError::CodesLocked { sending: true }), locked, "{error:?}");
        assert_eq!(error.exit_code().code(), 9);
        assert_eq!(service.account().state().back_off, None);
    }
    let bench = Bench::new();
    let service = bench.open();
    assert!(matches!(service.account().send_code(SendTo::Device), Err(SignInError::NoCodeExpected)));
}

#[test]
fn phones_are_asked_for_only_when_the_refusal_named_none_and_read_from_every_form() {
    let nested = json!({"phoneNumberVerification": {"trustedPhoneNumbers": phones()}}).to_string();
    let deep = json!({"direct": {"twoSV": {"phoneNumberVerification": {"trustedPhoneNumbers": phones()}}}});
    let page =
        format!("<html><script type=\"application/json\" class=\"boot_args\">\n{deep}\n</script></html>");
    for body in [nested, page] {
        let (bench, service) = half_open();
        service.account().session().half_open.as_mut().expect("half open").phones.clear();
        bench.server.on("GET /appleauth/auth", [Reply::new(200).body(&body)]);
        assert_eq!(service.account().ways().expect("ways").numbers.len(), 2, "{body}");
        assert_eq!(bench.server.take().len(), 1);
        service.account().ways().expect("remembered");
        assert_eq!(bench.server.take().len(), 0);
    }
}

#[test]
fn security_keys_are_refused_once_and_for_all() {
    for body in [
        json!({"authType": "hsa2", "fsaChallenge": {"challenge": "x"}}),
        json!({"authType": "hsa2", "keyNames": ["YubiKey"]}),
    ] {
        let bench = Bench::new();
        bench.server.on(COMPLETE, [complete_reply(409).body(&body.to_string())]);
        for _ in 0..3 {
            let error = bench.open().sign_in(Initiative::Unattended).expect_err("refused");
            assert!(matches!(error, SignInError::SecurityKeys) && error.exit_code().code() == 8, "{error:?}");
        }
        let proofs = bench.server.take().into_iter().filter(|seen| seen.route == COMPLETE).count();
        assert_eq!(proofs, 1);
        assert!(matches!(bench.open().account().submit_code("123456"), Err(SignInError::SecurityKeys)));
    }
}

#[test]
fn a_two_step_account_lists_its_devices_sends_and_submits() {
    let bench = Bench::new();
    let mut untrusted = bench.info();
    untrusted["dsInfo"]["hsaVersion"] = json!(1);
    untrusted["hsaTrustedBrowser"] = json!(false);
    let device = json!({"deviceType": "SMS", "areaCode": "", "phoneNumber": "*******58", "deviceId": "1"});
    let wrong =
        json!({"success": false, "service_errors": [{"code": "-21669", "message": "Incorrect code"}]});
    bench
        .server
        .on(COMPLETE, [complete_reply(409).body(&json!({"authType": "sa"}).to_string())])
        .on(LOGIN, [login_reply(untrusted), login_reply(bench.info())])
        .on(LIST_DEVICES_ROUTE, [Reply::json(200, json!({"devices": [device]}))])
        .on(SEND_STEP_ROUTE, [Reply::json(200, json!({"success": true}))])
        .on(STEP_CODE_ROUTE, [Reply::json(200, wrong), Reply::json(200, json!({"success": true}))])
        .on(TRUST, [Reply::new(404)]);
    let service = bench.open();
    let error = service.sign_in(Initiative::Unattended).expect_err("a code is needed");
    assert!(matches!(error, SignInError::CodeNeeded { kind: FactorKind::TwoStep }), "{error:?}");
    assert_eq!(service.account().ways().expect("ways").numbers, ["*******58"]);
    service.account().send_code(SendTo::Number(1)).expect("sent");
    let error = service.account().submit_code("1234").expect_err("wrong");
    assert_eq!(error.exit_code().code(), 10);
    service.account().submit_code("4321").expect("accepted");
    let seen = bench.server.take();
    let codes: Vec<Value> =
        seen.iter().filter(|request| request.route == STEP_CODE_ROUTE).map(Seen::json).collect();
    assert_eq!(codes[1]["verificationCode"], "4321");
    assert_eq!((&codes[1]["deviceId"], &codes[1]["trustBrowser"]), (&json!("1"), &json!(true)));
    bench.server.on(SEND_STEP_ROUTE, [Reply::json(200, json!({"success": false}))]);
}

#[test]
fn keys_for_web_access_wait_for_a_person_and_then_for_the_device() {
    let bench = Bench::new();
    let service = bench.open();
    service.sign_in(Initiative::Unattended).expect("signed in");
    bench.server.take();
    let state = |consented: bool| {
        Reply::json(200, json!({"isICDRSDisabled": true, "isDeviceConsentedForPCS": consented}))
    };
    let pending = Reply::json(200, json!({"message": "Requested the device to upload cookies."}));
    let done = Reply::json(200, json!({"status": "success"}))
        .header("Set-Cookie", "X-APPLE-WEBAUTH-PCS-Documents=pcs-cookie-1; Path=/; Secure");
    bench
        .server
        .on(STATE_ROUTE, [state(false), state(false), state(true)])
        .on(CONSENT_ROUTE, [Reply::json(200, json!({"isDeviceConsentNotificationSent": true}))])
        .on(KEYS_ROUTE, [pending.clone(), pending.clone(), done]);
    service.account().unlock_web_access().expect("unlocked");
    let seen = bench.server.take();
    let keys: Vec<Value> =
        seen.iter().filter(|request| request.route == KEYS_ROUTE).map(Seen::json).collect();
    assert_eq!(keys[0], json!({"appName": "iclouddrive", "derivedFromUserAction": true}));
    assert_eq!(keys[2]["derivedFromUserAction"], json!(false));
    let waits: Vec<u64> =
        bench.world.waits.lock().expect("waits").iter().map(|span| span.as_secs()).collect();
    assert_eq!(waits, [5, 5, 10, 10]);
    assert!(bench.stored().contains("pcs-cookie-1"));
    // Nobody allows it: one sentence that names the setting, and an hour of peace.
    bench.server.on(STATE_ROUTE, [state(false)]);
    let error = service.account().unlock_web_access().expect_err("nobody allows it");
    assert!(error.advice().contains("'Access iCloud Data on the Web'"), "{error:?}");
    bench.server.take();
    service.account().unlock_web_access().expect_err("not asked again");
    assert_eq!(bench.server.take().len(), 0);
    // No keys are needed at all; a person who acted need not wait for the hour to pass.
    service.sign_in(Initiative::Person).expect("still signed in");
    assert_eq!(bench.server.routes(), ["POST validate"], "a person wants to know how it is now");
    bench.server.on(STATE_ROUTE, [Reply::json(200, json!({"isICDRSDisabled": false}))]);
    service.account().unlock_web_access().expect("nothing to unlock");
    assert_eq!(bench.server.take().len(), 1);
    // The wait can be cancelled.
    bench.server.on(STATE_ROUTE, [state(true)]).on(KEYS_ROUTE, [pending]);
    bench.world.stop_after.store(1, std::sync::atomic::Ordering::SeqCst);
    let error = service.account().unlock_web_access().expect_err("stopped");
    assert!(matches!(error, SignInError::Stopped(Stopped)), "{error:?}");
}

#[test]
fn a_partial_session_is_renewed_once_before_the_keys_are_asked_for_again() {
    let bench = Bench::new();
    let service = bench.open();
    service.sign_in(Initiative::Unattended).expect("signed in");
    let mut terms = bench.info();
    terms["termsUpdateNeeded"] = json!(true);
    let partial = json!({"success": false, "error": "Missing X-APPLE-WEBAUTH-TOKEN cookie"});
    bench
        .server
        .on(
            STATE_ROUTE,
            [Reply::json(200, json!({"isICDRSDisabled": true, "isDeviceConsentedForPCS": true}))],
        )
        .on(KEYS_ROUTE, [Reply::json(500, partial)])
        .on(LOGIN, [Reply::json(200, terms)]);
    let error = service.account().unlock_web_access().expect_err("terms");
    assert!(matches!(error, SignInError::Terms), "{error:?}");
}

#[test]
fn trust_is_renewed_with_the_password_and_what_fails_leaves_the_session_as_it_was() {
    const DAY: i64 = 86_400;
    let (bench, service) = half_open();
    let cookie = |days: i64| {
        login_reply(bench.info()).header(
            "Set-Cookie",
            &format!("X-APPLE-WEBAUTH-HSA-TRUST=trust-cookie-2; Path=/; Secure; Max-Age={}", days * DAY),
        )
    };
    bench.server.on(LOGIN, [cookie(60)]);
    service.account().submit_code("123456").expect("accepted");
    bench.server.take();
    bench.world.advance(29 * DAY);
    assert!(!service.account().prolong_trust().expect("too early"));
    assert_eq!(bench.server.take().len(), 0);
    bench.world.advance(DAY + 1);
    let stored = bench.stored();
    let pick = |text: &str, name: &str| serde_json::from_str::<Value>(text).expect("JSON")[name].clone();
    // The trust token is not accepted any more: nobody is asked for a code while the session holds.
    assert!(!service.account().prolong_trust().expect("no failure"));
    assert!(bench.server.routes().ends_with(&["POST signin/complete".to_owned()]));
    for name in ["tokens", "cookies", "info", "half_open"] {
        assert_eq!(pick(&bench.stored(), name), pick(&stored, name), "{name}");
    }
    assert!(service.account().state().signed_in);
    bench.world.advance(DAY);
    assert!(!service.account().prolong_trust().expect("not tried again so soon"));
    assert_eq!(bench.server.routes(), [""; 0]);
    bench.server.on(COMPLETE, [complete_reply(200)]);
    bench.world.advance(15 * DAY);
    assert!(service.account().prolong_trust().expect("renewed"));
    let routes = bench.server.routes();
    assert!(
        routes.contains(&"POST signin/complete".to_owned())
            && routes.ends_with(&["POST accountLogin".to_owned()])
    );
    assert!(
        !routes.iter().any(|route| route.contains("2sv/trust") || route.contains("verify")),
        "{routes:?}"
    );
    // Without a password nothing is sent, and a person is told in time.
    service.account().set_password(None);
    bench.world.advance(50 * DAY);
    assert!(!service.account().prolong_trust().expect("nothing to renew it with"));
    assert_eq!(bench.server.routes(), [""; 0]);
    assert_eq!(service.account().state().trust_days_left, Some(10));
}
