//! The local trash: `.icloudds/trash/TIME/PATH`, on the file system of what is in it.

use jiff::Zoned;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, fsync, unlinkat};
use rustix::io::Errno;

use crate::disk::LocalDisk;
use crate::disk::across::NEAR;
use crate::disk::private::area::Area;
use crate::disk::private::small_files::{ensure_folder, unique};
use crate::disk::root::Place;
use crate::disk::seen::{open_folder, see};
use crate::engine::ports::DiskError;
use crate::model::{LocalEntry, LocalKind, LocalStamp, RelPath};

use super::displaced;

/// The form of the time in a slot's name: local time and its offset, without characters that a disk may forbid.
pub(in crate::disk) const SLOT_TIME: &str = "%Y-%m-%d %H-%M-%S%z";

/// More slots of one second than this mean that something else is wrong.
const MOST_SLOTS: u32 = 10_000;

/// A place in the trash.
pub(in crate::disk) struct Slot {
    pub folder: OwnedFd,
    pub name: Box<str>,
    /// As the engine holds it: the area's mount point, `//`, and the path inside its trash.
    pub text: String,
}

/// Opens a folder inside the trash.
pub(in crate::disk) fn inside_trash(area: &Area, path: &RelPath) -> Result<OwnedFd, Errno> {
    path.parts().try_fold(open_folder(&area.trash, ".")?, |folder, part| open_folder(&folder, part))
}

/// Whether an empty folder may be removed together with this (`docs/contract.md`, Filter: built in).
pub(in crate::disk) fn is_junk(name: &str) -> bool {
    name.contains(".DS_Store") || name.contains(".com-apple-bird")
}

impl LocalDisk {
    /// Finds a slot for the item of that path and has `put` move it there. `put` answers `EXIST` when the slot is taken.
    pub(in crate::disk) fn put_in_trash(
        &self,
        area: &Area,
        path: &RelPath,
        mut put: impl FnMut(&Slot) -> Result<(), Errno>,
    ) -> Result<Slot, DiskError> {
        let fail = |errno| self.fail("move to the trash", path, errno);
        let time = Zoned::now().strftime(SLOT_TIME).to_string();
        for count in 1..MOST_SLOTS {
            let top = if count == 1 { time.clone() } else { format!("{time} {count}") };
            let slot = match self.slot(area, &top, path) {
                // A file of that second stands where a folder is needed.
                Err(Errno::NOTDIR | Errno::LOOP) => continue,
                other => other.map_err(fail)?,
            };
            match put(&slot) {
                Ok(()) => return Ok(slot),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(fail(errno)),
            }
        }
        Err(fail(Errno::EXIST))
    }

    /// As [`LocalDisk::put_in_trash`], in the area of the folder's file system or, where that is refused, in one of the folder's own.
    fn put_in_trash_near(
        &self,
        folder: &RelPath,
        path: &RelPath,
        mut put: impl FnMut(&Slot) -> Result<(), Errno>,
    ) -> Result<Slot, DiskError> {
        match self.put_in_trash(&self.area_of(folder)?, path, &mut put) {
            Err(error) if error.crosses() => self.put_in_trash(&self.own_area(folder)?, path, &mut put),
            other => other,
        }
    }

    fn slot(&self, area: &Area, top: &str, path: &RelPath) -> Result<Slot, Errno> {
        let mut folder = ensure_folder(&area.trash, top)?;
        let mut inside = top.to_owned();
        let parent = path.parent().unwrap_or_default();
        for part in parent.parts() {
            folder = ensure_folder(&folder, part)?;
            inside = format!("{inside}/{part}");
        }
        self.unsynced.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert((
            area.top.clone(),
            inside.clone(),
            path.name().into(),
        ));
        Ok(Slot {
            folder,
            name: path.name().into(),
            text: format!("{}//{inside}/{}", area.top.as_str(), path.name()),
        })
    }

    /// Opens the folder of a slot that was given out before.
    pub(in crate::disk) fn find_slot(&self, text: &str) -> Result<(Area, Slot), Errno> {
        let (top, inside) = text.split_once("//").ok_or(Errno::NOENT)?;
        let area = self.area_at(&RelPath::parse(top).map_err(|_| Errno::NOENT)?)?;
        let inside = RelPath::parse(inside).map_err(|_| Errno::NOENT)?;
        let folder = inside_trash(&area, &inside.parent().unwrap_or_default())?;
        Ok((area, Slot { folder, name: inside.name().into(), text: text.to_owned() }))
    }

    pub(in crate::disk) fn throw_away(&self, path: &RelPath, stamp: &LocalStamp) -> Result<(), DiskError> {
        let place = self.place_of(path)?;
        let seen = self.seen_at(&place, path)?;
        match seen.kind {
            LocalKind::File if seen.is_exactly(stamp) => self.throw_file_away(&place, path, stamp),
            LocalKind::Folder if seen.is_still(stamp) => self.remove_folder(&place, path, stamp),
            _ => Err(DiskError::Changed { path: path.clone() }),
        }
    }

