//! A client that sends exactly what a test says, and nothing that a library would add.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::e2e::rig::Rig;
use crate::run::daemon::Daemon;

/// The token of the tests.
pub const TOKEN: &str = "0123456789abcdef-test";

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Panics unless it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// The server of a daemon.
#[derive(Clone, Copy, Debug)]
pub struct Web {
    pub address: SocketAddr,
    token: Option<&'static str>,
}

/// Has the page listen on a free port of this machine, with the token of the tests.
pub fn listen(rig: &mut Rig) {
    rig.set_text("web.listen", "127.0.0.1:0").set_text("web.token", TOKEN);
}

impl Web {
    /// Finds the port that the daemon told.
    #[track_caller]
    pub fn of(daemon: &Daemon<'_>) -> Self {
        let begin = "the web page is at http://";
        daemon.wait_log(begin);
        let log = daemon.log();
        let rest = log.split(begin).nth(1).expect("an address");
        let address = rest.split('/').next().and_then(|text| text.parse().ok()).expect("an address");
        Self { address, token: log.contains("#link=").then_some(TOKEN) }
    }

    /// Sends these bytes, and reads until the other side closes.
    #[track_caller]
    pub fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        // It may be refused before all of it is taken.
        let _ = stream.write_all(bytes);
        answer_of(stream)
    }

    fn send(&self, method: &str, path: &str, more: &str, body: &str) -> Answer {
        let token = self.token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{token}{length}{more}\r\n", self.address);
        self.raw(format!("{head}{body}").as_bytes())
    }

    /// GET, with the token.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", "")
    }

    /// POST of JSON, with the token.
    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, "Content-Type: application/json\r\n", body)
    }

    /// The same server without the token.
    pub fn stranger(self) -> Self {
        Self { token: None, ..self }
    }

    /// With further header lines, each with its end.
    pub fn with(&self, method: &str, path: &str, more: &str, body: &str) -> Answer {
        self.send(method, path, more, body)
    }
}

/// Reads an answer to its end.
#[track_caller]
pub fn answer_of(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A reset after the answer is no concern of a client.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.as_str(), ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
