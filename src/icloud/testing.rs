//! A scripted HTTP server on loopback and an environment without real time, for unit tests.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::env::Env;
use super::options::IcloudOptions;
use super::service::Service;
use crate::chance::Chance;
use crate::model::{Clock, DiskTime, Stopped};
use crate::secret::Secret;

/// 2026-11-22 10:00 UTC.
pub const NOW: i64 = 1_795_341_600;
pub const PASSWORD: &str = "Tr0ub4dor&3-icloudds";
pub const USERNAME: &str = "Sync.Test@example.com";

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `METHOD path`, without the query.
    pub route: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// One scripted answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    together: Option<Arc<Barrier>>,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), together: None }
    }

    /// It is sent once as many requests wait for such an answer as `barrier` counts.
    pub fn together(mut self, barrier: &Arc<Barrier>) -> Self {
        self.together = Some(Arc::clone(barrier));
        self
    }

    pub fn json(status: u16, body: Value) -> Self {
        Self::new(status).body(&body.to_string())
    }

    pub fn body(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// An error body of `{auth}`.
    pub fn refusal(status: u16, code: &str) -> Self {
        let error = json!({"code": code, "title": "", "message": "Check what you entered."});
        Self::json(status, json!({"serviceErrors": [error], "hasError": true}))
    }
}

type Script = BTreeMap<String, VecDeque<Reply>>;

/// Serves scripted answers; the last one of a route is repeated.
pub struct TestServer {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("an address");
        let script = Arc::<Mutex<Script>>::default();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let stopped = Arc::new(AtomicBool::new(false));
        let (their_script, their_seen, their_stopped) = (script.clone(), seen.clone(), stopped.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if their_stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (script, seen) = (their_script.clone(), their_seen.clone());
                let stream = stream.expect("accepted");
                std::thread::spawn(move || serve(stream, &script, &seen));
            }
        });
        Self { address, script, seen, stopped, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Replaces the answers of a route, given as `METHOD path`.
    pub fn on(&self, route: &str, replies: impl IntoIterator<Item = Reply>) -> &Self {
        let replies: VecDeque<Reply> = replies.into_iter().collect();
        self.script.lock().expect("not poisoned").insert(route.to_owned(), replies);
        self
    }

    /// The requests since the last time, and forgets them.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().expect("not poisoned"))
    }

    /// The routes of [`Self::take`], shortened to their last parts.
    pub fn routes(&self) -> Vec<String> {
        let short = |seen: Seen| seen.route.replace("/setup/ws/1/", "").replace("/appleauth/auth/", "");
        self.take().into_iter().map(short).collect()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ended well");
        }
    }
}

fn serve(stream: TcpStream, script: &Mutex<Script>, seen: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().expect("method"), words.next().expect("target"));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let route = format!("{method} {path}");
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).expect("header");
        match header.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let len = headers.get("content-length").map_or(0, |len| len.parse().expect("a length"));
    let mut body = vec![0; len];
    if reader.read_exact(&mut body).is_err() {
        // The client broke off; some tests want just that.
        return;
    }
    let body = String::from_utf8(body).expect("text");
    let reply = {
        let mut script = script.lock().expect("not poisoned");
        match script.get_mut(&route) {
            Some(replies) if replies.len() > 1 => replies.pop_front().expect("two"),
            Some(replies) => replies.front().cloned().expect("one"),
            None => Reply::new(599).body(&format!("unscripted: {route}")),
        }
    };
    let request = Seen { route, query: query.to_owned(), headers, body };
    seen.lock().expect("not poisoned").push(request);
    if let Some(barrier) = &reply.together {
        barrier.wait();
    }
    let mut text = format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("Connection: close\r\n\r\n");
    text.push_str(&reply.body);
    let mut stream = stream;
    // A client that went away is its own business.
    let _ = stream.write_all(text.as_bytes());
}

