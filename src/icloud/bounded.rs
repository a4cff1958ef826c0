//! A JSON answer as a stream that cannot become too much: not in bytes, not in depth, not in one text.

use std::io::{self, Read};

/// Brackets that may be open at once. The protocol's own answers need six.
const DEEPEST: u32 = 64;
/// Longest text of an answer, in bytes. The longest that the protocol has are addresses of some thousand.
const LONGEST_TEXT: u64 = 256 << 10;

/// An answer holds more than a program should keep.
#[derive(Debug, thiserror::Error)]
#[error("the answer holds too much")]
pub struct TooMuch;

/// The error of a reader, or of whoever reads from it, that has had enough.
pub fn too_much() -> io::Error {
    io::Error::other(TooMuch)
}

/// Whether that is why reading ended.
pub fn is_too_much(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<TooMuch>())
}

/// Gives what comes from `inner` on, until it breaks a bound.
pub struct Bounded<R> {
    inner: R,
    left: u64,
    depth: u32,
    /// Bytes of the text that it is in.
    text: Option<u64>,
    escaped: bool,
}

impl<R: Read> Bounded<R> {
    /// At most `limit` bytes of `inner`.
    pub fn new(inner: R, limit: u64) -> Self {
        Self { inner, left: limit, depth: 0, text: None, escaped: false }
    }

    /// Whether JSON may go on with `byte`.
    fn admits(&mut self, byte: u8) -> bool {
        let Some(text) = &mut self.text else {
            match byte {
                b'"' => self.text = Some(0),
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            return self.depth <= DEEPEST;
        };
        *text += 1;
        let is_short = *text <= LONGEST_TEXT;
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.text = None,
            _ => {}
        }
        is_short
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count as u64 > self.left {
            return Err(too_much());
        }
        self.left -= count as u64;
        if buffer[..count].iter().all(|byte| self.admits(*byte)) { Ok(count) } else { Err(too_much()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Bounded::new(text, limit).read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn what_keeps_the_bounds_comes_as_it_is() {
        let text = br#"[{"a":"[[[[[\"[[\\","b":[1,2,{"c":{}}]}]"#;
        assert_eq!(read(text, text.len() as u64).unwrap(), text);
        let deep = [b"[".repeat(64), b"]".repeat(64)].concat();
        assert_eq!(read(&deep, 1000).unwrap(), deep);
        let wide = b"[]".repeat(1000);
        assert_eq!(read(&wide, 2000).unwrap(), wide);
    }

    #[test]
    fn too_many_bytes_too_deep_and_too_long_are_refused() {
        assert!(is_too_much(&read(b"[1,2,3]", 6).unwrap_err()));
        assert!(is_too_much(&read(&b"{\"a\":".repeat(65), 1 << 20).unwrap_err()));
        let long = [&b"\""[..], &vec![b'x'; (256 << 10) + 2], b"\""].concat();
        assert!(is_too_much(&read(&long, 1 << 20).unwrap_err()));
        assert!(!is_too_much(&io::Error::other("something else")));
    }
}
