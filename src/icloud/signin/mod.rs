//! Signing in: the session of one account and the ladder that keeps it alive
//! (`docs/protocol.md` §3.0): validate, accountLogin, password.

mod auth;
pub mod error;
mod escrow;
pub mod factor;
pub mod facts;
pub mod foreign;
#[cfg(test)]
mod fuzz_tests;
mod hashcash;
mod import;
pub mod interactive;
mod pcs;
pub mod receivers;
mod renew;
mod rest;
mod setup;
mod sign_in_wire;
mod state;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use url::Url;

use self::error::{FactorKind, SignInError};
pub use self::state::SessionState;
use super::env::Env;
use super::http::{Answer, Call, Head, Http, HttpError, Limits, Method, Payload};
use super::options::{IcloudOptions, Roots, is_loopback};
use super::session::{AccountInfo, Session};
use super::session_file::SessionFile;
use crate::secret::Secret;

/// A confirmed session is not asked about again for this long.
const FRESH_SECS: i64 = 600;
/// Rotating cookies of drive calls are stored at most this often.
const COOKIE_SAVE_SECS: i64 = 60;

/// Who wants to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiative {
    /// The program by itself: it never sends a rejected password again, and never goes around
    /// a sign-in that waits for a code.
    Unattended,
    /// A person who just gave the password or asked for it.
    Person,
}

/// Where the ladder is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// The cheap check of the cookies.
    Validate,
    /// A new session from the session token.
    AccountLogin,
    /// The password.
    Password,
}

/// How one rung ended, when no error stops the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    Ready,
    Factor(FactorKind),
    /// The token or the cookies are not accepted any more.
    Gone,
}

/// How far the stored form is behind.
#[derive(Clone, Copy, Debug, Default)]
struct Saved {
    at: i64,
    behind: bool,
}

/// One account: its session, stored, and everything that changes it.
pub struct Account {
    options: IcloudOptions,
    roots: Roots,
    http: Http,
    env: Env,
    password: Mutex<Option<Secret>>,
    /// Held to read or change values only, never while anything is sent. Shared with the gate of the HTTP client.
    session: Arc<Mutex<Session>>,
    /// The one writer of `session.json`. Locked before `session`, never after.
    file: Mutex<SessionFile>,
    saved: Mutex<Saved>,
    /// Counts what may turn a failed sign-in into a good one: see [`Account::epoch`].
    epoch: AtomicU64,
}

impl Account {
    /// Opens the stored session of this account, or an empty one; the file of another account
    /// or region is not used.
    ///
    /// # Errors
    ///
    /// A missing user name, an unusable setting, an unreadable file.
    pub fn open(options: IcloudOptions, env: Env) -> Result<Account, SignInError> {
        let account = options.account();
        if account.is_empty() {
            return Err(SignInError::MissingUsername);
        }
        let roots = Roots::new(&options)?;
        let http = Http::new(&options.http())?;
        let mut file = SessionFile::new(&options.state_directory);
        let session = match file.load()? {
            Some(session) if session.account == account && session.setup == roots.setup => session,
            other => {
                if other.is_some() {
                    log::info!("the stored session belongs to another account or region and is not used");
                }
                Session::new(&account, &roots.setup, &env)
            }
        };
        let session = Arc::new(Mutex::new(session));
        let (resting, clock) = (Arc::clone(&session), env.clone());
        http.rests(move || {
            let rest = locked(&resting).back_off.clone()?;
            rest.left(clock.clock.reading())
        });
        Ok(Account {
            options,
            roots,
            http,
            env,
            password: Mutex::default(),
            session,
            file: Mutex::new(file),
            saved: Mutex::default(),
            epoch: AtomicU64::new(0),
        })
    }

    /// Gives, or takes away, the password.
    pub fn set_password(&self, password: Option<Secret>) {
        *locked(&self.password) = password.filter(|text| !text.is_empty());
        self.next_epoch();
    }

    /// What accountLogin or validate last said of the account.
    pub fn info(&self) -> Option<AccountInfo> {
        self.session().info.clone()
    }

    /// The HTTP client.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Takes over a session that another process stored meanwhile (`login`, `code`, `logout`);
    /// tells whether there was one.
    ///
    /// # Errors
    ///
    /// [`SignInError::SessionFile`] when the file cannot be read.
    pub fn reload(&self) -> Result<bool, SignInError> {
        let mut file = locked(&self.file);
        if !file.is_changed() {
            return Ok(false);
        }
        let fresh = match file.load()? {
            Some(other) if other.account == self.options.account() && other.setup == self.roots.setup => {
                other
            }
            Some(_) => return Ok(false),
            None => Session::new(&self.options.account(), &self.roots.setup, &self.env),
        };
        *self.session() = fresh;
        self.next_epoch();
        Ok(true)
    }

    /// Stores what changed since the last time; for the program's end.
    ///
    /// # Errors
    ///
    /// [`SignInError::SessionFile`].
    pub fn flush(&self) -> Result<(), SignInError> {
        if self.reload()? || !locked(&self.saved).behind {
            return Ok(());
        }
        self.save()
    }

