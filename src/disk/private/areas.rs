//! Which area belongs to which folder of the drive, and making the areas.

use std::sync::PoisonError;

use rustix::io::Errno;

use crate::disk::errors::disk_error;
use crate::disk::seen::{Seen, see_open};
use crate::disk::{LocalDisk, fs_trial};
use crate::engine::ports::DiskError;
use crate::model::RelPath;
use crate::model::name::PRIVATE_FOLDER;

use super::area::{Area, Opened, own};
use super::small_files::{ensure_folder, read_small, write_small};

/// In the root's `tmp`: the mount points inside the drive that have an area of their own, a JSON list.
const MOUNTS: &str = "mounts";

impl LocalDisk {
    /// Makes `.icloudds` with `tmp` and `trash` in the drive's root, for the first time or again, and finds out what holds
    /// on the file systems of the drive.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn prepare(&self) -> Result<(), DiskError> {
        self.ensure_area(RelPath::root())?;
        for area in self.areas() {
            self.find_out_traits(&area);
        }
        Ok(())
    }

    /// Takes what was found out before of the file systems mounted in the drive, for who only looks and tries nothing out.
    pub fn recall_traits(&self) {
        for area in self.areas() {
            self.remember_traits(&area);
        }
    }

    fn find_out_traits(&self, area: &Area) {
        let [_, tmp, _] = area.seen;
        match fs_trial::find_out(area) {
            Ok(traits) => self.root.learn_traits(tmp.fs, traits),
            Err(errno) => {
                log::debug!("cannot find out what the file system keeps: {}", std::io::Error::from(errno));
                self.remember_traits(area);
            }
        }
    }

    /// What was found out of an area's file system before, where anything was.
    pub(in crate::disk) fn remember_traits(&self, area: &Area) {
        if let Some(traits) = fs_trial::remembered(area) {
            let [_, tmp, _] = area.seen;
            self.root.learn_traits(tmp.fs, traits);
        }
    }

    /// What is out of the ordinary with the drive's file system, for the owner; `None` where nothing is.
    pub fn file_system(&self) -> Option<String> {
        self.root.traits_of(self.root.fs, &self.root.handle).told()
    }

    fn ensure_area(&self, top: RelPath) -> Result<Area, DiskError> {
        let make = || {
            match self.area_at(&top) {
                Err(Errno::NOENT) => {}
                other => return other,
            }
            let area = ensure_folder(self.root.folder(&top)?, PRIVATE_FOLDER)?;
            ensure_folder(&area, "tmp")?;
            ensure_folder(&area, "trash")?;
            let area = self.area_at(&top)?;
            if !top.is_root() {
                self.find_out_traits(&area);
            }
            Ok(area)
        };
        // Whatever is wrong here is wrong with our own folder, not with the item.
        let area = make().map_err(|errno| match disk_error("use", &own(&top), errno) {
            DiskError::Folder { path } | DiskError::Taken { path } => DiskError::Io {
                what: "use",
                path,
                source: std::io::Error::new(
                    std::io::ErrorKind::NotADirectory,
                    "it must be a folder of this program's own, not a link or a file",
                ),
            },
            other => other,
        })?;
        self.check_area(&area)?;
        Ok(area)
    }

    /// The area of the file system that `folder` lies on.
    pub(in crate::disk) fn area_of(&self, folder: &RelPath) -> Result<Area, DiskError> {
        Ok(self.area_and_folder(folder)?.0)
    }

    /// As [`LocalDisk::area_of`], with the folder itself.
    pub(in crate::disk) fn area_and_folder(&self, folder: &RelPath) -> Result<(Area, Opened), DiskError> {
        let open = || {
            let handle = self.root.folder(folder)?;
            Ok(Opened { seen: see_open(&handle)?, handle })
        };
        let opened = open().map_err(|errno| disk_error("look at", folder, errno))?;
        Ok((self.area_on(folder, opened.seen)?, opened))
    }

    fn area_on(&self, folder: &RelPath, seen: Seen) -> Result<Area, DiskError> {
        let fail = |errno| disk_error("look at", folder, errno);
        let fs = |path: &RelPath| -> Result<_, Errno> { Ok(see_open(self.root.folder(path)?)?.fs) };
        let here = seen.fs;
        // Where renames from the area of the file system were refused, the one in a folder itself is used from then on.
        let near = self.near.lock().unwrap_or_else(PoisonError::into_inner);
        let nearest =
            near.iter().filter(|near| folder.is_within(near)).max_by_key(|near| near.as_str().len());
        if let Some(nearest) = nearest.cloned()
            && fs(&nearest) == Ok(here)
            && let Ok(area) = self.area_at(&nearest)
        {
            return Ok(area);
        }
        drop(near);
        if here == self.root.fs {
            return self.ensure_area(RelPath::root());
        }
        // The mount point is the highest folder on the way up that is still on that file system.
        let mut top = folder.clone();
        while let Some(parent) = top.parent() {
            if fs(&parent).map_err(fail)? != here {
                break;
            }
            top = parent;
        }
        self.remember_mount(&top)?;
        self.ensure_area(top)
    }

    /// An area in `folder` itself: for what cannot be renamed to and from the one of its file system, as with project quotas.
    pub(in crate::disk) fn own_area(&self, folder: &RelPath) -> Result<Area, DiskError> {
        if !folder.is_root() {
            self.remember_mount(folder)?;
        }
        let area = self.ensure_area(folder.clone())?;
        self.near.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone());
        Ok(area)
    }

    /// The area of that mount point, which exists. That of the root stays open, and is opened anew only where something else
    /// stands in its place; one that stayed open on another volume would keep that from being unmounted.
    pub(in crate::disk) fn area_at(&self, top: &RelPath) -> Result<Area, Errno> {
        if !top.is_root() {
            return Area::open(&self.root.folder(top)?, top.clone());
        }
        let known = self.area.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(area) = known.and_then(|area| area.still_at(&self.root.handle)) {
            return Ok(area);
        }
        let opened = Area::open(&self.root.handle, top.clone());
        *self.area.lock().unwrap_or_else(PoisonError::into_inner) = opened.as_ref().ok().cloned();
        opened
    }

    /// All areas that exist now, the drive's own first.
    pub(in crate::disk) fn areas(&self) -> Vec<Area> {
        let Ok(first) = self.area_at(&RelPath::root()) else { return Vec::new() };
        let mounts = mounts(&first);
        let others = mounts.iter().filter_map(|top| self.area_at(top).ok());
        let others: Vec<Area> = others.collect();
        std::iter::once(first).chain(others).collect()
    }

    fn remember_mount(&self, top: &RelPath) -> Result<(), DiskError> {
        let first = self.ensure_area(RelPath::root())?;
        let mut known = mounts(&first);
        if known.contains(top) {
            return Ok(());
        }
        known.push(top.clone());
        let names: Vec<&str> = known.iter().map(RelPath::as_str).collect();
        let text = serde_json::to_vec(&names).expect("a list of texts has a JSON form");
        write_small(&first.tmp, MOUNTS, &text)
            .map_err(|errno| disk_error("write to", &own(&RelPath::root()), errno))
    }
}

fn mounts(first: &Area) -> Vec<RelPath> {
    let text = read_small(&first.tmp, MOUNTS).ok().flatten().unwrap_or_default();
    let names: Vec<String> = serde_json::from_slice(&text).unwrap_or_default();
    names.iter().filter_map(|name| RelPath::parse(name).ok()).collect()
}
