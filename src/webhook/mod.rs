//! Edge: tells somebody elsewhere when a person is needed, and when not any more (`docs/contract.md`, `[notify]`).
//!
//! A thread of its own looks at the status through the same requests as the commands, so that the daemon's loop never waits
//! for a sink. [`Watch`](watch::Watch) decides what is worth telling, [`Queue`](queue::Queue) when it is sent, both without
//! I/O; what was told is kept in `notified.json`, so that a restart repeats nothing.

mod body;
mod memory;
mod queue;
mod sender;
mod watch;

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use jiff::Timestamp;

use crate::config::Notify;
use crate::control::{ControlCall, ControlReply, ControlRequest, ask, limit_of};
use crate::icloud::http::Http;
use crate::status::StatusDocument;
use memory::Memory;
use queue::Queue;
use sender::Sender as Post;

/// How often the status is looked at.
const STEP: Duration = Duration::from_secs(5);
/// How often the ping's URL is asked while all is well.
const PING_EVERY: Duration = Duration::from_secs(5 * 60);
/// How long after a ping that nobody answered the next one is tried.
const PING_AGAIN: Duration = Duration::from_secs(30);

/// The running notifier. Dropping it ends it; what was not sent yet is sent after the next start.
#[derive(Debug)]
pub struct Notifier {
    /// Never sent on: closing it ends the thread, which is not waited for, since a sink may hang.
    _stop: Sender<Infallible>,
}

impl Notifier {
    /// Starts it where `config` names somebody to tell. `calls` leads to the loop, `http` to the sinks.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn start(
        config: &Notify,
        calls: Sender<ControlCall>,
        http: Http,
        state_directory: &Path,
    ) -> io::Result<Option<Self>> {
        if config.webhook.is_none() && config.ping.is_none() {
            return Ok(None);
        }
        let (stop, stopped) = bounded(0);
        let post = Post::new(config.clone(), Arc::new(http));
        let memory = Memory::open(state_directory);
        let work = Work { calls, stop: stopped, post, memory, ping_at: Instant::now() };
        std::thread::Builder::new().name("icloudds-notify".to_owned()).spawn(move || work.run())?;
        Ok(Some(Self { _stop: stop }))
    }
}

/// What the thread owns.
struct Work {
    calls: Sender<ControlCall>,
    stop: Receiver<Infallible>,
    post: Post,
    memory: Memory,
    ping_at: Instant,
}

impl Work {
    fn run(mut self) {
        let mut queue = Queue::new(self.memory.unsent());
        loop {
            let now = Timestamp::now().as_second();
            if let Some(status) = self.status() {
                for notice in self.memory.watch.observe(&status, now) {
                    queue.push(notice);
                }
                self.send(&mut queue, &status);
            }
            self.memory.keep(queue.unsent());
            self.ping();
            // Nothing is ever sent on it: it closes when the program ends.
            if let Err(RecvTimeoutError::Disconnected) = self.stop.recv_timeout(STEP) {
                return;
            }
        }
    }

    fn ask(&self, request: ControlRequest) -> ControlReply {
        let limit = limit_of(&request);
        ask(request, &self.calls, &self.stop, limit)
    }

    fn status(&self) -> Option<StatusDocument> {
        match self.ask(ControlRequest::Status) {
            ControlReply::Status { status } => Some(*status),
            _ => None,
        }
    }

    /// Sends what is due, one after the other until one fails.
    fn send(&self, queue: &mut Queue, status: &StatusDocument) {
        let clock = Instant::now();
        while let Some(notice) = queue.due(clock) {
            match self.post.notice(notice, status) {
                Ok(()) => {
                    log::debug!("told of {}", notice.event);
                    queue.sent();
                }
                Err(why) => {
                    let (wait, first) = queue.failed(Instant::now());
                    let level = if first { log::Level::Warn } else { log::Level::Debug };
                    log::log!(
                        level,
                        "the webhook could not be told: {why}; the next try is in {} s",
                        wait.as_secs()
                    );
                    return;
                }
            }
        }
    }

    /// Asks the ping's URL while all is well. Whoever waits for it learns from its absence, also when this machine is off.
    fn ping(&mut self) {
        let now = Instant::now();
        if !self.post.pings() || now < self.ping_at {
            return;
        }
        // Until all is well that is asked with each look at the status, so that the first ping follows the first sync.
        if let ControlReply::Health { healthy: true, .. } = self.ask(ControlRequest::Health { ready: true }) {
            self.ping_at = now + PING_EVERY;
            if let Err(why) = self.post.ping() {
                self.ping_at = now + PING_AGAIN;
                log::debug!("the ping was not answered: {why}");
            }
        }
    }
}
