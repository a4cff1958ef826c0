//! Why an HTTP exchange failed before an answer could be judged.

use std::io;
use std::path::PathBuf;

/// A failure below the protocol: name resolution, connection, TLS, time, size.
///
/// No variant carries a path, a query, a header or a body, so each may be shown and logged.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection could be made: name not found, refused, no route.
    #[error("{host} cannot be reached: {reason}; check the network connection")]
    Unreachable {
        /// The host of the request.
        host: String,
        /// The system's words.
        reason: String,
    },
    /// A time limit of [`Limits`](super::http::Limits) passed.
    #[error("{host} did not answer in time ({what})")]
    Timeout {
        /// The host of the request.
        host: String,
        /// Which limit passed.
        what: &'static str,
    },
    /// The TLS handshake failed; certificates are always verified.
    #[error(
        "no secure connection to {host}: {reason}; if a proxy inspects the traffic, name its CA in tls.ca_file"
    )]
    Tls {
        /// The host of the request.
        host: String,
        /// What the TLS library found.
        reason: String,
    },
    /// The service's certificate is not valid at the time of this machine's clock.
    #[error("no secure connection to {host}: {reason}")]
    CertificateTime {
        /// The host of the request.
        host: String,
        /// Both times, and what to do.
        reason: String,
    },
    /// The connection broke after it was made; the request may or may not have arrived.
    #[error("the connection to {host} broke: {reason}")]
    Lost {
        /// The host of the request.
        host: String,
        /// The system's words.
        reason: String,
    },
    /// The answer is larger than the call's limit.
    #[error("the answer of {host} is larger than {limit} bytes")]
    TooLarge {
        /// The host of the request.
        host: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The answer is not HTTP.
    #[error("the answer of {host} is not understandable HTTP: {reason}")]
    Malformed {
        /// The host of the request.
        host: String,
        /// What was wrong.
        reason: String,
    },
    /// The proxy refused, or its setting is unusable.
    #[error("proxy: {reason}; check proxy.url or HTTPS_PROXY")]
    Proxy {
        /// What was wrong, without credentials.
        reason: String,
    },
    /// `tls.ca_file` cannot be read, or holds no certificate.
    #[error("tls.ca_file {path}: {reason}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// The request could not be built: a URL or a header that HTTP cannot carry.
    #[error("request to {host} cannot be sent: {reason}")]
    Unsendable {
        /// The host, or `?` when the URL has none.
        host: String,
        /// What was wrong.
        reason: String,
    },
    /// The account rests, so nothing was sent.
    #[error("iCloud asks for fewer requests; none is sent {}", super::throttle::told(*.left))]
    Resting {
        /// The time left.
        left: std::time::Duration,
    },
    /// The caller's reader failed or ended early while its content was sent.
    #[error("reading the content to send: {0}")]
    Payload(#[source] io::Error),
}

impl HttpError {
    /// Whether the same request may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Lost { .. } | Self::Malformed { .. } => {
                true
            }
            // A captive portal or an inspecting proxy comes and goes with the network.
            Self::Tls { .. } | Self::Proxy { .. } | Self::Resting { .. } => true,
            // A machine without a clock of its own gets its time from the network.
            Self::CertificateTime { .. } => true,
            Self::TooLarge { .. } | Self::CaFile { .. } | Self::Unsendable { .. } | Self::Payload(_) => false,
        }
    }

    /// Whether the request surely never reached the service.
    pub fn is_before_sending(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Tls { .. }
            | Self::CertificateTime { .. }
            | Self::Proxy { .. }
            | Self::CaFile { .. }
            | Self::Resting { .. }
            | Self::Unsendable { .. } => true,
            Self::Timeout { what, .. } => *what == CONNECTING,
            Self::Lost { .. } | Self::TooLarge { .. } | Self::Malformed { .. } | Self::Payload(_) => false,
        }
    }

    /// The same failure of a request that went through a proxy, which is then what could not be reached.
    pub(super) fn through(self, proxy: Option<&str>) -> Self {
        match (self, proxy) {
            (Self::Unreachable { host, reason }, Some(proxy)) => {
                Self::Unreachable { host, reason: format!("not through the proxy {proxy}: {reason}") }
            }
            (other, _) => other,
        }
    }

    /// Reads a failure of the reader that [`Http::open`](super::http::Http::open) gave out.
    pub fn from_read(host: &str, error: io::Error) -> Self {
        let error = match error.downcast::<ureq::Error>() {
            Ok(inner) => return Self::from_ureq(host, inner),
            Err(error) => error,
        };
        Self::from_io(host, error)
    }

    /// Sorts what the HTTP library reports.
    pub(super) fn from_ureq(host: &str, error: ureq::Error) -> Self {
        let host = host.to_owned();
        match error {
            ureq::Error::Io(error) => Self::from_io(&host, error),
            ureq::Error::Timeout(limit) => Self::Timeout { host, what: limit_name(limit) },
            ureq::Error::HostNotFound => {
                Self::Unreachable { host, reason: "its name was not found".to_owned() }
            }
            ureq::Error::ConnectionFailed => {
                Self::Unreachable { host, reason: "no connection could be made".to_owned() }
            }
            ureq::Error::Tls(reason) => Self::Tls { host, reason: reason.to_owned() },
            ureq::Error::Pem(error) => Self::Tls { host, reason: error.to_string() },
            ureq::Error::Rustls(error) => Self::from_tls(host, &error),
            ureq::Error::TlsRequired => Self::Tls { host, reason: "no TLS connection was made".to_owned() },
            // Its words hold the status.
            ureq::Error::ConnectProxyFailed(reason) if reason.contains("407") => {
                Self::Proxy { reason: "the proxy wants a name and password".to_owned() }
            }
            ureq::Error::ConnectProxyFailed(reason) => Self::Proxy { reason },
            ureq::Error::InvalidProxyUrl => Self::Proxy { reason: "the URL is not usable".to_owned() },
            ureq::Error::Protocol(error) => Self::Malformed { host, reason: error.to_string() },
            ureq::Error::LargeResponseHeader(..) => {
                Self::Malformed { host, reason: "its headers are too long".to_owned() }
            }
            ureq::Error::Decompress(_, error) => {
                Self::Malformed { host, reason: format!("its compressed content is damaged: {error}") }
            }
            ureq::Error::Http(error) => Self::Unsendable { host, reason: error.to_string() },
            // The URL itself may carry a token, so it is not repeated.
            ureq::Error::BadUri(_) => Self::Unsendable { host, reason: "the URL is not usable".to_owned() },
            other => Self::Lost { host, reason: other.to_string() },
        }
    }

    fn from_tls(host: String, error: &rustls::Error) -> Self {
        match certificate_time(error) {
            Some(time) => Self::CertificateTime { host, reason: time.told() },
            None => Self::Tls { host, reason: error.to_string() },
        }
    }

    /// The same failure with what is known of this machine's clock: by how many seconds it was behind the service's.
    pub(super) fn by_clock(self, behind: Option<i64>) -> Self {
        match (self, behind) {
            (Self::CertificateTime { host, reason }, Some(behind)) if behind.abs() > CLOCKS_APART_SECS => {
                let hours = behind.abs() / 3600;
                let side = if behind > 0 { "behind" } else { "ahead of" };
                Self::CertificateTime {
                    host,
                    reason: format!("{reason} (it was {hours} hours {side} iCloud's)"),
                }
            }
            (other, _) => other,
        }
    }

    fn from_io(host: &str, error: io::Error) -> Self {
        let host = host.to_owned();
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::from_tls(host, tls);
        }
        match error.kind() {
            io::ErrorKind::InvalidData => Self::Tls { host, reason: error.to_string() },
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                Self::Timeout { host, what: "no data arrived" }
            }
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::NotFound => Self::Unreachable { host, reason: error.to_string() },
            _ => Self::Lost { host, reason: error.to_string() },
        }
    }
}

