//! Whether a file system was mounted anew: its device may have lost power by itself meanwhile (`docs/sync.md` §6, Replacing a file).
//!
//! No call tells when a file system was mounted, and the number of a mount is another one in each container. But the kernel shows
//! file systems and block devices as folders of its own, whose inode numbers it gives away one after the other: what is mounted anew,
//! or plugged in, has another one.

use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};

use crate::engine::ports::DiskError;
use crate::model::RelPath;

use super::LocalDisk;
use super::durable::sync_file_systems;
use super::mount_list::{LIST, Mount, all, below};

/// Where the kernel shows what it knows.
const SHOWN: &str = "/sys";

impl LocalDisk {
    /// What the drive's root is on, where the list has it, and what is mounted within the drive. Asks no file system.
    fn drive_mounts(&self) -> (Option<Mount>, Vec<Mount>) {
        let path = format!("/proc/self/fd/{}", self.root.handle.as_raw_fd());
        let (Ok(list), Ok(root)) = (fs::read_to_string(LIST), fs::read_link(path)) else {
            return Default::default();
        };
        let is_ours = |mount: &Mount| self.root.fs.mount.is_none_or(|id| id == mount.id);
        // Of several at one place the last covers the others.
        let own = all(&list)
            .filter(|mount| root.starts_with(&mount.at) && is_ours(mount))
            .max_by_key(|mount| mount.at.as_os_str().len());
        (own, below(&root, &list))
    }

    /// See [`crate::engine::ports::Disk::mounts`].
    pub(super) fn numbers_of_mounts(&self) -> Vec<u64> {
        let (own, within) = self.drive_mounts();
        let mounts = own.iter().chain(&within);
        let mut numbers: Vec<u64> = mounts.flat_map(|mount| numbers(Path::new(SHOWN), mount)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The file systems of the drive, to be synced whole.
    ///
    /// # Errors
    ///
    /// When no more handles can be had.
    pub fn whole(&self) -> Result<WholeDrive, DiskError> {
        let root = rustix::io::dup(&self.root.handle);
        let root = root.map_err(|errno| self.fail("sync", &RelPath::root(), errno))?;
        let volumes = self.drive_mounts().1.into_iter().map(|mount| mount.at).collect();
        Ok(WholeDrive { root, volumes })
    }
}

/// The file systems of a drive.
pub struct WholeDrive {
    root: OwnedFd,
    volumes: Vec<PathBuf>,
}

impl WholeDrive {
    /// Makes durable all that anybody wrote to them so far. It takes as long as the slowest of them.
    ///
    /// # Errors
    ///
    /// When one of them cannot say so: what a server keeps of a FUSE file system, say, or a file that is mounted by itself.
    pub fn sync(self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let volumes = self.volumes.iter().map(|volume| open(volume, flags, Mode::empty()));
        let volumes: Vec<_> = volumes.collect::<Result<_, _>>()?;
        Ok(sync_file_systems(std::iter::once(self.root).chain(volumes))?)
    }
}

/// The inode numbers under which the kernel shows the file system and its device; none where it shows neither.
fn numbers(shown: &Path, mount: &Mount) -> Vec<u64> {
    let number = |path: &Path| fs::symlink_metadata(path).ok().map(|found| found.ino());
    let device = shown.join("dev/block").join(&mount.device);
    let mut found: Vec<u64> = number(&device).into_iter().collect();
    let name = fs::read_link(&device).ok().and_then(|to| Some(to.file_name()?.to_owned()));
    let name = name.or_else(|| mount.source.file_name().map(ToOwned::to_owned)).unwrap_or_default();
    // One driver serves three kinds.
    let kinds =
        [mount.kind.as_str(), "ext4"].into_iter().take(if mount.kind.starts_with("ext") { 2 } else { 1 });
    for kind in kinds {
        let kind = shown.join("fs").join(kind);
        if !name.is_empty()
            && let Some(number) = number(&kind.join(&name))
        {
            found.push(number);
            break;
        }
        // Those that take several devices are shown by an id of their own, and name their devices in there.
        let volumes = fs::read_dir(&kind).into_iter().flatten().flatten().map(|entry| entry.path());
        let (own, others): (Vec<_>, Vec<_>) = volumes
            .filter(|volume| volume.join("devices").is_dir())
            .partition(|volume| !name.is_empty() && volume.join("devices").join(&name).exists());
        // Where none of them names it, as for a device that has another name here, it may be any.
        let own = if own.is_empty() { others } else { own };
        found.extend(own.iter().filter_map(|volume| number(volume)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(device: &str, kind: &str, source: &str) -> Mount {
        Mount { at: "/d".into(), id: 1, device: device.into(), kind: kind.into(), source: source.into() }
    }

    #[test]
    fn what_is_mounted_anew_has_another_number() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let shown = temp.path();
        let make = |path: &str| fs::create_dir_all(shown.join(path)).expect("a folder");
        let link = |path: &str, to: &str| {
            std::os::unix::fs::symlink(to, shown.join(path)).expect("a link");
        };
        let ino = |path: &str| fs::symlink_metadata(shown.join(path)).expect("it is there").ino();
        ["dev/block", "fs/ext4/sda1", "fs/xfs/dm-0", "fs/btrfs/one/devices/sdb", "fs/btrfs/two/devices/sdc"]
            .into_iter()
            .for_each(make);
        make("fs/btrfs/features");
        link("dev/block/8:1", "../../block/sda/sda1");
        link("dev/block/253:0", "../../block/dm-0");
        let told = |device: &str, kind: &str, source: &str| numbers(shown, &mount(device, kind, source));
        let both = |block: &str, fs: &str| vec![ino(block), ino(fs)];
        assert_eq!(told("8:1", "ext4", "/dev/disk"), both("dev/block/8:1", "fs/ext4/sda1"));
        assert_eq!(told("8:1", "ext3", "/dev/disk"), both("dev/block/8:1", "fs/ext4/sda1"));
        assert_eq!(told("253:0", "xfs", "/dev/mapper/x"), both("dev/block/253:0", "fs/xfs/dm-0"));
        assert_eq!(told("0:40", "btrfs", "/dev/sdc"), [ino("fs/btrfs/two")]);
        // One of a name that is not known may be any of them.
        let mut any = told("0:40", "btrfs", "/dev/mapper/x");
        any.sort_unstable();
        let mut all = both("fs/btrfs/one", "fs/btrfs/two");
        all.sort_unstable();
        assert_eq!(any, all);
        assert_eq!(told("8:1", "vfat", "/dev/disk"), [ino("dev/block/8:1")]);
        assert!(told("0:50", "nfs4", "host:/x").is_empty());
        assert!(numbers(&PathBuf::from("/nothing"), &mount("8:1", "ext4", "/dev/sda1")).is_empty());
    }
}
