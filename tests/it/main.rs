//! The integration tests: one binary.

mod cli;
mod config;
mod golden;
mod logging;
mod signin;
