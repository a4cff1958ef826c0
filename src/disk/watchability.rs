//! What the kind of a file system says of watching it and of its names.

use std::path::Path;

use rustix::fd::AsFd;
use rustix::fs::{fstatfs, statfs};

/// Whether the kernel's events can be relied on below a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// All changes are seen.
    Native,
    /// Some changes raise no event; the text completes "polled because …".
    PollBecause(&'static str),
}

/// Whether changes below `path` can be watched, by the kind of its file system (`docs/sync.md` §7).
///
/// # Errors
///
/// When the system cannot say.
pub fn watchability(path: &Path) -> std::io::Result<Watch> {
    Ok(by_magic(magic(statfs(path)?.f_type)))
}

/// File system magic numbers fit 32 bits; some platforms sign-extend them.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unnecessary_cast)]
pub(super) fn magic(kind: impl TryInto<i128>) -> u32 {
    kind.try_into().map_or(0, |wide| wide as u32)
}

fn by_magic(magic: u32) -> Watch {
    Watch::PollBecause(match magic {
        0x6969 => "NFS tells nothing of changes made on other machines",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB tells nothing of changes made on other machines",
        0x6573_5546 => "FUSE file systems may change without telling the kernel",
        0x0102_1997 => "9p tells nothing of changes made on the host",
        0x794c_7630 => "overlay file systems do not tell of every change",
        0x6a65_6a63 | 0x7665_6a70 => {
            "a file system shared with the host of this machine tells nothing of changes there"
        }
        0x00c3_6400 => "Ceph tells nothing of changes made on other machines",
        0x0bd0_0bd0 | 0x4750_4653 | 0x0116_1970 | 0x6b41_4653 | 0x5346_414f | 0x7461_636f => {
            "cluster file systems tell nothing of changes made on other machines"
        }
        0x786f_4256 | 0xbacb_acbc => {
            "a folder shared by a virtual machine's host tells nothing of changes there"
        }
        _ => return Watch::Native,
    })
}

/// Whether this kind of file system usually takes names that differ only in case for one.
pub(super) fn usually_folds(folder: impl AsFd) -> bool {
    const FOLDING: [u32; 6] = [0x4d44, 0x2011_bab0, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x786f_4256];
    fstatfs(folder).is_ok_and(|found| FOLDING.contains(&magic(found.f_type)))
}

/// What the kind of a file system promises of its inode numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// They are stored with the items.
    Lasting,
    /// They are made up while the item is looked at, and may be other ones at any later time.
    MadeUp,
    /// They are those of the layer that holds an item, which its first change copies to another one.
    CopiedUp,
}

/// FUSE programs number items as they like, and FAT and exFAT have no inodes to number.
pub(super) fn numbering(folder: impl AsFd) -> Numbering {
    const MADE_UP: [u32; 3] = [0x6573_5546, 0x4d44, 0x2011_bab0];
    match fstatfs(folder) {
        Ok(found) if MADE_UP.contains(&magic(found.f_type)) => Numbering::MadeUp,
        Ok(found) if magic(found.f_type) == 0x794c_7630 => Numbering::CopiedUp,
        _ => Numbering::Lasting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_and_stacked_file_systems_are_polled() {
        for kind in [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997, 0x794c_7630] {
            assert!(matches!(by_magic(kind), Watch::PollBecause(_)), "{kind:x}");
        }
        for native in [0xef53, 0x9123_683e, 0x5846_5342, 0x0102_1994, 0x4d44] {
            assert_eq!(by_magic(native), Watch::Native, "{native:x}");
        }
    }

    #[test]
    fn a_real_folder_has_an_answer() {
        assert!(watchability(Path::new("/")).is_ok());
        assert!(watchability(Path::new("/nonexistent-folder")).is_err());
    }
}
