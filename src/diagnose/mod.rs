//! `icloudds diagnose`: asks the service how it behaves and this machine what it can, and tells it without anything private.
//!
//! Nobody can try the program against every account. What a person's report says of an open question
//! (`docs/protocol-open-questions.md`) is an answer for all. Read-only, but for `--probe-writes`; every request goes through [`ask::Asker`],
//! which bounds them.

mod account;
mod ask;
mod contents;
mod delays;
mod feed;
mod home;
mod judge;
mod latency;
mod machine;
mod report;
mod run;
mod walk;
mod writes;
mod written;

pub use report::{Line, Report, Section};
pub use run::{MOST_REQUESTS, MOST_WITH_WRITES, run};
