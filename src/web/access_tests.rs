//! Tables of who may ask what.

use super::*;

const TOKEN: &str = "0123456789abcdef-web";
const UNIX: i64 = 1_795_341_600;

fn access(token: Option<&str>) -> (Access, Asked) {
    let now = Instant::now();
    let hosts = ["icloudds.example.com".to_owned()];
    let listen: SocketAddr = "0.0.0.0:8384".parse().expect("an address");
    let access =
        Access::new(token.map(Secret::new), listen, &hosts, "NAS", "the-link-in-the-log".to_owned(), now);
    (access, Asked { peer: [192, 0, 2, 7].into(), now, unix: UNIX })
}

fn get() -> Request {
    Request { host: Some("192.168.1.5:8384".to_owned()), ..Request::default() }
}

fn post() -> Request {
    Request { method: Method::Post, content_type: Some("application/json".to_owned()), ..get() }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn status(result: Result<(), Response>) -> u16 {
    result.map_or_else(|answer| answer.status, |()| 200)
}

#[test]
fn a_host_is_an_address_or_a_known_name() {
    let (mut access, asked) = access(None);
    for (host, expected) in [
        ("192.168.1.5:8384", 200),
        ("127.0.0.1", 200),
        ("[::1]:8384", 200),
        ("[fe80::1]", 200),
        ("localhost:8384", 200),
        ("LOCALHOST", 200),
        ("nas:8384", 200),
        ("nas.local:8384", 200),
        ("icloudds.example.com", 200),
        ("icloudds.example.com.:443", 200),
        ("rebound.example.net:8384", 403),
        ("localhost.example.net:8384", 403),
        ("127.0.0.1.example.net", 403),
        ("127.0.0.1:8384@example.net", 403),
        ("nas:8384:1", 403),
        ("nas:x", 403),
        ("[nas]", 403),
        ("[::1", 403),
        ("", 403),
        (":8384", 403),
    ] {
        let request = Request { host: text(host), ..get() };
        assert_eq!(status(access.check(&request, Route::Status, asked)), expected, "{host:?}");
    }
    let request = Request { host: None, ..get() };
    assert_eq!(status(access.check(&request, Route::Healthz, asked)), 400);
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let (mut access, asked) = access(None);
    let own = "http://192.168.1.5:8384";
    for (origin, site, cookie, kind, expected) in [
        (None, None, None, JSON, 200),
        (Some(own), Some("same-origin"), None, JSON, 200),
        (Some(own), None, None, "application/json; charset=utf-8", 200),
        (Some("https://icloudds.example.com"), Some("same-origin"), None, JSON, 200),
        (None, Some("none"), None, JSON, 200),
        (Some("http://192.168.1.5"), None, None, JSON, 403),
        (Some("http://192.168.1.6:8384"), None, None, JSON, 403),
        (Some("http://localhost:3000"), None, None, JSON, 403),
        (Some("https://example.net"), Some("cross-site"), None, JSON, 403),
        (Some("null"), None, None, JSON, 403),
        (Some(own), Some("same-site"), None, JSON, 403),
        (None, Some("cross-site"), None, JSON, 403),
        (None, None, Some("a=b"), JSON, 403),
        (None, None, None, "text/plain", 415),
        (None, None, None, "application/x-www-form-urlencoded", 415),
        (None, None, None, "application/jsonx", 415),
    ] {
        let request = Request {
            origin: origin.map(str::to_owned),
            fetch_site: site.map(str::to_owned),
            cookie: cookie.map(str::to_owned),
            content_type: text(kind),
            ..post()
        };
        let route = Route::Act(Action::Pause);
        assert_eq!(
            status(access.check(&request, route, asked)),
            expected,
            "{origin:?} {site:?} {cookie:?} {kind}"
        );
    }
}

#[test]
fn the_token_opens_and_nothing_else_does() {
    let (mut access, asked) = access(Some(TOKEN));
    let bearer = format!("Bearer {TOKEN}");
    for (given, expected) in [
        (None, 401),
        (Some(bearer.as_str()), 200),
        (Some("bearer 0123456789abcdef-web"), 200),
        (Some("Bearer 0123456789abcdef-we"), 401),
        (Some("Bearer "), 401),
        (Some("Basic MDEyMw=="), 401),
        (Some(TOKEN), 401),
        (Some("Bearér"), 401),
    ] {
        let request = Request { authorization: given.map(str::to_owned), ..get() };
        assert_eq!(status(access.check(&request, Route::Status, asked)), expected, "{given:?}");
    }
    for route in [Route::Page, Route::Healthz, Route::SignIn] {
        assert_eq!(status(access.check(&get(), route, asked)), 200, "{route:?}");
    }
}

#[test]
fn a_cookie_is_worth_the_token_for_a_month_and_no_longer() {
    let (mut access, asked) = access(Some(TOKEN));
    let answer = access.sign_in(Some(TOKEN), None, asked);
    let set = &answer.headers.iter().find(|(name, _)| *name == "Set-Cookie").expect("a cookie").1;
    assert!(set.ends_with("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict"), "{set}");
    let pair = set.split(';').next().expect("a pair").to_owned();
    assert!(!pair.contains(TOKEN), "{pair}");
    let with = |cookie: String| Request { cookie: Some(cookie), ..get() };
    let later = |unix| Asked { unix, ..asked };
    let mut holds = |cookie: String, unix| status(access.check(&with(cookie), Route::Status, later(unix)));
    assert_eq!(holds(pair.clone(), UNIX), 200);
    assert_eq!(holds(format!("other=1; {pair}; more=2"), UNIX), 200);
    assert_eq!(holds(pair.clone(), UNIX + COOKIE_SECS), 200);
    assert_eq!(holds(pair.clone(), UNIX + COOKIE_SECS + 1), 401);
    // Somebody writes another end, a shorter seal, or none.
    let (name, value) = pair.split_once('=').expect("a pair");
    let (until, seal) = value.split_once('-').expect("a seal");
    let longer = until.parse::<i64>().expect("seconds") - 1;
    for forged in [
        format!("{longer}-{seal}"),
        format!("{until}-"),
        format!("{until}-{}", &seal[..62]),
        "é-é".to_owned(),
    ] {
        assert_eq!(holds(format!("{name}={forged}"), UNIX), 401, "{forged}");
    }
    // Another token makes all cookies void.
    let (mut other, _) = self::access(Some("another-token-of-16"));
    assert_eq!(status(other.check(&with(pair), Route::Status, asked)), 401);
}

#[test]
fn the_link_in_the_log_works_once_and_soon() {
    let link = "the-link-in-the-log";
    let (mut one, asked) = access(Some(TOKEN));
    assert_eq!(one.sign_in(None, Some("another"), asked).status, 401);
    assert_eq!(one.sign_in(None, Some(link), asked).status, 200);
    assert_eq!(one.sign_in(None, Some(link), asked).status, 401);
    let (mut late, asked) = access(Some(TOKEN));
    let later = Asked { now: asked.now + LINK_SPAN, ..asked };
    assert_eq!(late.sign_in(None, Some(link), later).status, 401);
    assert_eq!(late.sign_in(None, None, asked).status, 400);
    assert_eq!(late.sign_in(Some(TOKEN), Some(link), asked).status, 400);
}

#[test]
fn guessing_ends_after_a_few_tries_for_that_address_alone() {
    let (mut access, asked) = access(Some(TOKEN));
    let mut give = |token: &str, asked: Asked| {
        let request = Request { authorization: Some(format!("Bearer {token}")), ..get() };
        status(access.check(&request, Route::Status, asked))
    };
    for _ in 0..MOST_WRONG {
        assert_eq!(give("wrong", asked), 401);
    }
    assert_eq!(give("wrong", asked), 429);
    assert_eq!(give(TOKEN, asked), 429, "nobody learns by trying");
    assert_eq!(give(TOKEN, Asked { peer: [192, 0, 2, 8].into(), ..asked }), 200);
    assert_eq!(give(TOKEN, Asked { now: asked.now + WRONG_SPAN, ..asked }), 200);
}

#[test]
fn codes_are_limited_before_icloud_locks_the_account() {
    let (mut access, asked) = access(None);
    for (action, most) in [(Action::Code, MOST_CODES), (Action::CodeSend, MOST_SENDS)] {
        for _ in 0..most {
            assert_eq!(status(access.check(&post(), Route::Act(action), asked)), 200);
        }
        let answer = access.check(&post(), Route::Act(action), asked).expect_err("too many");
        assert_eq!(answer.status, 429);
        assert!(answer.headers.iter().any(|(name, _)| *name == "Retry-After"), "{answer:?}");
        let later = Asked { now: asked.now + CODE_SPAN, ..asked };
        assert_eq!(status(access.check(&post(), Route::Act(action), later)), 200);
    }
}
