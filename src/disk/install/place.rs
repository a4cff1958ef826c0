//! Putting downloads in place (`docs/sync.md` §5).

use std::fs::File;

use rustix::fs::{Mode, OFlags, fsync, openat};
use rustix::io::Errno;

use crate::disk::LocalDisk;
use crate::disk::attributes::{carry, inherit};
use crate::disk::private::area::Area;
use crate::disk::private::small_files::remove_small;
use crate::disk::root::Place;
use crate::disk::seen::{Seen, see, see_open};
use crate::disk::trash::displaced;
use crate::disk::trash::put::Slot;
use crate::engine::ports::{DiskError, Displaced, Ready};
use crate::model::{LocalEntry, LocalKind, LocalStamp, RelPath};

use super::download_record::{Record, Swap, part_name, record_name};

/// A finished download in our hands.
struct Part {
    area: Area,
    /// The download's name; `file_name` is the file's.
    name: String,
    file_name: String,
    file: File,
    /// How the file looked when it was opened.
    seen: Seen,
    /// Of a small download without a record: which one of its name it is.
    number: Option<u64>,
}

impl LocalDisk {
    fn part(&self, ready: &Ready, to: &RelPath) -> Result<Part, DiskError> {
        let (area, name) = self.slot_of(ready)?;
        let file_name = part_name(&name);
        // Before it is opened: another one of its name has another number.
        let number = self.light.number(&name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file =
            File::from(openat(&area.tmp, &*file_name, flags, Mode::empty()).map_err(
                |errno| match errno {
                    Errno::NOENT => DiskError::Changed { path: to.clone() },
                    other => self.fail("place", to, other),
                },
            )?);
        let seen = see_open(&file).map_err(|errno| self.fail("place", to, errno))?;
        if seen.kind != LocalKind::File || seen.size() != ready.size {
            return Err(DiskError::Changed { path: to.clone() });
        }
        Ok(Part { area, name, file_name, file, seen, number })
    }

    /// The same download in the area that its folder has itself, where renames from that of its file system are refused.
    fn part_near(&self, part: Part, folder: &RelPath, to: &RelPath) -> Result<Part, DiskError> {
        let fail = |errno| self.fail("place", to, errno);
        let area = self.bring_near((&part.area.tmp, &part.file_name), &part.file_name, folder, to)?;
        if let Some(mut record) = Record::read(&part.area, &part.name) {
            record.swap = None;
            record.write(&area, &part.name).map_err(fail)?;
        }
        self.light.moved(&part.name, &area);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&area.tmp, &*part.file_name, flags, Mode::empty()).map_err(fail)?);
        // What cannot be removed now is forgotten at the next start.
        let _ = remove_small(&part.area.tmp, &part.file_name);
        let _ = remove_small(&part.area.tmp, &record_name(&part.name));
        let seen = see_open(&file).map_err(fail)?;
        Ok(Part { area, file, seen, ..part })
    }

    pub(in crate::disk) fn put_new(&self, ready: &Ready, to: &RelPath) -> Result<LocalEntry, DiskError> {
        let fail = |errno| self.fail_naming("place", to, errno);
        let place = self.place_of(to)?;
        let mut part = self.part(ready, to)?;
        let mut near = false;
        loop {
            // Its attributes are part of what is durable before it becomes visible.
            let changed = inherit((&part.file, &part.seen), (&place.folder, &place.seen)).map_err(fail)?;
            if let Some(number) = part.number {
                let finished = (&*part.name, number);
                self.settle_light(&part.area, finished, &part.file, changed).map_err(fail)?;
            } else if changed {
                self.count_sync(fsync(&part.file)).map_err(fail)?;
            }
            self.step();
            match self.move_free((&part.area.tmp, &part.file_name), (&place.folder, &place.name)) {
                Err(Errno::XDEV) if !near => {
                    part = self.part_near(part, &to.parent().unwrap_or_default(), to)?;
                    near = true;
                }
                other => {
                    other.map_err(fail)?;
                    break;
                }
            }
        }
        self.step();
        self.is_placed(&part);
        self.placed(&part.file, &part.seen, &place, ready).map_err(fail)
    }

    /// Nothing is left to be remembered of a download. A record without its file is cleared at the next start too.
    fn is_placed(&self, part: &Part) {
        if !self.light.forget(&part.name) {
            let _ = remove_small(&part.area.tmp, &record_name(&part.name));
        }
        self.space.is_done_with(&part.name);
    }

    /// The entry of a file that we have just put in place, whatever happened to it since: where somebody was
    /// quicker than this look, the old stamp stays, and the next scan sees the difference.
    fn placed(&self, file: &File, before: &Seen, place: &Place, ready: &Ready) -> Result<LocalEntry, Errno> {
        let after = see_open(file)?;
        let untouched = after.is_still(&before.stamp(self.root.fs, place.fs, place.traits));
        let mut entry = match untouched {
            true => self.root.entry_of_ours(&after, place.fs, place.traits),
            false => self.root.entry(before, place.fs, place.traits),
        };
        entry.signature = Some(ready.signature).into();
        Ok(entry)
    }

    pub(in crate::disk) fn put_over(
        &self,
        ready: &Ready,
        at: &RelPath,
        stamp: &LocalStamp,
    ) -> Result<(LocalEntry, Displaced), DiskError> {
        let fail = |errno| self.fail("replace", at, errno);
        let place = self.place_of(at)?;
        let old = self.open_planned(&place, at, stamp)?;
        let part = self.part(ready, at)?;
        let folder = at.parent().unwrap_or_default();
        if see_open(&part.area.tmp).map_err(fail)?.fs != place.fs {
            let part = self.part_near(part, &folder, at)?;
            return self.put_part_over(&part, ready, &place, &old, (at, stamp));
        }
        match self.put_part_over(&part, ready, &place, &old, (at, stamp)) {
            Err(error) if error.crosses() => {
                let part = self.part_near(part, &folder, at)?;
                self.put_part_over(&part, ready, &place, &old, (at, stamp))
            }
            other => other,
        }
    }

    fn put_part_over(
        &self,
        part: &Part,
        ready: &Ready,
        place: &Place,
        old: &File,
        (at, stamp): (&RelPath, &LocalStamp),
    ) -> Result<(LocalEntry, Displaced), DiskError> {
        let fail = |errno| self.fail("replace", at, errno);
        carry(old, &part.file).and_then(|()| self.count_sync(fsync(&part.file))).map_err(fail)?;
        self.step();
        let before = see_open(&part.file).map_err(fail)?;
        let mut swap = Swap {
            slot: String::new(),
            target: at.as_str().to_owned(),
            new_inode: before.identity.inode,
            old: (stamp.identity.inode, stamp.size, stamp.mtime.0),
        };
        let slot = match self.swap_in_one_step(part, place, (at, stamp), &mut swap)? {
            Some(slot) => slot,
            None => self.swap_by_hand(part, place, (at, stamp), &mut swap)?,
        };
        self.step();
        let displaced = see(&slot.folder, &*slot.name).map_err(fail)?;
        let as_planned = displaced.kind == LocalKind::File && place.is_after_move(&displaced, stamp);
        if as_planned || self.note_displaced(part, place, &slot, at).is_ok() {
            self.is_placed(part);
        } else {
            // The download's own record tells start-up of it.
            self.space.is_done_with(&part.name);
        }
        self.step();
        let entry = self.placed(&part.file, &before, place, ready).map_err(fail)?;
        Ok((entry, if as_planned { Displaced::AsPlanned } else { Displaced::Changed { slot: slot.text } }))
    }

    /// Somebody was quicker than the replacement: what it displaced is to be brought back, also by the next start. The
    /// replacement is durable before that is noted, else the slot might hold another file after a power cut.
    fn note_displaced(&self, part: &Part, place: &Place, slot: &Slot, at: &RelPath) -> Result<(), Errno> {
        self.make_names_last(place, slot)?;
        displaced::note(&part.area, &slot.text, at)?;
        self.step();
        Ok(())
    }

    /// Makes durable what went to and fro between the drive and a slot. Rare: where somebody was quicker.
    fn make_names_last(&self, place: &Place, slot: &Slot) -> Result<(), Errno> {
        self.count_sync(fsync(&place.folder))?;
        self.count_sync(fsync(&slot.folder))
    }

    /// Notes the replacement beside the download before it begins.
    fn record_swap(&self, part: &Part, swap: &Swap) -> Result<(), Errno> {
        // Without a record nobody could tell later whose file it was.
        let record = Record::read(&part.area, &part.name).or_else(|| self.light.record(&part.name));
        let mut record = record.ok_or(Errno::NOENT)?;
        record.swap = Some(swap.clone());
        record.write(&part.area, &part.name)?;
        self.light.forget(&part.name);
        self.step();
        Ok(())
    }

    /// The replacement is off, and nothing of it is left to undo. A failure leaves a note that start-up finds untrue.
    fn clear_swap(&self, part: &Part) {
        if let Some(mut record) = Record::read(&part.area, &part.name) {
            record.swap = None;
            let _ = record.write(&part.area, &part.name);
        }
    }

    /// Whether the file was edited since it was planned for, and size and modification time were put back. Only the
    /// change time tells, which the replacement itself sets: so it is looked at right before. Any other change shows
    /// afterwards too, when nobody can come in between.
    fn is_forged(&self, place: &Place, stamp: &LocalStamp) -> bool {
        see(&place.folder, &*place.name).is_ok_and(|seen| seen.is_still(stamp) && !seen.is_exactly(stamp))
    }

    /// The new file goes to the slot in the trash and changes places with the old one; `None` when this file system
    /// cannot do that, with everything as before.
    fn swap_in_one_step(
        &self,
        part: &Part,
        place: &Place,
        (at, stamp): (&RelPath, &LocalStamp),
        swap: &mut Swap,
    ) -> Result<Option<Slot>, DiskError> {
        if self.options.force_no_renameat2 || !place.traits.exchange || !place.traits.knows_files() {
            return Ok(None);
        }
        let fail = |errno| self.fail("replace", at, errno);
        let slot = self.put_in_trash(&part.area, at, |slot| {
            swap.slot.clone_from(&slot.text);
            self.record_swap(part, swap)?;
            self.move_free((&part.area.tmp, &part.file_name), (&slot.folder, &slot.name))
        })?;
        self.step();
        let back = || self.move_free((&slot.folder, &slot.name), (&part.area.tmp, &part.file_name));
        if self.is_forged(place, stamp) {
            back().map_err(fail)?;
            self.tidy_slot(&part.area, &slot.text);
            self.clear_swap(part);
            return Err(DiskError::Changed { path: at.clone() });
        }
        match self.exchange_names((&slot.folder, &slot.name), (&place.folder, &place.name)) {
            Some(Ok(())) => Ok(Some(slot)),
            None => {
                back().map_err(fail)?;
                self.tidy_slot(&part.area, &slot.text);
                Ok(None)
            }
            Some(Err(errno)) => {
                back().map_err(fail)?;
                self.tidy_slot(&part.area, &slot.text);
                self.clear_swap(part);
                Err(match errno {
                    Errno::NOENT => DiskError::Changed { path: at.clone() },
                    other => fail(other),
                })
            }
        }
    }

    /// The old file goes to the trash, then the new one takes the free name.
    fn swap_by_hand(
        &self,
        part: &Part,
        place: &Place,
        (at, stamp): (&RelPath, &LocalStamp),
        swap: &mut Swap,
    ) -> Result<Slot, DiskError> {
        let fail = |errno| self.fail("replace", at, errno);
        if self.is_forged(place, stamp) {
            return Err(DiskError::Changed { path: at.clone() });
        }
        let slot = self
            .put_in_trash(&part.area, at, |slot| {
                swap.slot.clone_from(&slot.text);
                self.record_swap(part, swap)?;
                self.move_out((&place.folder, &place.name), (&slot.folder, &slot.name))
            })
            .map_err(|error| match error {
                DiskError::Folder { path } => DiskError::Changed { path },
                other => other,
            })?;
        self.step();
        let placed = self.move_free((&part.area.tmp, &part.file_name), (&place.folder, &place.name));
        let Err(errno) = placed else { return Ok(slot) };
        // The name was taken at once, or the disk refused: the old file comes back, unless a newer one stands there. Then
        // somebody has overwritten it, and the trash keeps it.
        let back = self.move_free((&slot.folder, &slot.name), (&place.folder, &place.name));
        let is_back = back.is_ok() && self.make_names_last(place, &slot).is_ok();
        if back.is_ok() {
            self.tidy_slot(&part.area, &slot.text);
        }
        if errno == Errno::EXIST && back.is_err() || is_back {
            self.clear_swap(part);
        }
        Err(if errno == Errno::EXIST { DiskError::Changed { path: at.clone() } } else { fail(errno) })
    }
}
