//! Posts to the sinks, each time within limits.

use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use url::Url;

use super::body;
use super::watch::Notice;
use crate::config::Notify;
use crate::icloud::http::{Call, Http, Limits, Method, Payload};
use crate::secret::Secret;
use crate::status::StatusDocument;

/// A sink that takes longer counts as one that fails. What it answers is not read beyond a little.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    whole: Some(Duration::from_secs(30)),
    stall: Duration::from_secs(15),
    max_body: 256 << 10,
    may_be_slow: false,
};

/// The way to the sinks.
pub(super) struct Sender {
    config: Notify,
    http: Arc<Http>,
    host: String,
}

impl Sender {
    pub(super) fn new(config: Notify, http: Arc<Http>) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { config, http, host }
    }

    /// Whether somebody waits for pings.
    pub(super) fn pings(&self) -> bool {
        self.config.ping.is_some()
    }

    /// Posts a notice; done where nobody is to be told.
    pub(super) fn notice(&self, notice: &Notice, status: &StatusDocument) -> Result<(), String> {
        let Some(url) = &self.config.webhook else { return Ok(()) };
        let (body, kind) = body::of(notice, status, &self.config.body, &self.host);
        let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        self.call(Method::Post, url, headers, Payload::Bytes(body.as_bytes()), "webhook")
    }

    /// Asks the ping's URL.
    pub(super) fn ping(&self) -> Result<(), String> {
        let Some(url) = &self.config.ping else { return Ok(()) };
        self.call(Method::Get, url, Vec::new(), Payload::None, "ping")
    }

    fn call(
        &self,
        method: Method,
        url: &Secret,
        mut headers: Vec<(String, String)>,
        payload: Payload<'_>,
        kind: &'static str,
    ) -> Result<(), String> {
        let (url, user) = without_user(url.expose())?;
        headers.extend(user.map(|user| ("Authorization".to_owned(), format!("Basic {user}"))));
        let call = Call { method, url, headers, payload, limits: LIMITS, kind };
        match self.http.call(call) {
            Ok(answer) if answer.is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered HTTP {}", answer.head.status)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The URL without user and password, which go into a header.
fn without_user(text: &str) -> Result<(String, Option<String>), String> {
    let mut url = Url::parse(text).map_err(|error| format!("its URL cannot be used: {error}"))?;
    if url.username().is_empty() && url.password().is_none() {
        return Ok((url.into(), None));
    }
    let decoded = |part: &str| {
        let pair = format!("v={}", part.replace('+', "%2B"));
        let first = url::form_urlencoded::parse(pair.as_bytes()).next();
        first.map_or_else(|| part.to_owned(), |(_, value)| value.into_owned())
    };
    let user = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
    let refused = || "its URL cannot be used without its user".to_owned();
    url.set_username("").map_err(|()| refused())?;
    url.set_password(None).map_err(|()| refused())?;
    let encoded = BASE64_STANDARD.encode(user);
    crate::secret::register(&encoded);
    Ok((url.into(), Some(encoded)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_in_the_url_becomes_a_header() {
        for (url, sent, user) in [
            ("https://ntfy.example/topic", "https://ntfy.example/topic", None),
            ("https://me:p%40ss+word@ntfy.example/t?x=1", "https://ntfy.example/t?x=1", Some("me:p@ss+word")),
            ("http://:tk_1@ntfy.example/", "http://ntfy.example/", Some(":tk_1")),
        ] {
            let user = user.map(|user| BASE64_STANDARD.encode(user));
            assert_eq!(without_user(url), Ok((sent.to_owned(), user)), "{url}");
        }
    }
}
