//! The listener: takes connections, each on a thread of its own, and ends them.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::connection::Connection;
pub use super::handler::{Handler, Pace};
use super::stop::Stop;
use super::tls::Tls;

/// So many connections are open at most, two descriptors each; of more, the one that idles longest is closed.
const MOST_CONNECTIONS: usize = 400;

/// A running server. Dropping it closes every connection and joins every thread.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Arc<Stop>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on this address and answers with this handler: plain HTTP, and with `tls` also TLS and `CONNECT` on the same port.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn start(address: SocketAddr, handler: Arc<dyn Handler>, tls: Option<Tls>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let stop = Arc::new(Stop::default());
        let acceptor = {
            let stop = Arc::clone(&stop);
            std::thread::Builder::new()
                .name("sim-accept".to_owned())
                .spawn(move || accept(&listener, address, &stop, &handler, tls.as_ref()))?
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

/// An open connection, from outside of its thread.
struct Open {
    stream: TcpStream,
    thread: JoinHandle<()>,
    idle: Arc<AtomicBool>,
    /// It was closed to make room.
    closing: bool,
}

fn accept(
    listener: &TcpListener,
    address: SocketAddr,
    stop: &Arc<Stop>,
    handler: &Arc<dyn Handler>,
    tls: Option<&Tls>,
) {
    let mut open: BTreeMap<u64, Open> = BTreeMap::new();
    let mut number = 0;
    for stream in listener.incoming() {
        if stop.is_raised() {
            break;
        }
        open.retain(|_, known| !known.thread.is_finished());
        let Ok(stream) = stream else {
            // Out of file descriptors, most likely: give connections time to end.
            if stop.pause(Duration::from_millis(20)).is_err() {
                break;
            }
            continue;
        };
        let in_use = open.values().filter(|known| !known.closing).count();
        if in_use >= MOST_CONNECTIONS && !make_room(&mut open) {
            continue;
        }
        let Ok(twin) = stream.try_clone() else {
            continue;
        };
        number += 1;
        let idle = Arc::new(AtomicBool::new(true));
        let mut connection = Connection {
            number,
            local_host: address.to_string(),
            stop: Arc::clone(stop),
            handler: Arc::clone(handler),
            tls: tls.cloned(),
            idle: Arc::clone(&idle),
        };
        let thread = std::thread::Builder::new().name(format!("sim-{number}")).spawn(move || {
            // Whatever ends a connection, a panic included, the client sees it end.
            drop(catch_unwind(AssertUnwindSafe(|| connection.serve(&stream))));
            drop(stream.shutdown(Shutdown::Both));
        });
        if let Ok(thread) = thread {
            open.insert(number, Open { stream: twin, thread, idle, closing: false });
        }
    }
    for known in open.values() {
        drop(known.stream.shutdown(Shutdown::Both));
    }
    for known in open.into_values() {
        drop(known.thread.join());
    }
}

/// Closes the oldest connection that waits for a request; false when every one has something to do.
fn make_room(open: &mut BTreeMap<u64, Open>) -> bool {
    let waiting = open.values_mut().find(|known| !known.closing && known.idle.load(Ordering::Relaxed));
    let Some(oldest) = waiting else { return false };
    drop(oldest.stream.shutdown(Shutdown::Both));
    // Its thread ends by itself, and is then taken off the list.
    oldest.closing = true;
    true
}
