//! Answers of the account host, and the session that a request proves.

use serde_json::json;

use super::sessions::{DS_COOKIE, TOKEN_COOKIE, USER_COOKIE};
use crate::cookies::unquoted;
use crate::http::{Request, Response};
use crate::state::State;

/// `{"success":false,"error":…}`.
#[must_use]
pub fn failure(status: u16, text: &str) -> Response {
    Response::json(status, &json!({"success": false, "error": text}))
}

/// The 421 of docs/protocol.md §5.3 for this cookie.
#[must_use]
pub fn missing_cookie(name: &str) -> Response {
    Response::json(
        421,
        &json!({
            "success": false,
            "error": format!("Missing {name} cookie"),
            "trustTokens": [],
            "requestInfo": {"country": "US", "timeZone": "PST", "region": "CA"},
        }),
    )
}

/// The place of the session that the request's cookies prove.
///
/// # Errors
/// The name of the cookie that is missing, expired, void or forged.
pub fn find_login(state: &mut State, request: &Request) -> Result<usize, &'static str> {
    let now = state.now();
    let sent = request.cookie(TOKEN_COOKIE).ok_or(TOKEN_COOKIE)?;
    let life = state.account.session_life;
    let at = state
        .setup
        .logins
        .iter()
        .position(|login| {
            unquoted(&login.token) == unquoted(&sent)
                && login.repair.is_none()
                && !login.void
                && now.duration_since(login.issued).is_ok_and(|age| age < life)
        })
        .ok_or(TOKEN_COOKIE)?;
    let user = request.cookie(USER_COOKIE).ok_or(USER_COOKIE)?;
    if unquoted(&user) != unquoted(&user_value(state)) {
        return Err(USER_COOKIE);
    }
    let ds_token = state.setup.logins[at].ds_token.clone();
    let forged = request.cookie(DS_COOKIE).is_some_and(|value| unquoted(&value) != unquoted(&ds_token));
    if forged {
        return Err(DS_COOKIE);
    }
    if !sent.starts_with('"') {
        state.violation(format!("{TOKEN_COOKIE}: the quotes of its value were lost"));
    }
    Ok(at)
}

/// Value of [`USER_COOKIE`].
pub(super) fn user_value(state: &State) -> String {
    format!("\"v=1:s=1:d={}\"", state.account.dsid)
}
