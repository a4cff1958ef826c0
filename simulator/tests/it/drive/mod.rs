//! The drive half over real HTTP, most of it without a session.

mod client;
mod feed;
mod listing;
mod mutations;
mod scale;
mod smoke;
mod transfer;
