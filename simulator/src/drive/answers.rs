//! Error answers of drivews and docws (`docs/protocol.md §16`).

use serde_json::{Value, json};

use crate::http::Response;

/// An error with the code in every place where clients look for it.
pub(crate) fn error(status: u16, code: &str, reason: &str) -> Response {
    Response::json(status, &error_body(code, reason))
}

fn error_body(code: &str, reason: &str) -> Value {
    json!({
        "uuid": "5a1d0000-0000-4000-8000-000000000000",
        "messageForDeveloper": reason,
        "error_code": code,
        "serverErrorCode": code,
        "reason": reason,
    })
}

/// Another write is in the lane.
pub(crate) fn zone_busy() -> Response {
    error(
        409,
        "ZONE_BUSY",
        "Sync zone CAS Op-Lock failed. There was a concurrent write to the zone, try again",
    )
}

/// No document with this id.
pub(crate) fn not_found() -> Response {
    let reason = "ObjectNotFoundException: Could not find document";
    let mut body = error_body("WSObjectNotFound", reason);
    body["serverErrorCode"] = json!("NOT_FOUND");
    Response::json(404, &body)
}

/// The request itself is wrong; `what` names the part.
pub(crate) fn bad_request(what: &str) -> Response {
    error(400, "BAD_REQUEST", what)
}

/// The parent is missing or in another zone (`docs/protocol.md §12.6`).
pub(crate) fn wrong_reference() -> Response {
    error(
        412,
        "VALIDATING_REFERENCE_ERROR",
        "Request has out of order children to be chained but the parents were missing",
    )
}
