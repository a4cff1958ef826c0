//! `{setup}`: accountLogin and validate (`docs/protocol.md` §3.6, §5.3, §6).

use serde_json::Value;
use url::Url;

use super::error::SignInError;
use super::wire::{LoginBody, Verdict, verdict};
use super::{Account, Login, json, parsed, service_error, status_of};
use crate::icloud::http::{Answer, HttpError, Method};
use crate::icloud::options::Region;
use crate::icloud::session::AccountInfo;

const ACCOUNT_LOGIN: &str = "accountLogin";
const VALIDATE: &str = "validate";

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
            200 => self.judge(ACCOUNT_LOGIN, &parsed(ACCOUNT_LOGIN, &answer.body)?),
            300..=399 => Err(self.wrong_region("another region".to_owned(), Some(self.other_region()))),
            400 | 401 | 403 | 421 | 450 => Ok(Login::Gone),
            500..=599 => {
                self.back_off(answer.head.retry_after())?;
                Err(service_error(ACCOUNT_LOGIN, &answer))
            }
            _ => Err(service_error(ACCOUNT_LOGIN, &answer)),
        }
    }

    /// Reads account information in the documented order, and keeps it when all is well.
    fn judge(&self, step: &'static str, value: &Value) -> Result<Login, SignInError> {
        match verdict(value, self.now(), self.is_loopback(), &self.roots.setup) {
            Verdict::Ready(info) => self.signed_in(info).map(|()| Login::Ready),
            Verdict::Factor(kind) => Ok(Login::Factor(kind)),
            Verdict::WrongRegion { domain, region } => Err(self.wrong_region(domain, region)),
            Verdict::Failed(problem) => {
                Err(SignInError::Service { step, status: 200, message: problem.message })
            }
            Verdict::Terms => Err(SignInError::Terms),
            Verdict::NoDrive => Err(SignInError::NoDrive),
            Verdict::Unreadable(reason) => Err(SignInError::Unreadable { step, reason: reason.to_owned() }),
            Verdict::Unavailable(message) => Err(SignInError::Service { step, status: 200, message }),
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
            session.back_off = None;
        })
    }

    fn wrong_region(&self, domain: String, region: Option<Region>) -> SignInError {
        SignInError::WrongRegion {
            domain,
            configured: self.options.region.name(),
            region: region.map(Region::name),
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
        match answer.head.status {
            429 | 503 => Err(self.throttled(&answer.head)),
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
