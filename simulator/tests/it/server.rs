//! The HTTP server and the control endpoint.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use icloudds_simulator::fault::{Effect, Fault, FaultBody};
use icloudds_simulator::{Simulator, Switches};
use serde_json::{Value, json};

use crate::client::{Client, exchange, simulator};

fn fault(kind: &str, effect: Effect) -> Fault {
    Fault {
        kind: Some(kind.to_owned()),
        path: None,
        skip: 0,
        count: 1,
        every: 1,
        probability: 1.0,
        seed: 0,
        effect,
    }
}

fn set_switches(sim: &Simulator, body: &str, framing: &str) -> u16 {
    let stream = TcpStream::connect(sim.address()).unwrap();
    let request = format!("POST /_sim/switches HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{body}");
    exchange(&stream, request.as_bytes(), false).unwrap().status
}

#[test]
fn bodies_come_by_length_in_chunks_and_after_100_continue() {
    let sim = simulator(|_| {});
    let visible = || sim.core().switches().visible;
    assert_eq!(set_switches(&sim, r#"{"S-visible":"1s"}"#, "Content-Length: 18"), 200);
    assert_eq!(visible(), Duration::from_secs(1));
    let chunks = "9;x=y\r\n{\"S-visib\r\n9\r\nle\":\"2s\"}\r\n0\r\nTrailer: x\r\n\r\n";
    assert_eq!(set_switches(&sim, chunks, "Transfer-Encoding: chunked"), 200);
    assert_eq!(visible(), Duration::from_secs(2));

    let mut stream = TcpStream::connect(sim.address()).unwrap();
    stream
        .write_all(
            b"POST /_sim/switches HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\nExpect: 100-continue\r\n\r\n",
        )
        .unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let answer = exchange(&stream, br#"{"S-visible":"3s"}"#, false).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(visible(), Duration::from_secs(3));
}

#[test]
fn a_connection_serves_many_requests_also_pipelined() {
    let sim = simulator(|_| {});
    let mut stream = TcpStream::connect(sim.address()).unwrap();
    for _ in 0..3 {
        let answer = exchange(&stream, b"GET /_sim/state HTTP/1.1\r\nHost: x\r\n\r\n", false);
        assert_eq!(answer.unwrap().status, 200);
    }
    let head = exchange(&stream, b"HEAD /_sim/nothing HTTP/1.1\r\nHost: x\r\n\r\n", true).unwrap();
    assert_eq!((head.status, head.body.len()), (404, 0));
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    assert_eq!(all.matches("HTTP/1.1 200 OK").count(), 2);
}

#[test]
fn malformed_and_oversized_heads_are_refused() {
    let sim = simulator(|_| {});
    let stream = TcpStream::connect(sim.address()).unwrap();
    assert_eq!(exchange(&stream, b"NONSENSE\r\n\r\n", false).unwrap().status, 400);
    let stream = TcpStream::connect(sim.address()).unwrap();
    let head = b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n";
    assert_eq!(exchange(&stream, head, false).unwrap().status, 400);
    let stream = TcpStream::connect(sim.address()).unwrap();
    let huge = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert!(exchange(&stream, huge.as_bytes(), false).is_none());
    assert_eq!(set_switches(&sim, "{", "Content-Length: 1"), 400);
}

#[test]
fn an_upload_larger_than_memory_would_like_is_not_kept() {
    let sim = simulator(|config| {
        config.switches.faults = vec![fault(
            "upload.content",
            Effect::Answer {
                status: 503,
                body: FaultBody::Html,
                retry_after: None,
                code: None,
                headers: Vec::new(),
            },
        )];
    });
    let mut stream = TcpStream::connect(sim.address()).unwrap();
    stream
        .write_all(
            b"POST /content/x HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\nContent-Length: 33554432\r\n\r\n",
        )
        .unwrap();
    let block = vec![7; 1024 * 1024];
    for _ in 0..31 {
        stream.write_all(&block).unwrap();
    }
    assert_eq!(exchange(&stream, &block, false).unwrap().status, 503);
}

#[test]
fn wire_faults_are_carried_out() {
    let html = String::from("<html><title>simulated iCloud</title></html>");
    let home = |effect| {
        let sim = simulator(|config| config.switches.faults = vec![fault("home", effect)]);
        let stream = TcpStream::connect(sim.address()).unwrap();
        let answer = exchange(&stream, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", false);
        assert_eq!(sim.count("home"), 1);
        answer
    };
    assert!(home(Effect::AppliedReplyLost).is_none());
    assert!(home(Effect::NotAppliedReplyLost).is_none());
    let cut = home(Effect::CutBodyAfter(5)).unwrap();
    assert_eq!((cut.body.as_slice(), cut.cut), (b"<html".as_slice(), true));
    let long = home(Effect::WrongLength(3)).unwrap();
    assert_eq!((long.body.len(), long.cut), (html.len(), true));
    let short = home(Effect::WrongLength(-3)).unwrap();
    assert_eq!((short.body.len(), short.cut), (html.len() - 3, false));
    let half = home(Effect::TruncateBody).unwrap();
    assert_eq!((half.body.len(), half.cut), (html.len() / 2, false));
    let began = Instant::now();
    let stalled = home(Effect::StallMs(150)).unwrap();
    assert_eq!(stalled.body, html.as_bytes());
    assert!(began.elapsed() >= Duration::from_millis(150));
}

#[test]
fn a_lost_reply_was_applied_or_not() {
    for (effect, applied) in [(Effect::AppliedReplyLost, true), (Effect::NotAppliedReplyLost, false)] {
        let sim = simulator(|_| {});
        let mut client = Client::new(&sim);
        client.log_in(&sim);
        sim.switches(|switches| switches.faults = vec![fault("logout", effect.clone())]);
        let stream = client.connect();
        let body = json!({"trustBrowser": true, "allBrowsers": false});
        assert!(client.call_on(&stream, "POST", "/setup/ws/1/logout", Some(&body)).is_none());
        let validated = client.setup("validate", &Value::Null).status;
        assert_eq!(validated == 421, applied);
    }
}

#[test]
fn latency_and_bandwidth_slow_answers_down() {
    let sim = simulator(|config| config.switches.latency = Duration::from_millis(80));
    let mut client = Client::new(&sim);
    let began = Instant::now();
    client.call("GET", "/", None);
    assert!(began.elapsed() >= Duration::from_millis(80));
    sim.switches(|switches| {
        switches.latency = Duration::ZERO;
        switches.bandwidth = Some(440);
    });
    let began = Instant::now();
    assert_eq!(client.call("GET", "/", None).body.len(), 44);
    assert!(began.elapsed() >= Duration::from_millis(95), "44 bytes at 440 a second");
}

#[test]
fn stopping_ends_waiting_requests_and_frees_the_port() {
    let sim = simulator(|config| {
        config.switches.latency = Duration::from_secs(3600);
    });
    let address = sim.address();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let idle = TcpStream::connect(address).unwrap();
    while sim.count("home") == 0 {
        std::thread::yield_now();
    }
    drop(sim);
    assert!(exchange(&stream, b"", false).is_none());
    assert!(exchange(&idle, b"", false).is_none());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn overlapping_mutations_are_noticed() {
    let calls = ["createFolders", "retrieveItemDetailsInFolders", "renameItems"];
    // Nothing is answered while the first simulator lives, so that the calls surely overlap.
    let sim = simulator(|config| config.switches.latency = Duration::from_secs(3600));
    let streams = calls.map(|call| {
        let mut stream = TcpStream::connect(sim.address()).unwrap();
        let text = format!("POST /drivews/{call} HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\nOrigin: http://x\r\nReferer: http://x/\r\n\r\n");
        stream.write_all(text.as_bytes()).unwrap();
        stream
    });
    let deadline = Instant::now() + Duration::from_secs(20);
    while sim.counts().len() < calls.len() {
        assert!(Instant::now() < deadline, "{:?}", sim.counts());
        std::thread::yield_now();
    }
    let overlaps = ["create overlapped rename", "rename overlapped create"];
    let found: Vec<_> =
        sim.violations().into_iter().filter(|text| overlaps.contains(&text.as_str())).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    drop((streams, sim));

    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    for call in calls {
        client.call("POST", &format!("/drivews/{call}"), Some(&json!({})));
    }
    assert_eq!(sim.violations(), Vec::<String>::new(), "one after the other");
}

#[test]
fn the_control_endpoint_shows_and_steers() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    client.auth("PUT", "/verify/trusteddevice/securitycode", None);
    let state = client.call("GET", "/_sim/state", None).json();
    assert_eq!(state["counts"]["signin.complete"], 1);
    assert_eq!(state["code"], json!(sim.device_code().unwrap()));
    assert_eq!(state["sessions"], 1);
    assert_eq!(client.call("POST", "/_sim/expire", Some(&json!({"what": "session"}))).status, 200);
    assert_eq!(client.list().status, 421);
    assert_eq!(client.call("POST", "/_sim/expire", Some(&json!({"what": "x"}))).status, 400);
    assert_eq!(client.call("POST", "/_sim/account", Some(&json!({"locked": true}))).status, 200);
    assert_eq!(client.call("POST", "/_sim/account", Some(&json!({"lucky": true}))).status, 400);
    assert_eq!(client.call("POST", "/_sim/switches", Some(&json!({"S-2fa": "no"}))).status, 400);
    assert_eq!(client.call("POST", "/_sim/reset", None).status, 200);
    assert!(sim.counts().is_empty());
    let switches = client.call("GET", "/_sim/switches", None).json();
    assert_eq!(serde_json::from_value::<Switches>(switches).unwrap(), Switches::default());
}
