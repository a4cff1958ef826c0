//! The one rest of the account, as every step of the sign-in and every drive call begins it (`docs/protocol.md` §16.1).

use std::time::Duration;

use super::error::SignInError;
use super::{Account, locked};
use crate::icloud::http::Answer;
use crate::icloud::throttle::{self, Cause, Rest};

impl Account {
    /// After an answer that must not be asked for again at once: the account rests, also after a restart.
    pub(super) fn back_off(&self, answer: Option<&Answer>) -> Result<Duration, SignInError> {
        self.begin_rest(Cause::SignIn, answer.and_then(throttle::wait_asked))
    }

    /// Begins or prolongs the rest, stores it and says how long it is.
    pub(super) fn begin_rest(&self, cause: Cause, asked: Option<Duration>) -> Result<Duration, SignInError> {
        let now = self.env.clock.reading();
        let span = self.session().back_off_more(now, cause, asked);
        self.save()?;
        log::warn!("iCloud asks for fewer requests; none is sent {}", throttle::told(span));
        Ok(span)
    }

    /// The sign-in was throttled, with this cause unless the answer knows better.
    pub(super) fn throttled(&self, answer: &Answer, cause: Cause) -> SignInError {
        let cause = match throttle::read(answer) {
            Some((Cause::Denied, _)) => Cause::Denied,
            _ => cause,
        };
        match self.begin_rest(cause, throttle::wait_asked(answer)) {
            Ok(left) => SignInError::Throttled { left },
            Err(error) => error,
        }
    }

    /// A drive call was throttled: the whole account rests. A rest of seconds is over before a restart, and is not stored.
    pub(in crate::icloud) fn rest(&self, cause: Cause, asked: Option<Duration>) {
        const STORED_FROM: Duration = Duration::from_secs(5);
        let now = self.env.clock.reading();
        let kept = self.reload().and_then(|_| {
            let known = self.session().back_off_left(now).is_some();
            let span = self.session().back_off_more(now, cause, asked);
            if span < STORED_FROM {
                return Ok(());
            }
            if !known {
                log::warn!("iCloud asks for fewer requests; none is sent {}", throttle::told(span));
            }
            self.save()
        });
        if let Err(error) = kept {
            log::warn!("{error}");
        }
    }

    /// The drive answered as usual: refusals in a row are counted anew.
    pub(in crate::icloud) fn answered(&self) {
        let now = self.env.clock.reading();
        let mut session = self.session();
        let over = |rest: &Rest| rest.ends_with_drive() && rest.left(now).is_none();
        if session.back_off.as_ref().is_some_and(over) {
            session.back_off = None;
            drop(session);
            locked(&self.saved).behind = true;
        }
    }

    /// How long nothing may be sent any more.
    pub fn rest_left(&self) -> Option<Duration> {
        self.session().back_off_left(self.env.clock.reading())
    }

    /// Ends the rest, because a person insists.
    ///
    /// # Errors
    ///
    /// [`SignInError::SessionFile`].
    pub fn end_rest(&self) -> Result<(), SignInError> {
        self.reload()?;
        if self.session().back_off.is_none() {
            return Ok(());
        }
        self.change(|session| session.back_off = None)
    }
}