    /// Forgets tokens, cookies and everything else of the session on this machine but a rest of the account. The
    /// service is not told: that could end other sessions (§5.5).
    ///
    /// # Errors
    ///
    /// [`SignInError::SessionFile`] when the file cannot be removed.
    pub fn logout(&self) -> Result<(), SignInError> {
        locked(&self.file).remove()?;
        let rest =
            self.session().back_off.take().filter(|rest| rest.left(self.env.clock.reading()).is_some());
        *self.session() = Session::new(&self.options.account(), &self.roots.setup, &self.env);
        self.set_password(None);
        if rest.is_some() {
            // Forgetting the session is no way around it.
            self.change(|session| session.back_off = rest)?;
        }
        Ok(())
    }

    /// Whether the stored session was confirmed less than ten minutes ago.
    ///
    /// # Errors
    ///
    /// [`SignInError::SessionFile`] when another process's file cannot be read.
    pub fn is_fresh(&self) -> Result<bool, SignInError> {
        self.reload()?;
        let session = self.session();
        let age = session.info.as_ref().map(|info| self.now().saturating_sub(info.confirmed_at));
        Ok(session.half_open.is_none()
            && session.has_cookies()
            && age.is_some_and(|age| (0..FRESH_SECS).contains(&age)))
    }

    /// Climbs the ladder until there is a session.
    ///
    /// # Errors
    ///
    /// [`SignInError`]; a refusal of one rung leads to the next, but throttling, terms, a wrong
    /// region and the network stop the climb.
    pub fn climb(&self, from: Rung, initiative: Initiative) -> Result<(), SignInError> {
        let from = if self.reload()? { Rung::Validate } else { from };
        let (half_open, has_cookies, has_token) = {
            let session = self.session();
            if let Some(left) = session.back_off_left(self.env.clock.reading()) {
                return Err(SignInError::Throttled { left });
            }
            let half_open = session.half_open.as_ref().map(|half| (half.kind, half.accepted.is_some()));
            (half_open, session.has_cookies(), session.tokens.session_token.is_some())
        };
        match half_open {
            // The code is spent, and only what follows it is missing.
            Some((_, true)) => return self.finish_factor(),
            Some((kind, false)) if initiative == Initiative::Unattended => {
                if kind == FactorKind::TwoFactor {
                    self.password_at_hand()?;
                }
                return Err(code_needed(kind));
            }
            _ => {}
        }
        if half_open.is_none() {
            if from <= Rung::Validate && has_cookies && self.validate()? == Login::Ready {
                return Ok(());
            }
            if from <= Rung::AccountLogin && has_token && self.account_login()? == Login::Ready {
                return Ok(());
            }
            self.is_refused()?;
        }
        self.sign_in_with_password(initiative)
    }

    /// The session is not accepted any more, however lately it was confirmed.
    fn is_refused(&self) -> Result<(), SignInError> {
        let counts_as_confirmed = self.session().info.as_ref().is_some_and(|info| info.confirmed_at != 0);
        if !counts_as_confirmed {
            return Ok(());
        }
        self.change(|session| {
            if let Some(info) = &mut session.info {
                info.confirmed_at = 0;
            }
        })
    }

    /// The password, where one was given that was not refused before. A right code may have to be followed by another proof of
    /// it (§3.10), so it is wanted before a code is spent.
    fn password_at_hand(&self) -> Result<Secret, SignInError> {
        let Some(password) = locked(&self.password).clone() else {
            return Err(SignInError::MissingPassword);
        };
        // Comparing takes a moment, so the session is not locked meanwhile.
        let session = self.session().clone();
        if session.rejects(password.expose()) { Err(SignInError::RejectedBefore) } else { Ok(password) }
    }

    /// The last rung: one proof of the password, never of a rejected one unattended.
    fn sign_in_with_password(&self, initiative: Initiative) -> Result<(), SignInError> {
        let password = match self.password_at_hand() {
            Err(SignInError::RejectedBefore) if initiative == Initiative::Person => {
                locked(&self.password).clone().ok_or(SignInError::MissingPassword)?
            }
            other => other?,
        };
        match initiative {
            Initiative::Unattended => log::info!("signing in with the password"),
            // The dialogue says it in its own words.
            Initiative::Person => log::debug!("signing in with the password"),
        }
        self.change(|session| {
            // The trust token and the client id stay: they spare the second factor (§5.1).
            session.tokens.forget_context();
            session.tokens.session_token = None;
            session.half_open = None;
        })?;
        if let Some(half_open) = self.prove_password(password.expose())? {
            let kind = half_open.kind;
            self.change(|session| session.half_open = Some(half_open))?;
            return Err(code_needed(kind));
        }
        match self.account_login()? {
            Login::Ready => Ok(()),
            Login::Factor(kind) => {
                let half_open = self.half_open(kind, sign_in_wire::AuthState::default());
                self.change(|session| session.half_open = Some(half_open))?;
                Err(code_needed(kind))
            }
            Login::Gone => {
                // Without this wait every try would spend another accepted password.
                self.back_off(None)?;
                Err(SignInError::Service {
                    step: "accountLogin",
                    status: 421,
                    message: "the new session was not accepted".to_owned(),
                })
            }
        }
    }

