//! The life of one connection: requests in, answers out, until one side ends it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::body::{Framing, Wire, WireBody};
use super::handler::{Handler, Pace};
use super::meter::{Meter, PacedBody};
use super::stop::Stop;
use super::tls::Tls;
use super::transport::Transport;
use super::{Body, Request, Response, WireFault, no_body, parse_query, percent_decode};

/// Between two looks whether there is something to tell to whoever an answer is held for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Largest request head, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 128;
/// Unread body that is read away to keep a connection; above it the connection is closed.
const MAX_DRAIN: u64 = 64 * 1024 * 1024;
/// A connection that neither brings nor takes a byte is closed after this long.
const IDLE: Duration = Duration::from_secs(120);
/// A head that begins to come has to be there after this long.
const HEAD_TIME: Duration = Duration::from_secs(60);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one connection needs to be served.
pub(super) struct Connection {
    /// Its number, growing with every accepted one.
    pub number: u64,
    /// The address that the server listens on.
    pub local_host: String,
    /// Ends every wait.
    pub stop: Arc<Stop>,
    /// Answers the requests.
    pub handler: Arc<dyn Handler>,
    /// What TLS is served with; `None` where it is not spoken.
    pub tls: Option<Tls>,
    /// Set while it waits for a request.
    pub idle: Arc<AtomicBool>,
}

/// How a run of requests on one transport ended.
enum End {
    /// The connection is over.
    Closed,
    /// The client asked for a tunnel: what follows is a connection of its own.
    Tunnel,
}

/// The head of a request and how its body is framed.
struct Head {
    request: Request,
    framing: Framing,
    awaits_continue: bool,
    keep_alive: bool,
}

impl Connection {
    /// Serves it to its end.
    ///
    /// # Errors
    /// As the socket's, and when the server stops.
    pub(super) fn serve(&mut self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_write_timeout(Some(IDLE))?;
        loop {
            let secure = match Transport::begins_with_tls(stream)? {
                None => return Ok(()),
                Some(secure) => secure,
            };
            let own = stream.try_clone()?;
            let transport = match (secure, &self.tls) {
                (false, _) => Transport::Plain(own),
                (true, Some(tls)) => Transport::tls(own, tls.config())?,
                // Nobody there would understand an answer.
                (true, None) => return Ok(()),
            };
            let wire = Arc::new(Mutex::new(Wire {
                reader: BufReader::with_capacity(64 * 1024, transport),
                framing: Framing::Done,
                awaits_continue: false,
            }));
            let end = self.requests(&wire, secure);
            if !matches!(end, Ok(End::Tunnel)) {
                lock(&wire).reader.get_mut().close();
                return end.map(drop);
            }
        }
    }

    /// The answer, once there is something to tell where it is held.
    fn held(&self, mut response: Response) -> io::Result<Response> {
        let Some(held) = response.held.take() else { return Ok(response) };
        let begun = Instant::now();
        while begun.elapsed() < held.at_most {
            if let Some(news) = self.handler.news(&held) {
                return Ok(news);
            }
            self.stop.pause(BETWEEN_LOOKS)?;
        }
        Ok(response)
    }

    fn requests(&mut self, wire: &Arc<Mutex<Wire>>, secure: bool) -> io::Result<End> {
        loop {
            self.idle.store(true, Ordering::Relaxed);
            let bytes = match read_head(&mut lock(wire).reader)? {
                Some(bytes) => bytes,
                None => return Ok(End::Closed),
            };
            self.idle.store(false, Ordering::Relaxed);
            let Head { mut request, framing, awaits_continue, keep_alive } = match self.parse(&bytes) {
                Ok(head) => head,
                Err(text) => {
                    self.send(wire, Response::text(400, &text), false, false, Pace::default())?;
                    return Ok(End::Closed);
                }
            };
            if request.method == "CONNECT" {
                return self.tunnel(wire, &request);
            }
            if secure {
                // In front of what the client itself may have sent.
                request.headers.insert(0, ("X-Forwarded-Proto".to_owned(), "https".to_owned()));
            }
            {
                let mut wire = lock(wire);
                wire.framing = framing;
                wire.awaits_continue = awaits_continue;
            }
            if framing != Framing::Done {
                request.body = Box::new(PacedBody {
                    body: WireBody(Arc::clone(wire)),
                    stop: Arc::clone(&self.stop),
                    handler: Arc::clone(&self.handler),
                });
            }
            let is_head = request.method == "HEAD";
            let entered = self.handler.enter(&request);
            let response = self.held(self.handler.handle(request))?;
            let pace = self.handler.pace();
            let wait = pace.latency + response.delay;
            if !wait.is_zero() {
                self.stop.pause(wait)?;
            }
            drop(entered);
            let reusable = keep_alive && lock(wire).drain(MAX_DRAIN);
            let closes = matches!(
                response.fault,
                WireFault::CloseBeforeReply | WireFault::CutBodyAfter(_) | WireFault::WrongLength(_)
            );
            let keep = reusable && !closes && !self.stop.is_raised();
            self.send(wire, response, is_head, keep, pace)?;
            if !keep {
                return Ok(End::Closed);
            }
        }
    }

