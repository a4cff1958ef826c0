//! A client of a few lines: raw HTTP, cookies by name, the client's side of SRP. Not the product's.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use icloudds_simulator::{SimConfig, Simulator};
use num_bigint::BigUint;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const WIDGET: &str = "d39ba9916b7251055b22c7f910e2ea796ee65e98b2ddecea8f5dde8d9d1a815d";
pub const NAME: &str = "sync.test@example.com";
pub const PASSWORD: &str = "Tr0ub4dor&3-icloudds";
const N: &str = "ac6bdb41324a9a9bf166de5e1389582faf72b6651987ee07fc3192943db56050a37329cbb4a099ed8193e0757767a13dd52312ab4b03310dcd7f48a9da04fd50e8083969edb767b0cf6095179a163ab3661a05fbd5faaae82918a9962f0b93b855f97993ec975eeaa80d740adbf4ff747359d041d5c33ea71d281e446b14773bca97b43a23fb801676bd207a436c6481f1d2b9078717461a5b9d32e688f87748544523b524b0d57d5ea77a2775d2ecfa032cfbdbf52fb3786160279004e57ae6af874e7303ce53299ccc041c7bc308d82a5698f3a8d0c38271ae35f8e9dbfbb694b5c803d89f7ae435de236d525f54759b65e372fcd68ef20fa7111f9e4aff73";

