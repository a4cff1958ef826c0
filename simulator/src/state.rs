//! The state behind a simulator, and what every call reaches it by.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::account::Account;
use crate::auth::AuthState;
use crate::drive::Drive;
use crate::fault::FaultPlan;
use crate::http::Request;
use crate::http::tls::Tls;
use crate::ids::Ids;
use crate::push::PushState;
use crate::route::{self, Service};
use crate::service::ServiceState;
use crate::setup::SetupState;
use crate::sizes::Sizes;
use crate::switches::{SessionTrouble, Switches};
use crate::under_way::Lane;

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
    pub(crate) fn new(config: &SimConfig) -> Self {
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
    pub(crate) lane: Arc<Lane>,
    /// Whether the address that serves the clients answers the control calls as well.
    pub(crate) control_here: bool,
    pub(crate) start: SimConfig,
}

impl Core {
    /// A simulator as `config` has it, with an empty drive.
    pub(crate) fn new(config: SimConfig) -> Self {
        Self {
            state: Mutex::new(State::new(&config)),
            lane: Arc::new(Lane::default()),
            control_here: config.listen.ip().is_loopback(),
            start: config,
        }
    }

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

    /// The certificate authority's certificate as PEM; `None` without TLS.
    #[must_use]
    pub fn authority_pem(&self) -> Option<&str> {
        self.start.tls.as_ref().map(Tls::authority_pem)
    }
}
