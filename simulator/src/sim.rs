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
use crate::cookies::http_date;
use crate::drive::person::Person;
use crate::drive::{self, Drive};
use crate::fault::FaultPlan;
use crate::feed;
use crate::http::server::{Handler, Pace, Server};
use crate::http::tls::Tls;
use crate::http::{Held, Request, Response};
use crate::ids::Ids;
use crate::invariants::{self, Lane};
use crate::push::{self, PushState};
use crate::route::{self, Route, Service};
use crate::service::ServiceState;
use crate::setup::{self, SetupState};
use crate::sizes::Sizes;
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
    /// The certificate authority for TLS on the same port, with the tunnels that lead there; `None` serves plain HTTP alone.
    pub tls: Option<Tls>,
    /// Another address for the control endpoint, on loopback. Where [`SimConfig::listen`] is not on loopback, the control calls
    /// are answered only here.
    pub control: Option<SocketAddr>,
    /// Fills the drive with the small life-like tree of the demo.
    pub lifelike: bool,
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
            tls: None,
            control: None,
            lifelike: false,
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
    /// How large requests were.
    pub sizes: Sizes,
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
    /// The push channel.
    pub push: PushState,
    /// The drive half.
    pub drive: Drive,
    /// See [`SimConfig::sessionless`].
    pub sessionless: bool,
    /// How far the simulator's clock is ahead of the machine's.
    pub clock_ahead: Duration,
}

impl State {
    fn new(config: &SimConfig) -> Self {
        let mut state = Self {
            account: config.account.clone(),
            switches: config.switches.clone(),
            ids: Ids::new(config.seed),
            drive: Drive::new(config.seed),
            sessionless: config.sessionless,
            ..Self::default()
        };
        state.faults.update(&config.switches.faults);
        if config.switches.session != SessionTrouble::Stable {
            state.service.arm(config.switches.session);
        }
        state
    }

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
    /// Whether the address that serves the clients answers the control calls as well.
    control_here: bool,
    start: SimConfig,
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

    /// Everything is again as it was at the start; only the certificate authority and the simulator's clock stay.
    ///
    /// # Errors
    /// As [`Simulator::start`] about the life-like tree.
    pub fn reset(&self) -> io::Result<()> {
        {
            let mut state = self.state();
            let (ahead, last) = (state.clock_ahead, state.service.last_connection);
            *state = State::new(&self.start);
            // Sessions of before stay void, and their connections keep their numbers.
            state.clock_ahead = ahead;
            state.service.last_connection = last;
        }
        self.fill()
    }

