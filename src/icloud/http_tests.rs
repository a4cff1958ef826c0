use std::fs;

use ureq::http::HeaderMap;
use ureq::tls::RootCerts;

use super::*;
use crate::icloud::testing::{Reply, TestServer};
use crate::secret;

fn head(pairs: &[(&'static str, &'static str)]) -> Head {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(*name, http::HeaderValue::from_static(value));
    }
    Head { status: 503, headers }
}

#[test]
fn retry_after_reads_seconds_and_dates() {
    assert_eq!(head(&[("retry-after", " 17 ")]).retry_after(), Some(Duration::from_secs(17)));
    let dated =
        head(&[("date", "Sun, 22 Nov 2026 10:00:00 GMT"), ("retry-after", "Sun, 22 Nov 2026 10:01:30 GMT")]);
    assert_eq!(dated.retry_after(), Some(Duration::from_secs(90)));
    assert_eq!(head(&[("retry-after", "soon")]).retry_after(), None);
    assert_eq!(head(&[]).retry_after(), None);
}

#[test]
fn a_short_reader_is_an_error_that_keeps_its_cause() {
    let mut reader =
        ExactReader { reader: Box::new(io::Cursor::new(b"abc".to_vec())), left: 5, failure: None };
    let mut sink = Vec::new();
    assert!(reader.read_to_end(&mut sink).is_err());
    assert_eq!(sink, b"abc");
    assert_eq!(reader.failure.expect("remembered").kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_long_reader_is_cut_at_its_announced_length() {
    let mut reader =
        ExactReader { reader: Box::new(io::Cursor::new(b"abcdef".to_vec())), left: 4, failure: None };
    let mut sink = Vec::new();
    reader.read_to_end(&mut sink).expect("enough content");
    assert_eq!(sink, b"abcd");
}

#[test]
fn a_proxy_setting_is_checked_and_its_password_kept_secret() {
    let made = proxy("http://me:p%40ss%2Bword@proxy.example:3128").expect("usable");
    assert_eq!((made.host(), made.port()), ("proxy.example", 3128));
    assert_eq!(made.password(), Some("p@ss+word"));
    assert_eq!(secret::mask("user:p@ss+word"), "user:***");
    assert_eq!(proxy("proxy.example:3128").expect("usable").port(), 3128);
    let refused = proxy("socks5://proxy.example").expect_err("unsupported");
    assert!(refused.to_string().contains("http://"), "{refused}");
}

#[test]
fn a_ca_file_must_hold_a_certificate() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("ca.pem");
    let missing = roots(Some(&path)).expect_err("no such file");
    assert!(missing.to_string().contains("ca.pem"), "{missing}");
    fs::write(&path, "nothing\n").expect("written");
    let empty = roots(Some(&path)).expect_err("no certificate");
    assert!(empty.to_string().contains("BEGIN CERTIFICATE"), "{empty}");
}

#[test]
fn every_public_root_is_understood() {
    let RootCerts::Specific(all) = roots(None).expect("the roots") else { panic!("other roots") };
    let certificates = all.iter().map(|root| rustls::pki_types::CertificateDer::from(root.der()));
    let (added, ignored) = rustls::RootCertStore::empty().add_parsable_certificates(certificates);
    assert!(added > 100 && ignored == 0, "{added} of {}", added + ignored);
}

#[test]
fn an_unreachable_host_is_named_and_nothing_was_sent() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("address");
    let http = Http::new(&HttpOptions::default()).expect("client");
    let call = Call {
        method: Method::Get,
        url: format!("http://{closed}/secret-path?token=x"),
        headers: Vec::new(),
        payload: Payload::None,
        limits: Limits::SIGN_IN,
        kind: "test",
    };
    let error = http.call(call).expect_err("nobody listens");
    assert!(error.is_before_sending() && error.is_transient(), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("127.0.0.1 cannot be reached") && !text.contains("secret"), "{text}");
}

fn call<'a>(url: String, payload: Payload<'a>, max_body: u64) -> Call<'a> {
    let limits = Limits { max_body, ..Limits::JSON };
    Call { method: Method::Post, url, headers: Vec::new(), payload, limits, kind: "test" }
}

#[test]
fn a_stream_is_sent_with_its_length_and_a_failing_one_is_told_apart() {
    let server = TestServer::start();
    server.on("POST /up", [Reply::new(200).body("done")]);
    let http = Http::new(&HttpOptions::default()).expect("client");
    let content = "x".repeat(300_000);
    let reader = Box::new(io::Cursor::new(content.clone().into_bytes()));
    let payload = Payload::Stream { reader, len: 300_000 };
    assert_eq!(http.call(call(server.url("/up"), payload, 100)).expect("sent").body, b"done");
    let seen = server.take().remove(0);
    assert_eq!((seen.headers["content-length"].as_str(), seen.body.len()), ("300000", content.len()));
    assert_eq!(seen.headers["user-agent"], USER_AGENT);
    let payload = Payload::Stream { reader: Box::new(io::Cursor::new(b"short".to_vec())), len: 300_000 };
    let error = http.call(call(server.url("/up"), payload, 100)).expect_err("too short");
    assert!(matches!(error, HttpError::Payload(_)), "{error:?}");
    assert_eq!(server.take().len(), 0, "no whole request arrived");
}

