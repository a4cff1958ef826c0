//! The kernel's list of what is mounted where.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::model::RelPath;

/// The list, whose changes can be waited for.
pub(super) const LIST: &str = "/proc/self/mountinfo";

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where.
    pub at: PathBuf,
    /// The kernel's number of the mount.
    pub id: u64,
    /// That of its device, `MAJOR:MINOR`.
    pub device: String,
    /// The kind of its file system.
    pub kind: String,
    /// What it was mounted from, by the name that was given.
    pub source: PathBuf,
}

/// Every line of `list` that can be read.
pub(super) fn all(list: &str) -> impl Iterator<Item = Mount> {
    list.lines().filter_map(|line| {
        // `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELDS] - KIND SOURCE OPTIONS` (proc_pid_mountinfo(5))
        let (mount, system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ');
        let (id, device, at) = (fields.next()?, fields.nth(1)?, unescaped(fields.nth(1)?));
        let mut fields = system.split(' ');
        let (kind, source) = (fields.next()?.to_owned(), unescaped(fields.next()?));
        Some(Mount { at, id: id.parse().ok()?, device: device.to_owned(), kind, source })
    })
}

/// What is mounted strictly inside `root`.
pub(super) fn below(root: &Path, list: &str) -> Vec<Mount> {
    all(list).filter(|mount| mount.at.starts_with(root) && mount.at != root).collect()
}

/// Which mounts inside `root` a call about `path` may wait for, each with where it is and the kind of its file system: the innermost that
/// holds it, else those that stand in it. `root` has no links in it. Only the kernel's list is read, so that this answers while the mounts
/// do not.
pub fn mounted_near(root: &Path, path: &RelPath) -> Vec<(String, String)> {
    near(root, path, &std::fs::read_to_string(LIST).unwrap_or_default())
}

fn near(root: &Path, path: &RelPath, list: &str) -> Vec<(String, String)> {
    let whole = root.join(path.as_str());
    let mounts = below(root, list);
    let around = mounts.iter().filter(|mount| whole.starts_with(&mount.at));
    let around = around.max_by_key(|mount| mount.at.as_os_str().len());
    let inside = mounts.iter().filter(|mount| mount.at.parent() == Some(&whole));
    let told = |mount: &Mount| (mount.at.display().to_string(), mount.kind.clone());
    match around {
        Some(mount) if whole == mount.at => std::iter::once(mount).chain(inside).map(told).collect(),
        Some(mount) => inside.chain([mount]).map(told).collect(),
        None => inside.map(told).collect(),
    }
}

/// Blanks and the like stand as three octal digits after a backslash.
fn unescaped(text: &str) -> PathBuf {
    let bytes = OsString::from(text);
    let (mut rest, mut plain) = (bytes.as_bytes(), Vec::new());
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            digits.iter().try_fold(0u32, |sum, digit| Some(sum * 8 + char::from(*digit).to_digit(8)?))
        });
        match code.and_then(|code| u8::try_from(code).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = &after[3..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "22 1 0:21 / /proc rw,relatime - proc proc rw\n\
        30 1 8:1 / /drive rw shared:1 - ext4 /dev/sda1 rw\n\
        31 30 0:44 / /drive/on\\040a\\134b rw - nfs4 host:/x rw\n\
        32 30 0:45 /sub /drive/here rw shared:2 master:3 - btrfs /dev/sdb rw\n\
        33 1 0:46 / /drive-not rw - fuse.sshfs host: rw\n";

    #[test]
    fn a_call_may_wait_for_what_holds_its_path_and_for_what_stands_in_it() {
        let places = |path: &str| -> Vec<String> {
            let path = RelPath::parse(path).expect("a path");
            near(Path::new("/drive"), &path, TEXT).into_iter().map(|(at, _)| at).collect()
        };
        assert_eq!(places(""), ["/drive/on a\\b", "/drive/here"]);
        assert_eq!(places("here"), ["/drive/here"]);
        assert_eq!(places("here/deep/er"), ["/drive/here"]);
        assert!(places("elsewhere").is_empty());
    }

    #[test]
    fn only_what_is_inside_the_drive_counts() {
        let found = below(Path::new("/drive"), TEXT);
        let places: Vec<_> = found.iter().map(|mount| (mount.at.to_str().unwrap(), &*mount.kind)).collect();
        assert_eq!(places, [("/drive/on a\\b", "nfs4"), ("/drive/here", "btrfs")]);
        assert_ne!(
            below(Path::new("/drive"), &TEXT.replace("0:45", "0:47")),
            found,
            "another volume at the same place"
        );
    }
}
