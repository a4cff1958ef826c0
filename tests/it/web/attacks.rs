//! What strangers and hostile pages try.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use icloudds::status::DaemonState;

use super::client::{TOKEN, Web, answer_of, listen};
use crate::e2e::rig::Rig;
use crate::run::daemon::{Daemon, quick};

/// Everything that tells or changes something.
const GUARDED: [(&str, &str); 13] = [
    ("GET", "/metrics"),
    ("GET", "/api/status"),
    ("GET", "/api/events"),
    ("GET", "/api/held"),
    ("GET", "/api/code"),
    ("GET", "/api/trash"),
    ("POST", "/api/code"),
    ("POST", "/api/code/send"),
    ("POST", "/api/approve"),
    ("POST", "/api/sync-now"),
    ("POST", "/api/pause"),
    ("POST", "/api/resume"),
    ("POST", "/api/trash/restore"),
];
const JSON: &str = "Content-Type: application/json\r\n";

fn guarded() -> Rig {
    let mut rig = quick();
    listen(&mut rig);
    rig.there().write("<img src=x onerror=alert(1)>.txt", "a").expect("a file");
    rig
}

#[test]
fn without_the_right_token_nothing_is_told_and_nothing_changes() {
    let rig = guarded();
    let daemon = Daemon::synced(&rig);
    let stranger = Web::of(&daemon).stranger();
    for (method, path) in GUARDED {
        let answer = stranger.with(method, path, JSON, "{}").expect(401);
        assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer realm=\"icloudds\""), "{path}");
        assert!(!answer.body.contains("onerror"), "{answer:?}");
    }
    let page = stranger.get("/").expect(401);
    assert!(page.body.contains("<title>Sign in to icloudds</title>"), "{page:?}");
    for file in ["/page.css", "/page.js", "/words.js", "/sign-in.js", "/icon.svg"] {
        let answer = stranger.get(file).expect(200);
        assert!(!answer.body.contains("onerror"), "{file}");
    }
    assert_eq!(daemon.status().state, DaemonState::Idle);
    // Guessing ends, for the right one too, and a browser that is signed in goes on.
    let cookie = stranger.post("/api/sign-in", &format!("{{\"token\": \"{TOKEN}\"}}")).expect(200);
    let cookie =
        cookie.header("Set-Cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let mut seen = Vec::new();
    for number in 0..12 {
        let wrong = format!("Authorization: Bearer wrong-{number}\r\n");
        seen.push(stranger.with("GET", "/api/status", &wrong, "").status);
    }
    assert_eq!((seen[0], seen[11]), (401, 429), "{seen:?}");
    assert_eq!(Web::of(&daemon).get("/api/status").status, 429);
    let page = stranger.with("GET", "/", &format!("Cookie: {cookie}\r\n"), "").expect(200);
    assert!(page.body.contains("id=\"headline\""), "{page:?}");
    stranger.with("GET", "/api/status", &format!("Cookie: {cookie}\r\n"), "").expect(200);
    let log = daemon.stop();
    assert!(!log.contains(TOKEN), "{log}");
}

#[test]
fn the_link_in_the_log_signs_in_once() {
    let rig = guarded();
    let daemon = Daemon::synced(&rig);
    let web = Web::of(&daemon).stranger();
    let log = daemon.log();
    let link = log.split("#link=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a link");
    let body = format!("{{\"link\": \"{link}\"}}");
    let answer = web.post("/api/sign-in", &body).expect(200);
    let cookie = answer.header("Set-Cookie").expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    web.post("/api/sign-in", &body).expect(401);
    daemon.stop();
}

