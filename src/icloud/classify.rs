//! Turns an answer into what it means: the one place that reads statuses and error codes
//! (`docs/protocol.md` §16).

use std::time::Duration;

use serde_json::Value;

use crate::engine::ports::RemoteError;
use crate::model::AccountProblem;

/// What an answer, or one result in it, means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Done.
    Ok,
    /// Another write is under way; this one was not carried out.
    ZoneBusy,
    /// Too many requests; this one was refused before anything was done.
    Throttled,
    /// Overload or a fault behind the front; a change may or may not have been carried out.
    Failing,
    /// A refusal without a reason that is sometimes withdrawn when asked again.
    Spurious,
    /// Throttled for minutes, or access is switched off.
    Denied,
    /// The session is not accepted, though signing in was tried.
    Session,
    /// The keys for web access are missing (§6.3).
    Keys,
    /// The account's Drive was never set up (§16.1, first use).
    NeverSetUp,
    /// The item has another etag now.
    Conflict,
    /// The name is taken.
    NameTaken,
    /// The id does not resolve now.
    Gone,
    /// The service does not say whether it did it (createFolders).
    Undecided,
    /// The folder to put it into is missing, too new, or in another zone.
    Parent,
    /// Storage full, or too large.
    Quota,
    /// Anything else that is no success.
    Refused,
}

/// A class with the service's own words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Classified {
    /// What it means.
    pub class: Class,
    /// Codes and texts of the answer, for people.
    pub words: String,
}

/// The least wait after `ACCESS_DENIED` (§16.1).
const DENIED_WAIT: Duration = Duration::from_secs(300);
/// The longest wait that is believed (open question 20): the account's rest is no longer either.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(2 * 86_400);
/// An error text longer than this tells nobody more.
const LONGEST_WORDS: usize = 300;

/// The members that may hold an error, in the order of §16.2.
const MEMBERS: [&str; 9] = [
    "status",
    "serverErrorCode",
    "error_code",
    "errorCode",
    "reason",
    "errorReason",
    "error",
    "errorMessage",
    "messageForDeveloper",
];

/// What a whole answer means; `body` is absent where it is no JSON.
pub(super) fn classify(status: u16, body: Option<&Value>) -> Classified {
    let found = body.map(words).unwrap_or_default();
    let told = found.iter().find_map(|word| by_word(word));
    let class = match (status, told) {
        // A 404 alone may be any server on the way; §8.3 wants the service's own code.
        (_, Some(class)) => class,
        (200..=299, None) => {
            if found.is_empty() {
                Class::Ok
            } else {
                Class::Refused
            }
        }
        (400, None) => Class::Spurious,
        (401 | 421 | 450, None) => Class::Session,
        (403, None) => Class::Denied,
        (408 | 500 | 502..=504, None) => Class::Failing,
        (412, None) => Class::Parent,
        (413 | 507, None) => Class::Quota,
        (423, None) => Class::Keys,
        (429, None) => Class::Throttled,
        _ => Class::Refused,
    };
    // A gateway's status outweighs what a body behind it says of the item.
    let class = match status {
        429 => Class::Throttled,
        408 | 500 | 502..=504 if matches!(class, Class::Refused | Class::Spurious | Class::Gone) => {
            Class::Failing
        }
        _ => class,
    };
    let mut words = found.join(", ");
    if words.is_empty() && class != Class::Ok {
        words = format!("HTTP {status}");
    } else if !(200..=299).contains(&status) {
        words = format!("HTTP {status}: {words}");
    }
    Classified { class, words: shortened(words) }
}

/// What one result inside an answer means.
pub(super) fn classify_result(result: &Value) -> Classified {
    classify(200, Some(result))
}

/// The words of an answer that are no plain OK, in the order of §16.2.
fn words(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for member in MEMBERS {
        match body.get(member) {
            Some(Value::Object(inner)) if member == "error" => {
                for value in inner.values() {
                    push(&mut found, value);
                }
            }
            Some(value) => push(&mut found, value),
            None => {}
        }
    }
    if let Some(status) = body.get("status") {
        for member in ["status_code", "error_message"] {
            if let Some(value) = status.get(member) {
                push(&mut found, value);
            }
        }
    }
    found
}

