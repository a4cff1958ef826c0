//! The bytes of a connection, with or without TLS around them.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The first byte of a TLS connection: a handshake record.
const HANDSHAKE: u8 = 0x16;

/// One connection's bytes, both ways.
#[derive(Debug)]
pub enum Transport {
    /// As they are on the wire.
    Plain(TcpStream),
    /// Inside TLS.
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Transport {
    /// Whether the client begins with a TLS handshake. Waits for its first byte; `None` when it ends without one.
    ///
    /// # Errors
    /// As the socket's.
    pub fn begins_with_tls(stream: &TcpStream) -> io::Result<Option<bool>> {
        let mut first = [0];
        Ok(match stream.peek(&mut first)? {
            0 => None,
            _ => Some(first[0] == HANDSHAKE),
        })
    }

    /// Puts TLS around a connection; the handshake comes with the first byte that is read.
    ///
    /// # Errors
    /// When the configuration is of no use.
    pub fn tls(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(session, stream))))
    }

    /// Whether TLS is around it.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Tells a TLS client that nothing follows, so that it can tell this from a connection that broke.
    pub fn close(&mut self) {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            // The client may be gone already.
            drop(stream.flush());
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buf),
            Self::Tls(stream) => match stream.read(buf) {
                // Many clients end without saying so; HTTP tells by itself where a message ends.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
        }
    }
}

impl Write for Transport {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buf),
            Self::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
