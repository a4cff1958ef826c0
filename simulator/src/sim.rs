//! A running simulator and the state behind it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::drive::{self, Drive};
use crate::fault::FaultPlan;
use crate::http::server::{Handler, Pace, Server};
use crate::http::{Request, Response};
use crate::switches::Switches;

/// How a simulator starts.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The switches at the start.
    pub switches: Switches,
    /// Seed of everything that looks random.
    pub seed: u64,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), switches: Switches::default(), seed: 1 }
    }
}

/// Which of the account's services a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Sign-in, `{auth}`.
    Auth,
    /// Account, `{setup}`.
    Setup,
    /// The web page, `{home}`.
    Home,
    /// Drive's metadata, `{drivews}`.
    Drivews,
    /// Drive's documents, `{docws}`.
    Docws,
    /// Content hosts, both directions.
    Content,
    /// The simulator's own control endpoint.
    Control,
}

/// Who a service call belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The account's dsid as text.
    pub dsid: String,
    /// The value of `t=` in `X-APPLE-WEBAUTH-VALIDATE` (docs/protocol.md §12.1).
    pub upload_token: String,
}

/// Everything that changes, behind one lock that is never held while a body is read or sent.
#[derive(Debug, Default)]
pub struct State {
    /// The switches now.
    pub switches: Switches,
    /// Requests by kind.
    pub counts: BTreeMap<String, u64>,
    /// Broken invariants of docs/protocol.md §19.
    pub violations: Vec<String>,
    /// The fault plan at work.
    pub faults: FaultPlan,
    /// The drive half.
    pub drive: Drive,
    /// How far the simulator's clock is ahead of the machine's.
    pub clock_ahead: Duration,
}

/// The simulator without its server: answers requests.
#[derive(Debug)]
pub struct Core {
    state: Mutex<State>,
}

impl Core {
    /// The state. Do not read or write bodies while holding it.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the switches.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.state().switches.clone()
    }

    /// The simulator's time, which tests can set forward.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        SystemTime::now() + self.state().clock_ahead
    }

    /// Records a broken invariant.
    pub fn violation(&self, text: impl Into<String>) {
        self.state().violations.push(text.into());
    }

    /// Checks cookies, PCS cookies, S-session and S-throttle for a call to drivews or docws.
    ///
    /// # Errors
    /// The answer to give instead.
    pub fn check_service(&self, _request: &Request) -> Result<Session, Response> {
        Ok(Session { dsid: "17320123456".to_owned(), upload_token: "upload-token".to_owned() })
    }

    /// The root to announce for a service to this client: a real public name when it asked for one, else a path on this server.
    #[must_use]
    pub fn root(&self, request: &Request, service: Service) -> String {
        let path = match service {
            Service::Drivews => "/drivews",
            Service::Docws => "/docws",
            Service::Content => "/content",
            _ => "",
        };
        format!("{}{path}", request.base_url())
    }
}

impl Handler for Core {
    fn handle(&self, request: Request) -> Response {
        for (prefix, service) in
            [("/drivews", Service::Drivews), ("/docws", Service::Docws), ("/content", Service::Content)]
        {
            if let Some(rest) = request.path.strip_prefix(prefix) {
                let rest = rest.to_owned();
                return drive::handle(self, service, &rest, request);
            }
        }
        Response::text(404, "no such call")
    }

    fn pace(&self) -> Pace {
        let state = self.state();
        Pace { latency: state.switches.latency, bandwidth: state.switches.bandwidth }
    }
}

/// A running simulator. Dropping it stops it and joins its threads.
#[derive(Debug)]
pub struct Simulator {
    core: Arc<Core>,
    server: Server,
}

impl Simulator {
    /// Starts one.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn start(config: SimConfig) -> io::Result<Self> {
        let mut state = State::default();
        state.faults.update(&config.switches.faults);
        state.switches = config.switches;
        let core = Arc::new(Core { state: Mutex::new(state) });
        let server = Server::start(config.listen, Arc::clone(&core) as Arc<dyn Handler>)?;
        Ok(Self { core, server })
    }

    /// The answering part, for direct access to the state.
    #[must_use]
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Value for `icloud.home`.
    #[must_use]
    pub fn home(&self) -> String {
        self.url()
    }

    /// Value for `icloud.setup`.
    #[must_use]
    pub fn setup(&self) -> String {
        format!("{}/setup/ws/1", self.url())
    }

    /// Value for `icloud.auth`.
    #[must_use]
    pub fn auth(&self) -> String {
        format!("{}/appleauth/auth", self.url())
    }

    /// Requests so far, by kind.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.core.state().counts.clone()
    }

    /// Broken invariants so far.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.core.state().violations.clone()
    }

    /// Changes switches while it runs.
    pub fn switches(&self, change: impl FnOnce(&mut Switches)) {
        let mut state = self.core.state();
        let state = &mut *state;
        change(&mut state.switches);
        state.faults.update(&state.switches.faults);
    }

    /// Sets the simulator's clock forward.
    pub fn advance(&self, by: Duration) {
        self.core.state().clock_ahead += by;
    }
}
