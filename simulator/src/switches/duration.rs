//! Durations as text: `5s`, `250ms`, `1 h`.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// Reads `5s`, `5 s`, `250ms`, `2m`, `1 h` or a bare number of seconds.
///
/// # Errors
/// A text that says what is wrong.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit.trim() {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit in {text:?}, use ms, s, m or h")),
    };
    let number: f64 = number.parse().map_err(|_| format!("not a duration: {text:?}"))?;
    from_seconds(number * scale).map_err(|error| format!("{text:?}: {error}"))
}

/// The longest duration: dates are reckoned with it, and beyond no calendar goes.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

fn from_seconds(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| "a duration is between 0 and 100 years".to_owned())
}

/// Writes a duration so that [`parse_duration`] reads it back exactly to the millisecond.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

/// Serialises as text, for `#[serde(with)]`.
///
/// # Errors
/// What the serialiser reports.
pub fn serialize<S: Serializer>(value: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&duration_text(*value))
}

/// Reads text or a number of seconds, for `#[serde(with)]`.
///
/// # Errors
/// What is wrong with the text or number.
pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Seconds(f64),
        Text(String),
    }
    match Either::deserialize(input)? {
        Either::Seconds(s) => from_seconds(s).map_err(D::Error::custom),
        Either::Text(text) => parse_duration(&text).map_err(D::Error::custom),
    }
}
