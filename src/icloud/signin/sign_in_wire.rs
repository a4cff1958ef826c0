//! The sign-in's JSON: the only file that knows its member names.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{FactorKind, SignInError};
use super::receivers::{Phone, StepDevice};
use crate::icloud::options::{Region, is_below, is_loopback};
use crate::icloud::session::{AccountInfo, ChangeRoots};
use crate::icloud::srp::Challenge;
use crate::secret;

/// Texts of the service are cut to this many characters before they are shown.
const LONGEST_MESSAGE: usize = 200;
/// Members of the sign-in state are looked for this far below its top.
const DEEPEST: usize = 8;

/// Body of `signin/init`.
#[derive(Serialize)]
pub(super) struct InitBody<'a> {
    pub a: &'a str,
    #[serde(rename = "accountName")]
    pub account_name: &'a str,
    pub protocols: [&'static str; 2],
}

/// Answer of `signin/init`; `c` is opaque and echoed as it is.
#[derive(Deserialize)]
pub(super) struct InitAnswer {
    pub iteration: u32,
    pub salt: String,
    pub protocol: String,
    pub b: String,
    #[serde(default)]
    pub c: Value,
}

impl InitAnswer {
    /// Its numbers.
    pub fn challenge(&self, step: &'static str) -> Result<Challenge, SignInError> {
        let decode = |text: &str| {
            BASE64
                .decode(text)
                .map_err(|_| SignInError::Unreadable { step, reason: "salt or b is not base64".to_owned() })
        };
        Ok(Challenge {
            protocol: self.protocol.clone(),
            iteration: self.iteration,
            salt: decode(&self.salt)?,
            b: decode(&self.b)?,
        })
    }
}

/// Body of `signin/complete`.
#[derive(Serialize)]
pub(super) struct CompleteBody<'a> {
    #[serde(rename = "accountName")]
    pub account_name: &'a str,
    pub c: &'a Value,
    pub m1: &'a str,
    pub m2: &'a str,
    #[serde(rename = "rememberMe")]
    pub remember_me: bool,
    #[serde(rename = "trustTokens")]
    pub trust_tokens: Vec<&'a str>,
}

/// Body of `escrow/complete`.
#[derive(Serialize)]
pub(super) struct EscrowBody<'a> {
    pub m1: &'a str,
    pub m2: &'a str,
    pub c: &'a Value,
    #[serde(rename = "k")]
    pub key: &'a str,
}

/// Body of `accountLogin`.
#[derive(Serialize)]
pub(super) struct LoginBody<'a> {
    #[serde(rename = "accountCountryCode")]
    pub account_country_code: &'a str,
    #[serde(rename = "dsWebAuthToken")]
    pub session_token: &'a str,
    pub extended_login: bool,
    #[serde(rename = "trustToken")]
    pub trust_token: &'a str,
}

/// The phone of a request (§4.4).
#[derive(Serialize)]
pub(super) struct PhoneBody {
    pub id: i64,
    #[serde(rename = "nonFTEU", skip_serializing_if = "Option::is_none")]
    pub non_fteu: Option<bool>,
}

/// Body of `PUT verify/phone`.
#[derive(Serialize)]
pub(super) struct SendSmsBody<'a> {
    #[serde(rename = "phoneNumber")]
    pub phone: PhoneBody,
    pub mode: &'a str,
}

/// A code as it is submitted.
#[derive(Serialize)]
pub(super) struct Code<'a> {
    pub code: &'a str,
}

/// Body of `POST verify/trusteddevice/securitycode`.
#[derive(Serialize)]
pub(super) struct DeviceCodeBody<'a> {
    #[serde(rename = "securityCode")]
    pub code: Code<'a>,
}

/// Body of `POST verify/phone/securitycode`.
#[derive(Serialize)]
pub(super) struct PhoneCodeBody<'a> {
    #[serde(rename = "securityCode")]
    pub code: Code<'a>,
    #[serde(rename = "phoneNumber")]
    pub phone: PhoneBody,
    pub mode: &'a str,
}

/// What a service says went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Problem {
    /// The error code, e.g. `-20101`.
    pub code: Option<String>,
    /// Words for a person: shortened, masked, never empty.
    pub message: String,
}

/// Reads an error body of either host (§3.9); HTML and nothing are fine too.
pub(super) fn problem(body: &[u8]) -> Problem {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let message = if body.trim_ascii().is_empty() { "no explanation" } else { "a page that is not JSON" };
        return Problem { code: None, message: message.to_owned() };
    };
    let first = errors_of(&value).first();
    let code = first.and_then(|entry| text(entry.get("code")?));
    let words = first
        .and_then(|entry| ["message", "title"].into_iter().find_map(|name| text(entry.get(name)?)))
        .or_else(|| {
            ["error", "errorReason", "reason", "errorMessage", "message"]
                .into_iter()
                .find_map(|name| text(value.get(name)?))
        });
    let message = match (words, &code) {
        (Some(words), _) => shown(&words),
        (None, Some(code)) => format!("error {}", shown(code)),
        (None, None) => "no explanation".to_owned(),
    };
    Problem { code, message }
}

