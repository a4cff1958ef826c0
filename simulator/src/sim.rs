//! A running simulator and the state behind it.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::account::Account;
use crate::auth::{self, AuthState};
use crate::control;
use crate::drive::person::Person;
use crate::drive::{self, Drive};
use crate::fault::FaultPlan;
use crate::http::server::{Handler, Pace, Server};
use crate::http::{Request, Response};
use crate::ids::Ids;
use crate::invariants::{self, Lane};
use crate::route::{self, Route, Service};
use crate::service::ServiceState;
use crate::setup::{self, SetupState};
use crate::switches::{SessionTrouble, Switches};

/// How a simulator starts.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The account that is served.
    pub account: Account,
    /// The switches at the start.
    pub switches: Switches,
    /// Seed of everything that looks random.
    pub seed: u64,
    /// So many items are in the drive at the start.
    pub seed_items: usize,
    /// Drive calls need no session. For tests of the drive half alone; neither the command line nor the control
    /// endpoint can set it.
    pub sessionless: bool,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            account: Account::default(),
            switches: Switches::default(),
            seed: 1,
            seed_items: 0,
            sessionless: false,
        }
    }
}

/// Everything that changes, behind one lock that is never held while a body is read or sent.
#[derive(Debug, Default)]
pub struct State {
    /// The switches now. Change them through [`Core::change_switches`].
    pub switches: Switches,
    /// The account now.
    pub account: Account,
    /// Requests by kind.
    pub counts: BTreeMap<String, u64>,
    /// Broken invariants of docs/protocol.md §19.
    pub violations: Vec<String>,
    /// The fault plan at work.
    pub faults: FaultPlan,
    /// Source of tokens and ids.
    pub ids: Ids,
    /// Sign-ins, codes and tokens.
    pub auth: AuthState,
    /// Sessions on the web.
    pub setup: SetupState,
    /// What befalls service calls.
    pub service: ServiceState,
    /// The drive half.
    pub drive: Drive,
    /// See [`SimConfig::sessionless`].
    pub sessionless: bool,
    /// How far the simulator's clock is ahead of the machine's.
    pub clock_ahead: Duration,
}

impl State {
    /// The simulator's time, which tests can set forward.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        SystemTime::now() + self.clock_ahead
    }

    /// Records a broken invariant.
    pub fn violation(&mut self, text: impl Into<String>) {
        self.violations.push(text.into());
    }
}

/// The simulator without its server: answers requests.
#[derive(Debug)]
pub struct Core {
    state: Mutex<State>,
    lane: Arc<Lane>,
}

impl Core {
    /// The state. Do not read or write bodies while holding it.
    pub fn state(&self) -> MutexGuard<'_, State> {
        // A handler that panicked has failed its test already; the state stays usable for the others.
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
        self.state().now()
    }

    /// Records a broken invariant.
    pub fn violation(&self, text: impl Into<String>) {
        self.state().violation(text);
    }

    /// The mutations and uploads that are under way, from the arrival of a request until its answer is about to leave. A mutation
    /// that is being handled counts itself.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Changes switches; a new `S-session` takes effect once from here on.
    pub fn change_switches<R>(&self, change: impl FnOnce(&mut Switches) -> R) -> R {
        let mut state = self.state();
        let state = &mut *state;
        let session = state.switches.session;
        let result = change(&mut state.switches);
        state.faults.update(&state.switches.faults);
        if state.switches.session != session {
            state.service.arm(state.switches.session);
        }
        result
    }

    /// The root to announce for a service to this client: a real public name when it asked for one, else a path on this server.
    #[must_use]
    pub fn root(&self, request: &Request, service: Service) -> String {
        let partition = self.state().service.partition;
        route::root(request, service, partition)
    }

    fn dispatch(&self, route: &Route, request: Request) -> Response {
        match route.service {
            Service::Auth => auth::handle(self, route, request),
            Service::Setup => setup::handle(self, route, request),
            Service::Home => Response::html(200, "<html><title>simulated iCloud</title></html>"),
            Service::Control if !route.rest.starts_with("/drive") => control::handle(self, route, request),
            Service::Control | Service::Drivews | Service::Docws | Service::Content => {
                drive::handle(self, route, request)
            }
        }
    }
}

