//! What stands before every drivews and docws call: cookies, PCS cookies, session trouble and throttling.

mod trouble;

use std::time::Duration;

use serde_json::{Value, json};

pub use trouble::ServiceState;

use crate::account::{Readiness, WebAccess};
use crate::cookies::unquoted;
use crate::http::{Request, Response};
use crate::route::{self, FIRST_PARTITION, Service};
use crate::setup::{self, missing_cookie};
use crate::state::{Core, State};
use crate::switches::{SessionTrouble, Throttle};

/// The upload token of calls that need no session ([`crate::SimConfig::sessionless`]).
pub const SESSIONLESS_UPLOAD_TOKEN: &str = "sessionless-upload-token";

/// Who a service call belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The account's dsid as text.
    pub dsid: String,
    /// The value of `t=` in `X-APPLE-WEBAUTH-VALIDATE` (docs/protocol.md §12.1). A `token` in `upload/web` must be this.
    pub upload_token: String,
}

impl Core {
    /// Checks cookies, PCS cookies, `S-session` and `S-throttle` for a call to drivews or docws.
    ///
    /// # Errors
    /// The answer to give instead.
    pub fn check_service(&self, request: &Request) -> Result<Session, Response> {
        let mut state = self.state();
        if state.sessionless {
            return Ok(Session {
                dsid: state.account.dsid.clone(),
                upload_token: SESSIONLESS_UPLOAD_TOKEN.to_owned(),
            });
        }
        let route = route::route(request);
        check(&mut state, route.service, route.partition, request)
    }
}

fn check(
    state: &mut State,
    service: Service,
    partition: Option<u32>,
    request: &Request,
) -> Result<Session, Response> {
    state.service.calls += 1;
    if let Some(answer) = throttled(state) {
        return Err(answer);
    }
    if let Some(answer) = state.service.misrouted(request) {
        return Err(answer);
    }
    if partition.unwrap_or(FIRST_PARTITION) != state.service.partition {
        return Err(Response::text(421, "Misdirected Request"));
    }
    if state.service.armed {
        match state.switches.session {
            SessionTrouble::Once401 => {
                state.service.armed = false;
                return Err(Response::json(401, &json!({"success": false, "error": "Unauthorized"})));
            }
            SessionTrouble::Body421 => {
                state.service.armed = false;
                for login in &mut state.setup.logins {
                    login.void = true;
                }
            }
            _ => {}
        }
    }
    let login = setup::find_login(state, request).map_err(missing_cookie)?;
    match state.account.web_access {
        WebAccess::On => {}
        WebAccess::EmptyWebservices | WebAccess::AccessDenied => {
            return Err(service_error(403, "ACCESS_DENIED", "Access denied"));
        }
        WebAccess::Status421 => {
            return Err(missing_cookie("X-APPLE-WEBAUTH-TOKEN"));
        }
    }
    match &mut state.account.readiness {
        Readiness::Ready | Readiness::Preparing(0) => {}
        Readiness::Preparing(calls) => {
            *calls -= 1;
            return Err(Response::text(400, "Bad Request"));
        }
        Readiness::NeverSetUp => {
            return Err(service_error(400, "ZONE_NOT_FOUND", "Zone not found"));
        }
    }
    let login = &state.setup.logins[login];
    if !login.trusted {
        return Err(service_error(400, "AUTHENTICATION_FAILED", "the session is partial"));
    }
    if state.account.adp.is_some() {
        let sent = request.cookie(setup::PCS_COOKIE);
        let right = login
            .pcs_cookie
            .as_ref()
            .is_some_and(|value| sent.as_deref().map(unquoted) == Some(unquoted(value)));
        if !right {
            return Err(if service == Service::Docws {
                service_error(400, "BAD_REQUEST", "Cannot find PCS auth info from request")
            } else {
                Response::json(
                    423,
                    &json!({
                        "requestUUID": "5a5d0c52-9a39-4b1c-8a17-2c6d35a5f0aa",
                        "errorReason": "Missing PCS cookies from the request",
                        "errorCode": 423,
                    }),
                )
            });
        }
    }
    Ok(Session { dsid: state.account.dsid.clone(), upload_token: login.upload_token.clone() })
}

/// Requests that were under way when a rest began still arrive for this long.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Notes a request that comes while the client was told to ask for nothing.
pub fn check_rest(state: &mut State, kind: &str) {
    let now = state.now();
    if state.service.rest.is_some_and(|(from, until)| from <= now && now < until) {
        state.violation(format!("{kind}: asked during the rest that the service wants"));
    }
}

fn throttled(state: &mut State) -> Option<Response> {
    let every = state.switches.throttle_every.max(1);
    if !state.service.calls.is_multiple_of(every) {
        return None;
    }
    let span = state.switches.throttle_for;
    let for_now = |state: &mut State, status, code: &str, in_body| {
        let now = state.now();
        state.service.rest = Some((now + UNDER_WAY, now + span));
        let seconds = span.as_secs();
        if in_body {
            let mut body = service_error_body(code, "Try again later");
            body["retryAfter"] = json!(seconds);
            Some(Response::json(status, &body))
        } else {
            let answer = service_error(status, code, "Too many requests");
            Some(answer.header("Retry-After", seconds.to_string()))
        }
    };
    match state.switches.throttle {
        Throttle::None => None,
        Throttle::Status429 => for_now(state, 429, "TOO_MANY_REQUESTS", false),
        Throttle::Throttled503 => for_now(state, 503, "THROTTLED", true),
        Throttle::TryAgainLater503 => for_now(state, 503, "TRY_AGAIN_LATER", true),
        Throttle::RetryLater400 => for_now(state, 400, "RETRY_LATER", true),
        Throttle::Html503 => {
            Some(Response::html(503, "<html><body><h1>503 Service Unavailable</h1></body></html>"))
        }
        Throttle::AccessDenied => Some(service_error(403, "ACCESS_DENIED", "Access denied")),
    }
}

/// An error body of docs/protocol.md §16.2.
#[must_use]
pub fn service_error(status: u16, code: &str, reason: &str) -> Response {
    Response::json(status, &service_error_body(code, reason))
}

fn service_error_body(code: &str, reason: &str) -> Value {
    json!({
        "uuid": "1f7b6c0e-40a8-4d35-9a53-0c8d5b1f2e77",
        "messageForDeveloper": reason,
        "error_code": code,
        "serverErrorCode": code,
        "reason": reason,
    })
}
