//! The disk on real file systems.

mod across;
mod crashes;
mod downloads;
mod durable;
mod forged;
mod light;
mod locking;
mod moving;
mod opening;
mod reading;
mod replacing;
mod scanning;
mod trashing;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Hasher, LocalDisk, Options};
use crate::engine::ports::{Disk, DownloadKey, Ready};
use crate::model::{Etag, ItemId, LocalStamp, RelPath, ServerTime, Signature};

/// What a crash test throws.
pub(super) struct Crash;

/// A drive in a temporary folder.
pub(super) struct Drive {
    folder: TempDir,
    pub disk: LocalDisk,
}

impl Drive {
    pub fn new() -> Self {
        Self::with(Options { writes: true, ..Options::default() })
    }

    /// One that keeps a record beside each download, as for large files.
    pub fn recording() -> Self {
        Self::with(Options { writes: true, force_records: true, ..Options::default() })
    }

    pub fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = LocalDisk::open(folder.path(), options).unwrap();
        disk.prepare().unwrap();
        Self { folder, disk }
    }

    /// One drive for each way of resolving and renaming.
    pub fn each_way() -> Vec<Self> {
        [(false, false), (true, true)]
            .map(|(force_no_renameat2, force_component_walk)| {
                Self::with(Options {
                    writes: true,
                    force_no_renameat2,
                    force_component_walk,
                    ..Options::default()
                })
            })
            .into()
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn full(&self, at: &str) -> PathBuf {
        self.root().join(at)
    }

    pub fn write(&self, at: &str, content: &str) -> LocalStamp {
        fs::write(self.full(at), content).unwrap();
        self.stamp(at)
    }

    pub fn text(&self, at: &str) -> String {
        fs::read_to_string(self.full(at)).unwrap_or_else(|error| panic!("{at}: {error}"))
    }

    pub fn folder(&self, at: &str) -> LocalStamp {
        fs::create_dir_all(self.full(at)).unwrap();
        self.stamp(at)
    }

    pub fn is_there(&self, at: &str) -> bool {
        fs::symlink_metadata(self.full(at)).is_ok()
    }

    pub fn stamp(&self, at: &str) -> LocalStamp {
        self.disk.look(&path(at)).unwrap().unwrap_or_else(|| panic!("{at} is not there")).stamp
    }

    /// What lies in the trash: paths with contents, in order.
    pub fn trash(&self) -> Vec<(String, String)> {
        let items = self.disk.list_trash().unwrap();
        let mut found: Vec<_> = items
            .iter()
            .map(|item| {
                let (_, inside) = item.slot.split_once("//").unwrap();
                (item.path.as_str().to_owned(), self.text(&format!(".icloudds/trash/{inside}")))
            })
            .collect();
        found.sort();
        found
    }

    /// Files in `.icloudds/tmp`.
    pub fn tmp(&self) -> Vec<String> {
        let entries = fs::read_dir(self.full(".icloudds/tmp")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A finished download that will come to that path.
    pub fn ready(&self, at: &str, content: &str) -> Ready {
        let mut download = self.disk.download(&key(at, content)).unwrap();
        assert_eq!(download.offset(), 0);
        download.write_all(content.as_bytes()).unwrap();
        download.finish(Some(ServerTime(1_600_000_000))).unwrap()
    }

    /// The same drive as a new process sees it.
    pub fn reopen(&mut self) {
        let options = self.disk.options.clone();
        self.disk = LocalDisk::open(self.root(), options).unwrap();
    }
}

pub(super) fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

pub(super) fn key(at: &str, content: &str) -> DownloadKey {
    DownloadKey {
        id: ItemId::from_drivewsid(&format!("FILE::com.apple.CloudDocs::{at}")).unwrap(),
        etag: Etag::new("1::a"),
        signature_text: format!("signature of {content}"),
        size: Some(content.len() as u64),
        path: path(at),
    }
}

pub(super) fn signature_of(content: &str) -> Signature {
    let mut hasher = Hasher::default();
    hasher.update(content.as_bytes());
    hasher.finish()
}

pub(super) fn read_all(disk: &dyn Disk, at: &str, stamp: &LocalStamp) -> (String, Signature) {
    let mut source = disk.open(&path(at), stamp).unwrap();
    let mut text = String::new();
    source.read_to_string(&mut text).unwrap();
    (text, source.finish().unwrap())
}

/// Whether permission bits bind this process.
pub(super) fn permissions_bind() -> bool {
    let bind = !rustix::process::geteuid().is_root();
    if !bind {
        eprintln!("skipped: permission bits do not bind the superuser");
    }
    bind
}

/// A small file system of its own, mounted there until this is dropped.
pub(in crate::disk) struct Mounted(PathBuf);

impl Mounted {
    pub fn tmpfs(at: &Path, size: &str) -> Option<Self> {
        let done = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .output();
        let mounted = done.is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: no tmpfs can be mounted here");
        }
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
