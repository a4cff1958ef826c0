//! What nobody should send: the simulator answers it, and goes on serving others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use icloudds_simulator::Simulator;
use icloudds_simulator::account::Adp;
use serde_json::{Value, json};

use crate::client::{Client, PASSWORD, exchange, simulator};

/// Every call that takes a body, with the method that it wants.
const CALLS: &[(&str, &str)] = &[
    ("POST", "/appleauth/auth/federate"),
    ("POST", "/appleauth/auth/signin/init"),
    ("POST", "/appleauth/auth/signin/complete"),
    ("POST", "/appleauth/auth/escrow/init"),
    ("POST", "/appleauth/auth/escrow/complete"),
    ("PUT", "/appleauth/auth/verify/trusteddevice/securitycode"),
    ("POST", "/appleauth/auth/verify/trusteddevice/securitycode"),
    ("PUT", "/appleauth/auth/verify/phone"),
    ("POST", "/appleauth/auth/verify/phone/securitycode"),
    ("POST", "/appleauth/auth/repair/complete"),
    ("POST", "/appleauth/auth/verify/security/key"),
    ("GET", "/appleauth/auth/2sv/trust"),
    ("POST", "/setup/ws/1/accountLogin"),
    ("POST", "/setup/ws/1/validate"),
    ("POST", "/setup/ws/1/requestWebAccessState"),
    ("POST", "/setup/ws/1/enableDeviceConsentForPCS"),
    ("POST", "/setup/ws/1/requestPCS"),
    ("GET", "/setup/ws/1/listDevices"),
    ("POST", "/setup/ws/1/sendVerificationCode"),
    ("POST", "/setup/ws/1/validateVerificationCode"),
    ("GET", "/setup/ws/1/getTerms"),
    ("GET", "/setup/ws/1/repairDone"),
    ("POST", "/drivews/retrieveItemDetailsInFolders"),
    ("POST", "/drivews/retrieveItemDetails"),
    ("POST", "/drivews/retrieveTrashDetails"),
    ("POST", "/drivews/createFolders"),
    ("POST", "/drivews/renameItems"),
    ("POST", "/drivews/moveItems"),
    ("POST", "/drivews/moveItemsToTrash"),
    ("POST", "/drivews/deleteItems"),
    ("POST", "/drivews/putBackItemsFromTrash"),
    ("POST", "/docws/ws/com.apple.CloudDocs/upload/web"),
    ("POST", "/docws/ws/com.apple.CloudDocs/update/documents"),
    ("POST", "/docws/ws/com.apple.CloudDocs/download/batch"),
    ("GET", "/docws/ws/com.apple.CloudDocs/download/by_id?document_id=%00"),
    ("POST", "/docws/ws/com.apple.CloudDocs/list/lookup_by_path"),
    ("GET", "/docws/ws/%F0%9F%8E%89/list/lookup_by_id?document_id=root"),
    ("GET", "/docws/v1/item/%FF"),
    ("GET", "/docws/v1/enumerate/AAAA?limit=-1"),
    ("POST", "/content/upload/%2e%2e"),
    ("GET", "/content/B/x?a=%"),
    ("POST", "/_sim/switches"),
    ("POST", "/_sim/account"),
    ("POST", "/_sim/drive/seed"),
    ("POST", "/_sim/drive/package?path=x"),
    ("POST", "/_sim/drive/fill"),
];

/// Members that calls look for, each with a value of another kind than they want.
fn odd_bodies() -> Vec<Value> {
    let root = "FOLDER::com.apple.CloudDocs::root";
    let mut bodies =
        vec![json!(null), json!([]), json!({}), json!(""), json!(0), json!([[]]), json!([null, 1, "x"])];
    for odd in [
        json!(null),
        json!(-1),
        json!(1e308),
        json!("\u{0}"),
        json!([1]),
        json!({"x": 1}),
        json!(i64::MAX),
        json!(u64::MAX),
    ] {
        bodies.push(json!({
            "a": odd, "accountName": odd, "protocols": odd, "c": odd, "m1": odd, "m2": odd, "k": odd,
            "trustTokens": odd, "securityCode": odd, "phoneNumber": odd, "mode": odd, "dsWebAuthToken": odd,
            "trustToken": odd, "appName": odd, "derivedFromUserAction": odd, "deviceId": odd,
            "items": odd, "folders": odd, "destinationDrivewsId": odd, "filename": odd, "size": odd,
            "command": odd, "document_id": odd, "data": odd, "path": odd, "mtime": odd, "btime": odd,
        }));
        bodies.push(json!([{"drivewsid": odd, "partialData": odd, "document_id": odd, "shareID": odd}]));
        bodies.push(json!({"items": [{"drivewsid": odd, "etag": odd, "name": odd}, odd],
            "folders": [odd, {"name": odd}], "destinationDrivewsId": root}));
        // As far as a commit is looked into.
        bodies.push(json!({
            "command": "add_file", "document_id": "11111111-2222-3333-4444-555555555555", "allow_conflict": true,
            "path": {"starting_document_id": "root", "path": "x"}, "mtime": odd, "btime": odd,
            "data": {"size": odd, "receipt": odd, "signature": odd},
        }));
        bodies.push(
            json!({"items": [{"drivewsid": root, "etag": "1", "name": odd}], "destinationDrivewsId": root}),
        );
    }
    bodies
}