#[test]
fn answers_are_bounded_redirects_are_not_followed_and_streams_are_whole() {
    let server = TestServer::start();
    server.on("POST /big", [Reply::new(200).body(&"y".repeat(101))]);
    server.on("POST /away", [Reply::new(330).header("Location", &server.url("/big"))]);
    let http = Http::new(&HttpOptions::default()).expect("client");
    let error = http.call(call(server.url("/big"), Payload::None, 100)).expect_err("too large");
    assert!(matches!(error, HttpError::TooLarge { limit: 100, .. }), "{error:?}");
    let answer = http.call(call(server.url("/away"), Payload::None, 100)).expect("an answer");
    assert_eq!(answer.head.status, 330);
    assert!(answer.head.header("location").expect("told").ends_with("/big"));
    let (head, mut reader) = http.open(call(server.url("/big"), Payload::Bytes(b"{}"), 1)).expect("opened");
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("whole");
    assert_eq!((head.status, text.len()), (200, 101));
}

#[test]
fn a_silent_service_is_a_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let url = format!("http://{}/", listener.local_addr().expect("address"));
    let http = Http::new(&HttpOptions::default()).expect("client");
    let mut call = call(url, Payload::None, 100);
    call.limits.stall = Duration::from_millis(50);
    let error = http.call(call).expect_err("nobody answers");
    assert!(matches!(error, HttpError::Timeout { .. }) && !error.is_before_sending(), "{error:?}");
}

/// Answers so many TLS connections on loopback with a certificate of its own; gives the URL,
/// the certificate as PEM and the thread.
fn tls_server(connections: usize) -> (String, String, std::thread::JoinHandle<()>) {
    use rustls::pki_types::PrivateKeyDer;
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, own.cert.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .expect("a pair");
    let config = std::sync::Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let url = format!("https://127.0.0.1:{}/", listener.local_addr().expect("address").port());
    let thread = std::thread::spawn(move || {
        for _ in 0..connections {
            let (mut socket, _) = listener.accept().expect("a client");
            let mut session = rustls::ServerConnection::new(config.clone()).expect("a session");
            let mut stream = rustls::Stream::new(&mut session, &mut socket);
            // A client that trusts nobody here ends the handshake; that is its right.
            let mut seen = Vec::new();
            let mut byte = [0];
            while !seen.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                seen.push(byte[0]);
            }
            let answer = b"HTTP/1.1 204 X\r\nConnection: close\r\n\r\n";
            let _ = io::Write::write_all(&mut stream, answer);
        }
    });
    (url, pem, thread)
}

#[test]
fn certificates_are_verified_and_an_own_ca_is_trusted_when_it_is_named() {
    let (url, pem, server) = tls_server(2);
    let get = |http: &Http| {
        let mut call = call(url.clone(), Payload::None, 100);
        call.method = Method::Get;
        http.call(call)
    };
    let error = get(&Http::new(&HttpOptions::default()).expect("client")).expect_err("unknown CA");
    assert!(matches!(error, HttpError::Tls { .. }), "{error:?}");
    assert!(error.to_string().contains("tls.ca_file"), "{error}");
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("ca.pem");
    fs::write(&path, pem).expect("written");
    let ca_file = Some(path);
    let http = Http::new(&HttpOptions { ca_file, ..Default::default() }).expect("client");
    assert_eq!(get(&http).expect("trusted").head.status, 204);
    server.join().expect("served");
}

#[test]
fn a_proxy_of_the_environment_serves_https_beyond_this_machine() {
    for (uri, served) in [
        ("https://setup.icloud.com/setup", true),
        ("http://setup.icloud.com/setup", false),
        ("https://127.0.0.1:8443/", false),
        ("https://localhost/", false),
        ("https://[::1]/", false),
    ] {
        assert_eq!(serves_environment_proxy(&uri.parse().expect("URI")), served, "{uri}");
    }
}

/// A TLS server for one connection, whose certificate is valid in these years, and the file that makes it trusted.
fn certified(begins: i32, ends: i32) -> (String, tempfile::TempDir) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(begins, 1, 1);
    params.not_after = rcgen::date_time_ymd(ends, 1, 1);
    let certificate = params.self_signed(&key).expect("a certificate");
    let folder = tempfile::tempdir().expect("temporary folder");
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, certificate.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    fs::write(folder.path().join("ca.pem"), pem).expect("a file");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let secret = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret.into())
        .expect("a server's certificate");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("a port").port();
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let Ok(mut tls) = rustls::ServerConnection::new(Arc::new(config)) else { return };
        // The client refuses the certificate and goes away.
        while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok() {}
    });
    (format!("https://localhost:{port}/"), folder)
}

#[test]
fn a_certificate_out_of_its_time_is_told_with_the_clock() {
    for (begins, ends, expected) in [
        (2090, 2095, "valid from 2090-01-01 00:00 UTC on, and this machine's clock says"),
        (2001, 2002, "its certificate ended on 2002-01-01"),
    ] {
        let (url, folder) = certified(begins, ends);
        let options = HttpOptions { ca_file: Some(folder.path().join("ca.pem")), ..HttpOptions::default() };
        let http = Http::new(&options).expect("a client");
        let call = Call {
            method: Method::Get,
            url,
            headers: Vec::new(),
            payload: Payload::None,
            limits: Limits::JSON,
            kind: "x",
        };
        let error = http.call(call).expect_err("the certificate is not valid now");
        let told = error.to_string();
        assert!(told.contains(expected) && told.contains("set the clock"), "{told}");
        assert!(error.is_transient() && error.is_before_sending());
    }
}
