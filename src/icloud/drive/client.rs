//! One call of the drive services with its retries, and what all calls share.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::engine::ports::{Clock, RemoteError};
use crate::icloud::away::Reach;
use crate::icloud::classify::{Class, Classified, classify};
use crate::icloud::http::{Answer, Call, Head, HttpError, Reading};
use crate::icloud::request::Request;
use crate::icloud::retry::{BUDGET, Budget, Pace};
use crate::icloud::service::{Service, ServiceError};
use crate::icloud::signin::error::SignInError;
use crate::icloud::throttle::wait_asked;
use crate::model::AccountProblem;

/// The signed-in session as the drive client needs it; [`Service`] is the real one.
pub trait Api: Send + Sync {
    /// Makes one call, with the session renewed where that helps.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] when there is no answer to judge.
    fn call(&self, request: &Request<'_>) -> Result<Answer, ServiceError>;

    /// As [`Api::call`], but a whole array goes to `read` as it comes, and the answer's body is empty then. It may be read
    /// more than once, when the call has to be repeated.
    ///
    /// # Errors
    ///
    /// As [`Api::call`].
    fn stream(&self, request: &Request<'_>, read: Reading<'_>) -> Result<Answer, ServiceError> {
        let answer = self.call(request)?;
        if answer.is_success() && answer.body.trim_ascii_start().starts_with(b"[") {
            let host = String::new();
            read(&mut answer.body.as_slice())
                .map_err(|_| HttpError::TooLarge { host, limit: request.limits.max_body })?;
            return Ok(Answer { body: Vec::new(), ..answer });
        }
        Ok(answer)
    }

    /// Exchanges content with a content host, without the session's cookies.
    ///
    /// # Errors
    ///
    /// [`HttpError`] when no answer came.
    fn open(&self, call: Call<'_>) -> Result<(Head, Box<dyn Read + Send>), HttpError>;

    /// The upload token, when the session has one (`docs/protocol.md` §12.1).
    fn upload_token(&self) -> Option<String>;

    /// Whether content may be exchanged with that address (§11.3).
    fn allows(&self, url: &str) -> bool;

    /// How long nothing may be sent any more.
    fn rest(&self) -> Option<Duration> {
        None
    }

    /// One request to the change feed, `path` below its database; `None` where the account offers none (`docs/protocol.md` §17.1).
    ///
    /// # Errors
    ///
    /// [`ServiceError`] when no whole answer came.
    fn ask_feed(&self, _path: &'static str, _body: &[u8]) -> Result<Option<Answer>, ServiceError> {
        Ok(None)
    }
}

impl Api for Service {
    fn call(&self, request: &Request<'_>) -> Result<Answer, ServiceError> {
        Service::call(self, request)
    }

    fn stream(&self, request: &Request<'_>, read: Reading<'_>) -> Result<Answer, ServiceError> {
        Service::call_reading(self, request, read)
    }

    fn open(&self, call: Call<'_>) -> Result<(Head, Box<dyn Read + Send>), HttpError> {
        self.http().open(call)
    }

    fn upload_token(&self) -> Option<String> {
        Service::upload_token(self)
    }

    fn allows(&self, url: &str) -> bool {
        self.allowed_content_host(url)
    }

    fn rest(&self) -> Option<Duration> {
        self.account().rest_left()
    }

    fn ask_feed(&self, path: &'static str, body: &[u8]) -> Result<Option<Answer>, ServiceError> {
        self.ask_feed_once(path, body)
    }
}

/// The kind of a listing's requests.
pub(super) const LISTING_KIND: &str = "retrieveItemDetailsInFolders";
/// Attempts after refusals without a reason (§16.1).
const SPURIOUS_ATTEMPTS: u32 = 3;
/// Attempts while no connection can be made; the caller waits longer than a call should.
const CONNECT_ATTEMPTS: u32 = 3;
/// Access denied for so long is no throttling any more (§16.1).
const DENIED_FOR_GOOD: Duration = Duration::from_secs(15 * 60);

/// Why a call came to nothing.
pub(super) enum Failure {
    /// The service answered, and it was no success.
    Refused {
        /// What it means.
        classified: Classified,
        /// What it asks to wait.
        retry_after: Option<Duration>,
        /// Whether the call may change the drive.
        changes: bool,
    },
    /// Anything else.
    Error(RemoteError),
}

impl Failure {
    /// The class of the refusal, if it is one.
    pub fn class(&self) -> Option<Class> {
        match self {
            Self::Refused { classified, .. } => Some(classified.class),
            Self::Error(_) => None,
        }
    }

    /// Whether the refusal may be due to one item of several, or to their number.
    pub fn may_blame_batch(&self) -> bool {
        match self {
            Self::Refused { classified, .. } => matches!(
                classified.class,
                Class::Spurious
                    | Class::Refused
                    | Class::Gone
                    | Class::Conflict
                    | Class::NameTaken
                    | Class::Parent
                    | Class::Quota
                    | Class::Undecided
            ),
            // An answer larger than allowed comes so.
            Self::Error(error) => matches!(error, RemoteError::Refused(_)),
        }
    }
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for RemoteError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { classified, retry_after, changes } => {
                classified.into_error(changes, retry_after)
            }
            Failure::Error(error) => error,
        }
    }
}

