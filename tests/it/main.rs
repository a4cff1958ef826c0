//! The integration tests, in one binary so that they link once.

mod cli;
mod config;
mod golden;
mod logging;
mod ports;
mod signin;
mod sim;
mod store;
