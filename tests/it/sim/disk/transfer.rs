//! Contents on their way in and out.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};

use icloudds::engine::ports::{DiskError, Download, DownloadKey, Ready, Sink, Source};
use icloudds::model::{DiskTime, RelPath, ServerTime, Signature};

use super::fs::{Ino, Op, TMP};
use super::{SimDisk, io};
use crate::sim::fuse::{Call, Fault, lock};
use crate::sim::journal::signature;

/// Whether a download of so many bytes counts as small: nothing of it outlasts a crash, and it is made durable only when it is
/// put in place. Here every second size does, so that both ways occur.
pub(super) fn is_small(size: u64) -> bool {
    size % 2 == 1
}

/// A file that is being downloaded.
pub(super) struct Incoming {
    disk: SimDisk,
    path: RelPath,
    ino: Ino,
}

impl Incoming {
    pub(super) fn new(disk: SimDisk, key: &DownloadKey, ino: Ino) -> Self {
        Self { disk, path: key.path.clone(), ino }
    }

    fn content(&self) -> Vec<u8> {
        let inner = lock(&self.disk.inner);
        inner
            .inode(self.ino)
            .and_then(|inode| inode.content())
            .map(|content| content.to_vec())
            .unwrap_or_default()
    }

    fn set(&self, content: Vec<u8>) {
        let now = self.disk.now();
        lock(&self.disk.inner).layers.push(Op::Write(self.ino, content.into(), now), now);
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.disk.fuse.enter(Call::Write, self.path.as_str(), &super::FAULTS)? {
            Some(Fault::Full) => return Err(ErrorKind::StorageFull.into()),
            Some(_) => return Err(ErrorKind::Other.into()),
            None => {}
        }
        if bytes.len() as u64 > lock(&self.disk.inner).space() {
            return Err(ErrorKind::StorageFull.into());
        }
        let mut content = self.content();
        content.extend_from_slice(bytes);
        self.set(content);
        self.disk.fuse.step()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink for Incoming {
    fn restart(&mut self) -> std::io::Result<()> {
        self.disk.fuse.step()?;
        self.set(Vec::new());
        Ok(())
    }
}

impl Download for Incoming {
    fn offset(&self) -> u64 {
        self.content().len() as u64
    }

    fn finish(self: Box<Self>, mtime: Option<ServerTime>) -> Result<Ready, DiskError> {
        match self.disk.fuse.enter(Call::Finish, self.path.as_str(), &super::FAULTS)? {
            Some(Fault::Full) => return Err(DiskError::Full { path: self.path.clone() }),
            Some(_) => return Err(io("sync", &self.path, ErrorKind::Other)),
            None => {}
        }
        let now = self.disk.now();
        let content = self.content();
        let slot = {
            let mut inner = lock(&self.disk.inner);
            let mtime = mtime.map_or(now, |time| DiskTime::new(time.0, 0));
            inner.layers.push(Op::Time(self.ino, mtime), now);
            if !is_small(content.len() as u64) {
                inner.layers.sync_contents(&BTreeSet::from([self.ino]));
            }
            inner.downloads.retain(|_, (_, ino)| *ino != self.ino);
            let waiting = inner.inode(TMP).and_then(|tmp| tmp.names()).into_iter().flatten();
            waiting.into_iter().find(|(_, ino)| **ino == self.ino).map(|(name, _)| name.clone())
        };
        self.disk.fuse.step()?;
        let identity = {
            let inner = lock(&self.disk.inner);
            inner.inode(self.ino).and_then(|inode| inner.lasting(inode))
        };
        let slot = slot.ok_or_else(|| io("find the download of", &self.path, ErrorKind::NotFound))?;
        Ok(Ready {
            slot,
            path: self.path.clone(),
            size: content.len() as u64,
            signature: signature(&content),
            identity,
        })
    }
}

/// A file that is being read.
pub(super) struct Outgoing {
    disk: SimDisk,
    path: RelPath,
    ino: Ino,
    ctime: DiskTime,
    read: Vec<u8>,
    ended: bool,
}

impl Outgoing {
    pub(super) fn new(disk: SimDisk, path: &RelPath, ino: Ino, ctime: DiskTime) -> Self {
        Self { disk, path: path.clone(), ino, ctime, read: Vec::new(), ended: false }
    }
}

impl Read for Outgoing {
    /// At most 7 bytes at a time, so that a person can come in between.
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.disk.fuse.enter(Call::Read, self.path.as_str(), &[Fault::Io])?.is_some() {
            return Err(ErrorKind::Other.into());
        }
        let inner = lock(&self.disk.inner);
        let Some(content) = inner.inode(self.ino).and_then(|inode| inode.content()) else { return Ok(0) };
        let rest = content.get(self.read.len()..).unwrap_or_default();
        let count = rest.len().min(buffer.len()).min(7);
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read.extend_from_slice(&rest[..count]);
        self.ended = self.read.len() >= content.len();
        Ok(count)
    }
}

impl Source for Outgoing {
    fn finish(self: Box<Self>) -> Result<Signature, DiskError> {
        self.disk.fuse.step()?;
        let inner = lock(&self.disk.inner);
        let here = inner.resolve(&self.path).is_ok_and(|ino| ino == self.ino);
        let inode = inner.inode(self.ino);
        let same = inode.is_some_and(|inode| inode.ctime == self.ctime);
        // Time stands still in this world, so equal times alone do not prove equal content.
        let whole = inode.and_then(|inode| inode.content()).is_some_and(|content| **content == *self.read);
        let ended = self.ended || self.read.is_empty() && whole;
        if here && same && whole && ended {
            Ok(signature(&self.read))
        } else {
            Err(DiskError::Changed { path: self.path.clone() })
        }
    }
}