/// What all calls of one account share.
pub(super) struct Client {
    pub api: Arc<dyn Api>,
    pub clock: Arc<dyn Clock>,
    /// Whether the service is there at all.
    pub reach: Reach,
    /// All the waiting of listings, of which a walk cannot do without one.
    budget: Budget,
    /// That of all other calls, which the engine makes again itself.
    errands: Budget,
    /// That of exchanges with content hosts, likewise.
    pub contents: Budget,
    pace: Pace,
    lane: Mutex<()>,
    denied_since: Mutex<Option<Duration>>,
    /// Set once the drive has answered: from then on a plain 400 is no sign of a first use.
    pub has_answered: AtomicBool,
}

/// How a call is treated. One that changes the drive is made once, however it is treated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CallKind {
    /// It only reads; every failure may be tried again.
    Read,
    /// It only reads, and the caller knows another way when it is refused.
    ReadOnce,
    /// It may change the drive: there is one attempt. Whatever waits looks again before it asks again, and only who called
    /// knows at what (`docs/sync.md` §6).
    Change,
}

impl Client {
    pub fn new(api: Arc<dyn Api>, clock: Arc<dyn Clock>, patience: Option<Duration>) -> Self {
        let budget = Budget::new(patience.unwrap_or(BUDGET));
        Self {
            api,
            clock,
            reach: Reach::new(patience),
            errands: budget.brief(),
            contents: budget.brief(),
            budget,
            pace: Pace::default(),
            lane: Mutex::new(()),
            denied_since: Mutex::new(None),
            has_answered: AtomicBool::new(false),
        }
    }

    /// The waits that a call shares with others.
    fn budget_of(&self, request: &Request<'_>) -> &Budget {
        if request.kind == LISTING_KIND { &self.budget } else { &self.errands }
    }

    /// Asks again after the service was away: it was left alone meanwhile, so nothing slows this down.
    pub fn try_again(&self) {
        for budget in [&self.budget, &self.errands, &self.contents] {
            budget.renew();
        }
        if self.reach.try_again() {
            self.pace.rested();
        }
    }

