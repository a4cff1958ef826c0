//! Codes on devices and telephones, and trust: docs/protocol.md §4.

use serde_json::{Value, json};

use super::answers::{WRONG_CODE, error, half_open};
use super::signins::{Channel, Message, SignIn};
use super::{escrow, key};
use crate::account::{Account, Phone, Repair, StateForm};
use crate::http::{Request, Response};
use crate::state::State;
use crate::switches::{Fteu, Push, Retrust, TwoFactor};

/// Wrong codes that lock code entry.
const CODES_TO_LOCK: u32 = 5;
/// Codes that are sent for one sign-in.
const MOST_CODES: u32 = 5;

/// What a page of the bridge has of them.
fn bridge(state: &State, at: usize) -> Value {
    let mut account = state.account.clone();
    account.state_form = StateForm::Top;
    json!({"direct": {
        "authInitialRoute": "auth/bridge/step",
        "hasTrustedDevices": state.account.trusted_devices,
        "twoSV": {"bridgeInitiateData": {"phoneNumberVerification": members(&account, &state.auth.signins[at])}},
    }})
}

/// The members of the sign-in state.
pub fn description(state: &State, at: usize) -> Value {
    members(&state.account, &state.auth.signins[at])
}

fn members(account: &Account, signin: &SignIn) -> Value {
    let phones: Vec<Value> = account.phones.iter().map(phone_json).collect();
    let locked = signin.wrong_codes >= CODES_TO_LOCK;
    let mut inner = json!({
        "trustedPhoneNumbers": phones,
        "securityCode": {
            "length": 6,
            "tooManyCodesSent": signin.codes_sent >= MOST_CODES,
            "tooManyCodesValidated": locked,
            "securityCodeLocked": locked,
            "securityCodeCooldown": false,
        },
        "authenticationType": if account.hsa_version == 1 { "hsa" } else { "hsa2" },
        "hsa2Account": account.hsa_version == 2,
        "noTrustedDevices": !account.trusted_devices,
        "managedAccount": false,
        "supportsRecovery": true,
        "recoveryUrl": "https://iforgot.apple.com/phone/add?prs_account_nm=",
    });
    if let Some(first) = account.phones.first() {
        inner["trustedPhoneNumber"] = phone_json(first);
    }
    match account.state_form {
        StateForm::Bridge => json!({"authenticationType": inner_type(account)}),
        StateForm::Top => inner,
        StateForm::Nested | StateForm::Html => json!({"phoneNumberVerification": inner}),
    }
}

fn inner_type(account: &Account) -> &'static str {
    if account.hsa_version == 1 { "hsa" } else { "hsa2" }
}

fn phone_json(phone: &Phone) -> Value {
    let mut json = json!({
        "id": phone.id,
        "numberWithDialCode": format!("+1 {}", phone.number),
        "obfuscatedNumber": phone.number,
        "pushMode": phone.mode,
    });
    if let Some(non_fteu) = phone.non_fteu {
        json["nonFTEU"] = json!(non_fteu);
    }
    json
}

fn locked(state: &State, at: usize) -> Option<Response> {
    if state.auth.signins[at].wrong_codes < CODES_TO_LOCK {
        return None;
    }
    let mut body = description(state, at);
    body["hasError"] = json!(true);
    body["serviceErrors"] = json!([{
        "code": "-22979",
        "title": "",
        "message": "Too many incorrect verification codes. Try again later.",
        "suppressDismissal": false,
    }]);
    Some(Response::json(423, &body))
}

