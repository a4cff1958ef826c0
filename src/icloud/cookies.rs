//! The cookies of a session, with all their attributes (`docs/protocol.md` §5.2).

use std::cmp::Reverse;

use cookie_store::{Cookie, CookieDomain, CookieExpiration, CookieStore};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use super::http::Head;
use crate::secret;

/// Shorter cookie values are language codes and the like; masking them would only harm logs.
const SHORTEST_SECRET: usize = 10;

/// One cookie, as it goes from one machine, or program, to another: as far as the form tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignCookie {
    /// Its name.
    pub name: String,
    /// Its value, quotes kept.
    pub value: String,
    /// The host or domain, without a leading dot.
    pub domain: String,
    /// Seconds since 1970; absent for session cookies, and where the form does not tell.
    #[serde(default)]
    pub expires: Option<i64>,
}

/// The cookie jar. Stored whole, session cookies included.
#[derive(Clone, Default)]
pub struct Cookies(CookieStore);

impl Cookies {
    /// Takes every `Set-Cookie` of an answer from `url`; tells whether anything changed.
    ///
    /// An empty value deletes the cookie, and so does an end that lies before the answer by the service's own clock.
    pub fn absorb(&mut self, url: &Url, head: &Head) -> bool {
        let mut changed = false;
        for text in head.header_all("set-cookie") {
            // An unusable cookie is passed over, as browsers do. Its text is never shown.
            let Ok(cookie) = Cookie::parse(text, url) else { continue };
            let mut cookie = cookie.into_owned();
            let domain = String::from(&cookie.domain);
            let path = String::from(&cookie.path);
            // One for all hosts of a top-level domain is nobody's to set.
            let is_wide = matches!(&cookie.domain, CookieDomain::Suffix(suffix) if !suffix.contains('.'));
            if is_wide && url.host_str() != Some(&*domain) {
                continue;
            }
            if cookie.value().trim_matches('"').is_empty() || is_taken_back(&cookie, head) {
                changed |= self.0.remove(&domain, &path, cookie.name()).is_some();
                continue;
            }
            keep_secret(cookie.value());
            if cookie.is_expired() {
                // By our clock only, which is ahead. When it ends is not worth the cookie.
                cookie.expires = CookieExpiration::SessionEnd;
            }
            let same = self
                .0
                .get_any(&domain, &path, cookie.name())
                .is_some_and(|old| old.value() == cookie.value() && old.expires == cookie.expires);
            if !same {
                changed |= self.0.insert(cookie, url).is_ok();
            }
        }
        changed
    }

    /// Puts in a cookie from elsewhere, as if `url` had set it: for the whole domain of iCloud's hosts, else for the host. One
    /// that has expired, or cannot be a cookie, is passed over.
    pub fn put(&mut self, url: &Url, name: &str, value: &str, expires: Option<i64>) {
        let domain = match url.host_str() {
            Some(host)
                if url.scheme() == "https"
                    && host.parse::<std::net::IpAddr>().is_err()
                    && host != "localhost" =>
            {
                format!("; Domain={host}; Secure")
            }
            _ => String::new(),
        };
        let date = expires
            .and_then(|at| jiff::Timestamp::from_second(at).ok())
            .and_then(|at| jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok());
        let expires = date.map(|date| format!("; Expires={date}")).unwrap_or_default();
        let text = format!("{name}={value}; Path=/{domain}{expires}");
        // A value with a semicolon or a line end would be read as something else.
        if [name, value].iter().any(|part| part.contains([';', '\r', '\n'])) || name.is_empty() {
            return;
        }
        if let Ok(cookie) = Cookie::parse(text.as_str(), url) {
            keep_secret(value);
            let _ = self.0.insert(cookie.into_owned(), url);
        }
    }

    /// Every cookie, for another machine.
    pub fn all(&self) -> Vec<ForeignCookie> {
        let mut cookies: Vec<_> = self
            .0
            .iter_any()
            .map(|cookie| ForeignCookie {
                name: cookie.name().to_owned(),
                value: cookie.value().to_owned(),
                domain: String::from(&cookie.domain),
                expires: match &cookie.expires {
                    CookieExpiration::AtUtc(at) => Some(at.unix_timestamp()),
                    CookieExpiration::SessionEnd => None,
                },
            })
            .collect();
        cookies.sort_by(|one, other| (&one.domain, &one.name).cmp(&(&other.domain, &other.name)));
        cookies
    }

