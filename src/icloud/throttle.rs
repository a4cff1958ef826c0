//! What an answer says of throttling, and the one rest of the account that follows (`docs/protocol.md` §16.1).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::Answer;
use crate::clock::boot_number;
use crate::model::{Backoff, Reading};

/// No rest is longer, whatever is asked: blocks of two days were reported.
const LONGEST: Duration = Duration::from_secs(2 * 86_400);
/// A larger body is a listing, not an error.
const LARGEST_ERROR_BODY: usize = 16 << 10;
/// The members that may hold a word of throttling.
const MEMBERS: [&str; 6] = ["serverErrorCode", "status", "error_code", "errorCode", "reason", "error"];

/// Why nothing is sent for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Signing in was throttled, or failed in a way that must not be repeated at once.
    #[default]
    SignIn,
    /// The sign-in host turned everybody away; each try makes it longer.
    Overload,
    /// A drive call was throttled.
    Service,
    /// Access was denied after too many requests.
    Denied,
}

impl Cause {
    /// The rests without a time from the service.
    fn rests(self) -> Backoff {
        let (first, longest) = match self {
            Self::SignIn => (60, 3600),
            Self::Service => (10, 600),
            Self::Overload | Self::Denied => (1800, 6 * 3600),
        };
        Backoff::exact(Duration::from_secs(first), Duration::from_secs(longest))
    }

    /// Whether the drive's next good answer, not a sign-in, shows that it is over.
    fn is_of_drive(self) -> bool {
        matches!(self, Self::Service | Self::Denied)
    }
}

/// A rest: while it lasts nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Its end, in seconds since 1970.
    pub until: i64,
    /// How many refusals came in a row.
    pub refusals: u32,
    /// Its beginning, in seconds since 1970.
    #[serde(default)]
    pub began: i64,
    /// Why.
    #[serde(default)]
    pub cause: Cause,
    /// Its beginning on the clock that nobody sets, where this machine has one.
    #[serde(default)]
    pub began_up: Option<StoredUptime>,
}

/// A point on the clock of one boot, as the session file holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredUptime {
    /// The boot's number in hexadecimal digits; files of versions before this one hold the kernel's name for it, a UUID.
    boot: String,
    /// Milliseconds since.
    millis: u64,
}

impl StoredUptime {
    fn of(now: Reading) -> Self {
        let millis = u64::try_from(now.uptime.as_millis()).unwrap_or(u64::MAX);
        Self { boot: format!("{:016x}", now.boot), millis }
    }

    /// The time since; `None` where that was in another boot.
    fn passed(&self, now: Reading) -> Option<Duration> {
        let is_same = boot_number(&self.boot) == Some(now.boot);
        is_same.then(|| now.uptime.saturating_sub(Duration::from_millis(self.millis)))
    }
}

impl Rest {
    /// What follows a refusal at `now`: `asked` where the service asked for a time, else a first time that doubles with each
    /// refusal in a row. A refusal of a request that was under way when a rest began only lengthens it.
    pub fn after(old: Option<&Self>, now: Reading, cause: Cause, asked: Option<Duration>) -> Self {
        let left = old.and_then(|old| old.left(now));
        let same = old.filter(|old| old.cause == cause);
        let refusals = same.map_or(0, |old| old.refusals);
        let under_way = left.is_some() && same.is_some();
        let grown = cause.rests().wait(refusals, 0.0);
        let span = match (asked, under_way) {
            (asked, true) => asked.unwrap_or_default(),
            (Some(asked), false) if cause == Cause::Service => asked,
            (asked, false) => grown.max(asked.unwrap_or_default()),
        };
        let span = span.max(left.unwrap_or_default()).min(LONGEST);
        // A part of a second counts as a whole one: rather too late than too early.
        let secs = span.as_secs() + u64::from(span.subsec_nanos() > 0);
        Self {
            until: now.wall.saturating_add_unsigned(secs),
            refusals: if under_way { refusals } else { refusals.saturating_add(1) },
            began: now.wall,
            cause,
            began_up: Some(StoredUptime::of(now)),
        }
    }

