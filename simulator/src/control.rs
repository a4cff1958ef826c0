//! The control endpoint `/_sim`: lets tests in other processes see and steer the simulator.
//!
//! | call | effect |
//! |---|---|
//! | `GET /_sim/state` | counts, violations, the code that devices show, messages |
//! | `GET /_sim/switches`, `POST` a JSON object | reads, changes switches |
//! | `POST /_sim/account` a JSON object | changes the account |
//! | `POST /_sim/password` `{"password":…}` | changes the password; every token is void |
//! | `POST /_sim/expire` `{"what":"session"}` | ends something, see [`Expire`] |
//! | `POST /_sim/advance` `{"seconds":n}` | sets the clock forward |
//! | `POST /_sim/approve` | a person consents on a device (Advanced Data Protection) |
//! | `POST /_sim/typed` | a person typed another password, so the next proof is no repetition |
//! | `POST /_sim/reset` | counts and violations start again |
//! | `/_sim/drive/…` | see the drive half |

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::route::Route;
use crate::sim::{Core, State};

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
        ("GET", "/state") => Response::json(200, &describe(&core.state())),
        ("GET", "/switches") => Response::json(200, &json!(core.switches())),
        ("POST", "/switches") => outcome(core.change_switches(|switches| switches.merge(&body))),
        ("POST", call) => outcome(steer(&mut core.state(), call, body)),
        _ => Response::text(404, "no such control call"),
    }
}

fn describe(state: &State) -> Value {
    let messages: Vec<Value> = state
        .auth
        .messages
        .iter()
        .map(|message| json!({"phone": message.phone, "code": message.code}))
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
            state.clock_ahead += Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
        }
        "/approve" => state.setup.pcs.consented = true,
        "/typed" => state.auth.rejected = false,
        "/reset" => {
            state.counts.clear();
            state.violations.clear();
        }
        _ => return Err(format!("no such control call: {call}")),
    }
    Ok(())
}
