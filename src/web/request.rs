//! One request, read within limits. The bytes come from anybody.

use super::response::Response;

/// The longest head in bytes: a browser's, with cookies of other pages of this host, is about two thousand.
pub(super) const LONGEST_HEAD: usize = 8 << 10;
/// The longest body in bytes: paths are the longest part of any.
pub(super) const LONGEST_BODY: usize = 16 << 10;
/// More headers than any browser sends.
const MOST_HEADERS: usize = 64;

/// What can be done with a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Method {
    #[default]
    Get,
    /// As GET, without the body.
    Head,
    Post,
    /// Anything else.
    Other,
}

/// A whole request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub method: Method,
    /// Without the query, which nothing here uses.
    pub path: String,
    pub host: Option<String>,
    pub origin: Option<String>,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<String>,
    pub authorization: Option<String>,
    pub cookie: Option<String>,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

/// What the bytes that came so far are.
#[derive(Debug)]
pub(super) enum Parsed {
    /// The beginning of a request.
    Partial,
    /// One.
    Whole(Request),
    /// None, and this is what to say to it.
    Bad(Response),
}

/// What came of one request so far. A request that comes byte by byte costs no more than one that comes whole: its head is
/// parsed when it is complete, and once more when the body is.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    bytes: Vec<u8>,
    /// How much of it was searched for the end of the head.
    searched: usize,
    /// The length of head and body, once the head is complete.
    wanted: Option<usize>,
}

impl Incoming {
    /// Takes what came.
    pub(super) fn take(&mut self, more: &[u8]) -> Parsed {
        self.bytes.extend_from_slice(more);
        if self.wanted.is_none() {
            let from = self.searched.saturating_sub(3);
            self.searched = self.bytes.len();
            if !self.bytes[from..].windows(4).any(|window| window == b"\r\n\r\n") {
                return match self.bytes.len() > LONGEST_HEAD {
                    true => bad(431, "the head of the request is too long"),
                    false => Parsed::Partial,
                };
            }
        }
        if self.wanted.is_some_and(|wanted| self.bytes.len() < wanted) {
            return Parsed::Partial;
        }
        match parse(&self.bytes) {
            Ok((request, wanted)) if request.body.len() < wanted => {
                self.wanted = Some(self.bytes.len() - request.body.len() + wanted);
                Parsed::Partial
            }
            Ok((request, _)) => Parsed::Whole(request),
            Err((status, why)) => bad(status, why),
        }
    }
}

