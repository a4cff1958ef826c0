//! Runs the simulated iCloud as a server.
fn main() {}
