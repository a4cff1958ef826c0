//! Edge: iCloud over HTTPS.

pub mod http;
mod http_error;
pub mod secret;
