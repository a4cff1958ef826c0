//! Decides what to do; reaches the world only through its ports.
//!
//! Watching, listing and scanning say what there is, the planner says what follows from it,
//! the executor does it. Nothing here reads a clock or opens a file.

<<<<<<< HEAD
pub mod conflict;
=======
pub mod execute;
pub mod guard;
>>>>>>> executor
pub mod observe;
pub mod operation;
pub mod plan;
pub mod ports;
<<<<<<< HEAD
pub mod recognise;
=======
pub mod retry;
>>>>>>> executor
pub mod view;
