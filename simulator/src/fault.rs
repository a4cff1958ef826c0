//! The fault plan: which requests fail, and how.

use std::io::Read;

use serde::{Deserialize, Serialize};

use crate::http::{Response, WireFault};

/// One entry of the fault plan. A request is a candidate when it matches `kind` and `path`; of the candidates, `skip` pass, then
/// `count` are struck, each with `probability`: with `every` = 1 those that come, with 3 every third.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The request kind (`listing`, `commit`, …) as counted; `None` matches all but the control endpoint.
    #[serde(default)]
    pub kind: Option<String>,
    /// Text that must occur in the decoded path.
    #[serde(default)]
    pub path: Option<String>,
    /// So many candidates pass first; 2 means "the third".
    #[serde(default)]
    pub skip: u64,
    /// How many are struck after that; a storm is a number above one.
    #[serde(default = "one")]
    pub count: u64,
    /// Only every so many-th candidate after those that pass; 1 and 0 mean each.
    #[serde(default = "one")]
    pub every: u64,
    /// The chance of each candidate in the window, 0 to 1.
    #[serde(default = "certain")]
    pub probability: f64,
    /// Seed of that chance.
    #[serde(default)]
    pub seed: u64,
    /// What happens.
    pub effect: Effect,
}

fn one() -> u64 {
    1
}

fn certain() -> f64 {
    1.0
}

/// What a fault does to the request it strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// This answer is given; nothing is applied.
    Answer {
        /// HTTP status.
        status: u16,
        /// What the body is.
        #[serde(default)]
        body: FaultBody,
        /// `Retry-After` in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
        /// Error code in a JSON body; `None` gives a plain server error.
        #[serde(default)]
        code: Option<String>,
        /// Further headers, e.g. `X-Apple-I-Rscd: 401` for a hidden rejection.
        #[serde(default)]
        headers: Vec<(String, String)>,
    },
    /// The request takes effect, the connection closes without a reply.
    AppliedReplyLost,
    /// The request takes no effect, the connection closes without a reply.
    NotAppliedReplyLost,
    /// The request takes effect, the reply's body breaks off after so many bytes.
    CutBodyAfter(u64),
    /// The request takes effect, the reply's body stalls for so many milliseconds in its middle.
    StallMs(u64),
    /// The request takes effect, the reply's `Content-Length` is wrong by so many bytes.
    WrongLength(i64),
    /// The request takes effect, the reply is the right one cut to half its length, with a fitting `Content-Length`.
    TruncateBody,
}

/// The body of an [`Effect::Answer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultBody {
    /// A gateway's HTML page.
    #[default]
    Html,
    /// A JSON error of docs/protocol.md §16.2.
    Json,
    /// JSON that breaks off.
    TruncatedJson,
    /// A listing of the root with so many empty items that it has 60 MB.
    EmptyItems,
    /// 60 MB of brackets that open.
    DeepJson,
    /// A listing of the root whose name has 60 MB.
    LongText,
    /// Nothing.
    Empty,
}

/// A fault plan at work: the entries with the number of candidates each has seen.
#[derive(Debug, Default)]
pub struct FaultPlan {
    entries: Vec<(Fault, u64)>,
}

impl FaultPlan {
    /// Takes a new list; entries that did not change keep their count.
    pub fn update(&mut self, faults: &[Fault]) {
        let mut old = std::mem::take(&mut self.entries);
        self.entries = faults
            .iter()
            .map(|fault| {
                let seen =
                    old.iter().position(|(known, _)| known == fault).map_or(0, |at| old.swap_remove(at).1);
                (fault.clone(), seen)
            })
            .collect();
    }

    /// The effect on this request, if any. Every matching entry counts the request; the first that strikes decides.
    pub fn strike(&mut self, kind: &str, path: &str) -> Option<Effect> {
        let mut effect = None;
        for (fault, seen) in &mut self.entries {
            let matches = fault.kind.as_deref().is_none_or(|wanted| wanted == kind)
                && fault.path.as_deref().is_none_or(|wanted| path.contains(wanted));
            if !matches {
                continue;
            }
            let number = *seen;
            *seen += 1;
            let every = fault.every.max(1);
            let in_window = number
                .checked_sub(fault.skip)
                .is_some_and(|after| (after + 1).is_multiple_of(every) && after / every < fault.count);
            if effect.is_none() && in_window && chance(fault.seed, number) < fault.probability {
                effect = Some(fault.effect.clone());
            }
        }
        effect
    }
}

/// A number in `[0, 1)` fixed by the seed and the position.
#[must_use]
pub fn chance(seed: u64, position: u64) -> f64 {
    let bits = mix(seed ^ mix(position.wrapping_add(0x9e37_79b9_7f4a_7c15))) >> 11;
    // 53 bits fit a double exactly.
    #[allow(clippy::cast_precision_loss)]
    let fraction = bits as f64 / (1u64 << 53) as f64;
    fraction
}

