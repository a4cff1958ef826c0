//! The change feed and the push channel.

use icloudds_simulator::Simulator;
use icloudds_simulator::switches::{Aps, EtagUp, Feed};
use serde_json::{Value, json};

use crate::drive::client::{Answer, Client, open_simulator};

const DATABASE: &str = "/ckdatabasews/database/1/com.apple.clouddocs/production/private/changes";
const DRIVE: &str = "_defaultZone";

fn post(client: &Client, target: &str, body: &Value) -> Answer {
    client.send("POST", target, &[("Content-Type", "text/plain")], body.to_string().as_bytes())
}

fn database(client: &Client, token: Option<&Value>) -> Value {
    let body = token.map_or_else(|| json!({}), |token| json!({"syncToken": token}));
    post(client, &format!("{DATABASE}/database"), &body).json()
}

fn zone(client: &Client, name: &str, token: Option<&Value>, limit: u64) -> Value {
    let mut asked = json!({"zoneID": {"zoneName": name}});
    if let Some(token) = token {
        asked["syncToken"] = token.clone();
    }
    let body = json!({"zones": [asked], "resultsLimit": limit});
    post(client, &format!("{DATABASE}/zone"), &body).json()["zones"][0].clone()
}

fn names(zone: &Value) -> Vec<&str> {
    zone["records"].as_array().unwrap().iter().map(|record| record["recordName"].as_str().unwrap()).collect()
}

fn id(sim: &Simulator, path: &str) -> String {
    sim.drive().tree()[path].docwsid.clone()
}

#[test]
fn only_the_zones_that_changed_since_the_token_are_told() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("a.txt", "1").unwrap();
    let first = database(&client, None);
    assert_eq!(first["zones"][0]["zoneID"]["zoneName"], DRIVE);
    let quiet = database(&client, Some(&first["syncToken"]));
    assert_eq!((&quiet["zones"], &quiet["syncToken"]), (&json!([]), &first["syncToken"]));
    sim.drive().write("a.txt", "2").unwrap();
    let moved = database(&client, Some(&first["syncToken"]));
    assert_eq!(moved["zones"].as_array().unwrap().len(), 1);
    assert_ne!(moved["syncToken"], first["syncToken"]);
}

#[test]
fn a_zone_tells_what_changed_where_in_pages_and_what_was_deleted() {
    let (sim, client) = open_simulator(|_| {});
    for name in ["in/a.txt", "in/b.txt", "c.txt"] {
        sim.drive().write(name, "1").unwrap();
    }
    let all = zone(&client, DRIVE, None, 200);
    assert!(names(&all).len() >= 4 && all["moreComing"] == false);
    assert!(names(&zone(&client, DRIVE, Some(&all["syncToken"]), 200)).is_empty());

    let (a, folder) = (id(&sim, "in/a.txt"), id(&sim, "in"));
    sim.drive().write("in/a.txt", "2").unwrap();
    let changed = zone(&client, DRIVE, Some(&all["syncToken"]), 200);
    let of_a = changed["records"].as_array().unwrap().iter().find(|record| {
        record["recordName"].as_str().unwrap().eq_ignore_ascii_case(&format!("documentStructure/{a}"))
    });
    let parent = of_a.unwrap()["fields"]["parent"]["value"]["recordName"].as_str().unwrap();
    assert!(parent.eq_ignore_ascii_case(&format!("directory/{folder}")), "{parent}");

    // In pages of one, to the end.
    let (mut token, mut told) = (None, 0);
    loop {
        let page = zone(&client, DRIVE, token.as_ref(), 1);
        told += names(&page).len();
        token = Some(page["syncToken"].clone());
        if page["moreComing"] == false {
            break;
        }
        assert_eq!(names(&page).len(), 1);
    }
    assert_eq!(told, names(&zone(&client, DRIVE, None, 200)).len());

    let c = id(&sim, "c.txt");
    sim.drive().trash("c.txt").unwrap();
    let token = zone(&client, DRIVE, None, 200)["syncToken"].clone();
    sim.drive().empty_trash().unwrap();
    let gone = zone(&client, DRIVE, Some(&token), 200);
    assert!(
        gone["records"]
            .as_array()
            .unwrap()
            .iter()
            .any(|record| record["deleted"] == true && record["recordName"].as_str().unwrap().ends_with(&c)),
        "{gone}"
    );
    assert_eq!(zone(&client, "nowhere", None, 200)["serverErrorCode"], "ZONE_NOT_FOUND");
}

