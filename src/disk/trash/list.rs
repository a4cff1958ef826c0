//! What lies in the local trash: listing, restoring, retention (`docs/sync.md` §5, Trash).

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use rustix::fs::{AtFlags, Dir, unlinkat};
use rustix::io::Errno;

use crate::disk::LocalDisk;
use crate::disk::errors::disk_error;
use crate::disk::private::area::Area;
use crate::disk::seen::see_if_there;
use crate::engine::ports::{Disk, DiskError};
use crate::model::name::MAX_NAME_BYTES;
use crate::model::{LocalKind, RelPath, name};

use super::put::{SLOT_TIME, inside_trash};

/// The length of [`SLOT_TIME`] as text.
const TIME_LENGTH: usize = "2026-11-22 10-00-00+0000".len();

/// Younger versions, in seconds, do not go for want of room: what was overwritten wholesale can be brought back that long.
const DAY: i64 = 24 * 60 * 60;

/// One file in the local trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrashItem {
    /// The path that it had.
    pub path: RelPath,
    /// What names this version of it: time, and a number where one second saw several.
    pub version: String,
    /// When it came into the trash, as its name says.
    pub when: Timestamp,
    /// When it came there, or was changed there, as the disk says.
    pub changed: Timestamp,
    /// Bytes.
    pub size: u64,
    /// Opaque name, for [`Disk::rescue`].
    pub slot: String,
}

/// What retention removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The time in a slot's name.
pub(in crate::disk) fn slot_time(name: &str) -> Option<Timestamp> {
    Timestamp::strptime(SLOT_TIME, name.get(..TIME_LENGTH)?).ok()
}

impl LocalDisk {
    /// All files in the trash, oldest first, those of one time by path.
    ///
    /// # Errors
    ///
    /// When the trash cannot be read. Where there is none the list is empty.
    pub fn list_trash(&self) -> Result<Vec<TrashItem>, DiskError> {
        let mut items = Vec::new();
        for area in self.areas() {
            self.check_area(&area)?;
            list_area(&area, &mut items).map_err(|errno| self.fail("read the trash of", &area.top, errno))?;
        }
        items.sort_by(|a, b| (a.when, &a.path, &a.version).cmp(&(b.when, &b.path, &b.version)));
        Ok(items)
    }

