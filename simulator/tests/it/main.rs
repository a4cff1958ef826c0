//! The account half and the server, spoken to over real sockets by the small client of [`client`].

mod binary;
mod client;
mod code;
mod control;
mod drive;
mod hostile;
mod others;
mod server;
mod session;
mod signin;
mod tls;
