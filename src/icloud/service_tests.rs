use super::*;
use std::sync::{Arc, Barrier};

use crate::icloud::http::{Limits, Method};
use crate::icloud::testing::*;
use serde_json::json;

fn signed_in() -> (Bench, Service) {
    let bench = Bench::new();
    let service = bench.open();
    service.sign_in(Initiative::Unattended).expect("signed in");
    bench.server.take();
    (bench, service)
}

fn list(service: &Service) -> Result<Answer, ServiceError> {
    let path = "/retrieveItemDetailsInFolders";
    let query = [("appIdentifier", "iclouddrive")];
    service.call(&request(path, &query, false))
}

fn request<'a>(path: &'a str, query: &'a [(&'a str, &'a str)], changes: bool) -> Request<'a> {
    Request {
        root: Root::Drivews,
        method: Method::Post,
        path,
        query,
        body: b"[{}]",
        limits: Limits::JSON,
        kind: "list",
        changes,
    }
}

#[test]
fn a_call_that_changes_the_drive_is_not_repeated_after_a_renewal() {
    for reply in [
        Reply::new(401),
        Reply::new(421).body("Misdirected Request"),
        Reply::json(200, json!({"errorCode": 421, "errorReason": "x"})),
    ] {
        let (bench, service) = signed_in();
        bench.server.on(LIST, [reply.clone(), Reply::json(200, json!([]))]);
        let change = request("/retrieveItemDetailsInFolders", &[], true);
        let error = service.call(&change).expect_err("it is not made again");
        assert!(matches!(error, ServiceError::Renewed), "{error:?}");
        let made = bench.server.routes().iter().filter(|route| *route == LIST).count();
        assert_eq!(made, 1, "{reply:?}");
        service.call(&change).expect("the session is well again");
    }
}

#[test]
fn calls_that_change_the_drive_have_two_cures_together_whatever_others_are_answered() {
    let (bench, service) = signed_in();
    let change = request("/renameItems", &[], true);
    let refused = |service: &Service| service.call(&change).expect_err("refused");
    bench.server.on("POST /renameItems", [Reply::new(421).body("Misdirected Request")]);
    bench.server.on(LIST, [Reply::json(200, json!([]))]);
    for cure in [None, Some("POST validate"), Some("POST accountLogin")] {
        bench.server.take();
        assert!(matches!(refused(&service), ServiceError::Renewed));
        let routes = bench.server.routes();
        assert_eq!(
            routes.iter().map(String::as_str).collect::<Vec<_>>(),
            ["POST /renameItems"].into_iter().chain(cure).collect::<Vec<_>>()
        );
        // Whoever makes it looks first, and that is answered.
        list(&service).expect("listed");
    }
    bench.server.take();
    for _ in 0..5 {
        let error = refused(&service);
        assert!(
            matches!(error, ServiceError::SignIn(SignInError::SessionRefused { status: 421 })),
            "{error:?}"
        );
        list(&service).expect("listed");
    }
    assert!(
        bench.server.routes().iter().all(|route| route == "POST /renameItems" || route == LIST),
        "nobody signs in again"
    );
    bench.world.advance(61);
    assert!(matches!(refused(&service), ServiceError::Renewed), "a minute later it begins anew");
    bench.server.on("POST /renameItems", [Reply::json(200, json!({})), Reply::new(401)]);
    service.call(&change).expect("taken");
    bench.server.take();
    refused(&service);
    assert_eq!(
        bench.server.routes(),
        ["POST /renameItems", "POST validate"],
        "what was accepted counts anew"
    );
}

#[test]
fn a_call_carries_cookies_origin_and_the_clients_names() {
    let (bench, service) = signed_in();
    assert_eq!(list(&service).expect("listed").body, b"[]");
    let seen = bench.server.take().remove(0);
    assert!(seen.query.starts_with("appIdentifier=iclouddrive&clientId="), "{}", seen.query);
    assert!(seen.query.ends_with("&dsid=17320123456"), "{}", seen.query);
    assert_eq!(seen.headers["origin"], bench.server.url(""));
    assert_eq!(seen.headers["referer"], bench.server.url("/"));
    assert_eq!(seen.headers["content-type"], "text/plain");
    assert!(seen.headers["cookie"].contains("X-APPLE-WEBAUTH-TOKEN=\"v=2:t=web-token-1\""));
    assert_eq!(seen.body, "[{}]");
    assert_eq!(service.account_dsid(), "17320123456");
}

