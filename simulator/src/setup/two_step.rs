//! Two-step verification, the legacy of accounts with `hsaVersion` 1 (docs/protocol.md §4.8).

use serde_json::{Value, json};

use super::{failure, find_login, missing_cookie};
use crate::auth::{Message, WRONG_CODE};
use crate::http::{Request, Response};
use crate::state::State;

/// The session of a request, when the account has two-step verification.
fn session(state: &mut State, request: &Request) -> Result<usize, Response> {
    let at = find_login(state, request).map_err(missing_cookie)?;
    if state.account.hsa_version != 1 {
        return Err(failure(400, "two-step verification is not on"));
    }
    Ok(at)
}

/// `GET listDevices`.
pub fn devices(state: &mut State, request: &Request) -> Response {
    if let Err(refusal) = session(state, request) {
        return refusal;
    }
    let devices: Vec<Value> = state
        .account
        .phones
        .iter()
        .map(|phone| {
            let last: String = phone.number.chars().filter(char::is_ascii_digit).collect();
            json!({
                "deviceType": "SMS",
                "areaCode": "",
                "phoneNumber": format!("*******{last}"),
                "deviceId": phone.id.to_string(),
            })
        })
        .collect();
    Response::json(200, &json!({"devices": devices}))
}

/// `POST sendVerificationCode`.
pub fn send(state: &mut State, request: &Request, body: &Value) -> Response {
    if let Err(refusal) = session(state, request) {
        return refusal;
    }
    let device = body["deviceId"].as_str().unwrap_or_default().to_owned();
    let phone = state.account.phones.iter().map(|phone| phone.id).find(|id| id.to_string() == device);
    let (Some(phone), true) = (phone, state.account.sms_works) else {
        return Response::json(200, &json!({"success": false}));
    };
    let code = state.ids.digits(4);
    state.setup.two_step_code = Some((device, code.clone()));
    state.auth.messages.push(Message { phone, code, voice: false });
    Response::json(200, &json!({"success": true}))
}

/// `POST validateVerificationCode`.
pub fn submit(state: &mut State, request: &Request, body: &Value) -> Response {
    let at = match session(state, request) {
        Ok(at) => at,
        Err(refusal) => return refusal,
    };
    let right = state
        .setup
        .two_step_code
        .as_ref()
        .is_some_and(|(device, code)| body["deviceId"] == *device && body["verificationCode"] == *code);
    if !right {
        return Response::json(
            400,
            &json!({
                "success": false,
                "errorCode": WRONG_CODE,
                "errorMessage": "Incorrect verification code.",
                "service_errors": [{"code": WRONG_CODE, "message": "Incorrect verification code."}],
                "hasError": true,
            }),
        );
    }
    state.setup.two_step_code = None;
    let login = &mut state.setup.logins[at];
    login.trusted = body["trustBrowser"].as_bool() == Some(true);
    if login.trusted {
        let token = login.session_token.clone();
        state.trust_session_token(&token);
    }
    Response::json(200, &json!({"success": true}))
}
