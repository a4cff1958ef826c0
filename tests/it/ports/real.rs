//! The real disk in a temporary folder, and the real client with the simulated service.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use icloudds::disk::{LocalDisk, Options};
use icloudds::engine::ports::{Disk, Remote};
use icloudds::model::ItemId;
use tempfile::TempDir;

use super::{DiskBench, DriveBench};
use crate::drive;

/// A folder, and the disk that has it open.
pub struct RealDisk {
    folder: TempDir,
    disk: LocalDisk,
}

impl RealDisk {
    /// As the daemon opens it, and, with `plain`, as on a kernel and a file system that offer the least.
    pub fn new(plain: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = Options {
            writes: true,
            force_no_renameat2: plain,
            force_component_walk: plain,
            ..Options::default()
        };
        let disk = LocalDisk::open(folder.path(), options).expect("opened");
        disk.prepare().expect("prepared");
        Self { folder, disk }
    }

    fn full(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
}

impl DiskBench for RealDisk {
    fn disk(&self) -> &dyn Disk {
        &self.disk
    }
    fn write(&self, path: &str, content: &[u8]) {
        fs::write(self.full(path), content).expect("written");
    }
    fn mkdir(&self, path: &str) {
        fs::create_dir(self.full(path)).expect("made");
    }
    fn special(&self, path: &str) {
        symlink("nowhere", self.full(path)).expect("made");
    }
    fn remove(&self, path: &str) {
        let full = self.full(path);
        if full.is_dir() { fs::remove_dir_all(full) } else { fs::remove_file(full) }.expect("removed");
    }
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.full(path)).ok()
    }
    fn trash(&self) -> Vec<Vec<u8>> {
        let items = self.disk.list_trash().expect("a trash that can be read");
        let inside = |slot: &str| slot.split_once("//").map(|(_, inside)| inside.to_owned()).expect("a slot");
        let content = |slot: &str| fs::read(self.full(&format!(".icloudds/trash/{}", inside(slot))));
        items.iter().map(|item| content(&item.slot).expect("a version that can be read")).collect()
    }
}

/// The client, and the simulated service behind it.
pub struct RealDrive(drive::World);

impl RealDrive {
    /// An empty drive of a service that does what was seen of real accounts.
    pub fn new() -> Self {
        Self(drive::World::new(|_| {}))
    }

    /// Where the drive's person sees that item; the root is the empty path.
    fn path(&self, id: &ItemId) -> String {
        if *id == ItemId::drive_root() {
            return String::new();
        }
        let tree = self.0.sim.drive().tree();
        let found = tree.into_iter().find(|(_, entry)| id.is_doc(&entry.docwsid));
        found.map(|(path, _)| path).expect("the item is in the drive")
    }
}

impl Drop for RealDrive {
    /// The client asked for nothing that the real service refuses.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.check();
        }
    }
}

impl DriveBench for RealDrive {
    fn remote(&self) -> &dyn Remote {
        &self.0.drive
    }
    fn create(&self, folder: &ItemId, name: &str, content: &[u8]) -> ItemId {
        let path = format!("{}/{name}", self.path(folder));
        let path = path.trim_start_matches('/');
        self.0.sim.drive().write(path, content.to_vec()).expect("written");
        self.0.id(path)
    }
    fn edit(&self, id: &ItemId, content: &[u8]) {
        self.0.sim.drive().write(&self.path(id), content.to_vec()).expect("written");
    }
    fn erase(&self, id: &ItemId) {
        self.0.sim.drive().delete(&self.path(id)).expect("deleted");
    }
}
