//! A simulated iCloud: an HTTP server that answers as docs/protocol.md says the real service does, and misbehaves on request in
//! every way that docs/protocol-open-questions.md leaves open.
//!
//! It shares no code and no wire types with the client that it tests, so that a misreading of the protocol in one of them shows.

pub mod account;
pub mod auth;
pub mod control;
pub mod cookies;
pub mod drive;
pub mod fault;
pub mod feed;
mod fill;
pub mod http;
pub mod ids;
pub mod invariants;
pub mod push;
pub mod route;
pub mod service;
pub mod setup;
pub mod sim;
pub mod sizes;
pub mod srp;
pub mod state;
pub mod switches;
pub mod under_way;

pub use crate::state::{Core, SimConfig};
pub use account::Account;
pub use service::Session;
pub use sim::Simulator;
pub use switches::Switches;
