//! The files of small downloads: made, made durable together, removed.

use rustix::fs::{Mode, OFlags, fsync, openat, syncfs};
use rustix::io::Errno;

use crate::disk::LocalDisk;
use crate::disk::durable::is_synced_whole;
use crate::disk::private::area::Area;
use crate::disk::private::small_files::remove_small;
use crate::disk::private::trust::Ours;
use crate::disk::recover::names_ending;
use crate::disk::seen::see_if_there;
use crate::engine::ports::DownloadKey;
use crate::model::LocalKind;

use super::download_record::{is_whole_name, part_name, record_name};

impl LocalDisk {
    /// Makes a small download, which one its number says, durable before it gets its name, with all that are finished by now.
    /// `changed` says that its attributes were changed since. `BUSY` when it was fetched once more under our hands: that one is
    /// not durable, nor what is to be put in place.
    pub(in crate::disk) fn settle_light(
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
    pub(in crate::disk) fn forget_light(
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
    pub(in crate::disk) fn clear_light(area: &Area, ours: Ours) -> Result<(), Errno> {
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
    pub(in crate::disk) fn open_light(area: &Area, name: &str) -> Result<std::fs::File, Errno> {
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