/// `GET {auth}`.
pub fn state(state: &mut State, request: &Request) -> Response {
    let at = match half_open(state, request) {
        Ok(at) => at,
        Err(refusal) => return refusal,
    };
    if state.account.code_on_state && state.account.trusted_devices {
        show_device_code(state, at);
    }
    let body = description(state, at);
    let status = state.switches.conflict_ok.status();
    let response = if !state.account.security_keys.is_empty() {
        let mut body = json!({"authenticationType": "hsa2"});
        if wants_page(request) {
            page(200, &json!({"direct": {"twoSV": body}}))
        } else {
            body["fsaChallenge"] = key::challenge(state, at);
            body["keyNames"] = json!(state.account.security_keys);
            Response::json(200, &body)
        }
    } else if state.account.state_form == StateForm::Html {
        page(status, &json!({"direct": {"twoSV": body}}))
    } else if state.account.state_form == StateForm::Bridge {
        page(status, &bridge(state, at))
    } else if wants_page(request) {
        // What a page of the bridge has, without its route: clients that know the bridge take a message then.
        let mut boot = bridge(state, at);
        boot["direct"]["authInitialRoute"] = json!("auth/verify/phone");
        page(status, &boot)
    } else {
        Response::json(status, &body)
    };
    state.carry(at, response)
}

/// Whether the client asks as a browser does: it gets the page, which lacks what concerns security keys.
fn wants_page(request: &Request) -> bool {
    let accepted = request.header("accept").unwrap_or_default();
    accepted.contains("text/html") && !accepted.contains("json")
}

fn page(status: u16, boot: &Value) -> Response {
    Response::html(
        status,
        &format!(
            "<html><body><script type=\"application/json\" class=\"boot_args\">{boot}</script></body></html>"
        ),
    )
}

/// `GET verify/trusteddevice`: how it stands with the code on the devices.
pub fn device_state(state: &mut State, request: &Request) -> Response {
    let at = match half_open(state, request) {
        Ok(at) => at,
        Err(refusal) => return refusal,
    };
    let body = description(state, at);
    state.carry(at, Response::json(200, &body))
}

/// Makes a new device code, which voids any earlier one, and shows it unless `S-push` keeps it from arriving.
pub(super) fn show_device_code(state: &mut State, at: usize) {
    let code = state.ids.digits(6);
    let signin = &mut state.auth.signins[at];
    signin.codes_sent += 1;
    signin.code.retain(|(_, channel)| *channel != Channel::Device);
    signin.code.push((code.clone(), Channel::Device));
    state.auth.device_code = (state.switches.push != Push::NeverArrives).then_some(code);
}

