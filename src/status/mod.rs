//! What the daemon is doing: the document behind `status`, `status.json` and the web page (`docs/contract.md`).
//!
//! [`Tracker`] collects, [`Tracker::document`] builds, [`text`] renders for a terminal, [`file`] stores. Only
//! [`file`] does I/O.

mod document;
pub mod draw;
pub mod file;
pub mod health;
pub mod text;
mod tracker;
mod when;

pub use document::{
    Activity, CallCount, ConflictItem, Counts, DaemonState, Looked, Pending, Progress, SetAsideItem,
    SideCounts, SkippedItem, StatusDocument, Totals,
};
pub use tracker::{Facts, Tracker};
pub use when::When;