    /// The time left. A wall clock that leaps changes nothing while the machine stays up; over a restart of the machine, one
    /// that was set back makes the rest no longer than it was.
    pub fn left(&self, now: Reading) -> Option<Duration> {
        let length = u64::try_from(self.until.saturating_sub(self.began)).unwrap_or(0);
        let length = Duration::from_secs(length);
        let passed = self.began_up.as_ref().and_then(|began| began.passed(now)).unwrap_or_else(|| {
            Duration::from_secs(u64::try_from(now.wall.saturating_sub(self.began)).unwrap_or(0))
        });
        let left = length.checked_sub(passed)?.min(LONGEST);
        (!left.is_zero()).then_some(left)
    }

    /// Whether the drive's good answer takes it back.
    pub fn ends_with_drive(&self) -> bool {
        self.cause.is_of_drive()
    }
}

/// What an answer says of throttling, if anything: why, and for how long.
pub(super) fn read(answer: &Answer) -> Option<(Cause, Option<Duration>)> {
    let body = error_body(answer);
    let word = body.as_ref().and_then(|body| MEMBERS.into_iter().find_map(|name| word(body.get(name)?)));
    let asked = wait_asked(answer);
    match (answer.head.status, word) {
        (_, Some(cause)) => Some((cause, asked)),
        (429, None) => Some((Cause::Service, asked)),
        // Others that name a time want to be left alone for it.
        (400.., None) if asked.is_some() => Some((Cause::Service, asked)),
        _ => None,
    }
}

/// How long the service asks to wait: `Retry-After`, or `retryAfter` in seconds in a small body.
pub(in crate::icloud) fn wait_asked(answer: &Answer) -> Option<Duration> {
    let in_body = error_body(answer).and_then(|body| seconds(body.get("retryAfter")?));
    answer.head.retry_after().max(in_body)
}

fn error_body(answer: &Answer) -> Option<Value> {
    let small = answer.body.len() <= LARGEST_ERROR_BODY && answer.body.trim_ascii_start().starts_with(b"{");
    small.then(|| serde_json::from_slice(&answer.body).ok()).flatten()
}

fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST))
}

fn word(value: &Value) -> Option<Cause> {
    match value {
        Value::String(text) => match text.as_str() {
            "THROTTLED" | "TRY_AGAIN_LATER" | "RETRY_LATER" => Some(Cause::Service),
            "ACCESS_DENIED" => Some(Cause::Denied),
            _ => None,
        },
        Value::Object(inner) => inner.values().find_map(word),
        _ => None,
    }
}

