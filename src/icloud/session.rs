//! What one session knows: tokens, cookies, the account, a half-open sign-in, refusals.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::cookies::{Cookies, end_of};
use super::env::Env;
use super::http::Head;
use super::signin::error::FactorKind;
use super::signin::receivers::{Phone, SentBy, StepDevice};
use super::srp::stretch;
use super::throttle::{Cause, Rest};
use crate::model::Reading;
use crate::secret::Secret;

/// The version of the stored form.
pub const SESSION_VERSION: u32 = 1;
/// The cookie that proves the session to the services.
pub const SESSION_COOKIE: &str = "X-APPLE-WEBAUTH-TOKEN";
/// The cookie of a session that a person must complete first.
pub const REPAIR_COOKIE: &str = "X-APPLE-WEBAUTH-REPAIR";
/// The cookie whose expiry is the trust's expiry.
pub const TRUST_COOKIE: &str = "X-APPLE-WEBAUTH-HSA-TRUST";
const UPLOAD_COOKIE: &str = "X-APPLE-WEBAUTH-VALIDATE";
/// How long trust lasts when the cookie does not say it.
const USUAL_TRUST_SECS: i64 = 30 * 86_400;
/// The trust is renewed at most this often.
const RENEWAL_PAUSE_SECS: u64 = 86_400;
/// No renewal follows another sign-in within this time.
const PROOF_PAUSE_SECS: u64 = 900;
/// From so many days before its end on, a person is told.
pub const TRUST_TOLD_DAYS: i64 = 14;

/// So many refused passwords are remembered.
const MOST_REFUSED: usize = 8;
/// Enough to make guessing a short password from the stored hash slow.
const REJECTED_ROUNDS: u32 = 20_000;

/// State taken from response headers (`docs/protocol.md` §5.1).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// `X-Apple-ID-Account-Country`, ISO alpha-3.
    pub account_country: Option<String>,
    /// `X-Apple-ID-Session-Id`.
    pub session_id: Option<Secret>,
    /// `X-Apple-Session-Token`.
    pub session_token: Option<Secret>,
    /// `X-Apple-TwoSV-Trust-Token`.
    pub trust_token: Option<Secret>,
    /// `scnt`.
    pub scnt: Option<Secret>,
    /// `X-Apple-Auth-Attributes`.
    pub auth_attributes: Option<Secret>,
}

impl Tokens {
    /// Takes what an answer carries; an absent header leaves the old value.
    pub fn absorb(&mut self, head: &Head) -> bool {
        let mut changed = false;
        if let Some(country) = head.header("x-apple-id-account-country").filter(|text| !text.is_empty()) {
            changed |= self.account_country.as_deref() != Some(country);
            self.account_country = Some(country.to_owned());
        }
        for (name, slot) in [
            ("x-apple-id-session-id", &mut self.session_id),
            ("x-apple-session-token", &mut self.session_token),
            ("x-apple-twosv-trust-token", &mut self.trust_token),
            ("scnt", &mut self.scnt),
            ("x-apple-auth-attributes", &mut self.auth_attributes),
        ] {
            let Some(value) = head.header(name).filter(|text| !text.is_empty()) else { continue };
            if slot.as_ref().map(Secret::expose) != Some(value) {
                *slot = Some(Secret::new(value));
                changed = true;
            }
        }
        changed
    }

    /// Forgets the context of a sign-in, so that the next one starts at step 1.
    pub fn forget_context(&mut self) {
        self.session_id = None;
        self.scnt = None;
        self.auth_attributes = None;
    }
}

/// What accountLogin and validate say of the account (`docs/protocol.md` §6.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountInfo {
    /// The account's number, as text.
    pub dsid: String,
    /// `{drivews}`, without trailing slash.
    pub drivews: String,
    /// `{docws}`, without trailing slash.
    pub docws: String,
    /// Whether Advanced Data Protection is on (`iCDPEnabled`); informational.
    pub adp: bool,
    /// When the service last confirmed the session, in seconds since 1970.
    pub confirmed_at: i64,
    /// Services that tell of changes, where the account offers them; a session that was stored earlier names none.
    #[serde(default)]
    pub changes: ChangeRoots,
}

/// The roots of the services that tell that something changed on iCloud (`docs/protocol.md` §17.1), without trailing slash; none
/// where the account does not offer one, or it is not active.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangeRoots {
    /// `{ckdatabasews}`: the change feed.
    pub feed: Option<String>,
    /// `{push}`: tokens for the push channel.
    pub push: Option<String>,
    /// `{ckdeviceservice}`: where such a token is registered.
    pub registration: Option<String>,
}

