//! What all answers of the sign-in host share: errors, what a sign-in carries from one to the next, tokens and cookies.

use std::time::SystemTime;

use serde_json::json;

use super::signins::{SecondProof, SessionToken, SignIn};
use crate::cookies::{self, Realm};
use crate::http::{Request, Response};
use crate::state::State;
use crate::switches::{TrustIp, TrustRoll};

/// "Name or password wrong".
pub const WRONG_PASSWORD: &str = "-20101";
/// "Account locked".
pub const LOCKED: &str = "-20209";
/// "Verification code wrong".
pub const WRONG_CODE: &str = "-21669";

/// An error body of docs/protocol.md §3.9.
#[must_use]
pub fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(
        status,
        &json!({
            "serviceErrors": [
                {"code": code, "title": "", "message": message, "suppressDismissal": false}
            ],
            "hasError": true,
        }),
    )
}

impl State {
    /// Opens a sign-in and returns its place.
    pub(super) fn open_signin(&mut self, request: &Request) -> usize {
        let signin = SignIn {
            id: self.ids.hex(64),
            scnt: self.ids.hex(96),
            previous_scnt: String::new(),
            opened: self.now(),
            oauth_state: request.header("X-Apple-OAuth-State").map(str::to_owned),
            exchange: None,
            password_right: false,
            trusted: false,
            session_token: None,
            code: Vec::new(),
            code_accepted: false,
            wrong_codes: 0,
            codes_sent: 0,
            escrow: SecondProof::default(),
            challenge: None,
        };
        self.auth.signins.push(signin);
        self.auth.signins.len() - 1
    }

    /// The sign-in that the request's `scnt` and session id name. The newest `scnt` counts, and the one before it, because the
    /// answer that carried the newest may have been lost.
    ///
    /// # Errors
    /// 401: the context is stale.
    pub(super) fn signin(&mut self, request: &Request) -> Result<usize, Response> {
        let now = self.now();
        let stale = || error(401, "-20528", "Your session has expired. Sign in again.");
        let scnt = request.header("scnt").ok_or_else(stale)?;
        // The answer to authorize/signin tells no session id, so at init a client may still send that of the sign-in before.
        let id = request.header("X-Apple-ID-Session-Id").filter(|_| !request.path.ends_with("/signin/init"));
        let (signin_life, session_life) = (self.account.signin_life, self.account.session_life);
        let at = self
            .auth
            .signins
            .iter()
            .position(|signin| {
                let life = if signin.trusted { session_life } else { signin_life };
                (signin.scnt == scnt || signin.previous_scnt == scnt)
                    && id.is_none_or(|id| id == signin.id)
                    && now.duration_since(signin.opened).is_ok_and(|age| age < life)
            })
            .ok_or_else(stale)?;
        let sent = request.header("X-Apple-OAuth-State");
        let known = &mut self.auth.signins[at].oauth_state;
        if known.is_none() {
            *known = sent.map(str::to_owned);
        } else if sent.is_some() && known.as_deref() != sent {
            self.violation("X-Apple-OAuth-State changed within a sign-in");
        }
        Ok(at)
    }

    /// Adds the carried headers of a sign-in, rotating `scnt` (docs/protocol.md §3.1).
    pub(super) fn carry(&mut self, at: usize, response: Response) -> Response {
        let next = self.ids.hex(96);
        let attributes = self.ids.hex(48);
        let signin = &mut self.auth.signins[at];
        signin.previous_scnt = std::mem::replace(&mut signin.scnt, next);
        let mut response = response
            .header("scnt", signin.scnt.clone())
            .header("X-Apple-ID-Session-Id", signin.id.clone())
            .header("X-Apple-Auth-Attributes", attributes);
        if signin.password_right {
            response = response.header("X-Apple-ID-Account-Country", self.account.country.clone());
        }
        response
    }

    /// Makes a session token for a sign-in and adds it to the answer.
    pub(super) fn give_session_token(
        &mut self,
        at: usize,
        trusted: bool,
        usable: bool,
        response: Response,
    ) -> Response {
        let token = format!("st.{}", self.ids.hex(120));
        let issued = self.now();
        let usable = usable && !self.auth.signins[at].escrow.is_due();
        self.auth.session_tokens.insert(token.clone(), SessionToken { issued, trusted, usable });
        self.auth.signins[at].session_token = Some(token.clone());
        response.header("X-Apple-Session-Token", token)
    }

    /// Makes a trust token and adds it to the answer.
    pub(super) fn give_trust_token(&mut self, response: Response) -> Response {
        let token = format!("HSARMTKNSRVXWFla{}", self.ids.hex(80));
        let issued = self.now();
        self.auth.trust_tokens.insert(token.clone(), issued);
        self.auth.trust_from.insert(token.clone(), self.auth.address);
        response.header("X-Apple-TwoSV-Trust-Token", token)
    }

    /// Whether this trust token is known and not expired.
    #[must_use]
    pub fn is_trusted_token(&self, token: &str) -> bool {
        let here = self.auth.trust_from.get(token) == Some(&self.auth.address);
        (here || self.switches.trust_ip == TrustIp::Any) && self.trust_end(token).is_some()
    }

    /// When a trust token that has not expired does.
    #[must_use]
    pub fn trust_end(&self, token: &str) -> Option<SystemTime> {
        let end = *self.auth.trust_tokens.get(token)? + self.account.trust_life;
        (self.now() < end).then_some(end)
    }

    /// Renews the trust behind an accepted trust token, where the switch says so.
    pub(super) fn roll_trust(&mut self, response: Response) -> Response {
        match self.switches.trust_roll {
            TrustRoll::OnPassword => self.give_trust_token(response),
            TrustRoll::Never => response,
        }
    }

    /// Marks the sign-in behind a session token, and the token, as trusted; two-step verification does this at `{setup}`.
    pub fn trust_session_token(&mut self, token: &str) {
        if let Some(known) = self.auth.session_tokens.get_mut(token) {
            known.trusted = true;
        }
        for signin in &mut self.auth.signins {
            if signin.session_token.as_deref() == Some(token) {
                signin.code_accepted = true;
                signin.opened = SystemTime::now() + self.clock_ahead;
            }
        }
    }
}

/// The half-open sign-in of a request for which the password was right.
///
/// # Errors
/// The answer to give instead.
pub(super) fn half_open(state: &mut State, request: &Request) -> Result<usize, Response> {
    let at = state.signin(request)?;
    if !state.auth.signins[at].password_right {
        return Err(error(401, "-20528", "sign in first"));
    }
    Ok(at)
}

/// The sign-in host's cookies.
pub(super) fn sign_in_cookies(state: &mut State, request: &Request, response: Response) -> Response {
    let now = state.now();
    let half_year = std::time::Duration::from_secs(180 * 24 * 3600);
    let aasp = state.ids.hex(64).to_uppercase();
    let acn = state.ids.hex(32);
    response
        .cookie(cookies::set(request, Realm::SignIn, "aasp", &aasp, None))
        .cookie(cookies::set(request, Realm::Apple, "acn01", &acn, Some(now + half_year)))
        .cookie(cookies::set(request, Realm::Apple, "dslang", "US-EN", None))
}