impl Handler for Core {
    fn enter(&self, request: &Request) -> Box<dyn Any + Send> {
        let route = route::route(request);
        let (guard, overlapped) = Lane::enter(&self.lane, route.kind);
        if let Some(other) = overlapped {
            self.violation(format!("{} overlapped {other}", route.kind));
        }
        Box::new(guard)
    }

    fn handle(&self, request: Request) -> Response {
        let route = route::route(&request);
        if route.service == Service::Control {
            return self.dispatch(&route, request);
        }
        let effect = {
            let mut state = self.state();
            let state = &mut *state;
            *state.counts.entry(route.kind.to_owned()).or_insert(0) += 1;
            state.service.last_connection = state.service.last_connection.max(request.connection);
            crate::service::check_rest(state, route.kind);
            invariants::check_url(state, &route, &request);
            if let Some(refusal) = invariants::check_headers(state, &route, &request) {
                return refusal;
            }
            state.faults.strike(route.kind, &request.path)
        };
        match effect {
            None => self.dispatch(&route, request),
            Some(effect) => match effect.instead() {
                Some(answer) => answer,
                None => effect.spoil(self.dispatch(&route, request)),
            },
        }
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
        let mut state = State {
            account: config.account,
            ids: Ids::new(config.seed),
            drive: Drive::new(config.seed),
            sessionless: config.sessionless,
            ..State::default()
        };
        state.faults.update(&config.switches.faults);
        if config.switches.session != SessionTrouble::Stable {
            state.service.arm(config.switches.session);
        }
        state.switches = config.switches;
        let core = Arc::new(Core { state: Mutex::new(state), lane: Arc::new(Lane::default()) });
        drive::seed(&core, config.seed_items, config.seed);
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

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Value for `icloud.home`.
    #[must_use]
    pub fn home(&self) -> String {
        self.url()
    }

    /// Value for `icloud.setup`.
    #[must_use]
    pub fn setup(&self) -> String {
        format!("{}{}", self.url(), route::SETUP_PATH)
    }

    /// Value for `icloud.auth`.
    #[must_use]
    pub fn auth(&self) -> String {
        format!("{}{}", self.url(), route::AUTH_PATH)
    }

    /// What a person does on another device, and what the Drive holds.
    #[must_use]
    pub fn drive(&self) -> Person<'_> {
        Person::new(&self.core)
    }

    /// Requests so far, by kind.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.core.state().counts.clone()
    }

    /// Requests of one kind so far.
    #[must_use]
    pub fn count(&self, kind: &str) -> u64 {
        self.core.state().counts.get(kind).copied().unwrap_or(0)
    }

    /// Broken invariants so far.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.core.state().violations.clone()
    }

    /// Changes switches while it runs.
    pub fn switches(&self, change: impl FnOnce(&mut Switches)) {
        self.core.change_switches(change);
    }

    /// Changes the account while it runs. See [`Simulator::change_password`] for the password.
    pub fn account(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.core.state().account);
    }

    /// Sets the simulator's clock forward.
    pub fn advance(&self, by: Duration) {
        self.core.state().clock_ahead += by;
    }

    /// Makes something expire now.
    pub fn expire(&self, what: control::Expire) {
        control::expire(&mut self.core.state(), what);
    }

    /// Gives the account another password; every session and token is void then.
    pub fn change_password(&self, password: &str) {
        control::change_password(&mut self.core.state(), password);
    }

    /// The client has another network address from now on; see `S-trust-ip`.
    pub fn move_client(&self) {
        self.core.state().auth.address += 1;
    }

    /// A person typed another password, so the next proof does not repeat a rejected one.
    pub fn password_typed(&self) {
        self.core.state().auth.rejected = false;
    }

    /// The code that the trusted devices show now.
    #[must_use]
    pub fn device_code(&self) -> Option<String> {
        self.core.state().auth.device_code.clone()
    }

    /// The messages sent so far, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<auth::Message> {
        self.core.state().auth.messages.clone()
    }
}
