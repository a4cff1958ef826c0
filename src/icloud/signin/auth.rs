//! The password: authorize, init, complete, repair (`docs/protocol.md` §3.1–§3.9).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use url::Url;

use super::error::{FactorKind, SignInError};
use super::escrow::{self, Escrow};
use super::hashcash::Hashcash;
use super::sign_in_wire::{
    AuthState, CompleteBody, InitAnswer, InitBody, Problem, auth_state, has_error, problem,
};
use super::{Account, json, service_error, status_of};
use crate::icloud::http::{Answer, HttpError, Method, USER_AGENT};
use crate::icloud::session::HalfOpen;
use crate::icloud::srp::{Exchange, MOST_EXCHANGES, SrpError};
use crate::icloud::throttle::{self, Cause};

/// The public widget key of icloud.com, the same in all clients (§3.1).
const WIDGET_KEY: &str = "d39ba9916b7251055b22c7f910e2ea796ee65e98b2ddecea8f5dde8d9d1a815d";

const AUTHORIZE: &str = "authorize/signin";
const INIT: &str = "signin/init";
const COMPLETE: &str = "signin/complete";

/// How an init ended, when it did not fail.
enum Init {
    Challenge(Box<InitAnswer>),
    /// The sign-in context was stale; it says nothing about the password.
    Stale,
    /// Refused with this client error, before a federate was tried.
    Refused(Answer),
}

impl Account {
    /// Proves the password once. Gives the half-open sign-in when a second factor is needed.
    pub(super) fn prove_password(&self, password: &str) -> Result<Option<HalfOpen>, SignInError> {
        let mut hashcash = self.authorize()?;
        let (mut restarted, mut federated) = (false, false);
        for _ in 0..MOST_EXCHANGES {
            let exchange = Exchange::new(&self.env);
            let init = match self.init(&exchange, &mut hashcash)? {
                Init::Challenge(init) => init,
                Init::Stale if !restarted => {
                    restarted = true;
                    self.session().tokens.forget_context();
                    hashcash = self.authorize()?;
                    continue;
                }
                Init::Stale => {
                    return Err(SignInError::Refused {
                        step: INIT,
                        status: 401,
                        message: "the sign-in was not begun properly".to_owned(),
                    });
                }
                Init::Refused(_) if !federated => {
                    federated = true;
                    self.federate()?;
                    continue;
                }
                Init::Refused(answer) => {
                    self.back_off(Some(&answer))?;
                    return Err(service_error(INIT, &answer));
                }
            };
            let account = self.options.account();
            match exchange.prove(&account, password, &init.challenge(INIT)?) {
                // No proof was sent, so no attempt is counted (§3.7).
                Err(SrpError::Again) => continue,
                Err(error) => {
                    return Err(SignInError::Unreadable { step: INIT, reason: error.to_string() });
                }
                Ok(proof) => {
                    let (m1, m2) = (BASE64.encode(proof.m1), BASE64.encode(proof.m2));
                    return self.complete(password, &init, &m1, &m2, hashcash.as_ref());
                }
            }
        }
        Err(SignInError::Unreadable { step: INIT, reason: "no usable numbers came".to_owned() })
    }

