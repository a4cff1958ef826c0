//! The account host: sessions on the web, PCS, terms, two-step verification (docs/protocol.md §3.6, §4.8, §5 and §6).

mod info;
mod login;
mod pcs;
mod terms;
mod two_step;

use std::time::SystemTime;

use serde_json::json;

use crate::http::{Request, Response};
use crate::route::Route;
use crate::service::unquoted;
use crate::sim::{Core, State};

/// The cookie that carries the Drive keys of an account with Advanced Data Protection.
pub const PCS_COOKIE: &str = "X-APPLE-WEBAUTH-PCS-Documents";
/// The main session cookie.
pub const TOKEN_COOKIE: &str = "X-APPLE-WEBAUTH-TOKEN";
/// The cookie that names the user.
pub const USER_COOKIE: &str = "X-APPLE-WEBAUTH-USER";
/// The cookie that holds the upload token.
pub const VALIDATE_COOKIE: &str = "X-APPLE-WEBAUTH-VALIDATE";
/// The cookie of the session.
pub const DS_COOKIE: &str = "X-APPLE-DS-WEB-SESSION-TOKEN";
/// The cookie whose expiry is the trust's.
pub const TRUST_COOKIE: &str = "X-APPLE-WEBAUTH-HSA-TRUST";
/// The cookie of a session whose terms are not accepted.
pub const REPAIR_COOKIE: &str = "X-APPLE-WEBAUTH-REPAIR";

/// One session on the web, as accountLogin made it.
#[derive(Clone, Debug)]
pub struct Login {
    /// Value of [`TOKEN_COOKIE`], with its quotes.
    pub token: String,
    /// Value of [`DS_COOKIE`], with its quotes.
    pub ds_token: String,
    /// Value of [`REPAIR_COOKIE`], while terms are to be accepted.
    pub repair: Option<String>,
    /// The upload token.
    pub upload_token: String,
    /// Value of [`PCS_COOKIE`], once given.
    pub pcs_cookie: Option<String>,
    /// The session token it was made with.
    pub session_token: String,
    /// When it was made.
    pub issued: SystemTime,
    /// When the trust behind it ends.
    pub trust_end: SystemTime,
    /// Whether the second factor stands behind it.
    pub trusted: bool,
    /// Whether it was ended before its time.
    pub void: bool,
}

/// Sessions on the web.
#[derive(Debug, Default)]
pub struct SetupState {
    /// All sessions, oldest first.
    pub logins: Vec<Login>,
    /// The way to the PCS cookies.
    pub pcs: pcs::PcsState,
    /// The code of two-step verification and the device it went to.
    two_step_code: Option<(String, String)>,
}

/// Answers one call to the account host.
pub fn handle(core: &Core, route: &Route, mut request: Request) -> Response {
    let body = match request.json() {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let mut state = core.state();
    let state = &mut *state;
    match (request.method.as_str(), route.kind) {
        ("POST", "accountLogin") => login::account_login(state, &request, &body),
        ("POST", "validate") => login::validate(state, &request),
        ("POST", "logout") => login::logout(state, &request, &body),
        ("POST", "pcs.state") => pcs::web_access_state(state, &request),
        ("POST", "pcs.consent") => pcs::consent(state, &request),
        ("POST", "pcs.request") => pcs::request(state, &request, &body),
        ("GET", "2sa.devices") => two_step::devices(state, &request),
        ("POST", "2sa.send") => two_step::send(state, &request, &body),
        ("POST", "2sa.submit") => two_step::submit(state, &request, &body),
        ("GET", "terms.get") => terms::get(state, &request),
        ("GET", "terms.accept") => terms::accept(state, &request, &body),
        _ => failure(404, "no such call"),
    }
}

/// `{"success":false,"error":…}`.
#[must_use]
pub fn failure(status: u16, text: &str) -> Response {
    Response::json(status, &json!({"success": false, "error": text}))
}

/// The 421 of docs/protocol.md §5.3 for this cookie.
#[must_use]
pub fn missing_cookie(name: &str) -> Response {
    Response::json(
        421,
        &json!({
            "success": false,
            "error": format!("Missing {name} cookie"),
            "trustTokens": [],
            "requestInfo": {"country": "US", "timeZone": "PST", "region": "CA"},
        }),
    )
}

/// The place of the session that the request's cookies prove.
///
/// # Errors
/// The name of the cookie that is missing, expired, void or forged.
pub fn find_login(state: &mut State, request: &Request) -> Result<usize, &'static str> {
    let now = state.now();
    let sent = request.cookie(TOKEN_COOKIE).ok_or(TOKEN_COOKIE)?;
    let life = state.account.session_life;
    let at = state
        .setup
        .logins
        .iter()
        .position(|login| {
            unquoted(&login.token) == unquoted(&sent)
                && login.repair.is_none()
                && !login.void
                && now.duration_since(login.issued).is_ok_and(|age| age < life)
        })
        .ok_or(TOKEN_COOKIE)?;
    let user = request.cookie(USER_COOKIE).ok_or(USER_COOKIE)?;
    if unquoted(&user) != unquoted(&user_value(state)) {
        return Err(USER_COOKIE);
    }
    let ds_token = state.setup.logins[at].ds_token.clone();
    let forged = request.cookie(DS_COOKIE).is_some_and(|value| unquoted(&value) != unquoted(&ds_token));
    if forged {
        return Err(DS_COOKIE);
    }
    if !sent.starts_with('"') {
        state.violation(format!("{TOKEN_COOKIE}: the quotes of its value were lost"));
    }
    Ok(at)
}

/// Value of [`USER_COOKIE`].
fn user_value(state: &State) -> String {
    format!("\"v=1:s=1:d={}\"", state.account.dsid)
}
