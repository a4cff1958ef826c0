//! The change feed of the Drive's private database (docs/protocol.md §17.1): which zones changed since a token, and which records of a zone.
//! Of records it tells ids, kinds and folders, and names in parts.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::drive::model::id::CLOUD_DOCS;
use crate::drive::model::item::Place;
use crate::drive::model::{Ix, Model};
use crate::drive::with_drive;
use crate::http::{Body, Request, Response};
use crate::route::Route;
use crate::service::service_error;
use crate::state::Core;
use crate::switches::{Feed, FeedNames};

/// The database of the account's own zones.
const DATABASE: &str = "/database/1/com.apple.clouddocs/production/private";
/// What the feed calls the zone of the Drive itself.
const ZONE: &str = "_defaultZone";
/// Before the names of zones that have got other ones.
const OTHER: &str = "other-";
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
        Feed::Throttled => {
            return Response::json(503, &json!({"serverErrorCode": "THROTTLED", "retryAfter": 30}));
        }
        Feed::NoJson => return Response::html(200, "<html><body>Maintenance</body></html>"),
        Feed::Ok
        | Feed::DatabaseOnly
        | Feed::Lossy
        | Feed::Late
        | Feed::StaleToken
        | Feed::Paged
        | Feed::Duplicate
        | Feed::ZoneGone
        | Feed::OtherZones
        | Feed::Endless => {}
    }
    let Ok(asked) = request.json() else { return service_error(400, "BAD_REQUEST", "no JSON") };
    let owner = format!("_{:0>32}", core.state().account.dsid);
    let answer = with_drive(core, |drive, switches| {
        let model = &drive.model;
        let seen = match switches.feed {
            Feed::Lossy => Seen::AllBut(switches.feed_loses_every.max(1)),
            Feed::Late => Seen::Until(model.now_ms() - millis(switches.feed_delay)),
            _ => Seen::Everything,
        };
        let feed = View { model, seen, owner, kind: switches.feed, names: switches.feed_names };
        match route.kind {
            "feed.database" => feed.database(&asked),
            _ => feed.zone(&asked),
        }
    });
    padded(answer, switches.feed_padding)
}

