//! Whether the state's file takes so much more of the disk than it needs that making it smaller is worth the time.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Bytes of the file that its pages in use take for each byte of records: pages are never full.
const SHARE: f64 = 1.65;

/// Bytes that are worth nobody's time.
const LEAST: u64 = 256 << 10;

/// Of a file, the part (one so-many-th) that is.
const PART: u64 = 8;

/// So much of the records, one so-many-th, has to be written before the file is made smaller once more.
const AGAIN: u64 = 4;

/// What a group of changes wrote: bytes of keys and values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Growth {
    /// Of the records that it wrote.
    pub added: u64,
    /// Of those that were in their place, or were removed.
    pub removed: u64,
}

/// What the records come to, and what was written since the file was made smaller. An estimate: after a failed commit it may be off by
/// what that wrote.
#[derive(Debug)]
pub(super) struct Room {
    /// Bytes of all keys and values.
    records: u64,
    /// Bytes written since; `None` while this process did not try.
    written: Option<u64>,
}

impl Room {
    /// Of a file with that many bytes of records.
    pub fn new(records: u64) -> Self {
        Self { records, written: None }
    }

    /// A group was stored.
    pub fn stored(&mut self, growth: Growth) {
        self.records = self.records.saturating_add(growth.added).saturating_sub(growth.removed);
        self.written = self.written.map(|written| written.saturating_add(growth.added));
    }

    /// The file was made as small as it gets, or cannot be made smaller.
    pub fn was_tried(&mut self) {
        self.written = Some(0);
    }

    /// Whether enough changed since the last try for another one.
    pub fn may_be_tried(&self) -> bool {
        self.written.is_none_or(|written| written >= (self.records / AGAIN).max(LEAST))
    }

    /// Whether a file that takes so many bytes takes too many.
    pub fn is_too_much(&self, taken: u64) -> bool {
        let needed = (self.records as f64 * SHARE) as u64;
        let spare = taken.saturating_sub(needed);
        spare > LEAST && spare > taken / PART
    }
}

/// Bytes of the disk that a file takes. Its length says more than that: the database doubles it, and what was never written of it is a hole.
pub(super) fn taken(file: &Metadata) -> u64 {
    match file.blocks().saturating_mul(512) {
        // A file system that does not say.
        0 => file.len(),
        blocks => blocks.min(file.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    #[test]
    fn a_file_is_too_large_with_an_eighth_to_spare_and_a_quarter_of_a_megabyte() {
        let large = Room::new(100 * MB);
        assert!(!large.is_too_much(165 * MB) && !large.is_too_much(188 * MB) && large.is_too_much(190 * MB));
        let small = Room::new(1000);
        assert!(!small.is_too_much(200 << 10) && small.is_too_much(300 << 10));
    }

    #[test]
    fn what_did_not_help_is_not_tried_again_before_a_quarter_was_written_anew() {
        let mut room = Room::new(100 * MB);
        assert!(room.may_be_tried());
        room.was_tried();
        let write = |room: &mut Room, bytes| room.stored(Growth { added: bytes, removed: bytes });
        write(&mut room, 24 * MB);
        assert!(!room.may_be_tried());
        write(&mut room, MB);
        assert!(room.may_be_tried() && room.records == 100 * MB);
        let mut small = Room::new(1000);
        small.was_tried();
        write(&mut small, LEAST - 1);
        assert!(!small.may_be_tried());
    }
}
