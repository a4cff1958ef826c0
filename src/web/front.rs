//! The front: accepts, reads requests without ever waiting for one client, and hands those that may pass to threads.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::access::{Access, Asked};
use super::api::{self, SignInBody, Way};
use super::request::{Incoming, Method, Parsed, Request};
use super::response::{self, PATIENCE, Response};
use super::routes::{self, Door, Route};
use super::{events, page};

/// Connections whose request has not come yet. One more takes the place of another.
const MOST_WAITING: usize = 64;
/// How long a request may take to come.
const REQUEST_PATIENCE: Duration = Duration::from_secs(10);
/// Requests that are answered at once; what needs no token has half of the places, so that strangers leave room.
const MOST_SERVED: usize = 16;
const MOST_OPEN: usize = MOST_SERVED / 2;
/// Places beyond these for probes: a supervisor that hears nothing would end the program.
const FOR_PROBES: usize = 4;
/// Pages that hear of every change at once.
const MOST_STREAMS: usize = 8;
/// How long accepting rests after a failure that will not go away at once, such as too many open files.
const FAILURE_REST: Duration = Duration::from_millis(200);
/// What is read of a request that was refused already, so that the refusal arrives.
const MOST_DRAINED: usize = 64 << 10;

/// A connection whose request is still coming.
struct Waiting {
    stream: TcpStream,
    peer: IpAddr,
    since: Instant,
    incoming: Incoming,
}

/// A thread that answers, and a handle to end its connection by.
struct Served {
    thread: JoinHandle<()>,
    stream: TcpStream,
    /// Whether it answers what needs no token.
    open: bool,
}

/// What the accepting thread owns.
pub(super) struct Front {
    listener: TcpListener,
    sleeper: UnixStream,
    access: Access,
    way: Way,
    waiting: Vec<Waiting>,
    served: Vec<Served>,
    streams: Vec<Served>,
    rests_until: Option<Instant>,
}

impl Front {
    pub(super) fn new(listener: TcpListener, sleeper: UnixStream, access: Access, way: Way) -> Self {
        Self {
            listener,
            sleeper,
            access,
            way,
            waiting: Vec::new(),
            served: Vec::new(),
            streams: Vec::new(),
            rests_until: None,
        }
    }

    /// Serves until the server is dropped.
    pub(super) fn run(mut self) {
        while let Some((accepts, ready)) = self.wait() {
            self.read(&ready);
            if accepts {
                self.accept();
            }
            reap(&mut self.served);
            reap(&mut self.streams);
        }
        for served in self.served.iter().chain(&self.streams) {
            // It may have gone already.
            let _ = served.stream.shutdown(Shutdown::Both);
        }
        for served in self.served.drain(..).chain(self.streams.drain(..)) {
            let _ = served.thread.join();
        }
    }

