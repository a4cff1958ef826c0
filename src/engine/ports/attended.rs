//! The disk, with a note of each call that has not come back: a hung mount blocks whoever touches it, and only the note tells where.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Disk, DiskError, Displaced, Download, DownloadKey, FolderReading, Ready, Sink, Source};
use crate::model::{LocalEntry, LocalStamp, RelPath, ServerTime, Signature, Skews};

/// A call to the disk that has not come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// Its number; later calls have greater ones.
    pub serial: u64,
    /// What is done, as in "cannot … PATH".
    pub what: &'static str,
    /// To what.
    pub path: RelPath,
}

/// The calls to the disk that have not come back. No clock is read here: whoever looks at it now and then knows how long it has
/// seen one and the same call.
#[derive(Debug, Default)]
pub struct OpenCalls {
    /// Held for an insertion, a removal or a copy only, never across a call.
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    last: u64,
    /// One for each thread that is at the disk, in no order.
    open: Vec<OpenCall>,
}

impl OpenCalls {
    /// Notes a call that is about to be made, until what is returned is dropped.
    pub fn begins(&self, what: &'static str, path: &RelPath) -> Noted<'_> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.last += 1;
        let serial = calls.last;
        calls.open.push(OpenCall { serial, what, path: path.clone() });
        Noted { calls: self, serial }
    }

    /// The open calls, the oldest first.
    pub fn all(&self) -> Vec<OpenCall> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = calls.open.clone();
        open.sort_by_key(|call| call.serial);
        open
    }
}

/// A call is open until this is dropped.
#[derive(Debug)]
pub struct Noted<'a> {
    calls: &'a OpenCalls,
    serial: u64,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        let mut calls = self.calls.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.open.retain(|call| call.serial != self.serial);
    }
}

/// A disk whose calls are noted. A folder is one call, however many items it holds, and so is each piece of a file's content;
/// what copies whole folders to another file system may take long without being stuck, and is not noted.
pub struct Attended<'a> {
    /// The disk.
    pub disk: &'a dyn Disk,
    /// Where its calls are noted.
    pub calls: Arc<OpenCalls>,
}

impl Disk for Attended<'_> {
    fn check_root(&self) -> Result<(), DiskError> {
        let _noted = self.calls.begins("look at", &RelPath::root());
        self.disk.check_root()
    }

    fn folds_case(&self) -> bool {
        self.disk.folds_case()
    }

    fn skews(&self) -> Skews {
        let _noted = self.calls.begins("compare the clocks of", &RelPath::root());
        self.disk.skews()
    }

    fn mounts(&self) -> Vec<u64> {
        let _noted = self.calls.begins("look at the mounts of", &RelPath::root());
        self.disk.mounts()
    }

    fn read_folder(&self, folder: &RelPath) -> Result<FolderReading, DiskError> {
        let _noted = self.calls.begins("read", folder);
        self.disk.read_folder(folder)
    }

    fn look(&self, path: &RelPath) -> Result<Option<LocalEntry>, DiskError> {
        let _noted = self.calls.begins("look at", path);
        self.disk.look(path)
    }

    fn open(&self, path: &RelPath, stamp: &LocalStamp) -> Result<Box<dyn Source>, DiskError> {
        let _noted = self.calls.begins("open", path);
        let inner = self.disk.open(path, stamp)?;
        Ok(Box::new(AttendedFile { inner, path: path.clone(), calls: Arc::clone(&self.calls) }))
    }

    fn make_folder(&self, path: &RelPath) -> Result<LocalEntry, DiskError> {
        let _noted = self.calls.begins("create", path);
        self.disk.make_folder(path)
    }

    fn download(&self, key: &DownloadKey) -> Result<Box<dyn Download>, DiskError> {
        let _noted = self.calls.begins("begin the download of", &key.path);
        let inner = self.disk.download(key)?;
        Ok(Box::new(AttendedFile { inner, path: key.path.clone(), calls: Arc::clone(&self.calls) }))
    }

    fn place(&self, ready: &Ready, to: &RelPath) -> Result<LocalEntry, DiskError> {
        let _noted = self.calls.begins("put in place", to);
        self.disk.place(ready, to)
    }

    fn replace(
        &self,
        ready: &Ready,
        at: &RelPath,
        stamp: &LocalStamp,
    ) -> Result<(LocalEntry, Displaced), DiskError> {
        let _noted = self.calls.begins("replace", at);
        self.disk.replace(ready, at, stamp)
    }

    fn discard(&self, ready: &Ready) {
        let _noted = self.calls.begins("give up the download of", &ready.path);
        self.disk.discard(ready);
    }

    fn forget_unwanted(&self, is_wanted: &dyn Fn(&DownloadKey) -> bool) {
        let _noted = self.calls.begins("give up downloads in", &RelPath::root());
        self.disk.forget_unwanted(is_wanted);
    }

    fn rescue(&self, slot: &str, to: &RelPath) -> Result<LocalEntry, DiskError> {
        let _noted = self.calls.begins("bring back", to);
        self.disk.rescue(slot, to)
    }

    fn rename(&self, from: &RelPath, to: &RelPath, stamp: &LocalStamp) -> Result<LocalEntry, DiskError> {
        let _noted = self.calls.begins("move", from);
        self.disk.rename(from, to, stamp)
    }

    fn move_across(&self, from: &RelPath, to: &RelPath, stamp: &LocalStamp) -> Result<LocalEntry, DiskError> {
        self.disk.move_across(from, to, stamp)
    }

    fn trash(&self, path: &RelPath, stamp: &LocalStamp) -> Result<(), DiskError> {
        let _noted = self.calls.begins("move to the trash", path);
        self.disk.trash(path, stamp)
    }

    fn sync(&self, files: &[(RelPath, LocalStamp)], folders: &[RelPath]) -> Result<(), DiskError> {
        let root = RelPath::root();
        let first = files.first().map(|(path, _)| path).or(folders.first()).unwrap_or(&root);
        let _noted = self.calls.begins("make durable", first);
        self.disk.sync(files, folders)
    }
}

/// A file, open for reading or a download, whose calls are noted while they last: between them others may take long.
struct AttendedFile<T> {
    inner: T,
    path: RelPath,
    calls: Arc<OpenCalls>,
}

impl Read for AttendedFile<Box<dyn Source>> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let _noted = self.calls.begins("read", &self.path);
        self.inner.read(buffer)
    }
}

impl Source for AttendedFile<Box<dyn Source>> {
    fn finish(self: Box<Self>) -> Result<Signature, DiskError> {
        let _noted = self.calls.begins("read", &self.path);
        self.inner.finish()
    }
}

impl Write for AttendedFile<Box<dyn Download>> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let _noted = self.calls.begins("write", &self.path);
        self.inner.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        let _noted = self.calls.begins("write", &self.path);
        self.inner.flush()
    }
}

impl Sink for AttendedFile<Box<dyn Download>> {
    fn restart(&mut self) -> io::Result<()> {
        let _noted = self.calls.begins("write", &self.path);
        self.inner.restart()
    }
}

impl Download for AttendedFile<Box<dyn Download>> {
    fn offset(&self) -> u64 {
        self.inner.offset()
    }

    fn finish(self: Box<Self>, mtime: Option<ServerTime>) -> Result<Ready, DiskError> {
        let _noted = self.calls.begins("make durable", &self.path);
        self.inner.finish(mtime)
    }
}
