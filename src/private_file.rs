//! Files that only their owner can read and that are replaced whole: a reader sees the old one or the new one.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};

/// A file of the state directory as a start finds it.
#[derive(Debug)]
pub enum Stored {
    /// There is none.
    Absent,
    /// It is ours, opened for reading.
    Ours(File, Metadata),
    /// Somebody else made it or may have written to it, for this reason: nothing of it may be believed.
    Foreign(String),
}

/// Opens what an earlier run stored at `path`, and checks that only this user, or the owner of the folder, can have written it.
/// A link is not followed. What others may read or write is closed to them, with a warning.
///
/// # Errors
///
/// When a file is there and cannot be opened.
pub fn open_stored(path: &Path) -> io::Result<Stored> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = match OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Stored::Absent),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => {
            return Ok(Stored::Foreign("it is a link".to_owned()));
        }
        Err(error) => return Err(error),
    };
    let seen = file.metadata()?;
    if !seen.is_file() {
        return Ok(Stored::Foreign("it is no file".to_owned()));
    }
    if seen.nlink() > 1 {
        return Ok(Stored::Foreign("it has a second name".to_owned()));
    }
    let folder =
        fs::metadata(path.parent().filter(|at| !at.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    let us = geteuid().as_raw();
    if seen.uid() != us && seen.uid() != folder.uid() {
        return Ok(Stored::Foreign(format!("it belongs to uid {}, not to uid {us}", seen.uid())));
    }
    if seen.mode() & 0o077 == 0 {
        return Ok(Stored::Ours(file, seen));
    }
    // A folder that others cannot enter protects what is in it.
    let reached = folder.mode() & 0o011 != 0;
    let written = seen.mode() & 0o002 != 0 || seen.mode() & 0o020 != 0 && !is_our_group(seen.gid());
    // Only its owner may; and a file system without permissions shows the same as before.
    let _ = file.set_permissions(Permissions::from_mode(0o600));
    let closed = file.metadata()?;
    if closed.mode() & 0o077 == 0 {
        log::warn!("{} could be read by others; its mode is now 0600", path.display());
        if reached && written {
            return Ok(Stored::Foreign(format!(
                "others could write to it (mode {:o})",
                seen.mode() & 0o7777
            )));
        }
    }
    Ok(Stored::Ours(file, closed))
}

/// Whether the group is one that this process works in, as a pod's is to its volumes.
pub fn is_our_group(gid: u32) -> bool {
    getegid().as_raw() == gid
        || rustix::process::getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == gid))
}

/// A file that is being written beside its final name. Dropped without [`PrivateFile::commit`], it goes away again.
#[derive(Debug)]
pub struct PrivateFile {
    /// `None` once it was committed.
    out: Option<BufWriter<File>>,
    temporary: PathBuf,
    path: PathBuf,
}

impl PrivateFile {
    /// Begins a file, mode 0600, that will replace `path`. Only one at a time is written for each path.
    ///
    /// # Errors
    ///
    /// When the folder takes no new file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut temporary = name.to_owned();
        temporary.push(".new");
        let temporary = path.with_file_name(temporary);
        // What a crash left behind, perhaps with another mode, or a link that somebody put there.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        Ok(Self { out: Some(BufWriter::new(file)), temporary, path: path.to_owned() })
    }

    /// Puts the file in its place.
    ///
    /// It is not synced to the disk: what is written this way can be made again, and a power cut leaves at worst an empty
    /// one, which readers take for none.
    ///
    /// # Errors
    ///
    /// When the last bytes cannot be written; the old file stays then.
    pub fn commit(mut self) -> io::Result<()> {
        if let Some(mut out) = self.out.take() {
            let result = out.flush().and_then(|()| fs::rename(&self.temporary, &self.path));
            if result.is_err() {
                let _ = fs::remove_file(&self.temporary);
            }
            return result;
        }
        Ok(())
    }
}

impl Write for PrivateFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.out {
            Some(out) => out.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        if let Some(out) = self.out.take() {
            // Not flushed: nobody wants it.
            let (_file, _unwritten) = out.into_parts();
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(path: &Path) -> String {
        match open_stored(path).expect("no failure") {
            Stored::Absent => "absent".to_owned(),
            Stored::Ours(..) => "ours".to_owned(),
            Stored::Foreign(why) => why,
        }
    }

    #[test]
    fn what_somebody_else_may_have_written_is_not_believed() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let path = temp.path().join("session.json");
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("mode");
        assert_eq!(says(&path), "absent");
        fs::write(&path, "{}").expect("written");
        for (folder, file, expected) in [
            (0o700, 0o600, "ours"),
            (0o755, 0o644, "ours"),
            // Nobody can reach it.
            (0o700, 0o666, "ours"),
            (0o755, 0o666, "others could write to it (mode 666)"),
            (0o711, 0o602, "others could write to it (mode 602)"),
            // The group is this process's own.
            (0o750, 0o660, "ours"),
        ] {
            mode(temp.path(), folder);
            mode(&path, file);
            assert_eq!(says(&path), expected, "{folder:o} {file:o}");
            assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        }
        fs::hard_link(&path, temp.path().join("second")).expect("linked");
        assert_eq!(says(&path), "it has a second name");
        let link = temp.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        assert_eq!(says(&link), "it is a link");
        assert_eq!(says(temp.path()), "it is no file");
        fs::remove_file(temp.path().join("second")).expect("removed");
        if geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(54321), Some(54321)).expect("given away");
            assert_eq!(says(&path), "it belongs to uid 54321, not to uid 0");
            // The owner of the folder is the one whose state it is.
            std::os::unix::fs::chown(temp.path(), Some(54321), None).expect("given away");
            assert_eq!(says(&path), "ours");
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let path = temp.path().join("status.json");
        fs::write(&path, "old").expect("write");
        fs::write(temp.path().join("status.json.new"), "left by a crash").expect("write");
        let mut file = PrivateFile::create(&path).expect("create");
        file.write_all(b"new").expect("write");
        assert_eq!(fs::read_to_string(&path).expect("read"), "old");
        file.commit().expect("commit");
        assert_eq!(fs::read_to_string(&path).expect("read"), "new");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(temp.path()).expect("read").count(), 1);
    }

    #[test]
    fn one_that_is_dropped_leaves_the_old_one() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let path = temp.path().join("dump");
        fs::write(&path, "old").expect("write");
        let mut file = PrivateFile::create(&path).expect("create");
        file.write_all(b"half").expect("write");
        drop(file);
        assert_eq!(fs::read_to_string(&path).expect("read"), "old");
        assert_eq!(fs::read_dir(temp.path()).expect("read").count(), 1);
    }
}
