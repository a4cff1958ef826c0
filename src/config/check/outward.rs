//! What the program shows and tells to others: the web page and the notifications.

use super::super::raw::RawConfig;
use super::super::template::Template;
use super::super::types::{Notify, Web};
use super::super::values;
use super::{Checker, ConfigError};
use crate::secret::Secret;

/// Shorter tokens can be guessed by trying.
const SHORTEST_TOKEN: usize = 16;

impl Checker<'_> {
    pub(super) fn web(&self, raw: &RawConfig) -> Result<Web, ConfigError> {
        let token = self.secret("web.token", &raw.web.token, &raw.web.token_file)?;
        let hosts = self.hosts(&raw.web.allowed_hosts)?;
        if raw.web.listen.is_empty() {
            return Ok(Web { listen: None, token, hosts });
        }
        let listen = values::listen(&raw.web.listen).ok_or_else(|| {
            self.invalid(
                "web.listen",
                "must be an address and a port, such as \"127.0.0.1:8384\" or \"[::]:8384\"",
            )
        })?;
        if token.is_none() && !listen.ip().to_canonical().is_loopback() {
            let problem = "web.token or web.token_file is required when listening on anything but loopback";
            return Err(self.invalid("web.listen", problem));
        }
        if let Some(token) = &token {
            self.token(token, raw.web.token.is_empty())?;
        }
        Ok(Web { listen: Some(listen), token, hosts })
    }

    fn token(&self, token: &Secret, from_file: bool) -> Result<(), ConfigError> {
        let key = if from_file { "web.token_file" } else { "web.token" };
        let text = token.expose();
        if text.len() < SHORTEST_TOKEN {
            let problem = format!(
                "the token must have at least {SHORTEST_TOKEN} characters: `openssl rand -hex 16` makes one"
            );
            return Err(self.invalid(key, problem));
        }
        // What a header cannot carry could never be presented.
        if !text.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
            return Err(
                self.invalid(key, "the token must be of ASCII letters, digits and signs, without blanks")
            );
        }
        Ok(())
    }

    fn hosts(&self, written: &[String]) -> Result<Vec<String>, ConfigError> {
        let is_name = |name: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            !name.is_empty() && name.chars().all(fits)
        };
        for (index, name) in written.iter().enumerate() {
            if !is_name(name) {
                let key = format!("web.allowed_hosts[{index}]");
                let origin = self.effective.origin(&key);
                let problem = "must be the name of a host alone, such as \"nas.example\"".to_owned();
                return Err(ConfigError::Invalid { key, value: super::quote(name), origin, problem });
            }
        }
        Ok(written.iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect())
    }

    pub(super) fn notify(&self, raw: &RawConfig) -> Result<Notify, ConfigError> {
        let notify = &raw.notify;
        let body = Template::parse(&notify.body).map_err(|problem| self.invalid("notify.body", problem))?;
        Ok(Notify {
            webhook: self.outward_url("notify.webhook", &notify.webhook, &notify.webhook_file)?,
            body,
            ping: self.outward_url("notify.ping", &notify.ping, &notify.ping_file)?,
        })
    }

    /// A URL that is a secret, because who knows it may post to it.
    fn outward_url(&self, dotted: &str, written: &str, file: &str) -> Result<Option<Secret>, ConfigError> {
        let url = self.secret(dotted, written, file)?;
        if let Some(url) = &url {
            let key = if written.is_empty() { format!("{dotted}_file") } else { dotted.to_owned() };
            values::http_url(url.expose())
                .map_err(|_| self.invalid(&key, "must be a URL that starts with http:// or https://"))?;
        }
        Ok(url)
    }
}
