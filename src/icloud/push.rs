//! The push channel (`docs/protocol.md` §17.1): a token for this session, its registration for the Drive, and listening with it.
//!
//! A notification carries no data and proves nothing: it only says that now is the time to look. Nothing here changes the session, lets
//! the account rest, or follows a redirect, whatever is answered.

#[cfg(test)]
mod fuzz_tests;

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::http::{Answer, Call, HttpError, Limits, Method, Payload};
use super::service::Service;
use crate::secret::Secret;

/// Whose changes are told.
const TOPIC: &str = "com.apple.clouddocs";
/// Where a token is registered, below `{ckdeviceservice}`.
const REGISTER: &str = "/device/1/com.apple.clouddocs/production/tokens/register";
/// How long a token is asked to hold, in seconds; it counts as this where the answer does not say.
const TTL_SECS: u64 = 43_200;
/// A token that is told to hold for less is used for so long all the same: a service that tells nonsense is not asked for tokens all the time.
const SHORTEST_TTL: Duration = Duration::from_secs(60);
/// Longest token and address that are believed, in bytes.
const LONGEST_TEXT: usize = 4096;
/// Limits of the two calls that open a channel.
const OPENING: Limits = Limits {
    connect: Duration::from_secs(20),
    whole: Some(Duration::from_secs(60)),
    stall: Duration::from_secs(30),
    max_body: 16 << 10,
    may_be_slow: true,
};

/// Where and with which token is listened.
#[derive(Clone, Debug)]
pub struct Channel {
    token: Secret,
    courier: Url,
    ttl: Duration,
}

impl Channel {
    /// How long the token may be used before it is replaced: half of what it holds.
    pub fn life(&self) -> Duration {
        self.ttl / 2
    }
}

/// What came while somebody listened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A notification: something may have changed on iCloud.
    News,
    /// A sign of life, or nothing until the time was over.
    Silence,
}

/// Why nothing is heard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// This session gets no notifications; asking again does not help.
    #[error("the push channel refuses this session: {0}")]
    Refused(String),
    /// The token holds no longer.
    #[error("the token of the push channel holds no longer")]
    Expired,
    /// It did not work this time.
    #[error("the push channel: {why}")]
    Failed {
        /// What happened.
        why: String,
        /// How long the service asks to be left alone.
        asked: Option<Duration>,
    },
}

fn failed(why: impl Into<String>) -> PushError {
    PushError::Failed { why: why.into(), asked: None }
}

impl From<HttpError> for PushError {
    fn from(error: HttpError) -> Self {
        let asked = match &error {
            HttpError::Resting { left } => Some(*left),
            _ => None,
        };
        Self::Failed { why: error.to_string(), asked }
    }
}

/// Whether the account that is signed in offers the channel.
pub fn is_offered(service: &Service) -> bool {
    let changes = service.account().info().map(|info| info.changes);
    changes.is_some_and(|changes| changes.push.is_some() && changes.registration.is_some())
}

/// Gets a token and registers it. Two requests.
///
/// # Errors
///
/// [`PushError::Refused`] when this session gets none, or the address to listen at is not Apple's; else [`PushError::Failed`].
pub fn open(service: &Service) -> Result<Channel, PushError> {
    let changes = service.account().info().map(|info| info.changes).unwrap_or_default();
    let (Some(tokens), Some(registration)) = (changes.push, changes.registration) else {
        return Err(PushError::Refused("it is not offered".to_owned()));
    };
    let body = json!({"pushTopics": [TOPIC], "pushTokenTTL": TTL_SECS});
    let answer = ask(service, &tokens, "/getToken", &body, "getToken")?;
    let channel = channel(&answer.body, |url| service.allowed_content_host(url))?;
    let body = json!({
        "apnsToken": channel.token.expose(),
        "clientID": service.account().client_id(),
        "apnsEnvironment": "production",
    });
    ask(service, &registration, REGISTER, &body, "tokens/register")?;
    Ok(channel)
}

