//! The smallest HTTP client that can talk to the simulator: one connection for each request, no cookies of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use icloudds_simulator::{SimConfig, Simulator, Switches};
use serde_json::{Value, json};

pub const ROOT: &str = "FOLDER::com.apple.CloudDocs::root";
pub const ZONE: &str = "/docws/ws/com.apple.CloudDocs";

/// An answer as it came over the wire; a body may be shorter than announced.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Talks to one simulator.
pub struct Client {
    pub address: SocketAddr,
    /// Sent with every request.
    pub headers: Vec<(String, String)>,
}

impl Client {
    pub fn of(sim: &Simulator) -> Self {
        let headers = [("User-Agent", "raw"), ("Accept", "application/json")];
        let mut client = Self { address: sim.address(), headers: Vec::new() };
        client.headers.extend(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
        client.headers.push(("Origin".to_owned(), sim.url()));
        client.headers.push(("Referer".to_owned(), format!("{}/", sim.url())));
        client
    }

    /// Sends one request and returns the answer; `None` when the connection closed without one.
    pub fn try_send(&self, method: &str, target: &str, more: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
        // Addresses in answers are absolute.
        let base = format!("http://{}", self.address);
        let path = target.strip_prefix(base.as_str()).unwrap_or(target);
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        for (name, value) in more {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // A refusal may close the connection before the body is through.
        let _ = stream.write_all(body);
        let mut raw = Vec::new();
        let _ = stream.read_to_end(&mut raw);
        let end = raw.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8(raw[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Some(Answer { status, headers, body: raw[end + 4..].to_vec() })
    }

    pub fn send(&self, method: &str, target: &str, more: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, target, more, body).expect("an answer")
    }

    pub fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"")
    }

    pub fn post(&self, target: &str, body: &Value) -> Answer {
        self.send("POST", target, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    /// Posts to drivews, expects 200 and returns the JSON.
    pub fn drivews(&self, call: &str, body: &Value) -> Value {
        let answer = self.post(&format!("/drivews/{call}"), body);
        assert_eq!(answer.status, 200, "{call}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// Lists one folder.
    pub fn list(&self, drivewsid: &str) -> Value {
        let body = json!([{"drivewsid": drivewsid, "partialData": false}]);
        self.drivews("retrieveItemDetailsInFolders", &body)[0].clone()
    }

    /// The child of a folder with this full name.
    pub fn child(&self, drivewsid: &str, full_name: &str) -> Value {
        let listing = self.list(drivewsid);
        let found = listing["items"].as_array().unwrap().iter().find(|item| {
            let name = item["name"].as_str().unwrap();
            match item["extension"].as_str() {
                Some(extension) => format!("{name}.{extension}") == full_name,
                None => name == full_name,
            }
        });
        found.unwrap_or_else(|| panic!("{full_name} in {listing}")).clone()
    }

    /// One item by its id.
    pub fn details(&self, drivewsid: &str) -> Value {
        let body = json!({"items": [{"drivewsid": drivewsid, "partialData": false}]});
        self.drivews("retrieveItemDetails", &body)["items"][0].clone()
    }

    /// Calls moveItemsToTrash and the like for one item.
    pub fn change(&self, call: &str, item: &Value, more: Value) -> Value {
        let mut entry = json!({"drivewsid": item["drivewsid"], "etag": item["etag"]});
        for (name, value) in more.as_object().unwrap() {
            entry[name.as_str()] = value.clone();
        }
        self.drivews(call, &json!({"items": [entry]}))["items"][0].clone()
    }

    /// Asks for a slot.
    pub fn slot(&self, zone: &str, name: &str, size: usize) -> Answer {
        let body =
            json!({"filename": name, "type": "FILE", "content_type": "text/plain", "size": size.to_string()});
        self.post(&format!("{zone}/upload/web"), &body)
    }

    /// Uploads a content as the one part of a multipart body.
    pub fn upload(&self, url: &str, name: &str, content: &[u8]) -> Answer {
        let mut body = format!(
            "--sep\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n--sep--\r\n");
        self.send("POST", url, &[("Content-Type", "multipart/form-data; boundary=sep")], &body)
    }

    /// Both first steps of an upload: the new document's id and `singleFile`.
    pub fn stage(&self, name: &str, content: &[u8]) -> (String, Value) {
        let slot = self.slot(ZONE, name, content.len()).json()[0].clone();
        let answer = self.upload(slot["url"].as_str().unwrap(), name, content);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        (slot["document_id"].as_str().unwrap().to_owned(), answer.json()["singleFile"].clone())
    }

    /// The commit of a staged content.
    pub fn commit(&self, zone: &str, document_id: &str, staged: &Value, parent: &str, name: &str) -> Answer {
        self.commit_with(zone, document_id, staged, parent, name, false)
    }

    pub fn commit_with(
        &self,
        zone: &str,
        document_id: &str,
        staged: &Value,
        parent: &str,
        name: &str,
        allow_conflict: bool,
    ) -> Answer {
        let mut data = json!({"size": staged["size"], "wrapping_key": staged["wrappingKey"]});
        for (to, from) in [
            ("signature", "fileChecksum"),
            ("reference_signature", "referenceChecksum"),
            ("receipt", "receipt"),
        ] {
            if staged[from].is_string() {
                data[to] = staged[from].clone();
            }
        }
        let body = json!({
            "data": data, "command": "add_file", "create_short_guid": true, "document_id": document_id,
            "path": {"starting_document_id": parent, "path": name}, "allow_conflict": allow_conflict,
            "file_flags": {"is_writable": true, "is_executable": false, "is_hidden": false},
            "mtime": 1_772_450_553_000_u64, "btime": 1_772_359_200_000_u64,
        });
        self.post(&format!("{zone}/update/documents?errorBreakdown=true"), &body)
    }

    /// All three steps into the root.
    pub fn put(&self, name: &str, content: &[u8]) -> Value {
        let (id, staged) = self.stage(name, content);
        self.commit(ZONE, &id, &staged, "root", name).json()["results"][0]["document"].clone()
    }

    /// The answer of by_id.
    pub fn download_info(&self, docwsid: &str) -> Answer {
        self.get(&format!("{ZONE}/download/by_id?document_id={docwsid}"))
    }

    /// The address of a file's content.
    pub fn download_url(&self, docwsid: &str) -> String {
        let answer = self.download_info(docwsid).json();
        answer["data_token"]["url"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

/// A simulator whose drive calls need no session.
pub fn open_simulator(set: impl FnOnce(&mut Switches)) -> (Simulator, Client) {
    let mut config = SimConfig { sessionless: true, ..SimConfig::default() };
    set(&mut config.switches);
    let sim = Simulator::start(config).unwrap();
    let client = Client::of(&sim);
    (sim, client)
}
