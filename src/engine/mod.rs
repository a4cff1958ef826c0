//! Decides what to do; reaches the world only through its ports.
//!
//! Watching, listing and scanning say what there is, the planner says what follows from it,
//! the executor does it. Nothing here reads a clock or opens a file.

pub mod conflict;
pub mod execute;
pub mod guard;
pub mod observe;
pub mod operation;
mod own_writes;
pub mod pass;
pub mod plan;
pub mod ports;
pub mod recognise;
pub mod skipped;
pub mod threads;
pub mod view;