fn ask(
    service: &Service,
    root: &str,
    path: &str,
    body: &Value,
    kind: &'static str,
) -> Result<Answer, PushError> {
    let account = service.account();
    let mut url =
        Url::parse(&format!("{root}{path}")).map_err(|_| failed(format!("{kind}: no usable address")))?;
    url.query_pairs_mut()
        .append_pair("clientId", &account.client_id())
        .append_pair("dsid", &service.account_dsid());
    let mut headers = account.service_headers(&url);
    headers.push(("Content-Type".to_owned(), "text/plain".to_owned()));
    let body = body.to_string();
    let payload = Payload::Bytes(body.as_bytes());
    // Not by way of the service's calls: cookies that come with the answer, and signs of a lost session, are passed over.
    let call = Call { method: Method::Post, url: url.to_string(), headers, payload, limits: OPENING, kind };
    let answer = service.http().call(call)?;
    // The session is renewed by those who need it for more than this.
    match judged(&answer, kind) {
        Err(PushError::Expired) => Err(failed(format!("{kind}: HTTP {}", answer.head.status))),
        judged => judged.map(|()| answer),
    }
}

/// Listens until there is something to tell, at most for `limit`. One request.
///
/// # Errors
///
/// [`PushError`].
pub fn listen(service: &Service, channel: &Channel, limit: Duration) -> Result<Heard, PushError> {
    let mut url = channel.courier.clone();
    let ttl = channel.ttl.as_secs().to_string();
    url.query_pairs_mut().append_pair("tok", channel.token.expose()).append_pair("ttl", &ttl);
    let call = Call {
        method: Method::Get,
        url: url.to_string(),
        headers: Vec::new(),
        payload: Payload::None,
        limits: Limits { whole: Some(limit), stall: limit, ..OPENING },
        kind: "aps",
    };
    match service.http().call(call) {
        Ok(answer) => {
            judged(&answer, "aps")?;
            heard(&answer.body)
        }
        // It is held for as long as there is nothing to tell.
        Err(error @ HttpError::Timeout { .. }) if !error.is_before_sending() => Ok(Heard::Silence),
        Err(error) => Err(error.into()),
    }
}

/// What a status says.
fn judged(answer: &Answer, kind: &str) -> Result<(), PushError> {
    let status = answer.head.status;
    match status {
        200..=299 => Ok(()),
        401 | 410 => Err(PushError::Expired),
        403 | 404 => Err(PushError::Refused(format!("{kind}: HTTP {status}"))),
        _ => {
            Err(PushError::Failed { why: format!("{kind}: HTTP {status}"), asked: answer.head.retry_after() })
        }
    }
}

/// What a good answer of the courier says. Which members a notification has is not relied on.
fn heard(body: &[u8]) -> Result<Heard, PushError> {
    if body.trim_ascii().is_empty() {
        return Ok(Heard::Silence);
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(members)) if !members.is_empty() => Ok(Heard::News),
        Ok(Value::Array(notifications)) if !notifications.is_empty() => Ok(Heard::News),
        Ok(_) => Ok(Heard::Silence),
        Err(_) => Err(failed("aps: the answer is no notification")),
    }
}

/// Reads the answer that gives a token; `is_allowed` says whether an address may be asked.
fn channel(body: &[u8], is_allowed: impl Fn(&str) -> bool) -> Result<Channel, PushError> {
    let answer: Value =
        serde_json::from_slice(body).map_err(|_| failed("getToken: the answer is no JSON"))?;
    let text = |name: &str| {
        let text = answer.get(name).and_then(Value::as_str).map(str::trim);
        text.filter(|text| (1..=LONGEST_TEXT).contains(&text.len()))
    };
    let token = Secret::new(text("pushToken").ok_or_else(|| failed("getToken: no token"))?);
    let address = text("webCourierURL").ok_or_else(|| failed("getToken: no address to listen at"))?;
    let courier = Url::parse(address).map_err(|_| failed("getToken: no usable address to listen at"))?;
    if !is_allowed(courier.as_str()) {
        return Err(PushError::Refused("the address to listen at is not Apple's".to_owned()));
    }
    let ttl = match answer.get("pushTokenTTL") {
        Some(Value::Number(number)) => number.as_f64().filter(|secs| *secs > 0.0),
        Some(Value::String(text)) => text.trim().parse().ok().filter(|secs: &f64| *secs > 0.0),
        _ => None,
    };
    // A number that no clock holds is cut to what was asked for; the cast saturates.
    let ttl = ttl.map_or(TTL_SECS, |secs| secs as u64).min(TTL_SECS);
    Ok(Channel { token, courier, ttl: Duration::from_secs(ttl).max(SHORTEST_TTL) })
}