    fn throw_file_away(&self, place: &Place, path: &RelPath, stamp: &LocalStamp) -> Result<(), DiskError> {
        let folder = path.parent().unwrap_or_default();
        let from = (&place.folder, &*place.name);
        let slot = self
            .put_in_trash_near(&folder, path, |slot| self.move_out(from, (&slot.folder, &slot.name)))
            .map_err(|error| match error {
                DiskError::Folder { path } => DiskError::Changed { path },
                other => other,
            })?;
        self.step();
        let gone = see(&slot.folder, &*slot.name).map_err(|errno| self.fail("look at", path, errno))?;
        if gone.kind == LocalKind::File && place.is_after_move(&gone, stamp) {
            return Ok(());
        }
        // Somebody wrote it between the look and the move; where its name is taken by now, the trash keeps it.
        if self.move_free((&slot.folder, &slot.name), from).is_ok() {
            // Else a power cut might keep the first of the two moves alone. What fails here fails in the next sync too.
            let _ = fsync(&place.folder).and_then(|()| fsync(&slot.folder));
        }
        Err(DiskError::Changed { path: path.clone() })
    }

    fn remove_folder(&self, place: &Place, path: &RelPath, stamp: &LocalStamp) -> Result<(), DiskError> {
        let fail = |errno| self.fail("remove", path, errno);
        let full = || DiskError::Folder { path: path.clone() };
        let folder = open_folder(&place.folder, &*place.name).map_err(fail)?;
        let opened = crate::disk::seen::see_open(&folder).map_err(fail)?;
        if !opened.is_still(stamp) {
            return Err(DiskError::Changed { path: path.clone() });
        }
        let mut junk = Vec::new();
        for entry in Dir::read_from(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let bytes = entry.file_name().to_bytes();
            if matches!(bytes, b"." | b"..") {
                continue;
            }
            let name = entry.file_name().to_str().ok().filter(|name| is_junk(name)).ok_or_else(full)?;
            if see(&folder, name).map_err(fail)?.kind != LocalKind::File {
                return Err(full());
            }
            junk.push(path.join(name).map_err(|_| full())?);
        }
        if !junk.is_empty() {
            for item in &junk {
                let from = (&folder, item.name());
                // Not in the folder itself, which is to go.
                let near = path.parent().unwrap_or_default();
                self.put_in_trash_near(&near, item, |slot| self.move_out(from, (&slot.folder, &slot.name)))?;
                self.step();
            }
        }
        unlinkat(&place.folder, &*place.name, AtFlags::REMOVEDIR).map_err(fail)?;
        self.step();
        Ok(())
    }

    pub(in crate::disk) fn bring_back(&self, slot: &str, to: &RelPath) -> Result<LocalEntry, DiskError> {
        let fail = |errno| self.fail_naming("bring back", to, errno);
        let place = self.place_of(to)?;
        let (area, slot) = self.find_slot(slot).map_err(fail)?;
        match self.move_free((&slot.folder, &slot.name), (&place.folder, &place.name)) {
            Err(Errno::XDEV) => {
                let name = format!("{}{NEAR}", unique());
                let folder = to.parent().unwrap_or_default();
                let near = self.bring_near((&slot.folder, &slot.name), &name, &folder, to)?;
                self.move_free((&near.tmp, &name), (&place.folder, &place.name)).map_err(fail)?;
                fsync(&place.folder).map_err(fail)?;
                unlinkat(&slot.folder, &*slot.name, AtFlags::empty()).map_err(fail)?;
            }
            other => other.map_err(fail)?,
        }
        self.step();
        if displaced::is_noted(&area, &slot.text).map_err(fail)? {
            // It stands there for good before nobody knows of it any more.
            fsync(&place.folder).and_then(|()| fsync(&slot.folder)).map_err(fail)?;
            displaced::forget(&area, &slot.text).map_err(fail)?;
            self.step();
        }
        self.tidy_slot(&area, &slot.text);
        self.entry_at(&place, to)
    }

    /// Removes the folders of a slot that are empty now, from the inside out.
    pub(in crate::disk) fn tidy_slot(&self, area: &Area, text: &str) {
        let Some((_, inside)) = text.split_once("//") else { return };
        let mut at = RelPath::parse(inside).ok().and_then(|path| path.parent());
        while let Some(folder) = at.filter(|folder| !folder.is_root()) {
            let parent = folder.parent().unwrap_or_default();
            let Ok(opened) = inside_trash(area, &parent) else { return };
            if unlinkat(&opened, folder.name(), AtFlags::REMOVEDIR).is_err() {
                return;
            }
            at = Some(parent);
        }
    }
}
