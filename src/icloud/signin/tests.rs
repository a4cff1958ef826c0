//! The sign-in against every answer of `docs/protocol.md` §3 and §5, over real HTTP.

use super::*;
use crate::icloud::options::Region;
use crate::icloud::request::{Request, Root};
use crate::icloud::service::{Service, ServiceError};
use crate::icloud::session::ChangeRoots;
use crate::icloud::testing::*;
use serde_json::json;

const FULL: [&str; 4] =
    ["GET authorize/signin", "POST signin/init", "POST signin/complete", "POST accountLogin"];

fn sign_in(service: &Service) -> Result<(), SignInError> {
    service.sign_in(Initiative::Unattended)
}

#[test]
fn a_password_sign_in_sends_what_the_document_says_in_its_order() {
    let bench = Bench::new();
    let service = bench.open();
    sign_in(&service).expect("signed in");
    let seen = bench.server.take();
    let short: Vec<&str> =
        seen.iter().map(|request| request.route.rsplit('/').next().expect("a part")).collect();
    assert_eq!(short, ["signin", "init", "complete", "accountLogin"]);
    let header = |at: usize, name: &str| seen[at].headers.get(name).map(String::as_str);
    // The state rotates: each request carries what the last answer said.
    assert_eq!(header(0, "scnt"), None);
    assert_eq!(header(1, "scnt"), Some("scnt-one"));
    assert_eq!(header(1, "x-apple-auth-attributes"), Some("attributes-1"));
    assert_eq!(header(2, "scnt"), Some("scnt-two"));
    assert_eq!(header(2, "x-apple-id-session-id"), Some("session-id-1"));
    for at in 0..3 {
        assert_eq!(header(at, "origin"), Some("https://idmsa.apple.com"));
        assert_eq!(header(at, "x-apple-oauth-state"), header(0, "x-apple-frame-id"));
        assert!(header(at, "user-agent").expect("sent").contains("Safari"));
    }
    assert!(seen[0].query.contains("skVersion=7") && seen[0].query.contains("state=auth-"));
    let init = seen[1].json();
    assert_eq!(init["accountName"], "sync.test@example.com");
    assert_eq!(init["protocols"], json!(["s2k", "s2k_fo"]));
    assert!(seen[1].body.starts_with(r#"{"a":""#));
    let complete = seen[2].json();
    assert_eq!(complete["c"], json!({"opaque": [1, 2]}));
    assert_eq!(complete["trustTokens"], json!([]));
    assert_eq!(seen[2].query, "isRememberMeEnabled=true");
    let login = seen[3].json();
    assert_eq!(login["dsWebAuthToken"], "session-token-1");
    assert_eq!((&login["accountCountryCode"], &login["trustToken"]), (&json!("DEU"), &json!("")));
    assert_eq!(header(3, "origin"), Some(bench.server.url("").as_str()));
    assert_eq!(service.upload_token().as_deref(), Some("upload-token-1"));
    assert_eq!(service.account().state().trust_expires, Some((3_471_292_800, false)));
    assert!(!bench.stored().contains(PASSWORD));
}

#[test]
fn ten_restarts_sign_in_zero_times_and_validate_once_in_ten_minutes() {
    let bench = Bench::new();
    sign_in(&bench.open()).expect("signed in");
    bench.server.take();
    for _ in 0..10 {
        sign_in(&bench.open()).expect("still signed in");
        bench.world.advance(30);
    }
    assert_eq!(bench.server.routes(), [""; 0]);
    bench.world.advance(301);
    sign_in(&bench.open()).expect("validated");
    sign_in(&bench.open()).expect("fresh");
    let seen = bench.server.take();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((seen[0].route.as_str(), seen[0].body.as_str()), (VALIDATE, "null"));
    // Session cookies survived the restart, quotes and all.
    let cookies = &seen[0].headers["cookie"];
    assert!(cookies.contains("X-APPLE-WEBAUTH-VALIDATE=\"v=1:t=upload-token-1\""), "{cookies}");
}

#[test]
fn each_failing_rung_leads_to_the_next_and_the_trust_token_is_kept() {
    let bench = Bench::new();
    bench.server.on(COMPLETE, [complete_reply(200).header("X-Apple-TwoSV-Trust-Token", "trust-token-1")]);
    sign_in(&bench.open()).expect("signed in");
    let first_id = bench.server.take()[0].headers["x-apple-oauth-state"].clone();
    bench.world.advance(700);
    let missing = json!({"success": false, "error": "Missing X-APPLE-WEBAUTH-TOKEN cookie"});
    bench.server.on(VALIDATE, [Reply::json(421, missing.clone())]);
    sign_in(&bench.open()).expect("accountLogin cures it");
    assert_eq!(bench.server.routes(), ["POST validate", "POST accountLogin"]);
    bench.world.advance(700);
    let expired = Reply::json(400, json!({"success": false, "error": "Invalid Session Token"}));
    bench.server.on(LOGIN, [expired, login_reply(bench.info())]);
    sign_in(&bench.open()).expect("the password cures it");
    let seen = bench.server.take();
    let complete = seen.iter().find(|request| request.route == COMPLETE).expect("a proof");
    assert_eq!(complete.json()["trustTokens"], json!(["trust-token-1"]));
    assert_eq!(complete.headers["x-apple-oauth-state"], first_id);
    assert_eq!(seen.len(), 6, "{seen:?}");
}

#[test]
fn a_refused_password_is_sent_once_whatever_the_refusal_and_however_often_it_restarts() {
    type Check = fn(&SignInError) -> bool;
    let rows: [(Reply, u8, Check); 7] = [
        (Reply::refusal(401, "-20101"), 6, |e| matches!(e, SignInError::WrongPassword { .. })),
        (Reply::refusal(401, "-20283"), 6, |e| matches!(e, SignInError::WrongPassword { .. })),
        (Reply::new(401), 6, |e| matches!(e, SignInError::WrongPassword { .. })),
        (Reply::refusal(403, "-20209"), 6, |e| matches!(e, SignInError::Locked { .. })),
        (Reply::new(403), 6, |e| matches!(e, SignInError::Refused { .. })),
        (Reply::refusal(200, "-20101"), 6, |e| matches!(e, SignInError::WrongPassword { .. })),
        (Reply::new(200).header("X-Apple-I-Rscd", "401"), 6, |e| {
            matches!(e, SignInError::WrongPassword { .. })
        }),
    ];
    for (reply, code, check) in rows {
        let bench = Bench::new();
        bench.server.on(COMPLETE, [reply.clone()]);
        let error = sign_in(&bench.open()).expect_err("refused");
        assert!(check(&error) && error.exit_code().code() == code, "{reply:?}: {error:?}");
        assert!(!error.advice().is_empty());
        bench.server.take();
        for _ in 0..10 {
            let error = sign_in(&bench.open()).expect_err("not tried again");
            assert!(matches!(error, SignInError::RejectedBefore), "{error:?}");
        }
        assert_eq!(bench.server.routes(), [""; 0], "{reply:?}");
        // Another password is another matter.
        bench.server.on(COMPLETE, [complete_reply(200)]);
        let service = bench.open();
        service.account().set_password(Some(Secret::new("a new password")));
        sign_in(&service).expect("signed in");
    }
}

#[test]
fn a_409_is_read_by_its_headers_and_its_body_and_not_by_its_number() {
    const STATE: &str = "GET /appleauth/auth";
    // An error in it is a refusal, spent once.
    let bench = Bench::new();
    bench.server.on(COMPLETE, [Reply::refusal(409, "-20101")]);
    let error = sign_in(&bench.open()).expect_err("refused");
    assert!(matches!(error, SignInError::WrongPassword { .. }), "{error:?}");
    assert!(matches!(sign_in(&bench.open()), Err(SignInError::RejectedBefore)));
    // One that says nothing is asked about; only that answer counts, whatever its status.
    for (state, code) in [
        (Reply::json(409, json!({"authenticationType": "hsa2"})), 8),
        (Reply::json(200, json!({"phoneNumberVerification": {"noTrustedDevices": true}})), 8),
        (Reply::json(200, json!({})), 7),
        (Reply::new(404), 7),
    ] {
        let bench = Bench::new();
        bench.server.on(COMPLETE, [complete_reply(409).body("")]).on(STATE, [state]);
        let error = sign_in(&bench.open()).expect_err("not complete");
        assert_eq!(error.exit_code().code(), code, "{error:?}");
        bench.server.take();
        sign_in(&bench.open()).expect_err("the same");
        assert_eq!(bench.server.routes(), [""; 0], "no second proof follows");
    }
    // The header means a second factor still to come where no trust token was sent.
    let bench = Bench::new();
    let announced = complete_reply(409).body(r#"{"authType":"hsa2"}"#).header("X-Apple-PDP", "1");
    bench.server.on(COMPLETE, [announced]);
    let error = sign_in(&bench.open()).expect_err("a code is needed");
    assert!(error.needs_code(), "{error:?}");
}

#[test]
fn answers_of_init_lead_where_the_table_says() {
    // Stale context: once from step 1, without a proof in between.
    let bench = Bench::new();
    bench.server.on(INIT, [Reply::new(401), init_reply()]);
    sign_in(&bench.open()).expect("signed in");
    let expected = ["GET authorize/signin", "POST signin/init", FULL[0], FULL[1], FULL[2], FULL[3]];
    assert_eq!(bench.server.routes(), expected);
    let bench = Bench::new();
    bench.server.on(INIT, [Reply::new(200).header("X-Apple-I-Rscd", "401")]);
    let error = sign_in(&bench.open()).expect_err("stale twice");
    assert!(matches!(error, SignInError::Refused { status: 401, .. }), "{error:?}");
    assert!(!bench.stored().contains("\"hash\""), "it said nothing about the password");
    // Another client error: federate, then once more.
    let bench = Bench::new();
    bench.server.on(INIT, [Reply::new(404), init_reply()]);
    sign_in(&bench.open()).expect("signed in");
    assert_eq!(bench.server.routes(), [FULL[0], FULL[1], "POST federate", FULL[1], FULL[2], FULL[3]]);
    // Success with the status of a conflict.
    let bench = Bench::new();
    let conflict = Reply::json(409, init_body());
    bench.server.on(INIT, [conflict]);
    sign_in(&bench.open()).expect("signed in");
    // Faults of the service: twice more, then the back-off.
    let bench = Bench::new();
    bench.server.on(INIT, [Reply::new(500)]);
    let service = bench.open();
    let error = sign_in(&service).expect_err("broken");
    assert!(matches!(error, SignInError::Service { status: 500, .. }), "{error:?}");
    assert_eq!(bench.server.routes(), [FULL[0], FULL[1], FULL[1], FULL[1]]);
    assert_eq!(bench.world.waits.lock().expect("waits").len(), 2);
    assert!(matches!(sign_in(&service), Err(SignInError::Throttled { .. })));
    // Hostile parameters.
    for body in ["{}", "<html>", r#"{"iteration":9999999,"salt":"AAAA","protocol":"s2k","b":"AQ=="}"#] {
        let bench = Bench::new();
        bench.server.on(INIT, [Reply::new(200).body(body)]);
        let error = sign_in(&bench.open()).expect_err("unusable");
        assert!(
            matches!(error, SignInError::Unreadable { .. }) && error.exit_code().code() == 7,
            "{error:?}"
        );
        assert_eq!(bench.server.routes(), [FULL[0], FULL[1]]);
    }
}

#[test]
fn throttling_ends_everything_is_stored_and_grows() {
    for route in [AUTHORIZE, INIT, COMPLETE, LOGIN] {
        for status in [429, 503] {
            let bench = Bench::new();
            bench.server.on(route, [Reply::new(status).body("<html>busy</html>")]);
            // The sign-in host's own 503 lasts, and longer with each try.
            let first = if status == 503 && route != LOGIN { 1800 } else { 60 };
            let error = sign_in(&bench.open()).expect_err("throttled");
            assert!(
                matches!(&error, SignInError::Throttled { left } if left.as_secs() == first),
                "{error:?}"
            );
            assert_eq!(error.exit_code().code(), 7);
            let last = bench.server.take().pop().expect("asked");
            assert_eq!(last.route, route, "nothing came after the throttle");
            bench.world.advance(i64::try_from(first).expect("small") - 1);
            assert!(matches!(sign_in(&bench.open()), Err(SignInError::Throttled { .. })));
            assert_eq!(bench.server.routes(), [""; 0], "a restart does not reset it");
            bench.world.advance(2);
            let error = sign_in(&bench.open()).expect_err("throttled again");
            assert!(
                matches!(&error, SignInError::Throttled { left } if left.as_secs() == 2 * first),
                "{error:?}"
            );
        }
    }
}

#[test]
fn the_service_may_ask_for_a_longer_wait() {
    let bench = Bench::new();
    bench.server.on(INIT, [Reply::new(429).header("Retry-After", "900"), init_reply()]);
    let error = sign_in(&bench.open()).expect_err("throttled");
    assert!(matches!(&error, SignInError::Throttled { left } if left.as_secs() == 900), "{error:?}");
    bench.world.advance(901);
    sign_in(&bench.open()).expect("signed in");
    assert_eq!(bench.open().account().state().back_off, None);
}

#[test]
fn a_misrouted_proof_is_sent_once_more_and_a_repair_is_finished() {
    let bench = Bench::new();
    bench.server.on(COMPLETE, [Reply::new(421), complete_reply(200)]);
    sign_in(&bench.open()).expect("signed in");
    let proofs: Vec<_> = bench.server.take().into_iter().filter(|seen| seen.route == COMPLETE).collect();
    assert_eq!(proofs.len(), 2);
    assert_eq!(proofs[0].body, proofs[1].body);
    let bench = Bench::new();
    bench.server.on(COMPLETE, [complete_reply(412)]).on(REPAIR, [Reply::new(200)]);
    sign_in(&bench.open()).expect("signed in");
    assert_eq!(bench.server.routes(), [FULL[0], FULL[1], FULL[2], "POST repair/complete", FULL[3]]);
    bench.server.on(REPAIR, [Reply::new(403)]).on(VALIDATE, [Reply::new(401)]).on(LOGIN, [Reply::new(401)]);
    bench.world.advance(700);
    let error = sign_in(&bench.open()).expect_err("must be finished in a browser");
    assert!(matches!(error, SignInError::Repair) && error.advice().contains("icloud.com"), "{error:?}");
}

#[test]
fn a_challenge_is_answered_and_without_one_nothing_is_sent() {
    let bench = Bench::new();
    let challenged = Reply::new(200).header("X-Apple-HC-Bits", "8").header("X-Apple-HC-Challenge", "abc");
    bench.server.on(AUTHORIZE, [challenged]);
    sign_in(&bench.open()).expect("signed in");
    let seen = bench.server.take();
    assert!(seen[2].headers["x-apple-hc"].starts_with("1:8:20261122"), "{:?}", seen[2]);
    assert!(!seen[1].headers.contains_key("x-apple-hc"));
}

#[test]
fn answers_of_account_login_lead_where_the_table_says() {
    type Check = fn(&SignInError) -> bool;
    let with = |edit: fn(&mut Value)| {
        let bench = Bench::new();
        let mut info = bench.info();
        edit(&mut info);
        bench.server.on(LOGIN, [Reply::json(200, info)]);
        bench
    };
    let rows: [(&str, Bench, u8, Check); 13] = [
        ("other region", with(|v| *v = json!({"domainToUse": "iCloud.com.cn"})), 7, |e| {
            matches!(e, SignInError::WrongRegion { region: Some("china"), .. })
                && e.advice().contains("\"china\"")
        }),
        (
            "redirect",
            {
                let bench = Bench::new();
                bench.server.on(LOGIN, [Reply::new(302).header("Location", "https://www.icloud.com.cn")]);
                bench
            },
            7,
            |e| matches!(e, SignInError::WrongRegion { .. }),
        ),
        ("error in 200", with(|v| v["hasError"] = json!(true)), 7, |e| {
            matches!(e, SignInError::Service { .. })
        }),
        ("terms", with(|v| v["termsUpdateNeeded"] = json!(true)), 7, |e| matches!(e, SignInError::Terms)),
        ("repair", with(|v| v["isRepairNeeded"] = json!(true)), 7, |e| {
            matches!(e, SignInError::Repair) && e.advice().contains("icloud.com")
        }),
        ("web access off", with(|v| v["dsInfo"]["isWebAccessAllowed"] = json!(false)), 7, |e| {
            matches!(e, SignInError::WebAccessOff) && e.advice().contains("Access iCloud Data on the Web")
        }),
        (
            "repair cookie",
            {
                let bench = Bench::new();
                let cookie = "X-APPLE-WEBAUTH-REPAIR=abcdef; Path=/";
                bench.server.on(LOGIN, [Reply::json(200, bench.info()).header("Set-Cookie", cookie)]);
                bench
            },
            7,
            |e| matches!(e, SignInError::Repair),
        ),
        (
            "arming",
            {
                let bench = Bench::new();
                let error = json!({"success": false, "error": "Issue requesting IDMS for arming"});
                bench.server.on(LOGIN, [Reply::json(500, error)]);
                bench
            },
            7,
            |e| matches!(e, SignInError::Throttled { left } if left.as_secs() == 1800),
        ),
        ("not trusted", with(|v| v["hsaTrustedBrowser"] = json!(false)), 8, |e| {
            matches!(e, SignInError::CodeNeeded { kind: FactorKind::TwoFactor })
        }),
        (
            "challenge",
            with(|v| {
                v["hsaChallengeRequired"] = json!(true);
                v["dsInfo"]["hsaVersion"] = json!(1);
            }),
            8,
            |e| matches!(e, SignInError::CodeNeeded { kind: FactorKind::TwoStep }),
        ),
        ("no services", with(|v| v["webservices"] = json!({})), 7, |e| {
            matches!(e, SignInError::NoDrive) && e.advice().contains("Access iCloud Data on the Web")
        }),
        ("inactive", with(|v| v["webservices"]["docws"]["status"] = json!("down")), 7, |e| {
            matches!(e, SignInError::Service { .. })
        }),
        (
            "foreign host",
            with(|v| v["webservices"]["docws"]["url"] = json!("https://evil.example")),
            7,
            |e| matches!(e, SignInError::Service { .. }),
        ),
    ];
    for (name, bench, code, check) in rows {
        let error = sign_in(&bench.open()).expect_err(name);
        assert!(check(&error) && error.exit_code().code() == code, "{name}: {error:?}");
        assert!(!error.to_string().ends_with('.'), "{name}: {error}");
        // A restart spends no second proof.
        bench.server.take();
        sign_in(&bench.open()).expect_err(name);
        assert!(!bench.server.routes().contains(&"POST signin/complete".to_owned()), "{name}");
    }
}

#[test]
fn services_that_tell_of_changes_are_kept_where_they_can_be_used_and_nothing_rests_on_them() {
    let kept = |webservices: Value| {
        let bench = Bench::new();
        let mut info = bench.info();
        for (name, service) in webservices.as_object().into_iter().flatten() {
            info["webservices"][name] = service.clone();
        }
        bench.server.on(LOGIN, [login_reply(info)]);
        let service = bench.open();
        sign_in(&service).expect("signed in");
        service.account().info().expect("an account").changes
    };
    assert_eq!(kept(json!({})), ChangeRoots::default());
    let loopback = |path: &str| format!("http://127.0.0.1:9{path}");
    let all = kept(json!({
        "ckdatabasews": {"url": loopback("/feed/")},
        "push": {"url": loopback("/push"), "status": "active"},
        "ckdeviceservice": {"url": loopback("/device"), "status": "active"},
    }));
    let root = |path| Some(loopback(path));
    assert_eq!((all.feed, all.push, all.registration), (root("/feed"), root("/push"), root("/device")));
    let none = kept(json!({
        "ckdatabasews": {"url": "https://evil.example", "status": "active"},
        "push": {"url": loopback("/push"), "status": "inactive"},
        "ckdeviceservice": "soon",
    }));
    assert_eq!(none, ChangeRoots::default());
}

#[test]
fn an_accepted_password_that_makes_no_session_is_not_spent_again_at_once() {
    let bench = Bench::new();
    bench.server.on(LOGIN, [Reply::json(421, json!({"success": false}))]);
    assert!(matches!(sign_in(&bench.open()), Err(SignInError::Service { .. })));
    bench.server.take();
    assert!(matches!(sign_in(&bench.open()), Err(SignInError::Throttled { .. })));
    assert_eq!(bench.server.routes(), [""; 0]);
    // Faults of accountLogin are not cured by the password either.
    let bench = Bench::new();
    bench.server.on(LOGIN, [Reply::new(500)]);
    assert!(matches!(sign_in(&bench.open()), Err(SignInError::Service { status: 500, .. })));
    assert_eq!(bench.server.routes(), [FULL[0], FULL[1], FULL[2], FULL[3], FULL[3], FULL[3]]);
}

#[test]
fn a_throttled_validate_does_not_fall_through() {
    let bench = Bench::new();
    sign_in(&bench.open()).expect("signed in");
    bench.world.advance(700);
    bench.server.take();
    bench.server.on(VALIDATE, [Reply::new(503)]);
    assert!(matches!(sign_in(&bench.open()), Err(SignInError::Throttled { .. })));
    assert_eq!(bench.server.routes(), ["POST validate"]);
}

#[test]
fn china_falls_back_to_its_own_host_and_remembers_it() {
    let bench = Bench::new();
    let mut account = Account::open(bench.options(), bench.world.env()).expect("opened");
    account.roots.auth = vec![bench.server.url("/first"), bench.server.url("/appleauth/auth")];
    account.set_password(Some(Secret::new(PASSWORD)));
    bench.server.on("GET /first/authorize/signin", [Reply::new(503)]);
    account.climb(Rung::Validate, Initiative::Unattended).expect("signed in");
    assert_eq!(bench.server.routes()[..2], ["GET /first/authorize/signin", "GET authorize/signin"]);
    account.climb(Rung::Password, Initiative::Unattended).expect("signed in again");
    assert_eq!(bench.server.routes()[0], "GET authorize/signin");
    assert_eq!(account.state().back_off, None);
}

#[test]
fn the_session_of_another_account_or_region_is_not_used() {
    let bench = Bench::new();
    sign_in(&bench.open()).expect("signed in");
    let mut other = bench.options();
    other.username = "somebody.else@example.com".to_owned();
    let service = Service::open(other, bench.world.env()).expect("opened");
    assert!(!service.account().state().signed_in);
    assert!(matches!(sign_in(&service), Err(SignInError::MissingPassword)));
    let mut china = bench.options();
    china.region = Region::China;
    china.setup = Some(bench.server.url("/china/setup"));
    let service = Service::open(china, bench.world.env()).expect("opened");
    assert!(!service.account().state().signed_in);
    let mut nobody = bench.options();
    nobody.username = "  ".to_owned();
    let error = Service::open(nobody, bench.world.env()).err().expect("refused");
    assert_eq!(error.exit_code().code(), 5);
}

#[test]
fn logout_leaves_nothing_and_another_process_notices() {
    let bench = Bench::new();
    let daemon = bench.open();
    sign_in(&daemon).expect("signed in");
    bench.open().account().logout().expect("forgotten");
    assert!(!bench.session_path().exists());
    assert!(daemon.account().reload().expect("readable"));
    assert!(!daemon.account().state().signed_in);
    assert_eq!(daemon.upload_token(), None);
}

#[test]
fn a_network_failure_says_so_and_spends_nothing() {
    let bench = Bench::new();
    let mut options = bench.options();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("address");
    options.auth = Some(format!("http://{closed}/auth"));
    let service = Service::open(options, bench.world.env()).expect("opened");
    service.account().set_password(Some(Secret::new(PASSWORD)));
    let error = sign_in(&service).expect_err("nobody there");
    assert!(matches!(error, SignInError::Network(_)) && error.exit_code().code() == 7, "{error:?}");
    assert_eq!(service.account().state().back_off, None);
    let called = service.call(&Request {
        root: Root::Drivews,
        method: Method::Post,
        path: "/x",
        query: &[],
        body: b"{}",
        limits: Limits::JSON,
        kind: "x",
        changes: false,
    });
    assert!(matches!(called, Err(ServiceError::SignIn(SignInError::Network(_)))));
}
