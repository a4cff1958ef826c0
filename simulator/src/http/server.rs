//! The listener and the life of a connection.

use std::any::Any;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::body::{Framing, Wire, WireBody};
use super::{Body, Request, Response, WireFault, no_body, parse_query, percent_decode};

/// Largest request head, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 128;
/// Unread body that is read away to keep a connection; above it the connection is closed.
const MAX_DRAIN: u64 = 64 * 1024 * 1024;
/// An idle connection is closed after this long.
const IDLE: Duration = Duration::from_secs(120);

/// How fast the server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Delay before each answer.
    pub latency: Duration,
    /// Bytes per second of each body; `None` is unlimited.
    pub bandwidth: Option<u64>,
}

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Notes that a request has arrived. What it returns is dropped when the answer is about to leave, after all latency.
    fn enter(&self, request: &Request) -> Box<dyn Any + Send>;
    /// Answers one request.
    fn handle(&self, request: Request) -> Response;
    /// The present speed.
    fn pace(&self) -> Pace;
}

/// Lets every waiting thread end at once.
#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn raise(&self) {
        *lock(&self.stopped) = true;
        self.changed.notify_all();
    }

    fn is_raised(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Waits so long, or until the server stops; then it is an error.
    fn pause(&self, duration: Duration) -> io::Result<()> {
        let (stopped, _) = self
            .changed
            .wait_timeout_while(lock(&self.stopped), duration, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        if *stopped {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running server. Dropping it closes every connection and joins every thread.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Arc<Stop>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on this address and answers with this handler.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn start(address: SocketAddr, handler: Arc<dyn Handler>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let stop = Arc::new(Stop::default());
        let acceptor = {
            let stop = Arc::clone(&stop);
            std::thread::Builder::new()
                .name("sim-accept".to_owned())
                .spawn(move || accept(&listener, address, &stop, &handler))?
        };
        Ok(Self { address, stop, acceptor: Some(acceptor) })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.raise();
        // Wakes the acceptor, which waits in accept().
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            // A panic of that thread has been printed; there is nothing left to undo here.
            drop(acceptor.join());
        }
    }
}

fn accept(listener: &TcpListener, address: SocketAddr, stop: &Arc<Stop>, handler: &Arc<dyn Handler>) {
    let mut open: HashMap<u64, (TcpStream, JoinHandle<()>)> = HashMap::new();
    let mut number = 0;
    for stream in listener.incoming() {
        if stop.is_raised() {
            break;
        }
        open.retain(|_, (_, thread)| !thread.is_finished());
        let Ok(stream) = stream else {
            // Out of file descriptors, most likely: give connections time to end.
            if stop.pause(Duration::from_millis(20)).is_err() {
                break;
            }
            continue;
        };
        let Ok(twin) = stream.try_clone() else {
            continue;
        };
        number += 1;
        let mut connection = Connection {
            number,
            local_host: address.to_string(),
            stop: Arc::clone(stop),
            handler: Arc::clone(handler),
        };
        let thread = std::thread::Builder::new().name(format!("sim-{number}")).spawn(move || {
            // Whatever ends a connection, the client sees it end.
            drop(connection.serve(&stream));
            drop(stream.shutdown(Shutdown::Both));
        });
        if let Ok(thread) = thread {
            open.insert(number, (twin, thread));
        }
    }
    for (stream, _) in open.values() {
        drop(stream.shutdown(Shutdown::Both));
    }
    for (_, thread) in open.into_values() {
        drop(thread.join());
    }
}

struct Connection {
    number: u64,
    local_host: String,
    stop: Arc<Stop>,
    handler: Arc<dyn Handler>,
}

/// The head of a request and how its body is framed.
struct Head {
    request: Request,
    framing: Framing,
    awaits_continue: bool,
    keep_alive: bool,
}

impl Connection {
    fn serve(&mut self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(IDLE))?;
        let wire = Arc::new(Mutex::new(Wire {
            reader: BufReader::with_capacity(64 * 1024, stream.try_clone()?),
            framing: Framing::Done,
            awaits_continue: false,
        }));
        loop {
            let bytes = match read_head(&mut lock(&wire).reader)? {
                Some(bytes) => bytes,
                None => return Ok(()),
            };
            let Head { mut request, framing, awaits_continue, keep_alive } = match self.parse(&bytes) {
                Ok(head) => head,
                Err(text) => {
                    let refusal = Response::text(400, &text);
                    return self.send(stream, refusal, false, false, Pace::default());
                }
            };
            {
                let mut wire = lock(&wire);
                wire.framing = framing;
                wire.awaits_continue = awaits_continue;
            }
            if framing != Framing::Done {
                request.body = Box::new(PacedBody {
                    body: WireBody(Arc::clone(&wire)),
                    stop: Arc::clone(&self.stop),
                    handler: Arc::clone(&self.handler),
                });
            }
            let is_head = request.method == "HEAD";
            let entered = self.handler.enter(&request);
            let response = self.handler.handle(request);
            let pace = self.handler.pace();
            let wait = pace.latency + response.delay;
            if !wait.is_zero() {
                self.stop.pause(wait)?;
            }
            drop(entered);
            let reusable = keep_alive && lock(&wire).drain(MAX_DRAIN);
            let closes = matches!(
                response.fault,
                WireFault::CloseBeforeReply | WireFault::CutBodyAfter(_) | WireFault::WrongLength(_)
            );
            let keep = reusable && !closes && !self.stop.is_raised();
            self.send(stream, response, is_head, keep, pace)?;
            if !keep {
                return Ok(());
            }
        }
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
        stream: &TcpStream,
        response: Response,
        is_head: bool,
        keep: bool,
        pace: Pace,
    ) -> io::Result<()> {
        let Response { status, headers, body, fault, delay: _ } = response;
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
        let mut out = stream;
        out.write_all(head.as_bytes())?;
        if is_head || status == 204 || status == 304 {
            return Ok(());
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
fn read_head(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        let budget = (MAX_HEAD - before + 1) as u64;
        let got = (&mut *reader).take(budget).read_until(b'\n', &mut head)?;
        if got == 0 {
            return Ok(None);
        }
        if head.len() > MAX_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "request head too large"));
        }
        let line = &head[before..];
        if line == b"\r\n" || line == b"\n" {
            if before == 0 {
                // Empty lines before a request are to be skipped (RFC 9112 §2.2).
                head.clear();
                continue;
            }
            return Ok(Some(head));
        }
    }
}

