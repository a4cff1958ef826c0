//! The integration tests: one binary.

mod cli;
mod config;
mod drive;
mod executor;
mod golden;
mod guard;
mod logging;
mod ports;
mod signin;
mod sim;
mod store;
