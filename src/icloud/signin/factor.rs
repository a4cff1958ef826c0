//! The second factor: ways to send a code, sending one, submitting it, trust
//! (`docs/protocol.md` §4). Nothing here happens unless a person asks.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::error::{FactorKind, SignInError};
use super::escrow::{self, Escrow};
use super::receivers::{Phone, SentBy, StepDevice};
use super::sign_in_wire::{
    Code, DeviceCodeBody, PhoneBody, PhoneCodeBody, SendSmsBody, auth_state, code_valid, has_error, problem,
    step_devices,
};
use super::{Account, Initiative, Login, json, parsed, service_error, status_of};
use crate::icloud::http::{Answer, Head, Method};
use crate::icloud::session::{Accepted, HalfOpen};
use crate::icloud::throttle::Cause;

const DEVICE_CODE: &str = "verify/trusteddevice/securitycode";
const SEND_PHONE: &str = "verify/phone";
const PHONE_CODE: &str = "verify/phone/securitycode";
const LIST_DEVICES: &str = "listDevices";
const SEND_STEP_CODE: &str = "sendVerificationCode";
const STEP_CODE: &str = "validateVerificationCode";

/// The mode of a phone that is called.
const VOICE: &str = "voice";

/// The ways in which a code can come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways {
    /// The kind of factor.
    pub kind: FactorKind,
    /// Whether trusted devices can show a code.
    pub device: bool,
    /// What [`SendTo::Number`] counts: phones, or the devices of a two-step account.
    pub numbers: Vec<String>,
    /// The places in it, from 1, of phones that get a call where others get a message.
    pub voice: Vec<usize>,
}

/// Where a code shall be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendTo {
    /// On the trusted devices.
    Device,
    /// To the N-th of [`Ways::numbers`], from 1, as the service usually does it.
    Number(usize),
    /// By a call to the N-th of [`Ways::numbers`], from 1.
    Voice(usize),
}

/// What became of a submitted code.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Judged {
    Accepted,
    Wrong(String),
    Locked,
    Expired,
    Throttled,
    Failed,
}

impl Account {
    /// The ways in which a code can be asked for.
    ///
    /// # Errors
    ///
    /// [`SignInError::NoCodeExpected`] when no sign-in is half open;
    /// [`SignInError::CodeExpired`] when it had to be started again.
    pub fn ways(&self) -> Result<Ways, SignInError> {
        let half_open = self.expected()?;
        match half_open.kind {
            FactorKind::SecurityKey => Err(SignInError::SecurityKeys),
            FactorKind::TwoStep => {
                let devices = self.two_step_devices(&half_open)?;
                let numbers = devices.into_iter().map(|device| device.name).collect();
                Ok(Ways { kind: FactorKind::TwoStep, device: false, numbers, voice: Vec::new() })
            }
            FactorKind::TwoFactor => {
                let (phones, device) = self.phones(&half_open)?;
                let voice =
                    (1..).zip(&phones).filter(|(_, phone)| phone.mode == VOICE).map(|(at, _)| at).collect();
                let numbers = phones.into_iter().map(|phone| phone.number).collect();
                Ok(Ways { kind: FactorKind::TwoFactor, device, numbers, voice })
            }
        }
    }

    /// Asks for a code; every request may make the previous code void.
    ///
    /// # Errors
    ///
    /// [`SignInError::CodeNotSent`] or [`SignInError::CodesLocked`]; choose another way.
    pub fn send_code(&self, to: SendTo) -> Result<(), SignInError> {
        let half_open = self.expected()?;
        let retry = match self.send_code_once(&half_open, to) {
            // The half-open sign-in lives for minutes only; the person is here now, so it is
            // opened again with the password that the service accepted before.
            Err(SignInError::CodeExpired) => self.reopen()?,
            other => return other,
        };
        match retry {
            Some(half_open) => self.send_code_once(&half_open, to),
            None => Ok(()),
        }
    }

