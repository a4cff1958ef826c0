//! The stream of events: the status as it changes, for a page that is open.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crossbeam::channel::RecvTimeoutError;
use serde_json::Value;

use super::api::{self, Way};
use super::response::{self, PATIENCE};
use crate::model::plain::plain_json;
use crate::status::StatusDocument;

/// How often the status is looked at.
const STEP: Duration = Duration::from_secs(1);
/// After this long without a change the client is written to all the same, to learn whether it is still there.
const QUIET: Duration = Duration::from_secs(15);
/// A stream ends after this long; the page begins another one. So nobody holds a place for ever.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// How much of each list an event holds; how long each is stands beside them. All of it is in `GET /api/status`.
const LISTED: usize = 100;
/// The lists of the document that can be long.
const LISTS: [&str; 4] = ["set_aside", "skipped", "unsettled", "conflicts"];

/// Writes events until the client goes, the server ends, or the stream has had its time.
pub(super) fn serve(way: &Way, stream: &mut TcpStream) {
    let begun = Instant::now();
    let mut last = String::new();
    let mut written = begun;
    if response::write_all(stream, response::stream_head().as_bytes(), PATIENCE).is_err() {
        return;
    }
    while begun.elapsed() < LONGEST {
        let event = match way.status() {
            Ok(status) => event(&status, way.guarded),
            // The loop is stuck or ends; the page says that it hears nothing.
            Err(_) => return,
        };
        let text = if event != last {
            last = event;
            last.as_str()
        } else if written.elapsed() >= QUIET {
            ": still here\n\n"
        } else {
            ""
        };
        if !text.is_empty() {
            if response::write_all(stream, text.as_bytes(), PATIENCE).is_err() {
                return;
            }
            written = Instant::now();
        }
        // Nothing is ever sent on it: it closes when the server ends.
        if let Err(RecvTimeoutError::Disconnected) = way.stop.recv_timeout(STEP) {
            return;
        }
    }
}

/// The status as one event, its lists cut; `guarded` tells whether there is something to sign out of.
fn event(status: &StatusDocument, guarded: bool) -> String {
    let mut value = api::document(status);
    value["guarded"] = guarded.into();
    let mut lengths = serde_json::Map::new();
    for name in LISTS {
        if let Some(Value::Array(list)) = value.get_mut(name) {
            lengths.insert(name.to_owned(), list.len().into());
            list.truncate(LISTED);
        }
    }
    value["lengths"] = Value::Object(lengths);
    // JSON on one line has no line end, so the event has exactly one.
    format!("event: status\ndata: {}\n\n", plain_json(&value.to_string()))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::model::{RelPath, State};
    use crate::status::{Facts, Tracker};

    #[test]
    fn an_event_is_one_line_whatever_the_names_and_its_lists_are_cut() {
        let facts = Facts {
            username: "you@example.com".to_owned(),
            directory: "/drive".to_owned(),
            remote_root: "/".to_owned(),
            watch: "events".to_owned(),
            file_system: None,
            pid: 1,
        };
        let mut tracker = Tracker::new(facts, 0);
        let paths: Vec<RelPath> = (0..250)
            .map(|n| RelPath::parse(&format!("a\n\ndata: x\u{2028}<script>{n}")).expect("a path"))
            .collect();
        tracker.set_skipped(paths.iter().map(|path| (path, "rule")));
        let text = event(&tracker.document(&State::empty(), &TimeZone::UTC), false);
        assert_eq!(text.matches('\n').count(), 3, "{text}");
        let data = text.strip_prefix("event: status\ndata: ").expect("an event");
        let value: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(value["skipped"].as_array().map(Vec::len), Some(LISTED));
        assert_eq!(value["lengths"]["skipped"], 250);
        assert_eq!(value["running"], true);
    }
}
