//! How soon the change feed, the push channel and a listing tell of one and the same change, which is a folder of our own.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ask::Asker;
use super::feed;
use super::report::Line;
use crate::engine::ports::{Remote as _, RemoteError, RemoteItem};
use crate::icloud::drive::ICloudDrive;
use crate::icloud::push::{self, Channel, Heard};
use crate::icloud::signin::facts::AccountFacts;
use crate::model::ItemId;

/// How long the feed and a listing may take to tell of a change, and how often they are asked.
const WAITS: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
    Duration::from_secs(12),
];
/// How long the push channel is listened to, and with how many requests at most: some answer at once that there is nothing.
const LISTEN: Duration = Duration::from_secs(6);
const MOST_LISTENS: usize = 3;

/// After what time each of them told of the change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Delays {
    listing: Option<Duration>,
    feed: Option<Duration>,
    push: Option<Duration>,
}

/// Makes a folder with `make` in `home`, and waits until it is told. Nothing where the account offers no feed that answers.
pub fn lines(
    asker: &Asker,
    remote: &ICloudDrive,
    facts: &AccountFacts,
    home: &ItemId,
    make: impl FnOnce() -> Result<RemoteItem, RemoteError>,
) -> Result<Vec<Line>, RemoteError> {
    let Some(before) = feed::position(asker, facts) else { return Ok(Vec::new()) };
    let channel = open(asker);
    std::thread::scope(|scope| {
        let opened = Instant::now();
        let listener = channel.as_ref().map(|channel| scope.spawn(move || heard_at(asker, channel, opened)));
        let made = make()?;
        let (began, mut delays) = (Instant::now(), Delays::default());
        for wait in WAITS {
            if !asker.pause(wait) {
                break;
            }
            if delays.listing.is_none() && is_listed(remote, home, &made.entry.id) {
                delays.listing = Some(began.elapsed());
            }
            if delays.feed.is_none() {
                let Some(now) = feed::position(asker, facts) else { break };
                delays.feed = (now != before).then(|| began.elapsed());
            }
            if delays.feed.is_some() && delays.listing.is_some() {
                break;
            }
        }
        let waited = began.elapsed();
        let heard = listener
            .and_then(|listener| listener.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        // It may tell before the answer to the change itself is here.
        delays.push = heard.map(|at| at.saturating_duration_since(began));
        Ok(told(&delays, waited, channel.is_some()))
    })
}

fn open(asker: &Asker) -> Option<Channel> {
    let is_offered = push::is_offered(asker.service());
    let may = is_offered && asker.admit().is_ok() && asker.admit().is_ok();
    may.then(|| push::open(asker.service()).ok()).flatten()
}

/// When the push channel tells of something.
fn heard_at(asker: &Asker, channel: &Channel, opened: Instant) -> Option<Instant> {
    for _ in 0..MOST_LISTENS {
        let left = LISTEN.checked_sub(opened.elapsed())?;
        asker.admit().ok()?;
        if push::listen(asker.service(), channel, left).ok()? == Heard::News {
            return Some(Instant::now());
        }
    }
    None
}

fn is_listed(remote: &ICloudDrive, home: &ItemId, id: &ItemId) -> bool {
    let mut listings = remote.list(std::slice::from_ref(home), false);
    let listing = listings.pop().and_then(Result::ok);
    listing.is_some_and(|listing| listing.items.iter().any(|item| item.entry.id == *id))
}

fn told(delays: &Delays, waited: Duration, is_heard: bool) -> Vec<Line> {
    let ms = |span: Option<Duration>| {
        span.map_or(Value::Null, |span| json!(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    };
    let feed = match delays.feed {
        Some(delay) => {
            let seconds = delay.as_secs() + 1;
            let says = format!("within {seconds} s");
            Line::new("feed_delay", json!({"within_s": seconds}), says.clone())
                .answers(32, format!("the change feed tells of a change {says}"))
        }
        None => {
            let says = format!("not within {} s", waited.as_secs());
            Line::new("feed_delay", json!(null), says.clone())
                .answers(32, format!("the change feed does not tell of a change: {says}"))
        }
    };
    let push = match delays.push {
        _ if !is_heard => {
            Line::new("push_delay", json!(null), "not listened to: the push channel cannot be opened")
        }
        Some(delay) => {
            let says = format!("within {} s", delay.as_secs() + 1);
            Line::new("push_delay", json!({"within_s": delay.as_secs() + 1}), says.clone())
                .answers(33, format!("the push channel tells of a change {says}"))
        }
        None => {
            let says = format!("not within {} s", LISTEN.as_secs());
            Line::new("push_delay", json!(null), says.clone())
                .answers(33, format!("the push channel does not tell of a change: {says}"))
        }
    };
    let after = |what: &str, delay: Option<Duration>| {
        let (listing, delay) = (delays.listing?.as_secs_f64(), delay?.as_secs_f64());
        Some(match delay < listing {
            true => format!("{what} {:.1} s before a listing shows it", listing - delay),
            false => format!("{what} {:.1} s after a listing shows it", delay - listing),
        })
    };
    let says: Vec<_> = [after("the feed", delays.feed), after("the push channel", delays.push)]
        .into_iter()
        .flatten()
        .collect();
    let value =
        json!({"listing_ms": ms(delays.listing), "feed_ms": ms(delays.feed), "push_ms": ms(delays.push)});
    let says = if says.is_empty() { "nothing to compare".to_owned() } else { says.join(", ") };
    vec![feed, push, Line::new("told_after_listing", value, says)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_first_is_said_and_what_tells_nothing_is_no_number() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let says = |delays: Delays, is_heard| {
            let lines = told(&delays, Duration::from_secs(22), is_heard);
            lines.into_iter().map(|line| line.says).collect::<Vec<_>>()
        };
        let all = Delays { listing: ms(600), feed: ms(1800), push: ms(200) };
        assert_eq!(
            says(all, true),
            [
                "within 2 s",
                "within 1 s",
                "the feed 1.2 s after a listing shows it, the push channel 0.4 s before a listing shows it"
            ]
        );
        assert_eq!(
            told(&all, Duration::ZERO, true)[2].value,
            json!({"listing_ms": 600, "feed_ms": 1800, "push_ms": 200})
        );
        let none = Delays { listing: ms(600), ..Delays::default() };
        assert_eq!(says(none, true), ["not within 22 s", "not within 6 s", "nothing to compare"]);
        assert!(says(none, false)[1].starts_with("not listened to"));
    }
}