    /// Step 1. Chooses the host where the region has several, and remembers it.
    fn authorize(&self) -> Result<Option<Hashcash>, SignInError> {
        let mut roots = self.roots.auth.clone();
        let remembered = self.session().auth_root.clone();
        // The one that worked comes first.
        roots.sort_by_key(|root| Some(root) != remembered.as_ref());
        let mut failure = None;
        for root in roots {
            self.session().auth_root = Some(root.clone());
            let mut url = self.auth_url(AUTHORIZE)?;
            let frame = self.session().frame_id();
            url.query_pairs_mut()
                .append_pair("frame_id", &frame)
                .append_pair("language", "en_US")
                .append_pair("skVersion", "7")
                .append_pair("iframeId", &frame)
                .append_pair("client_id", WIDGET_KEY)
                .append_pair("redirect_uri", &self.roots.redirect)
                .append_pair("response_type", "code")
                .append_pair("response_mode", "web_message")
                .append_pair("state", &frame)
                .append_pair("authVersion", "latest");
            match self.exchange(Method::Get, &url, self.auth_headers(&url), None, AUTHORIZE) {
                Ok(answer) if status_of(&answer) == 200 => return Ok(Hashcash::of(&answer.head)),
                Ok(answer) if matches!(answer.head.status, 404 | 503) => failure = Some(Ok(answer)),
                Ok(answer) if answer.head.status == 429 => return Err(self.throttled(&answer, Cause::SignIn)),
                Ok(answer) => return Err(service_error(AUTHORIZE, &answer)),
                Err(error) if error.is_before_sending() => failure = Some(Err(error)),
                Err(error) => return Err(error.into()),
            }
        }
        // None of them is worth remembering.
        self.session().auth_root = remembered;
        match failure {
            Some(Ok(answer)) if answer.head.status == 503 => Err(self.throttled(&answer, Cause::Overload)),
            Some(Ok(answer)) => Err(service_error(AUTHORIZE, &answer)),
            Some(Err(error)) => Err(error.into()),
            None => Err(SignInError::Unreadable { step: AUTHORIZE, reason: "no host to ask".to_owned() }),
        }
    }

    fn init(&self, exchange: &Exchange, hashcash: &mut Option<Hashcash>) -> Result<Init, SignInError> {
        let account = self.options.account();
        let a = BASE64.encode(exchange.public());
        let body = json(&InitBody { a: &a, account_name: &account, protocols: ["s2k", "s2k_fo"] });
        let answer = self.patiently(|| self.auth_call(Method::Post, INIT, Some(&body), &[]))?;
        if let Some(newer) = Hashcash::of(&answer.head) {
            *hashcash = Some(newer);
        }
        match status_of(&answer) {
            // 409 was seen with the same body.
            200 | 409 => match serde_json::from_slice(&answer.body) {
                Ok(init) => Ok(Init::Challenge(Box::new(init))),
                Err(_) => {
                    Err(SignInError::Unreadable { step: INIT, reason: "salt or b is missing".to_owned() })
                }
            },
            401 => Ok(Init::Stale),
            status @ 403 => {
                self.back_off(Some(&answer))?;
                Err(refused(INIT, status, problem(&answer.body)))
            }
            400..=499 => Ok(Init::Refused(answer)),
            _ => {
                self.back_off(Some(&answer))?;
                Err(service_error(INIT, &answer))
            }
        }
    }

    /// Only one client sends it, so it is tried only where init was refused (§3.3).
    fn federate(&self) -> Result<(), SignInError> {
        let body = json(&serde_json::json!({ "accountName": self.options.account(), "rememberMe": true }));
        self.auth_call(Method::Post, "federate?isRememberMeEnabled=true", Some(&body), &[]).map(drop)
    }

    fn complete(
        &self,
        password: &str,
        init: &InitAnswer,
        m1: &str,
        m2: &str,
        hashcash: Option<&Hashcash>,
    ) -> Result<Option<HalfOpen>, SignInError> {
        let account = self.options.account();
        let trust = self.session().tokens.trust_token.clone();
        let body = json(&CompleteBody {
            account_name: &account,
            c: &init.c,
            m1,
            m2,
            remember_me: true,
            trust_tokens: trust.iter().map(|token| token.expose()).collect(),
        });
        let solved = hashcash.map(|task| ("X-Apple-HC", task.solve(self.now())));
        let extra: Vec<_> = solved.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = "signin/complete?isRememberMeEnabled=true";
        let now = self.now();
        self.session().trust.proven_at = Some(now);
        let mut answer = self.auth_call(Method::Post, path, Some(&body), &extra)?;
        if answer.head.status == 421 {
            // Routed to the wrong partition: the proof was not looked at (§3.5).
            self.http.fresh_connections();
            answer = self.auth_call(Method::Post, path, Some(&body), &extra)?;
        }
        let value = serde_json::from_slice(&answer.body).unwrap_or(serde_json::Value::Null);
        match status_of(&answer) {
            // A failure can come with status 200 (§3.9).
            200 | 409 if has_error(&value) => {
                Err(self.reject(COMPLETE, password, 401, problem(&answer.body))?)
            }
            200 => {
                self.change(|session| session.accept(password))?;
                Ok(None)
            }
            409 => {
                self.session().accept(password);
                self.conflict(password, &answer, trust.is_some())
            }
            412 => self.repair(password).map(|()| None),
            status @ (401 | 403) => Err(self.reject(COMPLETE, password, status, problem(&answer.body))?),
            _ => {
                // Whatever it was, the next proof must not follow at once.
                self.back_off(Some(&answer))?;
                Err(service_error(COMPLETE, &answer))
            }
        }
    }