fn odd_requests(sim: &Simulator, client: &mut Client) {
    let bodies = odd_bodies();
    let mut stream = client.connect();
    for (method, path) in CALLS {
        for body in &bodies {
            let answer = match client.call_on(&stream, method, path, Some(body)) {
                Some(answer) => answer,
                // It may have closed a connection, but not on a request that is whole.
                None => {
                    stream = client.connect();
                    let again = client.call_on(&stream, method, path, Some(body));
                    again.unwrap_or_else(|| panic!("{method} {path} {body}: no answer"))
                }
            };
            // This one says so of a session that is none (docs/protocol.md §6.3).
            let is_known = path.ends_with("/requestPCS") && client.cookies.is_empty();
            assert!(answer.status < 500 || is_known, "{method} {path} {body}: {}", answer.status);
        }
    }
    assert!(sim.drive().tree().len() < 200);
}

#[test]
fn bodies_of_any_shape_are_answered_on_every_call() {
    let sim = simulator(|config| {
        config.account.adp = Some(Adp { consent_after_polls: None, cookies_at_request: 9 });
    });
    let mut client = Client::new(&sim);
    odd_requests(&sim, &mut client);
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    odd_requests(&sim, &mut client);
}

#[test]
fn a_body_that_is_too_large_too_deep_or_cut_is_refused() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let large = format!("\"{}\"", "x".repeat(17 * 1024 * 1024));
    for (body, announced, status) in [
        (deep.as_bytes(), deep.len(), 400),
        (large.as_bytes(), large.len(), 413),
        (b"{\"items\":\xff}".as_slice(), 11, 400),
    ] {
        let stream = client.connect();
        let head = format!(
            "POST /_sim/switches HTTP/1.1\r\nHost: x\r\nContent-Length: {announced}\r\nConnection: close\r\n\r\n"
        );
        let answer = exchange(&stream, &[head.as_bytes(), body].concat(), false).unwrap();
        assert_eq!(answer.status, status);
    }
    let mut stream = client.connect();
    stream.write_all(b"POST /_sim/switches HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 400 "), "{rest}");
    assert_eq!(client.list().status, 200);
}

#[test]
fn heads_of_any_shape_are_refused_or_answered() {
    let sim = simulator(|_| {});
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(500));
    let heads: &[&[u8]] = &[
        b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
        b"GET http://www.icloud.com HTTP/1.1\r\n\r\n",
        b"GET %zz?%&=&&a=%e2%28 HTTP/1.1\r\nHost: [::1]:x\r\nCookie: ;=;a;=b\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /_sim/switches HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /_sim/switches HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
        b"GET /content/B/x HTTP/1.1\r\nUser-Agent: t\r\nRange: bytes=18446744073709551615-18446744073709551615\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"CONNECT HTTP/1.1\r\n\r\n",
        many.as_bytes(),
    ];
    for head in heads {
        let stream = TcpStream::connect(sim.address()).unwrap();
        let mut out = &stream;
        out.write_all(head).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // A refusal may come as a reset, when not all was read.
        drop((&stream).read_to_end(&mut answer));
        let text = String::from_utf8_lossy(head);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{text}");
        assert!(!answer.starts_with(b"HTTP/1.1 5"), "{text}");
    }
    assert_eq!(Client::new(&sim).start().status, 200);
}

#[test]
fn more_connections_than_there_is_room_for_keep_nobody_out() {
    let sim = simulator(|_| {});
    let mut idle = Vec::new();
    for _ in 0..450 {
        match TcpStream::connect(sim.address()) {
            Ok(stream) => idle.push(stream),
            // This process has no more descriptors: as many as it can hold are open.
            Err(_) => break,
        }
    }
    drop(idle.split_off(idle.len() - 20));
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(Client::new(&sim).start().status, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn slow_clients_keep_nobody_waiting() {
    let sim = simulator(|_| {});
    // One never ends its head, one never sends its body, one never reads its answer.
    let slow: Vec<TcpStream> = [
        b"GET / HTTP/1.1\r\nX: ".as_slice(),
        b"POST /_sim/switches HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
        b"\x16\x03\x01",
    ]
    .iter()
    .map(|bytes| {
        let mut stream = TcpStream::connect(sim.address()).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    })
    .collect();
    sim.drive().write("large", vec![7; 8_000_000]).unwrap();
    let mut unread = TcpStream::connect(sim.address()).unwrap();
    unread.write_all(b"GET /_sim/drive/content?path=large HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut client = Client::new(&sim);
    assert_eq!(client.start().status, 200);
    assert_eq!(client.sign_in(PASSWORD).status, 409);
    let began = Instant::now();
    drop(sim);
    assert!(began.elapsed() < Duration::from_secs(5), "stopping waits for none of them");
    drop((slow, unread));
}
