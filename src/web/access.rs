//! Who may ask: the host that is named, the page that asks, the token, and how often may be guessed.
//!
//! One thread owns all of it, so that no lock is shared. The checks of one request are made in the order in which they say
//! least to who has no business here.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::attempts::{Attempts, ByAddress};
use super::request::{Method, Request};
use super::response::{JSON, Response};
use super::routes::{Action, Door, Route};
use crate::secret::Secret;

/// Wrong tokens from one address within [`WRONG_SPAN`].
const MOST_WRONG: usize = 10;
const WRONG_SPAN: Duration = Duration::from_secs(5 * 60);
/// Codes that may be given, and asked for, within [`CODE_SPAN`]. iCloud locks an account for hours after a few more.
const MOST_CODES: usize = 6;
const MOST_SENDS: usize = 4;
const CODE_SPAN: Duration = Duration::from_secs(10 * 60);
/// How long a browser stays signed in, in seconds: a month.
const COOKIE_SECS: i64 = 30 * 24 * 60 * 60;
/// How long the link in the log works.
const LINK_SPAN: Duration = Duration::from_secs(60 * 60);

/// What is known of who may ask.
pub(super) struct Access {
    token: Option<Secret>,
    /// Names, in lower case, that a `Host` header may hold beside addresses.
    hosts: Vec<String>,
    /// Cookies are kept by host and not by port, so each daemon of a machine has its own.
    cookie: String,
    /// What the link in the log holds, until it is used or late.
    link: Option<(String, Instant)>,
    wrong: ByAddress,
    codes: Attempts,
    sends: Attempts,
}

/// Who asks, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub peer: IpAddr,
    pub now: Instant,
    /// Seconds since 1970.
    pub unix: i64,
}

impl Access {
    /// `machine` is this machine's own name; `link`, of `now`, is what the link in the log holds.
    pub(super) fn new(
        token: Option<Secret>,
        listen: SocketAddr,
        hosts: &[String],
        machine: &str,
        link: String,
        now: Instant,
    ) -> Self {
        let machine = machine.to_ascii_lowercase();
        let mut known: Vec<String> = hosts.to_vec();
        known.push("localhost".to_owned());
        if !machine.is_empty() {
            known.push(format!("{machine}.local"));
            known.push(machine);
        }
        Self {
            link: token.is_some().then_some((link, now)),
            token,
            hosts: known,
            cookie: format!("icloudds-{}", listen.port()),
            wrong: ByAddress::default(),
            codes: Attempts::default(),
            sends: Attempts::default(),
        }
    }

    /// Whether a token has to be presented.
    pub(super) fn is_guarded(&self) -> bool {
        self.token.is_some()
    }

    /// Lets a request pass, or says what to answer instead.
    pub(super) fn check(&mut self, request: &Request, route: Route, asked: Asked) -> Result<(), Response> {
        let host = self.check_host(request)?;
        if request.method == Method::Post {
            self.check_page(request, host)?;
        }
        match route.door() {
            Door::Open => {}
            Door::Token => self.check_token(request, asked)?,
        }
        match route {
            Route::Act(Action::Code) => limited(self.codes.take(MOST_CODES, CODE_SPAN, asked.now), "codes"),
            Route::Act(Action::CodeSend) => {
                limited(self.sends.take(MOST_SENDS, CODE_SPAN, asked.now), "requests for a code")
            }
            _ => Ok(()),
        }
    }