/// When this was written, in seconds since 1970: a clock that says less is wrong.
const WRITTEN: i64 = 1_793_491_200;
/// Clocks that are further apart explain a certificate's time.
const CLOCKS_APART_SECS: i64 = 3600;

/// The time of a certificate that does not fit, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CertificateTime {
    /// What this machine's clock says.
    now: i64,
    /// When it begins to be valid, if that lies ahead.
    begins: Option<i64>,
    /// When it ended, if that is known.
    ended: Option<i64>,
}

impl CertificateTime {
    fn told(self) -> String {
        let day = |at: i64| {
            let at = jiff::Timestamp::from_second(at).unwrap_or_default();
            at.strftime("%Y-%m-%d %H:%M UTC").to_string()
        };
        let now = format!("this machine's clock says {}", day(self.now));
        let certificate = match (self.begins, self.ended) {
            (Some(begins), _) => format!("its certificate is valid from {} on", day(begins)),
            (None, Some(ended)) => format!("its certificate ended on {}", day(ended)),
            (None, None) => "its certificate is not valid now".to_owned(),
        };
        match self.begins.is_some() || self.now < WRITTEN {
            true => format!("{certificate}, and {now}, which is wrong: set the clock"),
            false => format!("{certificate}, and {now}: if that is wrong, set the clock"),
        }
    }
}

