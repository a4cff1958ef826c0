//! A point in time as people and scripts read it.

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time in whole seconds with the offset of the zone it is shown in; in JSON RFC 3339, `2026-11-22T10:00:00+01:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    at: Timestamp,
    offset: Offset,
}

impl When {
    /// The time `seconds` after 1970, in `zone`. What no calendar holds becomes its nearest end.
    pub fn new(seconds: i64, zone: &TimeZone) -> Self {
        let at = Timestamp::from_second(seconds).unwrap_or(if seconds < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        });
        Self { at, offset: zone.to_offset(at) }
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.at.as_second()
    }

    /// `2026-11-22 10:00:00`, in its zone.
    pub fn local(self) -> String {
        self.offset.to_datetime(self.at).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.at.display_with_offset(self.offset))
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        let at: Timestamp = text.parse().map_err(D::Error::custom)?;
        let pieces = Pieces::parse(&text).map_err(D::Error::custom)?;
        let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
        Ok(Self { at, offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_with_their_offset() {
        let berlin = TimeZone::get("Europe/Berlin").expect("a bundled zone");
        for (zone, text) in
            [(TimeZone::UTC, "\"2026-11-22T10:00:00+00:00\""), (berlin, "\"2026-11-22T11:00:00+01:00\"")]
        {
            let when = When::new(1_795_341_600, &zone);
            assert_eq!(serde_json::to_string(&when).expect("JSON"), text);
            assert_eq!(serde_json::from_str::<When>(text).expect("a time"), when);
        }
        assert!(serde_json::from_str::<When>("\"yesterday\"").is_err());
    }

    #[test]
    fn no_number_of_seconds_is_refused() {
        assert_eq!(When::new(i64::MAX, &TimeZone::UTC).at, Timestamp::MAX);
        assert_eq!(When::new(i64::MIN, &TimeZone::UTC).at, Timestamp::MIN);
    }
}
