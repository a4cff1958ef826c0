//! The second proof of the password that some answers ask for: docs/protocol.md §3.10.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answers::error;
use super::rejection::reject;
use super::signins::SecondProof;
use crate::http::{Request, Response};
use crate::srp::{self, Exchange};
use crate::state::State;
use crate::switches::EscrowToken;

/// Asks for the proof in this answer. Until it comes, trust and accountLogin are refused.
pub(super) fn ask(state: &mut State, at: usize, then_trusted: bool, response: Response) -> Response {
    let signin = &mut state.auth.signins[at];
    signin.escrow = SecondProof { due: true, then_trusted, exchange: None, proofs: signin.escrow.proofs };
    if let Some(token) = signin.session_token.clone()
        && let Some(known) = state.auth.session_tokens.get_mut(&token)
    {
        known.usable = false;
    }
    response.header(state.switches.escrow_header.name(), "true")
}

/// The refusal of a call that must wait for the proof.
pub(super) fn refusal(state: &mut State, at: usize) -> Option<Response> {
    if !state.auth.signins[at].escrow.due {
        return None;
    }
    let response = error(403, "-24069", "The setup of this sign-in is not complete.");
    Some(state.carry(at, response))
}

/// `POST escrow/init`.
pub fn init(state: &mut State, request: &Request, body: &Value) -> Response {
    let at = match state.signin(request) {
        Ok(at) => at,
        Err(stale) => return stale,
    };
    let Some(client) = body["a"].as_str().and_then(|a| STANDARD.decode(a).ok()) else {
        return error(400, "-1", "a is not base64");
    };
    if body["accountName"].as_str() != Some("") {
        return error(400, "-1", "accountName is to be an empty text");
    }
    let protocol = state.account.protocol;
    let knows = body["protocols"].as_array().is_some_and(|all| all.iter().any(|one| one == protocol.name()));
    if !knows {
        return error(400, "-1", "no common protocol");
    }
    if !state.auth.signins[at].escrow.due {
        return error(400, "-1", "no proof is wanted");
    }
    // Its own salt, as the service has it.
    let salt = state.ids.bytes(16);
    let iterations = state.account.iterations;
    let p = srp::stretch(protocol, &state.account.password, &salt, iterations);
    let secret = state.ids.bytes(32);
    let Some(exchange) = Exchange::begin(&client, &p, &salt, &secret) else {
        return error(400, "-1", "a is out of range");
    };
    let c = format!("e-{}-{}:PRN", state.ids.digits(3), state.ids.uuid().to_lowercase());
    let answer = json!({
        "iteration": iterations,
        "salt": STANDARD.encode(&salt),
        "protocol": protocol.name(),
        "b": STANDARD.encode(exchange.public()),
        "c": c,
    });
    state.auth.signins[at].escrow.exchange = Some((c, exchange));
    state.carry(at, Response::json(200, &answer))
}

/// `POST escrow/complete`.
pub fn complete(state: &mut State, request: &Request, body: &Value) -> Response {
    let at = match state.signin(request) {
        Ok(at) => at,
        Err(stale) => return stale,
    };
    let bytes = |name: &str| body[name].as_str().and_then(|text| STANDARD.decode(text).ok());
    let (Some(m1), Some(m2), Some(key)) = (bytes("m1"), bytes("m2"), bytes("k")) else {
        return error(400, "-1", "m1, m2 or k is missing or malformed");
    };
    let exchange = match state.auth.signins[at].escrow.exchange.take() {
        Some((c, exchange)) if body["c"] == c => exchange,
        _ => return error(400, "-1", "c is unknown or used"),
    };
    state.auth.signins[at].escrow.proofs += 1;
    if state.auth.signins[at].escrow.proofs > 1 {
        state.violation("escrow.complete: more than one second proof in a sign-in");
    }
    let right =
        exchange.accepts("", &m1, &m2, state.switches.srp) && exchange.is_key(&key, state.switches.srp);
    if !right {
        return reject(state, at, "escrow.complete");
    }
    state.auth.wrong_proofs = 0;
    state.auth.rejected = false;
    let signin = &mut state.auth.signins[at];
    signin.escrow.due = false;
    signin.trusted |= signin.escrow.then_trusted;
    let trusted = signin.trusted;
    let mut response = state.carry(at, Response::json(200, &json!({})));
    if state.auth.signins[at].escrow.then_trusted {
        response = state.roll_trust(response);
    }
    if state.switches.escrow_token == EscrowToken::New || state.auth.signins[at].session_token.is_none() {
        return state.give_session_token(at, trusted, true, response);
    }
    let token = state.auth.signins[at].session_token.clone().unwrap_or_default();
    if let Some(known) = state.auth.session_tokens.get_mut(&token) {
        known.usable = true;
        known.trusted |= trusted;
    }
    response
}
