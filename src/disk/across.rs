//! Moves from one file system of the drive to another, which no rename can do (`docs/sync.md` §5, Across file systems).

use std::fs::File;
use std::io::{Read, Write};

use filetime::FileTime;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, fstatvfs, fsync, mkdirat, openat, unlinkat};
use rustix::io::Errno;

use crate::engine::ports::DiskError;
use crate::model::name::PRIVATE_FOLDER;
use crate::model::{DiskTime, LocalEntry, LocalKind, LocalStamp, RelPath, Signature};

use super::attributes::{carry, inherit};
use super::clock_skew::now;
use super::errors::{disk_error, io_error};
use super::fs_traits::FsTraits;
use super::moves::{At, STEP, Step};
use super::private::area::Area;
use super::private::small_files::{remove_small, unique, write_small};
use super::root::Place;
use super::seen::{Seen, open_folder, see, see_if_there, see_open};
use super::{Hasher, LocalDisk};

/// The end of the name of a copy in `tmp` that is on its way to another file system.
pub(super) const ACROSS: &str = ".across";

/// The end of the name in `tmp` of a copy that comes from a trash.
pub(super) const NEAR: &str = ".near";

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

impl LocalDisk {
    /// Copies, reads again what was copied, makes it durable, puts it in place, and then sends the original to the trash. The
    /// record lets start-up finish it from the moment on in which the copy is in place, and undo it before.
    pub(super) fn move_across(
        &self,
        from: &RelPath,
        to: &RelPath,
        stamp: &LocalStamp,
    ) -> Result<LocalEntry, DiskError> {
        if to.is_within(from) {
            return Err(DiskError::Folder { path: to.clone() });
        }
        let (source, target) = (self.place_of(from)?, self.place_of(to)?);
        let seen = self.seen_at(&source, from)?;
        if !seen.is_still(stamp) || seen.kind == LocalKind::File && !seen.is_exactly(stamp) {
            return Err(DiskError::Changed { path: from.clone() });
        }
        if target.see().map_err(|errno| self.fail_naming("move", to, errno))?.is_some() {
            return Err(DiskError::Taken { path: to.clone() });
        }
        let folder = to.parent().unwrap_or_default();
        match self.copy_and_place(self.area_of(&folder)?, (&source, from), (&target, to), &seen) {
            // The area of that file system is not near enough: project quotas, for example.
            Err(error) if error.crosses() => {
                self.copy_and_place(self.own_area(&folder)?, (&source, from), (&target, to), &seen)
            }
            other => other,
        }
    }