/// Whether the times of a certificate are what is wrong with it.
fn certificate_time(error: &rustls::Error) -> Option<CertificateTime> {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    let rustls::Error::InvalidCertificate(error) = error else { return None };
    let seconds = |time: &rustls::pki_types::UnixTime| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let now = jiff::Timestamp::now().as_second();
    match error {
        ExpiredContext { time, not_after } => {
            Some(CertificateTime { now: seconds(time), begins: None, ended: Some(seconds(not_after)) })
        }
        NotValidYetContext { time, not_before } => {
            Some(CertificateTime { now: seconds(time), begins: Some(seconds(not_before)), ended: None })
        }
        Expired => Some(CertificateTime { now, begins: None, ended: None }),
        NotValidYet => Some(CertificateTime { now, begins: Some(now), ended: None }),
        _ => None,
    }
}

pub(super) const CONNECTING: &str = "while connecting";

fn limit_name(limit: ureq::Timeout) -> &'static str {
    match limit {
        ureq::Timeout::Resolve | ureq::Timeout::Connect => CONNECTING,
        ureq::Timeout::PerRead => "no data arrived",
        ureq::Timeout::PerWrite | ureq::Timeout::SendRequest | ureq::Timeout::SendBody => "while sending",
        _ => "the whole call",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_does_not_fit_the_clock_names_the_clock() {
        let (old, today) = (1_546_300_800, WRITTEN + 86_400);
        for (now, begins, ended, expected) in [
            (
                old,
                Some(today),
                None,
                "valid from 2026-11-02 00:00 UTC on, and this machine's clock says 2019-01-01 00:00 UTC, which is wrong: set the clock",
            ),
            (
                today + 86_400,
                None,
                Some(today),
                "ended on 2026-11-02 00:00 UTC, and this machine's clock says 2026-11-03 00:00 UTC: if that is wrong, set the clock",
            ),
            (old, None, Some(old - 86_400), "which is wrong: set the clock"),
        ] {
            let told = CertificateTime { now, begins, ended }.told();
            assert!(told.ends_with(expected), "{told}");
        }
        let error = || HttpError::CertificateTime { host: "h".to_owned(), reason: "r".to_owned() };
        assert_eq!(
            error().by_clock(Some(-7200)).to_string(),
            "no secure connection to h: r (it was 2 hours ahead of iCloud's)"
        );
        assert_eq!(error().by_clock(Some(60)).to_string(), "no secure connection to h: r");
    }

    #[test]
    fn a_proxy_that_is_in_the_way_is_named() {
        let dead = HttpError::from_ureq("idmsa.apple.com", ureq::Error::ConnectionFailed)
            .through(Some("10.0.0.1:3128"));
        assert!(dead.to_string().contains("through the proxy 10.0.0.1:3128"), "{dead}");
        let direct = HttpError::from_ureq("idmsa.apple.com", ureq::Error::ConnectionFailed).through(None);
        assert!(!direct.to_string().contains("proxy"), "{direct}");
        let refused = ureq::Error::ConnectProxyFailed("proxy server responded 407/407".to_owned());
        let refused = HttpError::from_ureq("idmsa.apple.com", refused).to_string();
        assert!(refused.starts_with("proxy: the proxy wants a name and password"), "{refused}");
    }
}