/// The request of a complete head, with as much of its body as there is, and how long that is to be.
fn parse(bytes: &[u8]) -> Result<(Request, usize), (u16, &'static str)> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= LONGEST_HEAD => length,
        Ok(_) => return Err((431, "the head of the request is too long")),
        Err(httparse::Error::TooManyHeaders) => return Err((431, "the request has too many headers")),
        Err(_) => return Err((400, "this is no HTTP request")),
    };
    let mut request = Request {
        method: match head.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            Some("POST") => Method::Post,
            _ => Method::Other,
        },
        path: head.path.unwrap_or_default().split(['?', '#']).next().unwrap_or_default().to_owned(),
        ..Request::default()
    };
    let mut body_length = None;
    for header in head.headers.iter() {
        let Ok(value) = std::str::from_utf8(header.value) else { continue };
        let value = value.trim();
        let slot = match header.name.to_ascii_lowercase().as_str() {
            "host" => &mut request.host,
            "origin" => &mut request.origin,
            "sec-fetch-site" => &mut request.fetch_site,
            "authorization" => &mut request.authorization,
            "cookie" => &mut request.cookie,
            "content-type" => &mut request.content_type,
            "transfer-encoding" => return Err((411, "the request must say how long its body is")),
            "content-length" => match value.parse::<usize>() {
                Ok(length) if body_length.is_none_or(|known| known == length) && is_digits(value) => {
                    body_length = Some(length);
                    continue;
                }
                _ => return Err((400, "the length of the body is no number")),
            },
            _ => continue,
        };
        // Two of one of these mean that two programs may read the request differently.
        if slot.replace(value.to_owned()).is_some() {
            return Err((400, "the request has a header twice"));
        }
    }
    let wanted = body_length.unwrap_or(0);
    if wanted > LONGEST_BODY {
        return Err((413, "the body of the request is too long"));
    }
    let body = bytes.get(length..).unwrap_or_default();
    request.body = body.get(..wanted).unwrap_or(body).to_vec();
    Ok((request, wanted))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn bad(status: u16, why: &str) -> Parsed {
    Parsed::Bad(Response::error(status, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `GET /path`, `bad 400`, or `partial`, however the bytes come in.
    fn read(text: &str) -> String {
        let whole = told(&Incoming::default().take(text.as_bytes()));
        let mut slow = Incoming::default();
        for byte in text.as_bytes() {
            let parsed = slow.take(&[*byte]);
            if !matches!(parsed, Parsed::Partial) {
                // What is clear of the beginning stays so with the rest.
                assert_eq!(told(&parsed), whole, "{text:?}");
                return whole;
            }
        }
        assert_eq!(whole, "partial", "{text:?}");
        whole
    }

    fn told(parsed: &Parsed) -> String {
        match parsed {
            Parsed::Partial => "partial".to_owned(),
            Parsed::Whole(request) => {
                let body = String::from_utf8_lossy(&request.body);
                format!("{:?} {} {body}", request.method, request.path).trim_end().to_owned()
            }
            Parsed::Bad(response) => format!("bad {}", response.status),
        }
    }

    #[test]
    fn requests_are_read_whole_or_refused() {
        let long = "x".repeat(LONGEST_HEAD);
        let many: String = (0..=MOST_HEADERS).map(|n| format!("X-{n}: 1\r\n")).collect();
        for (text, what) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "Get /"),
            ("HEAD /healthz?x=1#y HTTP/1.0\r\n\r\n", "Head /healthz"),
            ("POST /api/code HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}", "Post /api/code {}"),
            ("POST /a HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "Post /a {}"),
            ("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}", "partial"),
            ("DELETE / HTTP/1.1\r\n\r\n", "Other /"),
            ("", "partial"),
            ("GET / HTTP/1.1\r\n", "partial"),
            ("GET / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", "bad 400"),
            ("GET / HTTP/1.1\r\nContent-Length: +2\r\n\r\n", "bad 400"),
            ("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", "bad 400"),
            ("GET / HTTP/1.1\r\nContent-Length: 16385\r\n\r\n", "bad 413"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "bad 411"),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "bad 400"),
            ("GET / HTTP/1.1\r\nCookie: a=1\r\ncookie: b=1\r\n\r\n", "bad 400"),
            ("\u{16}\u{3}\u{1}\r\n\r\n", "bad 400"),
            ("GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n", "bad 400"),
            (&format!("GET / HTTP/1.1\r\n{many}\r\n"), "bad 431"),
            (&long.replace('x', "\n"), "partial"),
            (&format!("{long}x"), "bad 431"),
            (&format!("GET /{long} HTTP/1.1\r\n\r\n"), "bad 431"),
        ] {
            assert_eq!(read(text), what, "{}", text.get(..80).unwrap_or(text));
        }
    }

    #[test]
    fn headers_are_found_in_any_case_and_what_is_no_text_is_passed_over() {
        let text = b"POST /api/pause HTTP/1.1\r\nhOST:  nas:8384 \r\nOrigin: http://nas:8384\r\nX: \xff\r\n\
            Authorization: Bearer t\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\n\r\n";
        let Parsed::Whole(request) = Incoming::default().take(text) else { panic!("no request") };
        assert_eq!(request.host.as_deref(), Some("nas:8384"));
        assert_eq!(request.origin.as_deref(), Some("http://nas:8384"));
        assert_eq!(request.authorization.as_deref(), Some("Bearer t"));
        assert_eq!(request.fetch_site.as_deref(), Some("same-origin"));
        assert_eq!(request.content_type.as_deref(), Some("application/json"));
        assert_eq!(request.cookie, None);
    }
}
