//! Start-up: finishes or undoes what a crash left half-way.

use rustix::fd::OwnedFd;
use rustix::fs::Dir;
use rustix::io::Errno;

use crate::engine::ports::DiskError;
use crate::model::name::check_name;
use crate::model::{LocalKind, RelPath, name};

use super::LocalDisk;
use super::across::{ACROSS, NEAR};
use super::fs_traits::FsTraits;
use super::install::download_record::{Record, Swap, is_download_name, part_name, record_name};
use super::moves::{PARKED, STEP, Step};
use super::private::area::{Area, own};
use super::private::small_files::{NEW, remove_small};
use super::private::trust::{Ours, Reading};
use super::seen::{see_if_there, see_open};
use super::trash::displaced::{self, DISPLACED, Note};

/// A version that a crash left in the trash though nobody planned to delete it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Opaque name, for [`crate::engine::ports::Disk::rescue`].
    pub slot: String,
    /// The path that it had.
    pub path: RelPath,
}

/// A record that was not acted on: it may be somebody else's, or speaks of what it must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    /// Where it lies.
    pub path: RelPath,
    /// What is wrong with it.
    pub why: String,
}

/// What [`LocalDisk::recover`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Items that were brought to, or back to, their place.
    pub repaired: Vec<RelPath>,
    /// Versions to be rescued under a conflict name.
    pub strays: Vec<Stray>,
    /// Records that were not acted on.
    pub left_alone: Vec<LeftAlone>,
}

impl Recovered {
    fn leave(&mut self, area: &Area, name: &str, why: impl Into<String>) {
        let folder = own(&area.top).join("tmp");
        let path = folder.and_then(|folder| folder.join(name)).unwrap_or_else(|_| own(&area.top));
        self.left_alone.push(LeftAlone { path, why: why.into() });
    }

    /// Two records may speak of one version.
    fn stray(&mut self, slot: String, path: RelPath) {
        if self.strays.iter().all(|stray| stray.slot != slot) {
            self.strays.push(Stray { slot, path });
        }
    }
}

/// The names in a folder of ours that end so, without that end. What cannot be read is looked at next time.
pub(super) fn names_ending(folder: &OwnedFd, end: &str) -> Vec<String> {
    let Ok(entries) = Dir::read_from(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str().ok()?.strip_suffix(end).map(str::to_owned))
        .collect();
    names.sort_unstable();
    names
}

/// Whether a slot that a record speaks of lies in the trash of the record's own area.
fn is_slot_of(area: &Area, slot: &str) -> bool {
    slot.split_once("//").is_some_and(|(top, inside)| {
        top == area.top.as_str() && RelPath::parse(inside).is_ok_and(|inside| inside.parts().count() > 1)
    })
}

impl LocalDisk {
    /// Puts right what a crash left half-way: parked items, second names, replacements. Deletes nothing but our own
    /// records of what is done. Creates nothing where there is no `.icloudds` yet. Records that others may have made are
    /// left alone, and told.
    ///
    /// # Errors
    ///
    /// When the disk refuses, or `.icloudds` is somebody else's; calling again goes on.
    pub fn recover(&self) -> Result<Recovered, DiskError> {
        let mut recovered = Recovered::default();
        for area in self.areas() {
            let ours = self.close_area(&area)?;
            for name in names_ending(&area.tmp, STEP) {
                self.recover_step(&area, &format!("{name}{STEP}"), ours, &mut recovered)?;
            }
            for name in names_ending(&area.tmp, &format!("{STEP}{NEW}")) {
                // A record that was not written whole: the one before it counts.
                remove_small(&area.tmp, &format!("{name}{STEP}{NEW}"))
                    .map_err(|errno| self.fail("repair", &own(&area.top), errno))?;
            }
            for name in names_ending(&area.tmp, DISPLACED) {
                self.recover_displaced(&area, &format!("{name}{DISPLACED}"), ours, &mut recovered)?;
            }
            for name in names_ending(&area.tmp, NEAR) {
                // A copy whose original is where it was.
                remove_small(&area.tmp, &format!("{name}{NEAR}"))
                    .map_err(|errno| self.fail("repair", &own(&area.top), errno))?;
            }
            for name in names_ending(&area.tmp, ".json") {
                self.recover_download(&area, &name, ours, &mut recovered)?;
            }
            Self::clear_light(&area, ours).map_err(|errno| self.fail("repair", &own(&area.top), errno))?;
        }
        Ok(recovered)
    }

    /// A path that a record speaks of: one of an item of the drive, never of ours.
    fn path_in_record(&self, text: &str) -> Option<RelPath> {
        RelPath::parse(text).ok().filter(|path| self.permit(path).is_ok())
    }

