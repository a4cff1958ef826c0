//! Whether the change feed and the push channel answer a web session (`docs/protocol.md` §17.1). Only questions; what the feed tells of items is
//! not looked at.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::ask::{Asker, Said};
use super::report::Line;
use crate::icloud::http::{Call, HttpError, Limits, Method, Payload};
use crate::icloud::request::{Request, Root};
use crate::icloud::signin::facts::AccountFacts;
use crate::icloud::survey::word_of;

/// Below the root of the feed.
const DATABASE: &str = "/database/1/com.apple.clouddocs/production/private";
/// How long the push channel is listened to: it holds a request until something happens.
const LISTEN: Limits = Limits {
    may_be_slow: true,
    connect: Duration::from_secs(10),
    whole: Some(Duration::from_secs(3)),
    stall: Duration::from_secs(3),
    max_body: 1 << 20,
};

fn post<'a>(root: &'a str, path: &'a str, body: &'a [u8], kind: &'static str) -> Request<'a> {
    Request {
        root: Root::At(root),
        method: Method::Post,
        path,
        query: &[],
        body,
        limits: Limits::JSON,
        kind,
        changes: false,
    }
}

/// Where the feed stands: its token, as a number that says only whether it is another one.
pub fn position(asker: &Asker, facts: &AccountFacts) -> Option<String> {
    let (_, answer) = database(asker, facts.root("ckdatabasews")?);
    answer?.get("syncToken")?.as_str().map(str::to_owned)
}

fn database(asker: &Asker, root: &str) -> (Said, Option<Value>) {
    let path = format!("{DATABASE}/changes/database");
    let said = asker.ask("change_feed", &post(root, &path, b"{}", "changes/database"), None);
    let answer = said.json();
    (said, answer)
}

/// The lines about feed and push.
pub fn lines(asker: &Asker, facts: &AccountFacts) -> Vec<Line> {
    let mut lines = Vec::new();
    match facts.root("ckdatabasews") {
        None => lines.push(
            Line::new("change_feed", json!(null), "not offered")
                .answers(32, "the account offers no change feed"),
        ),
        Some(root) => lines.extend(feed_lines(asker, root)),
    }
    lines.push(match facts.root("push") {
        None => {
            Line::new("push", json!(null), "not offered").answers(33, "the account offers no push channel")
        }
        Some(root) => push_line(asker, root),
    });
    lines
}

fn feed_lines(asker: &Asker, root: &str) -> Vec<Line> {
    let (said, answer) = database(asker, root);
    let Some(zones) = answer.as_ref().and_then(|answer| answer.get("zones")).and_then(Value::as_array) else {
        let words = answer.as_ref().and_then(error_word).unwrap_or_else(|| said.words());
        return vec![
            Line::new("change_feed", words.clone(), words)
                .answers(32, "the change feed does not answer this session"),
        ];
    };
    let says = format!("answered, with {} zones", zones.len());
    let mut lines = vec![Line::new("change_feed", json!({"zones": zones.len()}), says)];
    let is_default =
        |zone: &&Value| zone.pointer("/zoneID/zoneName").and_then(Value::as_str) == Some("_defaultZone");
    let Some(zone) =
        zones.iter().find(is_default).or_else(|| zones.first()).and_then(|zone| zone.get("zoneID"))
    else {
        return lines;
    };
    let body = json!({"zones": [{"zoneID": zone}], "resultsLimit": 1}).to_string();
    let path = format!("{DATABASE}/changes/zone");
    let said = asker.ask("change_feed_of_a_zone", &post(root, &path, body.as_bytes(), "changes/zone"), None);
    let answer = said.json();
    let zone = answer.as_ref().and_then(|answer| answer.pointer("/zones/0"));
    lines.push(match zone {
        Some(zone) if zone.get("records").is_some_and(Value::is_array) => {
            let more = zone.get("moreComing").and_then(Value::as_bool) == Some(true);
            let says = if more { "answered, in pages" } else { "answered" };
            Line::new("change_feed_of_a_zone", json!({"pages": more}), says)
                .answers(32, "the change feed answers this session, zones included")
        }
        _ => {
            let words = zone.or(answer.as_ref()).and_then(error_word).unwrap_or_else(|| said.words());
            Line::new("change_feed_of_a_zone", words.clone(), words)
                .answers(32, "the change feed tells that something changed, and not what")
        }
    });
    lines
}

/// The service's word for an error in a good answer.
fn error_word(answer: &Value) -> Option<String> {
    word_of(answer.get("serverErrorCode")?.as_str()?)
}

fn push_line(asker: &Asker, root: &str) -> Line {
    let body = json!({"pushTopics": ["com.apple.clouddocs"], "pushTokenTTL": 43200}).to_string();
    let said = asker.ask("push_token", &post(root, "/getToken", body.as_bytes(), "getToken"), None);
    let answer = said.json().unwrap_or(Value::Null);
    let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(token), Some(courier)) = (text("pushToken"), text("webCourierURL")) else {
        let words =
            if matches!(said, Said::Good(_)) { "answered without a token".to_owned() } else { said.words() };
        return Line::new("push", words.clone(), words)
            .answers(33, "the push channel does not answer this session");
    };
    crate::secret::register(token);
    let heard = listen(asker, courier, token);
    Line::new(
        "push",
        json!({"token": true, "channel": heard}),
        format!("a token is given; the channel {heard}"),
    )
    .answers(33, format!("the push channel {heard}; whether the Drive's changes come over it is not known"))
}

/// Listens for a few seconds.
fn listen(asker: &Asker, courier: &str, token: &str) -> &'static str {
    let Ok(mut url) = Url::parse(courier) else { return "has no usable address" };
    if !asker.service().allowed_content_host(courier) {
        return "is not Apple's, and was not asked";
    }
    url.query_pairs_mut().append_pair("tok", token).append_pair("ttl", "43200");
    if asker.admit().is_err() {
        return "was not asked";
    }
    let call = Call {
        method: Method::Get,
        url: url.to_string(),
        headers: Vec::new(),
        payload: Payload::None,
        limits: LISTEN,
        kind: "aps",
    };
    let good = |answer: &Result<_, _>| answer.is_ok();
    match asker.timed("push_channel", || asker.service().http().call(call), good) {
        Ok(answer) if answer.is_success() => "answers",
        Ok(_) => "refuses",
        // It is held until there is something to tell.
        Err(HttpError::Timeout { .. }) => "holds the request, as it should",
        Err(_) => "cannot be reached",
    }
}