    /// The `Cookie` header for a request to `url`, when any cookie belongs there.
    ///
    /// A cookie whose end has come by the clock of this machine goes along: that clock may be wrong for a while, and the service
    /// knows by itself what it takes.
    pub fn header(&self, url: &Url) -> Option<String> {
        let mut cookies: Vec<_> = self.0.iter_any().filter(|cookie| cookie.matches(url)).collect();
        // Of one name and path the one of the nearer domain comes first, so that the same cookies always make the same header.
        cookies.sort_by_key(|cookie| {
            let (path, domain) = (String::from(&cookie.path), String::from(&cookie.domain));
            (Reverse(path.len()), cookie.name().to_owned(), Reverse(domain.len()), domain)
        });
        let pairs: Vec<String> =
            cookies.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The value of the first cookie of that name, quotes kept; of one that has not ended, if there is one.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.first(name).map(|cookie| cookie.value())
    }

    /// When the cookie of that name expires, in seconds since 1970; absent for session cookies.
    pub fn expires(&self, name: &str) -> Option<i64> {
        match &self.first(name)?.expires {
            CookieExpiration::AtUtc(at) => Some(at.unix_timestamp()),
            CookieExpiration::SessionEnd => None,
        }
    }

    fn first(&self, name: &str) -> Option<&Cookie<'static>> {
        self.0.iter_unexpired().chain(self.0.iter_any()).find(|cookie| cookie.name() == name)
    }
}

/// Whether the service takes a cookie back with this answer: its end lies before the answer, by the clock that both are from.
fn is_taken_back(cookie: &Cookie<'_>, head: &Head) -> bool {
    match (cookie.max_age(), cookie.expires_datetime()) {
        (Some(age), _) => !age.is_positive(),
        (None, Some(end)) => head.date().map_or(cookie.is_expired(), |sent| end.unix_timestamp() <= sent),
        (None, None) => false,
    }
}

/// The end that an answer gives to the cookie of that name, in seconds since 1970; `now` is what an age counts from.
pub(super) fn end_of(name: &str, url: &Url, head: &Head, now: i64) -> Option<i64> {
    let set = head.header_all("set-cookie").filter_map(|text| Cookie::parse(text, url).ok());
    // Of two cookies of one name the last one stays.
    let cookie =
        set.filter(|cookie| cookie.name() == name && !cookie.value().trim_matches('"').is_empty()).last()?;
    let age = cookie.max_age().map(|age| now.saturating_add(age.whole_seconds()));
    age.or_else(|| Some(cookie.expires_datetime()?.unix_timestamp()))
}

/// A value and the tokens in it: some cookies are lists like `"v=1:t=TOKEN"`.
fn keep_secret(value: &str) {
    let bare = value.trim_matches('"');
    let parts = bare.split(':').filter_map(|part| part.split_once('=').map(|(_, token)| token));
    for text in std::iter::once(bare).chain(parts) {
        if text.len() >= SHORTEST_SECRET {
            secret::register(text);
        }
    }
}

impl Serialize for Cookies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all: Vec<_> = self.0.iter_any().collect();
        all.sort_by_key(|cookie| {
            (String::from(&cookie.domain), String::from(&cookie.path), cookie.name().to_owned())
        });
        serializer.collect_seq(all)
    }
}

