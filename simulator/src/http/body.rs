//! Request bodies, read from the connection while somebody consumes them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::transport::Transport;

/// Longest line that a chunk header or a trailer may have, in bytes.
const MAX_LINE: u64 = 8 * 1024;

/// How much of the current body is still on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes.
    Length(u64),
    /// Chunks; so many bytes of the current one are left, `None` before a chunk header.
    Chunked {
        /// Bytes left of the current chunk.
        left: Option<u64>,
    },
    /// Nothing.
    Done,
}

/// The reading side of one connection.
#[derive(Debug)]
pub struct Wire {
    /// The buffered socket.
    pub reader: BufReader<Transport>,
    /// The body that belongs to the current request.
    pub framing: Framing,
    /// The client waits for `100 Continue` before it sends the body.
    pub awaits_continue: bool,
}

impl Wire {
    fn read_body(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() || self.framing == Framing::Done {
            return Ok(0);
        }
        if self.awaits_continue {
            self.awaits_continue = false;
            let out = self.reader.get_mut();
            out.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            out.flush()?;
        }
        let left = match self.framing {
            Framing::Done => return Ok(0),
            Framing::Length(left) => left,
            Framing::Chunked { left: Some(left) } => left,
            Framing::Chunked { left: None } => match self.chunk_size()? {
                0 => {
                    while !self.line()?.is_empty() {}
                    self.framing = Framing::Done;
                    return Ok(0);
                }
                size => size,
            },
        };
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let got = self.reader.read(&mut buf[..wanted])?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let left = left - got as u64;
        self.framing = match self.framing {
            Framing::Chunked { .. } if left == 0 => {
                if !self.line()?.is_empty() {
                    return Err(bad("chunk without an end of line"));
                }
                Framing::Chunked { left: None }
            }
            Framing::Chunked { .. } => Framing::Chunked { left: Some(left) },
            _ if left == 0 => Framing::Done,
            _ => Framing::Length(left),
        };
        Ok(got)
    }

    fn chunk_size(&mut self) -> io::Result<u64> {
        let line = self.line()?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        u64::from_str_radix(digits, 16).map_err(|_| bad("malformed chunk size"))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(bad("line too long or broken off"));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).map_err(|_| bad("line is not text"))
    }

    /// Reads away what is left of the body, at most `limit` bytes. False when more is left or the client went away: the connection
    /// cannot be used again then.
    pub fn drain(&mut self, limit: u64) -> bool {
        if self.awaits_continue {
            return false;
        }
        let mut sink = [0; 16 * 1024];
        let mut drained = 0;
        while self.framing != Framing::Done {
            match self.read_body(&mut sink) {
                Err(_) => return false,
                Ok(got) => drained += got as u64,
            }
            if drained > limit {
                return false;
            }
        }
        true
    }
}

fn bad(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// The body of one request as a reader.
#[derive(Debug)]
pub struct WireBody(pub Arc<Mutex<Wire>>);

impl Read for WireBody {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Only the connection's own thread uses the wire, so the lock never waits.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read_body(buf)
    }
}
