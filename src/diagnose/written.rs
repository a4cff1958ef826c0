//! What became of a write, in words: pure.

use serde_json::{Value, json};

use super::ask::{Said, refusal_of};
use super::report::Line;
use crate::engine::ports::{RemoteError, RemoteItem};
use crate::icloud::survey::word_of;
use crate::model::{Etag, ServerTime};

/// Without the words of the service, which may hold anything.
pub fn words(error: &RemoteError) -> &'static str {
    match error {
        RemoteError::Stale => "refused: the etag is stale",
        RemoteError::NameTaken => "refused: the name is taken",
        RemoteError::Gone => "refused: no such item",
        RemoteError::Refused(_) => "refused",
        RemoteError::Quota(_) => "refused: the storage is full",
        RemoteError::Busy { .. } => "refused: busy",
        RemoteError::Uncertain(_) => "no answer",
        RemoteError::Unreachable(_) => "the service cannot be reached",
        RemoteError::Account { .. } => "the session is not accepted",
        RemoteError::Damaged(_) => "the answer cannot be read",
        RemoteError::LookedLongAgo | RemoteError::Stopped => "not asked",
    }
}

/// How one of two calls at once ended.
pub fn created(said: &Said) -> String {
    let Said::Good(answer) = said else { return said.words() };
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let status = value.pointer("/folders/0/status").or_else(|| value.get("status")).and_then(Value::as_str);
    match status {
        Some("OK") => "done".to_owned(),
        Some(word) => word_of(word).unwrap_or_else(|| "another word".to_owned()),
        None => refusal_of(&answer.body).unwrap_or_else(|| "done".to_owned()),
    }
}

pub fn time_line(stored: Option<ServerTime>, sent: i64) -> Line {
    let difference = stored.map(|stored| stored.0.saturating_sub(sent));
    let (says, follows) = match difference {
        Some(0) => ("kept".to_owned(), "a modification time in whole seconds is kept".to_owned()),
        Some(seconds) => (
            format!("{seconds} s later than it was sent"),
            format!("a modification time is not kept: it came back {seconds} s later"),
        ),
        None => return Line::new("time", json!(null), "the answer tells none"),
    };
    Line::new("time", json!({"later_s": difference}), says).answers(18, follows)
}

/// When an etag changed, by three looks.
pub fn changed(before: &Option<Etag>, at_once: &Option<Etag>, later: &Option<Etag>) -> &'static str {
    match (before, at_once, later) {
        (Some(before), Some(at_once), _) if before != at_once => "at once",
        (Some(before), _, Some(later)) if before != later => "later",
        (Some(_), _, Some(_)) => "not",
        _ => "unknown",
    }
}

pub fn taken_line(key: &'static str, what: &str, result: &Result<RemoteItem, RemoteError>) -> Line {
    let (value, says) = match result {
        Ok(item) => {
            let name = &*item.entry.name;
            let numbered = matches!(name, "taken 2.txt" | "taken 3.txt" | "taken 2");
            match name {
                _ if numbered => ("numbered", "numbered, as `Name 2.ext`"),
                "taken.txt" | "taken" => ("same", "answered with the name itself"),
                _ => ("other", "given another name"),
            }
        }
        Err(error) => (words(error), words(error)),
    };
    Line::new(key, value, says).answers(9, format!("{what} onto a name that is taken is {says}"))
}

pub fn stale_line(key: &'static str, what: &str, error: Option<&RemoteError>) -> Line {
    let (value, says) = match error {
        None => ("accepted", "accepted"),
        Some(RemoteError::Stale) => ("refused", "refused"),
        Some(error) => (words(error), words(error)),
    };
    Line::new(key, value, says).answers(6, format!("{what} with a stale etag is {says}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_changes_at_once_later_or_not() {
        let etag = |text: &str| Some(Etag::new(text));
        for (before, at_once, later, expected) in [
            (etag("a"), etag("b"), etag("b"), "at once"),
            (etag("a"), etag("a"), etag("b"), "later"),
            (etag("a"), etag("a"), etag("a"), "not"),
            (None, etag("a"), etag("a"), "unknown"),
            (etag("a"), None, None, "unknown"),
        ] {
            assert_eq!(changed(&before, &at_once, &later), expected);
        }
    }

    #[test]
    fn a_time_that_came_back_later_is_told() {
        assert_eq!(time_line(Some(ServerTime(100)), 100).value, json!({"later_s": 0}));
        assert!(time_line(Some(ServerTime(101)), 100).answers[0].1.contains("1 s later"));
        assert!(time_line(None, 100).answers.is_empty());
    }
}
