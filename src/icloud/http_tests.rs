use super::*;

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
    let missing = roots_with(&path).expect_err("no such file");
    assert!(missing.to_string().contains("ca.pem"), "{missing}");
    fs::write(&path, "nothing\n").expect("written");
    let empty = roots_with(&path).expect_err("no certificate");
    assert!(empty.to_string().contains("BEGIN CERTIFICATE"), "{empty}");
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
