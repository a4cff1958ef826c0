//! The account host: sessions on the web, PCS, terms, two-step verification (docs/protocol.md §3.6, §4.8, §5 and §6).

mod answers;
mod info;
mod login;
mod pcs;
mod sessions;
mod terms;
mod two_step;

pub use answers::{failure, find_login, missing_cookie};
pub use sessions::{
    DS_COOKIE, Login, PCS_COOKIE, PcsState, REPAIR_COOKIE, SetupState, TOKEN_COOKIE, TRUST_COOKIE,
    USER_COOKIE, VALIDATE_COOKIE,
};

use crate::http::{Request, Response};
use crate::route::Route;
use crate::state::Core;

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
