//! What befalls service calls.

use std::time::SystemTime;

use crate::http::{Request, Response};
use crate::route::FIRST_PARTITION;
use crate::switches::SessionTrouble;

/// What befalls service calls.
#[derive(Debug)]
pub struct ServiceState {
    /// `S-session` was set and has not struck yet.
    pub(super) armed: bool,
    /// Calls so far, for `S-throttle`.
    pub(super) calls: u64,
    /// The partition that is announced.
    pub partition: u32,
    /// Connections up to this number are misrouted.
    pub(super) misrouted_up_to: u64,
    /// The newest connection that a request came on.
    pub last_connection: u64,
    /// A client was told to ask for nothing between these times.
    pub(super) rest: Option<(SystemTime, SystemTime)>,
}

impl Default for ServiceState {
    fn default() -> Self {
        Self {
            armed: false,
            calls: 0,
            partition: FIRST_PARTITION,
            misrouted_up_to: 0,
            last_connection: 0,
            rest: None,
        }
    }
}

impl ServiceState {
    /// Makes this trouble strike once from here on.
    pub fn arm(&mut self, trouble: SessionTrouble) {
        self.armed = trouble != SessionTrouble::Stable;
        if trouble == SessionTrouble::Misrouted421 {
            self.misrouted_up_to = self.last_connection;
            self.armed = false;
        }
    }

    /// Moves the account to another partition when the switch says so; called at each accountLogin and validate.
    pub fn rotate(&mut self, trouble: SessionTrouble) {
        if trouble == SessionTrouble::Rotating {
            self.partition += 1;
        }
    }

    /// The answer to a request on a connection that leads to the wrong partition.
    #[must_use]
    pub fn misrouted(&self, request: &Request) -> Option<Response> {
        (request.connection <= self.misrouted_up_to).then(|| Response::text(421, "Misdirected Request"))
    }
}
