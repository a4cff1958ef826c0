//! Looks at both sides through the ports; decides nothing.

pub mod doubted;
pub mod local;
pub mod recheck;
pub mod remote;