#[test]
fn each_sign_of_a_lost_session_is_cured_once_and_the_call_repeated() {
    let session = json!({"success": false, "error": "Missing X-APPLE-WEBAUTH-TOKEN cookie"});
    for reply in [
        Reply::new(401),
        Reply::new(450),
        Reply::json(421, session),
        Reply::json(200, json!({"errorCode": 421, "errorReason": "x"})),
        Reply::json(400, json!({"error_code": "AUTHENTICATION_FAILED"})),
    ] {
        let (bench, service) = signed_in();
        bench.server.on(LIST, [reply.clone(), Reply::json(200, json!([]))]);
        list(&service).expect("cured");
        let routes = bench.server.routes();
        assert_eq!(routes, [LIST, "POST validate", LIST], "{reply:?}");
    }
}

#[test]
fn other_answers_are_the_callers() {
    let (bench, service) = signed_in();
    // The last one begins a rest.
    for status in [200, 400, 403, 404, 409, 412, 500, 503, 507, 429] {
        bench.server.on(LIST, [Reply::json(status, json!({"error_code": "ZONE_BUSY"}))]);
        assert_eq!(list(&service).expect("an answer").head.status, status);
    }
    assert!(bench.server.routes().iter().all(|route| route == LIST));
}

#[test]
fn a_misrouted_call_gets_a_new_connection_before_anybody_signs_in() {
    let (bench, service) = signed_in();
    bench.server.on(LIST, [Reply::new(421).body("Misdirected Request"), Reply::json(200, json!([]))]);
    list(&service).expect("rerouted");
    assert_eq!(bench.server.routes(), [LIST, LIST]);
}

#[test]
fn a_session_that_is_refused_after_every_cure_is_no_loop_and_spends_no_password() {
    let (bench, service) = signed_in();
    bench.server.on(LIST, [Reply::new(401)]);
    let error = list(&service).expect_err("refused");
    assert!(matches!(error, ServiceError::SignIn(SignInError::SessionRefused { status: 401 })), "{error:?}");
    assert_eq!(bench.server.routes(), [LIST, "POST validate", LIST, "POST accountLogin", LIST]);
    for _ in 0..5 {
        list(&service).expect_err("still refused");
    }
    assert_eq!(bench.server.routes(), [LIST; 5], "nobody signs in again within a minute");
    bench.world.advance(61);
    bench.server.on(LIST, [Reply::new(401), Reply::json(200, json!([]))]);
    list(&service).expect("well again");
}

#[test]
fn many_workers_renew_a_lost_session_once() {
    let (bench, service) = signed_in();
    const WORKERS: usize = 8;
    let barrier = Arc::new(Barrier::new(WORKERS));
    let refusals = std::iter::repeat_n(Reply::new(401).together(&barrier), WORKERS);
    bench.server.on(LIST, refusals.chain([Reply::json(200, json!([]))]));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| list(&service).expect("listed"));
        }
    });
    let validates = bench.server.routes().iter().filter(|route| *route == "POST validate").count();
    assert_eq!(validates, 1, "renewals for {WORKERS} workers");
}

#[test]
fn a_failed_renewal_is_everybodys() {
    let (bench, service) = signed_in();
    bench.server.on(LIST, [Reply::new(401)]).on(VALIDATE, [Reply::new(401)]).on(LOGIN, [Reply::new(401)]);
    bench.server.on(COMPLETE, [Reply::refusal(401, "-20101")]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| list(&service).expect_err("no session"));
        }
    });
    let seen = bench.server.take();
    let count = |route: &str| seen.iter().filter(|request| request.route == route).count();
    assert_eq!(count(COMPLETE), 1, "one proof of a wrong password, however many workers");
    assert_eq!((count(VALIDATE), count(LOGIN)), (1, 1), "and one climb");
    bench.world.advance(6);
    bench.server.on(VALIDATE, [Reply::json(200, bench.info())]);
    bench.server.on(LIST, [Reply::new(401), Reply::json(200, json!([]))]);
    list(&service).expect("tried again after a while");
}