    /// What a record says, where there is one. Somebody else's is told and left alone.
    fn record_of_ours(
        &self,
        area: &Area,
        record: &str,
        ours: Ours,
        recovered: &mut Recovered,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        let reading = Self::read_record(area, record, ours);
        match reading.map_err(|errno| self.fail("repair", &own(&area.top), errno))? {
            Reading::Absent => Ok(None),
            Reading::Text(text) => Ok(Some(text)),
            Reading::Foreign(why) => {
                recovered.leave(area, record, why);
                Ok(None)
            }
        }
    }

    fn recover_step(
        &self,
        area: &Area,
        record: &str,
        ours: Ours,
        recovered: &mut Recovered,
    ) -> Result<(), DiskError> {
        let fail = |errno| self.fail("repair", &own(&area.top), errno);
        let Some(text) = self.record_of_ours(area, record, ours, recovered)? else { return Ok(()) };
        match serde_json::from_slice(&text) {
            Ok(Step::Parked { park, home, goal }) => {
                let (Some(home), Some(goal)) = (self.path_in_record(&home), self.path_in_record(&goal))
                else {
                    recovered.leave(area, record, "it speaks of a path that no item has");
                    return Ok(());
                };
                if check_name(&park).is_err() || !park.ends_with(PARKED) {
                    recovered.leave(area, record, "what it calls parked is no name of this program's");
                    return Ok(());
                }
                if see_if_there(&area.tmp, &*park).map_err(fail)?.is_some() {
                    if let Some(Stray { slot, path }) = self.settle_parked(area, &park, &home, &goal)? {
                        recovered.stray(slot, path);
                    }
                    recovered.repaired.push(home);
                }
            }
            Ok(Step::Linked { from, to }) => {
                let (Some(from), Some(to)) = (self.path_in_record(&from), self.path_in_record(&to)) else {
                    recovered.leave(area, record, "it speaks of a path that no item has");
                    return Ok(());
                };
                if self.unlink_old_name(&from, &to).map_err(fail)? {
                    recovered.repaired.push(to);
                }
            }
            Ok(Step::Across { part, from, to, original, copy, began }) => {
                let (Some(home), Some(goal)) = (self.path_in_record(&from), self.path_in_record(&to)) else {
                    recovered.leave(area, record, "it speaks of a path that no item has");
                    return Ok(());
                };
                if check_name(&part).is_err() || !part.ends_with(ACROSS) {
                    recovered.leave(area, record, "what it calls a copy is no name of this program's");
                    return Ok(());
                }
                let step = Step::Across { part, from, to, original, copy, began };
                if self.recover_across(area, &step, (&home, &goal))? {
                    recovered.repaired.push(goal);
                }
            }
            // A record that is not whole was written before anything was done.
            Err(_) => {}
        }
        remove_small(&area.tmp, record).map_err(fail)
    }

    /// Takes the old name off a file that has both; says whether it did.
    fn unlink_old_name(&self, from: &RelPath, to: &RelPath) -> Result<bool, Errno> {
        let (Ok(old), Ok(new)) = (self.root.place(from), self.root.place(to)) else { return Ok(false) };
        let (Some(one), Some(other)) = (old.see()?, new.see()?) else { return Ok(false) };
        // Where the file system takes both for one name there is nothing to take off.
        let one_name = see_open(&old.folder)?.is(&see_open(&new.folder)?)
            && name::key(&old.name, true) == name::key(&new.name, true);
        if one_name
            || one.kind != LocalKind::File
            || one.links < 2
            || !(one.is(&other) || !old.traits.files && one.looks_like(&other))
        {
            return Ok(false);
        }
        rustix::fs::unlinkat(&old.folder, &*old.name, rustix::fs::AtFlags::empty())?;
        rustix::fs::fsync(&old.folder)?;
        Ok(true)
    }

    /// A version that is still to be brought back; the note of one that was goes.
    fn recover_displaced(
        &self,
        area: &Area,
        record: &str,
        ours: Ours,
        recovered: &mut Recovered,
    ) -> Result<(), DiskError> {
        let fail = |errno| self.fail("repair", &own(&area.top), errno);
        let Some(text) = self.record_of_ours(area, record, ours, recovered)? else { return Ok(()) };
        // One that is not whole was written while the download's own record stood.
        if let Ok(note) = serde_json::from_slice::<Note>(&text) {
            let Some(path) = self.path_in_record(&note.path).filter(|_| is_slot_of(area, &note.slot)) else {
                recovered.leave(area, record, "it speaks of a path that no item has");
                return Ok(());
            };
            let slot = self.find_slot(&note.slot).ok();
            let seen = slot.map(|(_, slot)| see_if_there(&slot.folder, &*slot.name)).transpose();
            if seen.map_err(fail)?.flatten().is_some() {
                recovered.stray(note.slot, path);
                return Ok(());
            }
        }
        remove_small(&area.tmp, record).map_err(fail)
    }

