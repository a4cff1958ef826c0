//! The handle of the drive's root, and the way from it to an item.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::model::name::cut;
use crate::model::{FolderState, LocalEntry, LocalKind, LocalStamp, RelPath, SeenAt};

use super::clock_skew::{ClockSkews, now};
use super::fs_traits::FsTraits;
use super::seen::{FOLDER, FsId, Seen, open_folder, see_if_there, see_open};

/// Paths longer than this take several calls: one takes at most 4096 bytes.
const LONGEST_CALL: usize = 3000;

/// Where an item is: an open folder and a name in it.
pub(super) struct Place {
    pub folder: OwnedFd,
    /// How the folder looked when it was opened.
    pub seen: Seen,
    pub fs: FsId,
    pub traits: FsTraits,
    pub name: Box<str>,
}

impl Place {
    /// Whether what was just moved out of here is what `planned` describes. On file systems that number items anew with
    /// each move only size and times can tell.
    pub fn is_after_move(&self, moved: &Seen, planned: &LocalStamp) -> bool {
        let keeps = match moved.kind {
            LocalKind::Folder => self.traits.folders,
            _ => self.traits.files,
        };
        moved.is_still(planned) || (!keeps || self.traits.copies_up) && moved.is_like(planned)
    }

    /// Looks at the item.
    pub fn see(&self) -> Result<Option<Seen>, Errno> {
        see_if_there(&self.folder, &*self.name)
    }
}

/// The open root of the drive.
pub(super) struct Root {
    pub handle: OwnedFd,
    pub directory: PathBuf,
    pub fs: FsId,
    /// Whether the kernel's own resolution cannot be used, and each part is opened by itself.
    walks: AtomicBool,
    /// What holds on the file systems that were met so far. Held for a look or an insertion only.
    traits: RwLock<Vec<(FsId, FsTraits)>>,
    pub clocks: ClockSkews,
}

impl Root {
    /// Opens the configured folder. Links on the way to it are the owner's business.
    pub fn open(directory: &Path, walks: bool) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = openat(CWD, directory, flags, Mode::empty())?;
        let fs = see_open(&handle)?.fs;
        Ok(Self {
            handle,
            directory: directory.to_owned(),
            fs,
            walks: AtomicBool::new(walks),
            traits: RwLock::default(),
            clocks: ClockSkews::default(),
        })
    }

    /// What holds on that file system, of which `handle` is an open folder: as was found out, else as its kind suggests.
    pub fn traits_of(&self, fs: FsId, handle: impl AsFd) -> FsTraits {
        if let Some(known) = self.known_traits(fs) {
            return known;
        }
        let traits = FsTraits::of_kind(handle);
        self.learn_traits(fs, traits);
        traits
    }

    fn known_traits(&self, fs: FsId) -> Option<FsTraits> {
        let known = self.traits.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(known, _)| *known == fs).map(|(_, traits)| *traits)
    }

    /// What was found out of that file system.
    pub fn learn_traits(&self, fs: FsId, traits: FsTraits) {
        let mut known = self.traits.write().unwrap_or_else(PoisonError::into_inner);
        match known.iter_mut().find(|(known, _)| *known == fs) {
            Some((_, known)) => *known = traits,
            None => known.push((fs, traits)),
        }
    }

    /// Opens a folder of the drive; a part that is a symbolic link, or no folder, is an error.
    pub fn folder(&self, path: &RelPath) -> Result<OwnedFd, Errno> {
        if path.is_root() {
            return open_folder(&self.handle, ".");
        }
        if !self.walks.load(Ordering::Relaxed) {
            match self.resolve(path) {
                // Old kernels lack the call, and some containers' filters refuse it.
                Err(Errno::NOSYS | Errno::PERM) => self.walks.store(true, Ordering::Relaxed),
                Err(Errno::AGAIN) => {}
                other => return other,
            }
        }
        let mut folder = open_folder(&self.handle, ".")?;
        for part in path.parts() {
            folder = open_folder(&folder, part)?;
        }
        Ok(folder)
    }

    /// The kernel's own resolution, for a long path in several calls.
    fn resolve(&self, path: &RelPath) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let mut rest = path.as_str();
        let mut folder: Option<OwnedFd> = None;
        loop {
            let start = cut(rest, LONGEST_CALL);
            let (part, more) = if start.len() == rest.len() {
                (rest, None)
            } else {
                // No name is as long as that.
                let end = start.rfind('/').ok_or(Errno::NAMETOOLONG)?;
                (&rest[..end], Some(&rest[end + 1..]))
            };
            let from = folder.as_ref().unwrap_or(&self.handle);
            let opened = openat2(from, part, FOLDER, Mode::empty(), resolve)?;
            match more {
                Some(more) => rest = more,
                None => return Ok(opened),
            }
            folder = Some(opened);
        }
    }

    /// The folder and the name of an item. The root itself is `.` in itself.
    pub fn place(&self, path: &RelPath) -> Result<Place, Errno> {
        let (parent, name) = match path.parent() {
            Some(parent) => (parent, path.name()),
            None => (RelPath::root(), "."),
        };
        let folder = self.folder(&parent)?;
        let seen = see_open(&folder)?;
        let (fs, traits) = (seen.fs, self.traits_of(seen.fs, &folder));
        Ok(Place { folder, seen, fs, traits, name: name.into() })
    }

    /// As [`Root::entry`], of a file that we put there and have not let out of our hands: where a later change always shows, that
    /// it was put there just now leaves no doubt.
    pub fn entry_of_ours(&self, seen: &Seen, parent: FsId, traits: FsTraits) -> LocalEntry {
        let entry = self.entry(seen, parent, traits);
        LocalEntry { racy: entry.racy && !traits.shows_all, ..entry }
    }

    /// What the engine learns of an item of a folder on `parent`, where `traits` hold.
    pub fn entry(&self, seen: &Seen, parent: FsId, traits: FsTraits) -> LocalEntry {
        let stamp = seen.stamp(self.fs, parent, traits);
        LocalEntry {
            kind: seen.kind,
            stamp,
            racy: stamp.is_racy(&SeenAt::new(now(), self.clocks.known())),
            signature: None.into(),
            state: FolderState::Unread,
            holds_unnameable: false,
        }
    }
}
