//! The push channel (docs/protocol.md §17.1): tokens, their registration for the Drive, and the courier, which holds a request until there is
//! something to tell.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::drive::with_drive;
use crate::http::{Held, Request, Response};
use crate::route::{COURIER, Route, is_public_name};
use crate::service::service_error;
use crate::sim::Core;
use crate::switches::Aps;

/// Whose changes a token can be registered for.
const CONTAINER: &str = "com.apple.clouddocs";

/// What the courier knows.
#[derive(Debug, Default)]
pub struct PushState {
    channels: BTreeMap<String, Channel>,
}

/// What is told to one token.
#[derive(Debug, Default)]
struct Channel {
    /// It is registered for the Drive.
    registered: bool,
    /// The drive's changes that it was told of.
    told: u64,
    /// Its last notification is told once more.
    again: bool,
}

/// Answers one call.
pub fn handle(core: &Core, route: &Route, request: Request) -> Response {
    if route.kind == "push.aps" {
        return courier(core, &request);
    }
    if let Err(answer) = core.check_service(&request) {
        return answer;
    }
    match route.kind {
        "push.token" => token(core, &request),
        "push.register" => register(core, request),
        _ => Response::json(404, &json!({"error": "no such call"})),
    }
}

fn token(core: &Core, request: &Request) -> Response {
    if core.switches().aps == Aps::Off {
        return service_error(403, "FORBIDDEN", "not for this session");
    }
    let courier = if is_public_name(&request.host_name()) {
        format!("https://{COURIER}/aps")
    } else {
        format!("{}/webcourier/aps", request.base_url())
    };
    let mut state = core.state();
    let token = state.ids.hex(64);
    state.push.channels.insert(token.clone(), Channel::default());
    Response::json(
        200,
        &json!({"pushToken": token, "pushTokenTTL": 43200, "webCourierURL": courier, "registeredTopics": [CONTAINER]}),
    )
}

fn register(core: &Core, mut request: Request) -> Response {
    let Ok(asked) = request.json() else { return service_error(400, "BAD_REQUEST", "no JSON") };
    let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("apnsEnvironment") != "production" || text("clientID").is_empty() {
        return service_error(400, "BAD_REQUEST", "apnsEnvironment or clientID");
    }
    let changes = with_drive(core, |drive, _| drive.model.changes());
    let mut state = core.state();
    let Some(channel) = state.push.channels.get_mut(text("apnsToken")) else {
        return service_error(400, "BAD_REQUEST", "no such token");
    };
    (channel.registered, channel.told) = (true, changes);
    Response::json(200, &json!({}))
}

/// What the courier answers at once, and otherwise holds.
fn courier(core: &Core, request: &Request) -> Response {
    let token = request.query("tok").unwrap_or_default().to_owned();
    let switches = core.switches();
    match core.state().push.channels.contains_key(&token) {
        _ if switches.aps == Aps::Off => Response::empty(403),
        false => Response::empty(401),
        // An empty body is a sign of life.
        true => Response {
            held: Some(Box::new(Held { token, at_most: switches.aps_hold })),
            ..Response::empty(200)
        },
    }
}

/// What there is to tell to whoever listens with a token.
pub fn news(core: &Core, token: &str) -> Option<Response> {
    let (changes, switch) = with_drive(core, |drive, switches| (drive.model.changes(), switches.aps));
    let mut state = core.state();
    let channel = state.push.channels.get_mut(token).filter(|channel| channel.registered)?;
    let is_new = channel.told < changes;
    if !is_new && !channel.again {
        return None;
    }
    match switch {
        Aps::Ok | Aps::Duplicate => {
            channel.again = is_new && switch == Aps::Duplicate;
            channel.told = changes;
            let notification = json!({"aps": {"content-available": 1}, "ck": {"ce": 2, "cid": CONTAINER}});
            Some(Response::json(200, &notification))
        }
        Aps::Silent => None,
        Aps::Off => Some(Response::empty(403)),
    }
}
