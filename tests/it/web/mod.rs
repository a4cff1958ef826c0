//! The web page as a browser or a script meets it: the built binary, over HTTP, against the simulated iCloud.

mod attacks;
mod client;
mod people;
mod probes;
