//! The integration tests: one binary.

mod cli;
mod config;
mod drive;
mod golden;
mod logging;
mod signin;
