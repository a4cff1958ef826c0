//! One authenticated call of the drive services, before it is sent.

use super::http::{Limits, Method};

/// Which service a call goes to (`docs/protocol.md` §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root<'a> {
    /// `{drivews}`: listings and changes.
    Drivews,
    /// `{docws}`: documents, downloads, uploads.
    Docws,
    /// Another service of the account, at a root that the account information told.
    At(&'a str),
}

/// One authenticated call.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The service.
    pub root: Root<'a>,
    /// The method.
    pub method: Method,
    /// The path below the service's root.
    pub path: &'a str,
    /// The query, unencoded.
    pub query: &'a [(&'a str, &'a str)],
    /// The body, sent as `text/plain` (`docs/protocol.md` §6.2); empty for none.
    pub body: &'a [u8],
    /// Time and size limits.
    pub limits: Limits,
    /// The endpoint's name for the log.
    pub kind: &'static str,
    /// Whether it changes the drive. Such a call is sent at most once: who made it looks again before it is made again
    /// (`docs/sync.md` §6).
    pub changes: bool,
}
