//! The drive client over HTTP against the simulated iCloud, under the switches of
//! `docs/protocol-open-questions.md` that concern it.

mod content;
mod reading;
mod session;
mod waiting;
mod writing;

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use icloudds::engine::ports::{
    Clock, Commit, ItemVersion, LookUp, Remote, RemoteError, RemoteItem, Sink, Staged, Stopped,
};
use icloudds::icloud::drive::{Api, DriveOptions, ICloudDrive, Request};
use icloudds::icloud::http::{Answer, Call, Head, Http, HttpError, HttpOptions, Payload};
use icloudds::icloud::request::Root;
use icloudds::icloud::service::ServiceError;
use icloudds::model::{DiskTime, ItemId, RemoteEntry, ServerTime, Zone};
use icloudds_simulator::fault::{Effect, Fault, FaultBody};
use icloudds_simulator::service::SESSIONLESS_UPLOAD_TOKEN;
use icloudds_simulator::{SimConfig, Simulator, Switches};

/// Calls the simulator without a session; signing in has its own tests.
struct Direct {
    http: Http,
    url: String,
}

impl Api for Direct {
    fn call(&self, ask: &Request<'_>) -> Result<Answer, ServiceError> {
        let service = match ask.root {
            Root::Drivews => "drivews",
            Root::Docws => "docws",
            Root::At(root) => panic!("the drive client asks {root}"),
        };
        let mut url = url::Url::parse(&format!("{}/{service}{}", self.url, ask.path)).expect("a URL");
        url.query_pairs_mut().extend_pairs(ask.query).append_pair("clientId", "c").append_pair("dsid", "1");
        let payload = if ask.body.is_empty() { Payload::None } else { Payload::Bytes(ask.body) };
        let referer = format!("{}/", self.url);
        let headers = [("Origin", self.url.as_str()), ("Referer", &referer), ("Content-Type", "text/plain")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let call = Call {
            method: ask.method,
            url: url.into(),
            headers,
            payload,
            limits: ask.limits,
            kind: ask.kind,
        };
        Ok(self.http.call(call)?)
    }

    fn open(&self, call: Call<'_>) -> Result<(Head, Box<dyn Read + Send>), HttpError> {
        self.http.open(call)
    }

    fn upload_token(&self) -> Option<String> {
        Some(SESSIONLESS_UPLOAD_TOKEN.to_owned())
    }

    fn allows(&self, url: &str) -> bool {
        url.starts_with(&self.url)
    }
}

/// Waiting takes no time here, and sets the simulator's clock forward.
struct SimClock {
    sim: Arc<Simulator>,
    ahead: Mutex<Duration>,
}

impl SimClock {
    fn waited(&self) -> Duration {
        *self.ahead.lock().unwrap()
    }
}

impl Clock for SimClock {
    fn now(&self) -> DiskTime {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + self.waited();
        DiskTime(i64::try_from(now.as_nanos()).unwrap())
    }

    fn uptime(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.now().0).unwrap())
    }

    fn boot(&self) -> u64 {
        1
    }

    fn pause(&self, time: Duration) -> Result<(), Stopped> {
        self.sim.advance(time);
        *self.ahead.lock().unwrap() += time;
        Ok(())
    }

    fn unit_random(&self) -> f64 {
        0.5
    }
}

pub struct World {
    pub sim: Arc<Simulator>,
    clock: Arc<SimClock>,
    pub drive: ICloudDrive,
}

impl World {
    pub fn new(switch: impl FnOnce(&mut Switches)) -> Self {
        Self::with(switch, DriveOptions { max_workers: 8, ..DriveOptions::default() })
    }