    /// Submits a code and, once it is accepted, trusts this session and signs in.
    ///
    /// # Errors
    ///
    /// [`SignInError::WrongCode`] may be tried again; [`SignInError::CodeExpired`] needs a new
    /// code; [`SignInError::CodesLocked`] needs hours; [`SignInError::MissingPassword`] and
    /// [`SignInError::RejectedBefore`] spent nothing.
    pub fn submit_code(&self, typed: &str) -> Result<(), SignInError> {
        let half_open = self.expected()?;
        let kind = half_open.kind;
        if kind == FactorKind::SecurityKey {
            return Err(SignInError::SecurityKeys);
        }
        if kind == FactorKind::TwoFactor {
            self.password_at_hand()?;
        }
        if half_open.accepted.is_some() {
            return self.finish_factor();
        }
        let code = digits(kind, typed)?;
        let answer = self.submit_raw(&half_open, &code)?;
        match judge(&answer) {
            Judged::Accepted => {
                let escrow = escrow::is_asked(&answer.head);
                let accepted = Accepted { escrow, repair: status_of(&answer) == 412 };
                self.accepted(Some(accepted))?;
                self.finish_factor()
            }
            Judged::Wrong(message) => Err(SignInError::WrongCode { kind, message }),
            Judged::Locked => Err(SignInError::CodesLocked { sending: false }),
            Judged::Throttled if status_of(&answer) == 503 => Err(self.throttled(&answer, Cause::Overload)),
            Judged::Throttled => Err(self.throttled(&answer, Cause::SignIn)),
            Judged::Failed => Err(service_error("code", &answer)),
            Judged::Expired => match self.reopen()? {
                Some(_) => Err(SignInError::CodeExpired),
                None => Ok(()),
            },
        }
    }

    fn submit_raw(&self, half_open: &HalfOpen, code: &str) -> Result<Answer, SignInError> {
        match (&half_open.sent_by, half_open.kind) {
            (_, FactorKind::TwoStep) => {
                let device = match &half_open.sent_by {
                    Some(SentBy::Step(device)) => device.clone(),
                    _ => self.two_step_device(half_open, 1)?,
                };
                let mut body = device.raw;
                body["verificationCode"] = Value::from(code);
                body["trustBrowser"] = Value::from(true);
                self.setup_call(Method::Post, STEP_CODE, Some(&json(&body)))
            }
            (Some(SentBy::Phone(phone)), _) => {
                let phone_body = PhoneBody { id: phone.id, non_fteu: phone.non_fteu };
                let body = PhoneCodeBody { code: Code { code }, phone: phone_body, mode: &phone.mode };
                self.auth_call_raw(Method::Post, PHONE_CODE, Some(&json(&body)), &[])
            }
            _ => {
                let body = DeviceCodeBody { code: Code { code } };
                self.auth_call_raw(Method::Post, DEVICE_CODE, Some(&json(&body)), &[])
            }
        }
    }

    /// What follows an accepted code: what it asked for, then trust. A process that ended in between, or lost the network, goes
    /// on here without another code.
    pub(super) fn finish_factor(&self) -> Result<(), SignInError> {
        let accepted = self.session().half_open.as_ref().and_then(|half_open| half_open.accepted);
        let Some(Accepted { escrow, repair }) = accepted else { return Err(SignInError::NoCodeExpected) };
        if repair {
            self.repair(self.password_at_hand()?.expose())?;
            self.accepted(Some(Accepted { escrow, repair: false }))?;
        }
        if escrow && !self.escrow_after_code()? {
            return Ok(());
        }
        self.trust(escrow)
    }

    /// Proves the password once more; `false` when the sign-in had to be opened again and is complete.
    fn escrow_after_code(&self) -> Result<bool, SignInError> {
        match self.prove_escrow(self.password_at_hand()?.expose())? {
            Escrow::Done => self.accepted(Some(Accepted::default())).map(|()| true),
            Escrow::Expired => match self.reopen()? {
                Some(_) => Err(SignInError::CodeExpired),
                None => Ok(false),
            },
        }
    }

    /// Notes how far the half-open sign-in is.
    fn accepted(&self, accepted: Option<Accepted>) -> Result<(), SignInError> {
        self.change(|session| {
            if let Some(half_open) = &mut session.half_open {
                half_open.accepted = accepted;
            }
        })
    }

    /// Makes this session trusted; the real proof is what accountLogin says then (§4.3). `proven`: the second proof of the
    /// password was given already.
    fn trust(&self, proven: bool) -> Result<(), SignInError> {
        let mut answer = self.auth_call(Method::Get, "2sv/trust", None, &[])?;
        if !proven && status_of(&answer) == 409 && escrow::is_asked(&answer.head) {
            self.accepted(Some(Accepted { escrow: true, repair: false }))?;
            if !self.escrow_after_code()? {
                return Ok(());
            }
            answer = self.auth_call(Method::Get, "2sv/trust", None, &[])?;
        }
        if !matches!(status_of(&answer), 200..=299) {
            // Two-step accounts, and some answers 409, come without; accountLogin decides.
            log::debug!("2sv/trust: HTTP {}", status_of(&answer));
        }
        let now = self.now();
        self.change(|_| ())?;
        match self.account_login()? {
            Login::Ready => self.change(|session| session.trust.trusted_at = Some(now)),
            Login::Factor(_) | Login::Gone => {
                // Another code may fare better than this one did.
                self.accepted(None)?;
                Err(SignInError::NotTrusted)
            }
        }
    }