/// Time that only tests move, waits that end at once and are remembered, repeatable chance.
#[derive(Default)]
pub struct TestWorld {
    now: AtomicI64,
    draws: AtomicU64,
    pub waits: Mutex<Vec<Duration>>,
    /// After this many waits the program is told to stop; 0 = never.
    pub stop_after: AtomicU64,
}

impl TestWorld {
    pub fn new() -> Arc<Self> {
        let world = Self::default();
        world.now.store(NOW, Ordering::SeqCst);
        Arc::new(world)
    }

    pub fn advance(&self, secs: i64) {
        self.now.fetch_add(secs, Ordering::SeqCst);
    }

    pub fn env(self: &Arc<Self>) -> Env {
        Env { clock: self.clone(), chance: self.clone() }
    }
}

impl Clock for TestWorld {
    fn now(&self) -> DiskTime {
        DiskTime::new(self.now.load(Ordering::SeqCst), 0)
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.now.load(Ordering::SeqCst).unsigned_abs())
    }

    fn boot(&self) -> u64 {
        1
    }

    fn pause(&self, span: Duration) -> Result<(), Stopped> {
        let mut waits = self.waits.lock().expect("not poisoned");
        waits.push(span);
        let stop_after = self.stop_after.load(Ordering::SeqCst);
        if stop_after != 0 && waits.len() as u64 >= stop_after { Err(Stopped) } else { Ok(()) }
    }

    fn unit_random(&self) -> f64 {
        0.5
    }
}

impl Chance for TestWorld {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let draw = self.draws.fetch_add(1, Ordering::SeqCst);
            let digest = Sha256::digest(draw.to_be_bytes());
            chunk.copy_from_slice(&digest[..chunk.len()]);
        }
    }
}

/// A server, a world and a state directory: what one sign-in test needs.
pub struct Bench {
    pub server: TestServer,
    pub world: Arc<TestWorld>,
    pub folder: tempfile::TempDir,
}

pub const AUTHORIZE: &str = "GET /appleauth/auth/authorize/signin";
pub const INIT: &str = "POST /appleauth/auth/signin/init";
pub const FEDERATE: &str = "POST /appleauth/auth/federate";
pub const COMPLETE: &str = "POST /appleauth/auth/signin/complete";
pub const REPAIR: &str = "POST /appleauth/auth/repair/complete";
pub const DEVICE: &str = "PUT /appleauth/auth/verify/trusteddevice/securitycode";
pub const DEVICE_CODE_ROUTE: &str = "POST /appleauth/auth/verify/trusteddevice/securitycode";
pub const PHONE: &str = "PUT /appleauth/auth/verify/phone";
pub const PHONE_CODE_ROUTE: &str = "POST /appleauth/auth/verify/phone/securitycode";
pub const TRUST: &str = "GET /appleauth/auth/2sv/trust";
pub const LOGIN: &str = "POST /setup/ws/1/accountLogin";
pub const VALIDATE: &str = "POST /setup/ws/1/validate";
pub const LIST: &str = "POST /retrieveItemDetailsInFolders";

impl Bench {
    /// A service that takes the password, wants no second factor, and lists.
    pub fn new() -> Self {
        let bench = Self {
            server: TestServer::start(),
            world: TestWorld::new(),
            folder: tempfile::tempdir().expect("temporary folder"),
        };
        let info = bench.info();
        bench
            .server
            .on(
                AUTHORIZE,
                [Reply::new(200)
                    .header("scnt", "scnt-one")
                    .header("X-Apple-Auth-Attributes", "attributes-1")],
            )
            .on(
                INIT,
                [init_reply().header("X-Apple-ID-Session-Id", "session-id-1").header("scnt", "scnt-two")],
            )
            .on(FEDERATE, [Reply::json(200, json!({}))])
            .on(COMPLETE, [complete_reply(200)])
            .on(LOGIN, [login_reply(info.clone())])
            .on(VALIDATE, [Reply::json(200, info)])
            .on(LIST, [Reply::json(200, json!([]))]);
        bench
    }

