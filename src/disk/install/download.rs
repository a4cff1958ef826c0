//! Files that are being downloaded: `.icloudds/tmp`, with a record beside each.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use filetime::FileTime;
use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use crate::disk::attributes::{Dispensable, inherit, is_refusal, refused};
use crate::disk::errors::io_error;
use crate::disk::fs_traits::FsTraits;
use crate::disk::private::area::{Area, Opened};
use crate::disk::private::small_files::remove_small;
use crate::disk::private::trust::{Ours, Reading};
use crate::disk::seen::{see_if_there, see_open};
use crate::disk::space::{Share, Space};
use crate::disk::{Hasher, LocalDisk};
use crate::engine::ports::{DiskError, Download, DownloadKey, Ready, Sink};
use crate::model::{RelPath, ServerTime};

use super::download_record::{Record, is_download_name, name_of, part_name, record_name};
use super::light::{Light, SMALL_FILE};

/// So often what was written is made durable, that a power cut costs no more than this.
const CHECKPOINT: u64 = 64 << 20;

/// Reads a record that was there before, if it is ours.
fn found_record(area: &Area, name: &str, ours: Ours) -> Option<Record> {
    match LocalDisk::read_record(area, &record_name(name), ours) {
        Ok(Reading::Text(text)) if is_download_name(name) => Record::parse(&text),
        _ => None,
    }
}

/// What a download begins with: the open file, how much of it counts, and the room that it was promised.
struct Begun {
    file: File,
    share: Share,
    record: Record,
    length: u64,
}

/// A download under way.
struct LocalDownload {
    file: File,
    area: Area,
    traits: FsTraits,
    name: String,
    record: Record,
    key: DownloadKey,
    hasher: Hasher,
    length: u64,
    /// Whether the record stands beside it.
    has_record: bool,
    finished: bool,
    /// No room is left for the rest.
    is_full: bool,
    /// The room that it was promised.
    share: Share,
    space: Arc<Space>,
    light: Arc<Light>,
}

impl LocalDisk {
    pub(in crate::disk) fn begin_download(&self, key: &DownloadKey) -> Result<Box<dyn Download>, DiskError> {
        let folder = key.path.parent().unwrap_or_default();
        let (area, folder) = self.area_and_folder(&folder)?;
        let ours = self.close_area(&area)?;
        let name = name_of(key);
        let fail = |errno| self.fail("download", &key.path, errno);
        // One that has a record goes on with it, also where a former version of this program made it.
        let is_recorded = see_if_there(&area.tmp, &*record_name(&name)).map_err(fail)?.is_some();
        let is_light = key.size.is_some_and(|size| size <= SMALL_FILE) && !self.options.force_records;
        let begun = if is_light && !is_recorded {
            self.begin_light(&area, &name, key, &folder)
        } else {
            self.begin_recorded(&area, &name, key, ours)
        };
        let Some(begun) = begun.map_err(fail)? else {
            return Err(DiskError::Full { path: key.path.clone() });
        };
        self.step();
        let Begun { file, share, record, length } = begun;
        let has_record = !is_light || is_recorded;
        let hasher = if has_record { prepare_part(&file, length) } else { Ok(Hasher::default()) };
        let hasher = hasher.map_err(|error| io_error("resume", &key.path, error))?;
        self.space.uses(&name);
        let traits = self.root.traits_of(area.seen[1].fs, &area.tmp);
        Ok(Box::new(LocalDownload {
            traits,
            file,
            area,
            name,
            record,
            key: key.clone(),
            hasher,
            length,
            has_record,
            finished: false,
            is_full: false,
            share,
            space: Arc::clone(&self.space),
            light: Arc::clone(&self.light),
        }))
    }

    /// A download without a record; `None` when there is no room.
    fn begin_light(
        &self,
        area: &Area,
        name: &str,
        key: &DownloadKey,
        folder: &Opened,
    ) -> Result<Option<Begun>, Errno> {
        // Before anything is made, so that what does not fit leaves nothing behind.
        let Some(share) = self.promise_room(area, name, key.size.unwrap_or(0))? else { return Ok(None) };
        self.light.forget(name);
        let file = Self::open_light(area, name)?;
        // What it gets from its folder becomes durable with the group then, unless the folder is changed before it is put there.
        inherit((&file, &see_open(&file)?), (&folder.handle, &folder.seen))?;
        Ok(Some(Begun { file, share, record: Record::new(key), length: 0 }))
    }