    fn send_code_once(&self, half_open: &HalfOpen, to: SendTo) -> Result<(), SignInError> {
        let not_sent = |message: String| SignInError::CodeNotSent { message };
        let sent_by = match (half_open.kind, to) {
            (FactorKind::SecurityKey, _) => return Err(SignInError::SecurityKeys),
            (FactorKind::TwoStep, to) => {
                let number = match to {
                    SendTo::Number(number) | SendTo::Voice(number) => number,
                    SendTo::Device => 1,
                };
                let device = self.two_step_device(half_open, number)?;
                let answer = self.setup_call(Method::Post, SEND_STEP_CODE, Some(&json(&device.raw)))?;
                let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                if status_of(&answer) != 200 || value.get("success").and_then(Value::as_bool) != Some(true) {
                    return Err(not_sent(problem(&answer.body).message));
                }
                SentBy::Step(device)
            }
            (FactorKind::TwoFactor, SendTo::Device) => {
                let answer = self.auth_call_raw(Method::Put, DEVICE_CODE, None, &[])?;
                self.check_sent(&answer)?;
                SentBy::Device
            }
            (FactorKind::TwoFactor, SendTo::Number(number) | SendTo::Voice(number)) => {
                let (phones, _) = self.phones(half_open)?;
                let count = phones.len();
                let Some(mut phone) = number.checked_sub(1).and_then(|at| phones.into_iter().nth(at)) else {
                    return Err(not_sent(format!(
                        "there is no phone number {number}, the account lists {count}"
                    )));
                };
                if matches!(to, SendTo::Voice(_)) {
                    VOICE.clone_into(&mut phone.mode);
                }
                let phone_body = PhoneBody { id: phone.id, non_fteu: phone.non_fteu };
                let body = json(&SendSmsBody { phone: phone_body, mode: &phone.mode });
                let answer = self.auth_call_raw(Method::Put, SEND_PHONE, Some(&body), &[])?;
                self.check_sent(&answer)?;
                SentBy::Phone(phone)
            }
        };
        self.change(|session| {
            if let Some(half_open) = &mut session.half_open {
                half_open.sent_by = Some(sent_by);
            }
        })
    }

    fn check_sent(&self, answer: &Answer) -> Result<(), SignInError> {
        let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let locked = auth_state(&answer.body).locked;
        match status_of(answer) {
            423 => Err(SignInError::CodesLocked { sending: true }),
            _ if locked => Err(SignInError::CodesLocked { sending: true }),
            // A 409 that names no fault did what was asked (§4.4).
            200 | 202 | 204 | 409 if !has_error(&value) => Ok(()),
            401 | 403 | 421 => Err(SignInError::CodeExpired),
            503 => Err(self.throttled(answer, Cause::Overload)),
            _ => Err(SignInError::CodeNotSent { message: problem(&answer.body).message }),
        }
    }

    /// The half-open sign-in, also one that another process opened.
    fn expected(&self) -> Result<HalfOpen, SignInError> {
        self.reload()?;
        let session = self.session();
        if let Some(left) = session.back_off_left(self.env.clock.reading()) {
            return Err(SignInError::Throttled { left });
        }
        session.half_open.clone().ok_or(SignInError::NoCodeExpected)
    }

    /// Opens the sign-in again with the password; `None` when that needed no code.
    fn reopen(&self) -> Result<Option<HalfOpen>, SignInError> {
        match self.sign_in_with_password(Initiative::Unattended) {
            Ok(()) => Ok(None),
            Err(SignInError::CodeNeeded { .. }) => self.expected().map(Some),
            Err(error) => Err(error),
        }
    }

