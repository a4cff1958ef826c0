//! The control endpoint `/_sim`: lets tests in other processes see and steer the simulator. [`CALLS`] and
//! [`crate::drive::control::CALLS`] name every call; `GET /_sim/help` prints both.

pub(crate) mod answers;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use answers::no_such_call;

use crate::http::{Request, Response};
use crate::route::Route;
use crate::state::{Core, State};

/// Every call but those of the drive: method, path below `/_sim`, what it takes and does.
pub const CALLS: &[(&str, &str, &str)] = &[
    ("GET", "/help", "this list"),
    ("GET", "/state", "counts of requests, violations, the code that devices show, messages to telephones"),
    ("GET", "/switches", "all switches"),
    ("POST", "/switches", "a JSON object: changes those that it names; \"faults\" is the whole fault plan"),
    ("GET", "/account", "the account, its password included"),
    ("POST", "/account", "a JSON object: changes the members that it names"),
    ("POST", "/password", "{\"password\": TEXT}: the account gets another; every session and token is void"),
    (
        "POST",
        "/expire",
        "{\"what\": \"session\" | \"session-token\" | \"trust\" | \"pcs\" | \"upload-token\" | \"signin\"}: ends it now",
    ),
    ("POST", "/advance", "{\"seconds\": N}: sets the clock forward"),
    ("POST", "/approve", "a person consents on a device (Advanced Data Protection)"),
    ("POST", "/typed", "a person typed another password, so the next proof repeats no rejected one"),
    ("POST", "/move-client", "the client has another network address from now on (S-trust-ip)"),
    ("POST", "/reset", "counts and violations start again"),
    ("POST", "/restart", "everything is as it was at the start: account, sessions, switches, drive, counts"),
    ("GET", "/ca.pem", "the certificate authority to trust"),
];

/// What can be made to expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expire {
    /// All cookies of all sessions.
    Session,
    /// All session tokens.
    SessionToken,
    /// All trust tokens, and the trust of session tokens.
    Trust,
    /// The PCS cookies, and the device's consent.
    Pcs,
    /// The upload token: a new one comes with the next validate or accountLogin.
    UploadToken,
    /// Half-open sign-ins.
    Signin,
}

/// How far the clock can be set forward.
const FARTHEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Makes something expire now.
pub fn expire(state: &mut State, what: Expire) {
    match what {
        Expire::Session => {
            for login in &mut state.setup.logins {
                login.void = true;
            }
        }
        Expire::SessionToken => state.auth.session_tokens.clear(),
        Expire::Trust => {
            state.auth.trust_tokens.clear();
            for token in state.auth.session_tokens.values_mut() {
                token.trusted = false;
            }
        }
        Expire::Pcs => {
            state.setup.pcs = Default::default();
            for login in &mut state.setup.logins {
                login.pcs_cookie = None;
            }
        }
        Expire::UploadToken => {
            for at in 0..state.setup.logins.len() {
                state.setup.logins[at].upload_token = state.ids.hex(40);
            }
        }
        Expire::Signin => state.auth.forget_signins(),
    }
}

/// Gives the account another password: every session, session token and trust token is void (docs/protocol.md §5.4).
pub fn change_password(state: &mut State, password: &str) {
    state.account.password = password.to_owned();
    for what in [Expire::Session, Expire::SessionToken, Expire::Trust, Expire::Signin] {
        expire(state, what);
    }
}

/// Answers one call to the control endpoint.
pub fn handle(core: &Core, route: &Route, mut request: Request) -> Response {
    let body = match request.json() {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    match (request.method.as_str(), route.rest.as_str()) {
        ("GET", "/help") => Response::text(200, &help()),
        ("GET", "/ca.pem") => match core.authority_pem() {
            Some(pem) => Response::bytes(200, "application/x-pem-file", pem.as_bytes().to_vec()),
            None => Response::text(404, "TLS is off here"),
        },
        ("GET", "/account") => Response::json(200, &json!(core.state().account)),
        ("POST", "/restart") => outcome(core.reset().map_err(|error| error.to_string())),
        ("GET", "/state") => Response::json(200, &describe(&core.state())),
        ("GET", "/switches") => Response::json(200, &json!(core.switches())),
        ("POST", "/switches") => outcome(core.change_switches(|switches| switches.merge(&body))),
        ("POST", call) if CALLS.iter().any(|(method, known, _)| *method == "POST" && *known == call) => {
            outcome(steer(&mut core.state(), call, body))
        }
        (method, call) => no_such_call(method, call),
    }
}

/// The list of all calls, as `GET /_sim/help` answers it.
#[must_use]
pub fn help() -> String {
    let lines = |calls: &[(&str, &str, &str)]| -> String {
        calls.iter().map(|(method, call, what)| format!("{method:4} /_sim{call}\n     {what}\n")).collect()
    };
    let drive = crate::drive::control::CALLS;
    format!("{}\nWhat a person does on another device, and what is there:\n{}", lines(CALLS), lines(drive))
}

fn describe(state: &State) -> Value {
    let messages: Vec<Value> = state
        .auth
        .messages
        .iter()
        .map(|message| json!({"phone": message.phone, "code": message.code, "voice": message.voice}))
        .collect();
    json!({
        "counts": state.counts,
        "violations": state.violations,
        "code": state.auth.device_code,
        "messages": messages,
        "locked": state.account.locked,
        "wrong_proofs": state.auth.wrong_proofs,
        "sessions": state.setup.logins.iter().filter(|login| !login.void).count(),
    })
}

fn outcome(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => Response::json(200, &json!({"success": true})),
        Err(text) => Response::json(400, &json!({"success": false, "error": text})),
    }
}

fn steer(state: &mut State, call: &str, mut body: Value) -> Result<(), String> {
    match call {
        "/account" => state.account.merge(&body)?,
        "/password" => {
            let password = body["password"].as_str().ok_or("password is missing")?;
            change_password(state, password);
        }
        "/expire" => {
            let what =
                serde_json::from_value(body["what"].take()).map_err(|error| format!("what: {error}"))?;
            expire(state, what);
        }
        "/advance" => {
            let seconds = body["seconds"].as_f64().ok_or("seconds is missing")?;
            let by = Duration::try_from_secs_f64(seconds).map_err(|error| format!("seconds: {error}"))?;
            // Beyond that no calendar goes, and adding would end the process.
            let ahead = state.clock_ahead.checked_add(by).filter(|ahead| *ahead <= FARTHEST);
            state.clock_ahead = ahead.ok_or("seconds: the clock goes forward by 100 years at most")?;
        }
        "/approve" => state.setup.pcs.consented = true,
        "/typed" => state.auth.rejected = false,
        "/move-client" => state.auth.address += 1,
        "/reset" => {
            state.counts.clear();
            state.violations.clear();
        }
        _ => return Err(format!("no such control call: {call}")),
    }
    Ok(())
}
