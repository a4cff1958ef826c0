//! The daemon's end of the socket.

use std::convert::Infallible;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use rustix::event::{PollFd, PollFlags, poll};

use super::ControlError;
use super::line::{LineError, Lines};
use super::message::{ControlCall, ControlReply, ControlRequest, ask, limit_of};
use super::socket::Bound;
use crate::exit::ExitCode;

/// How many clients are served at once; one more is told so and sent away.
pub const MAX_CONNECTIONS: usize = 16;

/// The longest request in bytes; paths are the longest part of any.
const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// How long a client has to say what it wants, and to take its answer.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether the socket is still there: whatever tidies a state directory may take it away.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How long accepting rests after a failure that will not go away at once, such as too many open files.
const FAILURE_REST_MS: i64 = 200;

/// A listening control socket. Dropping it closes every connection, joins its threads and removes the socket.
#[derive(Debug)]
pub struct ControlServer {
    /// Never sent on: closing it ends the waiting of every connection. `None` only while dropping.
    stop: Option<Sender<Infallible>>,
    /// Never written to: closing it ends the accepting.
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl ControlServer {
    /// Listens in `state_directory`, whose lock the caller holds, and sends what is asked to `calls`.
    ///
    /// `calls` should be bounded and small: when it is full the loop is stuck, and clients are told so.
    ///
    /// # Errors
    ///
    /// [`ControlError`] when it cannot listen; nothing runs then.
    pub fn start(state_directory: &Path, calls: Sender<ControlCall>) -> Result<Self, ControlError> {
        Self::start_with(state_directory, calls, limit_of, (CLIENT_PATIENCE, LOOK_EVERY))
    }

    /// As [`ControlServer::start`], with other limits of time.
    pub(super) fn start_with(
        state_directory: &Path,
        calls: Sender<ControlCall>,
        limit: fn(&ControlRequest) -> Duration,
        (patience, look_every): (Duration, Duration),
    ) -> Result<Self, ControlError> {
        let bound = Bound::new(state_directory)?;
        let threads = |source| ControlError::Io {
            what: "start threads for",
            path: state_directory.join(crate::config::SOCKET_NAME),
            source,
        };
        let (wake, sleeper) = UnixStream::pair().map_err(threads)?;
        let (stop, stopped) = bounded(0);
        let server = Server {
            bound,
            sleeper,
            clients: Vec::new(),
            look_every,
            service: Service { calls, stopped, limit, patience },
        };
        let thread = std::thread::Builder::new()
            .name("icloudds-control".to_owned())
            .spawn(move || server.run())
            .map_err(threads)?;
        Ok(Self { stop: Some(stop), wake: Some(wake), thread: Some(thread) })
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            // A panic of it has ended the process already.
            let _ = thread.join();
        }
    }
}

/// What a connection needs.
#[derive(Clone)]
struct Service {
    calls: Sender<ControlCall>,
    stopped: Receiver<Infallible>,
    limit: fn(&ControlRequest) -> Duration,
    patience: Duration,
}

/// One connection: its thread, and a handle to close it by.
struct Client {
    thread: JoinHandle<()>,
    stream: UnixStream,
}

struct Server {
    bound: Bound,
    sleeper: UnixStream,
    clients: Vec<Client>,
    look_every: Duration,
    service: Service,
}

