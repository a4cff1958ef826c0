//! The sign-in host: password, second factor, trust (docs/protocol.md §3 and §4).

mod code;
mod escrow;
mod hashcash;
mod key;
mod password;

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::cookies::{self, Realm};
use crate::http::{Request, Response};
use crate::route::{Route, is_public_name};
use crate::sim::{Core, State};
use crate::srp::Exchange;
use crate::switches::{Region, TrustIp, TrustRoll};

/// The public widget key of icloud.com (docs/protocol.md §3.1).
pub const WIDGET_KEY: &str = "d39ba9916b7251055b22c7f910e2ea796ee65e98b2ddecea8f5dde8d9d1a815d";
/// "Name or password wrong".
pub const WRONG_PASSWORD: &str = "-20101";
/// "Account locked".
pub const LOCKED: &str = "-20209";
/// "Verification code wrong".
pub const WRONG_CODE: &str = "-21669";

/// A message with a code to a telephone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The telephone's id.
    pub phone: u64,
    /// The code.
    pub code: String,
    /// Whether it was a call.
    pub voice: bool,
}

/// What a session token is worth.
#[derive(Clone, Debug)]
pub struct SessionToken {
    /// When it was given.
    pub issued: SystemTime,
    /// Whether the second factor stands behind it.
    pub trusted: bool,
    /// Whether accountLogin takes it; false before a repair, and while a second proof of the password is wanted.
    pub usable: bool,
}

/// Where a code must be submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Trusted devices.
    Device,
    /// The telephone of this id.
    Phone(u64),
}

/// One sign-in in progress or live.
#[derive(Debug)]
pub struct SignIn {
    id: String,
    scnt: String,
    previous_scnt: String,
    opened: SystemTime,
    oauth_state: Option<String>,
    /// `c` with the name and the exchange it stands for.
    exchange: Option<(String, String, Exchange)>,
    password_right: bool,
    trusted: bool,
    session_token: Option<String>,
    /// The codes that are good now: at most one on the devices, and one on a telephone.
    code: Vec<(String, Channel)>,
    code_accepted: bool,
    wrong_codes: u32,
    codes_sent: u32,
    escrow: escrow::Step,
    /// What a security key is to sign, until one did.
    challenge: Option<Vec<u8>>,
}

/// Sign-ins, codes and tokens.
#[derive(Debug, Default)]
pub struct AuthState {
    /// Sign-ins, oldest first.
    signins: Vec<SignIn>,
    /// Wrong proofs since the last right one.
    pub wrong_proofs: u32,
    /// A proof was rejected and nobody has typed a new password since.
    pub rejected: bool,
    /// Live session tokens.
    pub session_tokens: BTreeMap<String, SessionToken>,
    /// Live trust tokens with the time they were given.
    pub trust_tokens: BTreeMap<String, SystemTime>,
    /// Where the trust tokens were given, as [`AuthState::address`] was then.
    pub trust_from: BTreeMap<String, u64>,
    /// The client's network address; see `S-trust-ip`.
    pub address: u64,
    /// The code that the trusted devices show.
    pub device_code: Option<String>,
    /// Messages sent.
    pub messages: Vec<Message>,
    /// Hashcash challenges given and not used.
    challenges: Vec<String>,
}

impl AuthState {
    /// Ends every sign-in, as their expiry does.
    pub fn forget_signins(&mut self) {
        self.signins.clear();
    }
}

/// Answers one call to the sign-in host.
pub fn handle(core: &Core, route: &Route, mut request: Request) -> Response {
    let body = match request.json() {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let mut state = core.state();
    if let Some(refusal) = refuse_early(&mut state, route, &request, &body) {
        return refusal;
    }
    let state = &mut *state;
    match (request.method.as_str(), route.kind) {
        ("GET", "signin.start") => password::start(state, &request),
        ("POST", "signin.federate") => federate(state, &request),
        ("POST", "signin.init") => password::init(state, &request, &body),
        ("POST", "signin.complete") => password::complete(state, &request, &body),
        ("POST", "escrow.init") => escrow::init(state, &request, &body),
        ("POST", "escrow.complete") => escrow::complete(state, &request, &body),
        ("GET", "code.state") => code::device_state(state, &request),
        // The way before spring 2026.
        (_, "code.state") => error(405, "-1", "method not allowed"),
        ("POST", "signin.repair") => password::repair(state, &request),
        ("GET", "signin.state") => code::state(state, &request),
        ("PUT", "code.request") => code::request_device_code(state, &request),
        ("POST", "code.submit") => code::submit(state, &request, &body, false),
        ("PUT", "sms.request") => code::request_message(state, &request, &body),
        ("POST", "sms.submit") => code::submit(state, &request, &body, true),
        ("POST", "key.submit") => key::submit(state, &request, &body),
        ("GET", "trust") => code::trust(state, &request),
        _ => error(404, "-1", "no such call"),
    }
}

fn refuse_early(state: &mut State, route: &Route, request: &Request, body: &Value) -> Option<Response> {
    // Under its public names the mainland's own host still works then (question 25).
    let host = request.host_name();
    let fallback = is_public_name(&host) && host.ends_with(".cn");
    if state.switches.region == Region::Auth503 && !fallback {
        return Some(Response::html(503, "<html><body>Service Temporarily Unavailable</body></html>"));
    }
    if route.kind == "signin.start" {
        return None;
    }
    if request.header("X-Apple-Widget-Key") != Some(WIDGET_KEY) {
        state.violation(format!("{}: wrong or no X-Apple-Widget-Key", route.kind));
        return Some(error(400, "-1", "missing widget key"));
    }
    let is_json = request.header("Content-Type").is_some_and(|value| value.starts_with("application/json"));
    if !body.is_null() && !is_json {
        state.violation(format!("{}: Content-Type is not JSON", route.kind));
        return Some(error(400, "-1", "unsupported content type"));
    }
    None
}

fn federate(state: &mut State, request: &Request) -> Response {
    match state.signin(request) {
        Ok(at) => state.carry(at, Response::json(200, &json!({}))),
        Err(_) => Response::json(200, &json!({})),
    }
}

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
    fn open_signin(&mut self, request: &Request) -> usize {
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
            escrow: escrow::Step::default(),
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
    fn signin(&mut self, request: &Request) -> Result<usize, Response> {
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
    fn carry(&mut self, at: usize, response: Response) -> Response {
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
    fn give_session_token(&mut self, at: usize, trusted: bool, usable: bool, response: Response) -> Response {
        let token = format!("st.{}", self.ids.hex(120));
        let issued = self.now();
        let usable = usable && !self.auth.signins[at].escrow.is_due();
        self.auth.session_tokens.insert(token.clone(), SessionToken { issued, trusted, usable });
        self.auth.signins[at].session_token = Some(token.clone());
        response.header("X-Apple-Session-Token", token)
    }

    /// Makes a trust token and adds it to the answer.
    fn give_trust_token(&mut self, response: Response) -> Response {
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
    fn roll_trust(&mut self, response: Response) -> Response {
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

/// The sign-in host's cookies.
fn sign_in_cookies(state: &mut State, request: &Request, response: Response) -> Response {
    let now = state.now();
    let half_year = std::time::Duration::from_secs(180 * 24 * 3600);
    let aasp = state.ids.hex(64).to_uppercase();
    let acn = state.ids.hex(32);
    response
        .cookie(cookies::set(request, Realm::SignIn, "aasp", &aasp, None))
        .cookie(cookies::set(request, Realm::Apple, "acn01", &acn, Some(now + half_year)))
        .cookie(cookies::set(request, Realm::Apple, "dslang", "US-EN", None))
}
