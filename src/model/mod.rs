//! Plain data: no I/O, no clock, no threads, no log lines.

pub mod filter;