    /// Reads a 409 by its headers and its body. Where a trust token went along, the header means that this token was accepted
    /// and that the password is to be proven once more; without one, that comes after the code (§3.10).
    fn conflict(
        &self,
        password: &str,
        answer: &Answer,
        trust_sent: bool,
    ) -> Result<Option<HalfOpen>, SignInError> {
        if trust_sent && escrow::is_asked(&answer.head) {
            return match self.prove_escrow(password)? {
                Escrow::Done => Ok(None),
                Escrow::Expired => {
                    self.back_off(None)?;
                    let message = "the sign-in ended before the second proof".to_owned();
                    Err(SignInError::Refused { step: COMPLETE, status: 409, message })
                }
            };
        }
        let mut state = auth_state(&answer.body);
        if !state.is_factor() {
            let asked = self.auth_call(Method::Get, "", None, &[])?;
            state = auth_state(&asked.body);
        }
        if !state.is_factor() {
            self.back_off(Some(answer))?;
            return Err(service_error(COMPLETE, answer));
        }
        Ok(Some(self.half_open(state.kind.unwrap_or(FactorKind::TwoFactor), state)))
    }

    /// Remembers the refused password before anything else can happen, then says why. A half-open sign-in ends with it.
    pub(super) fn reject(
        &self,
        step: &'static str,
        password: &str,
        status: u16,
        problem: Problem,
    ) -> Result<SignInError, SignInError> {
        self.change(|session| {
            session.reject(password, &self.env);
            session.half_open = None;
        })?;
        Ok(match problem.code.as_deref() {
            Some("-20209") => SignInError::Locked { message: problem.message },
            Some("-20101" | "-20283") => SignInError::WrongPassword { message: problem.message },
            None if status == 401 => SignInError::WrongPassword { message: problem.message },
            _ => refused(step, status, problem),
        })
    }

    /// Finishes what a 412 asks for.
    pub(super) fn repair(&self, password: &str) -> Result<(), SignInError> {
        let answer = self.auth_call(Method::Post, "repair/complete", Some(b"{}"), &[])?;
        match status_of(&answer) {
            200..=299 => self.change(|session| session.accept(password)),
            _ => {
                // Only a person can finish it; until then every try would spend a good proof.
                self.back_off(None)?;
                Err(SignInError::Repair)
            }
        }
    }

    pub(super) fn half_open(&self, kind: FactorKind, state: AuthState) -> HalfOpen {
        HalfOpen {
            kind,
            since: self.now(),
            no_devices: state.no_devices,
            phones: state.phones,
            step_devices: Vec::new(),
            sent_by: None,
            accepted: None,
        }
    }

    /// One call below `{auth}`; 429 and 503 begin the back-off and end everything.
    pub(super) fn auth_call(
        &self,
        method: Method,
        path: &'static str,
        body: Option<&[u8]>,
        extra: &[(&str, &str)],
    ) -> Result<Answer, SignInError> {
        let answer = self.auth_call_raw(method, path, body, extra)?;
        match (answer.head.status, throttle::read(&answer)) {
            (503, _) => Err(self.throttled(&answer, Cause::Overload)),
            (429, _) | (_, Some(_)) => Err(self.throttled(&answer, Cause::SignIn)),
            _ => Ok(answer),
        }
    }

