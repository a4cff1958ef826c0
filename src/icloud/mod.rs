//! Edge: iCloud over HTTPS.