/// The end of a rest for people: the service's own time zone is nobody's, so it is UTC.
pub fn told(left: Duration) -> String {
    let end = jiff::Timestamp::now().checked_add(jiff::SignedDuration::try_from(left).unwrap_or_default());
    let minutes = match left.as_secs() {
        secs @ 0..=119 => format!("{secs} seconds"),
        secs => format!("{} minutes", secs.div_ceil(60)),
    };
    match end {
        Ok(end) => format!("until {} UTC, {minutes} from now", end.strftime("%Y-%m-%d %H:%M")),
        Err(_) => format!("for {minutes}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::answer::Head;
    use super::*;

    fn answer(status: u16, body: &Value) -> Answer {
        Answer { head: Head { status, headers: Default::default() }, body: body.to_string().into_bytes() }
    }

    /// Both clocks as they go where nobody sets the one.
    fn at(wall: i64) -> Reading {
        up(wall, 7, wall.unsigned_abs())
    }

    fn up(wall: i64, boot: u64, secs: u64) -> Reading {
        Reading { wall, boot, uptime: Duration::from_secs(secs) }
    }

    #[test]
    fn words_and_times_are_found_whatever_the_status() {
        let minute = Some(Duration::from_secs(60));
        for (status, body, expected) in [
            (503, json!({"serverErrorCode": "THROTTLED", "retryAfter": 60}), Some((Cause::Service, minute))),
            (200, json!({"status": "TRY_AGAIN_LATER", "retryAfter": "60"}), Some((Cause::Service, minute))),
            (400, json!({"error": {"errorCode": "RETRY_LATER"}}), Some((Cause::Service, None))),
            (429, json!({}), Some((Cause::Service, None))),
            (503, json!({"retryAfter": 59.5}), Some((Cause::Service, Some(Duration::from_millis(59_500))))),
            (403, json!({"reason": "ACCESS_DENIED"}), Some((Cause::Denied, None))),
            (503, json!({"error": "overload"}), None),
            (200, json!({"items": [], "retryAfter": 60}), None),
            (403, json!({"reason": "no"}), None),
        ] {
            assert_eq!(read(&answer(status, &body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_rest_doubles_within_its_bounds_and_honours_the_service() {
        for (cause, expected) in [
            (Cause::SignIn, vec![60, 120, 240, 480, 960, 1920, 3600, 3600]),
            (Cause::Overload, vec![1800, 3600, 7200, 14_400, 21_600, 21_600]),
            (Cause::Denied, vec![1800, 3600, 7200, 14_400, 21_600, 21_600]),
        ] {
            let (mut now, mut rest, mut spans) = (1000, None, Vec::new());
            for _ in &expected {
                let next = Rest::after(rest.as_ref(), at(now), cause, None);
                let left = next.left(at(now)).expect("it rests").as_secs();
                spans.push(left);
                now += i64::try_from(left).expect("small");
                rest = Some(next);
            }
            assert_eq!(spans, expected, "{cause:?}");
        }
        let asked = Rest::after(None, at(1000), Cause::SignIn, Some(Duration::from_secs(900)));
        assert_eq!(asked.left(at(1500)), Some(Duration::from_secs(400)));
        assert_eq!(asked.left(at(1900)), None);
        let forever = Rest::after(None, at(0), Cause::Service, Some(Duration::MAX));
        assert_eq!(forever.left(at(0)), Some(LONGEST));
    }

    #[test]
    fn refusals_of_requests_under_way_do_not_double_it() {
        let first = Rest::after(None, at(1000), Cause::Denied, None);
        let second = Rest::after(Some(&first), at(1001), Cause::Denied, None);
        assert_eq!((second.refusals, second.until), (1, first.until));
        let longer = Some(Duration::from_secs(9000));
        assert_eq!(Rest::after(Some(&first), at(1001), Cause::Denied, longer).until, 10_001);
    }

    #[test]
    fn a_wall_clock_that_leaps_neither_cuts_nor_stretches_it() {
        let hour = Some(Duration::from_secs(3600));
        let rest = Rest::after(None, up(1_000_000, 0xa, 50), Cause::Service, hour);
        for leap in [-90_000_000, -7200, 0, 7200, 90_000_000] {
            let later = up(1_000_000 + leap, 0xa, 50 + 600);
            assert_eq!(rest.left(later), Some(Duration::from_secs(3000)), "{leap}");
            assert_eq!(rest.left(up(leap, 0xa, 50 + 3600)), None, "{leap}");
        }
        // After a restart of the machine the wall clock is all there is: it may not stretch it.
        assert_eq!(rest.left(up(1_000_600, 0xb, 5)), Some(Duration::from_secs(3000)));
        assert_eq!(rest.left(up(-90_000_000, 0xb, 5)), Some(Duration::from_secs(3600)));
        let stored = serde_json::to_string(&rest).expect("stored");
        assert_eq!(serde_json::from_str::<Rest>(&stored).expect("read"), rest);
    }

    #[test]
    fn a_rest_that_an_older_version_stored_goes_on() {
        let stored = r#"{"until":1003600,"refusals":2,"began":1000000,"cause":"Denied",
            "began_up":{"boot":"01234567-89ab-4cde-8f01-23456789abcd","millis":50500}}"#;
        let rest: Rest = serde_json::from_str(stored).expect("read");
        let boot = boot_number("01234567-89ab-4cde-8f01-23456789abcd").expect("the kernel's name for a boot");
        assert_eq!((rest.refusals, rest.cause), (2, Cause::Denied));
        assert_eq!(rest.left(up(-5, boot, 650)), Some(Duration::from_millis(3_000_500)));
        assert_eq!(rest.left(up(1_000_600, boot + 1, 5)), Some(Duration::from_secs(3000)));
        // Before that clock was stored, and on a machine that had none.
        for form in [
            r#"{"until":1003600,"refusals":2}"#,
            r#"{"until":1003600,"refusals":2,"began":1000000,"began_up":null}"#,
        ] {
            let rest: Rest = serde_json::from_str(form).expect("read");
            assert_eq!(rest.left(up(1_000_600, boot, 650)), Some(Duration::from_secs(3000)), "{form}");
        }
    }
}
