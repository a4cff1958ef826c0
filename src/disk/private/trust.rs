//! Whether what lies in `.icloudds` was put there by this program. Records are data from outside: whoever may write to the
//! drive's folder can make them, so a record of another owner, or one that others may write to, is left alone.

use std::io::Read;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags, fchmod, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::disk::LocalDisk;
use crate::disk::seen::{Seen, see_open};
use crate::engine::ports::DiskError;
use crate::model::LocalKind;

use super::area::{Area, own};
use super::small_files::{SMALL, open_small, unique};

/// The permission bits that let others than the owner write.
pub(in crate::disk) const OTHERS_WRITE: u32 = 0o022;

/// What files that this program makes in one area look like.
#[derive(Clone, Copy, Debug)]
pub(in crate::disk) struct Ours {
    /// Their owner: this process's user, or the one whom the file system gives to everything.
    uid: u32,
    /// Bits of [`OTHERS_WRITE`] that the file system shows whatever is asked for, so that they say nothing.
    shown: u32,
    /// Whether others could write to the area until now.
    was_open: bool,
}

impl Ours {
    /// Whether a file has the owner of ours.
    pub(in crate::disk) fn owns(self, seen: &Seen) -> bool {
        seen.uid == self.uid
    }
}

/// A record, read or not.
pub(in crate::disk) enum Reading {
    /// There is none of that name.
    Absent,
    /// What it says.
    Text(Vec<u8>),
    /// It is not ours, for this reason.
    Foreign(String),
}

/// Why a file of that look is none that this program made; `None` when it may be.
fn foreign(seen: &Seen, ours: Ours) -> Option<String> {
    if seen.kind != LocalKind::File {
        return Some("it is no file".to_owned());
    }
    if seen.links > 1 {
        return Some("it has a second name".to_owned());
    }
    if !ours.owns(seen) {
        return Some(format!("it belongs to uid {}, not to uid {}", seen.uid, ours.uid));
    }
    if seen.mode & OTHERS_WRITE & !ours.shown != 0 {
        return Some(format!("others may write to it (mode {:o})", seen.mode));
    }
    ours.was_open.then(|| "others could write to its folder until now".to_owned())
}

/// The owner of what is made in that folder, found out by making something.
fn owner_of_new(folder: &OwnedFd) -> Result<u32, Errno> {
    let name = format!("{}.owner", unique());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(folder, &*name, flags, Mode::RUSR | Mode::WUSR)?;
    let seen = see_open(&file);
    unlinkat(folder, &*name, AtFlags::empty())?;
    Ok(seen?.uid)
}

impl LocalDisk {
    /// Refuses an area that belongs to somebody else: what waits there, and what was displaced, is for its owner alone.
    pub(in crate::disk) fn check_area(&self, area: &Area) -> Result<Ours, DiskError> {
        let fail = |errno| self.fail("look at", &own(&area.top), errno);
        let us = geteuid().as_raw();
        let mut uid = us;
        for seen in area.seen {
            if seen.uid == us {
                continue;
            }
            // Some file systems give all that is made on them to one user; there the owner says nothing.
            uid = self.owner_on(area, &seen).map_err(fail)?;
            if uid != seen.uid {
                return Err(DiskError::Io {
                    what: "use",
                    path: own(&area.top),
                    source: std::io::Error::new(
                        std::io::ErrorKind::PermissionDenied,
                        format!(
                            "it belongs to uid {}, and icloudds runs as uid {us}: run it as that user, or give the folder and \
                             all in it to uid {us}; where nobody knows it, remove it",
                            seen.uid
                        ),
                    ),
                });
            }
        }
        Ok(Ours { uid, shown: OTHERS_WRITE, was_open: false })
    }

    /// Who owns what this process makes on that file system.
    fn owner_on(&self, area: &Area, seen: &Seen) -> Result<u32, Errno> {
        let mut known = self.owners.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, uid)) = known.iter().find(|(fs, _)| *fs == seen.fs) {
            return Ok(*uid);
        }
        let uid = owner_of_new(&area.tmp)?;
        known.push((seen.fs, uid));
        Ok(uid)
    }

    /// As [`LocalDisk::check_area`]; takes from others the permission to write there, and tells what records of ours look like.
    pub(in crate::disk) fn close_area(&self, area: &Area) -> Result<Ours, DiskError> {
        let ours = self.check_area(area)?;
        let fail = |errno| self.fail("look at", &own(&area.top), errno);
        let mut shown = 0;
        let mut was_open = false;
        for (folder, seen) in [&area.folder, &area.tmp, &area.trash].into_iter().zip(area.seen) {
            if seen.mode & OTHERS_WRITE == 0 {
                continue;
            }
            // A file system without permissions refuses, or shows the same as before.
            let _ = fchmod(folder, Mode::RWXU);
            let after = see_open(folder).map_err(fail)?.mode & OTHERS_WRITE;
            shown |= after;
            was_open |= after == 0;
        }
        Ok(Ours { shown, was_open, ..ours })
    }

    /// Reads a record of an area, if it is ours.
    pub(in crate::disk) fn read_record(area: &Area, name: &str, ours: Ours) -> Result<Reading, Errno> {
        let Some((file, seen)) = (match open_small(&area.tmp, name) {
            // A link, or something that cannot be opened at all.
            Err(Errno::LOOP | Errno::NXIO | Errno::ACCESS) => {
                return Ok(Reading::Foreign("it is no file of this program's".to_owned()));
            }
            other => other?,
        }) else {
            return Ok(Reading::Absent);
        };
        if let Some(why) = foreign(&seen, ours) {
            return Ok(Reading::Foreign(why));
        }
        let mut text = Vec::new();
        let read = file.take(SMALL).read_to_end(&mut text);
        read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok(Reading::Text(text))
    }
}
