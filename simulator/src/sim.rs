//! A running simulator: which call goes where, and what a test asks of it.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::account::Account;
use crate::auth;
use crate::control;
use crate::cookies::http_date;
use crate::drive;
use crate::drive::person::Person;
use crate::feed;
use crate::http::server::{Handler, Pace, Server};
use crate::http::tls::Tls;
use crate::http::{Held, Request, Response};
use crate::invariants;
use crate::push;
use crate::route::{self, Route, Service};
use crate::setup;
use crate::sizes::Size;
pub use crate::state::{Core, SimConfig, State};
use crate::switches::Switches;
use crate::under_way::Lane;

impl Core {
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
        let core = Arc::new(Core::new(config));
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

    /// How large the largest request of one kind was since the start, or since [`Simulator::forget_sizes`].
    #[must_use]
    pub fn largest(&self, kind: &str) -> Option<Size> {
        self.core().state().sizes.largest(kind)
    }

    /// Sizes are noted anew.
    pub fn forget_sizes(&self) {
        self.core().state().sizes.forget();
    }
}