    /// The phones, and whether devices can show a code. The 409 usually named them already;
    /// asking again can make older devices show a code (§4.1), so it is done only without.
    fn phones(&self, half_open: &HalfOpen) -> Result<(Vec<Phone>, bool), SignInError> {
        if !half_open.phones.is_empty() {
            return Ok((half_open.phones.clone(), !half_open.no_devices));
        }
        let answer = self.auth_call(Method::Get, "", None, &[])?;
        match status_of(&answer) {
            200..=299 => {}
            409 if auth_state(&answer.body).is_factor() => {}
            401 | 403 | 421 => {
                return match self.reopen()? {
                    Some(reopened) => Ok((reopened.phones, !reopened.no_devices)),
                    None => Err(SignInError::NoCodeExpected),
                };
            }
            _ => return Err(service_error("auth", &answer)),
        }
        let state = auth_state(&answer.body);
        if state.kind == Some(FactorKind::SecurityKey) {
            self.change(|session| {
                if let Some(half_open) = &mut session.half_open {
                    half_open.kind = FactorKind::SecurityKey;
                }
            })?;
            return Err(SignInError::SecurityKeys);
        }
        let phones = state.phones.clone();
        self.change(|session| {
            if let Some(half_open) = &mut session.half_open {
                half_open.phones = state.phones;
                half_open.no_devices = state.no_devices;
            }
        })?;
        Ok((phones, !state.no_devices))
    }

    fn two_step_device(&self, half_open: &HalfOpen, number: usize) -> Result<StepDevice, SignInError> {
        let devices = self.two_step_devices(half_open)?;
        let count = devices.len();
        number.checked_sub(1).and_then(|at| devices.into_iter().nth(at)).ok_or_else(|| {
            SignInError::CodeNotSent {
                message: format!("there is no device {number}, the account lists {count}"),
            }
        })
    }

    fn two_step_devices(&self, half_open: &HalfOpen) -> Result<Vec<StepDevice>, SignInError> {
        if !half_open.step_devices.is_empty() {
            return Ok(half_open.step_devices.clone());
        }
        // The setup calls of a two-step account need the cookies that accountLogin gives even
        // to a session without the second factor.
        self.account_login()?;
        let answer = self.setup_call(Method::Get, LIST_DEVICES, None)?;
        if status_of(&answer) != 200 {
            return Err(service_error(LIST_DEVICES, &answer));
        }
        let devices = step_devices(&parsed(LIST_DEVICES, &answer.body)?);
        let kept = devices.clone();
        self.change(|session| {
            if let Some(half_open) = &mut session.half_open {
                half_open.step_devices = kept;
            }
        })?;
        Ok(devices)
    }
}

/// The robust rule of §4.3: the body first, then the error code, then the status.
fn judge(answer: &Answer) -> Judged {
    let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let status = status_of(answer);
    if status == 423 || auth_state(&answer.body).locked {
        return Judged::Locked;
    }
    match code_valid(&value) {
        Some(true) => return Judged::Accepted,
        Some(false) => return Judged::Wrong(problem(&answer.body).message),
        None => {}
    }
    let found = problem(&answer.body);
    if found.code.as_deref() == Some("-21669") {
        return Judged::Wrong(found.message);
    }
    let refused = value.get("success").and_then(Value::as_bool) == Some(false);
    match status {
        200..=299 | 409 if has_error(&value) || refused => Judged::Wrong(found.message),
        200..=299 => Judged::Accepted,
        // Only a right code brings a token, or the demand for a second proof (§3.10).
        409 if has_session_token(&answer.head) || escrow::is_asked(&answer.head) => Judged::Accepted,
        409 | 412 => Judged::Wrong(found.message),
        401 | 403 | 421 => Judged::Expired,
        429 | 503 => Judged::Throttled,
        400 | 404 | 422 if found.code.is_some() => Judged::Wrong(found.message),
        _ => Judged::Failed,
    }
}

fn has_session_token(head: &Head) -> bool {
    head.header("x-apple-session-token").is_some_and(|token| !token.is_empty())
}

/// A typed code without what people put between its digits.
fn bare(typed: &str) -> String {
    typed.nfkc().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '‑' | '–')).collect()
}

/// Whether what was typed is meant as a code; any other word is not.
pub(super) fn is_code_like(typed: &str) -> bool {
    let code = bare(typed);
    code.len() >= 4 && code.bytes().all(|byte| byte.is_ascii_digit())
}

/// The typed code as ASCII digits: six of them, or four to six for two-step accounts.
fn digits(kind: FactorKind, typed: &str) -> Result<String, SignInError> {
    let code = bare(typed);
    let lengths = if kind == FactorKind::TwoStep { 4..=6 } else { 6..=6 };
    if lengths.contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(code);
    }
    let wanted = if kind == FactorKind::TwoStep { "four" } else { "six" };
    Err(SignInError::WrongCode { kind, message: format!("a code has {wanted} digits") })
}

#[cfg(test)]
#[path = "factor_tests.rs"]
mod tests;
