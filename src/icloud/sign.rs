//! What an answer says of the session (`docs/protocol.md` §5.4, §16).

use serde_json::Value;

use super::http::Answer;

/// A body beyond this is a listing, not an error to look into.
const LARGEST_ERROR_BODY: usize = 16 << 10;

/// What an answer says of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Nothing: the answer is the caller's.
    Fine,
    /// The session is not accepted.
    Session,
    /// A 421 without a reason: perhaps the connection went to the wrong partition.
    Misrouted,
    /// The keys for web access are missing (§6.3).
    Keys,
}

/// Reads the signs of a lost session: status first, then the error code in a small body.
pub(super) fn sign(answer: &Answer) -> Sign {
    match answer.head.status {
        401 | 450 => Sign::Session,
        423 => Sign::Keys,
        421 if is_json_object(&answer.body) => Sign::Session,
        421 => Sign::Misrouted,
        200..=299 | 400..=499 => body_sign(&answer.body),
        _ => Sign::Fine,
    }
}

fn body_sign(body: &[u8]) -> Sign {
    if body.len() > LARGEST_ERROR_BODY || !is_json_object(body) {
        return Sign::Fine;
    }
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Sign::Fine };
    let texts = ["status", "serverErrorCode", "error_code", "errorCode", "reason", "errorReason", "error"]
        .into_iter()
        .filter_map(|name| match value.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        });
    for text in texts {
        match text.as_str() {
            "421" | "450" | "AUTHENTICATION_FAILED" | "ZONE_NOT_FOUND" => return Sign::Session,
            "423" | "Missing PCS cookies from the request" => return Sign::Keys,
            text if text.contains("Cannot find PCS auth info") => return Sign::Keys,
            _ => {}
        }
    }
    Sign::Fine
}

fn is_json_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}
