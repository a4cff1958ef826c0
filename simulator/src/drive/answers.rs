//! Error answers of drivews and docws (`docs/protocol.md §16`).

use serde_json::json;

use crate::http::Response;
pub(crate) use crate::service::service_error as error;

/// Another write is in the lane.
pub(crate) fn zone_busy() -> Response {
    error(
        409,
        "ZONE_BUSY",
        "Sync zone CAS Op-Lock failed. There was a concurrent write to the zone, try again",
    )
}

/// No document with this id; its two codes differ.
pub(crate) fn not_found() -> Response {
    let reason = "ObjectNotFoundException: Could not find document";
    Response::json(
        404,
        &json!({
            "uuid": "5a1d0000-0000-4000-8000-000000000000",
            "messageForDeveloper": reason,
            "error_code": "WSObjectNotFound",
            "serverErrorCode": "NOT_FOUND",
            "reason": reason,
        }),
    )
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

/// There is no call of that path.
pub(crate) fn no_such_call(rest: &str) -> Response {
    Response::text(404, &format!("no such call: {rest}"))
}
