//! Answers of the control endpoint that its parts share.

use serde_json::json;

use crate::http::Response;

/// The refusal of a call that there is not.
pub(crate) fn no_such_call(method: &str, call: &str) -> Response {
    let text = format!("there is no control call {method} /_sim{call}; GET /_sim/help lists them");
    Response::json(404, &json!({"success": false, "error": text}))
}
