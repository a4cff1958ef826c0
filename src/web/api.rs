//! What is asked and done, as requests to the daemon's loop and answers for a page or a script.
//!
//! The page is a client of the same requests as the commands: nothing can be done here that they cannot do.

use crossbeam::channel::{Receiver, Sender};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::convert::Infallible;

use super::metrics;
use super::response::Response;
use super::routes::{Action, Route};
use crate::control::{ControlCall, ControlReply, ControlRequest, Counters, Refusal, SendHow, ask, limit_of};
use crate::exit::ExitCode;
use crate::secret::Secret;
use crate::status::StatusDocument;

/// The way to the loop.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub calls: Sender<ControlCall>,
    /// Closed when the server is to end.
    pub stop: Receiver<Infallible>,
    /// Whether a token is needed.
    pub guarded: bool,
}

impl Way {
    fn ask(&self, request: ControlRequest) -> ControlReply {
        let limit = limit_of(&request);
        ask(request, &self.calls, &self.stop, limit)
    }

    /// The status document, or what to answer instead.
    pub(super) fn status(&self) -> Result<StatusDocument, Response> {
        match self.ask(ControlRequest::Status) {
            ControlReply::Status { status } => Ok(*status),
            other => Err(unavailable(&other)),
        }
    }
}

/// Answers a request that was let pass. `body` is its body, `trusted` whether who asks may know more than yes or no.
pub(super) fn answer(way: &Way, route: Route, body: &[u8], trusted: bool) -> Response {
    match route {
        Route::Healthz => health(way, false, trusted),
        Route::Readyz => health(way, true, trusted),
        Route::Metrics => way.status().map_or_else(|refused| refused, |status| measured(way, &status)),
        Route::Status => {
            way.status().map_or_else(|refused| refused, |status| Response::json(200, &document(&status)))
        }
        Route::Held => match way.ask(ControlRequest::Held { skip: 0 }) {
            ControlReply::Held { held } => Response::json(200, &to_json(&held)),
            other => unavailable(&other),
        },
        Route::CodeWays => match way.ask(ControlRequest::CodeWays) {
            ControlReply::Ways { ways } => Response::json(200, &to_json(&ways)),
            other => done(other),
        },
        Route::Trash => match way.ask(ControlRequest::Trash) {
            ControlReply::Trash { trash } => Response::json(200, &to_json(&trash)),
            other => done(other),
        },
        Route::Act(action) => match request_of(action, body) {
            Ok(request) => done(way.ask(request)),
            Err(why) => Response::error(400, &why),
        },
        // The others are answered before a request comes here.
        Route::Page | Route::File(_) | Route::Events | Route::SignIn | Route::SignOut => {
            Response::error(404, "there is nothing at this path")
        }
    }
}

/// As `status --json` prints it.
pub(super) fn document(status: &StatusDocument) -> Value {
    let mut value = to_json(status);
    value["running"] = true.into();
    value
}

fn health(way: &Way, ready: bool, trusted: bool) -> Response {
    let (healthy, why) = match way.ask(ControlRequest::Health { ready }) {
        ControlReply::Health { healthy, why } => (healthy, why),
        _ => (false, "no answer".to_owned()),
    };
    // The reason may name files.
    let word = match (healthy, ready) {
        (true, false) => "alive",
        (true, true) => "ready",
        (false, false) => "not alive",
        (false, true) => "not ready",
    };
    let text = if trusted { crate::model::plain::plain(&why) } else { word.to_owned() };
    Response::text(if healthy { 200 } else { 503 }, format!("{text}\n"))
}

fn measured(way: &Way, status: &StatusDocument) -> Response {
    let counters = match way.ask(ControlRequest::Counters) {
        ControlReply::Counters { counters } => counters,
        _ => Counters::default(),
    };
    let text = metrics::text(status, &counters, metrics::resident_bytes());
    Response::new(200, "text/plain; version=0.0.4; charset=utf-8", text)
}

/// The answer to something that was asked to be done.
fn done(reply: ControlReply) -> Response {
    match reply {
        ControlReply::Done { said } => Response::done(&said),
        ControlReply::Refused { refusal } => Response::error(status_of(&refusal), &sentence(&refusal)),
        other => unavailable(&other),
    }
}

fn unavailable(reply: &ControlReply) -> Response {
    match reply {
        ControlReply::Refused { refusal } => Response::error(503, &sentence(refusal)),
        _ => Response::error(503, "the daemon's answer fits another question"),
    }
}

fn sentence(refusal: &Refusal) -> String {
    match refusal.advice.as_str() {
        "" => refusal.message.clone(),
        advice => format!("{}: {advice}", refusal.message),
    }
}