/// One round of splitmix64.
#[must_use]
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Effect {
    /// The answer that replaces the request's own, when it must not be applied at all.
    #[must_use]
    pub fn instead(&self) -> Option<Response> {
        match self {
            Self::Answer { status, body, retry_after, code, headers } => {
                let mut response = fault_answer(*status, *body, code.as_deref());
                response.headers.extend(headers.iter().cloned());
                Some(match retry_after {
                    Some(seconds) => response.header("Retry-After", seconds.to_string()),
                    None => response,
                })
            }
            Self::NotAppliedReplyLost => Some(Response::empty(200).with_fault(WireFault::CloseBeforeReply)),
            _ => None,
        }
    }

    /// Spoils the request's own answer.
    #[must_use]
    pub fn spoil(&self, mut response: Response) -> Response {
        let fault = match self {
            Self::Answer { .. } | Self::NotAppliedReplyLost => return response,
            Self::AppliedReplyLost => WireFault::CloseBeforeReply,
            Self::CutBodyAfter(bytes) => WireFault::CutBodyAfter(*bytes),
            Self::StallMs(ms) => WireFault::StallFor(std::time::Duration::from_millis(*ms)),
            Self::WrongLength(by) => WireFault::WrongLength(*by),
            Self::TruncateBody => {
                match &mut response.body {
                    crate::http::Body::Bytes(bytes) => bytes.truncate(bytes.len() / 2),
                    crate::http::Body::Stream { len, .. } => *len /= 2,
                }
                return response;
            }
        };
        response.with_fault(fault)
    }
}

fn fault_answer(status: u16, body: FaultBody, code: Option<&str>) -> Response {
    let json = serde_json::json!({
        "uuid": "0f0e0d0c-0000-4000-8000-000000000000",
        "error_code": code.unwrap_or("SERVER_ERROR"),
        "serverErrorCode": code.unwrap_or("SERVER_ERROR"),
        "errorReason": code.unwrap_or("simulated fault"),
        "reason": code.unwrap_or("simulated fault"),
    });
    match body {
        FaultBody::Html => Response::html(
            status,
            &format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"),
        ),
        FaultBody::Json => Response::json(status, &json),
        FaultBody::TruncatedJson => {
            let mut text = json.to_string();
            text.truncate(text.len() / 2);
            Response::bytes(status, "application/json;charset=UTF-8", text.into_bytes())
        }
        FaultBody::EmptyItems => hostile(status, &format!("[{{{ROOT},\"items\":["), "{},", "{}]}]"),
        FaultBody::DeepJson => hostile(status, &format!("[{{{ROOT},\"icons\":"), "[", "]}]"),
        FaultBody::LongText => hostile(status, &format!("[{{{ROOT},\"name\":\""), "x", "\"}]"),
        FaultBody::Empty => Response::empty(status),
    }
}

/// What a listing of the root says of the root.
const ROOT: &str =
    r#""drivewsid":"FOLDER::com.apple.CloudDocs::root","type":"FOLDER","etag":"1","numberOfItems":1"#;

/// A JSON body of 60 MB that is nothing but one thing again and again.
fn hostile(status: u16, head: &str, unit: &str, tail: &str) -> Response {
    const BYTES: usize = 60_000_000;
    let times = BYTES / unit.len();
    let piece = unit.repeat(1 << 16);
    let pieces = times >> 16;
    let rest = unit.repeat(times & 0xffff);
    let len = (head.len() + pieces * piece.len() + rest.len() + tail.len()) as u64;
    let repeated = Repeated { piece: piece.into_bytes(), at: 0, left: pieces };
    let body = std::io::Cursor::new(head.to_owned().into_bytes())
        .chain(repeated)
        .chain(std::io::Cursor::new([rest.as_bytes(), tail.as_bytes()].concat()));
    Response::stream(status, len, Box::new(body)).header("Content-Type", "application/json;charset=UTF-8")
}

/// The same piece again and again.
struct Repeated {
    piece: Vec<u8>,
    at: usize,
    left: usize,
}

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let count = buffer.len().min(self.piece.len() - self.at);
        buffer[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        if self.at == self.piece.len() {
            (self.at, self.left) = (0, self.left - 1);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storm(kind: &str, skip: u64, count: u64) -> Fault {
        Fault {
            kind: Some(kind.to_owned()),
            path: None,
            skip,
            count,
            every: 1,
            probability: 1.0,
            seed: 0,
            effect: Effect::AppliedReplyLost,
        }
    }

    #[test]
    fn strikes_only_the_window_of_its_kind() {
        let mut plan = FaultPlan::default();
        plan.update(&[storm("commit", 1, 2)]);
        let struck: Vec<_> = ["commit", "listing", "commit", "commit", "commit"]
            .iter()
            .map(|kind| plan.strike(kind, "/x").is_some())
            .collect();
        assert_eq!(struck, [false, false, true, true, false]);
    }

    #[test]
    fn strikes_every_so_many_th() {
        let struck_of = |every| {
            let mut plan = FaultPlan::default();
            plan.update(&[Fault { every, ..storm("commit", 1, 2) }]);
            let struck = (0..9).filter(|_| plan.strike("commit", "/x").is_some()).count();
            (struck, plan.entries[0].1)
        };
        assert_eq!(struck_of(0), (2, 9));
        assert_eq!(struck_of(3), (2, 9));
        assert_eq!(struck_of(5), (1, 9));
        let mut plan = FaultPlan::default();
        plan.update(&[Fault { every: 3, ..storm("commit", 1, 2) }]);
        let numbers: Vec<_> = (1..=9).filter(|_| plan.strike("commit", "/x").is_some()).collect();
        assert_eq!(numbers, [4, 7], "the first passes, then every third of the others");
    }

    #[test]
    fn keeps_counts_of_entries_that_stay() {
        let mut plan = FaultPlan::default();
        plan.update(&[storm("commit", 1, 1)]);
        assert!(plan.strike("commit", "/x").is_none());
        plan.update(&[storm("listing", 0, 1), storm("commit", 1, 1)]);
        assert!(plan.strike("commit", "/x").is_some());
        assert!(plan.strike("commit", "/x").is_none());
    }

    #[test]
    fn chance_is_even_and_repeatable() {
        let hits = (0..10_000).filter(|n| chance(7, *n) < 0.25).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
        assert!((chance(7, 3) - chance(7, 3)).abs() < f64::EPSILON);
    }
}
