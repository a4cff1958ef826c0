//! The integration tests, in one binary so that they link once.

mod cli;
mod config;
mod drive;
mod golden;
mod logging;
mod signin;