impl<'de> Deserialize<'de> for Cookies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored: Vec<Cookie<'static>> = Vec::deserialize(deserializer)?;
        for cookie in &stored {
            keep_secret(cookie.value());
        }
        CookieStore::from_cookies(stored.into_iter().map(Ok::<_, D::Error>), true).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::{HeaderMap, HeaderValue};

    fn answer(cookies: &[&str]) -> Head {
        let mut headers = HeaderMap::new();
        for text in cookies {
            headers.append("set-cookie", HeaderValue::from_str(text).expect("header text"));
        }
        Head { status: 200, headers }
    }

    fn url(text: &str) -> Url {
        Url::parse(text).expect("URL")
    }

    const SETUP: &str = "https://setup.icloud.com/setup/ws/1/accountLogin";

    #[test]
    fn a_domain_cookie_reaches_the_services_also_after_a_reload() {
        let mut jar = Cookies::default();
        let far = "Expires=Tue, 01 Jan 2080 00:00:00 GMT";
        let changed = jar.absorb(
            &url(SETUP),
            &answer(&[
                &format!(
                    "X-APPLE-WEBAUTH-HSA-TRUST=abc; Domain=.icloud.com; Path=/; Secure; HttpOnly; {far}"
                ),
                "X-APPLE-WEBAUTH-VALIDATE=\"v=1:t=UPLOAD:e=2\"; Domain=.icloud.com; Path=/; Secure",
                "here=only; Path=/setup",
            ]),
        );
        assert!(changed);
        let stored = serde_json::to_string(&jar).expect("stored");
        let jar: Cookies = serde_json::from_str(&stored).expect("read back");
        let drive = jar.header(&url("https://p31-drivews.icloud.com/x")).expect("cookies");
        assert_eq!(drive, "X-APPLE-WEBAUTH-HSA-TRUST=abc; X-APPLE-WEBAUTH-VALIDATE=\"v=1:t=UPLOAD:e=2\"");
        assert!(jar.header(&url(SETUP)).expect("cookies").contains("here=only"));
        assert_eq!(jar.expires("X-APPLE-WEBAUTH-HSA-TRUST"), Some(3_471_292_800));
        assert_eq!(jar.expires("X-APPLE-WEBAUTH-VALIDATE"), None);
        assert_eq!(jar.header(&url("https://example.com/")), None);
        assert_eq!(jar.header(&url("http://p31-drivews.icloud.com/x")), None);
    }

    #[test]
    fn an_empty_value_deletes_and_a_repeated_one_changes_nothing() {
        let mut jar = Cookies::default();
        let login = url(SETUP);
        assert!(jar.absorb(&login, &answer(&["a=value; Domain=icloud.com; Path=/"])));
        assert!(!jar.absorb(&login, &answer(&["a=value; Domain=icloud.com; Path=/"])));
        assert!(jar.absorb(&login, &answer(&["a=; Domain=icloud.com; Path=/"])));
        assert_eq!(jar.value("a"), None);
        assert!(!jar.absorb(&login, &answer(&["b=1; Domain=example.com", "nonsense"])));
    }

    /// The clock of this machine is years ahead of the service's for a while, or was years behind when the cookie came.
    #[test]
    fn only_the_service_ends_a_cookie() {
        let login = url(SETUP);
        let mut jar = Cookies::default();
        let dated = |cookie: &str| {
            let mut answer = answer(&[cookie]);
            answer.headers.insert("date", HeaderValue::from_static("Sun, 22 Nov 2015 10:00:00 GMT"));
            answer
        };
        assert!(jar.absorb(
            &login,
            &dated("a=value; Domain=icloud.com; Path=/; Expires=Fri, 22 Jan 2016 10:00:00 GMT")
        ));
        let stored = r#"[{"raw_cookie":"b=value; Path=/; Domain=icloud.com; Expires=Sun, 01 Mar 1970 00:00:00 GMT","path":["/",true],"domain":{"Suffix":"icloud.com"},"expires":{"AtUtc":"1970-03-01T00:00:00Z"}}]"#;
        let old: Cookies = serde_json::from_str(stored).expect("read back");
        for (jar, name) in [(&jar, "a"), (&old, "b")] {
            let stored = serde_json::to_string(jar).expect("stored");
            let again: Cookies = serde_json::from_str(&stored).expect("read back");
            for jar in [jar, &again] {
                assert_eq!(jar.value(name), Some("value"));
                assert_eq!(jar.header(&login), Some(format!("{name}=value")));
                assert_eq!(jar.all().len(), 1);
            }
        }
        assert_eq!(old.expires("b"), Some(5_097_600));
        assert!(!jar.absorb(
            &login,
            &dated("a=value; Domain=icloud.com; Path=/; Expires=Fri, 22 Jan 2016 10:00:00 GMT")
        ));
        for end in ["Expires=Sun, 22 Nov 2015 09:59:59 GMT", "Max-Age=0", "Max-Age=-5"] {
            let mut jar = jar.clone();
            assert!(
                jar.absorb(&login, &dated(&format!("a=value; Domain=icloud.com; Path=/; {end}"))),
                "{end}"
            );
            assert_eq!((jar.value("a"), jar.header(&login)), (None, None), "{end}");
        }
    }

    #[test]
    fn a_cookie_for_a_whole_top_level_domain_is_not_taken() {
        let mut jar = Cookies::default();
        assert!(
            !jar.absorb(
                &url(SETUP),
                &answer(&["a=value; Domain=com; Path=/", "b=value; Domain=.com; Path=/"])
            )
        );
        assert_eq!(jar.header(&url("https://example.com/")), None);
        let local = url("http://localhost:8080/setup");
        assert!(jar.absorb(&local, &answer(&["a=value; Domain=localhost; Path=/"])));
        assert_eq!(jar.header(&local).as_deref(), Some("a=value"));
    }

    #[test]
    fn cookies_of_one_name_go_out_in_one_order() {
        let texts = ["a=far; Domain=icloud.com; Path=/", "a=near; Path=/"];
        let headers = (0..20).map(|turn: usize| {
            let mut jar = Cookies::default();
            for text in texts.iter().cycle().skip(turn).take(2) {
                jar.absorb(&url(SETUP), &answer(&[text]));
            }
            jar.header(&url(SETUP)).expect("cookies")
        });
        let headers: std::collections::BTreeSet<_> = headers.collect();
        assert_eq!(headers.len(), 1, "{headers:?}");
        assert!(headers.iter().all(|header| header.ends_with("a=far")), "{headers:?}");
    }
}
