//! What the daemon is doing: the document behind `status`, `status.json` and the web page (`docs/contract.md`).
//!
//! [`Tracker`] collects, [`Tracker::document`] builds, [`text`] renders for a terminal, [`file`] stores. Only
//! [`file`] does I/O.

mod document;
pub mod draw;
pub mod file;
pub mod health;
mod lists;
mod rate;
pub mod text;
mod tracker;
mod when;

pub use document::{
    Activity, CallCount, ConflictItem, Counts, DaemonState, DiskHang, Looked, Pending, Progress, RemoteWatch,
    SetAsideItem, SideCounts, SkippedItem, StatusDocument, Totals, WatchedBy,
};
pub use tracker::{Facts, Hang, Tracker, Trust};
pub use when::When;