#[test]
fn pages_of_other_sites_and_other_names_are_refused() {
    let rig = guarded();
    let daemon = Daemon::synced(&rig);
    let web = Web::of(&daemon);
    let own = format!("http://{}", web.address);
    for (more, status) in [
        (format!("{JSON}Origin: {own}\r\nSec-Fetch-Site: same-origin\r\n"), 200),
        (format!("{JSON}Origin: https://example.net\r\nSec-Fetch-Site: cross-site\r\n"), 403),
        (format!("{JSON}Origin: null\r\n"), 403),
        (format!("{JSON}Sec-Fetch-Site: cross-site\r\n"), 403),
        (format!("{JSON}Origin: http://localhost:{}\r\n", web.address.port()), 403),
        (format!("Content-Type: text/plain\r\nOrigin: {own}\r\n"), 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n".to_owned(), 415),
    ] {
        let answer = web.with("POST", "/api/sync-now", &more, "{}");
        assert_eq!(answer.status, status, "{more}: {answer:?}");
        assert_eq!(answer.header("Access-Control-Allow-Origin"), None);
    }
    web.with(
        "OPTIONS",
        "/api/pause",
        "Origin: https://example.net\r\nAccess-Control-Request-Method: POST\r\n",
        "",
    )
    .expect(405);
    // A page that had its own name lead here (DNS rebinding) sends that name.
    for host in ["attacker.example", "attacker.example:80", "127.0.0.1.attacker.example", ""] {
        let text =
            format!("GET /api/status HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
        let answer = web.raw(text.as_bytes()).expect(403);
        assert!(answer.body.contains("web.allowed_hosts"), "{answer:?}");
        let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        web.raw(text.as_bytes()).expect(403);
    }
    web.raw(b"GET / HTTP/1.0\r\n\r\n").expect(400);
    daemon.stop();
}

#[test]
fn malformed_and_oversized_requests_are_refused_in_a_sentence() {
    let rig = guarded();
    let daemon = Daemon::synced(&rig);
    let web = Web::of(&daemon);
    let head = format!(
        "POST /api/code HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n{JSON}",
        web.address
    );
    let long = "x".repeat(100_000);
    let tries = rig.sim.count("code.submit");
    for (text, status) in [
        ("\u{16}\u{3}\u{1}\0\u{1}\0\r\n\r\n".to_owned(), 400),
        (format!("GET /{long} HTTP/1.1\r\n\r\n"), 431),
        (format!("{head}X: {long}\r\n\r\n"), 431),
        (format!("{head}Content-Length: 100000\r\n\r\n{long}"), 413),
        (format!("{head}Content-Length: 18446744073709551616\r\n\r\n"), 400),
        (format!("{head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"), 400),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 411),
        (format!("{head}Content-Length: 4\r\n\r\n[[[["), 400),
        (format!("{head}\r\n"), 400),
        (format!("BREW /api/code HTTP/1.1\r\nHost: {}\r\n\r\n", web.address), 405),
        (format!("GET /api/../metrics HTTP/1.1\r\nHost: {}\r\n\r\n", web.address), 404),
    ] {
        let answer = web.raw(text.as_bytes());
        let shown = text.get(..60).unwrap_or(&text);
        assert_eq!(answer.status, status, "{shown:?}: {answer:?}");
        assert!(answer.json()["error"].is_string(), "{answer:?}");
        for header in ["Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options"] {
            assert!(answer.header(header).is_some(), "{header}: {answer:?}");
        }
    }
    assert_eq!(rig.sim.count("code.submit"), tries, "iCloud was shown no code");
    daemon.stop();
}

#[test]
fn a_thousand_idle_connections_cost_little_and_keep_nobody_out() {
    let rig = guarded();
    let daemon = Daemon::synced(&rig);
    let web = Web::of(&daemon);
    let before = daemon.usage();
    let mut idle = Vec::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(web.address).expect("a connection");
        if number % 2 == 0 {
            // Half of them say something, and never all of it.
            let _ = stream.write_all(b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ");
        }
        idle.push(stream);
    }
    let begun = Instant::now();
    web.get("/api/status").expect(200);
    web.stranger().get("/healthz").expect(200);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let during = daemon.usage();
    assert!(during.files <= before.files + 100, "{before:?} {during:?}");
    assert!(during.threads <= before.threads + 24, "{before:?} {during:?}");
    // It syncs meanwhile.
    rig.write("b.txt", "b");
    daemon.settle();
    // The last of them are sent away when they have had their time.
    let last = idle.pop().expect("a connection");
    assert_eq!(answer_of(last).status, 0, "it is closed without a word");
    daemon.wait("the connections' end", || daemon.usage().files <= before.files + 20);
    drop(idle);
    daemon.stop();
}

#[test]
fn clients_that_take_nothing_and_streams_beyond_a_few_leave_room_for_others() {
    let rig = guarded();
    let daemon = Daemon::synced(&rig);
    let web = Web::of(&daemon);
    let ask = |path: &str, more: &str| {
        let mut stream = TcpStream::connect(web.address).expect("a connection");
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{more}\r\n", web.address);
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    };
    // Nobody reads these answers.
    let deaf: Vec<TcpStream> = (0..50).map(|_| ask("/page.js", "")).collect();
    web.get("/api/status").expect(200);
    web.get("/readyz").expect(200);
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let streams: Vec<TcpStream> = (0..8).map(|_| ask("/api/events", &token)).collect();
    for mut stream in streams.iter().map(|stream| stream.try_clone().expect("a handle")) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("it is served");
    }
    let refused = web.get("/api/events").expect(503);
    assert!(refused.header("Retry-After").is_some(), "{refused:?}");
    web.get("/api/status").expect(200);
    drop((deaf, streams));
    // The places come free again.
    daemon.wait("room for a stream", || {
        let mut byte = [0; 12];
        ask("/api/events", &token).read_exact(&mut byte).is_ok() && byte.ends_with(b"200")
    });
    daemon.stop();
}
