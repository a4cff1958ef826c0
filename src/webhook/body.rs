//! What is posted: a template of the user's, or JSON with all that is known.

use jiff::Timestamp;
use serde_json::json;

use super::watch::Notice;
use crate::config::template::Template;
use crate::model::plain::{plain, plain_json};
use crate::secret::mask;
use crate::status::StatusDocument;

/// The content types of bodies.
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// A body and its content type. Secrets are masked.
pub(super) fn of(
    notice: &Notice,
    status: &StatusDocument,
    template: &Template,
    host: &str,
) -> (String, &'static str) {
    if template.is_empty() {
        let value = json!({
            "event": notice.event,
            "message": mask(&notice.message),
            "about": notice.about,
            "state": status.state.as_str(),
            "account": status.account,
            "directory": plain(&status.directory),
            "host": host,
            "at": Timestamp::from_second(notice.at).map(|at| at.to_string()).unwrap_or_default(),
            "held_deletes": status.held_deletes,
            "set_aside": status.set_aside.len(),
        });
        return (plain_json(&value.to_string()), JSON);
    }
    let filled = template.fill(|name| {
        match name {
            "event" => notice.event.clone(),
            "message" => mask(&notice.message).into_owned(),
            "state" => status.state.as_str().to_owned(),
            "account" => status.account.clone(),
            "directory" => plain(&status.directory),
            "host" => host.to_owned(),
            // The configuration knows no other name.
            _ => String::new(),
        }
    });
    (filled, if template.is_json() { JSON } else { TEXT })
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
