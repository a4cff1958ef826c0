//! Takes a session from elsewhere, and gives ours (`docs/protocol.md` §5.6).

use url::Url;

use super::error::SignInError;
use super::foreign::{EXPORT_VERSION, Export, Foreign};
use super::{Account, Login, json};
use crate::icloud::cookies::ForeignCookie;
use crate::icloud::options::is_below;
use crate::icloud::session::{Session, TRUST_COOKIE};
use crate::secret::Secret;

/// Cookies of these domains make a session; others of the same browser are nobody's business here.
const DOMAINS: [&str; 4] = ["icloud.com", "icloud.com.cn", "apple.com", "apple.com.cn"];

impl Account {
    /// Takes a session that a browser or another machine made: it is shown to the service, and stored only once the service
    /// confirms it. `known` is the number of the account that this machine's folder belongs to, if any; the session of
    /// another one is refused.
    ///
    /// # Errors
    ///
    /// [`SignInError::Import`] when it is none, ran out, or is another account's; else as [`Account::climb`]. The session of
    /// before stays then.
    pub fn import_session(&self, foreign: Foreign, known: Option<&str>) -> Result<(), SignInError> {
        self.reload()?;
        let refused = |reason: &str| SignInError::Import { reason: reason.to_owned() };
        let before = self.session().clone();
        let mut session = Session::new(&self.options.account(), &self.roots.setup, &self.env);
        session.tokens = foreign.tokens;
        if let Some(client_id) = foreign.client_id {
            session.client_id = client_id;
        }
        for cookie in &foreign.cookies {
            if let Some(url) = self.url_for(cookie) {
                session.cookies.put(&url, &cookie.name, &cookie.value, cookie.expires);
            }
        }
        if !session.has_cookies() {
            return Err(refused("it has no live X-APPLE-WEBAUTH-TOKEN cookie of iCloud's"));
        }
        if session.tokens.trust_token.is_none() {
            // The cookie is the token (§5.6).
            let trust = session.cookies.value(TRUST_COOKIE).map(|value| value.trim_matches('"').to_owned());
            session.tokens.trust_token = trust.map(Secret::new);
        }
        if let Some(end) = session.cookies.expires(TRUST_COOKIE) {
            session.trust.learn(end, self.now());
        }
        session.refused_passwords.clone_from(&before.refused_passwords);
        session.back_off.clone_from(&before.back_off);
        let known = known.map(str::to_owned).or_else(|| before.info.as_ref().map(|info| info.dsid.clone()));
        *self.session() = session;
        let outcome = self.confirm_import(known.as_deref());
        match outcome {
            Ok(()) => self.change(|_| ()),
            Err(error) => {
                // A rest that began just now stays.
                let rest = self.session().back_off.take();
                self.change(|session| *session = Session { back_off: rest, ..before })?;
                Err(error)
            }
        }
    }

    fn confirm_import(&self, known: Option<&str>) -> Result<(), SignInError> {
        let refused = |reason: &str| Err(SignInError::Import { reason: reason.to_owned() });
        match self.validate()? {
            Login::Ready => {}
            Login::Factor(_) => {
                return refused("iCloud does not trust it; sign in there with \"Keep me signed in\"");
            }
            Login::Gone => return refused("iCloud does not accept it any more"),
        }
        let dsid = self.info().map(|info| info.dsid).unwrap_or_default();
        if known.is_some_and(|known| !known.is_empty() && known != dsid) {
            return refused("it belongs to another account than this folder");
        }
        if !self.session().has_cookies() {
            return Err(SignInError::Repair);
        }
        Ok(())
    }

    /// Where a cookie from elsewhere belongs. While the service itself is elsewhere, what is iCloud's belongs there.
    fn url_for(&self, cookie: &ForeignCookie) -> Option<Url> {
        let setup = Url::parse(&self.roots.setup).ok()?;
        let host = setup.host_str()?;
        let is_apple = DOMAINS.iter().any(|domain| is_below(&cookie.domain, domain));
        if !DOMAINS.iter().any(|domain| is_below(host, domain)) {
            let fits = cookie.domain == host || is_below(&cookie.domain, "icloud.com");
            return fits.then_some(setup);
        }
        is_apple.then(|| Url::parse(&format!("https://{}/", cookie.domain)).ok()).flatten()
    }

    /// Our session for another machine, as JSON. Whoever has it has the account's Drive.
    ///
    /// # Errors
    ///
    /// [`SignInError::NotSignedIn`].
    pub fn export_session(&self) -> Result<Vec<u8>, SignInError> {
        self.reload()?;
        let session = self.session().clone();
        let Some(info) =
            session.info.as_ref().filter(|_| session.has_cookies() && session.half_open.is_none())
        else {
            return Err(SignInError::NotSignedIn);
        };
        let mut tokens = session.tokens.clone();
        tokens.forget_context();
        let mut text = json(&Export {
            icloudds_session: EXPORT_VERSION,
            dsid: info.dsid.clone(),
            client_id: session.client_id.clone(),
            tokens,
            cookies: session.cookies.all(),
        });
        text.push(b'\n');
        Ok(text)
    }
}
