//! The one HTTP client: connections, TLS, proxy, time and size limits.
//!
//! It knows nothing of iCloud. It never follows a redirect and never judges a status: both
//! are the protocol's business (`docs/protocol.md` §11.3, §16).

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::config::Config;
use ureq::http::{self, Request, Response};
use ureq::tls::TlsConfig;
use ureq::{AsSendBody, Body, SendBody};

pub use super::answer::{Answer, Head};
use super::bounded::{Bounded, is_too_much};
use super::http_connect::agent;
pub use super::http_error::HttpError;
use super::http_route::{proxy, proxy_of_environment, roots, serves_environment_proxy};
pub use super::limits::Limits;
use super::tally::Tally;
use crate::status::CallCount;

/// The desktop Safari string that every request carries; the same for a whole session
/// (`docs/protocol.md` §1.2).
pub const USER_AGENT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3.1 Safari/605.1.15";

/// How an unused connection is kept for the next call.
const IDLE_CONNECTION_AGE: Duration = Duration::from_secs(30);
/// Bytes of each of a connection's two buffers. There are as many connections as workers, and on a small machine they are
/// what takes the memory.
const BUFFER: usize = 32 << 10;
/// `sync.max_workers` may be raised; connections beyond this are closed after use.
const IDLE_CONNECTIONS: usize = 64;

/// What [`Http::new`] needs to know.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// `tls.ca_file`: a PEM file of CAs to trust besides the public ones.
    pub ca_file: Option<PathBuf>,
    /// `proxy.url`; without it `HTTPS_PROXY` or `ALL_PROXY` of the environment serves
    /// `https` requests. `NO_PROXY` limits both.
    pub proxy: Option<String>,
    /// Sent with every request.
    pub user_agent: String,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { ca_file: None, proxy: None, user_agent: USER_AGENT.to_owned() }
    }
}

/// The request method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Most calls of the protocol.
    Post,
    /// Asks for codes (`docs/protocol.md` §4.2, §4.4).
    Put,
}

impl Method {
    fn name(self) -> http::Method {
        match self {
            Self::Get => http::Method::GET,
            Self::Post => http::Method::POST,
            Self::Put => http::Method::PUT,
        }
    }
}

/// What a request carries.
pub enum Payload<'a> {
    /// Nothing; a POST or PUT then says `Content-Length: 0`.
    None,
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// Exactly `len` bytes from `reader`; a shorter or failing reader breaks the call with
    /// [`HttpError::Payload`], and the service never sees a whole request.
    Stream {
        /// Where the content comes from.
        reader: Box<dyn Read + Send + 'a>,
        /// Its exact length in bytes.
        len: u64,
    },
}

/// Takes an answer as it comes; it may be called again when the call is repeated. An error of the reader must come back.
pub type Reading<'a> = &'a mut dyn FnMut(&mut dyn Read) -> io::Result<()>;

/// One request.
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// The absolute URL, query included.
    pub url: String,
    /// Headers besides `User-Agent`, `Host`, `Content-Length` and `Accept-Encoding`.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub payload: Payload<'a>,
    /// Time and size limits.
    pub limits: Limits,
    /// The endpoint's name for the log, e.g. `accountLogin`; never a path or a query.
    pub kind: &'static str,
}

/// The HTTP client; cheap to share between threads.
pub struct Http {
    config: Config,
    /// A proxy from the environment serves `https` only, as `HTTPS_PROXY` says, and never
    /// this machine.
    from_environment: bool,
    /// Replaced as a whole by [`Http::fresh_connections`]; held only to clone a handle.
    agent: RwLock<Agent>,
    /// By how many seconds this machine's clock was behind the service's at the last answer; `i64::MIN` before the first.
    behind: AtomicI64,
    /// Says how long nothing may be sent; see [`Http::rests`].
    rest: OnceLock<Box<RestLeft>>,
    /// See [`Http::limit_silence`].
    silence: OnceLock<Duration>,
    tally: Tally,
}

/// How long nothing may be sent any more.
type RestLeft = dyn Fn() -> Option<Duration> + Send + Sync;