/// Spreads bytes over time.
struct Meter {
    bandwidth: Option<u64>,
    started: Instant,
    passed: u64,
}

impl Meter {
    fn new(bandwidth: Option<u64>) -> Self {
        Self { bandwidth: bandwidth.filter(|b| *b > 0), started: Instant::now(), passed: 0 }
    }

    /// A chunk of about a twentieth of a second.
    fn chunk(&self) -> usize {
        self.bandwidth
            .map_or(64 * 1024, |b| usize::try_from((b / 20).clamp(256, 64 * 1024)).unwrap_or(64 * 1024))
    }

    fn wait_after(&mut self, bytes: usize) -> Duration {
        let Some(bandwidth) = self.bandwidth else {
            return Duration::ZERO;
        };
        self.passed += bytes as u64;
        let due = Duration::from_micros(self.passed.saturating_mul(1_000_000) / bandwidth);
        due.saturating_sub(self.started.elapsed())
    }
}

/// A request body that arrives no faster than the bandwidth allows.
struct PacedBody {
    body: WireBody,
    stop: Arc<Stop>,
    handler: Arc<dyn Handler>,
}

impl Read for PacedBody {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut meter = Meter::new(self.handler.pace().bandwidth);
        let wanted = buf.len().min(meter.chunk());
        let got = self.body.read(&mut buf[..wanted])?;
        let wait = meter.wait_after(got);
        if !wait.is_zero() {
            self.stop.pause(wait)?;
        }
        Ok(got)
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