    /// Brings a version back, the newest where none is named, to the path it had or, where that is taken, beside it under a
    /// name with the time of the version. Says where it is now; missing folders are made.
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`] when the trash holds no such version.
    pub fn restore(&self, path: &RelPath, version: Option<&str>) -> Result<RelPath, DiskError> {
        let items = self.list_trash()?;
        let item = items
            .iter()
            .rfind(|item| item.path == *path && version.is_none_or(|version| version == item.version))
            .ok_or_else(|| DiskError::Changed { path: path.clone() })?;
        let mut folders: Vec<RelPath> = Vec::new();
        let mut at = path.parent();
        while let Some(folder) = at.filter(|folder| !folder.is_root()) {
            at = folder.parent();
            folders.push(folder);
        }
        for folder in folders.iter().rev() {
            match self.make_folder(folder) {
                Ok(_) | Err(DiskError::Taken { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let mut touched: Vec<RelPath> = folders.iter().filter_map(RelPath::parent).collect();
        touched.push(path.parent().unwrap_or_default());
        for count in 0..1000 {
            let to = if count == 0 { path.clone() } else { beside(path, item.when, count) };
            match self.rescue(&item.slot, &to) {
                Ok(entry) => {
                    self.sync(&[(to.clone(), entry.stamp)], &touched)?;
                    return Ok(to);
                }
                Err(DiskError::Taken { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(DiskError::Taken { path: path.clone() })
    }

    /// Removes what is older than `keep_days`, then the oldest versions until the rest is within `max_size` bytes; 0 is
    /// without limit. What `protected` names stays, and counts; so does what is younger than a day, but for what `keep_days`
    /// says. `age` tells how old a version is at least, in seconds.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn prune(
        &self,
        age: &dyn Fn(&TrashItem) -> i64,
        keep_days: u32,
        max_size: u64,
        protected: &dyn Fn(&TrashItem) -> bool,
    ) -> Result<Pruned, DiskError> {
        let items = self.list_trash()?;
        let mut total: u64 = items.iter().map(|item| item.size).sum();
        let mut pruned = Pruned::default();
        for item in items {
            let age = age(&item);
            let old = keep_days > 0 && age > i64::from(keep_days) * DAY;
            let too_much = max_size > 0 && total > max_size && age > DAY;
            if !(old || too_much) || protected(&item) {
                continue;
            }
            self.remove_version(&item)?;
            total = total.saturating_sub(item.size);
            pruned.files += 1;
            pruned.bytes += item.size;
        }
        Ok(pruned)
    }

    /// The one place of the program that deletes what was somebody's file.
    fn remove_version(&self, item: &TrashItem) -> Result<(), DiskError> {
        let fail = |errno| disk_error("remove from the trash", &item.path, errno);
        let (area, slot) = self.find_slot(&item.slot).map_err(fail)?;
        match unlinkat(&slot.folder, &*slot.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(fail(errno)),
        }
        self.tidy_slot(&area, &item.slot);
        Ok(())
    }
}

fn list_area(area: &Area, items: &mut Vec<TrashItem>) -> Result<(), Errno> {
    let mut folders: Vec<(RelPath, RelPath, String, Timestamp)> = Vec::new();
    for name in names(area, &RelPath::root())? {
        // Whatever else somebody put there is not ours to show, restore or remove.
        let Some(when) = slot_time(&name) else { continue };
        let Ok(inside) = RelPath::root().join(&name) else { continue };
        folders.push((inside, RelPath::root(), name, when));
    }
    while let Some((inside, path, version, when)) = folders.pop() {
        let folder = match inside_trash(area, &inside) {
            // Gone since, or no folder.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
            other => other?,
        };
        for name in names(area, &inside)? {
            let Some(seen) = see_if_there(&folder, &*name)? else { continue };
            let (Ok(inner), Ok(path)) = (inside.join(&name), path.join(&name)) else { continue };
            match seen.kind {
                LocalKind::Folder => folders.push((inner, path, version.clone(), when)),
                LocalKind::File => items.push(TrashItem {
                    path,
                    version: version.clone(),
                    when,
                    changed: seen.changed(),
                    size: seen.size(),
                    slot: format!("{}//{}", area.top.as_str(), inner.as_str()),
                }),
                LocalKind::Special => {}
            }
        }
    }
    Ok(())
}

fn names(area: &Area, inside: &RelPath) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(inside_trash(area, inside)?)? {
        let entry = entry?;
        match entry.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) => names.push(name.to_owned()),
        }
    }
    Ok(names)
}

/// `NAME (from trash 2026-11-22 10-00-00).EXT`, with a number from the second on, within 255 bytes.
pub(in crate::disk) fn beside(path: &RelPath, when: Timestamp, count: u32) -> RelPath {
    let (stem, extension) = name::split_extension(path.name());
    let time = Zoned::new(when, TimeZone::system()).strftime("%Y-%m-%d %H-%M-%S").to_string();
    let number = if count == 1 { String::new() } else { format!(" {count}") };
    let mark = format!(" (from trash {time}{number})");
    // An extension that leaves no room beside the mark is cut with the rest of the name.
    let (stem, end) = match extension {
        Some(extension) if mark.len() + 1 + extension.len() < MAX_NAME_BYTES => {
            (stem, format!("{mark}.{extension}"))
        }
        _ => (path.name(), mark),
    };
    let room = MAX_NAME_BYTES.saturating_sub(end.len());
    let parent = path.parent().unwrap_or_default();
    parent
        .join(&format!("{}{end}", name::cut(stem, room)))
        .expect("parts of a good name and a time make a good name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_beside_fits_a_disk_however_long_its_extension_is() {
        for name in
            ["a.txt".to_owned(), format!("{}.txt", "\u{e4}".repeat(125)), format!("a.{}", "x".repeat(253))]
        {
            let path = RelPath::root().join(&name).expect("a name");
            for count in [1, 999] {
                let beside = beside(&path, Timestamp::UNIX_EPOCH, count);
                assert!(beside.name().len() <= MAX_NAME_BYTES, "{beside}");
                assert!(beside.name().contains(" (from trash 19"), "{beside}");
                assert_eq!(beside.name().ends_with(").txt"), name.ends_with(".txt"), "{beside}");
            }
        }
    }
}
