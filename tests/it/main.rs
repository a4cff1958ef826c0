//! The integration tests, in one binary so that they link once.

mod ports;
mod sim;
mod store;