/// A sign-in that waits for a second factor; stored, so that any process may go on with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HalfOpen {
    /// The kind of factor.
    pub kind: FactorKind,
    /// When the password was accepted, in seconds since 1970.
    pub since: i64,
    /// Whether the service said that no trusted device can show a code.
    #[serde(default)]
    pub no_devices: bool,
    /// Phones that the service listed.
    #[serde(default)]
    pub phones: Vec<Phone>,
    /// Devices of a two-step account.
    #[serde(default)]
    pub step_devices: Vec<StepDevice>,
    /// How the last code was sent; absent = none was asked for yet.
    #[serde(default)]
    pub sent_by: Option<SentBy>,
    /// Set once a code was accepted; what is still to come then.
    #[serde(default)]
    pub accepted: Option<Accepted>,
}

/// What an accepted code asked for beside trust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// A second proof of the password (`docs/protocol.md` §3.10).
    pub escrow: bool,
    /// Finishing the account, as `signin/complete` asks for with 412.
    pub repair: bool,
}

/// A password that was refused, so that no restart tries it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rejected {
    salt: [u8; 16],
    hash: [u8; 32],
}

impl Rejected {
    fn is(&self, account: &str, password: &str) -> bool {
        self.hash == rejected_hash(account, password, &self.salt)
    }
}

/// The trust that a second factor gave this machine. All times in seconds since 1970.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Trust {
    /// When it was last given.
    pub trusted_at: Option<i64>,
    /// Its end, as its cookie last said.
    pub trust_ends: Option<i64>,
    /// When that end was first told.
    pub trust_began: Option<i64>,
    /// When renewing it was last tried.
    pub retrust_tried_at: Option<i64>,
    /// When the password was last proven.
    pub proven_at: Option<i64>,
}

impl Trust {
    /// Takes the end that a cookie tells at `now`. The same trust may be told again with the same end, or a moment later where
    /// the cookie tells its age.
    pub fn learn(&mut self, end: i64, now: i64) {
        const SAME_SECS: u64 = 3600;
        if end <= now {
            return;
        }
        if self.trust_ends.is_none_or(|old| old.abs_diff(end) > SAME_SECS) {
            self.trust_began = Some(now);
        }
        self.trust_ends = Some(end);
    }
}

/// Everything of one session; `session.json` is its stored form.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    /// [`SESSION_VERSION`].
    pub version: u32,
    /// The account name in its one form.
    pub account: String,
    /// The setup root that the cookies belong to.
    pub setup: String,
    /// The lower-case UUID that this session keeps for life.
    pub client_id: String,
    /// Tokens from headers.
    #[serde(default)]
    pub tokens: Tokens,
    /// All cookies.
    #[serde(default)]
    pub cookies: Cookies,
    /// The account, once signed in.
    #[serde(default)]
    pub info: Option<AccountInfo>,
    /// The trust of this machine.
    #[serde(flatten)]
    pub trust: Trust,
    /// A sign-in that waits for a second factor.
    #[serde(default)]
    pub half_open: Option<HalfOpen>,
    /// The passwords that were refused, the last one at the end.
    #[serde(default)]
    pub refused_passwords: Vec<Rejected>,
    /// The rest of the account, or the last one, while refusals in a row are counted.
    #[serde(default)]
    pub back_off: Option<Rest>,
    /// The `{auth}` root that worked, where the region has several.
    #[serde(default)]
    pub auth_root: Option<String>,
    /// Whether the keys for web access were asked for before (§6.3).
    #[serde(default)]
    pub pcs_asked: bool,
    /// After the keys were refused: until then, in seconds since 1970, nobody asks again. Stored,
    /// because every request disturbs a person.
    #[serde(default)]
    pub keys_refused_until: Option<i64>,
}

impl Session {
    /// A session that knows nothing yet.
    pub fn new(account: &str, setup: &str, env: &Env) -> Self {
        Self {
            version: SESSION_VERSION,
            account: account.to_owned(),
            setup: setup.to_owned(),
            client_id: env.uuid(),
            tokens: Tokens::default(),
            cookies: Cookies::default(),
            info: None,
            trust: Trust::default(),
            half_open: None,
            refused_passwords: Vec::new(),
            back_off: None,
            auth_root: None,
            pcs_asked: false,
            keys_refused_until: None,
        }
    }

    /// `auth-<client id>`: the frame id and state of the sign-in calls (§3.1).
    pub fn frame_id(&self) -> String {
        format!("auth-{}", self.client_id)
    }

    /// Whether the services would be shown a session.
    pub fn has_cookies(&self) -> bool {
        self.cookies.value(SESSION_COOKIE).is_some()
    }

    /// The `t=` part of the validate cookie: the upload token (§12.1).
    pub fn upload_token(&self) -> Option<String> {
        let value = self.cookies.value(UPLOAD_COOKIE)?;
        let token = value.trim_matches('"').split(':').find_map(|part| part.strip_prefix("t="))?;
        (!token.is_empty()).then(|| token.to_owned())
    }

