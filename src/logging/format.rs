//! How one event looks: a line of text, or a JSON object.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use log::Record;
use log::kv::{self, Key, Value, VisitSource, VisitValue};
use serde_json::{Map, Value as Json};

use crate::model::{log_part, plain};
use crate::secret::mask;

/// How much a text line tells beside time, level and message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Nothing more: stderr.
    Brief,
    /// The thread's name and the part: the file.
    Full,
}

/// The names that a JSON line always carries; a key of the same name gets a `_` behind it.
const FIXED_NAMES: [&str; 5] = ["timestamp", "level", "target", "thread", "message"];

/// `2026-11-22 10:00:00.123 INFO message key=value`, in `zone`.
pub(super) fn text(
    now: Timestamp,
    zone: &TimeZone,
    detail: Detail,
    message: &fmt::Arguments<'_>,
    record: &Record<'_>,
) -> String {
    let mut line = now.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
    // Writing into a String cannot fail.
    let _ = write!(line, " {}", record.level());
    if detail == Detail::Full {
        let _ = write!(line, " {} {}", thread_name(), log_part::of_target(record.target()));
    }
    let _ = write!(line, " {}", plain(&message.to_string()));
    for (key, value) in pairs(record) {
        let value = match value {
            Json::String(text) => quoted_if_needed(&text),
            other => other.to_string(),
        };
        let _ = write!(line, " {}={value}", plain(&key));
    }
    line
}

/// One JSON object with `timestamp` (RFC 3339, UTC), `level`, `target`, `thread`, `message` and each key.
pub(super) fn json(now: Timestamp, message: &fmt::Arguments<'_>, record: &Record<'_>) -> String {
    let mut object = Map::new();
    object.insert("timestamp".to_owned(), now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string().into());
    object.insert("level".to_owned(), record.level().as_str().to_lowercase().into());
    object.insert("target".to_owned(), record.target().into());
    object.insert("thread".to_owned(), thread_name().into());
    object.insert("message".to_owned(), mask(&message.to_string()).into());
    for (key, value) in pairs(record) {
        let key = if FIXED_NAMES.contains(&key.as_str()) { format!("{key}_") } else { key };
        object.insert(key, value);
    }
    plain::plain_json(&Json::Object(object).to_string())
}

fn thread_name() -> String {
    plain(std::thread::current().name().unwrap_or("unnamed"))
}

/// `text` masked, and on one line whatever is in it.
fn plain(text: &str) -> String {
    plain::plain(&mask(text))
}

/// A value of `key=value`: as it is, or in quotes where it would otherwise not end at the next space.
fn quoted_if_needed(text: &str) -> String {
    let text = plain(text);
    if text.is_empty() || text.contains([' ', '"', '=']) {
        return format!("\"{}\"", text.replace('"', "\\\""));
    }
    text
}

/// The keys and values of an event, masked.
fn pairs(record: &Record<'_>) -> Vec<(String, Json)> {
    let mut pairs = Pairs(Vec::new());
    // A value that cannot be shown ends the walk; what was seen before it is kept.
    let _ = record.key_values().visit(&mut pairs);
    pairs.0
}

struct Pairs(Vec<(String, Json)>);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let mut shown = Shown(Json::Null);
        value.visit(&mut shown)?;
        self.0.push((key.as_str().to_owned(), shown.0));
        Ok(())
    }
}

/// A number, unless its digits are a secret: codes consist of digits alone.
fn unless_secret(digits: &str, number: Json) -> Json {
    match mask(digits) {
        shown if shown == digits => number,
        masked => masked.into(),
    }
}

struct Shown(Json);

impl VisitValue<'_> for Shown {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.0 = mask(&value.to_string()).into();
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.0 = Json::Null;
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.0 = unless_secret(&value.to_string(), value.into());
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.0 = unless_secret(&value.to_string(), value.into());
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.0 = mask(value).into();
        Ok(())
    }
}
