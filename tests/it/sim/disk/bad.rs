//! What only a bad engine does to the disk; the oracle's own tests need it.

use icloudds::model::RelPath;

use super::fs::{Body, Op, TRASH};
use super::{Bytes, SimDisk};
use crate::sim::fuse::lock;

/// What a part of a file holds.
const PART: &[u8] = b"half a fi";

impl SimDisk {
    /// Part of a file shows under a real name that is free.
    pub fn show_part(&self, at: &RelPath) {
        let now = self.now();
        let mut inner = lock(&self.inner);
        if let Ok(spot) = inner.spot(at)
            && inner.layers.seen.at(&spot).is_none()
        {
            inner.make(spot, Body::File(Bytes::from(PART)), 0, now);
        }
    }

    /// It goes again.
    pub fn hide_part(&self, at: &RelPath) {
        let now = self.now();
        let mut inner = lock(&self.inner);
        if let Ok(spot) = inner.spot(at)
            && let Some(ino) = inner.layers.seen.at(&spot)
            && inner.inode(ino).and_then(|inode| inode.content()).is_some_and(|content| **content == *PART)
        {
            inner.layers.push(Op::Remove(spot), now);
        }
    }

    /// What came to the trash last is gone for good.
    pub fn forget_newest_trash(&self) {
        let now = self.now();
        let mut inner = lock(&self.inner);
        let names = inner.inode(TRASH).and_then(|trash| trash.names()).cloned().unwrap_or_default();
        let number = |name: &&String| name.split(' ').next().and_then(|text| text.parse::<u64>().ok());
        if let Some(newest) = names.keys().max_by_key(number) {
            inner.layers.push(Op::Remove((TRASH, newest.clone())), now);
        }
    }
}