    /// When the trust runs out, in seconds since 1970, and whether that is only estimated.
    pub fn trust_expires(&self) -> Option<(i64, bool)> {
        if let Some(at) = self.trust.trust_ends.or_else(|| self.cookies.expires(TRUST_COOKIE)) {
            return Some((at, false));
        }
        self.trust.trusted_at.map(|at| (at.saturating_add(USUAL_TRUST_SECS), true))
    }

    /// Whether the trust is to be renewed by now: at half of its life, or of what was left at the last try. A sign-in is never
    /// right behind another one, and never twice in a day.
    pub fn is_trust_due(&self, now: i64) -> bool {
        let Some((end, _)) = self.trust_expires() else { return false };
        let trust = &self.trust;
        let began = trust.trust_began.or(trust.trusted_at).filter(|at| *at <= now);
        let began = began
            .unwrap_or(end.saturating_sub(USUAL_TRUST_SECS))
            .max(trust.retrust_tried_at.unwrap_or(i64::MIN));
        let half = began.saturating_add(end.saturating_sub(began) / 2);
        // Either way from now: a time that lies ahead was noted by a wrong clock.
        let rested = |at: Option<i64>, secs: u64| at.is_none_or(|at| now.abs_diff(at) >= secs);
        (half..end).contains(&now)
            && rested(trust.retrust_tried_at, RENEWAL_PAUSE_SECS)
            && rested(trust.proven_at, PROOF_PAUSE_SECS)
    }

    /// The whole days that the trust still lasts, once a person must be told.
    pub fn trust_days_left(&self, now: i64) -> Option<i64> {
        let (end, _) = self.trust_expires()?;
        let days = end.saturating_sub(now).div_euclid(86_400);
        (0..=TRUST_TOLD_DAYS).contains(&days).then_some(days)
    }

    /// Remembers that `password` was refused. A mistyped one must not make the configured one forgotten: two refused proofs
    /// were enough to lock an account (docs/protocol.md §3.5).
    pub fn reject(&mut self, password: &str, env: &Env) {
        self.accept(password);
        let salt = env.random();
        let hash = rejected_hash(&self.account, password, &salt);
        self.refused_passwords.push(Rejected { salt, hash });
        let surplus = self.refused_passwords.len().saturating_sub(MOST_REFUSED);
        self.refused_passwords.drain(..surplus);
    }

    /// `password` was accepted; what is remembered of others stays.
    pub fn accept(&mut self, password: &str) {
        let account = self.account.clone();
        self.refused_passwords.retain(|old| !old.is(&account, password));
    }

    /// Whether `password` was refused.
    pub fn rejects(&self, password: &str) -> bool {
        self.refused_passwords.iter().any(|old| old.is(&self.account, password))
    }

    /// Whether `password` is the one that was refused last.
    pub fn rejected_last(&self, password: &str) -> bool {
        self.refused_passwords.last().is_some_and(|old| old.is(&self.account, password))
    }

    /// How long nothing may be sent any more.
    pub fn back_off_left(&self, now: Reading) -> Option<Duration> {
        self.back_off.as_ref()?.left(now)
    }

    /// Begins or prolongs the rest; gives its length.
    pub fn back_off_more(&mut self, now: Reading, cause: Cause, asked: Option<Duration>) -> Duration {
        let rest = Rest::after(self.back_off.as_ref(), now, cause, asked);
        let left = rest.left(now).unwrap_or_default();
        self.back_off = Some(rest);
        left
    }

    /// Takes cookies and, from sign-in answers, tokens, at `now` in seconds since 1970; tells whether anything changed.
    pub fn absorb(&mut self, url: &Url, head: &Head, with_tokens: bool, now: i64) -> bool {
        if let Some(end) = end_of(TRUST_COOKIE, url, head, now) {
            self.trust.learn(end, now);
        }
        let tokens = with_tokens && self.tokens.absorb(head);
        self.cookies.absorb(url, head) || tokens
    }
}