    fn with(switch: impl FnOnce(&mut Switches), options: DriveOptions) -> Self {
        let config = SimConfig { sessionless: true, ..SimConfig::default() };
        let sim = Arc::new(Simulator::start(config).expect("started"));
        sim.switches(switch);
        let clock = Arc::new(SimClock { sim: Arc::clone(&sim), ahead: Mutex::default() });
        let http = Http::new(&HttpOptions::default()).expect("a client");
        let api = Arc::new(Direct { http, url: sim.url() });
        let drive = ICloudDrive::new(api, options, Arc::clone(&clock) as Arc<dyn Clock>);
        Self { sim, clock, drive }
    }

    /// A file or folder that a person made elsewhere, by its path.
    pub fn id(&self, path: &str) -> ItemId {
        let entry = self.sim.drive().entry(path).unwrap_or_else(|| panic!("{path} is there"));
        ItemId::new(Zone::CloudDocs, &entry.docwsid)
    }

    fn version(&self, path: &str, folder: bool) -> ItemVersion {
        let entry = self.sim.drive().entry(path).unwrap_or_else(|| panic!("{path} is there"));
        let id = ItemId::new(Zone::CloudDocs, &entry.docwsid);
        ItemVersion { id, folder, etag: icloudds::model::Etag::new(&entry.etag) }
    }

    fn write(&self, path: &str, content: &str) {
        self.sim.drive().write(path, content).expect("written");
    }

    fn fault(&self, kind: &str, count: u64, effect: Effect) {
        self.sim.switches(|switches| {
            switches.faults = vec![Fault {
                kind: Some(kind.to_owned()),
                path: None,
                skip: 0,
                count,
                every: 1,
                probability: 1.0,
                seed: 0,
                effect,
            }];
        });
    }

    /// The names that a listing of the folder shows, sorted.
    fn names(&self, folder: &ItemId) -> Vec<String> {
        let listing = self.drive.list(std::slice::from_ref(folder), false).pop().unwrap().expect("listed");
        let mut names: Vec<_> = listing.items.iter().map(|item| item.entry.name.to_string()).collect();
        names.sort();
        names
    }

    fn look(&self, id: &ItemId, folder: bool) -> LookUp {
        self.drive.look_up(&[(id.clone(), folder)]).expect("looked up").pop().unwrap()
    }

    fn stage(&self, name: &str, content: &[u8]) -> Result<Staged, RemoteError> {
        self.drive.stage(&Zone::CloudDocs, name, content.len() as u64, &mut &*content)
    }

    fn upload(&self, parent: &ItemId, name: &str, content: &[u8]) -> Result<RemoteItem, RemoteError> {
        let staged = self.stage(name, content)?;
        self.commit(&staged, parent, name, None)
    }

    fn commit(
        &self,
        staged: &Staged,
        parent: &ItemId,
        name: &str,
        replaces: Option<&ItemId>,
    ) -> Result<RemoteItem, RemoteError> {
        let time = ServerTime(1_772_450_553);
        self.drive.commit(&Commit {
            staged,
            parent,
            name,
            replaces,
            mtime: time,
            btime: time,
            executable: false,
        })
    }

    pub fn check(&self) {
        assert_eq!(self.sim.violations(), [""; 0]);
    }
}

fn root() -> ItemId {
    ItemId::drive_root()
}

fn answer(status: u16, code: Option<&str>, retry_after: Option<u64>) -> Effect {
    let body = if code.is_some() { FaultBody::Json } else { FaultBody::Html };
    Effect::Answer { status, body, retry_after, code: code.map(str::to_owned), headers: Vec::new() }
}

fn found(answer: LookUp) -> RemoteEntry {
    match answer {
        LookUp::Found(item) => item.entry,
        other => panic!("{other:?}"),
    }
}

/// Keeps what is fetched in memory and counts the restarts.
#[derive(Default)]
struct Memory {
    bytes: Vec<u8>,
    restarts: u32,
}

impl Write for Memory {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Memory {
    fn restart(&mut self) -> io::Result<()> {
        self.bytes.clear();
        self.restarts += 1;
        Ok(())
    }
}