    /// A download with a record beside it, begun or resumed; `None` when there is no room.
    fn begin_recorded(
        &self,
        area: &Area,
        name: &str,
        key: &DownloadKey,
        ours: Ours,
    ) -> Result<Option<Begun>, Errno> {
        let part = part_name(name);
        let old = found_record(area, name, ours).filter(|record| record.is_of(key));
        // A second link means that it was put in place just before a crash: writing to it would write to the drive. Another
        // owner could go on writing to it.
        let there = see_if_there(&area.tmp, &*part)?;
        let kept = there.filter(|seen| seen.links < 2 && ours.owns(seen) && old.is_some());
        if there.is_some() && kept.is_none() {
            remove_small(&area.tmp, &part)?;
        }
        let mut record = Record::new(key);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        // The umask takes its bits off: that is the mode of a new file.
        let everybody = Mode::from_raw_mode(0o666);
        let mut length = kept.map_or(0, |seen| seen.size());
        match &old {
            Some(old) if !old.boot.is_empty() && old.boot == record.boot => record.durable = old.durable,
            Some(old) => {
                length = length.min(old.durable);
                record.durable = length;
            }
            None => length = 0,
        }
        if key.size.is_some_and(|size| length > size) {
            length = 0;
            record.durable = 0;
        }
        // Before anything is made, so that what does not fit leaves nothing behind.
        let missing = key.size.unwrap_or(0).saturating_sub(length);
        let Some(share) = self.promise_room(area, name, missing)? else { return Ok(None) };
        let file = File::from(openat(&area.tmp, &*part, flags, everybody)?);
        self.count_sync(record.write(area, name))?;
        Ok(Some(Begun { file, share, record, length }))
    }

    /// Room for a download; where it is short, unfinished ones that nobody works on are given up for it, this one too if
    /// it does not fit.
    fn promise_room(&self, area: &Area, name: &str, bytes: u64) -> Result<Option<Share>, Errno> {
        let [_, tmp, _] = area.seen;
        let fs = tmp.fs;
        if let Some(share) = self.space.share(&area.tmp, fs, bytes)? {
            return Ok(Some(share));
        }
        for other in crate::disk::recover::names_ending(&area.tmp, ".json") {
            let is_idle = other != name && is_download_name(&other) && self.space.is_idle(&other);
            if is_idle && Record::read(area, &other).is_some_and(|record| record.swap.is_none()) {
                give_up(area, &other);
                if let Some(share) = self.space.share(&area.tmp, fs, bytes)? {
                    return Ok(Some(share));
                }
            }
        }
        if self.space.is_idle(name) && Record::read(area, name).is_none_or(|record| record.swap.is_none()) {
            give_up(area, name);
        }
        Ok(None)
    }

    /// The area and the name that a finished download's slot speaks of.
    pub(in crate::disk) fn slot_of(&self, ready: &Ready) -> Result<(Area, String), DiskError> {
        let changed = || DiskError::Changed { path: ready.path.clone() };
        let (top, name) = ready.slot.split_once("//").ok_or_else(changed)?;
        let top = RelPath::parse(top).map_err(|_| changed())?;
        let area = self.area_at(&top).map_err(|errno| self.fail("use", &top, errno))?;
        Ok((area, name.to_owned()))
    }

    pub(in crate::disk) fn drop_download(&self, ready: &Ready) {
        let Ok((area, name)) = self.slot_of(ready) else { return };
        self.space.is_done_with(&name);
        self.light.forget(&name);
        give_up(&area, &name);
    }