    /// Answers `CONNECT`, as a proxy does. Every tunnel leads back here, so only the hosts that are simulated have one.
    fn tunnel(&self, wire: &Arc<Mutex<Wire>>, request: &Request) -> io::Result<End> {
        let target = request.raw_path.as_str();
        let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
        let refusal = match &self.tls {
            None => Some(Response::text(405, "TLS is off here, so there is no tunnel.")),
            Some(tls) if !tls.serves(host) => Some(Response::text(
                403,
                &format!("{host} is not simulated; this proxy leads to iCloud's hosts only."),
            )),
            // Bytes that came before the answer would be lost to the tunnel.
            Some(_) if !lock(wire).reader.buffer().is_empty() => {
                Some(Response::text(400, "wait for the answer to CONNECT before you send more"))
            }
            Some(_) => None,
        };
        if let Some(refusal) = refusal {
            self.send(wire, refusal, false, false, Pace::default())?;
            return Ok(End::Closed);
        }
        lock(wire).reader.get_mut().write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        Ok(End::Tunnel)
    }

    fn parse(&self, bytes: &[u8]) -> Result<Head, String> {
        let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut slots);
        match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err("incomplete request head".to_owned()),
            Err(error) => return Err(format!("malformed request head: {error}")),
        }
        let method = parsed.method.unwrap_or_default().to_owned();
        let target = parsed.path.unwrap_or_default();
        let headers: Vec<(String, String)> = parsed
            .headers
            .iter()
            .map(|h| {
                let value = String::from_utf8_lossy(h.value).into_owned();
                (h.name.to_owned(), value)
            })
            .collect();
        // A proxy may pass the absolute form on.
        let target = match target.split_once("://") {
            Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |slash| &rest[slash..]),
            _ => target,
        };
        let (raw_path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Request {
            method,
            path: percent_decode(raw_path),
            raw_path: raw_path.to_owned(),
            query: parse_query(query),
            headers,
            body: no_body(),
            content_length: Some(0),
            head_len: bytes.len() as u64,
            connection: self.number,
            local_host: self.local_host.clone(),
        };
        let chunked = request
            .header("transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
        let framing = if chunked {
            request.content_length = None;
            Framing::Chunked { left: None }
        } else {
            match request.header("content-length").map(str::trim) {
                None | Some("0") => Framing::Done,
                Some(text) => {
                    let length = text.parse().map_err(|_| format!("malformed Content-Length {text:?}"))?;
                    request.content_length = Some(length);
                    Framing::Length(length)
                }
            }
        };
        let says = |name: &str, word: &str| {
            request.header(name).is_some_and(|value| value.to_ascii_lowercase().contains(word))
        };
        Ok(Head {
            framing,
            awaits_continue: framing != Framing::Done && says("expect", "100-continue"),
            keep_alive: if parsed.version == Some(1) {
                !says("connection", "close")
            } else {
                says("connection", "keep-alive")
            },
            request,
        })
    }

    fn send(
        &self,
        wire: &Arc<Mutex<Wire>>,
        response: Response,
        is_head: bool,
        keep: bool,
        pace: Pace,
    ) -> io::Result<()> {
        let Response { status, headers, body, fault, delay: _, held: _ } = response;
        if fault == WireFault::CloseBeforeReply {
            return Ok(());
        }
        let real = body.len();
        let announced = match fault {
            WireFault::WrongLength(by) => real.saturating_add_signed(by),
            _ => real,
        };
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        for (name, value) in &headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // These two have no body by definition, and some clients wait for none.
        if status != 204 && status != 304 {
            head.push_str(&format!("Content-Length: {announced}\r\n"));
        }
        if !keep {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        let mut wire = lock(wire);
        let out = wire.reader.get_mut();
        out.write_all(head.as_bytes())?;
        if is_head || status == 204 || status == 304 {
            return out.flush();
        }
        let mut reader: Box<dyn Read> = match body {
            Body::Bytes(bytes) => Box::new(io::Cursor::new(bytes)),
            Body::Stream { len, reader } => Box::new(reader.take(len)),
        };
        let limit = match fault {
            WireFault::CutBodyAfter(bytes) => bytes.min(real),
            _ => real,
        };
        let mut stall = match fault {
            WireFault::StallFor(duration) => Some((real / 2, duration)),
            _ => None,
        };
        let mut meter = Meter::new(pace.bandwidth);
        let mut buf = vec![0; meter.chunk()];
        let mut sent = 0;
        while sent < limit {
            let mut wanted = usize::try_from(limit - sent).unwrap_or(usize::MAX).min(buf.len());
            if let Some((at, duration)) = stall {
                if sent >= at {
                    out.flush()?;
                    self.stop.pause(duration)?;
                    stall = None;
                } else {
                    wanted = wanted.min(usize::try_from(at - sent).unwrap_or(usize::MAX));
                }
            }
            let got = reader.read(&mut buf[..wanted])?;
            if got == 0 {
                // The source broke its promise: end the connection so that the client sees it.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // A chunk arrives when its last byte would have.
            self.stop.pause(meter.wait_after(got))?;
            out.write_all(&buf[..got])?;
            sent += got as u64;
        }
        out.flush()
    }
}

/// Reads up to the empty line; `None` when the client closed or stayed idle between requests.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut began = None;
    loop {
        let available = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if available.is_empty() {
            return Ok(None);
        }
        if began.get_or_insert_with(Instant::now).elapsed() > HEAD_TIME {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let upto = available.iter().position(|byte| *byte == b'\n').map_or(available.len(), |at| at + 1);
        head.extend_from_slice(&available[..upto]);
        reader.consume(upto);
        if head.len() > MAX_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "request head too large"));
        }
        if head == b"\r\n" || head == b"\n" {
            // Empty lines before a request are to be skipped (RFC 9112 §2.2).
            head.clear();
        } else if head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n") {
            return Ok(Some(head));
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        421 => "Misdirected Request",
        423 => "Locked",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        507 => "Insufficient Storage",
        _ => "Simulated",
    }
}
