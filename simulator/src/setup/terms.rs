//! Terms of use (docs/protocol.md §6.4). The client must not accept them by itself; these calls exist for other clients.

use serde_json::{Value, json};

use super::{REPAIR_COOKIE, failure, missing_cookie};
use crate::http::{Request, Response};
use crate::state::State;

fn is_under_repair(state: &State, request: &Request) -> bool {
    let sent = request.cookie(REPAIR_COOKIE);
    sent.is_some() && state.setup.logins.iter().any(|login| login.repair == sent && !login.void)
}

/// `GET getTerms`.
pub fn get(state: &State, request: &Request) -> Response {
    if !is_under_repair(state, request) {
        return missing_cookie(REPAIR_COOKIE);
    }
    Response::json(200, &json!({"iCloudTerms": {"version": state.account.terms_version}}))
}

/// `GET repairDone`.
pub fn accept(state: &mut State, request: &Request, body: &Value) -> Response {
    if !is_under_repair(state, request) {
        return missing_cookie(REPAIR_COOKIE);
    }
    if body["acceptedICloudTerms"].as_u64() != Some(state.account.terms_version) {
        return failure(400, "these are not the terms of now");
    }
    state.account.terms_pending = false;
    Response::json(200, &json!({"success": true}))
}
