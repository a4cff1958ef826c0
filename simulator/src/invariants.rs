//! What a client must never do, whatever the switches say (docs/protocol.md §19, §1.2).

use serde_json::json;

use crate::http::{Request, Response};
use crate::route::{Route, Service, is_public_name};
use crate::state::State;

/// Shorter secrets than this are not looked for in addresses: they would be found by chance.
const SHORTEST_SECRET: usize = 8;

/// Checks the headers that every request must have. A request without them is refused.
pub fn check_headers(state: &mut State, route: &Route, request: &Request) -> Option<Response> {
    let needed: &[&str] = match route.service {
        Service::Home | Service::Control => &[],
        // A content URL carries its own authorisation (docs/protocol.md §11.3).
        Service::Content => &["User-Agent"],
        // A browser opens this one as a page (docs/protocol.md §3.2).
        Service::Auth if route.kind == "signin.start" => &["User-Agent"],
        // Its token is its authorisation.
        Service::Push if route.kind == "push.aps" => &["User-Agent"],
        Service::Auth
        | Service::Setup
        | Service::Drivews
        | Service::Docws
        | Service::Feed
        | Service::Push => &["User-Agent", "Origin", "Referer"],
    };
    for name in needed {
        if request.header(name).is_none_or(|value| value.trim().is_empty()) {
            state.violation(format!("{}: no {name} header", route.kind));
            return Some(refuse(&format!("missing {name}")));
        }
    }
    if needed.contains(&"Origin") {
        let origin = request.header("Origin").unwrap_or_default();
        if !is_known_origin(origin, request) {
            state.violation(format!("{}: Origin {origin:?} is not ours", route.kind));
            return Some(refuse("wrong Origin"));
        }
        let referer = request.header("Referer").unwrap_or_default();
        if !referer.starts_with(origin) && !is_known_origin(referer.trim_end_matches('/'), request) {
            state.violation(format!("{}: Referer {referer:?} is not ours", route.kind));
            return Some(refuse("wrong Referer"));
        }
    }
    let has_body = request.content_length != Some(0);
    if has_body
        && matches!(route.service, Service::Setup | Service::Drivews | Service::Docws)
        && request.header("Content-Type").is_none()
    {
        state.violation(format!("{}: a body without Content-Type", route.kind));
    }
    None
}

fn refuse(text: &str) -> Response {
    Response::json(403, &json!({"success": false, "error": text}))
}

/// `{home}` of either region, the sign-in host, or this server under the name that the client uses.
fn is_known_origin(origin: &str, request: &Request) -> bool {
    if origin == request.base_url() {
        return true;
    }
    let Some((scheme, host)) = origin.split_once("://") else {
        return false;
    };
    let name = host.split(':').next().unwrap_or_default();
    match name {
        "127.0.0.1" | "localhost" => !is_public_name(&request.host_name()) && !host.ends_with('/'),
        _ => {
            scheme == "https"
                && matches!(
                    host,
                    "www.icloud.com" | "www.icloud.com.cn" | "idmsa.apple.com" | "idmsa.apple.com.cn"
                )
        }
    }
}

/// Looks for secrets in the address. Only the upload token belongs in one (docs/protocol.md §12.1).
pub fn check_url(state: &mut State, route: &Route, request: &Request) {
    let mut target = request.path.clone();
    for (name, value) in &request.query {
        if route.kind == "upload.slot" && name == "token" {
            continue;
        }
        target.push('\n');
        target.push_str(value);
    }
    let found = state
        .secrets()
        .into_iter()
        .filter(|(_, secret)| secret.len() >= SHORTEST_SECRET)
        .find(|(_, secret)| target.contains(secret.as_str()))
        .map(|(what, _)| what);
    if let Some(what) = found {
        state.violation(format!("{}: {what} in the URL", route.kind));
    }
}

impl State {
    /// Every secret that the client holds now, with what it is.
    fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets = vec![("the password", self.account.password.clone())];
        secrets.extend(self.auth.session_tokens.keys().map(|token| ("a session token", token.clone())));
        secrets.extend(self.auth.trust_tokens.keys().map(|token| ("a trust token", token.clone())));
        for login in &self.setup.logins {
            secrets.push(("an upload token", login.upload_token.clone()));
            secrets.push(("a session cookie", login.token.clone()));
        }
        secrets
    }
}
