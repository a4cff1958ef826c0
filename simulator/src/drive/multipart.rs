//! The one part of a `multipart/form-data` body, taken out while it streams (`docs/protocol.md §12.2`).

use std::io::{self, BufRead, BufReader, Read, Write};

/// Longest header line of a part that is read, in bytes.
const MAX_LINE: u64 = 64 * 1024;

/// The boundary that a content type announces; `None` when it is not multipart.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// Copies the content of the only part to `out`.
///
/// # Errors
///
/// When the body breaks off, is no multipart body, or has more than one part.
pub(crate) fn copy_part(body: impl Read, boundary: &str, out: &mut impl Write) -> io::Result<()> {
    let mut body = BufReader::with_capacity(64 * 1024, body);
    let malformed = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    if read_line(&mut body)? != format!("--{boundary}").into_bytes() {
        return Err(malformed("the body does not start with its boundary"));
    }
    let mut has_name = false;
    loop {
        let line = read_line(&mut body)?;
        if line.is_empty() {
            break;
        }
        has_name |= line.to_ascii_lowercase().starts_with(b"content-disposition: form-data");
    }
    if !has_name {
        return Err(malformed("the part has no content disposition"));
    }
    let end = format!("\r\n--{boundary}").into_bytes();
    copy_until(&mut body, &end, out)?;
    let rest = read_line(&mut body)?;
    if rest == b"--" { Ok(()) } else { Err(malformed("there is more than one part")) }
}

/// A line without its end. The last line may lack one.
fn read_line(body: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    body.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(line)
}

/// Copies until `end` was read; `end` itself is not copied.
fn copy_until(body: &mut impl BufRead, end: &[u8], out: &mut impl Write) -> io::Result<()> {
    // What was read and may still be the beginning of `end`.
    let mut held: Vec<u8> = Vec::new();
    loop {
        let chunk = body.fill_buf()?;
        if chunk.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body ends before its boundary"));
        }
        let taken = chunk.len();
        let before = held.len();
        held.extend_from_slice(chunk);
        if let Some(at) = find(&held, end) {
            out.write_all(&held[..at])?;
            body.consume(at + end.len() - before);
            return Ok(());
        }
        body.consume(taken);
        let safe = held.len().saturating_sub(end.len() - 1);
        out.write_all(&held[..safe])?;
        held.drain(..safe);
    }
}

/// Where `needle` begins; it always starts with a carriage return, which makes skipping quick.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(step) = haystack[from..].iter().position(|byte| *byte == needle[0]) {
        let at = from + step;
        if haystack[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that every boundary falls between two reads.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let take = self.0.len().min(1);
            buffer[..take].copy_from_slice(&self.0[..take]);
            self.0 = &self.0[take..];
            Ok(take)
        }
    }

    fn body(content: &[u8], end: &str) -> Vec<u8> {
        let mut body = b"--xx\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a\"\r\n\r\n".to_vec();
        body.extend_from_slice(content);
        body.extend_from_slice(end.as_bytes());
        body
    }

    #[test]
    fn the_part_comes_out_whole_however_it_is_cut() {
        for content in [&b""[..], b"hello", b"\r\n--x", b"\r\r\n--x\r\n--y\r\n"] {
            let body = body(content, "\r\n--xx--\r\n");
            for drip in [true, false] {
                let mut out = Vec::new();
                if drip {
                    copy_part(Drip(&body), "xx", &mut out).unwrap();
                } else {
                    copy_part(&*body, "xx", &mut out).unwrap();
                }
                assert_eq!(out, content);
            }
        }
    }

    #[test]
    fn a_broken_or_second_part_is_an_error() {
        for end in
            ["", "\r\n--x", "\r\n--xx\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nb\r\n--xx--"]
        {
            assert!(copy_part(&*body(b"hello", end), "xx", &mut Vec::new()).is_err(), "{end:?}");
        }
        assert!(copy_part(&b"hello"[..], "xx", &mut Vec::new()).is_err());
    }

    #[test]
    fn the_boundary_is_found_with_and_without_quotes() {
        assert_eq!(boundary("multipart/form-data; boundary=\"a b\"").as_deref(), Some("a b"));
        assert_eq!(boundary("Multipart/Form-Data;charset=utf-8; Boundary=ab").as_deref(), Some("ab"));
        assert_eq!(boundary("text/plain; boundary=x"), None);
    }
}