fn push(found: &mut Vec<String>, value: &Value) {
    let word = match value {
        Value::String(text) => text.trim().to_owned(),
        // Success may be written as 0.0, which is the same number.
        Value::Number(number) if matches!(number.as_f64(), Some(0.0 | 200.0)) => return,
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    let is_ok = word.is_empty() || word.eq_ignore_ascii_case("ok") || word == "0" || word == "200";
    if !is_ok && !found.contains(&word) {
        found.push(word);
    }
}

/// The class that a code or a text decides; most codes decide nothing by themselves.
fn by_word(word: &str) -> Option<Class> {
    Some(match word {
        "ETAG_CONFLICT" => Class::Conflict,
        "ID_INVALID" | "NOT_FOUND" | "WSObjectNotFound" => Class::Gone,
        "UNKNOWN" => Class::Undecided,
        "ZONE_BUSY" => Class::ZoneBusy,
        "VALIDATING_REFERENCE_ERROR" => Class::Parent,
        "ACCESS_DENIED" => Class::Denied,
        "THROTTLED" | "TRY_AGAIN_LATER" | "RETRY_LATER" => Class::Throttled,
        "ZONE_NOT_FOUND" | "AUTHENTICATION_FAILED" => Class::NeverSetUp,
        "421" | "450" => Class::Session,
        "423" => Class::Keys,
        _ => return by_text(&word.to_ascii_lowercase()),
    })
}

/// The same for free text, in lower case.
fn by_text(text: &str) -> Option<Class> {
    const TEXTS: [(&str, Class); 13] = [
        ("uniqueness constraint violation", Class::NameTaken),
        ("name_taken", Class::NameTaken),
        ("already exists", Class::NameTaken),
        ("cannot find pcs auth info", Class::Keys),
        ("missing pcs cookies", Class::Keys),
        ("missing x-apple-", Class::Session),
        ("op-lock failed", Class::ZoneBusy),
        ("objectnotfoundexception", Class::Gone),
        ("out of order children to be chained", Class::Parent),
        ("quota", Class::Quota),
        ("insufficient storage", Class::Quota),
        ("not enough storage", Class::Quota),
        ("storage full", Class::Quota),
    ];
    TEXTS.iter().find(|(sign, _)| text.contains(sign)).map(|(_, class)| *class)
}

fn shortened(mut words: String) -> String {
    if words.len() > LONGEST_WORDS {
        let end = (0..=LONGEST_WORDS).rev().find(|at| words.is_char_boundary(*at)).unwrap_or(0);
        words.truncate(end);
        words.push('…');
    }
    words
}

impl Classified {
    /// The port's error, once short retries are used up. `changes` says that the call may change the drive.
    pub fn into_error(self, changes: bool, retry_after: Option<Duration>) -> RemoteError {
        let retry_after = retry_after.map(|wait| wait.min(LONGEST_WAIT));
        let words = self.words;
        let account = |message: &str| RemoteError::Account {
            cause: AccountProblem::Drive,
            message: message.to_owned(),
        };
        match self.class {
            Class::Conflict => RemoteError::Stale,
            Class::NameTaken => RemoteError::NameTaken,
            Class::Gone | Class::Parent => RemoteError::Gone,
            Class::Quota => RemoteError::Quota(words),
            Class::Failing if changes => RemoteError::Uncertain(words),
            Class::Undecided => RemoteError::Uncertain(words),
            Class::ZoneBusy | Class::Throttled | Class::Failing => {
                RemoteError::Busy { message: words, retry_after }
            }
            // Refused without a reason: of a change this is the first attempt, since nobody repeats it but the caller.
            Class::Spurious if changes && !words.contains(": ") => {
                RemoteError::Busy { message: words, retry_after }
            }
            Class::Denied => RemoteError::Busy {
                message: words,
                retry_after: Some(retry_after.unwrap_or(DENIED_WAIT).max(DENIED_WAIT)),
            },
            Class::Session => {
                account("iCloud does not accept the session though it was just renewed; try again later")
            }
            Class::Keys => account(
                "iCloud lacks the keys for this account's Drive; switch on \"Access iCloud Data on the Web\" on a trusted device and approve the request there",
            ),
            Class::NeverSetUp => account(
                "this account's iCloud Drive is not set up; open icloud.com once with the account and finish the setup there",
            ),
            Class::Ok | Class::Spurious | Class::Refused => RemoteError::Refused(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_tables_of_the_protocol() {
        use Class::*;
        let none = Value::Null;
        let busy = "Sync zone CAS Op-Lock failed. There was a concurrent write to the zone";
        for (status, body, expected) in [
            (200, none.clone(), Ok),
            (200, json!({"status": "OK"}), Ok),
            (200, json!({"status": {"status_code": 0, "error_message": ""}}), Ok),
            (200, json!({"status": {"status_code": 0.0}}), Ok),
            (200, json!({"items": [], "status": ""}), Ok),
            (200, json!({"status": "OK", "name": "quota", "errorCode": 0}), Ok),
            (200, json!({"status": "ETAG_CONFLICT", "etag": "33::2y"}), Conflict),
            (409, json!({"serverErrorCode": "ETAG_CONFLICT"}), Conflict),
            (200, json!({"status": "ID_INVALID"}), Gone),
            (200, json!({"status": "UNKNOWN"}), Undecided),
            (409, json!({"error_code": "ZONE_BUSY", "reason": busy}), ZoneBusy),
            (409, json!({"messageForDeveloper": busy}), ZoneBusy),
            (200, json!({"status": "ZONE_BUSY"}), ZoneBusy),
            (409, none.clone(), Refused),
            (412, json!({"serverErrorCode": "VALIDATING_REFERENCE_ERROR"}), Parent),
            (412, none.clone(), Parent),
            (
                200,
                json!({"status": {"status_code": 6, "error_message": "Uniqueness constraint violation"}}),
                NameTaken,
            ),
            (404, json!({"error_code": "WSObjectNotFound", "serverErrorCode": "NOT_FOUND"}), Gone),
            (404, none.clone(), Refused),
            (404, json!({"html": true}), Refused),
            (403, json!({"reason": "ACCESS_DENIED"}), Denied),
            (403, none.clone(), Denied),
            (400, json!({"errorCode": "ZONE_NOT_FOUND"}), NeverSetUp),
            (400, json!({"error": "AUTHENTICATION_FAILED"}), NeverSetUp),
            (400, json!({"error_code": "BAD_REQUEST"}), Spurious),
            (
                400,
                json!({"error_code": "BAD_REQUEST", "reason": "Cannot find PCS auth info from request"}),
                Keys,
            ),
            (400, none.clone(), Spurious),
            (423, json!({"errorReason": "Missing PCS cookies from the request", "errorCode": 423}), Keys),
            (200, json!({"errorCode": 421}), Session),
            (200, json!({"errorCode": "450"}), Session),
            (421, json!({"success": false, "error": "Missing X-APPLE-WEBAUTH-TOKEN cookie"}), Session),
            (401, none.clone(), Session),
            (408, none.clone(), Failing),
            (500, json!({"error": "boom"}), Failing),
            (502, none.clone(), Failing),
            (503, none.clone(), Failing),
            (504, json!({"reason": "NOT_FOUND"}), Failing),
            (429, json!({"status": "ID_INVALID"}), Throttled),
            (503, json!({"serverErrorCode": "THROTTLED", "retryAfter": 30}), Throttled),
            (200, json!({"status": "TRY_AGAIN_LATER"}), Throttled),
            (400, json!({"error_code": "RETRY_LATER"}), Throttled),
            (413, none.clone(), Quota),
            (507, none.clone(), Quota),
            (200, json!({"status": {"status_code": 21, "error_message": "Quota exceeded"}}), Quota),
            (200, json!({"error": {"errorCode": "ACCESS_DENIED"}}), Denied),
            (200, json!({"status": "NEVER_SEEN"}), Refused),
            (200, json!({"status": {"status_code": 3, "error_message": ""}}), Refused),
            (418, none.clone(), Refused),
        ] {
            assert_eq!(classify(status, Some(&body)).class, expected, "{status} {body}");
        }
    }

    #[test]
    fn the_first_deciding_member_wins() {
        let body = json!({"messageForDeveloper": "quota exceeded", "serverErrorCode": "ZONE_BUSY"});
        assert_eq!(classify(400, Some(&body)).class, Class::ZoneBusy);
    }

    #[test]
    fn each_class_has_its_error() {
        let error = |class, changes, wait: Option<u64>| {
            Classified { class, words: "w".to_owned() }.into_error(changes, wait.map(Duration::from_secs))
        };
        assert_eq!(error(Class::Conflict, true, None), RemoteError::Stale);
        assert_eq!(error(Class::Failing, true, None), RemoteError::Uncertain("w".to_owned()));
        let busy = |secs: Option<u64>| RemoteError::Busy {
            message: "w".to_owned(),
            retry_after: secs.map(Duration::from_secs),
        };
        assert_eq!(error(Class::Failing, false, Some(7)), busy(Some(7)));
        assert_eq!(error(Class::Throttled, true, Some(864_000)), busy(Some(172_800)));
        assert_eq!(error(Class::Denied, false, Some(1)), busy(Some(300)));
        assert_eq!(error(Class::Denied, false, None), busy(Some(300)));
        assert!(matches!(
            error(Class::NeverSetUp, false, None),
            RemoteError::Account { cause: AccountProblem::Drive, .. }
        ));
    }

    #[test]
    fn words_are_told_but_not_at_any_length() {
        let classified = classify(400, Some(&json!({"reason": "ü".repeat(1000)})));
        assert!(classified.words.len() < 320 && classified.words.starts_with("HTTP 400: ü"));
    }
}