    fn fill(&self) -> io::Result<()> {
        drive::seed(self, self.start.seed_items, self.start.seed);
        if self.start.lifelike {
            Person::new(self).fill_lifelike().map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// The certificate authority's certificate as PEM; `None` without TLS.
    #[must_use]
    pub fn authority_pem(&self) -> Option<&str> {
        self.start.tls.as_ref().map(Tls::authority_pem)
    }

    fn dispatch(&self, route: &Route, request: Request) -> Response {
        match route.service {
            Service::Auth => auth::handle(self, route, request),
            Service::Setup => setup::handle(self, route, request),
            // The other public hosts have no page.
            Service::Home
                if ["setup.", "idmsa."].iter().any(|host| request.host_name().starts_with(host)) =>
            {
                Response::text(404, "no such call")
            }
            Service::Home => Response::html(200, "<html><title>simulated iCloud</title></html>"),
            Service::Control if !route.rest.starts_with("/drive") => control::handle(self, route, request),
            Service::Feed => feed::handle(self, route, request),
            Service::Push => push::handle(self, route, request),
            Service::Control | Service::Drivews | Service::Docws | Service::Content => {
                drive::handle(self, route, request)
            }
        }
    }
}

impl Core {
    fn answer(&self, request: Request) -> Response {
        let route = route::route(&request);
        if route.service == Service::Control {
            if !self.control_here {
                return Response::text(
                    403,
                    "The control calls are answered on loopback only: see the line `control` at the start.",
                );
            }
            return self.dispatch(&route, request);
        }
        let effect = {
            let mut state = self.state();
            let state = &mut *state;
            *state.counts.entry(route.kind.to_owned()).or_insert(0) += 1;
            state.sizes.note(route.kind, &request);
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
}

impl Handler for Core {
    fn enter(&self, request: &Request) -> Box<dyn Any + Send> {
        let route = route::route(request);
        let (guard, overlapped) = Lane::enter(&self.lane, route.kind);
        if overlapped == Some("commit") && route.kind == "commit" {
            // Some services take that, and S-busy plays whether this one does.
            *self.state().counts.entry("commit.overlapping".to_owned()).or_default() += 1;
        } else if let Some(other) = overlapped {
            self.violation(format!("{} overlapped {other}", route.kind));
        }
        Box::new(guard)
    }

    fn handle(&self, request: Request) -> Response {
        let answer = self.answer(request);
        // By the service's own clock, which need not be this machine's.
        let date = http_date(self.now());
        answer.header("Date", date)
    }

    fn pace(&self) -> Pace {
        let state = self.state();
        Pace { latency: state.switches.latency, bandwidth: state.switches.bandwidth }
    }

    fn news(&self, held: &Held) -> Option<Response> {
        let date = http_date(self.now());
        push::news(self, &held.token).map(|answer| answer.header("Date", date))
    }
}

/// The control endpoint on an address of its own.
#[derive(Debug)]
struct ControlOnly(Arc<Core>);

impl Handler for ControlOnly {
    fn enter(&self, _: &Request) -> Box<dyn Any + Send> {
        Box::new(())
    }

    fn handle(&self, request: Request) -> Response {
        let route = route::route(&request);
        match route.service {
            Service::Control => self.0.dispatch(&route, request),
            _ => Response::text(404, "Only the control calls below /_sim are answered here."),
        }
    }

    fn pace(&self) -> Pace {
        Pace::default()
    }
}

/// A running simulator. Dropping it stops it and joins its threads.
#[derive(Debug)]
pub struct Simulator {
    core: Arc<Core>,
    server: Server,
    control: Option<Server>,
}

fn listen(address: SocketAddr, handler: Arc<dyn Handler>, tls: Option<Tls>) -> io::Result<Server> {
    Server::start(address, handler, tls)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}

fn not_loopback(address: SocketAddr) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "the control calls need no password, so they are answered on loopback only; {address} is not, use 127.0.0.1:PORT"
        ),
    )
}

impl Simulator {
    /// Starts one.
    ///
    /// # Errors
    /// When an address cannot be listened on, when that of the control endpoint is not on loopback, or when the life-like tree
    /// has no room under the switches.
    pub fn start(config: SimConfig) -> io::Result<Self> {
        let core = Arc::new(Core {
            state: Mutex::new(State::new(&config)),
            lane: Arc::new(Lane::default()),
            control_here: config.listen.ip().is_loopback(),
            start: config,
        });
        core.fill()?;
        let handler = Arc::clone(&core) as Arc<dyn Handler>;
        let start = &core.start;
        let server = listen(start.listen, handler, start.tls.clone())?;
        let control = match start.control {
            None => None,
            Some(address) if !address.ip().is_loopback() => return Err(not_loopback(address)),
            Some(address) => Some(listen(address, Arc::new(ControlOnly(Arc::clone(&core))), None)?),
        };
        Ok(Self { core, server, control })
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

    /// Where the control calls are answered, without the `/_sim`; `None` when that is nowhere.
    #[must_use]
    pub fn control(&self) -> Option<String> {
        match &self.control {
            Some(server) => Some(format!("http://{}", server.address())),
            None => self.core.control_here.then(|| self.url()),
        }
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
