//! What comes back from a request.

use std::time::Duration;

use ureq::http::HeaderMap;

/// Status and headers of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// The headers. `Content-Encoding` and `Content-Length` are absent when the body was
    /// decompressed on the way.
    pub headers: HeaderMap,
}

impl Head {
    /// The first value of a header, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Every value of a header that is text.
    pub fn header_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// When the service sent the answer, by its clock, in seconds since 1970.
    pub fn date(&self) -> Option<i64> {
        Some(jiff::fmt::rfc2822::parse(self.header("date")?).ok()?.timestamp().as_second())
    }

    /// How long the service asks to wait: seconds, or a date compared with the answer's own
    /// `Date`, so that a wrong clock here does not matter.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?.trim();
        if let Ok(secs) = value.parse::<u64>() {
            return Some(Duration::from_secs(secs));
        }
        let until = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
        let sent = jiff::fmt::rfc2822::parse(self.header("date")?).ok()?.timestamp();
        Some(Duration::try_from(until.duration_since(sent)).unwrap_or(Duration::ZERO))
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status and headers.
    pub head: Head,
    /// The decoded body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.head.status)
    }
}
