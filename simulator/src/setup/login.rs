//! accountLogin, validate and logout (docs/protocol.md §3.6, §5.3, §5.5).

use std::time::Duration;

use serde_json::{Value, json};

use super::answers::user_value;
use super::info::account_info;
use super::{
    DS_COOKIE, Login, PCS_COOKIE, REPAIR_COOKIE, TOKEN_COOKIE, TRUST_COOKIE, USER_COOKIE, VALIDATE_COOKIE,
    failure, find_login, missing_cookie,
};
use crate::account::{Home, WebAccess};
use crate::cookies::{self, Realm};
use crate::http::{Request, Response};
use crate::route::{is_china, is_public_name};
use crate::state::State;
use crate::switches::{Region, Renew};

/// As long may a sign-in take.
const SIGNING_IN: Duration = Duration::from_secs(600);

/// `POST accountLogin`.
pub fn account_login(state: &mut State, request: &Request, body: &Value) -> Response {
    let Some(token) = body["dsWebAuthToken"].as_str().filter(|t| !t.is_empty()) else {
        return failure(400, "Missing apple_id field");
    };
    let now = state.now();
    let known = state.auth.session_tokens.get(token).cloned();
    let Some(known) = known.filter(|known| {
        now.duration_since(known.issued).is_ok_and(|age| age < state.account.session_token_life)
    }) else {
        return failure(400, "Invalid Session Token");
    };
    if !known.usable {
        return failure(421, "The setup of the account is not complete");
    }
    if state.switches.renew == Renew::Status421 && is_renewal(state, request, token) {
        return failure(421, "This session cannot be renewed with its own token");
    }
    if let Some(country) = body["accountCountryCode"].as_str()
        && country != state.account.country
    {
        state.violation(format!("accountLogin: accountCountryCode {country:?} is not the announced one"));
    }
    if let Some(elsewhere) = wrong_region(state, request) {
        return elsewhere;
    }
    let trusted = state.account.hsa_version == 0
        || known.trusted
        || body["trustToken"].as_str().is_some_and(|token| state.is_trusted_token(token));
    state.service.rotate(state.switches.session);
    let pending = state.account.terms_pending || state.switches.partial.is_half();
    let newest =
        state.auth.trust_tokens.iter().max_by_key(|(_, issued)| **issued).map(|(token, _)| token.clone());
    let sent = body["trustToken"].as_str().unwrap_or_default();
    let trust_end =
        state.trust_end(sent).or_else(|| state.trust_end(&newest?)).unwrap_or(now + state.account.trust_life);
    let login = Login {
        token: format!("\"v=2:t={}\"", state.ids.hex(80)),
        ds_token: format!("\"{}\"", state.ids.hex(120)),
        repair: pending.then(|| state.ids.hex(64)),
        upload_token: state.ids.hex(40),
        pcs_cookie: None,
        session_token: token.to_owned(),
        issued: now,
        trust_end,
        trusted,
        void: false,
    };
    let info = account_info(state, request, trusted);
    let extended = body["extended_login"].as_bool().unwrap_or(false);
    let response = give_cookies(state, request, &login, extended, Response::json(200, &info));
    state.setup.logins.push(login);
    response
}

/// Whether this token made the live session that the request's cookies prove, and not only just now: clients ask several times
/// while they sign in.
fn is_renewal(state: &mut State, request: &Request, token: &str) -> bool {
    let now = state.now();
    find_login(state, request).is_ok_and(|at| {
        let login = &state.setup.logins[at];
        let age = now.duration_since(login.issued).unwrap_or_default();
        login.session_token == token && login.trusted && age > SIGNING_IN
    })
}

/// The answer to an account of the other region (docs/protocol.md §2).
fn wrong_region(state: &State, request: &Request) -> Option<Response> {
    let asked_china = is_china(request);
    // On loopback both regions share a host, so only the switch can tell.
    let misplaced =
        is_public_name(&request.host_name()) && asked_china != (state.account.region == Home::China);
    if !misplaced && state.switches.region != Region::DomainToUse {
        return None;
    }
    let other = if asked_china { "iCloud.com" } else { "iCloud.com.cn" };
    Some(Response::json(200, &json!({"domainToUse": other})))
}

