//! The integration tests: one binary.

mod cli;
mod config;
mod drive;
mod e2e;
mod golden;
mod guard;
mod logging;
mod signin;
mod sim;
