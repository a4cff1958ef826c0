//! A small synchronous HTTP/1.1 server: one thread per connection, keep-alive, streamed bodies both ways; plain, inside TLS, and as
//! the proxy that leads to its own TLS, all on one port.
//!
//! It is written for a test server's needs: any client library must be able to talk to it, and it must be able to misbehave on
//! the wire on purpose ([`WireFault`]).

pub mod body;
mod connection;
mod handler;
mod meter;
pub mod server;
mod stop;
pub mod tls;
pub mod transport;

use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

/// Largest body that [`Request::json`] and [`Request::bytes`] read, in bytes.
pub const MAX_JSON_BODY: u64 = 16 * 1024 * 1024;

/// One request. The body is read from the socket only when somebody reads it.
pub struct Request {
    /// The method as sent, e.g. `POST`.
    pub method: String,
    /// The path without the query, percent-decoded.
    pub path: String,
    /// The path without the query, as sent.
    pub raw_path: String,
    /// The query members in order, percent-decoded (`+` is a space).
    pub query: Vec<(String, String)>,
    /// The headers in order, names as sent.
    pub headers: Vec<(String, String)>,
    /// The body; ends where the request ends. May be of any length.
    pub body: Box<dyn Read + Send>,
    /// The announced length of the body in bytes; `None` for a chunked one, 0 when there is none.
    pub content_length: Option<u64>,
    /// The length of the head in bytes, as it was sent.
    pub head_len: u64,
    /// A number for the TCP connection, growing with every accepted one.
    pub connection: u64,
    /// Address that the server listens on, used when the client sent no `Host`.
    pub local_host: String,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// The first header of this name, compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first query member of this name, decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All cookies of all `Cookie` headers, values as sent (quotes kept).
    #[must_use]
    pub fn cookies(&self) -> Vec<(String, String)> {
        self.headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case("cookie"))
            .flat_map(|(_, value)| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect()
    }

    /// The value of the first cookie of this name, quotes kept.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The host that the client asked for, with its port when it named one.
    #[must_use]
    pub fn host(&self) -> &str {
        self.header("host").unwrap_or(&self.local_host)
    }

    /// The host without its port, in lower case.
    #[must_use]
    pub fn host_name(&self) -> String {
        let host = self.host();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        name.to_ascii_lowercase()
    }

    /// `scheme://host[:port]` as the client sees it: follows `Host` and `X-Forwarded-Proto`.
    #[must_use]
    pub fn base_url(&self) -> String {
        let scheme = self.header("x-forwarded-proto").unwrap_or("http");
        format!("{scheme}://{}", self.host())
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// The response to give instead: 413 above [`MAX_JSON_BODY`], 400 when the body breaks off.
    pub fn bytes(&mut self) -> Result<Vec<u8>, Response> {
        let mut bytes = Vec::new();
        match (&mut self.body).take(MAX_JSON_BODY + 1).read_to_end(&mut bytes) {
            Err(error) => Err(Response::text(400, &format!("body broke off: {error}"))),
            Ok(_) if bytes.len() as u64 > MAX_JSON_BODY => Err(Response::text(413, "body too large")),
            Ok(_) => Ok(bytes),
        }
    }

    /// Reads the body as JSON, whatever content type it carries; an empty body is `null`.
    ///
    /// # Errors
    /// The response to give instead: as [`Request::bytes`], and 400 when the text is not JSON.
    pub fn json(&mut self) -> Result<serde_json::Value, Response> {
        let bytes = self.bytes()?;
        if bytes.is_empty() {
            return Ok(serde_json::Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            Response::json(
                400,
                &serde_json::json!({"success": false, "error": format!("malformed JSON: {error}")}),
            )
        })
    }
}

/// The body of a response.
pub enum Body {
    /// All of it.
    Bytes(Vec<u8>),
    /// Read while it is sent.
    Stream {
        /// The number of bytes that the reader yields and `Content-Length` announces.
        len: u64,
        /// Where they come from.
        reader: Box<dyn Read + Send>,
    },
}

impl Body {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stream { len, .. } => *len,
        }
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.len())
    }
}

/// What the server does wrong on the wire while it sends a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WireFault {
    /// Nothing.
    #[default]
    None,
    /// The connection is closed without a byte of the reply.
    CloseBeforeReply,
    /// The connection is closed after so many bytes of the body.
    CutBodyAfter(u64),
    /// The body stalls for this long in its middle.
    StallFor(Duration),
    /// `Content-Length` is wrong by so many bytes, and the connection closes after the real ones.
    WrongLength(i64),
}

/// One response.
#[derive(Debug)]
pub struct Response {
    /// HTTP status; any three-digit number, also unregistered ones such as 330.
    pub status: u16,
    /// Headers in order, without `Content-Length` and `Connection`, which the server adds.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// What goes wrong on the wire.
    pub fault: WireFault,
    /// How long the service takes for it, beside the latency of every answer.
    pub delay: Duration,
    /// It is held until there is something to tell, and given as it is where nothing comes.
    pub held: Option<Box<Held>>,
}

/// Whom an answer is held for.
#[derive(Clone, Debug)]
pub struct Held {
    /// Who listens.
    pub token: String,
    /// How long the answer is held.
    pub at_most: Duration,
}

impl Response {
    /// A response with a body of one type.
    #[must_use]
    pub fn bytes(status: u16, content_type: &str, bytes: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body: Body::Bytes(bytes),
            fault: WireFault::None,
            delay: Duration::ZERO,
            held: None,
        }
    }

    /// A JSON response.
    #[must_use]
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::bytes(status, "application/json;charset=UTF-8", value.to_string().into_bytes())
    }

    /// An HTML response, as gateways and the sign-in page give it.
    #[must_use]
    pub fn html(status: u16, html: &str) -> Self {
        Self::bytes(status, "text/html;charset=UTF-8", html.as_bytes().to_vec())
    }

    /// A plain text response.
    #[must_use]
    pub fn text(status: u16, text: &str) -> Self {
        Self::bytes(status, "text/plain;charset=UTF-8", text.as_bytes().to_vec())
    }

    /// A response without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Bytes(Vec::new()),
            fault: WireFault::None,
            delay: Duration::ZERO,
            held: None,
        }
    }

    /// A response whose body of `len` bytes is read while it is sent.
    #[must_use]
    pub fn stream(status: u16, len: u64, reader: Box<dyn Read + Send>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Stream { len, reader },
            fault: WireFault::None,
            delay: Duration::ZERO,
            held: None,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a `Set-Cookie` header with this complete value (`name=value; Path=/; …`).
    #[must_use]
    pub fn cookie(self, set_cookie: impl Into<String>) -> Self {
        self.header("Set-Cookie", set_cookie)
    }

    /// Sets the wire fault.
    #[must_use]
    pub fn with_fault(mut self, fault: WireFault) -> Self {
        self.fault = fault;
        self
    }
}

/// Decodes `%xx`; malformed escapes stay as they are, invalid UTF-8 is replaced.
#[must_use]
pub fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |i: usize| {
            bytes.get(i).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok())
        };
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Splits a query string into decoded members.
#[must_use]
pub fn parse_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode(&text.replace('+', " "));
    query
        .split('&')
        .filter(|member| !member.is_empty())
        .map(|member| match member.split_once('=') {
            Some((name, value)) => (decode(name), decode(value)),
            None => (decode(member), String::new()),
        })
        .collect()
}

/// A body of no bytes.
#[must_use]
pub fn no_body() -> Box<dyn Read + Send> {
    Box::new(io::empty())
}
