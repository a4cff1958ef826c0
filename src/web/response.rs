//! One answer, and how it is written: whole within a limit of time, or as a stream of events.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::model::plain::plain_json;

/// How long a client has to take an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What every answer says. The policy lets the page load only what comes from here, run no script that stands in the page,
/// send nothing elsewhere, and be shown in no other page; none of it is ever kept by a cache.
const ALWAYS: &str = "Connection: close\r\n\
    Cache-Control: no-store\r\n\
    Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\n\
    X-Frame-Options: DENY\r\n";

/// JSON, as the header names it.
pub(super) const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub status: u16,
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into() }
    }

    /// JSON, with what cannot be seen escaped.
    pub(super) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, JSON, format!("{}\n", plain_json(&value.to_string())))
    }

    /// `{"ok": true}` and what was said to it.
    pub(super) fn done(said: &str) -> Self {
        Self::json(200, &serde_json::json!({"ok": true, "said": said}))
    }

    /// `{"error": …}`, one sentence.
    pub(super) fn error(status: u16, sentence: &str) -> Self {
        let answer = Self::json(status, &serde_json::json!({"error": sentence}));
        match status {
            401 => answer.with("WWW-Authenticate", "Bearer realm=\"icloudds\"".to_owned()),
            _ => answer,
        }
    }

    pub(super) fn text(status: u16, text: String) -> Self {
        Self::new(status, TEXT, text)
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// As it goes over the line; `head_only` leaves the body out and says how long it would have been.
    pub(super) fn bytes(&self, head_only: bool) -> Vec<u8> {
        let mut bytes = format!(
            "HTTP/1.1 {} {}\r\n{ALWAYS}Content-Type: {}\r\nContent-Length: {}\r\n",
            self.status,
            reason(self.status),
            self.content_type,
            self.body.len()
        );
        for (name, value) in &self.headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        if !head_only {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// The head of a stream of events, which ends when the connection does.
pub(super) fn stream_head() -> String {
    format!("HTTP/1.1 200 OK\r\n{ALWAYS}Content-Type: text/event-stream\r\n\r\n")
}

/// Writes all of `bytes` within `patience` as a whole: a byte taken now and then does not prolong it.
///
/// # Errors
///
/// When the client went away, or did not take it in time.
pub(super) fn write_all(stream: &mut TcpStream, mut bytes: &[u8], patience: Duration) -> io::Result<()> {
    let deadline = Instant::now() + patience;
    while !bytes.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_carries_the_policy_and_its_length() {
        let answer = Response::error(401, "no").with("X-More", "1".to_owned());
        let text = String::from_utf8(answer.bytes(false)).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{head}");
        for line in [
            "script-src 'self'",
            "frame-ancestors 'none'",
            "Cache-Control: no-store",
            "WWW-Authenticate: Bearer",
            "X-More: 1",
            "Content-Length: 15",
        ] {
            assert!(head.contains(line), "{line} is not in {head}");
        }
        assert!(!head.contains("unsafe-inline"), "{head}");
        assert_eq!(body, "{\"error\":\"no\"}\n");
        assert!(!head.contains("  "), "no line is folded: {head}");
        assert_eq!(String::from_utf8(answer.bytes(true)).expect("text"), format!("{head}\r\n\r\n"));
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        let answer = Response::done("a\u{202e}\n\u{1b}[2J<script>");
        let body = String::from_utf8(answer.body).expect("text");
        assert_eq!(body, "{\"ok\":true,\"said\":\"a\\u202e\\n\\u001b[2J<script>\"}\n");
    }
}