#[test]
fn a_feed_may_lag_lose_or_forget() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("a.txt", "1").unwrap();
    let token = database(&client, None)["syncToken"].clone();
    sim.switches(|switches| switches.feed = Feed::StaleToken);
    assert_eq!(database(&client, Some(&token))["serverErrorCode"], "BAD_REQUEST");
    assert_eq!(zone(&client, DRIVE, Some(&token), 200)["serverErrorCode"], "BAD_REQUEST");
    assert!(database(&client, None)["syncToken"].is_string(), "without a token it starts over");

    sim.switches(|switches| switches.feed = Feed::Lossy);
    let lossy = database(&client, None)["syncToken"].clone();
    sim.drive().write("a.txt", "2").unwrap();
    assert_eq!(database(&client, Some(&lossy))["zones"], json!([]));

    sim.switches(|switches| switches.feed = Feed::Late);
    let late = database(&client, None)["syncToken"].clone();
    sim.drive().write("a.txt", "3").unwrap();
    assert_eq!(database(&client, Some(&late))["zones"], json!([]));
    sim.advance(std::time::Duration::from_secs(31));
    assert_eq!(database(&client, Some(&late))["zones"].as_array().unwrap().len(), 1);
}

#[test]
fn a_feed_may_lose_one_change_in_so_many() {
    let (sim, client) = open_simulator(|switches| {
        (switches.feed, switches.feed_loses_every) = (Feed::Lossy, 3);
        switches.etag_up = EtagUp::Never;
    });
    let mut token = database(&client, None)["syncToken"].clone();
    let mut told = 0;
    for number in 0..30 {
        sim.drive().write("a.txt", number.to_string().as_bytes()).unwrap();
        let answer = database(&client, Some(&token));
        told += answer["zones"].as_array().unwrap().len();
        token = answer["syncToken"].clone();
    }
    assert!((15..30).contains(&told), "{told}");
}

#[test]
fn its_zones_may_be_unknown_or_other_ones() {
    let (sim, client) = open_simulator(|_| {});
    sim.drive().write("a.txt", "1").unwrap();
    let token = database(&client, None)["syncToken"].clone();
    sim.switches(|switches| switches.feed = Feed::ZoneGone);
    sim.drive().write("a.txt", "2").unwrap();
    assert_eq!(database(&client, Some(&token))["zones"][0]["zoneID"]["zoneName"], DRIVE);
    assert_eq!(zone(&client, DRIVE, None, 200)["serverErrorCode"], "ZONE_NOT_FOUND");

    sim.switches(|switches| switches.feed = Feed::OtherZones);
    let told = database(&client, Some(&token));
    let names: Vec<_> = told["zones"]
        .as_array()
        .unwrap()
        .iter()
        .map(|zone| zone["zoneID"]["zoneName"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["other-com.apple.new", "other-_defaultZone"]);
    assert_eq!(zone(&client, DRIVE, None, 200)["serverErrorCode"], "ZONE_NOT_FOUND");
    assert!(zone(&client, "other-_defaultZone", None, 200)["records"].is_array());
}

#[test]
fn it_may_have_no_end_and_fill_its_answers() {
    let (sim, client) = open_simulator(|switches| {
        (switches.feed, switches.feed_padding) = (Feed::Endless, 100_000);
    });
    sim.drive().write("a.txt", "1").unwrap();
    let (mut of_account, mut of_zone) = (None, None);
    for _ in 0..5 {
        let told = database(&client, of_account.as_ref());
        let page = zone(&client, DRIVE, of_zone.as_ref(), 200);
        assert_eq!((&told["moreComing"], &page["moreComing"]), (&json!(true), &json!(true)));
        assert!(told["padding"].to_string().len() > 90_000);
        let next = (Some(told["syncToken"].clone()), Some(page["syncToken"].clone()));
        assert!(next.0 != of_account && next.1 != of_zone, "another token each time");
        (of_account, of_zone) = next;
    }
}

#[test]
fn the_courier_tells_registered_tokens_of_each_change() {
    let (sim, client) = open_simulator(|_| {});
    sim.switches(|switches| switches.aps = Aps::Duplicate);
    let given = post(
        &client,
        "/pushws/getToken",
        &json!({"pushTopics": ["com.apple.clouddocs"], "pushTokenTTL": 43200}),
    );
    let token = given.json()["pushToken"].as_str().unwrap().to_owned();
    let registered = |token: &str| {
        let body = json!({"apnsToken": token, "clientID": "1", "apnsEnvironment": "production"});
        post(&client, "/ckdeviceservice/device/1/com.apple.clouddocs/production/tokens/register", &body)
            .status
    };
    assert_eq!((registered("another"), registered(&token)), (400, 200));
    let listen = || client.send("GET", &format!("/webcourier/aps?tok={token}&ttl=43200"), &[], b"");
    std::thread::scope(|scope| {
        let heard = scope.spawn(listen);
        sim.drive().write("a.txt", "1").unwrap();
        assert_eq!(heard.join().unwrap().json()["ck"]["cid"], "com.apple.clouddocs");
    });
    assert_eq!(listen().json()["ck"]["cid"], "com.apple.clouddocs", "once more");
    assert_eq!(client.send("GET", "/webcourier/aps?tok=5&ttl=43200", &[], b"").status, 401);
    sim.switches(|switches| switches.aps = Aps::Off);
    assert_eq!(listen().status, 403);
}
