//! The way to the PCS cookies (docs/protocol.md §6.3).

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{PCS_COOKIE, TOKEN_COOKIE, failure, find_login, missing_cookie};
use crate::cookies::{self, Realm};
use crate::http::{Request, Response};
use crate::state::State;

/// How long a consent holds.
const CONSENT_LIFE: Duration = Duration::from_secs(3600);

/// `POST requestWebAccessState`.
pub fn web_access_state(state: &mut State, request: &Request) -> Response {
    if let Err(name) = find_login(state, request) {
        return missing_cookie(name);
    }
    let Some(adp) = state.account.adp else {
        return Response::json(200, &json!({"dsid": state.account.dsid, "isWebAccessAllowed": true}));
    };
    let pcs = &mut state.setup.pcs;
    pcs.poll(adp.consent_after_polls);
    let mut answer = json!({
        "dsid": state.account.dsid,
        "isWebAccessAllowed": true,
        "isICDRSDisabled": true,
        "isDeviceConsentedForPCS": pcs.consented,
    });
    if pcs.consented {
        let until = state.now() + CONSENT_LIFE;
        let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
        answer["deviceConsentForPCSExpiry"] = json!(u64::try_from(until.as_millis()).unwrap_or(u64::MAX));
    }
    Response::json(200, &answer)
}

/// `POST enableDeviceConsentForPCS`.
pub fn consent(state: &mut State, request: &Request) -> Response {
    if let Err(name) = find_login(state, request) {
        return missing_cookie(name);
    }
    if state.account.adp.is_none() {
        return Response::json(200, &json!({"isDeviceConsentNotificationSent": false}));
    }
    if state.setup.pcs.asked && !state.setup.pcs.consented {
        state.violation("pcs.consent: the device was asked again while it had not answered");
    }
    state.setup.pcs.asked = true;
    Response::json(200, &json!({"isDeviceConsentNotificationSent": true}))
}

/// `POST requestPCS`.
pub fn request(state: &mut State, request: &Request, body: &Value) -> Response {
    let at = match find_login(state, request) {
        Ok(at) => at,
        Err(TOKEN_COOKIE) => return failure(500, "Missing X-APPLE-WEBAUTH-TOKEN cookie"),
        Err(name) => return missing_cookie(name),
    };
    if body["appName"] != "iclouddrive" {
        return failure(400, "unknown appName");
    }
    let Some(by_user) = body["derivedFromUserAction"].as_bool() else {
        return failure(400, "derivedFromUserAction is missing");
    };
    let Some(adp) = state.account.adp else {
        // Nobody has to consent to keys that the service has; success always brings its cookies.
        return give_cookies(state, request, at);
    };
    if !state.setup.pcs.consented {
        // This call asks the device as well, and some clients know no other way to it.
        state.setup.pcs.poll(adp.consent_after_polls);
        state.setup.pcs.asked = true;
        return Response::json(
            200,
            &json!({"status": "failure", "message": "Requested the device to upload cookies."}),
        );
    }
    let pcs = &mut state.setup.pcs;
    pcs.requests += 1;
    let number = pcs.requests;
    if by_user != (number == 1) {
        state.violation("pcs.request: derivedFromUserAction is to be true the first time only");
    }
    if number < adp.cookies_at_request {
        let message = if number == 1 {
            "Requested the device to upload cookies."
        } else {
            "Cookies not available yet on server."
        };
        return Response::json(200, &json!({"status": "failure", "message": message}));
    }
    state.setup.pcs.requests = 0;
    give_cookies(state, request, at)
}

fn give_cookies(state: &mut State, request: &Request, at: usize) -> Response {
    let value = format!("\"{}\"", state.ids.hex(120));
    let sharing = format!("\"{}\"", state.ids.hex(120));
    let login = &mut state.setup.logins[at];
    login.pcs_cookie = Some(value.clone());
    let expires = login.issued + state.account.session_life;
    let set = |name: &str, value: &str| cookies::set(request, Realm::ICloud, name, value, Some(expires));
    Response::json(200, &json!({"status": "success"}))
        .cookie(set(PCS_COOKIE, &value))
        .cookie(set("X-APPLE-WEBAUTH-PCS-Sharing", &sharing))
}
