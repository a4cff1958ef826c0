//! The socket's place in the file system: private from the first moment, replaced only when nobody listens.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::ControlError;
use crate::config::{SOCKET_NAME, SOCKET_PATH_BYTES};

/// A private folder in which the socket is made before it gets its name. Shorter than [`SOCKET_NAME`] with what is in
/// it, so that it fits where that fits.
const NURSERY: &str = ".bind";

/// Where the socket of `state_directory` is.
///
/// # Errors
///
/// [`ControlError::TooLong`].
pub(super) fn path_in(state_directory: &Path) -> Result<PathBuf, ControlError> {
    let path = state_directory.join(SOCKET_NAME);
    if path.as_os_str().len() > SOCKET_PATH_BYTES {
        return Err(ControlError::TooLong { path, limit: SOCKET_PATH_BYTES });
    }
    Ok(path)
}

/// A socket that listens under its name, which goes with it.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: UnixListener,
    path: PathBuf,
    identity: (u64, u64),
}

impl Bound {
    /// Listens in `state_directory`; the caller holds the state's lock. A socket that nobody answers at is replaced.
    ///
    /// The umask, which belongs to all threads, is left alone: the socket is made in a folder that only the owner can
    /// enter, restricted there, and then renamed into place.
    pub(super) fn new(state_directory: &Path) -> Result<Self, ControlError> {
        let path = path_in(state_directory)?;
        clear(&path)?;
        let nursery = state_directory.join(NURSERY);
        let born = nursery.join("s");
        let io = |what| {
            let path = path.clone();
            move |source| ControlError::Io { what, path, source }
        };
        match fs::remove_dir_all(&nursery) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io("prepare")(error)),
            _ => {}
        }
        fs::DirBuilder::new().mode(0o700).create(&nursery).map_err(io("prepare"))?;
        let listener = UnixListener::bind(&born).map_err(io("listen at"))?;
        fs::set_permissions(&born, fs::Permissions::from_mode(0o600)).map_err(io("protect"))?;
        let made = fs::symlink_metadata(&born).map_err(io("look at"))?;
        fs::rename(&born, &path).map_err(io("put in place"))?;
        // What is left is an empty folder of ours, and harmless.
        let _ = fs::remove_dir(&nursery);
        listener.set_nonblocking(true).map_err(io("listen at"))?;
        Ok(Self { listener, path, identity: (made.dev(), made.ino()) })
    }

    /// Listens anew where somebody took the socket away. What stands in its place instead is left alone.
    pub(super) fn stay(&mut self) {
        let is_gone =
            fs::symlink_metadata(&self.path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let Some(directory) = self.path.parent().filter(|_| is_gone) else { return };
        match Self::new(directory) {
            Ok(bound) => {
                log::warn!("somebody removed {}; it is there again", bound.path.display());
                *self = bound;
            }
            Err(error) => log::debug!("the control socket is gone, and cannot be made anew: {error}"),
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Only our own: a successor may have put another in its place.
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if ours {
            // A socket left behind is replaced by the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes sure that nothing but a dead socket has the name.
fn clear(path: &Path) -> Result<(), ControlError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(ControlError::Io { what: "look at", path: path.to_owned(), source }),
        Ok(found) if !found.file_type().is_socket() => Err(ControlError::InTheWay { path: path.to_owned() }),
        Ok(_) => match UnixStream::connect(path) {
            // Cannot be while the lock is held, unless the lock does not work on this file system.
            Ok(_) => Err(ControlError::InUse { path: path.to_owned() }),
            Err(_) => Ok(()),
        },
    }
}