    /// Drops recorded downloads that are no longer wanted; nothing else in `tmp` is touched, nor is a replacement under
    /// way, whose record [`LocalDisk::recover`] needs. Says how many went.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn forget_downloads(&self, keep: &dyn Fn(&DownloadKey) -> bool) -> Result<usize, DiskError> {
        let mut count = 0;
        for area in self.areas() {
            let ours = self.close_area(&area)?;
            for name in crate::disk::recover::names_ending(&area.tmp, ".json") {
                let Some(record) = found_record(&area, &name, ours) else { continue };
                if record.swap.is_some() || record.key().is_some_and(|key| keep(&key)) {
                    continue;
                }
                for file in [part_name(&name), record_name(&name)] {
                    match unlinkat(&area.tmp, &*file, AtFlags::empty()) {
                        Ok(()) | Err(Errno::NOENT) => {}
                        Err(errno) => return Err(self.fail("clean up", &area.top, errno)),
                    }
                }
                count += 1;
            }
            count +=
                self.forget_light(&area, keep).map_err(|errno| self.fail("clean up", &area.top, errno))?;
        }
        Ok(count)
    }
}

/// Removes an unfinished download. What cannot be removed now is forgotten at the next start.
fn give_up(area: &Area, name: &str) {
    let _ = remove_small(&area.tmp, &part_name(name));
    let _ = remove_small(&area.tmp, &record_name(name));
}

/// Cuts the file to the part that counts, hashes it, and stands at its end.
fn prepare_part(mut file: &File, length: u64) -> io::Result<Hasher> {
    file.set_len(length)?;
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 64 << 10];
    let mut left = length;
    while left > 0 {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&buffer[..count]);
        left = left.saturating_sub(count as u64);
    }
    Ok(hasher)
}

impl LocalDownload {
    /// Makes what was written durable, and records how much that is.
    fn checkpoint(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.record.durable = self.length;
        self.has_record = true;
        Ok(self.record.write(&self.area, &self.name)?)
    }
}

impl Write for LocalDownload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.share.take(&self.file, bytes.len() as u64)? {
            self.is_full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let count = self.file.write(bytes).inspect_err(|error| {
            self.is_full |= matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        })?;
        self.hasher.update(&bytes[..count]);
        self.length += count as u64;
        if self.length - self.record.durable >= CHECKPOINT {
            self.checkpoint()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink for LocalDownload {
    fn restart(&mut self) -> io::Result<()> {
        // First the record: after a power cut it must not vouch for bytes of the former attempt.
        self.record.durable = 0;
        if self.has_record {
            self.record.write(&self.area, &self.name)?;
        }
        self.hasher = prepare_part(&self.file, 0)?;
        self.length = 0;
        Ok(())
    }
}

impl Download for LocalDownload {
    fn offset(&self) -> u64 {
        self.length
    }

    fn finish(mut self: Box<Self>, mtime: Option<ServerTime>) -> Result<Ready, DiskError> {
        let path = self.key.path.clone();
        let fail = |error| io_error("finish", &path, error);
        if let Some(ServerTime(seconds)) = mtime {
            // The time first: it is made durable together with the content. Both of a file's times are set: some file systems in user space
            // do nothing where one is left as it is, and say that they did.
            let time = FileTime::from_unix_time(seconds, 0);
            if let Err(error) = filetime::set_file_handle_times(&self.file, Some(time), Some(time)) {
                match Errno::from_io_error(&error).filter(|errno| is_refusal(*errno)) {
                    Some(errno) => refused(Dispensable::Time, errno),
                    None => return Err(fail(error)),
                }
            }
        }
        if self.has_record {
            self.file.sync_all().map_err(fail)?;
            self.record.durable = self.length;
            self.record.write(&self.area, &self.name).map_err(|errno| fail(errno.into()))?;
        } else {
            // Whoever writes it after all has made the content durable before.
            self.record.durable = self.length;
            self.light.finished(&self.name, &self.area, self.record.clone());
        }
        self.finished = true;
        Ok(Ready {
            slot: format!("{}//{}", self.area.top.as_str(), self.name),
            path: self.key.path.clone(),
            size: self.length,
            signature: std::mem::take(&mut self.hasher).finish(),
            identity: see_open(&self.file).ok().and_then(|seen| seen.lasting(self.traits)),
        })
    }
}

impl Drop for LocalDownload {
    /// Keeps what was written for a later resume, also after a power cut as far as the disk lets us.
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.space.is_done_with(&self.name);
        if self.is_full || !self.has_record {
            // It would only keep others from what room there is, or is fetched again sooner than kept.
            give_up(&self.area, &self.name);
        } else if self.length != self.record.durable {
            let _ = self.checkpoint();
        }
    }
}
