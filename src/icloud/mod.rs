//! Edge: iCloud over HTTPS.
//!
//! [`service::Service`] makes authenticated calls; [`signin::Account`] owns the session that
//! they need. Protocol: `docs/protocol.md`.

mod answer;
mod away;
pub mod bounded;
mod classify;
mod cookies;
pub mod drive;
pub mod env;
#[cfg(test)]
mod fuzz_tests;
pub mod http;
mod http_connect;
mod http_error;
mod http_route;
mod limits;
pub mod options;
pub mod push;
pub mod request;
mod retry;
pub mod service;
mod session;
mod session_file;
mod sign;
pub mod signin;
mod srp;
pub mod survey;
mod tally;
#[cfg(test)]
mod test_clock;
#[cfg(test)]
mod testing;
pub mod throttle;
mod wire;
mod wire_docs;
mod wire_send;
