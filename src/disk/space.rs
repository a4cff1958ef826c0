//! Room on the disk: what was promised to downloads under way, and what stays free for everybody else (`docs/sync.md` §5).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fd::AsFd;
use rustix::fs::{StatVfs, fstatvfs};
use rustix::io::Errno;

use super::seen::FsId;

/// What stays free where nothing is configured: the smaller of a hundredth and this many bytes.
const MOST_KEPT: u64 = 1_000_000_000;
/// A download needs so many inodes: its file, its record, and that while it is written anew.
const INODES_EACH: u64 = 3;
/// So many inodes stay free.
const INODES_KEPT: u64 = 16;
/// Room for content of unknown size is promised in such pieces.
const PIECE: u64 = 4 << 20;

/// The promises of one drive.
#[derive(Debug, Default)]
pub(super) struct Space {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What stays free, where it is configured.
    keep_free: Option<u64>,
    promised: HashMap<FsId, Promised>,
    /// Downloads under way or waiting to be put in place, which nobody gives up.
    used: HashSet<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Promised {
    bytes: u64,
    inodes: u64,
}

/// What a download was promised; given back when it ends.
#[derive(Debug)]
pub(super) struct Share {
    space: Arc<Space>,
    fs: FsId,
    bytes: u64,
}

impl Space {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes stay free; `None` for the smaller of a hundredth and a gigabyte.
    pub fn keep_free(&self, bytes: Option<u64>) {
        self.lock().keep_free = bytes;
    }

    /// Promises room for `bytes` to a download on the file system of `folder`; `None` when there is not enough.
    pub fn share(self: &Arc<Self>, folder: impl AsFd, fs: FsId, bytes: u64) -> Result<Option<Share>, Errno> {
        let room = fstatvfs(folder)?;
        let mut inner = self.lock();
        let promised = inner.promised.get(&fs).copied().unwrap_or_default();
        if !fits(&room, inner.keep_free, promised, bytes) {
            return Ok(None);
        }
        let promised = inner.promised.entry(fs).or_default();
        promised.bytes = promised.bytes.saturating_add(bytes);
        promised.inodes = promised.inodes.saturating_add(INODES_EACH);
        drop(inner);
        Ok(Some(Share { space: Arc::clone(self), fs, bytes }))
    }

    /// Says that a download of ours is under way, or waits to be put in place.
    pub fn uses(&self, name: &str) {
        self.lock().used.insert(name.to_owned());
    }

    /// It is in its place, or was given up.
    pub fn is_done_with(&self, name: &str) {
        self.lock().used.remove(name);
    }

    /// Whether nobody needs an unfinished download.
    pub fn is_idle(&self, name: &str) -> bool {
        !self.lock().used.contains(name)
    }
}

fn fits(room: &StatVfs, keep_free: Option<u64>, promised: Promised, bytes: u64) -> bool {
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let whole = room.f_blocks.saturating_mul(room.f_frsize);
    let kept = keep_free.unwrap_or((whole / 100).min(MOST_KEPT));
    let inodes = promised.inodes.saturating_add(INODES_EACH + INODES_KEPT);
    // File systems without a fixed number of inodes tell none.
    let has_inodes = room.f_files == 0 || room.f_favail >= inodes;
    // Some that other programs make up tell nothing at all: then the write itself has to tell.
    let is_told = whole > 0;
    !is_told || has_inodes && free >= promised.bytes.saturating_add(kept).saturating_add(bytes)
}

impl Share {
    /// `count` bytes are about to be written. Whether there is room for what was not promised before.
    pub fn take(&mut self, folder: impl AsFd, count: u64) -> Result<bool, Errno> {
        if self.bytes < count {
            let room = fstatvfs(folder)?;
            let more = (count - self.bytes).max(PIECE);
            let mut inner = self.space.lock();
            let promised = inner.promised.get(&self.fs).copied().unwrap_or_default();
            let least = count - self.bytes;
            let Some(more) =
                [more, least].into_iter().find(|more| fits(&room, inner.keep_free, promised, *more))
            else {
                return Ok(false);
            };
            let promised = inner.promised.entry(self.fs).or_default();
            promised.bytes = promised.bytes.saturating_add(more);
            self.bytes += more;
        }
        self.bytes -= count;
        if let Some(promised) = self.space.lock().promised.get_mut(&self.fs) {
            promised.bytes = promised.bytes.saturating_sub(count);
        }
        Ok(true)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(promised) = self.space.lock().promised.get_mut(&self.fs) {
            promised.bytes = promised.bytes.saturating_sub(self.bytes);
            promised.inodes = promised.inodes.saturating_sub(INODES_EACH);
        }
    }
}