    // ---- what the service layer needs ------------------------------------------------

    pub(super) fn now(&self) -> i64 {
        self.env.clock.now().whole_seconds()
    }

    /// Seconds that nobody can set.
    pub(super) fn steady(&self) -> i64 {
        i64::try_from(self.env.clock.uptime().as_secs()).unwrap_or(i64::MAX)
    }

    /// Changes whenever a password, a code or another process's session came, so that an older
    /// failure says nothing any more.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    fn next_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn client_id(&self) -> String {
        self.session().client_id.clone()
    }

    pub(super) fn upload_token(&self) -> Option<String> {
        self.session().upload_token()
    }

    pub(super) fn is_loopback(&self) -> bool {
        Url::parse(&self.roots.setup).is_ok_and(|url| is_loopback(&url))
    }

    /// The headers of setup, drivews and docws calls (§1.2).
    pub(super) fn service_headers(&self, url: &Url) -> Vec<(String, String)> {
        let home = &self.roots.home;
        let mut headers = vec![
            ("Accept".to_owned(), "application/json".to_owned()),
            ("Origin".to_owned(), home.clone()),
            ("Referer".to_owned(), format!("{home}/")),
        ];
        headers.extend(self.session().cookies.header(url).map(|cookies| ("Cookie".to_owned(), cookies)));
        headers
    }

    /// Takes the cookies of a drive call; they are stored now and then only.
    pub(super) fn absorb_service(&self, url: &Url, head: &Head) {
        if !self.session().absorb(url, head, false, self.now()) {
            return;
        }
        let now = self.now();
        {
            let mut saved = locked(&self.saved);
            if now.saturating_sub(saved.at) < COOKIE_SAVE_SECS {
                saved.behind = true;
                return;
            }
        }
        let stored = self.reload().and_then(|adopted| if adopted { Ok(()) } else { self.save() });
        if let Err(error) = stored {
            log::warn!("{error}");
        }
    }

    // ---- shared by the steps -----------------------------------------------------------

    fn session(&self) -> MutexGuard<'_, Session> {
        locked(&self.session)
    }

    /// Changes the session and stores it.
    fn change(&self, edit: impl FnOnce(&mut Session)) -> Result<(), SignInError> {
        edit(&mut self.session());
        self.save()
    }

    fn save(&self) -> Result<(), SignInError> {
        let mut file = locked(&self.file);
        let session = self.session().clone();
        file.save(&session)?;
        *locked(&self.saved) = Saved { at: self.now(), behind: false };
        Ok(())
    }

    /// Sends one call of `{auth}` or `{setup}` and takes its tokens and cookies.
    fn exchange(
        &self,
        method: Method,
        url: &Url,
        headers: Vec<(String, String)>,
        body: Option<&[u8]>,
        kind: &'static str,
    ) -> Result<Answer, HttpError> {
        let payload = body.map_or(Payload::None, Payload::Bytes);
        let call = Call { method, url: url.to_string(), headers, payload, limits: Limits::SIGN_IN, kind };
        let answer = self.http.call(call)?;
        self.session().absorb(url, &answer.head, true, self.now());
        Ok(answer)
    }

    /// Repeats a call up to twice while it ends in 500, 502 or 504.
    fn patiently(
        &self,
        mut call: impl FnMut() -> Result<Answer, SignInError>,
    ) -> Result<Answer, SignInError> {
        let mut answer = call()?;
        for attempt in 0..2_u32 {
            if !matches!(answer.head.status, 500 | 502 | 504) {
                break;
            }
            let most = Duration::from_secs(2 << attempt);
            self.env.clock.pause(most.mul_f64(0.5 + self.env.clock.unit_random() / 2.0))?;
            answer = call()?;
        }
        Ok(answer)
    }
}

/// The error that asks for a second factor, or says that it cannot be given.
fn code_needed(kind: FactorKind) -> SignInError {
    match kind {
        FactorKind::SecurityKey => SignInError::SecurityKeys,
        kind => SignInError::CodeNeeded { kind },
    }
}

/// The status that counts: a hidden rejection of a good answer comes in a header (§3.4).
fn status_of(answer: &Answer) -> u16 {
    match (answer.head.status, answer.head.header("x-apple-i-rscd")) {
        (200, Some("401")) => 401,
        (200, Some("403")) => 403,
        (status, _) => status,
    }
}

fn service_error(step: &'static str, answer: &Answer) -> SignInError {
    SignInError::Service {
        step,
        status: status_of(answer),
        message: sign_in_wire::problem(&answer.body).message,
    }
}

fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("these bodies hold only texts, numbers and flags")
}

fn parsed(step: &'static str, body: &[u8]) -> Result<Value, SignInError> {
    serde_json::from_slice(body)
        .map_err(|_| SignInError::Unreadable { step, reason: "it is not JSON".to_owned() })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
