//! Whose drive this is, by the marker `.icloudds/id` (`docs/sync.md` §8, Right folder).

use rustix::fs::stat;
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::disk::errors::disk_error;
use crate::disk::seen::{open_folder, see_open};
use crate::disk::{LocalDisk, Marker, OpenError};
use crate::engine::ports::DiskError;
use crate::model::name::PRIVATE_FOLDER;
use crate::model::{LocalKind, RelPath};

use super::area::own;
use super::small_files::{open_small, read_small, write_small};

/// The marker's name.
const ID: &str = "id";

impl LocalDisk {
    /// Reads the marker through the root's handle; `None` when there is none. Creates nothing.
    ///
    /// # Errors
    ///
    /// [`DiskError::WrongRoot`] when it cannot be read or understood.
    pub fn read_marker(&self) -> Result<Option<Marker>, DiskError> {
        let wrong = |reason: String| {
            DiskError::WrongRoot(format!(
                "cannot read {}/{PRIVATE_FOLDER}/{ID}: {reason}",
                self.root.directory.display()
            ))
        };
        let system = |errno: Errno| match errno {
            Errno::MFILE | Errno::NFILE | Errno::NOMEM => disk_error("read", &own(&RelPath::root()), errno),
            errno => wrong(std::io::Error::from(errno).to_string()),
        };
        let area = match open_folder(&self.root.handle, PRIVATE_FOLDER) {
            Err(Errno::NOENT) => return Ok(None),
            other => other.map_err(system)?,
        };
        let Some((_, seen)) = open_small(&area, ID).map_err(system)? else { return Ok(None) };
        // The folder's owner decides what the folder is, and so do we. Everybody else who may write to it does not.
        let (us, owner) = (geteuid().as_raw(), see_open(&self.root.handle).map_err(system)?.uid);
        if seen.kind != LocalKind::File || seen.uid != us && seen.uid != owner {
            return Err(wrong(format!(
                "it belongs to uid {}, neither to uid {us} that icloudds runs as nor to the folder's owner; where nobody \
                 knows it, remove it",
                seen.uid
            )));
        }
        let Some(text) = read_small(&area, ID).map_err(system)? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).map_err(|error| wrong(error.to_string()))
    }

    /// Marks the drive as this state's, durably, and expects that marker from now on. Makes `.icloudds`.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn write_marker(&mut self, marker: &Marker) -> Result<(), DiskError> {
        self.prepare()?;
        let text = serde_json::to_vec(marker).expect("three texts have a JSON form");
        open_folder(&self.root.handle, PRIVATE_FOLDER)
            .and_then(|area| write_small(area, ID, &text))
            .map_err(|errno| disk_error("write to", &own(&RelPath::root()), errno))?;
        self.expect_marker(marker.clone());
        Ok(())
    }

    /// From now on the root is only right with that marker.
    pub fn expect_marker(&mut self, marker: Marker) {
        self.expected = Some(marker);
    }

    /// [`crate::engine::ports::Disk::check_root`].
    pub(in crate::disk) fn root_is_right(&self) -> Result<(), DiskError> {
        let directory = self.root.directory.display();
        let gone = |errno: Errno| match errno {
            // That this machine, or this program, is out of something says nothing of the folder.
            Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INTR | Errno::AGAIN => {
                disk_error("look at", &RelPath::root(), errno)
            }
            _ => DiskError::WrongRoot(format!(
                "the directory {directory} is gone: {} (is its volume mounted?)",
                std::io::Error::from(errno)
            )),
        };
        let held = rustix::fs::fstat(&self.root.handle).map_err(gone)?;
        let found = stat(&self.root.directory).map_err(gone)?;
        if (held.st_dev, held.st_ino) != (found.st_dev, found.st_ino) {
            return Err(DiskError::WrongRoot(format!(
                "the directory {directory} is not the one that was opened: another folder or volume is there now"
            )));
        }
        // Removed, though something with the same inode number may stand at the path.
        if see_open(&self.root.handle).map_err(gone)?.links == 0 {
            return Err(gone(Errno::NOENT));
        }
        // As after an error of the disk, when the kernel lets nobody write any more. A volume inside is told item by item.
        if self.is_read_only() {
            return Err(DiskError::WrongRoot(OpenError::ReadOnly(self.root.directory.clone()).to_string()));
        }
        let Some(expected) = &self.expected else { return Ok(()) };
        match self.read_marker()? {
            Some(marker) if marker == *expected => Ok(()),
            Some(_) => Err(DiskError::WrongRoot(format!(
                "the directory {directory} belongs to another state: its {PRIVATE_FOLDER}/{ID} differs (is the right volume mounted?)"
            ))),
            None => Err(DiskError::WrongRoot(format!(
                "the directory {directory} has no {PRIVATE_FOLDER}/{ID} though this state has synced it before (is its volume mounted?)"
            ))),
        }
    }
}