/// A simulator whose password takes no time to stretch.
pub fn simulator(change: impl FnOnce(&mut SimConfig)) -> Simulator {
    let mut config = SimConfig::default();
    config.account.iterations = 10;
    change(&mut config);
    Simulator::start(config).unwrap()
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The connection ended before the announced length had come.
    pub cut: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn code(&self) -> String {
        self.json()["serviceErrors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends raw bytes on a connection and reads one answer; `None` when the connection ends without a byte.
pub fn exchange(stream: &TcpStream, request: &[u8], is_head: bool) -> Option<Answer> {
    let mut out = stream;
    // The server may have answered and closed before it has read everything.
    let _ = out.write_all(request);
    let mut reader = BufReader::with_capacity(1, stream);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.contains(" 100 ") {
            line.clear();
            reader.read_line(&mut line).ok()?;
            continue;
        }
        break;
    }
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut answer = Answer { status, headers, body: Vec::new(), cut: false };
    let length: u64 = answer.header("content-length").map_or(0, |text| text.parse().unwrap());
    if !is_head {
        answer.cut =
            reader.take(length).read_to_end(&mut answer.body).is_err() || (answer.body.len() as u64) < length;
    }
    Some(answer)
}

/// A browser-like client with its state.
pub struct Client {
    pub host: String,
    pub cookies: BTreeMap<String, String>,
    /// The carried state of docs/protocol.md §5.1.
    pub carried: BTreeMap<&'static str, String>,
    /// Headers added to every request.
    pub extra: Vec<(String, String)>,
    /// Headers left out of every request.
    pub without: Vec<&'static str>,
    pub set_cookies: Vec<String>,
}

const CARRIED: [&str; 6] = [
    "scnt",
    "X-Apple-ID-Session-Id",
    "X-Apple-Auth-Attributes",
    "X-Apple-Session-Token",
    "X-Apple-TwoSV-Trust-Token",
    "X-Apple-ID-Account-Country",
];

impl Client {
    pub fn new(simulator: &Simulator) -> Self {
        Self {
            host: simulator.address().to_string(),
            cookies: BTreeMap::new(),
            carried: BTreeMap::new(),
            extra: Vec::new(),
            without: Vec::new(),
            set_cookies: Vec::new(),
        }
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.host).unwrap()
    }

    pub fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let stream = self.connect();
        self.call_on(&stream, method, path, body).expect("an answer")
    }

    pub fn call_on(
        &mut self,
        stream: &TcpStream,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<Answer> {
        let mut headers = vec![
            ("Host".to_owned(), self.host.clone()),
            ("User-Agent".to_owned(), "Mozilla/5.0 (test)".to_owned()),
            ("Origin".to_owned(), format!("http://{}", self.host)),
            ("Referer".to_owned(), format!("http://{}/", self.host)),
            ("X-Apple-Widget-Key".to_owned(), WIDGET.to_owned()),
            ("Content-Type".to_owned(), "application/json".to_owned()),
        ];
        headers.retain(|(name, _)| !self.without.contains(&name.as_str()));
        for (name, value) in &self.extra {
            headers.retain(|(known, _)| known != name);
            headers.push((name.clone(), value.clone()));
        }
        for name in &CARRIED[..3] {
            if let Some(value) = self.carried.get(name) {
                headers.push(((*name).to_owned(), value.clone()));
            }
        }
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            headers.push(("Cookie".to_owned(), cookies.join("; ")));
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let answer = exchange(stream, text.as_bytes(), method == "HEAD")?;
        for (name, value) in &answer.headers {
            if let Some(carried) = CARRIED.iter().find(|c| c.eq_ignore_ascii_case(name)) {
                self.carried.insert(carried, value.clone());
            }
            if name.eq_ignore_ascii_case("set-cookie") {
                self.set_cookies.push(value.clone());
                let (cookie, rest) = value.split_once('=').unwrap();
                let value = rest.split(';').next().unwrap();
                if value.is_empty() {
                    self.cookies.remove(cookie);
                } else {
                    self.cookies.insert(cookie.to_owned(), value.to_owned());
                }
            }
        }
        Some(answer)
    }

    pub fn auth(&mut self, method: &str, call: &str, body: Option<&Value>) -> Answer {
        self.call(method, &format!("/appleauth/auth{call}"), body)
    }

    pub fn setup(&mut self, call: &str, body: &Value) -> Answer {
        self.call("POST", &format!("/setup/ws/1/{call}"), Some(body))
    }

    /// A drivews call, whatever it answers after the session check.
    pub fn list(&mut self) -> Answer {
        self.call(
            "POST",
            "/drivews/retrieveItemDetailsInFolders",
            Some(&json!([{"drivewsid": "FOLDER::com.apple.CloudDocs::root", "partialData": false}])),
        )
    }

    pub fn start(&mut self) -> Answer {
        self.auth("GET", "/authorize/signin?frame_id=auth-1", None)
    }

    /// `signin/init`; returns the answer and the body for `signin/complete`.
    pub fn init(&mut self, name: &str, password: &str, secret: u32) -> (Answer, Value) {
        let srp = SrpClient::new(secret);
        let answer = self.auth(
            "POST",
            "/signin/init",
            Some(&json!({
                "a": STANDARD.encode(srp.public()), "accountName": name, "protocols": ["s2k", "s2k_fo"],
            })),
        );
        let proof = if answer.status == 200 && answer.json()["b"].is_string() {
            srp.prove(name, password, &answer.json())
        } else {
            Value::Null
        };
        (answer, proof)
    }

    /// Init and complete.
    pub fn sign_in(&mut self, password: &str) -> Answer {
        let (init, mut proof) = self.init(NAME, password, 0x1234_5678);
        assert_eq!(init.status, 200, "{}", init.json());
        if let Some(token) = self.carried.get("X-Apple-TwoSV-Trust-Token") {
            proof["trustTokens"] = json!([token]);
        }
        self.auth("POST", "/signin/complete?isRememberMeEnabled=true", Some(&proof))
    }

    pub fn account_login(&mut self) -> Answer {
        let body = json!({
            "accountCountryCode": self.carried.get("X-Apple-ID-Account-Country"),
            "dsWebAuthToken": self.carried.get("X-Apple-Session-Token"),
            "extended_login": true,
            "trustToken": self.carried.get("X-Apple-TwoSV-Trust-Token").cloned().unwrap_or_default(),
        });
        self.setup("accountLogin", &body)
    }

    pub fn submit_code(&mut self, code: &str) -> Answer {
        self.auth(
            "POST",
            "/verify/trusteddevice/securitycode",
            Some(&json!({"securityCode": {"code": code}})),
        )
    }

    pub fn trust(&mut self) -> Answer {
        self.auth("GET", "/2sv/trust", None)
    }

    /// The second proof, with this password.
    pub fn prove_again(&mut self, password: &str) -> Answer {
        let srp = SrpClient::new(0x8765_4321);
        let body = json!({
            "a": STANDARD.encode(srp.public()), "accountName": "", "protocols": ["s2k", "s2k_fo"],
        });
        let init = self.auth("POST", "/escrow/init", Some(&body));
        assert_eq!(init.status, 200, "{}", init.json());
        self.auth("POST", "/escrow/complete", Some(&srp.prove("", password, &init.json())))
    }

    /// Password, device code, trust, accountLogin.
    pub fn log_in(&mut self, simulator: &Simulator) -> Answer {
        assert_eq!(self.start().status, 200);
        assert_eq!(self.sign_in(PASSWORD).status, 409);
        assert_eq!(self.auth("PUT", "/verify/trusteddevice/securitycode", None).status, 202);
        let code = simulator.device_code().unwrap();
        assert_eq!(self.submit_code(&code).status, 204);
        assert_eq!(self.trust().status, 204);
        self.account_login()
    }
}

/// The client's side of SRP (docs/protocol.md §3.7), always padded.
pub struct SrpClient {
    secret: BigUint,
    n: BigUint,
}

fn sha(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

fn pad(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; 256 - bytes.len()], bytes].concat()
}

