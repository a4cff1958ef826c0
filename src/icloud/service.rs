//! Authenticated calls of the drive services.
//!
//! Adds what every call needs, and cures a lost session once by the ladder of
//! `docs/protocol.md` §3.0 before it repeats the call once. What other statuses mean is the
//! drive client's business (§16).

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use url::Url;

use super::env::Env;
use super::http::{Answer, Call, Http, HttpError, Payload, Reading};
use super::options::{IcloudOptions, is_below, is_loopback};
use super::request::{Request, Root};
use super::session::AccountInfo;
use super::sign::{Sign, sign};
use super::signin::error::SignInError;
use super::signin::{Account, Initiative, Rung};
use super::throttle;

/// Why an authenticated call gave no answer to judge.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No exchange took place, or it broke.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The session is gone and could not be renewed.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The session was renewed, or another way to the service taken, and the call was not made again, since it changes the drive.
    #[error("the session had to be renewed first")]
    Renewed,
}

/// After the service refused a session that signing in had just renewed, nobody renews again
/// for this long: open question 26, never a loop.
const REFUSED_PAUSE_SECS: i64 = 60;
/// After a new login did not help against "never set up", nobody logs in for it again for this
/// long.
const UNREADY_PAUSE_SECS: i64 = 600;
/// After a failed renewal the calls under way, and those right behind them, share its failure.
const SHARED_FAILURE_SECS: i64 = 5;
/// The query member that carries the upload token (`docs/protocol.md` §12.1).
pub(super) const UPLOAD_TOKEN: &str = "token";

/// One account's services; shared by every worker thread.
pub struct Service {
    account: Account,
    renewal: Mutex<Renewal>,
    renewed: Condvar,
}

/// Who renews the session, and what became of it.
#[derive(Default)]
struct Renewal {
    running: bool,
    /// Counts renewals that succeeded, so that a call whose session was replaced meanwhile
    /// repeats itself instead of renewing again.
    generation: u64,
    /// Counts renewals that ended, either way.
    attempts: u64,
    /// Why the last one failed, for those who waited for it.
    failure: Option<SignInError>,
    /// Until then calls share that failure without trying again, unless the account's epoch is
    /// another one: a code or a password came meanwhile.
    shared: (i64, u64),
    /// Set while a renewed session was refused: until then, and with which status.
    refused: Option<(i64, u16)>,
    /// What was tried since a call that changes the drive was accepted: such a call is made anew by its caller, so it cannot count
    /// for itself.
    for_changes: Tried,
    /// As `refused`, of calls that change the drive: that others are answered says nothing of them.
    changes_refused: Option<(i64, u16)>,
    /// Until then a 400 that a new login did not cure goes to the caller at once.
    unready_until: i64,
}

/// What was tried against the refusal of one call, or of all that change the drive.
#[derive(Clone, Copy, Default)]
struct Tried {
    /// A new connection.
    rerouted: bool,
    /// How many cures of the session: confirmed sessions can still be stale for the services, so the second renewal starts higher; a
    /// third is never tried.
    cures: u8,
}

/// Who wants the session renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// A call whose session was refused.
    ByCall,
    /// Somebody who wants to know how it is now.
    Explicitly,
}

impl Service {
    /// Opens the stored session of the account, or an empty one. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SignInError`] for an unusable setting, a missing user name or an unreadable file.
    pub fn open(options: IcloudOptions, env: Env) -> Result<Service, SignInError> {
        Ok(Service {
            account: Account::open(options, env)?,
            renewal: Mutex::default(),
            renewed: Condvar::new(),
        })
    }

    /// The account: passwords, codes, trust, logout.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Makes sure that there is a signed-in session: the ladder validate, accountLogin, password. Nothing is sent when the
    /// stored one was confirmed less than ten minutes ago, unless a person wants to know.
    ///
    /// # Errors
    ///
    /// [`SignInError`], each with its exit code.
    pub fn sign_in(&self, initiative: Initiative) -> Result<(), SignInError> {
        if initiative == Initiative::Person {
            self.account.forget_refused_keys()?;
        }
        if initiative == Initiative::Unattended && self.account.is_fresh()? {
            return Ok(());
        }
        let generation = self.generation();
        self.renew(Asked::Explicitly, generation, |account| account.climb(Rung::Validate, initiative))
    }

