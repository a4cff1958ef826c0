//! A simulated iCloud.