    /// Sleeps until somebody connects or says something; whether there is somebody to accept, and which of the waiting
    /// connections are ready. `None` when the server is to end.
    fn wait(&self) -> Option<(bool, Vec<bool>)> {
        let now = Instant::now();
        let ends =
            self.waiting.iter().map(|waiting| waiting.since + REQUEST_PATIENCE).chain(self.rests_until).min();
        let left = ends.map(|at| at.saturating_duration_since(now) + Duration::from_millis(1));
        let left = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        let rests = self.rests_until.is_some_and(|until| until > now);
        let of_listener = if rests { PollFlags::empty() } else { PollFlags::IN };
        let mut sources =
            vec![PollFd::new(&self.sleeper, PollFlags::IN), PollFd::new(&self.listener, of_listener)];
        sources.extend(self.waiting.iter().map(|waiting| PollFd::new(&waiting.stream, PollFlags::IN)));
        match poll(&mut sources, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                log::error!("the web page cannot be served any more: {error}");
                return None;
            }
        }
        let mut ready = sources.iter().map(|source| !source.revents().is_empty());
        let (ended, accepts) = (ready.next()?, ready.next()?);
        (!ended).then(|| (accepts, ready.collect()))
    }

    fn accept(&mut self) {
        self.rests_until = None;
        loop {
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    if stream.set_nonblocking(true).is_err() {
                        continue;
                    }
                    if self.waiting.len() >= MOST_WAITING {
                        self.make_room();
                    }
                    let now = Instant::now();
                    let incoming = Incoming::default();
                    self.waiting.push(Waiting { stream, peer: peer.ip(), since: now, incoming });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log::debug!("a client of the web page could not be accepted: {error}");
                    self.rests_until = Some(Instant::now() + FAILURE_REST);
                    return;
                }
            }
        }
    }

    /// Ends the oldest connection of the address that has the most, so that one host pushes out only itself.
    fn make_room(&mut self) {
        let of = |peer: IpAddr| self.waiting.iter().filter(|waiting| waiting.peer == peer).count();
        // They stand in the order in which they came, and the first of several equals is wanted.
        let crowded = self.waiting.iter().enumerate().rev().max_by_key(|(_, waiting)| of(waiting.peer));
        if let Some(at) = crowded.map(|(at, _)| at) {
            drop(self.waiting.remove(at));
        }
    }

    /// Reads from those that are ready, and drops those that are late.
    fn read(&mut self, ready: &[bool]) {
        let now = Instant::now();
        let mut ready = ready.iter();
        for mut waiting in std::mem::take(&mut self.waiting) {
            let is_ready = *ready.next().unwrap_or(&false);
            if !is_ready {
                if now.saturating_duration_since(waiting.since) < REQUEST_PATIENCE {
                    self.waiting.push(waiting);
                }
                continue;
            }
            let mut bytes = [0; 4096];
            match waiting.stream.read(&mut bytes) {
                Ok(0) => {}
                Ok(length) => match waiting.incoming.take(&bytes[..length]) {
                    Parsed::Partial => self.waiting.push(waiting),
                    Parsed::Whole(request) => self.decide(request, waiting.stream, waiting.peer),
                    Parsed::Bad(response) => say(waiting.stream, &response, false),
                },
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
                {
                    self.waiting.push(waiting);
                }
                // It is gone.
                Err(_) => {}
            }
        }
    }

    /// Refuses a request at once, or has it answered.
    fn decide(&mut self, request: Request, stream: TcpStream, peer: IpAddr) {
        let asked = Asked { peer, now: Instant::now(), unix: Timestamp::now().as_second() };
        let head_only = request.method == Method::Head;
        let route = match routes::find(request.method, &request.path) {
            Ok(route) => route,
            Err(response) => return say(stream, &response, head_only),
        };
        if let Err(response) = self.access.check(&request, route, asked) {
            return say(stream, &response, head_only);
        }
        let trusted =
            self.access.is_signed_in(&request, asked.unix) || self.access.brings_token(&request, asked);
        let whole = match route {
            Route::SignIn => {
                let response = match api::read::<SignInBody>(&request.body, "{\"token\": \"…\"}") {
                    Ok(body) => self.access.sign_in(body.token.as_deref(), body.link.as_deref(), asked),
                    Err(why) => Response::error(400, &why),
                };
                return say(stream, &response, head_only);
            }
            Route::SignOut => return say(stream, &self.access.sign_out(), head_only),
            Route::Page if trusted => Some(of_file(200, &page::PAGE)),
            Route::Page => Some(of_file(401, &page::SIGN_IN)),
            Route::File(file) => Some(of_file(200, file)),
            Route::Events if head_only => {
                return say(stream, &Response::new(200, "text/event-stream", ""), true);
            }
            _ => None,
        };
        if !self.has_room(route) {
            let busy = Response::error(503, "too many requests at once: try again in a moment");
            return say(stream, &busy.with("Retry-After", "2".to_owned()), head_only);
        }
        let way = self.way.clone();
        let result = if route == Route::Events {
            serve(stream, false, move |stream| events::serve(&way, stream))
                .map(|served| self.streams.push(served))
        } else {
            let open = route.door() == Door::Open;
            let answered = move |stream: &mut TcpStream| {
                let response = whole.unwrap_or_else(|| api::answer(&way, route, &request.body, trusted));
                // A client that does not take its answer needs none.
                let _ = response::write_all(stream, &response.bytes(head_only), PATIENCE);
            };
            serve(stream, open, answered).map(|served| self.served.push(served))
        };
        if let Err(error) = result {
            log::debug!("a client of the web page could not be served: {error}");
        }
    }

    fn has_room(&self, route: Route) -> bool {
        if route == Route::Events {
            return self.streams.len() < MOST_STREAMS;
        }
        if route.is_probe() {
            return self.served.len() < MOST_SERVED + FOR_PROBES;
        }
        let open = self.served.iter().filter(|served| served.open).count();
        self.served.len() < MOST_SERVED && (route.door() == Door::Token || open < MOST_OPEN)
    }
}

fn of_file(status: u16, file: &page::File) -> Response {
    Response::new(status, file.content_type, file.text)
}

/// Has a thread of its own answer on a connection.
fn serve(
    stream: TcpStream,
    open: bool,
    answer: impl FnOnce(&mut TcpStream) + Send + 'static,
) -> io::Result<Served> {
    stream.set_nonblocking(false)?;
    // Small pieces are whole answers here.
    stream.set_nodelay(true)?;
    let handle = stream.try_clone()?;
    let mut stream = stream;
    let thread = Builder::new().name("icloudds-page".to_owned()).spawn(move || {
        answer(&mut stream);
        // The front keeps a handle until it reaps this thread, so dropping ours closes nothing.
        let _ = stream.shutdown(Shutdown::Write);
    })?;
    Ok(Served { thread, stream: handle, open })
}

/// Joins the threads that are over.
fn reap(all: &mut Vec<Served>) {
    let mut index = 0;
    while index < all.len() {
        if all[index].thread.is_finished() {
            // It is over, so this does not wait.
            let _ = all.swap_remove(index).thread.join();
        } else {
            index += 1;
        }
    }
}

/// Says something short without waiting: it fits the connection's buffer, and a client that is gone needs none.
fn say(mut stream: TcpStream, response: &Response, head_only: bool) {
    let _ = stream.write(&response.bytes(head_only));
    // A connection that is closed with something unread takes the answer back.
    let mut bytes = [0; 4096];
    let mut drained = 0;
    while drained < MOST_DRAINED
        && let Ok(length @ 1..) = stream.read(&mut bytes)
    {
        drained += length;
    }
    let _ = stream.shutdown(Shutdown::Write);
}
