//! Logging: one dispatch tree, masked.