/// `PUT verify/trusteddevice/securitycode`.
pub fn request_device_code(state: &mut State, request: &Request) -> Response {
    let at = match half_open(state, request) {
        Ok(at) => at,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = locked(state, at) {
        return refusal;
    }
    if state.auth.signins[at].codes_sent >= MOST_CODES {
        let response = error(423, "-22981", "Too many verification codes have been sent.");
        return state.carry(at, response);
    }
    if !state.account.trusted_devices || !state.account.security_keys.is_empty() {
        let response = error(412, "-21668", "There is no trusted device.");
        return state.carry(at, response);
    }
    if state.switches.push == Push::CancelledByPut {
        state.auth.signins[at].code.retain(|(_, channel)| *channel != Channel::Device);
        state.auth.device_code = None;
    } else {
        show_device_code(state, at);
    }
    state.carry(at, Response::empty(202))
}

/// `PUT verify/phone`.
pub fn request_message(state: &mut State, request: &Request, body: &Value) -> Response {
    let at = match half_open(state, request) {
        Ok(at) => at,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = locked(state, at) {
        return refusal;
    }
    if request.header("X-Apple-ID-Session-Id").is_none() {
        let response = error(412, "-28248", "the session id of this sign-in is missing");
        return state.carry(at, response);
    }
    let phone = body["phoneNumber"]["id"].as_u64();
    let Some(phone) = state.account.phones.iter().find(|known| Some(known.id) == phone).cloned() else {
        return error(400, "-28248", "no such telephone");
    };
    let mode = body["mode"].as_str().unwrap_or_default();
    if mode != phone.mode && mode != "voice" {
        return error(400, "-28248", "the telephone does not take this mode");
    }
    let wrong_flag = body["phoneNumber"].get("nonFTEU").is_some_and(|sent| sent.as_bool() != phone.non_fteu);
    if wrong_flag {
        return error(400, "-28248", "nonFTEU is not the telephone's");
    }
    if state.auth.signins[at].codes_sent >= MOST_CODES || !state.account.sms_works {
        let response = error(423, "-22981", "Too many verification codes have been sent.");
        return state.carry(at, response);
    }
    let code = state.ids.digits(6);
    let signin = &mut state.auth.signins[at];
    signin.codes_sent += 1;
    signin.code.retain(|(_, channel)| *channel == Channel::Device);
    signin.code.push((code.clone(), Channel::Phone(phone.id)));
    state.auth.messages.push(Message { phone: phone.id, code, voice: mode == "voice" });
    let body = description(state, at);
    let status = state.switches.conflict_ok.status();
    state.carry(at, Response::json(status, &body))
}

/// `POST verify/trusteddevice/securitycode`, or with `by_phone` `POST verify/phone/securitycode`.
pub fn submit(state: &mut State, request: &Request, body: &Value, by_phone: bool) -> Response {
    let at = match half_open(state, request) {
        Ok(at) => at,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = locked(state, at) {
        return refusal;
    }
    let Some(code) = body["securityCode"]["code"].as_str() else {
        return error(400, "-1", "securityCode.code is missing");
    };
    let channel = if by_phone {
        match body["phoneNumber"]["id"].as_u64() {
            Some(id) => Channel::Phone(id),
            None => return error(400, "-1", "phoneNumber.id is missing"),
        }
    } else {
        Channel::Device
    };
    if let Channel::Phone(id) = channel
        && state.switches.fteu != Fteu::Off
    {
        let known = state.account.phones.iter().find(|phone| phone.id == id).and_then(|phone| phone.non_fteu);
        // What is left out counts as false, as clients live on that never send it.
        let absent = (state.switches.fteu == Fteu::Echo).then_some(false);
        if known.is_some() && body["phoneNumber"]["nonFTEU"].as_bool().or(absent) != known {
            return error(400, "-28248", "nonFTEU is not the telephone's");
        }
    }
    let signin = &mut state.auth.signins[at];
    if !signin.code.contains(&(code.to_owned(), channel)) {
        signin.wrong_codes += 1;
        let response = error(400, WRONG_CODE, "Incorrect verification code.");
        return state.carry(at, response);
    }
    signin.code.clear();
    signin.code_accepted = true;
    state.auth.device_code = None;
    let accepted = json!({"securityCode": {"code": code, "valid": true}});
    let with_token = matches!(state.switches.two_factor, TwoFactor::Status204 | TwoFactor::Status409Token);
    let asks = state.account.hsa_version == 2 && state.switches.escrow.on_code();
    let plain = state.switches.two_factor == TwoFactor::Status204 && !asks;
    let repair_first = state.switches.two_factor == TwoFactor::Status412Repair;
    if repair_first && state.account.repair == Repair::None {
        state.account.repair = Repair::Works;
    }
    let response = match (plain, repair_first) {
        (true, _) => Response::empty(204),
        (_, true) => Response::json(412, &accepted),
        _ => Response::json(409, &accepted),
    };
    let mut response = state.carry(at, response);
    if asks {
        response = escrow::ask(state, at, false, response);
    }
    if with_token { state.give_session_token(at, false, true, response) } else { response }
}

/// `GET 2sv/trust`.
pub fn trust(state: &mut State, request: &Request) -> Response {
    let at = match half_open(state, request) {
        Ok(at) => at,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = escrow::refusal(state, at) {
        return refusal;
    }
    if state.switches.two_factor == TwoFactor::Status412Repair && state.account.repair != Repair::None {
        let response = error(412, "-1", "The account has to be repaired first.");
        return state.carry(at, response);
    }
    let signin = &state.auth.signins[at];
    if !signin.trusted && !signin.code_accepted {
        let response = error(403, "-21420", "enter a verification code first");
        return state.carry(at, response);
    }
    let refused = if signin.trusted {
        state.switches.retrust != Retrust::NewToken
    } else {
        state.switches.two_factor == TwoFactor::Status409TrustFails
    };
    if refused {
        let response = error(403, "-21420", "this browser cannot be trusted");
        return state.carry(at, response);
    }
    state.auth.signins[at].trusted = true;
    let response = state.carry(at, Response::empty(204));
    let response = state.give_session_token(at, true, true, response);
    state.give_trust_token(response)
}
