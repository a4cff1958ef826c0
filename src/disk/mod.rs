//! Edge: the local folder.
pub mod watch;
