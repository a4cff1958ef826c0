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
        /// One change in `feed-loses-every` never shows.
        Lossy = "lossy",
        /// A change shows after `feed-delay`.
        Late = "late",
        /// Every token that a client brings has expired.
        StaleToken = "stale-token",
        /// It asks to be left alone for half a minute.
        Throttled = "throttled",
        /// It answers with a page that is no JSON.
        NoJson = "no-json",
        /// One zone an answer, with more to come.
        Paged = "paged",
        /// Everything is told twice, with members and kinds of records that no client knows.
        Duplicate = "duplicate",
        /// It tells which zones changed, and knows none of them when it is asked what changed in them.
        ZoneGone = "zone-gone",
        /// Its zones have other names than before, and there is one more.
        OtherZones = "other-zones",
        /// After each answer there is more to come, under another token.
        Endless = "endless",
    }
}
switch! {
    /// `S-feed-names`: what a record of the change feed tells of its item's name (question 32).
    FeedNames {
        /// Base and extension, as under ordinary protection.
        Told = "told",
        /// A base that only a device can read.
        Sealed = "sealed",
        /// Nothing.
        Untold = "untold",
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
        /// It answers whoever listens at once, with a byte now and then that says nothing, and never comes to an end.
        Trickle = "trickle",
        /// It refuses.
        Off = "off",
    }
}
