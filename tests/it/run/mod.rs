//! The daemon as its users meet it: `icloudds run`, over HTTP, against the simulated iCloud, on a real disk.
//!
//! Nothing here sleeps for a fixed time to see something happen: every wait is for a condition, and what must *not* happen is
//! looked for over a stretch in which the daemon demonstrably did its rounds.

mod apart;
mod by_etag;
mod control;
pub mod daemon;
mod feed;
mod feed_own;
mod feed_places;
mod guards;
mod kills;
mod local;
mod long;
mod machine;
mod offline;
mod patterns;
mod push;
mod quiet;
mod remote;
mod secrets;
mod session;
mod signals;
mod soak;
mod told;
