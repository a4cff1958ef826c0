//! `{setup}`: accountLogin and validate (`docs/protocol.md` §3.6, §5.3, §6).

use serde_json::Value;
use url::Url;

use super::error::SignInError;
use super::sign_in_wire::{LoginAnswer, LoginBody, login_answer};
use super::{Account, Login, json, parsed, service_error, status_of};
use crate::icloud::http::{Answer, Head, HttpError, Method};
use crate::icloud::options::Region;
use crate::icloud::session::{AccountInfo, REPAIR_COOKIE, SESSION_COOKIE};
use crate::icloud::throttle::{self, Cause};

const ACCOUNT_LOGIN: &str = "accountLogin";
const VALIDATE: &str = "validate";
/// What a 500 says after many sign-ins; asking again within minutes does not help (§6.4).
const ARMING: &[u8] = b"requesting IDMS for arming";

/// Whether a good answer brought only half a session: the cookie that asks for a repair, and not the one that proves the
/// session (§6.4).
fn is_half(head: &Head, has_cookies: bool) -> bool {
    let given = |name: &str| {
        head.header_all("set-cookie").any(|text| {
            let value = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
            value.is_some_and(|value| {
                !value.split(';').next().unwrap_or_default().trim_matches('"').is_empty()
            })
        })
    };
    !has_cookies || (given(REPAIR_COOKIE) && !given(SESSION_COOKIE))
}

impl Account {
    /// Asks whether the cookies still hold.
    pub(super) fn validate(&self) -> Result<Login, SignInError> {
        let answer = self.patiently(|| self.setup_call(Method::Post, VALIDATE, Some(b"null")))?;
        match status_of(&answer) {
            200 => {
                let value = parsed(VALIDATE, &answer.body)?;
                // Without the account's part it is a refusal with a good status.
                let bare = value.get("dsInfo").is_none() && value.get("domainToUse").is_none();
                if bare { Ok(Login::Gone) } else { self.judge(VALIDATE, &value) }
            }
            // accountLogin accepts sessions that this call refuses (§3.0).
            300..=499 => Ok(Login::Gone),
            _ => Err(service_error(VALIDATE, &answer)),
        }
    }

    /// Makes a session of the session token.
    pub(super) fn account_login(&self) -> Result<Login, SignInError> {
        let tokens = self.session().tokens.clone();
        let Some(session_token) = tokens.session_token else { return Ok(Login::Gone) };
        let body = json(&LoginBody {
            account_country_code: tokens.account_country.as_deref().unwrap_or_default(),
            session_token: session_token.expose(),
            extended_login: true,
            trust_token: tokens.trust_token.as_ref().map_or("", |token| token.expose()),
        });
        let answer = self.patiently(|| self.setup_call(Method::Post, ACCOUNT_LOGIN, Some(&body)))?;
        match status_of(&answer) {
            200 => {
                let outcome = self.judge(ACCOUNT_LOGIN, &parsed(ACCOUNT_LOGIN, &answer.body)?)?;
                if outcome == Login::Ready && is_half(&answer.head, self.session().has_cookies()) {
                    self.change(|session| session.info = None)?;
                    return Err(SignInError::Repair);
                }
                Ok(outcome)
            }
            300..=399 => Err(self.wrong_region("another region".to_owned(), Some(self.other_region()))),
            400 | 401 | 403 | 421 | 450 => Ok(Login::Gone),
            500..=599 => {
                self.back_off(Some(&answer))?;
                Err(service_error(ACCOUNT_LOGIN, &answer))
            }
            _ => Err(service_error(ACCOUNT_LOGIN, &answer)),
        }
    }

    /// Reads account information in the documented order, and keeps it when all is well.
    fn judge(&self, step: &'static str, value: &Value) -> Result<Login, SignInError> {
        match login_answer(value, self.now(), self.is_loopback(), &self.roots.setup) {
            LoginAnswer::Ready(info) => self.signed_in(info).map(|()| Login::Ready),
            LoginAnswer::Factor(kind) => Ok(Login::Factor(kind)),
            LoginAnswer::WrongRegion { domain, region } => Err(self.wrong_region(domain, region)),
            LoginAnswer::Failed(problem) => {
                Err(SignInError::Service { step, status: 200, message: problem.message })
            }
            LoginAnswer::Terms => Err(SignInError::Terms),
            LoginAnswer::Repair => Err(SignInError::Repair),
            LoginAnswer::WebOff => Err(SignInError::WebAccessOff),
            LoginAnswer::NoDrive => Err(SignInError::NoDrive),
            LoginAnswer::Unreadable(reason) => {
                Err(SignInError::Unreadable { step, reason: reason.to_owned() })
            }
            LoginAnswer::Unavailable(message) => Err(SignInError::Service { step, status: 200, message }),
        }
    }

    fn signed_in(&self, info: AccountInfo) -> Result<(), SignInError> {
        self.next_epoch();
        self.change(|session| {
            let moved = session.info.as_ref().is_some_and(|old| old.drivews != info.drivews);
            if moved {
                log::debug!("the account's services moved to another partition");
            }
            session.info = Some(info);
            session.half_open = None;
            // What the drive complained of is not over because the session holds.
            if session.back_off.as_ref().is_some_and(|rest| !rest.ends_with_drive()) {
                session.back_off = None;
            }
        })
    }

    fn wrong_region(&self, domain: String, region: Option<Region>) -> SignInError {
        SignInError::WrongRegion {
            domain,
            configured: self.options.region.as_str(),
            region: region.map(Region::as_str),
        }
    }

    fn other_region(&self) -> Region {
        match self.options.region {
            Region::Global => Region::China,
            Region::China => Region::Global,
        }
    }

    /// One call below `{setup}`. A 421 is tried once more over a new connection; 429 and 503
    /// begin the back-off and end everything.
    pub(super) fn setup_call(
        &self,
        method: Method,
        path: &'static str,
        body: Option<&[u8]>,
    ) -> Result<Answer, SignInError> {
        let mut answer = self.setup_call_once(method, path, body)?;
        if answer.head.status == 421 && !answer.body.trim_ascii_start().starts_with(b"{") {
            self.http.fresh_connections();
            answer = self.setup_call_once(method, path, body)?;
        }
        if answer.head.status == 500 && answer.body.windows(ARMING.len()).any(|part| part == ARMING) {
            return Err(self.throttled(&answer, Cause::Overload));
        }
        match (answer.head.status, throttle::read(&answer)) {
            (429 | 503, _) | (_, Some(_)) => Err(self.throttled(&answer, Cause::SignIn)),
            _ => Ok(answer),
        }
    }

    fn setup_call_once(
        &self,
        method: Method,
        path: &'static str,
        body: Option<&[u8]>,
    ) -> Result<Answer, SignInError> {
        let mut url = Url::parse(&format!("{}/{path}", self.roots.setup))
            .map_err(|error| HttpError::Unsendable { host: "?".to_owned(), reason: error.to_string() })?;
        let dsid = self.session().info.as_ref().map(|info| info.dsid.clone());
        url.query_pairs_mut().append_pair("clientId", &self.client_id());
        if let Some(dsid) = dsid {
            url.query_pairs_mut().append_pair("dsid", &dsid);
        }
        let mut headers = self.service_headers(&url);
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        Ok(self.exchange(method, &url, headers, body, path)?)
    }
}
