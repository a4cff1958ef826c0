//! What a server asks of whoever answers.

use std::any::Any;
use std::time::Duration;

use super::{Held, Request, Response};

/// How fast the server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Delay before each answer.
    pub latency: Duration,
    /// Bytes per second of each body; `None` is unlimited.
    pub bandwidth: Option<u64>,
}

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Notes that a request has arrived. What it returns is dropped when the answer is about to leave, after all latency.
    fn enter(&self, request: &Request) -> Box<dyn Any + Send>;
    /// Answers one request.
    fn handle(&self, request: Request) -> Response;
    /// The present speed.
    fn pace(&self) -> Pace;
    /// What there is to tell by now to whoever an answer is held for.
    fn news(&self, _held: &Held) -> Option<Response> {
        None
    }
}