fn rejected_hash(account: &str, password: &str, salt: &[u8; 16]) -> [u8; 32] {
    let text = format!("{account}\0{password}");
    stretch(text.as_bytes(), salt, REJECTED_ROUNDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use std::sync::Arc;
    use ureq::http::{HeaderMap, HeaderValue};

    fn session() -> (Session, Env) {
        let env = Env::system(SystemClock::new(Arc::default()));
        (Session::new("me@example.com", "https://setup.icloud.com/setup/ws/1", &env), env)
    }

    #[test]
    fn only_the_rejected_password_is_rejected_also_after_a_reload() {
        let (mut session, env) = session();
        assert!(!session.rejects("old"));
        session.reject("old", &env);
        let text = serde_json::to_string(&session).expect("stored");
        assert!(!text.contains("old"));
        let session: Session = serde_json::from_str(&text).expect("read back");
        assert!(session.rejects("old"));
        assert!(!session.rejects("new"));
    }

    #[test]
    fn a_mistyped_password_does_not_make_an_older_refusal_forgotten() {
        let (mut session, env) = session();
        session.reject("configured", &env);
        session.reject("mistyped", &env);
        assert!(session.rejects("configured") && session.rejects("mistyped"));
        assert!(session.rejected_last("mistyped") && !session.rejected_last("configured"));
        session.accept("right");
        assert!(session.rejects("configured"), "another one was accepted");
        session.accept("configured");
        assert!(!session.rejects("configured"));
        for at in 0..2 * MOST_REFUSED {
            session.reject(&at.to_string(), &env);
        }
        assert_eq!(session.refused_passwords.len(), MOST_REFUSED);
    }

    #[test]
    fn tokens_rotate_and_absent_headers_leave_them() {
        let (mut session, _) = session();
        let url = Url::parse("https://idmsa.apple.com/appleauth/auth").expect("URL");
        let mut headers = HeaderMap::new();
        headers.insert("scnt", HeaderValue::from_static("first-scnt"));
        headers.insert("x-apple-session-token", HeaderValue::from_static("token-1"));
        let mut head = Head { status: 200, headers };
        assert!(session.absorb(&url, &head, true, 0));
        head.headers.remove("x-apple-session-token");
        head.headers.insert("scnt", HeaderValue::from_static("second-scnt"));
        assert!(session.absorb(&url, &head, true, 0));
        assert_eq!(session.tokens.scnt.as_ref().map(Secret::expose), Some("second-scnt"));
        assert_eq!(session.tokens.session_token.as_ref().map(Secret::expose), Some("token-1"));
        assert!(!session.absorb(&url, &head, true, 0));
    }

    #[test]
    fn the_trust_ends_when_its_cookie_says_and_is_due_at_half_of_its_life() {
        const DAY: i64 = 86_400;
        let url = Url::parse("https://setup.icloud.com/setup/ws/1/accountLogin").expect("URL");
        let told = |session: &mut Session, attribute: &str, now: i64| {
            let mut headers = HeaderMap::new();
            let text =
                format!("X-APPLE-WEBAUTH-HSA-TRUST=abcdefghij; Domain=icloud.com; Path=/; {attribute}");
            headers.insert("set-cookie", HeaderValue::from_str(&text).expect("a header"));
            session.absorb(&url, &Head { status: 200, headers }, false, now);
        };
        let (mut session, _) = session();
        let now = 1_800_000_000;
        // A relative age is a date from now on; where both are given it counts (RFC 6265).
        told(&mut session, "Max-Age=5184000; Expires=Tue, 01 Jan 2080 00:00:00 GMT", now);
        assert_eq!(session.trust_expires(), Some((now + 60 * DAY, false)));
        told(&mut session, "Expires=Fri, 15 Jan 2027 08:00:00 GMT", now - 60 * DAY);
        assert_eq!(session.trust_expires(), Some((now, false)));
        for life in [30, 60, 90] {
            let (mut session, _) = self::session();
            assert!(!session.is_trust_due(now), "nothing is known of a trust");
            told(&mut session, &format!("Max-Age={}", life * DAY), now);
            let due: Vec<i64> = (0..=life).filter(|day| session.is_trust_due(now + day * DAY)).collect();
            assert_eq!(due, (life / 2..life).collect::<Vec<_>>(), "{life}");
            // A try that brought nothing: the next one at half of what is left, never within a day.
            let tried = now + life / 2 * DAY;
            session.trust.retrust_tried_at = Some(tried);
            assert!(!session.is_trust_due(tried + DAY) && session.is_trust_due(tried + (life / 4 + 1) * DAY));
            // Not right after another sign-in either.
            let later = now + (life - 1) * DAY;
            session.trust.proven_at = Some(later - 899);
            assert!(!session.is_trust_due(later) && session.is_trust_due(later + 1));
            let told: Vec<i64> =
                (0..=life).filter_map(|day| session.trust_days_left(now + day * DAY)).collect();
            assert_eq!(told, (0..=14).rev().collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_upload_token_is_cut_out_of_its_cookie() {
        let (mut session, _) = session();
        let url = Url::parse("https://setup.icloud.com/setup/ws/1/validate").expect("URL");
        let mut headers = HeaderMap::new();
        headers.insert(
            "set-cookie",
            HeaderValue::from_static(
                "X-APPLE-WEBAUTH-VALIDATE=\"v=1:t=UPLOAD-TOKEN=:x=2\"; Domain=icloud.com; Path=/",
            ),
        );
        session.absorb(&url, &Head { status: 200, headers }, false, 0);
        assert_eq!(session.upload_token().as_deref(), Some("UPLOAD-TOKEN="));
    }
}
