//! The push channel (docs/protocol.md §17.1): tokens, their registration for the Drive, and the courier, which holds a request until there is
//! something to tell.

mod channels;

use std::io::{self, Read};
use std::time::Duration;

use serde_json::{Value, json};

use channels::Channel;
pub use channels::PushState;

use crate::drive::with_drive;
use crate::http::{Held, Request, Response};
use crate::route::{COURIER, Route, is_public_name};
use crate::service::service_error;
use crate::state::Core;
use crate::switches::Aps;

/// Whose changes a token can be registered for.
const CONTAINER: &str = "com.apple.clouddocs";

/// How long a body is that comes byte by byte: no client takes it for too long, and it lasts for the better part of an hour.
const TRICKLED: u64 = 16_000;
/// The time between two of its bytes.
const BETWEEN_BYTES: Duration = Duration::from_millis(200);

/// A body of blanks, one now and then.
struct Trickle;

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(first) = buf.first_mut() else { return Ok(0) };
        std::thread::sleep(BETWEEN_BYTES);
        *first = b' ';
        Ok(1)
    }
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
    let (born, ttl) = (core.now(), core.switches().aps_ttl.as_secs());
    let mut state = core.state();
    let token = state.ids.hex(64);
    state.push.channels.insert(token.clone(), Channel { born, registered: false, told: 0, again: false });
    let mut answer = json!({"pushToken": token, "webCourierURL": courier, "registeredTopics": [CONTAINER]});
    if ttl > 0 {
        answer["pushTokenTTL"] = json!(ttl);
    }
    Response::json(200, &answer)
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
    let (switches, now) = (core.switches(), core.now());
    let age = |channel: &Channel| now.duration_since(channel.born).unwrap_or_default();
    match core.state().push.channels.get(&token).map(age) {
        _ if switches.aps == Aps::Off => Response::empty(403),
        None => Response::empty(401),
        Some(age) if age >= switches.aps_life => Response::empty(410),
        Some(_) if switches.aps == Aps::Trickle => Response::stream(200, TRICKLED, Box::new(Trickle)),
        // An empty body is a sign of life.
        Some(_) => Response {
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
        Aps::Silent | Aps::Trickle => None,
        Aps::Off => Some(Response::empty(403)),
    }
}