#[test]
fn missing_keys_are_asked_for_and_a_refusal_names_the_setting() {
    for reply in [
        Reply::new(423),
        Reply::json(200, json!({"errorCode": 423, "errorReason": "Missing PCS cookies from the request"})),
        Reply::json(400, json!({"reason": "Cannot find PCS auth info from request"})),
    ] {
        let (bench, service) = signed_in();
        bench
            .server
            .on(LIST, [reply.clone(), Reply::json(200, json!([]))])
            .on(
                "POST /setup/ws/1/requestWebAccessState",
                [Reply::json(200, json!({"isICDRSDisabled": true, "isDeviceConsentedForPCS": true}))],
            )
            .on("POST /setup/ws/1/requestPCS", [Reply::json(200, json!({"status": "success"}))]);
        list(&service).expect("unlocked");
        assert_eq!(
            bench.server.routes(),
            [LIST, "POST requestWebAccessState", "POST requestPCS", LIST],
            "{reply:?}"
        );
    }
    let (bench, service) = signed_in();
    bench
        .server
        .on(LIST, [Reply::new(423)])
        .on("POST /setup/ws/1/requestWebAccessState", [Reply::json(200, json!({"isICDRSDisabled": true}))]);
    bench.server.on(
        "POST /setup/ws/1/enableDeviceConsentForPCS",
        [Reply::json(200, json!({"isDeviceConsentNotificationSent": false}))],
    );
    let ServiceError::SignIn(error) = list(&service).expect_err("refused") else { panic!("a sign-in error") };
    assert!(error.advice().contains("'Access iCloud Data on the Web'") && error.exit_code().code() == 7);
}

#[test]
fn a_drive_that_was_never_set_up_is_reported_to_the_caller_after_one_new_login() {
    let (bench, service) = signed_in();
    bench.server.on(LIST, [Reply::json(400, json!({"error_code": "ZONE_NOT_FOUND"}))]);
    let answer = list(&service).expect("the caller judges it");
    assert_eq!(answer.head.status, 400);
    assert_eq!(bench.server.routes(), [LIST, "POST validate", LIST, "POST accountLogin", LIST]);
    list(&service).expect("the caller again");
    assert_eq!(bench.server.routes(), [LIST], "no login for each such answer");
    service.renew_session().expect("renewed");
    assert_eq!(bench.server.routes(), ["POST accountLogin"]);
}

#[test]
fn a_service_on_another_partition_is_followed() {
    let (bench, service) = signed_in();
    let mut moved = bench.info();
    moved["webservices"]["drivews"]["url"] = json!(bench.server.url("/p99"));
    bench.server.on(LIST, [Reply::new(401)]).on(VALIDATE, [Reply::json(200, moved)]);
    bench.server.on("POST /p99/retrieveItemDetailsInFolders", [Reply::json(200, json!([]))]);
    list(&service).expect("listed there");
}

#[test]
fn rotating_cookies_are_stored_now_and_then_and_at_the_end() {
    let (bench, service) = signed_in();
    let rotated = |n: u32| {
        Reply::json(200, json!([])).header("Set-Cookie", &format!("rotating=cookie-number-{n}; Path=/"))
    };
    bench.server.on(LIST, [rotated(1), rotated(2), rotated(3)]);
    list(&service).expect("listed");
    assert!(!bench.stored().contains("cookie-number-1"));
    bench.world.advance(61);
    list(&service).expect("listed");
    assert!(bench.stored().contains("cookie-number-2"));
    list(&service).expect("listed");
    service.account().flush().expect("stored");
    assert!(bench.stored().contains("cookie-number-3"));
}

#[test]
fn content_goes_to_apple_only_or_to_this_machine_in_tests() {
    let (_bench, service) = signed_in();
    for (url, allowed) in [
        ("https://cvws.icloud-content.com/B/x?e=1", true),
        ("https://cvws.icloud-content.com.cn/B/x", true),
        ("https://p31-docws.icloud.com:443/x", true),
        ("http://cvws.icloud-content.com/B/x", false),
        ("https://icloud-content.com.evil.example/x", false),
        ("https://evilicloud-content.com/x", false),
        ("http://127.0.0.1:9/x", true),
        ("file:///etc/passwd", false),
        ("nonsense", false),
    ] {
        assert_eq!(service.allowed_content_host(url), allowed, "{url}");
    }
}

#[test]
fn no_secret_is_in_an_error_or_in_the_debug_form_of_the_session() {
    let (bench, service) = signed_in();
    bench.server.on(LIST, [Reply::json(401, json!({"error": "session-token-1 is bad"}))]);
    let text = format!("{:?}", list(&service).expect_err("refused"));
    for secret in [PASSWORD, "session-token-1", "web-token-1", "scnt-three"] {
        assert!(!text.contains(secret), "{text}");
        assert!(!crate::secret::mask(&format!("x {secret} y")).contains(secret), "{secret}");
    }
}
