//! What the client must be told: the account, the region, the service's roots.

use std::path::PathBuf;

use url::{Host, Url};

use super::http::{HttpOptions, USER_AGENT};
pub use crate::model::policy::Region;

/// The options of the iCloud client, as the configuration gives them.
#[derive(Clone, Debug, Default)]
pub struct IcloudOptions {
    /// `account.username`, as typed.
    pub username: String,
    /// `account.region`.
    pub region: Region,
    /// `icloud.home`; empty or absent = the region's.
    pub home: Option<String>,
    /// `icloud.setup`.
    pub setup: Option<String>,
    /// `icloud.auth`.
    pub auth: Option<String>,
    /// `tls.ca_file`.
    pub ca_file: Option<PathBuf>,
    /// `proxy.url`.
    pub proxy: Option<String>,
    /// `sync.state_directory`; holds `session.json`.
    pub state_directory: PathBuf,
}

impl IcloudOptions {
    /// The account name in its one form: trimmed and lower-cased (`docs/protocol.md` §3.0).
    pub fn account(&self) -> String {
        self.username.trim().to_lowercase()
    }

    /// The options of the HTTP client.
    pub fn http(&self) -> HttpOptions {
        HttpOptions {
            ca_file: self.ca_file.clone(),
            proxy: self.proxy.clone(),
            user_agent: USER_AGENT.to_owned(),
        }
    }
}

/// The roots of `docs/protocol.md` §2, without trailing slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// `{home}`, also the origin of most calls.
    pub home: String,
    /// `{setup}`.
    pub setup: String,
    /// The candidates for `{auth}`, the preferred one first.
    pub auth: Vec<String>,
    /// The `redirect_uri` of the sign-in calls.
    pub redirect: String,
}

impl Roots {
    /// The region's roots with the overrides applied.
    ///
    /// # Errors
    ///
    /// The key and what is wrong with it, when an override is not an `https` URL (plain `http`
    /// is allowed on loopback hosts only).
    pub fn new(options: &IcloudOptions) -> Result<Self, RootError> {
        let (home, setup, auth): (_, _, &[&str]) = match options.region {
            Region::Global => (
                "https://www.icloud.com",
                "https://setup.icloud.com/setup/ws/1",
                &["https://idmsa.apple.com/appleauth/auth"],
            ),
            // Which host serves China is disputed, so both are tried (§2, open question 25).
            Region::China => (
                "https://www.icloud.com.cn",
                "https://setup.icloud.com.cn/setup/ws/1",
                &["https://idmsa.apple.com/appleauth/auth", "https://idmsa.apple.com.cn/appleauth/auth"],
            ),
        };
        let auth = match given(&options.auth) {
            Some(own) => vec![checked("icloud.auth", own)?],
            None => auth.iter().map(|&root| root.to_owned()).collect(),
        };
        Ok(Self {
            home: checked("icloud.home", given(&options.home).unwrap_or(home))?,
            setup: checked("icloud.setup", given(&options.setup).unwrap_or(setup))?,
            auth,
            redirect: home.to_owned(),
        })
    }
}

/// An unusable override of a service root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct RootError {
    /// The configuration key.
    pub key: &'static str,
    /// What is wrong.
    pub reason: &'static str,
}

fn given(setting: &Option<String>) -> Option<&str> {
    setting.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn checked(key: &'static str, text: &str) -> Result<String, RootError> {
    let refuse = |reason| RootError { key, reason };
    let url = Url::parse(text).map_err(|_| refuse("not a URL"))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("must have no query and no fragment"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(refuse("http is allowed for loopback hosts only; use https")),
        _ => return Err(refuse("must start with https://")),
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether a URL names this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a host is `domain` or below it.
pub fn is_below(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_host_beyond_ascii_is_refused_and_ends_nothing() {
        for text in [
            "http:N\u{fffd}",
            "https://\u{fc}BER.icloud.com/",
            "https://p31-drivews.icloud.com\u{ff0e}EXAMPLE",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn roots_follow_the_region_and_the_overrides() {
        let mut options = IcloudOptions { region: Region::China, ..Default::default() };
        let roots = Roots::new(&options).expect("built in");
        assert_eq!(roots.auth.len(), 2);
        assert!(roots.auth[0].contains("idmsa.apple.com/"));
        assert_eq!(roots.redirect, "https://www.icloud.com.cn");
        options.auth = Some("http://127.0.0.1:8080/auth/".to_owned());
        assert_eq!(Roots::new(&options).expect("loopback").auth, ["http://127.0.0.1:8080/auth"]);
        options.setup = Some("http://setup.example/".to_owned());
        let refused = Roots::new(&options).expect_err("plain http");
        assert!(refused.to_string().starts_with("icloud.setup: http is allowed"), "{refused}");
    }

    #[test]
    fn a_look_alike_domain_is_not_below() {
        assert!(is_below("p31-docws.icloud.com", "icloud.com"));
        assert!(!is_below("evilicloud.com", "icloud.com"));
    }

    #[test]
    fn the_account_name_has_one_form() {
        let options = IcloudOptions { username: " Me@Example.COM\n".to_owned(), ..Default::default() };
        assert_eq!(options.account(), "me@example.com");
    }
}
