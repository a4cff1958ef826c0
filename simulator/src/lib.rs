//! A simulated iCloud: an HTTP server that answers as docs/protocol.md says the real service does, and misbehaves on request in
//! every way that docs/protocol-open-questions.md leaves open.
//!
//! It shares no code and no wire types with the client that it tests, so that a misreading of the protocol in one of them shows.

pub mod drive;
pub mod fault;
pub mod http;
pub mod sim;
pub mod switches;

pub use sim::{SimConfig, Simulator};
