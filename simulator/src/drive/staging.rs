//! What lies between the calls of a transfer: slots, staged contents, download addresses.

use std::collections::HashMap;

use super::model::Ix;
use super::model::content::{Content, Hashes};
use super::model::id::Doc;
use super::package::Member;
use crate::fault::mix;

/// An upload slot and what became of it.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The id that a new item gets.
    pub doc: Doc,
    /// The zone in the address of the call.
    pub zone: String,
    /// When it was given, in milliseconds since 1970.
    pub given_ms: i64,
    /// What was uploaded into it.
    pub staged: Option<Staged>,
    /// The item that a commit made of it.
    pub committed: Option<Ix>,
}

/// A content that waits for its commit.
#[derive(Clone, Debug)]
pub struct Staged {
    /// The bytes.
    pub content: Content,
    /// Their hashes.
    pub hashes: Hashes,
    /// Proves the upload; empty contents have none.
    pub receipt: Option<String>,
}

/// What a download address leads to.
#[derive(Clone, Debug)]
pub enum Download {
    /// The bytes of one version of a file.
    File {
        /// Full name of the file.
        name: String,
        /// The bytes.
        content: Content,
    },
    /// A package, zipped when it is fetched.
    Package {
        /// Full name of the package.
        name: String,
        /// What it holds.
        members: Vec<Member>,
    },
}

/// All of them.
#[derive(Debug)]
pub struct Staging {
    slots: HashMap<String, Slot>,
    downloads: HashMap<String, (i64, Download)>,
    drawn: u64,
    seed: u64,
    /// Bytes that commits have taken of the quota.
    pub quota_used: u64,
    /// The content types of the contents that came in, without their parameters.
    pub forms: Vec<String>,
    /// Downloads answered; makes each zip of a package another one (S-package).
    pub packages_sent: u32,
}

/// Above so many known addresses or slots, old ones are looked for and dropped.
const KEEP_AT_MOST: usize = 10_000;

/// Slots and addresses older than a day are of no use under any switch, in milliseconds.
const FORGET_AFTER_MS: i64 = 24 * 3600 * 1000;

impl Staging {
    /// Nothing staged; `seed` decides the tokens.
    pub fn new(seed: u64) -> Self {
        Self {
            slots: HashMap::new(),
            downloads: HashMap::new(),
            drawn: 0,
            seed,
            quota_used: 0,
            forms: Vec::new(),
            packages_sent: 0,
        }
    }

    /// A new token for addresses and receipts.
    pub fn token(&mut self) -> String {
        self.drawn += 1;
        let high = mix(self.seed ^ mix(self.drawn));
        format!("{high:016x}{:016x}", mix(high))
    }

    /// Keeps a slot and returns the token of its upload address.
    pub fn add_slot(&mut self, slot: Slot) -> String {
        if self.slots.len() > KEEP_AT_MOST {
            let now_ms = slot.given_ms;
            self.slots.retain(|_, old| old.given_ms + FORGET_AFTER_MS > now_ms);
        }
        let token = self.token();
        self.slots.insert(token.clone(), slot);
        token
    }

    /// The slot behind an upload address.
    pub fn slot(&mut self, token: &str) -> Option<&mut Slot> {
        self.slots.get_mut(token)
    }

    /// The receipt for what was uploaded into a slot.
    pub fn receipt(slot_token: &str) -> String {
        format!("A0s{slot_token}")
    }

    /// The slot whose upload a commit names: by its receipt, or, for an empty content, by its id.
    pub fn slot_of_commit(&mut self, receipt: Option<&str>, doc: Doc) -> Option<&mut Slot> {
        if let Some(receipt) = receipt {
            let slot = self.slots.get_mut(receipt.strip_prefix("A0s")?)?;
            return slot.staged.is_some().then_some(slot);
        }
        let is_empty = |slot: &Slot| slot.staged.as_ref().is_some_and(|staged| staged.receipt.is_none());
        // An empty content that replaces in place names the existing id: any empty slot will do then.
        let token = self
            .slots
            .iter()
            .filter(|(_, slot)| is_empty(slot))
            .max_by_key(|(_, slot)| (slot.doc == doc, slot.committed.is_none(), slot.given_ms))
            .map(|(token, _)| token.clone())?;
        self.slots.get_mut(&token)
    }

    /// Keeps what a new download address leads to and returns its token.
    pub fn add_download(&mut self, download: Download, now_ms: i64, expires_ms: i64) -> String {
        if self.downloads.len() > KEEP_AT_MOST {
            self.downloads.retain(|_, (expires_ms, _)| *expires_ms > now_ms);
        }
        let token = self.token();
        self.downloads.insert(token.clone(), (expires_ms, download));
        token
    }

    /// What a download address leads to; `None` when it is unknown or past its time.
    pub fn download(&self, token: &str, now_ms: i64) -> Option<Download> {
        self.downloads
            .get(token)
            .filter(|(expires_ms, _)| *expires_ms > now_ms)
            .map(|(_, found)| found.clone())
    }
}
