//! Small downloads: they have no record beside them, and those that are finished are made durable together, right before the
//! first of them gets its name (`docs/sync.md` §5, Download).
//!
//! A record costs two files and four calls that wait for the disk, which is more than a small file costs to fetch again. After a
//! crash what is left of them is removed.

use std::collections::HashMap;
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
pub(super) struct Light(Mutex<HashMap<String, Waiting>>);

struct Waiting {
    /// The area that it lies in.
    top: RelPath,
    /// What its record would say.
    record: Record,
    is_durable: bool,
}

impl Light {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A download is complete, and nothing of it is known to be durable.
    pub fn finished(&self, name: &str, area: &Area, record: Record) {
        let waiting = Waiting { top: area.top.clone(), record, is_durable: false };
        self.lock().insert(name.to_owned(), waiting);
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

    fn is_volatile(&self, name: &str) -> bool {
        self.lock().get(name).is_some_and(|waiting| !waiting.is_durable)
    }

    /// All in that area that are not known to be durable.
    fn volatile(&self, top: &RelPath) -> Vec<String> {
        let waiting = self.lock();
        let volatile = waiting.iter().filter(|(_, waiting)| !waiting.is_durable && waiting.top == *top);
        volatile.map(|(name, _)| name.clone()).collect()
    }

    fn are_durable(&self, names: &[String]) {
        let mut waiting = self.lock();
        for name in names {
            if let Some(waiting) = waiting.get_mut(name) {
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
    /// Makes a small download durable before it gets its name, with all that are finished by now. `changed` says that its
    /// attributes were changed since.
    pub(super) fn settle_light(
        &self,
        area: &Area,
        name: &str,
        file: &std::fs::File,
        changed: bool,
    ) -> Result<(), Errno> {
        if !self.light.is_volatile(name) {
            return if changed { self.count_sync(fsync(file)) } else { Ok(()) };
        }
        let names = self.light.volatile(&area.top);
        if names.len() > 1 && is_synced_whole(&area.tmp) {
            self.count_sync(syncfs(&area.tmp))?;
        } else {
            for name in &names {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                match openat(&area.tmp, &*part_name(name), flags, Mode::empty()) {
                    Ok(file) => self.count_sync(fsync(&file))?,
                    // Given up meanwhile.
                    Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
        }
        self.light.are_durable(&names);
        Ok(())
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