/// The answer with so many bytes of small values more, as the first of its members.
fn padded(mut answer: Response, bytes: u64) -> Response {
    const VALUES: &[u8] = br#"{"":0},[],"#;
    if let (Body::Bytes(body), Ok(bytes @ 1..)) = (&mut answer.body, usize::try_from(bytes))
        && body.first() == Some(&b'{')
    {
        let mut more = br#"{"padding":["#.to_vec();
        more.extend(std::iter::repeat_n(VALUES, bytes / VALUES.len()).flatten());
        more.extend_from_slice(b"0],");
        body.splice(..1, more);
    }
    answer
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Which changes the feed has heard of.
#[derive(Clone, Copy)]
enum Seen {
    Everything,
    /// One in so many is lost.
    AllBut(u64),
    /// Those up to a time in milliseconds since 1970.
    Until(i64),
}

/// What the feed knows in one moment.
struct View<'a> {
    model: &'a Model,
    seen: Seen,
    owner: String,
    /// How it answers.
    kind: Feed,
    names: FeedNames,
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
            Seen::AllBut(every) => !self.model.item(ix).meta_rev.is_multiple_of(every),
            Seen::Until(time) => self.model.item(ix).changed_ms <= time,
        }
    }

    fn zone_id(&self, zone: &str) -> Value {
        let name = if zone == CLOUD_DOCS { ZONE } else { zone };
        let other = if self.kind == Feed::OtherZones { OTHER } else { "" };
        json!({"zoneName": format!("{other}{name}"), "ownerRecordName": self.owner, "zoneType": "REGULAR_CUSTOM_ZONE"})
    }

    /// `changes/database`. The token of the account holds the number of the last change of each zone, in their order.
    fn database(&self, asked: &Value) -> Response {
        let zones: Vec<&str> = self.model.zone_names().collect();
        let now: Vec<u64> = zones.iter().map(|zone| self.last(zone)).collect();
        let before = match asked.get("syncToken").and_then(Value::as_str) {
            None => Vec::new(),
            Some(token) => match read_token(token).filter(|_| self.kind != Feed::StaleToken) {
                Some(before) => before,
                None => return service_error(400, "BAD_REQUEST", "Unknown sync continuation type"),
            },
        };
        let moved = |at: &usize| before.get(*at).is_none_or(|before| *before < now[*at]);
        let moved: Vec<usize> = (0..zones.len()).filter(moved).collect();
        let told = |at: &usize| json!({"zoneID": self.zone_id(zones[*at])});
        match (self.kind, moved.as_slice()) {
            (Feed::Paged, [first, _, ..]) => {
                // The token knows of this zone alone.
                let known = |at| if at == *first { now[at] } else { before.get(at).copied().unwrap_or(0) };
                let reached: Vec<u64> = (0..zones.len()).map(known).collect();
                let token = write_token(&reached);
                Response::json(200, &json!({"syncToken": token, "moreComing": true, "zones": [told(first)]}))
            }
            (Feed::Duplicate, _) => {
                let zones: Vec<Value> = moved.iter().chain(&moved).map(told).collect();
                let odd =
                    json!({"syncToken": write_token(&now), "zones": zones, "epoch": "7", "other": [{}]});
                Response::json(200, &odd)
            }
            (Feed::OtherZones, [_, ..]) => {
                let mut zones: Vec<Value> = moved.iter().map(told).collect();
                zones.insert(0, json!({"zoneID": self.zone_id("com.apple.new")}));
                Response::json(200, &json!({"syncToken": write_token(&now), "zones": zones}))
            }
            (Feed::Endless, _) => {
                let zones: Vec<Value> = moved.iter().map(told).collect();
                let token = another_token(&now, asked);
                Response::json(200, &json!({"syncToken": token, "moreComing": true, "zones": zones}))
            }
            _ => {
                let zones: Vec<Value> = moved.iter().map(told).collect();
                Response::json(
                    200,
                    &json!({"syncToken": write_token(&now), "moreComing": false, "zones": zones}),
                )
            }
        }
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
        let name = if self.kind == Feed::OtherZones { name.strip_prefix(OTHER).unwrap_or("") } else { name };
        let zone = if name == ZONE { CLOUD_DOCS } else { name };
        if !self.model.has_zone(zone) || self.kind == Feed::ZoneGone {
            return refuse("ZONE_NOT_FOUND", "no such zone");
        }
        let since = match asked.get("syncToken").and_then(Value::as_str) {
            None => 0,
            Some(token) => match read_token(token).filter(|_| self.kind != Feed::StaleToken).as_deref() {
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
        let mut records: Vec<Value> = changed.iter().map(|ix| self.record(*ix)).collect();
        if self.kind == Feed::Duplicate {
            let again = records.clone();
            records.extend(again);
            records
                .push(json!({"recordName": "whatever/17", "recordType": "whatever", "deleted": "perhaps"}));
        }
        if self.kind == Feed::Endless {
            return json!({
                "zoneID": self.zone_id(zone), "syncToken": another_token(&[reached], asked), "moreComing": true,
                "records": records,
            });
        }
        json!({
            "zoneID": self.zone_id(zone), "syncToken": write_token(&[reached]), "moreComing": more, "records": records,
        })
    }

    /// What a record tells of the item's name (S-feed-names). The number of a collision is in the base here.
    fn name_fields(&self, ix: Ix) -> Option<[(&'static str, Value); 2]> {
        let (stem, extension) = self.model.view(ix).parts;
        let base = match self.names {
            FeedNames::Told => STANDARD.encode(stem),
            FeedNames::Sealed => STANDARD.encode(SEALED),
            FeedNames::Untold => return None,
        };
        Some([
            ("encryptedBasename", json!({"value": base, "type": "ENCRYPTED_BYTES"})),
            ("extension", json!({"value": extension, "type": "STRING"})),
        ])
    }

    fn record(&self, ix: Ix) -> Value {
        let item = self.model.item(ix);
        let name = |ix: Ix| {
            let kind = if self.model.item(ix).folder.is_some() { "directory" } else { "documentStructure" };
            format!("{kind}/{}", self.model.item(ix).id.doc)
        };
        let etag = self.model.etag(ix);
        let tag = etag.split_once("::").map_or(&*etag, |(structure, _)| structure);
        let with_name = |mut fields: Value| {
            for (member, value) in self.name_fields(ix).into_iter().flatten() {
                fields[member] = value;
            }
            fields
        };
        match item.place {
            Place::Gone => json!({"recordName": name(ix), "deleted": true}),
            Place::In(parent) => json!({
                "recordName": name(ix), "recordType": "structure", "recordChangeTag": tag,
                "fields": with_name(json!({"parent": {"value": {"recordName": name(parent)}, "type": "REFERENCE"}})),
            }),
            Place::Root => json!({
                "recordName": name(ix), "recordType": "structure", "recordChangeTag": tag, "fields": {},
            }),
            Place::Trash => json!({
                "recordName": name(ix), "recordType": "structure", "recordChangeTag": tag,
                "fields": with_name(json!({"restorePath": {"value": "", "type": "STRING"}})),
            }),
        }
    }
}

/// A token that says the same, and is another than the one of the question.
fn another_token(numbers: &[u64], asked: &Value) -> String {
    let token = write_token(numbers);
    match asked.get("syncToken").and_then(Value::as_str) {
        Some(before) if before == token => token.replacen("HwoEC", "HwoEC0", 1),
        _ => token,
    }
}

/// Bytes that look like a name of which the key is missing.
const SEALED: [u8; 12] = [0xc3, 0x28, 0xff, 0x01, 0x9d, 0x77, 0x80, 0x02, 0xfe, 0xa0, 0x10, 0x5b];

fn write_token(numbers: &[u64]) -> String {
    let words: Vec<String> = numbers.iter().map(|number| format!("{number:x}")).collect();
    format!("HwoEC{}==", words.join("."))
}

fn read_token(token: &str) -> Option<Vec<u64>> {
    let words = token.strip_prefix("HwoEC")?.strip_suffix("==")?;
    words.split('.').map(|word| u64::from_str_radix(word, 16).ok()).collect()
}