    /// One call of the drive services with cookies, `Origin`, `Referer`, `clientId` and
    /// `dsid`. Signs of a lost session (401, 421, 423, 450, missing keys) run the session
    /// ladder once for all threads together, then the call is repeated.
    ///
    /// Every other answer comes back as it is, whatever its status. A call that changes the drive is not repeated: time has
    /// passed meanwhile, and who made it must look again.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Http`] when no whole answer came (the call may have had its effect);
    /// [`ServiceError::SignIn`] when the session could not be renewed (it had none); [`ServiceError::Renewed`] when it was, and
    /// the call changes the drive (it had none either).
    pub fn call(&self, request: &Request<'_>) -> Result<Answer, ServiceError> {
        self.exchange(request, None)
    }

    /// As [`Service::call`], but a whole array goes to `read`, and the answer's body is empty then
    /// ([`Http::call_reading`](super::http::Http::call_reading)).
    ///
    /// # Errors
    ///
    /// As [`Service::call`].
    pub fn call_reading(&self, request: &Request<'_>, read: Reading<'_>) -> Result<Answer, ServiceError> {
        self.exchange(request, Some(read))
    }

    fn exchange(&self, request: &Request<'_>, mut read: Option<Reading<'_>>) -> Result<Answer, ServiceError> {
        let mut tried = if request.changes { self.tried_for_changes() } else { Tried::default() };
        loop {
            let generation = self.generation();
            let Some(info) = self.account.info() else {
                self.renew(Asked::ByCall, generation, |account| {
                    account.climb(Rung::Validate, Initiative::Unattended)
                })?;
                if self.account.info().is_none() {
                    return Err(SignInError::SessionRefused { status: 401 }.into());
                }
                if request.changes {
                    return Err(ServiceError::Renewed);
                }
                continue;
            };
            let reading = read.as_mut().map(|read| &mut **read as Reading<'_>);
            let answer = self.send(&info, request, reading)?;
            if let Some((cause, asked)) = throttle::read(&answer) {
                self.account.rest(cause, asked);
                return Ok(answer);
            }
            let sign = sign(&answer);
            if sign == Sign::Fine {
                self.is_accepted(request.changes);
                if answer.is_success() {
                    self.account.answered();
                }
                return Ok(answer);
            }
            if sign == Sign::Misrouted && !tried.rerouted {
                tried.rerouted = true;
                self.account.http().fresh_connections();
                if request.changes {
                    self.note(tried);
                    return Err(ServiceError::Renewed);
                }
                continue;
            }
            if answer.head.status == 400
                && sign == Sign::Session
                && self.account.steady() < self.lock().unready_until
            {
                return Ok(answer);
            }
            self.check_refused(request.changes)?;
            let rung = match tried.cures {
                0 => Rung::Validate,
                1 => Rung::AccountLogin,
                _ => return self.give_up(answer, sign, request.changes),
            };
            tried.cures += 1;
            if request.changes {
                self.note(tried);
            }
            log::debug!("{}: HTTP {}, the session must be renewed", request.kind, answer.head.status);
            match sign {
                Sign::Keys => self.renew(Asked::ByCall, generation, Account::unlock_web_access)?,
                _ => self.renew(Asked::ByCall, generation, |account| {
                    account.climb(rung, Initiative::Unattended)
                })?,
            }
            if request.changes {
                return Err(ServiceError::Renewed);
            }
        }
    }

    /// As [`Service::call`], but one request and no more: whatever it is answered with comes back as it is.
    ///
    /// # Errors
    ///
    /// As [`Service::call`].
    pub fn call_as_it_is(
        &self,
        request: &Request<'_>,
        read: Option<Reading<'_>>,
    ) -> Result<Answer, ServiceError> {
        let Some(info) = self.account.info() else { return Err(SignInError::NotSignedIn.into()) };
        let answer = self.send(&info, request, read)?;
        if let Some((cause, asked)) = throttle::read(&answer) {
            self.account.rest(cause, asked);
        }
        Ok(answer)
    }

    /// Renews the trust of this machine where that is due; see [`Account::prolong_trust`]. Nobody else signs in meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Account::prolong_trust`].
    pub fn prolong_trust(&self) -> Result<bool, SignInError> {
        let mut renewed = false;
        let generation = self.generation();
        self.renew(Asked::Explicitly, generation, |account| {
            renewed = account.prolong_trust()?;
            Ok(())
        })?;
        Ok(renewed)
    }

    /// Signs in with the password although the session holds, because a person wants its trust renewed.
    ///
    /// # Errors
    ///
    /// As [`Service::sign_in`].
    pub fn sign_in_anew(&self) -> Result<(), SignInError> {
        let generation = self.generation();
        self.renew(Asked::Explicitly, generation, |account| account.climb(Rung::Password, Initiative::Person))
    }

    /// Makes a new session from the session token, without asking whether the old one holds:
    /// the one new login that `docs/protocol.md` §16.1 wants against stubborn 403 and 500.
    ///
    /// # Errors
    ///
    /// As [`Service::sign_in`].
    pub fn renew_session(&self) -> Result<(), SignInError> {
        let generation = self.generation();
        self.renew(Asked::Explicitly, generation, |account| {
            account.climb(Rung::AccountLogin, Initiative::Unattended)
        })
    }

    /// The HTTP client, for content hosts that need no session.
    pub fn http(&self) -> &Http {
        self.account.http()
    }

    /// The upload token, when the session has one (`docs/protocol.md` §12.1).
    pub fn upload_token(&self) -> Option<String> {
        self.account.upload_token()
    }

    /// Whether content may be sent to or fetched from `url`: `https` below Apple's content
    /// domains, or a loopback host while the service itself is one (§11.3, §12.1).
    pub fn allowed_content_host(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let Some(host) = url.host_str() else { return false };
        match url.scheme() {
            "https" if APPLE_DOMAINS.iter().any(|domain| is_below(host, domain)) => true,
            "https" | "http" => is_loopback(&url) && self.account.is_loopback(),
            _ => false,
        }
    }

    /// The account's number as text; empty before the first sign-in.
    pub fn account_dsid(&self) -> String {
        self.account.info().map(|info| info.dsid).unwrap_or_default()
    }

    pub(super) fn send(
        &self,
        info: &AccountInfo,
        request: &Request<'_>,
        read: Option<Reading<'_>>,
    ) -> Result<Answer, ServiceError> {
        let base = match request.root {
            Root::Drivews => info.drivews.as_str(),
            Root::Docws => &info.docws,
            Root::At(root) => root,
        };
        let mut url = Url::parse(&format!("{base}/{}", request.path.trim_start_matches('/')))
            .map_err(|error| HttpError::Unsendable { host: base.to_owned(), reason: error.to_string() })?;
        let client_id = self.account.client_id();
        // Renewing the session may have brought another upload token than the caller knew.
        let token = self.account.upload_token();
        let current = request.query.iter().map(|(name, value)| match &token {
            Some(token) if *name == UPLOAD_TOKEN => (*name, token.as_str()),
            _ => (*name, *value),
        });
        url.query_pairs_mut()
            .extend_pairs(current)
            .append_pair("clientId", &client_id)
            .append_pair("dsid", &info.dsid);
        let mut headers = self.account.service_headers(&url);
        let payload = if request.body.is_empty() {
            Payload::None
        } else {
            headers.push(("Content-Type".to_owned(), "text/plain".to_owned()));
            Payload::Bytes(request.body)
        };
        let Request { method, limits, kind, .. } = *request;
        let call = Call { method, url: url.to_string(), headers, payload, limits, kind };
        let answer = match read {
            Some(read) => self.account.http().call_reading(call, read)?,
            None => self.account.http().call(call)?,
        };
        self.account.absorb_service(&url, &answer.head);
        Ok(answer)
    }

    /// The last word on a session that signing in renews and the service refuses.
    fn give_up(&self, answer: Answer, sign: Sign, changes: bool) -> Result<Answer, ServiceError> {
        if changes && (sign == Sign::Keys || answer.head.status == 400) {
            self.lock().for_changes = Tried::default();
        }
        if sign == Sign::Keys {
            return Err(SignInError::WebAccess { reason: "the keys are still missing" }.into());
        }
        if answer.head.status == 400 {
            // "Never set up" looks the same; what to say of it is the caller's business (§16.1).
            self.lock().unready_until = self.account.steady().saturating_add(UNREADY_PAUSE_SECS);
            return Ok(answer);
        }
        let status = answer.head.status;
        let until = self.account.steady().saturating_add(REFUSED_PAUSE_SECS);
        let mut renewal = self.lock();
        *(if changes { &mut renewal.changes_refused } else { &mut renewal.refused }) = Some((until, status));
        Err(SignInError::SessionRefused { status }.into())
    }

    /// Whether renewed sessions are refused at present, as far as the caller is concerned.
    fn check_refused(&self, changes: bool) -> Result<(), SignInError> {
        let renewal = self.lock();
        let now = self.account.steady();
        let of_changes = renewal.changes_refused.filter(|_| changes);
        match [renewal.refused, of_changes].into_iter().flatten().find(|(until, _)| now < *until) {
            Some((_, status)) => Err(SignInError::SessionRefused { status }),
            None => Ok(()),
        }
    }

    /// What was tried for calls that change the drive; once the pause after the last cure is over, it begins anew.
    fn tried_for_changes(&self) -> Tried {
        let mut renewal = self.lock();
        if renewal.changes_refused.is_some_and(|(until, _)| self.account.steady() >= until) {
            (renewal.for_changes, renewal.changes_refused) = (Tried::default(), None);
        }
        renewal.for_changes
    }

    /// The session was good enough for a call.
    fn is_accepted(&self, changes: bool) {
        let mut renewal = self.lock();
        renewal.refused = None;
        if changes {
            (renewal.for_changes, renewal.changes_refused) = (Tried::default(), None);
        }
    }

    /// Keeps what was tried for the next call that changes the drive. Several may be under way: none takes back what another noted.
    fn note(&self, tried: Tried) {
        let mut renewal = self.lock();
        renewal.for_changes.rerouted |= tried.rerouted;
        renewal.for_changes.cures = renewal.for_changes.cures.max(tried.cures);
    }

    fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Runs `cure` unless another thread renewed the session since `seen`. Who comes while one
    /// runs waits for it and shares its outcome, so that many workers make one attempt.
    fn renew(
        &self,
        asked: Asked,
        seen: u64,
        cure: impl FnOnce(&Account) -> Result<(), SignInError>,
    ) -> Result<(), SignInError> {
        let mut renewal = self.lock();
        let joined = renewal.running.then_some(renewal.attempts);
        while renewal.running && joined == Some(renewal.attempts) {
            renewal = self.renewed.wait(renewal).unwrap_or_else(PoisonError::into_inner);
        }
        if renewal.generation != seen {
            return Ok(());
        }
        if joined.is_some() {
            return Err(renewal.failure.clone().unwrap_or(SignInError::SessionRefused { status: 401 }));
        }
        if let (Asked::ByCall, Some(failure)) = (asked, &renewal.failure) {
            let (until, epoch) = renewal.shared;
            if self.account.steady() < until && self.account.epoch() == epoch {
                return Err(failure.clone());
            }
        }
        renewal.running = true;
        drop(renewal);
        let mut turn = Turn { service: self, outcome: None };
        let outcome = cure(&self.account);
        turn.outcome = Some(outcome.clone());
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Renewal> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands the renewal on when dropped, also when the cure panics.
struct Turn<'a> {
    service: &'a Service,
    outcome: Option<Result<(), SignInError>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut renewal = self.service.lock();
        renewal.running = false;
        renewal.attempts += 1;
        match self.outcome.take() {
            Some(Ok(())) => {
                renewal.generation += 1;
                renewal.failure = None;
            }
            Some(Err(failure)) => {
                renewal.failure = Some(failure);
                let account = &self.service.account;
                renewal.shared = (account.steady().saturating_add(SHARED_FAILURE_SECS), account.epoch());
            }
            None => renewal.failure = None,
        }
        drop(renewal);
        self.service.renewed.notify_all();
    }
}

/// Where content may come from and go to.
const APPLE_DOMAINS: [&str; 5] =
    ["icloud-content.com", "icloud-content.com.cn", "icloud.com", "icloud.com.cn", "apple.com"];

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
