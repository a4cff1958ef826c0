//! The change feed of the Drive's private database (docs/protocol.md §17.1): which zones changed since a token, and which records of a zone.
//! Of records it tells ids, kinds and folders, without names.

use std::time::Duration;

use serde_json::{Value, json};

use crate::drive::model::id::CLOUD_DOCS;
use crate::drive::model::item::Place;
use crate::drive::model::{Ix, Model};
use crate::drive::with_drive;
use crate::http::{Request, Response};
use crate::route::Route;
use crate::service::service_error;
use crate::sim::Core;
use crate::switches::Feed;

/// The database of the account's own zones.
const DATABASE: &str = "/database/1/com.apple.clouddocs/production/private";
/// What the feed calls the zone of the Drive itself.
const ZONE: &str = "_defaultZone";
/// The most records of one answer.
const PAGE: u64 = 200;

/// Answers one call.
pub fn handle(core: &Core, route: &Route, mut request: Request) -> Response {
    if let Err(answer) = core.check_service(&request) {
        return answer;
    }
    if !route.rest.starts_with(DATABASE) || !matches!(route.kind, "feed.database" | "feed.zone") {
        return Response::json(404, &json!({"serverErrorCode": "NOT_FOUND"}));
    }
    let switches = core.switches();
    match switches.feed {
        Feed::Off => return service_error(401, "AUTHENTICATION_REQUIRED", "not for this session"),
        Feed::PcsRequired => return service_error(403, "PCS_REQUIRED", "keys are missing"),
        Feed::DatabaseOnly if route.kind == "feed.zone" => {
            return service_error(403, "ACCESS_DENIED_BY_ZONE", "not for this session");
        }
        Feed::Ok | Feed::DatabaseOnly | Feed::Lossy | Feed::Late | Feed::StaleToken => {}
    }
    let Ok(asked) = request.json() else { return service_error(400, "BAD_REQUEST", "no JSON") };
    let owner = format!("_{:0>32}", core.state().account.dsid);
    with_drive(core, |drive, switches| {
        let model = &drive.model;
        let seen = match switches.feed {
            Feed::Lossy => Seen::Nothing,
            Feed::Late => Seen::Until(model.now_ms() - millis(switches.feed_delay)),
            _ => Seen::Everything,
        };
        let feed = View { model, seen, owner, stale: switches.feed == Feed::StaleToken };
        match route.kind {
            "feed.database" => feed.database(&asked),
            _ => feed.zone(&asked),
        }
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Which changes the feed has heard of.
#[derive(Clone, Copy)]
enum Seen {
    Everything,
    Nothing,
    /// Those up to a time in milliseconds since 1970.
    Until(i64),
}

/// What the feed knows in one moment.
struct View<'a> {
    model: &'a Model,
    seen: Seen,
    owner: String,
    /// Every token that a client brings has expired.
    stale: bool,
}

impl View<'_> {
    /// The number of the last change of a zone that the feed has heard of.
    fn last(&self, zone: &str) -> u64 {
        let known = |ix: &Ix| self.model.zone_name(*ix) == zone && self.has_heard_of(*ix);
        match self.seen {
            Seen::Everything => self.model.last_change_of(zone),
            _ => self.model.all().filter(known).map(|ix| self.model.item(ix).meta_rev).max().unwrap_or(0),
        }
    }

    fn has_heard_of(&self, ix: Ix) -> bool {
        match self.seen {
            Seen::Everything => true,
            Seen::Nothing => false,
            Seen::Until(time) => self.model.item(ix).changed_ms <= time,
        }
    }

    fn zone_id(&self, zone: &str) -> Value {
        let name = if zone == CLOUD_DOCS { ZONE } else { zone };
        json!({"zoneName": name, "ownerRecordName": self.owner, "zoneType": "REGULAR_CUSTOM_ZONE"})
    }

    /// `changes/database`. The token of the account holds the number of the last change of each zone, in their order.
    fn database(&self, asked: &Value) -> Response {
        let zones: Vec<&str> = self.model.zone_names().collect();
        let now: Vec<u64> = zones.iter().map(|zone| self.last(zone)).collect();
        let before = match asked.get("syncToken").and_then(Value::as_str) {
            None => Vec::new(),
            Some(token) => match read_token(token).filter(|_| !self.stale) {
                Some(before) => before,
                None => return service_error(400, "BAD_REQUEST", "Unknown sync continuation type"),
            },
        };
        let moved = |at: &usize| before.get(*at).is_none_or(|before| *before < now[*at]);
        let moved: Vec<Value> =
            (0..zones.len()).filter(moved).map(|at| json!({"zoneID": self.zone_id(zones[at])})).collect();
        Response::json(200, &json!({"syncToken": write_token(&now), "moreComing": false, "zones": moved}))
    }

    /// `changes/zone`: each zone that is asked for, with what changed in it since its token, in the order of the changes.
    fn zone(&self, asked: &Value) -> Response {
        let limit = asked.get("resultsLimit").and_then(Value::as_u64).unwrap_or(PAGE).clamp(1, PAGE);
        let zones = asked.get("zones").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let answers: Vec<Value> = zones.iter().map(|zone| self.changes_of(zone, limit)).collect();
        Response::json(200, &json!({"zones": answers}))
    }

    fn changes_of(&self, asked: &Value, limit: u64) -> Value {
        let refuse = |code: &str, reason: &str| json!({"zoneID": asked.get("zoneID"), "serverErrorCode": code, "reason": reason});
        let name = asked.pointer("/zoneID/zoneName").and_then(Value::as_str).unwrap_or_default();
        let zone = if name == ZONE { CLOUD_DOCS } else { name };
        if !self.model.has_zone(zone) {
            return refuse("ZONE_NOT_FOUND", "no such zone");
        }
        let since = match asked.get("syncToken").and_then(Value::as_str) {
            None => 0,
            Some(token) => match read_token(token).filter(|_| !self.stale).as_deref() {
                Some([since]) => *since,
                _ => return refuse("BAD_REQUEST", "Unknown sync continuation type"),
            },
        };
        let mut changed: Vec<Ix> = self
            .model
            .all()
            .filter(|ix| self.model.zone_name(*ix) == zone && self.has_heard_of(*ix))
            .filter(|ix| self.model.item(*ix).meta_rev > since)
            .collect();
        changed.sort_by_key(|ix| self.model.item(*ix).meta_rev);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = changed.len() > limit;
        changed.truncate(limit);
        let reached = match changed.last() {
            Some(ix) if more => self.model.item(*ix).meta_rev,
            _ => self.last(zone).max(since),
        };
        let records: Vec<Value> = changed.iter().map(|ix| self.record(*ix)).collect();
        json!({
            "zoneID": self.zone_id(zone), "syncToken": write_token(&[reached]), "moreComing": more, "records": records,
        })
    }

    fn record(&self, ix: Ix) -> Value {
        let item = self.model.item(ix);
        let name = |ix: Ix| {
            let kind = if self.model.item(ix).folder.is_some() { "directory" } else { "documentStructure" };
            format!("{kind}/{}", self.model.item(ix).id.doc)
        };
        match item.place {
            Place::Gone => json!({"recordName": name(ix), "deleted": true}),
            Place::In(parent) => json!({
                "recordName": name(ix), "recordType": "structure", "recordChangeTag": format!("{:x}", item.meta_rev),
                "fields": {"parent": {"value": {"recordName": name(parent)}, "type": "REFERENCE"}},
            }),
            Place::Root | Place::Trash => json!({
                "recordName": name(ix), "recordType": "structure", "recordChangeTag": format!("{:x}", item.meta_rev),
                "fields": {},
            }),
        }
    }
}

fn write_token(numbers: &[u64]) -> String {
    let words: Vec<String> = numbers.iter().map(|number| format!("{number:x}")).collect();
    format!("HwoEC{}==", words.join("."))
}

fn read_token(token: &str) -> Option<Vec<u64>> {
    let words = token.strip_prefix("HwoEC")?.strip_suffix("==")?;
    words.split('.').map(|word| u64::from_str_radix(word, 16).ok()).collect()
}