/// Whether a body with a good status reports a failure all the same.
pub(super) fn has_error(value: &Value) -> bool {
    let flag = |name: &str| value.get(name).and_then(Value::as_bool) == Some(true);
    flag("hasError") || flag("has_error") || !errors_of(value).is_empty()
}

fn errors_of(value: &Value) -> &[Value] {
    ["serviceErrors", "service_errors"]
        .into_iter()
        .find_map(|name| value.get(name)?.as_array())
        .map_or(&[], Vec::as_slice)
}

/// A non-empty text or a number as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn shown(words: &str) -> String {
    let clean: String = words.chars().filter(|c| !c.is_control()).take(LONGEST_MESSAGE).collect();
    secret::mask(clean.trim_end_matches('.')).into_owned()
}

/// What accountLogin or validate says, in the order of §3.6.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LoginAnswer {
    Ready(AccountInfo),
    WrongRegion {
        domain: String,
        region: Option<Region>,
    },
    Failed(Problem),
    Terms,
    Repair,
    WebOff,
    Factor(FactorKind),
    NoDrive,
    /// Not account information at all.
    Unreadable(&'static str),
    /// A service root that must not be used, or one that is not active.
    Unavailable(String),
}

/// Judges account information; `loopback` allows plain and local service roots in tests.
pub(super) fn login_answer(value: &Value, now: i64, loopback: bool, configured_setup: &str) -> LoginAnswer {
    if let Some(domain) = value.get("domainToUse").and_then(text) {
        let region = match domain.to_lowercase().as_str() {
            "icloud.com.cn" => Some(Region::China),
            "icloud.com" => Some(Region::Global),
            _ => None,
        };
        return LoginAnswer::WrongRegion { domain: shown(&domain), region };
    }
    if has_error(value) {
        return LoginAnswer::Failed(problem(value.to_string().as_bytes()));
    }
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    if flag("termsUpdateNeeded") == Some(true) {
        return LoginAnswer::Terms;
    }
    let ds_info = value.get("dsInfo").unwrap_or(&Value::Null);
    let either = |name: &str| flag(name).or_else(|| ds_info.get(name).and_then(Value::as_bool));
    if either("isRepairNeeded") == Some(true) {
        return LoginAnswer::Repair;
    }
    let version = ds_info.get("hsaVersion").and_then(Value::as_i64).unwrap_or(0);
    if flag("hsaChallengeRequired") == Some(true)
        || (version >= 1 && flag("hsaTrustedBrowser") == Some(false))
    {
        return LoginAnswer::Factor(if version == 1 { FactorKind::TwoStep } else { FactorKind::TwoFactor });
    }
    if either("isWebAccessAllowed") == Some(false) {
        return LoginAnswer::WebOff;
    }
    let Some(dsid) = ds_info.get("dsid").and_then(text) else {
        return LoginAnswer::Unreadable("it names no account (dsInfo.dsid)");
    };
    let service = |name: &str| value.get("webservices").and_then(|all| all.get(name));
    let (Some(drivews), Some(docws)) = (service("drivews"), service("docws")) else {
        return LoginAnswer::NoDrive;
    };
    let mut roots = [String::new(), String::new()];
    for (slot, (name, service)) in roots.iter_mut().zip([("drivews", drivews), ("docws", docws)]) {
        let status = service.get("status").and_then(text).unwrap_or_else(|| "active".to_owned());
        if status != "active" {
            return LoginAnswer::Unavailable(format!("{name} is \"{}\"", shown(&status)));
        }
        let Some(url) = service.get("url").and_then(text) else { return LoginAnswer::NoDrive };
        if !is_service_root(&url, loopback, configured_setup) {
            return LoginAnswer::Unavailable(format!("{name} points to a host that is not Apple's"));
        }
        *slot = url.trim_end_matches('/').to_owned();
    }
    let [drivews, docws] = roots;
    // Nothing rests on these: one that is missing, not active or a stranger's is not offered.
    let optional = |name: &str| {
        let service = service(name)?;
        let active = service.get("status").and_then(text).is_none_or(|status| status == "active");
        let url = service.get("url").and_then(text)?;
        (active && is_service_root(&url, loopback, configured_setup))
            .then(|| url.trim_end_matches('/').to_owned())
    };
    LoginAnswer::Ready(AccountInfo {
        dsid,
        drivews,
        docws,
        adp: flag("iCDPEnabled").unwrap_or(false),
        confirmed_at: now,
        changes: ChangeRoots {
            feed: optional("ckdatabasews"),
            push: optional("push"),
            registration: optional("ckdeviceservice"),
        },
    })
}

