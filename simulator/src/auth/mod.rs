//! The sign-in host: password, second factor, trust (docs/protocol.md §3 and §4).

mod answers;
mod code;
mod escrow;
mod hashcash;
mod key;
mod password;
mod rejection;
mod signins;

use serde_json::{Value, json};

pub use answers::{LOCKED, WRONG_CODE, WRONG_PASSWORD, error};
pub use signins::{AuthState, Channel, Message, SessionToken, SignIn};

use crate::http::{Request, Response};
use crate::route::{Route, is_public_name};
use crate::state::{Core, State};
use crate::switches::Region;

/// The public widget key of icloud.com (docs/protocol.md §3.1).
pub const WIDGET_KEY: &str = "d39ba9916b7251055b22c7f910e2ea796ee65e98b2ddecea8f5dde8d9d1a815d";

/// Answers one call to the sign-in host.
pub fn handle(core: &Core, route: &Route, mut request: Request) -> Response {
    let body = match request.json() {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let mut state = core.state();
    if let Some(refusal) = refuse_early(&mut state, route, &request, &body) {
        return refusal;
    }
    let state = &mut *state;
    match (request.method.as_str(), route.kind) {
        ("GET", "signin.start") => password::start(state, &request),
        ("POST", "signin.federate") => federate(state, &request),
        ("POST", "signin.init") => password::init(state, &request, &body),
        ("POST", "signin.complete") => password::complete(state, &request, &body),
        ("POST", "escrow.init") => escrow::init(state, &request, &body),
        ("POST", "escrow.complete") => escrow::complete(state, &request, &body),
        ("GET", "code.state") => code::device_state(state, &request),
        // The way before spring 2026.
        (_, "code.state") => error(405, "-1", "method not allowed"),
        ("POST", "signin.repair") => password::repair(state, &request),
        ("GET", "signin.state") => code::state(state, &request),
        ("PUT", "code.request") => code::request_device_code(state, &request),
        ("POST", "code.submit") => code::submit(state, &request, &body, false),
        ("PUT", "sms.request") => code::request_message(state, &request, &body),
        ("POST", "sms.submit") => code::submit(state, &request, &body, true),
        ("POST", "key.submit") => key::submit(state, &request, &body),
        ("GET", "trust") => code::trust(state, &request),
        _ => error(404, "-1", "no such call"),
    }
}

fn refuse_early(state: &mut State, route: &Route, request: &Request, body: &Value) -> Option<Response> {
    // Under its public names the mainland's own host still works then (question 25).
    let host = request.host_name();
    let fallback = is_public_name(&host) && host.ends_with(".cn");
    if state.switches.region == Region::Auth503 && !fallback {
        return Some(Response::html(503, "<html><body>Service Temporarily Unavailable</body></html>"));
    }
    if route.kind == "signin.start" {
        return None;
    }
    if request.header("X-Apple-Widget-Key") != Some(WIDGET_KEY) {
        state.violation(format!("{}: wrong or no X-Apple-Widget-Key", route.kind));
        return Some(error(400, "-1", "missing widget key"));
    }
    let is_json = request.header("Content-Type").is_some_and(|value| value.starts_with("application/json"));
    if !body.is_null() && !is_json {
        state.violation(format!("{}: Content-Type is not JSON", route.kind));
        return Some(error(400, "-1", "unsupported content type"));
    }
    None
}

fn federate(state: &mut State, request: &Request) -> Response {
    match state.signin(request) {
        Ok(at) => state.carry(at, Response::json(200, &json!({}))),
        Err(_) => Response::json(200, &json!({})),
    }
}
