//! Edge: the web page, the probes, the metrics and the interface for scripts (`docs/contract.md`, "Web"). Off by default.
//!
//! One thread, the [front](front), accepts, reads requests, and decides who may ask; each request that was let pass is
//! answered by a thread of its own, and there are few of those. All of them are clients of the daemon's loop, with the same
//! requests as the control socket. Whatever a client does, slow, broken or hostile, costs one of a bounded number of
//! connections for a few seconds, and the sync nothing.

mod access;
mod api;
mod attempts;
mod events;
mod front;
#[cfg(test)]
mod fuzz_tests;
mod metrics;
mod page;
mod request;
mod response;
mod routes;

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam::channel::{Sender, bounded};

use crate::chance::{SystemChance, random_hex};
use crate::config::Web;
use crate::control::ControlCall;
use crate::exit::ExitCode;
use access::Access;
use api::Way;
use front::Front;

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The system refuses the address.
    #[error("web.listen: cannot listen at {address}: {source}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There is no thread for it.
    #[error("cannot start a thread for the web page: {0}")]
    Thread(io::Error),
}

impl WebError {
    /// With which code the program ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Listen { .. } => ExitCode::Configuration,
            Self::Thread(_) => ExitCode::Unexpected,
        }
    }
}

/// A listening server. Dropping it closes every connection and joins its threads.
#[derive(Debug)]
pub struct WebServer {
    /// Never sent on: closing it ends the waiting of every connection. `None` only while dropping.
    stop: Option<Sender<Infallible>>,
    /// Never written to: closing it ends the accepting.
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl WebServer {
    /// Listens where `config` says, and sends what is asked to `calls`; `None` where it says nowhere.
    ///
    /// # Errors
    ///
    /// [`WebError`]; nothing runs then.
    pub fn start(config: &Web, calls: Sender<ControlCall>) -> Result<Option<Self>, WebError> {
        let Some(address) = config.listen else { return Ok(None) };
        let failed = |source| WebError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        // A port 0 is the system's choice.
        let bound = listener.local_addr().map_err(failed)?;
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let link = random_hex::<16>(&SystemChance);
        let access =
            Access::new(config.token.clone(), bound, &config.hosts, &machine, link.clone(), Instant::now());
        tell(bound, &machine, access.is_guarded().then_some(link.as_str()));
        let (wake, sleeper) = UnixStream::pair().map_err(WebError::Thread)?;
        let (stop, stopped) = bounded(0);
        let way = Way { calls, stop: stopped, guarded: access.is_guarded() };
        let front = Front::new(listener, sleeper, access, way);
        let thread = std::thread::Builder::new()
            .name("icloudds-web".to_owned())
            .spawn(move || front.run())
            .map_err(WebError::Thread)?;
        Ok(Some(Self { stop: Some(stop), wake: Some(wake), thread: Some(thread) }))
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            // A panic of it has ended the process already.
            let _ = thread.join();
        }
    }
}

/// Says where the page is, and how to sign in once without typing the token.
fn tell(bound: SocketAddr, machine: &str, link: Option<&str>) {
    let place = match bound.ip().is_unspecified() && !machine.is_empty() {
        true => format!("{machine}:{}", bound.port()),
        false => bound.to_string(),
    };
    log::info!("the web page is at http://{place}/");
    match link {
        Some(link) => {
            log::info!("this link signs in to it once, within an hour: http://{place}/#link={link}");
        }
        None => log::info!("it asks for no token: every user of this machine can use it"),
    }
}
