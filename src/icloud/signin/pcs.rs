//! Advanced Data Protection: asking a device for the keys of web access
//! (`docs/protocol.md` §6.3).

use std::time::Duration;

use serde_json::{Value, json};

use super::error::SignInError;
use super::sign_in_wire::problem;
use super::{Account, Login, parsed, service_error, status_of};
use crate::icloud::http::Method;

/// A person has this long to allow the request on a device: 60 × 5 s.
const CONSENT_TRIES: u32 = 60;
const CONSENT_PAUSE: Duration = Duration::from_secs(5);
/// The device has this long to hand over the keys: 30 × 10 s.
const KEY_TRIES: u32 = 30;
const KEY_PAUSE: Duration = Duration::from_secs(10);
/// A refused request is not repeated for this long: every one disturbs a person.
const REFUSED_PAUSE_SECS: i64 = 3600;

const STATE: &str = "requestWebAccessState";
const CONSENT: &str = "enableDeviceConsentForPCS";
const KEYS: &str = "requestPCS";

impl Account {
    /// Gets the cookies that unlock the encrypted data; waits for a person's approval, for some
    /// minutes at most.
    ///
    /// # Errors
    ///
    /// [`SignInError::WebAccess`] when it is refused or not answered; then it is not asked for
    /// again for an hour.
    pub fn unlock_web_access(&self) -> Result<(), SignInError> {
        if self.session().keys_refused_until.is_some_and(|until| self.now() < until) {
            return Err(SignInError::WebAccess { reason: "the request was not allowed" });
        }
        let outcome = self.request_keys();
        if let Err(SignInError::WebAccess { .. }) = outcome {
            let until = self.now().saturating_add(REFUSED_PAUSE_SECS);
            self.change(|session| session.keys_refused_until = Some(until))?;
        }
        outcome
    }

    /// A person acted, perhaps on the setting, so the keys may be asked for again.
    pub(in crate::icloud) fn forget_refused_keys(&self) -> Result<(), SignInError> {
        if self.session().keys_refused_until.is_none() {
            return Ok(());
        }
        self.change(|session| session.keys_refused_until = None)
    }

    fn request_keys(&self) -> Result<(), SignInError> {
        if !self.session().has_cookies() {
            // Half a session: the keys come with a whole one only (§6.4).
            return Err(SignInError::Repair);
        }
        let Some(consented) = self.web_access_state()? else { return Ok(()) };
        if !consented {
            self.ask_consent()?;
        }
        let mut renewed = false;
        for attempt in 0..KEY_TRIES {
            let first = !self.session().pcs_asked;
            let body = super::json(&json!({ "appName": "iclouddrive", "derivedFromUserAction": first }));
            let answer = self.setup_call(Method::Post, KEYS, Some(&body))?;
            self.change(|session| session.pcs_asked = true)?;
            let found = problem(&answer.body).message;
            match status_of(&answer) {
                200 => {}
                // A partial session, mostly because of new terms: accountLogin tells (§6.4).
                _ if found.contains("X-APPLE-WEBAUTH-TOKEN") && !renewed => {
                    renewed = true;
                    if self.account_login()? != Login::Ready {
                        return Err(service_error(KEYS, &answer));
                    }
                    continue;
                }
                _ => return Err(service_error(KEYS, &answer)),
            }
            let value = parsed(KEYS, &answer.body)?;
            if value.get("status").and_then(Value::as_str) == Some("success") {
                log::info!("iCloud released the encrypted data for web access");
                return self.change(|session| {
                    session.pcs_asked = false;
                    session.keys_refused_until = None;
                });
            }
            let pending = ["Requested the device to upload cookies", "Cookies not available yet on server"];
            if !pending.iter().any(|text| found.starts_with(text)) {
                return Err(SignInError::WebAccess { reason: "the service refused to give the keys" });
            }
            if attempt == 0 {
                log::info!("waiting for a device to release the encrypted data");
            }
            self.env.clock.pause(KEY_PAUSE)?;
        }
        Err(SignInError::WebAccess { reason: "no device released the keys in time" })
    }

    /// Whether a person consented; `None` when no keys are needed at all.
    fn web_access_state(&self) -> Result<Option<bool>, SignInError> {
        let answer = self.setup_call(Method::Post, STATE, None)?;
        if status_of(&answer) != 200 {
            return Err(service_error(STATE, &answer));
        }
        let value = parsed(STATE, &answer.body)?;
        let flag = |name: &str| value.get(name).and_then(Value::as_bool);
        // An account whose keys the service has does not name it (§6.3).
        if flag("isICDRSDisabled") != Some(true) {
            return Ok(None);
        }
        Ok(Some(flag("isDeviceConsentedForPCS").unwrap_or(false)))
    }

    fn ask_consent(&self) -> Result<(), SignInError> {
        let answer = self.setup_call(Method::Post, CONSENT, None)?;
        let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let sent = value.get("isDeviceConsentNotificationSent").and_then(Value::as_bool);
        if status_of(&answer) != 200 || sent != Some(true) {
            return Err(SignInError::WebAccess { reason: "no device could be asked to allow it" });
        }
        log::warn!("please allow web access to your iCloud data on one of your devices");
        for _ in 0..CONSENT_TRIES {
            self.env.clock.pause(CONSENT_PAUSE)?;
            match self.web_access_state()? {
                Some(false) => {}
                Some(true) | None => return Ok(()),
            }
        }
        Err(SignInError::WebAccess { reason: "nobody allowed the request on a device" })
    }
}