    fn copy_and_place(
        &self,
        area: Area,
        (source, from): (&Place, &RelPath),
        (target, to): (&Place, &RelPath),
        seen: &Seen,
    ) -> Result<LocalEntry, DiskError> {
        let fail = |errno| disk_error("move", from, errno);
        let part = format!("{}{ACROSS}", unique());
        let record = format!("{part}{STEP}");
        let mut step = Step::Across {
            part: part.clone(),
            from: from.as_str().into(),
            to: to.as_str().into(),
            original: seen.identity.inode,
            copy: 0,
            began: now().0,
        };
        let note = |step: &Step| {
            let text = serde_json::to_vec(step).expect("texts and numbers have a JSON form");
            write_small(&area.tmp, &record, &text).map_err(fail)
        };
        note(&step)?;
        self.step();
        let undo = |error| {
            // What cannot be removed now is removed at the next start, by its record.
            if remove_copy(&area, &part).is_ok() {
                let _ = remove_small(&area.tmp, &record);
            }
            Err(error)
        };
        let copied = self
            .has_room(&area, source, from)
            .and_then(|()| self.copy_item((&source.folder, &source.name), (&area.tmp, &part), from))
            .and_then(|()| self.inherit_top(&area, &part, target).map_err(fail));
        if let Err(error) = copied {
            return undo(error);
        }
        self.step();
        let copy = match see(&area.tmp, &*part) {
            Ok(copy) => copy,
            Err(errno) => return undo(fail(errno)),
        };
        let made = copy.stamp(self.root.fs, copy.fs, self.root.traits_of(copy.fs, &area.tmp));
        if let Step::Across { copy: noted, .. } = &mut step {
            *noted = made.identity.inode;
        }
        if let Err(error) = note(&step) {
            return undo(error);
        }
        self.step();
        let placed = self.move_free((&area.tmp, &part), (&target.folder, &target.name));
        if let Err(errno) = placed {
            return undo(self.fail_naming("move", to, errno));
        }
        self.step();
        fsync(&target.folder).map_err(fail)?;
        if let Err(error) = self.clear_original(from, to, &step) {
            // The original was changed meanwhile, or cannot go: the copy goes instead, unless somebody wrote to that.
            let (placed, waiting): (At<'_>, At<'_>) = ((&target.folder, &target.name), (&area.tmp, &part));
            let is_ours = |at: At<'_>| see(at.0, at.1).is_ok_and(|seen| seen.is_still(&made));
            if !is_ours(placed) {
                remove_small(&area.tmp, &record).map_err(fail)?;
                return Err(error);
            }
            self.move_out(placed, waiting).map_err(fail)?;
            if !is_ours(waiting) {
                self.move_free(waiting, placed).map_err(fail)?;
                remove_small(&area.tmp, &record).map_err(fail)?;
                return Err(error);
            }
            return undo(error);
        }
        self.step();
        // The effect before the record's end, also after a power cut.
        self.make_durable(&[], &[from.parent().unwrap_or_default()])?;
        remove_small(&area.tmp, &record).map_err(fail)?;
        // Whoever wrote to it since it stood there has edited what was moved: that is not what both sides agree on.
        let still = self.seen_at(target, to).ok().filter(|seen| seen.is_still(&made));
        Ok(self.root.entry(&still.unwrap_or(copy), target.fs, target.traits))
    }

    fn has_room(&self, area: &Area, source: &Place, from: &RelPath) -> Result<(), DiskError> {
        let fail = |errno| disk_error("move", from, errno);
        let space = fstatvfs(&area.tmp).map_err(fail)?;
        let needed = size_below(&source.folder, &source.name).map_err(fail)?;
        match space.f_bavail.saturating_mul(space.f_frsize) < needed {
            true => Err(DiskError::Full { path: from.clone() }),
            false => Ok(()),
        }
    }

    /// A file gets what making it in its folder would give where it had nothing of its own: the group, and default ACLs.
    fn inherit_top(&self, area: &Area, part: &str, target: &Place) -> Result<(), Errno> {
        let top = openat(&area.tmp, part, READ, Mode::empty())?;
        let seen = see_open(&top)?;
        if inherit((&top, &seen), (&target.folder, &target.seen))? { fsync(&top) } else { Ok(()) }
    }

    /// Copies a file, or a folder with all that is in it. What is never synced (links, sockets, what is mounted there) cannot be
    /// copied, so a folder that holds such a thing stays where it is.
    fn copy_item(&self, from: At<'_>, to: At<'_>, path: &RelPath) -> Result<(), DiskError> {
        let fail = |errno| disk_error("copy", path, errno);
        let seen = see(from.0, from.1).map_err(fail)?;
        match seen.kind {
            LocalKind::File => copy_file(from, to, path, &seen),
            LocalKind::Folder => {
                let folder = open_folder(from.0, from.1).map_err(fail)?;
                mkdirat(to.0, to.1, Mode::RWXU).map_err(fail)?;
                let made = open_folder(to.0, to.1).map_err(fail)?;
                for name in names_in(&folder, path)? {
                    let inner = path.join(&name).map_err(|_| stays(path))?;
                    if see(&folder, &*name).map_err(fail)?.fs != seen.fs || name == PRIVATE_FOLDER {
                        return Err(stays(path));
                    }
                    self.copy_item((&folder, &name), (&made, &name), &inner)?;
                }
                carry(&folder, &made).and_then(|()| fsync(&made)).map_err(fail)
            }
            LocalKind::Special => Err(stays(path)),
        }
    }

