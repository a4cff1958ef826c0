//! Keeping the trust of this machine: the password and the trust token renew it without a code (`docs/protocol.md` §5.4).

use super::error::SignInError;
use super::{Account, Login};
use crate::secret::Secret;

impl Account {
    /// Renews the trust where that is due and the password is kept; tells whether it was. The session in use goes on
    /// whatever comes of it: a trust that is not accepted any more leads to no question for a code while the session holds.
    ///
    /// # Errors
    ///
    /// [`SignInError`] when the renewal broke off.
    pub fn prolong_trust(&self) -> Result<bool, SignInError> {
        self.reload()?;
        let now = self.now();
        let before = self.session().clone();
        let usable =
            before.half_open.is_none() && before.has_cookies() && before.tokens.trust_token.is_some();
        if !usable || !before.is_trust_due(now) || self.rest_left().is_some() {
            return Ok(false);
        }
        let password = match self.password_at_hand() {
            Ok(password) => password,
            Err(SignInError::MissingPassword | SignInError::RejectedBefore) => return Ok(false),
            Err(error) => return Err(error),
        };
        self.change(|session| session.trust.retrust_tried_at = Some(now))?;
        log::info!("renewing the trust of this machine with the password");
        let renewed = self.renew_trust(&password);
        match &renewed {
            Ok(true) => self.change(|session| session.trust.trusted_at = Some(now))?,
            _ => self.change(|session| {
                session.tokens = before.tokens;
                session.cookies = before.cookies;
                session.info = before.info;
                session.half_open = None;
            })?,
        }
        if matches!(renewed, Ok(false)) {
            log::warn!(
                "iCloud wants a code before it renews the trust of this machine: run `icloudds login`"
            );
        }
        renewed
    }

    fn renew_trust(&self, password: &Secret) -> Result<bool, SignInError> {
        {
            let mut session = self.session();
            session.tokens.forget_context();
            session.tokens.session_token = None;
        }
        if self.prove_password(password.expose())?.is_some() {
            return Ok(false);
        }
        Ok(self.account_login()? == Login::Ready)
    }
}
