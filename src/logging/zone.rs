//! The time zone in which people are shown times: the one of `TZ`, UTC without it.

use jiff::tz::TimeZone;

/// The zone of `value`, the content of `TZ`, found in the bundled database; UTC for none or an empty one.
///
/// A value that names no zone gives UTC, as the C library does, and the sentence to log about it.
pub fn parse(value: Option<&str>) -> (TimeZone, Option<String>) {
    let written = match value {
        None | Some("") => return (TimeZone::UTC, None),
        Some(written) => written,
    };
    let name = written.strip_prefix(':').unwrap_or(written);
    // A path into the system's database names the same zone in ours.
    let name = name.rsplit_once("zoneinfo/").map_or(name, |(_, name)| name);
    match TimeZone::get(name).or_else(|_| TimeZone::posix(name)) {
        Ok(zone) => (zone, None),
        Err(_) => (TimeZone::UTC, Some(format!("TZ={written:?} names no time zone; times are in UTC"))),
    }
}

/// The zone of this process's `TZ`.
pub fn of_process() -> (TimeZone, Option<String>) {
    let value = std::env::var_os("TZ").map(|value| value.to_string_lossy().into_owned());
    parse(value.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_and_rules_are_understood() {
        let winter: jiff::Timestamp = "2026-11-22T10:00:00Z".parse().expect("a time");
        for (value, hour, note) in [
            (None, 10, false),
            (Some(""), 10, false),
            (Some("UTC"), 10, false),
            (Some("Europe/Berlin"), 11, false),
            (Some(":Europe/Berlin"), 11, false),
            (Some("/usr/share/zoneinfo/Asia/Tokyo"), 19, false),
            (Some("CET-1CEST,M3.5.0,M10.5.0/3"), 11, false),
            (Some("Middle/Earth"), 10, true),
        ] {
            let (zone, said) = parse(value);
            assert_eq!(i32::from(winter.to_zoned(zone).hour()), hour, "{value:?}");
            assert_eq!(said.is_some(), note, "{value:?}");
        }
    }
}
