//! Looks at both sides through the ports; decides nothing.

pub mod remote;