impl Http {
    /// Builds the client.
    ///
    /// # Errors
    ///
    /// [`HttpError::CaFile`] and [`HttpError::Proxy`] for settings that cannot be used.
    pub fn new(options: &HttpOptions) -> Result<Http, HttpError> {
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(roots(options.ca_file.as_deref())?)
            .build();
        let (proxy, from_environment) = match options.proxy.as_deref().filter(|url| !url.is_empty()) {
            Some(url) => (Some(proxy(url)?), false),
            None => match proxy_of_environment() {
                Some(url) => (Some(proxy(&url)?), true),
                None => (None, false),
            },
        };
        let config = Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy)
            .user_agent(options.user_agent.as_str())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(IDLE_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
            .max_idle_age(IDLE_CONNECTION_AGE)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .build();
        let agent = RwLock::new(agent(&config));
        Ok(Http {
            config,
            from_environment,
            agent,
            behind: AtomicI64::new(i64::MIN),
            rest: OnceLock::new(),
            silence: OnceLock::new(),
            tally: Tally::default(),
        })
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    ///
    /// [`HttpError`] when no whole answer came; the request may have had its effect unless
    /// [`HttpError::is_before_sending`].
    pub fn call(&self, call: Call<'_>) -> Result<Answer, HttpError> {
        let limit = call.limits.max_body;
        let host = host_of(&call.url);
        let (head, reader) = self.open(call)?;
        let mut body = Vec::new();
        reader
            .take(limit.saturating_add(1))
            .read_to_end(&mut body)
            .map_err(|error| HttpError::from_read(&host, error))?;
        if body.len() as u64 > limit {
            return Err(HttpError::TooLarge { host, limit });
        }
        Ok(Answer { head, body })
    }

    /// As [`Http::call`], but a JSON array that a success answers with goes to `read` as it comes, within the bounds of
    /// [`Bounded`](super::bounded::Bounded), and the answer's body is empty then.
    ///
    /// # Errors
    ///
    /// As [`Http::call`].
    pub fn call_reading(&self, call: Call<'_>, read: Reading<'_>) -> Result<Answer, HttpError> {
        let limit = call.limits.max_body;
        let host = host_of(&call.url);
        let (head, reader) = self.open(call)?;
        let mut reader = Bounded::new(reader, limit);
        let failed = |error: io::Error| match is_too_much(&error) {
            true => HttpError::TooLarge { host: host.clone(), limit },
            false => HttpError::from_read(&host, error),
        };
        let start = beginning(&mut reader).map_err(failed)?;
        if (200..300).contains(&head.status) && start.trim_ascii_start().starts_with(b"[") {
            read(&mut start.as_slice().chain(reader)).map_err(failed)?;
            return Ok(Answer { head, body: Vec::new() });
        }
        let mut body = start;
        let limit = limit.min(Limits::JSON.max_body);
        reader.take(limit.saturating_add(1)).read_to_end(&mut body).map_err(failed)?;
        if body.len() as u64 > limit {
            return Err(HttpError::TooLarge { host, limit });
        }
        Ok(Answer { head, body })
    }

    /// Sends a request and gives the answer's body as a stream, unbounded.
    ///
    /// Errors of the reader are best read with [`HttpError::from_read`].
    ///
    /// # Errors
    ///
    /// As [`Http::call`].
    pub fn open(&self, call: Call<'_>) -> Result<(Head, Box<dyn Read + Send>), HttpError> {
        if let Some(left) = self.rest.get().and_then(|left| left()) {
            return Err(HttpError::Resting { left });
        }
        let started = Instant::now();
        let host = host_of(&call.url);
        let method = call.method;
        let kind = call.kind;
        let result = self.send(call, &host);
        let took = started.elapsed();
        let fine = result.as_ref().is_ok_and(|(head, _)| (200..400).contains(&head.status));
        self.tally.note(kind, fine, took);
        let millis = took.as_millis();
        match &result {
            Ok((head, _)) => {
                if let Some(date) = head.date() {
                    let behind = date.saturating_sub(jiff::Timestamp::now().as_second());
                    self.behind.store(behind, Ordering::Relaxed);
                }
                log::trace!("{} {host} {kind}: {} in {millis} ms", method.name(), head.status);
            }
            Err(error) => log::trace!("{} {host} {kind}: {error} after {millis} ms", method.name()),
        }
        result
    }

    /// What was sent since the start, by kind of call.
    pub fn tally(&self) -> Vec<CallCount> {
        self.tally.counts()
    }

    /// From now on nothing is sent, to whichever host, while `left` gives a time. Only the first call counts.
    pub fn rests(&self, left: impl Fn() -> Option<Duration> + Send + Sync + 'static) {
        // A second account over one client would be a fault of the program, and would rest with the first.
        let _ = self.rest.set(Box::new(left));
    }

    /// From now on no call waits longer than that for a byte, but those that the service is known to take long for. Only the first call
    /// counts.
    pub fn limit_silence(&self, longest: Duration) {
        let _ = self.silence.set(longest);
    }

    /// Forgets every open connection, so that the next call makes a new one: the cure for
    /// an answer 421 of a wrongly routed connection (`docs/protocol.md` §5.4).
    pub fn fresh_connections(&self) {
        *self.agent.write().unwrap_or_else(PoisonError::into_inner) = agent(&self.config);
    }

    fn send(&self, call: Call<'_>, host: &str) -> Result<(Head, Box<dyn Read + Send>), HttpError> {
        let via = self.proxy_of(call.url.as_str());
        let mut request = Request::builder().method(call.method.name()).uri(call.url.as_str());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let unsendable =
            |error: http::Error| HttpError::Unsendable { host: host.to_owned(), reason: error.to_string() };
        let limits = call.limits;
        let sent = match call.payload {
            Payload::None if call.method == Method::Get => {
                self.run(request.body(()).map_err(unsendable)?, limits)
            }
            Payload::None => self.run(request.body(&[][..]).map_err(unsendable)?, limits),
            Payload::Bytes(bytes) => self.run(request.body(bytes).map_err(unsendable)?, limits),
            Payload::Stream { reader, len } => {
                let mut exact = ExactReader { reader, left: len, failure: None };
                let request =
                    request.header(http::header::CONTENT_LENGTH, len).body(SendBody::from_reader(&mut exact));
                let sent = self.run(request.map_err(unsendable)?, limits);
                if let (Err(_), Some(failure)) = (&sent, exact.failure) {
                    return Err(HttpError::Payload(failure));
                }
                sent
            }
        };
        let (parts, body) = sent
            .map_err(|error| {
                HttpError::from_ureq(host, error).through(via.as_deref()).by_clock(self.behind())
            })?
            .into_parts();
        let head = Head { status: parts.status.as_u16(), headers: parts.headers };
        Ok((head, Box::new(body.into_reader())))
    }

    fn behind(&self) -> Option<i64> {
        Some(self.behind.load(Ordering::Relaxed)).filter(|behind| *behind != i64::MIN)
    }

    /// Host and port of the proxy that a request to `url` goes through, if it goes through one.
    fn proxy_of(&self, url: &str) -> Option<String> {
        let proxy = self.config.proxy()?;
        let uri: ureq::http::Uri = url.parse().ok()?;
        let direct = self.from_environment && !serves_environment_proxy(&uri);
        (!direct).then(|| format!("{}:{}", proxy.host(), proxy.port()))
    }

    fn run<S: AsSendBody>(&self, request: Request<S>, limits: Limits) -> Result<Response<Body>, ureq::Error> {
        let agent = self.agent.read().unwrap_or_else(PoisonError::into_inner).clone();
        let limits = limits.within(self.silence.get().copied());
        let direct = self.from_environment && !serves_environment_proxy(request.uri());
        let mut request = agent
            .configure_request(request)
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_global(limits.whole)
            .timeout_per_read(Some(limits.stall))
            .timeout_per_write(Some(limits.stall));
        if direct {
            request = request.proxy(None);
        }
        agent.run(request.build())
    }
}

/// A reader that gives exactly the announced number of bytes or fails, and remembers why.
struct ExactReader<'a> {
    reader: Box<dyn Read + Send + 'a>,
    left: u64,
    failure: Option<io::Error>,
}

impl Read for ExactReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let failure = match self.reader.read(&mut buffer[..most]) {
            Ok(0) => io::Error::new(io::ErrorKind::UnexpectedEof, "the content became shorter"),
            Ok(count) => {
                self.left -= count as u64;
                return Ok(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => error,
        };
        let told = io::Error::new(failure.kind(), "the content to send cannot be read");
        self.failure = Some(failure);
        Err(told)
    }
}

/// What an answer begins with, at least to the first byte that is no space.
fn beginning(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = vec![0; 4096];
    let mut held = 0;
    while held < start.len() && start[..held].trim_ascii_start().is_empty() {
        match reader.read(&mut start[held..]) {
            Ok(0) => break,
            Ok(count) => held += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    start.truncate(held);
    Ok(start)
}

/// The host of a URL, for messages; `?` when there is none.
fn host_of(url: &str) -> String {
    url::Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| "?".to_owned())
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
