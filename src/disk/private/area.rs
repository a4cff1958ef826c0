//! `.icloudds`: our folder at the root of each file system of the drive.

use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::disk::seen::{Seen, open_folder, see, see_open};
use crate::model::RelPath;
use crate::model::name::PRIVATE_FOLDER;

/// The open `.icloudds` of one file system. Its copies share the handles.
#[derive(Clone)]
pub(in crate::disk) struct Area {
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
    pub fn open(root: &OwnedFd, top: RelPath) -> Result<Self, Errno> {
        let folder = open_folder(root, PRIVATE_FOLDER)?;
        let (tmp, trash) = (open_folder(&folder, "tmp")?, open_folder(&folder, "trash")?);
        let seen = [see_open(&folder)?, see_open(&tmp)?, see_open(&trash)?];
        Ok(Self { top, folder: Arc::new(folder), tmp: Arc::new(tmp), trash: Arc::new(trash), seen })
    }

    /// The same, as it looks now; `None` when something else stands in the place of one of the three.
    pub fn still_at(&self, root: &OwnedFd) -> Option<Self> {
        let seen = [
            see(root, PRIVATE_FOLDER).ok()?,
            see(&self.folder, "tmp").ok()?,
            see(&self.folder, "trash").ok()?,
        ];
        let is_same = seen.iter().zip(&self.seen).all(|(now, then)| now.fs == then.fs && now.is(then));
        is_same.then(|| Self { seen, ..self.clone() })
    }
}

/// An open folder of the drive, and how it looked then.
pub(in crate::disk) struct Opened {
    pub handle: OwnedFd,
    pub seen: Seen,
}

/// The path of an area, for messages.
pub(in crate::disk) fn own(top: &RelPath) -> RelPath {
    top.join(PRIVATE_FOLDER).expect("the area's name is a good name")
}
