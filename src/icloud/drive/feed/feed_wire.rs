//! The feed's JSON: the only file that knows its member names. Liberal in what is read: members may be missing, in another form, and
//! unknown ones are left.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::lean;
use crate::engine::observe::remote::{Record, RecordKind, RecordPlace};
use crate::icloud::survey::word_of;

/// More zones than these are not told apart.
const MOST_ZONES: usize = 100;
/// Words that have nothing to do with a token.
const LASTING: [&str; 8] = [
    "THROTTLED",
    "RETRY_LATER",
    "TRY_AGAIN_LATER",
    "PCS_REQUIRED",
    "AUTHENTICATION_REQUIRED",
    "AUTHENTICATION_FAILED",
    "ACCESS_DENIED",
    "SERVER_ERROR",
];
/// A longer token is none.
const LONGEST_TOKEN: usize = 64 << 10;

/// A zone as the feed names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FeedZone {
    /// Its name.
    pub name: String,
    /// Whose it is, to be sent along.
    #[serde(default)]
    pub owner: Option<String>,
}

/// One page of `changes/database`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// What comes after it.
    pub token: Option<String>,
    /// In how many zones something changed.
    pub zones: usize,
    /// Those of them that are named.
    pub named: Vec<FeedZone>,
    /// Another page follows.
    pub more: bool,
}

/// The service's word for what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    None,
    Known(String),
    /// Something that is no word of the protocol.
    Odd,
}

impl Word {
    /// Whether the same is to be expected of the same question without a token.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Known(word) if LASTING.contains(&word.as_str()))
    }
}

/// The body of `changes/database`.
pub(super) fn database(token: Option<&str>) -> String {
    token.map_or_else(|| json!({}), |token| json!({"syncToken": token})).to_string()
}

/// Reads an answer to it. What is an error, or no answer of the feed at all, gives `Err`.
pub(super) fn read_page(body: &[u8]) -> Result<Page, ()> {
    let value = lean::read(body)?;
    let object = value.as_object().ok_or(())?;
    if word_in(value.get("serverErrorCode")) != Word::None {
        return Err(());
    }
    let zones = match object.get("zones") {
        None | Some(Value::Null) => None,
        Some(zones) => Some(zones.as_array().ok_or(())?),
    };
    let named = zones.map_or(&[][..], Vec::as_slice).iter().take(MOST_ZONES).filter_map(zone_of).collect();
    let token = object.get("syncToken").and_then(text).filter(|token| token.len() <= LONGEST_TOKEN);
    // An object with neither is somebody else's answer.
    if token.is_none() && zones.is_none() {
        return Err(());
    }
    let more = object.get("moreComing").is_some_and(is_true);
    Ok(Page { token, zones: zones.map_or(0, Vec::len), named, more })
}

/// The word for an error in an answer.
pub(super) fn error_word(body: &[u8]) -> Word {
    word_in(lean::read(body).unwrap_or_default().get("serverErrorCode"))
}

fn word_in(code: Option<&Value>) -> Word {
    match code {
        None | Some(Value::Null) => Word::None,
        Some(word) => word.as_str().and_then(word_of).map_or(Word::Odd, Word::Known),
    }
}

/// One page of `changes/zone`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ZonePage {
    /// What comes after it.
    pub token: Option<String>,
    /// Another page follows.
    pub more: bool,
    /// It tells of something.
    pub holds_any: bool,
    /// What it tells of.
    pub records: Records,
}

/// The records of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Records {
    Read(Vec<Record>),
    /// Something bears no name that could be one of an item's.
    Opaque,
}

/// The body of `changes/zone` for one zone.
pub(super) fn zone(zone: &FeedZone, token: Option<&str>, most: u32) -> String {
    let mut asked = json!({"zoneID": {"zoneName": zone.name}});
    if let Some(owner) = &zone.owner {
        asked["zoneID"]["ownerRecordName"] = json!(owner);
    }
    if let Some(token) = token {
        asked["syncToken"] = json!(token);
    }
    json!({"zones": [asked], "resultsLimit": most}).to_string()
}