    /// As [`Self::auth_call`], for calls in which 429 means something of its own.
    pub(super) fn auth_call_raw(
        &self,
        method: Method,
        path: &'static str,
        body: Option<&[u8]>,
        extra: &[(&str, &str)],
    ) -> Result<Answer, SignInError> {
        let url = self.auth_url(path)?;
        let mut headers = self.auth_headers(&url);
        headers.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let kind = path.split('?').next().unwrap_or(path);
        let answer =
            self.exchange(method, &url, headers, body, if kind.is_empty() { "auth" } else { kind })?;
        if self.session().half_open.is_some() {
            // The state rotates with every answer, and another process may have to go on from here.
            self.save()?;
        }
        Ok(answer)
    }

    fn auth_url(&self, path: &str) -> Result<Url, SignInError> {
        let chosen = self.session().auth_root.clone();
        let root = chosen
            .filter(|root| self.roots.auth.contains(root))
            .or_else(|| self.roots.auth.first().cloned())
            .unwrap_or_default();
        let text = if path.is_empty() { root } else { format!("{root}/{path}") };
        Url::parse(&text)
            .map_err(|error| HttpError::Unsendable { host: "?".to_owned(), reason: error.to_string() }.into())
    }

    /// The headers of §3.1, built anew for every request because the state rotates.
    fn auth_headers(&self, url: &Url) -> Vec<(String, String)> {
        let session = self.session();
        let frame = session.frame_id();
        let client_info = format!(r#"{{"U":"{USER_AGENT}","L":"en-US","Z":"GMT-05:00","V":"1.1","F":""}}"#);
        let mut headers: Vec<(String, String)> = [
            ("Accept", "application/json"),
            ("Content-Type", "application/json"),
            ("Origin", "https://idmsa.apple.com"),
            ("Referer", "https://idmsa.apple.com/"),
            ("X-Apple-Widget-Key", WIDGET_KEY),
            ("X-Apple-OAuth-Client-Id", WIDGET_KEY),
            ("X-Apple-OAuth-Client-Type", "firstPartyAuth"),
            ("X-Apple-OAuth-Redirect-URI", &self.roots.redirect),
            ("X-Apple-OAuth-Require-Grant-Code", "true"),
            ("X-Apple-OAuth-Response-Mode", "web_message"),
            ("X-Apple-OAuth-Response-Type", "code"),
            ("X-Apple-OAuth-State", &frame),
            ("X-Apple-Frame-Id", &frame),
            ("X-Requested-With", "XMLHttpRequest"),
            ("X-Apple-Domain-Id", "3"),
            ("X-Apple-Mandate-Security-Upgrade", "0"),
            ("X-Apple-I-Require-UE", "true"),
            ("X-Apple-I-FD-Client-Info", &client_info),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        // Older answers name no session; the token stands for it then, and calls to phones want one (§4.4).
        let session_id = session.tokens.session_id.as_ref().or(session.tokens.session_token.as_ref());
        for (name, token) in [
            ("scnt", &session.tokens.scnt),
            ("X-Apple-ID-Session-Id", &session_id.cloned()),
            ("X-Apple-Auth-Attributes", &session.tokens.auth_attributes),
        ] {
            headers.extend(token.as_ref().map(|token| (name.to_owned(), token.expose().to_owned())));
        }
        headers.extend(session.cookies.header(url).map(|cookies| ("Cookie".to_owned(), cookies)));
        headers
    }
}

fn refused(step: &'static str, status: u16, problem: Problem) -> SignInError {
    match problem.code.as_deref() {
        Some("-20209") => SignInError::Locked { message: problem.message },
        _ => SignInError::Refused { step, status, message: problem.message },
    }
}
