//! Edge: iCloud over HTTPS.
//!
//! [`service::Service`] makes authenticated calls; [`signin::Account`] owns the session that
//! they need. Protocol: `docs/protocol.md`.

mod cookies;
pub mod env;
pub mod http;
mod http_error;
pub mod options;
pub mod secret;
pub mod service;
mod session;
mod session_file;
pub mod signin;
mod srp;
#[cfg(test)]
mod testing;