/// Reads an answer to it. What is an error, or no answer of the feed at all, gives `Err`.
pub(super) fn read_zone(body: &[u8], zone: &FeedZone) -> Result<ZonePage, ()> {
    let value = lean::read(body)?;
    if zone_word_in(&value) != Word::None {
        return Err(());
    }
    let zones = value.get("zones").and_then(Value::as_array).ok_or(())?;
    let is_it = |told: &&Value| zone_of(told).is_some_and(|told| told.name == zone.name);
    let told = zones.iter().find(is_it).or_else(|| zones.first()).and_then(Value::as_object).ok_or(())?;
    let records = match told.get("records") {
        None | Some(Value::Null) => &[][..],
        Some(records) => records.as_array().ok_or(())?,
    };
    let token = told.get("syncToken").and_then(text).filter(|token| token.len() <= LONGEST_TOKEN);
    let read: Option<Vec<Record>> = records.iter().map(record).collect();
    Ok(ZonePage {
        token,
        more: told.get("moreComing").is_some_and(is_true),
        holds_any: !records.is_empty(),
        records: read.map_or(Records::Opaque, Records::Read),
    })
}

/// The word for an error in an answer to it, of the answer or of the zone.
pub(super) fn zone_word(body: &[u8]) -> Word {
    zone_word_in(&lean::read(body).unwrap_or_default())
}

fn zone_word_in(value: &Value) -> Word {
    match word_in(value.get("serverErrorCode")) {
        Word::None => word_in(value.pointer("/zones/0/serverErrorCode")),
        word => word,
    }
}

/// The zone that an entry names; `None` where it names none.
pub(super) fn zone_of(entry: &Value) -> Option<FeedZone> {
    let id = entry.get("zoneID")?;
    let name = id.get("zoneName").and_then(text)?;
    Some(FeedZone { name, owner: id.get("ownerRecordName").and_then(text) })
}

/// What a record says; `None` where its name is not one of an item's.
fn record(value: &Value) -> Option<Record> {
    let (kind, doc) = named(value.get("recordName")?.as_str()?)?;
    let parent = ["/fields/parent/value/recordName", "/fields/parent/recordName", "/parent/recordName"];
    let parent = parent.iter().find_map(|path| value.pointer(path)).and_then(Value::as_str);
    let is_restorable = ["/fields/restorePath/value", "/fields/restorePath"]
        .iter()
        .any(|path| value.pointer(path).is_some_and(|path| !path.is_null()));
    let place = match parent {
        _ if value.get("deleted").is_some_and(is_true) => RecordPlace::Deleted,
        Some(parent) => {
            let folder = parent.split_once('/').map_or(parent, |(_, folder)| folder);
            let is_trash = ["TRASH", "TRASH_ROOT"].iter().any(|name| folder.eq_ignore_ascii_case(name));
            if is_trash { RecordPlace::Trash } else { RecordPlace::In(folder.to_owned()) }
        }
        None if is_restorable => RecordPlace::Trash,
        None => RecordPlace::Untold,
    };
    let tag = value.get("recordChangeTag").and_then(text);
    Some(Record { doc: doc.to_owned(), kind, place, tag, name: name_of(value) })
}

/// The full name that a record tells: its base, the number that keeps it apart from others of one name, and its extension. `None` where it
/// tells none that can be read.
fn name_of(record: &Value) -> Option<String> {
    let field = |name: &str| {
        let field = record.get("fields")?.get(name)?;
        Some(field.get("value").unwrap_or(field)).filter(|value| !value.is_null())
    };
    let base = STANDARD.decode(field("encryptedBasename")?.as_str()?).ok()?;
    let mut name = String::from_utf8(base).ok()?;
    match field("bounceNo") {
        None => {}
        Some(number) => match number.as_i64()? {
            ..=1 => {}
            number => name.push_str(&format!(" {number}")),
        },
    }
    match field("extension") {
        None => {}
        Some(extension) => match extension.as_str()? {
            "" => {}
            extension => name.extend([".", extension]),
        },
    }
    (!name.is_empty()).then_some(name)
}

/// What a record's name stands for: `KIND/ID`.
fn named(name: &str) -> Option<(RecordKind, &str)> {
    let (kind, doc) = name.split_once('/')?;
    let kinds = [
        ("directory", RecordKind::Folder),
        ("documentStructure", RecordKind::File),
        ("documentContent", RecordKind::Content),
    ];
    let known = kinds.iter().find(|(name, _)| kind.eq_ignore_ascii_case(name));
    (!doc.is_empty()).then(|| (known.map_or(RecordKind::Other, |(_, kind)| *kind), doc))
}

/// A non-empty text, or a number as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => text.eq_ignore_ascii_case("true") || text == "1",
        _ => false,
    }
}
