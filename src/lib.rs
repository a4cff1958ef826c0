//! `icloudds` keeps a local folder and an iCloud Drive the same, in both directions.
//!
//! Dependencies run one way: the edges (`icloud`, `disk`, `store`, `control`) know the
//! `engine`, the engine knows the `model`, the model knows nobody. `ARCHITECTURE.md`
//! tells the life of one change through them.
#![forbid(unsafe_code)]

pub mod app;
pub mod ca_file;
pub mod chance;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod descriptors;
pub mod diagnose;
pub mod disk;
pub mod engine;
pub mod exit;
#[cfg(test)]
mod fuzz_tests;
pub mod icloud;
pub mod logging;
pub mod model;
pub mod notify_systemd;
pub mod panics;
pub mod private_file;
pub mod secret;
pub mod signals;
pub mod state_dump;
pub mod status;
pub mod store;
pub mod terminal;
pub mod web;
pub mod webhook;
