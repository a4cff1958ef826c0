//! The password half of signing in: docs/protocol.md §3.2 to §3.5.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answers::{WRONG_PASSWORD, error, sign_in_cookies};
use super::rejection::{locked, reject};
use super::{code, escrow, hashcash, key};
use crate::account::Repair;
use crate::http::{Request, Response};
use crate::srp::{self, Exchange};
use crate::state::State;
use crate::switches::{Push, SrpName};

/// `GET authorize/signin`.
pub fn start(state: &mut State, request: &Request) -> Response {
    let at = state.open_signin(request);
    let response = Response::html(200, "<html><body>Sign in</body></html>");
    let mut response = state.carry(at, response);
    // The session id comes with init only.
    response.headers.retain(|(name, _)| name != "X-Apple-ID-Session-Id");
    let response = sign_in_cookies(state, request, response);
    hashcash::challenge(state, response)
}

/// `POST signin/init`.
pub fn init(state: &mut State, request: &Request, body: &Value) -> Response {
    let Some(client) = body["a"].as_str().and_then(|a| STANDARD.decode(a).ok()) else {
        return error(400, "-1", "a is not base64");
    };
    let Some(name) = body["accountName"].as_str().filter(|name| !name.is_empty()) else {
        return error(400, "-1", "accountName is missing");
    };
    let protocol = state.account.protocol;
    let knows_protocol =
        body["protocols"].as_array().is_some_and(|all| all.iter().any(|one| one == protocol.name()));
    if !knows_protocol {
        return error(400, "-1", "no common protocol");
    }
    // Step 1 may be left out: then there is no context yet (docs/protocol.md §3.2).
    let at = if request.header("scnt").is_none() && request.header("X-Apple-ID-Session-Id").is_none() {
        state.open_signin(request)
    } else {
        match state.signin(request) {
            Ok(at) => at,
            Err(stale) => return stale,
        }
    };
    let salt = state.account.salt_bytes();
    let iterations = state.account.iterations;
    // An unknown name gets parameters too, so that names cannot be probed; its proof is never right.
    let password =
        if state.account.is_named(name) { state.account.password.clone() } else { state.ids.hex(32) };
    let p = srp::stretch(protocol, &password, &salt, iterations);
    let secret = state.ids.bytes(32);
    let Some(exchange) = Exchange::begin(&client, &p, &salt, &secret) else {
        state.violation("signin.init: A is zero modulo N");
        return error(400, "-1", "a is out of range");
    };
    let c = format!("d-{}-{}:PRN", state.ids.digits(3), state.ids.uuid().to_lowercase());
    let answer = json!({
        "iteration": iterations,
        "salt": STANDARD.encode(&salt),
        "protocol": protocol.name(),
        "b": STANDARD.encode(exchange.public()),
        "c": c,
    });
    state.auth.signins[at].exchange = Some((c, name.to_owned(), exchange));
    let response = state.carry(at, Response::json(200, &answer));
    let response = sign_in_cookies(state, request, response);
    hashcash::challenge(state, response)
}