    /// Brings a parked item to its goal, else home, else to the trash, whence it must be rescued.
    pub(super) fn settle_parked(
        &self,
        area: &Area,
        park: &str,
        home: &RelPath,
        goal: &RelPath,
    ) -> Result<Option<Stray>, DiskError> {
        for path in [goal, home] {
            let Ok(place) = self.root.place(path) else { continue };
            // Else it is gone already, or the place is not free.
            if self.move_free((&area.tmp, park), (&place.folder, &place.name)).is_ok() {
                rustix::fs::fsync(&place.folder).map_err(|errno| self.fail("sync", path, errno))?;
                return Ok(None);
            }
        }
        if see_if_there(&area.tmp, park).map_err(|errno| self.fail("repair", home, errno))?.is_none() {
            return Ok(None);
        }
        let slot = self.put_in_trash(area, home, |slot| {
            displaced::note(area, &slot.text, home)?;
            let moved = self.move_free((&area.tmp, park), (&slot.folder, &slot.name));
            if moved.is_err() {
                displaced::forget(area, &slot.text)?;
            }
            moved
        })?;
        Ok(Some(Stray { slot: slot.text, path: home.clone() }))
    }

    fn recover_download(
        &self,
        area: &Area,
        name: &str,
        ours: Ours,
        recovered: &mut Recovered,
    ) -> Result<(), DiskError> {
        let fail = |errno| self.fail("repair", &own(&area.top), errno);
        let Some(text) = self.record_of_ours(area, &record_name(name), ours, recovered)? else {
            return Ok(());
        };
        if !is_download_name(name) {
            recovered.leave(area, &record_name(name), "it has no name of this program's");
            return Ok(());
        }
        // One that is not whole was written before anything was done.
        let Some(mut record) = Record::parse(&text) else { return Ok(()) };
        let swap = record.swap.take();
        if let Some(swap) = &swap {
            if self.path_in_record(&swap.target).is_none() || !is_slot_of(area, &swap.slot) {
                recovered.leave(area, &record_name(name), "it speaks of a path that no item has");
                return Ok(());
            }
            self.recover_swap(area, name, swap, recovered)?;
        }
        match see_if_there(&area.tmp, &*part_name(name)).map_err(fail)? {
            Some(part) if part.links < 2 && swap.is_none() => Ok(()),
            Some(part) if part.links < 2 => record.write(area, name).map_err(fail),
            // Put in place before the crash: this name and the record are what is left of it.
            Some(_) => remove_small(&area.tmp, &part_name(name))
                .and_then(|()| remove_small(&area.tmp, &record_name(name)))
                .map_err(fail),
            None => remove_small(&area.tmp, &record_name(name)).map_err(fail),
        }
    }

    /// Undoes a replacement that had not happened, and finds the displaced version of one that had.
    fn recover_swap(
        &self,
        area: &Area,
        name: &str,
        swap: &Swap,
        recovered: &mut Recovered,
    ) -> Result<(), DiskError> {
        let Ok(target) = RelPath::parse(&swap.target) else { return Ok(()) };
        let fail = |errno| self.fail("repair", &target, errno);
        // No slot: nothing was moved yet.
        let Ok((_, slot)) = self.find_slot(&swap.slot) else { return Ok(()) };
        let Some(seen) = see_if_there(&slot.folder, &*slot.name).map_err(fail)? else { return Ok(()) };
        let part = part_name(name);
        let has_part = see_if_there(&area.tmp, &*part).map_err(fail)?.is_some();
        let slot_name = (&slot.folder, &*slot.name);
        if seen.identity.inode == swap.new_inode && !has_part {
            // The new file waits where the old one was to come.
            self.move_free(slot_name, (&area.tmp, &part)).map_err(fail)?;
            self.tidy_slot(area, &slot.text);
            return Ok(());
        }
        if has_part && let Ok(place) = self.root.place(&target) {
            // The old file is in the trash and the new one has not come.
            match self.move_free(slot_name, (&place.folder, &place.name)) {
                Ok(()) => {
                    rustix::fs::fsync(&place.folder).map_err(fail)?;
                    self.tidy_slot(area, &slot.text);
                    recovered.repaired.push(target);
                    return Ok(());
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(fail(errno)),
            }
        }
        let stamp = seen.stamp(self.root.fs, seen.fs, FsTraits::default());
        // Where inode numbers say nothing none was noted.
        let inode = if swap.old.0 == 0 { 0 } else { stamp.identity.inode };
        if (inode, stamp.size, stamp.mtime.0) != swap.old {
            // The download's record goes now.
            displaced::note(area, &slot.text, &target).map_err(fail)?;
            recovered.stray(slot.text, target);
        }
        Ok(())
    }
}