fn give_cookies(
    state: &mut State,
    request: &Request,
    login: &Login,
    extended: bool,
    response: Response,
) -> Response {
    let session_end = login.issued + state.account.session_life;
    let expires = extended.then_some(session_end);
    let set = |name: &str, value: &str| cookies::set(request, Realm::ICloud, name, value, expires);
    let mut response = response
        .cookie(set(USER_COOKIE, &user_value(state)))
        .cookie(set("X-APPLE-WEBAUTH-LOGIN", &format!("\"v=1:t={}\"", state.ids.hex(40))))
        .cookie(set("X-APPLE-WEBAUTH-HSA-LOGIN", &format!("\"v=1:t={}\"", state.ids.hex(40))))
        .cookie(set("X-APPLE-UNIQUE-CLIENT-ID", &state.ids.hex(24)))
        .cookie(cookies::set(
            request,
            Realm::ICloud,
            &format!("X_APPLE_WEB_KB-{}", state.ids.hex(26).to_uppercase()),
            &format!("\"v=1:t={}\"", state.ids.hex(60)),
            None,
        ));
    if let Some(repair) = &login.repair {
        return response.cookie(set(REPAIR_COOKIE, repair));
    }
    response = response
        .cookie(set(TOKEN_COOKIE, &login.token))
        .cookie(set(DS_COOKIE, &login.ds_token))
        .cookie(set(VALIDATE_COOKIE, &validate_value(&login.upload_token)));
    if login.trusted && state.account.hsa_version > 0 {
        response = response.cookie(cookies::set(
            request,
            Realm::ICloud,
            TRUST_COOKIE,
            &format!("\"v=1:t={}\"", state.ids.hex(60)),
            Some(login.trust_end),
        ));
    }
    response
}

/// Value of [`VALIDATE_COOKIE`] around an upload token.
fn validate_value(upload_token: &str) -> String {
    format!("\"v=1:t={upload_token}:s=1\"")
}

/// `POST validate`.
pub fn validate(state: &mut State, request: &Request) -> Response {
    if let Some(misrouted) = state.service.misrouted(request) {
        return misrouted;
    }
    let at = match find_login(state, request) {
        Ok(at) => at,
        Err(name) => return missing_cookie(name),
    };
    if state.account.web_access == WebAccess::Status421 {
        return missing_cookie(TOKEN_COOKIE);
    }
    if let Some(elsewhere) = wrong_region(state, request) {
        return elsewhere;
    }
    state.service.rotate(state.switches.session);
    let login = &state.setup.logins[at];
    let value = validate_value(&login.upload_token);
    let expires = login.issued + state.account.session_life;
    let info = account_info(state, request, login.trusted);
    Response::json(200, &info).cookie(cookies::set(
        request,
        Realm::ICloud,
        VALIDATE_COOKIE,
        &value,
        Some(expires),
    ))
}

/// `POST logout`.
pub fn logout(state: &mut State, request: &Request, body: &Value) -> Response {
    let at = match find_login(state, request) {
        Ok(at) => at,
        Err(name) => return missing_cookie(name),
    };
    let session_token = state.setup.logins[at].session_token.clone();
    if body["allBrowsers"].as_bool() == Some(true) {
        for login in &mut state.setup.logins {
            login.void = true;
        }
        state.auth.session_tokens.clear();
    } else {
        state.setup.logins[at].void = true;
        state.auth.session_tokens.remove(&session_token);
    }
    let mut names = vec![TOKEN_COOKIE, USER_COOKIE, VALIDATE_COOKIE, DS_COOKIE, PCS_COOKIE];
    if body["trustBrowser"].as_bool() != Some(true) {
        names.push(TRUST_COOKIE);
        state.auth.trust_tokens.clear();
    }
    let answer = Response::json(200, &json!({"success": true}));
    names
        .into_iter()
        .fold(answer, |answer, name| answer.cookie(cookies::delete(request, Realm::ICloud, name)))
}
