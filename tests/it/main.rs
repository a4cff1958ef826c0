//! The integration tests: one binary.

mod budgets;
mod cases;
mod cli;
mod clocks;
mod config;
mod diagnose;
mod drive;
mod e2e;
mod executor;
mod extent;
mod golden;
mod guard;
mod logging;
mod notify;
mod outside;
mod passes;
mod ports;
mod random;
mod restored;
mod run;
mod signin;
mod sim;
mod smaller_looks;
mod store;
mod tidy;
mod web;