    /// The fingerprint of what stands at a path, as a scan would tell it.
    fn stamp_at(&self, path: &RelPath, seen: &Seen) -> LocalStamp {
        let traits = match self.root.folder(&path.parent().unwrap_or_else(RelPath::root)) {
            Ok(folder) => self.root.traits_of(seen.fs, &folder),
            Err(_) => FsTraits::default(),
        };
        seen.stamp(self.root.fs, seen.fs, traits)
    }

    /// Sends the files of an original that are as they were copied to the trash, and removes its folders. A file that changed since
    /// stays where it is: alone it is an error, in a folder it is met as new.
    fn clear_original(&self, from: &RelPath, to: &RelPath, step: &Step) -> Result<(), DiskError> {
        let Step::Across { began, .. } = step else { return Ok(()) };
        let (Some(old), Some(new)) = (self.seen_there(from)?, self.seen_there(to)?) else {
            return Err(DiskError::Changed { path: from.clone() });
        };
        match old.kind {
            LocalKind::File => {
                let stamp = self.stamp_at(from, &old);
                let copied = self.stamp_at(to, &new);
                // Not by their times, which the other file system may keep in a coarser form, or not at all: the copy was read again.
                let as_copied = stamp.size == copied.size && stamp.ctime.0 <= *began;
                if as_copied {
                    self.throw_away(from, &stamp)
                } else {
                    Err(DiskError::Changed { path: from.clone() })
                }
            }
            LocalKind::Folder => {
                let folder = self.root.folder(from).map_err(|errno| disk_error("move", from, errno))?;
                for name in names_in(&folder, from)? {
                    let (Ok(inner), Ok(copied)) = (from.join(&name), to.join(&name)) else { continue };
                    if let Err(error) = self.clear_original(&inner, &copied, step) {
                        log::debug!("what was moved to {copied} stays where it was: {error}");
                    }
                    self.step();
                }
                let stamp = self.stamp_at(from, &old);
                // One that holds something by now stays, and is met as new: what was in it has gone to its new place.
                if let Err(error) = self.throw_away(from, &stamp) {
                    log::debug!("what was moved to {to} leaves a folder where it was: {error}");
                }
                Ok(())
            }
            LocalKind::Special => Ok(()),
        }
    }

    fn seen_there(&self, path: &RelPath) -> Result<Option<Seen>, DiskError> {
        match self.root.place(path).and_then(|place| place.see()) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            other => other.map_err(|errno| self.fail("look at", path, errno)),
        }
    }

    /// Start-up: finishes a move across file systems whose copy is in place, and undoes one whose copy is not. Says whether the
    /// item is at its new place.
    pub(super) fn recover_across(
        &self,
        area: &Area,
        step: &Step,
        (from, to): (&RelPath, &RelPath),
    ) -> Result<bool, DiskError> {
        let Step::Across { part, original, copy, .. } = step else { return Ok(false) };
        if see_if_there(&area.tmp, &**part).map_err(|errno| self.fail("repair", from, errno))?.is_some() {
            remove_copy(area, part).map_err(|errno| self.fail("repair", from, errno))?;
            return Ok(false);
        }
        let has = |path: &RelPath, inode: u64| -> Result<bool, DiskError> {
            Ok(self.seen_there(path)?.is_some_and(|seen| seen.identity.inode == inode))
        };
        if !has(to, *copy)? {
            return Ok(false);
        }
        if has(from, *original)? {
            match self.clear_original(from, to, step) {
                // It was changed since: both stay.
                Ok(()) | Err(DiskError::Changed { .. }) => {}
                Err(error) => return Err(error),
            }
            self.make_durable(&[], &[from.parent().unwrap_or_default()])?;
        }
        Ok(true)
    }

    /// Copies a file, durably, into the area that is kept in `folder` itself, where renames from the area of its file system are
    /// refused. The original stays.
    pub(super) fn bring_near(
        &self,
        file: At<'_>,
        name: &str,
        folder: &RelPath,
        path: &RelPath,
    ) -> Result<Area, DiskError> {
        let fail = |errno| disk_error("copy", path, errno);
        let area = self.own_area(folder)?;
        let seen = see(file.0, file.1).map_err(fail)?;
        remove_small(&area.tmp, name).map_err(fail)?;
        copy_file(file, (&area.tmp, name), path, &seen)?;
        Ok(area)
    }
}