/// A wrong code, or a body that means nothing, is the asker's; all else is as things stand.
fn status_of(refusal: &Refusal) -> u16 {
    match ExitCode::from_code(refusal.exit) {
        Some(ExitCode::TwoStepCode | ExitCode::TwoFactorCode | ExitCode::Configuration) => 400,
        Some(ExitCode::Unexpected) => 503,
        _ => 409,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeBody {
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendBody {
    way: SendWay,
    #[serde(default)]
    number: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SendWay {
    Device,
    Sms,
    Voice,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApproveBody {
    list: String,
    decision: Decision,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Decision {
    Approve,
    Reject,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RestoreBody {
    path: String,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// `POST /api/sign-in`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInBody {
    pub token: Option<String>,
    pub link: Option<String>,
}

/// Reads a body. What is wrong with it is told by an example: the parser's words could repeat what was sent.
pub(super) fn read<T: DeserializeOwned>(body: &[u8], example: &str) -> Result<T, String> {
    // A list of the members' values would do for the parser.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let parsed = if is_object { serde_json::from_slice(body).ok() } else { None };
    parsed.ok_or_else(|| format!("the body must be JSON like {example}"))
}

/// What the loop is asked for an action.
pub(super) fn request_of(action: Action, body: &[u8]) -> Result<ControlRequest, String> {
    let nothing = |request| read::<Nothing>(body, "{}").map(|_| request);
    match action {
        Action::SyncNow => nothing(ControlRequest::SyncNow),
        Action::Pause => nothing(ControlRequest::Pause),
        Action::Resume => nothing(ControlRequest::Resume),
        Action::Code => {
            let CodeBody { code } = read(body, "{\"code\": \"123456\"}")?;
            // As people type it, or a message shows it.
            let digits: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
            if !(4..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err("a code has 6 digits: type it as the device or the message shows it".to_owned());
            }
            Ok(ControlRequest::Code { code: Secret::while_held(digits) })
        }
        Action::CodeSend => {
            let SendBody { way, number } = read(body, "{\"way\": \"sms\", \"number\": 1}")?;
            if number == Some(0) {
                return Err("numbers are counted from 1".to_owned());
            }
            let how = match way {
                SendWay::Device => SendHow::Device,
                SendWay::Sms => SendHow::Sms { number },
                SendWay::Voice => SendHow::Voice { number },
            };
            Ok(ControlRequest::CodeSend { how })
        }
        Action::Approve => {
            let ApproveBody { list, decision } =
                read(body, "{\"list\": \"…\", \"decision\": \"approve\"}, or \"reject\"")?;
            Ok(ControlRequest::Approve { reject: matches!(decision, Decision::Reject), list: Some(list) })
        }
        Action::Restore => {
            let RestoreBody { path, version } = read(body, "{\"path\": \"notes.txt\"}")?;
            Ok(ControlRequest::Restore { path, version })
        }
    }
}

/// Structs of texts, numbers and lists always become JSON.
fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_else(|_| json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_become_requests() {
        let code = |text: &str| ControlRequest::Code { code: Secret::new(text) };
        for (action, body, request) in [
            (Action::Code, r#"{"code": "123456"}"#, code("123456")),
            (Action::Code, r#"{"code": " 123 456 "}"#, code("123456")),
            (Action::Code, r#"{"code": "1234"}"#, code("1234")),
            (Action::CodeSend, r#"{"way": "device"}"#, ControlRequest::CodeSend { how: SendHow::Device }),
            (
                Action::CodeSend,
                r#"{"way": "sms", "number": 2}"#,
                ControlRequest::CodeSend { how: SendHow::Sms { number: Some(2) } },
            ),
            (
                Action::CodeSend,
                r#"{"way": "voice"}"#,
                ControlRequest::CodeSend { how: SendHow::Voice { number: None } },
            ),
            (
                Action::Approve,
                r#"{"list": "x", "decision": "reject"}"#,
                ControlRequest::Approve { reject: true, list: Some("x".to_owned()) },
            ),
            (Action::Pause, "{}", ControlRequest::Pause),
            (
                Action::Restore,
                r#"{"path": "a/b"}"#,
                ControlRequest::Restore { path: "a/b".to_owned(), version: None },
            ),
        ] {
            assert_eq!(request_of(action, body.as_bytes()), Ok(request), "{body}");
        }
    }

    #[test]
    fn what_means_nothing_is_told_by_an_example_and_never_repeated() {
        for (action, body) in [
            (Action::Code, ""),
            (Action::Code, "{}"),
            (Action::Code, r#"{"code": 987654}"#),
            (Action::Code, r#"{"code": "987654", "extra": 1}"#),
            (Action::Code, r#"{"code": "9876543210"}"#),
            (Action::Code, r#"{"code": "98765x"}"#),
            (Action::Code, r#"{"code": "９８７６５４"}"#),
            (Action::CodeSend, r#"{"way": "987654"}"#),
            (Action::CodeSend, r#"{"way": "sms", "number": 0}"#),
            (Action::CodeSend, r#"{"way": "sms", "number": -1}"#),
            (Action::Approve, r#"{"decision": "approve"}"#),
            (Action::Approve, r#"{"list": "x", "decision": "987654"}"#),
            (Action::Pause, r#"{"x": 987654}"#),
            (Action::Pause, "[]"),
            (Action::Restore, r#"{"path": 987654}"#),
        ] {
            let why = request_of(action, body.as_bytes()).expect_err(body);
            assert!(!why.contains("98765") && !why.contains('\n'), "{body}: {why}");
        }
    }

    #[test]
    fn refusals_have_the_status_of_their_cause() {
        for (exit, status) in [
            (ExitCode::TwoFactorCode, 400),
            (ExitCode::TwoStepCode, 400),
            (ExitCode::Configuration, 400),
            (ExitCode::Unfinished, 409),
            (ExitCode::CodeNotSent, 409),
            (ExitCode::Service, 409),
            (ExitCode::Unexpected, 503),
        ] {
            let reply = ControlReply::refused(exit, "no", "do this");
            let answer = done(reply);
            assert_eq!(answer.status, status, "{exit:?}");
            assert_eq!(answer.body, b"{\"error\":\"no: do this\"}\n");
        }
    }
}