impl Server {
    fn run(mut self) {
        while self.wait_for_a_client() {
            match self.bound.listener.accept() {
                Ok((stream, _)) => self.serve(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.bound.stay(),
                Err(error) => {
                    log::debug!("a client of the control socket could not be accepted: {error}");
                    if !self.rest() {
                        break;
                    }
                }
            }
        }
        for client in &self.clients {
            // It may have gone already.
            let _ = client.stream.shutdown(Shutdown::Both);
        }
        for client in self.clients.drain(..) {
            let _ = client.thread.join();
        }
    }

    /// Sleeps until somebody connects; `false` when the server is to end.
    fn wait_for_a_client(&self) -> bool {
        let mut sources =
            [PollFd::new(&self.bound.listener, PollFlags::IN), PollFd::new(&self.sleeper, PollFlags::IN)];
        // Too long a time is as good as none.
        let time = rustix::event::Timespec::try_from(self.look_every).ok();
        match poll(&mut sources, time.as_ref()) {
            Ok(_) => sources[1].revents().is_empty(),
            Err(rustix::io::Errno::INTR) => true,
            Err(error) => {
                log::error!(
                    "the control socket cannot be waited at: {error}; commands will not reach this daemon"
                );
                false
            }
        }
    }

    /// Waits a moment; `false` when the server is to end.
    fn rest(&self) -> bool {
        let time = rustix::event::Timespec { tv_sec: 0, tv_nsec: FAILURE_REST_MS * 1_000_000 };
        let mut sources = [PollFd::new(&self.sleeper, PollFlags::IN)];
        // An interrupted rest is over a little early.
        let _ = poll(&mut sources, Some(&time));
        sources[0].revents().is_empty()
    }

    fn serve(&mut self, stream: UnixStream) {
        let mut index = 0;
        while index < self.clients.len() {
            if self.clients[index].thread.is_finished() {
                // It is over, so this does not wait.
                let _ = self.clients.swap_remove(index).thread.join();
            } else {
                index += 1;
            }
        }
        let result = stream.set_nonblocking(false).and_then(|()| {
            if self.clients.len() >= MAX_CONNECTIONS {
                turn_away(stream);
                return Ok(());
            }
            let handle = stream.try_clone()?;
            let service = self.service.clone();
            let thread = std::thread::Builder::new()
                .name("icloudds-client".to_owned())
                .spawn(move || service.converse(stream))?;
            self.clients.push(Client { thread, stream: handle });
            Ok(())
        });
        if let Err(error) = result {
            log::debug!("a client of the control socket could not be served: {error}");
        }
    }
}

/// Says why nobody has time, if that can be said without waiting.
fn turn_away(stream: UnixStream) {
    let reply = ControlReply::refused(
        ExitCode::Unexpected,
        "too many commands are waiting for the daemon",
        "try again in a moment",
    );
    if let Ok(line) = serde_json::to_string(&reply) {
        // The answer fits the socket's buffer; a client that is gone needs none.
        let _ = Lines::new(stream).write(&line, Duration::from_millis(100));
    }
}

impl Service {
    /// Answers one request after the other until the client goes, or breaks the rules.
    fn converse(&self, stream: UnixStream) {
        let mut lines = Lines::new(stream);
        self.answer_all(&mut lines);
        // The server keeps a handle until it reaps this thread, so dropping ours closes nothing.
        lines.close();
    }

    fn answer_all(&self, lines: &mut Lines) {
        loop {
            let reply = match lines.read(MAX_REQUEST_BYTES, self.patience) {
                Ok(line) => match serde_json::from_slice::<ControlRequest>(&line) {
                    Ok(request) => {
                        let limit = (self.limit)(&request);
                        ask(request, &self.calls, &self.stopped, limit)
                    }
                    // The error's words could repeat what was sent, so only its place is told.
                    Err(error) => bad(format!("the request cannot be read (column {})", error.column())),
                },
                Err(LineError::TooLong) => {
                    bad(format!("the request is longer than {MAX_REQUEST_BYTES} bytes"))
                }
                Err(LineError::Closed | LineError::Cut | LineError::Late) => return,
                Err(LineError::Io(error)) => {
                    log::debug!("a client of the control socket was lost: {error}");
                    return;
                }
            };
            let broken =
                matches!(&reply, ControlReply::Refused { refusal } if refusal.exit == BAD_REQUEST.code());
            let Ok(line) = serde_json::to_string(&reply) else { return };
            if lines.write(&line, self.patience).is_err() || broken {
                return;
            }
        }
    }
}

/// A request of another version, or of no version at all.
const BAD_REQUEST: ExitCode = ExitCode::Configuration;

fn bad(message: String) -> ControlReply {
    ControlReply::refused(BAD_REQUEST, message, "use the `icloudds` of the same version as the daemon")
}