/// Channels for the tests of their owner.
#[cfg(test)]
pub mod testing {
    use super::*;

    /// A channel whose token holds for `ttl`.
    pub fn channel(ttl: Duration) -> Channel {
        let courier = Url::parse("https://webcourier.push.apple.com/aps").expect("an address");
        Channel { token: Secret::new("a token"), courier, ttl }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(body: &Value) -> Result<u64, PushError> {
        let is_allowed = |url: &str| url.starts_with("https://webcourier.push.apple.com/");
        channel(body.to_string().as_bytes(), is_allowed).map(|channel| channel.life().as_secs())
    }

    #[test]
    fn a_token_is_read_liberally_and_its_address_believed_only_where_it_is_apples() {
        let with = |name: &str, value: Value| {
            let mut body =
                json!({"pushToken": "ab12", "webCourierURL": "https://webcourier.push.apple.com/aps"});
            body[name] = value;
            body
        };
        for (name, value, expected) in [
            ("more", json!(null), 21_600),
            ("pushTokenTTL", json!(43200), 21_600),
            ("pushTokenTTL", json!("3600"), 1800),
            ("pushTokenTTL", json!(600.5), 300),
            ("pushTokenTTL", json!(1e300), 21_600),
            ("pushTokenTTL", json!(5), 30),
            ("pushTokenTTL", json!(-5), 21_600),
            ("pushTokenTTL", json!({}), 21_600),
        ] {
            assert_eq!(life(&with(name, value.clone())), Ok(expected), "{name} {value}");
        }
        for (name, value) in [
            ("webCourierURL", json!("https://evil.example/aps")),
            ("webCourierURL", json!("http://webcourier.push.apple.com/aps")),
            ("webCourierURL", json!("https://webcourier.push.apple.com@evil.example/aps")),
        ] {
            let refused = life(&with(name, value.clone()));
            assert!(matches!(refused, Err(PushError::Refused(_))), "{value}: {refused:?}");
        }
        for (name, value) in [
            ("pushToken", json!("")),
            ("pushToken", json!(7)),
            ("pushToken", json!("x".repeat(LONGEST_TEXT + 1))),
            ("webCourierURL", json!(null)),
            ("webCourierURL", json!("no address")),
        ] {
            let unusable = life(&with(name, value.clone()));
            assert!(matches!(unusable, Err(PushError::Failed { .. })), "{name} {value}: {unusable:?}");
        }
        assert!(matches!(life(&json!([])), Err(PushError::Failed { .. })));
    }

    #[test]
    fn only_json_that_holds_something_is_a_notification() {
        for (body, expected) in [
            ("", Some(Heard::Silence)),
            (" \r\n", Some(Heard::Silence)),
            ("{}", Some(Heard::Silence)),
            ("[]", Some(Heard::Silence)),
            ("null", Some(Heard::Silence)),
            ("\"\"", Some(Heard::Silence)),
            (r#"{"aps":{}}"#, Some(Heard::News)),
            (r#"[{"ck":{}}]"#, Some(Heard::News)),
            ("<html></html>", None),
            ("{\"aps\":", None),
        ] {
            assert_eq!(heard(body.as_bytes()).ok(), expected, "{body:?}");
        }
        assert!(heard(&b"[".repeat(16 << 10)).is_err());
    }
}
