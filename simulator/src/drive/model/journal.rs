//! What became of contents: the simulator's own check of promise P1 (no content is ever lost).

use std::collections::BTreeSet;

use super::content::{Content, Hashes};

/// Who makes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Another device, through the Rust API.
    Person,
    /// The client under test, over HTTP.
    Client,
}

/// One thing that happened to a content.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub what: What,
    /// The item's path at that moment.
    pub path: String,
    /// The content that came or went.
    pub content: Content,
}

/// What was done with a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It came into the Drive.
    Written,
    /// Another content took its place in the same item, by somebody who had seen it.
    Replaced,
    /// It was deleted for good by somebody who had seen it.
    Deleted,
    /// The trash gave it up after 30 days.
    Expired,
    /// A client put another content in its place though that client was never given this one.
    ReplacedUnread,
    /// As [`What::ReplacedUnread`], and the client was not even shown the etag of this version.
    ReplacedUnseen,
    /// A client deleted it for good though that client was never given it.
    DeletedUnread,
}

impl What {
    /// Whether a content ended although nobody who knew it wanted that.
    pub fn is_loss(self) -> bool {
        matches!(self, Self::ReplacedUnread | Self::ReplacedUnseen | Self::DeletedUnread)
    }
}

/// A content that a person wrote, that nobody overwrote or deleted knowingly, and that is nowhere in the Drive any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Where it was last.
    pub path: String,
    /// Its SHA-1 in lower-case hex.
    pub sha1: String,
    /// Its length in bytes.
    pub len: u64,
    /// How it went.
    pub how: What,
}

/// Everything that happened to contents, in order.
#[derive(Debug, Default)]
pub struct Journal {
    pub(super) entries: Vec<Entry>,
}

impl Journal {
    /// All entries, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// Contents that are lost by promise P1, of what [`Model::suspects`] gave.
///
/// # Errors
///
/// When a spool file cannot be read.
pub fn lost(suspects: &[Entry], held: &[Content]) -> std::io::Result<Vec<Lost>> {
    let held: BTreeSet<Hashes> = held.iter().map(Content::hashes).collect::<std::io::Result<_>>()?;
    let mut lost = Vec::new();
    for entry in suspects {
        let hashes = entry.content.hashes()?;
        if !held.contains(&hashes) {
            let (path, sha1) = (entry.path.clone(), hashes.sha1_hex());
            lost.push(Lost { path, sha1, len: entry.content.len(), how: entry.what });
        }
    }
    Ok(lost)
}