    /// A page elsewhere can have a browser on this network come here under a name of its own choice. It cannot choose an
    /// address, nor a name that this machine has.
    fn check_host<'a>(&self, request: &'a Request) -> Result<&'a str, Response> {
        let Some(host) = request.host.as_deref() else {
            return Err(Response::error(400, "the request names no host"));
        };
        if self.knows(host) {
            return Ok(host);
        }
        let told = "this name is not known here: add it to web.allowed_hosts, or use the machine's address";
        Err(Response::error(403, told))
    }

    fn knows(&self, authority: &str) -> bool {
        let Some(name) = name_of(authority) else { return false };
        name.parse::<IpAddr>().is_ok() || self.hosts.contains(&name)
    }

    /// A page from elsewhere must change nothing here. Browsers say where a request comes from; programs say nothing, and
    /// bring no cookie either.
    fn check_page(&self, request: &Request, host: &str) -> Result<(), Response> {
        let refused = || Response::error(403, "the request comes from a page of another site");
        if request.fetch_site.as_deref().is_some_and(|site| !matches!(site, "same-origin" | "none")) {
            return Err(refused());
        }
        match request.origin.as_deref() {
            Some(origin) => {
                let from = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                // Behind a proxy the host may be another one than the page's; then the page's has to be configured.
                let known = from.is_some_and(|from| {
                    from.eq_ignore_ascii_case(host)
                        || name_of(from).is_some_and(|name| {
                            name.parse::<IpAddr>().is_err()
                                && name != "localhost"
                                && self.hosts.contains(&name)
                        })
                });
                if !known {
                    return Err(refused());
                }
            }
            None if request.cookie.is_some() && request.fetch_site.is_none() => return Err(refused()),
            None => {}
        }
        // A form of another page can send no JSON.
        let content_type = request.content_type.as_deref().unwrap_or_default();
        match content_type.split(';').next().map(str::trim) {
            Some(kind) if kind.eq_ignore_ascii_case(JSON) => Ok(()),
            _ => Err(Response::error(415, "the body must be JSON, with Content-Type: application/json")),
        }
    }

    fn check_token(&mut self, request: &Request, asked: Asked) -> Result<(), Response> {
        if self.is_signed_in(request, asked.unix) {
            return Ok(());
        }
        match request.authorization.as_deref() {
            Some(given) => {
                let scheme = given.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer "));
                let given = scheme.and_then(|_| given.get(7..)).unwrap_or_default().trim();
                self.try_token(given, asked)
            }
            None => Err(Response::error(
                401,
                "the token is missing: send Authorization: Bearer TOKEN, or sign in",
            )),
        }
    }

    /// Whether the request needs no token, or brings the cookie of a browser that gave it.
    pub(super) fn is_signed_in(&self, request: &Request, unix: i64) -> bool {
        let Some(token) = &self.token else { return true };
        let cookies = request.cookie.as_deref().unwrap_or_default().split(';').map(str::trim);
        let mut ours = cookies.filter_map(|pair| pair.strip_prefix(&self.cookie)?.strip_prefix('='));
        ours.any(|value| is_valid(token.expose(), value, unix))
    }

    /// Whether the request brings the right token where none is needed, so that a probe may hear more than yes or no.
    pub(super) fn brings_token(&mut self, request: &Request, asked: Asked) -> bool {
        request.authorization.is_some() && self.check_token(request, asked).is_ok()
    }

    /// Compares a token that somebody brought. Wrong ones are counted by address, and beyond a few no answer is given
    /// any more, so that nobody learns by trying.
    fn try_token(&mut self, given: &str, asked: Asked) -> Result<(), Response> {
        let Some(token) = &self.token else { return Ok(()) };
        limited(self.wrong.may(asked.peer, MOST_WRONG, WRONG_SPAN, asked.now), "wrong tokens")?;
        if same(token.expose(), given) {
            return Ok(());
        }
        self.wrong.note(asked.peer, MOST_WRONG, asked.now);
        log::warn!("{}: a wrong token was presented to the web page", asked.peer);
        Err(Response::error(401, "the token is wrong"))
    }

    /// `POST /api/sign-in` with a token, or with what the link in the log holds: the cookie to set.
    pub(super) fn sign_in(&mut self, token: Option<&str>, link: Option<&str>, asked: Asked) -> Response {
        let Some(known) = self.token.clone() else { return Response::done("no token is needed") };
        let allowed = match (token, link) {
            (Some(token), None) => self.try_token(token.trim(), asked),
            (None, Some(link)) => self.try_link(link, asked),
            _ => Err(Response::error(400, "the body must be JSON like {\"token\": \"…\"}")),
        };
        match allowed {
            Err(refused) => refused,
            Ok(()) => {
                log::info!("{}: somebody signed in to the web page", asked.peer);
                let value = cookie_value(known.expose(), asked.unix + COOKIE_SECS);
                Response::done("signed in").with("Set-Cookie", self.set_cookie(&value, COOKIE_SECS))
            }
        }
    }

    fn try_link(&mut self, given: &str, asked: Asked) -> Result<(), Response> {
        limited(self.wrong.may(asked.peer, MOST_WRONG, WRONG_SPAN, asked.now), "wrong tokens")?;
        let fits = |(link, made): &(String, Instant)| {
            asked.now.saturating_duration_since(*made) < LINK_SPAN && same(link, given)
        };
        if self.link.as_ref().is_some_and(fits) {
            self.link = None;
            return Ok(());
        }
        self.wrong.note(asked.peer, MOST_WRONG, asked.now);
        Err(Response::error(401, "this link was used already, or is too old: sign in with the token"))
    }

    /// `POST /api/sign-out`: has this browser forget the cookie.
    pub(super) fn sign_out(&self) -> Response {
        Response::done("signed out").with("Set-Cookie", self.set_cookie("", 0))
    }

    fn set_cookie(&self, value: &str, seconds: i64) -> String {
        format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict", self.cookie)
    }
}

/// The name in `name:port` or `[address]:port`, in lower case.
fn name_of(authority: &str) -> Option<String> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, port)
        }
        None => match authority.split_once(':') {
            Some((name, port)) => (name, &authority[authority.len() - port.len() - 1..]),
            None => (authority, ""),
        },
    };
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (port_fits && !name.is_empty()).then(|| name.trim_end_matches('.').to_ascii_lowercase())
}

/// Who tries too often hears when the next try is looked at.
fn limited(left: Result<(), Duration>, what: &str) -> Result<(), Response> {
    left.map_err(|wait| {
        let seconds = wait.as_secs() + 1;
        Response::error(429, &format!("too many {what}: try again in {seconds} s"))
            .with("Retry-After", seconds.to_string())
    })
}

type Sealed = Hmac<Sha256>;

fn seal(key: &str, text: &str) -> Sealed {
    let mut mac = Sealed::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

/// Compares without telling by its time how much was right.
fn same(known: &str, given: &str) -> bool {
    let compared = "icloudds token";
    let tag = seal(given, compared).finalize().into_bytes();
    seal(known, compared).verify(&tag).is_ok()
}

/// A cookie is its end, sealed with the token: it needs no memory here, holds over restarts, and ends with the token.
fn cookie_value(token: &str, until: i64) -> String {
    let tag = seal(token, &sealed_text(until)).finalize().into_bytes();
    let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{until}-{hex}")
}

fn is_valid(token: &str, value: &str, unix: i64) -> bool {
    let Some((until, hex)) = value.split_once('-') else { return false };
    let Ok(until) = until.parse::<i64>() else { return false };
    let bytes: Option<Vec<u8>> = (0..hex.len())
        .step_by(2)
        .map(|at| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let sealed = |bytes: Vec<u8>| seal(token, &sealed_text(until)).verify_slice(&bytes).is_ok();
    (unix..=unix.saturating_add(COOKIE_SECS)).contains(&until) && bytes.is_some_and(sealed)
}

fn sealed_text(until: i64) -> String {
    format!("icloudds signed in until {until}")
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
