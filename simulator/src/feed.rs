//! The change feed of the Drive's private database, and the push channel (docs/protocol.md §17.1). The feed says that something changed and where;
//! of records it tells ids and kinds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::drive::person::Person;
use crate::http::{Request, Response};
use crate::route::{COURIER, Route, is_public_name};
use crate::service::service_error;
use crate::sim::Core;
use crate::switches::{Aps, Feed};

/// The database of the account's own zones.
const DATABASE: &str = "/database/1/com.apple.clouddocs/production/private";
/// The one zone of an ordinary account.
const ZONE: &str = "_defaultZone";
/// How long the courier holds a request about which there is nothing to tell.
const HOLD: Duration = Duration::from_secs(30);

/// Answers one call.
pub fn handle(core: &Core, route: &Route, request: Request) -> Response {
    if route.kind == "push.aps" {
        return courier(core, &request);
    }
    if let Err(answer) = core.check_service(&request) {
        return answer;
    }
    match route.kind {
        "feed.database" | "feed.zone" => feed(core, route, request),
        "push.token" => token(core, &request),
        _ => Response::json(404, &json!({"error": "no such call"})),
    }
}

fn feed(core: &Core, route: &Route, mut request: Request) -> Response {
    let switch = core.switches().feed;
    if !route.rest.starts_with(DATABASE) {
        return Response::json(404, &json!({"serverErrorCode": "NOT_FOUND"}));
    }
    match switch {
        Feed::Off => return service_error(401, "AUTHENTICATION_REQUIRED", "not for this session"),
        Feed::PcsRequired => return service_error(403, "PCS_REQUIRED", "keys are missing"),
        Feed::Ok | Feed::DatabaseOnly | Feed::Lossy => {}
    }
    let (changes, owner) = {
        let state = core.state();
        let changes = if switch == Feed::Lossy { 0 } else { state.drive.model.changes() };
        (changes, format!("_{:0>32}", state.account.dsid))
    };
    let token = format!("feed-token-{changes:08}");
    let zone_id = json!({"zoneName": ZONE, "ownerRecordName": owner, "zoneType": "REGULAR_CUSTOM_ZONE"});
    if route.kind == "feed.database" {
        return Response::json(
            200,
            &json!({"syncToken": token, "moreComing": false, "zones": [{"zoneID": zone_id}]}),
        );
    }
    if switch == Feed::DatabaseOnly {
        return service_error(403, "ACCESS_DENIED_BY_ZONE", "not for this session");
    }
    let Ok(asked) = request.json() else { return service_error(400, "BAD_REQUEST", "no JSON") };
    let name = asked.pointer("/zones/0/zoneID/zoneName").and_then(Value::as_str);
    if name != Some(ZONE) {
        let refused = json!({"zones": [{"zoneID": zone_id, "serverErrorCode": "ZONE_NOT_FOUND"}]});
        return Response::json(200, &refused);
    }
    let limit = asked.get("resultsLimit").and_then(Value::as_u64).unwrap_or(200).clamp(1, 200);
    let ids: Vec<String> = Person::new(core).tree().into_values().map(|entry| entry.docwsid).collect();
    let shown = usize::try_from(limit).unwrap_or(200).min(ids.len());
    let records: Vec<_> = ids[..shown]
        .iter()
        .map(|id| json!({"recordName": format!("documentStructure/{id}"), "recordType": "structure"}))
        .collect();
    let zone = json!({
        "zoneID": zone_id, "syncToken": token, "moreComing": shown < ids.len(), "records": records,
    });
    Response::json(200, &json!({"zones": [zone]}))
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
    let token = "5".repeat(64);
    Response::json(
        200,
        &json!({"pushToken": token, "pushTokenTTL": 43200, "webCourierURL": courier, "registeredTopics": ["com.apple.clouddocs"]}),
    )
}

fn courier(core: &Core, request: &Request) -> Response {
    if request.query("tok").is_none_or(|token| token.len() != 64) {
        return Response::empty(401);
    }
    match core.switches().aps {
        Aps::Off => Response::empty(403),
        Aps::Ok => Response::json(200, &json!({"aps": {}, "ck": {"ce": 2, "cid": "com.apple.clouddocs"}})),
        Aps::Silent => Response { delay: HOLD, ..Response::empty(200) },
    }
}
