//! The values of the switches that carry a number.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration::{duration_text, parse_duration};

/// `S-batch`: several ids in one listing call (question 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Batch {
    /// Answered in order.
    #[default]
    Ok,
    /// Refused with 400 above so many ids (`refuse-over-5`).
    RefuseOver(usize),
    /// More than one id is refused with 400 (`400`).
    Status400,
    /// Some answers are left out (`drop-some`).
    DropSome,
    /// Answers come in another order (`shuffle`).
    Shuffle,
}

impl TryFrom<String> for Batch {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "ok" => Ok(Self::Ok),
            "400" => Ok(Self::Status400),
            "drop-some" => Ok(Self::DropSome),
            "shuffle" => Ok(Self::Shuffle),
            other => other
                .strip_prefix("refuse-over-")
                .and_then(|n| n.parse().ok())
                .map(Self::RefuseOver)
                .ok_or_else(|| format!("S-batch: unknown value {other:?}")),
        }
    }
}

impl From<Batch> for String {
    fn from(batch: Batch) -> Self {
        match batch {
            Batch::Ok => "ok".to_owned(),
            Batch::RefuseOver(n) => format!("refuse-over-{n}"),
            Batch::Status400 => "400".to_owned(),
            Batch::DropSome => "drop-some".to_owned(),
            Batch::Shuffle => "shuffle".to_owned(),
        }
    }
}

/// `S-count-lag`: how far folder counts lag behind (question 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CountLag {
    /// By this long (`0s`, `5s`, `60s`).
    After(Duration),
    /// They never move (`stuck`).
    Stuck,
}

impl Default for CountLag {
    fn default() -> Self {
        Self::After(Duration::ZERO)
    }
}

impl TryFrom<String> for CountLag {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "stuck" {
            return Ok(Self::Stuck);
        }
        parse_duration(&text).map(Self::After)
    }
}

impl From<CountLag> for String {
    fn from(lag: CountLag) -> Self {
        match lag {
            CountLag::After(delay) => duration_text(delay),
            CountLag::Stuck => "stuck".to_owned(),
        }
    }
}

/// `S-busy`: when a write is answered `ZONE_BUSY` (question 19).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Busy {
    /// When two mutations overlap (`on-overlap`).
    #[default]
    OnOverlap,
    /// Also when a mutation overlaps a content upload (`on-overlap-with-upload`).
    OnOverlapWithUpload,
    /// Not even when they overlap (`never`).
    Never,
    /// With this probability (`random-0.2`).
    Random(f64),
}

impl TryFrom<String> for Busy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "on-overlap" => Ok(Self::OnOverlap),
            "on-overlap-with-upload" => Ok(Self::OnOverlapWithUpload),
            "never" => Ok(Self::Never),
            other => other
                .strip_prefix("random-")
                .and_then(|p| p.parse::<f64>().ok())
                .filter(|p| (0.0..=1.0).contains(p))
                .map(Self::Random)
                .ok_or_else(|| format!("S-busy: unknown value {other:?}")),
        }
    }
}

impl From<Busy> for String {
    fn from(busy: Busy) -> Self {
        match busy {
            Busy::OnOverlap => "on-overlap".to_owned(),
            Busy::OnOverlapWithUpload => "on-overlap-with-upload".to_owned(),
            Busy::Never => "never".to_owned(),
            Busy::Random(p) => format!("random-{p}"),
        }
    }
}