impl SrpClient {
    pub fn new(secret: u32) -> Self {
        Self { secret: BigUint::from(secret) << 300u32, n: BigUint::parse_bytes(N.as_bytes(), 16).unwrap() }
    }

    pub fn public(&self) -> Vec<u8> {
        pad(&BigUint::from(2u8).modpow(&self.secret, &self.n))
    }

    pub fn prove(&self, name: &str, password: &str, init: &Value) -> Value {
        let decode = |name: &str| STANDARD.decode(init[name].as_str().unwrap()).unwrap();
        let (salt, public) = (decode("salt"), BigUint::from_bytes_be(&decode("b")));
        let hash = sha(&[password.as_bytes()]);
        let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
        let input = match init["protocol"].as_str().unwrap() {
            "s2k" => hash.to_vec(),
            _ => hex.into_bytes(),
        };
        let mut p = [0; 32];
        let iterations = u32::try_from(init["iteration"].as_u64().unwrap()).unwrap();
        pbkdf2::pbkdf2::<hmac::Hmac<Sha256>>(&input, &salt, iterations, &mut p).unwrap();
        let (n, g) = (&self.n, BigUint::from(2u8));
        let x = BigUint::from_bytes_be(&sha(&[&salt, &sha(&[b":", &p])]));
        let k = BigUint::from_bytes_be(&sha(&[&pad(n), &pad(&g)]));
        let a = self.public();
        let u = BigUint::from_bytes_be(&sha(&[&a, &pad(&public)]));
        let base = (&public + n - k * g.modpow(&x, n) % n) % n;
        let shared = base.modpow(&(&self.secret + u * x), n);
        let key = sha(&[&pad(&shared)]);
        let group: Vec<u8> = sha(&[&pad(n)]).iter().zip(sha(&[&pad(&g)])).map(|(a, b)| a ^ b).collect();
        let m1 = sha(&[&group, &sha(&[name.as_bytes()]), &salt, &a, &pad(&public), &key]);
        let m2 = sha(&[&a, &m1, &key]);
        json!({
            "accountName": name, "c": init["c"], "m1": STANDARD.encode(m1), "m2": STANDARD.encode(m2),
            "rememberMe": true, "trustTokens": [], "k": STANDARD.encode(key),
        })
    }
}
