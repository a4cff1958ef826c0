//! Small downloads: they have no record beside them, and those that are finished are made durable together, right before the
//! first of them gets its name (`docs/sync.md` §5, Download).
//!
//! A record costs two files and four calls that wait for the disk, which is more than a small file costs to fetch again. After a
//! crash what is left of them is removed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags, fsync, openat, syncfs};
use rustix::io::Errno;

use crate::engine::ports::DownloadKey;
use crate::model::{LocalKind, RelPath};

use super::LocalDisk;
use super::area::{Area, remove_small};
use super::download::{Record, is_whole_name, part_name, record_name};
use super::durable::is_synced_whole;
use super::recover::names_ending;
use super::root::see_if_there;
use super::trust::Ours;

/// Files of up to so many bytes are small.
pub(super) const SMALL_FILE: u64 = 4 << 20;

/// Finished small downloads that wait to be put in place, by name.
#[derive(Default)]
pub(super) struct Light {
    waiting: Mutex<HashMap<String, Waiting>>,
    /// How many were finished so far.
    finished: AtomicU64,
}

struct Waiting {
    /// The area that it lies in.
    top: RelPath,
    /// What its record would say.
    record: Record,
    /// Which one of all that were finished it is: the same version may be fetched once more under the same name.
    number: u64,
    is_durable: bool,
}

/// A finished download: its name, and which one of that name it is.
pub(super) type Finished = (String, u64);

impl Light {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A download is complete, and nothing of it is known to be durable.
    pub fn finished(&self, name: &str, area: &Area, record: Record) {
        let number = self.finished.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting { top: area.top.clone(), record, number, is_durable: false };
        self.lock().insert(name.to_owned(), waiting);
    }

    /// Which finished download of that name waits, if any.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.lock().get(name).map(|waiting| waiting.number)
    }

    /// It lies in another area now, durable.
    pub fn moved(&self, name: &str, area: &Area) {
        if let Some(waiting) = self.lock().get_mut(name) {
            waiting.top = area.top.clone();
            waiting.is_durable = true;
        }
    }

    /// What its record would say, for who writes one after all.
    pub fn record(&self, name: &str) -> Option<Record> {
        self.lock().get(name).map(|waiting| waiting.record.clone())
    }

    /// It is in its place, was given up, or has a record now. Whether it had none until now.
    pub fn forget(&self, name: &str) -> bool {
        self.lock().remove(name).is_some()
    }

    fn is_durable(&self, name: &str, number: u64) -> bool {
        self.lock().get(name).is_some_and(|waiting| waiting.number == number && waiting.is_durable)
    }

    /// All in that area that are not known to be durable.
    pub fn volatile(&self, top: &RelPath) -> Vec<Finished> {
        let waiting = self.lock();
        let volatile = waiting.iter().filter(|(_, waiting)| !waiting.is_durable && waiting.top == *top);
        volatile.map(|(name, waiting)| (name.clone(), waiting.number)).collect()
    }

    /// What was finished before a sync began is durable after it, and nothing that took its name meanwhile.
    pub fn are_durable(&self, synced: &[Finished]) {
        let mut waiting = self.lock();
        for (name, number) in synced {
            if let Some(waiting) = waiting.get_mut(name).filter(|waiting| waiting.number == *number) {
                waiting.is_durable = true;
            }
        }
    }

    /// Those in an area that `is_wanted` does not want.
    fn unwanted(&self, top: &RelPath, is_wanted: &dyn Fn(&DownloadKey) -> bool) -> Vec<String> {
        let waiting = self.lock();
        let unwanted = waiting.iter().filter(|(_, waiting)| {
            waiting.top == *top && !waiting.record.key().is_some_and(|key| is_wanted(&key))
        });
        unwanted.map(|(name, _)| name.clone()).collect()
    }
}

impl LocalDisk {
    /// Makes a small download, which one its number says, durable before it gets its name, with all that are finished by now.
    /// `changed` says that its attributes were changed since. `BUSY` when it was fetched once more under our hands: that one is
    /// not durable, nor what is to be put in place.
    pub(super) fn settle_light(
        &self,
        area: &Area,
        (name, number): (&str, u64),
        file: &std::fs::File,
        changed: bool,
    ) -> Result<(), Errno> {
        if self.light.is_durable(name, number) {
            return if changed { self.count_sync(fsync(file)) } else { Ok(()) };
        }
        let volatile = self.light.volatile(&area.top);
        if volatile.len() > 1 && is_synced_whole(&area.tmp) {
            self.count_sync(syncfs(&area.tmp))?;
        } else {
            for (name, _) in &volatile {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                match openat(&area.tmp, &*part_name(name), flags, Mode::empty()) {
                    Ok(file) => self.count_sync(fsync(&file))?,
                    // Given up meanwhile.
                    Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
        }
        self.light.are_durable(&volatile);
        if self.light.is_durable(name, number) { Ok(()) } else { Err(Errno::BUSY) }
    }

    /// Drops small downloads in an area that are finished and no longer wanted; says how many.
    pub(super) fn forget_light(
        &self,
        area: &Area,
        is_wanted: &dyn Fn(&DownloadKey) -> bool,
    ) -> Result<usize, Errno> {
        let names = self.light.unwanted(&area.top, is_wanted);
        for name in &names {
            remove_small(&area.tmp, &part_name(name))?;
            self.light.forget(name);
            self.space.is_done_with(name);
        }
        Ok(names.len())
    }

    /// Removes what a crash left of small downloads: files of ours in `tmp` with the name of a download and no record. One
    /// that has a second name was put in place, and this is the old one.
    pub(super) fn clear_light(area: &Area, ours: Ours) -> Result<(), Errno> {
        for name in names_ending(&area.tmp, ".part") {
            if !is_whole_name(&name) || see_if_there(&area.tmp, &*record_name(&name))?.is_some() {
                continue;
            }
            let part = part_name(&name);
            let Some(seen) = see_if_there(&area.tmp, &*part)? else { continue };
            if seen.kind == LocalKind::File && ours.owns(&seen) {
                remove_small(&area.tmp, &part)?;
            }
        }
        Ok(())
    }

    /// A new file for a small download; what an earlier try left goes.
    pub(super) fn open_light(area: &Area, name: &str) -> Result<std::fs::File, Errno> {
        let part = part_name(name);
        let flags = OFlags::RDWR
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::CLOEXEC;
        // The umask takes its bits off: that is the mode of a new file.
        let everybody = Mode::from_raw_mode(0o666);
        let open = || openat(&area.tmp, &*part, flags, everybody);
        let opened = match open() {
            Err(Errno::EXIST) => {
                remove_small(&area.tmp, &part)?;
                open()?
            }
            other => other?,
        };
        Ok(std::fs::File::from(opened))
    }
}
