//! How far the clock that a file system's stamps come from is ahead of this machine's: that of a server is another one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FsWord, Mode, OFlags, fstatfs, openat, unlinkat};
use rustix::io::Errno;

use crate::model::{DiskTime, Skews};

use super::private::area::Area;
use super::private::small_files::unique;
use super::seen::see_open;

/// File systems whose times the kernel of this machine makes, so that they need not be asked: ext2 to ext4, btrfs, XFS, tmpfs, F2FS, overlayfs,
/// bcachefs, ZFS, FAT, exFAT, NTFS (the kernel's).
const OF_THIS_KERNEL: [FsWord; 12] = [
    0xef53,
    0x9123_683e,
    0x5846_5342,
    0x0102_1994,
    0xf2f5_2010,
    0x794c_7630,
    0xca45_1a4e,
    0x2fc1_2fc1,
    0x4d44,
    0x2011_bab0,
    0x7366_746e,
    0x5346_544e,
];

/// A difference below this is none: kernels round the times that they stamp.
const NONE_BELOW: u64 = 1_000_000_000;

/// So long a clock counts as it was found, unless this machine's is set meanwhile.
const VALID: Duration = Duration::from_secs(30);

/// The clocks of a drive's file systems, as they were found last.
#[derive(Default)]
pub(super) struct ClockSkews(Mutex<Option<Found>>);

struct Found {
    began: Instant,
    /// What this machine's clock said then.
    wall: DiskTime,
    skews: Skews,
    /// Whether all these file systems take their times from this machine.
    are_local: bool,
}

impl Found {
    fn is_valid(&self) -> bool {
        if self.are_local {
            return self.began.elapsed() < VALID;
        }
        let elapsed = self.began.elapsed();
        let expected = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX).saturating_add(self.wall.0);
        elapsed < VALID && now().0.abs_diff(expected) < NONE_BELOW
    }
}

impl ClockSkews {
    /// As they were found last.
    pub fn known(&self) -> Skews {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.as_ref().map(|found| found.skews).unwrap_or_default()
    }

    /// As they are now: found out anew after a while, in the file systems' own folders for this program.
    pub fn now(&self, areas: impl FnOnce() -> Vec<Area>) -> Skews {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*found {
            Some(found) if found.is_valid() => found.skews,
            _ => {
                let (began, wall) = (Instant::now(), now());
                let areas = areas();
                let foreign = areas.iter().filter(|area| !is_of_this_kernel(&area.tmp));
                // The clock of one that refuses to be asked counts as this machine's.
                let ahead: Vec<i64> = foreign.map(|area| ahead(&area.tmp).unwrap_or_default()).collect();
                let skews = Skews::of(ahead.iter().copied());
                let before = found.as_ref().map(|found| found.skews).unwrap_or_default();
                if skews != before {
                    let seconds: Vec<i64> = ahead.iter().map(|ahead| ahead / 1_000_000_000).collect();
                    log::debug!(
                        "file systems whose clock is ahead of this machine's, in seconds: {seconds:?}"
                    );
                }
                *found = Some(Found { began, wall, skews, are_local: ahead.is_empty() });
                skews
            }
        }
    }
}

fn is_of_this_kernel(folder: impl AsFd) -> bool {
    fstatfs(folder).is_ok_and(|fs| OF_THIS_KERNEL.contains(&fs.f_type))
}

/// Of a file system of which `folder` is an open folder of ours.
fn ahead(folder: impl AsFd) -> Result<i64, Errno> {
    let name = format!("{}.try", unique());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let before = now();
    let made = openat(&folder, &*name, flags, Mode::RUSR | Mode::WUSR)?;
    let stamped = see_open(&made).map(|seen| seen.mtime());
    let after = now();
    let _ = unlinkat(&folder, &*name, AtFlags::empty());
    Ok(ahead_of(stamped?, before, after))
}

/// How far a clock is ahead that said `stamped` at some moment between `before` and `after`.
fn ahead_of(stamped: DiskTime, before: DiskTime, after: DiskTime) -> i64 {
    let ahead = if stamped < before {
        stamped.0.saturating_sub(before.0)
    } else if stamped > after {
        stamped.0.saturating_sub(after.0)
    } else {
        0
    };
    if ahead.unsigned_abs() < NONE_BELOW { 0 } else { ahead }
}

/// The wall clock of this machine, which makes the stamps of its own file systems.
pub(super) fn now() -> DiskTime {
    let now = jiff::Timestamp::now();
    DiskTime(i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_ahead_by_what_the_call_cannot_explain() {
        let at = |millis: i64| DiskTime(millis * 1_000_000);
        let ahead = |stamped| ahead_of(at(stamped), at(10_000), at(12_000));
        for stamped in [9_001, 9_999, 10_000, 11_500, 12_000, 12_999] {
            assert_eq!(ahead(stamped), 0, "{stamped}");
        }
        assert_eq!(ahead(9_000), -1_000_000_000);
        assert_eq!(ahead(13_000), 1_000_000_000);
        assert_eq!(ahead(42_000), 30_000_000_000);
        assert_eq!(ahead(-20_000), -30_000_000_000);
    }
}