    /// Waits for the lane of calls that change the drive.
    ///
    /// The lock is held over the call on purpose: what it serialises is not our memory but the
    /// account's zone, which answers ZONE_BUSY to the second of two writes (`docs/protocol.md` §10).
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call and reads its answer with `parse`, which gives `None` for what is not the protocol.
    pub fn call<T>(
        &self,
        request: &Request<'_>,
        treat: CallKind,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<T, Failure> {
        self.attempt(request, treat, || {
            let answer = self.api.call(request)?;
            let value = if judge(&answer).is_none() { parse(&answer.body) } else { None };
            Ok((answer, value))
        })
    }

    /// As [`Client::call`] of a reading call, with an answer that is read as it comes.
    pub fn stream<T>(
        &self,
        request: &Request<'_>,
        treat: CallKind,
        parse: impl Fn(&mut dyn Read) -> io::Result<Option<T>>,
    ) -> Result<T, Failure> {
        self.attempt(request, treat, || {
            let mut value = None;
            let answer = self.api.stream(request, &mut |body| {
                value = parse(body)?;
                Ok(())
            })?;
            if !answer.body.is_empty() && judge(&answer).is_none() {
                value = parse(&mut answer.body.as_slice()).ok().flatten();
            }
            Ok((answer, value))
        })
    }

    fn attempt<T>(
        &self,
        request: &Request<'_>,
        treat: CallKind,
        exchange: impl Fn() -> Result<(Answer, Option<T>), ServiceError>,
    ) -> Result<T, Failure> {
        let clock = &*self.clock;
        let changes = treat == CallKind::Change;
        debug_assert_eq!(changes, request.changes, "{}", request.kind);
        let budget = self.budget_of(request);
        let mut backoff = budget.backoff(clock);
        // A refusal without a reason says nothing of the service: it is asked again whatever others wait for.
        let mut doubt = budget.short();
        loop {
            self.reach.before()?;
            // While nobody is answered, or no call of this kind, back-off alone decides; the pace is for a service that does answer.
            // The look that comes right before a change has kept it, and no wait may come between the two.
            if !changes && !self.reach.is_failing() && !budget.is_in_use() {
                self.pace.before(clock)?;
            }
            let (answer, value) = match exchange() {
                Ok(exchanged) => exchanged,
                Err(ServiceError::SignIn(error)) => return Err(sign_in_error(&error).into()),
                Err(ServiceError::Http(HttpError::Resting { left })) => {
                    let error = HttpError::Resting { left };
                    self.reach.failed(clock.uptime(), &error.to_string(), Some(left))?;
                    if !changes && backoff.wait(clock, Some(left))? {
                        continue;
                    }
                    return Err(http_error(&error).into());
                }
                Err(error @ ServiceError::Renewed) => {
                    let message = error.to_string();
                    return Err(RemoteError::Busy { message, retry_after: None }.into());
                }
                Err(ServiceError::Http(error)) if changes && !error.is_before_sending() => {
                    // What became of it is open, whatever this says of the service.
                    drop(self.reach.failed(clock.uptime(), &error.to_string(), None));
                    return Err(RemoteError::Uncertain(error.to_string()).into());
                }
                Err(ServiceError::Http(error @ HttpError::Timeout { .. }))
                    if request.limits.follow_a_look() =>
                {
                    // The connection was given no longer than a look counts: worth another one, and no sign that nobody can be reached.
                    return Err(RemoteError::Busy { message: error.to_string(), retry_after: None }.into());
                }
                Err(ServiceError::Http(error)) => {
                    if error.is_transient() {
                        self.reach.failed(clock.uptime(), &error.to_string(), None)?;
                    }
                    // An attempt that timed out has taken its time already; a walk would end with it.
                    let most = match error {
                        HttpError::Timeout { .. } => 1 + u32::from(request.limits.may_be_slow),
                        HttpError::Unreachable { .. }
                        | HttpError::Tls { .. }
                        | HttpError::CertificateTime { .. }
                        | HttpError::Proxy { .. }
                        | HttpError::Resting { .. }
                        | HttpError::Lost { .. }
                        | HttpError::Malformed { .. } => CONNECT_ATTEMPTS,
                        // The same request would fare the same.
                        HttpError::TooLarge { .. }
                        | HttpError::CaFile { .. }
                        | HttpError::Unsendable { .. }
                        | HttpError::Payload(_) => 1,
                    };
                    let again = !changes && error.is_transient() && backoff.attempts() + 1 < most;
                    if again && budget.wait(&mut backoff, clock, None)? {
                        continue;
                    }
                    return Err(http_error(&error).into());
                }
            };
            let Some(classified) = judge(&answer) else {
                match value {
                    Some(value) => {
                        self.answered();
                        budget.renew();
                        return Ok(value);
                    }
                    None if changes => {
                        let words = format!("the answer to {} cannot be read", request.kind);
                        return Err(RemoteError::Uncertain(words).into());
                    }
                    None => {
                        self.reach.failed(clock.uptime(), "its answers cannot be read", None)?;
                        if backoff.attempts() + 1 < SPURIOUS_ATTEMPTS
                            && budget.wait(&mut backoff, clock, None)?
                        {
                            continue;
                        }
                        let words = format!("the answer to {} cannot be read", request.kind);
                        return Err(RemoteError::Damaged(words).into());
                    }
                }
            };
            log::debug!("{}: {:?}, {}", request.kind, classified.class, classified.words);
            if matches!(answer.head.status, 429 | 503) || classified.class == Class::Denied {
                self.pace.throttled();
            } else {
                self.pace.answered();
            }
            let retry_after = self.api.rest().or(wait_asked(&answer));
            // A plain 500 is often about one item; the others mean the service.
            if matches!(classified.class, Class::Throttled | Class::Failing) && answer.head.status != 500 {
                let said = self.reach.failed(clock.uptime(), &classified.words, retry_after);
                // A change that may have been carried out must say so.
                if !(changes && classified.class == Class::Failing) {
                    said?;
                }
            } else {
                self.reach.answered();
            }
            let waited = !changes
                && match classified.class {
                    Class::ZoneBusy | Class::Throttled => budget.wait(&mut backoff, clock, retry_after)?,
                    Class::Failing => {
                        let is_left = answer.head.status != 500 || backoff.attempts() < SPURIOUS_ATTEMPTS;
                        is_left && budget.wait(&mut backoff, clock, retry_after)?
                    }
                    Class::Spurious | Class::Refused => {
                        let is_left = treat == CallKind::Read && doubt.attempts() + 1 < SPURIOUS_ATTEMPTS;
                        is_left && doubt.wait(clock, retry_after)?
                    }
                    // The same call would be answered the same.
                    Class::Ok
                    | Class::Denied
                    | Class::Session
                    | Class::Keys
                    | Class::NeverSetUp
                    | Class::Conflict
                    | Class::NameTaken
                    | Class::Gone
                    | Class::Undecided
                    | Class::Parent
                    | Class::Quota => false,
                };
            if waited {
                continue;
            }
            if classified.class == Class::Denied {
                self.check_denied()?;
            }
            return Err(Failure::Refused { classified, retry_after, changes });
        }
    }

    /// As [`Client::call`], with the answer as plain JSON.
    pub fn json(&self, request: &Request<'_>, treat: CallKind) -> Result<Value, Failure> {
        self.call(request, treat, |body| serde_json::from_slice(body).ok())
    }

    fn answered(&self) {
        self.reach.answered();
        self.pace.answered();
        self.has_answered.store(true, Ordering::Relaxed);
        *self.denied_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Tells the owner when access stays denied.
    fn check_denied(&self) -> Result<(), RemoteError> {
        let now = self.clock.uptime();
        let mut since = self.denied_since.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *since.get_or_insert(now);
        if now.saturating_sub(first) < DENIED_FOR_GOOD {
            return Ok(());
        }
        Err(RemoteError::Account {
            cause: AccountProblem::Drive,
            message: "iCloud denies access to the Drive; check on a trusted device that \"Access iCloud Data on the Web\" is on, else wait some hours".to_owned(),
        })
    }
}

/// What speaks against an answer; `None` when nothing does.
fn judge(answer: &Answer) -> Option<Classified> {
    let is_object = answer.body.trim_ascii_start().starts_with(b"{");
    if answer.is_success() && !is_object {
        return None;
    }
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let classified = classify(answer.head.status, body.as_ref());
    (classified.class != Class::Ok).then_some(classified)
}

/// The port's word for a failure below the protocol of a call that changed nothing. Only where not
/// even a connection was made would no other item fare better.
pub(super) fn http_error(error: &HttpError) -> RemoteError {
    match error {
        HttpError::TooLarge { .. } | HttpError::Unsendable { .. } => RemoteError::Refused(error.to_string()),
        HttpError::Unreachable { .. }
        | HttpError::Timeout { .. }
        | HttpError::Tls { .. }
        | HttpError::CertificateTime { .. }
        | HttpError::Lost { .. }
        | HttpError::Malformed { .. }
        | HttpError::Proxy { .. }
        | HttpError::CaFile { .. }
        | HttpError::Resting { .. }
        | HttpError::Payload(_) => match error.is_before_sending() {
            true => RemoteError::Unreachable(error.to_string()),
            false => RemoteError::Busy { message: error.to_string(), retry_after: None },
        },
    }
}

/// The port's word for a session that could not be renewed; the call had no effect then.
fn sign_in_error(error: &SignInError) -> RemoteError {
    match error {
        SignInError::Stopped(_) => RemoteError::Stopped,
        SignInError::Network(network) if network.is_transient() => {
            RemoteError::Unreachable(network.to_string())
        }
        SignInError::Throttled { .. } => RemoteError::Unreachable(error.to_string()),
        _ => {
            let advice = error.advice();
            let message = if advice.is_empty() { error.to_string() } else { format!("{error}; {advice}") };
            RemoteError::Account { cause: error.problem(), message }
        }
    }
}
