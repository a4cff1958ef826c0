//! Files that only their owner can read and that are replaced whole: a reader sees the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

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
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

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
