//! What a client must never do, whatever the switches say (docs/protocol.md §19, §1.2).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::http::{Request, Response};
use crate::route::{Route, Service, is_mutation, is_public_name};
use crate::sim::State;

/// Shorter secrets than this are not looked for in addresses: they would be found by chance.
const SHORTEST_SECRET: usize = 8;

/// The calls under way that must not overlap.
#[derive(Debug, Default)]
pub struct Lane {
    under_way: Mutex<BTreeMap<&'static str, usize>>,
}

/// One call under way; it ends when this is dropped.
#[derive(Debug)]
pub struct InLane {
    lane: Arc<Lane>,
    kind: Option<&'static str>,
}

impl Lane {
    fn under_way(&self) -> MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Mutations of the drive under way, the asking one included.
    #[must_use]
    pub fn mutations(&self) -> usize {
        self.under_way().iter().filter(|(kind, _)| is_mutation(kind)).map(|(_, count)| count).sum()
    }

    /// Content uploads under way.
    #[must_use]
    pub fn uploads(&self) -> usize {
        self.under_way().get("upload.content").copied().unwrap_or(0)
    }

    /// Notes a call. The second value names the mutation under way that this one, itself a mutation, overlaps; one of another kind
    /// where there is one.
    #[must_use]
    pub fn enter(lane: &Arc<Self>, kind: &'static str) -> (InLane, Option<&'static str>) {
        let counted = is_mutation(kind) || kind == "upload.content";
        let mut under_way = lane.under_way();
        let other = under_way
            .iter()
            .filter(|(other, count)| is_mutation(other) && **count > 0)
            .map(|(other, _)| *other)
            .max_by_key(|other| *other != kind)
            .filter(|_| is_mutation(kind));
        if counted {
            *under_way.entry(kind).or_insert(0) += 1;
        }
        drop(under_way);
        let entered = InLane { lane: Arc::clone(lane), kind: counted.then_some(kind) };
        (entered, other)
    }
}

impl Drop for InLane {
    fn drop(&mut self) {
        if let Some(kind) = self.kind
            && let Some(count) = self.lane.under_way().get_mut(kind)
        {
            *count = count.saturating_sub(1);
        }
    }
}

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
