//! `Set-Cookie` values with the attributes of docs/protocol.md §5.2.

use std::time::{Duration, SystemTime};

use crate::http::Request;
use crate::route::is_public_name;

/// Which of the two cookie domains a cookie belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realm {
    /// `.icloud.com`, or `.icloud.com.cn`.
    ICloud,
    /// `.apple.com`.
    Apple,
    /// Only the sign-in host itself.
    SignIn,
}

/// The value of a `Set-Cookie` header. `expires` is absent for a session cookie. On loopback the cookie is the host's own and not
/// `Secure`, because there is no TLS and no domain there.
#[must_use]
pub fn set(request: &Request, realm: Realm, name: &str, value: &str, expires: Option<SystemTime>) -> String {
    let mut text = format!("{name}={value}; Path=/");
    let host = request.host_name();
    if is_public_name(&host) {
        let end = if host.ends_with(".cn") { ".cn" } else { "" };
        match realm {
            Realm::ICloud => text.push_str(&format!("; Domain=.icloud.com{end}")),
            Realm::Apple => text.push_str(&format!("; Domain=.apple.com{end}")),
            Realm::SignIn => {}
        }
        text.push_str("; Secure");
    }
    if let Some(expires) = expires {
        text.push_str("; Expires=");
        text.push_str(&http_date(expires));
    }
    text.push_str("; HttpOnly");
    text
}

/// The `Set-Cookie` value that deletes a cookie: an empty value that has expired.
#[must_use]
pub fn delete(request: &Request, realm: Realm, name: &str) -> String {
    set(request, realm, name, "", Some(SystemTime::UNIX_EPOCH))
}

/// A date as HTTP writes it; times out of range become the epoch.
#[must_use]
pub fn http_date(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    let timestamp = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&timestamp)
        .unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 GMT".to_owned())
}

/// A cookie's value without the quotes around it: clients may send either.
#[must_use]
pub fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::no_body;

    fn request(host: &str) -> Request {
        Request {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            raw_path: "/".to_owned(),
            query: Vec::new(),
            headers: vec![("Host".to_owned(), host.to_owned())],
            body: no_body(),
            content_length: Some(0),
            head_len: 0,
            connection: 1,
            local_host: "127.0.0.1:9".to_owned(),
        }
    }

    #[test]
    fn attributes_follow_the_host() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_774_461_234);
        assert_eq!(
            set(&request("setup.icloud.com.cn"), Realm::ICloud, "a", "\"b\"", Some(at)),
            "a=\"b\"; Path=/; Domain=.icloud.com.cn; Secure; Expires=Wed, 25 Mar 2026 17:53:54 GMT; HttpOnly"
        );
        assert_eq!(set(&request("127.0.0.1:80"), Realm::Apple, "a", "b", None), "a=b; Path=/; HttpOnly");
    }
}