/// Cookies go there, so it must be Apple's, or where the configuration itself points.
pub(super) fn is_service_root(text: &str, loopback: bool, configured_setup: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    let Some(host) = url.host_str() else { return false };
    if loopback {
        return is_loopback(&url);
    }
    let own = url::Url::parse(configured_setup).ok();
    let own_host = own.as_ref().and_then(|own| own.host_str());
    url.scheme() == "https"
        && (is_below(host, "icloud.com") || is_below(host, "icloud.com.cn") || own_host == Some(host))
}

/// What the body of a 409, or of `GET {auth}`, says of the second factor (§4.1).
#[derive(Clone, Debug, Default)]
pub(super) struct AuthState {
    pub kind: Option<FactorKind>,
    pub phones: Vec<Phone>,
    pub locked: bool,
    pub no_devices: bool,
}

impl AuthState {
    /// Whether it tells of a second factor at all.
    pub fn is_factor(&self) -> bool {
        self.kind.is_some() || !self.phones.is_empty() || self.locked || self.no_devices
    }
}

/// Reads the state from JSON, or from the JSON inside the HTML variant.
pub(super) fn auth_state(body: &[u8]) -> AuthState {
    let value = serde_json::from_slice::<Value>(body).ok().or_else(|| boot_args(body)).unwrap_or(Value::Null);
    // The service nests them in several ways (§4.1); whatever lies nearest to the top counts.
    let find = |name: &str| nearest(&value, name);
    let keys = find("fsaChallenge").is_some()
        || find("keyNames").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
    let kind = if keys {
        Some(FactorKind::SecurityKey)
    } else {
        find("authType").or_else(|| find("authenticationType")).and_then(Value::as_str).map(|name| match name
        {
            "hsa2" => FactorKind::TwoFactor,
            _ => FactorKind::TwoStep,
        })
    };
    let listed = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
    let mut phones: Vec<Phone> = nearest_where(&value, "trustedPhoneNumbers", listed)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(phone)
        .collect();
    if phones.is_empty() {
        phones.extend(find("trustedPhoneNumber").and_then(phone));
    }
    let security = find("securityCode");
    let flag = |name: &str| security.and_then(|code| code.get(name)).and_then(Value::as_bool) == Some(true);
    AuthState {
        kind,
        phones,
        locked: ["tooManyCodesSent", "tooManyCodesValidated", "securityCodeLocked"].into_iter().any(flag),
        no_devices: find("noTrustedDevices").and_then(Value::as_bool) == Some(true)
            || find("hasTrustedDevices").and_then(Value::as_bool) == Some(false),
    }
}

/// The member of that name that lies nearest to the top of `value` and is not null.
fn nearest<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    nearest_where(value, name, |found| !found.is_null())
}

fn nearest_where<'a>(value: &'a Value, name: &str, fits: impl Fn(&Value) -> bool) -> Option<&'a Value> {
    let mut level = vec![value];
    for _ in 0..DEEPEST {
        if let Some(found) = level.iter().filter_map(|place| place.get(name)).find(|found| fits(found)) {
            return Some(found);
        }
        level = level.into_iter().filter_map(Value::as_object).flat_map(|object| object.values()).collect();
        level.retain(|value| value.is_object());
    }
    None
}

fn phone(value: &Value) -> Option<Phone> {
    Some(Phone {
        id: value.get("id")?.as_i64()?,
        number: ["numberWithDialCode", "obfuscatedNumber"]
            .into_iter()
            .find_map(|name| text(value.get(name)?))
            .map_or_else(|| "a phone".to_owned(), |number| shown(&number)),
        mode: value.get("pushMode").and_then(text).unwrap_or_else(|| "sms".to_owned()),
        non_fteu: value.get("nonFTEU").and_then(Value::as_bool),
    })
}

fn boot_args(body: &[u8]) -> Option<Value> {
    let page = std::str::from_utf8(body).ok()?;
    let script = &page[page.find("boot_args")?..];
    let json = &script[script.find('>')? + 1..];
    serde_json::from_str(json[..json.find("</script")?].trim()).ok()
}

/// The devices of a two-step account (§4.8); each is sent back as it came.
pub(super) fn step_devices(value: &Value) -> Vec<StepDevice> {
    value
        .get("devices")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|device| device.is_object())
        .map(|device| StepDevice {
            name: ["deviceName", "phoneNumber"]
                .into_iter()
                .find_map(|name| text(device.get(name)?))
                .map_or_else(|| "a device".to_owned(), |name| shown(&name)),
            raw: device.clone(),
        })
        .collect()
}

/// `securityCode.valid`, where a body has it.
pub(super) fn code_valid(value: &Value) -> Option<bool> {
    value.get("securityCode")?.get("valid")?.as_bool()
}
