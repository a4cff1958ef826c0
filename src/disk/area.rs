//! `.icloudds`: our folder at the root of each file system of the drive.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::{Arc, PoisonError};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, fremovexattr, fsync, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::engine::ports::DiskError;
use crate::model::RelPath;

use super::errors::disk_error;
use super::root::{Seen, open_folder, see, see_open};
use super::trust::open_small;
use super::{AREA, LocalDisk, fs_traits};

/// In the root's `tmp`: the mount points inside the drive that have an area of their own, a JSON list.
const MOUNTS: &str = "mounts";

/// Small files of ours are never larger.
pub(super) const SMALL: u64 = 1 << 20;

/// The open `.icloudds` of one file system. Its copies share the handles.
#[derive(Clone)]
pub(super) struct Area {
    /// The mount point inside the drive; the root for the drive's own file system.
    pub top: RelPath,
    /// `.icloudds` itself.
    pub folder: Arc<OwnedFd>,
    pub tmp: Arc<OwnedFd>,
    pub trash: Arc<OwnedFd>,
    /// How the three, in this order, looked when it was asked for.
    pub seen: [Seen; 3],
}

impl Area {
    /// Opens what is there; `NOENT` when something is missing.
    fn open(root: &OwnedFd, top: RelPath) -> Result<Self, Errno> {
        let folder = open_folder(root, AREA)?;
        let (tmp, trash) = (open_folder(&folder, "tmp")?, open_folder(&folder, "trash")?);
        let seen = [see_open(&folder)?, see_open(&tmp)?, see_open(&trash)?];
        Ok(Self { top, folder: Arc::new(folder), tmp: Arc::new(tmp), trash: Arc::new(trash), seen })
    }

    /// The same, as it looks now; `None` when something else stands in the place of one of the three.
    fn still_at(&self, root: &OwnedFd) -> Option<Self> {
        let seen = [see(root, AREA).ok()?, see(&self.folder, "tmp").ok()?, see(&self.folder, "trash").ok()?];
        let is_same = seen.iter().zip(&self.seen).all(|(now, then)| now.fs == then.fs && now.is(then));
        is_same.then(|| Self { seen, ..self.clone() })
    }
}

/// An open folder of the drive, and how it looked then.
pub(super) struct Opened {
    pub handle: OwnedFd,
    pub seen: Seen,
}

/// Makes a folder of ours if it is missing, for us alone, and opens it.
pub(super) fn ensure_folder(parent: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    match mkdirat(&parent, name, Mode::RWXU) {
        Ok(()) => {
            let folder = open_folder(&parent, name)?;
            // Files that are made here must not get a default ACL that is not that of their later folder; a file system
            // without ACLs, or a folder without one, refuses, which is as well.
            let _ = fremovexattr(&folder, "system.posix_acl_default");
            fsync(&parent)?;
            Ok(folder)
        }
        Err(Errno::EXIST) => open_folder(&parent, name),
        Err(errno) => Err(errno),
    }
}

/// Replaces a small file of ours whole, durably.
pub(super) fn write_small(folder: impl AsFd, name: &str, content: &[u8]) -> Result<(), Errno> {
    let new = format!("{name}.new");
    // What a crash left behind, or a second name that somebody gave to another file, must not be written to.
    remove_small(&folder, &new)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(&folder, &*new, flags, Mode::RUSR | Mode::WUSR)?);
    let written = file.write_all(content).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO));
    if let Err(errno) = written.and_then(|()| fsync(&file)) {
        // Half a file is of no use to anybody; what matters is the first error.
        let _ = unlinkat(&folder, &*new, AtFlags::empty());
        return Err(errno);
    }
    renameat(&folder, &*new, &folder, name)?;
    fsync(&folder)
}

/// Reads a small file of ours; `None` when it is not there.
pub(super) fn read_small(folder: impl AsFd, name: &str) -> Result<Option<Vec<u8>>, Errno> {
    let Some((file, _)) = open_small(folder, name)? else { return Ok(None) };
    let mut content = Vec::new();
    let read = file.take(SMALL).read_to_end(&mut content);
    read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(Some(content))
}

/// Removes a file of ours; it may be gone already.
pub(super) fn remove_small(folder: impl AsFd, name: &str) -> Result<(), Errno> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

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

    fn find_out_traits(&self, area: &Area) {
        let [_, tmp, _] = area.seen;
        match fs_traits::find_out(area) {
            Ok(traits) => self.root.learn_traits(tmp.fs, traits),
            Err(errno) => {
                log::debug!("cannot find out what the file system keeps: {}", std::io::Error::from(errno));
                self.remember_traits(area);
            }
        }
    }

    /// What was found out of an area's file system before, where anything was.
    pub(super) fn remember_traits(&self, area: &Area) {
        if let Some(traits) = fs_traits::remembered(area) {
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
            let area = ensure_folder(self.root.folder(&top)?, AREA)?;
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
    pub(super) fn area_of(&self, folder: &RelPath) -> Result<Area, DiskError> {
        Ok(self.area_and_folder(folder)?.0)
    }

    /// As [`LocalDisk::area_of`], with the folder itself.
    pub(super) fn area_and_folder(&self, folder: &RelPath) -> Result<(Area, Opened), DiskError> {
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
    pub(super) fn own_area(&self, folder: &RelPath) -> Result<Area, DiskError> {
        if !folder.is_root() {
            self.remember_mount(folder)?;
        }
        let area = self.ensure_area(folder.clone())?;
        self.near.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone());
        Ok(area)
    }

    /// The area of that mount point, which exists. That of the root stays open, and is opened anew only where something else
    /// stands in its place; one that stayed open on another volume would keep that from being unmounted.
    pub(super) fn area_at(&self, top: &RelPath) -> Result<Area, Errno> {
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
    pub(super) fn areas(&self) -> Vec<Area> {
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

/// The path of an area, for messages.
pub(super) fn own(top: &RelPath) -> RelPath {
    top.join(AREA).expect("the area's name is a good name")
}

fn mounts(first: &Area) -> Vec<RelPath> {
    let text = read_small(&first.tmp, MOUNTS).ok().flatten().unwrap_or_default();
    let names: Vec<String> = serde_json::from_slice(&text).unwrap_or_default();
    names.iter().filter_map(|name| RelPath::parse(name).ok()).collect()
}
