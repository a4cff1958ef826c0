//! Mode, owner, extended attributes and ACLs: carried over to a file that replaces another, and given to a new one as
//! its folder would (`docs/sync.md` §5).

use std::sync::Once;

use rustix::fd::AsFd;
use rustix::fs::{Gid, Mode, Uid, XattrFlags, fchmod, fchown, fgetxattr, flistxattr, fsetxattr};
use rustix::io::Errno;
use rustix::process::getegid;

use super::seen::{Seen, see_open};

const ACCESS_ACL: &str = "system.posix_acl_access";
const DEFAULT_ACL: &str = "system.posix_acl_default";
const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;

/// Bound to the old content by the kernel; they would be wrong, or a privilege, with a new one.
const OF_THE_CONTENT: [&str; 3] = ["security.capability", "security.ima", "security.evm"];

/// Reads an extended attribute; `None` when there is none or the file system has none.
fn attribute(file: impl AsFd, name: &str) -> Result<Option<Vec<u8>>, Errno> {
    let mut value = Vec::new();
    loop {
        value.reserve(1024.max(value.capacity() * 2));
        match fgetxattr(&file, name, rustix::buffer::spare_capacity(&mut value)) {
            Ok(_) => return Ok(Some(value)),
            Err(Errno::RANGE) => {}
            Err(Errno::NODATA) => return Ok(None),
            Err(errno) if is_refusal(errno) => return Ok(None),
            Err(errno) => return Err(errno),
        }
    }
}

fn attribute_names(file: impl AsFd) -> Result<Vec<String>, Errno> {
    let mut list = Vec::new();
    loop {
        list.reserve(1024.max(list.capacity() * 2));
        match flistxattr(&file, rustix::buffer::spare_capacity(&mut list)) {
            Ok(_) => break,
            Err(Errno::RANGE) => {}
            Err(errno) if is_refusal(errno) => return Ok(Vec::new()),
            Err(errno) => return Err(errno),
        }
    }
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect())
}

/// What a disk may refuse though nobody needs it: the file comes all the same.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dispensable {
    /// Its modification time.
    Time,
    /// Mode, owner, extended attributes and ACLs.
    Attributes,
}

/// Says once for each kind that the disk refuses it.
pub(super) fn refused(what: Dispensable, errno: Errno) {
    static TIME: Once = Once::new();
    static ATTRIBUTES: Once = Once::new();
    let (once, name) = match what {
        Dispensable::Time => (&TIME, "modification times"),
        Dispensable::Attributes => (&ATTRIBUTES, "modes, owners or attributes"),
    };
    once.call_once(|| {
        log::warn!("this disk takes no {name} ({}): files come without", std::io::Error::from(errno));
    });
}

/// Whether a refusal is the disk's way to say that it has no such thing, or keeps it from us.
pub(super) fn is_refusal(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::PERM
            | Errno::ACCESS
            | Errno::NOTSUP
            | Errno::INVAL
            | Errno::NOSYS
            | Errno::TOOBIG
            | Errno::RANGE
    )
}

/// Whether the system may refuse it and the rest goes on.
fn optional(result: Result<(), Errno>) -> Result<bool, Errno> {
    match result {
        Ok(()) => Ok(true),
        Err(errno) if is_refusal(errno) => {
            refused(Dispensable::Attributes, errno);
            Ok(false)
        }
        Err(errno) => Err(errno),
    }
}

/// Gives `new` mode, extended attributes, ACLs and, as far as permitted, owner and group of `old`.
pub(super) fn carry(old: impl AsFd, new: impl AsFd) -> Result<(), Errno> {
    let (from, to) = (see_open(&old)?, see_open(&new)?);
    let owner = from.uid == to.uid || optional(fchown(&new, Some(Uid::from_raw(from.uid)), None))?;
    let group = from.gid == to.gid || optional(fchown(&new, None, Some(Gid::from_raw(from.gid))))?;
    // Before the mode: a set ACL moves the group bits.
    for name in attribute_names(&old)? {
        let Some(value) = attribute(&old, &name)? else { continue };
        if OF_THE_CONTENT.contains(&&*name) {
            continue;
        }
        match fsetxattr(&new, &*name, &value, XattrFlags::empty()) {
            // No room for attributes is no lack of room for the file.
            Err(Errno::NOSPC | Errno::DQUOT) => refused(Dispensable::Attributes, Errno::NOSPC),
            set => drop(optional(set)?),
        }
    }
    let mut mode = from.mode;
    if !owner {
        mode &= !SET_USER_ID;
    }
    if !group {
        mode &= !SET_GROUP_ID;
    }
    if see_open(&new)?.mode != mode {
        optional(fchmod(&new, Mode::from_raw_mode(mode)))?;
    }
    Ok(())
}

/// Gives a new file, made in our own folder with the umask applied, what making it in `folder` would have
/// given; both with what was just seen of them. Says whether something was changed.
pub(super) fn inherit(
    (file, here): (impl AsFd, &Seen),
    (folder, there): (impl AsFd, &Seen),
) -> Result<bool, Errno> {
    let group = if there.mode & SET_GROUP_ID != 0 { there.gid } else { getegid().as_raw() };
    let mut changed = here.gid != group && optional(fchown(&file, None, Some(Gid::from_raw(group))))?;
    if let Some(acl) = attribute(&folder, DEFAULT_ACL)?.as_deref().and_then(for_new_file)
        && attribute(&file, ACCESS_ACL)?.as_ref() != Some(&acl)
    {
        // One that says no more than the mode is kept as the mode alone.
        let before = see_open(&file)?.mode;
        let is_set = optional(fsetxattr(&file, ACCESS_ACL, &acl, XattrFlags::empty()))?;
        changed |= is_set && (see_open(&file)?.mode != before || attribute(&file, ACCESS_ACL)?.is_some());
    }
    Ok(changed)
}

/// The access ACL of a file that is made with mode 0666 in a folder with that default ACL; `None` when it is of
/// no known form. The umask plays no part then.
fn for_new_file(default: &[u8]) -> Option<Vec<u8>> {
    const VERSION: [u8; 4] = 2u32.to_le_bytes();
    const ENTRY: usize = 8;
    const USER_OBJ: u16 = 0x01;
    const GROUP_OBJ: u16 = 0x04;
    const MASK: u16 = 0x10;
    const OTHER: u16 = 0x20;
    const READ_WRITE: u16 = 6;
    let entries = default.strip_prefix(&VERSION)?;
    if entries.is_empty() || entries.len() % ENTRY != 0 {
        return None;
    }
    let tag = |entry: &[u8]| u16::from_le_bytes([entry[0], entry[1]]);
    let has_mask = entries.chunks(ENTRY).any(|entry| tag(entry) == MASK);
    let mut acl = VERSION.to_vec();
    for entry in entries.chunks(ENTRY) {
        let mut permissions = u16::from_le_bytes([entry[2], entry[3]]);
        match tag(entry) {
            USER_OBJ | OTHER | MASK => permissions &= READ_WRITE,
            GROUP_OBJ if !has_mask => permissions &= READ_WRITE,
            _ => {}
        }
        acl.extend_from_slice(&entry[..2]);
        acl.extend_from_slice(&permissions.to_le_bytes());
        acl.extend_from_slice(&entry[4..]);
    }
    Some(acl)
}
