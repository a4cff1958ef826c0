//! Moving what is in the drive: renames that overwrite nothing.

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, RenameFlags, linkat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::engine::ports::DiskError;
use crate::model::{LocalEntry, LocalKind, LocalStamp, RelPath, name};

use super::LocalDisk;
use super::private::area::Area;
use super::private::small_files::{remove_small, unique, write_small};
use super::root::Place;
use super::seen::{Seen, see, see_if_there, see_open};

/// A move of several steps, recorded before the first and cleared after the last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Step {
    /// The item of `home` waits in `tmp` as `park` until `goal` is free.
    Parked {
        /// Its name in `tmp`.
        park: String,
        /// Where it was.
        home: String,
        /// Where it goes.
        goal: String,
    },
    /// An item is copied to another file system, and its original goes to the trash once the copy is in place.
    Across {
        /// The copy's name in `tmp`, until it is whole.
        part: String,
        /// Where the original is.
        from: String,
        /// Where the copy goes.
        to: String,
        /// Inode of the original.
        original: u64,
        /// Inode of the copy; 0 until it is whole.
        copy: u64,
        /// When copying began, in nanoseconds of Unix time: what changed later is not in the copy.
        began: i64,
    },
    /// The file `from` gets the second name `to`, then loses the first.
    Linked {
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
}

/// The end of the name of a step's record in `tmp`.
pub(super) const STEP: &str = ".step";

/// The end of the name of an item that waits in `tmp`.
pub(super) const PARKED: &str = ".parked";

/// A name in an open folder.
pub(super) type At<'a> = (&'a OwnedFd, &'a str);

/// Whether the file system, or the kernel, does not know the flag that it was asked for.
fn lacks_flag(errno: Errno) -> bool {
    // A filter of system calls that does not know the call answers that it is not permitted.
    matches!(errno, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM)
}

/// Moves to a free name without the kernel's flag for that: a file by a second link, anything else, or where links
/// are unknown too, after a look.
fn move_by_hand(from: At<'_>, to: At<'_>) -> Result<(), Errno> {
    if see(from.0, from.1)?.kind == LocalKind::File {
        match linkat(from.0, from.1, to.0, to.1, AtFlags::empty()) {
            Ok(()) => {
                return unlinkat(from.0, from.1, AtFlags::empty()).inspect_err(|_| {
                    // Still two names: the new one was ours to give.
                    let _ = unlinkat(to.0, to.1, AtFlags::empty());
                });
            }
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::MLINK) => {}
            Err(errno) => return Err(errno),
        }
    }
    if see_if_there(to.0, to.1)?.is_some() {
        return Err(Errno::EXIST);
    }
    renameat(from.0, from.1, to.0, to.1)
}

