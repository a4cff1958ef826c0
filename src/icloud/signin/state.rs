//! What is known of the session without asking anybody.

use std::time::Duration;

use super::error::FactorKind;
use super::{Account, locked};
use crate::icloud::session::SESSION_COOKIE;

/// What is known of the session without asking anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionState {
    /// Whether the services would be shown a session.
    pub signed_in: bool,
    /// The second factor that is waited for.
    pub needs_code: Option<FactorKind>,
    /// Whether a code was accepted already, and only what follows it is missing.
    pub code_accepted: bool,
    /// Whether a password was given.
    pub has_password: bool,
    /// The time left of a back-off.
    pub back_off: Option<Duration>,
    /// Since when this machine knows the trust that it has, in seconds since 1970: the age of the session.
    pub trust_began: Option<i64>,
    /// When the trust runs out, in seconds since 1970, and whether that is only estimated.
    pub trust_expires: Option<(i64, bool)>,
    /// The whole days that the trust still lasts, from a fortnight before its end on.
    pub trust_days_left: Option<i64>,
    /// When the session's cookie ends, in seconds since 1970, where it says so.
    pub session_ends: Option<i64>,
    /// When the service last confirmed the session, in seconds since 1970.
    pub confirmed_at: Option<i64>,
}

impl Account {
    /// What is known of the session without asking anybody.
    pub fn state(&self) -> SessionState {
        let password = locked(&self.password).clone();
        let session = self.session();
        SessionState {
            signed_in: session.info.is_some() && session.has_cookies() && session.half_open.is_none(),
            needs_code: session.half_open.as_ref().map(|half| half.kind),
            code_accepted: session.half_open.as_ref().is_some_and(|half| half.accepted.is_some()),
            has_password: password.is_some(),
            back_off: session.back_off_left(self.env.clock.reading()),
            trust_began: session.trust.trusted_at.or(session.trust.trust_began),
            trust_expires: session.trust_expires(),
            trust_days_left: session.trust_days_left(self.now()),
            session_ends: session.cookies.expires(SESSION_COOKIE),
            confirmed_at: session.info.as_ref().map(|info| info.confirmed_at),
        }
    }

    /// Whether the password at hand was refused before; `last`: whether it is the one that was refused last. This takes a
    /// moment: what is stored of refused passwords is slow to compare with on purpose.
    pub fn password_rejected(&self, last: bool) -> bool {
        let Some(password) = locked(&self.password).clone() else { return false };
        let session = self.session().clone();
        if last { session.rejected_last(password.expose()) } else { session.rejects(password.expose()) }
    }
}
