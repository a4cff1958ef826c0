//! What a file system keeps, tried out in our own folder, remembered beside it, and never taken for granted of a file system
//! that another program makes up.

use std::time::{Duration, Instant};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, FsWord, Mode, OFlags, RenameFlags, fchmod, fstatfs, linkat, mkdirat, openat, renameat,
    renameat_with, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::fs_traits::FsTraits;
use super::private::area::Area;
use super::private::small_files::{read_small, unique, write_small};
use super::seen::{Seen, open_folder, see, see_open};

/// In `.icloudds`: what was found out.
const NOTE: &str = "file-system";

/// The note beside the drive.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    traits: FsTraits,
    /// Inode numbers of `tmp` and `trash`, which stay for good: whether a restart keeps them.
    kept: (u64, u64),
    /// When they were made, where the file system tells: who copies the folder to another disk makes others.
    #[serde(default)]
    born: Option<(i64, i64)>,
}

impl Note {
    /// Whether it was written beside other folders, which were copied to here with it: it says nothing of this file system.
    fn is_copied(&self, born: Option<(i64, i64)>) -> bool {
        self.born.is_some() && born.is_some() && self.born != born
    }
}

fn read(area: &Area) -> Option<Note> {
    let ours = open_folder(&area.tmp, "..").ok()?;
    serde_json::from_slice(&read_small(ours, NOTE).ok()??).ok()
}

/// What was found out before; `None` where nobody has tried yet.
pub(super) fn remembered(area: &Area) -> Option<FsTraits> {
    read(area).map(|note| note.traits)
}

/// Tries what holds on the file system of that area, and remembers it.
///
/// # Errors
///
/// When the disk refuses; what was found out before holds then.
pub(super) fn find_out(area: &Area) -> Result<FsTraits, Errno> {
    let by_kind = FsTraits::of_kind(&area.tmp);
    let ours = open_folder(&area.tmp, "..")?;
    let (tmp, trash) = (see(&ours, "tmp")?.identity, see(&ours, "trash")?.identity);
    let kept = (tmp.inode, trash.inode);
    // What is copied up is born anew, and is what it was.
    let births = tmp.birth.get().zip(trash.birth.get()).filter(|_| !by_kind.copies_up);
    let born = births.map(|(tmp, trash)| (tmp.0, trash.0));
    let before = read(area).filter(|note| !note.is_copied(born));
    let mut traits = attempt(&area.tmp)?;
    if let Some(before) = &before {
        // Where they changed once they may change again.
        traits.restart = before.traits.restart && before.kept == kept;
    }
    (traits.restart, traits.copies_up) = (traits.restart && by_kind.restart, by_kind.copies_up);
    let noted = FsTraits { shows_all: false, ..traits };
    let is_known =
        before.is_some_and(|before| before.traits == noted && before.kept == kept && before.born == born);
    if !is_known {
        let text = serde_json::to_vec(&Note { traits, kept, born }).map_err(|_| Errno::INVAL)?;
        write_small(ours, NOTE, &text)?;
    }
    Ok(traits)
}

pub(super) fn attempt(folder: &OwnedFd) -> Result<FsTraits, Errno> {
    let names = [(); 4].map(|()| format!("{}.try", unique()));
    let result = attempt_with(folder, &names);
    for name in &names {
        let _ = unlinkat(folder, &**name, AtFlags::empty());
        let _ = unlinkat(folder, &**name, AtFlags::REMOVEDIR);
    }
    result
}

fn attempt_with(folder: &OwnedFd, [one, two, three, four]: &[String; 4]) -> Result<FsTraits, Errno> {
    let is_same = |seen: &Seen, name: &str| see(folder, name).map(|now| now.identity == seen.identity);
    make(folder, one)?;
    let file = see(folder, &**one)?;
    renameat(folder, &**one, folder, &**two)?;
    let mut files = is_same(&file, two)?;
    let links = match linkat(folder, &**two, folder, &**three, AtFlags::empty()) {
        Ok(()) => {
            files &= is_same(&file, three)?;
            unlinkat(folder, &**three, AtFlags::empty())?;
            files &= is_same(&file, two)?;
            true
        }
        Err(_) => false,
    };
    make(folder, three)?;
    let exchange = renameat_with(folder, &**two, folder, &**three, RenameFlags::EXCHANGE).is_ok();
    if exchange {
        files &= is_same(&file, three)?;
    }
    mkdirat(folder, &**four, Mode::RWXU)?;
    let made = see(folder, &**four)?;
    renameat(folder, &**four, folder, &**one)?;
    let folders = is_same(&made, one)?;
    let shows_all = shows_all(folder, two)?;
    Ok(FsTraits { files, folders, exchange, links, shows_all, ..FsTraits::default() })
}

/// File systems of this machine alone whose times newer kernels keep fine after each look (since Linux 6.13): ext4, btrfs, XFS. Not
/// tmpfs, where a write through a memory map sets no time.
const OF_THIS_MACHINE: [FsWord; 3] = [0xef53, 0x9123_683e, 0x5846_5342];
/// So many changes in a row are looked at, within half as many milliseconds: the clock that other kernels take their times from moves
/// on at most a thousand times a second, so that they cannot all differ there.
const CHANGES: u32 = 32;
const NO_TICKS: Duration = Duration::from_millis(CHANGES as u64 / 2);
/// So often it is tried: a busy machine may take longer.
const TRIES: u32 = 3;

/// Whether each of many changes of a file, one right after the other, set another time.
fn shows_all(folder: &OwnedFd, name: &str) -> Result<bool, Errno> {
    if !OF_THIS_MACHINE.contains(&fstatfs(folder)?.f_type) {
        return Ok(false);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty())?;
    for _ in 0..TRIES {
        let began = Instant::now();
        let mut last = see_open(&file)?.ctime();
        let mut all_differ = true;
        for count in 0..CHANGES {
            fchmod(&file, if count % 2 == 0 { Mode::RUSR } else { Mode::RUSR | Mode::WUSR })?;
            let now = see_open(&file)?.ctime();
            all_differ &= now > last;
            last = now;
        }
        if !all_differ || began.elapsed() < NO_TICKS {
            return Ok(all_differ);
        }
    }
    Ok(false)
}

fn make(folder: impl AsFd, name: &str) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::RUSR | Mode::WUSR).map(drop)
}