/// Whether the folder lists exactly this name, not only one that is the same to the file system.
fn is_listed(folder: &OwnedFd, name: &str) -> Result<bool, Errno> {
    for entry in Dir::read_from(folder)? {
        if entry?.file_name().to_bytes() == name.as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

impl LocalDisk {
    /// Moves to a free name, `EXIST` when it is taken. With the kernel's flag, else by hand.
    pub(super) fn move_free(&self, from: At<'_>, to: At<'_>) -> Result<(), Errno> {
        match self.move_by_flag(from, to) {
            Err(errno) if lacks_flag(errno) => move_by_hand(from, to),
            other => other,
        }
    }

    /// Moves something of the drive to a free name in a folder of ours, where nobody else puts anything. By hand that is one
    /// rename: between a second link and the removal of the first name a person could save another version under that.
    pub(super) fn move_out(&self, from: At<'_>, to: At<'_>) -> Result<(), Errno> {
        match self.move_by_flag(from, to) {
            Err(errno) if lacks_flag(errno) => match see_if_there(to.0, to.1)? {
                Some(_) => Err(Errno::EXIST),
                None => renameat(from.0, from.1, to.0, to.1),
            },
            other => other,
        }
    }

    fn move_by_flag(&self, from: At<'_>, to: At<'_>) -> Result<(), Errno> {
        if self.options.force_no_renameat2 {
            return Err(Errno::NOSYS);
        }
        renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE)
    }

    /// Exchanges two names; `None` when that cannot be done in one step here.
    pub(super) fn exchange_names(&self, a: At<'_>, b: At<'_>) -> Option<Result<(), Errno>> {
        if self.options.force_no_renameat2 {
            return None;
        }
        match renameat_with(a.0, a.1, b.0, b.1, RenameFlags::EXCHANGE) {
            Err(errno) if lacks_flag(errno) => None,
            other => Some(other),
        }
    }

    /// What stands there, which must be what was planned.
    fn planned_at(&self, place: &Place, path: &RelPath, stamp: &LocalStamp) -> Result<Seen, DiskError> {
        let seen = self.seen_at(place, path)?;
        if seen.is_still(stamp) { Ok(seen) } else { Err(DiskError::Changed { path: path.clone() }) }
    }

    pub(super) fn move_item(
        &self,
        from: &RelPath,
        to: &RelPath,
        stamp: &LocalStamp,
    ) -> Result<LocalEntry, DiskError> {
        if to != from && to.is_within(from) {
            return Err(DiskError::Folder { path: to.clone() });
        }
        let fail = |errno| self.fail_naming("move", to, errno);
        let (source, target) = (self.place_of(from)?, self.place_of(to)?);
        let seen = self.planned_at(&source, from, stamp)?;
        // The rename sets a file's change time, the only trace of an edit that put size and modification time back.
        if seen.kind == LocalKind::File && !seen.is_exactly(stamp) {
            return Err(DiskError::Changed { path: from.clone() });
        }
        let (here, there) = ((&source.folder, &*source.name), (&target.folder, &*target.name));
        if self.is_one_name_here(&source, &target, &seen).map_err(fail)? {
            self.respell(&source, &target, from, to)?;
        } else {
            match self.move_by_flag(here, there) {
                Err(errno) if lacks_flag(errno) => {
                    let step = Step::Linked { from: from.as_str().into(), to: to.as_str().into() };
                    self.with_record(from, &step, |_| move_by_hand(here, there).map_err(fail))?;
                }
                other => other.map_err(fail)?,
            }
        }
        self.step();
        let moved = self.seen_at(&target, to)?;
        if !source.is_after_move(&moved, stamp) {
            // Somebody put another item there between the look and the move: it goes back where it was.
            let _ = self.move_free(there, here);
            return Err(DiskError::Changed { path: from.clone() });
        }
        Ok(self.root.entry(&moved, target.fs, target.traits))
    }

    /// Whether the file system takes the new name for the old one, as for a change of case alone.
    fn is_one_name_here(&self, from: &Place, to: &Place, seen: &Seen) -> Result<bool, Errno> {
        if from.name == to.name || name::key(&from.name, true) != name::key(&to.name, true) {
            return Ok(false);
        }
        let one_folder = see_open(&from.folder)?.is(&see_open(&to.folder)?);
        // Some file systems give an item another inode number with each look, so the number does not tell.
        let is_there = to.see()?.is_some_and(|there| there.looks_like(seen));
        Ok(one_folder
            && is_there
            && !is_listed(&to.folder, &to.name)?
            && is_listed(&from.folder, &from.name)?)
    }

    /// Changes only the spelling of a name.
    fn respell(&self, source: &Place, target: &Place, from: &RelPath, to: &RelPath) -> Result<(), DiskError> {
        let fail = |errno| self.fail_naming("move", to, errno);
        renameat(&source.folder, &*source.name, &target.folder, &*target.name).map_err(fail)?;
        if is_listed(&target.folder, &target.name).map_err(fail)? {
            return Ok(());
        }
        // Some file systems take it for no change at all: then it goes by way of another name.
        self.by_way_of_tmp(source, from, to)
    }

    /// Moves `home` to `goal` through `tmp`. The record lets start-up finish or undo it, and a failure half-way is put
    /// right at once in the same manner.
    fn by_way_of_tmp(&self, source: &Place, home: &RelPath, goal: &RelPath) -> Result<(), DiskError> {
        let park = format!("{}{PARKED}", unique());
        let step =
            Step::Parked { park: park.clone(), home: home.as_str().into(), goal: goal.as_str().into() };
        self.with_record(home, &step, |area| {
            self.move_out((&source.folder, &source.name), (&area.tmp, &park))
                .map_err(|errno| self.fail("move", home, errno))?;
            self.step();
            match self.settle_parked(area, &park, home, goal)? {
                None if see_if_there(&area.tmp, &*park).is_ok_and(|seen| seen.is_none()) => Ok(()),
                _ => Err(DiskError::Changed { path: home.clone() }),
            }
        })
    }

    /// Does something while its record stands in the area of `path`'s file system.
    fn with_record(
        &self,
        path: &RelPath,
        step: &Step,
        act: impl FnOnce(&Area) -> Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        let area = self.area_of(&path.parent().unwrap_or_default())?;
        let record = format!("{}{STEP}", unique());
        let text = serde_json::to_vec(step).expect("texts have a JSON form");
        let fail = |errno| self.fail("record the move of", path, errno);
        write_small(&area.tmp, &record, &text).map_err(fail)?;
        self.step();
        if let Err(error) = act(&area) {
            // A failed act leaves nothing to repair but a parked item that found no place.
            let waits = match step {
                Step::Parked { park, .. } => !matches!(see_if_there(&area.tmp, &**park), Ok(None)),
                Step::Linked { .. } | Step::Across { .. } => false,
            };
            if !waits {
                remove_small(&area.tmp, &record).map_err(fail)?;
            }
            return Err(error);
        }
        self.step();
        // The effect before the record's end, also after a power cut.
        let (Step::Parked { home, goal, .. }
        | Step::Linked { from: home, to: goal }
        | Step::Across { from: home, to: goal, .. }) = step;
        for item in [home, goal] {
            let folder = RelPath::parse(item).ok().and_then(|item| item.parent()).unwrap_or_default();
            self.root.folder(&folder).and_then(rustix::fs::fsync).map_err(fail)?;
        }
        remove_small(&area.tmp, &record).map_err(fail)
    }
}