    /// Account information that is ready.
    pub fn info(&self) -> Value {
        let root = self.server.url("");
        json!({
            "dsInfo": {"dsid": "17320123456", "hsaVersion": 2},
            "hsaTrustedBrowser": true, "hsaChallengeRequired": false, "termsUpdateNeeded": false,
            "webservices": {
                "drivews": {"pcsRequired": true, "url": format!("{root}/"), "status": "active"},
                "docws": {"pcsRequired": true, "url": root, "status": "active"}
            }
        })
    }

    pub fn options(&self) -> IcloudOptions {
        IcloudOptions {
            username: USERNAME.to_owned(),
            home: Some(self.server.url("")),
            setup: Some(self.server.url("/setup/ws/1")),
            auth: Some(self.server.url("/appleauth/auth")),
            state_directory: self.folder.path().join("state"),
            ..Default::default()
        }
    }

    /// A fresh start of the program, with the password.
    pub fn open(&self) -> Service {
        let service = Service::open(self.options(), self.world.env()).expect("opened");
        service.account().set_password(Some(Secret::new(PASSWORD)));
        service
    }

    pub fn session_path(&self) -> std::path::PathBuf {
        self.folder.path().join("state/session.json")
    }

    pub fn stored(&self) -> String {
        std::fs::read_to_string::<&Path>(&self.session_path()).expect("a stored session")
    }
}

/// Parameters of init; B is that of vector 2, acceptable to every client.
pub fn init_reply() -> Reply {
    Reply::json(200, init_body())
}

/// The body of [`init_reply`].
pub fn init_body() -> Value {
    let b = concat!(
        "MTTsCTnCUVvX4b/S9K4DXo6aac3Fv4oDoCQS8Djbq5yzNIl8DuDkRfpuuIxbnSXheHV+w97/LVMkK+DQv+WxCAulO1RufvO+",
        "g6OvcR0rf31Z/deFreGcbg4/sORPffR2auPVjOPuBrByiqWdx1xlevGFJ67G6TVzGUEuFKm895Y4bLH9dpOTfdtmRLPCh22M",
        "bwvAZYdlJchI7CKmWdEzg4a9ryPt2oC8LmkllXaewB92w9yL5/1qnhN+XhjrkVGyO1kv3/WAVCTNSr93lDo5ZspFPzYcfOwy",
        "9Zkj1LEfwJ39Matr3uoCy34+HqAfBqQs8Pu6MFwTFG5rAJvIuFtD7w=="
    );
    let c = json!({"opaque": [1, 2]});
    let salt = "nT8cW3ouSGBvgZKjtMXW5w==";
    json!({"iteration": 1000, "salt": salt, "protocol": "s2k", "b": b, "c": c})
}

/// A proof that was accepted, with the tokens that come with it.
pub fn complete_reply(status: u16) -> Reply {
    Reply::json(status, json!({"authType": "hsa2"}))
        .header("X-Apple-Session-Token", "session-token-1")
        .header("X-Apple-ID-Account-Country", "DEU")
        .header("scnt", "scnt-three")
}

/// An accountLogin that sets the session's cookies.
pub fn login_reply(info: Value) -> Reply {
    Reply::json(200, info)
        .header(
            "Set-Cookie",
            "X-APPLE-WEBAUTH-TOKEN=\"v=2:t=web-token-1\"; Path=/; Secure; HttpOnly; Max-Age=2592000",
        )
        .header("Set-Cookie", "X-APPLE-WEBAUTH-VALIDATE=\"v=1:t=upload-token-1\"; Path=/; Secure")
        .header(
            "Set-Cookie",
            "X-APPLE-WEBAUTH-HSA-TRUST=trust-cookie-1; Path=/; Secure; Expires=Tue, 01 Jan 2080 00:00:00 GMT",
        )
}