fn stays(path: &RelPath) -> DiskError {
    DiskError::Io {
        what: "move",
        path: path.clone(),
        source: std::io::Error::new(
            std::io::ErrorKind::Unsupported,
            "it would have to be copied to another file system, and holds what cannot be copied: a link, a socket, a device, a name \
             that is no text, or another volume",
        ),
    }
}

/// The names in a folder; those that no path can hold make it one that stays where it is.
fn names_in(folder: &OwnedFd, path: &RelPath) -> Result<Vec<String>, DiskError> {
    let fail = |errno| disk_error("read", path, errno);
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        match entry.file_name().to_str() {
            Ok("." | "..") => {}
            Ok(name) => names.push(name.to_owned()),
            Err(_) => return Err(stays(path)),
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn size_below(folder: &OwnedFd, name: &str) -> Result<u64, Errno> {
    let seen = see(folder, name)?;
    if seen.kind != LocalKind::Folder {
        return Ok(seen.size());
    }
    let inner = open_folder(folder, name)?;
    let mut total = 0u64;
    for entry in Dir::read_from(&inner)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().to_str()
            && !matches!(name, "." | "..")
        {
            total = total.saturating_add(size_below(&inner, name)?);
        }
    }
    Ok(total)
}

/// Copies content, times, mode, attributes and, as far as permitted, owner; reads the copy again; makes it durable.
fn copy_file(from: At<'_>, to: At<'_>, path: &RelPath, seen: &Seen) -> Result<(), DiskError> {
    let fail = |errno| disk_error("copy", path, errno);
    let io = |error| io_error("copy", path, error);
    let changed = || DiskError::Changed { path: path.clone() };
    let mut source = File::from(openat(from.0, from.1, READ, Mode::empty()).map_err(fail)?);
    let stamp = seen.stamp(seen.fs, seen.fs, FsTraits::default());
    let is_it = |file: &File| see_open(file).map(|now| now.is_exactly(&stamp)).map_err(fail);
    if !is_it(&source)? {
        return Err(changed());
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut copy = File::from(openat(to.0, to.1, flags, Mode::RUSR | Mode::WUSR).map_err(fail)?);
    let (read, length) = pump(&mut source, Some(&mut copy)).map_err(io)?;
    if length != stamp.size || !is_it(&source)? {
        return Err(changed());
    }
    carry(&source, &copy).map_err(fail)?;
    let DiskTime(nanos) = stamp.mtime;
    let (seconds, rest) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let time = FileTime::from_unix_time(seconds, u32::try_from(rest).unwrap_or(0));
    filetime::set_file_handle_times(&copy, Some(time), Some(time)).map_err(io)?;
    fsync(&copy).map_err(fail)?;
    let mut written = File::from(openat(to.0, to.1, READ, Mode::empty()).map_err(fail)?);
    if pump(&mut written, None).map_err(io)? != (read, length) {
        return Err(io(std::io::Error::other("the copy is not what was copied")));
    }
    Ok(())
}

/// Reads to the end, and writes what is read; says its signature and length.
fn pump(from: &mut File, mut to: Option<&mut File>) -> std::io::Result<(Signature, u64)> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 128 << 10];
    let mut length = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok((hasher.finish(), length)),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        hasher.update(&buffer[..count]);
        length += count as u64;
        if let Some(to) = to.as_mut() {
            to.write_all(&buffer[..count])?;
        }
    }
}

/// Removes an unfinished copy of ours from `tmp`, with all that is in it.
fn remove_copy(area: &Area, part: &str) -> Result<(), Errno> {
    fn remove(folder: &OwnedFd, name: &str) -> Result<(), Errno> {
        let Some(seen) = see_if_there(folder, name)? else { return Ok(()) };
        if seen.kind != LocalKind::Folder {
            return unlinkat(folder, name, AtFlags::empty());
        }
        let inner = open_folder(folder, name)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&inner)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        names.iter().try_for_each(|name| remove(&inner, name))?;
        unlinkat(folder, name, AtFlags::REMOVEDIR)
    }
    remove(&area.tmp, part)
}
