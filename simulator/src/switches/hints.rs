//! The switches of what tells that something changed: the change feed and the push channel.

use serde::{Deserialize, Serialize};

switch! {
    /// `S-feed`: whether the change feed answers an ordinary web session (question 32).
    Feed {
        /// It does, zones included.
        Ok = "ok",
        /// It tells that something changed, and refuses its zones.
        DatabaseOnly = "database-only",
        /// It refuses the session.
        Off = "off",
        /// It wants keys from a device.
        PcsRequired = "pcs-required",
        /// A change never shows.
        Lossy = "lossy",
        /// A change shows after `feed-delay`.
        Late = "late",
        /// Every token that a client brings has expired.
        StaleToken = "stale-token",
    }
}
switch! {
    /// `S-aps`: whether the push channel answers (question 33).
    Aps {
        /// It gives a token, and holds the request of whoever listens with it; nothing ever comes.
        Silent = "silent",
        /// Each change of the drive is told to the tokens that are registered.
        Ok = "ok",
        /// As `ok`, each notification twice.
        Duplicate = "duplicate",
        /// It refuses.
        Off = "off",
    }
}
