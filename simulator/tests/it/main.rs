//! The account half and the server, spoken to over real sockets by the small client of [`client`].

mod binary;
mod client;
mod code;
mod drive;
mod server;
mod session;
mod signin;