/// `POST signin/complete`.
pub fn complete(state: &mut State, request: &Request, body: &Value) -> Response {
    let at = match state.signin(request) {
        Ok(at) => at,
        Err(stale) => return stale,
    };
    let bytes = |name: &str| body[name].as_str().and_then(|m| STANDARD.decode(m).ok());
    let (Some(m1), Some(m2), Some(name)) = (bytes("m1"), bytes("m2"), body["accountName"].as_str()) else {
        return error(400, "-1", "accountName, m1 or m2 is missing or malformed");
    };
    let Some(tokens) = body["trustTokens"].as_array() else {
        return error(400, "-1", "trustTokens is missing");
    };
    if let Err(reason) = hashcash::check(state, request) {
        // No proof has been looked at, so none is counted.
        let refusal = error(403, "-1", reason);
        let refusal = state.carry(at, refusal);
        return hashcash::challenge(state, refusal);
    }
    // Taken out: each `c` is good for one proof.
    let (exchange, begun_as) = match state.auth.signins[at].exchange.take() {
        Some((c, begun_as, exchange)) if body["c"] == c => (exchange, begun_as),
        _ => return error(400, "-1", "c is unknown or used"),
    };
    if state.account.locked {
        return locked();
    }
    let hashed = match state.switches.srp_name {
        SrpName::Lower => name.to_lowercase(),
        SrpName::AsSent => name.to_owned(),
    };
    if !state.account.is_named(name) {
        return unknown(state, at);
    }
    let right = begun_as == name && exchange.accepts(&hashed, &m1, &m2, state.switches.srp);
    if !right {
        return reject(state, at, "signin.complete");
    }
    state.auth.wrong_proofs = 0;
    state.auth.rejected = false;
    state.auth.signins[at].password_right = true;
    let trusted = tokens.iter().filter_map(Value::as_str).any(|token| state.is_trusted_token(token));
    finish(state, at, trusted, !tokens.is_empty())
}

/// What follows a right proof; `with_token`: whether a trust token came with it, `trusted`: whether it is accepted.
fn finish(state: &mut State, at: usize, trusted: bool, with_token: bool) -> Response {
    if !state.account.security_keys.is_empty() {
        let challenge = key::challenge(state, at);
        let body = json!({
            "authType": "hsa2",
            "fsaChallenge": challenge,
            "keyNames": state.account.security_keys,
        });
        let response = state.carry(at, Response::json(409, &body));
        return state.give_session_token(at, false, true, response);
    }
    if state.account.hsa_version >= 1 && !trusted {
        if state.switches.push == Push::CancelledByPut && state.account.trusted_devices {
            code::show_device_code(state, at);
        }
        let mut body = code::description(state, at);
        body["authType"] = json!(if state.account.hsa_version == 2 { "hsa2" } else { "hsa" });
        let mut response = state.carry(at, Response::json(409, &body));
        if state.switches.escrow.on_code() && !with_token {
            // Announced, but not wanted before the code.
            response = response.header(state.switches.escrow_header.name(), "true");
        }
        return state.give_session_token(at, false, true, response);
    }
    if state.account.hsa_version == 2 && state.switches.escrow.on_trust_token() {
        // It looks like the demand for a code, and is none.
        let mut body = code::description(state, at);
        body["authType"] = json!("hsa2");
        let response = state.carry(at, Response::json(409, &body));
        let response = state.give_session_token(at, false, true, response);
        return escrow::ask(state, at, true, response);
    }
    state.auth.signins[at].trusted = true;
    if state.account.repair != Repair::None {
        let response = state.carry(at, Response::json(412, &json!({"authType": "non-sa"})));
        return state.give_session_token(at, true, false, response);
    }
    let response = state.carry(at, Response::json(200, &json!({"authType": "hsa2"})));
    let response = if trusted { state.roll_trust(response) } else { response };
    state.give_session_token(at, true, true, response)
}

/// An Apple Account that there is not (docs/protocol.md §3.5): it can be neither locked nor counted.
fn unknown(state: &mut State, at: usize) -> Response {
    if state.auth.rejected {
        state.violation("signin.complete: a password proof was repeated after a rejection");
    }
    state.auth.rejected = true;
    let response = error(403, WRONG_PASSWORD, "Check the account information you entered and try again.");
    state.carry(at, response)
}

/// `POST repair/complete`.
pub fn repair(state: &mut State, request: &Request) -> Response {
    let at = match state.signin(request) {
        Ok(at) => at,
        Err(stale) => return stale,
    };
    if !state.auth.signins[at].password_right {
        return error(401, "-20528", "sign in first");
    }
    match state.account.repair {
        Repair::Refused => error(403, "-1", "Finish the upgrade at icloud.com."),
        Repair::None | Repair::Works => {
            state.account.repair = Repair::None;
            let response = state.carry(at, Response::json(200, &json!({})));
            state.give_session_token(at, true, true, response)
        }
    }
}
